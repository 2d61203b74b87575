"""Responses streams without their terminal and ``*.done`` events: do the deltas alone give the same items?

``python -m tests.stripped DIR`` takes a folder as `tests.corpus` does, and names every stream whose items differ in
type, text, arguments, names or call ids. An item may differ rightly in one case: where the events that are left do
not say what the done events say. They are then read literally (`spoken`), and the item must be exactly that. Whole
or byte by byte is the same anyway. `tests/test_stripped.py` is the same as a test.
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
# Which text of an item a delta adds to: a key, or a key of a part in a list at an index.
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
    """What a stripped stream gave."""

    wrong: list[str]  # items that are neither those of the whole stream nor what is left says
    unsaid: list[str]  # items that differ, as what is left does not say what was said whole


def told(item: dict[str, Any]) -> list[Any]:
    """What of an item its deltas should tell."""
    kept = [
        item.get("type"),
        *((key, item[key]) for key in ("name", "call_id", "arguments", "input", "code") if item.get(key)),
    ]
    parts = [
        (key, part.get("text") or part.get("refusal")) for key in ("content", "summary") for part in item.get(key) or ()
    ]
    return kept + [part for part in parts if part[1]]


def items(result: reducer.Result[Any]) -> list[Any]:
    """What of all items."""
    return [told(item) for item in (result.to_dict() or {}).get("output") or ()]


def spoken(events: list[Any]) -> list[Any]:
    """The same, as added events and deltas say by the letter: by ``output_index``, and every text joined."""
    found: dict[int, dict[str, Any]] = {}
    unknown: dict[int, list[Any]] = {}  # deltas that no table knows: nobody can say what they add to
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
    return [told(found[place]) + unknown.get(place, []) for place in sorted(found)]


def stripped(events: list[Any]) -> list[Any]:
    """The events but the terminal one and those that say again what deltas said."""
    kinds = [event.get("type") or "" if isinstance(event, dict) else "" for event in events]
    return [
        event for event, kind in zip(events, kinds, strict=True) if kind not in TERMINAL and not kind.endswith(".done")
    ]


def check(data: bytes) -> Outcome:
    """Reduce a stream stripped, and compare it with the whole."""
    left = stripped(events_of(data))
    wire = framed(left)
    result = reducer.reduce(wire)
    outcome = compare(items(result), items(reducer.reduce(data)), spoken(left))
    if result != reducer.reduce(wire[at : at + 1] for at in range(len(wire))):
        outcome.wrong.append("the result depends on how the bytes are split")
    return outcome


def compare(ours: list[Any], whole: list[Any], said: list[Any]) -> Outcome:
    """Compare the items of a stripped stream with those of the whole, and with what is left by the letter."""
    outcome = Outcome([], [])
    for place, (our, other, literal) in enumerate(zip_longest(ours, whole, said)):
        if our != other:
            kind = outcome.unsaid if our == literal else outcome.wrong
            kind.append(f"item {place}: {our!r:.300}, of the whole stream {other!r:.300}")
    return outcome


def streams(folder: Path) -> list[Path]:
    """The Responses streams of a corpus."""
    return [
        folder / row["path"] for row in rows(folder) if NAMES.get(row["dialect"], row["dialect"]) == "openai.responses"
    ]


def main(argv: list[str] | None = None) -> int:
    """Strip every Responses stream of the folder; 1 if an item is wrong."""
    arguments = sys.argv[1:] if argv is None else argv
    paths = streams(Path(arguments[0]))
    outcomes = [check(path.read_bytes()) for path in paths]
    for path, outcome in zip(paths, outcomes, strict=True):
        for word, lines in (("wrong", outcome.wrong), ("unsaid", outcome.unsaid)):
            for line in lines:
                print(f"{path.relative_to(arguments[0])}: {word}: {line}")
    wrong = sum(bool(outcome.wrong) for outcome in outcomes)
    unsaid = sum(bool(outcome.unsaid) and not outcome.wrong for outcome in outcomes)
    same = len(paths) - wrong - unsaid
    print(f"{len(paths)} streams, {same} the same, {unsaid} that do not say all without, {wrong} wrong")
    return 1 if wrong or not paths else 0


if __name__ == "__main__":
    sys.exit(main())
