"""The capture formats there are: files to streams. A new one is a file beside this one and a line in `FORMATS`.

A format module has ``streams(path)``, which yields every stream of the file at that path as a `Stream`, in order
and lazily: no more is read than is asked for.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from reducer.captures._stream import Stream
from reducer.errors import UsageError

__all__ = ["FORMATS", "Stream", "streams"]

# Name -> module, imported at its first use. Server-sent events, JSON lines and JSON are told apart by the framing.
FORMATS = {
    "auto": "raw",
    "sse": "raw",
    "jsonl": "raw",
    "json": "raw",
}


def streams(path: str, format: str = "auto") -> Iterator[Stream]:
    """Yield the streams that the file at this path holds; ``-`` is standard input.

    Raises `UsageError` for a format that is none. What reading raises is an `OSError` or a `ReducerError`.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown capture format {format!r}: choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"reducer.captures.{FORMATS[format]}")
    found: Iterator[Stream] = module.streams(path)
    return found
