"""``openai.chat``: Chat Completions, OpenAI's own and the many that imitate it.

Theory of operation
-------------------
There is one event type, the chunk. A chunk names choices by ``index``; a choice's ``delta`` adds to its
message. Every choice that appeared ends with a finish reason, and the stream with ``[DONE]``; either is
terminal evidence, and folding goes on after it, because usage, filter results and signatures come late
(C29, T20). Phases: ``FIRST`` (before the first chunk), ``OPEN``, ``OVER`` (after ``[DONE]``), ``WHOLE``
(the first event was a body sent whole, and nothing has come since).

Who wins: of ``id`` the first non-empty, of ``model`` the last (C15), of ``usage`` the last whole one
(C25, C26). A ``finish_reason`` of ``stop`` does not replace ``tool_calls`` (C21). A ``message`` beside or
after deltas is ignored, and is the message where no delta had content (C16, C42).

Tool calls are told apart by the resolver of `_Calls`: the index when it is consistent, else the id, else
the order (T1-T16). Text is told from structure by declaration: content, refusal and the reasoning texts
are joined; undeclared keys follow the generic rule of `_extras` and are reported where that could lose text.

A chunk that was a piece of a text and nothing else makes it likely that the next ones are, too: `_narrow_for`
names the narrow way for them, one at a time (`take_text` and others) or many at once (`take_choices`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, UnsetType, field

from reducer.decoding import Report, decode
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
from reducer.dialects._dialect import AGAIN, SPLIT, Dialect, LimitReached, Narrow, Options, Varying
from reducer.dialects._entries import Entries
from reducer.dialects._errors import find_error, normalise
from reducer.dialects._extras import is_settled, merge
from reducer.dialects._fragments import GATHERED, Fragments
from reducer.dialects._repairs import Watch
from reducer.dialects._views import (
    COMPLETION_FINISH,
    ToView,
    called,
    called_freely,
    common_finish,
    completion_usage,
    join_texts,
    pick,
    record,
    records,
    string,
    text_of,
)
from reducer.dialects._wire import Closed, Wire, compact, unnamed
from reducer.saving import Saved
from reducer.sdk import SdkTypes
from reducer.typed import Body, copied
from reducer.view import View

# -- wire events ---------------------------------------------------------------------------------


class WireFunction(Wire):
    name: str | None = None
    arguments: str | dict[str, Any] | list[Any] | None = None


class WireCustom(Wire):
    name: str | None = None
    input: str | None = None


class WireCall(Wire):
    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: WireFunction | None = None
    custom: WireCustom | None = None


class WireDetail(Closed):
    """One of the ``reasoning_details``, as most are. Others are dicts."""

    type: str | UnsetType | None = UNSET
    summary: str | UnsetType | None = UNSET
    text: str | UnsetType | None = UNSET
    signature: str | UnsetType | None = UNSET
    id: str | UnsetType | None = UNSET
    format: str | UnsetType | None = UNSET
    index: int | UnsetType | None = UNSET


class RareDelta(Wire):
    thinking_blocks: list[Any] | None = None
    audio: dict[str, Any] | None = None
    obfuscation: Any = None


class Delta(Wire):
    role: str | None = None
    content: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    reasoning_content: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    reasoning: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    reasoning_details: list[WireDetail] | None = None
    tool_calls: list[WireCall] | None = None
    refusal: str | list[Any] | UnsetType | None = UNSET
    thinking: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    reasoning_text: str | list[Any] | dict[str, Any] | UnsetType | None = UNSET
    function_call: WireFunction | None = None
    rare: RareDelta | None = unnamed("rare")


class RareChoice(Wire):
    message: dict[str, Any] | None = None


class WireChoice(Wire):
    index: int | None = None
    delta: Delta | None = None
    logprobs: dict[str, Any] | int | float | UnsetType | None = UNSET
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    token_ids: list[Any] | None = None
    matched_stop: Any = UNSET
    content_filter_results: msgspec.Raw | UnsetType = UNSET
    stop_reason: Any = None
    text: str | None = None
    rare: RareChoice | None = unnamed("rare")


class RareChunk(Wire):
    x_groq: dict[str, Any] | None = None
    metadata: Any = None
    moderation: Any = None
    error: Any = None  # the engine looks for it in all its shapes


class Chunk(Wire):
    type: ClassVar[str] = "chunk"

    id: str | None = None
    object: Any = None
    created: int | float | str | None = None
    model: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    provider: str | None = None
    choices: list[WireChoice] | None = None
    usage: dict[str, Any] | None = None
    obfuscation: Any = None
    p: Any = None
    sequence_number: Any = None
    prompt_filter_results: list[Any] | None = None
    rare: RareChunk | None = unnamed("rare")


# What most chunks are: a piece of the content (with its logprobs), of reasoning, or of the arguments of a call, and
# nothing else. What is typed `None` needs no test.


class TextDelta(Closed, kw_only=True):
    role: str | None = None
    content: str


class ReasoningDelta(Closed, kw_only=True):
    role: str | None = None
    content: Literal[""] | UnsetType | None = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    reasoning_details: list[WireDetail] | None = None


class ArgumentsFunction(Closed, kw_only=True):
    extra: ClassVar[None] = None
    name: None = None
    arguments: str


class ArgumentsCall(Closed, kw_only=True):
    index: int
    id: None = None
    type: None = None
    function: ArgumentsFunction


class ArgumentsDelta(Closed, kw_only=True):
    role: None = None
    content: None = None
    tool_calls: tuple[ArgumentsCall]


DeltaT = TypeVar("DeltaT", TextDelta, ReasoningDelta, ArgumentsDelta)


class TopLogprob(Closed, kw_only=True):
    """A token that might have been: all that OpenAI says of one, in its order, so that it encodes to what it was."""

    token: str
    logprob: int | float
    bytes: list[int] | None


class TokenLogprob(TopLogprob, kw_only=True):
    top_logprobs: list[TopLogprob]


class ChoiceLogprobs(Closed, kw_only=True):
    content: list[TokenLogprob]
    refusal: UnsetType | None = UNSET


LogprobsT = TypeVar("LogprobsT", None, ChoiceLogprobs)


class NarrowChoice(Closed, Generic[DeltaT, LogprobsT], kw_only=True):
    index: int
    delta: DeltaT
    logprobs: LogprobsT | UnsetType = UNSET
    finish_reason: None = None
    native_finish_reason: None = None
    token_ids: None = None


ChoiceT = TypeVar("ChoiceT")


class NarrowChunk(Closed, Generic[ChoiceT], kw_only=True):
    id: str | None = None
    object: str | None = None
    created: int | float | str | None = None
    model: str | None = None
    service_tier: str | None = None
    system_fingerprint: str | None = None
    provider: str | None = None
    choices: tuple[ChoiceT]
    usage: None = None
    obfuscation: str | None = None
    p: str | None = None
    sequence_number: int | None = None


# -- final object --------------------------------------------------------------------------------


class Function(Body, frozen=True):
    """A function's name and its arguments, a JSON text as the model wrote it."""

    name: str | None = None
    arguments: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Custom(Body, frozen=True):
    """A custom tool's name and its input, free text."""

    name: str | None = None
    input: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class ToolCall(Body, frozen=True):
    """A call of a tool: ``function``, or ``custom`` where that is the ``type``; the other reads ``None``."""

    id: str | None = None
    type: str | None = None
    function: Function = None  # type: ignore[assignment]
    custom: Custom = None  # type: ignore[assignment]
    extra: dict[str, Any] = field(default_factory=dict)


