"""Streams that try to cost more than their bytes. Each function makes one of ``n`` events, values or bytes.

At its first size, every stream is within its limits. `INPUTS` names them with the options of the `Reducer` that reads them.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import reducer

Reads = Iterator[bytes]


class Input(NamedTuple):
    """One kind of hostile stream."""

    make: Callable[[int], Reads]
    first: int  # the n that the growth test begins with
    options: dict[str, Any]


INPUTS: dict[str, Input] = {}


def kind(first: int, **options: Any) -> Callable[[Callable[[int], Reads]], Callable[[int], Reads]]:
    """Register a kind under the name of its function."""

    def register(make: Callable[[int], Reads]) -> Callable[[int], Reads]:
        INPUTS[make.__name__] = Input(make, first, options)
        return make

    return register


def sse(event: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(event, separators=(",", ":")).encode()


def chunk(delta: dict[str, Any], ident: str = "c", **more: Any) -> bytes:
    choice = {"index": 0, "delta": delta, **more}
    return sse({"id": ident, "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]})


def call(arguments: str, **more: Any) -> bytes:
    return chunk({"tool_calls": [{"index": 0, "function": {"arguments": arguments, **more}}]})


def response(kind: str, **more: Any) -> bytes:
    return sse({"type": f"response.{kind}", **more})


def opened() -> Reads:
    yield response("created", response={"id": "r", "object": "response", "status": "in_progress", "output": []})
    item = {"type": "message", "id": "i", "role": "assistant", "content": []}
    yield response("output_item.added", output_index=0, item=item)


AT = {"item_id": "i", "output_index": 0, "content_index": 0}


# -- lines ---------------------------------------------------------------------------------------


def repeated(name: str, unit: bytes, first: int = 200_000) -> None:
    """Register a stream of one unit again and again, in reads of 64 KiB."""

    def make(n: int) -> Reads:
        data = unit * (n // len(unit))
        return (data[at : at + 65_536] for at in range(0, len(data), 65_536))

    INPUTS[name] = Input(make, first, {})


for name, unit in {
    "newlines": b"\n",
    "carriage_returns": b"\r",
    "comments": b":\n",
    "heartbeats": b": hb\n\n",
    "ids": b"id: 1\n\n",
    "names_alone": b"event: x\n\n",
    "names_in_a_row": b"event: a\nevent: b\n",
    "stray_lines": b"x\n",
    "stray_brackets": b"}]\n",
    "empty_data_lines": b"data:\n",
    "data_lines_of_one_event": b"data:ab\n",
    "objects_cut_at_lines": b'{"a":"\n',
    "byte_order_marks": b"\xef\xbb\xbf\n",
    "open_braces_alone": b"{\n",
    "arrays_in_arrays": b"[[",
    "lists_of_open_objects": b"[{\n",
    "empty_events": b"data:\n\n",
    "end_markers": b"data: [DONE]\n\n",
    "errors": b"error: x\n",
    "nulls": b"data: null\n\n",
    "objects_on_lines": b"{}\n",
    "open_braces": b"data: {\n",
    "bare_objects": b"{}",
    "events_that_are_no_json": b"data: x\n\n",
    "mixed_line_ends": b'data: {"type":"ping"}\n\ndata: {"type":"ping"}\r\n\r\n',
    "binary": b"\0",
}.items():
    repeated(name, unit)


@kind(200_000)
def scalars_of_an_array(n: int) -> Reads:
    yield b"[{},"
    for _ in range(n // 10_000):
        yield b"1," * 5_000


@kind(100_000)
def one_event_byte_by_byte(n: int) -> Reads:
    head, _, tail = chunk({"content": "Q"}).partition(b"Q")
    yield head
    for _ in range(n):
        yield b"x"
    yield tail


# -- several responses ---------------------------------------------------------------------------


@kind(2_000)
def responses_in_a_row(n: int) -> Reads:
    return (chunk({"role": "assistant", "content": "x"}, f"c{i}", finish_reason="stop") for i in range(n))


@kind(1_000)
def responses_of_one_stream_id(n: int) -> Reads:
    for number in range(n):
        yield response("created", stream_id=f"s{number}", response={"id": f"q{number}"})
    for number in range(n):
        yield response("created", stream_id="s0", response={"id": f"r{number}"})


# -- Chat ----------------------------------------------------------------------------------------


@kind(2_000)
def names_of_an_open_call(n: int) -> Reads:
    yield chunk({"tool_calls": [{"index": 0, "id": "i", "function": {"name": "f", "arguments": '{"a":"'}}]})
    for _ in range(n // 10):
        yield call("x" * 1000)
    for _ in range(n):
        yield call("", name="f")


@kind(4_000)
def names_of_a_growing_call(n: int) -> Reads:
    yield chunk({"tool_calls": [{"index": 0, "id": "i", "function": {"name": "f", "arguments": '{"a":"'}}]})
    for _ in range(n):
        yield call("}" * 20, name="f")


@kind(5_000)
def an_undeclared_list(n: int) -> Reads:
    return (chunk({"x": [number]}) for number in range(n))


@kind(5_000, limits=reducer.Limits(max_retained_bytes=2048))
def undeclared_strings_near_the_limit(n: int) -> Reads:
    return (chunk({"x": f"ab{number}"}) for number in range(n))


@kind(20_000)
def an_undeclared_list_in_one_event(n: int) -> Reads:
    yield chunk({"x": list(range(n))})


@kind(5_000)
def annotations(n: int) -> Reads:
    return (chunk({"annotations": [{"a": number}]}) for number in range(n))


@kind(5_000)
def thinking_blocks(n: int) -> Reads:
    return (chunk({"thinking_blocks": [{"type": "thinking", "thinking": "x" * 50}]}) for _ in range(n))


@kind(5_000)
def finish_reasons(n: int) -> Reads:
    return (chunk({"content": "x"}, finish_reason=f"f{number}") for number in range(n))


@kind(2_000, repairs=["usage_fields"])
def usage_of_many_fields(n: int) -> Reads:
    first = json.loads(chunk({"content": "x"})[6:])
    yield sse({**first, "usage": {f"k{number}": 1 for number in range(n)}})
    for _ in range(n):
        yield sse({**first, "usage": {"a": 1}})


@kind(5_000)
def token_ids(n: int) -> Reads:
    return (chunk({"content": "x"}, token_ids=[number]) for number in range(n))


@kind(5_000)
def calls_by_turns(n: int) -> Reads:
    for number in range(n):
        first = {"id": f"i{number}", "type": "function"} if number < 100 else {}
        yield chunk({"tool_calls": [{"index": number % 100, **first, "function": {"arguments": "x"}}]})


@kind(5_000)
def calls_by_turns_of_ids(n: int) -> Reads:
    return (chunk({"tool_calls": [{"id": f"i{number % 100}", "function": {"arguments": "x"}}]}) for number in range(n))


@kind(5_000)
def refused_calls_in_one_event(n: int) -> Reads:
    for number in range(1024):
        yield chunk({"tool_calls": [{"index": number, "id": f"i{number}", "function": {"name": "f"}}]})
    yield chunk({"tool_calls": [{"index": 5000 + number} for number in range(n)]})


@kind(5_000)
def details_of_two_types_by_turns(n: int) -> Reads:
    return (chunk({"reasoning_details": [{"type": "ab"[number % 2], "text": "x"}]}) for number in range(n))


@kind(5_000)
def undeclared_keys(n: int) -> Reads:
    return (chunk({f"k{number}": "v"}) for number in range(n))


@kind(5_000)
def an_undeclared_string(n: int) -> Reads:
    return (chunk({"x": f"ab{number}"}) for number in range(n))


@kind(5_000)
def audio(n: int) -> Reads:
    return (chunk({"audio": {"data": "abcd"}}) for _ in range(n))


@kind(5_000)
def filters_by_turns(n: int) -> Reads:
    for number in range(n):
        yield chunk({"content": "x"}, content_filter_results={"hate": {"filtered": bool(number % 2)}})


@kind(20_000)
def empty_objects_in_one_event(n: int) -> Reads:
    yield chunk({"content": "x", "zz": [{}] * n})


@kind(10_000)
def details_in_one_event(n: int) -> Reads:
    yield chunk({"reasoning_details": [{"type": "ab"[number % 2]} for number in range(n)]})


@kind(1_000)
def lone_surrogates(n: int) -> Reads:
    return (chunk({"content": "\ud800" * 50}) for _ in range(n))


@kind(1_000)
def invalid_utf8(n: int) -> Reads:
    event = chunk({"content": "QQ"}).replace(b"QQ", b"\xff" * 100)
    return (event for _ in range(n))


@kind(1_000)
def control_characters(n: int) -> Reads:
    event = chunk({"content": "QQ"}).replace(b"QQ", b"\x01" * 100)
    return (event for _ in range(n))


@kind(200)
def deep_values(n: int) -> Reads:
    event = chunk({"x": "QQ"}).replace(b'"QQ"', b'{"a":' * 240 + b"1" + b"}" * 240)
    return (event for _ in range(n))


@kind(100_000)
def digits(n: int) -> Reads:
    yield chunk({"content": "x"}, y="QQ").replace(b'"QQ"', b"7" * n)


@kind(5_000)
def broken_templates(n: int) -> Reads:
    for number in range(n):
        yield chunk({"content": "w"}, **({} if number % 70 else {"zz": number}))


@kind(5_000)
def texts_of_four_kinds_by_turns(n: int) -> Reads:
    kinds = [{"content": "w"}, {"reasoning": "r"}, {"refusal": "x"}, {"reasoning_content": "t"}]
    return (chunk(kinds[number % 4]) for number in range(n))


@kind(2_000, strict=True)
def strict_responses(n: int) -> Reads:
    return responses_in_a_row(n)


@kind(5_000, repairs=["cumulative"])
def cumulative_texts(n: int) -> Reads:
    return (chunk({"content": "x"}) for _ in range(n))


@kind(200_000)
def a_string_of_quotes_that_nothing_closes(n: int) -> Reads:
    yield b'data: {"a":"' + b'\\"' * (n // 2) + b"\n\n"


@kind(2_000, repairs=["duplicate_chunks"])
def repeated_sequences(n: int) -> Reads:
    for number in range(n // 100):
        for place in range(100 + number % 90):
            yield chunk({"content": f"w{place}"})


@kind(2_000, repairs=["choice_counter"])
def counted_choices(n: int) -> Reads:
    for number in range(n):
        yield chunk({"content": "x"}).replace(b'"index":0', b'"index":%d' % number)


@kind(2_000, repairs=["split_names"])
def split_names(n: int) -> Reads:
    for number in range(n):
        yield chunk({"tool_calls": [{"index": 0, "id": "i", "function": {"name": f"n{number}"}}]})


@kind(5_000, repairs=["double_prefix"])
def doubled_prefixes(n: int) -> Reads:
    return (b"data: " + chunk({"content": "x"}) for _ in range(n))


@kind(4_000, clock=time.monotonic_ns)
def events_without_content_by_the_clock(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        item = {"type": "message", "id": f"i{number}", "role": "assistant", "content": []}
        yield response("output_item.added", output_index=number, item=item)


# -- Completions ---------------------------------------------------------------------------------


@kind(5_000)
def logprobs_of_completions(n: int) -> Reads:
    for number in range(n):
        logprobs = {"tokens": ["x"], "token_logprobs": [-0.5], "text_offset": [number], "top_logprobs": [{"x": -0.5}]}
        yield sse(
            {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "x", "logprobs": logprobs}]}
        )


# -- Responses -----------------------------------------------------------------------------------


@kind(2_000)
def annotations_of_a_part(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        yield response("output_text.annotation.added", **AT, annotation_index=number, annotation={"url": f"u{number}"})


@kind(1_500)
def parts_without_an_index(n: int) -> Reads:
    yield from opened()
    for _ in range(n):
        yield response("content_part.added", item_id="i", output_index=0, part={"type": "output_text", "text": "x"})


@kind(1_000)
def empty_done_events(n: int) -> Reads:
    yield from opened()
    for _ in range(n // 4):
        yield response("output_text.delta", **AT, delta="x" * 1000)
    for number in range(n):
        yield response("output_text.done", **AT, text="x" * (number % 3))


@kind(2_000)
def indices_with_one_hash(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        yield response("output_text.delta", **{**AT, "content_index": number * (2**61 - 1)}, delta="x")


@kind(2_000)
def a_terminal_output_of_other_calls(n: int) -> Reads:
    yield from opened()
    for number in range(min(n, 4000)):
        item = {"type": "function_call", "id": f"i{number}", "call_id": "z"}
        yield response("output_item.added", output_index=number, item=item)
    output = [{"type": "function_call", "call_id": f"c{number}"} for number in range(n)]
    yield response("completed", response={"id": "r", "output": output})


@kind(5_000)
def parts_of_an_item(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        yield response("output_text.delta", **{**AT, "content_index": number}, delta="x")


@kind(5_000)
def parts_of_a_done_item(n: int) -> Reads:
    yield from opened()
    item = {"type": "message", "id": "a", "content": [{}] * n}
    yield response("output_item.done", output_index=0, item=item)


@kind(1_000)
def shorter_done_texts(n: int) -> Reads:
    yield from opened()
    for _ in range(n):
        yield response("output_text.delta", **AT, delta="x" * 1000)
    for _ in range(256):
        yield response("output_text.done", **AT, text="x")


@kind(5_000)
def rotating_ids(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        yield response("output_text.delta", **{**AT, "item_id": f"id{number}"}, delta="w")


def items(count: int, kind: str) -> Reads:
    yield from opened()
    for number in range(1, count):
        yield response("output_item.added", output_index=number, item={"type": kind, "id": f"i{number}"})


@kind(5_000)
def deltas_of_no_item(n: int) -> Reads:
    yield from items(4_096, "reasoning")
    for _ in range(n):
        yield response("output_text.delta", delta="w")


@kind(5_000)
def done_items_of_no_slot(n: int) -> Reads:
    yield from items(4_096, "reasoning")
    for _ in range(n):
        yield response("output_item.done", output_index=5_000, item={"type": "message"})


@kind(2_000)
def items_in_front(n: int) -> Reads:
    """Each item stands before all that came."""
    for number in range(n):
        item = {"type": "message", "id": f"i{number}", "content": []}
        yield response("output_item.added", output_index=n - number, item=item)


@kind(5_000)
def texts_and_refusals_of_one_index(n: int) -> Reads:
    yield from opened()
    for number in range(n):
        yield response(("output_text.delta", "refusal.delta")[number % 2], **AT, delta="w")


@kind(50)
def unknown_events(n: int) -> Reads:
    return (sse({"type": f"vendor.{number}", "data": "x" * 100_000}) for number in range(n))


# -- Anthropic -----------------------------------------------------------------------------------


def started() -> Reads:
    message = {"id": "m", "type": "message", "role": "assistant", "model": "c", "content": [], "usage": {}}
    yield sse({"type": "message_start", "message": message})


@kind(5_000)
def citations(n: int) -> Reads:
    yield from started()
    for number in range(n):
        delta = {"type": "citations_delta", "citation": {"a": number}}
        yield sse({"type": "content_block_delta", "index": 0, "delta": delta})


@kind(5_000)
def unknown_deltas(n: int) -> Reads:
    yield from started()
    for number in range(n):
        yield sse({"type": "content_block_delta", "index": 0, "delta": {"type": f"u{number}", f"k{number}": "x"}})


@kind(5_000)
def blocks_that_start_again(n: int) -> Reads:
    yield from started()
    for number in range(n):
        block = {"type": "text", "text": "", f"k{number}": 1}
        yield sse({"type": "content_block_start", "index": 0, "content_block": block})


@kind(5_000)
def message_deltas(n: int) -> Reads:
    yield from started()
    for number in range(n):
        yield sse({"type": "message_delta", "delta": {f"k{number}": 1}, "usage": {f"u{number}": 1}})


@kind(5_000)
def pieces_of_a_tool_input(n: int) -> Reads:
    yield from started()
    block = {"type": "tool_use", "id": "t", "name": "f", "input": {}}
    yield sse({"type": "content_block_start", "index": 0, "content_block": block})
    for _ in range(n):
        delta = {"type": "input_json_delta", "partial_json": '{"a":'}
        yield sse({"type": "content_block_delta", "index": 0, "delta": delta})


# -- Gemini --------------------------------------------------------------------------------------


def candidate(*parts: dict[str, Any]) -> bytes:
    return sse({"candidates": [{"content": {"parts": list(parts), "role": "model"}, "index": 0}]})


def arguments(*entries: dict[str, Any], **more: Any) -> bytes:
    return candidate({"functionCall": {**more, "willContinue": True, "partialArgs": list(entries)}})


@kind(5_000)
def gaps_of_one_event(n: int) -> Reads:
    yield arguments(*({"jsonPath": f"$.k{number}[128]", "numberValue": 1} for number in range(n)), name="f")


@kind(2_000)
def gaps_of_many_events(n: int) -> Reads:
    for number in range(n):
        yield arguments({"jsonPath": f"$.k{number}[128]", "numberValue": 1}, **({} if number else {"name": "f"}))


@kind(200)
def deep_paths(n: int) -> Reads:
    yield arguments(name="f")
    for number in range(n):
        yield arguments({"jsonPath": "$.k" + "[0]" * 200 + f".k{number}", "numberValue": 1})


@kind(5_000, limits=reducer.Limits(max_items=1 << 20))  # what is dropped past the limit costs more than what is merged
def parts_of_two_kinds_by_turns(n: int) -> Reads:
    return (candidate({"text": "x", **({"thought": True} if number % 2 else {})}) for number in range(n))


@kind(5_000)
def pieces_of_an_argument(n: int) -> Reads:
    yield arguments(name="f")
    for _ in range(n):
        yield arguments({"jsonPath": "$.a", "stringValue": "x" * 100})


@kind(100_000)
def an_array_in_small_reads(n: int) -> Reads:
    event = candidate({"text": "w"})[6:-2]
    data = b"[" + b",\n".join([event] * (n // len(event))) + b"]"
    return (data[at : at + 100] for at in range(0, len(data), 100))
