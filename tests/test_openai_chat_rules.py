"""Chat: rules that concern what a host sees beside the body, and streams that must be merged in batches."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from reducer.dialects import openai_chat, openai_completions
from reducer.dialects.contract import Options, report_nothing
from reducer.responses import Responses

HEAD = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m"}
LEGACY = {**HEAD, "object": "text_completion"}
OPTIONS = Options(reducer.Limits(), frozenset(), frozenset())


def chunk(delta: dict[str, Any], finish: str | None = None, index: int = 0, **fields: Any) -> dict[str, Any]:
    return {**HEAD, "choices": [{"index": index, "delta": delta, "finish_reason": finish}], **fields}


def called(index: int | None, arguments: str | None = None, **fields: Any) -> dict[str, Any]:
    """Return an entry of a delta's tool calls; ``name`` goes to the function."""
    function = {"name": fields.pop("name", None), "arguments": arguments}
    function = {key: value for key, value in function.items() if value is not None}
    place = {} if index is None else {"index": index}
    return {**place, **fields, **({"function": function} if function else {})}


def calls(*entries: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return chunk({"tool_calls": list(entries)}, **fields)


def sse(*events: dict[str, Any], done: bool = True) -> bytes:
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events)
    return data + b"data: [DONE]\n\n" if done else data


def reduced(*events: dict[str, Any], done: bool = True, **options: Any) -> reducer.Result[Any]:
    """Return the result of both paths, which are equal."""
    data = sse(*events, done=done)
    result, other = (reducer.reduce(data, fast=fast, **options) for fast in (True, False))
    assert (result, result.json()) == (other, other.json())
    return result


def message(result: reducer.Result[Any]) -> dict[str, Any]:
    return json.loads(result.json())["choices"][0]["message"]  # type: ignore[no-any-return]


def codes(result: reducer.Result[Any]) -> list[str]:
    return [problem.code for problem in result.problems]


# -- calls that the wire has not closed --------------------------------------------------------------


def state_after(*events: dict[str, Any], done: bool = False) -> Any:
    state = openai_chat.DIALECT.new_state(OPTIONS, report_nothing)
    for event in events:
        state.handlers["chunk"](state, event)
    if done:
        state.handlers["[DONE]"](state, {})
    return state


def test_calls_without_finish_reason_are_incomplete() -> None:
    """They are named by their places in the body, whatever their index; arguments that are whole JSON prove nothing."""
    events = [
        chunk({"content": "x"}, "stop", index=0),
        calls(called(5, "{}", id="b", name="g"), index=2),
        calls(called(3, '{"a', id="a", name="f"), index=2),
        chunk({"function_call": {"name": "h", "arguments": "[1"}}, index=4),
        calls({"index": 0, "id": "c", "custom": {"name": "free", "input": "text"}}, index=5),
    ]

    found = openai_chat.incomplete_calls(state_after(*events))

    assert found == {(1, 0): '{"a', (1, 1): "{}", (2, 0): "[1", (3, 0): "text"}


def test_a_nameless_fragment_belongs_to_the_incomplete_call_that_it_continues() -> None:
    events = [calls(called(0, "", id="a", name="f")), calls(called(0, '{"a"', id="b"))]

    assert openai_chat.incomplete_calls(state_after(*events)) == {(0, 0): '{"a"'}


def test_a_call_of_a_message_without_finish_reason_is_incomplete() -> None:
    entry = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    event = {**HEAD, "choices": [{"index": 0, "delta": {}, "message": {"tool_calls": [entry]}}]}

    assert openai_chat.incomplete_calls(state_after(event)) == {(0, 0): "{}"}


@pytest.mark.parametrize("end", ["finish reason", "[DONE]"])
def test_a_call_is_closed_by(end: str) -> None:
    events = [calls(called(0, "{}", id="a", name="f"))]
    if end == "finish reason":
        events.append(chunk({}, "tool_calls"))

    assert openai_chat.incomplete_calls(state_after(*events, done=end == "[DONE]")) == {}


def test_no_call_of_a_whole_body_is_incomplete() -> None:
    state = state_after()
    body = {**HEAD, "choices": [{"index": 0, "message": {"tool_calls": [{"id": "a", "function": {"name": "f"}}]}}]}
    openai_chat.DIALECT.take_body(state, body)
    state.whole = body

    assert openai_chat.incomplete_calls(state) == {}


def test_legacy_completions_have_no_calls() -> None:
    state = openai_completions.DIALECT.new_state(OPTIONS, report_nothing)

    assert openai_completions.DIALECT.incomplete_calls(state) == {}


# -- the resolver ------------------------------------------------------------------------------------


def test_another_name_is_reported_once() -> None:
    """A server that repeats the other name with every fragment fills no list of problems."""
    result = reduced(
        calls(called(0, '{"a": "', id="a", name="f")),
        *[calls(called(0, "x", name="g")) for _ in range(50)],
        calls(called(0, '"}')),
        chunk({}, "tool_calls"),
    )

    assert codes(result) == ["name_differs"]
    assert message(result)["tool_calls"][0]["function"]["name"] == "f"


