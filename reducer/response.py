"""One response in the making: its dialect, its state, its problems, and the verdict on it."""

from __future__ import annotations

from typing import Annotated, Any

from reducer.body import independent, to_json
from reducer.decoding import Report, join_surrogates
from reducer.dialects.contract import ANOTHER_RESPONSE, Dialect, LimitReached, Options, State, report_nothing
from reducer.errors import log
from reducer.frames import NO_FRAMES, Frames
from reducer.problems import Problem, Shown, build_problem, shown
from reducer.result import ProviderError, Result, Status
from reducer.saving import Saved
from reducer.timing import Times

MAX_PROBLEMS = 256  # and unknown event types: a stream of nothing else must not cost more than one of text
MAX_ALL_PROBLEMS = 4096  # of the responses of a body that were not taken, together: each may show 2 KiB


class Position:
    """What all responses of a body share: the place of the event that is being merged, and a count of problems."""

    __slots__ = ("frames", "further", "number", "place", "problems")

    def __init__(self) -> None:
        self.number = 0  # of the event in everything that was fed, from 0
        self.problems = 0  # that the responses keep which were not taken, with their unknown events
        self.further = 0  # events so far that came in one payload with the event before them
        self.frames: Frames = NO_FRAMES  # the frames that are being merged
        self.place = 0  # the index of the event in `frames`

    @property
    def offset(self) -> int | None:
        """The byte at which the event's first data line, or its JSON value, begins; ``None`` without framing."""
        return self.frames.offset(self.place) if self.frames else None


class UnknownEvents(Saved):
    """The events of one type that no handler knows."""

    count: int
    number: int  # of the first
    offset: int | None  # of the first
    first: Shown

    def __init__(self, number: int, offset: int | None, event: dict[str, Any]) -> None:
        self.count = 1
        self.number = number
        self.offset = offset
        self.first = shown(event)


