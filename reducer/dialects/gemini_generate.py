"""``gemini.generate``: Gemini's streamGenerateContent, over the Gemini API and Vertex AI.

Theory of operation
-------------------
There is one event type, the chunk, and it has the shape of the body: a chunk is an answer that says only what is
new. The framing reads both ways it is sent, server-sent events and one JSON array (G4); a body sent whole is a
stream of one chunk. Code Assist wraps every chunk in ``{"response": …, "traceId": …}``, with more beside it in newer
versions, none of which is in a body. One phase: ``OPEN``.

A chunk names candidates by ``index``; their parts follow each other. Plain text joins the plain text before it if
both are thoughts or both are not; whatever carries a signature stays a part of its own, because signatures are
checked against the very part they came on. A signature that comes late, on an empty text, belongs to the text
before it (G1). Function calls come whole, or in pieces: a named call with ``willContinue`` opens one, nameless
ones continue it, each ``partialArgs`` entry sets the value at its ``jsonPath``, and the first one without
``willContinue`` closes it (G3).

Who wins: of ``usageMetadata`` the last value of each key, since every chunk counts from the start again (G2);
citations and log probabilities add up; of everything else the last. Terminal evidence is a ``finishReason`` on
every candidate, or a blocked prompt, which has no candidates. Folding goes on after it, unless what comes has another
``responseId``: then it is another response's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from itertools import chain, pairwise
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

import msgspec
from msgspec import UNSET, field

from reducer.decoding import Report
from reducer.dialects import _errors
from reducer.dialects._dialect import SPLIT, Dialect, LimitReached, Narrow, Options, State, Varying
from reducer.dialects._extras import is_settled, merge
from reducer.dialects._fragments import Fragments
from reducer.dialects._repairs import Watch
from reducer.dialects._views import (
    ToView,
    common_finish,
    count,
    join_texts,
    pick,
    record,
    records,
    string,
    summed,
    used,
)
from reducer.dialects._wire import Closed, Wire, from_dict
from reducer.result import Limits, ProviderError
from reducer.saving import Saved
from reducer.sdk import SdkTypes
from reducer.typed import Body, copied
from reducer.view import FinishReason, ToolCallView, UsageView, View

# -- wire events ---------------------------------------------------------------------------------


class WireContent(Wire):
    # Parts are kept as they come, so they stay plain dicts.
    parts: list[dict[str, Any]] | None = None
    role: str | None = None


class WireCandidate(Wire, rename="camel"):
    # What comes once a stream (finishMessage, avgLogprobs, …) is not declared: it may take the slow path.
    content: WireContent | None = None
    finish_reason: str | None = None
    index: int | None = None
    safety_ratings: list[Any] | None = None
    grounding_metadata: dict[str, Any] | None = None
    citation_metadata: dict[str, Any] | None = None
    logprobs_result: dict[str, Any] | None = None


class Chunk(Wire, rename="camel"):
    type: ClassVar[str] = "chunk"

    candidates: list[WireCandidate] | None = None
    # As the decoder takes it, no value in it is null.
    usage_metadata: dict[str, int | str | list[Any]] | None = None
    model_version: str | None = None
    create_time: Any = None
    response_id: str | None = None
    prompt_feedback: dict[str, Any] | None = None


class WrappedChunk(Chunk, rename="camel"):
    """A chunk that came in Code Assist's wrapper."""


class Wrapped(Wire, rename="camel", kw_only=True):
    # What stands beside the chunk is about the call, and in no body.
    response: WrappedChunk
    trace_id: Any = None
    metadata: Any = None
    consumed_credits: Any = None
    remaining_credits: Any = None


# What most chunks are: a piece of text of the first candidate, and the usage so far.


class TextPart(Closed, kw_only=True):
    thought: ClassVar[bool] = False
    text: str


class ThoughtPart(Closed, kw_only=True):
    text: str
    thought: bool


PartT = TypeVar("PartT", TextPart, ThoughtPart)


class TextContent(Closed, Generic[PartT], kw_only=True):
    parts: tuple[PartT]
    role: Literal["model"] | None = None


class TextCandidate(Closed, Generic[PartT], kw_only=True):
    index: ClassVar[None] = None
    content: TextContent[PartT]


class IndexedCandidate(Closed, Generic[PartT], kw_only=True):
    content: TextContent[PartT]
    index: Literal[0]


class TextUsage(Closed):
    """The usage of a chunk of text, none here; subclasses have the fields, see `narrow`."""

    promptTokensDetails: ClassVar[Any] = UNSET


class TextChunk(Closed):
    """A chunk of text; subclasses have the fields, see `narrow`."""

    usageMetadata: ClassVar[TextUsage] = TextUsage()
    createTime: ClassVar[str | None] = None
    if TYPE_CHECKING:
        candidates: tuple[Any]
        modelVersion: str | None
        responseId: str | None


_decode_chunk = msgspec.json.Decoder(Chunk).decode
_decode_wrapped = msgspec.json.Decoder(Wrapped).decode
_WRAPPER_BEGINS = b'{"response"'
_WRAPPER_KEYS = frozenset({"response", "traceId"})
_KEYS = frozenset({"candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId"})


def decode(payload: bytes) -> Chunk:
    if payload.startswith(_WRAPPER_BEGINS):
        return _decode_wrapped(payload).response
    return _decode_chunk(payload)


def unwrapped(obj: dict[str, Any]) -> dict[str, Any]:
    """Return the chunk inside Code Assist's wrapper."""
    inner = obj.get("response")
    if type(inner) is not dict or not _KEYS.isdisjoint(obj):
        return obj
    return inner if obj.keys() <= _WRAPPER_KEYS or not _KEYS.isdisjoint(inner) else obj


