"""What the rules ask the payloads of a stream, and what they compare it with."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tests.corpus import normalised
from tests.peers.compare import Difference, Outcome


def chunk_choices(outcome: Outcome, index: int | None = None) -> list[dict[str, Any]]:
    """Return the choices of all chunks, or those of one index."""
    return [
        choice
        for chunk in outcome.stream.payloads
        for choice in chunk.get("choices") or ()
        if isinstance(choice, dict) and index in (None, choice.get("index") or 0)
    ]


def of_choice(outcome: Outcome, place: str | int) -> list[dict[str, Any]]:
    """Return what came for the choice at a place of our body."""
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
    """Whether null is among the calls of a delta."""
    return any(None in ((choice.get("delta") or {}).get("tool_calls") or ()) for choice in chunk_choices(outcome))


def strings_under(value: Any, key: str, named: bool = False) -> Iterator[str]:
    """Yield the strings under a key, however deep."""
    if named and isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from strings_under(entry, key, name == key)
    elif isinstance(value, list):
        for entry in value:
            yield from strings_under(entry, key)


def is_joined(text: Any, pieces: list[str]) -> bool:
    """Whether a text is two or more of these pieces, in their order, and nothing else."""
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
    """Return what is at a path; None where nothing is."""
    for key in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def is_said(outcome: Outcome, value: Any, path: str) -> bool:
    """Whether some chunk has this value at a path, so that it is no invention of ours."""
    return any(value == as_normalised(follow(chunk, path)) for chunk in outcome.stream.payloads)


def is_said_of_choice(outcome: Outcome, place: str | int, value: Any, path: str) -> bool:
    """Whether some chunk has this value at a path inside a choice."""
    return any(value == as_normalised(follow(choice, path)) for choice in of_choice(outcome, place))


def reported_usages(outcome: Outcome) -> list[Any]:
    return [chunk["usage"] for chunk in outcome.stream.payloads if chunk.get("usage")]


def as_normalised(value: Any) -> Any:
    """Normalise a wire value as the two sides of a comparison are."""
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
    """Whether a choice came whole, as the message of a body that is not streamed."""
    return any(choice.get("message") or choice.get("text") for choice in chunk_choices(outcome))


def as_list(value: Any) -> Any:
    return value or []


def terminal(outcome: Outcome) -> Any:
    return [event["response"] for event in outcome.stream.payloads if event.get("type") == "response.completed"][-1]


def joined_texts(outcome: Outcome) -> set[str]:
    """Return what the events before the terminal one say: each text, and the deltas of each part together."""
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
    """Return the texts of the events that are no deltas, in their order."""
    keys = ("text", "arguments", "input", "delta")
    events = [event for event in outcome.stream.payloads if not str(event.get("type")).endswith(".delta")]
    return [text for event in events for key in keys for text in strings_under(event, key)]


def lacks_function(outcome: Outcome) -> bool:
    """Whether a fragment of a call is neither of a function nor of a custom tool."""
    return any(not call.get("function") and not call.get("custom") for call in call_fragments(outcome))


def has_block_gap(outcome: Outcome) -> bool:
    """Whether a block has an index that is not its place among those that have started."""
    started = 0
    for event in outcome.stream.payloads:
        if event.get("type") == "content_block_start":
            started += 1
        elif event.get("type") == "content_block_delta" and event["index"] >= started:
            return True
    return False
