"""Raw captures: a file, or standard input, holds the body of one HTTP response and is one stream."""

from __future__ import annotations

import errno
import sys
from collections.abc import Iterator
from io import BufferedReader
from typing import cast

from reducer.captures._compression import decompressed
from reducer.captures._stream import Stream

_READ_SIZE = 1 << 16  # bytes; the capacity of a pipe on Linux. The framing processes windows of this size, too.


def streams(path: str) -> Iterator[Stream]:
    """Yield the one stream of this file."""
    yield Stream(path, decompressed(_stdin() if path == "-" else _file(path)))


def _file(path: str) -> Iterator[bytes]:
    with open(path, "rb", buffering=0) as file:
        while data := file.read(_READ_SIZE):
            yield data


def _stdin() -> Iterator[bytes]:
    if sys.stdin is None:
        raise OSError(errno.EBADF, "standard input is closed")
    # read1 returns the bytes that have arrived, without waiting for more: a live stream is processed as it arrives.
    stdin = cast("BufferedReader", sys.stdin.buffer)
    while data := stdin.read1(_READ_SIZE):
        yield data