# -- final object --------------------------------------------------------------------------------


class FunctionCall(Body, frozen=True):
    """A call of a function; ``args`` is the object that the model wrote."""

    id: str | None = None
    name: str | None = None
    args: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Blob(Body, frozen=True, rename="camel"):
    """Inline media: ``data`` is base64."""

    mime_type: str | None = None
    data: str | None = None
    display_name: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class FileData(Body, frozen=True, rename="camel"):
    """Media at a URI."""

    mime_type: str | None = None
    file_uri: str | None = None
    display_name: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class ExecutableCode(Body, frozen=True):
    """Code that the model wrote and the provider ran."""

    language: str | None = None
    code: str | None = None
    id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class CodeExecutionResult(Body, frozen=True):
    """What that code printed."""

    outcome: str | None = None
    output: str | None = None
    id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Part(Body, frozen=True, rename="camel"):
    """One part of the content: one of its kinds is there, the others read ``None``."""

    text: str | None = None
    thought: bool | None = None
    thought_signature: str | None = None
    function_call: FunctionCall | None = None
    inline_data: Blob | None = None
    file_data: FileData | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Content(Body, frozen=True):
    """The model's message."""

    role: str | None = None
    parts: list[Part] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class Candidate(Body, frozen=True, rename="camel"):
    """One of the answers asked for. ``index`` reads ``None`` where the wire left out the 0."""

    index: int | None = None
    content: Content | None = None
    finish_reason: str | None = None
    finish_message: str | None = None
    safety_ratings: list[dict[str, Any]] = field(default_factory=list)
    citation_metadata: dict[str, Any] | None = None
    grounding_metadata: dict[str, Any] | None = None
    url_context_metadata: dict[str, Any] | None = None
    avg_logprobs: float | None = None
    logprobs_result: dict[str, Any] | None = None
    token_count: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class PromptFeedback(Body, frozen=True, rename="camel"):
    """What the provider thinks of the prompt; with a ``block_reason`` there is no answer."""

    block_reason: str | None = None
    block_reason_message: str | None = None
    safety_ratings: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class UsageMetadata(Body, frozen=True, rename="camel"):
    """Token counts as the provider reported them."""

    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    total_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None
    prompt_tokens_details: list[dict[str, Any]] = field(default_factory=list)
    candidates_tokens_details: list[dict[str, Any]] = field(default_factory=list)
    cache_tokens_details: list[dict[str, Any]] = field(default_factory=list)
    tool_use_prompt_tokens_details: list[dict[str, Any]] = field(default_factory=list)
    traffic_type: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


_FINISH: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "BLOCKLIST": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "RECITATION": "content_filter",
    "SAFETY": "content_filter",
    "SPII": "content_filter",
}


def _view_usage(usage: Any) -> UsageView | None:
    if type(usage) is not dict:
        return None

    def tokens(kind: str) -> int | None:
        return count(usage.get(f"{kind}TokenCount"))

    # What tools at the provider returned is counted beside the prompt, thoughts beside the candidates.
    return used(
        summed(tokens("prompt"), tokens("toolUsePrompt")),
        summed(tokens("candidates"), tokens("thoughts")),
        usage.get("totalTokenCount"),
        usage.get("cachedContentTokenCount"),
        usage.get("thoughtsTokenCount"),
    )


def view(body: dict[str, Any], choice: int) -> View | None:
    """View a candidate. A blocked prompt has none, and its view says that it was blocked."""
    candidate = pick(body.get("candidates"), choice)
    if candidate is None:
        return None
    content = record(candidate.get("content"))
    parts = records(content.get("parts"))
    calls = [
        ToolCallView(string(call.get("id")), string(call.get("name")), copied(call.get("args")))
        for call in (part.get("functionCall") for part in parts)
        if type(call) is dict
    ]
    role = string(content.get("role"))
    reason = common_finish(_FINISH, candidate.get("finishReason"), bool(calls))
    if not body.get("candidates") and record(body.get("promptFeedback")).get("blockReason"):
        reason = "content_filter"
    return View(
        role="assistant" if role == "model" else role,
        text=join_texts(part.get("text") for part in parts if not part.get("thought")),
        # Unlike other dialects' blocks of reasoning, thoughts are cut anywhere: a signature begins a new part (G1).
        reasoning=join_texts(part.get("text") for part in parts if part.get("thought")),
        tool_calls=calls,
        finish_reason=reason,
        usage=_view_usage(body.get("usageMetadata")),
    )


class GenerateContentResponse(Body, frozen=True, rename="camel"):
    """What a generateContent call returns."""

    sdk_types: ClassVar[SdkTypes] = {"google": (("google.genai.types", "GenerateContentResponse"),)}
    to_view: ClassVar[ToView] = staticmethod(view)
    usage_key: ClassVar[str] = "usageMetadata"

    candidates: list[Candidate] = field(default_factory=list)
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


# -- state ---------------------------------------------------------------------------------------


