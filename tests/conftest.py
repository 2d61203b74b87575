"""Settings of all tests: the option ``--no-skips`` of CI, and the profiles of hypothesis."""

import os

import pytest
from hypothesis import HealthCheck, settings

# A shared machine may stall for seconds, so no example of hypothesis has a deadline.
settings.register_profile("default", deadline=None, print_blob=True)
settings.register_profile(
    "ci", deadline=None, print_blob=True, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("nightly", deadline=None, print_blob=True, max_examples=5000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci" if os.environ.get("CI") else "default"))


def pytest_addoption(parser):
    parser.addoption("--no-skips", action="store_true", help="report a skipped test as a failure")


def _failed(report):
    """Turn a skip into a failure, except an expected failure, which pytest reports as skipped too."""
    if report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{report.nodeid}: skipped although --no-skips was given. {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if item.config.getoption("--no-skips"):
        _failed(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector):
    report = yield
    if collector.config.getoption("--no-skips"):
        _failed(report)
    return report
