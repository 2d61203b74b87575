"""How the pytest suites time: one stream a round, which never was before; a group a workload."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any

from benchmarks.floor import readable
from benchmarks.sampling import Pool
from benchmarks.streams import Stream
from benchmarks.workloads import WORKLOADS, Workload

_ROUNDS = 40


def timed(benchmark: Any, name: str, prepare: Callable[[Stream], Any], run: Callable[[Any], Any]) -> None:
    """Time a way to reduce a workload."""
    pool = _pool(name)
    benchmark.group = name
    benchmark.pedantic(run, setup=lambda: ((prepare(pool.take()[0]),), {}), rounds=_ROUNDS, warmup_rounds=2)


@cache
def _pool(name: str) -> Pool:
    workload = WORKLOADS[name]
    if isinstance(workload, Workload):
        workload = workload._replace(templates=min(workload.templates, _ROUNDS))
    return Pool([stream for stream in workload.pool() if readable(stream)])
