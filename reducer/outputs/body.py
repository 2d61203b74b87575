"""The body alone, one a line: what a call without streaming would have returned."""

from __future__ import annotations

from typing import Any

from reducer.result import Result


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the body as one line, ``null`` if there is none."""
    return result.json() + b"\n"
