"""The workloads under pytest-benchmark, to compare two commits: ``pytest benchmarks --benchmark-only``.

Each round reduces the next stream of the workload's pool. A group is a workload.
"""

from __future__ import annotations

from functools import cache

import pytest

from benchmarks.contenders import Mode, floor, ours, parsers
from benchmarks.contenders.floor import is_readable
from benchmarks.sampling import Pool
from benchmarks.workloads import SAMPLES, SYNTHETIC, Synthetic

_ROUNDS = 40
_WORKLOADS = {**SYNTHETIC, **SAMPLES}


@cache
def _pool(name: str) -> Pool:
    workload = _WORKLOADS[name]
    if isinstance(workload, Synthetic):
        workload = workload._replace(templates=min(workload.templates, _ROUNDS))
    return Pool([stream for stream in workload.pool() if is_readable(stream)])


def _time(benchmark, name: str, mode: Mode) -> None:
    pool = _pool(name)
    benchmark.group = name
    benchmark.pedantic(mode.run, setup=lambda: ((mode.prepare(pool.take()[0]),), {}), rounds=_ROUNDS, warmup_rounds=2)


@pytest.mark.parametrize("name", _WORKLOADS)
@pytest.mark.parametrize("feed", ["whole", "4 KiB", "event"])
def test_reduce(benchmark, feed, name):
    """The reducer, fed whole, 4 KiB a read and one event a read."""
    _time(benchmark, name, ours.modes(_WORKLOADS[name].dialect)[feed])


@pytest.mark.parametrize("name", _WORKLOADS)
def test_decode_floor(benchmark, name):
    """The payloads decoded by msgspec, and nothing else."""
    _time(benchmark, name, floor.modes(_WORKLOADS[name].dialect)["decode"])


@pytest.mark.parametrize("name", _WORKLOADS)
@pytest.mark.parametrize("parser", sorted(parsers.modes("")))
def test_parser(benchmark, parser, name):
    """The payloads parsed, or the bytes counted, and nothing else."""
    _time(benchmark, name, parsers.modes(_WORKLOADS[name].dialect)[parser])
