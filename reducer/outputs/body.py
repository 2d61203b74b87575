"""Output format ``body``: the body alone, one a line, as a non-streaming call would have returned it."""

from __future__ import annotations

from typing import Any

from reducer.outputs._escapes import escape_controls
from reducer.result import Result


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the body as one line, without raw control characters. Return ``null`` if there is no body."""
    return escape_controls(result.json()) + b"\n"