def test_the_whole_name_replaces_its_beginning_whatever_the_order_of_keys() -> None:
    result = reduced(
        calls(called(0, None, id="a", name="get")),
        calls({"index": 0, "id": "a", "function": {"arguments": "{}", "name": "get_weather"}}),
        chunk({}, "tool_calls"),
    )

    assert message(result)["tool_calls"][0]["function"] == {"name": "get_weather", "arguments": "{}"}


def test_fragments_with_fresh_ids_and_without_an_index_are_one_call() -> None:
    result = reduced(
        calls(called(None, "", id="a", name="f")),
        calls(called(None, '{"x"', id="b", extra=1)),
        calls(called(None, ":1}", id="c")),
        chunk({}, "tool_calls"),
    )

    function = {"name": "f", "arguments": '{"x":1}'}
    assert message(result)["tool_calls"] == [{"id": "a", "type": "function", "function": function, "extra": 1}]
    assert codes(result) == ["id_differs"]


def test_a_snapshot_does_not_join_calls_in_the_state() -> None:
    """A name that comes after a snapshot makes the fragment a call of its own."""
    one: reducer.Reducer[Any] = reducer.Reducer()
    one.feed(sse(calls(called(0, "", id="a", name="f")), calls(called(0, "{}", id="b")), done=False))
    assert len(message(one.snapshot())["tool_calls"]) == 1
    one.feed(sse(calls(called(0, "", id="b", name="g")), chunk({}, "tool_calls")))

    assert [call["id"] for call in message(one.close())["tool_calls"]] == ["a", "b"]


def test_arguments_once_more_are_found_in_batches() -> None:
    """The last piece is the last of a batch, too."""
    pieces = ['{"text": "', *["word "] * 100, '"}']
    result = reduced(
        calls(called(0, "", id="a", name="f")),
        *[calls(called(0, piece)) for piece in [*pieces, "".join(pieces), ""]],
        chunk({}, "tool_calls"),
    )

    assert codes(result) == ["repairable"]


# -- where another response begins -------------------------------------------------------------------


@pytest.mark.parametrize(
    "delta", [{"role": "assistant"}, {"content": "y"}, {"reasoning": "y"}, {"tool_calls": [{"index": 0, "id": "b"}]}]
)
def test_another_response_begins_after_the_end_marker(delta: dict[str, Any]) -> None:
    """With a role or content, at any index."""
    data = sse(chunk({"content": "x"}, "stop")) + sse(chunk(delta, "stop", index=3, id="d"))

    assert len(reducer.reduce_all(data)) == 2


def test_late_filter_results_after_the_end_marker_begin_no_response() -> None:
    data = sse(chunk({"content": "x"}, "stop")) + sse(chunk({"content": ""}, id="d"))

    assert len(reducer.reduce_all(data)) == 1


def test_a_text_completion_begins_where_a_choice_has_ended() -> None:
    """Another choice need not have ended."""

    def text(ident: str, index: int, finish: str | None) -> dict[str, Any]:
        return {**LEGACY, "id": ident, "choices": [{"index": index, "text": "x", "finish_reason": finish}]}

    data = sse(text("c", 0, "stop"), text("c", 1, None), text("d", 0, "stop"))

    assert [result.status for result in reducer.reduce_all(data)] == ["truncated", "complete"]


@pytest.mark.parametrize("event", [{"response": "x"}, {"type": "x"}, {"usage": {"input_tokens": 3}}, {"usage": 5}])
def test_a_usage_of_another_wire_is_no_chat(event: dict[str, Any]) -> None:
    """Only a usage with nothing but what every chunk has belongs to Chat."""
    result = reducer.reduce(sse({"usage": {"prompt_tokens": 3}, **event}))

    assert result.dialect is None


# -- a whole message beside deltas -------------------------------------------------------------------


def test_calls_of_a_whole_message_fill_what_the_deltas_lacked() -> None:
    """An empty content is then null, as beside calls in deltas (decision 6)."""
    entry = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    whole = {"role": "assistant", "content": None, "tool_calls": [{"index": 0, **entry}]}
    result = reduced(
        chunk({"role": "assistant", "content": "", "reasoning": "plan"}),
        {**HEAD, "choices": [{"index": 0, "message": whole, "finish_reason": "tool_calls"}]},
    )

    assert message(result) == {"role": "assistant", "content": None, "reasoning": "plan", "tool_calls": [entry]}


def test_a_later_stop_does_not_take_back_the_calls_of_a_whole_message() -> None:
    entry = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    whole = {"role": "assistant", "content": None, "tool_calls": [entry]}
    result = reduced(
        {**HEAD, "choices": [{"index": 0, "message": whole, "finish_reason": "tool_calls"}], "usage": {}},
        chunk({}, "stop"),
    )

    assert json.loads(result.json())["choices"][0]["finish_reason"] == "tool_calls"


