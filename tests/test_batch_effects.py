"""Streams on which a batch once merged something other than the event path. Each is named after the effect."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}


def chunk(*deltas: dict[str, Any], choice: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    """Return a chunk; every delta is an entry of its choices, all with index 0."""
    return {**HEAD, **fields, "choices": [{"index": 0, "delta": delta, **(choice or {})} for delta in deltas]}


def sse(*events: dict[str, Any]) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)


def texts(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [chunk({"content": f"{number} "}, **fields) for number in range(count)]


def detail(text: str, **fields: Any) -> dict[str, Any]:
    return {"type": "reasoning.text", "text": text, "index": 0, **fields}


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


def responses_deltas(count: int, number: int) -> list[dict[str, Any]]:
    fields = {"item_id": "i", "output_index": 0, "content_index": 0, "sequence_number": number}
    return [{"type": "response.output_text.delta", "delta": f"{n} ", **fields} for n in range(count)]


STREAMS: dict[str, list[dict[str, Any]]] = {
    "two pieces of one text in an event": [
        *texts(3),
        *[chunk({"content": f"{number}"}, {"content": "b"}) for number in range(300)],
    ],
    "two texts of reasoning details in a delta": [
        chunk({"content": "", "reasoning_details": [detail("a")]}),
        *[chunk({"reasoning_details": [detail(f"{number}"), detail("b")]}) for number in range(300)],
    ],
    "an object that is an error": [*texts(40), chunk({"content": "x"}, object="error"), *texts(40)],
    "an object of another dialect": [
        *texts(40),
        {**HEAD, "object": "text_completion", "choices": [], "usage": {"total_tokens": 3}},
        *texts(2),
    ],
    "an empty provider after another one": [
        *texts(3, provider=""),
        chunk({"content": "x"}, provider="x"),
        chunk({"content": "y"}, provider=""),
        *texts(40, provider=""),
    ],
    "a count that is lost over two usages": [
        chunk({"content": "x"}, usage={"t": 1}),
        chunk({"content": "y"}, usage={"t": 1.5}),
        chunk({"content": "z"}, usage={"x": 1}),
        *texts(40),
    ],
    "an undeclared string after other values": [
        *[chunk({"content": "x", "channel": "final"})] * 3,
        chunk({"content": "y", "channel": ""}),
        chunk({"content": "y", "channel": 7}),
        *[chunk({"content": "z", "channel": "final"})] * 40,
    ],
    "filter results of another type": [
        *[chunk({"content": "x"}, choice={"content_filter_results": {"hate": {"filtered": False}}})] * 3,
        *[chunk({"content": "x"}, choice={"content_filter_results": {"hate": {"filtered": 0}}})] * 40,
    ],
    "deep filter results": [
        chunk({"content": "x"}, choice={"content_filter_results": deep(245)}),
        *[chunk({"content": "x"}, choice={"content_filter_results": deep(3)})] * 32,
        chunk({"content": "x"}, choice={"content_filter_results": deep(245)}),
    ],
    "a null under a key that no delta had": [
        *texts(3),
        chunk({"content": "x"}, choice={"matched_stop": None}),
        chunk({"content": "x"}, choice={"foo": 1}),
        chunk({"content": "x"}, choice={"matched_stop": 5, "finish_reason": "stop"}),
    ],
    "more ids than are remembered": [
        *[chunk({"content": "x"}, id=f"c{number}") for number in range(1100)],
        chunk({}, choice={"finish_reason": "stop"}),
        chunk({"role": "assistant", "content": "y"}, id="c1030"),
    ],
    "a type that is an object": [
        {"type": "response.created", "response": {"id": "r", "object": "response", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": {"type": {}, "id": "i"}},
        {"type": {}},
        *responses_deltas(60, 1),
    ],
}


def outcome(data: bytes, **options: Any) -> list[Any]:
    return [(result, result.json()) for result in reducer.reduce_all(data, **options)]


@pytest.mark.parametrize("name", STREAMS)
def test_batches_have_the_effects_of_the_event_path(name: str, caplog: pytest.LogCaptureFixture) -> None:
    """The results and their JSON are equal, and no batch fails."""
    data = sse(*STREAMS[name])
    assert outcome(data, fast=True) == outcome(data, fast=False)
    assert [record.getMessage() for record in caplog.records if record.levelname == "ERROR"] == []


def test_an_event_after_a_template_can_be_replayed() -> None:
    """R21: a saved state knows the number of the last event, though a template merged it."""
    begin = [
        {"type": "response.created", "sequence_number": 0, "response": {"id": "r", "object": "response", "output": []}},
        {
            "type": "response.output_item.added",
            "sequence_number": 60,
            "output_index": 0,
            "item": {"id": "i", "type": "message", "role": "assistant", "content": []},
        },
    ]
    results = []
    for fast in (True, False):
        first = reducer.Reducer(fast=fast)
        first.feed(sse(*begin, *responses_deltas(60, 70)))
        second = reducer.Reducer.resume(first.save())
        second.feed(sse(*responses_deltas(1, 65), *responses_deltas(1, 71)))
        results.append(second.close())
    assert results[0] == results[1]


@pytest.mark.parametrize("fast", [True, False])
def test_the_name_of_another_dialects_event_does_not_change_a_chunk(fast):
    """A chunk whose framing names an event of Responses is a chunk, on both paths."""
    chunks = [
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta}]}
        for delta in ({"role": "assistant", "content": ""}, {"content": "a"}, {"content": "b"}, {"content": "c"})
    ]  # fmt: skip
    wire = b"".join(
        b"%bdata: %b\n\n" % (b"event: response.created\n" if place == 2 else b"", json.dumps(chunk).encode())
        for place, chunk in enumerate(chunks)
    )
    result = reducer.reduce(wire, fast=fast)
    assert result.to_dict()["choices"][0]["message"]["content"] == "abc"
    assert [problem.code for problem in result.problems] == ["no_terminal"]
