"""The decode floor: msgspec decodes every payload into structs that declare each field that reaches the body.

Nothing else is done: the payloads are framed before, and the events are dropped. A part with a fixed shape is a struct;
a part that is open, or that comes once a stream and is carried whole (usage, items, responses), is a dict. A field that
no body has is not declared, so msgspec skips it (obfuscation and sequence numbers, for example).
"""

from __future__ import annotations

from typing import Any

import msgspec

from benchmarks.contenders import Mode
from benchmarks.streams import Stream


def version() -> str:
    """Return msgspec's version."""
    return f"msgspec {msgspec.__version__}"


def modes(dialect: str) -> dict[str, Mode]:
    """Return the only mode; each stream names its dialect."""
    return {"decode": Mode(lambda stream: (stream.payloads(), DECODE[stream.dialect]), _decode)}


def _decode(prepared: tuple[list[bytes], Any]) -> None:
    payloads, decode = prepared
    for payload in payloads:
        decode(payload)


def is_readable(stream: Stream) -> bool:
    """Whether every payload fits the structs: a few samples have what no typed decoder accepts."""
    try:
        return all(DECODE[stream.dialect](payload) is not None for payload in stream.payloads())
    except ValueError:
        return False


class Shape(msgspec.Struct, gc=False):
    """A part of an event. No cycle can form, so the collector need not look at it."""


# -- openai.chat, openai.completions ---------------------------------------------------------------


class Candidate(Shape):
    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None


class Token(Shape):
    token: str | None = None
    logprob: float | None = None
    bytes: list[int] | None = None
    top_logprobs: list[Candidate] | None = None


class Logprobs(Shape):
    content: list[Token] | None = None
    refusal: list[Token] | None = None


class Function(Shape):
    name: str | None = None
    arguments: str | None = None


class Call(Shape):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: Function | None = None


class Detail(Shape):
    type: str | None = None
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None
    id: str | None = None
    format: str | None = None
    index: int | None = None


class Filter(Shape):
    filtered: bool | None = None
    detected: bool | None = None
    severity: str | None = None


class Delta(Shape):
    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[Detail] | None = None
    tool_calls: list[Call] | None = None


class Choice(Shape):
    index: int | None = None
    delta: Delta | None = None
    logprobs: Logprobs | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    content_filter_results: dict[str, Filter] | None = None


class Chunk(Shape):
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[Choice] | None = None
    usage: dict[str, Any] | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    provider: str | None = None
    prompt_filter_results: list[Any] | None = None


class TextChoice(Shape):
    index: int | None = None
    text: str | None = None
    logprobs: dict[str, Any] | None = None
    finish_reason: str | None = None


class TextChunk(Shape):
    id: str | None = None
    object: str | None = None
    created: int | None = None
    model: str | None = None
    choices: list[TextChoice] | None = None
    usage: dict[str, Any] | None = None
    system_fingerprint: str | None = None


# -- openai.responses ------------------------------------------------------------------------------


class ResponseEvent(Shape):
    type: str | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    summary_index: int | None = None
    delta: str | None = None
    logprobs: list[Token] | None = None
    text: str | None = None
    arguments: str | None = None
    part: dict[str, Any] | None = None
    item: dict[str, Any] | None = None
    response: dict[str, Any] | None = None


# -- anthropic.messages ----------------------------------------------------------------------------


class BlockDelta(Shape):
    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    partial_json: str | None = None
    citation: dict[str, Any] | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class MessageEvent(Shape):
    type: str | None = None
    index: int | None = None
    delta: BlockDelta | None = None
    content_block: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None


# -- gemini.generate -------------------------------------------------------------------------------


class Part(Shape, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: dict[str, Any] | None = None


class Content(Shape):
    parts: list[Part] | None = None
    role: str | None = None


class Answer(Shape, rename="camel"):
    index: int | None = None
    content: Content | None = None
    finish_reason: str | None = None
    safety_ratings: list[Any] | None = None
    citation_metadata: dict[str, Any] | None = None
    grounding_metadata: dict[str, Any] | None = None


class Modality(Shape, rename="camel"):
    modality: str | None = None
    token_count: int | None = None


class GeminiUsage(Shape, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    thoughts_token_count: int | None = None
    prompt_tokens_details: list[Modality] | None = None
    candidates_tokens_details: list[Modality] | None = None


class GeminiChunk(Shape, rename="camel"):
    candidates: list[Answer] | None = None
    usage_metadata: GeminiUsage | None = None
    prompt_feedback: dict[str, Any] | None = None
    model_version: str | None = None
    response_id: str | None = None


DECODE = {
    dialect: msgspec.json.Decoder(shape).decode
    for dialect, shape in {
        "openai.chat": Chunk,
        "openai.completions": TextChunk,
        "openai.responses": ResponseEvent,
        "anthropic.messages": MessageEvent,
        "gemini.generate": GeminiChunk,
    }.items()
}
