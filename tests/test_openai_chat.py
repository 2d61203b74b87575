"""`openai.chat`: rules that no sample shows. The samples in ``samples/openai_chat`` and ``samples/odd`` show the others."""

from __future__ import annotations

import json

import pytest

import reducer
from tests.test_reducer import STOP, chunk, codes, content, sse


@pytest.mark.parametrize("first", [False, True])
def test_an_event_of_a_text_completion_among_chunks(first: bool) -> None:
    """C43:

    with the name of a chunk, the event is a chunk with a text. Without the name, it is an event of another dialect, and
    counted.
    """
    other = '{"id":"c1",%s"choices":[{"index":0,"text":"t","matched_stop":null}]}'
    named, nameless = other % '"object":"chat.completion.chunk",', other % ""
    if first:
        result = reducer.reduce(sse(named, chunk("b", STOP)))
        assert content(result) == "tb"
        assert result.problems == ()
    else:
        result = reducer.reduce(sse(chunk("a"), nameless, named, chunk("b", STOP)))
        assert content(result) == "atb"
        assert codes(result) == [("unknown_event", 1)]


def test_choices_that_are_no_list_of_objects() -> None:
    """An object counts as a list with one choice. Entries that are neither an object nor null are reported."""
    one = '{"index":0,"delta":{"content":"b"}}'
    payloads = [
        chunk("a"),
        f'{{"id":"c1","choices":[null,7,{one}]}}',
        f'{{"id":"c1","choices":{one}}}',
        chunk("c", STOP),
    ]
    result = reducer.reduce(sse(*payloads), "openai.chat")

    assert content(result) == "abbc"
    assert [(problem.code, problem.event, problem.seen) for problem in result.problems] == [
        ("wrong_type", 1, {"choices": 7}),
        ("wrong_type", 2, {"choices": "object"}),
    ]


CHUNK_WITH_ESCAPES = '{"id":"p","choices":[{"delta":{"content":"it\'s \u00e9"}}]}'
PRINTED = b"data: %b\n\n" % repr(CHUNK_WITH_ESCAPES.encode()).encode()


@pytest.mark.parametrize(
    "wire", [b"data: b'',{[]}\n\n", b"data: b'\\d'\n\n", b"data: b'',1,1,1\n\n", b"data: b'" + b"(" * 9999 + b"\n\n"]
)
@pytest.mark.parametrize("repairs", [(), ("double_prefix",)])
def test_printed_bytes_are_never_evaluated(wire, repairs):
    """S20: broken printed bytes are not JSON; no Python parser evaluates them."""
    assert [problem.code for problem in reducer.reduce(wire, repairs=repairs).problems] == [
        "not_json",
        "unknown_dialect",
    ]


def test_printed_bytes_are_decoded_by_the_repair():
    """S20: the repair `double_prefix` decodes Python's escapes."""
    result = reducer.reduce(PRINTED, repairs=("double_prefix",))
    assert result.to_dict()["choices"][0]["message"]["content"] == "it's \u00e9"
    assert [problem.code for problem in reducer.reduce(PRINTED).problems] == ["repairable"]


