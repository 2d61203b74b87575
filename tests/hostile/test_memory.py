"""Memory is bounded by `Limits`, not by the stream."""

from __future__ import annotations

import pytest

import reducer
from tests.hostile.doors import DOORS
from tests.hostile.inputs import INPUTS, chunk, response, sse
from tests.hostile.measure import BOUND, peak

FEW = reducer.Limits(max_responses=100)


@pytest.mark.slow
@pytest.mark.parametrize("name", INPUTS)
def test_memory_is_bounded(name):
    """A stream far beyond the limits needs no more memory than they say."""
    assert peak(name, 4 * INPUTS[name].first, "feed") < BOUND


@pytest.mark.slow
@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", ["stray_lines", "responses_in_a_row", "annotations", "unknown_events"])
def test_memory_is_bounded_by_every_door(name, door):
    """Saving, explaining and the command need no more, beside what the caller gave."""
    assert peak(name, INPUTS[name].first, door) < BOUND


def test_responses_past_the_limit_are_reported():
    """Nothing of a further response is retained, and the last one is truncated."""
    reads = [chunk({"role": "assistant", "content": "x"}, f"c{i}", finish_reason="stop") for i in range(102)]
    stream = reducer.Reducer(limits=FEW)
    for data in reads:
        stream.feed(data)
    last = (stream.close(), stream.results[-1])[1]

    assert len(stream.results) == 100
    assert [(problem.code, problem.seen) for problem in last.problems] == [("limit_responses", 101)] * 2
    assert last.status == "truncated"


def test_taken_responses_do_not_count():
    """A host that takes results reads a body of any number of responses."""
    stream = reducer.Reducer(limits=FEW)
    taken = 0
    for number in range(1000):
        stream.feed(chunk({"role": "assistant", "content": "x"}, f"c{number}", finish_reason="stop"))
        taken += len(stream.take_results())
    stream.close()

    assert taken + len(stream.results) == 1000
    assert all(not result.problems for result in stream.results)


def test_stream_ids_past_the_limit_are_reported():
    """Simultaneously open responses count, too, whether their results were taken or not."""
    stream = reducer.Reducer(limits=FEW)
    for number in range(50):
        stream.feed(response("created", stream_id=f"s{number}", response={"id": f"r{number}"}))
    for number in range(50):
        stream.feed(response("completed", stream_id=f"s{number}", response={"id": f"r{number}", "output": []}))
    assert len(stream.take_results()) == 50
    stream = reducer.Reducer.resume(stream.save())
    for number in range(50, 110):
        stream.feed(response("created", stream_id=f"s{number}", response={"id": f"r{number}"}))
    stream.feed(sse({"type": "response.created", "stream_id": "s0", "response": {"id": "r0"}}))
    stream.close()

    assert len(stream.results) == 50
    assert {problem.code for result in stream.results for problem in result.problems} == {
        "limit_responses", "no_terminal"
    }  # fmt: skip


def test_strings_that_replace_each_other_are_not_kept():
    """Of an undeclared string, a problem shows the first values and the last."""
    result = reducer.reduce(chunk({"x": "ab" * 500 + str(number)}) for number in range(2_000))

    assert result.to_dict()["choices"][0]["message"]["x"] == "ab" * 500 + "1999"
    assert [problem.code for problem in result.problems] == ["undeclared_text", "no_terminal"]
    assert peak("an_undeclared_string", 100_000, "feed") < 1 << 20
