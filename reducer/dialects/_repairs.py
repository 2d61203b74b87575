"""Repairs that guess, and the evidence for them (semantics, decision 11).

A repair is off unless the caller names it. Where it is on and changes something, ``repaired`` says so; where it
is off and the evidence is strong, ``repairable`` names it.
"""

from __future__ import annotations

from typing import Any

from reducer.dialects._fragments import Fragments
from reducer.saving import Saved

# Shorter deltas repeat their predecessors by chance.
_MIN_SNAPSHOT = 16


class Watch(Saved):
    """Tells text that arrives whole each time from text that arrives in pieces (C1, T18)."""

    __slots__ = ("_last", "_on", "_size", "hits")

    def __init__(self, on: bool) -> None:
        self._on = on
        self._last: str | None = None
        self._size = 0
        self.hits = 0

    def replaces(self, piece: str, before: Fragments) -> bool:
        """Whether this piece is the whole text so far, and more, and takes its place."""
        if not self._on:
            if self._last is not None and len(piece) >= _MIN_SNAPSHOT and piece.startswith(self._last):
                self.hits += len(piece) > len(self._last)
            self._last = piece
            return False
        size = self._size
        if size and len(piece) >= max(_MIN_SNAPSHOT, size) and piece.startswith(str(before)):
            self._size = len(piece)
            self.hits += 1
            return True
        self._size = size + len(piece)
        return False

    def goes_on(self, piece: str) -> bool:
        """Whether it is still worth watching: without the repair one piece that does not fit ends it."""
        if self._on or self._last is None:
            return True
        return len(piece) >= _MIN_SNAPSHOT and piece.startswith(self._last)

    def verdict(self, where: str) -> tuple[str, Any, str] | None:
        """What to report at the end."""
        if self._on:
            return ("repaired", {where: self.hits}, "cumulative") if self.hits else None
        return (
            ("repairable", {where: self.hits}, "joined as it came; the repair is cumulative") if self.hits > 1 else None
        )


def merge_usage(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """Merge usage field by field; 0 never replaces more than 0 (C27)."""
    merged = dict(old)
    for key, value in new.items():
        before = merged.get(key)
        if type(value) is dict and type(before) is dict:
            merged[key] = merge_usage(before, value)
        elif value is not None and not (value == 0 and before):
            merged[key] = value
    return merged


def loses_usage(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a count that was more than 0 is gone from the later usage."""
    return any(type(value) is int and value > 0 and not new.get(key) for key, value in old.items())
