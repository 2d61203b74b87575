"""``anthropic.messages``: the Messages API of Anthropic, also as Bedrock, Vertex and proxies speak it.

Theory of operation
-------------------
``message_start`` brings the message without its content; blocks at an ``index`` follow, each of them as
``content_block_start``, deltas, ``content_block_stop``; ``message_delta`` brings the stop reason and the final
usage; ``message_stop`` is the terminal evidence, and folding goes on after it. ``ping`` may stand anywhere.
Phases: ``FIRST`` (before the message began), ``OPEN``, ``OVER`` (after ``message_stop``), ``WHOLE`` (the first
event was a body sent whole, and nothing has come since).

Who wins: ``message_start`` is the base whenever it comes, and what a ``message_delta`` says lies over it, usage
field by field (A2, A3). A block's start value stands before its deltas (A6). A start for a block that is there
gives the keys that are missing and erases nothing; a delta for none makes one of its own kind (A1). Of signatures
the last wins (A8), citations append (A9). ``input`` is parsed from all its pieces at the end, in any block that has
pieces (A5, A7). A delta of unknown kind joins its strings by key and takes the last of the rest (A10).

Nothing waits for ``content_block_stop`` (A11). Until a ``message_delta`` came, ``output_tokens`` is a placeholder
(A4). Anthropic's endpoint in OpenAI's language (A12) is ``openai.chat``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, Literal

import msgspec
from msgspec import UNSET, UnsetType, field

from reducer.decoding import NotJson, Report, TooDeep, decode, join_surrogates
from reducer.dialects._dialect import SPLIT, Dialect, LimitReached, Narrow, Options, State
from reducer.dialects._errors import find_error
from reducer.dialects._extras import merge
from reducer.dialects._fragments import Fragments
from reducer.dialects._views import ToView, common_finish, count, join_texts, record, records, string, summed, used
from reducer.dialects._wire import Closed, Wire, from_dict
from reducer.saving import Saved
from reducer.sdk import SdkTypes
from reducer.typed import Body, copied
from reducer.view import FinishReason, ToolCallView, UsageView, View

# -- wire events ---------------------------------------------------------------------------------

BODY = "\x7fbody"  # no wire has it; a body's own type, `message`, would also name what is none

# A string that the decoder knows need not be made, nor hashed, for every event. Any other it refuses.
Kind = Literal[
    "message_start",
    "content_block_start",
    "content_block_delta",
    "content_block_stop",
    "message_delta",
    "message_stop",
    "ping",
]


class Delta(Wire):
    """Of a content block, told by its type, or of the message."""

    type: str | None = None
    text: str | None = None
    partial_json: str | None = None
    thinking: str | None = None
    signature: str | None = None
    citation: Any = None
    estimated_tokens: Any = None
    stop_reason: str | UnsetType | None = UNSET
    stop_sequence: str | UnsetType | None = UNSET
    stop_details: Any = UNSET
    container: Any = UNSET


class Event(Wire):
    """Any event; a body sent whole is one of type `BODY` with all its keys in ``extra``."""

    type: Kind | Literal[""] = ""
    index: int | None = None
    delta: Delta | None = None
    content_block: dict[str, Any] | None = None
    message: dict[str, Any] | None = None
    usage: dict[str, Any] | None = None
    context_management: Any = UNSET


class TextDelta(Closed, kw_only=True):
    type: Literal["text_delta"]
    text: str


class TextEvent(Closed, kw_only=True):
    """What most events are: a piece of a text."""

    type: Literal["content_block_delta"]
    index: int
    delta: TextDelta


# -- final object --------------------------------------------------------------------------------


class ContentBlock(Body, frozen=True):
    """A block of any kind, told by ``type``; what its kind does not have reads ``None``.

    ``text``, ``citations``: text. ``thinking``, ``signature``: thinking. ``data``: redacted thinking. ``id``,
    ``name``, ``input``, ``caller``, ``server_name``: uses of tools. ``tool_use_id``, ``content``, ``is_error``: their
    results. ``file_id``: an upload to the container. Other keys are in ``extra``.
    """

    type: str | None = None
    text: str | None = None
    citations: list[dict[str, Any]] = field(default_factory=list)
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Any = None
    caller: dict[str, Any] | None = None
    server_name: str | None = None
    tool_use_id: str | None = None
    content: Any = None
    is_error: bool | None = None
    file_id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Usage(Body, frozen=True):
    """Token counts as the provider reported them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation: dict[str, Any] | None = None
    output_tokens_details: dict[str, Any] | None = None
    server_tool_use: dict[str, Any] | None = None
    service_tier: str | None = None
    inference_geo: str | None = None
    iterations: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


