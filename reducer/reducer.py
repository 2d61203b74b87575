"""`Reducer`: bytes or payloads in, a `Result` out.

Theory of operation
-------------------
Data move in one direction. `ReadBuffer` keeps small reads until processing them together is cheap. `Pipeline` frames
bytes into payloads, numbers them, and drops replays and duplicates. Then there are two paths. The event path
(`Responses`, `Response` and the dialect's tables) merges one event at a time and is complete by itself. The batch path
(`reducer.fast`) merges runs of plain events together and leaves everything else to the event path; without it every
result is the same.

A *read* is what `feed` gets. A *payload* is the bytes of one event, a *frame* a payload with its name and offset, an
*event* the dict that a payload decodes to. A *response* is what events merge into; its *body* is the final object. A
stream has one response or several. Ids such as S5 or R21 name known deviations of servers, see samples/README.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Generic, TypedDict

import msgspec

from reducer.dialects import overloads
from reducer.dialects.contract import Options
from reducer.dialects.registry import load
from reducer.errors import ClosedError, ProblemError, UsageError, log
from reducer.fast import BatchPath
from reducer.options import check_clock, check_limits, check_time, read_clock, read_names
from reducer.pipeline import Pipeline
from reducer.problems import Problem, build_problem
from reducer.reads import CAPACITY, ReadBuffer
from reducer.result import BodyT, Limits, Result
from reducer.resume import load_state, restore, save_state
from reducer.saving import damaged
from reducer.timing import Stopwatch

REPAIRS = frozenset(
    {"cumulative", "choice_counter", "duplicate_chunks", "split_names", "usage_fields", "double_prefix"}
)


class Keywords(TypedDict, total=False):
    """The options of `Reducer`, for the signatures that pass them on."""

    strict: bool
    limits: Limits
    clock: Callable[[], int] | None
    started: int | None
    repairs: Iterable[str]
    text_keys: Iterable[str]
    fast: bool


class Reducer(Generic[BodyT]):
    """Turns one stream into its final object, as the bytes come.

    Feed it with `feed` (bytes of the stream, split anywhere) or `feed_event` (payloads without framing), and call
    `close` when the stream has ended or was given up. Unless ``strict`` is set, no content of a stream raises. Not
    thread-safe. Up to 32 KiB of reads are buffered and processed together: `snapshot`, `save`, `close` and `feed_event`
    process the buffer first, and `finished`, `ended` and `take_results` do if it may hold the end.

    Args:
        dialect: The wire language, or ``"auto"`` to tell it from the first payloads.
        strict: Raise the first problem as `ProblemError`, from the method that processes its bytes. That may be a
            `feed` up to 32 KiB later. What is missing at the end, and ``unknown_event``, are raised by `close`.
        limits: What the stream may cost.
        clock: Returns nanoseconds as an integer; called once for each read. Without it, and without ``at``, there is no
            timing. If it raises later, timing ends with the problem ``clock_failed``.
        started: The clock's time at which the request began, from which durations count. By default the clock is
            asked now; without a clock, the first ``at`` is the start.
        repairs: Names of the guesses that are allowed; see the README.
        text_keys: Undeclared delta keys whose strings are to be joined.
        fast: Whether runs of plain events may be merged in batches. The result is the same.

    Raises:
        UsageError: ``limits``, ``clock``, ``started``, ``repairs`` or ``text_keys`` of a wrong type, or an unknown
            dialect or repair.
    """

    @overloads.typed_as(overloads.__init__)
    def __init__(
        self,
        dialect: str = "auto",
        *,
        strict: bool = False,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        clock: Callable[[], int] | None = None,
        started: int | None = None,
        repairs: Iterable[str] = (),
        text_keys: Iterable[str] = (),
        fast: bool = True,
    ) -> None:
        given = None if dialect == "auto" else load(dialect)
        check_limits(limits)
        check_time("started", started)
        if started is None:
            started = read_clock(clock)
        else:
            check_clock(clock)
        options = Options(limits, read_names("repairs", repairs, REPAIRS), read_names("text_keys", text_keys))
        self._strict = strict
        self._clock = clock
        self._fast = fast
        self._buffer = ReadBuffer()
        self._pipeline = Pipeline(options, given, BatchPath(limits).merge if fast else None, Stopwatch(started))
        self._times = self._pipeline.stopwatch.times  # of reads and payloads; empty without a clock or `at`
        self._takes_reads = True  # `feed` may put a read into the buffer; False after `close`
        self._has_raised = False  # `strict` has raised its one problem
        self._taken_problem: Problem | None = None  # the first problem of results that were taken
        # A match in the buffer may be terminal evidence; None: anything may be.
        self._pattern: re.Pattern[bytes] | None = None
        self._finished: bool | None = None  # what `finished` says, until something is merged
        self._ended: bool | None = None  # the same of `ended`
        self._results: list[Result[Any]] | None = None  # after `close`
        self._closed: Result[BodyT] | None = None  # the result that `close` returns

    # -- feeding ---------------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the stream. The memory of ``data`` may be reused afterwards.

        Raises `ClosedError` after `close`, `UsageError` for anything but bytes, and `ProblemError` under ``strict``.
        """
        buffer = self._buffer
        if self._takes_reads and type(data) is bytes and 0 < len(data) < buffer.room:
            # The quick path: most reads of a live stream.
            buffer.room -= len(data)
            buffer.reads.append(data)
            if self._clock is not None:
                now = self._now()
                if now is not None:
                    self._times.append(now)
            return
        self._feed_any(data)

    def _feed_any(self, data: bytes | bytearray | memoryview) -> None:
        """Take bytes of any type and size, in any state."""
        if self._closed is not None:
            raise ClosedError("feed after close: a Reducer takes one stream")
        if type(data) is not bytes:
            try:
                data = memoryview(data).tobytes()
            except TypeError:
                raise UsageError(f"feed takes bytes, not {type(data).__name__}; feed_event takes payloads") from None
        if not data:
            return
        now = self._now()
        if now is not None:
            self._times.append(now)
        if len(data) >= CAPACITY and not self._buffer.reads:  # a large read is not copied into the buffer
            self._feed_pipeline(data, [len(data)])
            if self._strict:
                self._raise_first()
            return
        self._buffer.reads.append(data)
        self._buffer.room -= len(data)
        if self._buffer.room <= 0:
            self._process_buffer(to_last_event=True)

    def feed_event(self, payload: Any, event: str | None = None, at: int | None = None) -> None:
        """Take one payload without framing.

        Args:
            payload: JSON as bytes or str, a dict, a struct, or an SDK's model.
            event: The event's name, where the framing had one.
            at: When it came, in nanoseconds; the clock is not asked then.

        Raises `ClosedError` after `close`, `UsageError` for what is not a payload, and `ProblemError` under ``strict``.
        """
        if self._closed is not None:
            raise ClosedError("feed_event after close: a Reducer takes one stream")
        check_time("at", at)
        data = _payload_bytes(payload)
        self._process_buffer()
        pipeline = self._pipeline
        if at is None:
            at = self._now()
        if at is not None:
            self._times.append(at)
            pipeline.stopwatch.note_sizes([0])
        self._finished = self._ended = None
        pipeline.feed_event(data, event)
        if at is not None:
            pipeline.stopwatch.settle()
        self._pattern = pipeline.terminal_pattern
        if self._strict:
            self._raise_first()

    def _now(self) -> int | None:
        """Return the clock's time; ``None`` without a clock."""
        if self._clock is not None:
            try:
                now: Any = self._clock()
                if type(now) is int:
                    return now
                self._stop_clock(f"returned {now!r}")
            except Exception as error:
                self._stop_clock(repr(error))
        return None

    def _stop_clock(self, cause: str) -> None:
        """A clock that raises, or returns anything but an integer, ends the timing, and hurts nobody else."""
        self._clock = None
        self._pipeline.stop_timing(cause)

    def _process_buffer(self, *, to_last_event: bool = False) -> None:
        """Bring the state up to date with everything that was fed, or with the whole events in it."""
        if self._buffer.reads:
            self._merge_buffer(to_last_event=to_last_event)
            if self._strict:
                self._raise_first()

    def _merge_buffer(self, *, to_last_event: bool) -> None:
        buffer = self._buffer
        sizes = buffer.sizes() if self._times else []
        self._feed_pipeline(buffer.take_events() if to_last_event else buffer.take_all(), sizes)

    def _feed_pipeline(self, data: bytes, sizes: list[int]) -> None:
        """Feed bytes to the pipeline; ``sizes`` are those of the reads that brought them, if the reads have times."""
        if self._times:
            self._pipeline.stopwatch.note_sizes(sizes)
        self._finished = self._ended = None
        self._pipeline.feed(data)
        if self._times:
            self._pipeline.stopwatch.settle()
        self._pattern = self._pipeline.terminal_pattern

    def _raise_first(self) -> None:
        if not self._has_raised:
            for response in self._pipeline.responses.all:
                if response.problems:
                    self._has_raised = True
                    raise ProblemError(response.problems[0])

    # -- looking ---------------------------------------------------------------------------------

    @property
    def finished(self) -> bool:
        """Whether the answer is whole: terminal evidence has been seen. More may follow: usage comes late.

        Speaks of the current response. Raises `ProblemError` under ``strict``.
        """
        self._look_for_end()
        if self._finished is None:
            self._finished = self._pipeline.responses.current.is_finished
        return self._finished

    @property
    def ended(self) -> bool:
        """Whether the stream said by its own end marker that nothing need follow, so that the caller may stop reading.

        That is ``[DONE]``, ``message_stop`` or a terminal event; a body that came whole has ended at once, and Gemini
        has no marker. Speaks of the current response. Raises `ProblemError` under ``strict``.
        """
        self._look_for_end()
        if self._ended is None:
            self._ended = self._pipeline.responses.current.has_ended
        return self._ended

    def _look_for_end(self) -> None:
        """Process the buffer if it may hold terminal evidence."""
        if self._buffer.reads and (self._pattern is None or self._buffer.may_hold(self._pattern)):
            self._process_buffer()

    def take_results(self) -> list[Result[Any]]:
        """Return the results of responses that have ended, in order of ending, and forget them.

        A response ends when another one begins; among several at once, told apart by ``stream_id``, by its own end
        marker. The buffer is processed only if the current response is `finished`. After `close`, this returns all that
        were not taken.

        Raises `ProblemError` under ``strict``.
        """
        if self._results is None and self.finished:
            self._process_buffer()
        if self._results is not None:
            taken, self._results = self._results, []
            return taken
        taken = self._pipeline.take_results()
        if self._strict and self._taken_problem is None:
            self._taken_problem = next((problem for result in taken for problem in result.problems), None)
        return taken

    @property
    def results(self) -> list[Result[Any]]:
        """After `close`: the results of all responses that were not taken, in order of appearance."""
        if self._results is None:
            raise UsageError("results are available after close")
        return list(self._results)

    def snapshot(self) -> Result[BodyT]:
        """Return the result so far. It is independent of later feeds, and taking it changes nothing.

        Raises `ProblemError` under ``strict``.
        """
        if self._closed is not None:
            return self._closed
        self._process_buffer()
        return self._pipeline.first_result(final=False)

    def close(self, error: BaseException | str | None = None) -> Result[BodyT]:
        """End the stream and return its result; calling it again returns the same.

        Of several responses the result is the first that was not taken, with the problem ``several_responses``. If all
        were taken, it is empty.

        Args:
            error: Why the caller gave the stream up, if it did. It becomes the problem ``aborted``, never the
                provider's error. After the stream's own end marker it is no problem: clients close there.

        Raises `ProblemError` under ``strict``.
        """
        now = self._now() if self._closed is None else None  # first of all, because a clock may call anything
        if self._closed is None:
            self._takes_reads = False
            if self._buffer.reads:
                self._merge_buffer(to_last_event=False)
            self._pipeline.flush()
            ended = self._pipeline.responses.current.has_ended
            if error is not None and not ended:
                cause = str(error) or type(error).__name__
                self._pipeline.responses.current.report_at(
                    self._pipeline.count, None, "aborted", cause, "what came before it"
                )
            elapsed = self._pipeline.stopwatch.elapsed(now) if now is not None else None
            self._finished, self._ended = self._pipeline.responses.current.is_finished, ended
            self._results = self._pipeline.close(elapsed)
            self._closed = self._results[0] if self._results else self._pipeline.first_result(final=True)
            if len(self._results) > 1:
                count = len(self._results)
                self._closed = self._closed.with_problem(
                    build_problem("several_responses", None, None, count, "the first")
                )
            log("debug", "closed: %s %s, %d problem(s)", *self._closed.summary)
        if self._strict and not self._has_raised:
            left = [problem for result in (*(self._results or ()), self._closed) for problem in result.problems]
            problem = self._taken_problem or next(iter(left), None)
            if problem is not None:
                self._has_raised = True
                raise ProblemError(problem)
        return self._closed

    # -- resuming --------------------------------------------------------------------------------

    def save(self) -> bytes:
        """Return the state so far, compact and versioned, for `resume` in another process. It changes nothing.

        Raises `ClosedError` after `close`, and `ProblemError` under ``strict``.
        """
        if self._closed is not None:
            raise ClosedError("save after close: there is a result instead")
        self._process_buffer()
        self._pipeline.stopwatch.pause(self._now())
        return save_state(self._pipeline, strict=self._strict, fast=self._fast)

    @classmethod
    def resume(
        cls, state: bytes, *, limits: Limits | None = None, clock: Callable[[], int] | None = None
    ) -> Reducer[Any]:
        """Go on from a saved state, with the same bytes or with a new connection to the same response.

        Events that a server sends again, up to the last ``sequence_number`` that was seen, are dropped; an
        ``in_progress`` event that carries output resets to it. If the first bytes begin an event, what was left of a
        cut one is dropped and reported.

        Args:
            state: The bytes of `save`. They are not encrypted and not signed, and a forged state can give any result:
                take states only from a place that you trust, or authenticate them, for example with HMAC.
            limits: By default those of the saved `Reducer`.
            clock: As in `Reducer`; it may be another clock.

        Every value is checked, and the body is built once, which costs about as much as a `snapshot`. So a forged state
        raises `StateError` here, or the `Reducer` works like any other.

        Raises `StateError` for anything but a valid state of this version.
        """
        if limits is not None:
            check_limits(limits)
        saved = load_state(state)
        now = read_clock(clock)
        try:
            resumed: Reducer[Any] = Reducer(
                saved.dialect,
                strict=saved.strict,
                limits=saved.limits if limits is None else limits,
                started=0,
                repairs=saved.repairs,
                text_keys=saved.text_keys,
                fast=saved.fast,
            )
            restore(resumed._pipeline, saved)
        except Exception as error:  # a forged state may raise anything
            raise damaged(error) from None
        if limits is not None:
            resumed._pipeline.use_limits()
        resumed._times = resumed._pipeline.stopwatch.times
        resumed._clock = clock
        resumed._pipeline.resume(now)
        # Under `strict`, `save` has raised the problem that there was.
        resumed._has_raised = any(response.problems for response in resumed._pipeline.responses.all)
        return resumed


def _payload_bytes(payload: Any) -> bytes:
    """Return the JSON of a payload of any type that `Reducer.feed_event` accepts."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    if isinstance(payload, bytearray | memoryview):
        return bytes(payload)
    try:
        if hasattr(payload, "model_dump"):
            # A pydantic model: fields that the wire did not set must not become nulls.
            payload = payload.model_dump(exclude_unset=True, by_alias=True, warnings=False)
        return msgspec.json.encode(payload)
    except (TypeError, ValueError, RecursionError) as error:
        if isinstance(error, UnicodeEncodeError):  # half a surrogate pair
            import json  # imported late, because few payloads need it

            with suppress(TypeError, ValueError, RecursionError):
                return json.dumps(msgspec.to_builtins(payload)).encode()
        raise UsageError(f"not a payload: {type(payload).__name__} ({error})") from None
