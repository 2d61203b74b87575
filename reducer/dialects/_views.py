"""What dialects share to make a `View` of a final body: readings that hold for whatever a body says.

A body may have been sent whole and unchecked, so any value may stand anywhere: what is odd is read as absent.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from reducer.decoding import too_deep
from reducer.typed import copied
from reducer.view import FinishReason, ToolCallView, UsageView, View

ToView = Callable[[dict[str, Any], int], View | None]

_MAX_DEPTH = 256  # as `Limits.max_depth`: what nests deeper could not be compared or pickled by everybody


def record(value: Any) -> dict[str, Any]:
    """Read an object."""
    return value if type(value) is dict else {}


def records(value: Any) -> list[dict[str, Any]]:
    """Read a list of objects."""
    return [entry for entry in value if type(entry) is dict] if type(value) is list else []


def pick(value: Any, number: int) -> dict[str, Any] | None:
    """Read one object of a list; where the list is empty, the first is an empty object."""
    entries = value if type(value) is list else []
    if number < len(entries):
        return record(entries[number])
    return {} if number == 0 else None


def string(value: Any) -> str | None:
    """Read a string."""
    return value if type(value) is str else None


def text_of(value: Any) -> str | None:
    """Read a text: a string, an object that has one as ``text``, or a list of these."""
    if type(value) is list:
        return join_texts(part.get("text") if type(part) is dict else part for part in value)
    return string(value.get("text") if type(value) is dict else value)


def join_texts(pieces: Iterable[Any], between: str = "") -> str | None:
    """Join the strings among these; ``None`` if there is none."""
    found = [piece for piece in pieces if type(piece) is str]
    return between.join(found) if found else None


def called(id: Any, name: Any, written: Any) -> ToolCallView:
    """View a call whose arguments are a JSON text, or an object already where a provider sends that."""
    arguments, unparsed = (copied(written), None) if type(written) is not str else _parsed(written)
    return ToolCallView(string(id), string(name), arguments, unparsed)


def called_freely(id: Any, name: Any, written: Any) -> ToolCallView:
    """View a call of a custom tool: its text is not taken for JSON even if it happens to be some."""
    return ToolCallView(string(id), string(name), unparsed=string(written))


def _parsed(text: str) -> tuple[Any, str | None]:
    if not text.strip():
        return None, None
    try:
        data = text.encode()
        return (None, text) if too_deep(data, _MAX_DEPTH) else (msgspec.json.decode(data), None)
    except (ValueError, RecursionError):
        return None, text


def common_finish(words: Mapping[str, FinishReason], word: Any, calls: bool) -> FinishReason | None:
    """Tell the common finish reason of a provider's word; ``calls``: there are some for the caller to run."""
    reason = words.get(word) if type(word) is str else None
    return "tool_calls" if reason == "stop" and calls else reason


def count(value: Any) -> int | None:
    """Read a number of tokens."""
    if type(value) is float and value.is_integer():
        return int(value)
    return value if type(value) is int else None


def summed(*counts: int | None) -> int | None:
    """Add the counts that are there; ``None`` if there is none."""
    found = [number for number in counts if number is not None]
    return sum(found) if found else None


def used(input: int | None, output: int | None, total: Any, cached: Any, reasoning: Any) -> UsageView:
    """View a usage; a total that was not reported is the sum of both sides."""
    whole = count(total)
    if whole is None and input is not None and output is not None:
        whole = input + output
    return UsageView(input, output, whole, count(cached), count(reasoning))


# -- what Chat and legacy completions have in common ------------------------------------------------

# The first four are OpenAI's. C24: text-generation-inference, Together, Mistral, and what proxies leave untranslated.
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
    """View a usage that counts ``prompt_tokens`` and ``completion_tokens``."""
    if type(usage) is not dict:
        return None
    cached = record(usage.get("prompt_tokens_details")).get("cached_tokens")
    for key in ("prompt_cache_hit_tokens", "cached_tokens"):  # DeepSeek's, Moonshot's and Together's
        cached = usage.get(key) if cached is None else cached
    reasoning = record(usage.get("completion_tokens_details")).get("reasoning_tokens")
    reasoning = count(usage.get("reasoning_tokens") if reasoning is None else reasoning)
    prompt, completion, total = (count(usage.get(f"{key}_tokens")) for key in ("prompt", "completion", "total"))
    # xAI counts the reasoning beside the completion, which its total shows.
    if reasoning and prompt is not None and completion is not None and total == prompt + completion + reasoning:
        completion += reasoning
    return used(prompt, completion, total, cached, reasoning)
