"""`trust_done=True`: deltas are left out where a done event says their text, and nothing else changes."""

from __future__ import annotations

import json
import os
import random
import re
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

import reducer
from reducer import trust
from reducer.cli import main
from tests.corpus import random_splits
from tests.helpers import load_sample, sample_names
from tests.mutations import mutant, seeds

# What is said about the deltas themselves is not said of those that nobody looks at.
OF_DELTAS = {"deltas_trusted", "late_delta", "late_event", "repairable", "shorter_text"}
SAMPLES = [name for name in sample_names() if name.startswith("openai_responses/")]


def event(kind: str, number: int | None, **fields: Any) -> bytes:
    """Write an event as OpenAI does."""
    obj = {"type": f"response.{kind}", **fields, **({"sequence_number": number} if number is not None else {})}
    return f"event: response.{kind}\ndata: {json.dumps(obj, separators=(',', ':'))}\n\n".encode()


def envelope(kind: str, number: int, *output: Any, id: str = "r1") -> bytes:
    return event(kind, number, response={"id": id, "object": "response", "model": "m", "output": list(output)})


ID = "msg_0123456789abcdef"
PLACE = {"item_id": ID, "output_index": 0, "content_index": 0}


def message(text: str, id: str = ID) -> dict[str, Any]:
    return {"id": id, "type": "message", "role": "assistant", "content": [{"type": "output_text", "text": text}]}


def deltas(pieces: Iterable[str], number: int, **place: Any) -> list[bytes]:
    at = {**PLACE, **place}
    return [event("output_text.delta", number + i, **at, delta=piece) for i, piece in enumerate(pieces)]


def text_stream(pieces: list[str], *, done: str | None = None) -> list[bytes]:
    """The events of one text, from the first to the last."""
    text = "".join(pieces)
    end = 2 + len(pieces)
    return [
        envelope("created", 0),
        event("output_item.added", 1, output_index=0, item={**message(""), "content": []}),
        *deltas(pieces, 2),
        event("output_text.done", end, **PLACE, text=text if done is None else done),
        event("output_item.done", end + 1, output_index=0, item=message(text)),
        envelope("completed", end + 2, message(text)),
    ]


WORDS = [f"word {number} " for number in range(40)]
MANY = [f"word {number} " for number in range(800)]  # more than are searched


def results(reads: Iterable[bytes], **options: Any) -> list[reducer.Result[Any]]:
    fold = reducer.Reducer(**options)
    for read in reads:
        fold.feed(read)
    fold.close()
    return fold.results


def facts(found: list[reducer.Result[Any]]) -> list[Any]:
    """Everything but what is said about deltas."""
    return [
        (one.status, one.dialect, one.to_dict(), one.error, [p for p in one.problems if p.code not in OF_DELTAS])
        for one in found
    ]


def trusted(found: list[reducer.Result[Any]]) -> int:
    return sum(problem.seen for one in found for problem in one.problems if problem.code == "deltas_trusted")


def cut(data: bytes) -> list[bytes]:
    """The events of a stream, and what is left."""
    parts = data.split(b"\n\n")
    return [*(part + b"\n\n" for part in parts[:-1]), parts[-1]]


def reads_of(data: bytes) -> Iterable[Iterable[bytes]]:
    yield (data[at : at + 4096] for at in range(0, len(data), 4096))
    yield cut(data)
    yield random_splits(data, len(data))
    if len(data) < 1 << 13:
        yield (data[at : at + 1] for at in range(len(data)))


def same(data: bytes, **options: Any) -> int:
    """Check that trust changes nothing else, nor the split anything; return how many deltas were trusted."""
    plain = results([data], **options)
    found = results([data], trust_done=True, **options)
    assert facts(found) == facts(plain)
    for reads in reads_of(data):
        assert results(reads, trust_done=True, **options) == found
    return trusted(found)


# -- the same results ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sample_names())
def test_samples(name):
    """Of every dialect; where they are cut between events too."""
    data = load_sample(name).data
    same(data)
    at = 0
    for part in cut(data)[:-1]:
        at += len(part)
        same(data[:at])


