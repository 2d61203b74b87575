"""`tee` and `atee`: pass the pieces of an answer on, and report what they were.

The reader gets the same objects, in the same order, and each before a `Reducer` sees it: a piece is reduced when the
reader asks for the next one. Both are classes, because the ``finally`` of a generator that was never started does not
run.
"""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator, Iterable, Iterator
from contextlib import AsyncExitStack, ExitStack
from types import TracebackType
from typing import Any, TypeVar

from reducer.embed.exchange import EndedBy, Request
from reducer.embed.recording import CopyOptions, Headers, Recorder, Recording
from reducer.embed.reports import OnEnd
from reducer.result import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Unpack

DataT = TypeVar("DataT", bound=bytes | bytearray | memoryview)


class _Pieces:
    """What all iterators here share: the recording, and the piece that the reader has but the `Reducer` has not."""

    _held: bytes | None = None  # the piece that was passed on last
    _recording: Recording

    def snapshot(self) -> Result[Any] | None:
        """Return the result so far, of all pieces that the reader has got, for guards that look at running answers."""
        self._feed_held()
        return self._recording.snapshot()

    def _feed_held(self) -> None:
        held, self._held = self._held, None
        if held is not None:
            self._recording.feed(held)

    def _hold(self, piece: Any) -> None:
        recording = self._recording
        if recording.needs_mark:
            recording.mark()
        # The reader may change a buffer that is not bytes.
        self._held = piece if type(piece) is bytes else _copied(piece)

    def _end(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        self._feed_held()
        self._recording.end(ended_by, error)

    def __del__(self) -> None:
        if "_recording" in self.__dict__:  # otherwise the constructor has raised
            self._end("consumer")


class SyncPieces(_Pieces, Iterator[DataT]):
    """Iterates over a source, and records what it gives. `tee` and the HTTP clients use it."""

    def __init__(self, source: Iterable[DataT], recording: Recording) -> None:
        self._source = source
        self._pieces = iter(source)
        self._recording = recording

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> DataT:
        if self._held is not None:
            self._feed_held()
        try:
            piece = next(self._pieces)
        except StopIteration:
            self._end("eof")
            raise
        except Exception as error:
            self._end("source_error", error)
            raise
        except BaseException:  # Ctrl+C, for example
            self._end("consumer")
            raise
        self._hold(piece)
        return piece

    def close(self) -> None:
        """Report the exchange, unless it was reported, and close the source."""
        self._end("consumer")
        with ExitStack() as stack:  # closes all, whatever one of them raises
            for closeable in _parts(self._pieces, self._source):
                if hasattr(closeable, "close"):
                    stack.callback(closeable.close)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class AsyncPieces(_Pieces, AsyncIterator[DataT]):
    """Iterates over an asynchronous source, and records what it gives."""

    def __init__(self, source: AsyncIterable[DataT], recording: Recording) -> None:
        self._source = source
        self._pieces = aiter(source)
        self._recording = recording

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> DataT:
        if self._held is not None:
            self._feed_held()
        try:
            piece = await anext(self._pieces)
        except StopAsyncIteration:
            self._end("eof")
            raise
        except Exception as error:
            self._end("source_error", error)
            raise
        except BaseException:  # the reader was cancelled
            self._end("consumer")
            raise
        self._hold(piece)
        return piece

    async def aclose(self) -> None:
        """Report the exchange, unless it was reported, and close the source."""
        self._end("consumer")
        async with AsyncExitStack() as stack:
            for closeable in _parts(self._pieces, self._source):
                if hasattr(closeable, "aclose"):
                    stack.push_async_callback(closeable.aclose)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.aclose()


class tee(SyncPieces[DataT]):
    """Iterate over the pieces of an answer, and report its `Exchange` once, at the end.

    The end is the last piece, an exception of the source, `close`, or garbage collection. A fault of the recording
    never reaches the reader. `close` closes the source, too.

    Args:
        source: An iterable of bytes, for example ``response.iter_raw()``.
        on_end: Takes the `Exchange`, on another thread.
        encoding: The value of the header ``Content-Encoding``; the copy is decoded.
        request: What is known of the request. Credentials in its address and its body are removed.
        status_code: The HTTP status of the answer.
        headers: The headers of the answer, as pairs; an `Exchange` keeps an allowlist of them. ``encoding`` has
            precedence over their ``content-encoding``.
        metadata: For `Exchange.metadata`.
        started: When the request began, by `time.monotonic_ns`. By default, now.
        integration: For `Exchange.integration`.
        options: ``dialect``, ``limits``, ``clock``, ``keep_body`` and ``reports``, as in `Recorder`.

    Raises `UsageError` for wrong options.
    """

    def __init__(
        self,
        source: Iterable[DataT],
        on_end: OnEnd,
        *,
        encoding: str | None = None,
        request: Request = Request(),  # noqa: B008  (frozen)
        status_code: int | None = None,
        headers: Headers = (),
        metadata: Any = None,
        started: int | None = None,
        integration: str = "tee",
        **options: Unpack[CopyOptions],
    ) -> None:
        recording = Recorder(integration, on_end, **options).begin(started)
        super().__init__(source, recording)
        recording.see_stream(request, status_code, headers, encoding, metadata)


class atee(AsyncPieces[DataT]):
    """Do what `tee` does, for an asynchronous iterable, for example ``response.aiter_raw()``.

    The end may also be a cancellation or `aclose`. An asynchronous ``on_end`` runs in the same event loop.
    """

    def __init__(
        self,
        source: AsyncIterable[DataT],
        on_end: OnEnd,
        *,
        encoding: str | None = None,
        request: Request = Request(),  # noqa: B008  (frozen)
        status_code: int | None = None,
        headers: Headers = (),
        metadata: Any = None,
        started: int | None = None,
        integration: str = "tee",
        **options: Unpack[CopyOptions],
    ) -> None:
        recording = Recorder(integration, on_end, **options).begin(started)
        super().__init__(source, recording)
        recording.see_stream(request, status_code, headers, encoding, metadata)


def _parts(pieces: Any, source: Any) -> tuple[Any, ...]:
    """Return what is to be closed, the last first: the iterator, and the iterable if that is another object.

    Another thread or task may just be reading from a generator. It cannot be closed then, but the source can.
    """
    if pieces is source:
        return (source,)
    is_running = getattr(pieces, "gi_running", False) or getattr(pieces, "ag_running", False)
    return (source,) if is_running else (source, pieces)


def _copied(piece: Any) -> Any:
    """Return the bytes of a buffer; anything else as it is, because the recording reports that."""
    try:
        return memoryview(piece).tobytes()
    except TypeError:
        return piece
