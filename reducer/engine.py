"""`Reducer`: bytes or events in, a `Result` out. The one per-event loop, and no provider's name.

Theory of operation
-------------------
`Framer` cuts bytes into frames; for each the dialect's typed decoder makes an event, and the handler that
the state's row has for its type merges it (`_run`). That is the hot path, and all that is needed. Where a state
expects pieces of a text, it names a quicker way for them, which gives the same (`_run_narrow`).

Whatever the decoder refuses (an unknown field, another type, no JSON at all), the first event of a stream
and events that no row knows take the cold path (`_cold`): a tolerant decoder, heartbeats, errors, detection
and splitting, and then the same handler with the same kind of event. What several dialects begin with waits
for a payload that tells which (`_decided`), and is then handled as if it had been known.

One body may hold several responses. Each has a `_Stream`: dialect, state and problems of its own. A handler
that sees another response's event returns SPLIT, and the event is handled again by a new stream; events with
a ``stream_id`` are told apart before that.

Reads do not come here at once: `Runs` holds them and takes what repeats by templates, unless ``lanes`` is off.

Nothing the wire says leaves here as an exception. A handler that fails all the same costs its event and is
reported as ``internal_error``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from itertools import pairwise, repeat
from typing import Any, Generic, TypeVar

import msgspec

from reducer.decoding import NotJson, TooDeep, decode, is_deep, join_surrogates, may_be_deep, object_in
from reducer.dialects import detect, is_undecided, load, told_by
from reducer.dialects._dialect import AGAIN, FLAT, SPLIT, Dialect, LimitReached, Narrow, Options, State, Varying
from reducer.dialects._errors import find_error
from reducer.dialects._table import Named
from reducer.errors import ClosedError, ProblemError, StateError, UsageError
from reducer.framing import DONE, Frame, Framer, Frames, framed, is_whole
from reducer.repeats import Repeats
from reducer.result import Limits, Problem, ProviderError, Result, Status, Timing
from reducer.runs import HELD, SHORT
from reducer.saving import Saved, dump
from reducer.saving import load as load_saved
from reducer.trust import Trusting
from reducer.typed import copied

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypedDict

    class Keywords(TypedDict, total=False):
        """The options of a `Reducer`."""

        strict: bool
        limits: Limits
        clock: Callable[[], int] | None
        repairs: Iterable[str]
        text_keys: Iterable[str]
        lanes: bool
        trust_done: bool


BodyT = TypeVar("BodyT")

REPAIRS = frozenset(
    {"cumulative", "choice_counter", "duplicate_chunks", "split_names", "usage_fields", "double_prefix"}
)

_CACHED = 1 << 16  # bytes that are framed at once
_NEAR = 1 << 10  # bytes that most often hold an event
# The structs that a saved state may hold.
_STRUCTS: dict[str, type] = {"Limits": Limits, "Problem": Problem, "ProviderError": ProviderError}
_BATCH = 256  # events that are decoded before they are merged, at most
_MANY = 24  # events that are worth it
_SINGLY = 2  # narrow events that are taken one by one before many are tried; more where few came in a row
_UNDECIDED = 8  # payloads that may come before one that tells the dialect
_MAX_PROBLEMS = 256  # a stream that is all problems must not cost more than one that is all text
# What of a Reducer is saved as it is.
_SAVED = (
    "_framer", "_repeats", "_undecided", "_number", "_eaten", "_check_at", "_stopped", "_raised", "_surrogates",
    "_times", "_first_content",
)  # fmt: skip
# What only a new connection begins with.
_FRESH = re.compile(rb"(?:\xef\xbb\xbf)?(?:event: ?[\w.]+[\r\n]|data: ?[{\[]|id: ?[^\r\n]*[\r\n]|retry: ?\d+[\r\n])")
_SHOWN = 200  # bytes of an unusable payload that a problem shows
_HEARTBEAT_KEYS = frozenset({"type", "sequence_number"})
_HEARTBEATS = frozenset({"ping", "keepalive"})


class _Stream(Saved):
    """One response in the making."""

    unsaved = ("dialect",)  # its name is saved
    __slots__ = (
        "dialect", "dropped", "error", "limited", "problems", "state", "torn", "trusted", "unknown",
        "unread",
    )  # fmt: skip

    def __init__(self, dialect: Dialect | None) -> None:
        self.dialect = dialect
        self.state: Any = None
        self.problems: list[Problem] = []
        self.dropped = 0  # problems beyond the number that is kept
        self.error: ProviderError | None = None  # an error that came before any dialect was known
        self.limited = False
        self.torn = False
        self.trusted: list[int] | None = None  # deltas that were not looked at: count, event, offset of the first
        self.unknown: dict[str, list[Any]] = {}  # event type -> count, event, offset, the first whole
        self.unread: bytes | None = None  # the first payload that no dialect recognised


class Reducer(Named[BodyT], Trusting, Generic[BodyT]):
    """Turns one stream into its final object, as the bytes come.

    Feed it with `feed` (bytes of the body, split anywhere) or `feed_event` (payloads already framed), and
    call `close` once the stream has ended or was given up. Neither raises for what the wire says. One thread.
    Reads may wait, some tens of kilobytes of them, to be looked at together; all else sees them as taken.

    Args:
        dialect: The wire language, or ``"auto"`` to tell it from the first payloads.
        strict: The `feed` or `close` that sees the first problem raises it as `ProblemError`.
        limits: What the stream may cost.
        clock: Returns nanoseconds; called once a feed. Without it, and without ``at``, there is no timing.
        repairs: Names of the guesses that are allowed; see the README.
        text_keys: Undeclared delta keys whose strings are to be joined.
        lanes: Whether repeating events may be proven instead of decoded. The result is the same.
        trust_done: Whether the deltas of a text are left out unread where its done event says it whole (only
            `openai.responses` has such). What was left out is said by the problem ``deltas_trusted``. It has no
            effect together with ``strict``, ``clock`` or ``repairs``, nor on `feed_event`.

    Raises:
        UsageError: An unknown dialect or repair.
    """

    def _start(
        self,
        dialect: str = "auto",
        *,
        strict: bool = False,
        limits: Limits = Limits(),  # noqa: B008  (frozen)
        clock: Callable[[], int] | None = None,
        repairs: Iterable[str] = (),
        text_keys: Iterable[str] = (),
        lanes: bool = True,
        trust_done: bool = False,
    ) -> None:
        self._given = None if dialect == "auto" else load(dialect)
        self._strict = strict
        self._limits = limits
        self._clock = clock
        self._trust_done = trust_done
        self._options = Options(limits, frozenset(repairs), frozenset(text_keys))
        if self._options.repairs - REPAIRS:
            unknown = ", ".join(sorted(self._options.repairs - REPAIRS))
            raise UsageError(f"unknown repair {unknown}: choose from {', '.join(sorted(REPAIRS))}")
        self._framer = Framer(limits.max_event_bytes)
        self._repeats = Repeats(limits.max_retained_bytes) if "duplicate_chunks" in self._options.repairs else None
        self._undecided: list[Frame] | None = [] if self._given is None else None  # held until one tells the dialect
        self._told: Dialect | None = None  # what it told
        self._stream = _Stream(self._given)
        self._streams = [self._stream]
        self._by_stream_id: dict[str, _Stream] = {}
        self._number = -1  # of the last event before the frames that are run
        self._frames: Frames | None = None  # those that are run
        self._place = 0  # of the current event among them
        self._eaten = 0  # bytes that came through feed_event
        self._check_at = limits.max_retained_bytes
        self._stopped = False  # max_retained_bytes was reached
        self._raised = False  # strict has raised
        self._surrogates = False  # some text, of whichever response, may hold half a surrogate pair
        self._event: Any = None  # the last that was handled
        self._singly = _SINGLY
        self._before: bytes | None = None  # the payload before those that are run, if many are worth a try at once
        self._around: tuple[bytes, bytes] | None = None  # what was around the varying piece of a payload
        self._around_of: Varying | None = None  # who said so
        self._wait = 0  # windows that are not tried to be cut there
        self._waits = 1  # as many the next time that it fails
        # A clock wants every arrival, and strict every problem at once. A run is not looked at for its largest event.
        in_time = strict or clock is not None or bool(self._options.repairs) or limits.max_event_bytes < 1 << 16
        held = min(limits.max_event_bytes, limits.max_retained_bytes) if trust_done and not in_time else None
        self._begin_trust(held, lanes and not in_time)
        self._replayed_to: int | None = None  # after `resume`: sequence numbers that were handled before
        self._resumed = False  # nothing has been fed since `resume`
        self._times: list[int] = []
        self._first_content: int | None = None
        self._end: int | None = None
        self._results: list[Result[Any]] | None = None
        self._closed: Result[BodyT] | None = None

    if not TYPE_CHECKING:  # checkers know the one of `Named`  # pragma: no branch
        __init__ = _start
        __init__.__name__, __init__.__qualname__ = "__init__", "Reducer.__init__"

    # -- feeding ---------------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Take the next bytes of the body. The buffer may be reused afterwards.

        Raises `ClosedError` after `close`, `UsageError` for anything but bytes, and `ProblemError` under ``strict``.
        """
        if self._holds and type(data) is bytes and len(data) < SHORT:
            # The steady state of a live stream.
            held = self._held
            held.append(data)
            if len(held) >= HELD:
                self._settle()
            return
        if self._closed is not None:
            raise ClosedError("feed after close: a Reducer takes one stream")
        if type(data) is not bytes:
            try:
                data = memoryview(data).tobytes()
            except TypeError:
                raise UsageError(f"feed takes bytes, not {type(data).__name__}; feed_event takes payloads") from None
        if self._holds:
            self._hold(data)
            return
        now = self._clock() if self._clock is not None and data else None
        if self._resumed and data:
            self._resumed = False
            self._holds = self._lanes
            if self._framer.inside and _FRESH.match(data):
                self._drop_tail()
        (self._feed_plain if self._trust is None else self._feed_trusting)(data)
        if now is not None:
            self._tick(now)
        if self._strict:
            self._raise_first()

    def feed_event(self, payload: Any, event: str | None = None, at: int | None = None) -> None:
        """Take one payload that is framed already.

        Args:
            payload: JSON as bytes or str, a dict, a struct, or an SDK's model.
            event: The event's name, where the framing had one.
            at: When it came, in nanoseconds; the clock is not asked then.

        Raises `ClosedError` after `close`, `UsageError` for what is no payload, and `ProblemError` under ``strict``.
        """
        if self._closed is not None:
            raise ClosedError("feed_event after close: a Reducer takes one stream")
        self._settle()
        data = _payload_bytes(payload)
        now = at if at is not None or self._clock is None else self._clock()
        self._eaten += len(data)
        self._take(Frames([data], [event], [None]))
        if now is not None:
            self._tick(now)
        if self._strict:
            self._raise_first()

    @property
    def finished(self) -> bool:
        """Whether terminal evidence has been seen. Bytes may follow it all the same: usage comes late."""
        if self._trust is None:  # what that holds ends nothing
            self._settle()
        state = self._stream.state
        dialect = self._stream.dialect
        return state is not None and dialect is not None and dialect.finished(state)

    @property
    def results(self) -> list[Result[Any]]:
        """After `close`: the results of all responses that were in the body, in order of appearance."""
        if self._results is None:
            raise UsageError("results are there after close")
        return list(self._results)

    def snapshot(self) -> Result[BodyT]:
        """Return the result so far. It is independent of later feeds, and taking it changes nothing."""
        if self._closed is not None:
            return self._closed
        self._settle()
        return self._result(self._streams[0], final=False)

    def close(self, error: BaseException | str | None = None) -> Result[BodyT]:
        """End the stream and return its result; calling it again returns the same.

        Args:
            error: Why the host gave the stream up, if it did. It becomes a problem, never the provider's error.

        Raises `ProblemError` under ``strict``.
        """
        if self._closed is None:
            self._settle()
            self._holds = False
            frames = self._framer.flush()
            if self._framer.notes:
                self._take_noted(frames)
            elif frames:
                self._take(frames)
            held = [*(self._undecided or ()), *(self._repeats.flush() if self._repeats is not None else ())]
            if held:
                self._run(framed(held))
            end = self._number + 1
            if self._repeats is not None and self._repeats.dropped:
                self._note("repaired", end, None, {"events": self._repeats.dropped}, "duplicate_chunks")
            if self._framer.torn is not None:
                offset, torn = self._framer.torn
                self._stream.torn = True
                self._note("torn_tail", end, offset, torn, "left out")
            if error is not None:
                self._note("aborted", end, None, str(error) or type(error).__name__, "what came before it")
            if self._clock is not None:
                self._end = self._clock()
            self._results = [self._result(stream, final=True) for stream in self._streams]
            first = self._results[0]
            if len(self._results) > 1:
                count = len(self._results)
                first = _with_problem(first, Problem("several_responses", None, None, count, "the first"))
            self._closed = first
            _log("debug", "closed: %s %s, %d problem(s)", first.dialect, first.status, len(first.problems))
        if self._strict and not self._raised and self._closed.problems:
            self._raised = True
            raise ProblemError(self._closed.problems[0])
        return self._closed

    # -- saving ----------------------------------------------------------------------------------

    def save(self) -> bytes:
        """Return the state so far, compact and versioned, for `resume` in another process. It changes nothing.

        Raises `ClosedError` after `close`.
        """
        if self._closed is not None:
            raise ClosedError("save after close: there is a result instead")
        self._settle()
        streams = [
            {
                "stream": stream,
                "dialect": stream.dialect.name if stream.dialect is not None else None,
                "phase": _phase(stream.dialect, stream.state)
                if stream.dialect is not None and stream.state is not None
                else None,
            }
            for stream in self._streams
        ]
        places = {id(stream): place for place, stream in enumerate(self._streams)}
        number = getattr(self._event, "sequence_number", None)
        if type(number) is not int or number < max(1, self._number // 2):
            number = None  # numbers that do not count the events tell nothing about a replay (R20)
        record = {
            "dialect": self._given.name if self._given is not None else "auto",
            "options": {
                "strict": self._strict,
                "limits": self._limits,
                "repairs": sorted(self._options.repairs),
                "text_keys": sorted(self._options.text_keys),
                "trust_done": self._trust_done,
            },
            "streams": streams,
            "current": places[id(self._stream)],
            "by_stream_id": {key: places[id(stream)] for key, stream in self._by_stream_id.items()},
            "replayed_to": self._replayed_to if number is None else number,
            "attributes": {name: getattr(self, name) for name in _SAVED},
        }
        return dump(record, _STRUCTS)

    @classmethod
    def resume(cls, state: bytes, *, clock: Callable[[], int] | None = None) -> Reducer[Any]:
        """Go on from a saved state, with the same bytes or with a new connection to the same response.

        Events that a server sends again, up to the last ``sequence_number`` that was seen, are dropped; an
        ``in_progress`` event that carries output resets to it (R21). If the first bytes begin an event, what
        was left of a cut one is dropped and reported.

        Raises `StateError` for anything but the bytes of `save`, whole and of this version.
        """
        record = load_saved(state, _STRUCTS)
        try:
            reducer: Reducer[Any] = Reducer(record["dialect"], clock=clock, **record["options"])
            for name, value in record["attributes"].items():
                if name not in _SAVED:
                    raise KeyError(name)
                setattr(reducer, name, value)
            reducer._streams = [reducer._revived(**saved) for saved in record["streams"]]
            reducer._stream = reducer._streams[record["current"]]
            reducer._by_stream_id = {key: reducer._streams[place] for key, place in record["by_stream_id"].items()}
            reducer._replayed_to = record["replayed_to"]
        except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
            raise StateError(f"a damaged state: {error}") from None
        reducer._resumed = True
        reducer._holds = False  # the first bytes tell whether they begin a new connection
        return reducer

    def _revived(self, stream: _Stream, dialect: str | None, phase: str | None) -> _Stream:
        stream.dialect = load(dialect) if dialect is not None else None
        if stream.dialect is not None and stream.state is not None:
            stream.state.options = self._options
            stream.state.report = self._report
            stream.state.row = stream.dialect.handlers[phase or ""]
        return stream

    def _drop_tail(self) -> None:
        """The bytes come from a new connection: what the old one left of an event will never be whole."""
        frames = self._framer.flush()
        if frames:
            self._take(frames)
        if self._framer.torn is not None:
            offset, torn = self._framer.torn
            self._note("torn_tail", self._next, offset, torn, "left out: the stream was resumed")
        begun = self._framer
        self._framer = Framer(self._limits.max_event_bytes)
        self._framer.taken = begun.taken

    def _is_replayed(self, payload: bytes) -> bool:
        event = object_in(payload) or {}
        number = event.get("sequence_number")
        if type(number) is not int:
            return False
        if number > self._replayed_to:  # type: ignore[operator]
            self._replayed_to = None
            return False
        response = event.get("response")
        if type(response) is not dict:
            return True
        state = self._stream.state
        if state is not None and response.get("id") and response.get("id") != getattr(state, "id", None):
            self._replayed_to = None
            return False
        return not response.get("output")

    def _feed_plain(self, data: bytes, at: int = 0, end: int | None = None) -> None:
        """The per-event way, complete in itself."""
        end = len(data) if end is None else end
        while end - at > _CACHED:  # in pieces that stay in the processor's cache
            stop = _last_end(data, at, at + _CACHED)
            if stop == at:
                break
            self._frame(data, at, stop)
            at = stop
        self._frame(data, at, end)

    def _frame(self, data: bytes, at: int, end: int) -> None:
        if self._before is not None and self._around is not None and self._framer.idle:
            at = self._take_alike(data, at, end, *self._around)
            if at == end:
                return
        frames = self._framer.feed(data, at, end)
        if self._framer.notes:
            self._take_noted(frames)
        elif frames:
            self._take(frames)

    # -- the loop --------------------------------------------------------------------------------

    @property
    def _next(self) -> int:
        """The number of the next event that comes, behind those that are held back."""
        held = len(self._undecided or ()) + (len(self._repeats.held) if self._repeats is not None else 0)
        return self._number + 1 + held

    def _take_noted(self, frames: Frames) -> None:
        """Take frames with the framing's notes in their places between them."""
        notes = self._framer.notes
        self._framer.notes = []
        begin = 0
        first = self._next
        for note in notes:
            place = min(max(note.frame - self._framer.taken + len(frames), begin), len(frames))
            if place > begin:
                self._take(frames.part(begin, place))
                begin = place
            self._note(note.code, first + place, note.offset, note.seen, note.chosen)
            if note.code.startswith("limit_"):
                self._stream.limited = True
        if begin < len(frames):
            self._take(frames.part(begin, len(frames)))

    def _take(self, frames: Frames) -> None:
        if self._replayed_to is None and self._repeats is None:
            self._take_new(frames)
            return
        # After `resume`: what was handled before is dropped where it comes (R21).
        begin = 0
        while self._replayed_to is not None and begin < len(frames):
            if self._is_replayed(frames.payloads[begin]):
                self._number += 1
            else:
                self._take_new(self._unrepeated(frames.part(begin, begin + 1)))
            begin += 1
        self._take_new(self._unrepeated(frames.part(begin, len(frames))))

    def _unrepeated(self, frames: Frames) -> Frames:
        return framed(self._repeats.filter(list(frames))) if self._repeats is not None else frames

    def _take_new(self, frames: Frames) -> None:
        """Run frames, stopping to weigh what is retained where the limit could be reached."""
        if self._undecided is not None:
            frames = self._decided(frames)
        if not self._stopped and max(self._framer.offset, self._eaten) <= self._check_at:
            self._run(frames)
            return
        for place in range(len(frames)):
            offset = frames.offset(place)
            where = self._eaten if offset is None else offset
            if not self._stopped and where > self._check_at:
                self._weigh(where)
            if self._stopped:
                self._number += 1
            else:
                self._run(frames.part(place, place + 1))

    def _decided(self, frames: Frames) -> Frames:
        """Hold what several dialects begin with, until a payload tells which: then all of it is that one's."""
        if not self._undecided and frames and not is_undecided(frames.payloads[0]):
            self._undecided = None
            return frames
        held = [*(self._undecided or ()), *frames]
        first = held[:_UNDECIDED]
        place = next((place for place, frame in enumerate(first) if not is_undecided(frame[0])), len(first))
        if place == len(held) < _UNDECIDED:
            self._undecided = held
            return framed([])
        self._undecided = None
        if 0 < place < len(first):
            self._told = told_by(held[place][0])
        return framed(held)

    def _weigh(self, where: int) -> None:
        """Compare what is retained with the limit; decide when to do so next."""
        limit = self._limits.max_retained_bytes
        size = sum(len(self._result(stream, final=False).json()) for stream in self._streams)
        if size > limit:
            self._stopped = True
            self._stream.limited = True
            self._note("limit_retained_bytes", self._number + 1, None, size, f"not retained: more than {limit} bytes")
        self._check_at = where + max(limit - size, limit // 16)

    def _run(self, frames: Frames) -> None:
        depth = self._limits.max_depth
        long = 2 * depth
        payloads = frames.payloads
        errors = frames.errors()
        flat = not errors and depth >= FLAT
        stream = self._stream
        state = stream.state
        typed = stream.dialect.decode if stream.dialect is not None else None
        self._frames = frames
        place, end = 0, len(payloads)
        while place < end:
            if flat and state is not None and state.narrow is not None:
                place = self._run_narrow(state, state.narrow, payloads, place)
                if place == end:
                    break
            self._before = None
            payload = payloads[place]
            self._place = place
            place += 1
            if state is not None and payload != DONE and not (errors and self._place in errors):
                try:
                    event = typed(payload)  # type: ignore[misc]
                except (ValueError, RecursionError):
                    event = None
                # What is retained must not break recursion later.
                if event is not None and not (
                    len(payload) > long and may_be_deep(payload, depth) and is_deep(event, depth)
                ):
                    handler = state.row.get(event.type)
                    if handler is not None:
                        try:
                            if handler(state, event) is None:
                                self._event = event
                                continue
                        except Exception as error:
                            self._failed(error, payload)
                            continue
            self._cold(payload, frames.name(self._place))
            stream = self._stream
            state = stream.state
            typed = stream.dialect.decode if stream.dialect is not None else None
        self._number += end
        self._frames = None

    def _run_narrow(self, state: State, narrow: Narrow, payloads: list[bytes], place: int) -> int:
        """Take events by the narrow way, as far as it goes; return the place of the next."""
        decode, take, _, _ = narrow
        end = len(payloads)
        steady = self._before is not None
        many_at = place if steady else place + self._singly
        while place < end:
            if place >= many_at and end - place >= _MANY:
                begin = place
                place = self._run_many(state, narrow, payloads, place)
                self._before = payloads[-1] if place == end else None
                self._singly = _SINGLY if place - begin >= _MANY // 2 else min(2 * self._singly, _BATCH)
                many_at = place + self._singly
                continue
            self._before = None
            self._place = place
            try:
                event = decode(payloads[place])
            except (ValueError, RecursionError):
                return place
            try:
                if not take(state, event):
                    state.narrow = None
                    return place
            except Exception as error:
                self._failed(error, payloads[place])
                many_at = place + 1 + self._singly
                steady = False
            self._event = event
            place += 1
        if steady and self._before is None and len(payloads[-1]) < _NEAR:
            self._before = payloads[-1]  # few between many
        return place

    def _run_many(self, state: State, narrow: Narrow, payloads: list[bytes], place: int) -> int:
        """Take several events at once that follow one that was taken, as far as that goes.

        As many as may be where those before were taken so, too, else ever more. Returns the place of the next.
        """
        decode, _, take_all, varying = narrow
        decode_all: Callable[[list[bytes]], Iterable[Any]] = partial(map, decode)
        around = None
        if varying is not None and (around := self._around_varying(varying, payloads, place)) is not None:
            _, decode_all, take_all = varying
        many = _BATCH if place == 0 else _BATCH >> 3
        while many and len(payloads) - place >= _MANY:
            asked = payloads[place : place + many]
            some = asked if around is None else _inside(asked, *around)
            if not some:
                break
            events: list[Any] = []
            many = min(4 * many, _BATCH) if len(some) == len(asked) else 0
            try:
                events.extend(decode_all(some))
            except Exception:
                many = 0  # those before the one that it refuses are there
            try:
                if not events or not take_all(state, events):
                    break
            except Exception:
                break  # nothing was taken: one by one, it is found which it was
            if around is None:
                self._event = events[-1]
            place += len(events)
        return place

    def _around_varying(self, varying: Varying, payloads: list[bytes], place: int) -> tuple[bytes, bytes] | None:
        """What is around the piece of the event that was taken, if it is around that of the next, too."""
        last = payloads[place - 1] if place else self._before
        following = payloads[place]
        around = self._around
        assert last is not None  # what comes first here comes behind many
        known = around is not None and self._around_of is varying
        if not known or not (last.startswith(around[0]) and last.endswith(around[1])):  # type: ignore[index]
            around = self._around = varying.around(last)
            self._around_of = varying
        if around is None or not (following.startswith(around[0]) and following.endswith(around[1])):
            return None
        return around

    def _take_alike(self, data: bytes, at: int, end: int, head: bytes, tail: bytes) -> int:
        """Take events from the front that are around what varies as the one before them was; return where others begin.

        What varies is cut out of the bytes at once, and no payload made.
        """
        state, varying, before = self._stream.state, self._around_of, self._before
        assert varying is not None
        assert before is not None
        apiece = (  # what is to be looked at one by one is left to the other way
            state.narrow is None
            or state.narrow.varying is not varying
            or not (before.startswith(head) and before.endswith(tail))
            or self._repeats is not None
            or self._replayed_to is not None
            or self._framer.offset + end - at > self._check_at
        )
        if apiece:
            return at
        if self._wait:
            self._wait -= 1
            return at
        pieces, around = self._framer.pieces(data, at, end, head, tail)
        events: list[Any] = []
        many = 0
        with suppress(Exception):  # those before the one that it refuses are there
            if len(pieces) >= _MANY:
                events.extend(varying.decode_all(pieces))
        with suppress(Exception):  # nothing was taken: one by one, it is found which it was
            if events and varying.take_all(state, events):
                many = len(events)
        if many < _MANY:
            self._wait, self._waits = self._waits, min(2 * self._waits, _BATCH)
        else:
            self._waits = 1
        if not many:
            return at
        size = sum(map(len, pieces[:many])) + many * around
        self._number += many
        self._framer.skip(many, size)
        self._before = head + pieces[many - 1] + tail
        return at + size

    # -- the cold path ---------------------------------------------------------------------------

    def _cold(self, payload: bytes, name: str | None) -> None:
        """Handle one event that the typed decoder refuses, or that no row knows."""
        stripped = payload.strip()
        if not stripped:
            return
        if stripped == DONE or stripped == b'"[DONE]"':
            self._done()
            return
        try:
            value = self._decode(payload)
            for obj in value if type(value) is list else (value,):
                if type(obj) is dict:
                    self._object(obj, name, payload)
                elif name == "error" and type(obj) is str and obj:
                    self._text_error(obj)
                elif obj is not None and obj != "":
                    self._report("not_an_object", payload[:_SHOWN], "skipped")
        except NotJson:
            self._not_json(payload, name)
        except TooDeep:
            self._stream.limited = True
            self._report(
                "limit_depth", payload[:_SHOWN], f"not retained: nested more than {self._limits.max_depth} deep"
            )
        except Exception as error:
            self._failed(error, payload)

    def _decode(self, payload: bytes) -> Any:
        depth = self._limits.max_depth
        try:
            value = msgspec.json.decode(payload)
        except (ValueError, RecursionError):
            self._surrogates = True
            return decode(payload, self._report, depth)
        if may_be_deep(payload, depth) and is_deep(value, depth):
            raise TooDeep
        return value

    def _text_error(self, text: str) -> None:
        """Decision 13: an event named error is one, though its data is plain text."""
        stream = self._stream
        where = stream if stream.state is None else stream.state
        where.error = where.error or ProviderError(message=text, raw=text)

    def _not_json(self, payload: bytes, name: str | None) -> None:
        inner = _unwrapped(payload)
        if inner is not None:
            if "double_prefix" in self._options.repairs:
                self._report("repaired", payload[:_SHOWN], "double_prefix")
                self._cold(inner, None)
            else:
                self._report("repairable", payload[:_SHOWN], "skipped; the repair is double_prefix")
            return
        if name == "error":
            self._text_error(str(payload.strip(), "utf-8", "replace"))
            return
        if self._stream.state is None and self._stream.unread is None:
            self._stream.unread = payload[:_SHOWN]
        self._report("not_json", payload[:_SHOWN], "skipped")

    def _done(self) -> None:
        stream = self._stream
        if stream.state is not None:
            handler = stream.state.row.get("[DONE]")
            if handler is not None:
                handler(stream.state, None)

    def _object(self, obj: dict[str, Any], name: str | None, payload: bytes) -> None:
        whole = obj
        if name is not None and "type" not in obj and detect(obj) is None and detect({"type": name}) is not None:
            obj = {"type": name, **obj}  # S13: the name stands in for the type
        if not obj or (obj.keys() <= _HEARTBEAT_KEYS and str(obj.get("type")) in _HEARTBEATS):
            return
        stream_id = obj.get("stream_id")
        if type(stream_id) is str and stream_id:
            self._follow(stream_id)
        stream = self._stream
        first = stream.state is None
        if first and not self._begin(stream, obj, name, payload):
            return
        dialect: Dialect = stream.dialect
        state = stream.state
        if not first and not dialect.recognise(obj):
            other = detect(obj)
            if other is not None:
                self._unknown(str(obj.get("type") or other.name), obj)
                return
        error = dialect.find_error(obj, name)
        if error is not None:
            carries = dialect.carries(obj)
            if state.error is None:
                # Beside other content the error's raw form is its own value, alone it is the event.
                state.error = (
                    msgspec.structs.replace(error, raw=error_value)
                    if carries and (error_value := copied(obj.get("error")))
                    else error
                )
            if not carries:
                return
        # The first event is here only because it was the first.
        self._handle(stream, obj, payload if first and obj is whole else None)

    def _begin(self, stream: _Stream, obj: dict[str, Any], name: str | None, payload: bytes) -> bool:
        """Give the stream its dialect, if this payload tells it."""
        likely = self._given or self._told
        dialect = likely if likely is not None and likely.recognise(obj) else None
        if dialect is None and self._given is None:
            dialect = detect(obj)
        if dialect is None:
            error = find_error(obj, name)
            if error is not None:
                stream.error = stream.error or error
            else:
                if stream.unread is None:
                    stream.unread = payload[:_SHOWN]
                self._unknown(str(obj.get("type") or name or "?"), obj)
            return False
        stream.dialect = dialect
        stream.state = dialect.state(self._options, self._report)
        stream.state.error = stream.error
        return True

    def _handle(self, stream: _Stream, obj: dict[str, Any], payload: bytes | None = None) -> None:
        dialect: Dialect = stream.dialect  # type: ignore[assignment]
        state = stream.state
        if not state.begun and dialect.is_body(obj, bool(self._framer.bare)):
            state.whole = obj
        event = self._typed(dialect, payload) or dialect.revive(obj, self._report)
        outcome = self._merge(stream, event, obj)
        if outcome is AGAIN:
            outcome = self._merge(stream, dialect.revive(obj, self._report), obj)
        if outcome is SPLIT:
            self._split(obj)

    def _merge(self, stream: _Stream, event: Any, obj: dict[str, Any]) -> object:
        """Let the handler of an event merge it; return what it returns."""
        self._event = event
        handler = stream.state.row.get(event.type)
        if handler is None:
            self._unknown(str(event.type), obj)
            return None
        try:
            return handler(stream.state, event)
        except LimitReached as limit:
            stream.limited = True
            self._report(f"limit_{limit.name}", limit.seen, "not retained: the event as a whole")
            return None

    def _typed(self, dialect: Dialect, payload: bytes | None) -> Any:
        try:
            return dialect.decode(payload) if payload is not None else None
        except (ValueError, RecursionError):
            return None

    def _split(self, obj: dict[str, Any]) -> None:
        """Begin another response with this event."""
        stream = _Stream(self._stream.dialect)
        assert stream.dialect is not None
        stream.state = stream.dialect.state(self._options, self._report)
        for key, other in self._by_stream_id.items():
            if other is self._stream:
                self._by_stream_id[key] = stream
        self._stream = stream
        self._streams.append(stream)
        self._handle(stream, obj)

    def _follow(self, stream_id: str) -> None:
        """Go to the stream that this id belongs to; the first id seen takes the stream that is there."""
        stream = self._by_stream_id.get(stream_id)
        if stream is None:
            if not self._by_stream_id and self._stream.state is None:
                stream = self._stream
            else:
                stream = _Stream(self._given)
                self._streams.append(stream)
            self._by_stream_id[stream_id] = stream
        if stream is not self._stream:
            self._stream = stream

    def _unknown(self, kind: str, obj: dict[str, Any]) -> None:
        seen = self._stream.unknown
        if kind in seen:
            seen[kind][0] += 1
        elif len(seen) < _MAX_PROBLEMS:
            seen[kind] = [1, *self._here(), copied(obj)]

    def _failed(self, error: Exception, payload: bytes) -> None:
        if isinstance(error, LimitReached):
            self._stream.limited = True
            self._report(f"limit_{error.name}", error.seen, "not retained: the event as a whole")
            return
        _log("error", "internal error at event %d: %s", self._here()[0], type(error).__name__)
        self._report("internal_error", {"error": repr(error), "payload": payload[:_SHOWN]}, "the event is left out")

    # -- problems --------------------------------------------------------------------------------

    def _report(self, code: str, seen: Any, chosen: Any) -> None:
        self._note(code, *self._here(), seen, chosen)

    def _here(self) -> tuple[int, int | None]:
        """The number and the offset of the current event."""
        frames: Frames = self._frames  # type: ignore[assignment]  # nothing is reported but while frames are run
        return self._number + 1 + self._place, frames.offset(self._place)

    def _note(self, code: str, event: int | None, offset: int | None, seen: Any, chosen: Any) -> None:
        stream = self._stream
        if len(stream.problems) < _MAX_PROBLEMS:
            stream.problems.append(Problem(code, event, offset, copied(seen), copied(chosen)))
        else:
            stream.dropped += 1

    def _raise_first(self) -> None:
        if not self._raised:
            for stream in self._streams:
                if stream.problems:
                    self._raised = True
                    raise ProblemError(stream.problems[0])

    # -- the result ------------------------------------------------------------------------------

    def _tick(self, now: int) -> None:
        self._times.append(now)
        stream = self._stream
        if self._first_content is None and stream.state is not None and stream.dialect is not None:
            if stream.dialect.has_content(stream.state):
                self._first_content = now

    def _timing(self) -> Timing | None:
        times = self._times
        if not times:
            return None
        gaps = tuple(later - earlier for earlier, later in pairwise(times))
        return Timing(times[0], self._first_content, self._end if self._end is not None else times[-1], gaps)

    def _result(self, stream: _Stream, *, final: bool) -> Result[Any]:
        problems = list(stream.problems)
        end = self._number + 1

        def report(code: str, seen: Any, chosen: Any) -> None:
            problems.append(Problem(code, None, None, copied(seen), copied(chosen)))

        for kind, (count, event, offset, first) in stream.unknown.items():
            seen = {"type": kind, "count": count, "first": first}
            problems.append(Problem("unknown_event", event, offset, seen, "counted, otherwise ignored"))
        if stream.trusted is not None:
            count, event, offset = stream.trusted
            problems.append(Problem("deltas_trusted", event, offset, count, "not looked at: the done values"))
        dialect = stream.dialect
        state = stream.state
        body: dict[str, Any] | None = None
        finished = False
        error = stream.error
        if state is not None and dialect is not None:
            error = state.error
            finished = dialect.finished(state)
            try:
                body = dialect.build(state, report)
            except Exception as failure:  # the same promise as for handlers
                _log("error", "internal error in the body: %s", type(failure).__name__)
                report("internal_error", {"error": repr(failure)}, "no body")
            if body is not None:
                if not final:
                    body = copied(body)
                if self._surrogates:
                    body = join_surrogates(body, report)
        status: Status
        if error is not None:
            status = "failed"
        elif stream.limited:
            status = "truncated"
        elif finished and body is not None:
            status = "complete"
        elif body is not None or (stream.torn and stream.unread is None and not stream.unknown):
            status = "truncated"
        else:
            status = "empty"
        if final:
            if state is None and stream.unread is not None:
                report("unknown_dialect", stream.unread, "no body")
            if status == "truncated" and not finished:
                report("no_terminal", None, "what came")
            if status == "empty" and not problems and self._framer.ignored is not None:
                offset, line = self._framer.ignored
                problems.append(Problem("stray_text", 0, offset, line, "ignored"))
            if stream.dropped:
                report("more_problems", stream.dropped, "counted only")
        # In the order of the stream: what has no place of its own comes last.
        problems.sort(key=lambda problem: end if problem.event is None else problem.event)
        return Result(
            status,
            dialect=dialect.name if dialect is not None and state is not None else None,
            wire=body,
            final=dialect.final if dialect is not None else None,
            error=error,
            problems=tuple(problems),
            timing=self._timing(),
        )


def _inside(payloads: list[bytes], head: bytes, tail: bytes) -> list[bytes]:
    """What is between head and tail, of the payloads before the first that has not both."""
    begun = map(bytes.removeprefix, payloads, repeat(head)) if head else payloads
    inner = list(map(bytes.removesuffix, begun, repeat(tail)))
    around = len(head) + len(tail)
    if sum(map(len, payloads)) - sum(map(len, inner)) != around * len(inner):
        sizes = zip(payloads, inner, strict=True)
        del inner[next(place for place, (whole, part) in enumerate(sizes) if len(whole) - len(part) != around) :]
    return inner


_logger: Any = None


def _log(level: str, message: str, *facts: object) -> None:
    """Log to ``reducer``, never content; silent unless the host says otherwise."""
    global _logger
    if _logger is None:
        import logging  # only here: it costs a third of the import time

        _logger = logging.getLogger("reducer")
        _logger.addHandler(logging.NullHandler())
    getattr(_logger, level)(message, *facts)


def _last_end(data: bytes, at: int, end: int) -> int:
    """The end of the last event that ends between these; ``at`` if none does."""
    for begin in (end - _NEAR, at):  # to search it all for the one kind of blank line takes long where it is the other
        found = max(data.rfind(b"\n\n", begin, end), data.rfind(b"\n\r\n", begin, end))
        if found > begin:
            return found + (2 if data[found + 1] == 0x0A else 3)
    return at


def _unwrapped(payload: bytes) -> bytes | None:
    """S20: what stands behind a second ``data:``, or inside a printed ``b'...'``, if that is JSON."""
    inner = payload.strip()
    if inner.startswith(b"data:"):
        inner = inner[5:].strip()
    elif inner.startswith((b"b'", b'b"')):
        import ast

        try:
            value = ast.literal_eval(inner.decode())
        except (ValueError, SyntaxError, MemoryError, RecursionError):
            return None
        inner = value if type(value) is bytes else b""
    else:
        return None
    return inner if inner == DONE or is_whole(inner) else None


def _phase(dialect: Dialect, state: Any) -> str:
    return next(name for name, row in dialect.handlers.items() if row is state.row)


def _with_problem(result: Result[Any], problem: Problem) -> Result[Any]:
    status, dialect, wire, error, problems, timing = result._facts()
    return Result(
        status,
        dialect=dialect,
        wire=wire,
        final=result._final,
        error=error,
        problems=(*problems, problem),
        timing=timing,
    )


def _payload_bytes(payload: Any) -> bytes:
    """Return the JSON of a payload in any form that hosts have."""
    if isinstance(payload, bytes):
        return payload
    if isinstance(payload, str):
        return payload.encode("utf-8", "surrogatepass")
    if isinstance(payload, bytearray | memoryview):
        return bytes(payload)
    try:
        if hasattr(payload, "model_dump"):
            # Pydantic models: what the wire did not say must not become a null, nor bytes the other base64.
            payload = payload.model_dump(exclude_unset=True, by_alias=True, warnings=False)
        return msgspec.json.encode(payload)
    except UnicodeEncodeError:
        import json

        return json.dumps(msgspec.to_builtins(payload)).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise UsageError(f"no payload: {type(payload).__name__} ({error})") from None