_FINISH: dict[str, FinishReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
}


def _view_usage(usage: Any) -> UsageView | None:
    if type(usage) is not dict:
        return None
    read, cached, made = (
        count(usage.get(key)) for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    # `input_tokens` counts what came neither from a cache nor went into one.
    return used(
        None if read is None else summed(read, cached, made),
        count(usage.get("output_tokens")),
        None,
        cached,
        record(usage.get("output_tokens_details")).get("thinking_tokens"),
    )


def view(body: dict[str, Any], choice: int) -> View | None:
    """View the message, which is the only choice."""
    if choice:
        return None
    blocks = records(body.get("content"))
    calls = [
        ToolCallView(string(block.get("id")), string(block.get("name")), copied(block.get("input")))
        for block in blocks
        if block.get("type") == "tool_use"
    ]
    return View(
        role=string(body.get("role")),
        text=join_texts(block.get("text") for block in blocks if block.get("type") == "text"),
        reasoning=join_texts((block.get("thinking") for block in blocks if block.get("type") == "thinking"), "\n\n"),
        tool_calls=calls,
        finish_reason=common_finish(_FINISH, body.get("stop_reason"), bool(calls)),
        usage=_view_usage(body.get("usage")),
    )


class Message(Body, frozen=True):
    """What a Messages call without streaming returns."""

    sdk_types: ClassVar[SdkTypes] = {
        "anthropic": (("anthropic.types", "Message"), ("anthropic.types.beta", "BetaMessage"))
    }
    to_view: ClassVar[ToView] = staticmethod(view)

    id: str | None = None
    type: str | None = None
    role: str | None = None
    model: str | None = None
    content: list[ContentBlock] = field(default_factory=list)
    stop_reason: str | None = None
    stop_sequence: str | None = None
    stop_details: dict[str, Any] | None = None
    usage: Usage | None = None
    container: dict[str, Any] | None = None
    context_management: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# -- state ---------------------------------------------------------------------------------------


class _Block(Saved):
    """One content block in the making."""

    __slots__ = ("fields", "input", "plain", "started", "texts")

    def __init__(self, fields: dict[str, Any], *, started: bool) -> None:
        self.fields = fields  # as the start gave them, and what deltas gave whole
        self.started = started  # False: made by a delta, so that its type is a guess
        self.texts: dict[str, Fragments] = {}  # key -> its start value and the deltas
        self.plain: Fragments | None = None  # of these, `text`
        self.input: Fragments | None = None  # the JSON text of `input`

    def text(self, key: str) -> Fragments:
        text = self.texts.get(key)
        if text is None:
            start = self.fields.get(key)
            text = self.texts[key] = Fragments(start if type(start) is str else "")
            self.plain = self.texts.get("text")
        return text

    def drop_text(self, key: str) -> None:
        self.texts.pop(key, None)
        self.plain = self.texts.get("text")

    def touched(self) -> bool:
        return bool(self.texts or self.input is not None)

    def start_again(self, start: dict[str, Any]) -> None:
        """Take the keys that are missing."""
        if not self.started and start.get("type"):
            self.fields["type"] = start["type"]
        for key, value in start.items():
            if not self.fields.get(key) and not self.texts.get(key):
                self.fields[key] = value
                self.drop_text(key)
        self.started = True

    def has_content(self) -> bool:
        if self.input or any(self.texts.values()):
            return True
        kind = self.fields.get("type")
        return kind not in ("text", "thinking") or bool(self.fields.get(kind))

    def build(self, index: int, report: Report, max_depth: int) -> dict[str, Any]:
        body = dict(self.fields)
        for key, text in self.texts.items():
            body[key] = str(text)
        kind = body.get("type")
        if self.input is not None or (type(kind) is str and kind.endswith("tool_use")):
            given = body.get("input")
            body["input"] = {} if given is None or given == "" else given
            pieces = str(self.input or "")
            if pieces.strip():
                body["input"] = _parsed(pieces, index, body["input"], report, max_depth)
        return body


def _parsed(text: str, index: int, given: Any, report: Report, max_depth: int) -> Any:
    """Parse the joined pieces of an input; what does not parse leaves the start value and is reported whole."""
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # S21: the halves of a pair came in neighbouring pieces.
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        data = joined.encode("utf-8", "surrogatepass")
    try:
        value = (
            join_surrogates(decode(data, report, max_depth), report)
            if b"\\ud" in data
            else decode(data, report, max_depth)
        )
    except (NotJson, TooDeep):
        report("input_not_json", text, {"index": index, "input": given})
        return given
    if given and given != value:
        report("sources_differ", {"index": index, "input": given}, value)
    return value


class MessageState(State):
    """A message in the making."""

    __slots__ = ("blocks", "fields", "id", "message", "newest", "noted", "usage")

    def __init__(self, options: Options, report: Report) -> None:
        super().__init__(options, report, HANDLERS["FIRST"])
        self.id: str | None = None
        self.message: dict[str, Any] | None = None  # the base, without content
        self.fields: dict[str, Any] = {}  # what lies over the base
        self.usage: dict[str, Any] = {}  # what lies over the base's usage
        self.blocks: dict[int, _Block] = {}
        self.newest = -1  # the highest index
        self.noted: set[str | None] = set()  # what is reported once


# -- handlers ------------------------------------------------------------------------------------


def on_message_start(state: MessageState, event: Event) -> object:
    message = event.message
    if message is None:
        return on_event_before_start(state, event)
    _take_message(state, message)
    state.begun = True
    state.row = HANDLERS["OPEN"]
    return None


def on_message_start_again(state: MessageState, event: Event) -> object:
    """Another id is another response (decision 12); else the start came late, or twice."""
    message = event.message
    if message is None:
        return None
    if state.id is not None and message.get("id") and message["id"] != state.id:
        return SPLIT
    if state.message is not None and any(state.message.get(key) != message[key] for key in message if key != "content"):
        state.report("message_restarted", message, "merged")
    _take_message(state, message)
    return None


def on_message_start_over(state: MessageState, event: Event) -> object:
    """After the end, only the same id is the same response."""
    ident = event.message.get("id") if event.message is not None else None
    if not ident or ident != state.id:
        return SPLIT
    return on_message_start_again(state, event)


def on_content_block_start(state: MessageState, event: Event) -> None:
    start = event.content_block
    if start is None:
        return
    index = _placed(state, event.index, new=True)
    _check_growth(state, {index})
    _start_block(state, index, start)
    state.begun = True
    if start.get("type") == "fallback" and type(start.get("to")) is dict and start["to"].get("model"):
        # From here on another model answers, and a non-streaming body names that one.
        state.fields["model"] = start["to"]["model"]


def on_content_block_delta(state: MessageState, event: Event) -> None:
    delta = event.delta
    if delta is None:
        return
    block = state.blocks.get(event.index)  # type: ignore[arg-type]
    if block is None:
        block = _block_of_delta(state, event.index, delta)
    elif delta.type == "text_delta":
        text = block.plain
        if text is not None and delta.text is not None:
            text.append(delta.text)
            state.narrow = TEXTS
            return
    kind, own = block.fields.get("type"), _OWN_KINDS.get(delta.type)
    if own is not None and kind != own and kind in _OWN_KINDS.values():
        where = f"{delta.type} of {kind}"
        if where not in state.noted:
            state.noted.add(where)
            state.report("sources_differ", {"content_block": kind, "delta": delta.type}, "kept under the delta's key")
    DELTAS.get(delta.type, add_undeclared)(state, block, delta)


def _text_at(state: MessageState, index: int) -> Fragments | None:
    """The text that is there."""
    block = state.blocks.get(index)
    return block.plain if block is not None and state.row is not HANDLERS["WHOLE"] else None


def take_text(state: MessageState, event: TextEvent) -> bool:
    """A piece of a text that is there."""
    text = _text_at(state, event.index)
    if text is not None:
        text.append(event.delta.text)
    return text is not None


def take_texts(state: MessageState, events: list[TextEvent]) -> bool:
    """Pieces of the same text."""
    index = events[0].index
    text = _text_at(state, index)
    if text is None or [event for event in events if event.index != index]:
        return False
    text.extend([event.delta.text for event in events])
    return True


TEXTS = Narrow(msgspec.json.Decoder(TextEvent).decode, take_text, take_texts)


def on_message_delta(state: MessageState, event: Event) -> None:
    state.begun = True
    fields = state.fields
    delta = event.delta
    if delta is not None:
        base = state.message or {}
        reason = fields.get("stop_reason") or base.get("stop_reason")
        if reason and delta.stop_reason and delta.stop_reason != reason:
            state.report("finish_reason_differs", [reason, delta.stop_reason], delta.stop_reason)
        for key in _MESSAGE_KEYS:
            value = getattr(delta, key)
            if value is not UNSET:
                _overlay(fields, {key: value})
        if delta.extra:
            _overlay(fields, {key: value for key, value in delta.extra.items() if key not in _DROPPED})
            if type(delta.extra.get("usage")) is dict:
                _overlay(state.usage, delta.extra["usage"])
    if event.usage:
        _overlay(state.usage, event.usage)
    if event.context_management is not UNSET:
        merge(fields, {"context_management": event.context_management})
    if event.extra:
        merge(fields, {key: value for key, value in event.extra.items() if key not in _DROPPED})


def on_message_stop(state: MessageState, event: Event) -> None:
    # Its own keys, Bedrock's metrics say, are about the call and not in a body.
    state.done = True
    state.row = HANDLERS["OVER"]


def on_nothing(state: MessageState, event: Event) -> None:
    """``ping``; ``content_block_stop``, whose block is as whole as it was; an end before anything began."""


def on_event_before_start(state: MessageState, event: Event) -> object:
    """The message began without ``message_start``."""
    state.report("no_message_start", event.type, "type and role as they always are")
    state.begun = True
    state.row = HANDLERS["OPEN"]
    return state.row[event.type](state, event)


def on_body(state: MessageState, event: Event) -> None:
    """A body sent whole; the engine has kept it as ``state.whole``."""
    ident = (state.whole or {}).get("id")
    state.id = ident if type(ident) is str else None
    state.begun = True
    state.row = HANDLERS["WHOLE"]


def on_body_again(state: MessageState, event: Event) -> object:
    """A body sent whole after another, or after a stream: another response, or a copy."""
    body = event.extra or {}
    if not body.get("id") or body["id"] != state.id:
        return SPLIT
    if body != build(state, lambda code, seen, chosen: None):
        state.report("sources_differ", body, "what came before")
    return None


def on_message_start_after_whole(state: MessageState, event: Event) -> object:
    ident = event.message.get("id") if event.message is not None else None
    return on_event_after_whole(state, event) if ident and ident == state.id else SPLIT


def on_event_after_whole(state: MessageState, event: Event) -> object:
    """More came after a body sent whole: it was a start like others."""
    _take_message(state, state.whole or {})
    state.whole = None
    state.row = HANDLERS["OPEN"]
    return state.row[event.type](state, event)


# Of the message.

_MESSAGE_KEYS = ("stop_reason", "stop_sequence", "stop_details", "container")
# Keys of a message_delta or its delta that are no keys of the message.
_DROPPED = frozenset({"type", "content", "usage", "error", "obfuscation", "p", "sequence_number", "stream_id"})


def _take_message(state: MessageState, message: dict[str, Any]) -> None:
    """Take the base, and the blocks it brings at their places."""
    content = message.get("content")
    blocks = content if type(content) is list else []
    _check_growth(state, set(range(len(blocks))))
    if content and not blocks:
        state.report("wrong_type", {"message.content": content}, "left out")
    if state.message is None:
        state.message = {}
    usage = state.message.get("usage")
    _overlay(state.message, {**message, "content": None})
    if type(usage) is dict and type(message.get("usage")) is dict:
        state.message["usage"] = usage
        _overlay(usage, message["usage"])
    ident = state.message.get("id")
    if state.id is None and type(ident) is str and ident:
        state.id = ident
    for index, start in enumerate(blocks):
        if type(start) is dict:
            _start_block(state, index, start)
        else:
            state.report("wrong_type", {"message.content": start}, "left out")


def _overlay(into: dict[str, Any], new: dict[str, Any]) -> None:
    """Let what is not null overwrite, each value whole."""
    for key, value in new.items():
        if value is not None or key not in into:
            into[key] = value


# Of blocks.


def _placed(state: MessageState, index: int | None, *, new: bool) -> int:
    """Return the index, or the likely one where there is none: the next for a start, else the newest."""
    if index is not None and index >= 0:
        return index
    guess = state.newest + 1 if new else max(state.newest, 0)
    if "index" not in state.noted:
        state.noted.add("index")
        state.report("no_index", index, guess)
    return guess


def _check_growth(state: MessageState, indices: set[int]) -> None:
    """Refuse an event that would open too much, before anything of it is taken."""
    limits = state.options.limits
    new = sum(index not in state.blocks for index in indices)
    if new > limits.max_new_slots:
        raise LimitReached("new_slots", new)
    if new and len(state.blocks) + new > limits.max_items:
        raise LimitReached("items", len(state.blocks) + new)


def _start_block(state: MessageState, index: int, start: dict[str, Any]) -> None:
    block = state.blocks.get(index)
    if block is None:
        _add_block(state, index, _Block(start, started=True))
    elif block.touched() or block.fields != start:
        state.report("block_restarted", {"index": index, "content_block": start}, "the keys that were missing")
        block.start_again(start)


def _add_block(state: MessageState, index: int, block: _Block) -> None:
    state.blocks[index] = block
    state.newest = max(state.newest, index)


def _block_of_delta(state: MessageState, index: int | None, delta: Delta) -> _Block:
    """Find the block of a delta whose index is not known; make one of the delta's kind if there is none (A1)."""
    place = _placed(state, index, new=False)
    block = state.blocks.get(place)
    if block is None:
        _check_growth(state, {place})
        kind = _KINDS.get(delta.type) or (delta.type or "").removesuffix("_delta")
        block = _Block({"type": kind} if kind else {}, started=False)
        _add_block(state, place, block)
        state.begun = True
        state.report("block_not_started", {"index": place, "delta": delta.type}, {"type": kind or None})
    return block


# Of deltas: one function a kind.


def add_text(state: MessageState, block: _Block, delta: Delta) -> None:
    block.text("text").append(delta.text or "")


def add_thinking(state: MessageState, block: _Block, delta: Delta) -> None:
    # `estimated_tokens` counts the stream, and is not in a body.
    block.text("thinking").append(delta.thinking or "")


def add_signature(state: MessageState, block: _Block, delta: Delta) -> None:
    if delta.signature:
        block.fields["signature"] = delta.signature


def add_citation(state: MessageState, block: _Block, delta: Delta) -> None:
    if delta.citation is None:
        return
    citations = block.fields.get("citations")
    if type(citations) is list:
        citations.append(delta.citation)
    else:
        block.fields["citations"] = [delta.citation]


def add_input(state: MessageState, block: _Block, delta: Delta) -> None:
    if block.input is None:
        block.input = Fragments()
    block.input.append(delta.partial_json or "")


def add_compaction(state: MessageState, block: _Block, delta: Delta) -> None:
    """Strings join the block's key of the same name; of other values the last stays."""
    given = {key: value for key in _DELTA_KEYS if (value := getattr(delta, key)) is not None and value is not UNSET}
    for key, value in (given | (delta.extra or {})).items():
        if key == "obfuscation":
            continue
        if type(value) is str:
            block.text(key).append(value)
        elif value is not None:
            block.fields[key] = value
            block.drop_text(key)
        elif key not in block.texts:
            block.fields.setdefault(key, None)


def add_undeclared(state: MessageState, block: _Block, delta: Delta) -> None:
    """A kind of delta that nobody knows yet."""
    add_compaction(state, block, delta)
    if delta.type not in state.noted:
        state.noted.add(delta.type)
        state.report("unknown_delta", delta.type, "strings joined by key, of the rest the last")


_DELTA_KEYS = tuple(key for key in Delta.__struct_fields__ if key not in ("type", "extra"))

DELTAS: dict[str | None, Callable[[MessageState, _Block, Delta], None]] = {
    "text_delta": add_text,
    "input_json_delta": add_input,
    "thinking_delta": add_thinking,
    "signature_delta": add_signature,
    "citations_delta": add_citation,
    "compaction_delta": add_compaction,
}

# The only blocks, of these, that such a delta belongs to.
_OWN_KINDS: dict[str | None, str] = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "tool_use",
}

