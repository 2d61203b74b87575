"""The repair ``duplicate_chunks``: a replay is dropped, and words said twice stay said twice (C45)."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from tests.corpus import random_splits
from tests.helpers import SAMPLES

REPAIR = {"repairs": ["duplicate_chunks"]}


def framed(payload: Any) -> bytes:
    return b"data: " + (payload if type(payload) is bytes else json.dumps(payload).encode()) + b"\n\n"


def chunk(delta: dict[str, Any], index: Any = 0, finish: str | None = None, **more: Any) -> bytes:
    return framed({"id": "c1", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more})


def said(*texts: str, role: bool = False) -> list[bytes]:
    return [chunk({"role": "assistant", "content": text} if role else {"content": text}) for text in texts]


OPENING = chunk({"role": "assistant", "content": ""})
END = [chunk({}, finish="stop"), framed(b"[DONE]")]


def content(*events: bytes, **options: Any) -> tuple[str, list[Any]]:
    """The text of the first choice, and what was dropped by how many problems."""
    result = reducer.reduce(b"".join(events), **{**REPAIR, **options})
    return result.to_dict()["choices"][0]["message"]["content"], [
        problem.seen for problem in result.problems if problem.code == "repaired"
    ]


# -- what holds for all --------------------------------------------------------------------------

TEXTS = st.lists(st.sampled_from(["a", "a", "b", ""]), min_size=1, max_size=7)


@st.composite
def chats(draw: Any, everywhere: bool) -> list[bytes]:
    """A conforming stream that says few things and so says them again, the role in every chunk or in the first."""
    index = st.integers(0, draw(st.integers(0, 1)))
    role = {"role": "assistant"}
    kinds = [draw(st.sampled_from(["content", "reasoning_content"])) for _ in range(2)]
    begun: set[int] = set()
    events = []
    if draw(st.booleans()):
        events.append(framed({"id": "c1", "choices": [], "prompt_filter_results": []}))
    for text in draw(TEXTS):
        place = draw(index)
        first = place not in begun
        begun.add(place)
        if first and draw(st.booleans()):
            events.append(chunk({**role, "content": ""}, place))
            first = False
        events.append(chunk({**(role if everywhere or first else {}), kinds[place]: text}, place))
        if draw(st.integers(0, 5)) == 0:  # what some send to keep the connection alive
            events.append(draw(st.sampled_from([chunk({}, place), framed({"choices": []}), framed({"type": "ping"})])))
    last = role if everywhere and draw(st.booleans()) else {}
    events += [chunk(last, place, "stop") for place in sorted(begun)]
    return [*events, framed(b"[DONE]")] if draw(st.booleans()) else events


@given(events=st.booleans().flatmap(chats))
@settings(max_examples=400)
def test_nothing_is_dropped_of_a_conforming_stream(events: list[bytes]) -> None:
    """Whatever it says twice, and however often it names the role."""
    stream = b"".join(events)

    assert reducer.reduce_all(stream, **REPAIR) == reducer.reduce_all(stream)


@given(events=chats(everywhere=False), data=st.data())
@settings(max_examples=400)
def test_replays_are_dropped(events: list[bytes], data: Any) -> None:
    """From the role on, as often as the connection breaks, wherever a replay is cut by the next or by the end."""
    first = next(place for place, event in enumerate(events) if b'"role"' in event)
    spoken = next(
        (
            place
            for place, event in enumerate(events)
            if b'": "a"' in event or b'": "b"' in event
            if b"role" not in event
        ),
        len(events),
    )
    broken = data.draw(st.integers(min(spoken + 1, len(events)), len(events)))
    if spoken == len(events):
        return  # a text that comes whole in the opening chunk shows no habit
    replays = [events[first:end] for end in data.draw(st.lists(st.integers(first + 1, broken), max_size=3))]
    if broken < len(events):
        replays.append(events[first:broken])
    wire = b"".join([*events[:broken], *(event for replay in replays for event in replay), *events[broken:]])

    (whole,), (original,) = reducer.reduce_all(wire, **REPAIR), reducer.reduce_all(b"".join(events))
    assert whole.to_dict() == original.to_dict()
    assert whole.status == original.status
    assert [problem.seen for problem in whole.problems if problem.code == "repaired"] == (
        [{"events": sum(map(len, replays))}] if replays else []
    )
    assert whole == reducer.reduce(random_splits(wire, len(wire)), **REPAIR)


# -- roles ---------------------------------------------------------------------------------------


def test_a_role_in_every_chunk_is_no_evidence() -> None:
    """Words said twice stay said twice, also once a chunk without role or text has come between."""
    words = said("ha", "no", "ha", "no", role=True)

    assert content(*words, *END) == ("hanohano", [])
    for between in (chunk({}), framed({"type": "ping"})):
        assert content(*words[:2], between, *words[2:], between, *END) == ("hanohano", [])
    assert content(*said("ha", "ha", "ha", "ha", role=True), *END) == ("hahahaha", [])


def test_a_role_that_is_null_or_empty_is_none() -> None:
    """Such a chunk is one without a role."""
    for role in (None, ""):
        words = [chunk({"role": role, "content": text}) for text in ("ha", "no")]

        assert content(OPENING, *words, OPENING, *words, *END) == ("hano", [{"events": 3}])


def test_a_role_that_is_given_again_ends_the_evidence() -> None:
    """A stream that has named the role of a choice twice, and not in a replay, is not followed any more."""
    words = said("ha", "no")
    again = chunk({"role": "assistant", "content": "!"})

    assert content(OPENING, *words, again, OPENING, *words, again, *END) == ("hano!hano!", [])


def test_every_choice_has_a_role() -> None:
    """Naming the roles of several choices is naming each once, whatever their index."""
    opening = [chunk({"role": "assistant", "content": ""}, index) for index in (0, 1)]
    words = [chunk({"content": "ha"}, 1), *said("ho", "ho")]
    odd = [chunk({"role": "assistant"}, []), framed({"choices": [None, {"index": 0}, {"index": 0, "delta": []}]})]

    assert content(*opening, *words, *opening, *words, *END) == ("hoho", [{"events": 5}])
    assert content(*opening, *odd, *words, *opening, *odd, *words, *END) == ("hoho", [{"events": 7}])


def test_what_goes_on_otherwise_is_no_replay() -> None:
    """It is given back whole, in its place."""
    words = said("ha", "no", "so")

    assert content(OPENING, *words, OPENING, *words[:2], *said("well"), *END) == ("hanosohanowell", [])


@pytest.mark.parametrize("name", ["anthropic_messages/text.sse", "openai_responses/text.sse"])
@pytest.mark.parametrize("numbered", [True, False])
def test_events_with_a_type(name: str, numbered: bool) -> None:
    """There a role is named where a thing with an id begins, and that happens once."""
    events = [event + b"\n\n" for event in (SAMPLES / name).read_bytes().split(b"\n\n") if event.strip()]
    if not numbered:
        events = [event.replace(b'"sequence_number"', b'"x"') for event in events]
    wire = b"".join([*events[:-2], *events[:-2], *events[-2:]])

    result = reducer.reduce(wire, **REPAIR)
    assert result.to_dict() == reducer.reduce(b"".join(events)).to_dict()
    assert [problem.seen for problem in result.problems] == [{"events": len(events) - 2}]


def test_gemini_names_the_role_in_every_chunk() -> None:
    """So no repeat there tells anything."""
    piece = {"candidates": [{"content": {"parts": [{"text": "ha"}], "role": "model"}}], "responseId": "r"}
    end = {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}

    result = reducer.reduce(
        b"".join(map(framed, [piece, {"responseId": "r"}, piece, {"responseId": "r"}, end])), **REPAIR
    )
    assert result.body.candidates[0].content.parts[0].text == "haha"


# -- sequence numbers ----------------------------------------------------------------------------


def test_a_sequence_number_counts_in_its_response() -> None:
    """Another response begins to count anew; the start of the same does not."""

    def event(kind: str, number: int, **more: Any) -> bytes:
        return framed({"type": f"response.{kind}", "sequence_number": number, **more})

    def turn(name: str) -> list[bytes]:
        response = {"id": name, "object": "response", "status": "in_progress", "output": []}
        return [
            event("created", 0, response=response),
            event("completed", 1, response={**response, "status": "completed"}),
        ]

    one, two = turn("r1"), turn("r2")
    results = reducer.reduce_all(b"".join([*one, *one, *two, two[1]]), **REPAIR)

    assert [result.body.id for result in results] == ["r1", "r2"]
    assert [problem.seen for problem in results[1].problems] == [{"events": 3}]


def test_what_is_no_sequence_number() -> None:
    """What is no JSON, no object, or no integer: it is an event like others."""
    odd = [framed(b'{"sequence_number":'), framed(b'["sequence_number"]'), framed(b"[" * 3000 + b'"sequence_number"')]
    plain = [chunk({"content": "ha"}, sequence_number=number) for number in ("1", "1", None, None, 1.5)]

    assert content(OPENING, *odd, *odd, *plain, *END) == ("hahahahaha", [])


@pytest.mark.parametrize("count", [1, 3])
def test_an_event_with_a_number_ends_a_run(count: int) -> None:
    """What is held back does not come behind it; a run that has caught up is a replay all the same."""
    words = [OPENING, *said("ha", "no")]
    number = chunk({"content": "!"}, sequence_number=7)

    assert content(*words, *words[:count], number, number, *END) == (
        ("hano!", [{"events": 4}]) if count == 3 else ("hano!", [{"events": 1}])
    )


# -- beside other things -------------------------------------------------------------------------


def places(result: reducer.Result[Any]) -> list[Any]:
    return [(p.code, p.event, p.offset) for p in result.problems if not p.code.startswith("repair")]


def test_events_keep_their_numbers() -> None:
    """A problem is where it was, whatever was dropped or is held back before it, and however the bytes are split."""
    long = chunk({"content": "x" * 300})
    for opening in ([OPENING, *said("a", "b"), OPENING, *said("a", "b")], [OPENING, *said("a", "b"), OPENING]):
        wire = b"".join([*opening, long, *said("a"), framed(b"{oops"), long, *END])
        limits = {"limits": reducer.Limits(max_event_bytes=250)}
        plain = places(reducer.reduce(wire, **limits))

        for reads in ([wire], [wire[at : at + 1] for at in range(len(wire))], random_splits(wire, 1)):
            assert places(reducer.reduce(reads, **limits, **REPAIR)) == plain


@pytest.mark.parametrize("name", ["C45-replayed-run", "C45-replayed-run-dropped", "C45-same-sequence-number"])
def test_saved_anywhere(name: str) -> None:
    """A state saved after any byte, a run held back or not, goes on as if nothing had happened."""
    wire = (SAMPLES / "odd" / "openai_chat" / f"{name}.sse").read_bytes()
    expected = reducer.reduce(wire, **REPAIR)

    for cut in range(len(wire) + 1):
        saved = reducer.Reducer(**REPAIR)
        saved.feed(wire[:cut])
        other = reducer.Reducer.resume(saved.save())
        other.feed(wire[cut:])
        result = other.close()
        if "number" in name:  # which `resume` drops by itself, and says nothing of it
            assert (result.to_dict(), result.status) == (expected.to_dict(), expected.status)
        else:
            assert result == expected


@pytest.mark.parametrize("torn", [False, True])
def test_a_new_connection_that_sends_all_again(torn: bool) -> None:
    """A stream without sequence numbers, resumed: what comes again from the role on is dropped."""
    events = [OPENING, *said("ha", "no", "so"), *END]
    saved = reducer.Reducer(**REPAIR)
    saved.feed(b"".join(events[:3]) + (events[3][:40] if torn else b""))
    other = reducer.Reducer.resume(saved.save())
    other.feed(b"".join(events))
    result = other.close()

    assert result.body.choices[0].message.content == "hanoso"
    assert [(problem.code, problem.event) for problem in result.problems] == [
        *([("torn_tail", 3)] if torn else []),
        ("repaired", 9),
    ]


def test_a_snapshot_while_a_run_is_held_back() -> None:
    """It says what is certain: a replay so far has added nothing."""
    events = [OPENING, *said("ha", "no"), OPENING, *said("ha", "yes"), *END]
    fold = reducer.Reducer(**REPAIR)
    seen = []
    for event in events:
        fold.feed(event)
        seen.append(fold.snapshot().body.choices[0].message.content)

    assert seen == ["", "ha", "hano", "hano", "hano", "hanohayes", "hanohayes", "hanohayes"]


def test_what_is_remembered_is_bounded() -> None:
    """Past `max_retained_bytes` the repair gives up, and nothing else changes."""
    words = [OPENING, *said(*"abcdefgh"), OPENING, *said(*"abcdefgh"), *END]
    numbered = [
        OPENING,
        *(chunk({"content": letter}, sequence_number=ord(letter)) for letter in "abcdefghabcdefgh"),
        *END,
    ]

    for events in (words, numbered):
        texts = [content(*events, limits=reducer.Limits(max_retained_bytes=size))[0] for size in (450, 100_000)]
        assert texts[1] == "abcdefgh"
        assert texts[0].startswith("abcdefgh")
        assert texts[0] != texts[1]
