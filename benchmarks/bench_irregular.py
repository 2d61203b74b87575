"""Whether the lanes cost where they cannot help: irregular streams with them, beside the plain way."""

from __future__ import annotations

import sys
from functools import partial
from statistics import median
from typing import Any

from benchmarks import goals
from benchmarks.feeds import FEEDS, OPTIONS
from benchmarks.report import figure, table
from benchmarks.sampling import Method, Pool, Sampler
from benchmarks.wires.irregular import MAKERS
from benchmarks.workloads import CHAT, WORKLOADS, Workload


def measure(method: Method) -> dict[str, Any]:
    """Compare both ways, sample by sample; without lanes in this version there is nothing to compare."""
    if "lanes" not in OPTIONS:
        return {"rows": []}
    irregular = {name: Workload((maker.__doc__ or "").strip(), CHAT, maker) for name, maker in MAKERS.items()}
    rows = []
    for name, workload in {**irregular, "samples": WORKLOADS["samples"]}.items():
        print(f"  {name}", file=sys.stderr)
        pool = Pool((workload.tiny() if method.tiny else workload).pool())
        row: dict[str, Any] = {"name": name, "title": workload.title}
        for feed, (prepare, run) in FEEDS.items():
            ways = [Sampler(pool, prepare, way, method.least) for way in (run, partial(run, lanes=False))]
            rounds = [[way.sample().each() for way in ways] for _ in range(method.repeat)]
            row[feed] = median(lanes / plain for lanes, plain in rounds)
        rows.append(row)
    return {"rows": rows}


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    if not result["rows"]:
        return "This version has no lanes."
    rows = (
        [row["name"], *(figure(row[feed], most=goals.IRREGULAR) for feed in FEEDS), row["title"]]
        for row in result["rows"]
    )
    return f"With lanes, beside the plain way.\n\n{table(['stream', *FEEDS, 'what it does'], rows)}"