# The block that a delta without a start belongs to, where it has not the delta's own name.
_KINDS: dict[str | None, str] = {
    **_OWN_KINDS,
    "signature_delta": "thinking",
    "citations_delta": "text",
}


# -- table ---------------------------------------------------------------------------------------

_OPEN: dict[Any, Any] = {
    "content_block_delta": on_content_block_delta,
    "content_block_start": on_content_block_start,
    "content_block_stop": on_nothing,
    "ping": on_nothing,
    "message_start": on_message_start_again,
    "message_delta": on_message_delta,
    "message_stop": on_message_stop,
    BODY: on_body_again,
}

HANDLERS: dict[str, dict[Any, Any]] = {
    "FIRST": {
        "message_start": on_message_start,
        "content_block_start": on_event_before_start,
        "content_block_delta": on_event_before_start,
        "message_delta": on_event_before_start,
        "content_block_stop": on_nothing,
        "message_stop": on_nothing,
        "ping": on_nothing,
        BODY: on_body,
    },
    "OPEN": _OPEN,
    "OVER": {**_OPEN, "message_start": on_message_start_over},
    "WHOLE": {
        "message_start": on_message_start_after_whole,
        "content_block_start": on_event_after_whole,
        "content_block_delta": on_event_after_whole,
        "message_delta": on_event_after_whole,
        "content_block_stop": on_nothing,
        "message_stop": on_nothing,
        "ping": on_nothing,
        BODY: on_body_again,
    },
}