def test_a_delta_is_not_replaced_by_an_empty_value_of_a_whole_message() -> None:
    whole = {"role": "assistant", "content": "x", "annotations": None, "name": "", "flag": False}
    result = reduced(
        chunk({"annotations": [{"type": "url"}], "name": "N"}),
        {**HEAD, "choices": [{"index": 0, "message": whole, "finish_reason": "stop"}]},
    )

    assert message(result) == {**whole, "annotations": [{"type": "url"}], "name": "N"}


# -- texts under undeclared keys ---------------------------------------------------------------------


def test_text_keys_reach_nested_keys() -> None:
    """In a delta, in an entry of a list by index, and in a call's function."""
    result = reduced(
        chunk({"content": "x", "fields": {"note": "a", "list": [{"index": 0, "t": "x"}]}}),
        calls(called(0, "{}", id="a", name="f")),
        calls({"index": 0, "function": {"sign": "p"}}),
        calls({"index": 0, "function": {"sign": "q"}}),
        chunk({"fields": {"note": "b", "list": [{"index": 0, "t": "y"}]}}, "tool_calls"),
        text_keys=["fields.note", "fields.list.t", "function.sign"],
    )

    body = message(result)
    assert body["fields"] == {"note": "ab", "list": [{"index": 0, "t": "xy"}]}
    assert body["tool_calls"][0]["function"]["sign"] == "pq"
    assert codes(result) == []


def test_undeclared_strings_of_a_call_are_reported_when_the_stream_failed() -> None:
    result = reduced(
        calls(called(0, "{}", id="a", name="f", sign="p")),
        calls(called(0, sign="q")),
        {"error": {"message": "overloaded"}},
        done=False,
    )

    assert (result.status, codes(result)) == ("failed", ["undeclared_text"])


@pytest.mark.parametrize(
    "values",
    [
        ("thinking_blocks", [{"type": "thinking", "thinking": 5}], [{"type": "thinking", "thinking": "x"}]),
        ("reasoning_details", [{"type": "t", "text": [5]}], [{"type": "t", "text": "x"}]),
        ("content", [{"type": "text", "text": 5}], [{"type": "text", "text": "x"}]),
        ("audio", {"data": 5, "transcript": [1]}, {"data": "eA==", "transcript": "x"}),
    ],
    ids=lambda values: values[0],
)
def test_a_text_of_another_type_costs_no_event(values: tuple[str, Any, Any]) -> None:
    key, *pieces = values
    result = reduced(*[chunk({key: piece}) for piece in pieces], chunk({}, "stop"))

    assert "internal_error" not in codes(result)
    assert "x" in json.dumps(message(result)[key])


# -- batches -----------------------------------------------------------------------------------------

USAGES = [{"prompt_tokens": 5, "completion_tokens": number, "total_tokens": number + 5} for number in range(400)]


def with_usage_in_every_other(kind: str) -> list[dict[str, Any]]:
    texts = [chunk({"content": f"{number} "}) for number in range(400)]
    if kind == "legacy":
        texts = [{**LEGACY, "choices": [{"index": 0, "text": f"{n} ", "finish_reason": None}]} for n in range(400)]
    pairs = list(zip(texts, USAGES, strict=True))
    if kind == "alone":
        return [event for text, usage in pairs for event in (text, {**HEAD, "usage": usage})]
    if kind == "empty choices":
        return [event for text, usage in pairs for event in (text, {**HEAD, "choices": [], "usage": usage})]
    return [{**text, "usage": usage} if number % 2 else text for number, (text, usage) in enumerate(pairs)]


@pytest.mark.parametrize("kind", ["beside the text", "empty choices", "alone", "legacy"])
def test_usage_in_every_other_chunk_stays_in_batches(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = sse(*with_usage_in_every_other(kind))
    merged: list[bytes] = []
    merge_payload = Responses.merge_payload

    def counted(self: Responses, payload: bytes, name: str | None) -> None:
        merged.append(payload)
        merge_payload(self, payload, name)

    monkeypatch.setattr(Responses, "merge_payload", counted)
    result = reducer.reduce(data)

    assert len(merged) < 20
    assert result == reducer.reduce(data, fast=False)
    assert json.loads(result.json())["usage"] == USAGES[399]


@pytest.mark.parametrize("head", [{}, {"object": "text_completion"}], ids=["chat", "legacy"])
def test_an_empty_model_stays_in_batches_too(head: dict[str, Any]) -> None:
    """Where the model is empty in all chunks but the first, which has none."""
    choice: dict[str, Any] = {"index": 0, "finish_reason": None}
    choice |= {"text": "x"} if head else {"delta": {"content": "x"}}
    first = {key: value for key, value in HEAD.items() if key != "model"} | head | {"choices": [choice]}
    result = reduced(first, first, *[{**first, "model": ""} for _ in range(60)])

    assert json.loads(result.json())["model"] == ""
