"""Report every call of an HTTP client of the packages ``httpx`` and ``httpx2``, synchronous or asynchronous.

`wrap` takes the transport of a client, `response_hook` is for clients whose transport cannot be replaced::

    client = OpenAI(http_client=httpx2.Client(transport=wrap(httpx2.HTTPTransport(), on_end)))

Neither package is imported here. Both check that transports and streams have their own base classes, so the wrapper of
an object inherits the base class that the object has. The class is found by its name, because ``__module__`` does not
tell the packages apart: ``import openai`` changes it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from functools import lru_cache
from types import TracebackType
from typing import Any, TypeVar

from reducer.embed.recording import Options, Recorder, Recording
from reducer.embed.reports import OnEnd
from reducer.embed.tees import AsyncPieces, SyncPieces
from reducer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Unpack

TransportT = TypeVar("TransportT")


def wrap(transport: TransportT, on_end: OnEnd, **options: Unpack[Options]) -> TransportT:
    """Return a transport that does what the given one does, and reports an `Exchange` for each request.

    Args:
        transport: A transport of ``httpx`` or ``httpx2``, for example ``httpx2.AsyncHTTPTransport()``.
        on_end: Takes each `Exchange`. If the client is asynchronous, it may be asynchronous, too.
        options: As in `Recorder`.

    Raises `UsageError` for anything but a transport, and for wrong options.
    """
    if not (hasattr(transport, "handle_request") or hasattr(transport, "handle_async_request")):
        raise UsageError(f"wrap takes a transport such as httpx2.HTTPTransport(), not {type(transport).__name__}")
    kind: Any = type(transport)
    make = _with_bases_of(_Transport, kind, ("BaseTransport", "AsyncBaseTransport"))
    wrapped: TransportT = make(transport, Recorder("httpx", on_end, **options))
    return wrapped


def response_hook(on_end: OnEnd, **options: Unpack[Options]) -> Callable[[Any], _Done]:
    """Return a hook for ``event_hooks={"response": [...]}`` of a client, which reports an `Exchange` for each response.

    It works in synchronous and asynchronous clients. Unlike those of `wrap`, the times of the exchange count from the
    head of the response, and requests without a response are not reported.

    Args:
        on_end: Takes each `Exchange`. If the client is asynchronous, it may be asynchronous, too.
        options: As in `Recorder`.

    Raises `UsageError` for wrong options.
    """
    recorder = Recorder("httpx", on_end, **options)

    def hook(response: Any) -> _Done:
        recording = _begin(recorder, response.request)
        _watch(response, recording, is_async=hasattr(response.stream, "__aiter__"))
        return _DONE

    return hook


class _Done:
    """Can be awaited, and need not be."""

    def __await__(self) -> Generator[None, None, None]:
        yield from ()


_DONE = _Done()


class _Transport:
    """Passes everything to another transport. `wrap` adds the base classes that the client expects."""

    def __init__(self, inner: Any, recorder: Recorder) -> None:
        self._inner = inner
        self._recorder = recorder

    def handle_request(self, request: Any) -> Any:
        recording = _begin(self._recorder, request)
        try:
            response = self._inner.handle_request(request)
        except BaseException as error:
            _end_failed(recording, error)
            raise
        _watch(response, recording, is_async=False)
        return response

    async def handle_async_request(self, request: Any) -> Any:
        recording = _begin(self._recorder, request)
        try:
            response = await self._inner.handle_async_request(request)
        except BaseException as error:
            _end_failed(recording, error)
            raise
        _watch(response, recording, is_async=True)
        return response

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def close(self) -> None:
        self._inner.close()

    async def aclose(self) -> None:
        await self._inner.aclose()

    def __enter__(self) -> Self:
        self._inner.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self._inner.__exit__(kind, error, trace)

    async def __aenter__(self) -> Self:
        await self._inner.__aenter__()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self._inner.__aexit__(kind, error, trace)


class _SyncStream(SyncPieces[bytes]):
    """The body of a response."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)  # `elapsed`, for one, is the client's


class _AsyncStream(AsyncPieces[bytes]):
    """The body of an asynchronous response."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)


def _begin(recorder: Recorder, request: Any) -> Recording:
    recording = recorder.begin()
    try:
        body = request.content
    except Exception:  # the body is a stream that was not read, such as an upload
        body = None
    recording.see_request(request.method, str(request.url), request.headers.raw, body)
    return recording


def _end_failed(recording: Recording, error: BaseException) -> None:
    if isinstance(error, Exception):
        recording.end("source_error", error)
    else:  # the caller was cancelled
        recording.end("consumer")


def _watch(response: Any, recording: Recording, *, is_async: bool) -> None:
    """Put a wrapper around the body of a response, if the response is of interest."""
    if not recording.see_response(response.status_code, response.headers.raw):
        return
    if response.is_closed:  # the body is there already: a transport for tests has made it
        recording.mark()
        for piece in response.stream:
            recording.feed(piece)
        recording.end("eof")
        return
    stream = response.stream
    kind: Any = type(stream)
    mixin, base = (_AsyncStream, "AsyncByteStream") if is_async else (_SyncStream, "SyncByteStream")
    response.stream = _with_bases_of(mixin, kind, (base,))(stream, recording)


@lru_cache(maxsize=64)
def _with_bases_of(mixin: Any, kind: Any, names: tuple[str, ...]) -> Any:
    """Return a class that is the mixin, and has the base classes with these names that another class has."""
    bases = [base for base in kind.__mro__ if base.__name__ in names]
    return type(mixin.__name__, (mixin, *bases), {})
