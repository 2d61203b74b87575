"""Whether an event takes longer in a long stream: 64,000 deltas beside 1,000. A quadratic step would show here."""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from benchmarks import goals
from benchmarks.contenders.ours import FEEDS
from benchmarks.report import figure, table
from benchmarks.sampling import Method, Pool, Sampler
from benchmarks.workloads import SYNTHETIC, Synthetic

_FEEDS = ("whole", "event")
_DELTAS = 1_000
_TIMES = 64  # as many deltas in the long stream
_TINY_DELTAS = 10


def measure(method: Method) -> dict[str, Any]:
    """Compare both lengths, in this process, in every workload of 1,000 deltas."""
    rows = []
    for name, workload in SYNTHETIC.items():
        if workload.deltas == _DELTAS and name != "responses-terminal":
            print(f"  {name}", file=sys.stderr)
            rows.append({"name": name, "title": workload.title, **_ratios(workload, method)})
    return {"rows": rows}


def _ratios(workload: Synthetic, method: Method) -> dict[str, float]:
    deltas = _TINY_DELTAS if method.is_tiny else _DELTAS
    short = Pool(workload._replace(templates=4, deltas=deltas).pool())
    long = Pool(workload._replace(templates=1, deltas=_TIMES * deltas).pool())
    ratios = {}
    for feed in _FEEDS:
        prepare, run = FEEDS[feed]
        samplers = [Sampler(pool, prepare, run, method.least) for pool in (long, short)]
        rounds = [[sampler.sample().each() for sampler in samplers] for _ in range(method.repeat)]
        ratios[feed] = median(long / short for long, short in rounds)
    return ratios


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    rows = ([row["title"], *(figure(row[feed], goals.GROWTH) for feed in _FEEDS)] for row in result["rows"])
    note = f"The cost of an event among 64,000 deltas, beside one among 1,000. Goal: {goals.GROWTH}."
    return f"{note}\n\n{table(['workload', *_FEEDS], rows)}"