class Response(Saved):
    """One response of a body. The core creates one at the start, and one for each event that begins another."""

    unsaved = ("dialect", "options", "position")  # set by `attach`
    options: Options
    position: Position
    dialect: Dialect | None  # None until a payload tells it; `state` is set together with it
    state: Annotated[Any, State]  # of the dialect
    times: Times
    problems: list[Problem]  # at most MAX_PROBLEMS
    dropped: int  # problems beyond those
    error: ProviderError | None  # an error that came before any dialect was known
    # For `unknown_dialect`: seen and chosen, of the first payload that no dialect recognised.
    unread: tuple[Shown, str] | None
    is_realtime: bool  # the first payload was of the Realtime API, whose later events look like Responses
    unknown: dict[str, UnknownEvents]  # by event type
    is_limited: bool  # something was not retained because of a limit
    is_taken: bool  # its result was taken
    stream_id: str | None  # its name, where several responses come at once
    is_torn: bool  # bytes were left at the end that are no whole event

    def __init__(self, options: Options, position: Position) -> None:
        self.options = options
        self.position = position
        self.dialect = None
        self.state = None
        self.times = Times()
        self.problems = []
        self.dropped = 0
        self.error = None
        self.unread = None
        self.is_realtime = False
        self.unknown = {}
        self.is_limited = False
        self.is_taken = False
        self.stream_id = None
        self.is_torn = False

    def begin(self, dialect: Dialect) -> None:
        """Give the response its dialect and an empty state."""
        self.dialect = dialect
        self.state = dialect.new_state(self.options, self.report)
        self.state.error = self.error

    def attach(self, options: Options, position: Position, dialect: Dialect | None, phase: str | None) -> None:
        """After `resume`: set what is not saved."""
        self.options = options
        self.position = position
        self.dialect = dialect
        if dialect is not None:
            self.state.options = options
            self.state.report = self.report
            self.state.handlers = dialect.handlers[phase or ""]

    @property
    def phase(self) -> str | None:
        """The name of the phase, for saving."""
        if self.dialect is None:
            return None
        return next(name for name, handlers in self.dialect.handlers.items() if handlers is self.state.handlers)

    # -- merging ---------------------------------------------------------------------------------

    def merge_event(self, event: dict[str, Any], *, is_bare: bool) -> bool:
        """Merge an event of this response's dialect; return whether it begins another response instead.

        Args:
            event: The event, which the state may keep.
            is_bare: Whether the stream began with a JSON value outside of any event or array.
        """
        dialect, state = self.dialect, self.state
        assert dialect is not None
        try:
            if not state.begun and dialect.is_body(event, is_bare):
                state.begun = True
                dialect.take_body(state, event)
                state.whole = event
                return False
            kind = dialect.type_of(event)
            handler = state.handlers.get(kind)
            if handler is None:
                self.count_unknown(kind, event)
            elif handler(state, event) is ANOTHER_RESPONSE:
                return True
        except LimitReached as limit:
            self.reach_limit(limit)
        return False

    def end(self) -> None:
        """Merge the end marker ``[DONE]``, if the dialect has one."""
        handler = self.state.handlers.get("[DONE]") if self.state is not None else None
        if handler is not None:
            handler(self.state, {})

    def take_error(self, error: ProviderError) -> None:
        """Keep the first error."""
        where: Any = self if self.state is None else self.state
        where.error = where.error or error

    def release(self) -> None:
        """Drop the state. State and response refer to each other, and only the garbage collector would free them."""
        self.state = None

    # -- problems --------------------------------------------------------------------------------

    def report(self, code: str, seen: Any, chosen: Any) -> None:
        """Report a problem at the current event."""
        self.report_at(self.position.number, self.position.offset, code, seen, chosen)

    def report_at(self, number: int, offset: int | None, code: str, seen: Any, chosen: Any) -> None:
        """Report a problem at an event's number and a byte."""
        if len(self.problems) < MAX_PROBLEMS and self.position.problems < MAX_ALL_PROBLEMS:
            self.position.problems += not self.is_taken
            self.problems.append(build_problem(code, number, offset, seen, chosen))
        else:
            self.dropped += 1

    @property
    def problem_count(self) -> int:
        """How many problems and unknown events are kept."""
        return len(self.problems) + len(self.unknown)

    def reach_limit(self, limit: LimitReached) -> None:
        self.is_limited = True
        self.report(f"limit_{limit.name}", limit.seen, "not retained: the event as a whole")

    def count_unknown(self, kind: str, event: dict[str, Any]) -> None:
        """Count an event that no handler knows; it changes nothing."""
        seen = self.unknown.get(kind)
        if seen is not None:
            seen.count += 1
        elif len(self.unknown) < MAX_PROBLEMS and self.position.problems < MAX_ALL_PROBLEMS:
            self.position.problems += not self.is_taken
            self.unknown[kind] = UnknownEvents(self.position.number, self.position.offset, event)
        else:
            self.dropped += 1

    # -- the result ------------------------------------------------------------------------------

    @property
    def first_error(self) -> ProviderError | None:
        return self.error if self.state is None else self.state.error

    @property
    def is_finished(self) -> bool:
        """Whether terminal evidence has been seen."""
        return self.dialect is not None and self.dialect.is_finished(self.state)

    @property
    def has_ended(self) -> bool:
        """Whether the stream said by its own end marker that the response is whole."""
        return self.dialect is not None and self.dialect.has_ended(self.state)

    @property
    def has_content(self) -> bool:
        return self.dialect is not None and (self.state.whole is not None or self.dialect.has_content(self.state))

    def result(
        self, *, final: bool, end: int, elapsed: int | None = None, ignored: tuple[int, bytes] | None = None
    ) -> Result[Any]:
        """Return the result so far.

        Args:
            final: Whether the response, or the stream, has ended. The body is then not copied, and what is missing is
                reported.
            end: The number of events so far. Problems without a number are listed there.
            elapsed: The time at `close`, since the start.
            ignored: Offset and bytes of the first line that framing ignored.
        """
        problems = list(self.problems)

        def report(code: str, seen: Any, chosen: Any) -> None:
            problems.append(build_problem(code, None, None, seen, chosen))

        for kind, events in self.unknown.items():
            seen = {"type": kind, "count": events.count, "first": events.first}
            problems.append(
                build_problem("unknown_event", events.number, events.offset, seen, "counted, otherwise ignored")
            )
        body, incomplete_calls = self._build(report)
        if not final:
            body = independent(body)
        is_finished = self.is_finished
        status = self._status(body, is_finished)
        if final:
            self._report_end(status, is_finished, problems, report, ignored)
        if len(problems) > 1:
            problems.sort(key=lambda problem: end if problem.event is None else problem.event)
        return Result(
            status,
            dialect=self.dialect.name if self.dialect is not None else None,
            wire=body,
            final=self.dialect.body if self.dialect is not None else None,
            error=self.first_error,
            problems=tuple(problems),
            timing=self.times.timing(elapsed),
            incomplete=incomplete_calls,
        )

    def json(self) -> bytes:
        """Return the body so far as JSON, without the copy that a result needs."""
        return to_json(self._build(report_nothing)[0])

    def _build(self, report: Report) -> tuple[dict[str, Any] | None, dict[tuple[int, int], str]]:
        """Return the body, and the calls in it that are not complete."""
        dialect, state = self.dialect, self.state
        if dialect is None or not state.begun:
            return None, {}
        try:
            body, calls = self.build_body(report)
        except Exception as failure:  # nothing the wire says may raise into the host
            log("error", "internal error in the body: %s", type(failure).__name__)
            report("internal_error", {"error": repr(failure)}, "no body")
            return None, {}
        if state.is_odd:
            body = join_surrogates(body, report)
            calls = {place: join_surrogates(text, report_nothing) for place, text in calls.items()}
        return body, calls

    def build_body(self, report: Report) -> tuple[dict[str, Any] | None, dict[tuple[int, int], str]]:
        """Return the body, and the calls in it that are not complete, of a response whose dialect is known."""
        dialect, state = self.dialect, self.state
        assert dialect is not None
        body = state.whole if state.whole is not None else dialect.build(state, report)
        return body, dialect.incomplete_calls(state)

    def _status(self, body: dict[str, Any] | None, is_finished: bool) -> Status:
        if self.first_error is not None:
            return "failed"
        if self.is_limited:
            return "truncated"
        if body is not None:
            return "complete" if is_finished else "truncated"
        # A torn tail alone is the beginning of a stream; beside unreadable payloads it proves nothing.
        return "truncated" if self.is_torn and self.unread is None and not self.unknown else "empty"

    def _report_end(
        self,
        status: Status,
        is_finished: bool,
        problems: list[Problem],
        report: Report,
        ignored: tuple[int, bytes] | None,
    ) -> None:
        """Report what is missing at the end."""
        if self.state is None and self.unread is not None:
            report("unknown_dialect", *self.unread)
        if status == "truncated" and not is_finished:
            report("no_terminal", None, "what came")
        if status == "empty" and not problems and ignored is not None:
            offset, line = ignored
            problems.append(build_problem("stray_text", 0, offset, line, "ignored"))
        if self.dropped:
            report("more_problems", self.dropped, "counted only")
