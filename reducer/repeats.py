"""The repair ``duplicate_chunks``: events that a retrying proxy sends twice are dropped (C45).

Two kinds of evidence count. An event with a ``sequence_number`` that its response has had already is a
duplicate. And a run of events that repeats byte for byte, from the stream's first or from the first that names a
role, is a replay; it is held back until it has caught up with what came before, begins once more or ends with the
stream, and is given back whole if it goes on otherwise.

That a role is named again is evidence only where it is named once. Some servers name it in every chunk, and then the
same words said twice are the same chunks twice. So a run is followed only if text has come without a role, and never
again once a choice is given a role for the second time. Events that have a type name a role where something with an
id begins, which happens once.

What is dropped leaves an empty payload in its place, so that events keep their numbers.
"""

from __future__ import annotations

import re
from typing import Any

from reducer.decoding import object_in
from reducer.framing import Frame
from reducer.saving import Saved

_ROLE = re.compile(rb'"role"\s*:\s*"[^"]')
_OVERHEAD = 64  # bytes that it costs to remember anything


class Repeats(Saved):
    """Drops the duplicates among frames. What it remembers for that is bounded: past ``room`` bytes it gives up."""

    __slots__ = (
        "_named", "_numbers", "_once", "_over", "_place", "_response", "_role", "_room", "_seen", "dropped", "held",
    )  # fmt: skip

    def __init__(self, room: int) -> None:
        self.dropped = 0
        self.held: list[Frame] = []  # a run that may be a replay
        self._room = room
        self._numbers: set[int] = set()  # sequence numbers of this response
        self._response: Any = None
        self._seen: list[bytes] = []  # payloads that were no duplicates
        self._role = -1  # the place of the first that names a role
        self._place = 0  # where in `_seen` the run stands
        self._named: set[int | None] = set()  # choices that have a role
        self._once = False  # text has come without a role
        self._over = False  # a repeat would be no evidence any more

    def filter(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames, those that are duplicates empty, as far as it is known which are."""
        kept: list[Frame] = []
        for frame in frames:
            number = self._sequence_number(frame[0])
            if number is None:
                self._follow(frame, kept)
                continue
            self._release(kept)
            if number in self._numbers:
                self._drop([frame], kept)
            else:
                if self._has_room(0):
                    self._numbers.add(number)
                kept.append(frame)
        return kept

    def flush(self) -> list[Frame]:
        """Return what is held at the end of the stream: a replay that was cut."""
        kept: list[Frame] = []
        self._release(kept, cut=True)
        return kept

    def _sequence_number(self, payload: bytes) -> int | None:
        event = (object_in(payload) or {}) if b'"sequence_number"' in payload else {}
        response = event.get("response")
        if event.get("type") == "response.created" and type(response) is dict and response.get("id") != self._response:
            self._response = response.get("id")
            self._numbers = set()
        number = event.get("sequence_number")
        return number if type(number) is int else None

    def _follow(self, frame: Frame, kept: list[Frame]) -> None:
        payload = frame[0]
        seen = self._seen
        if self.held and self._place < len(seen) and payload == seen[self._place]:
            self._place += 1
            self.held.append(frame)
            return
        begins = None
        if self._once and self._role >= 0:
            begins = next((place for place in (0, self._role) if payload == seen[place]), None)
        self._release(kept, cut=begins is not None)
        if begins is None:
            self._take(frame, kept)
        else:
            self._place = begins + 1
            self.held = [frame]

    def _release(self, kept: list[Frame], cut: bool = False) -> None:
        """End the run that is held: one with a role that has caught up, or was cut, is a replay."""
        held = self.held
        self.held = []
        if held and self._place > self._role and (cut or self._place == len(self._seen)):
            self._drop(held, kept)
        else:
            for frame in held:
                self._take(frame, kept)

    def _drop(self, frames: list[Frame], kept: list[Frame]) -> None:
        self.dropped += len(frames)
        kept.extend((b"", name, offset) for _, name, offset in frames)

    def _take(self, frame: Frame, kept: list[Frame]) -> None:
        kept.append(frame)
        if not self._over:
            self._learn(frame[0])
            self._seen.append(frame[0])
        if self._over or not self._has_room(len(frame[0])):
            self._over = True
            self._once = False
            self._seen = []

    def _learn(self, payload: bytes) -> None:
        """Note who names a role, and whether anybody speaks without."""
        named = _ROLE.search(payload) is not None
        if named and self._role < 0:
            self._role = len(self._seen)
        if not named and (self._once or self._role < 0):
            return
        event = object_in(payload) or {}
        choices = event.get("choices")
        if named and choices is None and "type" in event:
            self._once = True
        for choice in choices if type(choices) is list else ():
            delta = choice.get("delta") if type(choice) is dict else None
            if type(delta) is dict and delta.get("role"):
                index = choice.get("index")
                index = index if type(index) is int else None
                self._over = self._over or index in self._named
                self._named.add(index)
            elif type(delta) is dict and any(delta.values()):
                self._once = True

    def _has_room(self, size: int) -> bool:
        self._room -= size + _OVERHEAD
        return self._room >= 0
