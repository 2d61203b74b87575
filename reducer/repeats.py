"""The repair ``duplicate_chunks``: events that a retrying proxy sends twice are dropped (C45).

Two kinds of evidence count. An event with a ``sequence_number`` that its response has had already is a
duplicate. And a run of events that repeats byte for byte, from the first that names a role, is a replay; it is
held back until it has caught up with what came before, and given back whole if it does not repeat after all.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.framing import Frame
from reducer.saving import Saved


class Repeats(Saved):
    """Drops the duplicates among frames."""

    __slots__ = ("_held", "_numbers", "_place", "_response", "_seen", "dropped")

    def __init__(self) -> None:
        self.dropped = 0
        self._numbers: set[int] = set()  # sequence numbers of this response
        self._response: Any = None
        self._seen: list[bytes] = []  # payloads since the first that names a role
        self._place = -1  # where in `_seen` the replay stands
        self._held: list[Frame] = []

    def filter(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames that are no duplicates, as far as that is known."""
        kept: list[Frame] = []
        for frame in frames:
            number = self._sequence_number(frame[0])
            if number is not None:
                if number in self._numbers:
                    self.dropped += 1
                else:
                    self._numbers.add(number)
                    kept.append(frame)
            else:
                self._follow(frame, kept)
        return kept

    def flush(self) -> list[Frame]:
        """Return what was held back without repeating enough to be a replay."""
        held = self._held
        self._held = []
        if len(held) > 1:
            self.dropped += len(held)
            return []
        return held

    def _sequence_number(self, payload: bytes) -> int | None:
        if b'"sequence_number"' not in payload:
            return None
        try:
            event = msgspec.json.decode(payload)
        except (ValueError, RecursionError):
            return None
        if type(event) is not dict:
            return None
        response = event.get("response")
        if event.get("type") == "response.created" and type(response) is dict and response.get("id") != self._response:
            self._response = response.get("id")
            self._numbers = set()
        number = event.get("sequence_number")
        return number if type(number) is int else None

    def _follow(self, frame: Frame, kept: list[Frame]) -> None:
        payload = frame[0]
        seen = self._seen
        if self._held:
            if self._place < len(seen) and payload == seen[self._place]:
                self._place += 1
                self._held.append(frame)
                return
            held = self._held
            self._held = []
            if self._place == len(seen) and len(held) > 1:
                self.dropped += len(held)
            else:
                kept.extend(held)
                seen.extend(other[0] for other in held)
        if seen and payload == seen[0]:
            self._place = 1
            self._held = [frame]
            return
        if seen or b'"role"' in payload:
            seen.append(payload)
        kept.append(frame)
