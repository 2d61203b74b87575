"""The reducer, through its public names only: every feed, and the options that have a goal."""

from __future__ import annotations

import platform
from collections.abc import Callable, Iterable
from functools import partial
from inspect import signature
from time import monotonic_ns
from typing import Any

import reducer
from benchmarks import answers
from benchmarks.contenders import Mode
from benchmarks.streams import Stream

# The option that switches batches off. Older versions call it "lanes".
BATCHES_OPTION = "fast" if "fast" in signature(reducer.Reducer).parameters else "lanes"
_NO_BATCHES: dict[str, Any] = {BATCHES_OPTION: False}


def version() -> str:
    """Return the reducer's and Python's version."""
    return f"{reducer.__version__} on CPython {platform.python_version()}"


def reduce_reads(reads: Iterable[bytes], **options: Any) -> reducer.Result[Any]:
    """Reduce read by read, as a proxy does."""
    stream: reducer.Reducer[Any] = reducer.Reducer(**options)
    feed = stream.feed
    for read in reads:
        feed(read)
    return stream.close()


def reduce_asking(reads: Iterable[bytes]) -> reducer.Result[Any]:
    """Reduce read by read, and ask after each read whether the answer is whole."""
    stream: reducer.Reducer[Any] = reducer.Reducer()
    feed = stream.feed
    finished = 0
    for read in reads:
        feed(read)
        finished += stream.finished
    return stream.close()


def _data(stream: Stream) -> bytes:
    return stream.data


def _reads_of_4_kib(stream: Stream) -> list[bytes]:
    return stream.reads(4096)


# By mode: how the stream is cut, and how it is reduced.
FEEDS: dict[str, tuple[Callable[[Stream], Any], Callable[[Any], reducer.Result[Any]]]] = {
    "whole": (_data, reducer.reduce),
    "4 KiB": (_reads_of_4_kib, reduce_reads),
    "event": (Stream.events, reduce_reads),
    "event, clock": (Stream.events, partial(reduce_reads, clock=monotonic_ns)),
    "event, finished": (Stream.events, reduce_asking),
    "whole, no batches": (_data, partial(reducer.reduce, **_NO_BATCHES)),
    "event, no batches": (Stream.events, partial(reduce_reads, **_NO_BATCHES)),
}


def modes(dialect: str) -> dict[str, Mode]:
    """Return the feeds by name."""
    return {name: Mode(prepare, run, partial(_answer, dialect)) for name, (prepare, run) in FEEDS.items()}


def _answer(dialect: str, result: reducer.Result[Any]) -> dict[str, Any]:
    assert result.status == "complete", result.problems
    return answers.READERS[dialect](result.to_dict()) if dialect in answers.READERS else {}
