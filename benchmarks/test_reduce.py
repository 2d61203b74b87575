"""The reducer over every workload, one test a feed: ``pytest benchmarks --benchmark-only``."""

from __future__ import annotations

import pytest

from benchmarks.feeds import FEEDS
from benchmarks.rounds import timed
from benchmarks.workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
def test_whole(benchmark, name):
    """The whole stream at once."""
    timed(benchmark, name, *FEEDS["whole"])


@pytest.mark.parametrize("name", WORKLOADS)
def test_reads(benchmark, name):
    """4 KiB a read."""
    timed(benchmark, name, *FEEDS["4 KiB"])


@pytest.mark.parametrize("name", WORKLOADS)
def test_events(benchmark, name):
    """One event a read."""
    timed(benchmark, name, *FEEDS["event"])
