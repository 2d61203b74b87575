"""What a live reducer holds, and what is left to do at its end.

Reads come one event each. Retained is the most that `tracemalloc` sees between two reads, from before the reducer is
made to before `close`, beside the bytes of the final JSON; a read counts as long as somebody holds it. What the
interpreter keeps for itself, free lists and garbage not yet collected, does not count. The peak is the most ever, in
the middle of a `feed` too, where a read, its payload and what is decoded of it are there at once. The time of `close`
is taken without tracing, beside the time of all the feeding.
"""

from __future__ import annotations

import gc
import sys
import tracemalloc
from random import Random
from statistics import median
from time import perf_counter_ns
from typing import Any

import reducer
from benchmarks import goals, words
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


def measure(method: Method) -> dict[str, Any]:
    """Measure every wire with ASCII and with emoji, at 1,000, 10,000 and 100,000 deltas."""
    sizes = (10, 100) if method.tiny else (1_000, 10_000, 100_000)
    rows = []
    for title, maker in _WIRES.items():
        print(f"  {title}", file=sys.stderr)
        for kind, vocabulary in _WORDS.items():
            # Arguments are ASCII whatever the words.
            if maker is chat.tools and vocabulary is words.emoji:
                continue
            row: dict[str, Any] = {"title": title, "words": kind, "retained": {}}
            for deltas in sizes:
                reads = Stream("", maker(Random(deltas), deltas, vocabulary)).events()
                row["retained"][str(deltas)] = _retained(reads)
            row["close"] = median(_close_share(reads) for _ in range(method.repeat))
            rows.append(row)
    return {"rows": rows}


def _retained(reads: list[bytes]) -> tuple[int, int, int]:
    """Return the most that was held between reads, the peak before `close`, and the size of the final JSON."""
    reducer.reduce(b"".join(reads[:3]))  # what is imported at the first use is not the stream's
    gc.collect()
    tracemalloc.start()
    stream: reducer.Reducer[Any] = reducer.Reducer()
    retained = 0
    for read in reads:
        # A copy, made while tracing: what the reducer keeps of it is the reducer's, what it drops is free at once.
        stream.feed(read[:1] + read[1:])
        if tracemalloc.get_traced_memory()[0] > 1.01 * retained:
            gc.collect()
            retained = max(retained, tracemalloc.get_traced_memory()[0])
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return retained, peak, len(stream.close().json())


def _close_share(reads: list[bytes]) -> float:
    stream: reducer.Reducer[Any] = reducer.Reducer()
    begin = perf_counter_ns()
    for read in reads:
        stream.feed(read)
    fed = perf_counter_ns()
    stream.close()
    return (perf_counter_ns() - fed) / (fed - begin)


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    rows = result["rows"]
    sizes = list(rows[0]["retained"])
    lines = []
    for row in rows:
        shares = (_share(*row["retained"][size]) for size in sizes)
        lines.append(
            [row["title"], row["words"], *shares, figure(100 * row["close"], most=100 * goals.CLOSE, unit=" %")]
        )
    headers = ["stream", "words", *(f"{int(size):,} deltas" for size in sizes), "`close` of all deltas' time"]
    note = (
        "Retained before `close`, in kB, and in sizes of the final JSON after taking off the 64 KiB allowed; "
        "and the peak, in the middle of a `feed`."
    )
    return f"{note}\n\n{table(headers, lines)}"


def _share(retained: int, peak: int, size: int) -> str:
    share = figure(max(retained - goals.RETAINED_BYTES, 0) / size, most=goals.RETAINED)
    return f"{retained / 1000:,.0f} kB, {share}; {peak / 1000:,.0f} kB"
