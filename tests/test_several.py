"""Several responses in one stream: when their results can be taken, in which order, and what stays."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

import reducer

DONE = b"data: [DONE]\n\n"


def chunk(ident: str, text: str, finish: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": finish}
    event = {"id": ident, "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}
    return b"data: %b\n\n" % json.dumps(event).encode()


def stream(number: int) -> bytes:
    return chunk(f"c{number}", f"{number}", "stop") + DONE


def texts(results: Any) -> list[Any]:
    return [result.view().text for result in results]


def test_a_result_can_be_taken_when_the_next_response_begins() -> None:
    """The last response stays until `close`; each result is given once."""
    one = reducer.Reducer()
    one.feed(stream(0) + stream(1))
    assert texts(one.take_results()) == ["0"]
    assert one.take_results() == []
    one.feed(stream(2)[: -len(DONE)])
    assert texts(one.take_results()) == ["1"]
    one.feed(DONE + stream(3))
    last = one.close()
    assert (texts([last]), [problem.code for problem in last.problems]) == (["2"], ["several_responses"])
    assert texts(one.results) == ["2", "3"]
    assert texts(one.take_results()) == ["2", "3"]
    assert one.results == []


def test_taking_results_does_not_undo_the_buffer() -> None:
    """Small reads are processed for it only after the current response is finished."""
    merged = 0
    one = reducer.Reducer()
    pipeline = one._pipeline
    feed = pipeline.feed

    def counted(data: bytes) -> None:
        nonlocal merged
        merged += 1
        feed(data)

    pipeline.feed = counted  # type: ignore[method-assign]
    for number in range(100):
        one.feed(chunk("c", str(number)))
        assert one.take_results() == []
    assert merged == 1  # the first read, because nothing is known of the stream before it
    one.feed(chunk("c", "", "stop") + DONE)
    assert one.take_results() == []
    one.feed(stream(1))
    assert texts(one.take_results()) == ["".join(map(str, range(100)))]


def test_close_reports_several_responses_only_if_several_are_left() -> None:
    """A caller that takes results has them already."""
    one = reducer.Reducer()
    one.feed(stream(0) + stream(1))
    one.snapshot()
    one.take_results()
    assert one.close().problems == ()


@pytest.mark.parametrize("read", [1, 100, 5_000, 1_000_000])
def test_iter_results_gives_what_reduce_all_gives(read: int) -> None:
    """The results are equal, however the bytes come."""
    data = b"".join(map(stream, range(40)))
    expected = reducer.reduce_all(data)
    reads = [data[at : at + read] for at in range(0, len(data), read)]
    assert len(expected) == 40
    assert list(reducer.iter_results(data)) == expected
    assert list(reducer.iter_results(reads)) == expected
    assert list(reducer.iter_results(bytearray(data))) == expected
    assert [result.status for result in reducer.iter_results(b"")] == ["empty"]


def test_iter_results_yields_before_the_end() -> None:
    """A result comes while the source is still open."""
    seen = []

    def source() -> Iterator[bytes]:
        for number in range(400):
            yield stream(number)
            seen.append(number)

    results = reducer.iter_results(source())
    assert texts([next(results)]) == ["0"]
    assert len(seen) < 300


def test_memory_does_not_grow_with_the_number_of_responses() -> None:
    """The memory of 4,000 responses is that of 400."""

    def peak(number: int) -> int:
        tracemalloc.start()
        for result in reducer.iter_results(map(stream, range(number))):
            assert result.status == "complete"
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    peak(10)
    assert peak(4_000) < 1.5 * peak(400) + 100_000


def test_responses_of_several_streams_end_by_their_own_marker() -> None:
    """Decision 12: responses told apart by ``stream_id`` come in order of ending, and late events disturb nobody."""

    def event(stream_id: str, kind: str, **fields: Any) -> bytes:
        return b"data: %b\n\n" % json.dumps({"type": kind, "stream_id": stream_id, **fields}).encode()

    def response(ident: str, status: str) -> dict[str, Any]:
        return {"id": ident, "object": "response", "status": status, "output": []}

    one = reducer.Reducer()
    one.feed(event("a", "response.created", response=response("ra", "in_progress")))
    one.feed(event("b", "response.created", response=response("rb", "in_progress")))
    one.feed(event("b", "response.completed", response=response("rb", "completed")))
    one.snapshot()
    assert [result.body.id for result in one.take_results()] == ["rb"]
    one.feed(event("b", "response.rate_limits.updated"))
    one.feed(event("a", "response.completed", response=response("ra", "completed")))
    one.close()
    assert [result.body.id for result in one.results] == ["ra"]


@pytest.mark.parametrize(
    ("data", "finished", "ended"),
    [
        (chunk("c", "a"), False, False),
        (chunk("c", "a", "stop"), True, False),
        (chunk("c", "a", "stop") + DONE, True, True),
        (
            b'data: {"type":"message_start","message":{"id":"m","content":[]}}\n\ndata: {"type":"message_stop"}\n\n',
            True,
            True,
        ),
        (b'data: {"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}\n\n', True, False),
        (
            b'{"id":"c","object":"chat.completion","choices":[{"message":{"content":"a"},"finish_reason":"stop"}]}',
            True,
            True,
        ),
    ],
    ids=["open", "chat-finish", "chat-done", "anthropic-stop", "gemini-finish", "whole-body"],
)
def test_finished_and_ended(data: bytes, finished: bool, ended: bool) -> None:
    """`finished`: the answer is whole, usage may follow. `ended`: nothing need follow."""
    one = reducer.Reducer()
    one.feed(data)
    assert (one.finished, one.ended) == (finished, ended)
    one.close()
    assert (one.finished, one.ended) == (finished, ended)


@pytest.mark.parametrize(
    ("data", "status", "codes"),
    [
        (chunk("c", "a"), "truncated", ["aborted", "no_terminal"]),
        (chunk("c", "a", "stop"), "complete", ["aborted"]),
        (chunk("c", "a", "stop") + DONE, "complete", []),
    ],
    ids=["open", "finished", "ended"],
)
def test_close_with_an_error(data: bytes, status: str, codes: list[str]) -> None:
    """After the end marker an error is no problem, because clients close there; the marker may still be buffered."""
    one = reducer.Reducer()
    one.feed(data)
    result = one.close(ConnectionError())
    assert (result.status, [problem.code for problem in result.problems]) == (status, codes)
    assert all(problem.seen == "ConnectionError" for problem in result.problems if problem.code == "aborted")


def test_each_response_has_its_own_times() -> None:
    """All count from the same start; a read belongs to the response of its last byte."""
    ticks = count(0, 10)
    one = reducer.Reducer(clock=lambda: next(ticks))
    for data in (chunk("c0", "a"), chunk("c0", "b", "stop") + DONE, chunk("c1", "", None), chunk("c1", "c", "stop")):
        one.feed(data)
    one.close()
    first, second = (result.timing for result in one.results)
    assert first is not None
    assert second is not None
    assert (first.first_byte, first.first_content, first.gaps, first.gap_count, first.longest_gap) == (
        10,
        10,
        (10,),
        1,
        10,
    )
    assert (second.first_byte, second.first_content, second.end, second.gaps) == (30, 40, 50, (10,))


def test_at_most_1024_gaps_are_kept() -> None:
    """All are counted, and the longest one is known."""
    ticks = iter([0, *range(1, 2001), 5000])
    one = reducer.Reducer(clock=lambda: next(ticks))
    for number in range(2000):
        one.feed(chunk("c", str(number)))
    timing = one.close().timing
    assert timing is not None
    assert (len(timing.gaps), timing.gap_count, timing.longest_gap, timing.end) == (1024, 1999, 1, 5000)


def test_times_continue_after_resume() -> None:
    """The clock of the other process may have any origin."""
    one = reducer.Reducer(clock=iter([100, 110, 130, 150]).__next__)
    one.feed(chunk("c", "a"))
    one.feed(chunk("c", "b"))
    state = one.save()
    other = reducer.Reducer.resume(state, clock=iter([7000, 7005, 7010]).__next__)
    other.feed(chunk("c", "c", "stop"))
    timing = other.close().timing
    assert timing is not None
    assert (timing.first_byte, timing.gaps, timing.end) == (10, (20, 25), 60)


def test_times_begin_at_a_resume() -> None:
    """A state that was saved without a clock can be resumed with one; earlier reads have no time."""
    first, last = chunk("c", "a"), chunk("c", "b", "stop")
    one = reducer.Reducer()
    one.feed(first[:-9])
    other = reducer.Reducer.resume(one.save(), clock=iter([7000, 7005, 7010, 7020]).__next__)
    other.feed(first[-9:])
    other.feed(last)
    timing = other.close().timing
    assert timing is not None
    assert (timing.first_byte, timing.first_content, timing.gaps, timing.end) == (5, 5, (5,), 20)


def test_times_of_a_new_connection() -> None:
    """The bytes of a new connection count from 0; those that tell that it is new belong to it."""
    one = reducer.Reducer(clock=iter([100, 110, 120]).__next__)
    one.feed(chunk("c", "")[:-9])
    other = reducer.Reducer.resume(one.save(), clock=iter([7000, 7005, 7010, 7015, 7020]).__next__)
    other.feed(b"dat")
    other.feed(chunk("c", "")[3:])
    other.feed(chunk("c", "b", "stop"))
    timing = other.close().timing
    assert timing is not None
    assert (timing.first_byte, timing.first_content, timing.gaps, timing.end) == (10, 35, (15, 5, 5), 40)


@pytest.mark.parametrize("calls", range(1, 6))
@pytest.mark.parametrize("cause", ["OSError('no time')", "returned 'noon'"])
def test_a_clock_that_fails_ends_the_timing(calls: int, cause: str) -> None:
    """Whenever it raises, or returns no integer, the answer is what it is without a clock."""

    def clock() -> Any:
        nonlocal calls
        if calls == 0:
            if "noon" in cause:
                return "noon"
            raise OSError("no time")
        calls -= 1
        return 5

    one = reducer.Reducer(clock=clock)
    one.feed(chunk("c", "a"))
    one.snapshot()
    one.feed(bytearray(chunk("c", "b")))
    one.feed_event(chunk("c", "c").removeprefix(b"data: "))
    one.save()
    one.feed(chunk("c", "d", "stop"))
    result = one.close()

    assert texts([result]) == ["abcd"]
    assert result.timing is None
    assert [(problem.code, problem.seen) for problem in result.problems] == [("clock_failed", cause)]


def test_a_clock_that_closes_the_reducer() -> None:
    """The one that called `close` first gets the same result."""
    calls = 0

    def clock() -> int:
        nonlocal calls
        calls += 1
        if calls == 3:
            results.append(one.close())
        return calls

    results: list[Any] = []
    one = reducer.Reducer(clock=clock)
    one.feed(chunk("c", "a", "stop"))

    assert one.close() is results[0]
    assert texts(results) == ["a"]


def terminal(stream_id: str) -> bytes:
    response = {"id": stream_id, "object": "response", "status": "completed", "output": []}
    event = {"type": "response.completed", "sequence_number": 0, "response": response, "stream_id": stream_id}
    return b"data: %b\n\n" % json.dumps(event).encode()


def test_strict_does_not_mind_several_responses_where_all_are_asked_for() -> None:
    """Only `reduce` and `close`, which return one result, say so."""
    data = stream(0) + stream(1)
    assert texts(reducer.reduce_all(data, strict=True)) == ["0", "1"]
    assert texts(reducer.iter_results(data, strict=True)) == ["0", "1"]
    with pytest.raises(reducer.ProblemError, match="several_responses"):
        reducer.reduce(data, strict=True)


def test_strict_looks_at_every_response() -> None:
    """The second one is cut."""
    with pytest.raises(reducer.ProblemError, match="no_terminal"):
        reducer.reduce_all(stream(0) + chunk("c1", "1"), strict=True)


def test_strict_looks_at_responses_that_were_taken() -> None:
    """Problems that only the end of a response shows are raised by `close`, also if its result was taken before."""
    one = reducer.Reducer(strict=True)
    one.feed(chunk("c0", "a") + b'data: {"type":"vendor.event"}\n\n' + chunk("c0", "b", "stop") + DONE + stream(1))
    one.snapshot()
    assert [result.problems[0].code for result in one.take_results()] == ["unknown_event"]
    with pytest.raises(reducer.ProblemError, match="unknown_event"):
        one.close()
    assert one.close().status == "complete"


def test_ended_responses_survive_a_resume() -> None:
    """They can be taken in the other process, and no sooner than there."""
    one = reducer.Reducer()
    one.feed(stream(0) + stream(1))
    other = reducer.Reducer.resume(one.save())
    assert texts(other.take_results()) == ["0"]
    assert texts([other.close()]) == ["1"]


def test_strict_raises_its_problem_once_also_over_a_resume() -> None:
    """It was raised before the state was saved."""
    one = reducer.Reducer(strict=True)
    one.feed(chunk("c0", "a") + b"data: nonsense\n\n")
    with pytest.raises(reducer.ProblemError, match="not_json"):
        one.snapshot()
    other = reducer.Reducer.resume(one.save())
    other.feed(chunk("c0", "b", "stop") + DONE)
    assert other.close().view().text == "ab"  # type: ignore[union-attr]


def test_nothing_is_left_when_all_responses_were_taken() -> None:
    """Among several at once, each may be taken by its own end marker; the reducer can be saved and closed then."""
    data = terminal("s1") + terminal("s2")
    one = reducer.Reducer()
    one.feed(data)
    one.snapshot()
    assert [result.body.id for result in one.take_results()] == ["s1", "s2"]  # type: ignore[union-attr]
    assert one.snapshot().status == "empty"
    other = reducer.Reducer.resume(one.save())
    assert (other.close().status, other.results) == ("empty", [])
    assert [result.status for result in reducer.iter_results([data])] == ["complete", "complete"]
