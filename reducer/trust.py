"""Deltas that are not looked at, because the caller trusts the event that says their text again.

Theory of operation
-------------------
A run is what lies between the first delta of a text and the next event that says such a text whole (``x.delta`` and
``x.done`` in their ``event`` lines). Its bytes are held. If that event is of the same text, which must not be empty,
the deltas are left out: they are counted, and nothing else. What else lies between them is handled as always, in
order. Where no such event comes, because the stream is cut, an envelope comes first, or the run is too large, all of
it is handled, and everything is as if nobody trusted anything. So it is with what is held when a host asks for more.

That a run is nothing but deltas of one text must not cost a look at each. Events have numbers; if the bytes by which
a delta names its text are there as often as the numbers say, nothing else with a number is. To search a long run for
them costs more than all that is handled, so of that only a few events are looked at, the last one among them, if the
item has an id that no other will have. Where this does not hold, the run is gone through event by event. So what trust
may cost beside the deltas is an event amid them: one without a number, or in a long run any that is rare, as
annotations are, which the done values have too.

Only named events as servers frame them are understood, with line feeds alone. What is decided depends on the bytes,
not on how they are split, as long as whatever ends a run has a number.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from typing import Any, NamedTuple

from reducer.dialects._dialect import Dialect
from reducer.framing import DATA, EVENT, Framer
from reducer.runs import Runs

_DELTA = b".delta\n" + DATA
_DONE = b".done\n" + DATA
_BLANK = b"\n\n"
_LONGEST = 128  # bytes of an event line and what makes it one
# What holds a response: no run goes on past one.
_ENVELOPE = b'"response":'
_BEHIND = 8  # events
# By this an event says where its text belongs. Inside a text the quotes would be escaped.
_PLACE = re.compile(rb'(?:"(?:item_id|output_index|content_index|summary_index)": ?(?:"[^"\\]*"|\d+)[,}] ?)+')
# A longer run is not searched for its deltas, which costs more than all else, but looked at in so many places.
_SAMPLED = 1 << 16
_SAMPLES = 3
# And only if its text cannot be taken for another response's.
_UNIQUE = re.compile(rb'"item_id": ?"[^"]{16}')
_LARGE = 1 << 15  # bytes to be handled that are worth a look for runs of another kind

# The dialect and the state, if the next byte begins an event that both know.
Known = tuple[Dialect, Any]


class Part(NamedTuple):
    """Bytes to be handled; or deltas that are only to be counted, with the size of all and of their event line."""

    data: bytes
    events: int = 0
    size: int = 0
    line: int = 0


class Trust:
    """Divides what comes into parts. Each must have been taken before the next one is asked for."""

    def __init__(self, limit: int, known: Callable[[], Known | None]) -> None:
        self.off = False  # nothing that follows can be trusted
        self._limit = limit  # bytes that a run may have, with the event that ends it
        self._known = known
        self._begun = False
        self._held = bytearray()  # a run, or what may become the beginning of one
        self._done = b""  # what ends the run; empty where there is none
        self._looked = 0  # bytes of the run that do not end it
        self._ends = False  # what ends it has begun

    def release(self) -> bytes:
        """Give back what is held."""
        held = bytes(self._held)
        self._held = bytearray()
        self._done = b""
        self._looked = 0
        self._ends = False
        return held

    def parts(self, data: bytes) -> Iterator[Part]:
        """Divide what has come."""
        in_run = bool(self._done)
        if in_run:
            self._held += data
            if not self._may_end(data):
                return
            data = self.release()
        elif self._held:
            data = self.release() + data
        if not self._begun:
            line = data[:_LONGEST].partition(b"\n")[0]
            self._begun = len(line) < len(data) or len(line) == _LONGEST
            self.off = not EVENT.startswith(line[: len(EVENT)]) or b"\r" in line
        at = 0
        while at < len(data) and not self.off:
            if not in_run:
                begin = _next_delta(data, at)
                if begin > at:
                    yield Part(data[at:begin])
                    at = begin
                if data.find(_DELTA, at, at + _LONGEST) < 0:
                    self._held += data[at:]
                    return
            in_run = False
            known = self._known()
            if known is None:
                stop = data.find(_DELTA, at) + len(_DELTA)
                yield Part(data[at:stop])
            else:
                stop = yield from self._run(data, at, known)
                if stop < 0:
                    self._held += data[at:]
                    return
            at = stop
        if at < len(data):
            yield Part(data[at:])

    def _may_end(self, data: bytes) -> bool:
        """Whether the run could end with these bytes, the last that are held, or is too large."""
        held = self._held
        if len(held) > self._limit:
            return True
        if not self._ends:
            begin = max(0, self._looked - len(self._done))
            self._looked = len(held)
            if held.find(_ENVELOPE, begin) >= 0:
                return True
            self._ends = held.find(self._done, begin) >= 0
        return self._ends and b"\n" in data

    def _run(self, data: bytes, at: int, known: Known) -> Generator[Part, None, int]:
        """Divide the run that begins here; return where it ends, or -1 where it has not ended yet."""
        if known[0].covers is None:
            self.off = True
            return at
        line = data[at : data.find(_DELTA, at) + len(_DELTA)]
        done = b"\n" + line.removesuffix(_DELTA) + _DONE
        first = _payload(data, at + len(line)) or b""
        kind = _Kind(line, _PLACE.findall(first))
        # All that has come may be one run, which the last event that could end it ends. Else the first one does.
        end = data.rfind(done, at)
        last = self._last(data, at, end, done)
        events = _said(known, first, last) if last else None
        if not (events and kind.are_all(data, at, end, events)):
            end = data.find(done, at)
            envelope = data.find(_ENVELOPE, at, end if end >= 0 else len(data))
            if 0 <= envelope < at + self._limit:
                blank = data.rfind(_BLANK, at, envelope)
                stop = blank + len(_BLANK) if blank >= 0 else envelope
                yield Part(data[at:stop])
                return stop
            last = self._last(data, at, end, done)
            if last is None:
                self.off = len(data) - at > self._limit
                self._done = b"" if self.off else done
                return at if self.off else -1
            events = _said(known, first, last)
            if events is None:
                yield Part(data[at : end + 1])
                return end + 1
            if not (events and kind.are_all(data, at, end, events)):
                yield from self._one_by_one(data, at, end + 1, kind, known)
                return end + 1
        yield Part(b"", events, end + 1 - at, len(line) - len(DATA))
        return end + 1

    def _last(self, data: bytes, at: int, end: int, done: bytes) -> bytes | None:
        """The payload of the event that ends a run, empty if it is of no use; ``None`` if it has not come."""
        payload = _payload(data, end + len(done)) if end >= 0 else None
        if payload is None or end + len(done) + len(payload) - at > self._limit:
            return None
        return payload if data.startswith(_BLANK, end - 1) else b""

    def _one_by_one(self, data: bytes, at: int, end: int, kind: _Kind, known: Known) -> Iterator[Part]:
        """Leave the deltas of one text out, and nothing else."""
        begin = at
        while at < end:
            skipped = 0
            while kind.is_at(data, at):
                at = data.find(_BLANK, at) + len(_BLANK)
                skipped += 1
            # What came before may belong to another response, or go on in these events.
            if skipped and self._known() == known:
                yield Part(b"", skipped, at - begin, len(kind.line) - len(DATA))
                begin = at
            while at < end and not kind.is_at(data, at):
                at = data.find(_BLANK, at) + len(_BLANK)
            if begin < at:
                yield Part(data[begin:at])
                begin = at


def _next_delta(data: bytes, at: int) -> int:
    """Where the next event line of a delta begins, or what may become one at the end."""
    # What comes behind a run holds its text whole: going by lines is quicker there than searching.
    for _ in range(_BEHIND):
        line_end = data.find(b"\n", at)
        stop = data.find(b"\n", line_end + 1) if line_end >= 0 else -1
        if stop < 0 or data.endswith(b".delta", at, line_end) or not data.startswith(b"\n", stop + 1):
            break
        at = stop + len(_BLANK)
    while (found := data.find(_DELTA, at)) >= 0:
        begin = max(data.rfind(b"\n", at, found) + 1, at)
        if data.startswith(EVENT, begin) and found + len(_DELTA) - begin <= _LONGEST:
            return begin
        at = found + len(_DELTA)
    end = len(data)
    begin = max(data.rfind(b"\n", at) + 1, at)
    if begin > at and end - begin < len(DATA) and data.endswith(_DELTA[: len(_DELTA) - len(DATA) + end - begin]):
        begin = max(data.rfind(b"\n", at, begin - 1) + 1, at)
    if end - begin < _LONGEST and EVENT.startswith(data[begin : begin + len(EVENT)]):
        return begin
    return end


def _payload(data: bytes, begin: int) -> bytes | None:
    """The payload that begins here, empty if the event does not end with it; ``None`` if it has not come."""
    stop = data.find(b"\n", begin)
    if stop < 0 or stop + 1 == len(data):
        return None
    return data[begin:stop] if data.startswith(_BLANK, stop) and data.find(b"\r", begin, stop) < 0 else b""


class _Kind(NamedTuple):
    """What all deltas of a text have: the line they begin with, and what says where they belong."""

    line: bytes
    places: list[bytes]

    def is_at(self, data: bytes, begin: int) -> bool:
        """Whether such an event begins here."""
        stop = data.find(b"\n", begin + len(self.line))
        if not data.startswith(self.line, begin) or not data.startswith(_BLANK, stop):
            return False
        return all(data.find(place, begin, stop) >= 0 for place in self.places)

    def are_all(self, data: bytes, at: int, end: int, events: int) -> bool:
        """Whether so many events, from one to another, are such; of many only some are looked at."""
        if end - at < _SAMPLED or not any(map(_UNIQUE.search, self.places)):
            counts = [data.count(place, at, end) for place in (b"\n" + self.line, *self.places)]
            return counts == [events - 1] + [events] * len(self.places) and data.find(_ENVELOPE, at, end) < 0
        step = (end - at) // _SAMPLES
        begins = [data.find(_BLANK, place, end) for place in range(at + step, end - step, step)]
        begins.append(data.rfind(_BLANK, at, end - 1))
        return all(self.is_at(data, begin + len(_BLANK)) for begin in begins)


def _said(known: Known, first: bytes, last: bytes) -> int | None:
    """How many events are said to be deltas, or 0; ``None`` if the last event does not say the text of the first."""
    dialect, state = known
    try:
        delta, done = dialect.decode(first), dialect.decode(last)
    except (ValueError, RecursionError):
        return None
    events: int | None = dialect.covers(state, delta, done)  # type: ignore[misc]
    return events


class Trusting(Runs):
    """The part of a `Reducer` that skips what is trusted. What is declared here and not set is the engine's."""

    _framer: Framer
    _before: bytes | None
    _replayed_to: int | None
    _undecided: Any

    def _begin_trust(self, limit: int | None, lanes: bool) -> None:
        """Begin, with a limit where anything is trusted at all."""
        self._trust = Trust(limit, self._known) if limit is not None else None
        self._lanes_after = lanes
        self._begin_runs(lanes and limit is None)

    def _known(self) -> Known | None:
        stream = self._stream
        if stream.state is None or self._replayed_to is not None or not self._framer.idle:
            return None
        return stream.dialect, stream.state

    def _settle(self) -> None:
        super()._settle()
        if self._trust is not None:
            self._feed_untrusted(self._trust.release())

    def _feed_trusting(self, data: bytes) -> None:
        trust = self._trust
        assert trust is not None
        for part in trust.parts(data):
            if part.events:
                self._skip(part)
            else:
                self._feed_untrusted(part.data)
        if trust.off:
            self._trust = None
            self._holds = self._lanes = self._lanes_after

    def _feed_untrusted(self, data: bytes) -> None:
        if self._lanes_after and len(data) > _LARGE:
            self._feed_lanes(data)
        elif data:
            self._feed_plain(data)

    def _skip(self, part: Part) -> None:
        """Count events, and leave them out."""
        stream = self._stream
        if stream.trusted is None:
            stream.trusted = [0, self._number + 1, self._framer.offset + part.line]
        stream.trusted[0] += part.events
        self._number += part.events
        self._before = None
        self._framer.skip(part.events, part.size)
