"""What no dialect declares: kept, and merged by the one generic rule (semantics, decision 5).

The last non-null value wins; dicts recurse. A list is a snapshot, so the last wins, unless ``add`` says
that it stands inside a delta: then it grows entry by entry, where a dict with an integer ``index`` merges
into the entry of that index, and any other is appended unless an equal one is there. Numbers are never
summed and unknown strings never joined.
"""

from __future__ import annotations

from typing import Any

from reducer.typed import copied


def merge(into: dict[str, Any], new: dict[str, Any], *, add: bool = False) -> None:
    """Merge one dict of unknown fields into what came before."""
    for key, value in new.items():
        if value is None:
            into.setdefault(key, None)
            continue
        old = into.get(key)
        kind = type(value)
        if kind is dict and type(old) is dict:
            merge(old, value, add=add)
        elif kind is list and add:
            if type(old) is not list:
                old = into[key] = []
            add_entries(old, value)
        else:
            into[key] = copied(value)


def is_settled(has: dict[str, Any], said: dict[str, Any]) -> bool:
    """Whether nothing is said, nulls aside, but what is there to the letter: `merge` would change nothing."""
    return all(value is None or repr(has.get(key)) == repr(value) for key, value in said.items())


def add_entries(into: list[Any], new: list[Any]) -> None:
    """Add the entries of a delta's list."""
    for entry in new:
        index = entry.get("index") if type(entry) is dict else None
        if type(index) is int:
            for old in into:
                if type(old) is dict and old.get("index") == index and type(old.get("index")) is int:
                    merge(old, entry, add=True)
                    break
            else:
                into.append(copied(entry))
        elif entry not in into:
            into.append(copied(entry))
