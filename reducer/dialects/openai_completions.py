"""``openai.completions``: legacy text completions, OpenAI's, and those of vLLM, Azure and text-generation-inference.

Theory of operation
-------------------
There is one event type, the chunk. A chunk names choices by ``index``, and a choice's ``text`` adds to its text; with
``echo`` the prompt comes first, as text like any other. Every choice that appeared ends with a finish reason, and the
stream with ``[DONE]``; either is terminal evidence, and merging goes on after it, because usage comes late. So there is
one phase, ``OPEN``. A chunk looks like a body: the first chunk is one if it finishes all its choices and has the usage,
which a stream sends last.

Who wins: of ``id`` the first non-empty, of ``model`` and ``finish_reason`` the last, of ``usage`` the last, whole. The
lists of ``logprobs`` extend; a ``text_offset`` that some vLLM versions count from the chunk's begin stays as it came
(C43). ``token_ids`` extend too; of everything else the last wins. There are no roles: a second response in one capture
begins at an ``id`` never seen, with text after ``[DONE]`` or for a choice that has finished.
"""

from __future__ import annotations

import re
from functools import partial
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from reducer.body import Body
from reducer.decoding import Report
from reducer.dialects.completion import (
    CHOICE_RULES,
    CHUNK_RULES,
    ChoiceState,
    Envelope,
    Usage,
    add_missing,
    add_usages,
    choice_index,
    is_decisive,
    is_finished,
    is_usage_alone,
    merge_logprobs,
    on_done,
    type_of,
)
from reducer.dialects.contract import (
    ANOTHER_RESPONSE,
    Additions,
    Batch,
    Dialect,
    Strict,
    check_growth,
)
from reducer.dialects.errors import find_error
from reducer.dialects.rules import (
    Table,
    last,
    merge_generic,
    merge_object,
    objects,
    objects_of,
    rule,
)
from reducer.dialects.text import Text
from reducer.dialects.views import COMPLETION_FINISH, ToView, common_finish, completion_usage, pick, string
from reducer.sdk import SdkTypes
from reducer.view import Incomplete, View

# -- the typed body ------------------------------------------------------------------------------


class Logprobs(Body, frozen=True):
    """Log probabilities, one entry a token in each list."""

    tokens: list[str] = field(default_factory=list)
    token_logprobs: list[float | None] = field(default_factory=list)
    top_logprobs: list[dict[str, float] | None] = field(default_factory=list)
    text_offset: list[int] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class CompletionChoice(Body, frozen=True):
    """One of the answers asked for with ``n``."""

    index: int | None = None
    text: str | None = None
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def view(body: dict[str, Any], choice: int, incomplete: Incomplete) -> View | None:
    """View a choice: there are no roles, and nothing but text."""
    one = pick(body.get("choices"), choice)
    if one is None:
        return None
    return View(
        text=string(one.get("text")),
        finish_reason=common_finish(COMPLETION_FINISH, one.get("finish_reason"), False),
        usage=completion_usage(body.get("usage")),
    )


class Completion(Body, frozen=True):
    """What a Completions call without streaming returns."""

    sdk_types: ClassVar[SdkTypes] = {"openai": (("openai.types", "Completion"),)}
    to_view: ClassVar[ToView] = staticmethod(view)

    id: str | None = None
    object: str | None = None
    created: int | float | str | None = None
    model: str | None = None
    choices: list[CompletionChoice] = field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# -- state ---------------------------------------------------------------------------------------


class Choice(ChoiceState):
    """One choice in the making."""

    text: Text

    def __init__(self, state: CompletionState) -> None:
        super().__init__()
        self.text = Text(state)


class CompletionState(Envelope):
    """A text completion in the making."""

    choices: dict[int, Choice]


# -- a choice ------------------------------------------------------------------------------------


def merge_text(state: CompletionState, choice: Choice, key: str, value: str) -> None:
    choice.text.add(value)


CHOICE = Table(
    "choices.",
    {
        **CHOICE_RULES,
        "text": rule(merge_text, str),
        "matched_stop": last(),
        "prompt_token_ids": last(list),
        "prompt_logprobs": last(),
    },
    merge_generic,
)

# -- a chunk -------------------------------------------------------------------------------------