class _Text(Saved):
    """A text part: its text in the making, and what it carries."""

    __slots__ = ("signature", "text", "thinks", "thought", "watch")

    def __init__(self, state: GeminiState, thought: Any, signature: Any) -> None:
        self.text = Fragments()
        self.thought = thought
        self.thinks = bool(thought)
        self.signature = signature
        self.watch: Watch | None = Watch("cumulative" in state.options.repairs)

    def add(self, text: str) -> None:
        watch = self.watch
        if watch is not None and text:
            # Some thinking models send the whole text each time (C1, G4).
            if not watch.goes_on(text):
                self.watch = None
            elif watch.replaces(text, self.text):
                self.text = Fragments()
        self.text.append(text)

    def build(self) -> dict[str, Any]:
        body: dict[str, Any] = {"text": str(self.text)}
        if self.thought is not None:
            body["thought"] = self.thought
        if self.signature:
            body["thoughtSignature"] = self.signature
        return body


class _Call(Saved):
    """A function call that came in pieces."""

    __slots__ = ("args", "extra", "id", "name", "part")

    def __init__(self) -> None:
        self.id: Any = None
        self.name: Any = None
        self.args: dict[str, Any] | None = None  # strings inside are Fragments
        self.extra: dict[str, Any] = {}  # the call's other keys
        self.part: dict[str, Any] = {}  # the part's other keys: its signature

    def add(self, state: GeminiState, part: dict[str, Any]) -> None:
        call = part["functionCall"]
        self.id = self.id or call.get("id") or None
        self.name = self.name or call.get("name") or None
        args = call.get("args")
        if type(args) is dict:
            self.args = {} if self.args is None else self.args
            merge(self.args, args)
        for entry in partial_args(call):
            self.args = {} if self.args is None else self.args
            set_argument(state, self.args, entry)
        take_last(self.extra, call, _CALL_KEYS)
        take_last(self.part, part, ("functionCall",))

    def build(self) -> dict[str, Any]:
        call: dict[str, Any] = {}
        if self.id is not None:
            call["id"] = self.id
        if self.name is not None:
            call["name"] = self.name
        if self.args is not None:
            call["args"] = joined(self.args)
        return {"functionCall": call | self.extra, **self.part}


_CALL_KEYS = ("id", "name", "args", "partialArgs", "willContinue")


class _Candidate(Saved):
    """One candidate in the making."""

    __slots__ = (
        "calls", "citations", "cited", "content", "finish", "index", "last", "logprobs", "open", "parts", "role",
    )  # fmt: skip

    def __init__(self) -> None:
        self.index: int | None = None  # as the wire gave it
        self.role: str | None = None
        self.parts: list[_Text | _Call | dict[str, Any]] = []
        self.calls = 0  # how many of them are function calls
        self.open: list[_Call] = []  # calls that will continue, in order of appearance
        self.content: dict[str, Any] | None = None  # a content was there; its unknown keys
        self.finish: str | None = None
        self.citations: dict[str, Any] | None = None
        self.cited: set[Any] = set()
        self.logprobs: dict[str, Any] | None = None
        self.last: dict[str, Any] = {}  # keys of which the last value counts


class GeminiState(State):
    """A generated answer in the making."""

    __slots__ = ("candidates", "details", "feedback", "id", "last", "model", "newest", "reported", "texts", "usage")
    caches = (*State.caches, "details", "newest")

    def __init__(self, options: Options, report: Report) -> None:
        super().__init__(options, report, HANDLERS["FIRST"])
        self.id: str | None = None
        self.model: str | None = None
        self.reported: set[str] = set()  # codes that are reported once
        self.usage: dict[str, Any] | None = None
        self.newest: TextUsage | None = None  # what lies over it, and has no key that it has not
        self.details: Any = None  # `promptTokensDetails` of that, known to be sound
        self.feedback: dict[str, Any] | None = None
        self.last: dict[str, Any] = {}
        self.candidates: dict[int, _Candidate] = {}
        # By the index on the wire, the last part of a candidate, where a text joins it without more ado.
        self.texts: dict[int | None, _Text] = {}

    def settle(self) -> None:
        if self.newest is not None:
            newest = msgspec.structs.asdict(self.newest).items()
            said = {key: msgspec.json.decode(value) if type(value) is msgspec.Raw else value for key, value in newest}
            self.usage = {**(self.usage or {}), **said}
            self.newest = None


# -- handlers ------------------------------------------------------------------------------------


def on_first_chunk(state: GeminiState, chunk: Chunk) -> None:
    """The first chunk; the next phase depends on whether it was a body sent whole."""
    on_chunk(state, chunk)
    state.row = HANDLERS["OPEN" if state.whole is None else "WHOLE"]


def on_chunk_after_whole(state: GeminiState, chunk: Chunk) -> object:
    """More came after what looked like a body sent whole: a chunk like others (JSON lines), or another response."""
    if on_chunk(state, chunk) is SPLIT:
        return SPLIT
    state.whole = None
    state.row = HANDLERS["OPEN"]
    return None


def take_texts(state: GeminiState, chunks: list[TextChunk]) -> bool:
    """Pieces that go on with one text, where nothing else differs but the usage, of which the last one counts."""
    newest = chunks[-1]
    ident, model, details = state.id, state.model, newest.usageMetadata.promptTokensDetails
    others = [
        chunk
        for chunk in chunks
        if chunk.responseId != ident
        or chunk.modelVersion != model
        or chunk.usageMetadata.promptTokensDetails != details
    ]
    text = _continued(state, chunks)
    if text is None or others or not _takes_head(state, newest):
        return False
    text.extend([chunk.candidates[0].content.parts[0].text for chunk in chunks])
    return True


def take_fronts(state: GeminiState, chunks: list[TextChunk]) -> bool:
    """The same, of chunks that end as the one before them did."""
    text = _continued(state, chunks)
    if text is None:
        return False
    usage = chunks[-1].usageMetadata
    if type(state.newest) is not type(usage):
        state.settle()  # it has what this one lacks
    state.newest = usage
    text.extend([chunk.candidates[0].content.parts[0].text for chunk in chunks])
    return True


