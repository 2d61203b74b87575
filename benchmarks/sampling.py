"""One timing sample: at least so many nanoseconds of calls, over streams with ids of their own.

Every call of a sample gets a stream that no call had before, made outside the timing, so that nothing that a
contender remembers of one stream helps it with the next, and so many of them that they do not fit the cache of
the processor's core. Only a pass over more than `most` bytes goes round again. The garbage collector is on, as
it is where people work; it runs once before the sample.
"""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any, NamedTuple

from benchmarks.streams import Stream

MOST_BYTES = 64 << 20  # of streams prepared at once
_LONGEST_PASS = 1_000_000_000  # a pool that takes longer than this is not passed whole


class Method(NamedTuple):
    """How to measure."""

    repeat: int = 7  # samples of everything; the median counts
    least: int = 50_000_000  # nanoseconds of a sample
    tiny: bool = False  # only to see whether it runs


class Sample(NamedTuple):
    """What one sample measured."""

    nanoseconds: int
    calls: int
    events: int

    def each(self) -> float:
        """Return the nanoseconds an event."""
        return self.nanoseconds / self.events


class Pool:
    """Templates, taken by turns, each time with ids of their own."""

    _numbers = itertools.count(1)

    def __init__(self, templates: list[Stream]) -> None:
        self.size = len(templates)
        self._templates = [(template, len(template.payloads())) for template in templates]
        self._next = 0

    def take(self) -> tuple[Stream, int]:
        """Return a stream that never was before, and the number of its events."""
        template, events = self._templates[self._next % self.size]
        self._next += 1
        return template.named(next(self._numbers)), events


class Sampler:
    """Takes samples of one way to reduce one pool of streams."""

    def __init__(
        self,
        pool: Pool,
        prepare: Callable[[Stream], Any],
        run: Callable[[Any], Any],
        least: int,
        most: int = MOST_BYTES,
    ) -> None:
        self._pool = pool
        self._prepare = prepare
        self._run = run
        self._least = least
        self._most = most
        self._calls = 0

    def sample(self) -> Sample:
        """Take one; the first call finds out how many calls it takes."""
        if not self._calls:
            first = self._timed(1)
            if first.nanoseconds > _LONGEST_PASS:
                return first
            # What is made at the first use is not the stream's cost.
            passed = self._timed(1)
            self._calls = self._enough(passed.nanoseconds / passed.calls)
        sample = self._timed(self._calls)
        while sample.nanoseconds < self._least:
            self._calls = self._enough(sample.nanoseconds / sample.calls, at_least=self._calls * 5 // 4 + 1)
            sample = self._timed(self._calls)
        return sample

    def _enough(self, each: float, at_least: int = 1) -> int:
        calls = max(int(1.1 * self._least / each) + 1, at_least)
        whole = self._pool.size
        # Whole passes where they can be had: streams of a pool differ.
        return -(-calls // whole) * whole if whole * each < _LONGEST_PASS else calls

    def _timed(self, calls: int) -> Sample:
        prepared = []
        size = events = 0
        while len(prepared) < calls and size < self._most:
            stream, count = self._pool.take()
            size += len(stream.data)
            events += count
            prepared.append(self._prepare(stream))
        rounds = -(-calls // len(prepared))
        run = self._run
        gc.collect()
        begin = perf_counter_ns()
        for _ in range(rounds):
            for one in prepared:
                run(one)
        end = perf_counter_ns()
        return Sample(end - begin, rounds * len(prepared), rounds * events)
