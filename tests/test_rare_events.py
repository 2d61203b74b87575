"""Rare orders and values of events, in every dialect: both paths give the same right result."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from reducer.dialects.openai_chat.fast import TEXTS
from reducer.fast.templates import Template, _template_of

Events = list[dict[str, Any]]


def sse(*events: Any) -> bytes:
    return b"".join(
        b"data: %b\n\n" % (event.encode() if isinstance(event, str) else json.dumps(event).encode()) for event in events
    )


def both(*events: Any, **options: Any) -> list[reducer.Result]:
    """Reduce events by both paths, which must agree; return the results."""
    results = reducer.reduce_all(sse(*events), **options)
    assert results == reducer.reduce_all(sse(*events), fast=False, **options)
    assert [result.json() for result in results] == [
        result.json() for result in reducer.reduce_all(sse(*events), fast=False, **options)
    ]
    return results


def codes(result: reducer.Result) -> list[str]:
    return [problem.code for problem in result.problems]


# -- Chat ----------------------------------------------------------------------------------------


def chunk(delta: Any, **choice: Any) -> dict[str, Any]:
    return {"id": "c1", "created": 1, "model": "m", "choices": [{"index": 0, "delta": delta, **choice}]}


def call(index: int | None, arguments: Any = None, **more: Any) -> dict[str, Any]:
    name = more.pop("name", None)
    function = {"name": name} if name else {}
    if arguments is not None:
        function["arguments"] = arguments
    return chunk({"tool_calls": [{"index": index, "function": function, **more}]})


def calls_of(result: reducer.Result) -> list[tuple[Any, Any, Any]]:
    calls = result.to_dict()["choices"][0]["message"]["tool_calls"]
    return [(one.get("id"), one["function"].get("name"), one["function"]["arguments"]) for one in calls]


@pytest.mark.parametrize("fast", [True, False])
def test_calls_of_one_index_that_alternate_with_another(fast: bool) -> None:
    """The index has two calls, and the older one was continued last by its id: its pieces go on with it."""
    one = reducer.Reducer(fast=fast)
    for events in (
        [call(0, "", id="A", name="f"), call(0, "", id="B", name="g"), call(1, "", id="C", name="h")],
        [call(1, "c") for _ in range(64)],
        [call(0, "1", id="A")],
        [call(0, "2")],
        [call(number % 2, "x") for number in range(8)],
    ):
        one.feed(sse(*events))
        one.snapshot()

    assert calls_of(one.close()) == [("A", "f", "12x"), ("B", "g", "xxx"), ("C", "h", "c" * 64 + "xxxx")]


def test_an_id_that_comes_after_the_first_piece_of_its_index() -> None:
    """A batch leaves a call that does not begin with its opener to the event path."""
    events = [call(0, "", id="A", name="f"), *[call(0, "a") for _ in range(4)], call(1, "b")]
    (result,) = both(*events, call(1, "c", id="B", name="g"), *[call(1, "d") for _ in range(4)])

    assert calls_of(result) == [("A", "f", "aaaa"), ("B", "g", "bcdddd")]


def test_an_empty_string_after_arguments_as_an_object() -> None:
    """T15: it takes nothing back."""
    (result,) = both(call(0, {"a": 1}, id="A", name="f"), call(0, ""), call(0, ""))

    assert calls_of(result) == [("A", "f", '{"a":1}')]


def test_a_body_after_the_end_begins_another_response() -> None:
    """Decision 12: its choice has a message in place of a delta."""
    body = {"id": "c2", "choices": [{"index": 0, "message": {"role": "assistant", "content": "b"}}]}
    results = both(chunk({"role": "assistant", "content": "a"}), "[DONE]", body)

    assert [result.to_dict()["choices"][0]["message"]["content"] for result in results] == ["a", "b"]


def test_an_empty_field_beside_a_whole_message() -> None:
    """C16: it takes nothing back."""
    whole = chunk({"note": ""}, message={"role": "assistant", "content": "a", "note": "n"})
    (result,) = both({**whole, "object": "chat.completion.chunk"})

    assert result.to_dict()["choices"][0]["message"] == {"role": "assistant", "content": "a", "note": "n"}


def test_a_text_key_whose_value_is_no_text_later() -> None:
    """What was joined stays."""
    (result,) = both(chunk({"note": "a"}), chunk({"note": 5}), chunk({"note": "b"}), text_keys=["note"])

    assert result.to_dict()["choices"][0]["message"]["note"] == "ab"


def test_a_number_of_thousands_of_digits_under_a_declared_key() -> None:
    """S22: keys of any type take it."""
    digits = "7" * 4301
    text = json.dumps({**chunk({"content": "a"}), "metadata": 0}).replace('"metadata": 0', f'"metadata": {digits}')
    (result,) = both(text, chunk({"content": "b"}))

    assert b'"metadata":' + digits.encode() in result.json()


@pytest.mark.parametrize("size", [10, 100])
def test_rule_5_with_long_arguments(size: int) -> None:
    """A second name opens a call only after whole arguments, however long and in whatever pieces they come."""
    text = json.dumps({"a": "}" * size, "b": ["\\", '"', {}]})
    pieces = [call(0, piece) for piece in (text[:5], text[5:9], text[9:-2], text[-2:])]
    opener = call(0, "", id="A", name="f")
    (whole,) = both(opener, *pieces, call(0, text, name="f"))
    (cut,) = both(opener, *pieces[:-1], call(0, "", name="f"), pieces[-1])
    (more,) = both(opener, *pieces, call(0, "x"), call(0, "", name="f"), call(0, "", name="f"))

    assert calls_of(whole) == [("A", "f", text), (None, "f", text)]
    assert calls_of(cut) == [("A", "f", text)]
    assert calls_of(more) == [("A", "f", text + "x")]


def test_rule_5_with_arguments_that_are_repeated_whole() -> None:
    """With `cumulative`, each piece replaces the one before: the shorter text is scanned anew."""
    texts = ['{"a":"%s' % ("x" * size) for size in (80, 90)]
    opener = call(0, "", id="A", name="f")
    events = [opener, call(0, texts[1]), call(0, "", name="f"), call(0, texts[1] + '"}'), call(0, "{}", name="g")]
    (result,) = both(*events, repairs=["cumulative"])

    assert calls_of(result) == [("A", "f", texts[1] + '"}'), (None, "g", "{}")]


def test_rule_5_with_brackets_that_close_too_early_or_hold_a_line_end() -> None:
    """What is no JSON is never whole."""
    opener = call(0, "", id="A", name="f")
    for text in ('{"a":"' + "x" * 80 + '\n"}', '{"a" "' + "x" * 80 + '"}', "x" * 80, '"' + "x" * 80 + '"'):
        (result,) = both(opener, call(0, text), call(0, "{}", name="f"))
        assert calls_of(result) == [("A", "f", text + "{}")]


@pytest.mark.parametrize(
    ("calls", "reasons", "body"),
    [
        (False, ["tool_calls", "stop"], "stop"),
        (True, ["tool_calls", "stop"], "tool_calls"),
        (True, ["tool_calls", "length", "stop"], "tool_calls"),
        (True, ["stop", "length"], "length"),
    ],
)
def test_the_reason_that_a_problem_says_was_chosen(calls: bool, reasons: list[str], body: str) -> None:
    """C21: it is that of the body."""
    first = call(0, "{}", id="A", name="f") if calls else chunk({"content": "a"})
    (result,) = both(first, *[chunk({}, finish_reason=reason) for reason in reasons])

    assert result.to_dict()["choices"][0]["finish_reason"] == body
    assert result.problems[-1].chosen == body


def test_a_counter_gives_each_chunk_one_choice() -> None:
    """C11: several choices in one chunk are several."""
    choices = [{"index": index, "delta": {"content": letter}} for index, letter in enumerate("abc")]
    (result,) = both({**chunk({}), "choices": choices}, repairs=["choice_counter"])

    assert [choice["message"]["content"] for choice in result.to_dict()["choices"]] == ["a", "b", "c"]


# -- templates -----------------------------------------------------------------------------------


def test_a_template_needs_probes_that_come_back() -> None:
    """A text that is found in another place than its own makes no template, nor do two texts of one key."""
    payload = b'{"content":"a","x":{"content":"a"}}'
    one = ("content", lambda pieces: None, ["a"])

    assert _template_of(TEXTS, payload, [one], lambda other: None) is None
    assert _template_of(TEXTS, payload, [one], lambda other: [one]) is None
    assert _template_of(TEXTS, payload, [one, one], lambda other: [one, one]) is None


def test_a_template_stops_where_a_constant_is_missing() -> None:
    """Without the first constant, nothing is left for the second one."""
    template = Template(TEXTS, b"<", [b"|", b"/"], b">", ["a", "b", "c"])

    assert [list(column) for column in template.columns([b"<1>", b"<2>"])] == [[], []]
    assert [list(column) for column in template.columns([b"<1|2/3>", b"<4>"])] == [[b"1"], [b"2"], [b"3"]]


# -- Responses -----------------------------------------------------------------------------------


def response(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", **more}


CREATED = response("created", response={"id": "r", "object": "response", "status": "in_progress", "output": []})


def output(*events: dict[str, Any]) -> list[Any]:
    (result,) = both(CREATED, *events)
    assert "internal_error" not in codes(result)
    return result.to_dict()["output"]


def test_an_item_of_another_type_at_an_index_that_was_taken() -> None:
    """R9: it is another item."""
    first = response("output_item.added", output_index=0, item={"id": "a", "type": "reasoning", "summary": []})
    second = response("output_item.added", output_index=0, item={"id": "b", "type": "function_call", "call_id": "c"})

    assert [item["type"] for item in output(first, second)] == ["reasoning", "function_call"]


def test_an_item_that_is_added_in_the_place_that_a_null_kept() -> None:
    """R10: the place is its own."""
    empty = response("output_item.added", output_index=0, item=None)
    added = response("output_item.added", output_index=0, item={"id": "a", "type": "reasoning", "summary": []})

    assert output(empty, added) == [{"id": "a", "type": "reasoning", "summary": []}]


def test_a_reasoning_part_of_an_unknown_type() -> None:
    """The event's name says that the item is reasoning."""
    part = response("reasoning_part.added", output_index=0, content_index=0, part={"type": "vendor_part", "text": "x"})

    assert output(part)[0] == {"type": "reasoning", "content": [{"type": "vendor_part", "text": "x"}]}