def merge_choices(state: CompletionState, into: Any, choices: list[dict[str, Any]]) -> None:
    for wire in choices:
        index = choice_index(wire)
        choice = state.choices.get(index)
        if choice is None:
            choice = state.choices[index] = Choice(state)
        merge_object(CHOICE, state, choice, wire)


CHUNK = Table("", {**CHUNK_RULES, "choices": objects("choices", merge_choices)}, merge_generic)

# -- handlers ------------------------------------------------------------------------------------


def on_chunk(state: CompletionState, chunk: dict[str, Any]) -> object:
    choices = objects_of(chunk.get("choices"))
    ident = chunk.get("id")
    if type(ident) is str and ident and state.ids and ident not in state.ids and begins_another(state, choices):
        return ANOTHER_RESPONSE
    merge_chunk(state, chunk)
    state.whole = None
    return None


def merge_chunk(state: CompletionState, chunk: dict[str, Any]) -> None:
    new = {choice_index(wire) for wire in objects_of(chunk.get("choices"))}.difference(state.choices)
    check_growth(state, "choices", len(state.choices), len(new))
    state.begun = True
    merge_object(CHUNK, state, state, chunk)


def begins_another(state: CompletionState, choices: list[dict[str, Any]]) -> bool:
    """Whether a chunk with an id that this response has not had begins another response (decision 12)."""
    if not state.done and len(state.ids) > 1:
        return False
    if state.done or state.whole is not None:
        return any(state.whole is not None or string(wire.get("text")) for wire in choices)
    return any(string(wire.get("text")) and _is_finished(state, wire) for wire in choices)


def _is_finished(state: CompletionState, wire: dict[str, Any]) -> bool:
    """Whether the choice that a chunk names has a finish reason already."""
    choice = state.choices.get(choice_index(wire))
    return choice is not None and choice.finish is not None


HANDLERS = {"OPEN": {"chunk": on_chunk, "[DONE]": on_done}}

# -- the body ------------------------------------------------------------------------------------

# Top-level keys in the order of OpenAI's body, before those that no table declares.
_HEAD = ("system_fingerprint", "service_tier", "provider", "prompt_filter_results", "metadata")


def build(state: CompletionState, report: Report) -> dict[str, Any]:
    """Return the body so far."""
    body = state.head("text_completion")
    is_complete = is_finished(state) and state.error is None
    body["choices"] = [
        _build_choice(index, choice, report, is_complete) for index, choice in sorted(state.choices.items())
    ]
    if state.usage is not None:
        body["usage"] = state.usage
    add_missing(body, state.fields, _HEAD)
    return body


def _build_choice(index: int, choice: Choice, report: Report, is_complete: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"index": index, "text": str(choice.text), "finish_reason": choice.finish}
    if choice.finish is None and is_complete:
        report("no_finish_reason", {"index": index}, None)
    choice.text.report_repair("text", report)
    choice.add_fields(body)
    return body


# -- the batch -----------------------------------------------------------------------------------

_Number = int | float | None
_Plain = str | int | float | bool | None


class WireChoice(Strict, kw_only=True):
    index: int
    text: str
    logprobs: dict[str, list[_Plain | dict[str, _Plain]]] | UnsetType | None = UNSET
    finish_reason: str | None = None
    content_filter_results: None = None
    stop_reason: None = None
    matched_stop: None = None
    token_ids: None = None
    prompt_token_ids: None = None
    prompt_logprobs: None = None


class WireChunk(Strict, kw_only=True):
    id: str | None = None
    object: Literal["text_completion"] | None = None
    created: int | float | str | None = None
    model: str | None = None
    choices: list[WireChoice] = field(default_factory=list)
    usage: dict[str, _Number | dict[str, _Number]] | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    provider: str | None = None
    obfuscation: str | None = None
    p: str | None = None
    sequence_number: int | None = None


def additions_of(state: CompletionState, chunks: list[WireChunk]) -> Additions | None:
    """Return what chunks add, if none of them would be reported."""
    if state.whole is not None or not state.created:
        return None
    additions = _add_heads(state, chunks)
    if additions is None:
        return None
    wires = [wire for chunk in chunks for wire in chunk.choices]
    indices = {wire.index for wire in wires}
    for index in indices:
        choice = state.choices.get(index)
        own = wires if len(indices) == 1 else [wire for wire in wires if wire.index == index]
        some = _add_to_choice(state, choice, own) if choice is not None else None
        if some is None:
            return None
        additions += some
    return additions


