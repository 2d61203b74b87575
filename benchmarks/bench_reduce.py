"""What reducing costs: every workload in every feed, beside the floor, the yardsticks and the rivals."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from benchmarks import goals
from benchmarks.contenders import OURS, RIVALS, YARDSTICKS
from benchmarks.contest import Contest, Outcome
from benchmarks.report import figure, table
from benchmarks.sampling import Method
from benchmarks.workloads import WORKLOADS

_MODES = ("whole", "4 KiB", "event")
_VARIANTS = ("plain", "trusting")
# One large event, or streams of one or two events' worth: the goal against orjson is not theirs.
_NOT_SMALL = frozenset({"responses-terminal", "samples", "arguments"})


def measure(method: Method, names: Sequence[str] = ()) -> dict[str, Any]:
    """Run the contest over the named workloads, or over all."""
    rows = []
    with Contest(method, rivals=not method.tiny) as contest:
        for name in names or WORKLOADS:
            print(f"  {name}", file=sys.stderr)
            workload = WORKLOADS[name]
            rows.append(
                {
                    "name": name,
                    "title": workload.title,
                    **_row(contest.run(workload.tiny() if method.tiny else workload)),
                }
            )
        return {"versions": contest.versions(), "missing": contest.missing, "rows": rows}


def _row(outcome: Outcome) -> dict[str, Any]:
    ratios = {contender: {} for contender, _ in outcome.ratios}
    for (contender, mode), ratio in outcome.ratios.items():
        ratios[contender][mode] = ratio
    return {
        "events": outcome.events,
        "bytes": outcome.size,
        "floor_ns": outcome.floor,
        OURS: ratios.pop(OURS),
        **{contender: modes[""] for contender, modes in ratios.items()},
        "disagrees": outcome.disagrees,
        "failed": outcome.failed,
    }


def markdown(result: dict[str, Any]) -> str:
    """Return both tables: the reducer with its yardsticks, and the rivals."""
    rows = result["rows"]
    variants = [f"{mode}, {variant}" for variant in _VARIANTS for mode in _MODES]
    modes = [*_MODES, *(mode for mode in variants if any(mode in row[OURS] for row in rows))]
    headers = ["workload", "events", "bytes/event", "floor ns/event", *modes, *YARDSTICKS.values(), "whole / orjson"]
    parts = [
        "In decode floors; `event` is one event a read. ✗: misses its goal (benchmarks/goals.py).",
        table(headers, (_line(row, modes) for row in rows)),
    ]
    rivals = [row for row in rows if any(rival in row or rival in row["failed"] for rival in RIVALS)]
    if rivals:
        parts.append("Rivals, as multiples of the reducer's time for the whole stream:")
        parts.append(table(["workload", *RIVALS.values()], (_rivals(row) for row in rivals)))
    parts += [f"{name}: {why}" for name, why in result["missing"].items()]
    return "\n\n".join(parts)


def _line(row: dict[str, Any], modes: Sequence[str]) -> list[Any]:
    own = goals.GOALS.get(row["name"], {})
    ours = row[OURS]
    share = ours["whole"] / row["orjson_loads"] if "orjson_loads" in row else None
    most = (
        goals.ORJSON
        if row["name"] not in _NOT_SMALL
        else goals.ORJSON_TERMINAL
        if row["name"] == "responses-terminal"
        else None
    )
    return [
        row["title"],
        f"{row['events']:,}",
        row["bytes"] // row["events"],
        f"{row['floor_ns']:,.0f}",
        *(figure(ours.get(mode), most=own.get(mode)) for mode in modes),
        *(figure(row.get(name)) for name in YARDSTICKS),
        figure(share, most=most),
    ]


def _rivals(row: dict[str, Any]) -> list[str]:
    cells = [row["title"]]
    least = {"openai_sdk": goals.OPENAI, "litellm_builder": goals.LITELLM} if row["name"] not in _NOT_SMALL else {}
    for rival in RIVALS:
        if rival in row["failed"]:
            cells.append(f"fails: {row['failed'][rival]}")
            continue
        times = figure(row[rival] / row[OURS]["whole"], least=least.get(rival), unit="x") if rival in row else "-"
        facets = row["disagrees"].get(rival)
        cells.append(f"{times}, disagrees: {', '.join(facets)}" if facets else times)
    return cells
