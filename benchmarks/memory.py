"""How many bytes a live reducer retains, and how much work is left for `close`.

Each stream is fed one event a read.

- Retained: the most that `tracemalloc` sees between two reads, from before the reducer is made to before `close`. A
  read counts while anything refers to it. The interpreter's own caches and uncollected garbage do not count.
- Peak: the most ever, in the middle of a `feed` too, when a read, its payload and the decoded event exist together.
- Close: the time of `close` beside the time of all the feeding, measured without tracing.

Retained bytes are compared with an older version's (``--against``), and shown beside the size of the final JSON.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from collections.abc import Iterator
from random import Random
from statistics import median
from time import process_time_ns
from typing import Any

import reducer
from benchmarks import goals, many, words
from benchmarks.contenders import OLDER, OURS
from benchmarks.processes import Processes
from benchmarks.report import figure, table
from benchmarks.sampling import Method
from benchmarks.streams import Stream
from benchmarks.wires import anthropic, chat, gemini, responses

_WIRES = {
    "chat text, vLLM": chat.vllm,
    "chat text, OpenAI, padded": chat.openai,
    "40 tool calls": chat.tools,
    "reasoning, OpenRouter": chat.openrouter,
    "Responses text": responses.text,
    "Anthropic text, padded": anthropic.text,
    "Gemini text": gemini.text,
}
_WORDS = {"ASCII": words.plain, "emoji": words.emoji}
_SIZES = (1_000, 30_000)  # deltas
_TINY_SIZES = (10, 100)
_CLOSES = 3  # times that `close` is measured


def measure(method: Method, older: str | None = None) -> dict[str, Any]:
    """Measure every wire format with ASCII and with emoji, in a short and in a long stream."""
    rows = []
    with Processes(method) as processes:
        processes.start_reducers(older)
        for title, kind, size, stream in _streams(_TINY_SIZES if method.is_tiny else _SIZES):
            print(f"  {title}, {kind}, {size:,} deltas", file=sys.stderr)
            processes.load([stream], "")
            found = {name: process.ask(retained=True) for name, process in processes.all.items()}
            rows.append({"title": title, "words": kind, "deltas": size, **found})
    return {"rows": rows, "many": many.measure(method)}


def _streams(sizes: tuple[int, int]) -> Iterator[tuple[str, str, int, Stream]]:
    for title, maker in _WIRES.items():
        for kind, vocabulary in _WORDS.items():
            if maker is chat.tools and vocabulary is words.emoji:
                continue  # arguments are ASCII in any case
            for size in sizes:
                yield title, kind, size, Stream("", maker(Random(size), size, vocabulary))


def measure_stream(reads: list[bytes]) -> dict[str, float]:
    """Measure one stream with the reducer of this process; sizes in bytes, ``close`` as a share."""
    reducer.reduce(b"".join(reads[:3]))  # modules that are imported at the first use do not belong to the stream
    gc.collect()
    tracemalloc.start()
    stream: reducer.Reducer[Any] = reducer.Reducer()
    retained = 0
    for read in reads:
        # A copy, made while tracing: a read that the reducer keeps counts, and one that it drops is freed.
        stream.feed(read[:1] + read[1:])
        if tracemalloc.get_traced_memory()[0] > 1.01 * retained:
            gc.collect()
            retained = max(retained, tracemalloc.get_traced_memory()[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return {
        "retained": retained,
        "peak": peak,
        "json": len(stream.close().json()),
        "close": median(_close_share(reads) for _ in range(_CLOSES)),
    }


def _close_share(reads: list[bytes]) -> float:
    stream: reducer.Reducer[Any] = reducer.Reducer()
    begin = process_time_ns()
    for read in reads:
        stream.feed(read)
    fed = process_time_ns()
    stream.close()
    return (process_time_ns() - fed) / (fed - begin)


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    lines = []
    for row in result["rows"]:
        ours, older = row[OURS], row.get(OLDER)
        lines.append(
            [
                row["title"],
                row["words"],
                f"{row['deltas']:,}",
                f"{ours['retained'] / 1000:,.0f}",
                figure(ours["retained"] / older["retained"] if older else None, goals.MEMORY),
                f"{ours['json'] / 1000:,.0f}",
                f"{ours['peak'] / 1000:,.0f}",
                figure(100 * ours["close"], unit=" %"),
            ]
        )
    headers = ["stream", "words", "deltas", "retained kB", "/ older", "final JSON kB", "peak kB", "`close` / feeding"]
    goal = f"Goal, retained beside the older version: {goals.MEMORY}."
    return f"{goal}\n\n{table(headers, lines)}\n\n{many.markdown(result['many'])}"
