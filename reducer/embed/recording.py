"""Record one exchange: copy the bytes of an answer into a `Reducer`, and report an `Exchange` at its end.

All integrations use the two classes here. A `Recorder` has the options of an integration. A `Recording` follows one
exchange, in this order:

1. `Recorder.begin` when the request begins.
2. `Recording.see_request` with the method, the address, the headers and the body of the request, as far as known; and
   `Recording.feed_request` for each piece of a body that comes later.
3. `Recording.see_response` with the status and the headers. If it returns ``False``, the answer is of no interest: pass
   its bytes, and call nothing more.
4. For each piece of the body: `Recording.mark` when it arrives, and only if `Recording.needs_mark`; then pass the piece
   to the client; then `Recording.feed`.
5. `Recording.end`, once or more often. The first call reports.

No method raises, whatever the answer holds: a fault of ours is logged once, and becomes the exchange's ``error``.
"""

from __future__ import annotations

import re
import time
import uuid
from collections.abc import Callable, Iterable
from contextvars import copy_context
from typing import Any, TypedDict

from msgspec.structs import replace

from reducer.dialects.registry import DIALECTS, load
from reducer.embed.content import Decoder
from reducer.embed.exchange import MAX_DECODED_REQUEST, EndedBy, Exchange, Request, StartedRequest, read_request
from reducer.embed.redaction import clean_text, keep_headers
from reducer.embed.reports import OnEnd, Reports, describe_failure, log_once, running_loop, shared
from reducer.errors import ContentError, MissingExtraError, ReducerError, UsageError
from reducer.options import check_limits, check_time, read_clock
from reducer.reducer import Reducer
from reducer.result import Limits, Result

Headers = Iterable[tuple[str, str]] | Iterable[tuple[bytes, bytes]]

_WATCHED_TYPE = re.compile(r"\s*(text/event-stream|(application|text)/[\w.+-]*json[\w.+-]*)\s*(;|$)", re.IGNORECASE)
_WATCHED_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})
_READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_BODILESS = frozenset({204, 205, 304})
# An answer that decodes to more bytes, and to more for each byte received, is a decompression bomb: real answers are
# compressed 20 times at most. 8 MiB of zeros hold an event loop for about 25 ms.
_PLAUSIBLE_BYTES = 8 << 20
_PLAUSIBLE_RATIO = 128
# Decoded bytes for each byte that a `Reducer` may retain: an event has more bytes than the text in it.
_DECODED_PER_RETAINED = 4
_MAX_ERROR_TEXT = 1000  # characters of an exception's text


class CopyOptions(TypedDict, total=False):
    """The options that `tee` and all integrations share; `Recorder` explains them."""

    dialect: str
    limits: Limits
    clock: Callable[[], int] | None
    keep_body: int
    reports: Reports | None


class Options(CopyOptions, total=False):
    """The options that all integrations share that see the request; `Recorder` explains them."""

    on_start: Callable[[StartedRequest], Any] | None


class Recorder:
    """The options of an integration.

    Args:
        integration: The name for `Exchange.integration`.
        on_end: Takes each `Exchange`; may be asynchronous. It runs away from the client's path, see `Reports`.
        on_start: Takes a `StartedRequest` when the answer begins, and returns the ``metadata`` of the exchange. It runs
            on the client's path, so it must be quick.
        dialect: As in `reducer.Reducer`.
        limits: As in `reducer.Reducer`. They bound what a compressed answer may decode to, too.
        clock: As in `reducer.Reducer`, for example ``time.monotonic_ns``. Without it, results have no timing.
        keep_body: Keep request bodies of at most so many bytes, without the credentials of tools. 0 keeps none.
        reports: The queue of ``on_end``. By default all integrations share one.

    Raises `UsageError` for options of a wrong type.
    """

    def __init__(
        self,
        integration: str,
        on_end: OnEnd,
        *,
        on_start: Callable[[StartedRequest], Any] | None = None,
        dialect: str = "auto",
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        clock: Callable[[], int] | None = None,
        keep_body: int = 0,
        reports: Reports | None = None,
    ) -> None:
        for name, hook in (("on_end", on_end), ("on_start", on_start)):
            if not callable(hook) and (hook is not None or name == "on_end"):
                raise UsageError(f"{name} takes a function, not {hook!r}")
        check_limits(limits)
        read_clock(clock)
        if dialect != "auto":
            load(dialect)
        self.integration = integration
        self.on_end = on_end
        self.on_start = on_start
        self.dialect = dialect
        self.limits = limits
        self.clock = clock
        self.keep_body = keep_body
        self.reports = shared if reports is None else reports

    def begin(self, started: int | None = None) -> Recording:
        """Begin to record, in this context. The request begins now, or began at this time of `time.monotonic_ns`."""
        check_time("started", started)
        return Recording(self, started)


