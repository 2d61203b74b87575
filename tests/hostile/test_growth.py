"""Time is linear: twice the stream takes at most 2.3 times as long, by whatever door it comes in.

These are the only tests that measure time; a test fails only if it fails three times in a row. CI measures every kind
by `Reducer.feed`, and one kind of each dialect by the other doors; ``python -m tests.hostile`` measures all by all.
"""

from __future__ import annotations

import pytest

import reducer
from tests.hostile.doors import DOORS
from tests.hostile.inputs import INPUTS
from tests.hostile.measure import MAX_GROWTH, growth_apart

# One of lines, and one of each dialect.
TYPICAL = (
    "stray_lines", "calls_by_turns", "logprobs_of_completions", "annotations_of_a_part", "citations",
    "pieces_of_an_argument",
)  # fmt: skip
MEASURED = [(name, "feed") for name in INPUTS] + [
    (name, door)
    for door in DOORS
    for name in TYPICAL
    if door != "feed" and (name, door) != ("stray_lines", "feed_event")  # lines that are no payloads
]


@pytest.mark.growth
@pytest.mark.parametrize(("name", "door"), MEASURED)
def test_time_is_linear(name: str, door: str) -> None:
    """Each kind of input is measured at N and 2N."""
    found: list[float] = []
    while len(found) < 3 and not (found and found[-1] <= MAX_GROWTH):
        found.append(growth_apart(name, door))

    assert found[-1] <= MAX_GROWTH, found


@pytest.mark.parametrize("name", INPUTS)
def test_a_hostile_stream_gives_a_result(name: str) -> None:
    """No kind of input raises, and none is an internal error; batches change nothing."""
    one = INPUTS[name]
    reads = list(one.make(min(one.first, 2_000)))
    results = reducer.reduce_all(reads, **{**one.options, "strict": False, "clock": None})

    assert "internal_error" not in [problem.code for result in results for problem in result.problems]
    assert results == reducer.reduce_all(b"".join(reads), **{**one.options, "strict": False, "clock": None}, fast=False)
