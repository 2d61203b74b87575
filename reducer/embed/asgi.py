"""`ReduceMiddleware`: report the answers that an ASGI application gives, such as a gateway's.

It works with FastAPI, Starlette and every other ASGI application, under uvicorn and other servers of asyncio::

    app.add_middleware(ReduceMiddleware, on_end=save)      # FastAPI, Starlette
    app = ReduceMiddleware(their_app, save)                # any other: uvicorn wrapped:app

Each message goes to the server first, and to the recording after that. A client that leaves is noticed by a ``receive``
of the middleware's own, because a server's ``send`` need not fail then, and an application need not ask. It begins when
the request has been read to its end, so that it takes no part of the request from the application; the application gets
what it has received.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any
from urllib.parse import quote

from reducer.embed.recording import Options, Recorder, Recording
from reducer.embed.reports import OnEnd, running_loop
from reducer.errors import UsageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Unpack

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# The packages whose exceptions, raised by an application, mean that its upstream failed.
_CLIENTS = frozenset(
    {"httpx", "httpx2", "httpcore", "httpcore2", "aiohttp", "requests", "urllib3", "openai", "anthropic", "http"}
)


class ReduceMiddleware:
    """Passes everything through, and reports an `Exchange` for each answer that is an event stream or JSON.

    Answers may be compressed. HEAD requests, WebSockets, pages and answers without body are not reported. The end of
    the application's lifespan waits for ``on_end`` callbacks.

    Args:
        app: The application.
        on_end: Takes each `Exchange`; may be asynchronous.
        paths: The beginnings of the paths that are watched, or a function that tells whether a path is. By default all
            are.
        options: As in `reducer.embed.recording.Recorder`.

    Raises `UsageError` for wrong options.
    """

    def __init__(
        self,
        app: App,
        on_end: OnEnd,
        *,
        paths: Iterable[str] | Callable[[str], bool] | None = None,
        **options: Unpack[Options],
    ) -> None:
        self.app = app
        self._recorder = Recorder("asgi", on_end, **options)
        self._is_watched = _path_filter(paths)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        kind = scope["type"]
        if kind == "http" and (self._is_watched is None or self._is_watched(scope["path"])):
            await _Exchange(self._recorder.begin(), scope, receive, send).run(self.app)
        elif kind == "lifespan":
            await self.app(scope, receive, self._flush_before(send))
        else:
            await self.app(scope, receive, send)

    def _flush_before(self, send: Send) -> Send:
        async def send_after_flush(message: Message) -> None:
            if message["type"].startswith("lifespan.shutdown."):
                await self._recorder.reports.aforce_flush()
            await send(message)

        return send_after_flush


class _Exchange:
    """One request and its answer."""

    def __init__(self, recording: Recording, scope: Scope, receive: Receive, send: Send) -> None:
        self._recording = recording
        self._scope = scope
        self._receive = receive
        self._send = send
        self._is_recorded = False  # the answer has begun, and is of interest
        self._is_request_read = False
        self._is_final = False  # the last part of the answer was given to the server
        self._disconnect: asyncio.Task[Message] | None = None  # our own `receive`
        recording.see_request(scope["method"], _url(scope), scope["headers"])

    async def run(self, app: App) -> None:
        try:
            await app(self._scope, self.receive, self.send)
        except Exception as error:
            cause = _cause(error)
            self._recording.end("source_error" if _is_from_upstream(cause) else "host_error", cause)
            raise
        except BaseException:  # cancelled
            self._recording.end("consumer")
            raise
        else:
            self._recording.end("host_error")  # without effect after the last part
        finally:
            if self._disconnect is not None:
                self._disconnect.cancel()

    async def receive(self) -> Message:
        if self._is_request_read and (waiting := self._wait_for_client()) is not None:
            return await asyncio.shield(waiting)  # the application may give up waiting, we do not
        message = await self._receive()
        if message["type"] == "http.request":
            self._recording.feed_request(message.get("body", b""))
            self._is_request_read = not message.get("more_body", False)
            if self._is_recorded and self._is_request_read:
                self._wait_for_client()
        else:
            self._see_disconnect()
        return message

    async def send(self, message: Message) -> None:
        # One coroutine for each event: each further one would cost it a microsecond.
        recording = self._recording
        body = b""
        is_final = False
        if self._is_recorded and message["type"] == "http.response.body":
            body = message.get("body", b"")
            if type(body) is not bytes:
                body = bytes(body)  # the application may reuse its buffer
            is_final = self._is_final = not message.get("more_body", False)
            if body and recording.needs_mark:
                recording.mark()
        try:
            await self._send(message)
        except BaseException:  # the client has left, or the application was cancelled
            recording.end("consumer")
            raise
        if body:
            recording.feed(body)
        if is_final:
            recording.end("eof")
        elif message["type"] == "http.response.start":
            self._begin_answer(message)

    def _begin_answer(self, start: Message) -> None:
        self._is_recorded = self._recording.see_response(start["status"], start.get("headers", ()))
        if self._is_recorded and self._is_request_read:
            self._wait_for_client()

    def _wait_for_client(self) -> asyncio.Task[Message] | None:
        """Begin to wait for the client to leave, once. ``None`` if there is no event loop of asyncio."""
        if self._disconnect is None and running_loop() is not None:
            self._disconnect = asyncio.create_task(self._receive_disconnect())
            self._disconnect.add_done_callback(_retrieve)
        return self._disconnect

    async def _receive_disconnect(self) -> Message:
        message = await self._receive()
        self._see_disconnect()
        return message

    def _see_disconnect(self) -> None:
        if not self._is_final:  # servers say it after complete answers, too
            self._recording.end("consumer")


def _retrieve(task: asyncio.Task[Message]) -> None:
    """Look at an exception of the server's ``receive``, so that asyncio does not report it if nobody else does."""
    if not task.cancelled():
        task.exception()


def _path_filter(paths: Iterable[str] | Callable[[str], bool] | None) -> Callable[[str], bool] | None:
    if paths is None or callable(paths):
        return paths
    if isinstance(paths, str):
        raise UsageError(f"paths takes a list of beginnings, not a string: write paths=[{paths!r}]")
    prefixes = tuple(paths)
    return lambda path: path.startswith(prefixes)


def _url(scope: Scope) -> str:
    """Return the address of a request, as the client wrote it."""
    host = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"host"), "")
    raw = scope.get("raw_path")
    path = raw.decode("latin-1").partition("?")[0] if raw else quote(scope["path"])
    query = scope.get("query_string", b"").decode("latin-1")
    return f"{scope.get('scheme', 'http')}://{host}{path}" + (f"?{query}" if query else "")


def _cause(error: BaseException) -> BaseException:
    """Return the exception in a group of one: FastAPI and anyio wrap those of the tasks that they start."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error


def _is_from_upstream(error: BaseException) -> bool:
    """Whether an exception of the application says that reading from its upstream failed."""
    modules = {kind.__module__.partition(".")[0] for kind in type(error).__mro__}
    return isinstance(error, OSError | EOFError) or not modules.isdisjoint(_CLIENTS)
