"""When things came, for each response: durations since the start, in nanoseconds of the caller's clock.

Reads are buffered before they are framed, so times are assigned by place: a read belongs to the response that its last
byte belongs to, and an event came with the read that brought the last byte of its payload.
"""

from __future__ import annotations

from bisect import bisect_left

from reducer.result import Timing
from reducer.saving import Saved

MAX_GAPS = 1024  # gaps that are kept of one response
_MAX_LOOKS = 256  # events after each of which the first content is looked for; later, once for all events of a run


class Times(Saved):
    """The times of one response, as durations since the start."""

    is_shared = True
    _first: int | None
    _first_content: int | None
    _looks: int  # events after which it was looked for
    _last: int | None
    _gaps: list[int]  # the first MAX_GAPS
    _count: int  # of all gaps
    _longest: int | None

    def __init__(self) -> None:
        self._first = None
        self._first_content = None
        self._looks = 0
        self._last = None
        self._gaps = []
        self._count = 0
        self._longest = None

    @property
    def has_content(self) -> bool:
        return self._first_content is not None

    def add(self, time: int) -> None:
        """Add the time of a read."""
        if self._last is None:
            self._first = time
        else:
            gap = time - self._last
            self._count += 1
            self._longest = gap if self._longest is None else max(self._longest, gap)
            if len(self._gaps) < MAX_GAPS:
                self._gaps.append(gap)
        self._last = time

    @property
    def is_exact(self) -> bool:
        """Whether the first content is still to come, and looked for after each event: each look costs more."""
        return self._first_content is None and self._looks < _MAX_LOOKS

    def look(self) -> None:
        """Count an event after which the first content was looked for."""
        self._looks += 1

    def see_content(self, time: int) -> None:
        """Note the time of the first content."""
        self._first_content = time

    def timing(self, end: int | None) -> Timing | None:
        """Return what is known; ``end`` is the duration at `close`, if that has come."""
        if self._first is None and end is None:
            return None
        end = self._last if end is None else end
        return Timing(self._first, self._first_content, end, tuple(self._gaps), self._count, self._longest)


class Stopwatch(Saved):
    """The reads since bytes were framed last, with their times; and the response that the next ones belong to."""

    unsaved = ("started",)
    started: int | None  # the caller's clock at the start; None: the first time that comes is the start
    _before: int  # the duration until the state was saved, if it was resumed
    _now: int  # the latest duration
    times: list[int]  # of the reads whose bytes have not been framed
    _ends: list[int]  # the bytes that have come with each of them
    _fed: int  # bytes of this connection; counted only while there are times
    current: Times
    _borders: list[tuple[int, Times]]  # place and times of each response that began since `settle`

    def __init__(self, started: int | None) -> None:
        self.started = started
        self._before = 0
        self._now = 0
        self.times = []
        self._ends = []
        self._fed = 0
        self.current = Times()
        self._borders = []

    def note_sizes(self, sizes: list[int]) -> None:
        """Note the sizes of the reads in ``times``; a payload without framing has size 0."""
        for size in sizes:
            self._fed += size
            self._ends.append(self._fed)

    def begin(self, times: Times, place: int | None) -> None:
        """Note that another response begins at this byte; ``None``: with a payload without framing, settled alone."""
        self._borders.append((-1 if place is None else place, times))

    def see_content(self, times: Times, end: int | None) -> None:
        """Note that the first content of a response is in a payload that ends at this byte."""
        read = len(self._ends) - 1 if end is None else bisect_left(self._ends, end)
        times.see_content(self.elapsed(self.times[min(read, len(self.times) - 1)]))

    def settle(self) -> None:
        """Give each read to its response."""
        for time, end in zip(self.times, self._ends, strict=False):
            while self._borders and self._borders[0][0] < end:
                self.current = self._borders.pop(0)[1]
            self.current.add(self.elapsed(time))
        self.times.clear()
        self._ends.clear()

    def restart(self, fed: int) -> None:
        """Count from 0 again: the stream continues in a new connection, after so many bytes of the old one."""
        self._fed -= fed
        self._ends = [end - fed for end in self._ends]

    def forget(self, current: Times) -> None:
        """Forget the reads that were not framed yet; ``current`` has the times of the current response."""
        self.times.clear()
        self._ends.clear()
        self._borders.clear()
        self.current = current

    def elapsed(self, now: int) -> int:
        """Return a time of the caller's clock as the duration since the start; time in other processes counts."""
        if self.started is None:
            self.started = now
        self._now = self._before + now - self.started
        return self._now

    def pause(self, now: int | None) -> None:
        """Before the state is saved: keep the duration so far."""
        if now is not None:
            self.elapsed(now)

    def resume(self, now: int | None, fed: int) -> None:
        """Go on from the duration that was saved, and from the bytes that were fed, with a clock or without.

        The clock may be another one.
        """
        self._before = self._now
        self._fed = fed
        self.started = now