class Recording:
    """One exchange in the making. See the module's text for the order of the calls. Not thread-safe, except `end`."""

    def __init__(self, recorder: Recorder, started: int | None) -> None:
        self.needs_mark = True  # whether `mark` is to be called when a piece arrives
        self._recorder = recorder
        now = time.monotonic_ns()
        self._started = now if started is None else started
        self._started_at = time.time_ns() - now + self._started
        self._context = copy_context()
        self._loop = running_loop()
        self._arrived: int | None = None  # the clock's time when the last piece arrived; the request, at first
        self._read_clock()
        self._clock_started = self._arrived
        if started is not None and isinstance(self._arrived, int):
            self._clock_started = self._arrived - now + started
        self._method: str | None = None
        self._url: str | None = None
        self._headers: Headers = ()
        self._body = bytearray()  # of the request
        self._is_body_whole = True  # otherwise it is too large to be decoded
        self._request = Request()
        self._metadata: Any = None
        self._status_code: int | None = None
        self._response_headers: dict[str, str] = {}
        self._reducer: Reducer[Any] | None = None
        self._decoder: Decoder | None = None
        self._encoding = ""
        self._result: Result[Any] | None = None  # after `end`
        self._fault: str | None = None  # why the copy of the answer was given up
        self._first_byte: int | None = None
        self._received = 0
        self._decoded = 0
        self._open = [True]  # `pop` lets one caller win, whatever the threads do
        self._take: Callable[[bytes], None] = _ignore

    # -- the request -----------------------------------------------------------------------------

    def see_request(
        self, method: str | None, url: str | None, headers: Headers = (), body: bytes | None = None
    ) -> None:
        """Take what is known of the request. Nothing of the headers is kept."""
        self._method, self._url, self._headers = method and method.upper(), url, headers
        self.feed_request(body or b"")

    def feed_request(self, data: bytes) -> None:
        """Take the next bytes of the request's body."""
        if self._is_body_whole and len(self._body) + len(data) <= max(MAX_DECODED_REQUEST, self._recorder.keep_body):
            self._body += data
        else:
            self._is_body_whole = False
            self._body = bytearray()

    def _read_request(self) -> None:
        """Build the request from what was seen, call ``on_start``, and forget headers and body."""
        recorder = self._recorder
        self._request = request = read_request(self._method, self._url, bytes(self._body), keep_body=recorder.keep_body)
        headers, self._headers, self._body = self._headers, (), bytearray()
        if recorder.on_start is not None:
            fields = (request.method, request.url, request.model, request.stream, request.body)
            try:
                started = StartedRequest(*fields, _joined(headers))
                self._metadata = recorder.on_start(started)
            except Exception as error:
                log_once("on_start failed: %s at %s", *describe_failure(error))

    # -- the answer ------------------------------------------------------------------------------

    def see_response(self, status_code: int | None, headers: Headers = ()) -> bool:
        """Take the status and the headers of the answer. Return whether its bytes are to be recorded."""
        try:
            if self._begin_answer(status_code, _joined(headers)):
                return True
        except Exception as error:
            self._give_up(error)
            return True
        self._open.clear()
        return False

    def _begin_answer(self, status_code: int | None, headers: dict[str, str]) -> bool:
        if status_code is not None and not _has_answer(self._method, status_code):
            return False
        content_type = headers.get("content-type")
        is_watched = content_type is None or _WATCHED_TYPE.match(content_type) is not None
        if not is_watched and ((status_code or 200) < 400 or self._method in _READING_METHODS):
            return False  # a page, a file
        self._status_code = status_code
        self._response_headers = keep_headers(headers.items())
        self._read_request()
        if is_watched:
            self._begin_copy(headers.get("content-encoding"))
        return True

    def _begin_copy(self, encoding: str | None) -> None:
        recorder = self._recorder
        clock = None if recorder.clock is None else self._arrival
        self._reducer = Reducer(recorder.dialect, limits=recorder.limits, clock=clock, started=self._clock_started)
        if encoding and encoding.strip().lower() != "identity":
            self._encoding = encoding
            self._decoder = Decoder(encoding, max_bytes=recorder.limits.max_retained_bytes * _DECODED_PER_RETAINED)
            self._take = self._take_encoded
        else:
            self._take = self._reducer.feed

    def see_stream(
        self, request: Request, status_code: int | None, headers: Headers, encoding: str | None, metadata: Any
    ) -> None:
        """Take what the host of a `tee` knows, instead of `see_request` and `see_response`. Everything is recorded."""
        self.see_request(request.method, request.url, (), request.body)
        self._metadata = metadata
        try:
            joined = _joined(headers)
            self._status_code = status_code
            self._response_headers = keep_headers(joined.items())
            self._read_request()
            model, stream = request.model or self._request.model, request.stream
            self._request = replace(
                self._request, model=model, stream=self._request.stream if stream is None else stream
            )
            self._begin_copy(encoding if encoding is not None else joined.get("content-encoding"))
        except Exception as error:
            self._give_up(error)

    def mark(self) -> None:
        """Note that a piece has arrived. Needed before the first piece, and before each one if there is a clock."""
        if self._first_byte is None:
            self._first_byte = time.monotonic_ns() - self._started
            self.needs_mark = self._recorder.clock is not None
        self._read_clock()

    def feed(self, data: bytes) -> None:
        """Take a piece of the answer, after it was passed to the client."""
        try:
            self._received += len(data)
            self._take(data)
        except Exception as error:
            self._give_up(error)

    def snapshot(self) -> Result[Any] | None:
        """Return the result so far; ``None`` if there is none, because the answer is not watched or has not begun."""
        if self._result is None and self._reducer is not None:
            try:
                return self._reducer.snapshot()
            except Exception as error:
                self._give_up(error)
        return self._result

    def _take_encoded(self, data: bytes) -> None:
        assert self._decoder is not None
        assert self._reducer is not None
        for piece in self._decoder.decode(data):
            self._decoded += len(piece)
            if self._decoded > _PLAUSIBLE_BYTES and self._decoded > _PLAUSIBLE_RATIO * self._received:
                raise ContentError(self._encoding, f"{self._received} bytes decode to more than {self._decoded}")
            self._reducer.feed(piece)

    def _give_up(self, error: Exception) -> None:
        """Record nothing more of the answer. The client is not affected."""
        self._take = _ignore
        self._fault = _described(error)
        if isinstance(error, MissingExtraError):
            log_once(str(error))
        elif not isinstance(error, ReducerError):  # what the answer holds is no fault of ours
            _log(error)

    # -- the clock -------------------------------------------------------------------------------

    def _read_clock(self) -> None:
        """Note the clock's time. If it fails, `_arrival` makes the `Reducer` report that."""
        clock = self._recorder.clock
        if clock is not None:
            try:
                self._arrived = clock()
            except Exception:
                self._arrived = None

    def _arrival(self) -> int:
        """The clock of the `Reducer`, which gets each piece later than the client."""
        return self._arrived  # type: ignore[return-value]  # `None` ends the timing with a problem

    # -- the end ---------------------------------------------------------------------------------

    def end(self, ended_by: EndedBy, error: BaseException | None = None) -> None:
        """Report the exchange. Only the first call has an effect.

        Args:
            ended_by: As in `Exchange`. It becomes ``"eof"`` if the answer's own end marker has come.
            error: What failed. ``None`` for a consumer that left.
        """
        try:
            self._open.pop()
        except IndexError:
            return
        try:
            self._report(ended_by, None if error is None else _described(error))
        except Exception as failure:
            _log(failure)

    def _report(self, ended_by: EndedBy, error: str | None) -> None:
        recorder = self._recorder
        if self._status_code is None and self._reducer is None:  # no answer came
            if self._method in _READING_METHODS:
                return
            self._read_request()
        results: tuple[Result[Any], ...] = ()
        reducer, self._reducer, self._take = self._reducer, None, _ignore
        if reducer is not None:
            self._read_clock()
            cause = self._fault or error or (None if ended_by == "eof" else "the consumer left")
            try:
                self._result = reducer.close(cause)
                results = tuple(reducer.results) or (self._result,)
                if reducer.ended:
                    ended_by, error = "eof", None
            except Exception as failure:
                self._give_up(failure)
        error = self._fault or error
        if error is None and (self._status_code or 0) >= 400 and all(one.status != "failed" for one in results):
            error = f"HTTP {self._status_code}"
        exchange = Exchange(
            uuid.uuid4().hex,
            recorder.integration,
            self._metadata,
            self._request,
            self._status_code,
            self._response_headers,
            results,
            ended_by,
            error,
            self._started_at,
            self._first_byte,
            time.monotonic_ns() - self._started,
            self._received,
            self._received if self._decoder is None else self._decoded,
        )
        if self._decoder is not None:
            self._decoder.close()
        recorder.reports.put(recorder.on_end, exchange, self._context, self._loop)


