"""``python -m tests.hostile [--door NAME …] [KIND …]``: measure every kind of hostile stream by every door.

Prints a line for each, with a mark for what exceeds a bound, and fails if something does. It takes about half an hour.
"""

from __future__ import annotations

import argparse
import sys

from reducer.dialects.registry import DIALECTS, load
from tests.hostile.doors import DOORS
from tests.hostile.inputs import INPUTS
from tests.hostile.measure import BOUND, MAX_GROWTH, MAX_TIMES_PLAIN, PLAIN, cost, growth, peak, together


def main() -> int:
    """Measure what the arguments name."""
    parser = argparse.ArgumentParser(prog="python -m tests.hostile", description=__doc__)
    parser.add_argument("kinds", nargs="*", metavar="KIND", help="by default all")
    parser.add_argument("--door", dest="doors", action="append", choices=DOORS, help="by default all")
    parser.add_argument("--no-memory", action="store_true", help="do not measure memory, which takes most of the time")
    options = parser.parse_args()
    for name in DIALECTS:
        load(name)
    count = exceeded = 0
    for door_name in options.doors or DOORS:
        door = DOORS[door_name]
        plain = cost(together(PLAIN), PLAIN.first, door).a_byte
        print(f"\n{door_name}: {plain * 1e9:.1f} ns a byte of Chat text\n")
        for name in options.kinds or INPUTS:
            one = INPUTS[name]
            grown, first = growth(one, door)
            if grown > MAX_GROWTH:
                grown = min(grown, growth(one, door)[0])  # twice in a row, or it was noise
            times = cost(together(one), one.first, door).a_byte / plain
            needed = 0 if options.no_memory else peak(name, 4 * one.first, door_name)
            marks = [
                mark
                for mark, bad in (
                    ("GROWS", grown > MAX_GROWTH),
                    ("SLOW", times > MAX_TIMES_PLAIN),
                    ("LARGE", needed > BOUND),
                )
                if bad
            ]
            print(
                f"{name:40} growth {grown:5.2f}  {times:7.1f} times plain  {needed / 1e6:7.1f} MB"
                f"  {first.size / 1e6:6.2f} MB in {first.seconds:5.2f} s  {' '.join(marks)}",
                flush=True,
            )
            count += 1
            exceeded += bool(marks)
    print(f"\n{count} measured, {exceeded} beyond a bound")
    return 1 if exceeded else 0


if __name__ == "__main__":
    sys.exit(main())
