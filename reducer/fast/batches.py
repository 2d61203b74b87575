"""Merging consecutive plain events together: all that the decoder accepts, or none of them.

After the event path has merged an event, its dialect proposes the batch for the events that are likely to follow.
Payloads that no template takes are decoded by the batch's strict decoder, up to the first that it refuses; the dialect
says what the decoded events add, and a loop adds it. If the dialect refuses, nothing has changed, and the event path
goes on.

A refused batch has been decoded in vain, so batches begin small, grow while they are accepted, and pause after a
refusal. The worst streams, all of whose events decode and are refused, take about a third longer.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from reducer.decoding import FREE_VALUES
from reducer.dialects.contract import Batch
from reducer.errors import log
from reducer.fast.templates import Templates
from reducer.frames import Frames
from reducer.framing import DONE
from reducer.response import Response
from reducer.responses import Responses
from reducer.result import Limits

_FIRST_SIZE = 32  # events decoded together at first, and after a refusal
_MAX_SIZE = 256  # events decoded together at most
_MAX_PAUSE = 32  # events left to the event path after the refused one, at most
MAX_DEPTH = 12  # no batch adds a value that is nested deeper


class BatchPath:
    """Decides, before each event, whether it and those after it are merged together."""

    def __init__(self, limits: Limits) -> None:
        self._is_allowed = limits.max_depth >= MAX_DEPTH  # otherwise an event of a batch might exceed the limit
        self._response: Response | None = None  # the response of the last event
        self._event: Any = None  # the last event that was merged
        self._batch: Batch | None = None  # the batch proposed for the next one
        self._refused: Batch | None = None  # the batch whose last attempt was cut short; None once one is tried again
        self._size = _FIRST_SIZE
        self._pause = 1  # events to leave to the event path after the next refused one
        self._skip = 0  # events still to leave to it
        self._place = 0  # of the first frame that is not merged
        self._templates = Templates()

    def merge(self, responses: Responses, frames: Frames, place: int) -> int:
        """Merge frames from a place on; return the place of the first one left to the event path."""
        response = responses.current
        if response.dialect is None or not self._is_allowed or frames.has_error():
            return place
        self._place = place
        try:
            self._merge(responses, response, frames.payloads)
        except Exception as failure:  # a defect: what was added before it stays, and no batch is tried again
            log("error", "internal error in a batch: %s", type(failure).__name__)
            self._is_allowed = False
        return self._place

    def _merge(self, responses: Responses, response: Response, payloads: list[bytes]) -> None:
        batch = self._propose(response, responses.last_event)
        if batch is None:
            return
        if self._skip and batch is self._refused:
            self._skip -= 1
            return
        self._refused = None
        end = len(payloads) - (payloads[-1] == DONE)
        while self._place < end and self._refused is None:
            count = self._templates.merge(batch, response.state, payloads, self._place)
            if count:
                responses.last_event = self._event = batch.decode(payloads[self._place + count - 1])
            else:
                count = self._merge_decoded(batch, responses, payloads, self._place)
            self._place += count

    def _propose(self, response: Response, event: Any) -> Batch | None:
        """Return the batch to try next: the one for events like the last one, otherwise the one before.

        The dialect is asked after each event of the event path.
        """
        if response is not self._response:
            self._response = response
            self._batch = None
        if event is not self._event and event is not None:
            self._event = event
            propose = response.dialect.propose_batch  # type: ignore[union-attr]  # `merge` has checked it
            self._batch = (propose(response.state, event) if propose is not None else None) or self._batch
        return self._batch

    def _merge_decoded(self, batch: Batch, responses: Responses, payloads: list[bytes], place: int) -> int:
        """Decode and merge up to a batch of events; return how many were merged."""
        asked = payloads[place : place + self._size]
        if max(map(len, asked)) > FREE_VALUES:  # the event path counts the values
            self._refuse(batch, 0)
            return 0
        events: list[Any] = []
        with suppress(ValueError, RecursionError):  # `events` keeps what was decoded before the failure
            events.extend(map(batch.decode, asked))
        additions = batch.additions(responses.current.state, events) if events else None
        if additions is None:
            self._refuse(batch, self._pause)
            self._pause = min(2 * self._pause, _MAX_PAUSE)
            return 0
        for _, add, value in additions:
            add(value)
        responses.last_event = self._event = events[-1]
        self._pause = 1
        if len(events) < len(asked):
            self._refuse(batch, 0)  # no pause: one event goes to the event path
        elif len(events) == self._size:
            self._size = min(4 * self._size, _MAX_SIZE)
        return len(events)

    def _refuse(self, batch: Batch, skip: int) -> None:
        self._refused = batch
        self._skip = skip
        self._size = _FIRST_SIZE
