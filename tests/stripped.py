"""Compare the items of Responses streams with the items of the same streams without done and terminal events.

``python -m tests.stripped DIR`` takes a folder as `tests.corpus` does, and prints every stream whose items differ in
type, text, arguments, names or call ids. A difference is right only if the deltas lack values that the done events
have. In that case, the items must equal those that `items_of_deltas` builds from the deltas alone.
`tests/test_stripped.py` does the same as a test.
"""

from __future__ import annotations

import copy
import sys
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple

import reducer
from tests.corpus import NAMES, rows
from tests.mutations import events_of, framed

TERMINAL = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
# The text to which a delta adds: a key of the item, or a key of a part in a list at an index.
TEXTS = {
    "response.function_call_arguments.delta": "arguments",
    "response.mcp_call_arguments.delta": "arguments",
    "response.custom_tool_call_input.delta": "input",
    "response.code_interpreter_call_code.delta": "code",
}
PARTS = {
    "response.output_text.delta": ("content", "content_index", "text"),
    "response.reasoning_text.delta": ("content", "content_index", "text"),
    "response.refusal.delta": ("content", "content_index", "refusal"),
    "response.reasoning_summary_text.delta": ("summary", "summary_index", "text"),
}


class Outcome(NamedTuple):
    """The result of comparing a stripped stream."""

    wrong: list[str]  # items that equal neither those of the whole stream nor those of the deltas alone
    incomplete: list[str]  # items that differ because the deltas lack values of the done events


def values_of_deltas(item: dict[str, Any]) -> list[Any]:
    """Return the values of an item that its deltas should contain."""
    kept = [
        item.get("type"),
        *((key, item[key]) for key in ("name", "call_id", "arguments", "input", "code") if item.get(key)),
    ]
    parts = [
        (key, part.get("text") or part.get("refusal")) for key in ("content", "summary") for part in item.get(key) or ()
    ]
    return kept + [part for part in parts if part[1]]


def items(result: reducer.Result[Any]) -> list[Any]:
    """Return these values of all items."""
    return [values_of_deltas(item) for item in (result.to_dict() or {}).get("output") or ()]


def items_of_deltas(events: list[Any]) -> list[Any]:
    """Return the same values, built from added events and deltas alone:

    items by ``output_index``, every text joined.
    """
    found: dict[int, dict[str, Any]] = {}
    unknown: dict[int, list[Any]] = {}  # types of deltas that are in no table
    for event in events:
        if not isinstance(event, dict):
            continue
        kind, place = event.get("type") or "", event.get("output_index") or 0
        delta = event.get("delta") if kind.endswith(".delta") else None
        if kind == "response.output_item.added":
            found[place] = copy.deepcopy(event.get("item") or {})
        elif isinstance(delta, str):
            target, key = found.setdefault(place, {}), TEXTS.get(kind)
            if kind in PARTS:
                name, index, key = PARTS[kind]
                at = event.get(index) or 0
                parts = target[name] = target.get(name) or []
                parts += [{} for _ in range(at + 1 - len(parts))]
                target = parts[at]
            if key is None:
                unknown.setdefault(place, []).append(kind)
            else:
                target[key] = (target.get(key) or "") + delta
    return [values_of_deltas(found[place]) + unknown.get(place, []) for place in sorted(found)]


def stripped(events: list[Any]) -> list[Any]:
    """Return the events without the terminal event and the done events."""
    kinds = [event.get("type") or "" if isinstance(event, dict) else "" for event in events]
    return [
        event for event, kind in zip(events, kinds, strict=True) if kind not in TERMINAL and not kind.endswith(".done")
    ]


def check(data: bytes) -> Outcome:
    """Reduce a stream without its done events, and compare the result with that of the whole stream."""
    left = stripped(events_of(data))
    wire = framed(left)
    result = reducer.reduce(wire)
    outcome = compare(items(result), items(reducer.reduce(data)), items_of_deltas(left))
    if result != reducer.reduce(wire[at : at + 1] for at in range(len(wire))):
        outcome.wrong.append("the result depends on how the bytes are split")
    return outcome


def compare(ours: list[Any], whole: list[Any], said: list[Any]) -> Outcome:
    """Compare the items of a stripped stream with those of the whole stream, and with those of the deltas alone."""
    outcome = Outcome([], [])
    for place, (our, other, literal) in enumerate(zip_longest(ours, whole, said)):
        if our != other:
            kind = outcome.incomplete if our == literal else outcome.wrong
            kind.append(f"item {place}: {our!r:.300}, of the whole stream {other!r:.300}")
    return outcome


def streams(folder: Path) -> list[Path]:
    """Return the paths of the Responses streams of a corpus."""
    return [
        folder / row["path"] for row in rows(folder) if NAMES.get(row["dialect"], row["dialect"]) == "openai.responses"
    ]


def main(argv: list[str] | None = None) -> int:
    """Run from the command line. Return 1 if an item is wrong."""
    arguments = sys.argv[1:] if argv is None else argv
    paths = streams(Path(arguments[0]))
    outcomes = [check(path.read_bytes()) for path in paths]
    for path, outcome in zip(paths, outcomes, strict=True):
        for word, lines in (("wrong", outcome.wrong), ("incomplete", outcome.incomplete)):
            for line in lines:
                print(f"{path.relative_to(arguments[0])}: {word}: {line}")
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    incomplete = sum(bool(outcome.incomplete) and not outcome.wrong for outcome in outcomes)
    same = len(paths) - wrong - incomplete
    print(f"{len(paths)} streams: {same} equal, {incomplete} with incomplete deltas, {wrong} wrong")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
