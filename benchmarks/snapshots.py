"""What reading the answer after each event costs: `Reducer.snapshot`, and its view, as a live display does."""

from __future__ import annotations

import sys
from collections.abc import Callable
from random import Random
from statistics import median
from time import process_time
from typing import Any

import reducer
from benchmarks import goals
from benchmarks.report import figure, table
from benchmarks.sampling import Method
from benchmarks.streams import Stream
from benchmarks.wires import anthropic, chat, responses

_REPEAT = 3
_TINY_DELTAS = 20
# The title, the maker, the deltas, and the goal. The first two are the streams whose snapshots were slow once.
_STREAMS: list[tuple[str, Callable[..., bytes], int, goals.Goal | None]] = [
    ("Anthropic tool input", anthropic.tool, 16_000, goals.SNAPSHOTS_TOOL),
    ("Chat logprobs", chat.logprobs, 7_932, goals.SNAPSHOTS_LOGPROBS),
    ("Chat text", chat.vllm, 16_000, None),
    ("40 tool calls", chat.tools, 16_000, None),
    ("Responses text", responses.text, 16_000, None),
]


def measure(method: Method) -> dict[str, Any]:
    """Feed each stream one event a read, and take a snapshot, or a view too, after each."""
    rows = []
    for title, maker, deltas, _ in _STREAMS:
        print(f"  {title}", file=sys.stderr)
        reads = Stream("", maker(Random(0), _TINY_DELTAS if method.is_tiny else deltas)).events()
        repeat = 1 if method.is_tiny else _REPEAT
        times = {name: median(_seconds(reads, look) for _ in range(repeat)) for name, look in _LOOKS.items()}
        rows.append({"title": title, "events": len(reads), **times})
    return {"rows": rows}


_LOOKS: dict[str, Callable[[reducer.Reducer[Any]], object]] = {
    "snapshot": lambda stream: stream.snapshot(),
    "view": lambda stream: stream.snapshot().view(),
}


def _seconds(reads: list[bytes], look: Callable[[reducer.Reducer[Any]], object]) -> float:
    stream: reducer.Reducer[Any] = reducer.Reducer()
    begin = process_time()
    for read in reads:
        stream.feed(read)
        look(stream)
    return process_time() - begin


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    lines = []
    for row, (*_, goal) in zip(result["rows"], _STREAMS, strict=True):
        each = 1e6 / row["events"]
        lines.append(
            [
                row["title"],
                f"{row['events']:,}",
                figure(row["snapshot"], goal),
                figure(row["snapshot"] * each),
                figure(row["view"] * each),
            ]
        )
    headers = ["stream", "events", "seconds, a snapshot after each event", "µs an event", "µs an event, with a view"]
    note = f"Goals in seconds: {goals.SNAPSHOTS_TOOL} and {goals.SNAPSHOTS_LOGPROBS}."
    return f"{note}\n\n{table(headers, lines)}"