def corpus() -> list[Path]:
    folder = os.environ.get("REDUCER_CORPUS")
    found = sorted((Path(folder) / "responses").rglob("*")) if folder else []
    return [path for path in found if path.is_file()]


@pytest.mark.skipif(not corpus(), reason="REDUCER_CORPUS names no corpus")
def test_corpus():
    """Recorded streams, whole and cut; nearly all of their deltas need not be looked at."""
    rng = random.Random(5)
    named = 0
    left_out = 0
    for path in corpus():
        data = path.read_bytes()
        named += len(re.findall(rb"event: [\w.]+\.delta\ndata: ", data))
        left_out += same(data)
        for _ in range(3):
            same(data[: rng.randrange(len(data) + 1)])

    assert left_out > 0.9 * named


def test_a_stream_that_begins_with_a_long_line():
    """Its bytes one by one are no other beginning."""
    for size in (40, *range(110, 140), 170, 300):
        assert same(b"event: " + b"x" * size + b"\n\n" + b"".join(text_stream(WORDS)))


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(8))
def test_mutants(seed):
    """Streams that go wrong anywhere: the verdict may miss what only deltas said, but nothing raises, in any split."""
    pool = seeds()
    for number in range(seed, 1600, 8):
        data = mutant(number, pool)
        found = results([data], trust_done=True)
        for reads in reads_of(data):
            assert results(reads, trust_done=True) == found
        assert not any(problem.code == "internal_error" for one in found for problem in one.problems)


@pytest.mark.parametrize("pieces", [WORDS, MANY], ids=["short", "long"])
def test_places_of_what_follows(pieces):
    """Events that are left out count: a problem behind them is where it is without trust."""
    events = text_stream(pieces)
    events[-1:-1] = [event("never_heard_of", None)]
    data = b"".join(events)

    assert same(data) == len(pieces)
    (said, unknown) = reducer.reduce(data, trust_done=True).problems
    begin = len(events[0] + events[1])
    assert (said.code, said.event, said.seen) == ("deltas_trusted", 2, len(pieces))
    assert data[said.offset :].startswith(b"data: " + events[2].split(b"data: ")[1])
    assert said.offset == begin + events[2].index(b"data: ")
    assert (unknown.code, unknown.event) == ("unknown_event", len(pieces) + 4)


def test_the_deltas_are_not_looked_at():
    """They may be anything."""
    events = text_stream(MANY)
    for place in range(50, 60):
        events[place] = events[place].replace(b'"delta":"', b'"delta":\x00\xff"')

    result = reducer.reduce(b"".join(events), trust_done=True)

    assert result.view().text == "".join(MANY)
    assert [problem.code for problem in result.problems] == ["deltas_trusted"]


def test_off_by_default():
    """Nobody who did not ask gets the problem."""
    assert reducer.reduce(b"".join(text_stream(WORDS))).problems == ()


# -- what is between deltas ----------------------------------------------------------------------


def test_others_between_are_handled():
    """An event with a number, and one without one."""
    events = text_stream(WORDS)
    note = {"type": "url_citation", "url": "https://example.org"}
    numbered = event("output_text.annotation.added", 500, **PLACE, annotation_index=0, annotation=note)
    for inserted in (numbered, b"event: keepalive\ndata: {}\n\n", b"event: error\ndata: stop\n\n", b": comment\n\n"):
        changed = [*events[:9], inserted, *events[9:-4], *events[-3:]]
        assert same(b"".join(changed)) == len(WORDS) - 1, inserted


def test_numbers_may_be_missing():
    """Then deltas are told one by one."""
    data = re.sub(rb',"sequence_number":\d+', b"", b"".join(text_stream(MANY)))

    assert same(data) == len(MANY)


