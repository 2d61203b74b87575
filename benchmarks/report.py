"""Markdown tables, the marks of the goals, and the line with the machine and the date of the measurement."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from benchmarks.goals import Goal

MET, MISSED = "✓", "✗"
_README = Path(__file__).with_name("README.md")
_RESULTS = "## Results\n"


def table(headers: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Return a table whose first column is text and whose other columns are figures."""
    lines = [headers, ["---", *["---:"] * (len(headers) - 1)], *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)


def figure(value: float | None, goal: Goal | None = None, unit: str = "") -> str:
    """Return a figure of three digits, with a mark if there is a goal."""
    if value is None:
        return "-"
    text = f"{value:.3g}" if abs(value) < 100 else f"{value:,.0f}"
    return f"{text}{unit}" if goal is None else f"{text}{unit} {MET if value <= goal.most else MISSED}"


def without_marks(text: str) -> str:
    """Return tables without the marks, for figures that are too rough to be judged."""
    return text.replace(f" {MET}", "").replace(f" {MISSED}", "")


def count_marks(text: str) -> str:
    """Return how many goals are met and missed."""
    return f"Goals met: {text.count(f' {MET} |')}. Goals missed: {text.count(f' {MISSED} |')}."


def write_results(text: str) -> None:
    """Replace the results in this folder's README."""
    head, heading, _ = _README.read_text("utf-8").partition(_RESULTS)
    assert heading, "README.md has no heading for the results"
    _README.write_text(f"{head}{heading}\n{text.strip()}\n", "utf-8")


def machine() -> dict[str, str]:
    """Return the conditions of the measurement."""
    return {
        "date": date.today().isoformat(),
        "machine": f"{_processor()}, {platform.system()} {platform.machine()}",
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "commit": _commit(),
    }


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return f"{names[0]} x {len(names)}" if names else platform.processor()


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty"]
    try:
        found = subprocess.run(command, cwd=Path(__file__).parent, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return found.stdout.strip()
