"""The body of a chat completion, typed, and the view of it."""

from __future__ import annotations

from typing import Any, ClassVar

from msgspec import field

from reducer.body import Body
from reducer.dialects.completion import Usage
from reducer.dialects.views import (
    COMPLETION_FINISH,
    CallViews,
    ToView,
    common_finish,
    completion_usage,
    join_texts,
    numbered,
    pick,
    record,
    records,
    string,
    text_of,
)
from reducer.sdk import SdkTypes
from reducer.view import Incomplete, View


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


def view(body: dict[str, Any], choice: int, incomplete: Incomplete) -> View | None:
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
    word = one.get("finish_reason")
    views = CallViews(incomplete, choice, common_finish(COMPLETION_FINISH, word))
    calls = []
    for place, call in numbered(message.get("tool_calls")) or [(0, {"function": message.get("function_call")})]:
        function, custom = call.get("function"), call.get("custom")
        if type(function) is dict:
            calls.append(views.from_text(place, call.get("id"), function.get("name"), function.get("arguments")))
        elif type(custom) is dict:
            calls.append(views.from_free_text(place, call.get("id"), custom.get("name"), custom.get("input")))
    return View(
        role=string(message.get("role")),
        text=join_texts(text_of(part) for part in parts if record(part).get("type", "text") == "text"),
        reasoning=next(filter(None, [*reasonings, join_texts(thoughts)]), join_texts(reasonings)),
        refusal=text_of(message.get("refusal")),
        tool_calls=calls,
        finish_reason=common_finish(COMPLETION_FINISH, word, bool(calls)),
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