def test_deltas_of_two_texts_in_turn():
    """The first text that is done takes its own deltas only; the other's are handled."""
    other = {"item_id": "m2", "output_index": 1}
    mixed = [part for pair in zip(deltas(MANY, 2), deltas(MANY, 3, **other), strict=True) for part in pair]
    head = text_stream([])[:2]
    done = [event("output_text.done", 9, **{**PLACE, **place}, text="".join(MANY)) for place in ({}, other)]
    ended = [*head, *mixed, *done]

    assert same(b"".join(ended)) == len(MANY)
    assert same(b"".join(ended[:-1])) == len(MANY)


def test_a_long_run_is_looked_at_here_and_there():
    """What comes in turn with the deltas is found, whatever the numbers say."""
    other = {"item_id": "m2", "output_index": 1}
    mixed = [part for pair in zip(deltas(MANY, 2), deltas(MANY, 2, **other), strict=True) for part in pair]
    renumbered = [
        re.sub(rb'"sequence_number":\d+', b'"sequence_number":%d' % number, part)
        for number, part in enumerate(mixed, 2)
    ]
    head = text_stream([])[:2]
    done = event("output_text.done", 2 + len(mixed), **PLACE, text="".join(MANY))

    assert same(b"".join([*head, *renumbered, done])) == len(MANY)


def test_several_texts():
    """Each has a run of its own; one problem says it of all."""
    head, added, *_ = text_stream([])
    one, two = (deltas(WORDS, number, content_index=index) for number, index in ((2, 0), (50, 1)))
    done = [
        event("output_text.done", number, **{**PLACE, "content_index": index}, text="".join(WORDS))
        for number, index in ((42, 0), (90, 1))
    ]
    data = b"".join([head, added, *one, done[0], *two, done[1]])

    assert same(data) == 2 * len(WORDS)


def test_several_responses():
    """One after another in one body, each says its own."""
    first = text_stream(WORDS)
    second = [part.replace(b'"id":"r1"', b'"id":"r2"') for part in text_stream(MANY)]
    data = b"".join([*first, *second]).replace(ID.encode(), b"m1")

    found = reducer.reduce_all(data, trust_done=True)

    assert same(data) == len(WORDS) + len(MANY)
    assert [[problem.seen for problem in one.problems] for one in found] == [[len(WORDS)], [len(MANY)]]


# -- what is not trusted -------------------------------------------------------------------------


def swapped(**fields: Any) -> bytes:
    """A stream of one text with another done event."""
    events = text_stream(WORDS)
    place = {**PLACE, **fields.pop("place", {})}
    events[-3] = event(fields.pop("kind", "output_text.done"), 42, **place, **{"text": "".join(WORDS), **fields})
    return b"".join(events)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(swapped(text=""), id="empty"),
        pytest.param(swapped(text=None), id="null"),
        pytest.param(swapped(place={"content_index": 1}), id="another-part"),
        pytest.param(swapped(place={"item_id": "m2"}), id="another-item"),
        pytest.param(swapped(unheard_of=1), id="more-than-is-known"),
        pytest.param(swapped(kind="refusal.done"), id="of-another-kind"),
        pytest.param(swapped().replace(b'"item_id":"%s"' % ID.encode(), b'"item_id":1', 1), id="a-delta-that-is-none"),
        pytest.param(swapped().replace(b'"delta":"word 0 "', b'"delta":"word 0 ","logprobs":[{"token":"w"}]'), id="logprobs"),
        pytest.param(swapped().replace(b'"delta":"word 0 "', b'"delta":null'), id="no-delta"),
        pytest.param(swapped().replace(b"response.output_text.d", b"response.unheard_of.d"), id="a-kind-that-is-none"),
        pytest.param(swapped().replace(b"\n", b"\r\n"), id="other-lines"),
        pytest.param(swapped().replace(b'0,"text"', b'0,\r"text"'), id="other-lines-in-the-done-event"),
        pytest.param(swapped().replace(b'0,"text":"', b'0,\ndata: "text":"'), id="a-done-event-of-two-lines"),
        pytest.param(swapped().replace(b"\n\nevent: response.output_text.done", b"\nevent: response.output_text.done"), id="no-blank-line"),
        pytest.param(re.sub(rb"event: .*\n", b"", swapped()), id="no-names"),
        pytest.param(b": comment\n\n" + swapped(), id="something-first"),
        pytest.param(swapped().replace(b"event: response.output_text.delta", b"id: x.delta"), id="other-lines-of-deltas"),
    ],
)  # fmt: skip
def test_what_says_too_little(data):
    """Then the deltas are handled, as without trust."""
    assert same(data) == 0


