"""Runs: how a `Reducer` goes through bytes by templates, and event by event where no template fits.

Theory of operation
-------------------
Reads are held until there is enough to share the cost of a look at them (`_settle`); whoever asks for anything
settles first, so nobody sees a difference. Then (`_feed_lanes`), where a template fits the event that begins, the
run of such events is cut and proven together (`reducer.lanes`), and what the dialect says that one of them adds is
added for all. Where none fits, some events go the plain way, and the last of them is made a template, if it can be
one. What does not repeat is hardly touched: attempts come ever more seldom, templates that come to nothing are
dropped, and one is used only in streams that are long enough to pay for its holes.

The plain way is the engine's and complete without this module: ``lanes=False`` leaves it out.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reducer.dialects._dialect import Dialect
from reducer.framing import Framer, Frames
from reducer.lanes import Columns, Template, holes_in, learn, repeats, segments, worth

# Reads wait until there is enough to share the cost of a look at it, and not so much that they grow large.
HELD = 128
SHORT = 512
_HELD_SIZE = 1 << 15
_LEAST = 1 << 15  # bytes of a stream that are not looked at for templates
_WORTH = 1 << 13  # bytes that are not worth learning from
_STRETCH = 1 << 11  # bytes that are taken the plain way between two looks
_FAR = 1 << 16  # the same, where a look promised nothing
_SMALL = 1 << 7  # bytes of an event
_MOST = 1 << 12  # events between two attempts to learn
_SETTLED = 4  # events at a stream's begin, or behind a run, that most often do more than the next ones
_WARM = 2  # the same of rows behind one that does not fit
_LONG = 64  # events between misfits that are worth it
_MISSES = 2
_TRIES = 1  # attempts to learn in a row; each costs as much as thirty events, so that more of them come seldom
_PAUSE = 1 << 10  # events behind an attempt that shows that others come by turns
_FEW = 3  # events that are not worth proving together
_PREFIX = re.compile(rb"(?:event: [^\r\n]*\r?\n)?data: ")


class Runs:
    """The part of a `Reducer` that knows templates. What is declared here and not set is the engine's."""

    _framer: Framer
    _stream: Any
    _number: int
    _event: Any
    _check_at: int
    _feed_plain: Callable[..., None]
    _take: Callable[[Frames], None]
    _take_noted: Callable[[Frames], None]
    _run: Callable[[Frames], None]
    _typed: Callable[[Dialect, bytes], Any]

    def _begin_runs(self, lanes: bool) -> None:
        self._lanes = lanes
        self._holds = lanes  # reads wait, to be looked at together
        self._held: list[bytes] = []
        self._held_size = 0  # of those that are not short
        self._prospect = 1  # a stream that comes in many reads is taken to be half over, one in a single read whole
        self._templates: list[Template] = []  # the newest first
        self._lane: Template | None = None  # the one that fitted last
        self._learn_in = _SETTLED  # events until the next attempt to learn a template
        self._learn_every = 1
        self._attempts = 0  # since the last run

    # -- reads -----------------------------------------------------------------------------------

    def _hold(self, data: bytes) -> None:
        self._held.append(data)
        self._held_size += len(data)
        if self._held_size >= _HELD_SIZE:
            self._settle()

    def _settle(self) -> None:
        """Take what is held, before anything else happens."""
        if self._held:
            self._prospect = 1 if len(self._held) == 1 else 2
            data = b"".join(self._held)
            self._held = []
            self._held_size = 0
            self._feed_lanes(data)

    def _feed_lanes(self, data: bytes) -> None:
        """Go through the bytes by runs of proven events, and what is between them event by event."""
        framer = self._framer
        if self._templates:
            data = framer.untail() + data
        at = 0
        end = len(data)
        if not self._templates and framer.offset + end < _LEAST:
            at = self._feed_counted(data, at, end)
        stretch = _STRETCH  # bytes to take the plain way before the next attempt
        while end - at >= _WORTH or (at < end and (self._templates or self._number >= HELD)):
            lane = self._lane_at(data, at)
            size = self._take_rows(lane, lane.run(data, at)) if lane is not None else 0
            if size:
                at += size
                stretch = _STRETCH
                continue
            if self._learn_in <= 1 and framer.ready:
                stop = self._event_end(data, at)
                if self._promises(data, at, stop):
                    self._feed_one(data, at, stop)
                    at = stop
                    continue
                stretch = _FAR
            # To the end of the event that is open, or of a stretch that grows while nothing repeats.
            stop = at
            if framer.ready:
                stop = min(end, at + (stretch if self._templates else max(stretch, _SMALL * self._learn_in)))
                stretch *= 8
            at = self._feed_counted(data, at, self._event_end(data, stop))
        if at < end:
            self._feed_counted(data, at, end)

    def _promises(self, data: bytes, at: int, end: int) -> bool:
        """Whether a template of the event that begins here may be worth it; if not, when to ask again."""
        event = data[at:end]
        dialect = self._stream.dialect
        lacking = worth(event, dialect.idle if dialect is not None else ())
        lacking -= self._prospect * (self._framer.offset + len(data) - at)
        if lacking > 0:
            self._learn_in = min(lacking // (self._prospect * len(event)), _MOST) + 1
        return lacking <= 0

    def _feed_counted(self, data: bytes, at: int, end: int) -> int:
        """Take the plain way that far, which brings the next attempt to learn nearer."""
        before = self._number
        self._feed_plain(data, at, end)
        self._learn_in -= self._number - before
        return end

    def _event_end(self, data: bytes, at: int) -> int:
        """The end of the event that is open here: behind its blank line, or the end of the bytes."""
        while (at := data.find(b"\n", at) + 1) > 0:
            if data.startswith((b"\n", b"\r\n"), at):
                return at + (1 if data[at] == 0x0A else 2)
        return len(data)

    def _feed_one(self, data: bytes, at: int, end: int) -> None:
        """Feed what should be one event, and learn from it."""
        stream = self._stream
        problems = len(stream.problems) + stream.dropped
        before = self._number
        handled = self._event
        frames = self._framer.feed(data, at, end)
        if self._framer.notes:
            self._take_noted(frames)
            return
        if not frames:
            return
        self._take(frames)
        self._learn_in -= 1
        if len(frames) != 1 or self._number != before + 1 or self._event is handled or self._stream is not stream:
            return
        if len(stream.problems) + stream.dropped == problems and self._learn_in <= 0 and self._framer.idle:
            self._learn(data, at, end, frames.payloads[0])

    def _learn(self, data: bytes, at: int, end: int, payload: bytes) -> None:
        """Make the event that was just handled a template, if it can be one and more like it come; back off if not."""
        stream = self._stream
        dialect: Dialect = stream.dialect
        self._back_off()
        typed = self._typed(dialect, payload)
        texts = dialect.texts(stream.state, typed) if typed is not None else None
        if texts is None:
            return
        event = data[at:end]
        begin = event.find(payload)
        prefix, suffix = event[:begin], event[begin + len(payload) :]
        if suffix not in (b"\n\n", b"\r\n\r\n") or not _PREFIX.fullmatch(prefix) or prefix.startswith(b"event: error"):
            return
        if any(known.begins(event) for known in self._templates):
            return
        try:
            holes = holes_in(payload, texts, dialect.idle)
            if holes is None:
                return
            if not repeats(data, at, payload, holes):
                self._pause()
                return
            lane = learn(
                prefix, payload, suffix, texts, holes, lambda other: dialect.texts(stream.state, dialect.decode(other))
            )
        except (ValueError, RecursionError):
            return
        if lane is not None:
            # One of the same head has shown that it fits less.
            others = [known for known in self._templates if not known.head.startswith(lane.head)]
            self._templates = [lane, *others[:7]]

    def _back_off(self) -> None:
        self._learn_in = self._learn_every
        self._attempts += 1
        if self._attempts > _TRIES:
            self._learn_every = min(16 * self._learn_every, _MOST)

    def _pause(self) -> None:
        """Wait until other events may come, each time for longer."""
        self._learn_in = self._learn_every = min(2 * self._learn_every + _PAUSE, _MOST)

    def _lane_at(self, data: bytes, at: int) -> Template | None:
        """The template that fits the event which begins here."""
        if not self._framer.idle:
            return None
        lane = self._lane
        if lane is None or lane.goes_on_at != self._number or not data.startswith(lane.head, at):
            lane = self._lane = next((lane for lane in self._templates if lane.begins(data, at)), None)
        return lane

    def _take_rows(self, lane: Template, rows: list[bytes]) -> int:
        """Take events that should fit: those that are proven together, and others between them one by one.

        Returns the size of their bytes; 0 where nothing was worth it.
        """
        if len(rows) <= _FEW:
            self._miss(lane)
            return 0
        columns, misfits = lane.columns(rows)
        fitting = list(segments(misfits, len(rows)))
        if len(rows) < _LONG * (len(fitting) - 1):
            self._drop(lane)
            fitting = []  # many short runs are dearer than none
        before = self._framer.fed
        self._take_fitting(lane, rows, columns, fitting, _FEW if fitting else len(rows))
        return self._framer.fed - before

    def _take_fitting(
        self, lane: Template, rows: list[bytes], columns: Columns, fitting: list[tuple[int, int]], most: int
    ) -> None:
        """Take the stretches that fit, and what lies between them, up to where that is more than so many rows."""
        at = 0
        for begin, end in (*fitting, (len(rows), len(rows))):
            if begin - at > most:
                return
            self._feed_rows(lane, rows[at:begin])
            self._take_proven(lane, rows[begin:end], [column[begin:end] for column in columns])
            at = end

    def _miss(self, lane: Template) -> None:
        lane.misses += 1
        if lane.misses > _MISSES:
            self._drop(lane)

    def _drop(self, lane: Template) -> None:
        """Go on without a template that comes to nothing, and be slower to make another."""
        self._templates = [other for other in self._templates if other is not lane]
        self._lane = None
        self._pause()

    def _take_proven(self, lane: Template, rows: list[bytes], columns: Columns) -> None:
        """Take events whose bytes fit."""
        begin = 0
        while len(rows) - begin > _FEW:
            if self._add(lane, rows[begin:], [column[begin:] for column in columns]):
                return
            # The first of them may bring the state to where the others find it.
            step = begin + _WARM
            self._feed_rows(lane, rows[begin : begin + step])
            begin += step
        self._feed_rows(lane, rows[begin:])

    def _add(self, lane: Template, rows: list[bytes], columns: Columns) -> bool:
        """Add the texts of events, if they do nothing else; handle the last, whose other values are the last."""
        size = lane.size(rows)
        end = self._framer.offset + size
        sinks = self._sinks(lane, rows) if end <= self._check_at else None
        if sinks is None:
            self._miss(lane)
            return False
        texts = lane.texts(columns)
        if texts is None:
            unsound = lane.unsound(columns)
            if 2 * len(unsound) > len(rows):
                self._drop(lane)  # other events lie between
            self._take_fitting(lane, rows, columns, list(segments(unsound, len(rows))), len(rows))
            return True
        for sink, text in zip(sinks, texts, strict=True):
            sink.add_utf8(text)
        self._number += len(rows) - 1
        self._framer.skip(len(rows), size)
        self._run(lane.frame(rows[-1], end))
        lane.goes_on_at = self._number
        lane.misses = 0
        if len(rows) >= _LONG:
            self._learn_in = _SETTLED
            self._learn_every = 1
            self._attempts = 0
        return True

    def _sinks(self, lane: Template, rows: list[bytes]) -> list[Any] | None:
        """Where the texts of events belong, if adding them is all that these do."""
        if lane.goes_on_at == self._number:
            return lane.sinks  # nothing else has come
        stream = self._stream
        dialect: Dialect = stream.dialect
        if stream.state is None:
            return None  # a response that has not begun
        # All do what one of them does.
        try:
            texts = dialect.texts(stream.state, dialect.decode(lane.payload(rows[0])))
        except (ValueError, RecursionError):
            return None
        sinks = {key: sink for key, _, sink in texts or ()}
        if sinks.keys() != set(lane.keys):
            return None
        lane.sinks = [sinks[key] for key in lane.keys]
        return lane.sinks

    def _feed_rows(self, lane: Template, rows: list[bytes]) -> None:
        """Take the events of rows one by one."""
        if rows:
            self._feed_plain(lane.head + (lane.tail + lane.head).join(rows) + lane.tail)
