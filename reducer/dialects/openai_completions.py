"""``openai.completions``: legacy text completions, OpenAI's, and those of vLLM, Azure and text-generation-inference.

Theory of operation
-------------------
There is one event type, the chunk. A chunk names choices by ``index``, and a choice's ``text`` adds to its text;
with ``echo`` the prompt comes first, as text like any other. Every choice that appeared ends with a finish reason,
and the stream with ``[DONE]``; either is terminal evidence, and folding goes on after it, because usage comes
late. Phases: ``FIRST`` (before the first chunk), ``OPEN``, ``OVER`` (after ``[DONE]``), ``WHOLE`` (the first event
was a body sent whole, and nothing has come since). A chunk looks like a body: it is taken for one if it is the
first, finishes all its choices and has the usage, which a stream sends last.

Who wins: of ``id`` the first non-empty, of ``model`` and ``finish_reason`` the last, of ``usage`` the last whole one.
The lists of ``logprobs`` add up; a ``text_offset`` that some vLLM versions count from the chunk's begin stays as it
came (C43). ``token_ids`` add up too, everything else is the last. There are no roles: a second response in one capture
is told by an ``id`` never seen, with text after ``[DONE]``, or for a choice once all have finished.
"""

from __future__ import annotations

from functools import partial
from typing import Any, ClassVar

import msgspec
from msgspec import UNSET, UnsetType, field

from reducer.decoding import Report
from reducer.dialects._completion import (
    Envelope,
    Usage,
    built_logprobs,
    check_growth,
    is_undecided,
    place,
    revived,
    watched,
    with_logprobs,
)
from reducer.dialects._dialect import SPLIT, Dialect, Options
from reducer.dialects._errors import find_error, normalise
from reducer.dialects._extras import is_settled, merge
from reducer.dialects._fragments import GATHERED, Fragments
from reducer.dialects._repairs import Watch
from reducer.dialects._views import COMPLETION_FINISH, ToView, common_finish, completion_usage, pick, string
from reducer.dialects._wire import Wire
from reducer.saving import Saved
from reducer.sdk import SdkTypes
from reducer.typed import Body
from reducer.view import View

# -- wire events ---------------------------------------------------------------------------------


class WireChoice(Wire):
    index: int | None = None
    text: str | None = None
    logprobs: dict[str, Any] | int | float | UnsetType | None = UNSET
    finish_reason: str | None = None
    content_filter_results: dict[str, Any] | None = None
    stop_reason: Any = None
    matched_stop: Any = None
    token_ids: list[Any] | None = None
    prompt_token_ids: list[Any] | None = None
    prompt_logprobs: Any = None


class Chunk(Wire):
    type: ClassVar[str] = "chunk"

    id: str | None = None
    object: Any = None
    created: int | float | str | None = None
    model: str | None = None
    system_fingerprint: str | None = None
    choices: list[WireChoice] | None = None
    usage: dict[str, Any] | None = None
    service_tier: str | None = None
    error: None = None  # an error takes the cold path, where the engine looks for it in all its shapes
    provider: str | None = None
    prompt_filter_results: list[Any] | None = None
    metadata: Any = None
    obfuscation: Any = None
    p: Any = None
    sequence_number: Any = None


# -- final object --------------------------------------------------------------------------------


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


def view(body: dict[str, Any], choice: int) -> View | None:
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


class _Choice(Saved):
    """One choice in the making."""

    __slots__ = ("extra", "finish", "logprobs", "text", "token_ids", "watch")

    def __init__(self, state: CompletionState) -> None:
        self.text = Fragments()
        self.watch: Watch | None = Watch("cumulative" in state.options.repairs)
        self.finish: str | None = None
        self.logprobs: Any = UNSET
        self.token_ids: list[Any] | None = None
        self.extra: dict[str, Any] = {}


class CompletionState(Envelope):
    """A text completion in the making."""

    __slots__ = ("choices", "last")

    def __init__(self, options: Options, report: Report) -> None:
        super().__init__(options, report, HANDLERS["FIRST"])
        self.last: dict[str, Any] = {}  # keys of which the last value counts, whole
        self.choices: dict[int, _Choice] = {}


# -- handlers ------------------------------------------------------------------------------------


def on_first_chunk(state: CompletionState, chunk: Chunk) -> None:
    """The first chunk; the next phase depends on whether it was a body sent whole."""
    on_chunk(state, chunk)
    state.row = HANDLERS["OPEN" if state.whole is None else "WHOLE"]


