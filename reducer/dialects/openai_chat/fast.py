"""The batches of Chat: what most chunks are, pieces of texts, log-probabilities and arguments.

For each shape of chunk a strict struct declares everything in it, and a function says what the chunks of one choice
add. Nulls and repeated values that change nothing are declared; anything that would change more is left to the event
path.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from operator import attrgetter
from typing import Any, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from reducer.dialects.completion import add_usages, choice_index
from reducer.dialects.contract import MAX_INDEX, Additions, Batch, Strict
from reducer.dialects.entries import Entries
from reducer.dialects.generic import is_settled, json_key
from reducer.dialects.openai_chat.content import add_detail, continues_detail
from reducer.dialects.openai_chat.state import ChatState, Choice
from reducer.dialects.openai_chat.tool_calls import Call
from reducer.dialects.text import Fragments

# -- shapes --------------------------------------------------------------------------------------


class TextDelta(Strict, kw_only=True):
    role: str | None = None
    content: str | None = None


class MixedDelta(Strict, kw_only=True):
    """Content or reasoning, with nulls for what is absent."""

    role: str | None = None
    content: str | UnsetType | None = UNSET
    reasoning_content: str | UnsetType | None = UNSET
    reasoning: str | UnsetType | None = UNSET
    reasoning_details: list[dict[str, str | int | None]] | UnsetType | None = UNSET
    refusal: UnsetType | None = UNSET
    channel: str | UnsetType = UNSET  # gpt-oss: undeclared, and the same in thousands of deltas
    tool_calls: tuple[()] | None = None
    function_call: None = None


class Function(Strict, kw_only=True):
    name: str | None = None
    arguments: str


class CallEntry(Strict, kw_only=True):
    index: int
    id: str | None = None
    type: str | None = None
    function: Function


class ArgumentsDelta(Strict, kw_only=True):
    role: None = None
    content: None = None
    tool_calls: tuple[CallEntry] | None = None


class TopLogprob(Strict, kw_only=True):
    """All that OpenAI says of a token that might have been, in its order.

    A later entry with its keys in another order gets this one: an object's keys have no order that means something.
    """

    token: str
    logprob: int | float
    bytes: list[int] | None


class TokenLogprob(TopLogprob, kw_only=True):
    top_logprobs: list[TopLogprob]


class Logprobs(Strict, kw_only=True):
    content: list[TokenLogprob]
    refusal: UnsetType | None = UNSET


DeltaT = TypeVar("DeltaT", TextDelta, MixedDelta, ArgumentsDelta)
LogprobsT = TypeVar("LogprobsT", None, Logprobs | None)
FiltersT = TypeVar("FiltersT", UnsetType, dict[str, Any])


class ChoiceShape(Strict, Generic[DeltaT, LogprobsT, FiltersT], kw_only=True):
    index: int
    delta: DeltaT
    logprobs: LogprobsT | UnsetType = UNSET
    content_filter_results: FiltersT | UnsetType = UNSET
    finish_reason: str | None = None
    native_finish_reason: None = None
    token_ids: None = None
    matched_stop: None = None
    stop_reason: None = None


ChoiceT = TypeVar("ChoiceT")
_Count = int | float | None


class Chunk(Strict, Generic[ChoiceT], kw_only=True):
    id: str | None = None
    object: Literal["chat.completion.chunk", "chat.completion", ""] | None = None
    created: int | float | str | None = None
    model: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    provider: str | None = None
    choices: list[ChoiceT] = msgspec.field(default_factory=list)
    usage: dict[str, _Count | dict[str, _Count]] | None = None
    obfuscation: str | None = None
    p: str | None = None
    sequence_number: int | None = None


# -- what the chunks of one choice add -----------------------------------------------------------

InChoice = Callable[[ChatState, Choice, Sequence[Any]], Additions | None]


def add_texts(state: ChatState, choice: Choice, wires: Sequence[Any]) -> Additions | None:
    if choice.content.parts is not None or _names_role(choice, wires):
        return None
    pieces = [piece for wire in wires if (piece := wire.delta.content) is not None]
    return [("content", choice.content.extend, pieces)] if pieces else []


def _names_role(choice: Choice, wires: Sequence[Any]) -> bool:
    """Whether some delta has a role that the event path would count."""
    return choice.roles < 2 and bool([wire for wire in wires if wire.delta.role])


def add_logged_texts(state: ChatState, choice: Choice, wires: Sequence[Any]) -> Additions | None:
    """Texts with log-probabilities."""
    additions = add_texts(state, choice, wires)
    known: Any = choice.logprobs
    entries = known.get("content") if type(known) is dict else None
    if additions is None or type(entries) is not Entries:
        return None
    logprobs = [one for wire in wires if (one := wire.logprobs)]
    if "refusal" not in known and None in [one.refusal for one in logprobs]:
        return None
    return [*additions, ("", entries.extend_structs, [token for one in logprobs for token in one.content])]


def add_filtered_texts(state: ChatState, choice: Choice, wires: Sequence[Any]) -> Additions | None:
    """Texts with filter results that are those of the chunks before (Azure)."""
    known = choice.fields.get("content_filter_results")
    different = {json_key(results): results for wire in wires if (results := wire.content_filter_results) is not UNSET}
    for results in different.values():
        if type(known) is not dict or not is_settled(known, results):
            return None
    return add_texts(state, choice, wires)


_MIXED_TEXTS = [(name, attrgetter(name)) for name in ("content", "reasoning_content", "reasoning", "refusal")]


def add_mixed(state: ChatState, choice: Choice, wires: Sequence[Any]) -> Additions | None:
    """Content and reasoning under one or several names."""
    if _names_role(choice, wires):
        return None
    additions: Additions = []
    deltas = [wire.delta for wire in wires]
    for name, get in _MIXED_TEXTS:
        values = [value for value in map(get, deltas) if value is not UNSET]
        pieces = [value for value in values if value is not None]
        text = choice.content if name == "content" else choice.texts.get(name)
        if (values and text is None) or (pieces and (text.is_null or text.parts is not None)):  # type: ignore[union-attr]
            return None
        if pieces:
            additions.append((name, text.extend, pieces))  # type: ignore[union-attr]
    channels = [delta.channel for delta in deltas if delta.channel is not UNSET]
    if channels:
        known = choice.strings.get("channel")
        if known is None or set(channels) != {known.last} or choice.message_fields.get("channel") != known.last:
            return None
        additions.append(("", known.extend, channels))
    lists = [delta.reasoning_details for delta in deltas if delta.reasoning_details]
    if choice.details is None and any(type(delta.reasoning_details) is list for delta in deltas):
        return None
    details = [detail for one in lists for detail in one]
    if details:
        additions.append(_add_details(choice, details))
    return additions


def _add_details(choice: Choice, details: list[Any]) -> tuple[str, Callable[[Any], object], Any]:
    """Add the texts of details that all continue the last one; otherwise the details one by one."""
    last = choice.details[-1] if choice.details else None
    text = last.get("text") if type(last) is dict else None
    if type(text) is Fragments:
        rest = {key: value for key, value in details[0].items() if key != "text"}
        pieces = [detail.get("text") for detail in details]
        is_steady = is_settled({**last, "text": None}, rest) and continues_detail(last, rest)  # type: ignore[dict-item,arg-type]
        if is_steady and all(
            type(piece) is str and detail == {**rest, "text": piece}
            for piece, detail in zip(pieces, details, strict=True)
        ):
            return ("text", text.extend, pieces)
    return ("", partial(_add_one_by_one, choice), details)


def _add_one_by_one(choice: Choice, details: list[Any]) -> None:
    for detail in details:
        add_detail(choice.details, detail)  # type: ignore[arg-type]


def add_arguments(state: ChatState, choice: Choice, wires: Sequence[Any]) -> Additions | None:
    """Arguments of calls that are known by their index, and calls that open with an index and an id of their own."""
    entries = [calls[0] for wire in wires if (calls := wire.delta.tool_calls)]
    if not entries:
        return []
    openers = [entry for entry in entries if entry.id or entry.function.name or entry.type]
    new = _opened(state, choice, openers) if openers else {}
    if new is None:
        return None
    calls = choice.calls
    additions: Additions = [("", calls.add, call) for call in new.values()]
    call: Call | None = None
    groups = _by_index(entries)
    for index, group in groups.items():
        call = new.get(index)
        if call is None:
            call = calls.at(index)
            if call is None or call.arguments is None:
                return None
            if len(groups) > 1 and call is not calls.by_index[index]:
                return None  # where indices alternate, `calls.at` may find another call each time
        elif not group[0].id:
            return None
        pieces = [entry.function.arguments for entry in group]
        assert call.arguments is not None
        additions.append(("arguments", call.arguments.extend, pieces))
    last = new.get(entries[-1].index) or calls.at(entries[-1].index)
    if last is not calls.last or len(additions) > 1:
        additions.append(("", calls.set_last, last))
    return additions


def _opened(state: ChatState, choice: Choice, openers: list[Any]) -> dict[int, Call] | None:
    """Return new calls by index; ``None`` if some opener is not the plain first entry of a call."""
    new: dict[int, Call] = {}
    calls = choice.calls
    idents = set()
    for entry in openers:
        index = entry.index
        if (
            not 0 <= index <= MAX_INDEX
            or index in new
            or index in calls.by_index
            or not (entry.id and entry.function.name)
        ):
            return None
        if entry.id == "null" or entry.id in calls.by_id or entry.id in idents:
            return None
        idents.add(entry.id)
        call = new[index] = Call(index)
        call.id, call.type, call.name, call.function = entry.id, entry.type or None, entry.function.name, {}
        call.start_arguments(state)
    limits = state.options.limits
    return new if len(calls.all) + len(new) <= limits.max_calls else None


def _by_index(items: Sequence[Any]) -> dict[int, Sequence[Any]]:
    first = items[0].index
    if not [item for item in items if item.index != first]:
        return {first: items}
    groups: dict[int, Any] = {item.index: [] for item in items}
    for item in items:
        groups[item.index].append(item)
    return groups


# -- what whole chunks add -----------------------------------------------------------------------


def additions_of(in_choice: InChoice, state: ChatState, chunks: Sequence[Chunk[Any]]) -> Additions | None:
    """Return what chunks add, if they say nothing about the completion that would be reported."""
    additions = _add_heads(state, chunks)
    if additions is None or state.whole is not None or state.counted is not None or not state.created:
        return None
    wires = [wire for chunk in chunks for wire in chunk.choices]
    for index, group in _by_index(wires).items() if wires else ():
        choice = state.choices.get(index)
        # Logprobs that are null count once (decision 9).
        if choice is None or (choice.logprobs is UNSET and None in [wire.logprobs for wire in group]):
            return None
        some = in_choice(state, choice, group)
        finish = _add_finish(choice, group)
        if some is None or finish is None:
            return None
        additions += some
        additions += finish
    return additions


def _add_finish(choice: Choice, wires: Sequence[Any]) -> Additions | None:
    finishes = [reason for wire in wires if (reason := wire.finish_reason)]
    if not finishes:
        return []
    if len(finishes) > 1 or choice.finishes:
        return None  # another one may have to be reported
    return [("", choice.set_finish, finishes[0])]


def _add_heads(state: ChatState, chunks: Sequence[Any]) -> Additions | None:
    """Return what chunks say about the whole completion: ids, models, running usage."""
    fields = state.fields.get
    ident, model, fingerprint = state.id, state.model, fields("system_fingerprint")
    tier, provider = fields("service_tier"), fields("provider")
    others = [
        chunk
        for chunk in chunks
        if chunk.id != ident
        or chunk.model != model
        or chunk.system_fingerprint != fingerprint
        or chunk.service_tier != tier
        or chunk.provider != provider
    ]
    additions = _add_changed_heads(state, others, chunks) if others else []
    usages = [usage for chunk in chunks if (usage := chunk.usage)]
    some = add_usages(state, usages)
    return None if additions is None or some is None else additions + some


def _add_changed_heads(state: ChatState, others: list[Any], chunks: Sequence[Any]) -> Additions | None:
    additions: Additions = []
    for name in ("system_fingerprint", "service_tier", "provider"):
        values = [value for chunk in chunks if (value := getattr(chunk, name))]
        if "" in [getattr(chunk, name) for chunk in chunks]:
            return None
        if values and values[-1] != state.fields.get(name):
            additions.append(("", state.fields.update, {name: values[-1]}))
    idents = dict.fromkeys(chunk.id for chunk in others if chunk.id != state.id)
    if idents:
        # After a second id, no further id is reported, and none begins another response unless the stream has ended.
        if state.done or len(state.ids) < 2 or not all(idents) or any(one.endswith("-keepalive") for one in idents):
            return None
        additions += [("", state.set_id, one) for one in idents]
    models = {chunk.model for chunk in others} - {state.model, state.blank_model}
    if models:
        if not models <= state.models or not chunks[-1].model:
            return None
        additions.append(("", state.set_model, chunks[-1].model))
    return additions


# -- which batch ---------------------------------------------------------------------------------


def _batch(delta: Any, in_choice: InChoice, logprobs: Any = None, filters: Any = UnsetType) -> Batch:
    chunk = Chunk[ChoiceShape[delta, logprobs, filters]]
    return Batch(msgspec.json.Decoder(chunk).decode, partial(additions_of, in_choice))


TEXTS = _batch(TextDelta, add_texts)
LOGGED = _batch(TextDelta, add_logged_texts, logprobs=Logprobs | None)
FILTERED = _batch(TextDelta, add_filtered_texts, filters=dict[str, Any])
MIXED = _batch(MixedDelta, add_mixed)
ARGUMENTS = _batch(ArgumentsDelta, add_arguments)

_CHUNK = frozenset(Chunk.__struct_fields__)
_CHOICE = frozenset(ChoiceShape.__struct_fields__)
_OPENING = frozenset({"role", "content", "refusal"})
_TEXT, _MIXED, _ARGUMENTS = (frozenset(delta.__struct_fields__) for delta in (TextDelta, MixedDelta, ArgumentsDelta))


def propose_batch(state: ChatState, chunk: dict[str, Any]) -> Batch | None:
    """Return the batch for chunks like this one."""
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1 or type(choices[0]) is not dict:
        return None
    wire = choices[0]
    delta = wire.get("delta")
    if type(delta) is not dict or wire.get("finish_reason"):
        return None
    if not _CHUNK.issuperset(chunk) or not _CHOICE.issuperset(wire):
        return None
    if delta.get("tool_calls"):
        return ARGUMENTS if _ARGUMENTS.issuperset(delta) else None
    is_text = _TEXT.issuperset(delta) or _opens_text(state, wire, delta)
    if wire.get("logprobs") is not None:
        return LOGGED if is_text and _is_in_order(wire["logprobs"]) else None
    if "content_filter_results" in wire:
        return FILTERED if is_text else None
    if is_text:
        return TEXTS
    return MIXED if _MIXED.issuperset(delta) else None


def _opens_text(state: ChatState, wire: dict[str, Any], delta: dict[str, Any]) -> bool:
    """Whether this delta opened its choice as OpenAI does: the next ones lack its ``refusal`` of null."""
    choice = state.choices.get(choice_index(wire))
    is_opening = choice is not None and choice.roles == 1 and bool(delta.get("role"))
    return is_opening and delta.get("refusal", "") is None and _OPENING.issuperset(delta)


def _is_in_order(logprobs: Any) -> bool:
    """Whether the first entry of logprobs has the keys of `TokenLogprob` in their order."""
    entries = logprobs.get("content") if type(logprobs) is dict else None
    entry = entries[0] if type(entries) is list and entries else None
    if type(entry) is not dict or tuple(entry) != TokenLogprob.__struct_fields__:
        return False
    others = entry["top_logprobs"]
    return not others or (
        type(others) is list and type(others[0]) is dict and tuple(others[0]) == TopLogprob.__struct_fields__
    )
