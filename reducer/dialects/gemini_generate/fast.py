"""The batches of Gemini: chunks with one piece of text for one candidate.

Most chunks after the first have this shape: a text or a thought, the usage so far, and in the last chunk a finish
reason. Chunks of several candidates may alternate. The event path merges all other chunks: function calls, signatures,
metadata, several parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import ior
from typing import Any, Generic, TypeVar

import msgspec

from reducer.dialects.contract import Additions, Batch, Strict
from reducer.dialects.gemini_generate.state import GeminiState, TextPart

# -- shapes --------------------------------------------------------------------------------------


class Part(Strict):
    text: str
    thought: bool | None = None


class ContentShape(Strict):
    parts: tuple[Part]
    role: str | None = None


class CandidateShape(Strict, rename="camel", kw_only=True):
    content: ContentShape
    finish_reason: str | None = None
    index: int | None = None


_Details = list[dict[str, int | str]]
# A dict keeps the order of the wire. No value is null, because null replaces nothing.
Usage = dict[str, int | str | _Details]


class TextUsage(Strict, rename="camel", kw_only=True):
    prompt_token_count: int
    candidates_token_count: int
    total_token_count: int
    prompt_tokens_details: _Details


class ThoughtUsage(TextUsage, rename="camel", kw_only=True):
    thoughts_token_count: int


class TierUsage(ThoughtUsage, rename="camel", kw_only=True):
    service_tier: str


UsageT = TypeVar("UsageT")


class Chunk(Strict, Generic[UsageT], rename="camel", kw_only=True):
    candidates: tuple[CandidateShape]
    usage_metadata: UsageT | None = None
    model_version: str | None = None
    create_time: str | None = None
    response_id: str | None = None


# -- what chunks add -----------------------------------------------------------------------------


def additions_of(state: GeminiState, chunks: Sequence[Chunk[Any]]) -> Additions | None:
    """Return what chunks add if they continue candidates and repeat the id and the model of the response."""
    if state.whole is not None:
        return None
    groups: dict[int | None, Sequence[Chunk[Any]]] = {chunks[0].candidates[0].index: chunks}
    if len(state.candidates) > 1:  # otherwise the time for grouping is saved
        groups = _by_candidate(chunks)
    additions: Additions = []
    for index, group in groups.items():
        added = _add_texts(state, index, group)
        if added is None:
            return None
        additions += added
    return additions + _add_heads(state, chunks)


def _by_candidate(chunks: Sequence[Chunk[Any]]) -> dict[int | None, Sequence[Chunk[Any]]]:
    groups: dict[int | None, Any] = {}
    for chunk in chunks:
        groups.setdefault(chunk.candidates[0].index, []).append(chunk)
    return groups


def _add_texts(state: GeminiState, index: int | None, chunks: Sequence[Chunk[Any]]) -> Additions | None:
    """Return what the chunks of one candidate add to it."""
    candidate = state.candidates.get(index or 0)
    content = candidate.content if candidate is not None else None
    last = content.joinable_text() if content is not None and content.role is not None else None
    if candidate is None or content is None or last is None or candidate.index != index:
        return None
    ident, model = state.id, state.model
    is_thought = last.is_thought
    pieces: list[str] = []
    additions: Additions = [("text", last.text.extend, pieces)]
    reasons: set[str] = set()
    for chunk in chunks:
        wire = chunk.candidates[0]
        part = wire.content.parts[0]
        if chunk.response_id != ident or chunk.model_version != model or wire.index != index:
            return None
        if (part.thought or False) is is_thought:
            pieces.append(part.text)
        elif part.text:  # an empty text is no part
            is_thought = not is_thought
            pieces = []
            new = TextPart(state, part.text, part.thought, None)
            additions += [("", content.parts.append, new), ("text", new.text.extend, pieces)]
        if wire.finish_reason:
            reasons.add(wire.finish_reason)
    if len(content.parts) + len(additions) > state.options.limits.max_items or len(reasons) > 1:
        return None
    if reasons:
        if candidate.finish not in (None, *reasons):
            return None
        additions.append(("", candidate.set_finish, reasons.pop()))
    return additions


def _add_heads(state: GeminiState, chunks: Sequence[Chunk[Any]]) -> Additions:
    """Return what chunks say about the whole response: the usage so far and the time."""
    additions: Additions = []
    usages = [chunk.usage_metadata for chunk in chunks if chunk.usage_metadata is not None]
    if usages:
        last = usages[-1]  # a struct has the same keys in each chunk, a dict may not (G2)
        usage = reduce(ior, usages) if type(last) is dict else msgspec.to_builtins(last)
        additions.append(("", state.add_usage, usage))
    times = [chunk.create_time for chunk in chunks if chunk.create_time is not None]
    if times:
        additions.append(("", state.fields.update, {"createTime": times[-1]}))
    return additions


# -- which batch ---------------------------------------------------------------------------------

CHUNKS = Batch(msgspec.json.Decoder(Chunk[Usage]).decode, additions_of)

# By the keys of the usage: where every chunk has the same keys, a struct saves an eighth of the time.
BY_USAGE_KEYS: dict[frozenset[str], Batch] = {
    frozenset(usage.__struct_encode_fields__): Batch(msgspec.json.Decoder(Chunk[usage]).decode, additions_of)  # type: ignore[valid-type]
    for usage in (TextUsage, ThoughtUsage, TierUsage)
}


def propose_batch(state: GeminiState, event: dict[str, Any]) -> Batch | None:
    """Return the batch for chunks of text, after a chunk of text."""
    match event:
        case {"candidates": [{"content": {"parts": [{"text": str()}]}}]}:
            usage: Any = event.get("usageMetadata")
            if type(usage) is dict and state.usage is not None and usage.keys() == state.usage.keys():
                # The state has the keys in the order of the wire, so their order in the struct does not matter.
                batch: Batch = BY_USAGE_KEYS.get(frozenset(usage), CHUNKS)
                return batch
            return CHUNKS
    return None
