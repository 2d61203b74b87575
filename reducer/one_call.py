"""`reduce`, `reduce_all` and `iter_results`: reduce a complete stream, in memory or from an iterable, in one call."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Unpack

from reducer.dialects import overloads
from reducer.errors import ProblemError, UsageError
from reducer.reducer import Keywords, Reducer
from reducer.result import Result

_Buffer = bytes | bytearray | memoryview
_SLICE = 1 << 16  # bytes that `iter_results` feeds before it asks for results
_WINDOW = 1 << 20  # bytes; other buffers than `bytes` are fed in windows, because `feed` copies each


@overloads.typed_as(overloads.reduce)
def reduce(data: Any, dialect: str = "auto", **options: Unpack[Keywords]) -> Result[Any]:
    """Reduce a complete stream to its result.

    Args:
        data: The body as bytes-like data, or an iterable. Bytes-like entries of an iterable are reads of the body,
            split anywhere. All other entries are payloads without framing, see `Reducer.feed_event`.
        dialect: The name of the dialect, or ``"auto"`` to detect it from the first payloads.
        **options: The options of `Reducer`.

    Returns:
        The result. If the stream holds several responses, the first one's result, with the problem
        ``several_responses``.
    """
    return _feed_all(data, dialect, options).close()


@overloads.typed_as(overloads.reduce_all)
def reduce_all(data: Any, dialect: str = "auto", **options: Unpack[Keywords]) -> list[Result[Any]]:
    """Reduce a capture that may hold several responses, one after another, to the results of all of them.

    The arguments are those of `reduce`. The list has at least one result; an empty capture gives one with the status
    ``empty``.
    """
    reducer = _feed_all(data, dialect, options)
    _close_all(reducer)
    return reducer.results


@overloads.typed_as(overloads.iter_results)
def iter_results(data: Any, dialect: str = "auto", **options: Unpack[Keywords]) -> Iterator[Result[Any]]:
    """Reduce a capture that may hold several responses, and yield each result when the next response begins.

    The arguments are those of `reduce`. Memory is that of one response, whatever their number; of several at once, each
    ``stream_id`` keeps its last one. Results come in order of ending. An empty capture gives one result with the status
    ``empty``.
    """
    reducer: Reducer[Any] = Reducer(dialect, **options)
    for entry in _entries(data):
        if isinstance(entry, _Buffer):
            for window in _windows(entry, _SLICE):
                reducer.feed(window)
                yield from reducer.take_results()
        else:
            reducer.feed_event(entry)
            yield from reducer.take_results()
    _close_all(reducer)
    yield from reducer.take_results()


def _close_all(reducer: Reducer[Any]) -> None:
    """Close a reducer whose every result is wanted: several responses are no problem, under ``strict`` neither."""
    try:
        reducer.close()
    except ProblemError as error:
        if error.problem.code != "several_responses":
            raise


def _feed_all(data: Any, dialect: str, options: Keywords) -> Reducer[Any]:
    """Return a new reducer that was fed all data."""
    reducer: Reducer[Any] = Reducer(dialect, **options)
    for entry in _entries(data):
        if isinstance(entry, bytes):
            reducer.feed(entry)
        elif isinstance(entry, _Buffer):
            for window in _windows(entry, _WINDOW):
                reducer.feed(window)
        else:
            reducer.feed_event(entry)
    return reducer


def _entries(data: Any) -> Iterable[Any]:
    """Return the reads and payloads in what a caller passed."""
    if isinstance(data, _Buffer):
        return (data,)
    if isinstance(data, str | Mapping) or not isinstance(data, Iterable):
        raise UsageError(f"reduce takes bytes or an iterable of reads or payloads, not {type(data).__name__}")
    return data


def _windows(data: bytes | bytearray | memoryview, size: int) -> Iterator[memoryview]:
    """Yield the bytes in windows of one size."""
    view = memoryview(data)
    view = view.cast("B") if view.c_contiguous else memoryview(view.tobytes())
    return (view[at : at + size] for at in range(0, len(view), size))
