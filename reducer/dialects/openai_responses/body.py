"""The body of a response, typed, and the view of it."""

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
    record,
    records,
    string,
    used,
)
from reducer.sdk import SdkTypes
from reducer.view import FinishReason, Incomplete, ToolCallView, UsageView, View


class Part(Body, frozen=True):
    """A part of an item's content or summary."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    annotations: list[dict[str, Any]] = field(default_factory=list)
    logprobs: list[dict[str, Any]] = field(default_factory=list)
    extra: dict[str, Any] = field(default_factory=dict)


class Item(Body, frozen=True):
    """An output item of any kind, which ``type`` names; the fields of other kinds read ``None`` or empty."""

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


# -- view ----------------------------------------------------------------------------------------

# The response's status, or the reason why it is incomplete.
_FINISH: dict[str, FinishReason] = {
    "completed": "stop",
    "max_output_tokens": "length",
    "content_filter": "content_filter",
}
# Calls without a name, which stay in the body. If the last item is one, the model waits for the caller.
_WAITING = {
    "apply_patch_call", "computer_call", "local_shell_call", "mcp_approval_request", "shell_call", "tool_search_call",
}  # fmt: skip


def view(body: dict[str, Any], choice: int, incomplete: Incomplete) -> View | None:
    """View the response, which is the only choice. A summary is preferred to the reasoning that it sums up."""
    if choice:
        return None
    entries = numbered(body.get("output"))
    items = [item for _, item in entries]
    messages = [item for item in items if item.get("type") == "message"]
    parts = [part for item in messages for part in records(item.get("content"))]
    thoughts = [item for item in items if item.get("type") == "reasoning"]
    reasonings = [part for item in thoughts for part in records(item.get("summary")) or records(item.get("content"))]
    status = body.get("status")
    word = record(body.get("incomplete_details")).get("reason") if status == "incomplete" else status
    calls = _view_calls(entries, CallViews(incomplete, choice, common_finish(_FINISH, word)))
    waits = bool(calls) or (bool(items) and string(items[-1].get("type")) in _WAITING)
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


def _view_calls(entries: list[tuple[int, dict[str, Any]]], views: CallViews) -> list[ToolCallView]:
    """View the calls that the caller has to answer. Each item comes with its position in the output."""
    last_message = max((place for place, item in entries if item.get("type") == "message"), default=-1)
    calls = []
    for place, item in entries:
        ident, name = item.get("call_id") or item.get("id"), item.get("name")
        is_cut = item.get("status") == "incomplete"
        if item.get("type") == "function_call":
            calls.append(views.from_text(place, ident, name, item.get("arguments"), is_cut=is_cut))
        # xAI's own tools also send custom calls, before the message that uses their results.
        elif item.get("type") == "custom_tool_call" and place > last_message:
            calls.append(views.from_free_text(place, ident, name, item.get("input"), is_cut=is_cut))
    return calls


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


class Response(Body, frozen=True):
    """The object that a Responses call without streaming returns."""

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