def _continued(state: GeminiState, chunks: list[TextChunk]) -> Fragments | None:
    """The text that pieces of one candidate go on with, if all of them do."""
    candidate = chunks[-1].candidates[0]
    part = candidate.content.parts[0]
    last = state.texts.get(candidate.index)
    if last is None or last.thinks is not part.thought or state.row is not HANDLERS["OPEN"]:
        return None
    if type(part) is ThoughtPart:
        if [chunk for chunk in chunks if chunk.candidates[0].content.parts[0].thought is not part.thought]:
            return None
    return last.text


def take_text(state: GeminiState, chunk: TextChunk) -> bool:
    """A piece of text that goes on where its candidate's last part ended."""
    wire = chunk.candidates[0]
    part = wire.content.parts[0]
    last = state.texts.get(wire.index)
    if last is None or last.thinks is not part.thought or state.row is not HANDLERS["OPEN"]:
        return False
    if chunk.responseId != state.id or chunk.modelVersion != state.model or not _takes_head(state, chunk):
        return False
    last.text.append(part.text)
    return True


def _takes_head(state: GeminiState, chunk: TextChunk) -> bool:
    """Take what of a chunk of text counts the last time, if the wide decoder would take it."""
    usage = chunk.usageMetadata
    if usage.promptTokensDetails != state.details and not _are_sound(state, usage):
        return False
    if type(usage) is not TextUsage:
        state.newest = usage
    if chunk.createTime is not None:
        state.last["createTime"] = chunk.createTime
    return True


def _are_sound(state: GeminiState, usage: TextUsage) -> bool:
    """Whether the details of a usage are what the wide decoder would take; the same bytes are not looked at again."""
    if usage.promptTokensDetails is not UNSET:
        try:
            msgspec.json.decode(usage.promptTokensDetails, type=_Details)
        except (ValueError, RecursionError):
            return False
    state.details = usage.promptTokensDetails
    return True


def on_chunk(state: GeminiState, chunk: Chunk) -> object:
    if chunk.response_id != state.id and chunk.candidates and _begins_another(state, chunk, chunk.candidates):
        return SPLIT
    _take_chunk(state, chunk, chunk.candidates)
    state.narrow = _narrow_for(state, chunk)
    return None


def _begins_another(state: GeminiState, chunk: Chunk, candidates: list[WireCandidate]) -> bool:
    """Whether another response begins: content with another id after the end, for a candidate that has ended.

    Decision 12, as in Chat. Where the id has changed before, it tells nothing.
    """
    if not chunk.response_id or state.id is None or "id_differs" in state.reported or not finished(state):
        return False
    known = [wire for wire in candidates if not state.candidates or _index(wire) in state.candidates]
    return any(wire.content is not None and wire.content.parts for wire in known)


_Details = list[dict[str, int | str]]
# The types of a usage's values; `serviceTier` is no field, as few endpoints have it.
_USAGE: dict[str, Any] = {
    key: int if key.endswith("Count") else _Details if key.endswith("Details") else str
    for key in (*UsageMetadata.__struct_encode_fields__, "serviceTier")
    if key != "extra"
}
_DETAILS = "promptTokensDetails"
_USAGE[_DETAILS] = msgspec.Raw  # nearly always the same bytes as in the chunk before
_CLOSED = b"}}"  # the usage and the chunk
_MAX_NARROW = 64
_narrow: dict[Any, Narrow] = {}


def narrow(candidate: Any, usage_keys: tuple[str, ...], timed: bool) -> Narrow | None:
    """The way for chunks of text of such a candidate, whose usage has exactly these keys, with a time or not.

    So each such usage says again all that the one before said, and the last is all there is to know.
    """
    shape = (candidate, usage_keys, timed)
    way = _narrow.get(shape)
    if way is None and len(_narrow) < _MAX_NARROW and all(key in _USAGE for key in usage_keys):
        # In the order of the wire they are found the quickest.
        candidates: list[Any] = [("candidates", tuple[candidate])]
        times: list[Any] = [("createTime", str)] if timed else []
        names: list[Any] = [("modelVersion", str | None, None), *times, ("responseId", str | None, None)]
        decode = msgspec.json.Decoder(_text_chunk(candidates, usage_keys, names)).decode
        varying = None
        # Most often only the candidate varies, and counts at the begin of the usage: the prompt's details end them.
        counts = usage_keys[: usage_keys.index(_DETAILS)] if _DETAILS in usage_keys else ()
        if counts and all(_USAGE[key] in (int, str) for key in counts):
            front = _text_chunk(candidates, counts, [])
            varying = _varying(front, _text_chunk([], usage_keys[len(counts) :], names))
        way = _narrow[shape] = Narrow(decode, take_text, take_texts, varying)
    return way


def _text_chunk(candidates: list[Any], usage_keys: tuple[str, ...], names: list[Any]) -> Any:
    usages = []
    if usage_keys:
        usage = msgspec.defstruct("Usage", [(key, _USAGE[key]) for key in usage_keys], bases=(TextUsage,))
        usages.append(("usageMetadata", usage))
    return msgspec.defstruct("Chunk", candidates + usages + names, bases=(TextChunk,), kw_only=True)