def on_chunk_after_whole(state: CompletionState, chunk: Chunk) -> object:
    """More came after a body sent whole: it was a chunk like others, unless this is another response's."""
    if on_chunk(state, chunk) is SPLIT:
        return SPLIT
    state.whole = None
    state.row = HANDLERS["OPEN"]
    return None


def on_done(state: CompletionState, _: None) -> None:
    state.done = True
    state.row = HANDLERS["OVER" if state.whole is None else "WHOLE"]


def on_chunk(state: CompletionState, chunk: Chunk) -> object:
    choices = chunk.choices
    if (
        choices
        and chunk.extra is None
        and chunk.id == state.id
        and chunk.model == state.model
        and state.created
        and not chunk.usage
        and not chunk.system_fingerprint
        and not chunk.service_tier
        and chunk.provider is None
        and chunk.prompt_filter_results is None
        and chunk.metadata is None
        and len(choices) == 1
    ):
        # Nearly every chunk: nothing is new but in the one choice.
        choice = state.choices.get(choices[0].index)  # type: ignore[arg-type]
        if choice is not None:
            _add_to(state, choice, choices[0])
            return None
    return _take_chunk(state, chunk)


def _take_chunk(state: CompletionState, chunk: Chunk) -> object:
    """Take any chunk."""
    choices = chunk.choices
    if choices and chunk.id and state.ids and chunk.id not in state.ids and _begins_another(state, choices):
        return SPLIT
    if choices and (len(choices) > 1 or choices[0].index not in state.choices):
        check_growth(state, choices)
    state.begun = True
    if chunk.id != state.id and chunk.id is not None:
        state.take_id(chunk.id)
    if chunk.model != state.model and chunk.model:
        state.take_model(chunk.model)
    if not state.created and chunk.created is not None:
        state.created = chunk.created
    if chunk.usage:
        state.take_usage(chunk.usage)
    if chunk.system_fingerprint:
        state.last["system_fingerprint"] = chunk.system_fingerprint
    if chunk.service_tier:
        state.last["service_tier"] = chunk.service_tier
    if chunk.provider is not None:
        state.last["provider"] = chunk.provider
    if chunk.prompt_filter_results is not None:
        state.last["prompt_filter_results"] = chunk.prompt_filter_results
    if chunk.metadata is not None:
        state.last["metadata"] = chunk.metadata
    if chunk.extra:
        merge(state.extra, chunk.extra)
    for choice in choices or ():
        _add_choice(state, choice)
    return None


def _begins_another(state: CompletionState, choices: list[WireChoice]) -> bool:
    """Whether a chunk with an id never seen before begins another response (decision 12, as in Chat without a role)."""
    if not (state.done or (len(state.ids) == 1 and finished(state))):
        return False
    seen = [choice for choice in choices if state.done or place(choice) in state.choices]
    return any(choice.text or state.whole is not None for choice in seen)


def _add_choice(state: CompletionState, wire: WireChoice) -> None:
    choice = state.choices.get(wire.index)  # type: ignore[arg-type]
    if choice is None:
        choice = state.choices.get(place(wire))
        if choice is None:
            choice = state.choices[place(wire)] = _Choice(state)
    _add_to(state, choice, wire)


def _add_to(state: CompletionState, choice: _Choice, wire: WireChoice) -> None:
    text = wire.text
    if text:
        if choice.watch is not None:
            choice.text, choice.watch = watched(text, choice.text, choice.watch)
        pieces = choice.text.pieces
        pieces.append(text)
        if len(pieces) >= GATHERED:
            choice.text.gather()
    if wire.finish_reason and wire.finish_reason != choice.finish:
        if choice.finish is not None:
            state.report("finish_reason_differs", [choice.finish, wire.finish_reason], wire.finish_reason)
        choice.finish = wire.finish_reason
    if wire.logprobs is not choice.logprobs and wire.logprobs is not UNSET:
        choice.logprobs = with_logprobs(choice.logprobs, wire.logprobs, typed=wire.extra is None)
    if wire.content_filter_results is not None:
        merge(choice.extra, {"content_filter_results": wire.content_filter_results})
    if wire.stop_reason is not None:
        choice.extra["stop_reason"] = wire.stop_reason
    if wire.matched_stop is not None:
        choice.extra["matched_stop"] = wire.matched_stop
    if wire.token_ids is not None:
        if choice.token_ids is None:
            choice.token_ids = []
        choice.token_ids.extend(wire.token_ids)
    if wire.prompt_token_ids is not None:
        choice.extra["prompt_token_ids"] = wire.prompt_token_ids
    if wire.prompt_logprobs is not None:
        choice.extra["prompt_logprobs"] = wire.prompt_logprobs
    if wire.extra:
        merge(choice.extra, wire.extra)
        if wire.extra.get("error") and state.error is None:
            state.error = normalise(wire.extra["error"], wire.extra["error"])


