"""How long ``import reducer`` takes, beside ``import msgspec``, which it needs, and beside an older version.

Each figure is the least of several fresh interpreters.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks import goals
from benchmarks.processes import ROOT
from benchmarks.report import figure, table
from benchmarks.sampling import Method

# Prints the nanoseconds of each step. The path to this repository is the first argument, if there is one.
_TIMED = """
import json, sys
from time import process_time_ns
sys.path[:0] = sys.argv[1:]
times = [process_time_ns()]
import msgspec
times.append(process_time_ns())
import reducer
times.append(process_time_ns())
reducer.reduce(b'data: {"object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"."}}]}\\n\\n')
times.append(process_time_ns())
print(json.dumps([end - begin for begin, end in zip(times, times[1:])]))
"""
_STEPS = ("`import msgspec`", "then `import reducer`", "then the first stream, of openai.chat")


def measure(method: Method, older: str | None = None) -> dict[str, Any]:
    """Return nanoseconds by step.

    Both versions run in the same interpreter, in alternation: other installed packages make a difference to msgspec.
    """
    python = older or sys.executable
    ours, theirs = [], []
    for _ in range(2 * method.repeat):
        ours.append(_time([python, "-P", "-c", _TIMED, str(ROOT)]))
        if older is not None:
            theirs.append(_time([python, "-P", "-c", _TIMED]))
    least = list(map(min, zip(*ours, strict=True)))
    least_older = list(map(min, zip(*theirs, strict=True))) if theirs else [None] * len(_STEPS)
    return {
        "rows": [
            {"step": step, "ns": ns, "older_ns": older_ns}
            for step, ns, older_ns in zip(_STEPS, least, least_older, strict=True)
        ]
    }


def _time(command: list[str]) -> list[int]:
    # As installed: modules are compiled once and then read.
    removed = ("PYTHONDONTWRITEBYTECODE", "PYTHONPATH")
    environment = {key: value for key, value in os.environ.items() if key not in removed}
    output = subprocess.run(command, env=environment, capture_output=True, check=True).stdout
    times: list[int] = json.loads(output)
    return times


def markdown(result: dict[str, Any]) -> str:
    """Return the table; only the step `import reducer` has a goal."""
    lines = []
    for place, row in enumerate(result["rows"]):
        share = row["ns"] / row["older_ns"] if row["older_ns"] else None
        lines.append([row["step"], f"{row['ns'] / 1e6:.1f}", figure(share, goals.IMPORT if place == 1 else None)])
    return (
        f"Goal, `import reducer` beside the older version: {goals.IMPORT}.\n\n{table(['step', 'ms', '/ older'], lines)}"
    )
