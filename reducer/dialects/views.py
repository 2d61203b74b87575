"""Helpers with which dialects build a `View` from a final body.

A body that a provider sent whole is not checked, so any value may be anywhere in it. These helpers never raise: a value
of an unexpected type counts as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from reducer.body import copied, to_json
from reducer.decoding import too_deep
from reducer.view import FinishReason, Incomplete, ToolCallView, UsageView, View

# Builds the view of one choice of a body; ``None`` if there is no such choice.
ToView = Callable[[dict[str, Any], int, Incomplete], View | None]

# The default of `Limits.max_depth`. Comparing or pickling deeper values may exceed the recursion limit.
_MAX_DEPTH = 256


def record(value: Any) -> dict[str, Any]:
    """Return the value if it is an object, otherwise an empty one."""
    return value if type(value) is dict else {}


def records(value: Any) -> list[dict[str, Any]]:
    """Return the objects in a list, without its other entries."""
    return [entry for _, entry in numbered(value)]


def numbered(value: Any) -> list[tuple[int, dict[str, Any]]]:
    """Return the objects in a list, each with its position in the list."""
    entries = value if type(value) is list else []
    return [(place, entry) for place, entry in enumerate(entries) if type(entry) is dict]


def pick(value: Any, number: int) -> dict[str, Any] | None:
    """Return entry ``number`` of a list as an object; ``None`` if there is no such entry.

    An empty list counts as a list of one empty object.
    """
    entries = value if type(value) is list else []
    if number < len(entries):
        return record(entries[number])
    return {} if number == 0 else None


def string(value: Any) -> str | None:
    """Return the value if it is a string."""
    return value if type(value) is str else None


def text_of(value: Any) -> str | None:
    """Return the text of a string, of an object with the key ``text``, or of a list of both, joined."""
    if type(value) is list:
        return join_texts(part.get("text") if type(part) is dict else part for part in value)
    return string(value.get("text") if type(value) is dict else value)


def join_texts(pieces: Iterable[Any], between: str = "") -> str | None:
    """Join the strings among the pieces. Return ``None`` if no piece is a string."""
    found = [piece for piece in pieces if type(piece) is str]
    return between.join(found) if found else None


class CallViews:
    """Builds the views of the tool calls of one choice.

    Args:
        incomplete: The calls that the stream did not close.
        choice: The position of the choice in the body.
        reason: The common finish reason of the choice.
    """

    def __init__(self, incomplete: Incomplete, choice: int, reason: FinishReason | None) -> None:
        self._incomplete = incomplete
        self._choice = choice
        self._is_cut = reason in ("length", "content_filter")

    def from_text(self, place: int, id: Any, name: Any, written: Any, *, is_cut: bool = False) -> ToolCallView:
        """Build the view of a call whose arguments are JSON text. Some providers send a decoded value instead.

        ``place`` is the position of the call in its list in the body. ``is_cut`` says that the body calls the call
        incomplete.
        """
        if type(written) is not str:
            return self.from_value(place, id, name, written, is_cut=is_cut)
        unparsed = self._so_far(place, written, is_cut)
        if unparsed is None:
            if not written.strip():
                return ToolCallView(string(id), string(name), {})
            try:
                data = written.encode()
                if not too_deep(data, _MAX_DEPTH):
                    return ToolCallView(string(id), string(name), msgspec.json.decode(data))
            except (ValueError, RecursionError):
                pass
            unparsed = written
        return ToolCallView(string(id), string(name), None, unparsed, complete=False)

    def from_value(self, place: int, id: Any, name: Any, value: Any, *, is_cut: bool = False) -> ToolCallView:
        """Build the view of a call whose arguments are a decoded value. No arguments count as blank ones."""
        unparsed = self._so_far(place, value, is_cut)
        if unparsed is not None:
            return ToolCallView(string(id), string(name), None, unparsed, complete=False)
        return ToolCallView(string(id), string(name), {} if value is None else copied(value))

    def from_free_text(self, place: int, id: Any, name: Any, written: Any, *, is_cut: bool = False) -> ToolCallView:
        """Build the view of a custom tool's call. Its text is never decoded, even if the text happens to be JSON."""
        if type(written) is not str and written is not None:
            return self.from_value(place, id, name, written, is_cut=is_cut)
        unparsed = self._so_far(place, written, is_cut)
        if unparsed is not None:
            return ToolCallView(string(id), string(name), None, unparsed, complete=False)
        return ToolCallView(string(id), string(name), None, written)

    def _so_far(self, place: int, written: Any, is_cut: bool) -> str | None:
        """Return the text of the arguments so far. Return ``None`` if the call was not cut short."""
        text = self._incomplete.get((self._choice, place))
        if text is not None or not (is_cut or self._is_cut):
            return text
        if type(written) is str:
            return written
        return "" if written is None else str(to_json(written), "utf-8")


def common_finish(words: Mapping[str, FinishReason], word: Any, calls: bool = False) -> FinishReason | None:
    """Return the common finish reason for a provider's word.

    Args:
        words: The common finish reason of each known word.
        word: The provider's word.
        calls: Whether the caller has tool calls to run.
    """
    reason = words.get(word) if type(word) is str else None
    return "tool_calls" if reason == "stop" and calls else reason


def count(value: Any) -> int | None:
    """Return a number of tokens as an integer."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def summed(*counts: int | None) -> int | None:
    """Return the sum of the counts that are not ``None``. Return ``None`` if there are no such counts."""
    found = [number for number in counts if number is not None]
    return sum(found) if found else None


def used(input: int | None, output: int | None, total: Any, cached: Any, reasoning: Any) -> UsageView:
    """Build the view of a usage. A total that was not reported is the sum of input and output."""
    whole = count(total)
    if whole is None and input is not None and output is not None:
        whole = input + output
    return UsageView(input, output, whole, count(cached), count(reasoning))


# -- shared by Chat and legacy completions -----------------------------------------------------------

# OpenAI uses the first four and ``function_call``. The others come from text-generation-inference, Together, Mistral,
# and from proxies that pass on the words of other providers (C24).
COMPLETION_FINISH: dict[str, FinishReason] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "function_call": "tool_calls",
    "end_turn": "stop",
    "eos": "stop",
    "eos_token": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_length": "length",
}


def completion_usage(usage: Any) -> UsageView | None:
    """Build the view of a usage with ``prompt_tokens`` and ``completion_tokens``."""
    if type(usage) is not dict:
        return None
    cached = record(usage.get("prompt_tokens_details")).get("cached_tokens")
    for key in ("prompt_cache_hit_tokens", "cached_tokens"):  # DeepSeek; Moonshot and Together
        cached = usage.get(key) if cached is None else cached
    reasoning = record(usage.get("completion_tokens_details")).get("reasoning_tokens")
    reasoning = count(usage.get("reasoning_tokens") if reasoning is None else reasoning)
    prompt, completion, total = (count(usage.get(f"{key}_tokens")) for key in ("prompt", "completion", "total"))
    # xAI does not count reasoning as part of the completion. Its total shows that.
    if reasoning and prompt is not None and completion is not None and total == prompt + completion + reasoning:
        completion += reasoning
    return used(prompt, completion, total, cached, reasoning)
