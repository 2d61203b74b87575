"""Properties of every stream: splits, cuts, snapshots, saved states, and arbitrary input."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer.framing import DONE, Framer
from tests.helpers import load_sample, sample_names

NAMES = [name for name in sample_names() if name.endswith((".sse", ".jsonl"))]
SMALL = [name for name in NAMES if len(load_sample(name).data) < 12_000]
# Only complete samples without errors are cut, so that a cut stream is complete or truncated.
SOUND = [
    name
    for name in SMALL
    if len(load_sample(name).data) < 4000 and [e["status"] for e in load_sample(name).expected] == ["complete"]
]


def frames_of(data: bytes) -> list[tuple[bytes, str | None]]:
    """Return the payloads of a stream with their event names."""
    framer = Framer(1 << 26)
    return [(payload, name) for payload, name, _ in [*framer.feed(data), *framer.flush()]]


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=6, deadline=None)
def test_split(name: str, data: Any) -> None:
    """Every split of the bytes gives the same results, and the same problems at the same offsets."""
    stream = load_sample(name).data
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=30).map(sorted))
    split = reducer.Reducer()
    for begin, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        split.feed(stream[begin:end])
    split.close()

    assert split.results == reducer.reduce_all(stream)


# A torn event is not a payload, and JSON that is faulty cannot be written as a dict.
FRAMED = [name for name in SMALL if "torn_tail" not in load_sample(name).expected[0]["problems"]]
FAULTS_OF_JSON = {"lone_surrogate", "not_finite", "invalid_utf8", "control_character"}
DECODABLE = [name for name in FRAMED if not FAULTS_OF_JSON & set(load_sample(name).expected[0]["problems"])]

TERMINAL = ("response.completed", "response.incomplete", "response.failed", "response.cancelled")


def has_terminal_evidence(events: list[Any], dialect: str) -> bool:
    """Return whether the events contain terminal evidence, independent of the code under test."""
    values = [event for event in events if isinstance(event, dict)]
    if dialect == "openai.responses":
        return any(event.get("type") in TERMINAL or event.get("object") == "response" for event in values)
    if dialect == "anthropic.messages":
        return any(event.get("type") in ("message_stop", "message") for event in values)
    if dialect == "gemini.generate":
        values = [event.get("response", event) for event in values]
        if any(event.get("promptFeedback", {}).get("blockReason") for event in values):
            return True
        key, reason = "candidates", "finishReason"
    else:
        if "[DONE]" in events:
            return True
        if any(
            "message" in choice and "delta" not in choice
            for event in values[:1]
            for choice in event.get("choices") or ()
        ):
            return True
        key, reason = "choices", "finish_reason"
    finished: dict[int, bool] = {}
    for event in values:
        for choice in event.get(key) or ():
            index = choice.get("index") or 0
            finished[index] = finished.get(index, False) or bool(choice.get(reason))
    return bool(finished) and all(finished.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", SOUND)
def test_truncation(name: str) -> None:
    """A stream that is cut at any byte is complete if and only if its terminal evidence comes before the cut."""
    stream = load_sample(name).data
    dialect = load_sample(name).expected[0]["dialect"]
    for cut in range(len(stream) + 1):
        result = reducer.reduce(stream[:cut])
        events = [json.loads(p) if p.strip() != DONE else "[DONE]" for p, _ in frames_of(stream[:cut]) if p.strip()]

        assert (result.status == "complete") == has_terminal_evidence(events, dialect), cut


@pytest.mark.parametrize("name", SMALL)
def test_snapshot(name: str) -> None:
    """A snapshot never changes later, and taking it does not change the result."""
    stream = load_sample(name).data
    watched = reducer.Reducer()
    taken: list[tuple[reducer.Result[Any], bytes, Any]] = []
    for at in range(0, len(stream), 97):
        watched.feed(stream[at : at + 97])
        snapshot = watched.snapshot()
        taken.append((snapshot, snapshot.json(), snapshot.to_dict()))
    watched.close()

    assert watched.results == reducer.reduce_all(stream)
    for snapshot, as_json, as_dict in taken:
        assert snapshot.json() == as_json
        assert snapshot.to_dict() == as_dict


@pytest.mark.parametrize(
    ("name", "form"),
    [(name, form) for form in ("bytes", "str") for name in FRAMED] + [(name, "dict") for name in DECODABLE],
)
def test_feed_event(name: str, form: str) -> None:
    """Payloads in any form give the result that the bytes of the stream give."""
    stream = load_sample(name).data
    fed = reducer.Reducer()
    for payload, event in frames_of(stream):
        if form == "str":
            fed.feed_event(payload.decode(), event)
        elif form == "dict" and payload.lstrip().startswith(b"{"):
            fed.feed_event(json.loads(payload), event)
        else:
            fed.feed_event(payload, event)
    fed.close()
    whole = reducer.reduce_all(stream)

    assert [r.status for r in fed.results] == [r.status for r in whole]
    assert [r.to_dict() for r in fed.results] == [r.to_dict() for r in whole]


@pytest.mark.parametrize("name", FRAMED)
def test_reduce_an_iterable(name: str) -> None:
    """An iterable of reads, or of framed payloads, gives the result of the whole stream."""
    stream = load_sample(name).data
    reads = (bytearray(stream[at : at + 100]) for at in range(0, len(stream), 100))
    texts = [payload.decode() for payload, event in frames_of(stream)]

    assert reducer.reduce_all(reads) == reducer.reduce_all(stream)
    if not any(event for _, event in frames_of(stream)):
        assert [r.to_dict() for r in reducer.reduce_all(texts)] == [r.to_dict() for r in reducer.reduce_all(stream)]


def test_reduce_more_than_a_megabyte() -> None:
    """Large data is fed in slices, and their boundaries do not matter."""
    stream = load_sample("openai_chat/several.sse").data * 2000

    assert len(stream) > 1 << 20
    assert reducer.reduce(stream) == reducer.reduce([stream]) == reducer.reduce(memoryview(stream))


@pytest.mark.parametrize("name", [name for name in SMALL if name != "peers/responses-terminal-twice.sse"])
@given(data=st.data())
@settings(max_examples=3, deadline=None)
def test_saved_anywhere(name: str, data: Any) -> None:
    """A state that was saved after any byte gives the same results.

    In the sample that is left out a number comes twice, and after a resume that is a replay (R21).
    """
    stream = load_sample(name).data
    cut = data.draw(st.integers(0, len(stream)))
    saved = reducer.Reducer()
    saved.feed(stream[:cut])
    resumed = reducer.Reducer.resume(saved.save())
    resumed.feed(stream[cut:])
    resumed.close()

    assert resumed.results == reducer.reduce_all(stream)


@given(st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_any_bytes(data: bytes) -> None:
    """Arbitrary bytes give a result, which does not depend on the split."""
    result = reducer.reduce(data)

    assert result.status in ("empty", "truncated", "complete", "failed")
    assert result == reducer.reduce(data[i : i + 1] for i in range(len(data)))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(
        ["choices", "delta", "content", "tool_calls", "index", "id", "function", "arguments", "type", "response", "item",
         "output", "error", "usage", "message", "role", "finish_reason", "text", "candidates", "parts"]), inner, max_size=4),
    max_leaves=12,
)  # fmt: skip


@given(st.lists(json_values, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_json(values: list[Any]) -> None:
    """Arbitrary JSON with the keys of real events gives a result without an internal error."""
    data = b"".join(b"data: " + json.dumps(value).encode() + b"\n\n" for value in values)
    results = reducer.reduce_all(data)

    assert not [p for r in results for p in r.problems if p.code == "internal_error"]
    for result in results:
        json.loads(result.json())
        _ = result.body


def variants(value: Any, others: tuple[Any, ...]) -> Any:
    """Yield copies of a JSON value, each with one of the other values in one place."""
    if isinstance(value, dict):
        for key, entry in value.items():
            for variant in (*others, *variants(entry, others)):
                yield {**value, key: variant}
    elif isinstance(value, list):
        for place, entry in enumerate(value):
            for variant in (*others, *variants(entry, others)):
                yield [*value[:place], variant, *value[place + 1 :]]


@pytest.mark.parametrize("name", [name for name in SMALL if len(load_sample(name).data) < 4000])
def test_values_of_other_types_are_no_internal_errors(name: str) -> None:
    """A value of any event may be a list or an object: the stream has a result, which can be shown in every form."""
    payloads = [payload for payload, _ in frames_of(load_sample(name).data) if payload != DONE]
    events = [json.loads(payload) for payload in payloads if payload.startswith(b"{") and payload.endswith(b"}")]
    for place, event in enumerate(events):
        for variant in variants(event, ([], {}, [{"type": "x"}], 7)):
            result = reducer.reduce([*events[:place], variant, *events[place + 1 :]])
            assert "internal_error" not in [problem.code for problem in result.problems], (place, variant)
            result.view()
            result.row()