def test_a_command_that_is_added_after_its_item_was_done() -> None:
    """It adds nothing."""
    item = {"id": "s", "type": "shell_call", "status": "completed", "action": {"commands": ["ls"]}}
    done = response("output_item.done", output_index=0, item=item)
    added = response("shell_call_command.added", output_index=0, command_index=1, command="rm")

    assert output(done, added)[0]["action"] == {"commands": ["ls"]}


def test_annotations_by_index() -> None:
    """An index that is taken counts from the end; equal means equal in type."""
    at = {"item_id": "m", "output_index": 0, "content_index": 0}

    def annotation(value: Any, index: Any = None) -> dict[str, Any]:
        return response("output_text.annotation.added", **at, annotation=value, annotation_index=index)

    part = {"type": "output_text", "text": "", "annotations": [{"n": 1}]}
    item = {"id": "m", "type": "message", "role": "assistant", "content": [part]}
    added = response("output_item.added", output_index=0, item=item)
    events = [annotation({"n": True}, 5), annotation({"n": 2}, 0), annotation({"n": 1}), annotation(None, 9)]

    assert output(added, *events)[0]["content"][0]["annotations"] == [{"n": 1}, {"n": True}, {"n": 2}]


@pytest.mark.parametrize("index", [2**31, 2**61 - 1, 10**30])
def test_an_index_that_is_too_large_is_none(index: int) -> None:
    """Dicts of such integers could take quadratic time."""
    at = {"item_id": "m", "output_index": index, "content_index": index}
    deltas = [response("output_text.delta", **at, delta=letter) for letter in "abc"]
    (result,) = both(CREATED, *deltas)

    assert result.to_dict()["output"][0]["content"][0]["text"] == "abc"
    assert codes(result).count("wrong_type") == 6
    known = {"item_id": "m", "output_index": 0, "content_index": 0}
    deltas = [response("output_text.delta", **known, delta=letter) for letter in "abc"]
    (result,) = both(CREATED, *deltas, response("output_text.delta", **{**known, "output_index": index}, delta="d"))
    assert (result.to_dict()["output"][0]["content"][0]["text"], codes(result).count("wrong_type")) == ("abcd", 1)
    (chat,) = both(call(index, "", id="A", name="f"), *[call(index, "x") for _ in range(4)])
    assert calls_of(chat) == [("A", "f", "xxxx")]
    (choice,) = both(*[{**chunk({}), "choices": [{"index": index, "delta": {"content": "x"}}]} for _ in range(4)])
    assert choice.to_dict()["choices"][0]["index"] == 0


