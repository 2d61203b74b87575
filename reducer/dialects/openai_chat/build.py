"""The body of a chat completion, built from the state."""

from __future__ import annotations

from typing import Any

from reducer.decoding import Report, compact
from reducer.dialects import completion
from reducer.dialects.completion import add_missing
from reducer.dialects.contract import report_nothing
from reducer.dialects.generic import built, report_strings
from reducer.dialects.openai_chat.content import build_audio, is_blank
from reducer.dialects.openai_chat.nameless_calls import calls_of_body
from reducer.dialects.openai_chat.state import ChatState, Choice
from reducer.dialects.openai_chat.tool_calls import Call
from reducer.dialects.views import record

# Top-level keys in the order of OpenAI's body.
_HEAD = ("system_fingerprint", "service_tier", "provider", "prompt_filter_results", "metadata", "moderation", "x_groq")
_SCAFFOLDING = frozenset({"obfuscation", "sequence_number"})
_MIN_COUNTED = 8  # choices that look like counted chunks (C11)


def build(state: ChatState, report: Report) -> dict[str, Any] | None:
    """Return the body so far."""
    body = state.head("chat.completion")
    is_whole = is_finished(state) and state.error is None
    if _is_counter(state):
        report("repaired", {"choices": len(state.choices)}, "choice_counter")
    elif _looks_like_counter(state.choices):
        report("repairable", {"choices": len(state.choices)}, "as they came; the repair is choice_counter")
    body["choices"] = [_build_choice(state, *numbered, report, is_whole) for numbered in _choices_of_body(state)]
    fields, usage = state.fields, state.usage
    if fields.get("x_groq") is not None:
        # C28: Groq's own non-streaming body has these at the top.
        groq = dict(fields["x_groq"])
        usage = groq.pop("usage", None) if usage is None else usage
        groq.pop("usage", None)
        if groq.get("usage_breakdown") is not None:
            body["usage_breakdown"] = groq.pop("usage_breakdown")
        fields = {**fields, "x_groq": groq}
    if usage:
        body["usage"] = usage
    add_missing(body, fields, _HEAD)
    return body


def _choices_of_body(state: ChatState) -> list[tuple[int, Choice]]:
    """Return the choices with their indices, in the order of the body."""
    if _is_counter(state):
        return [(0, state.counted)]  # type: ignore[list-item]
    return sorted(state.choices.items())


def _build_choice(state: ChatState, index: int, choice: Choice, report: Report, is_whole: bool) -> dict[str, Any]:
    calls = calls_of_body(state, choice.calls, report)
    message = _build_message(choice, calls, report)
    body: dict[str, Any] = {"index": index, "message": message}
    body["finish_reason"] = finish = choice.chosen_finish(
        bool(message.get("tool_calls") or message.get("function_call"))
    )
    # C35: a spoken answer ends with the time at which it expires, and has no finish reason.
    if finish is None and is_whole and not (choice.audio or {}).get("expires_at"):
        report("no_finish_reason", {"index": index}, None)
    choice.add_fields(body)
    return body


def _build_message(choice: Choice, calls: list[Call], report: Report) -> dict[str, Any]:
    _report_texts(choice, report)
    whole = _whole_message(choice)
    if whole is not None and not choice.has_deltas():
        return _filled_message(whole, choice)
    message: dict[str, Any] = {"role": choice.role or "assistant"}
    message["content"] = choice.content.build()
    for key, text in choice.texts.items():
        message[key] = text.build()
    if choice.details is not None:
        message["reasoning_details"] = built(choice.details)
    if choice.audio is not None:
        message["audio"] = build_audio(choice.audio)
    function = choice.called_function()
    if function is not None:
        message["function_call"] = function.build_function()
    if calls:
        message["tool_calls"] = [call.build() for call in calls]
    for key, value in choice.message_fields.items():
        message.setdefault(key, built(value))
    for key, value in (whole or {}).items():
        if not is_blank(value) and is_blank(message.get(key)):
            message[key] = value  # decision 5: what the deltas lacked
    if message["content"] == "" and any(message.get(key) for key in ("tool_calls", "function_call", "refusal")):
        message["content"] = None  # decision 6
    return message


def _filled_message(whole: dict[str, Any], choice: Choice) -> dict[str, Any]:
    """Return a message that came whole, with what deltas had beside it: neither text nor calls (C16)."""
    whole.setdefault("role", choice.role or "assistant")
    fields = choice.message_fields
    if choice.details is not None:
        fields = {"reasoning_details": choice.details, **fields}
    for key, value in fields.items():
        if key not in whole or not is_blank(built(value)):
            whole[key] = built(value)
    return whole


def _report_texts(choice: Choice, report: Report) -> None:
    """Report repairs of texts, and strings that may have been fragments of an undeclared text."""
    for key, text in (("content", choice.content), *choice.texts.items()):
        text.report_repair(key, report)
    for call in (choice.function_call, *choice.calls.all):
        if call is not None and not call.is_empty():
            call.report_strings(report)
    report_strings(choice.strings, report)


def _whole_message(choice: Choice) -> dict[str, Any] | None:
    """Return the message that came whole, without scaffolding."""
    if choice.whole_message is None:
        return None
    message = {key: value for key, value in choice.whole_message.items() if key not in _SCAFFOLDING and value != []}
    if type(message.get("tool_calls")) is list:
        message["tool_calls"] = [_without_index(call) for call in message["tool_calls"]]
    return message


def _without_index(call: Any) -> Any:
    return {key: value for key, value in call.items() if key != "index"} if type(call) is dict else call


def incomplete_calls(state: ChatState) -> dict[tuple[int, int], str]:
    """Return the arguments or the input so far of each call that the wire has not closed.

    The key is the place of the choice in the body and the place of the call in the body's ``tool_calls``; of a
    ``function_call`` without tool calls it is 0. Finish reason, ``[DONE]`` and a body sent whole close a call.
    """
    if state.done or state.whole is not None:
        return {}
    return {
        (place, number): text
        for place, (_, choice) in enumerate(_choices_of_body(state))
        if choice.finish is None
        for number, text in enumerate(_texts_of_calls(state, choice))
    }


def _texts_of_calls(state: ChatState, choice: Choice) -> list[str]:
    calls = calls_of_body(state, choice.calls, report_nothing)
    if calls:
        return [call.text() for call in calls]
    whole = choice.whole_message or {}
    if type(whole.get("tool_calls")) is list and whole["tool_calls"]:
        return [_text_of_call(call) for call in whole["tool_calls"]]
    function = choice.called_function()
    if function is not None:
        return [function.text()]
    return [_text_of_call({"function": whole["function_call"]})] if whole.get("function_call") else []


def _text_of_call(call: Any) -> str:
    """Return the arguments or the input of a call of a message that came whole."""
    function, custom = record(record(call).get("function")), record(record(call).get("custom"))
    text = function.get("arguments", custom.get("input"))
    return text if type(text) is str else "" if text is None else compact(text)


def is_finished(state: ChatState) -> bool:
    """Whether terminal evidence has been seen."""
    if _is_counter(state) and not (state.done or state.whole is not None):
        return state.counted.finish is not None  # type: ignore[union-attr]
    return completion.is_finished(state)


def _is_counter(state: ChatState) -> bool:
    return state.counted is not None and len(state.choices) > 2


def _looks_like_counter(choices: dict[int, Choice]) -> bool:
    """C11: many choices, numbered one after the other, none finished but the last."""
    count = len(choices)
    if count < _MIN_COUNTED or max(choices) != min(choices) + count - 1:
        return False
    return all(choice.finish is None for index, choice in choices.items() if index != max(choices))
