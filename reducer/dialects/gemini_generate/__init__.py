"""``gemini.generate``: Gemini's streamGenerateContent, over the Gemini API and Vertex AI.

Theory of operation
-------------------
There is one event type, the chunk, and it has the shape of the body: a chunk is a response that holds only what is new.
The framing reads both forms of a stream, server-sent events and one JSON array (G4). Code Assist wraps every chunk
in ``{"response": …, "traceId": …}``; newer versions add further keys, none of which is in a body. There is one phase,
``OPEN``.

A chunk names candidates by ``index``; their parts follow each other. A text joins the text before it if both are
thoughts or both are not. A part with a signature stays a part of its own, because providers check signatures against
the very part they came on; a signature on an empty text belongs to the text before it (G1). Function calls come whole
or in pieces. A named call with ``willContinue`` opens one, nameless calls continue it, each ``partialArgs`` entry sets
the value at its ``jsonPath``, and the first call without ``willContinue`` closes it (G3).

Who wins: of each key of ``usageMetadata`` the last value, since every chunk counts from the start again (G2);
citations and log-probabilities add up; of everything else the last value, whole. Terminal evidence is a
``finishReason`` on every candidate, or a blocked prompt, which has no candidates. Merging goes on after it, unless a
chunk has another ``responseId``: such a chunk begins another response.

The tables here say what each key of a chunk, of a candidate and of a content does; `parts` has texts and function
calls, `json_path` arguments in pieces. `build` makes the body, `fast` the batches.
"""

from __future__ import annotations

import re
from typing import Any

from reducer.dialects import errors
from reducer.dialects.contract import ANOTHER_RESPONSE, Dialect, LimitReached, check_growth
from reducer.dialects.entries import Entries
from reducer.dialects.gemini_generate.body import GenerateContentResponse as GenerateContentResponse
from reducer.dialects.gemini_generate.build import build, incomplete_calls, is_finished
from reducer.dialects.gemini_generate.fast import propose_batch
from reducer.dialects.gemini_generate.parts import count_parts, merge_parts
from reducer.dialects.gemini_generate.state import Candidate, Content, GeminiState, keep_last
from reducer.dialects.generic import GrowingList
from reducer.dialects.rules import (
    IGNORED,
    Rule,
    Table,
    index_of,
    integer,
    last,
    merge_object,
    objects,
    objects_of,
    rule,
)
from reducer.result import ProviderError

# -- a chunk -------------------------------------------------------------------------------------


def last_reported(name: str, code: str) -> Rule:
    """The last string that is not empty wins; the first difference of the stream is reported."""

    def merge(state: GeminiState, into: Any, key: str, value: str) -> None:
        old = getattr(into, name)
        if value and value != old:
            if old is not None:
                state.report_once(code, [old, value], value)
            setattr(into, name, value)

    return rule(merge, str)


def merge_usage(state: GeminiState, into: Any, key: str, value: dict[str, Any]) -> None:
    state.add_usage({name: count for name, count in value.items() if count is not None})


def merge_feedback(state: GeminiState, into: Any, key: str, value: dict[str, Any]) -> None:
    state.feedback = value


def leave_candidates(state: GeminiState, into: Any, candidates: list[dict[str, Any]]) -> None:
    """Merge nothing: `merge_chunk` merges the candidates after the table, so that problems of the chunk come first."""


def merge_candidates(state: GeminiState, candidates: list[dict[str, Any]]) -> None:
    for wire in candidates:
        index = candidate_index(wire)
        candidate = state.candidates.get(index)
        if candidate is None:
            candidate = state.candidates[index] = Candidate()
        if candidate.index != index and index_of(wire.get("index")) is not None:
            candidate.index = index
        merge_object(CANDIDATE, state, candidate, wire)


CHUNK = Table(
    "",
    {
        "candidates": objects("candidates", leave_candidates),
        "usageMetadata": rule(merge_usage, dict),
        "modelVersion": last_reported("model", "model_differs"),
        "responseId": last_reported("id", "id_differs"),
        "promptFeedback": rule(merge_feedback, dict),
        # The error, and what google-genai adds to the chunks that it gives its callers, are in no body.
        **dict.fromkeys(("error", "sdkHttpResponse", "automaticFunctionCallingHistory", "parsed"), IGNORED),
    },
    keep_last,
)

# -- a candidate and its content -----------------------------------------------------------------


def merge_content(state: GeminiState, candidate: Candidate, key: str, value: dict[str, Any]) -> None:
    if candidate.content is None:
        candidate.content = Content()
    merge_object(CONTENT, state, candidate.content, value)


def merge_citations(state: GeminiState, candidate: Candidate, key: str, value: dict[str, Any]) -> None:
    """Lists append without exact repeats, because a stream may cite again what it cited before."""
    if candidate.citations is None:
        candidate.citations = {}
    for name, entry in value.items():
        if type(entry) is list:
            entries = candidate.citations.get(name)
            if type(entries) is not GrowingList:
                entries = candidate.citations[name] = GrowingList(whole=True)
            entries.add(entry)
        elif entry is not None:
            candidate.citations[name] = entry


def merge_logprobs(state: GeminiState, candidate: Candidate, key: str, value: dict[str, Any]) -> None:
    """Lists append; of other values the last wins."""
    if candidate.logprobs is None:
        candidate.logprobs = {}
    for name, entry in value.items():
        if type(entry) is list:
            entries = candidate.logprobs.get(name)
            if type(entries) is not Entries:
                entries = candidate.logprobs[name] = Entries()
            entries.extend(entry, is_odd=state.is_odd)
        elif entry is not None:
            candidate.logprobs[name] = entry


