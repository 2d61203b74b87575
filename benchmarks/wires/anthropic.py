"""Anthropic's Messages, with the blanks that it puts before an event's last brace."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random
from typing import Any

from benchmarks.streams import ID
from benchmarks.wires._sse import encoded
from benchmarks.words import Words, mixed

_USAGE = {"input_tokens": 24, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0, "output_tokens": 1}


def text(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """A message of one text block, with a ping now and then."""
    pieces = ({"type": "text_delta", "text": piece} for piece in words(rng, deltas))
    return _message(rng, {"type": "text", "text": ""}, pieces, "end_turn")


def tool(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """A message of one tool's input."""
    values = (encoded(piece)[1:-1].decode() for piece in words(rng, deltas - 2))
    pieces = ({"type": "input_json_delta", "partial_json": piece} for piece in ('{"text": "', *values, '"}'))
    block = {"type": "tool_use", "id": f"toolu_01{ID}{ID[:6]}", "name": "write", "input": {}}
    return _message(rng, block, pieces, "tool_use")


def _message(rng: Random, block: dict[str, Any], pieces: Iterable[dict[str, Any]], reason: str) -> bytes:
    message = {
        "model": "claude-sonnet-4-6",
        "id": f"msg_01{ID}{ID[:6]}",
        "type": "message",
        "role": "assistant",
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**_USAGE, "service_tier": "standard"},
    }
    stop = {"stop_reason": reason, "stop_sequence": None}
    events = [
        _padded(rng, {"type": "message_start", "message": message}),
        _padded(rng, {"type": "content_block_start", "index": 0, "content_block": block}),
    ]
    for number, delta in enumerate(pieces):
        if number % 250 == 0:
            events.append(b'event: ping\ndata: {"type": "ping"}\n\n')
        events.append(_padded(rng, {"type": "content_block_delta", "index": 0, "delta": delta}))
    events += [
        _padded(rng, {"type": "content_block_stop", "index": 0}),
        _padded(rng, {"type": "message_delta", "delta": stop, "usage": {**_USAGE, "output_tokens": 1023}}),
        _padded(rng, {"type": "message_stop"}),
    ]
    return b"".join(events)


def _padded(rng: Random, event: dict[str, Any]) -> bytes:
    json = encoded(event)
    return b"event: %b\ndata: %b%b}\n\n" % (event["type"].encode(), json[:-1], b" " * rng.randrange(15))
