"""Compress OUT, if its name has the suffix of a compressed file."""

from __future__ import annotations

import os
import zlib
from typing import Protocol

from reducer.errors import MissingExtraError

# Suffix -> content encoding.
_ENCODINGS = {".gz": "gzip", ".zst": "zstd"}


class Compressor(Protocol):
    """Compresses one file."""

    def compress(self, data: bytes, /) -> bytes:
        """Return the next compressed bytes, which may be none yet."""

    def flush(self) -> bytes:
        """Return the last compressed bytes."""


def encoding_of(path: str) -> str | None:
    """Return the content encoding that the suffix of a name tells."""
    return _ENCODINGS.get(os.path.splitext(path)[1].lower())


def compressor(path: str) -> Compressor | None:
    """Return what compresses a file of this name; ``None`` if its suffix tells no compression."""
    encoding = encoding_of(path)
    if encoding is None:
        return None
    # A gzip header without name and time: the same records give the same bytes.
    return zlib.compressobj(wbits=16 + zlib.MAX_WBITS) if encoding == "gzip" else _zstd()


def _zstd() -> Compressor:
    try:
        from compression import zstd  # Python 3.14
    except ModuleNotFoundError:
        try:
            from backports import zstd
        except ModuleNotFoundError as missing:
            raise MissingExtraError("compressing with zstd", "backports-zstd", "zstd") from missing
    made: Compressor = zstd.ZstdCompressor()
    return made
