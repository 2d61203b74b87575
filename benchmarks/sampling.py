"""One timing sample: calls that together last at least a given time.

The streams of a sample are prepared before the clock starts. Each is the next stream of the pool; where a synthetic
stream has ids, each call gets other ids, so that a cache of ids or of whole payloads does not help a contender. Streams
from files are unchanged. If the prepared streams exceed `_MAX_BYTES`, they are used more than once.

The garbage collector is on, and runs once before each sample. Time is the processor time of the process, so that other
processes do not count.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from time import process_time_ns
from typing import Any, NamedTuple

from benchmarks.streams import Stream

_MAX_BYTES = 64 << 20  # of streams prepared together
_LONG_CALL = 1_000_000_000  # nanoseconds; a contender that needs more for one stream gets one call a sample
_MAX_PASS = 1_000  # streams; a sample covers a smaller pool completely, and a larger one only in part


class Method(NamedTuple):
    """Settings of a measurement."""

    repeat: int = 9  # samples of each mode; the median of the ratios counts
    least: int = 50_000_000  # nanoseconds of a sample
    is_tiny: bool = False  # only to see whether everything runs


class Sample(NamedTuple):
    """The result of one sample."""

    nanoseconds: int
    calls: int
    events: int

    def each(self) -> float:
        """Return the nanoseconds for each event."""
        return self.nanoseconds / max(self.events, 1)


class Pool:
    """The streams of a workload, in rotation."""

    _numbers = itertools.count(1)

    def __init__(self, streams: list[Stream]) -> None:
        self.size = len(streams)
        self._streams = [(stream, len(stream.payloads())) for stream in streams]
        self._next = 0

    def take(self) -> tuple[Stream, int]:
        """Return the next stream, with other ids than before, and the number of its events."""
        stream, events = self._streams[self._next % self.size]
        self._next += 1
        return stream.named(next(self._numbers)), events


class Sampler:
    """Takes samples of one mode on the streams of one pool."""

    def __init__(self, pool: Pool, prepare: Callable[[Stream], Any], run: Callable[[Any], Any], least: int) -> None:
        self._pool = pool
        self._prepare = prepare
        self._run = run
        self._least = least
        self._calls = 0  # of a sample; 0: not known yet

    def sample(self) -> Sample:
        """Take one sample. The first sample also determines the number of calls."""
        if not self._calls:
            first = self._time(1)
            if first.nanoseconds > _LONG_CALL:
                return first
            second = self._time(1)  # the first call also pays for imports and caches
            self._calls = self._count_calls(second.nanoseconds)
        sample = self._time(self._calls)
        while sample.nanoseconds < self._least:
            self._calls = self._count_calls(sample.nanoseconds / sample.calls, at_least=self._calls * 5 // 4 + 1)
            sample = self._time(self._calls)
        return sample

    def _count_calls(self, each: float, at_least: int = 1) -> int:
        """Return how many calls take long enough, rounded up to whole passes of a small pool."""
        calls = max(int(1.1 * self._least / max(each, 1)) + 1, at_least)
        size = self._pool.size
        return -(-calls // size) * size if size <= _MAX_PASS else calls

    def _time(self, calls: int) -> Sample:
        prepared = []
        size = events = 0
        while len(prepared) < calls and size < _MAX_BYTES:
            stream, count = self._pool.take()
            size += len(stream.data)
            events += count
            prepared.append(self._prepare(stream))
        rounds = -(-calls // len(prepared))
        run = self._run
        gc.collect()
        begin = process_time_ns()
        for _ in range(rounds):
            for one in prepared:
                run(one)
        end = process_time_ns()
        return Sample(end - begin, rounds * len(prepared), rounds * events)
