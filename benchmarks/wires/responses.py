"""Responses, as OpenAI sends them."""

from __future__ import annotations

from random import Random
from typing import Any

from benchmarks.streams import CREATED, ID
from benchmarks.wires._sse import named
from benchmarks.words import Words, arguments, mixed, padding, pieces

Events = list[dict[str, Any]]


def text(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """A message, complete with its done events and the terminal event."""
    message = _message(rng, 0, words(rng, deltas))
    return _response([message])


def reasoning_and_tools(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Two summaries of reasoning, a message and three function calls."""
    share = deltas // 6
    items = [_reasoning(rng, 0, [words(rng, share), words(rng, share)]), _message(rng, 1, words(rng, share))]
    items += [_function_call(rng, index, arguments(rng, 4 * share)) for index in (2, 3, 4)]
    return _response(items)


def terminal(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Nothing but the first and the last event, which has 1,000 bytes a delta asked for."""
    output: list[Any] = []
    for place in range(max(deltas // 10, 1)):
        message = _message(rng, 3 * place, ["".join(words(rng, 700))])[-1]["item"]
        sites = [{"type": "url", "url": f"https://example.org/{place}/{n}"} for n in range(20)]
        action = {"type": "search", "query": "".join(words(rng, 8)), "sources": sites}
        search = {"id": f"ws_{ID}{place:04}", "type": "web_search_call", "status": "completed", "action": action}
        call = _function_call(rng, 3 * place + 1, arguments(rng, 4000), most=4000)[-1]["item"]
        output += [search, call, message]
    return named(_numbered([_envelope("created", "in_progress", []), _envelope("completed", "completed", output)]))


def _response(items: list[Events]) -> bytes:
    events = [_envelope("created", "in_progress", []), _envelope("in_progress", "in_progress", [])]
    events += [event for item in items for event in item]
    events.append(_envelope("completed", "completed", [item[-1]["item"] for item in items]))
    return named(_numbered(events))


def _numbered(events: Events) -> Events:
    for number, event in enumerate(events):
        event["sequence_number"] = number
    return events


def _event(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "sequence_number": 0, **fields}


def _message(rng: Random, index: int, texts: list[str]) -> Events:
    item = {
        "id": f"msg_{ID}{ID}{index:04}",
        "type": "message",
        "status": "in_progress",
        "content": [],
        "role": "assistant",
    }
    place = {"item_id": item["id"], "output_index": index, "content_index": 0}
    empty = {"type": "output_text", "annotations": [], "logprobs": [], "text": ""}
    part = {**empty, "text": "".join(texts)}
    beside = [{"delta": piece, "logprobs": [], "obfuscation": padding(rng)} for piece in texts]
    return [
        _event("output_item.added", output_index=index, item=item),
        _event("content_part.added", **place, part=empty),
        *(_event("output_text.delta", **place, **fields) for fields in beside),
        _event("output_text.done", **place, text=part["text"], logprobs=[]),
        _event("content_part.done", **place, part=part),
        _event("output_item.done", output_index=index, item={**item, "status": "completed", "content": [part]}),
    ]


def _reasoning(rng: Random, index: int, summaries: list[list[str]]) -> Events:
    item = {"id": f"rs_{ID}{ID}{index:04}", "type": "reasoning", "summary": []}
    events = [_event("output_item.added", output_index=index, item=item)]
    parts = []
    for number, texts in enumerate(summaries):
        place = {"item_id": item["id"], "output_index": index, "summary_index": number}
        part = {"type": "summary_text", "text": "".join(texts)}
        events.append(_event("reasoning_summary_part.added", **place, part={"type": "summary_text", "text": ""}))
        deltas = [{"delta": piece, "obfuscation": padding(rng)} for piece in texts]
        events += [_event("reasoning_summary_text.delta", **place, **fields) for fields in deltas]
        events.append(_event("reasoning_summary_text.done", **place, text=part["text"]))
        events.append(_event("reasoning_summary_part.done", **place, part=part))
        parts.append(part)
    return [*events, _event("output_item.done", output_index=index, item={**item, "summary": parts})]


def _function_call(rng: Random, index: int, text: str, most: int = 7) -> Events:
    item = {
        "id": f"fc_{ID}{ID}{index:04}",
        "type": "function_call",
        "status": "in_progress",
        "arguments": "",
        "call_id": f"call_{ID}{index:04}",
        "name": f"look_up_{index}",
    }
    place = {"item_id": item["id"], "output_index": index}
    deltas = [{"delta": piece, "obfuscation": padding(rng)} for piece in pieces(rng, text, 1, most)]
    return [
        _event("output_item.added", output_index=index, item=item),
        *(_event("function_call_arguments.delta", **place, **fields) for fields in deltas),
        _event("function_call_arguments.done", **place, arguments=text),
        _event("output_item.done", output_index=index, item={**item, "status": "completed", "arguments": text}),
    ]


def _envelope(kind: str, status: str, output: list[Any]) -> dict[str, Any]:
    over = status == "completed"
    details = {"input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}}
    usage = {"input_tokens": 24, "output_tokens": 1023, "total_tokens": 1047, **details}
    response = {
        "id": f"resp_{ID}{ID}{ID}",
        "object": "response",
        "created_at": CREATED,
        "status": status,
        "background": False,
        "completed_at": CREATED if over else None,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "gpt-5-mini-2025-08-07",
        "output": output,
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "prompt_cache_key": None,
        "reasoning": {"effort": "medium", "summary": "detailed"},
        "safety_identifier": None,
        "service_tier": "default" if over else "auto",
        "store": True,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": usage if over else None,
        "user": None,
        "metadata": {},
    }
    return _event(kind, response=response)
