"""``openai.responses``: the Responses API, OpenAI's own and those that imitate it.

Theory of operation
-------------------
A stream says everything up to four times: deltas, then the part or text that they make (``*.done``), then the
item (``output_item.done``), then the whole response in a terminal event (``completed``, ``incomplete``,
``failed``, ``cancelled``). Real streams miss any of these, and contradict themselves. Phases: ``OPEN``,
``OVER`` (after the terminal event, where only errors and another response still count), ``WHOLE`` (a body
sent whole).

Who wins: stages are ordered added < deltas < part and text done < item done < terminal, and a later stage
replaces the item whole. But a text that is empty, or a proper prefix or suffix of what is there, replaces
nothing, whatever its stage (R1, R2, R3). Ids, ``encrypted_content``, ``signature`` and ``fingerprint`` are
taken from the newest stage and never compared (R7).

An item lives in a slot. Events find it by a known item id, else by ``output_index``: providers rotate ids at
every event (R5), change them between stages (R6), and use one index for everything (R9). What was never added
is made when it is first heard of (R11). Indices are sparse and compacted at the end (R10).

What a stage repeats is not kept twice: texts lie in `_Text`, as UTF-8, and items and parts have an empty string or list
in their places until the body is built. No handler leaves a whole item or response on its event, for the engine keeps
the last one.

Envelopes (the ``response`` of an event) overlay each other key by key; their ``output`` does not count before
the terminal one, except that a non-empty one is a checkpoint that replaces the slots (R21).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal, NamedTuple

import msgspec
from msgspec import field

from reducer.decoding import Report
from reducer.dialects import _errors
from reducer.dialects._dialect import SPLIT, Dialect, Handler, LimitReached, Narrow, Options, State
from reducer.dialects._fragments import Fragments
from reducer.dialects._repairs import Watch
from reducer.dialects._views import (
    ToView,
    called,
    called_freely,
    common_finish,
    count,
    join_texts,
    record,
    records,
    string,
    used,
)
from reducer.dialects._wire import Closed, Wire, compact, from_dict
from reducer.result import ProviderError
from reducer.saving import Saved
from reducer.sdk import SdkTypes
from reducer.typed import Body
from reducer.view import FinishReason, UsageView, View

# -- wire events ---------------------------------------------------------------------------------

BODY = "\x7fbody"  # the type of a body sent whole; no wire has it

if TYPE_CHECKING:
    Kind = str  # see the table of handlers
    DeltaKind = str


class Event(Wire):
    """Any event: the fields of all of them, since most are told apart by ``type`` alone."""

    type: Kind = ""
    sequence_number: int | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    delta: Any = None
    logprobs: list[Any] | None = None
    obfuscation: Any = None
    summary_index: int | None = None
    annotation_index: int | None = None
    command_index: int | None = None
    text: str | None = None
    refusal: str | None = None
    arguments: str | dict[str, Any] | None = None
    input: str | None = None
    code: Any = None
    diff: str | None = None
    command: str | None = None
    name: str | None = None
    status: Any = None
    part: dict[str, Any] | None = None
    item: dict[str, Any] | None = None
    annotation: Any = None
    output: Any = None
    response: dict[str, Any] | None = None


class Delta(Closed, kw_only=True):
    """What most events are: a piece of a text."""

    type: DeltaKind
    sequence_number: int | None = None
    item_id: str | None = None
    output_index: int | None = None
    content_index: int | None = None
    delta: str
    logprobs: tuple[()] | None = None
    obfuscation: str | None = None
    summary_index: int | None = None


# -- final object --------------------------------------------------------------------------------


class Part(Body, frozen=True):
    """A part of an item's content or summary."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class Item(Body, frozen=True):
    """An output item of any kind: ``type`` tells it, and the fields of the other kinds read ``None`` or empty."""

    type: str | None = None
    id: str | None = None
    status: str | None = None
    role: str | None = None
    content: list[Part] = field(default_factory=list)
    summary: list[Part] = field(default_factory=list)
    encrypted_content: str | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    input: str | None = None
    code: str | None = None
    action: Any = None
    output: Any = None
    result: Any = None
    results: Any = None
    error: Any = None
    extra: dict[str, Any] = field(default_factory=dict)


class Usage(Body, frozen=True):
    """Token counts as the provider reported them."""

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    input_tokens_details: dict[str, Any] | None = None
    output_tokens_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# The status, or why it is incomplete.