# -- table ---------------------------------------------------------------------------------------

HANDLERS: dict[str, dict[str, Any]] = {
    "FIRST": {"chunk": on_first_chunk, "[DONE]": on_done},
    "OPEN": {"chunk": on_chunk, "[DONE]": on_done},
    "WHOLE": {"chunk": on_chunk_after_whole, "[DONE]": on_done},
    "OVER": {"chunk": on_chunk},
}


# -- body ----------------------------------------------------------------------------------------


def build(state: CompletionState, report: Report) -> dict[str, Any] | None:
    """The body so far; ``None`` before anything but an error came."""
    if state.whole is not None:
        return state.whole
    if not state.begun:
        return None
    body = state.head("text_completion")
    ended = finished(state) and state.error is None
    body["choices"] = [_build_choice(index, choice, report, ended) for index, choice in sorted(state.choices.items())]
    if state.usage is not None:
        body["usage"] = state.usage
    body |= state.last
    for key, value in state.extra.items():
        if value is not None:
            body.setdefault(key, value)
    return body


def _build_choice(index: int, choice: _Choice, report: Report, ended: bool) -> dict[str, Any]:
    body: dict[str, Any] = {"index": index, "text": str(choice.text), "finish_reason": choice.finish}
    if choice.finish is None and ended:
        report("no_finish_reason", {"index": index}, None)
    verdict = choice.watch.verdict("text") if choice.watch is not None else None
    if verdict is not None:
        report(*verdict)
    if choice.logprobs is not UNSET:
        body["logprobs"] = built_logprobs(choice.logprobs)
    if choice.token_ids is not None:
        body["token_ids"] = choice.token_ids
    for key, value in choice.extra.items():
        if value is not None:
            body.setdefault(key, value)
    return body


# Keys of a choice of which the last value counts.
_LAST = ("content_filter_results", "stop_reason", "matched_stop", "prompt_token_ids", "prompt_logprobs")


def texts(state: CompletionState, chunk: Chunk) -> list[tuple[str, str, Any]] | None:
    """The text that a chunk would add, if it did nothing else that the last of many such chunks would not do."""
    choices = chunk.choices
    if state.row["chunk"] is not on_chunk or not choices or len(choices) != 1 or chunk.extra:
        return None
    if not state.is_settled(chunk.id, chunk.model, chunk.usage):
        return None
    wire = choices[0]
    choice = state.choices.get(place(wire))
    if choice is None or choice.watch is not None or not wire.text or wire.extra or wire.token_ids is not None:
        return None
    if wire.logprobs is not UNSET and (wire.logprobs is not None or choice.logprobs is UNSET):
        return None
    said = {key: getattr(wire, key) for key in _LAST} | {"finish_reason": wire.finish_reason or choice.finish}
    has = {**choice.extra, "finish_reason": choice.finish}
    if not is_settled(has, said):
        return None
    return [("text", wire.text, choice.text)]


def recognise(obj: dict[str, Any]) -> bool:
    kind = obj.get("object")
    if type(kind) is str and kind.startswith(("text_completion", "chat.completion")):
        return kind.startswith("text_completion")
    choices = obj.get("choices")
    if type(choices) is not list or not choices:
        return is_undecided(obj)
    return any(type(c) is dict and "text" in c and "delta" not in c and "message" not in c for c in choices)


def is_body(obj: dict[str, Any], bare: bool) -> bool:
    choices = obj.get("choices")
    if type(choices) is not list or not choices:
        return False
    if not bare and not obj.get("usage"):
        return False
    return all(type(c) is dict and type(c.get("text")) is str and c.get("finish_reason") for c in choices)


def finished(state: CompletionState) -> bool:
    return (
        state.done
        or state.whole is not None
        or (bool(state.choices) and all(choice.finish is not None for choice in state.choices.values()))
    )


# -- dialect -------------------------------------------------------------------------------------

DIALECT = Dialect(
    name="openai.completions",
    final=Completion,
    decode=msgspec.json.Decoder(Chunk).decode,
    revive=partial(revived, Chunk),
    recognise=recognise,
    is_body=is_body,
    carries=lambda obj: bool(obj.get("choices") or obj.get("usage")),
    state=CompletionState,
    build=build,
    finished=finished,
    has_content=lambda state: any(choice.text for choice in state.choices.values()),
    find_error=find_error,
    texts=texts,
    idle=("obfuscation", "p", "usage.completion_tokens", "usage.total_tokens"),
    handlers=HANDLERS,
)