def _add_heads(state: CompletionState, chunks: list[WireChunk]) -> Additions | None:
    """Return what chunks say outside their choices; ``None`` if an id, a model or a provider is new."""
    ident, model, fields = state.id, state.model, state.fields
    fingerprint, tier = fields.get("system_fingerprint"), fields.get("service_tier")
    provider = fields.get("provider")
    others = [
        chunk
        for chunk in chunks
        if chunk.id != ident
        or chunk.model != model
        or chunk.usage
        or chunk.system_fingerprint != fingerprint
        or chunk.service_tier != tier
        or chunk.provider != provider
    ]
    if not others:
        return []
    for chunk in others:
        is_known = chunk.id in (None, ident) and chunk.model in (None, model, state.blank_model)
        if not is_known or chunk.provider not in (None, provider):
            return None
    additions = add_usages(state, [chunk.usage for chunk in others if chunk.usage])
    for key in ("system_fingerprint", "service_tier"):
        values = [value for chunk in chunks if (value := getattr(chunk, key))]
        if additions is not None and values and values[-1] != fields.get(key):
            additions.append(("", fields.update, {key: values[-1]}))
    return additions


def _add_to_choice(state: CompletionState, choice: Choice, wires: list[WireChoice]) -> Additions | None:
    additions: Additions = [("text", choice.text.extend, [wire.text for wire in wires])]
    if choice.logprobs is UNSET:  # null counts only if nothing came before (decision 9)
        logprobs = [wire.logprobs for wire in wires if wire.logprobs is not UNSET]
    else:
        logprobs = [wire.logprobs for wire in wires if type(wire.logprobs) is dict]
    if logprobs:
        additions.append(("", partial(_extend_logprobs, choice, state.is_odd), logprobs))
    reasons = {wire.finish_reason for wire in wires if wire.finish_reason} - {choice.finish}
    if reasons:
        if choice.finish is not None or len(reasons) > 1:
            return None
        additions.append(("", choice.set_finish, reasons.pop()))
    return additions


def _extend_logprobs(choice: Choice, is_odd: bool, values: list[Any]) -> None:
    for value in values:
        choice.logprobs = merge_logprobs(choice.logprobs, value, is_odd=is_odd)


TEXTS = Batch(msgspec.json.Decoder(WireChunk).decode, additions_of)

_CHUNK_KEYS = frozenset(WireChunk.__struct_fields__)
_CHOICE_KEYS = frozenset(WireChoice.__struct_fields__)


def propose_batch(state: CompletionState, chunk: dict[str, Any]) -> Batch | None:
    """Return the batch if it declares every key of this chunk."""
    known = all(_CHOICE_KEYS.issuperset(wire) for wire in objects_of(chunk.get("choices")))
    return TEXTS if known and _CHUNK_KEYS.issuperset(chunk) else None


# -- dialect -------------------------------------------------------------------------------------


def recognise(event: dict[str, Any]) -> bool:
    kind = event.get("object")
    if type(kind) is str and kind.startswith(("text_completion", "chat.completion")):
        return kind.startswith("text_completion")
    choices = event.get("choices")
    if type(choices) is not list or not choices:
        return not is_decisive(event) or is_usage_alone(event)
    return any(
        type(choice) is dict and "text" in choice and "delta" not in choice and "message" not in choice
        for choice in choices
    )


def is_body(event: dict[str, Any], is_bare: bool) -> bool:
    choices = event.get("choices")
    if type(choices) is not list or not choices:
        return False
    if not is_bare and not event.get("usage"):
        return False
    return all(
        type(choice) is dict and type(choice.get("text")) is str and choice.get("finish_reason") for choice in choices
    )


DIALECT = Dialect(
    name="openai.completions",
    body=Completion,
    handlers=HANDLERS,
    new_state=lambda options, report: CompletionState(options, report, HANDLERS["OPEN"]),
    type_of=type_of,
    recognise=recognise,
    is_body=is_body,
    take_body=merge_chunk,
    has_more_than_error=lambda event: bool(event.get("choices") or event.get("usage")),
    build=build,
    is_finished=is_finished,
    has_content=lambda state: any(choice.text for choice in state.choices.values()),
    find_error=find_error,
    terminal_pattern=re.compile(rb'finish_reason"(?!: ?null)'),
    is_decisive=is_decisive,
    propose_batch=propose_batch,
)