class Audio(Body, frozen=True):
    """Spoken output: ``data`` is base64, ``expires_at`` in seconds of the epoch."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Message(Body, frozen=True):
    """The assistant's message. ``content`` is a list of parts where a provider mixes kinds (C2)."""

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    reasoning_details: list[dict[str, Any]] = field(default_factory=list)
    annotations: list[dict[str, Any]] = field(default_factory=list)
    audio: Audio | None = None
    function_call: Function | None = None
    tool_calls: list[ToolCall] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class Logprobs(Body, frozen=True):
    """Log probabilities of the tokens of the content and of the refusal."""

    content: list[dict[str, Any]] = field(default_factory=list)
    refusal: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class Choice(Body, frozen=True):
    """One of the answers asked for with ``n``."""

    index: int | None = None
    message: Message = None  # type: ignore[assignment]
    finish_reason: str | None = None
    logprobs: Logprobs | None = None
    extra: dict[str, Any] = field(default_factory=dict)


def view(body: dict[str, Any], choice: int) -> View | None:
    """View a choice. Of the names for reasoning the first that says something counts (C4)."""
    one = pick(body.get("choices"), choice)
    if one is None:
        return None
    message = record(one.get("message"))
    content = message.get("content")
    parts = content if type(content) is list else [content]
    reasonings = [text_of(message.get(key)) for key in ("reasoning_content", "reasoning", "thinking", "reasoning_text")]
    # C2: Mistral mixes thinking into the content.
    thoughts = [text_of(part.get("thinking")) for part in records(parts) if part.get("type") == "thinking"]
    calls = []
    for call in records(message.get("tool_calls")) or [{"function": message.get("function_call")}]:
        function, custom = call.get("function"), call.get("custom")
        if type(function) is dict:
            calls.append(called(call.get("id"), function.get("name"), function.get("arguments")))
        elif type(custom) is dict:
            calls.append(called_freely(call.get("id"), custom.get("name"), custom.get("input")))
    return View(
        role=string(message.get("role")),
        text=join_texts(text_of(part) for part in parts if record(part).get("type", "text") == "text"),
        reasoning=next(filter(None, [*reasonings, join_texts(thoughts)]), join_texts(reasonings)),
        refusal=text_of(message.get("refusal")),
        tool_calls=calls,
        finish_reason=common_finish(COMPLETION_FINISH, one.get("finish_reason"), bool(calls)),
        usage=completion_usage(body.get("usage")),
    )


class ChatCompletion(Body, frozen=True):
    """What a Chat Completions call without streaming returns."""

    sdk_types: ClassVar[SdkTypes] = {"openai": (("openai.types.chat", "ChatCompletion"),)}
    to_view: ClassVar[ToView] = staticmethod(view)

    id: str | None = None
    object: str | None = None
    created: int | float | str | None = None
    model: str | None = None
    choices: list[Choice] = field(default_factory=list)
    usage: Usage | None = None
    system_fingerprint: str | None = None
    service_tier: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# -- state ---------------------------------------------------------------------------------------

# Declared text keys of a delta, in the order a message has them.
TEXTS = ("content", "refusal", "reasoning_content", "reasoning", "thinking", "reasoning_text")
_SCAFFOLDING = frozenset({"obfuscation", "sequence_number"})
# Lists of a delta whose entries come whole: an `index` counts those of one chunk, and names no entry (C36, C37).
_APPENDED = ("annotations", "images")


class _Text(Saved):
    """A text key of a delta: a text, or a list of parts once any delta was one (decision 8)."""

    __slots__ = ("parts", "plain", "text", "watch")

    def __init__(self, state: ChatState) -> None:
        self.text: Fragments | None = None  # None until a non-null delta
        self.parts: list[Any] | None = None
        self.watch: Watch | None = Watch("cumulative" in state.options.repairs)
        self.plain: Fragments | None = None  # the text, while a string joins it without more ado

    def add(self, value: Any) -> None:
        if type(value) is str and self.parts is None:
            if self.text is None:
                self.text = Fragments()
            if self.watch is not None and value:
                self.text, self.watch = watched(value, self.text, self.watch)
            self.text.append(value)
            if self.watch is None:
                self.plain = self.text
            return
        if self.parts is None:
            self.parts = []
            self.plain = None
            if self.text:
                _add_part(self.parts, {"type": "text", "text": str(self.text)})
        for part in value if type(value) is list else (value,):
            if type(part) is str:
                if part:
                    _add_part(self.parts, {"type": "text", "text": part})
            elif part is not None:
                _add_part(self.parts, part)

    def value(self) -> Any:
        if self.parts is None:
            return None if self.text is None else str(self.text)
        parts = [_joined_part(part) for part in self.parts]
        if all(type(part) is dict and part.keys() == {"type", "text"} and part["type"] == "text" for part in parts):
            return "".join(part["text"] for part in parts)
        return parts


def _add_part(parts: list[Any], part: Any) -> None:
    """Append a part, joining neighbours of type text, and of type thinking."""
    last = parts[-1] if parts else None
    if type(part) is not dict or part.get("type") not in ("text", "thinking"):
        parts.append(copied(part))
        return
    if type(last) is not dict or last.get("type") != part["type"]:
        last = {"type": part["type"]}
        parts.append(last)
    for key, value in part.items():
        if key == "type" or value is None:
            last.setdefault(key, None)
        elif key == "text" and type(value) is str and type(last.get(key, "")) in (str, Fragments):
            text = last.get(key)
            if not isinstance(text, Fragments):
                text = last[key] = Fragments(text or "")
            text.append(value)
        elif type(value) is list:
            inner = last.get(key)
            if type(inner) is not list:
                inner = last[key] = []
            for entry in value:
                _add_part(inner, entry)
        else:
            last[key] = copied(value)


def _joined_part(part: Any) -> Any:
    if type(part) is dict:
        return {key: _joined_part(value) for key, value in part.items()}
    if type(part) is list:
        return [_joined_part(value) for value in part]
    return str(part) if isinstance(part, Fragments) else part


