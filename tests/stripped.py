"""Responses streams without their terminal and ``*.done`` events: do the deltas alone give the same items?

``python -m tests.stripped DIR`` takes a folder as `tests.corpus` does, and names every stream whose items differ in
type, text, arguments, names or call ids, whole or byte by byte. A stream whose own deltas say less than its done
events, or something else, differs rightly.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import reducer
from tests.corpus import rows
from tests.mutations import events_of, framed

TERMINAL = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}


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


def main(argv: list[str] | None = None) -> int:
    """Strip every Responses stream of the folder; 1 if one differs."""
    arguments = sys.argv[1:] if argv is None else argv
    folder = Path(arguments[0])
    count = different = 0
    for row in rows(folder):
        if row["dialect"] != "responses":
            continue
        data = (folder / row["path"]).read_bytes()
        kinds = [(event, event.get("type", "") if isinstance(event, dict) else "") for event in events_of(data)]
        left = framed([event for event, kind in kinds if kind not in TERMINAL and not kind.endswith(".done")])
        whole, bytewise = reducer.reduce(left), reducer.reduce(left[at : at + 1] for at in range(len(left)))
        count += 1
        if whole != bytewise or items(whole) != items(reducer.reduce(data)):
            different += 1
            print(row["path"])
    print(f"{count} streams, {count - different} the same, {different} different")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
