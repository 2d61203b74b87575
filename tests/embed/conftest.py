"""Every test of this folder begins with nothing logged and with queues of its own."""

import logging

import pytest

from reducer.embed import Reports, reports


@pytest.fixture(autouse=True)
def _nothing_was_logged(monkeypatch):
    monkeypatch.setattr(reports, "_logged", set())


@pytest.fixture
def queue():
    """A queue of reports that only this test uses."""
    queue = Reports()
    yield queue
    assert queue.shutdown(30)


@pytest.fixture
def logged(caplog):
    """Return a function that returns the lines that this package has logged as warnings."""
    caplog.set_level(logging.WARNING, "reducer")
    return lambda: [record.getMessage() for record in caplog.records if record.name == "reducer"]