class _Call(Saved):
    """A tool call, or the one function call of the old kind."""

    __slots__ = (
        "arguments",
        "custom",
        "extra",
        "function",
        "id",
        "index",
        "input",
        "name",
        "object",
        "plain",
        "strings",
        "type",
        "watch",
    )

    def __init__(self, state: ChatState, index: int | None = None) -> None:
        self.index = index
        self.watch: Watch | None = Watch("cumulative" in state.options.repairs)
        self.id: str | None = None
        self.type: str | None = None
        self.name: str | None = None
        self.arguments: Fragments | None = None
        self.plain: Fragments | None = None  # the arguments, while a string joins them without more ado
        self.input: Fragments | None = None
        self.object: Any = None  # arguments that came as an object (T15)
        self.function: dict[str, Any] | None = None  # a function was there; its unknown keys
        self.custom: dict[str, Any] | None = None
        self.extra: dict[str, Any] = {}
        self.strings: dict[str, list[str]] = {}  # of undeclared keys, every value

    def text(self) -> str:
        """The arguments or the input so far."""
        if self.object is not None and self.arguments is None:
            return compact(self.object)
        return str(self.arguments or self.input or "")

    def empty(self) -> bool:
        return not (self.id or self.name or self.text() or self.extra or self.function or self.custom)

    def add_function(self, function: WireFunction | ArgumentsFunction, state: ChatState) -> None:
        if self.function is None:
            self.function = {}
        if function.extra:
            merge(self.function, function.extra)
        if function.name:
            if not self.name:
                self.name = function.name
            elif function.name != self.name and "split_names" in state.options.repairs:
                self.name += function.name
                state.report("repaired", function.name, "split_names")
        value = function.arguments
        if type(value) is str:
            if self.object is not None and self.arguments is None and value:
                # T15: `{}` followed by strings was only a start value.
                self.arguments = Fragments("" if not self.object else compact(self.object))
                self.object = None
            if self.arguments is None:
                self.arguments = Fragments()
            if self.watch is not None and value:
                self.arguments, self.watch = watched(value, self.arguments, self.watch)
            self.arguments.append(value)
            if self.watch is None:
                self.plain = self.arguments
        elif value is not None:
            before = self.text()
            if before and before != compact(value) and before.strip() != "{}":
                state.report("arguments_replaced", before, value)
            self.object = copied(value)
            self.arguments = self.plain = None

    def add_custom(self, custom: WireCustom) -> None:
        if self.custom is None:
            self.custom = {}
        if custom.extra:
            merge(self.custom, custom.extra)
        if custom.name and not self.name:
            self.name = custom.name
        if custom.input is not None:
            if self.input is None:
                self.input = Fragments()
            self.input.append(custom.input)

    def build_function(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.name is not None:
            body["name"] = self.name
        body["arguments"] = self.text() if self.arguments is not None or self.object is not None else ""
        for key, value in (self.function or {}).items():
            body.setdefault(key, value)
        return body

    def build(self, text_keys: frozenset[str]) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.id is not None:
            body["id"] = self.id
        kind = self.type or ("custom" if self.custom is not None else "function" if self.function is not None else None)
        if kind is not None:
            body["type"] = kind
        if self.function is not None:
            body["function"] = self.build_function()
        if self.custom is not None:
            body["custom"] = {"name": self.name, "input": str(self.input or ""), **self.custom}
        for key, value in self.extra.items():
            body.setdefault(key, "".join(self.strings[key]) if key in text_keys and key in self.strings else value)
        return body


class _Choice(Saved):
    """One choice: its message in the making."""

    caches = ("detail", "detail_text", "filters")
    __slots__ = (
        "at_index", "audio", "calls", "content", "detail", "detail_text", "details", "extra", "filters", "finish",
        "finishes", "function_call", "last_many", "logprobs", "message", "message_extra", "opening", "role", "roles",
        "texts", "token_ids", "touched", "undeclared",
    )  # fmt: skip

    def __init__(self, state: ChatState) -> None:
        self.role: str | None = None
        self.roles = 0  # deltas that had one, up to 3
        self.opening: Any = None  # the content that came with the first
        self.content = _Text(state)
        self.texts: dict[str, _Text | None] = {}  # of the other declared keys; None where only null came
        self.calls: list[_Call] = []
        self.at_index: dict[int, _Call] = {}  # the newest call of each index
        self.touched: _Call | None = None  # the call touched last
        self.last_many: list[_Call] = []  # the calls of the last delta that had several entries
        self.function_call: _Call | None = None
        self.finish: str | None = None
        self.finishes: list[str] = []
        self.logprobs: Any = UNSET
        self.audio: dict[str, Any] | None = None
        self.details: list[Any] | None = None
        self.detail: WireDetail | None = None  # the last one but for its text, if the next may continue it
        self.detail_text: Fragments | None = None
        self.filters: msgspec.Raw | None = None  # the last filter results: Azure says them with every delta
        self.message: dict[str, Any] | None = None  # a whole message, where one came
        self.message_extra: dict[str, Any] = {}
        self.undeclared: dict[str, list[str]] = {}
        self.extra: dict[str, Any] = {}
        self.token_ids: list[Any] | None = None

    def touch(self, call: _Call) -> None:
        self.touched = call

    def has_content(self) -> bool:
        return bool(
            self.content.text or self.content.parts or self.calls or self.function_call or self.audio or self.details
            or self.message or any(text is not None and (text.text or text.parts) for text in self.texts.values())
        )  # fmt: skip


class ChatState(Envelope):
    """A chat completion in the making."""

    __slots__ = (
        "choices", "count", "counted", "fingerprint", "metadata", "moderation", "prompt_filter", "provider", "tier",
        "x_groq",
    )  # fmt: skip

    def __init__(self, options: Options, report: Report) -> None:
        super().__init__(options, report, HANDLERS["FIRST"])
        self.fingerprint: str | None = None
        self.tier: str | None = None
        self.metadata: Any = None
        self.moderation: Any = None
        self.provider: str | None = None
        self.prompt_filter: list[Any] | None = None
        self.x_groq: dict[str, Any] | None = None
        self.choices: dict[int, _Choice] = {}
        # The repair choice_counter: all choices as one, while their indices count the chunks (C11).
        self.counted: _Choice | None = _Choice(self) if "choice_counter" in options.repairs else None
        self.count: int | None = None  # the index that comes next, if it does


# -- handlers ------------------------------------------------------------------------------------


def on_first_chunk(state: ChatState, chunk: Chunk) -> object:
    """The first chunk; the next phase depends on whether it was a body sent whole."""
    outcome = on_chunk(state, chunk)
    state.row = HANDLERS["OPEN"] if state.whole is None else HANDLERS["WHOLE"]
    if state.created and state.counted is None and state.whole is None:
        state.narrow = NARROW_TEXT  # as likely as not
    return outcome


def on_chunk_after_whole(state: ChatState, chunk: Chunk) -> object:
    """More came after a body sent whole: it was an event like others (C42)."""
    outcome = on_chunk(state, chunk)
    if outcome is None:
        state.whole = None
        state.row = HANDLERS["OPEN"]
    return outcome


def on_done(state: ChatState, _: None) -> None:
    state.done = True
    state.row = HANDLERS["OVER" if state.whole is None else "WHOLE"]


def on_chunk(state: ChatState, chunk: Chunk) -> object:
    choices = chunk.choices
    if (
        choices
        and chunk.extra is None
        and chunk.id == state.id
        and chunk.model == state.model
        and state.created
        and not chunk.usage
        and chunk.prompt_filter_results is None
        and len(choices) == 1
    ):
        # Nearly every chunk: nothing is new but in the one choice.
        wire = choices[0]
        choice = state.choices.get(wire.index)  # type: ignore[arg-type]
        filters = wire.content_filter_results
        if choice is not None and (filters is UNSET or filters == choice.filters) and state.counted is None:
            _add_to(state, choice, wire)
            _take_head(state, chunk)
            state.narrow = _narrow_for(choice, wire)
            return None
    return _take_chunk(state, chunk, choices)


def _take_head(state: ChatState, chunk: Chunk | NarrowChunk[Any]) -> None:
    """Take what is said of the whole completion, the last time."""
    if chunk.system_fingerprint:
        state.fingerprint = chunk.system_fingerprint
    if chunk.service_tier:
        state.tier = chunk.service_tier
    if chunk.provider is not None:
        state.provider = chunk.provider


def _choice_of(state: ChatState, chunk: NarrowChunk[Any]) -> _Choice | None:
    """The choice that a chunk speaks of, if all that it says beside its piece is known."""
    wire = chunk.choices[0]
    choice = state.choices.get(wire.index)
    if choice is None or chunk.id != state.id or chunk.model != state.model or wire.logprobs is not choice.logprobs:
        return None
    return None if wire.delta.role and choice.roles < 3 else choice


def take_text(state: ChatState, chunk: NarrowChunk[Any]) -> bool:
    """A piece of the content, and nothing else."""
    choice = _choice_of(state, chunk)
    if choice is None:
        return False
    _take_head(state, chunk)
    piece = chunk.choices[0].delta.content
    content = choice.content
    if content.plain is not None:
        content.plain.append(piece)
    else:
        content.add(piece)
    return True


def take_thought(state: ChatState, chunk: NarrowChunk[Any]) -> bool:
    """A piece of reasoning under one or several names, and nothing else."""
    choice = _choice_of(state, chunk)
    if choice is None:
        return False
    delta = chunk.choices[0].delta
    content, reasoning = choice.texts.get("reasoning_content"), choice.texts.get("reasoning")
    if delta.reasoning_content is not UNSET and (content is None or content.plain is None):
        return False
    if delta.reasoning is not UNSET and (reasoning is None or reasoning.plain is None):
        return False
    _take_head(state, chunk)
    if delta.content == "" and choice.content.text is None:
        choice.content.add("")
    if delta.reasoning_content is not UNSET:
        content.plain.append(delta.reasoning_content)  # type: ignore[union-attr]
    if delta.reasoning is not UNSET:
        reasoning.plain.append(delta.reasoning)  # type: ignore[union-attr]
    if delta.reasoning_details is not None:
        _add_details(choice, delta.reasoning_details)
    return True


def take_argument(state: ChatState, chunk: NarrowChunk[Any]) -> bool:
    """A piece of the arguments of a call that is known by its index, and nothing else."""
    choice = _choice_of(state, chunk)
    if choice is None:
        return False
    entry = chunk.choices[0].delta.tool_calls[0]
    call = _call_at(choice, entry.index)
    if call is None or call.function is None:
        return False
    _take_head(state, chunk)
    if call.plain is not None:
        call.plain.append(entry.function.arguments)
    else:
        call.add_function(entry.function, state)
    choice.touched = call
    return True


# Many pieces at once. For each kind a function says what the wires of one choice add: to what, and what.

Additions = list[tuple[Callable[[Any], None], Any]]
InChoice = Callable[["_Choice", Sequence[Any]], Additions | None]


def _texts_in(choice: _Choice, wires: Sequence[Any]) -> Additions | None:
    """Pieces of the content, and nothing else."""
    plain = choice.content.plain
    if plain is None or _names_role(choice, wires):
        return None
    return [(plain.extend, [wire.delta.content for wire in wires])]


def _names_role(choice: _Choice, wires: Sequence[Any]) -> bool:
    """Whether a role is said that may count."""
    return choice.roles < 3 and bool([wire for wire in wires if wire.delta.role])


def _logged_texts_in(choice: _Choice, wires: Sequence[Any]) -> Additions | None:
    """Pieces of the content with their logprobs."""
    additions = _texts_in(choice, wires)
    known = choice.logprobs
    entries = known.get("content") if type(known) is dict else None
    if additions is None or type(entries) is not Entries:
        return None
    said = [wire.logprobs for wire in wires]
    first_refusal = "refusal" not in known
    if [one for one in said if one is UNSET or (first_refusal and one.refusal is None)]:
        return None
    additions.append((entries.add, [token for one in said for token in one.content]))
    return additions


def _thoughts_in(choice: _Choice, wires: Sequence[Any]) -> Additions | None:
    """Pieces of reasoning under one or several names."""
    if _names_role(choice, wires):
        return None
    additions: Additions = []
    for name in ("reasoning_content", "reasoning"):
        pieces = [piece for wire in wires if (piece := getattr(wire.delta, name)) is not UNSET]
        text = choice.texts.get(name)
        if pieces and (text is None or text.plain is None):
            return None
        if pieces:
            additions.append((text.plain.extend, pieces))  # type: ignore[union-attr]
    if choice.content.text is None and [wire for wire in wires if wire.delta.content == ""]:
        additions.append((choice.content.add, ""))
    for wire in wires:
        if wire.delta.reasoning_details is not None:
            additions.append((partial(_add_details, choice), wire.delta.reasoning_details))
    return additions


def _arguments_in(choice: _Choice, wires: Sequence[Any]) -> Additions | None:
    """Pieces of the arguments of calls that are known by their indices."""
    entries = [wire.delta.tool_calls[0] for wire in wires]
    additions: Additions = []
    for index, its in _by_index(entries).items():
        call = choice.at_index.get(index)
        if call is None or call.plain is None or _call_at(choice, index) is not call:
            return None
        additions.append((call.plain.extend, [entry.function.arguments for entry in its]))
    additions.append((choice.touch, choice.at_index[entries[-1].index]))
    return additions


def _by_index(items: Sequence[Any]) -> dict[int, Sequence[Any]]:
    first = items[0].index
    if not [item for item in items if item.index != first]:
        return {first: items}
    groups: dict[int, Any] = {item.index: [] for item in items}
    for item in items:
        groups[item.index].append(item)
    return groups


def take_choices(in_choice: InChoice, state: ChatState, wires: Sequence[NarrowChoice[Any, Any]]) -> bool:
    """Take what choices say, if it is pieces of a kind and nothing else."""
    additions: Additions = []
    for index, its in _by_index(wires).items():
        choice = state.choices.get(index)
        some = in_choice(choice, its) if choice is not None else None
        # That logprobs are null is said once (decision 9).
        if some is None or (choice.logprobs is UNSET and [wire for wire in its if wire.logprobs is None]):  # type: ignore[union-attr]
            return False
        additions += some
    for add, what in additions:
        add(what)
    return True


def take_logged(state: ChatState, chunk: NarrowChunk[Any]) -> bool:
    """A piece of the content with its logprobs, and nothing else."""
    if chunk.id != state.id or chunk.model != state.model or not take_choices(_logged_texts_in, state, chunk.choices):
        return False
    _take_head(state, chunk)
    return True


def take_chunks(in_choice: InChoice, state: ChatState, chunks: Sequence[NarrowChunk[Any]]) -> bool:
    """Take the choices of chunks that say nothing new about the whole completion."""
    ident, model, fingerprint, tier, provider = state.id, state.model, state.fingerprint, state.tier, state.provider
    others = [
        chunk
        for chunk in chunks
        if chunk.id != ident
        or chunk.model != model
        or chunk.system_fingerprint != fingerprint
        or chunk.service_tier != tier
        or chunk.provider != provider
    ]
    return not others and take_choices(in_choice, state, [chunk.choices[0] for chunk in chunks])


_PROBE = b'{"index":0,"delta":{"content":"a probe"}}'
_decode_probe = msgspec.json.Decoder(NarrowChunk[NarrowChoice[TextDelta, None]]).decode


def _around_choice(payload: bytes) -> tuple[bytes, bytes] | None:
    """What is before and behind the one choice of a chunk.

    If what is between the first opening and the last closing bracket can be another choice, it can be any: there is
    no other bracket that could open the choices, and where either end lay inside a string, the probe's quotes would
    break the JSON.
    """
    head, tail = payload[: payload.find(b"[") + 1], payload[payload.rfind(b"]") :]
    try:
        _decode_probe(b"%b%b%b" % (head, _PROBE, tail))
    except (ValueError, RecursionError):
        return None
    return head, tail


def _narrow(choice: Any, take: Callable[[ChatState, Any], bool], in_choice: InChoice) -> Narrow:
    decode_all = partial(map, msgspec.json.Decoder(choice).decode)
    varying = Varying(_around_choice, decode_all, partial(take_choices, in_choice))
    return Narrow(msgspec.json.Decoder(NarrowChunk[choice]).decode, take, partial(take_chunks, in_choice), varying)


NARROW_TEXT = _narrow(NarrowChoice[TextDelta, None], take_text, _texts_in)
NARROW_LOGGED = _narrow(NarrowChoice[TextDelta, ChoiceLogprobs], take_logged, _logged_texts_in)
NARROW_REASONING = _narrow(NarrowChoice[ReasoningDelta, None], take_thought, _thoughts_in)
NARROW_ARGUMENTS = _narrow(NarrowChoice[ArgumentsDelta, None], take_argument, _arguments_in)


def _in_openais_order(logprobs: Any) -> bool:
    """Whether entries of logprobs, as far as the first one tells, have the keys of `TokenLogprob` in their order."""
    entries = logprobs.get("content") if type(logprobs) is dict else None
    entry = entries[0] if type(entries) is list and entries else None
    if type(entry) is not dict or tuple(entry) != TokenLogprob.__struct_fields__:
        return False
    others = entry["top_logprobs"]
    return not others or (
        type(others) is list and type(others[0]) is dict and tuple(others[0]) == TopLogprob.__struct_fields__
    )


def _narrow_for(choice: _Choice, wire: WireChoice) -> Narrow | None:
    """The way for more of what this choice of a chunk said, whose rest was nothing special."""
    delta = wire.delta
    if delta is None or wire.content_filter_results is not UNSET or wire.finish_reason is not None:
        return None
    if wire.matched_stop is not UNSET or delta.refusal is not UNSET or wire.token_ids is not None:
        return None
    if delta.role and choice.roles < 3:
        return None
    logged = wire.logprobs is not UNSET and wire.logprobs is not None
    if delta.tool_calls and not logged:
        call = choice.touched
        return NARROW_ARGUMENTS if call is not None and call.function is not None and not delta.content else None
    if type(delta.reasoning) is str or type(delta.reasoning_content) is str:
        return NARROW_REASONING if not delta.content and not logged else None
    if type(delta.content) is not str or delta.tool_calls is not None:
        return None
    if logged:
        return NARROW_LOGGED if _in_openais_order(wire.logprobs) else None
    return NARROW_TEXT


def _take_chunk(state: ChatState, chunk: Chunk, choices: list[WireChoice] | None) -> object:
    """Take any chunk."""
    ident = chunk.id
    if ident != state.id and ident:
        if state.ids and ident not in state.ids and _begins_another(state, choices):
            return SPLIT
    if choices:
        if any(wire.index not in state.choices for wire in choices):
            check_growth(state, choices, bounded=state.counted is None)
        if chunk.extra is None and all(wire.delta is None and wire.matched_stop is not UNSET for wire in choices):
            return AGAIN  # as a dict it is recognised: a text completion's
        for wire in choices:
            if wire.delta is not None and wire.delta.tool_calls:
                _check_calls(state, state.choices.get(place(wire)), wire.delta.tool_calls)
    state.begun = True
    if ident != state.id and ident is not None:
        state.take_id(ident)
    if chunk.model != state.model and chunk.model:
        state.take_model(chunk.model)
    if not state.created and chunk.created is not None:
        state.created = chunk.created
    if chunk.usage:
        state.take_usage(chunk.usage)
    _take_head(state, chunk)
    if chunk.prompt_filter_results is not None:
        state.prompt_filter = chunk.prompt_filter_results
    if chunk.extra is not None:
        _add_rare(state, chunk, chunk.extra)
    for wire in choices or ():
        _add_choice(state, wire)
    return None


def _add_rare(state: ChatState, chunk: Chunk, extra: dict[str, Any]) -> None:
    rare = chunk.rare
    if rare is not None:
        if rare.x_groq is not None:
            state.x_groq = state.x_groq or {}
            merge(state.x_groq, rare.x_groq)
        if rare.metadata is not None:
            state.metadata = rare.metadata
        if rare.moderation is not None:
            state.moderation = rare.moderation
    merge(state.extra, extra)


def _begins_another(state: ChatState, choices: list[WireChoice] | None) -> bool:
    """Tell whether a chunk with an id never seen before begins another response (decision 12)."""
    if not choices or not (state.done or (len(state.ids) == 1 and finished(state))):
        return False
    for choice in choices:
        if choice.delta is not None and choice.delta.role and (state.done or place(choice) in state.choices):
            return True
        # A body sent whole has its role in the message.
        whole = choice.rare is not None and choice.rare.message is not None
        if choice.delta is None and whole and (state.done or state.whole is not None):
            return True
    return False


def _add_choice(state: ChatState, wire: WireChoice) -> None:
    index = wire.index
    choice = state.choices.get(index)  # type: ignore[arg-type]
    if choice is None:
        index = place(wire)
        choice = state.choices.get(index)
        if choice is None:
            choice = state.choices[index] = _Choice(state)
    if state.counted is not None:
        _add_counted(state, state.counted, wire)
    _add_to(state, choice, wire)


def _add_counted(state: ChatState, counted: _Choice, wire: WireChoice) -> None:
    """C11: as long as each chunk has the next index and none before it was finished, they are one choice."""
    index = place(wire)
    if (state.count is not None and index != state.count) or counted.finish is not None:
        state.counted = None
        return
    state.count = index + 1
    _add_to(state, counted, wire)


def _add_to(state: ChatState, choice: _Choice, wire: WireChoice) -> None:
    delta = wire.delta
    if delta is not None:
        if delta.tool_calls:
            _add_calls(state, choice, delta.tool_calls)  # first, for they may be too many
        content = delta.content
        plain = choice.content.plain
        if plain is not None and type(content) is str:
            if content:
                pieces = plain.pieces
                pieces.append(content)
                if len(pieces) >= GATHERED:
                    plain.gather()
        elif content is not UNSET and content is not None:
            choice.content.add(content)
        if delta.role and choice.roles < 3:
            _take_role(state, choice, delta, wire.finish_reason)
        if delta.refusal is not UNSET:
            _add_text(state, choice, "refusal", delta.refusal)
        if delta.reasoning_content is not UNSET:
            _add_text(state, choice, "reasoning_content", delta.reasoning_content)
        if delta.reasoning is not UNSET:
            _add_text(state, choice, "reasoning", delta.reasoning)
        if delta.reasoning_details is not None:
            _add_details(choice, delta.reasoning_details)
        if delta.thinking is not UNSET:
            _add_text(state, choice, "thinking", delta.thinking)
        if delta.reasoning_text is not UNSET:
            _add_text(state, choice, "reasoning_text", delta.reasoning_text)
        if delta.function_call is not None:
            if choice.function_call is None:
                choice.function_call = _Call(state)
            choice.function_call.add_function(delta.function_call, state)
        if delta.extra is not None:
            _add_rare_delta(state, choice, delta, delta.extra)
    elif wire.text is not None and (wire.rare is None or wire.rare.message is None):
        choice.content.add(wire.text)  # C43
    if wire.finish_reason:
        if wire.finish_reason not in choice.finishes:
            if choice.finishes:
                state.report("finish_reason_differs", [choice.finish, wire.finish_reason], wire.finish_reason)
            choice.finishes.append(wire.finish_reason)
        choice.finish = wire.finish_reason
    if wire.logprobs is not choice.logprobs:
        if wire.logprobs is not UNSET:
            choice.logprobs = with_logprobs(choice.logprobs, wire.logprobs, typed=wire.extra is None)
    if wire.content_filter_results is not UNSET and wire.content_filter_results != choice.filters:
        _add_filters(state, choice, wire.content_filter_results)
    if wire.native_finish_reason is not None:
        choice.extra["native_finish_reason"] = wire.native_finish_reason
    if wire.stop_reason is not None:
        choice.extra["stop_reason"] = wire.stop_reason
    if wire.token_ids is not None:
        choice.token_ids = [*(choice.token_ids or ()), *wire.token_ids]
    if wire.matched_stop is not UNSET:
        merge(choice.extra, {"matched_stop": wire.matched_stop})
    if wire.extra is not None:
        _add_rare_choice(state, choice, wire, wire.extra)


def _add_rare_delta(state: ChatState, choice: _Choice, delta: Delta, extra: dict[str, Any]) -> None:
    rare = delta.rare
    if rare is not None:
        if rare.audio is not None:
            choice.audio = choice.audio or {}
            _add_audio(choice.audio, rare.audio)
        if rare.thinking_blocks is not None:
            blocks = choice.message_extra.setdefault("thinking_blocks", [])
            for block in rare.thinking_blocks:
                _add_thinking_block(blocks, block)
    if extra:
        _add_undeclared(state, choice, extra)


def _add_rare_choice(state: ChatState, choice: _Choice, wire: WireChoice, extra: dict[str, Any]) -> None:
    rare = wire.rare
    if rare is not None:
        if rare.message is not None:
            # What a later one says counts; that it says nothing takes nothing back.
            before = choice.message or {}
            choice.message = {
                **before,
                **{key: value for key, value in rare.message.items() if value or key not in before},
            }
    merge(choice.extra, extra)
    if extra.get("error") and state.error is None:
        state.error = normalise(extra["error"], extra["error"])


def _take_role(state: ChatState, choice: _Choice, delta: Delta, finish: str | None) -> None:
    """The first role. The first chunk once more, after others without a role, looks like a replay (C45)."""
    choice.roles += 1
    if choice.role is None:
        choice.role = delta.role
        choice.opening = delta.content
    elif choice.roles == 2 and finish is None and delta.content == choice.opening and state.id is not None:
        text = choice.content.value()
        if type(text) is str and len(text) > len(choice.opening or "") + len(delta.content or ""):
            state.report("repairable", {"role": delta.role}, "as it came; the repair is duplicate_chunks")


def _add_text(state: ChatState, choice: _Choice, key: str, value: Any) -> None:
    text = choice.texts.get(key)
    if text is not None:
        plain = text.plain
        if plain is not None and type(value) is str:
            pieces = plain.pieces
            pieces.append(value)
            if len(pieces) >= GATHERED:
                plain.gather()
            return
    if value is None:
        choice.texts.setdefault(key, None)
        return
    if text is None:
        text = choice.texts[key] = _Text(state)
    text.add(value)


def _add_filters(state: ChatState, choice: _Choice, results: Any) -> None:
    if type(results) is msgspec.Raw:
        choice.filters = results.copy()
        results = decode(bytes(results), state.report, state.options.limits.max_depth)
        if type(results) is not dict and results is not None:
            state.report("wrong_type", {"choices.content_filter_results": results}, "left out")
            return
    if results is not None:
        merge(choice.extra, {"content_filter_results": results})


def _add_audio(audio: dict[str, Any], delta: dict[str, Any]) -> None:
    for key, value in delta.items():
        if key in ("data", "transcript") and type(value) is str:
            audio.setdefault(key, []).append(value)
        elif value is not None and not (key == "id" and audio.get("id")):
            audio[key] = copied(value)


def _joined_audio(audio: dict[str, Any]) -> dict[str, Any]:
    body = dict(audio)
    if type(audio.get("transcript")) is list:
        body["transcript"] = "".join(audio["transcript"])
    if type(audio.get("data")) is list:
        body["data"] = _joined_base64([piece for piece in audio["data"] if piece])
    return body


def _joined_base64(pieces: list[str]) -> str:
    """Join base64: as text, unless a piece before the last is padded and so stands for itself (C35)."""
    if any(piece.endswith("=") for piece in pieces[:-1]):
        import base64

        try:
            return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
        except ValueError:
            pass
    return "".join(pieces)


_DETAIL_TEXTS = ("text", "summary", "data")


def _add_details(choice: _Choice, details: list[Any]) -> None:
    if choice.details is None:
        choice.details = []
    for detail in details:
        if type(detail) is not WireDetail:
            choice.detail = choice.detail_text = None
            _add_detail(choice.details, detail)
            continue
        text = detail.text
        detail.text = None
        goes_on = detail == choice.detail
        detail.text = text
        if goes_on and type(text) is str:
            choice.detail_text.append(text)  # type: ignore[union-attr]
        else:
            _add_other_detail(choice, choice.details, detail)


def _add_other_detail(choice: _Choice, details: list[Any], detail: WireDetail) -> None:
    plain = msgspec.to_builtins(detail)
    _add_detail(details, plain)
    text = details[-1].get("text")
    # What has nothing to add but a text, to a text that is there, may be continued.
    steady = isinstance(text, Fragments) and "summary" not in plain and "data" not in plain
    if steady and _same_detail(details[-1], plain):
        choice.detail, choice.detail_text = msgspec.structs.replace(detail, text=None), text
    else:
        choice.detail = choice.detail_text = None


def _add_detail(details: list[Any], detail: Any) -> None:
    """Merge neighbours of one (index, type, id); encrypted ones stay apart (C6)."""
    last = details[-1] if details else None
    if type(detail) is not dict or type(last) is not dict or not _same_detail(last, detail):
        details.append(
            {
                key: Fragments(value) if key in _DETAIL_TEXTS and type(value) is str else copied(value)
                for key, value in detail.items()
            }
            if type(detail) is dict
            else detail
        )
        return
    for key, value in detail.items():
        old = last.get(key)
        if key in _DETAIL_TEXTS and type(value) is str:
            if isinstance(old, Fragments):
                old.append(value)
            else:
                last[key] = Fragments(value)
        elif value is not None and (key not in ("id", "format", "type") or not old):
            last[key] = copied(value)
        else:
            last.setdefault(key, value)


def _same_detail(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    kind = detail.get("type")
    if type(kind) is str and "encrypted" in kind:
        return False
    if last.get("type") != kind or last.get("index") != detail.get("index"):
        return False
    return last.get("id") == detail.get("id") or not last.get("id") or not detail.get("id")


def _add_thinking_block(blocks: list[Any], block: Any) -> None:
    """LiteLLM's blocks: the thinking joins until a signature closes the block."""
    last = blocks[-1] if blocks else None
    if (
        type(block) is dict
        and type(last) is dict
        and last.get("type") == block.get("type") == "thinking"
        and not last.get("signature")
    ):
        for key, value in block.items():
            if key == "thinking" and type(value) is str:
                last[key] = f"{last.get(key) or ''}{value}"
            elif value is not None:
                last[key] = copied(value)
    else:
        blocks.append(copied(block))


def _add_undeclared(state: ChatState, choice: _Choice, extra: dict[str, Any]) -> None:
    """Keys of a delta that nobody declared: the generic rule, and nothing lost (decision 5)."""
    for key, value in extra.items():
        if type(value) is str and value:
            if key in state.options.text_keys:
                _add_text(state, choice, key, value)
                continue
            seen = choice.undeclared.setdefault(key, [])
            seen.append(value)
    rest = {key: value for key, value in extra.items() if key not in choice.texts}
    for key in _APPENDED:
        value = rest.get(key)
        into = choice.message_extra.get(key, [])
        if type(value) is list and type(into) is list:
            choice.message_extra[key] = into
            for entry in rest.pop(key):
                if entry not in into:
                    into.append(copied(entry))
    if rest:
        merge(choice.message_extra, rest, add=True)


# The resolver of tool calls (semantics, "Tool-call resolver").


def _add_calls(state: ChatState, choice: _Choice, entries: list[WireCall]) -> None:
    if len(entries) == 1 and _goes_on(choice, entries[0]):
        return
    _check_calls(state, choice, entries)
    many = len(entries) > 1
    touched = []
    for nth, entry in enumerate(entries):
        call = _resolve(state, choice, entry, nth if many else -1)
        _fill(state, call, entry)
        choice.touched = call
        touched.append(call)
    if many:
        choice.last_many = touched


def _check_calls(state: ChatState, choice: _Choice | None, entries: list[WireCall]) -> None:
    """Refuse a chunk that would open too many calls, before anything of it is taken."""
    limits = state.options.limits
    count = len(choice.calls) if choice is not None else 0
    if len(entries) > limits.max_new_slots or count + len(entries) > limits.max_calls:
        choice = choice or _Choice(state)
        ids = {call.id for call in choice.calls}
        new = sum(_is_new(state, choice, entry, ids, len(entries) > 1) for entry in entries)
        if new > limits.max_new_slots:
            raise LimitReached("new_slots", new)
        if count + new > limits.max_calls:
            raise LimitReached("calls", count + new)


def _is_new(state: ChatState, choice: _Choice, entry: WireCall, ids: set[str | None], many: bool) -> bool:
    """Whether an entry opens a call; one of several, which depend on each other, whether it may."""
    index = entry.index if entry.index is not None and entry.index >= 0 else None
    named = (part.name for part in (entry.function, entry.custom) if part is not None and part.name)
    name = next(named, None)
    if many and (entry.id or name):
        return not entry.id or entry.id not in ids
    last = choice.touched
    if index is not None:
        last = next((call for call in reversed(choice.calls) if call.index == index), None)
    if last is None or not entry.id:
        return last is None or _opens(state, last, entry, name)
    other = last.id is not None or (index is None and name is not None)
    return entry.id not in ids and (other or _opens(state, last, entry, name))


def _call_at(choice: _Choice, index: int) -> _Call | None:
    """The call of this index: most often the one that was touched last."""
    call = choice.touched
    return call if call is not None and call.index == index else choice.at_index.get(index)


def _goes_on(choice: _Choice, entry: WireCall) -> bool:
    """Take what nearly all entries are: the index of a call, and a piece of its arguments."""
    index = entry.index
    call = _call_at(choice, index) if index is not None else None
    function = entry.function
    plain = call.plain if call is not None else None
    if (
        call is None
        or plain is None
        or function is None
        or function.name
        or type(function.arguments) is not str
        or entry.id
        or (entry.type and call.type is None)
        or entry.custom is not None
        or entry.extra is not None
    ):
        return False
    plain.append(function.arguments)
    choice.touched = call
    return True


def _resolve(state: ChatState, choice: _Choice, entry: WireCall, nth: int) -> _Call:
    """Find the call that this entry continues, or open a new one. ``nth``: in a delta of several, else -1."""
    calls = choice.calls
    index = entry.index if entry.index is not None and entry.index >= 0 else None
    ident = entry.id or None
    name = (entry.function.name if entry.function is not None else None) or (
        entry.custom.name if entry.custom is not None else None
    )
    # The steady state: the call touched last goes on.
    last = choice.touched
    if ident is None and not name and index is not None and last is not None and last.index == index:
        return last
    at_index = choice.at_index.get(index) if index is not None else None
    if ident is not None:
        for call in calls:
            if call.id == ident:
                return call
        candidate = at_index if index is not None else last if not name else None
        if candidate is not None and candidate.id is None and not _opens(state, candidate, entry, name):
            return candidate
        if at_index is not None:
            state.report("index_reused", {"index": index, "id": ident}, "a new call")
        return _open(state, choice, index)
    if index is not None:
        if at_index is None:
            return _open(state, choice, index)
        if _opens(state, at_index, entry, name):
            state.report("index_reused", {"index": index, "name": name}, "a new call")
            return _open(state, choice, index)
        return at_index
    if nth >= 0 and not name and nth < len(choice.last_many):
        return choice.last_many[nth]
    if name and last is not None and last.name and (nth >= 0 or _opens(state, last, entry, name)):
        return _open(state, choice, None)
    return last if last is not None else _open(state, choice, None)


def _opens(state: ChatState, call: _Call, entry: WireCall, name: str | None) -> bool:
    """Rule 5: a named entry opens a new call rather than continue one that has a name."""
    if not name or not call.name:
        return False
    differs = name != call.name
    if entry.custom is not None or call.custom is not None:
        return differs
    text = call.text()
    if text and _is_json(text):
        value = entry.function.arguments if entry.function is not None else None
        brings = bool(value.strip()) if type(value) is str else value is not None
        return differs or brings
    return differs and not text and "split_names" not in state.options.repairs


def _is_json(text: str) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _open(state: ChatState, choice: _Choice, index: int | None) -> _Call:
    call = _Call(state, index)
    if choice.calls and choice.calls[-1].plain is not None:
        choice.calls[-1].plain.gather()  # most often it is over
    choice.calls.append(call)
    if index is not None:
        choice.at_index[index] = call
    return call


def _fill(state: ChatState, call: _Call, entry: WireCall) -> None:
    if entry.function is not None:
        call.add_function(entry.function, state)
    if entry.id and call.id is None:
        call.id = entry.id
    if entry.type and call.type is None:
        call.type = entry.type
    if entry.custom is not None:
        call.add_custom(entry.custom)
    if entry.extra:
        for key, value in entry.extra.items():
            if type(value) is str and value:
                call.strings.setdefault(key, []).append(value)
        merge(call.extra, entry.extra)


# -- table ---------------------------------------------------------------------------------------

HANDLERS: dict[str, dict[str, Any]] = {
    "FIRST": {"chunk": on_first_chunk, "[DONE]": on_done},
    "OPEN": {"chunk": on_chunk, "[DONE]": on_done},
    "WHOLE": {"chunk": on_chunk_after_whole, "[DONE]": on_done},
    # Folding goes on: only what begins another response is told apart, and `on_chunk` asks `done` for that.
    "OVER": {"chunk": on_chunk},
}


# -- body ----------------------------------------------------------------------------------------


def build(state: ChatState, report: Report) -> dict[str, Any] | None:
    """The body so far; ``None`` before anything but an error came."""
    if state.whole is not None:
        return state.whole
    if not state.begun:
        return None
    body = state.head("chat.completion")
    ended = finished(state) and state.error is None
    choices = state.choices
    if _is_counter(state):
        report("repaired", {"choices": len(choices)}, "choice_counter")
        choices = {0: state.counted}  # type: ignore[dict-item]
    elif _looks_like_counter(choices):
        report("repairable", {"choices": len(choices)}, "as they came; the repair is choice_counter")
    body["choices"] = [
        _build_choice(index, choice, report, ended, state.options.text_keys)
        for index, choice in sorted(choices.items())
    ]
    usage = state.usage
    groq = dict(state.x_groq) if state.x_groq is not None else None
    if groq is not None:
        # C28: Groq's own non-streaming body has these at the top.
        moved = groq.pop("usage", None)
        usage = usage or moved or None
        if groq.get("usage_breakdown") is not None:
            body["usage_breakdown"] = groq.pop("usage_breakdown")
    for key, value in (
        ("usage", usage),
        ("system_fingerprint", state.fingerprint),
        ("service_tier", state.tier),
        ("provider", state.provider),
        ("prompt_filter_results", state.prompt_filter),
        ("metadata", state.metadata),
        ("moderation", state.moderation),
        ("x_groq", groq),
    ):
        if value is not None:
            body[key] = value
    for key, value in state.extra.items():
        if value is not None:
            body.setdefault(key, value)
    return body


def _build_choice(
    index: int, choice: _Choice, report: Report, ended: bool, text_keys: frozenset[str]
) -> dict[str, Any]:
    calls = [call for call in choice.calls if not call.empty()]
    body: dict[str, Any] = {"index": index, "message": _build_message(choice, calls, report, text_keys)}
    finish = choice.finish
    if finish == "stop" and (calls or choice.function_call is not None):
        # C21: a later stop does not take back that tools were called.
        finish = next((f for f in reversed(choice.finishes) if f in ("tool_calls", "function_call")), finish)
    body["finish_reason"] = finish
    # C35: a spoken answer ends with the time it expires, and has no finish reason.
    if finish is None and ended and not (choice.audio or {}).get("expires_at"):
        report("no_finish_reason", {"index": index}, None)
    if choice.logprobs is not UNSET:
        body["logprobs"] = built_logprobs(choice.logprobs)
    if choice.token_ids is not None:
        body["token_ids"] = choice.token_ids
    for key, value in choice.extra.items():
        if value is not None:
            body.setdefault(key, value)
    return body


def _build_message(choice: _Choice, calls: list[_Call], report: Report, text_keys: frozenset[str]) -> dict[str, Any]:
    whole = _whole_message(choice)
    if whole is not None and not _has_deltas(choice):
        whole.setdefault("role", choice.role or "assistant")
        if choice.details is not None:
            whole.setdefault("reasoning_details", [_joined_part(detail) for detail in choice.details])
        for key, value in choice.message_extra.items():
            whole.setdefault(key, value)
        return whole
    message: dict[str, Any] = {"role": choice.role or "assistant"}
    watches = [
        ("content", choice.content.watch),
        *((key, t.watch) for key, t in choice.texts.items() if t is not None),
    ]
    watches += [("arguments", call.watch) for call in calls]
    for key, watch in watches:
        verdict = watch.verdict(key) if watch is not None else None
        if verdict is not None:
            report(*verdict)
    content = choice.content.value()
    refusal = choice.texts.get("refusal")
    if content == "" and (calls or choice.function_call is not None or (refusal is not None and refusal.value())):
        content = None  # decision 6
    message["content"] = content
    for key, text in choice.texts.items():
        message[key] = None if text is None else text.value()
    if choice.details is not None:
        message["reasoning_details"] = [_joined_part(detail) for detail in choice.details]
    if choice.audio is not None:
        message["audio"] = _joined_audio(choice.audio)
    if choice.function_call is not None:
        message["function_call"] = choice.function_call.build_function()
    if calls:
        if all(call.index is not None for call in calls) and len({call.index for call in calls}) == len(calls):
            calls = sorted(calls, key=lambda call: call.index or 0)
        message["tool_calls"] = [call.build(text_keys) for call in calls]
        for call in calls:
            for key, fragments in call.strings.items():
                if len(set(fragments)) > 1 and key not in text_keys:
                    report("undeclared_text", {key: fragments}, fragments[-1])
    for key, value in choice.message_extra.items():
        message.setdefault(key, value)
    for key, fragments in choice.undeclared.items():
        if len(set(fragments)) > 1:
            report("undeclared_text", {key: fragments}, fragments[-1])
    if whole is not None and not message["content"]:
        # C16: the deltas had no content, only what stands beside it.
        message |= {key: value for key, value in whole.items() if value and not message.get(key)}
    return message


def _whole_message(choice: _Choice) -> dict[str, Any] | None:
    """The message that came whole, if one did."""
    if choice.message is None:
        return None
    message = {key: value for key, value in choice.message.items() if key not in _SCAFFOLDING and value != []}
    if type(message.get("tool_calls")) is list:
        message["tool_calls"] = [_without_index(call) for call in message["tool_calls"]]
    return message


def _without_index(call: Any) -> Any:
    return {key: value for key, value in call.items() if key != "index"} if type(call) is dict else call


def _has_deltas(choice: _Choice) -> bool:
    """Whether a delta had content, so that a whole message beside it is a copy (C11, C16)."""
    return bool(
        choice.content.text or choice.content.parts or choice.calls or choice.function_call or choice.audio
        or any(text is not None and text.value() for text in choice.texts.values())
    )  # fmt: skip


def texts(state: ChatState, chunk: Chunk) -> list[tuple[str, str, Any]] | None:
    """The texts that a chunk would add, if it did nothing else that the last of many such chunks would not do."""
    choices = chunk.choices
    if not choices or len(choices) != 1:
        return None
    if not state.is_settled(chunk.id, chunk.model, chunk.usage):
        return None
    wire = choices[0]
    delta = wire.delta
    choice = state.choices.get(place(wire))
    if delta is None or choice is None or not _is_settled(choice, wire) or delta.function_call is not None:
        return None
    found: list[tuple[str, str, Any]] = []
    for key in TEXTS:
        value = getattr(delta, key)
        if value is UNSET or (value is None and (key == "content" or key in choice.texts)):
            continue
        text = choice.content if key == "content" else choice.texts.get(key)
        if text is None or text.parts is not None or text.text is None:
            return None
        if value and text.watch is not None:
            return None
        if value:
            found.append((key, value, text.text))
    for calls in (delta.tool_calls, delta.reasoning_details):
        if calls and len(calls) != 1:
            return None
    if delta.tool_calls:
        entry = delta.tool_calls[0]
        call = choice.at_index.get(entry.index) if entry.index is not None else None
        if call is None or entry.id or entry.custom is not None:
            return None
        function = entry.function
        if function is None or function.name or (entry.type and call.type is None):
            return None
        if type(function.arguments) is not str or call.watch is not None or call.arguments is None:
            return None
        if function.arguments:
            found.append(("arguments", function.arguments, call.arguments))
    if delta.reasoning_details:
        detail = msgspec.to_builtins(delta.reasoning_details[0])
        last = choice.details[-1] if choice.details else None
        if type(last) is not dict or not _same_detail(last, detail):
            return None
        for key, value in detail.items():
            if key in _DETAIL_TEXTS and type(value) is str:
                if not isinstance(last.get(key), Fragments):
                    return None
                if value:
                    found.append((key, value, last[key]))
            elif not is_settled(last, {key: value}):
                return None
    return found or None


def _is_settled(choice: _Choice, wire: WireChoice) -> bool:
    """Whether a choice has everything that a chunk says beside its delta."""
    if wire.finish_reason and wire.finish_reason != choice.finish:
        return False
    if wire.delta is not None and wire.delta.role and choice.roles < 2:
        return False  # the second time may be a replay (C45)
    if wire.logprobs is not UNSET and (wire.logprobs is not None or choice.logprobs is UNSET):
        return False
    if wire.token_ids is not None:
        return False
    if wire.content_filter_results is not UNSET and wire.content_filter_results != choice.filters:
        return False
    said = {
        "matched_stop": None if wire.matched_stop is UNSET else wire.matched_stop,
        "native_finish_reason": wire.native_finish_reason,
        "stop_reason": wire.stop_reason,
    }
    return is_settled(choice.extra, said)


def recognise(obj: dict[str, Any]) -> bool:
    kind = obj.get("object")
    choices = obj.get("choices")
    if type(choices) is list and any(type(c) is dict and ("delta" in c or "message" in c) for c in choices):
        return True  # whatever it calls itself (C16)
    if type(kind) is str and kind.startswith("chat.completion"):
        return True
    if kind == "text_completion":
        return False
    if "choices" not in obj:
        return "prompt_filter_results" in obj  # C7, where a recorder drops empty lists
    # A legacy completion has its text on the choice, and neither delta nor message.
    return type(choices) is not list or not any(type(c) is dict and "text" in c for c in choices)


def is_body(obj: dict[str, Any], bare: bool) -> bool:
    choices = obj.get("choices")
    if type(choices) is not list or obj.get("object") == "chat.completion.chunk":
        return False
    return bool(choices) and all(
        type(c) is dict and type(c.get("message")) is dict and "delta" not in c for c in choices
    )


def finished(state: ChatState) -> bool:
    if state.done or state.whole is not None:
        return True
    if _is_counter(state):
        return state.counted.finish is not None  # type: ignore[union-attr]
    return bool(state.choices) and all(choice.finish is not None for choice in state.choices.values())


def _is_counter(state: ChatState) -> bool:
    return state.counted is not None and len(state.choices) > 2


def _looks_like_counter(choices: dict[int, _Choice]) -> bool:
    """C11: many choices, numbered one after the other, none finished but the last."""
    count = len(choices)
    if count < 8 or max(choices) != min(choices) + count - 1:
        return False
    return all(choice.finish is None for index, choice in choices.items() if index != max(choices))


# -- dialect -------------------------------------------------------------------------------------

DIALECT = Dialect(
    name="openai.chat",
    final=ChatCompletion,
    decode=msgspec.json.Decoder(Chunk).decode,
    revive=partial(revived, Chunk),
    recognise=recognise,
    is_body=is_body,
    carries=lambda obj: bool(obj.get("choices") or obj.get("usage")),
    state=ChatState,
    build=build,
    finished=finished,
    has_content=lambda state: any(choice.has_content() for choice in state.choices.values()),
    find_error=find_error,
    texts=texts,
    idle=("obfuscation", "p", "usage.completion_tokens", "usage.total_tokens"),
    handlers=HANDLERS,
    decides=lambda obj: not is_undecided(obj),
)
