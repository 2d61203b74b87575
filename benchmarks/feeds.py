"""The ways to feed a stream, through the public names only."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from inspect import signature
from typing import Any

import reducer
from benchmarks.streams import Stream

OPTIONS = frozenset(signature(reducer.Reducer).parameters)  # of this version; older ones have fewer


def whole(data: bytes, **options: Any) -> reducer.Result[Any]:
    """Reduce the bytes at once."""
    return reducer.reduce(data, **options)


def live(reads: Iterable[bytes], **options: Any) -> reducer.Result[Any]:
    """Reduce read by read, as a proxy does."""
    stream: reducer.Reducer[Any] = reducer.Reducer(**options)
    feed = stream.feed
    for read in reads:
        feed(read)
    return stream.close()


Feed = tuple[Callable[[Stream], Any], Callable[..., reducer.Result[Any]]]  # prepare, run

FEEDS: dict[str, Feed] = {
    "whole": (lambda stream: stream.data, whole),
    "4 KiB": (lambda stream: stream.reads(4096), live),
    "event": (Stream.events, live),
}
