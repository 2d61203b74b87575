"""What every capture format yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Stream(NamedTuple):
    """One recorded stream: where it is from, and the reads of its bytes."""

    source: str
    reads: Iterator[bytes]