_FINISH: dict[str, FinishReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
# Calls without a name, which stay in the body; where one is the last item, the model waits for the caller.
_WAITING = {
    "apply_patch_call", "computer_call", "local_shell_call", "mcp_approval_request", "shell_call", "tool_search_call",
}  # fmt: skip


def _view_usage(usage: Any) -> UsageView | None:
    if type(usage) is not dict:
        return None
    return used(
        count(usage.get("input_tokens")),
        count(usage.get("output_tokens")),
        usage.get("total_tokens"),
        record(usage.get("input_tokens_details")).get("cached_tokens"),
        record(usage.get("output_tokens_details")).get("reasoning_tokens"),
    )


def view(body: dict[str, Any], choice: int) -> View | None:
    """View the response, which is the only choice. A summary is taken before the reasoning that it sums up."""
    if choice:
        return None
    items = records(body.get("output"))
    messages = [item for item in items if item.get("type") == "message"]
    parts = [part for item in messages for part in records(item.get("content"))]
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    reasonings = [part for item in thoughts for part in records(item.get("summary")) or records(item.get("content"))]
    last_message = max((place for place, item in enumerate(items) if item.get("type") == "message"), default=-1)
    calls = []
    for place, item in enumerate(items):
        id = item.get("call_id") or item.get("id")
        if item.get("type") == "function_call":
            calls.append(called(id, item.get("name"), item.get("arguments")))
        # What xAI's own tools did also comes as custom calls, before the message that uses it.
        elif item.get("type") == "custom_tool_call" and place > last_message:
            calls.append(called_freely(id, item.get("name"), item.get("input")))
    waits = bool(calls) or (bool(items) and string(items[-1].get("type")) in _WAITING)
    status = body.get("status")
    word = record(body.get("incomplete_details")).get("reason") if status == "incomplete" else status
    return View(
        # Other items have no role, and the output is the assistant's.
        role=next((string(item.get("role")) for item in messages), "assistant" if items else None),
        text=join_texts(part.get("text") for part in parts if part.get("type") == "output_text"),
        reasoning=join_texts((part.get("text") for part in reasonings), "\n\n"),
        refusal=join_texts(part.get("refusal") for part in parts if part.get("type") == "refusal"),
        tool_calls=calls,
        finish_reason=common_finish(_FINISH, word, waits),
        usage=_view_usage(body.get("usage")),
    )


class Response(Body, frozen=True):
    """What a Responses call without streaming returns."""

    sdk_types: ClassVar[SdkTypes] = {"openai": (("openai.types.responses", "Response"),)}
    to_view: ClassVar[ToView] = staticmethod(view)

    id: str | None = None
    object: str | None = None
    created_at: float | None = None
    status: str | None = None
    model: str | None = None
    output: list[Item] = field(default_factory=list)
    usage: Usage | None = None
    error: dict[str, Any] | None = None
    incomplete_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# -- state ---------------------------------------------------------------------------------------

ADDED, DELTA, PART_DONE, ITEM_DONE, TERMINAL = range(5)
ITEM_TEXTS = ("arguments", "input", "code")
PART_LISTS = ("content", "summary")
# Never compared: they change between stages of one honest answer (R5, R6, R7).
_INCOMPARABLE = frozenset({"id", "status", "encrypted_content", "signature", "fingerprint"})
_MISSING = object()
_TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed", "response.cancelled"})
# Where an event has no response, any other key may be one of its keys.
_FLAT = tuple(
    key for key in Event.__struct_fields__ if key not in ("type", "sequence_number", "obfuscation", "response", "extra")
)


class _Text(Saved):
    """A text that several stages tell."""

    __slots__ = ("fragments", "stage", "watch")

    def __init__(self, text: str = "", stage: int = ADDED) -> None:
        self.fragments = Fragments(text)
        self.stage = stage
        self.watch: Watch | None = None  # until a delta shows that the text comes in pieces

    def append(self, piece: str) -> None:
        watch = self.watch
        if watch is not None and piece:
            if not watch.goes_on(piece):
                self.watch = None
            elif watch.replaces(piece, self.fragments):
                self.fragments = Fragments()
        self.fragments.append(piece)
        self.stage = DELTA

    def replace(self, text: str, stage: int, report: Report, where: str) -> None:
        """Take a later stage's text, unless it is empty or a proper prefix or suffix of what is there."""
        if stage < self.stage and self.fragments:
            return
        if not self.fragments.says(text):
            old = str(self.fragments)
            if old:
                if not text:
                    return
                if old.startswith(text) or old.endswith(text):
                    report("shorter_text", {where: text}, old)
                    return
                if self.stage >= PART_DONE:
                    report("sources_differ", {where: old}, text)
            self.fragments = Fragments(text)
        self.stage = stage


class _Part(Saved):
    """A part of content or summary: what it is, its text, and what came beside it."""

    __slots__ = ("annotations", "field", "logprobs", "obj", "stage", "text")

    def __init__(self, obj: dict[str, Any], stage: int, field: str | None = None) -> None:
        self.field = field or ("refusal" if obj.get("type") == "refusal" else "text")
        self.stage = stage
        value = obj.get(self.field)
        self.obj = obj if type(value) is not str else {**obj, self.field: ""}
        self.text = _Text(value if type(value) is str else "", stage) if field or type(value) is str else None
        self.logprobs: list[Any] | None = None
        self.annotations: dict[int, Any] | None = None

    def replace(self, obj: dict[str, Any], stage: int, report: Report, where: str) -> None:
        """Take a later stage's part."""
        if stage < self.stage:
            return
        kind = obj.get("type")
        if self.text is None or (kind is not None and (kind == "refusal") != (self.field == "refusal")):
            if self.text is not None and self.text.fragments and self.text.stage >= PART_DONE:
                report("sources_differ", {where: str(self.text.fragments)}, obj)
            self.__init__(obj, stage)  # type: ignore[misc]
            return
        annotations = self.all_annotations()
        if annotations and stage >= PART_DONE and obj.get("annotations") != annotations:
            report("sources_differ", {f"{where}.annotations": annotations}, obj.get("annotations"))
        self.stage = stage
        self.annotations = None
        if obj.get("logprobs"):
            self.logprobs = None
        value = obj.get(self.field)
        self.obj = obj if type(value) is not str else {**obj, self.field: ""}
        if type(value) is str:
            self.text.replace(value, stage, report, where)

    def build(self) -> dict[str, Any]:
        body = dict(self.obj)
        if self.text is not None:
            body[self.field] = str(self.text.fragments)
        if self.logprobs is not None:
            body["logprobs"] = list(self.logprobs)
        if self.annotations:
            body["annotations"] = self.all_annotations()
        return body

    def says(self) -> bool:
        return self.text is None or bool(self.text.fragments)

    def all_annotations(self) -> Any:
        if self.annotations is None:
            return self.obj.get("annotations")
        return [self.annotations[index] for index in sorted(self.annotations)]


class _Slot(Saved):
    """An output item in the making."""

    __slots__ = ("commands", "done", "index", "item", "outputs", "parts", "texts")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.item: dict[str, Any] = {}
        self.parts: dict[str, dict[int, _Part]] = {}
        self.texts: dict[str, _Text] = {}
        self.commands: dict[int, _Text] = {}
        self.outputs: dict[int, Any] = {}
        self.done = False

    def take(self, item: dict[str, Any], stage: int, report: Report) -> None:
        """Put a whole item in the place of what is there; texts and parts only as far as they are stronger."""
        if stage < ITEM_DONE and self.done:
            return
        if stage == TERMINAL and self.done:
            _compare(self.build(texts=False), item, report)
        self.item = dict(item)
        self.commands = {}
        self.outputs = {}
        for key in ITEM_TEXTS:
            value = item.get(key)
            if type(value) is str:
                if key in self.texts:
                    self.texts[key].replace(value, stage, report, key)
                else:
                    self.texts[key] = _Text(value, stage)
                self.item[key] = ""
            elif value is not None:
                self.texts.pop(key, None)
        operation = item.get("operation")
        if type(operation) is dict and type(operation.get("diff")) is str:
            self.texts.setdefault("diff", _Text()).replace(operation["diff"], stage, report, "diff")
            self.item["operation"] = {**operation, "diff": ""}
        for key in PART_LISTS:
            value = item.get(key)
            # An empty list takes nothing back: what came before the item, or in its deltas, stays.
            if type(value) is not list or (not value and self.parts.get(key)):
                continue
            if all(type(entry) is dict for entry in value):
                self._take_parts(key, value, stage, report)
                self.item[key] = []
            else:
                self.parts.pop(key, None)  # what is no part stays as it is
        self.done = self.done or stage >= ITEM_DONE

    def _take_parts(self, key: str, value: list[Any], stage: int, report: Report) -> None:
        old = self.parts.get(key, {})
        # What came by sparse indices is compacted, so the n-th part is the n-th that came.
        places = sorted(old)
        new: dict[int, _Part] = {}
        for place, obj in enumerate(value):
            index = places[place] if place < len(places) else (place if place not in old else max(old) + place + 1)
            part = old.get(index)
            if part is None:
                part = _Part(obj, stage)
            else:
                part.replace(obj, stage, report, f"{key}[{place}]")
            new[index] = part
        for index in places[len(value) :]:
            if old[index].says():
                report("sources_differ", {key: old[index].build()}, "left out: what came later lacks it")
        self.parts[key] = new

    def part(self, key: str, index: int | None, kind: str, field: str) -> _Part:
        """Return the part at an index, made if need be; without an index the last of its kind (R27)."""
        parts = self.parts.setdefault(key, {})
        if index is None:
            index = next((i for i in sorted(parts, reverse=True) if parts[i].obj.get("type") == kind), 0)
        part = parts.get(index)
        if part is not None and part.field != field and part.text is not None and part.text.fragments:
            # Another kind of text at the same index: a part of its own, after the others.
            index = next((i for i, other in parts.items() if other.obj.get("type") == kind), max(parts) + 1)
            part = parts.get(index)
        if part is None or part.field != field:
            part = parts[index] = _Part({"type": kind}, ADDED, field)
        elif part.text is None:
            part.text = _Text()
        return part

    def has_content(self) -> bool:
        if self.item.get("type") not in (None, "message", "reasoning"):
            return True
        return any(part.says() for parts in self.parts.values() for part in parts.values())

    def every_text(self) -> list[_Text]:
        parts = [part.text for parts in self.parts.values() for part in parts.values() if part.text is not None]
        return [*self.texts.values(), *parts]

    def build(self, *, texts: bool = True) -> dict[str, Any]:
        """The item so far; if it is only to be compared, without the texts that stages may tell in part."""
        item = dict(self.item)
        for key, parts in self.parts.items() if texts else ():
            if parts or key in item:
                item[key] = [parts[index].build() for index in sorted(parts)]
        for key, text in self.texts.items():
            if key == "diff":
                operation = item.get("operation")
                item["operation"] = {**(operation if type(operation) is dict else {}), "diff": str(text.fragments)}
            elif texts:
                item[key] = str(text.fragments)
        if self.commands:
            action = item.get("action")
            commands = [str(self.commands[index].fragments) for index in sorted(self.commands)]
            item["action"] = {**(action if type(action) is dict else {}), "commands": commands}
        if self.outputs:
            item["output"] = [entry for index in sorted(self.outputs) for entry in _built_output(self.outputs[index])]
        return item


def _built_output(output: Any) -> list[Any]:
    if type(output) is dict:
        return [{key: str(value) for key, value in output.items()}]
    return list(output)


def _compare(done: dict[str, Any], terminal: dict[str, Any], report: Report) -> None:
    """Report where an item's done event and the terminal event disagree, texts aside."""
    for key in done.keys() & terminal.keys():
        if key in _INCOMPARABLE or key in ITEM_TEXTS or key in PART_LISTS:
            continue
        if done[key] and terminal[key] and done[key] != terminal[key]:
            report("sources_differ", {key: done[key]}, terminal[key])


class ResponsesState(State):
    """A response in the making."""

    __slots__ = (
        "by_id", "by_index", "delta_index", "delta_item", "delta_output", "delta_plain", "delta_text", "delta_type",
        "envelope", "id", "model", "output", "slots", "terminal_extra",
    )  # fmt: skip

    def __init__(self, options: Options, report: Report) -> None:
        super().__init__(options, report, HANDLERS["OPEN"])
        self.id: str | None = None
        self.envelope: dict[str, Any] | None = None
        self.model: str | None = None
        self.slots: list[_Slot] = []
        self.by_id: dict[str, _Slot] = {}
        self.by_index: dict[int, _Slot] = {}  # the newest of each index
        self.output: list[Any] | None = None  # as the terminal event left it: slots, and items that were never heard of
        self.terminal_extra: dict[str, Any] = {}
        # The text that the last delta went to: most deltas follow one of their own kind.
        self.delta_type: str | None = None  # None: the next one may go elsewhere
        self.delta_item: str | None = None
        self.delta_output: int | None = None
        self.delta_index: int | None = None
        self.delta_text: _Text = None  # type: ignore[assignment]
        self.delta_plain: Fragments | None = None  # what the next piece of this text joins, without more ado

    def delta_key(self) -> tuple[str | None, str | None, int | None, int | None]:
        return self.delta_type, self.delta_item, self.delta_output, self.delta_index

    def forget_delta(self) -> None:
        self.delta_type = None
        self.delta_plain = None

    def open(self, index: int | None) -> _Slot:
        limit = self.options.limits.max_items
        if len(self.slots) >= limit:
            raise LimitReached("items", len(self.slots) + 1)
        slot = _Slot(index)
        self.slots.append(slot)
        if index is not None:
            self.by_index[index] = slot
        return slot

    def find(self, event: Event, kind: str) -> _Slot:
        """Return the slot an event speaks of; one that was never added is made (R11)."""
        self.begun = True
        slot = self.by_id.get(event.item_id) if event.item_id else None
        index = event.output_index
        if slot is None:
            if index is not None:
                slot = self.by_index.get(index)
            elif not event.item_id:
                slot = next((s for s in reversed(self.slots) if s.item.get("type") == kind), None)
            else:
                slot = self.nameless(kind)
        if slot is None:
            slot = self.open(index)
        if not slot.item:
            slot.item = {"type": kind}
            if event.item_id:
                slot.item["id"] = event.item_id
            if kind == "message":
                slot.item["role"] = "assistant"
        if event.item_id and event.item_id not in self.by_id:
            self.by_id[event.item_id] = slot
        return slot

    def nameless(self, kind: str) -> _Slot | None:
        """Return the newest open item of a kind that has no id: in llama.cpp only the deltas of a call have one."""
        slots = (s for s in reversed(self.slots) if s.item.get("type") == kind and not s.done)
        return next((s for s in slots if not s.item.get("id")), None)

    def in_order(self) -> list[_Slot]:
        """The slots by output index, and those without one last; of one index in order of appearance."""
        return sorted(self.slots, key=lambda slot: (slot.index is None, slot.index or 0))


class Family(NamedTuple):
    """Where the text of a family of delta and done events lies."""

    item: str  # the type of the item
    list: str | None  # content or summary; None: on the item itself
    part: str  # the type of the part
    field: str  # the key of the text
    value: str  # the key of the whole text in the done event


FAMILIES = {
    "response.output_text": Family("message", "content", "output_text", "text", "text"),
    "response.refusal": Family("message", "content", "refusal", "refusal", "refusal"),
    "response.reasoning_text": Family("reasoning", "content", "reasoning_text", "text", "text"),
    "response.reasoning_summary_text": Family("reasoning", "summary", "summary_text", "text", "text"),
    "response.function_call_arguments": Family("function_call", None, "", "arguments", "arguments"),
    "response.mcp_call_arguments": Family("mcp_call", None, "", "arguments", "arguments"),
    "response.custom_tool_call_input": Family("custom_tool_call", None, "", "input", "input"),
    "response.code_interpreter_call_code": Family("code_interpreter_call", None, "", "code", "code"),
    "response.apply_patch_call_operation_diff": Family("apply_patch_call", None, "", "diff", "diff"),
}
# Other names of the same events: vLLM, older servers (semantics, "Aliases").
ALIASES = {
    "response.reasoning": "response.reasoning_text",
    "response.reasoning_summary": "response.reasoning_summary_text",
    "response.text": "response.output_text",
}
# Part types -> the item they stand in.
_ITEM_OF_PART = {"reasoning_text": "reasoning", "summary_text": "reasoning"}


# -- handlers ------------------------------------------------------------------------------------


def on_created(state: ResponsesState, event: Event) -> object:
    """``response.created``: with an id of its own it begins another response (decision 12)."""
    ident = event.response.get("id") if event.response is not None else None
    if state.id is not None and ident and ident != state.id:
        return SPLIT
    on_envelope(state, event)
    return None


def on_envelope(state: ResponsesState, event: Event) -> None:
    """``created``, ``queued``, ``in_progress``: overlay the envelope; an output in it is a checkpoint (R21)."""
    state.begun = True
    envelope = event.response
    if envelope is None:
        return
    output = envelope.get("output")
    if type(output) is list and len(output) > state.options.limits.max_items:
        raise LimitReached("items", len(output))
    _overlay(state, envelope)
    if type(output) is list and output:
        state.slots = []
        state.by_id = {}
        state.by_index = {}
        state.forget_delta()
        for index, item in enumerate(output):
            if type(item) is dict:
                _add_item(state, item, index)


def _overlay(state: ResponsesState, envelope: dict[str, Any]) -> None:
    if state.envelope is None:
        state.envelope = {}
    state.envelope.update(envelope)
    state.envelope["output"] = []  # only its place: the items are the slots'
    ident = envelope.get("id")
    if state.id is None and type(ident) is str and ident:
        state.id = ident
    model = envelope.get("model")
    if type(model) is str and model:
        if state.model is not None and model != state.model:
            state.report("model_differs", [state.model, model], model)
        state.model = model


def on_terminal(state: ResponsesState, event: Event) -> None:
    """``completed``, ``incomplete``, ``failed``, ``cancelled``: the response as a whole."""
    state.begun = True
    state.done = True
    state.row = HANDLERS["OVER"]
    envelope = event.response
    if envelope is None:
        envelope = _own_keys(event)
        chosen = "the newest envelope and the items that came" if not envelope else "the event's own keys over those"
        state.report("terminal_without_response", event.type, chosen)
        if state.envelope is not None:
            state.envelope["status"] = event.type.rpartition(".")[2]
        elif envelope:
            state.envelope = {"object": "response"}
        if envelope:
            _overlay(state, envelope)
    else:
        _overlay(state, envelope)
        if event.extra:
            state.terminal_extra = {key: value for key, value in event.extra.items() if key != "stream_id"}
    error = envelope.get("error")
    if event.type == "response.failed" and state.error is None:
        state.error = _errors.normalise(error, error) if error else ProviderError()
    _report_repairs(state, state.report)
    output = envelope.get("output")
    state.output = _reconciled(state, output if type(output) is list else [])
    event.response = None
    state.slots = []
    state.by_id = {}
    state.by_index = {}


def _own_keys(event: Event) -> dict[str, Any]:
    """What an event says beside its type: a response laid flat, or a part of one (R13)."""
    own = {key: value for key in _FLAT if (value := getattr(event, key)) is not None}
    own |= event.extra or {}
    own.pop("stream_id", None)
    return own


def _reconciled(state: ResponsesState, output: list[Any]) -> list[Any]:
    """Put the terminal items over the slots; what the terminal event lacks stays (R1-R4)."""
    slots = state.in_order()
    if not output:
        return [slot for slot in slots if slot.item]
    matches = _matched(state, output, slots)
    body: list[tuple[int, Any]] = []
    for place, item in enumerate(output):
        slot = matches.get(place)
        if slot is None or type(item) is not dict:
            body.append((place, item))
            continue
        slot.take(item, TERMINAL, state.report)
        body.append((place if slot.index is None else slot.index, slot))
    done = [slot for slot in slots if slot.done]
    if len(output) < len(done):
        taken = {id(slot) for slot in matches.values()}
        for slot in done:
            if id(slot) not in taken:
                state.report("item_missing", slot.item.get("id"), "kept: the terminal event lacks it")
                index = slot.index if slot.index is not None else len(body)
                place = next((i for i, (other, _) in enumerate(body) if other > index), len(body))
                body.insert(place, (index, slot))
    return [item for _, item in body]


def _matched(state: ResponsesState, output: list[Any], slots: list[_Slot]) -> dict[int, _Slot]:
    """Match terminal items to slots: by id, else by type and call_id, else the first free slot of the type."""
    matches: dict[int, _Slot] = {}
    taken: set[int] = set()

    def match(place: int, slot: _Slot | None) -> None:
        if slot is not None and id(slot) not in taken:
            matches[place] = slot
            taken.add(id(slot))

    by_call = {
        (str(slot.item.get("type")), slot.item["call_id"]): slot for slot in slots if _key(slot.item.get("call_id"))
    }
    items = [(place, item) for place, item in enumerate(output) if type(item) is dict]
    for place, item in items:
        if _key(item.get("id")):
            match(place, state.by_id.get(item["id"]))
    for place, item in items:
        if place not in matches and _key(item.get("call_id")):
            match(place, by_call.get((str(item.get("type")), item["call_id"])))
    for place, item in items:
        if place in matches:
            continue
        call_id = item.get("call_id")
        for slot in slots:
            if id(slot) in taken or slot.item.get("type") != item.get("type"):
                continue
            other = slot.item.get("call_id")
            if not (call_id and other and call_id != other):
                match(place, slot)
                break
    return matches


def _key(value: Any) -> bool:
    return type(value) is str and bool(value)


def on_item_added(state: ResponsesState, event: Event) -> None:
    """``response.output_item.added``; a null item keeps the place (R10)."""
    state.begun = True
    if event.item is None:
        if event.output_index is not None and event.output_index not in state.by_index:
            state.open(event.output_index)
        return
    _add_item(state, event.item, event.output_index)


def _add_item(state: ResponsesState, item: dict[str, Any], index: int | None) -> None:
    ident = item.get("id")
    slot = state.by_id.get(ident) if _key(ident) else None  # type: ignore[arg-type]
    if slot is None and index is not None:
        there = state.by_index.get(index)
        if (there is not None and (not there.item or _same_call(there.item, item))) or (
            there is not None and not _key(ident) and there.item.get("type") == item.get("type") and not there.done
        ):
            slot = there
        elif there is not None:
            state.report("output_index_reused", {"output_index": index, "id": ident}, "a new item")
    if slot is None:
        slot = state.open(index)
    slot.take(item, ADDED, state.report)
    if _key(ident):
        state.by_id[ident] = slot  # type: ignore[index]
    state.forget_delta()


def _same_call(left: dict[str, Any], right: dict[str, Any]) -> bool:
    call_id = left.get("call_id")
    return _key(call_id) and call_id == right.get("call_id") and left.get("type") == right.get("type")


def on_item_done(state: ResponsesState, event: Event) -> None:
    """``response.output_item.done``: the item whole; without an ``added`` it is the first we hear of it."""
    state.begun = True
    item = event.item
    if item is None:
        return
    ident = item.get("id")
    slot = state.by_id.get(ident) if _key(ident) else None  # type: ignore[arg-type]
    index = event.output_index
    if slot is None:
        if index is not None:
            candidates = [s for s in reversed(state.slots) if s.index == index]
        else:
            # Of a kind in order of appearance; a call by its call_id, if it has one.
            candidates = [s for s in state.slots if s.item.get("type") == item.get("type")]
            if _key(item.get("call_id")):
                candidates = [s for s in candidates if s.item.get("call_id") in (item["call_id"], None)]
                candidates.sort(key=lambda s: s.item.get("call_id") is None)
        for candidate in candidates:
            kind = candidate.item.get("type")
            if not candidate.done and (kind is None or kind == item.get("type")):
                slot = candidate
                break
    if slot is None:
        if index in state.by_index:
            state.report("output_index_reused", {"output_index": index, "id": ident}, "a new item")
        slot = state.open(index)
    slot.take(item, ITEM_DONE, state.report)
    event.item = None
    if _key(ident):
        state.by_id[ident] = slot  # type: ignore[index]
    state.forget_delta()


def on_delta(family: Family) -> Handler:
    """``*.delta`` of a text: append it."""
    of_summary = family.list == "summary"

    def handle(state: ResponsesState, event: Event) -> None:
        piece = event.delta
        index = event.summary_index if of_summary else event.content_index
        plain = state.delta_plain
        # Nearly every event goes on where the last delta ended. Not the same object may still be equal.
        if (
            plain is not None
            and event.type is state.delta_type
            and index is state.delta_index
            and event.output_index is state.delta_output
            and event.item_id == state.delta_item
            and type(piece) is str
            and not event.logprobs
        ):
            plain.append(piece)
            state.narrow = DELTAS
        else:
            _add_delta(family, index, state, event)

    return handle


def take_delta(state: ResponsesState, delta: Delta) -> bool:
    """A piece that goes on where the last delta ended."""
    plain = state.delta_plain
    index = delta.summary_index if delta.type in SUMMARY_DELTAS else delta.content_index
    if (
        plain is None
        or state.row is not OPEN
        or (delta.type, delta.item_id, delta.output_index, index) != state.delta_key()
    ):
        return False
    plain.append(delta.delta)
    return True


def take_deltas(state: ResponsesState, deltas: list[Delta]) -> bool:
    """Pieces of the same text."""
    kind, item, output, index = state.delta_key()
    of_summary = kind in SUMMARY_DELTAS
    others = [
        delta
        for delta in deltas
        if delta.type != kind
        or delta.item_id != item
        or delta.output_index != output
        or (delta.summary_index if of_summary else delta.content_index) != index
    ]
    if others:
        return False
    state.delta_plain.extend([delta.delta for delta in deltas])  # type: ignore[union-attr]  # the last one went there
    return True


def _add_delta(family: Family, index: int | None, state: ResponsesState, event: Event) -> None:
    piece = event.delta
    if type(piece) is not str:
        piece = _piece(state, piece)
    text = state.delta_text
    if state.delta_key() != (event.type, event.item_id, event.output_index, index):
        text = _text(state, family, event, index)
        state.delta_item = event.item_id
        if text.watch is None and text.stage == ADDED:
            text.watch = Watch("cumulative" in state.options.repairs)
    state.delta_type = event.type
    state.delta_output = event.output_index
    state.delta_index = index
    state.delta_text = text
    state.delta_plain = None
    if text.stage >= PART_DONE:
        state.report("late_delta", piece, "ignored: the text is done")
        return
    text.append(piece)
    if text.watch is None:
        state.delta_plain = text.fragments
    if event.logprobs:
        part = state.find(event, family.item).part(family.list or "content", index, family.part, family.field)
        if part.logprobs is None:
            part.logprobs = list(part.obj.get("logprobs") or ())
        part.logprobs.extend(event.logprobs)


def _piece(state: ResponsesState, delta: Any) -> str:
    """R22: null is nothing, an object's text is its text."""
    if type(delta) is dict and type(delta.get("text")) is str:
        return str(delta["text"])
    if delta is not None:
        state.report("wrong_type", {"delta": delta}, "left out")
    return ""


def _text(state: ResponsesState, family: Family, event: Event, index: int | None) -> _Text:
    slot = state.find(event, family.item)
    if family.list is not None:
        return slot.part(family.list, index, family.part, family.field).text  # type: ignore[return-value]
    return slot.texts.setdefault(family.field, _Text())


def on_text_done(family: Family, state: ResponsesState, event: Event) -> None:
    """``*.done`` of a text: it replaces what the deltas made (R23)."""
    index = event.content_index if family.list != "summary" else event.summary_index
    text = _text(state, family, event, index)
    value = getattr(event, family.value)
    setattr(event, family.value, None)
    if type(value) is dict:
        value = compact(value)
    if type(value) is str:
        text.replace(value, PART_DONE, state.report, family.field)
    slot = state.find(event, family.item)
    if event.logprobs and family.list is not None:
        part = slot.part(family.list, index, family.part, family.field)
        if part.stage <= PART_DONE:
            part.logprobs = list(event.logprobs)
    if event.name and family.list is None and slot.item.get("name") is None and not slot.done:
        slot.item["name"] = event.name
    state.forget_delta()


def on_part_added(key: str, state: ResponsesState, event: Event) -> None:
    """``content_part.added`` and ``reasoning_summary_part.added``."""
    _take_part(key, state, event, ADDED)


def on_part_done(key: str, state: ResponsesState, event: Event) -> None:
    """``content_part.done`` and ``reasoning_summary_part.done``: the part whole."""
    _take_part(key, state, event, PART_DONE)


def _take_part(key: str, state: ResponsesState, event: Event, stage: int) -> None:
    state.begun = True
    obj = event.part
    event.part = None
    if obj is None:
        return
    kind = str(obj.get("type"))
    slot = state.find(event, _ITEM_OF_PART.get(kind, "reasoning" if key == "summary" else "message"))
    index = event.content_index if key == "content" else event.summary_index
    parts = slot.parts.setdefault(key, {})
    if index is None:
        same = [i for i in sorted(parts) if parts[i].obj.get("type") == obj.get("type")]
        index = same[-1] if same and stage == PART_DONE else (max(parts) + 1 if parts else 0)
    part = parts.get(index)
    if part is None:
        parts[index] = _Part(dict(obj), stage)
    elif stage == ADDED == part.stage and part.text is not None and part.text.fragments:
        # The part's first delta came before it: what was only assumed is now known, and no text is lost.
        part.obj = dict(obj)
    else:
        part.replace(dict(obj), stage, state.report, f"{key}[{index}]")
    state.forget_delta()


def on_annotation_added(state: ResponsesState, event: Event) -> None:
    """``response.output_text.annotation.added``: at its index, once."""
    slot = state.find(event, "message")
    part = slot.part("content", event.content_index, "output_text", "text")
    if part.annotations is None:
        there = part.obj.get("annotations")
        part.annotations = dict(enumerate(there)) if type(there) is list else {}
    annotations = part.annotations
    if event.annotation is None or event.annotation in annotations.values():
        return
    index = event.annotation_index
    if index is None or index in annotations:
        index = max(annotations, default=-1) + 1
    annotations[index] = event.annotation


def on_status(kind: str, status: str, state: ResponsesState, event: Event) -> None:
    """``response.<tool>_call.<status>``. MCP items and compactions have a status only where it was said."""
    slot = state.find(event, kind)
    if slot.done:
        return
    if "status" in slot.item or kind not in ("mcp_call", "mcp_list_tools", "compaction"):
        slot.item["status"] = status


def on_command_added(state: ResponsesState, event: Event) -> None:
    """``response.shell_call_command.added``: these events name no item, only its index."""
    slot = state.find(event, "shell_call")
    if not slot.done:
        slot.commands.setdefault(event.command_index or 0, _Text(event.command or ""))


def on_command_delta(state: ResponsesState, event: Event) -> None:
    """``response.shell_call_command.delta``."""
    slot = state.find(event, "shell_call")
    text = slot.commands.get(event.command_index or 0)
    if slot.done or (text is not None and text.stage >= PART_DONE):
        state.report("late_delta", event.delta, "ignored: the command is done")
        return
    text = slot.commands.setdefault(event.command_index or 0, _Text())
    text.append(event.delta if type(event.delta) is str else _piece(state, event.delta))


def on_command_done(state: ResponsesState, event: Event) -> None:
    """``response.shell_call_command.done``."""
    slot = state.find(event, "shell_call")
    if not slot.done:
        text = slot.commands.setdefault(event.command_index or 0, _Text())
        text.replace(event.command or "", PART_DONE, state.report, "command")


def on_shell_output_delta(state: ResponsesState, event: Event) -> None:
    """``response.shell_call_output_content.delta``: pieces of stdout and stderr."""
    slot = state.find(event, "shell_call_output")
    if slot.done or type(slot.outputs.get(event.command_index or 0)) is list:
        state.report("late_delta", event.delta, "ignored: the output is done")
        return
    output = slot.outputs.setdefault(event.command_index or 0, {})
    for key, value in record(event.delta).items():
        if type(value) is str:
            output.setdefault(key, Fragments()).append(value)


def on_shell_output_done(state: ResponsesState, event: Event) -> None:
    """``response.shell_call_output_content.done``: what the command gave, whole."""
    slot = state.find(event, "shell_call_output")
    if type(event.output) is list and not slot.done:
        slot.outputs[event.command_index or 0] = event.output


def on_nothing(state: ResponsesState, event: Event) -> None:
    """Known, and without a place in the final object."""
    state.begun = True


def on_late(state: ResponsesState, event: Event) -> None:
    """After the terminal event only errors count, and the engine has looked for those."""
    state.report("late_event", event.type, "ignored: the response is over")


def on_late_failed(state: ResponsesState, event: Event) -> None:
    """``response.failed`` after the terminal event: its error, and nothing else of it."""
    error = event.response.get("error") if event.response is not None else None
    if error and state.error is None:
        state.error = _errors.normalise(error, error)


def on_late_created(state: ResponsesState, event: Event) -> object:
    """``response.created`` after the terminal event: another response, unless it is a replay."""
    ident = event.response.get("id") if event.response is not None else None
    return SPLIT if ident and ident != state.id else None


def on_body(state: ResponsesState, event: Event) -> object:
    """A body sent whole; the engine has kept it as ``state.whole``, if it came first."""
    body = event.extra or {}
    ident = body.get("id")
    if state.begun:
        if ident and ident != state.id:
            return SPLIT
        if body != build(state, lambda code, seen, chosen: None):
            state.report("sources_differ", body, "what came before")
        return None
    state.begun = True
    state.id = ident if type(ident) is str else None
    state.row = HANDLERS["WHOLE"]
    return None


def on_more_after_body(state: ResponsesState, event: Event) -> object:
    """Another response after a body sent whole."""
    return SPLIT


# -- table ---------------------------------------------------------------------------------------

_STATUS = {
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    "compaction": ("compacting",),
}

OPEN: dict[str, Any] = {
    BODY: on_body,
    "response.created": on_created,
    "response.queued": on_envelope,
    "response.in_progress": on_envelope,
    "response.completed": on_terminal,
    "response.incomplete": on_terminal,
    "response.failed": on_terminal,
    "response.cancelled": on_terminal,
    "response.output_item.added": on_item_added,
    "response.output_item.done": on_item_done,
    "response.content_part.added": partial(on_part_added, "content"),
    "response.content_part.done": partial(on_part_done, "content"),
    "response.reasoning_part.added": partial(on_part_added, "content"),
    "response.reasoning_part.done": partial(on_part_done, "content"),
    "response.reasoning_summary_part.added": partial(on_part_added, "summary"),
    "response.reasoning_summary_part.done": partial(on_part_done, "summary"),
    "response.output_text.annotation.added": on_annotation_added,
    "response.shell_call_command.added": on_command_added,
    "response.shell_call_command.delta": on_command_delta,
    "response.shell_call_command.done": on_command_done,
    "response.shell_call_output_content.delta": on_shell_output_delta,
    "response.shell_call_output_content.done": on_shell_output_done,
    # The last partial image and spoken output have no place in a Response.
    "response.image_generation_call.partial_image": on_nothing,
    "response.audio.delta": on_nothing,
    "response.audio.done": on_nothing,
    "response.audio.transcript.delta": on_nothing,
    "response.audio.transcript.done": on_nothing,
}
for _name, _family in FAMILIES.items():
    OPEN[f"{_name}.delta"] = on_delta(_family)
    OPEN[f"{_name}.done"] = partial(on_text_done, _family)
for _name, _original in ALIASES.items():
    OPEN[f"{_name}.delta"] = OPEN[f"{_original}.delta"]
    OPEN[f"{_name}.done"] = OPEN[f"{_original}.done"]
for _kind, _statuses in _STATUS.items():
    for _status in _statuses:
        OPEN[f"response.{_kind}.{_status}"] = partial(on_status, _kind, _status)

# A string that the decoder knows need not be made, nor hashed, for every event. Any other it refuses.
globals()["Kind"] = Literal[tuple(OPEN)]
_TEXT_DELTAS = {f"{name}.delta": FAMILIES[ALIASES.get(name, name)] for name in (*FAMILIES, *ALIASES)}
globals()["DeltaKind"] = Literal[tuple(_TEXT_DELTAS)]
SUMMARY_DELTAS = frozenset(kind for kind, family in _TEXT_DELTAS.items() if family.list == "summary")
DELTAS = Narrow(msgspec.json.Decoder(Delta).decode, take_delta, take_deltas)

HANDLERS: dict[str, dict[str, Any]] = {
    "OPEN": OPEN,
    "OVER": {
        **dict.fromkeys(OPEN, on_late),
        "response.failed": on_late_failed,
        "response.created": on_late_created,
        BODY: on_body,
    },
    "WHOLE": {"response.created": on_more_after_body, BODY: on_body},
}


# -- body ----------------------------------------------------------------------------------------


def build(state: ResponsesState, report: Report) -> dict[str, Any] | None:
    """The body so far; ``None`` before anything but an error came."""
    if state.whole is not None:
        return state.whole
    if not state.begun:
        return None
    _report_repairs(state, report)
    body: dict[str, Any] = dict(state.envelope) if state.envelope is not None else {"object": "response"}
    output = state.output if state.output is not None else [slot for slot in state.in_order() if slot.item]
    body["output"] = [entry.build() if isinstance(entry, _Slot) else entry for entry in output]
    for key, value in state.terminal_extra.items():
        if body.get(key) is None:
            body[key] = value
    return body


def texts(state: ResponsesState, event: Event) -> list[tuple[str, str, Any]] | None:
    """The text that a delta would add, if it goes on where the last one did."""
    if state.row is not OPEN or type(event.delta) is not str:
        return None
    index = event.content_index if event.summary_index is None else event.summary_index
    if (event.type, event.item_id, event.output_index, index) != state.delta_key():
        return None
    text = state.delta_text
    if text.stage != DELTA or text.watch is not None or event.logprobs:
        return None
    return [("delta", event.delta, text.fragments)] if event.delta else None


def covers(state: ResponsesState, delta: Event, done: Event) -> int | None:
    """Whether a ``*.done`` event says a delta's text: an empty one does not (R1), nor one that leaves logprobs out."""
    kind = delta.type.removesuffix(".delta")
    family = FAMILIES.get(ALIASES.get(kind, kind))
    if state.row is not OPEN or family is None or done.type != f"{kind}.done" or delta.extra or done.extra:
        return None
    if (delta.item_id, delta.output_index) != (done.item_id, done.output_index):
        return None
    if (delta.content_index, delta.summary_index) != (done.content_index, done.summary_index):
        return None
    value = getattr(done, family.value)
    if type(delta.delta) is not str or type(value) is not str or not value or (delta.logprobs and not done.logprobs):
        return None
    first, last = delta.sequence_number, done.sequence_number
    return max(last - first, 0) if first is not None and last is not None else 0


def _report_repairs(state: ResponsesState, report: Report) -> None:
    for slot in state.slots:
        for text in slot.every_text():
            verdict = text.watch.verdict("delta") if text.watch is not None else None
            if verdict is not None:
                report(*verdict)


def recognise(obj: dict[str, Any]) -> bool:
    kind = obj.get("type")
    if type(kind) is str:
        return kind.startswith("response.")
    return obj.get("object") == "response"


def is_body(obj: dict[str, Any], bare: bool) -> bool:
    return obj.get("object") == "response" and "type" not in obj


def revive(obj: dict[str, Any], report: Report) -> Event:
    if is_body(obj, bare=True):
        return Event(type=BODY, extra=obj)
    if obj.get("object") == "response" and "response" not in obj:
        # R13: a bridge lays the response flat beside the type.
        report("terminal_without_response", obj.get("type"), "the event's own keys")
        flat = {key: value for key, value in obj.items() if key not in ("type", "sequence_number", "stream_id")}
        obj = {"type": obj.get("type"), "response": flat}
    kind = obj.get("type")
    if type(kind) is str and kind in _TERMINAL and obj.get("response") is None:
        # A key of a response is not of the type that it has in events: `text`, say.
        aside = ("type", "sequence_number", "obfuscation", "response")
        return Event(type=kind, extra={key: value for key, value in obj.items() if key not in aside})
    return from_dict(Event, obj, report)


def find_error(obj: dict[str, Any], name: str | None) -> ProviderError | None:
    kind = obj.get("type")
    if type(kind) is str and kind.startswith("response."):
        return None  # decision 13: there only response.failed's own error counts
    return _errors.find_error(obj, name)


def carries(obj: dict[str, Any]) -> bool:
    return recognise(obj)


def has_content(state: ResponsesState) -> bool:
    return state.whole is not None or bool(state.output) or any(slot.has_content() for slot in state.slots)


# -- dialect -------------------------------------------------------------------------------------

DIALECT = Dialect(
    name="openai.responses",
    final=Response,
    decode=msgspec.json.Decoder(Event).decode,
    revive=revive,
    recognise=recognise,
    is_body=is_body,
    carries=carries,
    state=ResponsesState,
    build=build,
    finished=lambda state: state.done or state.whole is not None,
    has_content=has_content,
    find_error=find_error,
    texts=texts,
    idle=("sequence_number", "obfuscation"),
    covers=covers,
    handlers=HANDLERS,
)