def _varying(front: Any, rest: Any) -> Varying:
    """What varies is the front; the rest of a chunk, from the middle of its usage on, has none of the front's keys."""
    decode, decode_many = msgspec.json.Decoder(front).decode, msgspec.json.Decoder(list[front]).decode
    decode_rest = msgspec.json.Decoder(rest).decode

    def around(payload: bytes) -> tuple[bytes, bytes] | None:
        before = payload.rpartition(b'"%b"' % _DETAILS.encode())[0]
        found = before.rstrip(b" \t\r\n,")
        try:
            decode(found + _CLOSED)
            decode_rest(b'{"usageMetadata":{' + payload[len(before) :])
        except (ValueError, RecursionError):
            return None
        return b"", payload[len(found) :]

    def decode_all(fronts: list[bytes]) -> Iterable[Any]:
        try:
            decode(fronts[-1] + _CLOSED)
            many = len(fronts)
        except (ValueError, RecursionError):
            many = len(fronts) - 1  # the event that ends a stream is another
        # As one list. What is put between two fronts can only end an element of it: its line break is in no string, and
        # where it closes not the chunk but the candidate, a second one follows, which the front refuses. So where there
        # are as many elements as fronts, each is one.
        try:
            chunks: list[Any] = decode_many(b"[%b%b]" % ((_CLOSED + b",\n").join(fronts[:many]), _CLOSED))
        except (ValueError, RecursionError):
            chunks = []
        if len(chunks) != many:
            chunks, many = [], 0
        return chunks if many == len(fronts) else chain(chunks, (decode(front + _CLOSED) for front in fronts[many:]))

    return Varying(around, decode_all, take_fronts)


def _narrow_for(state: GeminiState, chunk: Chunk) -> Narrow | None:
    """The way that would have done for this chunk, if it was a piece of text and nothing else."""
    candidates = chunk.candidates
    if type(chunk) is not Chunk or chunk.prompt_feedback is not None or not candidates or len(candidates) != 1:
        return None
    wire = candidates[0]
    content = wire.content
    if content is None or not content.parts or len(content.parts) != 1 or wire.index not in state.texts:
        return None
    rest = (
        wire.finish_reason,
        wire.safety_ratings,
        wire.grounding_metadata,
        wire.citation_metadata,
        wire.logprobs_result,
    )
    # With several candidates, most often by turns, the narrow way would refuse every other chunk.
    if wire.index or len(state.candidates) > 1 or any(value is not None for value in rest):
        return None
    candidate = TextCandidate if wire.index is None else IndexedCandidate
    part = ThoughtPart if "thought" in content.parts[0] else TextPart
    timed = chunk.create_time is not None
    usage = chunk.usage_metadata or {}
    if None in usage.values():
        return None  # no value yet, and so no place among the keys
    return narrow(candidate[part], tuple(usage), timed)


# No keys of a body: the error, and what google-genai adds to the chunks that it gives its callers.
_NO_KEYS = frozenset({"error", "sdkHttpResponse", "automaticFunctionCallingHistory", "parsed"})


def _take_chunk(state: GeminiState, chunk: Chunk, candidates: list[WireCandidate] | None) -> None:
    """Take any chunk."""
    if candidates:
        _check_growth(state, candidates)
    state.begun = True
    state.settle()
    if chunk.usage_metadata is not None:
        state.usage = {} if state.usage is None else state.usage
        take_last(state.usage, chunk.usage_metadata)
    if chunk.response_id != state.id and chunk.response_id:
        _report_change(state, "id_differs", state.id, chunk.response_id)
        state.id = chunk.response_id
    if chunk.model_version != state.model and chunk.model_version:
        _report_change(state, "model_differs", state.model, chunk.model_version)
        state.model = chunk.model_version
    if chunk.prompt_feedback is not None:
        state.feedback = chunk.prompt_feedback
    if chunk.create_time is not None:
        state.last["createTime"] = chunk.create_time
    if chunk.extra:
        take_last(state.last, chunk.extra, _NO_KEYS)
    for wire in candidates or ():
        _add_candidate(state, wire)


def _add_candidate(state: GeminiState, wire: WireCandidate) -> None:
    index = _index(wire)
    candidate = state.candidates.get(index)
    if candidate is None:
        candidate = state.candidates[index] = _Candidate()
    if wire.index == index != candidate.index:
        state.texts.pop(candidate.index, None)
        candidate.index = index
    if wire.content is not None:
        _add_content(state, candidate, wire.content)
    last = candidate.parts[-1] if candidate.parts else None
    if isinstance(last, _Text) and last.watch is None and not last.signature and candidate.role is not None:
        state.texts[candidate.index] = last
    else:
        state.texts.pop(candidate.index, None)
    if wire.finish_reason:
        if wire.finish_reason != candidate.finish:
            _report_change(state, "finish_reason_differs", candidate.finish, wire.finish_reason)
            candidate.finish = wire.finish_reason
    if wire.safety_ratings is not None:
        candidate.last["safetyRatings"] = wire.safety_ratings
    if wire.grounding_metadata is not None:
        candidate.last["groundingMetadata"] = wire.grounding_metadata
    if wire.citation_metadata is not None:
        _add_citations(candidate, wire.citation_metadata)
    if wire.logprobs_result is not None:
        candidate.logprobs = {} if candidate.logprobs is None else candidate.logprobs
        _add_logprobs(candidate.logprobs, wire.logprobs_result)
    if wire.extra:
        take_last(candidate.last, wire.extra)


def _index(wire: WireCandidate) -> int:
    # Protobuf's JSON leaves out a 0.
    index = wire.index
    return index if index is not None and index >= 0 else 0


def take_last(into: dict[str, Any], new: dict[str, Any], without: Iterable[str] = ()) -> None:
    """Take every value that is not null, whole."""
    into |= {key: value for key, value in new.items() if value is not None and key not in without}


