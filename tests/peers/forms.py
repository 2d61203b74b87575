"""The compared parts of each peer's final object and of our body, converted into a common form.

A form leaves out values for which a peer's final object has no field, and renames fields with the same meaning. All
other values are compared. After that both sides are `tests.corpus.normalised`: null, [] and
absent are equal, and so are 1 and 1.0.

openai, chat and responses
    ChatCompletion and Response have all fields, so the whole body is compared, except the keys that the helper
    adds (``parsed``, ``parsed_arguments``) and the ``index`` that is left on its tool calls.

anthropic, anthropic-beta
    The whole message, except the ``parsed_output`` of the helper.

litellm, chat
    ModelResponse with the keys that it, its Choices and its Message declare. ``reasoning_content`` stands for a
    wire ``reasoning`` too; an empty content is null; ``finish_reason`` is its ``native_finish_reason`` where it has
    one; of the usage, the counts and details that its Usage declares.

litellm, completions
    TextCompletionResponse with the keys it declares; of the usage, the three counts.

langchain, every dialect
    One AIMessage: the first choice or candidate, its text, its blocks of thinking, its tool calls by name, id and
    arguments, and from the metadata finish reason, model and usage as LangChain counts it. Refusals and audio are
    compared because its non-streaming message has them (additional_kwargs); ids, times and empty blocks of text
    and thinking are not.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from typing import Any, NamedTuple


class Form(NamedTuple):
    """The conversion of both sides into the form of a comparison."""

    ours: Callable[[dict[str, Any]], Any]
    theirs: Callable[[dict[str, Any]], Any]


def _without(value: Any, keys: frozenset[str]) -> Any:
    if isinstance(value, dict):
        return {key: _without(entry, keys) for key, entry in value.items() if key not in keys}
    if isinstance(value, list):
        return [_without(entry, keys) for entry in value]
    return value


def _as_it_is(body: dict[str, Any]) -> Any:
    return body


def _picked(value: Any, *keys: str) -> dict[str, Any]:
    """Return the values under these keys, without empty ones."""
    return {key: value[key] for key in keys if value.get(key) or value.get(key) is False}


# -- openai and anthropic ----------------------------------------------------------------------------------------


def _openai_chat(body: dict[str, Any]) -> Any:
    body = _without(body, frozenset({"parsed", "parsed_arguments"}))
    for choice in body.get("choices") or ():
        for call in choice["message"].get("tool_calls") or ():
            call.pop("index", None)
    return body


def _openai_responses(body: dict[str, Any]) -> Any:
    return _without(body, frozenset({"parsed", "parsed_arguments"}))


def _anthropic(body: dict[str, Any]) -> Any:
    return _without(body, frozenset({"parsed_output"}))


# -- litellm -----------------------------------------------------------------------------------------------------

_LITELLM_MESSAGE = (
    "role", "content", "tool_calls", "function_call", "audio", "images", "thinking_blocks", "annotations",
    "provider_specific_fields", "reasoning_content",
)  # fmt: skip
_LITELLM_PROMPT = ("cached_tokens", "audio_tokens")
_LITELLM_COMPLETION = ("reasoning_tokens", "audio_tokens", "accepted_prediction_tokens", "rejected_prediction_tokens")


def _litellm_chat(body: dict[str, Any]) -> Any:
    form = _picked(body, "id", "object", "created", "model", "system_fingerprint", "service_tier")
    form["choices"] = []
    for choice in body.get("choices") or ():
        message = choice["message"]
        kept = _picked(
            {**message, "reasoning_content": message.get("reasoning_content") or message.get("reasoning")},
            *_LITELLM_MESSAGE,
        )
        if isinstance(kept.get("audio"), dict):
            kept["audio"] = _picked(kept["audio"], "id", "data", "transcript", "expires_at")
        finish = (choice.get("provider_specific_fields") or {}).get("native_finish_reason") or choice.get(
            "finish_reason"
        )
        form["choices"].append(
            {"index": choice["index"], "message": kept, "finish_reason": finish, "logprobs": choice.get("logprobs")}
        )
    if usage := body.get("usage"):
        form["usage"] = _picked(usage, "prompt_tokens", "completion_tokens", "total_tokens", "cost")
        form["usage"]["prompt"] = _picked(usage.get("prompt_tokens_details") or {}, *_LITELLM_PROMPT)
        form["usage"]["completion"] = _picked(usage.get("completion_tokens_details") or {}, *_LITELLM_COMPLETION)
    return form


def _litellm_completions(body: dict[str, Any]) -> Any:
    form = _picked(body, "id", "object", "created", "model", "system_fingerprint")
    form["choices"] = [
        _picked(choice, "text", "logprobs", "finish_reason") | {"index": choice["index"]}
        for choice in body.get("choices") or ()
    ]
    if usage := body.get("usage"):
        form["usage"] = _picked(usage, "prompt_tokens", "completion_tokens", "total_tokens")
    return form


# -- langchain ---------------------------------------------------------------------------------------------------


def _joined(content: Any, kind: str, key: str) -> Any:
    """Join the values under a key of all blocks of one type; strings are text."""
    if isinstance(content, str):
        return content if kind == "text" else ""
    texts = [
        block if isinstance(block, str) and kind == "text" else (block.get(key) or "")
        for block in content or ()
        if (isinstance(block, str) and kind == "text") or (isinstance(block, dict) and block.get("type") == kind)
    ]
    return "".join(text for text in texts if isinstance(text, str))


def as_call(name: Any, id_: Any, arguments: Any) -> dict[str, Any]:
    if not isinstance(arguments, str):
        arguments = json.dumps(arguments) if arguments is not None else ""
    with contextlib.suppress(ValueError):
        # LangChain encodes objects again, so spaces are ignored.
        arguments = json.loads(arguments)
    return {"name": name or None, "id": id_ or None, "args": arguments or None}


def _langchain_calls(message: dict[str, Any]) -> list[Any]:
    return [as_call(call.get("name"), call.get("id"), call.get("args")) for call in message["tool_calls"]]


def _langchain_usage(prompt: Any, completion: Any, total: Any, details: Any) -> dict[str, Any]:
    counts = {
        "input_tokens": prompt or 0,
        "output_tokens": completion or 0,
        "total_tokens": total or (prompt or 0) + (completion or 0),
    }
    return counts | {key: value for key, value in details.items() if value}


def _langchain_said_usage(message: dict[str, Any]) -> Any:
    usage = message["usage"]
    if not usage:
        return None
    into, out = usage.get("input_token_details") or {}, usage.get("output_token_details") or {}
    # Of the tiers flex and priority LangChain counts under names of their own: flex_cache_read.
    details = {
        "cache_read": sum(count for key, count in into.items() if key.endswith("cache_read")),
        "reasoning": sum(count for key, count in out.items() if key.endswith("reasoning")),
    }
    return _langchain_usage(usage.get("input_tokens"), usage.get("output_tokens"), usage.get("total_tokens"), details)


def _langchain_theirs_chat(message: dict[str, Any]) -> Any:
    metadata, kwargs = message["metadata"], message["kwargs"]
    return {
        "type": message["type"],
        "content": message["content"] or None,
        "tool_calls": _langchain_calls(message),
        "function_call": kwargs.get("function_call"),
        "refusal": kwargs.get("refusal"),
        "audio": kwargs.get("audio"),
        "finish_reason": metadata.get("finish_reason"),
        "model": metadata.get("model_name") or None,
        "system_fingerprint": metadata.get("system_fingerprint"),
        "logprobs": metadata.get("logprobs"),
        "usage": _langchain_said_usage(message),
    }


def _langchain_chat(body: dict[str, Any]) -> Any:
    if not body["choices"]:
        return {"type": "AIMessageChunk", "usage": _langchain_openai_usage(body.get("usage"))}
    choice = body["choices"][0]
    message = choice["message"]
    calls = []
    for call in message.get("tool_calls") or ():
        said = call.get("function") or call.get("custom") or {}
        calls.append(as_call(said.get("name"), call.get("id"), said.get("arguments", said.get("input"))))
    return {
        "type": "AIMessageChunk",
        "content": message.get("content") or None,
        "tool_calls": calls,
        "function_call": message.get("function_call"),
        "refusal": message.get("refusal"),
        "audio": message.get("audio"),
        "finish_reason": choice.get("finish_reason"),
        "model": body.get("model") or None,
        "system_fingerprint": body.get("system_fingerprint") or None,
        "logprobs": choice.get("logprobs"),
        "usage": _langchain_openai_usage(body.get("usage")),
    }


def _langchain_openai_usage(usage: Any) -> Any:
    if not usage:
        return None
    details = {
        "cache_read": (usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}).get("cached_tokens"),
        "reasoning": (usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}).get("reasoning_tokens"),
    }  # fmt: skip
    into, out = (
        usage.get("prompt_tokens", usage.get("input_tokens")),
        usage.get("completion_tokens", usage.get("output_tokens")),
    )
    return _langchain_usage(into, out, usage.get("total_tokens"), details)


def _langchain_theirs_responses(message: dict[str, Any]) -> Any:
    content, metadata = message["content"], message["metadata"]
    reasoning = [block for block in content if isinstance(block, dict) and block.get("type") == "reasoning"]
    return {
        "text": _joined(content, "text", "text"),
        "refusal": _joined(content, "refusal", "refusal"),
        "tool_calls": _langchain_calls(message),
        "reasoning": [
            {"id": block.get("id"), "summary": [part.get("text") for part in block.get("summary") or ()]}
            for block in reasoning
        ],
        "model": metadata.get("model_name") or None,
        "status": metadata.get("status"),
        "usage": _langchain_said_usage(message),
    }


def _langchain_responses(body: dict[str, Any]) -> Any:
    items = body.get("output") or []
    parts = [part for item in items if item.get("type") == "message" for part in item.get("content") or ()]
    calls = []
    for item in items:
        if item.get("type") == "function_call":
            calls.append(as_call(item.get("name"), item.get("call_id"), item.get("arguments")))
        elif item.get("type") == "custom_tool_call":
            calls.append(as_call(item.get("name"), item.get("call_id"), {"__arg1": item.get("input")}))
    reasoning = [item for item in items if item.get("type") == "reasoning"]
    return {
        "text": _joined(parts, "output_text", "text"),
        "refusal": _joined(parts, "refusal", "refusal"),
        "tool_calls": calls,
        "reasoning": [
            {"id": item.get("id"), "summary": [part.get("text") for part in item.get("summary") or ()]}
            for item in reasoning
        ],
        "model": body.get("model"),
        "status": body.get("status"),
        "usage": _langchain_openai_usage(body.get("usage")),
    }


def _says_something(block: dict[str, Any]) -> bool:
    return any(block.get(key) for key in ("text", "thinking", "signature"))


def _langchain_blocks(content: Any) -> Any:
    return [
        {"type": block.get("type")}
        | _picked(block, "text", "thinking", "signature", "data")
        | {"citations": len(block.get("citations") or ())}
        for block in (content if isinstance(content, list) else [{"type": "text", "text": content}] if content else [])
        if isinstance(block, dict) and (block.get("type") not in ("text", "thinking") or _says_something(block))
    ]


def _langchain_theirs_messages(message: dict[str, Any]) -> Any:
    metadata = message["metadata"]
    return {
        "content": _langchain_blocks(message["content"]),
        "tool_calls": _langchain_calls(message),
        "stop_reason": metadata.get("stop_reason"),
        "stop_sequence": metadata.get("stop_sequence"),
        "model": metadata.get("model_name") or None,
        "usage": _langchain_said_usage(message),
    }


def _langchain_messages(body: dict[str, Any]) -> Any:
    content = body.get("content") or []
    usage = body.get("usage") or {}
    created = usage.get("cache_creation") or {}
    specific = sum(created.get(key) or 0 for key in ("ephemeral_5m_input_tokens", "ephemeral_1h_input_tokens"))
    into = (usage.get("input_tokens") or 0) + (usage.get("cache_read_input_tokens") or 0)
    # The parts come with the start of the stream only, their sum again at its end.
    into += usage.get("cache_creation_input_tokens") or specific
    details = {
        "cache_read": usage.get("cache_read_input_tokens"),
        "reasoning": (usage.get("output_tokens_details") or {}).get("thinking_tokens"),
    }
    return {
        "content": _langchain_blocks(content),
        "tool_calls": [
            as_call(block.get("name"), block.get("id"), block.get("input"))
            for block in content
            if block.get("type") == "tool_use"
        ],
        "stop_reason": body.get("stop_reason"),
        "stop_sequence": body.get("stop_sequence"),
        "model": body.get("model"),
        "usage": _langchain_usage(into, usage.get("output_tokens"), None, details) if usage else None,
    }


def _langchain_theirs_generate(message: dict[str, Any]) -> Any:
    metadata = message["metadata"]
    calls = _langchain_calls(message)
    for call in calls:
        # If the stream has none, LangChain invents one.
        call["id"] = None
    return {
        "text": _joined(message["content"], "text", "text"),
        "thinking": _joined(message["content"], "thinking", "thinking"),
        "tool_calls": calls,
        "finish_reason": metadata.get("finish_reason"),
        "model": metadata.get("model_name") or None,
        "usage": _langchain_said_usage(message),
    }


def _langchain_generate(body: dict[str, Any]) -> Any:
    candidates = body.get("candidates") or [{}]
    parts = (candidates[0].get("content") or {}).get("parts") or []
    usage = body.get("usageMetadata") or {}
    thoughts = usage.get("thoughtsTokenCount") or 0
    into = (usage.get("promptTokenCount") or 0) + (usage.get("toolUsePromptTokenCount") or 0)
    details = {"cache_read": usage.get("cachedContentTokenCount"), "reasoning": thoughts}
    return {
        "text": "".join(part.get("text") or "" for part in parts if not part.get("thought")),
        "thinking": "".join(part.get("text") or "" for part in parts if part.get("thought")),
        "tool_calls": [
            as_call(part["functionCall"].get("name"), None, part["functionCall"].get("args") or {})
            for part in parts
            if part.get("functionCall")
        ],
        "finish_reason": candidates[0].get("finishReason"),
        "model": body.get("modelVersion"),
        "usage": _langchain_usage(
            into, (usage.get("candidatesTokenCount") or 0) + thoughts, usage.get("totalTokenCount"), details
        )
        if any(isinstance(count, int) and count for count in usage.values())
        else None,
    }


# (peer, dialect) -> form.
FORMS: dict[tuple[str, str], Form] = {
    ("openai", "openai.chat"): Form(_as_it_is, _openai_chat),
    ("openai", "openai.responses"): Form(_as_it_is, _openai_responses),
    ("anthropic", "anthropic.messages"): Form(_as_it_is, _anthropic),
    ("anthropic-beta", "anthropic.messages"): Form(_as_it_is, _anthropic),
    ("litellm", "openai.chat"): Form(_litellm_chat, _litellm_chat),
    ("litellm", "openai.completions"): Form(_litellm_completions, _litellm_completions),
    ("langchain", "openai.chat"): Form(_langchain_chat, _langchain_theirs_chat),
    ("langchain", "openai.responses"): Form(_langchain_responses, _langchain_theirs_responses),
    ("langchain", "anthropic.messages"): Form(_langchain_messages, _langchain_theirs_messages),
    ("langchain", "gemini.generate"): Form(_langchain_generate, _langchain_theirs_generate),
}
