"""The repair ``duplicate_chunks``: drop events that a retrying proxy sends twice (C45).

There are two kinds of evidence that an event is a duplicate:

1. Its response has had an event with the same ``sequence_number``.
2. It is part of a replay. A replay is a run of payloads that repeats earlier payloads byte for byte. It begins with the
   stream's first payload, or with the first payload that names a role.

A payload that equals one of those two begins a run. The frames of a run are held while each of them equals the earlier
payload in the same place. A run that ends is a replay if it has repeated the payload that names a role and if one of
these is true: it has repeated all earlier payloads; another run begins; the stream ends. The frames of a replay are
dropped. All other held frames are released unchanged.

A repeated role is evidence only if the server names the role once. Some servers name the role in every chunk. If a
model then writes the same text twice, the two chunks are equal and are not duplicates. So no run begins before some
text has come without a role, and no run begins after a choice has been given a role for the second time outside a
replay.
Events that have a ``type`` name a role only when a message with an id begins, which happens once.

A dropped event leaves a frame with an empty payload, so that the numbers of later events do not change.
"""

from __future__ import annotations

import re
from typing import Any

from reducer.decoding import object_in
from reducer.frames import Frame
from reducer.saving import Saved

_ROLE = re.compile(rb'"role"\s*:\s*"[^"]')  # a role that is not empty
_OVERHEAD = 64  # bytes; about what a remembered payload or number costs beside its content


class Duplicates(Saved):
    """Drops the duplicates among frames.

    The memory for earlier payloads and sequence numbers is bounded: when ``budget`` bytes are used up, nothing more is
    remembered.
    """

    dropped: int  # events
    held: list[Frame]  # the frames of the current run; empty if there is none
    _place: int  # place in `_earlier` of the payload that would continue the run
    _earlier: list[bytes]  # the payloads that were kept, in order; empty once `_is_off`
    _first_role: int  # place in `_earlier` of the first payload that names a role; -1 if there is none
    _choices_with_role: set[int | None]  # indices
    _has_text_without_role: bool  # some choice has had text in a chunk that names no role
    _is_off: bool  # no run begins any more: a repeat is no evidence, or the budget is used up
    _numbers: set[int]  # sequence numbers of the current response
    _response_id: Any  # of the last ``response.created``
    _budget: int  # bytes that may still be remembered

    def __init__(self, budget: int) -> None:
        self.dropped = 0
        self.held = []
        self._place = 0
        self._earlier = []
        self._first_role = -1
        self._choices_with_role = set()
        self._has_text_without_role = False
        self._is_off = False
        self._numbers = set()
        self._response_id = None
        self._budget = budget

    def check(self) -> None:
        is_off, earlier = self._is_off, self._earlier
        if self._place < 0 or (self._has_text_without_role if is_off else not -1 <= self._first_role < len(earlier)):
            raise ValueError("the repair duplicate_chunks has a place that is not there")

    def filter(self, frames: list[Frame]) -> list[Frame]:
        """Return the frames that are decided, in order. The payloads of duplicates are empty.

        Frames of an undecided run stay in `held`; a later call, or `flush`, returns them first.
        """
        kept: list[Frame] = []
        for frame in frames:
            number = self._find_sequence_number(frame[0])
            if number is None:
                self._follow(frame, kept)
                continue
            self._end_run(kept)
            if number in self._numbers:
                self._drop([frame], kept)
            else:
                if self._spend(0):
                    self._numbers.add(number)
                kept.append(frame)
        return kept

    def flush(self) -> list[Frame]:
        """Return the frames that are held when the stream ends."""
        kept: list[Frame] = []
        self._end_run(kept, is_interrupted=True)
        return kept

    def _find_sequence_number(self, payload: bytes) -> int | None:
        """Return the event's sequence number, if it has one. Forget all numbers if another response begins."""
        event = (object_in(payload) or {}) if b'"sequence_number"' in payload else {}
        response = event.get("response")
        if event.get("type") == "response.created" and type(response) is dict:
            if response.get("id") != self._response_id:
                self._response_id = response.get("id")
                self._numbers = set()
        number = event.get("sequence_number")
        return number if type(number) is int else None

    # -- runs ------------------------------------------------------------------------------------

    def _follow(self, frame: Frame, kept: list[Frame]) -> None:
        """Continue the run with this frame, begin a run with it, or keep it."""
        payload = frame[0]
        earlier = self._earlier
        if self.held and self._place < len(earlier) and payload == earlier[self._place]:
            self._place += 1
            self.held.append(frame)
            return
        begin = None
        if self._has_text_without_role and self._first_role >= 0:
            begin = next((place for place in (0, self._first_role) if payload == earlier[place]), None)
        self._end_run(kept, is_interrupted=begin is not None)
        if begin is None:
            self._keep(frame, kept)
        else:
            self._place = begin + 1
            self.held = [frame]

    def _end_run(self, kept: list[Frame], is_interrupted: bool = False) -> None:
        """End the current run: drop its frames if it is a replay, keep them otherwise.

        Args:
            kept: The frames that are decided; those of the run are added.
            is_interrupted: Whether the run ends because another run begins, or with the stream.
        """
        held = self.held
        self.held = []
        has_role = self._place > self._first_role
        if held and has_role and (is_interrupted or self._place == len(self._earlier)):
            self._drop(held, kept)
        else:
            for frame in held:
                self._keep(frame, kept)

    def _drop(self, frames: list[Frame], kept: list[Frame]) -> None:
        self.dropped += len(frames)
        kept.extend((b"", name, offset) for _, name, offset in frames)

    def _keep(self, frame: Frame, kept: list[Frame]) -> None:
        kept.append(frame)
        if not self._is_off:
            self._note_roles(frame[0])
            self._earlier.append(frame[0])
        if self._is_off or not self._spend(len(frame[0])):
            self._is_off = True
            self._has_text_without_role = False
            self._earlier = []

    def _spend(self, size: int) -> bool:
        """Take from the budget what remembering so many bytes costs; return whether the budget was enough."""
        self._budget -= size + _OVERHEAD
        return self._budget >= 0

    # -- roles -----------------------------------------------------------------------------------

    def _note_roles(self, payload: bytes) -> None:
        """Note which choices get a role from this payload, and whether a choice gets text without one."""
        has_role = _ROLE.search(payload) is not None
        if has_role and self._first_role < 0:
            self._first_role = len(self._earlier)
        if not has_role and (self._has_text_without_role or self._first_role < 0):
            return  # nothing here could change anything, so the payload is not decoded
        event = object_in(payload) or {}
        choices = event.get("choices")
        if has_role and choices is None and "type" in event:
            self._has_text_without_role = True
        for choice in choices if type(choices) is list else ():
            delta = choice.get("delta") if type(choice) is dict else None
            if type(delta) is not dict:
                continue
            if delta.get("role"):
                index = choice.get("index")
                index = index if type(index) is int else None
                self._is_off = self._is_off or index in self._choices_with_role
                self._choices_with_role.add(index)
            elif any(delta.values()):
                self._has_text_without_role = True
