"""Decompress compressed captures. The first bytes of a file tell its compression; its name does not matter."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain

from reducer.embed.content import Decoder

_MAGIC = {b"\x1f\x8b": "gzip", b"\x28\xb5\x2f\xfd": "zstd"}
_LONGEST = 4


def decompressed(reads: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the reads of a file, decompressed if the file is compressed."""
    first = b""
    # A pipe may deliver a single byte. Wait for more only while the bytes could be the prefix of a magic number.
    for data in reads:
        first += data
        if len(first) >= _LONGEST or not any(magic.startswith(first) for magic in _MAGIC):
            break
    if not first:
        return
    encoding = next((name for magic, name in _MAGIC.items() if first.startswith(magic)), "")
    if not encoding:
        yield first
        yield from reads
        return
    decoder = Decoder(encoding)
    for data in chain([first], reads):
        yield from decoder.decode(data)
