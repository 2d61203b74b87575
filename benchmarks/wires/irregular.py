"""Irregular streams: neighbouring events differ. The batch path must not make them slower.

All are vLLM's text with changes; each maker is named after its change.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

from benchmarks.streams import ID
from benchmarks.wires import chat
from benchmarks.wires._sse import DONE, unnamed
from benchmarks.words import Words, mixed

Chunk = dict[str, Any]


def key_orders(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every object has its keys in an order of its own."""
    return _spoilt(rng, deltas, words, lambda number, chunk: _shuffled(rng, chunk))


def own_ids(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every chunk has an id of its own, as some compound models send them."""
    return _spoilt(rng, deltas, words, lambda number, chunk: {**chunk, "id": f"{ID}-{number}"})


def running_usage(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every chunk has the usage so far."""
    return _spoilt(
        rng, deltas, words, lambda number, chunk: {**chunk, "usage": {"prompt_tokens": 24, "completion_tokens": number}}
    )


def unknown_fields(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every third chunk has a field that nobody declared."""
    return _spoilt(
        rng, deltas, words, lambda number, chunk: {**chunk, "trace": {"n": number}} if number % 3 == 0 else chunk
    )


def two_texts(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Deltas of the reasoning and of the content alternate."""
    return _spoilt(rng, deltas, words, _turned)


def broken_runs(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """After one to six equal chunks comes one without choices."""
    return _spoilt(rng, deltas, words, lambda number, chunk: {**chunk, "choices": []} if rng.random() < 0.3 else chunk)


def blanks(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every other chunk has a blank after its colons and commas."""
    chunks = _chunks(rng, deltas, words)
    lines = [
        json.dumps(c, ensure_ascii=False, separators=(", ", ": ") if n % 2 else (",", ":"))
        for n, c in enumerate(chunks)
    ]
    return b"".join(b"data: %b\n\n" % line.encode() for line in lines) + DONE


def imitations(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Every text imitates the bytes around texts, and ends in a quote or a backslash."""
    bait = ['"},"logprobs":', '"delta":{"content":"', '\n\ndata: {"id":"', '\\"}', '","', "\\", '"']
    return _spoilt(rng, deltas, lambda rng, count: rng.choices(bait, k=count), lambda number, chunk: chunk)


def comments(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """A comment stands before every other chunk."""
    events = [unnamed([chunk]) for chunk in _chunks(rng, deltas, words)]
    return b"".join(b": keep-alive\n\n" + event if n % 2 else event for n, event in enumerate(events)) + DONE


def two_models(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Chunks of two lengths alternate: a router names the provider that it asked."""
    return _spoilt(
        rng, deltas, words, lambda number, chunk: {**chunk, "provider": ("DeepInfra", "Fireworks")[number % 2]}
    )


def _spoilt(rng: Random, deltas: int, words: Words, spoil: Callable[[int, Chunk], Chunk]) -> bytes:
    return unnamed(spoil(number, chunk) for number, chunk in enumerate(_chunks(rng, deltas, words))) + DONE


def _chunks(rng: Random, deltas: int, words: Words) -> list[Chunk]:
    """Make vLLM's chunks; the finish reason is in the last."""
    events = chat.vllm(rng, deltas, words).removesuffix(DONE).split(b"\n\n")
    chunks = [json.loads(event.removeprefix(b"data: ")) for event in events if event]
    return chunks[:-1]


def _turned(number: int, chunk: Chunk) -> Chunk:
    choice = chunk["choices"][0]
    delta = choice["delta"]
    if number % 2 and "content" in delta:
        delta = {"reasoning_content": delta["content"]}
    return {**chunk, "choices": [{**choice, "delta": delta}]}


def _shuffled(rng: Random, value: Any) -> Any:
    if isinstance(value, list):
        return [_shuffled(rng, entry) for entry in value]
    if not isinstance(value, dict):
        return value
    return {key: _shuffled(rng, value[key]) for key in rng.sample(list(value), len(value))}


MAKERS = {
    maker.__name__.replace("_", "-"): maker
    for maker in (
        key_orders, own_ids, running_usage, unknown_fields, two_texts, broken_runs, blanks, imitations, comments,
        two_models,
    )
}  # fmt: skip