def _report_change(state: GeminiState, code: str, old: str | None, new: str) -> None:
    """The last wins; a stream that changes with every chunk says so once."""
    if old is not None and code not in state.reported:
        state.reported.add(code)
        state.report(code, [old, new], new)


def _add_citations(candidate: _Candidate, metadata: dict[str, Any]) -> None:
    """Lists append without exact repeats: a stream may say again what it said before."""
    if candidate.citations is None:
        candidate.citations = {}
    for key, value in metadata.items():
        if type(value) is not list:
            take_last(candidate.citations, {key: value})
            continue
        entries = candidate.citations.get(key)
        if type(entries) is not list:
            entries = candidate.citations[key] = []
        for entry in value:
            seen = (key, _hashable(entry))
            if seen not in candidate.cited:
                candidate.cited.add(seen)
                entries.append(entry)


def _hashable(value: Any) -> Any:
    if type(value) is dict:
        return frozenset((key, _hashable(entry)) for key, entry in value.items())
    if type(value) is list:
        return tuple(_hashable(entry) for entry in value)
    return value


def _add_logprobs(into: dict[str, Any], result: dict[str, Any]) -> None:
    for key, value in result.items():
        old = into.get(key)
        if type(value) is list and type(old) is list:
            old.extend(value)
        elif value is not None:
            into[key] = list(value) if type(value) is list else value


# Parts.


def _add_content(state: GeminiState, candidate: _Candidate, content: WireContent) -> None:
    if candidate.content is None:
        candidate.content = {}
    if content.role and candidate.role is None:
        candidate.role = content.role
    if content.extra:
        take_last(candidate.content, content.extra)
    for part in content.parts or ():
        text = part.get("text") if type(part) is dict else None
        if type(text) is str and (len(part) == 1 or _is_text(part)):
            _add_text(state, candidate, text, part)
        elif type(part) is dict and type(part.get("functionCall")) is dict:
            _add_call(state, candidate, part)
        elif type(part) is dict and part:
            candidate.parts.append(part)
        elif part:
            state.report("wrong_type", {"content.parts": part}, "left out")


_TEXT_KEYS = frozenset({"text", "thought", "thoughtSignature"})


def _is_text(part: dict[str, Any]) -> bool:
    """Tell whether a part with a text is nothing but a text, signed or not."""
    return all(key in _TEXT_KEYS or value is None for key, value in part.items())


def _add_text(state: GeminiState, candidate: _Candidate, text: str, part: dict[str, Any]) -> None:
    thought = part.get("thought")
    signature = part.get("thoughtSignature")
    if not text and not signature:
        return  # an empty unsigned text is no part
    last = candidate.parts[-1] if candidate.parts else None
    if not isinstance(last, _Text) or last.signature or last.thinks != bool(thought) or (text and signature):
        last = _Text(state, thought, signature)
        last.add(text)
        candidate.parts.append(last)
    elif signature:
        last.signature = signature  # G1: it signs the text before it
    else:
        last.add(text)


def _add_call(state: GeminiState, candidate: _Candidate, part: dict[str, Any]) -> None:
    call = part["functionCall"]
    streamed = _find_open(candidate, call)
    continues = call.get("willContinue") is True
    if streamed is None:
        if not continues and "partialArgs" not in call:
            _add_whole_call(candidate, part)
            return
        streamed = _Call()
        candidate.calls += 1
        candidate.parts.append(streamed)
        candidate.open.append(streamed)
    streamed.add(state, part)
    if not continues:
        candidate.open.remove(streamed)


def _add_whole_call(candidate: _Candidate, part: dict[str, Any]) -> None:
    call = part["functionCall"]
    if "willContinue" in call:
        call = {key: value for key, value in call.items() if key != "willContinue"}
        part = {**part, "functionCall": call}
    if call or len(part) > 1:  # `{}` is no part: it marks an end
        candidate.calls += 1
        candidate.parts.append(part)


def _find_open(candidate: _Candidate, call: dict[str, Any]) -> _Call | None:
    """Find the open call that this piece continues: by its id, else the newest, unless the piece has a name."""
    ident = call.get("id")
    if ident:
        for streamed in candidate.open:
            if streamed.id == ident:
                return streamed
    if call.get("name") or not candidate.open:
        return None
    newest = candidate.open[-1]
    return None if ident and newest.id else newest


# Arguments that come in pieces, each at its JSON path.


def partial_args(call: dict[str, Any]) -> list[dict[str, Any]]:
    entries = call.get("partialArgs")
    return [entry for entry in entries if type(entry) is dict] if type(entries) is list else []


# RFC 9535, as far as a path names one place: `.name`, `[0]`, `['name']` and `["name"]`.
_SEGMENT = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|["]""", re.DOTALL)


def parse_path(path: Any) -> list[str | int] | None:
    """Return the names and indices of a JSON path; ``None`` if it does not name one place inside the arguments."""
    if type(path) is not str or not path.startswith("$"):
        return None
    keys: list[str | int] = []
    at = 1
    while at < len(path):
        match = _SEGMENT.match(path, at)
        if match is None:
            return None
        name, index, single, double = match.groups()
        if name is not None:
            keys.append(name)
        elif index is not None:
            keys.append(int(index))
        else:
            quoted = _unquoted(single if double is None else double)
            if quoted is None:
                return None
            keys.append(quoted)
        at = match.end()
    return keys or None