def test_a_body_of_one_line():
    """That is no event stream."""
    assert same(b"x" * 1000) == same(b"{}") == same(b"event: x") == same(b"event: " + b"x" * 200) == 0


def test_an_envelope_before_the_done_event():
    """What it says about the output is said to what came before; deltas that follow are a run of their own."""
    events = text_stream(WORDS)
    checkpoint = envelope("in_progress", 99, message("Once"))

    assert same(b"".join([*events[:20], checkpoint, *events[20:]])) == len(WORDS) - 18
    assert same(b"".join([*events[:-3], envelope("completed", 42, message("".join(WORDS)))])) == 0


def test_only_events_begin_a_run():
    """Not a line inside one, nor one before the dialect is known."""
    events = text_stream(WORDS)

    assert same(b"".join([*events[:2], b"data: {\n", *events[2:]])) == len(WORDS) - 1
    assert same(b"".join(events[2:])) == len(WORDS) - 1
    assert same(b"".join([*events[:9], b"{\n\n", *events[10:]])) == 7


def test_other_dialects():
    """They have no such done events, whatever theirs are called."""
    chunk = b'event: x.delta\ndata: {"id":"c","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"a"}}]}\n\n'

    assert same(9 * chunk) == same(9 * chunk, dialect="openai.chat") == 0


def test_a_delta_alone():
    """One whose done event says another number, and nothing else of it."""
    events = text_stream(["alone"])
    events[3] = events[3].replace(b'"sequence_number":3', b'"sequence_number":9')

    assert same(b"".join(events)) == 1


def test_an_envelope_in_a_delta():
    """However odd."""
    events = text_stream(WORDS)
    events[2] = events[2].replace(b'"delta"', b'"response":{"id":"r1"},"delta"')

    same(b"".join(events))


def test_after_the_terminal_event():
    """Late deltas are late, one by one."""
    events = text_stream(WORDS)
    late = b"".join([*events, *events[2:-2]])

    found = reducer.reduce(late, trust_done=True)

    assert [problem.code for problem in found.problems].count("late_event") == len(WORDS) + 1
    assert same(late) == len(WORDS)


def test_stream_ids():
    """Deltas of responses that come in turn are handled."""
    events = [part.replace(b'"type"', b'"stream_id":"a","type"') for part in text_stream(WORDS)]

    assert same(b"".join(events)) == 0


@pytest.mark.parametrize("limits", [{"max_event_bytes": 1 << 16}, {"max_retained_bytes": 1 << 16}], ids=str)
def test_what_is_held_is_bounded(limits):
    """A run that is too large is handled, and so is what follows."""
    twice = [part.replace(b'"id":"r1"', b'"id":"r2"') for part in text_stream(WORDS)]
    data = b"".join([*text_stream(MANY), *twice])

    assert same(data, limits=reducer.Limits(**limits)) == 0
    assert same(b"".join([*text_stream(WORDS), *twice]), limits=reducer.Limits(**limits)) == 2 * len(WORDS)


def test_no_more_is_held_than_is_allowed():
    """Whatever the reads."""
    fold = reducer.Reducer(trust_done=True, limits=reducer.Limits(max_event_bytes=1 << 16))
    most = 0
    for part in text_stream(MANY):
        fold.feed(part)
        most = max(most, len(fold._trust._held) if fold._trust is not None else 0)

    assert 1 << 15 < most <= 1 << 16


@pytest.mark.parametrize(
    "options", [{"clock": lambda: 1}, {"repairs": ["cumulative"]}, {"limits": reducer.Limits(max_event_bytes=10_000)}], ids=str
)  # fmt: skip
def test_it_gives_way(options):
    """Who wants to know when things come, or guesses at deltas, has them looked at."""
    data = b"".join(text_stream(WORDS))

    assert results([data], trust_done=True, **options) == results([data], **options)


