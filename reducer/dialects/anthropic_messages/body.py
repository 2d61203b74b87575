"""The body of a message, typed, and the view of it."""

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
    string,
    summed,
    used,
)
from reducer.sdk import SdkTypes
from reducer.view import FinishReason, Incomplete, UsageView, View


class ContentBlock(Body, frozen=True):
    """A block of any kind; ``type`` names the kind. Fields that a kind lacks read ``None``.

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


def view(body: dict[str, Any], choice: int, incomplete: Incomplete) -> View | None:
    """View the message, which is the only choice."""
    if choice:
        return None
    entries = numbered(body.get("content"))
    blocks = [block for _, block in entries]
    word = body.get("stop_reason")
    views = CallViews(incomplete, choice, common_finish(_FINISH, word))
    calls = [
        views.from_value(place, block.get("id"), block.get("name"), block.get("input"))
        for place, block in entries
        if block.get("type") == "tool_use"
    ]
    return View(
        role=string(body.get("role")),
        text=join_texts(block.get("text") for block in blocks if block.get("type") == "text"),
        reasoning=join_texts((block.get("thinking") for block in blocks if block.get("type") == "thinking"), "\n\n"),
        tool_calls=calls,
        finish_reason=common_finish(_FINISH, word, bool(calls)),
        usage=_view_usage(body.get("usage")),
    )


def _view_usage(usage: Any) -> UsageView | None:
    if type(usage) is not dict:
        return None
    uncached, cached, created = (
        count(usage.get(key)) for key in ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
    )
    # `input_tokens` counts only tokens that were neither read from a cache nor written to one.
    return used(
        None if uncached is None else summed(uncached, cached, created),
        count(usage.get("output_tokens")),
        None,
        cached,
        record(usage.get("output_tokens_details")).get("thinking_tokens"),
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