def _unquoted(name: str) -> str | None:
    if "\\" not in name:
        return name
    # RFC 9535 escapes as JSON does, and the single quote besides.
    escaped = _QUOTED.sub(lambda match: '\\"' if match[1] is None else "'" if match[1] == "'" else match[0], name)
    try:
        return str(json.loads(f'"{escaped}"', strict=False))
    except ValueError:
        return None


def set_argument(state: GeminiState, args: dict[str, Any], entry: dict[str, Any]) -> None:
    """Set the value that one ``partialArgs`` entry gives. What has no place is left out, and reported."""
    value = _value_of(entry)
    if value is UNSET:
        return  # it announces a path and says nothing yet
    path = parse_path(entry.get("jsonPath"))
    node = None if path is None else _walk(args, path)
    if path is None or node is None:
        state.report("json_path", entry, "left out: no such place in the arguments")
        return
    key = path[-1]
    old = _get(node, key)
    if type(old) in (dict, list):
        state.report("json_path", entry, "left out: the place is taken")
    elif type(value) is str and type(old) in (str, Fragments):
        if type(old) is str:
            old = Fragments(old)
            _put(node, key, old)
        old.append(value)
    else:
        if old is not None and joined(old) != value:
            state.report("arguments_replaced", joined(old), value)
        _put(node, key, Fragments(value) if type(value) is str else copied(value))


_VALUES = ("stringValue", "numberValue", "boolValue")


def _value_of(entry: dict[str, Any]) -> Any:
    for key in _VALUES:
        if entry.get(key) is not None:
            return entry[key]
    if "nullValue" in entry:
        return None
    # Protobuf's other kinds of value, listValue and structValue, are plain JSON.
    return next((value for key, value in entry.items() if key.endswith("Value") and value is not None), UNSET)


def _walk(root: dict[str, Any], path: list[str | int]) -> Any:
    """Return the object or list that holds the last key, making what is missing; ``None`` if it does not fit."""
    node: Any = root
    if type(path[0]) is int:
        return None
    for key, following in pairwise(path):
        child = _get(node, key)
        kind = list if type(following) is int else dict
        if child is None:
            child = kind()
            _put(node, key, child)
        elif type(child) is not kind:
            return None
        node = child
    return node


def _get(node: Any, key: Any) -> Any:
    if type(node) is dict:
        return node.get(key)
    return node[key] if key < len(node) else None


def _put(node: Any, key: Any, value: Any) -> None:
    if type(node) is list and key >= len(node):
        # Entries are named by position, so those skipped are null; `_check_path` bounds how many.
        node.extend([None] * (key + 1 - len(node)))
    node[key] = value


def joined(value: Any) -> Any:
    if type(value) is dict:
        return {key: joined(entry) for key, entry in value.items()}
    if type(value) is list:
        return [joined(entry) for entry in value]
    return str(value) if isinstance(value, Fragments) else value


# Limits: a chunk that would open too much is refused before anything of it is taken.


def _check_growth(state: GeminiState, candidates: list[WireCandidate]) -> None:
    limits = state.options.limits
    if len(candidates) == 1 and _is_steady(state, candidates[0]):
        return
    new = {_index(wire) for wire in candidates} - state.candidates.keys()
    if len(state.candidates) + len(new) > limits.max_choices:
        raise LimitReached("choices", len(state.candidates) + len(new))
    added = 0
    for wire in candidates:
        parts = wire.content.parts if wire.content is not None else None
        if parts:
            added += _check_parts(limits, state.candidates.get(_index(wire)) or _Candidate(), parts)
    if max(added, len(new)) > limits.max_new_slots:
        raise LimitReached("new_slots", max(added, len(new)))


def _is_steady(state: GeminiState, wire: WireCandidate) -> bool:
    """Whether this is what most chunks are: at most one part, no call, for a candidate that has room."""
    candidate = state.candidates.get(wire.index or 0)
    parts = wire.content.parts if wire.content is not None else None
    if candidate is None or not parts:
        return candidate is not None
    part = parts[0]
    room = len(candidate.parts) < state.options.limits.max_items
    return room and len(parts) == 1 and type(part) is dict and "functionCall" not in part


def _check_parts(limits: Limits, candidate: _Candidate, parts: list[Any]) -> int:
    """Return how many parts these would add, at most; raise if that is too many for their candidate."""
    added = calls = 0
    last = candidate.parts[-1] if candidate.parts else None
    before = last.thinks if isinstance(last, _Text) and not last.signature else None
    for part in parts:
        call = part.get("functionCall") if type(part) is dict else None
        kind = None
        if type(call) is dict:
            # A piece of a call that an earlier part of this chunk opens counts as one of its own.
            streamed = _find_open(candidate, call) if not calls else None
            calls += streamed is None
            added += streamed is None
            _check_paths(limits, {} if streamed is None else streamed.args or {}, call)
        else:
            if type(part) is dict and "text" in part and not part.get("thoughtSignature"):
                kind = bool(part.get("thought"))
            added += kind is None or kind != before
        before = kind
    if len(candidate.parts) + added > limits.max_items:
        raise LimitReached("items", len(candidate.parts) + added)
    if candidate.calls + calls > limits.max_calls:
        raise LimitReached("calls", candidate.calls + calls)
    return added


def _check_paths(limits: Limits, args: dict[str, Any], call: dict[str, Any]) -> None:
    """Refuse paths that are too deep, or so far beyond a list's end that they would fill it at will."""
    for entry in partial_args(call):
        path = parse_path(entry.get("jsonPath")) or []
        if len(path) > limits.max_depth:
            raise LimitReached("depth", len(path))
        node: Any = args
        gap = 0
        for key in path:
            if type(key) is int:
                gap += max(0, key - (len(node) if type(node) is list else 0))
                node = _get(node, key) if type(node) is list else None
            else:
                node = node.get(key) if type(node) is dict else None
        if gap > limits.max_new_slots:
            raise LimitReached("new_slots", gap)


