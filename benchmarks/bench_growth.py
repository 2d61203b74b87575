"""Whether an event costs the same in a long stream: 64,000 deltas beside 1,000. A quadratic step shows here."""

from __future__ import annotations

import sys
from statistics import median
from typing import Any

from benchmarks import goals
from benchmarks.feeds import FEEDS
from benchmarks.report import figure, table
from benchmarks.sampling import Method, Pool, Sampler
from benchmarks.workloads import WORKLOADS, Workload

_FEEDS = ("whole", "event")


def measure(method: Method) -> dict[str, Any]:
    """Compare both lengths, sample by sample, in every workload of 1,000 deltas."""
    rows = []
    for name, workload in WORKLOADS.items():
        if isinstance(workload, Workload) and workload.deltas == 1_000 and name != "responses-terminal":
            print(f"  {name}", file=sys.stderr)
            rows.append({"name": name, "title": workload.title, **_ratios(workload, method)})
    return {"rows": rows}


def _ratios(workload: Workload, method: Method) -> dict[str, float]:
    short = Pool(workload._replace(templates=4, deltas=10 if method.tiny else 1_000).pool())
    long = Pool(workload._replace(templates=1, deltas=640 if method.tiny else 64_000).pool())
    ratios = {}
    for feed in _FEEDS:
        prepare, run = FEEDS[feed]
        samplers = [Sampler(pool, prepare, run, method.least) for pool in (long, short)]
        rounds = [[sampler.sample().each() for sampler in samplers] for _ in range(method.repeat)]
        ratios[feed] = median(long / short for long, short in rounds)
    return ratios


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    rows = ([row["title"], *(figure(row[feed], most=goals.GROWTH) for feed in _FEEDS)] for row in result["rows"])
    return f"Cost of an event among 64,000 deltas, beside one among 1,000.\n\n{table(['workload', *_FEEDS], rows)}"
