"""What the rules ask the payloads of a stream, and what they compare it with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.corpus import normalised
from tests.peers.compare import Difference, Outcome


def chunk_choices(outcome: Outcome, index: int | None = None) -> list[dict[str, Any]]:
    """Return the choices of all chunks, or those with one index."""
    return [
        choice
        for chunk in outcome.stream.payloads
        for choice in chunk.get("choices") or ()
        if isinstance(choice, dict) and index in (None, choice.get("index") or 0)
    ]


def of_choice(outcome: Outcome, place: str | int) -> list[dict[str, Any]]:
    """Return the entries for the choice at a position of our body."""
    return chunk_choices(outcome, outcome.stream.body["choices"][int(place)]["index"])


def choice_deltas(outcome: Outcome, place: str | int = 0) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in of_choice(outcome, place) if isinstance(choice.get("delta"), dict)]


def call_fragments(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every fragment of every tool call."""
    return [
        call
        for choice in chunk_choices(outcome)
        for call in (choice.get("delta") or {}).get("tool_calls") or ()
        if isinstance(call, dict)
    ]


def has_null_call(outcome: Outcome) -> bool:
    """Return whether the calls of a delta include null."""
    return any(None in ((choice.get("delta") or {}).get("tool_calls") or ()) for choice in chunk_choices(outcome))


def strings_under(value: Any, key: str, named: bool = False) -> Iterator[str]:
    """Yield the strings under a key at any depth."""
    if named and isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from strings_under(entry, key, name == key)
    elif isinstance(value, list):
        for entry in value:
            yield from strings_under(entry, key)


def is_joined(text: Any, pieces: list[str]) -> bool:
    """Return whether a text consists of two or more of these fragments, in their order."""
    taken = 0
    for piece in pieces:
        if isinstance(text, str) and text.startswith(piece):
            text = text[len(piece) :]
            taken += 1
    return text == "" and taken > 1


def lists_in(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from lists_in(entry)
    elif isinstance(value, list):
        yield value
        for entry in value:
            yield from lists_in(entry)


def follow(value: Any, path: str) -> Any:
    """Return the value at a path, or None."""
    for key in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def is_in_a_chunk(outcome: Outcome, value: Any, path: str) -> bool:
    """Return whether some chunk has this value at a path."""
    return any(value == as_normalised(follow(chunk, path)) for chunk in outcome.stream.payloads)


def is_in_a_choice(outcome: Outcome, place: str | int, value: Any, path: str) -> bool:
    """Return whether some chunk has this value at a path inside a choice."""
    return any(value == as_normalised(follow(choice, path)) for choice in of_choice(outcome, place))


def reported_usages(outcome: Outcome) -> list[Any]:
    return [chunk["usage"] for chunk in outcome.stream.payloads if chunk.get("usage")]


def as_normalised(value: Any) -> Any:
    """Normalise a value as both sides of a comparison are normalised."""
    value = normalised(value)
    return None if value == [] else value


def is_repeated(difference: Difference) -> bool:
    ours, theirs = difference.ours, difference.theirs
    return (
        isinstance(ours, str)
        and isinstance(theirs, str)
        and ours != ""
        and theirs != ours
        and theirs.replace(ours, "") == ""
    )


def came_whole(outcome: Outcome) -> bool:
    """Return whether a choice came as a whole message, without streaming."""
    return any(choice.get("message") or choice.get("text") for choice in chunk_choices(outcome))


def entries_of(value: Any) -> list[Any]:
    """Return the entries of a list; a value that stands alone is one."""
    return value if isinstance(value, list) else [value] if value else []


def as_list(value: Any) -> Any:
    return value or []


def terminal(outcome: Outcome) -> Any:
    return [event["response"] for event in outcome.stream.payloads if event.get("type") == "response.completed"][-1]


def joined_texts(outcome: Outcome) -> set[str]:
    """Return the texts of the events before the terminal event: each text, and the joined deltas of each part."""
    texts: set[str] = set()
    joined: dict[tuple[Any, ...], str] = {}
    for event in outcome.stream.payloads:
        if isinstance(event.get("delta"), str):
            place = [event.get(key) for key in ("type", "output_index", "content_index", "summary_index")]
            joined[tuple(place)] = joined.get(tuple(place), "") + event["delta"]
        if event.get("type") not in ("response.completed", "response.incomplete"):
            texts.update(
                text for key in ("text", "arguments", "input", "refusal") for text in strings_under(event, key)
            )
    return texts | set(joined.values())


def done_texts(outcome: Outcome) -> list[str]:
    """Return the texts of the done events, in order."""
    keys = ("text", "arguments", "input", "delta")
    events = [event for event in outcome.stream.payloads if not str(event.get("type")).endswith(".delta")]
    return [text for event in events for key in keys for text in strings_under(event, key)]


def lacks_function(outcome: Outcome) -> bool:
    """Return whether a fragment of a call belongs neither to a function nor to a custom tool."""
    return any(not call.get("function") and not call.get("custom") for call in call_fragments(outcome))


def has_block_gap(outcome: Outcome) -> bool:
    """Return whether the index of a block differs from the number of blocks that started before."""
    started = 0
    for event in outcome.stream.payloads:
        if event.get("type") == "content_block_start":
            started += 1
        elif event.get("type") == "content_block_delta" and event["index"] >= started:
            return True
    return False


def call_names(outcome: Outcome) -> list[str]:
    """Return the names of functions and custom tools, a name for each fragment that has one."""
    tools = [call.get("function") or call.get("custom") or {} for call in call_fragments(outcome)]
    return [tool["name"] for tool in tools if isinstance(tool.get("name"), str) and tool["name"]]


def has_nameless_index(outcome: Outcome) -> bool:
    """Return whether the first fragment at some index has arguments, but neither id nor name."""
    firsts: dict[Any, dict[str, Any]] = {}
    for call in call_fragments(outcome):
        firsts.setdefault(call.get("index"), call)
    functions = [call.get("function") or {} for call in firsts.values() if not call.get("id")]
    return any(function.get("arguments") and not function.get("name") for function in functions)


# The types of items that the deltas of each kind belong to.
_ITEMS_OF = {
    "response.output_text.": ("message",),
    "response.refusal.": ("message",),
    "response.function_call_arguments.": ("function_call",),
    "response.web_search_call.": ("web_search_call",),
}


def has_item_of_another_type(outcome: Outcome) -> bool:
    """Return whether an event has the index of an item that is of another type than the event's."""
    added: dict[Any, Any] = {}
    for event in outcome.stream.payloads:
        if event.get("type") == "response.output_item.added":
            added[event.get("output_index")] = event["item"].get("type")
        for prefix, types in _ITEMS_OF.items():
            if (
                str(event.get("type")).startswith(prefix)
                and added.get(event.get("output_index"), types[0]) not in types
            ):
                return True
    return False