# -- table ---------------------------------------------------------------------------------------

HANDLERS: dict[str, dict[str, Any]] = {
    "FIRST": {"chunk": on_first_chunk},
    "WHOLE": {"chunk": on_chunk_after_whole},
    # No row for `[DONE]`: Gemini sends none, and one that a proxy adds is no evidence that the answer is whole.
    "OPEN": {"chunk": on_chunk},
}


# -- body ----------------------------------------------------------------------------------------


def build(state: GeminiState, report: Report) -> dict[str, Any] | None:
    """The body so far; ``None`` before anything but an error came."""
    if state.whole is not None:
        return state.whole
    if not state.begun:
        return None
    state.settle()
    body: dict[str, Any] = {}
    if state.candidates:
        body["candidates"] = [_build_candidate(candidate, report) for _, candidate in sorted(state.candidates.items())]
        if finished(state) and state.error is None:
            _report_repairs(state, report)
    named = {
        "promptFeedback": state.feedback,
        "usageMetadata": state.usage,
        "modelVersion": state.model,
        "responseId": state.id,
    }
    take_last(body, named | state.last)
    return body


def _build_candidate(candidate: _Candidate, report: Report) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if candidate.content is not None:
        body["content"] = _build_content(candidate)
    for call in candidate.open:
        report("call_not_closed", {"id": call.id, "name": call.name}, "the arguments so far")
    named = {
        "finishReason": candidate.finish,
        "index": candidate.index,
        "citationMetadata": candidate.citations,
        "logprobsResult": candidate.logprobs,
    }
    take_last(body, named | candidate.last)
    return body


def _build_content(candidate: _Candidate) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if candidate.role is not None:
        body["role"] = candidate.role
    if candidate.parts:
        body["parts"] = [part if type(part) is dict else part.build() for part in candidate.parts]  # type: ignore[union-attr]
    return body | (candidate.content or {})


def _report_repairs(state: GeminiState, report: Report) -> None:
    for candidate in state.candidates.values():
        for part in candidate.parts:
            watch = part.watch if isinstance(part, _Text) else None
            verdict = watch.verdict("text") if watch is not None else None
            if verdict is not None:
                report(*verdict)


def texts(state: GeminiState, chunk: Chunk) -> list[tuple[str, str, Any]] | None:
    """The text that a chunk would add, if it did nothing else that the last of many such chunks would not do."""
    candidates = chunk.candidates
    if state.row is not HANDLERS["OPEN"] or not candidates or len(candidates) != 1 or chunk.extra:
        return None
    if (chunk.response_id or state.id) != state.id or (chunk.model_version or state.model) != state.model:
        return None
    wire = candidates[0]
    content = wire.content
    last = state.texts.get(wire.index)
    if last is None or content is None or content.extra or not content.parts or len(content.parts) != 1:
        return None
    part = content.parts[0]
    text = part.get("text")
    if type(text) is not str or not text or not _is_text(part) or part.get("thoughtSignature"):
        return None
    if last.thinks != bool(part.get("thought")) or not _is_settled(state.candidates[_index(wire)], wire):
        return None
    return [("text", text, last.text)]


def _is_settled(candidate: _Candidate, wire: WireCandidate) -> bool:
    """Whether a candidate has everything that a chunk says beside its content."""
    if wire.extra or wire.citation_metadata is not None or wire.logprobs_result is not None:
        return False
    said = {
        "finishReason": wire.finish_reason or candidate.finish,
        "safetyRatings": wire.safety_ratings,
        "groundingMetadata": wire.grounding_metadata,
    }
    has = {"finishReason": candidate.finish, **candidate.last}
    return is_settled(has, said)


def recognise(obj: dict[str, Any]) -> bool:
    if carries(obj):
        return True
    inner = unwrapped(obj)
    return inner is not obj and bool(inner.get("error"))


def carries(obj: dict[str, Any]) -> bool:
    obj = unwrapped(obj)
    return "choices" not in obj and not _KEYS.isdisjoint(obj)


def finished(state: GeminiState) -> bool:
    if state.candidates and all(candidate.finish is not None for candidate in state.candidates.values()):
        return True
    return state.feedback is not None and bool(state.feedback.get("blockReason"))


def find_error(obj: dict[str, Any], name: str | None) -> ProviderError | None:
    return _errors.find_error(unwrapped(obj), name)


# -- dialect -------------------------------------------------------------------------------------

DIALECT = Dialect(
    name="gemini.generate",
    final=GenerateContentResponse,
    decode=decode,
    revive=lambda obj, report: from_dict(Chunk, unwrapped(obj), report),
    recognise=recognise,
    # A chunk and a body have one shape: what came bare and alone is a body, judged by its finish reason all the same.
    is_body=lambda obj, bare: bare and "candidates" in obj,
    carries=carries,
    state=GeminiState,
    build=build,
    finished=finished,
    has_content=lambda state: any(candidate.parts for candidate in state.candidates.values()),
    find_error=find_error,
    texts=texts,
    idle=tuple(
        f"{wrapper}usageMetadata.{key}TokenCount"
        for wrapper in ("", "response.")
        for key in ("candidates", "thoughts", "total")
    ),
    handlers=HANDLERS,
)
