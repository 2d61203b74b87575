"""Capture formats: read files and yield the streams recorded in them.

Each format is a module in this package with a function ``streams(path)``. The function yields every stream of the file
as a `Stream`, in order. It is lazy: it reads a stream only when the caller iterates over the stream's reads.

To add a format, add a module and one line in `FORMATS`.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterator

from reducer.captures._stream import Stream
from reducer.errors import UsageError

__all__ = ["FORMATS", "Stream", "streams"]

# Name -> module, imported at its first use. The framing tells server-sent events, JSON lines and JSON apart, so that
# one module reads all three.
FORMATS = {
    "auto": "raw",
    "sse": "raw",
    "jsonl": "raw",
    "json": "raw",
}


def streams(path: str, format: str = "auto") -> Iterator[Stream]:
    """Yield the streams that a capture holds.

    Args:
        path: The path of a file, or ``-`` for standard input.
        format: One of `FORMATS`.

    Raises `UsageError` for an unknown format. Reading a stream raises `OSError` or `ReducerError`.
    """
    if format not in FORMATS:
        raise UsageError(f"unknown capture format {format!r}: choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"reducer.captures.{FORMATS[format]}")
    found: Iterator[Stream] = module.streams(path)
    return found
