"""What a hostile stream costs by a door: its growth from N to 2N, its time a byte, its peak of memory.

Times are processor times, the best of three, of an input long enough to take 50 ms.
"""

from __future__ import annotations

import gc
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

import reducer
from reducer.dialects.registry import DIALECTS, load
from tests.hostile.doors import DOORS, Door
from tests.hostile.inputs import INPUTS, Input, chunk

ROOT = Path(__file__).parent.parent.parent
MAX_GROWTH = 2.3
MAX_TIMES_PLAIN = 40  # a byte of Chat text by the same door
_ENOUGH = 0.05  # seconds
_MAX_DOUBLINGS = 6
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
    n = one.first
    before = cost(one, n, door)
    for _ in range(_MAX_DOUBLINGS):
        if before.seconds >= _ENOUGH:
            break
        n *= 2
        before = cost(one, n, door)
    return cost(one, 2 * n, door).seconds / before.seconds, before


def peak(name: str, n: int, door: str) -> int:
    """Return the bytes that a process of its own needs at most for an input under `SMALL` limits, beside the input."""
    command = [sys.executable, "-m", "tests.hostile.measure", name, str(n), door]
    return int(subprocess.run(command, capture_output=True, check=True, timeout=300, cwd=ROOT).stdout)


def own_peak(name: str, n: int, door: str) -> int:
    """Return what `peak` does, of this process."""
    one = INPUTS[name]
    options = {**one.options, "limits": SMALL}
    for dialect in DIALECTS:
        load(dialect)
    DOORS[door](list(PLAIN.make(10)), options)()  # imports and caches are no cost of the input
    run = DOORS[door](list(one.make(n)), options)
    gc.collect()
    # Since Linux 4.0: the highest resident size begins anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = _resident("VmRSS")
    run()
    return _resident("VmHWM") - before


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
    print(own_peak(sys.argv[1], int(sys.argv[2]), sys.argv[3]))
