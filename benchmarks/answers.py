"""The facets of a body in which the reducer and its peers are compared, as plain lists.

A peer's final object differs from the wire's in defaults and renamed keys, which are no part of the answer. Only the
facets that a caller asked for are compared; a facet that a peer lacks counts as a disagreement, as a wrong one does.
Standard library only: this module runs in the peers' environments too.
"""

from __future__ import annotations

from typing import Any

Answer = dict[str, Any]


def read_chat(body: dict[str, Any]) -> Answer:
    """Return the facets of a chat completion in OpenAI's shape."""
    choices = sorted(body.get("choices") or [], key=lambda choice: choice.get("index") or 0)
    messages = [choice.get("message") or {} for choice in choices]
    usage = body.get("usage") or {}
    facets = {
        "choices": len(choices),
        "content": [message.get("content") or "" for message in messages],
        "refusal": [message.get("refusal") or "" for message in messages],
        "reasoning": [message.get("reasoning") or message.get("reasoning_content") or "" for message in messages],
        "details": [_joined(message.get("reasoning_details"), "text") for message in messages],
        "calls": [[_call(call) for call in message.get("tool_calls") or []] for message in messages],
        "finish": [choice.get("finish_reason") for choice in choices],
        "logprobs": [_logprobs(choice.get("logprobs")) for choice in choices],
        "filters": [choice.get("content_filter_results") or {} for choice in choices],
        "usage": [usage.get("prompt_tokens"), usage.get("completion_tokens")],
    }
    return _drop_empty(facets)


def read_responses(body: dict[str, Any]) -> Answer:
    """Return the facets of a response."""
    output = body.get("output") or []
    usage = body.get("usage") or {}
    facets = {
        "items": [item.get("type") for item in output],
        "text": [_joined(item.get("content"), "text") for item in output],
        "summary": [_joined(item.get("summary"), "text") for item in output],
        "calls": [[item.get("call_id"), item.get("name"), item.get("arguments")] for item in output],
        "status": body.get("status"),
        "usage": [usage.get("input_tokens"), usage.get("output_tokens")],
    }
    return _drop_empty(facets)


READERS = {"openai.chat": read_chat, "openai.responses": read_responses}


def find_differences(mine: Answer, theirs: Answer) -> list[str]:
    """Return the names of the facets in which two answers differ."""
    return [facet for facet in {**mine, **theirs} if mine.get(facet) != theirs.get(facet)]


def _drop_empty(facets: Answer) -> Answer:
    """Leave out empty facets."""
    return {name: value for name, value in facets.items() if not isinstance(value, list) or any(value)}


def _call(call: dict[str, Any]) -> list[Any]:
    function = call.get("function") or {}
    return [call.get("id"), function.get("name"), function.get("arguments")]


def _logprobs(logprobs: dict[str, Any] | None) -> list[Any]:
    tokens = (logprobs or {}).get("content") or []
    return [[token["token"], token["logprob"], len(token["top_logprobs"])] for token in tokens]


def _joined(parts: list[dict[str, Any]] | None, key: str) -> str:
    return "".join(part.get(key) or "" for part in parts or [])
