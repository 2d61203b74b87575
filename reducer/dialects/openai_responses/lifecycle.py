"""Handlers of the events that begin a response or an item, or bring an item whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reducer.dialects.contract import ANOTHER_RESPONSE, Event, check_growth
from reducer.dialects.openai_responses.events import DECLARED, FIELDS, NOT_OF_RESPONSE
from reducer.dialects.openai_responses.items import ADDED, ITEM_DONE, Slot
from reducer.dialects.openai_responses.state import ResponsesState
from reducer.dialects.rules import checked_fields
from reducer.dialects.views import record

# -- the response --------------------------------------------------------------------------------


def on_created(state: ResponsesState, event: Event) -> object:
    """``response.created``: with an id of its own it begins another response (decision 12)."""
    ident = record(event.get("response")).get("id")
    if state.id is not None and ident and ident != state.id:
        return ANOTHER_RESPONSE
    on_envelope(state, event)
    return None


def on_envelope(state: ResponsesState, event: Event) -> None:
    """``response.created``, ``queued``, ``in_progress``: overlay the envelope; items in it replace the slots (R21)."""
    state.begun = True
    envelope = event.get("response")
    if envelope is None:
        return
    output = envelope.get("output")
    if type(output) is list:
        check_growth(state, "items", 0, len(output))
    state.overlay(envelope)
    if type(output) is list and output:
        state.clear_slots()
        for index, item in enumerate(output):
            if type(item) is dict:
                _add_item(state, item, index)


def with_response(state: ResponsesState, event: Event, *, is_terminal: bool) -> Event:
    """Return an envelope's event with the response that it lacks: its own keys are a response's, some or all (R13)."""
    is_whole = event.get("object") == "response"
    is_flat = is_terminal or is_whole
    if not is_flat or event.get("response") is not None:
        event = checked_fields(FIELDS, event, state.report)
    if not is_flat or event.get("response") is not None:
        return event
    response = {
        key: value
        for key, value in event.items()
        if key not in NOT_OF_RESPONSE and (is_whole or value is not None or key not in DECLARED)
    }
    chosen = "the event's own keys over those" if response else "the newest envelope and the items that came"
    state.report("terminal_without_response", event["type"], chosen)
    if response and state.envelope is None:
        response = {"object": "response", **response}
    return {"type": event["type"], "response": response or None}


# -- items ---------------------------------------------------------------------------------------


def on_item_added(state: ResponsesState, event: Event) -> None:
    """``output_item.added``; a null item keeps the place (R10)."""
    state.begun = True
    index = event.get("output_index")
    item = event.get("item")
    if item is not None:
        _add_item(state, item, index)
    elif index is not None and index not in state.by_index:
        state.open_slot(index)


def _add_item(state: ResponsesState, item: dict[str, Any], index: int | None) -> None:
    slot = state.by_id.get(id_of(item) or "")
    if slot is None and index is not None:
        slot = state.by_index.get(index)
        if slot is not None and not _is_same_item(slot, item):
            slot = None
    _put_item(state, slot, item, index, ADDED)


def _put_item(state: ResponsesState, slot: Slot | None, item: dict[str, Any], index: int | None, stage: int) -> None:
    """Put an item into its slot; ``None``: into a new one."""
    if slot is None:
        if index in state.by_index:
            state.report("output_index_reused", {"output_index": index, "id": item.get("id")}, "a new item")
        slot = state.open_slot(index)
    slot.replace(state, item, stage)
    if ident := id_of(item):
        state.name(slot, ident)
    elif type(call_id := item.get("call_id")) is str and call_id and call_id not in state.by_id:
        state.name(slot, call_id)  # R33: the item's later events may name the call


def _is_same_item(slot: Slot, item: dict[str, Any]) -> bool:
    """Whether an item with an unknown id is added again at its index, rather than another one beside it (R9)."""
    if not slot.item:
        return True
    if slot.type != item.get("type"):
        return False
    if slot.is_guessed and id_of(slot.item) is None:
        return True
    call_id = slot.item.get("call_id")
    is_same_call = type(call_id) is str and bool(call_id) and call_id == item.get("call_id")
    return is_same_call or (id_of(item) is None and not slot.is_done)


def on_item_done(state: ResponsesState, event: Event) -> None:
    """``output_item.done``: the item whole; if it was never added, the event makes it."""
    state.begun = True
    item = event.get("item")
    if item is None:
        return
    index = event.get("output_index")
    slot = state.by_id.get(id_of(item) or "")
    if slot is None:
        slot = next((slot for slot in _candidates(state, item, index) if _may_be_done_by(slot, item)), None)
    _put_item(state, slot, item, index, ITEM_DONE)


def _candidates(state: ResponsesState, item: dict[str, Any], index: int | None) -> Iterable[Slot]:
    """Return the slots that a done item with an unknown id may finish, the best first (R6)."""
    if index is not None:
        last = state.by_index.get(index)
        return () if last is None else (slot for slot in (last, *state.newest()) if slot.index == index)
    same = [slot for slot in state.slots if slot.type == item.get("type")]
    call_id = item.get("call_id")
    if type(call_id) is not str or not call_id:
        return same
    same = [slot for slot in same if slot.item.get("call_id") in (call_id, None)]
    return sorted(same, key=lambda slot: slot.item.get("call_id") is None)


def _may_be_done_by(slot: Slot, item: dict[str, Any]) -> bool:
    return not slot.is_done and slot.type in (None, item.get("type"))


def id_of(item: dict[str, Any]) -> str | None:
    """Return an item's id if it has one that can be looked up."""
    ident = item.get("id")
    return ident if type(ident) is str and ident else None