# -- body ----------------------------------------------------------------------------------------


def build(state: MessageState, report: Report) -> dict[str, Any] | None:
    """The body so far; ``None`` before anything but an error came."""
    if state.whole is not None:
        return state.whole
    if not state.begun:
        return None
    base = state.message
    body: dict[str, Any] = {"type": "message", "role": "assistant"} if base is None else dict(base)
    depth = state.options.limits.max_depth
    body["content"] = [block.build(index, report, depth) for index, block in sorted(state.blocks.items())]
    _overlay(body, state.fields)
    if state.usage:
        usage = body.get("usage")
        body["usage"] = dict(usage) if type(usage) is dict else {}
        _overlay(body["usage"], state.usage)
    if state.done and body.get("stop_reason") is None:
        report("no_finish_reason", None, None)
    if base is not None and base.get("stop_reason") is None and state.usage.get("output_tokens") is None:
        if body.get("usage"):
            report("usage_provisional", body["usage"], "as it came")  # A4: a start knows only a placeholder
    return body


# Delta type -> the key of its text.
_LANE_KEYS = {"text_delta": "text", "thinking_delta": "thinking", "input_json_delta": "partial_json"}


def texts(state: MessageState, event: Event) -> list[tuple[str, str, Any]] | None:
    """The text that a delta would add, if it did nothing else."""
    if state.row.get(event.type) is not on_content_block_delta:
        return None
    delta = event.delta
    block = state.blocks.get(event.index)  # type: ignore[arg-type]
    if delta is None or block is None:
        return None
    key = _LANE_KEYS.get(delta.type or "")
    if key is None:
        return None
    value = getattr(delta, key)
    sink = block.input if key == "partial_json" else block.texts.get(key)
    return [(key, value, sink)] if value and sink is not None else None


def recognise(obj: dict[str, Any]) -> bool:
    kind = obj.get("type")
    # `ping` and `error` are not Anthropic's alone.
    return (type(kind) is str and kind in _OPEN and kind != "ping") or is_body(obj, bare=True)


def is_body(obj: dict[str, Any], bare: bool) -> bool:
    return obj.get("type") == "message" and obj.get("role") == "assistant" and type(obj.get("content")) is list


def revive(obj: dict[str, Any], report: Report) -> Event:
    if is_body(obj, bare=True):
        return Event(type=BODY, extra=obj)  # type: ignore[arg-type]
    return from_dict(Event, obj, report)


# -- dialect -------------------------------------------------------------------------------------

DIALECT = Dialect(
    name="anthropic.messages",
    final=Message,
    decode=msgspec.json.Decoder(Event).decode,
    revive=revive,
    recognise=recognise,
    is_body=is_body,
    carries=recognise,
    state=MessageState,
    build=build,
    finished=lambda state: state.done or state.whole is not None,
    has_content=lambda state: state.whole is not None or any(block.has_content() for block in state.blocks.values()),
    find_error=find_error,
    texts=texts,
    handlers=HANDLERS,
)
