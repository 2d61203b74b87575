"""The time of the reducer beside the decode floor, JSON parsers and other accumulators, on the synthetic workloads."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from statistics import median
from typing import Any

from benchmarks import answers
from benchmarks.contenders import FLOOR, OURS, PARSERS, PEERS
from benchmarks.contenders.floor import is_readable
from benchmarks.processes import Failed, Key, Processes, ratio
from benchmarks.report import figure, table
from benchmarks.sampling import Method
from benchmarks.workloads import SAMPLES, SYNTHETIC, Workload

_WORKLOADS: dict[str, Workload] = {**SYNTHETIC, **SAMPLES}
_FLOOR: Key = (FLOOR, "decode")
_FEEDS = ("whole", "4 KiB", "event")
_PARSERS = ("orjson.loads", "json.loads", "bytes.count")


def measure(method: Method, names: Sequence[str] = ()) -> dict[str, Any]:
    """Time all contenders on the named workloads, or on all."""
    rows = []
    with Processes(method) as processes:
        for name in (FLOOR, OURS, PARSERS):
            processes.start(name)
        for name in () if method.is_tiny else PEERS:
            processes.start(name, is_optional=True)
        for name in names or _WORKLOADS:
            if name in _WORKLOADS:
                print(f"  {name}", file=sys.stderr)
                workload = _WORKLOADS[name].tiny() if method.is_tiny else _WORKLOADS[name]
                rows.append({"name": name, "title": workload.title, **_measure(processes, workload)})
        return {"versions": processes.versions(), "missing": processes.missing, "rows": rows}


def _measure(processes: Processes, workload: Workload) -> dict[str, Any]:
    streams = [stream for stream in workload.pool() if is_readable(stream)]
    keys = [key for key in processes.load(streams, workload.dialect) if key[0] != OURS or key[1] in _FEEDS]
    disagrees, failed = _compare_answers(processes, keys) if workload.dialect else ({}, {})
    keys = [key for key in keys if key[0] not in failed]
    times = processes.time(keys)
    return {
        "events": sum(len(stream.payloads()) for stream in streams) // len(streams),
        "bytes": sum(len(stream.data) for stream in streams) // len(streams),
        "floor_ns": median(times[_FLOOR]),
        "floors": {mode: ratio(times, (name, mode), _FLOOR) for name, mode in keys if name in (OURS, PARSERS)},
        "peers": {name: ratio(times, (name, mode), (OURS, "whole")) for name, mode in keys if name in PEERS},
        "disagrees": disagrees,
        "failed": failed,
    }


def _compare_answers(processes: Processes, keys: Sequence[Key]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Compare the results for the first stream.

    Return the facets in which peers differ from us, and the errors of peers. Our own feeds must agree with each other.
    """
    disagrees: dict[str, list[str]] = {}
    failed: dict[str, str] = {}
    ours: answers.Answer | None = None
    for name, mode in keys:
        try:
            answer = processes.all[name].ask(answer=mode)
        except Failed as error:
            if name not in PEERS:
                raise
            failed[name] = str(error)
            continue
        if name == OURS:
            ours = answer if ours is None else ours
            assert answer == ours, f"{mode}: {answers.find_differences(ours, answer)}"
        elif answer is not None and ours is not None:
            disagrees[name] = answers.find_differences(ours, answer)
    return disagrees, failed


def markdown(result: dict[str, Any]) -> str:
    """Return both tables: the reducer with the parsers, and the peers."""
    rows = result["rows"]
    headers = ["workload", "events", "bytes/event", "floor ns/event", *_FEEDS, *_PARSERS]
    parts = [
        "In decode floors: 1 is the time in which msgspec decodes the payloads. `event` is one event a read.",
        table(headers, map(_floor_line, rows)),
    ]
    compared = [row for row in rows if row["peers"] or row["failed"]]
    if compared:
        parts.append("The peers' times, as multiples of the reducer's for the whole stream:")
        parts.append(table(["workload", *PEERS.values()], map(_peers_line, compared)))
    parts += [f"{label}: {why}" for label, why in result["missing"].items()]
    parts.append(table(["contender", "version"], result["versions"].items()))
    return "\n\n".join(parts)


def _floor_line(row: dict[str, Any]) -> list[Any]:
    return [
        row["title"],
        f"{row['events']:,}",
        row["bytes"] // max(row["events"], 1),
        f"{row['floor_ns']:,.0f}",
        *(figure(row["floors"].get(mode)) for mode in (*_FEEDS, *_PARSERS)),
    ]


def _peers_line(row: dict[str, Any]) -> list[str]:
    cells = [row["title"]]
    for name in PEERS:
        if name in row["failed"]:
            cells.append(f"fails: {row['failed'][name]}")
            continue
        facets = row["disagrees"].get(name)
        times = figure(row["peers"].get(name), unit="x")
        cells.append(f"{times}, disagrees: {', '.join(facets)}" if facets else times)
    return cells
