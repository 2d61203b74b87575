"""Rules for what several peers do."""

from __future__ import annotations

import re
from typing import Any

from tests.corpus import normalised
from tests.peers.compare import Difference, Outcome
from tests.peers.rules.payloads import (
    as_list,
    call_fragments,
    call_names,
    came_whole,
    choice_deltas,
    has_nameless_index,
    reported_usages,
)
from tests.peers.rules.registry import differs, raises

_CHAT = "openai/openai.chat", "litellm/openai.chat", "litellm/openai.completions", "langchain/openai.chat"
_CALLS = "openai/openai.chat", "litellm/openai.chat", "langchain/openai.chat"
_RESPONSES = "openai/openai.responses", "langchain/openai.responses"
_MESSAGES = "anthropic/anthropic.messages", "anthropic-beta/anthropic.messages", "langchain/anthropic.messages"


def _calls_of(body: Any) -> list[Any]:
    return [call for choice in (body or {}).get("choices") or () for call in choice["message"].get("tool_calls") or ()]


def _arguments(body: Any) -> list[str]:
    """Return the characters of all arguments, sorted: they are equal even if calls are mixed up."""
    texts = [
        (call.get("function") or {}).get("arguments") or (call.get("custom") or {}).get("input") or ""
        for call in _calls_of(body)
    ]
    return sorted("".join(text for text in texts if isinstance(text, str)))


@raises(
    *_CHAT,
    *_RESPONSES,
    *_MESSAGES,
    "langchain/gemini.generate",
    text=r"^(ProviderError|ValueError)",
    name="provider-error",
)
def _provider_error(outcome: Outcome) -> bool:
    return outcome.stream.result.status == "failed"


@differs("openai/openai.chat", "langchain/openai.chat", path=r"usage|usage_breakdown", name="usage-of-groq")
def _usage_of_groq(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return (
        difference.theirs is None
        and not reported_usages(outcome)
        and any((chunk.get("x_groq") or {}).get("usage") for chunk in outcome.stream.payloads)
    )


@differs("openai/openai.chat", "litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.content", name="content-parts")
def _content_parts(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance(delta.get("content"), list) for delta in choice_deltas(outcome, at[1]))


@differs("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.content", name="message-ignored")
def _message_ignored(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and came_whole(outcome)


@differs("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.finish_reason", name="stop-after-calls")
def _stop_after_calls(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours in ("tool_calls", "function_call") and difference.theirs == "stop"


@differs(*_CALLS, path=r"(choices\[\d+\]\.message\.)?tool_calls", name="split-name-joined")
def _split_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    names = [(call.get("function") or {}).get("name") for call in call_fragments(outcome)]
    ids = {call.get("id") for call in call_fragments(outcome) if call.get("id")}
    return len(ids) == 1 and len({name for name in names if name}) > 1 and len(as_list(difference.theirs)) == 1


@differs("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="calls-fused")
def _calls_fused(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    fewer = 0 < len(as_list(difference.theirs)) < len(as_list(difference.ours))
    return fewer and _arguments(outcome.ours) == _arguments(outcome.theirs)


@differs(
    "openai/openai.chat",
    "litellm/openai.chat",
    path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments(\..*)?",
    name="arguments-object",
)
def _arguments_object(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance((call.get("function") or {}).get("arguments"), dict) for call in call_fragments(outcome))


@differs(
    "openai/openai.chat",
    "litellm/openai.chat",
    path=r"choices\[(\d+)\]\.message\.annotations",
    name="annotations-twice",
)
def _annotations(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [entry for delta in choice_deltas(outcome, at[1]) for entry in delta.get("annotations") or ()]
    return as_list(difference.theirs) == normalised(came)


@differs("anthropic/anthropic.messages", "langchain/anthropic.messages", path="model", name="fallback-model-lost")
def _fallback_model(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("content_block") or {}).get("type") == "fallback" for event in outcome.stream.payloads)


@differs(*_MESSAGES, path=r"content\[\d+\]\.citations", name="null-citation-kept")
def _null_citation(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("delta") or {}).get("citation", "") is None for event in outcome.stream.payloads)


@differs(
    *_MESSAGES,
    "langchain/openai.responses",
    path=r"(content|tool_calls|stop_reason|stop_sequence|model|status|usage|text)(\W.*)?",
    name="events-twice",
)
def _events_twice(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """A repeated event becomes a second block, or is joined or added to the first."""
    once = (
        "response.output_item.done",
        "response.completed",
        "response.incomplete",
        "content_block_start",
        "message_delta",
    )
    events = [str(event) for event in outcome.stream.payloads if event.get("type") in once]
    return len(events) != len(set(events))


@differs(*_CALLS, path=r"(choices\[\d+\]\.message\.)?tool_calls\[\d+\]\.id", name="null-id-kept")
def _null_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ids = [call["id"] for call in call_fragments(outcome) if call.get("id")]
    return difference.ours is None and "null" in ids and str(difference.theirs).replace("null", "") == ""


@differs(
    *_CALLS,
    path=r"(choices\[\d+\]\.message\.)?tool_calls(\[\d+\]\.(id|function\.name))?",
    name="fragments-at-another-index",
)
def _fragments_at_another_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """The index of later fragments is not that of the call which they complete."""
    if at[2] is None:
        said = len(as_list(difference.ours)) != len(as_list(difference.theirs))
    else:
        said = difference.ours in [*call_names(outcome), *(call.get("id") for call in call_fragments(outcome))]
    return said and has_nameless_index(outcome)


@differs(*_CALLS, path=r"(choices\[\d+\]\.message\.)?function_call", name="empty-function-call-kept")
def _empty_function_call(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and not any(difference.theirs.values())
