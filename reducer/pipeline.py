"""From bytes to merged events: the steps of each payload between framing and merging.

`Pipeline.feed` frames bytes and numbers the frames. Before a frame is merged it may, in this order, be dropped as a
replay after `resume`, be dropped by the repair ``duplicate_chunks``, be held until a later payload tells the dialect,
or be dropped because the bodies have grown past ``max_retained_bytes``. The remaining frames are offered to the batch
path, if there is one. The event path (`Responses.merge_payload`) merges every frame that the batch path does not.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from reducer.decoding import object_in, weight
from reducer.detect import detect, is_undecided
from reducer.dialects.contract import Dialect, Options
from reducer.duplicates import Duplicates
from reducer.frames import NO_FRAMES, SHOWN, Frame, Frames, in_columns
from reducer.framing import Framer, begins_connection, last_event_end
from reducer.response import Response
from reducer.responses import Responses
from reducer.result import Result
from reducer.timing import Stopwatch, Times

# Merges consecutive frames from a place on; returns the place of the first frame that it did not merge.
MergeBatches = Callable[[Responses, Frames, int], int]

_WINDOW = 1 << 16  # bytes that are framed together: few enough for the processor's cache
_EVENT_BEGINS = (b"data:", b"event:")
_WEIGHINGS = 16  # of the bodies, for each `max_retained_bytes` of the stream
_MAX_HELD = 8  # payloads that are looked at to tell the dialect


class Pipeline:
    """Everything between the bytes of one body and its responses."""

    def __init__(
        self, options: Options, given: Dialect | None, merge_batches: MergeBatches | None, stopwatch: Stopwatch
    ) -> None:
        limits = options.limits
        self.options = options
        self.responses = Responses(options, given)
        self.framer = Framer(limits.max_event_bytes)
        self.merge_batches = merge_batches
        self.stopwatch = stopwatch
        stopwatch.current = self.responses.current.times
        self.duplicates = Duplicates(limits.max_retained_bytes) if "duplicate_chunks" in options.repairs else None
        # Frames that do not tell the dialect, held until one does; None once it is told, or given.
        self.undecided: list[Frame] | None = [] if given is None else None
        # Between runs (`_run`): events that were merged or dropped, without those that are held. Inside one: what,
        # added to the place of a frame, gives the number of its event.
        self.count = 0
        self.bytes_before = 0  # bytes of earlier connections, and of payloads that came without framing
        self.weigh_at = limits.max_retained_bytes // _WEIGHINGS  # bytes after which to weigh
        self.is_full = False  # `max_retained_bytes` was reached: nothing is merged any more
        self.replayed_to: int | None = None  # after `resume`: sequence numbers up to this one were merged before
        # After `resume`: the first bytes, until they tell whether they begin a new connection; None once they do.
        self.first_bytes: bytes | None = None

    # -- bytes to frames -------------------------------------------------------------------------

    def feed(self, data: bytes) -> None:
        """Merge the events that these bytes complete."""
        if self.first_bytes is not None:
            data = self._see_first_bytes(self.first_bytes + data)
        at, end, size = 0, len(data), _WINDOW
        while end - at > size:
            stop = last_event_end(data, at, at + size)
            if stop == at:
                if data.startswith(_EVENT_BEGINS, at):
                    size *= 2  # this event is larger than the window, and is framed in one piece
                    continue
                stop = at + size  # values without blank lines may be cut anywhere
            self._report_notes_between(self.framer.feed(data, at, stop))
            at, size = stop, _WINDOW
        self._report_notes_between(self.framer.feed(data, at, end))

    def feed_event(self, payload: bytes, name: str | None) -> None:
        """Merge one payload that came without framing."""
        self.bytes_before += len(payload)
        limit = self.options.limits.max_event_bytes
        if len(payload) > limit:
            current = self.responses.current
            current.is_limited = True
            chosen = f"not retained: more than {limit} bytes"
            current.report_at(self._next, None, "limit_event_bytes", payload[:SHOWN], chosen)
            return
        self._drop_replays(Frames([payload], [name], [None]))

    def flush(self) -> None:
        """Merge what only the end of the bytes completes."""
        if self.first_bytes:
            data, self.first_bytes = self.first_bytes, None
            self.feed(data)
        self._report_notes_between(self.framer.flush())
        held = list(self.undecided or ())
        self.undecided = None
        if self.duplicates is not None:
            held += self.duplicates.flush()
        if held and not self.is_full:
            self._run(in_columns(held))
        current = self.responses.current
        if self.duplicates is not None and self.duplicates.dropped:
            current.report_at(self.count, None, "repaired", {"events": self.duplicates.dropped}, "duplicate_chunks")
        if self.framer.torn is not None:
            offset, torn = self.framer.torn
            current.is_torn = True
            current.report_at(self.count, offset, "torn_tail", torn, "left out")

    def _see_first_bytes(self, data: bytes) -> bytes:
        """After `resume`: begin anew if these bytes begin a connection; return those that can be framed."""
        if self.framer.is_inside:
            is_new = begins_connection(data)
            if is_new is None:
                self.first_bytes = data
                return b""
            if is_new:
                self._restart()
        self.first_bytes = None
        return data

    def _restart(self) -> None:
        """On a new connection: report the unfinished event of the old one, and frame from the start."""
        before = self.framer
        self.stopwatch.restart(before.fed)
        self._report_notes_between(before.flush())
        if before.torn is not None:
            offset, torn = before.torn
            self.responses.current.report_at(self._next, offset, "torn_tail", torn, "left out: the stream was resumed")
        self.bytes_before += before.offset
        self.framer = Framer(self.options.limits.max_event_bytes)
        self.framer.frame_count = before.frame_count

    def _report_notes_between(self, frames: Frames) -> None:
        """Take frames, with the framing's notes reported in their places between them."""
        self.responses.is_bare = bool(self.framer.bare)
        notes = self.framer.notes
        if not notes:
            if frames:
                self._drop_replays(frames)
            return
        self.framer.notes = []
        begin = 0
        number = self._next - self.responses.position.further
        before = self.framer.frame_count - len(frames)
        for note in notes:
            place = note.frame - before
            if place > begin:
                self._drop_replays(frames.part(begin, place))
                begin = place
            current = self.responses.current
            number_there = number + place + self.responses.position.further
            current.report_at(number_there, note.offset, note.code, note.seen, note.chosen)
            current.is_limited = current.is_limited or note.code.startswith("limit_")
        if begin < len(frames):
            self._drop_replays(frames.part(begin, len(frames)))

    @property
    def _next(self) -> int:
        """The number of the next event to come, after those that are held."""
        held = len(self.undecided or ()) + (len(self.duplicates.held) if self.duplicates is not None else 0)
        return self.count + held

    def stop_timing(self, cause: str) -> None:
        """Forget all times, and report why."""
        for response in self.responses.all:
            response.times = Times()
        self.stopwatch.forget(self.responses.current.times)
        self.responses.current.report_at(self._next, None, "clock_failed", cause, "no timing")

    def use_limits(self) -> None:
        """After a saved state was restored: let the limits of the options count, not those of the state."""
        self.framer.max_event_bytes = self.options.limits.max_event_bytes
        self.weigh_at = 0

    def resume(self, now: int | None) -> None:
        """Go on after a saved state was restored; ``now`` is the clock's time."""
        self.first_bytes = self.first_bytes or b""
        self.stopwatch.resume(now, self.framer.fed + len(self.first_bytes))

    # -- frames to events ------------------------------------------------------------------------

    def _drop_replays(self, frames: Frames) -> None:
        """Pass on the frames that were not merged before `resume`."""
        begin = 0
        while self.replayed_to is not None and begin < len(frames):
            if self._is_replayed(frames.payloads[begin]):
                self.count += 1
            else:
                self._filter(frames.part(begin, begin + 1))
            begin += 1
        self._filter(frames.part(begin, len(frames)) if begin else frames)

    def _filter(self, frames: Frames) -> None:
        """Drop duplicates, hold what tells no dialect, check the size of the bodies, and merge the rest."""
        if self.duplicates is not None:
            frames = in_columns(self.duplicates.filter(list(frames)))
        if self.undecided is not None:
            frames = self._hold(frames)
        if not self.is_full and self.bytes_before + self.framer.offset <= self.weigh_at:
            self._run(frames)
            return
        for place in range(len(frames)):
            fed = self.bytes_before + (frames.offset(place) or 0)
            if not self.is_full and fed > self.weigh_at:
                self._weigh(fed)
            if self.is_full:
                self.count += 1
            else:
                self._run(frames.part(place, place + 1))

    def _is_replayed(self, payload: bytes) -> bool:
        """R21: whether a server sends again, on a new connection, what was merged before."""
        event = object_in(payload) or {}
        number = event.get("sequence_number")
        if type(number) is not int:
            return False
        if number > self.replayed_to:  # type: ignore[operator]
            self.replayed_to = None
            return False
        response = event.get("response")
        if type(response) is not dict:
            return True
        state = self.responses.current.state
        if state is not None and response.get("id") and response.get("id") != getattr(state, "id", None):
            self.replayed_to = None  # another response
            return False
        return not response.get("output")

    def _hold(self, frames: Frames) -> Frames:
        """Hold frames until a payload tells the dialect. All held frames then belong to it."""
        if not self.undecided and frames and not is_undecided(frames.payloads[0]):
            self.undecided = None
            return frames
        held = [*(self.undecided or ()), *frames]
        first = held[:_MAX_HELD]
        place = next((place for place, frame in enumerate(first) if not is_undecided(frame[0])), len(first))
        may_wait = len(held) < _MAX_HELD
        if place == len(held) and may_wait:
            self.undecided = held
            return NO_FRAMES
        self.undecided = None
        if 0 < place < len(first):
            event = object_in(held[place][0])
            self.responses.likely = detect(event) if event is not None else None
        return in_columns(held)

    def _weigh(self, fed: int) -> None:
        """Compare the weight of the bodies with the limit, and choose when to do so next."""
        limit = self.options.limits.max_retained_bytes
        size = weight((response.json() for response in self.responses.all), limit)
        if size > limit:
            self.is_full = True
            current = self.responses.current
            current.is_limited = True
            chosen = f"not retained: more than {limit} bytes"
            current.report_at(self.count, None, "limit_retained_bytes", size, chosen)
        # Weighing takes time in proportion to the bodies, so it is rare. Until the next time,
        # the bodies grow by at most some twenty times the bytes that come.
        self.weigh_at = fed + limit // _WEIGHINGS

    def _run(self, frames: Frames) -> None:
        """Merge every frame."""
        responses, position, merge_batches = self.responses, self.responses.position, self.merge_batches
        is_timed = bool(self.stopwatch.times)
        position.frames = frames
        place, end = 0, len(frames)
        while place < end:
            before = responses.current
            # With times, events are merged one by one until the first content, so that its time is exact.
            if merge_batches is not None and not (is_timed and before.times.is_exact):
                place = merge_batches(responses, frames, place)
                if place == end:
                    break
            position.number = self.count + place
            position.place = place
            responses.merge_payload(frames.payloads[place], frames.name(place))
            self.count = position.number - place  # larger than before if the payload held several events
            if is_timed:
                self._note_times(before, frames, place)
            place += 1
        if is_timed and end:
            self._look_for_content(frames.end(end - 1))
        position.frames = NO_FRAMES
        self.count += end

    def _note_times(self, before: Response, frames: Frames, place: int) -> None:
        """Note where another response began, and where the first content came."""
        current = self.responses.current
        if current is not before:
            self.stopwatch.begin(current.times, frames.offset(place))
        if current.times.is_exact:
            current.times.look()
            self._look_for_content(frames.end(place))

    def _look_for_content(self, end: int | None) -> None:
        """Note the first content if it came with the events so far; ``end`` is the offset after them."""
        current = self.responses.current
        if not current.times.has_content and current.has_content:
            self.stopwatch.see_content(current.times, end)

    @property
    def terminal_pattern(self) -> re.Pattern[bytes] | None:
        """What bytes must match to hold terminal evidence other than ``[DONE]``; ``None`` if that is unknown."""
        dialect = self.responses.current.dialect
        return None if dialect is None or self.framer.has_open_event else dialect.terminal_pattern

    # -- results ---------------------------------------------------------------------------------

    def results(self, *, final: bool, elapsed: int | None = None) -> list[Result[Any]]:
        """Return the result of each response that was not taken."""
        ignored, current = self.framer.ignored, self.responses.current
        return [
            response.result(
                final=final, end=self.count, elapsed=elapsed if response is current else None, ignored=ignored
            )
            for response in self.responses.all
        ]

    def first_result(self, *, final: bool) -> Result[Any]:
        """Return the result of the first response that was not taken, or of an empty one if all were."""
        response = (self.responses.all or [Response(self.options, self.responses.position)])[0]
        return response.result(final=final, end=self.count)

    def close(self, elapsed: int | None) -> list[Result[Any]]:
        """Return the final results of the responses that were not taken."""
        results = self.results(final=True, elapsed=elapsed)
        for response in self.responses.all:
            response.release()
        return results

    def take_results(self) -> list[Result[Any]]:
        """Return the final results of the responses that have ended, in order of ending, and drop them."""
        taken = []
        for response in self.responses.take_ended():
            taken.append(response.result(final=True, end=self.count))
            if response is not self.responses.current and response not in self.responses.by_stream_id.values():
                response.release()
        return taken
