"""The body as it came over the wire: one file is one stream, and so is standard input."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import cast

from reducer.captures._compression import decompressed
from reducer.captures._stream import Stream

# A pipe's own capacity on Linux; larger reads gain nothing (the framing looks at 64 KiB at once).
_READ = 1 << 16


def streams(path: str) -> Iterator[Stream]:
    """Yield the one stream of this file."""
    yield Stream(path, decompressed(_stdin() if path == "-" else _file(path)))


def _file(path: str) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while data := file.read(_READ):
            yield data


def _stdin() -> Iterator[bytes]:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    # read1 returns what is there: a stream on standard input is followed live.
    stdin = cast("BufferedReader", sys.stdin.buffer)
    while data := stdin.read1(_READ):
        yield data