@pytest.mark.parametrize("kind", ["content_part.added", "output_text.delta"])
def test_parts_past_the_limit(kind: str) -> None:
    """Parts count like items, each item's by themselves."""
    at = {"item_id": "m", "output_index": 0}
    parts = [
        response(kind, **at, content_index=index, part={"type": "output_text", "text": "x"}, delta="x")
        for index in (0, 5, 10, 15)
    ]
    (result,) = both(CREATED, *parts, limits=reducer.Limits(max_items=3))

    assert len(result.to_dict()["output"][0]["content"]) == 3
    assert codes(result) == ["limit_items", "no_terminal"]


def test_parts_of_a_whole_item_after_one_that_began_later() -> None:
    """R10: the n-th part is the n-th that came, and further parts come after it."""
    delta = response("output_text.delta", item_id="m", output_index=0, content_index=2, delta="A")
    parts = [{"type": "output_text", "text": text} for text in "AB"]
    item = {"id": "m", "type": "message", "role": "assistant", "content": parts}

    assert output(delta, response("output_item.done", output_index=0, item=item))[0]["content"] == parts


def test_a_refusal_that_is_added_at_the_index_of_a_text() -> None:
    """It is a part of its own, and the text stays."""
    at = {"item_id": "m", "output_index": 0, "content_index": 0}
    events = [
        response("output_text.delta", **at, delta="Hi"),
        response("content_part.added", **at, part={"type": "refusal", "refusal": ""}),
        response("refusal.delta", **at, delta="No"),
    ]

    assert output(*events)[0]["content"] == [
        {"type": "output_text", "text": "Hi"},
        {"type": "refusal", "refusal": "No"},
    ]


