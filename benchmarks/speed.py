"""The time of every workload: beside an older version, and with options beside without.

Each figure but `µs an event` is the median of the ratios of two samples of one round. The columns:

- ``µs an event``: our own processor time, fed whole, and fed one event a read.
- ``whole``, ``event``, ``4 KiB``: our time beside the older version's, fed whole, one event a read, 4 KiB a read. They
  need ``--against``.
- ``clock``: one event a read with a clock, beside without. ``finished``: asking `finished` after each read, beside not
  asking.
- ``batches, whole``, ``batches, event``: irregular streams with batches, beside without (``fast=False``).
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks import goals
from benchmarks.contenders import OLDER, OURS
from benchmarks.processes import Key, Processes, Times, ratio
from benchmarks.report import figure, table
from benchmarks.sampling import Method
from benchmarks.workloads import WORKLOADS, Workload

# The modes of a round, in order. Modes that are compared are neighbours.
_REGULAR: list[Key] = [
    (OLDER, "whole"), (OURS, "whole"),
    (OURS, "4 KiB"), (OLDER, "4 KiB"),
    (OLDER, "event"), (OURS, "event"), (OURS, "event, clock"), (OURS, "event, finished"),
]  # fmt: skip
_IRREGULAR: list[Key] = [
    (OLDER, "whole"), (OURS, "whole"), (OURS, "whole, no batches"),
    (OURS, "4 KiB"), (OLDER, "4 KiB"),
    (OLDER, "event"), (OURS, "event"), (OURS, "event, no batches"),
]  # fmt: skip


def measure(method: Method, names: Sequence[str] = (), older: str | None = None) -> dict[str, Any]:
    """Time the named workloads, or all; ``older`` is the interpreter of an older version."""
    rows, skipped = [], []
    with Processes(method) as processes:
        processes.start_reducers(older)
        for name in names or WORKLOADS:
            print(f"  {name}", file=sys.stderr)
            workload = WORKLOADS[name].tiny() if method.is_tiny else WORKLOADS[name]
            row = _measure(processes, name, workload)
            if row is None:
                skipped.append(name)
            else:
                rows.append(row)
        return {"versions": processes.versions(), "rows": rows, "skipped": skipped}


def _measure(processes: Processes, name: str, workload: Workload) -> dict[str, Any] | None:
    """Time one workload; ``None`` if there are no such streams."""
    streams = workload.pool()
    if not streams:
        return None
    there = processes.load(streams, workload.dialect)
    times = processes.time([key for key in (_IRREGULAR if workload.is_irregular else _REGULAR) if key in there])
    return {
        "name": name,
        "title": workload.title,
        "is_irregular": workload.is_irregular,
        "streams": len(streams),
        "events": sum(len(stream.payloads()) for stream in streams),
        **{f"{feed} ns": median(times[OURS, feed]) for feed in ("whole", "event")},
        **_ratios(times),
    }


def _ratios(times: Times) -> dict[str, float | None]:
    return {
        **{feed: ratio(times, (OURS, feed), (OLDER, feed)) for feed in ("whole", "event", "4 KiB")},
        "clock": ratio(times, (OURS, "event, clock"), (OURS, "event")),
        "finished": ratio(times, (OURS, "event, finished"), (OURS, "event")),
        "batches, whole": ratio(times, (OURS, "whole"), (OURS, "whole, no batches")),
        "batches, event": ratio(times, (OURS, "event"), (OURS, "event, no batches")),
    }


def markdown(result: dict[str, Any]) -> str:
    """Return both tables, each with the goals of its columns above."""
    regular = [row for row in result["rows"] if not row["is_irregular"]]
    irregular = [row for row in result["rows"] if row["is_irregular"]]
    parts = []
    if not any(row["whole"] for row in result["rows"]):
        parts.append("Without `--against` there is no older version: its columns are empty.")
    if regular:
        parts.append(
            f"Goals: in the column `goal` for `whole` and `event`; `4 KiB` {goals.OLDER_4_KIB}; "
            f"`clock` {goals.CLOCK}; `finished` {goals.FINISHED}."
        )
        headers = ["workload", "streams", "events", "µs an event, whole", "µs an event, event"]
        headers += ["whole", "event", "goal", "4 KiB", "clock", "finished"]
        parts.append(table(headers, map(_regular_line, regular)))
    if irregular:
        parts.append(f"Irregular streams. Goals: in the column `goal` for the older version; batches {goals.BATCHES}.")
        headers = ["stream", "whole", "event", "4 KiB", "goal", "batches, whole", "batches, event", "each stream"]
        parts.append(table(headers, map(_irregular_line, irregular)))
    parts.append(table(["contender", "version"], result["versions"].items()))
    parts += [f"{name}: skipped, because REDUCER_CORPUS names no such streams." for name in result["skipped"]]
    return "\n\n".join(parts)


def _regular_line(row: dict[str, Any]) -> list[str]:
    goal = goals.find_goal(row["name"], is_irregular=False)
    return [
        row["title"],
        f"{row['streams']:,}",
        f"{row['events']:,}",
        *(f"{row[f'{feed} ns'] / 1000:.2f}" for feed in ("whole", "event")),
        *(figure(row[feed], goal) for feed in ("whole", "event")),
        str(goal or "-"),
        figure(row["4 KiB"], goals.OLDER_4_KIB),
        figure(row["clock"], goals.CLOCK),
        figure(row["finished"], goals.FINISHED),
    ]


def _irregular_line(row: dict[str, Any]) -> list[str]:
    goal = goals.find_goal(row["name"], is_irregular=True)
    return [
        row["name"],
        *(figure(row[feed], goal) for feed in ("whole", "event", "4 KiB")),
        str(goal or "-"),
        *(figure(row[column], goals.BATCHES) for column in ("batches, whole", "batches, event")),
        row["title"],
    ]
