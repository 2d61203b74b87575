"""What ``import reducer`` costs beside ``import msgspec``, which it needs: the least of several fresh interpreters."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import figure, table
from benchmarks.sampling import Method

_ROOT = Path(__file__).parents[1]
_IMPORTS = {
    "msgspec alone": ("msgspec", "import msgspec"),
    "reducer, with msgspec": ("reducer", "import reducer"),
    "and its first use, of openai.chat": ("benchmarks.first_use", "import benchmarks.first_use"),
}
_LINE = re.compile(r"import time: +\d+ \| +(\d+) \| (\S+)$", re.MULTILINE)


def measure(method: Method) -> dict[str, Any]:
    """Return microseconds by import."""
    least = dict.fromkeys(_IMPORTS, sys.maxsize)
    for _ in range(2 * method.repeat):  # by turns, since a machine's speed drifts
        for title, spec in _IMPORTS.items():
            least[title] = min(least[title], _timed(*spec))
    return {"rows": [{"title": title, "us": us} for title, us in least.items()]}


def _timed(module: str, code: str) -> int:
    command = [sys.executable, "-X", "importtime", "-c", code]
    # As installed: compiled once, then read.
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    stderr = subprocess.run(command, cwd=_ROOT, env=environment, capture_output=True, text=True, check=True).stderr
    return next(int(us) for us, name in _LINE.findall(stderr) if name == module)


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    base = result["rows"][0]["us"]
    rows = ([row["title"], f"{row['us'] / 1000:.1f}", figure(row["us"] / base)] for row in result["rows"])
    return table(["import", "ms", "of msgspec"], rows)