def test_strict():
    """Nothing is trusted, so nothing is raised for it."""
    result = reducer.reduce(b"".join(text_stream(WORDS)), strict=True, trust_done=True)

    assert result.problems == ()


def test_without_lanes():
    """Both switches are their own."""
    data = b"".join(text_stream(MANY, done=""))

    assert same(data, lanes=False) == same(data) == 0
    assert same(b"".join(text_stream(MANY)), lanes=False) == len(MANY)


# -- a host that asks for more -------------------------------------------------------------------


@pytest.mark.parametrize("place", [1, 2, 10, 42, 43, 45])
def test_snapshots(place):
    """They show all that came."""
    events = text_stream(WORDS)
    plain, fold = reducer.Reducer(), reducer.Reducer(trust_done=True)
    for number, part in enumerate(events):
        plain.feed(part)
        fold.feed(part)
        assert fold.finished == plain.finished
        if number + 1 == place:
            assert facts([fold.snapshot()]) == facts([plain.snapshot()])

    assert facts([fold.close()]) == facts([plain.close()])


@pytest.mark.parametrize("place", [1, 2, 10, 42, 43, 45])
def test_save_and_resume(place):
    """The option and what was counted are saved."""
    events = text_stream(WORDS)
    plain, fold = reducer.Reducer(), reducer.Reducer(trust_done=True)
    for part in events[:place]:
        plain.feed(part)
        fold.feed(part)
    for again in (events[place:], events):
        results_of = []
        for state in (plain.save(), fold.save()):
            resumed = reducer.Reducer.resume(state)
            for part in again:
                resumed.feed(part)
            results_of.append([resumed.close()])
        assert facts(results_of[0]) == facts(results_of[1])
        if again is not events:
            # What was held at that point has been handled; and so is one more, which tells that nothing is sent again.
            assert trusted(results_of[1]) == {2: 39, 10: 31, 42: 0}.get(place, len(WORDS))


def test_feed_event():
    """It takes its place behind what is held; it is never trusted itself."""
    events = text_stream(WORDS)
    fold = reducer.Reducer(trust_done=True)
    for before, after in pairwise(range(0, len(events) + 1, 5)):
        for part in events[before:after]:
            payload = part.split(b"data: ")[1].strip()
            fold.feed_event(payload) if before % 2 else fold.feed(part)

    assert facts([fold.close()]) == facts([reducer.reduce(b"".join(events))])


def test_the_host_gives_up():
    """What is held is not lost."""
    fold = reducer.Reducer(trust_done=True)
    fold.feed(b"".join(text_stream(WORDS)[:10]))

    result = fold.close("gone")

    assert result.view().text == "".join(WORDS[:8])
    assert [problem.code for problem in result.problems] == ["aborted", "no_terminal"]


def test_the_command_line(tmp_path, capfdbinary):
    """``--trust-done``."""
    path = tmp_path / "text.sse"
    path.write_bytes(b"".join(text_stream(WORDS)))

    assert main([str(path)]) == main(["--trust-done", str(path)]) == 0

    plain, trusting = (json.loads(line) for line in capfdbinary.readouterr().out.splitlines())
    assert trusting["body"] == plain["body"]
    assert plain["problems"] == []
    assert [problem["code"] for problem in trusting["problems"]] == ["deltas_trusted"]


def test_explain_looks_at_everything():
    """There the option has no effect."""
    from reducer.explain import explain

    explained = explain([b"".join(text_stream(WORDS))], trust_done=True)

    assert len(explained.events) == len(WORDS) + 5
    assert explained.responses[0].result.problems == ()


def test_what_is_searched_and_what_is_not():
    """The runs of these tests are of both kinds."""
    assert len(b"".join(deltas(WORDS, 0))) < trust._SAMPLED < len(b"".join(deltas(MANY, 0)))
