"""What the reducer is compared with, over the same workloads."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.contenders import FLOOR, YARDSTICKS
from benchmarks.rounds import timed
from benchmarks.workloads import WORKLOADS


@pytest.mark.parametrize("name", WORKLOADS)
@pytest.mark.parametrize("yardstick", [FLOOR, *YARDSTICKS])
def test_yardstick(benchmark, yardstick, name):
    """The payloads alone, framed before."""
    mode = import_module(f"benchmarks.contenders.{yardstick}").modes(WORKLOADS[name].dialect)[""]
    timed(benchmark, name, mode.prepare, mode.run)
