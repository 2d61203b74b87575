"""The repair ``duplicate_chunks``: replays are dropped, and texts that the model repeats are kept (C45)."""

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


def as_sse(payload: Any) -> bytes:
    """Return a payload as a server-sent event."""
    return b"data: " + (payload if type(payload) is bytes else json.dumps(payload).encode()) + b"\n\n"


def chunk(delta: dict[str, Any], index: Any = 0, finish: str | None = None, **more: Any) -> bytes:
    """Return a chunk with one choice."""
    return as_sse({"id": "c1", "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **more})


def text_chunks(*texts: str, role: bool = False) -> list[bytes]:
    """Return a chunk for each text, with a role in each of them if ``role`` is set."""
    return [chunk({"role": "assistant", "content": text} if role else {"content": text}) for text in texts]


OPENING = chunk({"role": "assistant", "content": ""})
END = [chunk({}, finish="stop"), as_sse(b"[DONE]")]


def reduce_content(*events: bytes, **options: Any) -> tuple[str, list[Any]]:
    """Return the text of the first choice, and what each problem `repaired` shows."""
    result = reducer.reduce(b"".join(events), **{**REPAIR, **options})
    return result.to_dict()["choices"][0]["message"]["content"], [
        problem.seen for problem in result.problems if problem.code == "repaired"
    ]


# -- properties ----------------------------------------------------------------------------------

TEXTS = st.lists(st.sampled_from(["a", "a", "b", ""]), min_size=1, max_size=7)


@st.composite
def chats(draw: Any, has_role_everywhere: bool) -> list[bytes]:
    """A valid stream with few different texts, so that some are repeated. The role is in every chunk or only in the first."""
    index = st.integers(0, draw(st.integers(0, 1)))
    role = {"role": "assistant"}
    kinds = [draw(st.sampled_from(["content", "reasoning_content"])) for _ in range(2)]
    begun: set[int] = set()
    events = []
    if draw(st.booleans()):
        events.append(as_sse({"id": "c1", "choices": [], "prompt_filter_results": []}))
    for text in draw(TEXTS):
        place = draw(index)
        first = place not in begun
        begun.add(place)
        if first and draw(st.booleans()):
            events.append(chunk({**role, "content": ""}, place))
            first = False
        events.append(chunk({**(role if has_role_everywhere or first else {}), kinds[place]: text}, place))
        if draw(st.integers(0, 5)) == 0:  # some servers send these to keep the connection alive
            events.append(draw(st.sampled_from([chunk({}, place), as_sse({"choices": []}), as_sse({"type": "ping"})])))
    last = role if has_role_everywhere and draw(st.booleans()) else {}
    events += [chunk(last, place, "stop") for place in sorted(begun)]
    return [*events, as_sse(b"[DONE]")] if draw(st.booleans()) else events


@given(events=st.booleans().flatmap(chats))
@settings(max_examples=400)
def test_valid_stream_loses_nothing(events: list[bytes]) -> None:
    """Repeated texts and repeated roles are kept."""
    stream = b"".join(events)

    assert reducer.reduce_all(stream, **REPAIR) == reducer.reduce_all(stream)


@given(events=chats(has_role_everywhere=False), data=st.data())
@settings(max_examples=400)
def test_replays_are_dropped(events: list[bytes], data: Any) -> None:
    """A replay begins with the role. It may come several times, and may be cut by another replay or by the end."""
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
        return  # no text comes without a role, so no repetition begins
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


def test_role_in_every_chunk_is_not_evidence() -> None:
    """Repeated texts are kept, even after a chunk without role and text."""
    words = text_chunks("ha", "no", "ha", "no", role=True)

    assert reduce_content(*words, *END) == ("hanohano", [])
    for between in (chunk({}), as_sse({"type": "ping"})):
        assert reduce_content(*words[:2], between, *words[2:], between, *END) == ("hanohano", [])
    assert reduce_content(*text_chunks("ha", "ha", "ha", "ha", role=True), *END) == ("hahahaha", [])


def test_null_or_empty_role_counts_as_absent() -> None:
    """A chunk with such a role is a chunk without a role."""
    for role in (None, ""):
        words = [chunk({"role": role, "content": text}) for text in ("ha", "no")]

        assert reduce_content(OPENING, *words, OPENING, *words, *END) == ("hano", [{"events": 3}])


def test_second_role_of_a_choice_ends_the_repair() -> None:
    """If a choice gets a role twice outside a replay, no more replays are looked for."""
    words = text_chunks("ha", "no")
    again = chunk({"role": "assistant", "content": "!"})

    assert reduce_content(OPENING, *words, again, OPENING, *words, again, *END) == ("hano!hano!", [])


def test_every_choice_has_a_role() -> None:
    """The roles of several choices are not a repeated role, whatever the indices are."""
    opening = [chunk({"role": "assistant", "content": ""}, index) for index in (0, 1)]
    words = [chunk({"content": "ha"}, 1), *text_chunks("ho", "ho")]
    odd = [chunk({"role": "assistant"}, []), as_sse({"choices": [None, {"index": 0}, {"index": 0, "delta": []}]})]

    assert reduce_content(*opening, *words, *opening, *words, *END) == ("hoho", [{"events": 5}])
    assert reduce_content(*opening, *odd, *words, *opening, *odd, *words, *END) == ("hoho", [{"events": 7}])


def test_run_that_diverges_is_released() -> None:
    """The held events are merged in their places."""
    words = text_chunks("ha", "no", "so")

    assert reduce_content(OPENING, *words, OPENING, *words[:2], *text_chunks("well"), *END) == ("hanosohanowell", [])


@pytest.mark.parametrize("name", ["anthropic_messages/text.sse", "openai_responses/text.sse"])
@pytest.mark.parametrize("numbered", [True, False])
def test_events_with_a_type(name: str, numbered: bool) -> None:
    """In dialects whose events have a type, a role is named once, when a message with an id begins."""
    events = [event + b"\n\n" for event in (SAMPLES / name).read_bytes().split(b"\n\n") if event.strip()]
    if not numbered:
        events = [event.replace(b'"sequence_number"', b'"x"') for event in events]
    wire = b"".join([*events[:-2], *events[:-2], *events[-2:]])

    result = reducer.reduce(wire, **REPAIR)
    assert result.to_dict() == reducer.reduce(b"".join(events)).to_dict()
    assert [problem.seen for problem in result.problems] == [{"events": len(events) - 2}]


def test_gemini_names_the_role_in_every_chunk() -> None:
    """Gemini's repeated chunks are kept."""
    piece = {"candidates": [{"content": {"parts": [{"text": "ha"}], "role": "model"}}], "responseId": "r"}
    end = {"candidates": [{"content": {"parts": []}, "finishReason": "STOP"}]}

    result = reducer.reduce(
        b"".join(map(as_sse, [piece, {"responseId": "r"}, piece, {"responseId": "r"}, end])), **REPAIR
    )
    assert result.body.candidates[0].content.parts[0].text == "haha"


# -- sequence numbers ----------------------------------------------------------------------------


def test_sequence_numbers_belong_to_a_response() -> None:
    """Another response counts from the start again. The same response's start is a duplicate."""

    def event(kind: str, number: int, **more: Any) -> bytes:
        return as_sse({"type": f"response.{kind}", "sequence_number": number, **more})

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


def test_values_that_are_not_sequence_numbers() -> None:
    """Payloads that are not objects, and numbers that are not integers, are ordinary events."""
    odd = [as_sse(b'{"sequence_number":'), as_sse(b'["sequence_number"]'), as_sse(b"[" * 3000 + b'"sequence_number"')]
    plain = [chunk({"content": "ha"}, sequence_number=number) for number in ("1", "1", None, None, 1.5)]

    assert reduce_content(OPENING, *odd, *odd, *plain, *END) == ("hahahahaha", [])


@pytest.mark.parametrize("count", [1, 3])
def test_event_with_a_number_ends_a_run(count: int) -> None:
    """Held events come before this event. If they repeated everything so far, they are dropped as a replay."""
    words = [OPENING, *text_chunks("ha", "no")]
    number = chunk({"content": "!"}, sequence_number=7)

    assert reduce_content(*words, *words[:count], number, number, *END) == (
        ("hano!", [{"events": 4}]) if count == 3 else ("hano!", [{"events": 1}])
    )


# -- together with other features ----------------------------------------------------------------


def places(result: reducer.Result[Any]) -> list[Any]:
    """Return code, event and offset of each problem that is not about a repair."""
    return [(p.code, p.event, p.offset) for p in result.problems if not p.code.startswith("repair")]


def test_events_keep_their_numbers() -> None:
    """Problems have the same event numbers and offsets, whether events before them are dropped or held, for every
    split.
    """
    long = chunk({"content": "x" * 300})
    for opening in (
        [OPENING, *text_chunks("a", "b"), OPENING, *text_chunks("a", "b")],
        [OPENING, *text_chunks("a", "b"), OPENING],
    ):
        wire = b"".join([*opening, long, *text_chunks("a"), as_sse(b"{oops"), long, *END])
        limits = {"limits": reducer.Limits(max_event_bytes=250)}
        plain = places(reducer.reduce(wire, **limits))

        for reads in ([wire], [wire[at : at + 1] for at in range(len(wire))], random_splits(wire, 1)):
            assert places(reducer.reduce(reads, **limits, **REPAIR)) == plain


@pytest.mark.parametrize("name", ["C45-replayed-run", "C45-replayed-run-dropped", "C45-same-sequence-number"])
def test_save_after_every_byte(name: str) -> None:
    """A state that was saved while events are held, or at any other byte, gives the same result."""
    wire = (SAMPLES / "odd" / "openai_chat" / f"{name}.sse").read_bytes()
    expected = reducer.reduce(wire, **REPAIR)

    for cut in range(len(wire) + 1):
        saved = reducer.Reducer(**REPAIR)
        saved.feed(wire[:cut])
        other = reducer.Reducer.resume(saved.save())
        other.feed(wire[cut:])
        result = other.close()
        if "number" in name:  # `resume` itself drops these, without a problem
            assert (result.to_dict(), result.status) == (expected.to_dict(), expected.status)
        else:
            assert result == expected


@pytest.mark.parametrize("torn", [False, True])
def test_resume_with_a_connection_that_repeats_everything(torn: bool) -> None:
    """Without sequence numbers, everything that is repeated from the role on is dropped."""
    events = [OPENING, *text_chunks("ha", "no", "so"), *END]
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


def test_snapshot_while_a_run_is_held() -> None:
    """Held events are not in the snapshot."""
    events = [OPENING, *text_chunks("ha", "no"), OPENING, *text_chunks("ha", "yes"), *END]
    stream = reducer.Reducer(**REPAIR)
    seen = []
    for event in events:
        stream.feed(event)
        seen.append(stream.snapshot().body.choices[0].message.content)

    assert seen == ["", "ha", "hano", "hano", "hano", "hanohayes", "hanohayes", "hanohayes"]


def test_memory_is_bounded() -> None:
    """Beyond `max_retained_bytes` the repair stops dropping events, and changes nothing else."""
    words = [OPENING, *text_chunks(*"abcdefgh"), OPENING, *text_chunks(*"abcdefgh"), *END]
    numbered = [
        OPENING,
        *(chunk({"content": letter}, sequence_number=ord(letter)) for letter in "abcdefghabcdefgh"),
        *END,
    ]

    for events in (words, numbered):
        texts = [reduce_content(*events, limits=reducer.Limits(max_retained_bytes=size))[0] for size in (450, 100_000)]
        assert texts[1] == "abcdefgh"
        assert texts[0].startswith("abcdefgh")
        assert texts[0] != texts[1]