def merge_role(state: GeminiState, content: Content, key: str, value: str) -> None:
    """The first role wins."""
    content.role = content.role or value or None


CANDIDATE = Table(
    "candidates.",
    {
        "index": integer("candidates."),  # `merge_candidates` has used it
        "content": rule(merge_content, dict),
        "finishReason": last_reported("finish", "finish_reason_differs"),
        "safetyRatings": last(list),
        "groundingMetadata": last(dict),
        "citationMetadata": rule(merge_citations, dict),
        "logprobsResult": rule(merge_logprobs, dict),
    },
    keep_last,
)

CONTENT = Table(
    "candidates.content.",
    {"role": rule(merge_role, str), "parts": rule(merge_parts, list)},
    keep_last,
)

# -- handlers ------------------------------------------------------------------------------------


def on_chunk(state: GeminiState, event: dict[str, Any]) -> object:
    chunk = unwrap(event)
    ident = chunk.get("responseId")
    if type(ident) is str and ident and ident != state.id and begins_another(state, chunk):
        return ANOTHER_RESPONSE
    merge_chunk(state, chunk)
    state.whole = None
    return None


def merge_chunk(state: GeminiState, chunk: dict[str, Any]) -> None:
    candidates = objects_of(chunk.get("candidates"))
    check_limits(state, candidates)
    state.begun = True
    merge_object(CHUNK, state, state, chunk)
    merge_candidates(state, candidates)


def check_limits(state: GeminiState, candidates: list[dict[str, Any]]) -> None:
    """Refuse a chunk that would add too much, before anything of it is merged."""
    new: set[int] = set()
    added = 0
    for wire in candidates:
        index = candidate_index(wire)
        candidate = state.candidates.get(index)
        if candidate is None:
            new.add(index)
        parts = parts_of(wire)
        if parts:
            added += count_parts(state, candidate.content if candidate is not None else None, parts)
    if new:
        check_growth(state, "choices", len(state.candidates), len(new))
    if added > state.options.limits.max_new_slots:
        raise LimitReached("new_slots", added)


def begins_another(state: GeminiState, chunk: dict[str, Any]) -> bool:
    """Whether a chunk with another id begins another response: it has content for a candidate that has ended.

    Decision 12. If the id has changed before, it says nothing about responses.
    """
    if state.id is None or "id_differs" in state.reported or not is_finished(state):
        return False
    return any(
        parts_of(wire)
        for wire in objects_of(chunk.get("candidates"))
        if not state.candidates or candidate_index(wire) in state.candidates
    )


def candidate_index(wire: dict[str, Any]) -> int:
    """Return the index of a candidate; a missing or negative one is 0, which Protobuf's JSON leaves out."""
    return index_of(wire.get("index")) or 0


def parts_of(wire: dict[str, Any]) -> list[Any]:
    content = wire.get("content")
    parts = content.get("parts") if type(content) is dict else None
    return parts if type(parts) is list else []


# There is no row for `[DONE]`: Gemini sends none, and a `[DONE]` that a proxy adds is no terminal evidence.
HANDLERS = {"OPEN": {"chunk": on_chunk}}

# -- dialect -------------------------------------------------------------------------------------

_KEYS = frozenset({"candidates", "usageMetadata", "promptFeedback", "modelVersion", "responseId"})
_WRAPPER_KEYS = frozenset({"response", "traceId"})


def unwrap(event: dict[str, Any]) -> dict[str, Any]:
    """Return the chunk inside Code Assist's wrapper; the event itself if it has none."""
    inner = event.get("response")
    if type(inner) is not dict or not _KEYS.isdisjoint(event):
        return event
    return inner if event.keys() <= _WRAPPER_KEYS or not _KEYS.isdisjoint(inner) else event


def recognise(event: dict[str, Any]) -> bool:
    if "candidates" in event:
        return "choices" not in event
    inner = unwrap(event)
    if "choices" not in inner and not _KEYS.isdisjoint(inner):
        return True
    return inner is not event and bool(inner.get("error"))


def has_content_keys(event: dict[str, Any]) -> bool:
    event = unwrap(event)
    return "choices" not in event and not _KEYS.isdisjoint(event)


def find_error(event: dict[str, Any], name: str | None) -> ProviderError | None:
    return errors.find_error(unwrap(event), name)


def has_content(state: GeminiState) -> bool:
    return any(candidate.content is not None and candidate.content.parts for candidate in state.candidates.values())


DIALECT = Dialect(
    name="gemini.generate",
    body=GenerateContentResponse,
    handlers=HANDLERS,
    new_state=lambda options, report: GeminiState(options, report, HANDLERS["OPEN"]),
    type_of=lambda event: "chunk",
    recognise=recognise,
    # A chunk and a body have one shape: an object that came unframed and alone is a body, judged by its finish reason.
    is_body=lambda event, is_bare: is_bare and "candidates" in event,
    take_body=merge_chunk,
    has_more_than_error=has_content_keys,
    build=build,
    is_finished=is_finished,
    has_content=has_content,
    find_error=find_error,
    terminal_pattern=re.compile(rb'Reason"(?!: ?null)'),  # finishReason, blockReason
    incomplete_calls=incomplete_calls,
    propose_batch=propose_batch,
)