def test_an_open_item_that_the_terminal_event_lacks() -> None:
    """It is left out, and reported."""
    text = response("output_text.delta", item_id="m", output_index=0, content_index=0, delta="Hi")
    last = {"id": "r", "status": "completed", "output": [{"type": "reasoning", "id": "s", "summary": []}]}
    (result,) = both(CREATED, text, response("completed", response=last))

    assert [item["type"] for item in result.to_dict()["output"]] == ["reasoning"]
    assert [(problem.code, problem.seen) for problem in result.problems] == [("item_missing", "m")]


def test_terminal_items_without_ids_go_to_the_first_free_slots_of_their_type() -> None:
    """An item with a call id takes no slot of another call; one without takes any."""
    items = [{"type": "function_call", "call_id": ident, "name": ident or "?"} for ident in ("a", "b", None, "c")]
    added = [
        response("output_item.added", output_index=place, item={"id": f"i{place}", **item})
        for place, item in enumerate(items)
    ]
    last = [
        {"type": "function_call", "call_id": "z", "name": "z"},
        {"type": "function_call", "name": "free"},
        {"type": "function_call", "call_id": "c", "name": "c"},
        {"type": "function_call", "call_id": "y", "name": "y"},
        "text",
    ]
    done = response("completed", response={"id": "r", "status": "completed", "output": last})

    assert [item["name"] for item in output(*added, done)[:4]] == ["z", "free", "c", "y"]


# -- Anthropic -----------------------------------------------------------------------------------


def message(ident: str | None = "msg_1", **more: Any) -> dict[str, Any]:
    named = {} if ident is None else {"id": ident}
    return {**named, "type": "message", "role": "assistant", "model": "m", "content": [], "usage": {}, **more}


