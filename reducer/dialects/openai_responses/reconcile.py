"""The terminal events and everything after them: which items the body has, and who wins.

The terminal event brings the response whole. Its items replace those in the slots, one by one (`Slot.replace`);
`match_items` says which item belongs to which slot. Slots that were done and are missing there are kept if the terminal
event has fewer items than there are slots that were done or that it matches (R4); the others are left out. Both are
reported. If the terminal event has no items, the slots are the output.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from reducer.dialects.contract import ANOTHER_RESPONSE, Event, compare_bodies, report_nothing
from reducer.dialects.errors import normalise
from reducer.dialects.openai_responses.events import DECLARED, NOT_OF_RESPONSE
from reducer.dialects.openai_responses.items import TERMINAL, Slot
from reducer.dialects.openai_responses.lifecycle import id_of, on_envelope
from reducer.dialects.openai_responses.state import ResponsesState, build, is_polled, report_repairs
from reducer.dialects.views import record, string
from reducer.result import ProviderError

# -- terminal events -----------------------------------------------------------------------------

_CUT = frozenset({"failed", "incomplete", "cancelled"})  # the status of a response that ended before it was whole
_CUT_EVENTS = frozenset(f"response.{status}" for status in _CUT)


def merge_terminal(state: ResponsesState, event: Event) -> None:
    """Merge the response that a terminal event brings whole."""
    state.begun = True
    state.done = True
    kind = event["type"]
    envelope = event.get("response")
    if envelope is None:
        envelope = {}  # the newest envelope stays as it is, its status too
    else:
        state.overlay(envelope)
        others = event.keys() - DECLARED - NOT_OF_RESPONSE
        state.terminal_fields = {key: value for key, value in event.items() if key in others}
    _take_failure(state, kind, envelope)
    state.closes_calls = kind not in _CUT_EVENTS and string(envelope.get("status")) not in _CUT
    report_repairs(state, state.report)
    output = envelope.get("output")
    state.output = _reconcile(state, output if type(output) is list else [])
    state.clear_slots()


def _take_failure(state: ResponsesState, kind: str, envelope: dict[str, Any]) -> None:
    """Keep the error of a response that failed; ``response.done`` (Realtime) says so by its status (R34)."""
    error = envelope.get("error")
    if kind == "response.done":
        if envelope.get("status") != "failed":
            return
        error = error or record(envelope.get("status_details")).get("error")
    if kind in ("response.done", "response.failed") and state.error is None:
        state.error = normalise(error, error) if error else ProviderError()


# -- items ---------------------------------------------------------------------------------------


def _reconcile(state: ResponsesState, output: list[Any]) -> list[Any]:
    """Return the output: slots after the terminal items have replaced theirs, and items without a slot."""
    slots = state.in_order()
    if not output:
        return [slot for slot in slots if slot.item]
    matches = match_items(state, output, slots)
    entries: list[tuple[int, Any]] = []  # each with its index
    for place, item in enumerate(output):
        slot = matches.get(place)
        if slot is None:
            entries.append((place, item))
        else:
            slot.replace(state, item, TERMINAL)
            entries.append((place if slot.index is None else slot.index, slot))
    matched = set(map(id, matches.values()))
    done = [slot for slot in slots if slot.is_done]  # those that matched, too
    for slot in slots:
        if id(slot) in matched or not (slot.is_done or (slot.item and slot.has_content())):
            continue
        if slot.is_done and len(output) < len(done):
            state.report("item_missing", slot.item.get("id"), "kept: the terminal event lacks it")
            _insert(entries, slot)
        else:
            state.report("item_missing", slot.item.get("id"), "left out: the terminal event lacks it")
    return [entry for _, entry in entries]


def _insert(entries: list[tuple[int, Any]], slot: Slot) -> None:
    """Insert a slot by its index."""
    index = slot.index if slot.index is not None else len(entries)
    place = next((place for place, (other, _) in enumerate(entries) if other > index), len(entries))
    entries.insert(place, (index, slot))


def match_items(state: ResponsesState, output: list[Any], slots: list[Slot]) -> dict[int, Slot]:
    """Match terminal items to slots: by id, else by type and call id, else the first free slot of the type.

    Returns the slot of each matched place in the output.
    """
    calls = {(string(slot.type), call_id): slot for slot in slots if (call_id := _call_id(slot.item))}
    free = {id(slot): slot for slot in slots}
    matches: dict[int, Slot] = {}
    by_preference: list[Callable[[Event], Slot | None]] = [
        lambda item: state.by_id.get(id_of(item) or ""),
        lambda item: calls.get((string(item.get("type")), _call_id(item) or "")),
        _finder(slots, free),
    ]
    for find in by_preference:
        for place, item in enumerate(output):
            slot = find(item) if type(item) is dict and place not in matches else None
            if slot is not None and free.pop(id(slot), None) is not None:
                matches[place] = slot
    return matches


def _call_id(item: dict[str, Any]) -> str | None:
    return string(item.get("call_id")) or None


def _finder(slots: list[Slot], free: dict[int, Slot]) -> Callable[[Event], Slot | None]:
    """Return a function that finds the first free slot of an item's type, unless it is another call's."""
    places = {id(slot): place for place, slot in enumerate(slots)}
    queues: dict[tuple[str | None, str | None], deque[Slot]] = {}  # by type and call id; None: all of the type
    for slot in slots:
        for call_id in (None, _call_id(slot.item) or ""):
            queues.setdefault((string(slot.type), call_id), deque()).append(slot)

    def first(kind: str | None, call_id: str | None) -> Slot | None:
        queue = queues.get((kind, call_id), ())
        while queue and id(queue[0]) not in free:
            queue.popleft()
        return queue[0] if queue else None

    def find(item: Event) -> Slot | None:
        call_id = _call_id(item)
        found = [first(string(item.get("type")), name) for name in ((call_id, "") if call_id else (None,))]
        return min(filter(None, found), key=lambda slot: places[id(slot)], default=None)

    return find


# -- after the terminal event --------------------------------------------------------------------


def on_late(state: ResponsesState, event: Event) -> None:
    """Any other event after the terminal one: only errors count then, and the core has looked for those."""
    state.report("late_event", event["type"], "ignored: the response is over")


def on_late_failure(state: ResponsesState, event: Event) -> None:
    """``response.failed`` or ``response.done`` after the terminal event: an error counts."""
    envelope = record(event.get("response"))
    has_failed = envelope.get("status") == "failed" if event["type"] == "response.done" else envelope.get("error")
    if has_failed:
        _take_failure(state, event["type"], envelope)
    else:
        on_late(state, event)


def on_late_created(state: ResponsesState, event: Event) -> object:
    """``response.created`` after the terminal event: another response, unless it is a replay."""
    ident = record(event.get("response")).get("id")
    return ANOTHER_RESPONSE if ident and ident != state.id else None


# -- bodies sent whole ---------------------------------------------------------------------------


def on_body(state: ResponsesState, body: Event) -> object:
    """Handle a whole body after something else: that of another response, or of this one.

    A response that is polled comes several times, and the last body says most.
    """
    if state.whole is not None and is_polled(state.whole) and body.get("id") == state.id:
        state.whole = body
        return None
    return compare_bodies(state, body, state.whole or build(state, report_nothing))


def continue_polled(state: ResponsesState) -> None:
    """Make a polled body the newest envelope, because an event follows it."""
    on_envelope(state, {"type": "response.in_progress", "response": state.whole})
    state.whole = None