# A dialect takes milliseconds to import. The first answer must not wait for that.
for _dialect in DIALECTS:
    load(_dialect)


def _has_answer(method: str | None, status_code: int) -> bool:
    """Whether a response has a body that may be an answer: not to HEAD, not of a redirection or an upgrade."""
    is_watched = method is None or method in _WATCHED_METHODS
    return is_watched and (200 <= status_code < 300 or status_code >= 400) and status_code not in _BODILESS


def _joined(headers: Headers) -> dict[str, str]:
    """Return headers by lower-case names. The values of repeated ones are joined (RFC 9110, 5.3)."""
    joined: dict[str, str] = {}
    for name, value in headers:
        key, text = (part.decode("latin-1") if isinstance(part, bytes) else part for part in (name, value))
        key = key.lower()
        joined[key] = f"{joined[key]}, {text}" if key in joined else text
    return joined


def _described(error: BaseException) -> str:
    """Return the type and the text of an exception, without credentials."""
    text = clean_text(str(error)[: 10 * _MAX_ERROR_TEXT])[:_MAX_ERROR_TEXT]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _log(error: Exception) -> None:
    log_once("recording failed: %s at %s", *describe_failure(error))


def _ignore(data: bytes) -> None:
    """Take the bytes of an answer that is not recorded."""
