"""The body of a Gemini response, typed, and the view of it."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from reducer.body import Body
from reducer.dialects.views import (
    CallViews,
    ToView,
    common_finish,
    count,
    join_texts,
    numbered,
    pick,
    record,
    string,
    summed,
    used,
)
from reducer.sdk import SdkTypes
from reducer.view import FinishReason, Incomplete, UsageView, View


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
    """The output of that code."""

    outcome: str | None = None
    output: str | None = None
    id: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Part(Body, frozen=True, rename="camel"):
    """One part of the content: it has one of these kinds, the others read ``None``."""

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
    """The provider's verdict on the prompt; with a ``block_reason`` there are no candidates."""

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

    # The provider counts results of its own tools beside the prompt, and thoughts beside the candidates.
    return used(
        summed(tokens("prompt"), tokens("toolUsePrompt")),
        summed(tokens("candidates"), tokens("thoughts")),
        usage.get("totalTokenCount"),
        usage.get("cachedContentTokenCount"),
        usage.get("thoughtsTokenCount"),
    )


def view(body: dict[str, Any], choice: int, incomplete: Incomplete) -> View | None:
    """View a candidate. A blocked prompt has none, and its view says that it was blocked."""
    candidate = pick(body.get("candidates"), choice)
    if candidate is None:
        return None
    content = record(candidate.get("content"))
    entries = numbered(content.get("parts"))
    parts = [part for _, part in entries]
    word = candidate.get("finishReason")
    views = CallViews(incomplete, choice, common_finish(_FINISH, word))
    calls = [
        views.from_value(place, call.get("id"), call.get("name"), call.get("args"))
        for place, part in entries
        if type(call := part.get("functionCall")) is dict
    ]
    role = string(content.get("role"))
    reason = common_finish(_FINISH, word, bool(calls))
    if not body.get("candidates") and record(body.get("promptFeedback")).get("blockReason"):
        reason = "content_filter"
    return View(
        role="assistant" if role == "model" else role,
        text=join_texts(part.get("text") for part in parts if not part.get("thought")),
        # Thoughts join without a separator: a signature begins a new part in the middle of a text (G1).
        reasoning=join_texts(part.get("text") for part in parts if part.get("thought")),
        tool_calls=calls,
        finish_reason=reason,
        usage=_view_usage(body.get("usageMetadata")),
    )


class GenerateContentResponse(Body, frozen=True, rename="camel"):
    """The body that a generateContent call returns."""

    sdk_types: ClassVar[SdkTypes] = {"google": (("google.genai.types", "GenerateContentResponse"),)}
    to_view: ClassVar[ToView] = staticmethod(view)
    usage_key: ClassVar[str] = "usageMetadata"
    id_key: ClassVar[str] = "responseId"
    model_key: ClassVar[str] = "modelVersion"
    choices_key: ClassVar[str] = "candidates"

    candidates: list[Candidate] = field(default_factory=list)
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: UsageMetadata | None = None
    model_version: str | None = None
    response_id: str | None = None
    create_time: str | None = None
    extra: dict[str, Any] = field(default_factory=dict)
