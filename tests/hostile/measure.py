"""What a hostile stream costs by a door: its growth from N to 2N, its time a byte, its peak of memory.

Times are processor times, the best of three. N is the smallest power of two of the kind's size that takes 50 ms. The
tests measure in a process of its own, because what other tests have left in memory changes the figures.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import reducer
from reducer.dialects.registry import DIALECTS, load
from tests.hostile.doors import DOORS, Door
from tests.hostile.inputs import INPUTS, Input, chunk

ROOT = Path(__file__).parent.parent.parent
MAX_GROWTH = 2.3
MAX_TIMES_PLAIN = 40  # a byte of Chat text by the same door
_ENOUGH = 0.05  # seconds
_START = 1 / 4  # of the kind's first size: a smaller stream ends while `explain` and timing still look at each event
_MAX_BYTES = 1 << 22  # of an input, if 50 ms are not reached before
_READ = 1 << 16

SMALL = reducer.Limits(max_event_bytes=1 << 20, max_retained_bytes=1 << 20)
BOUND = 4 * (SMALL.max_event_bytes + SMALL.max_retained_bytes) + (32 << 20)

PLAIN = Input(lambda n: (chunk({"content": f"word{number}"}) for number in range(n)), 10_000, {})


class Cost(NamedTuple):
    """The best time of one input."""

    seconds: float
    size: int  # bytes of the input

    @property
    def a_byte(self) -> float:
        return self.seconds / self.size


def cost(one: Input, n: int, door: Door) -> Cost:
    """Measure an input of this size."""
    reads = list(one.make(n))
    gc.collect()
    gc.freeze()  # what other tests have left is no cost of this one
    found = []
    for _ in range(3):
        run = door(reads, one.options)
        begin = time.process_time()
        run()
        found.append(time.process_time() - begin)
    gc.unfreeze()
    return Cost(min(found), sum(map(len, reads)))


def growth(one: Input, door: Door) -> tuple[float, Cost]:
    """Return how many times longer twice the input takes, and the cost of the input."""
    n = max(int(one.first * _START), 2)
    before = cost(one, n, door)
    while before.seconds < _ENOUGH and before.size < _MAX_BYTES:
        n *= 2
        before = cost(one, n, door)
    return cost(one, 2 * n, door).seconds / before.seconds, before


def growth_apart(name: str, door: str) -> float:
    """Return the growth that a process of its own measures."""
    return float(_apart("growth", name, door))


def peak(name: str, n: int, door: str) -> int:
    """Return the bytes that a process of its own needs at most for an input under `SMALL` limits, beside the input."""
    return int(_apart("peak", name, door, str(n)))


def _apart(*arguments: str) -> str:
    command = [sys.executable, "-m", "tests.hostile.measure", *arguments]
    return subprocess.run(command, capture_output=True, check=True, timeout=300, cwd=ROOT, text=True).stdout


def own_growth(name: str, door: str) -> float:
    """Return what `growth_apart` does, of this process."""
    _warm_up(door, {})
    return growth(INPUTS[name], DOORS[door])[0]


def own_peak(name: str, n: int, door: str) -> int:
    """Return what `peak` does, of this process."""
    one = INPUTS[name]
    options = {**one.options, "limits": SMALL}
    _warm_up(door, options)
    run = DOORS[door](list(one.make(n)), options)
    gc.collect()
    # Since Linux 4.0: the highest resident size begins anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    run()
    return _resident("VmHWM") - before


def _warm_up(door: str, options: dict[str, Any]) -> None:
    """Import and cache everything that is no cost of the input."""
    for dialect in DIALECTS:
        load(dialect)
    DOORS[door](list(PLAIN.make(10)), options)()


def _resident(field: str) -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition(field + ":")[2].split(maxsplit=1)[0])


def together(one: Input) -> Input:
    """Return an input in reads of 64 KiB, so that its time a byte is not that of many calls."""

    def make(n: int):  # type: ignore[no-untyped-def]
        data = b"".join(one.make(n))
        return (data[at : at + _READ] for at in range(0, len(data), _READ))

    return one._replace(make=make)


if __name__ == "__main__":
    measured, name, door_name, *rest = sys.argv[1:]
    print(own_peak(name, int(rest[0]), door_name) if measured == "peak" else own_growth(name, door_name))