def start(index: int, **block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": "text", "text": "", **block}}


def delta(index: int, **more: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": more}


START = {"type": "message_start", "message": message()}


def test_a_whole_message_with_an_id_amid_events() -> None:
    """That of this message is compared, any other is another response."""
    whole = message(content=[{"type": "text", "text": "other"}])
    results = both(START, start(0, text="a"), whole)
    assert [codes(result) for result in results] == [["sources_differ", "no_terminal"]]
    results = both(START, start(0, text="a"), {**whole, "id": "msg_2"})
    assert [result.to_dict()["id"] for result in results] == ["msg_1", "msg_2"]


def test_input_that_is_nested_too_deep_and_cut() -> None:
    """The check for a cut does not raise."""
    block = start(0, type="tool_use", id="t", name="f", input={})
    (result,) = both(START, block, delta(0, type="input_json_delta", partial_json="[" * 5000))

    assert "internal_error" not in codes(result)


def test_more_blocks_than_the_limit_in_one_batch() -> None:
    """The event path reports it."""
    blocks = [event for index in range(6) for event in (start(index), {"type": "content_block_stop", "index": index})]
    (result,) = both(START, *blocks, limits=reducer.Limits(max_items=4))

    assert len(result.to_dict()["content"]) == 4
    assert "limit_items" in codes(result)


def test_blocks_before_anything_has_begun() -> None:
    """An end comes first; then blocks without a message."""
    events = [delta(0, type="text_delta", text=letter) for letter in "abcd"]
    (result,) = both({"type": "message_stop"}, *events, dialect="anthropic.messages")

    assert result.to_dict()["content"] == [{"type": "text", "text": "abcd"}]


def test_a_signature_that_is_empty() -> None:
    """A8: it takes none back."""
    block = start(0, type="thinking", thinking="", signature="s")
    (result,) = both(START, block, *[delta(0, type="signature_delta", signature="") for _ in range(3)])

    assert result.to_dict()["content"][0]["signature"] == "s"


# -- Gemini --------------------------------------------------------------------------------------


def test_another_finish_reason_in_a_batch() -> None:
    """G3: it differs from the one before."""

    def candidate(text: str, **more: Any) -> dict[str, Any]:
        return {"candidates": [{"index": 0, "content": {"role": "model", "parts": [{"text": text}]}, **more}]}

    events = [candidate("a"), candidate("b", finishReason="STOP"), *[candidate("c") for _ in range(3)]]
    (result,) = both(*events, candidate("d", finishReason="MAX_TOKENS"))

    assert result.to_dict()["candidates"][0]["finishReason"] == "MAX_TOKENS"
    assert codes(result) == ["finish_reason_differs"]


def test_pieces_of_calls_that_open_one_another_are_limited() -> None:
    """After the piece that closes a call, each further piece of the chunk opens one."""

    def parts(*calls: dict[str, Any]) -> dict[str, Any]:
        content = {"role": "model", "parts": [{"functionCall": one} for one in calls]}
        return {"candidates": [{"index": 0, "content": content}]}

    pieces = [{"args": {"x": 1}}] * 30
    limits = reducer.Limits(max_calls=10)
    (result,) = both(parts({"name": "f", "willContinue": True}), parts(*pieces), limits=limits)

    assert "limit_calls" in codes(result)
    assert len(result.to_dict()["candidates"][0]["content"]["parts"]) == 1


# -- detection -----------------------------------------------------------------------------------


@pytest.mark.parametrize("beat", [{"type": "ping"}, {}])
def test_a_heartbeat_decides_no_dialect(beat: dict[str, Any]) -> None:
    """C7: nor do empty choices after it."""
    text = {"id": "c", "choices": [{"index": 0, "text": "Hi", "finish_reason": "stop"}]}
    (result,) = both(beat, {"id": "c", "choices": []}, text)

    assert (result.dialect, result.to_dict()["choices"][0]["text"]) == ("openai.completions", "Hi")


# -- several responses, and times ----------------------------------------------------------------


def test_a_response_that_was_taken_and_begins_again() -> None:
    """Its stream id then has another response, and the one that was taken is not given again."""

    def created(ident: str) -> dict[str, Any]:
        body = {"id": ident, "object": "response", "status": "in_progress", "output": []}
        return {**response("created", response=body), "stream_id": "s"}

    done = {**response("completed", response={"id": "a", "status": "completed", "output": []}), "stream_id": "s"}
    one = reducer.Reducer()
    one.feed(sse(created("a"), done))
    assert [result.to_dict()["id"] for result in one.take_results()] == ["a"]
    one.feed(sse(created("b")))
    assert one.take_results() == []
    one.close()
    assert [result.to_dict()["id"] for result in one.results] == ["b"]


def test_times_of_payloads_without_framing() -> None:
    """The clock is asked for each; each response has its own times."""
    ticks = iter(range(0, 1000, 10))
    one = reducer.Reducer(clock=lambda: next(ticks))
    for event in (chunk({"role": "assistant", "content": "a"}, finish_reason="stop"), "[DONE]"):
        one.feed_event(event)
    one.feed_event({**chunk({"role": "assistant", "content": "b"}), "id": "c2"})
    one.feed_event({**chunk({"content": "b"}, finish_reason="stop"), "id": "c2"})
    one.close()
    first, second = (result.timing for result in one.results)

    assert first is not None
    assert second is not None
    assert (first.first_byte, first.first_content, first.gaps) == (10, 10, (10,))
    assert (second.first_byte, second.first_content, second.gaps) == (30, 30, (10,))


def test_only_the_last_response_ends_with_the_stream() -> None:
    """The others end with their last read."""
    ticks = iter(range(0, 1000, 10))
    one = reducer.Reducer(clock=lambda: next(ticks))
    for ident in ("c1", "c2"):
        one.feed(sse({**chunk({"role": "assistant", "content": "a"}, finish_reason="stop"), "id": ident}))
    one.close()

    assert [result.timing.end for result in one.results if result.timing is not None] == [10, 30]


def test_a_payload_past_the_limit_without_framing() -> None:
    """It is dropped like an event."""
    one = reducer.Reducer(limits=reducer.Limits(max_event_bytes=200))
    for event in (
        chunk({"content": "a"}),
        chunk({"content": "b" * 200}),
        chunk({"content": "c"}, finish_reason="stop"),
    ):
        one.feed_event(event)
    result = one.close()

    assert (result.status, result.to_dict()["choices"][0]["message"]["content"]) == ("truncated", "ac")
    assert codes(result) == ["limit_event_bytes"]
