"""The body of a Gemini response, built from the state."""

from __future__ import annotations

from typing import Any

from reducer.decoding import Report, compact
from reducer.dialects.gemini_generate.state import Candidate, Content, GeminiState, StreamedCall, TextPart
from reducer.dialects.generic import built

# Fields of a candidate that come first in the body, in this order; others follow in the order of the wire.
_FIELDS = ("safetyRatings", "groundingMetadata", "urlContextMetadata", "finishMessage")


def build(state: GeminiState, report: Report) -> dict[str, Any]:
    """Return the body so far."""
    body: dict[str, Any] = {}
    if state.candidates:
        body["candidates"] = [_build_candidate(candidate, report) for _, candidate in sorted(state.candidates.items())]
        if state.error is None and is_finished(state):
            _report_repairs(state, report)
    _add_present(
        body,
        promptFeedback=state.feedback,
        usageMetadata=state.usage,
        modelVersion=state.model,
        responseId=state.id,
        createTime=state.fields.get("createTime"),
    )
    return body | state.fields


def incomplete_calls(state: GeminiState) -> dict[tuple[int, int], str]:
    """Return the arguments so far, as JSON text, of each function call in pieces whose last piece has not come.

    A key is the position of the candidate in the body, and the position of the call in the candidate's ``parts``. The
    text is empty if no piece had arguments.
    """
    if state.whole is not None:
        return _incomplete_in_body(state.whole)
    return {
        (number, position): "" if part.args is None else compact(built(part.args))
        for number, (_, candidate) in enumerate(sorted(state.candidates.items()))
        if candidate.content is not None and candidate.content.open_calls
        for position, part in enumerate(candidate.content.parts)
        if isinstance(part, StreamedCall) and part in candidate.content.open_calls
    }


def _incomplete_in_body(body: dict[str, Any]) -> dict[tuple[int, int], str]:
    """Return the calls of a body that came whole, in which pieces of a call stand as they came."""
    calls: dict[tuple[int, int], str] = {}
    for number, candidate in enumerate(objects_in(body.get("candidates"))):
        content = candidate.get("content")
        for position, part in enumerate(objects_in(content.get("parts")) if type(content) is dict else ()):
            call = part.get("functionCall")
            if type(call) is dict and (call.get("willContinue") is True or call.get("partialArgs")):
                calls[number, position] = compact(call["args"]) if call.get("args") else ""
    return calls


def objects_in(value: Any) -> list[dict[str, Any]]:
    """Return the entries of a list in their places; an entry that is not an object counts as an empty one."""
    return [entry if type(entry) is dict else {} for entry in value] if type(value) is list else []


def _build_candidate(candidate: Candidate, report: Report) -> dict[str, Any]:
    body: dict[str, Any] = {}
    content = candidate.content
    if content is not None:
        body["content"] = _build_content(content)
        for call in content.open_calls:
            report("call_not_closed", {"id": call.id, "name": call.name}, "the arguments so far")
    _add_present(
        body,
        finishReason=candidate.finish,
        index=candidate.index,
        citationMetadata=built(candidate.citations),
        logprobsResult=built(candidate.logprobs),
    )
    fields = candidate.fields
    return body | (fields if len(fields) < 2 else {key: fields[key] for key in _FIELDS if key in fields} | fields)


def _build_content(content: Content) -> dict[str, Any]:
    body: dict[str, Any] = {}
    if content.role is not None:
        body["role"] = content.role
    if content.parts:
        body["parts"] = [_build_part(part) for part in content.parts]
    return body | content.fields


def _build_part(part: TextPart | StreamedCall | dict[str, Any]) -> dict[str, Any]:
    if isinstance(part, TextPart):
        return part.build()
    if isinstance(part, StreamedCall):
        call: dict[str, Any] = {}
        _add_present(call, id=part.id, name=part.name, args=built(part.args))
        return {"functionCall": call | part.fields, **part.part_fields}
    return part


def _add_present(body: dict[str, Any], **named: Any) -> None:
    body |= {key: value for key, value in named.items() if value is not None}


def _report_repairs(state: GeminiState, report: Report) -> None:
    for candidate in state.candidates.values():
        for part in candidate.content.parts if candidate.content is not None else ():
            if isinstance(part, TextPart):
                part.text.report_repair("text", report)


def is_finished(state: GeminiState) -> bool:
    """Whether every candidate has a finish reason, or the prompt was blocked."""
    if state.candidates and all(candidate.finish is not None for candidate in state.candidates.values()):
        return True
    return state.feedback is not None and bool(state.feedback.get("blockReason"))