@pytest.mark.parametrize("pieces", [2, 150, 1000])
def test_fragments_without_an_id_belong_to_the_last_call(pieces):
    """T2, T4:

    of two calls at one index, the call with the last fragment gets the next one, for every size of the reads.
    """

    def delta(**call):
        entry = {"index": 0, "delta": {"tool_calls": [{"index": 0, **call}]}, "finish_reason": None}
        return b"data: %b\n\n" % json.dumps({"id": "c", "model": "m", "created": 1, "choices": [entry]}).encode()

    wire = delta(id="A", function={"name": "f", "arguments": ""}) + delta(
        id="B", function={"name": "g", "arguments": ""}
    )
    wire += delta(function={"arguments": "x"}) + delta(id="A", function={"arguments": ""})
    wire += b"".join(delta(function={"arguments": f"{number:04}"}) for number in range(pieces))

    def sizes(result):
        calls = result.to_dict()["choices"][0]["message"]["tool_calls"]
        return [(call["id"], len(call["function"]["arguments"])) for call in calls]

    expected = [("A", 4 * pieces), ("B", 1)]
    assert sizes(reducer.reduce(wire)) == expected
    assert sizes(reducer.reduce([wire[at : at + 100] for at in range(0, len(wire), 100)])) == expected
    snapped = reducer.Reducer()
    snapped.feed(wire[: len(wire) // 2])
    snapped.snapshot()
    snapped.feed(wire[len(wire) // 2 :])
    assert sizes(snapped.close()) == expected


@pytest.mark.parametrize("key", ["images", "thinking_blocks", "content"])
def test_first_content_may_be_an_image_or_a_thinking_block(key):
    """Each is content, so the first of them has the time of the first content."""
    entry = "x" if key == "content" else [{"type": key}]
    times = iter(range(10))
    one = reducer.Reducer(clock=lambda: next(times))
    one.feed(sse('{"id":"c1","choices":[{"index":0,"delta":{"role":"assistant"}}]}'))
    one.feed(sse(json.dumps({"id": "c1", "choices": [{"index": 0, "delta": {key: entry}}]})))
    timing = one.close().timing

    assert timing is not None
    assert timing.first_content == 2


def deltas(*values, **more):
    """Return a stream of a chunk for each delta."""
    return sse(*(json.dumps({"id": "c1", **more, "choices": [{"index": 0, "delta": value}]}) for value in values))


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("values", "message"),
    [
        pytest.param(
            [{"foo": {"items": [1]}}, {"foo": {"items": [2]}}], {"foo": {"items": [1, 2]}}, id="list-in-object"
        ),
        pytest.param([{"foo": [1]}, {"foo": [2]}], {"foo": [1, 2]}, id="list"),
        pytest.param(
            [
                {"content": [{"type": "thinking", "thinking": "a"}]},
                {"content": [{"type": "thinking", "thinking": "b"}]},
            ],
            {"content": [{"type": "thinking", "thinking": "ab"}]},
            id="thinking-parts-of-strings",
        ),
        pytest.param(
            [{"images": {"a": 1}}, {"images": [{"b": 1}]}], {"images": [{"a": 1}, {"b": 1}]}, id="image-then-list"
        ),
        pytest.param([{"images": {"a": 1}}], {"images": {"a": 1}}, id="image"),
    ],
)
def test_nothing_of_these_deltas_is_lost(values, message, fast):
    """Decisions 5 and 8: lists inside deltas grow at any depth, and texts of parts join."""
    result = reducer.reduce(deltas(*values), fast=fast)

    assert result.to_dict()["choices"][0]["message"] == {"role": "assistant", "content": None, **message}
    assert [problem.code for problem in result.problems] == ["no_terminal"]


@pytest.mark.parametrize("repairs", [(), ("choice_counter",)])
def test_an_opening_of_a_wrong_type_that_comes_again(repairs):
    """C45: the content of an opening chunk may be of any type."""
    opening = {"role": "assistant", "content": 5}
    data = deltas(opening, {"content": "hi"}, opening) + sse('{"choices":[{"index":0,"delta":{"content":6}}]}')
    result = reducer.reduce(data, repairs=repairs)

    assert content(result) == "hi"
    assert [problem.code for problem in result.problems] == [
        "wrong_type", "wrong_type", "repairable", "wrong_type", "no_terminal"
    ]  # fmt: skip


def test_C21_the_reason_that_is_chosen():
    """A later stop takes no calls back: the problem says what the body says."""
    call = {"tool_calls": [{"index": 0, "id": "call_1", "function": {"name": "f", "arguments": "{}"}}]}
    data = deltas(call) + sse(chunk("", STOP.replace("stop", "tool_calls")), chunk("", STOP))
    result = reducer.reduce(data)

    assert result.to_dict()["choices"][0]["finish_reason"] == "tool_calls"
    assert [(problem.code, problem.chosen) for problem in result.problems] == [("finish_reason_differs", "tool_calls")]


@pytest.mark.parametrize("fast", [True, False])
def test_C27_a_count_of_the_details_that_falls_to_0(fast):
    """The repair keeps nested counts too, and names them."""

    def usage(cached):
        return {"prompt_tokens": 9, "prompt_tokens_details": {"cached_tokens": cached}}

    data = deltas({"content": "a"}, usage=usage(5)) + deltas({"content": "b"}, usage=usage(0))
    as_it_came = reducer.reduce(data, fast=fast)
    repaired = reducer.reduce(data, fast=fast, repairs=["usage_fields"])

    assert as_it_came.to_dict()["usage"] == usage(0)
    assert repaired.to_dict()["usage"] == usage(5)
    assert [problem.code for problem in as_it_came.problems] == ["repairable", "no_terminal"]
    assert [problem.code for problem in repaired.problems] == ["repaired", "no_terminal"]


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("name", ["message_stop", "response.created", "response.output_text.delta"])
@pytest.mark.parametrize(
    ("more", "key"),
    [({"system_fingerprint": "fp"}, "system_fingerprint"), ({"usage": {"prompt_tokens": 1}, "p": "x"}, "usage")],
)
def test_the_name_of_another_dialects_event_says_nothing(name, more, key, fast):
    """In a stream of chunks, a chunk without choices is a chunk whatever its event is called."""
    one = b"event: %b\ndata: %b\n\n" % (name.encode(), json.dumps({"created": 1, **more}).encode())
    result = reducer.reduce(deltas({"content": "a"}, created=1) + one, fast=fast)

    assert result.to_dict()[key] == more[key]
    assert [problem.code for problem in result.problems] == ["no_terminal"]
