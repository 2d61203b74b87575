"""One body of many short streams, as in a day's log: memory and rate, in a process of its own.

``python -m benchmarks.many COUNT`` prints ``[bytes, seconds]``: the peak of the process's memory, which the kernel
keeps (``VmHWM``), and the processor time.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import process_time
from typing import Any, NamedTuple

import reducer
from benchmarks.processes import ROOT
from benchmarks.report import table
from benchmarks.sampling import Method
from benchmarks.streams import Stream
from benchmarks.wires import chat

_COUNTS = (1_000, 1_000_000)
_TINY_COUNTS = (10, 100)
_DELTAS = 8  # of each stream
_TOGETHER = 50  # streams in one read


class Cost(NamedTuple):
    """What one body cost."""

    peak: int  # bytes
    seconds: float


def measure(method: Method) -> list[dict[str, Any]]:
    """Measure a body of few streams and one of many."""
    rows = []
    for count in _TINY_COUNTS if method.is_tiny else _COUNTS:
        print(f"  one body of {count:,} streams", file=sys.stderr)
        command = [sys.executable, "-m", "benchmarks.many", str(count)]
        output = subprocess.run(command, cwd=ROOT, capture_output=True, check=True).stdout
        rows.append({"streams": count, **Cost(*json.loads(output))._asdict()})
    return rows


def markdown(rows: list[dict[str, Any]]) -> str:
    """Return the table."""
    lines = [
        [
            f"{row['streams']:,}",
            f"{row['peak'] / 1e6:,.1f}",
            f"{row['streams'] / row['seconds']:,.0f}",
        ]
        for row in rows
    ]
    note = f"One body of many streams of {_DELTAS + 3} events, through `iter_results`, in a process of its own."
    return f"{note}\n\n{table(['streams', 'peak MB of the process', 'streams a second'], lines)}"


def reduce_many(count: int) -> Cost:
    """Reduce one body of so many streams in this process."""
    begin = process_time()
    found = sum(result.status == "complete" for result in reducer.iter_results(_reads(count)))
    assert found == count, f"{found} of {count} streams are complete"
    return Cost(_peak(), process_time() - begin)


def _reads(count: int) -> Iterator[bytes]:
    stream = Stream("", chat.openai(Random(0), _DELTAS))
    for number in range(0, count, _TOGETHER):
        yield b"".join(stream.named(place).data for place in range(number, min(number + _TOGETHER, count)))


def _peak() -> int:
    lines = Path("/proc/self/status").read_text("ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


if __name__ == "__main__":
    print(json.dumps(reduce_many(int(sys.argv[1]))))
