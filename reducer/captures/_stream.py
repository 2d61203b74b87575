"""`Stream`, which every capture format yields."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Stream(NamedTuple):
    """One recorded stream: the name of its source, and its bytes in reads of any size."""

    source: str
    reads: Iterator[bytes]
