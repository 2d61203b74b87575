"""The state of a response: its envelope, its slots, and how an event finds the slot and the text that it is about."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from typing import Any

from reducer.decoding import Report, compact
from reducer.dialects.contract import Handlers, Options, State, check_growth
from reducer.dialects.openai_responses.events import INDEX_KEYS, KNOWN_ITEMS, Family
from reducer.dialects.openai_responses.items import Part, Slot, StagedText

_MAX_SEARCHED = 128  # slots: more would cost more than the event that asks
_IDS_PER_ITEM = 4  # Copilot names one item by another id in each event (R5)


class ResponsesState(State):
    """A response in the making."""

    id: str | None
    model: str | None
    envelope: dict[str, Any] | None  # the response without its output
    slots: list[Slot]  # in order of appearance
    by_id: dict[str, Slot]
    by_index: dict[int, Slot]  # the newest slot of each `output_index`
    # After the terminal event: the slots in order, and items that only the terminal event had. The other tables
    # of slots are empty then.
    output: list[Slot | Any] | None
    closes_calls: bool  # the terminal event says that the response is whole
    terminal_fields: dict[str, Any]  # keys of the terminal event beside its response
    numbers: tuple[int, int] | None  # the first and the last `sequence_number`
    # Whether numbers have only grown so far. With the repair, events whose number does not grow were dropped.
    counts_events: bool

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        super().__init__(options, report, handlers)
        self.id = None
        self.model = None
        self.envelope = None
        self.slots = []
        self.by_id = {}
        self.by_index = {}
        self.output = None
        self.closes_calls = False
        self.terminal_fields = {}
        self.numbers = None
        self.counts_events = "duplicate_chunks" not in options.repairs

    def see_number(self, event: dict[str, Any]) -> None:
        """Report, once, a `sequence_number` that has come before (C45), unless the numbers never grew (R20)."""
        number = event.get("sequence_number")
        if not self.counts_events or type(number) is not int:
            return
        first, last = self.numbers or (number, number - 1)
        if number > last:
            self.numbers = (first, number)
            return
        self.counts_events = False
        if last > first:
            self.report("repairable", {"sequence_number": [last, number]}, "merged; the repair is duplicate_chunks")

    def see_growing(self, ends: tuple[int, int]) -> None:
        """Take the first and the last of numbers that grow."""
        first, _ = self.numbers or ends
        self.numbers = (first, ends[1])

    # -- the envelope ----------------------------------------------------------------------------

    def overlay(self, envelope: dict[str, Any]) -> None:
        """Merge the envelope of an event: a key that is present replaces, even by null."""
        if self.envelope is None:
            self.envelope = {}
        self.envelope.update(envelope)
        self.envelope["output"] = []  # only its place: the slots have the items
        ident = envelope.get("id")
        if self.id is None and type(ident) is str and ident:
            self.id = ident
        model = envelope.get("model")
        if type(model) is str and model:
            if self.model is not None and model != self.model:
                self.report("model_differs", [self.model, model], model)
            self.model = model

    # -- slots -----------------------------------------------------------------------------------

    def open_slot(self, index: int | None) -> Slot:
        """Add a slot. Raises `LimitReached` if there are too many."""
        check_growth(self, "items", len(self.slots), 1)
        slot = Slot(index)
        self.slots.append(slot)
        if index is not None:
            self.by_index[index] = slot
        return slot

    def name(self, slot: Slot, ident: str) -> None:
        """Let later events find the slot by this id, unless there are too many ids."""
        if ident in self.by_id or len(self.by_id) < _IDS_PER_ITEM * self.options.limits.max_items:
            self.by_id[ident] = slot

    def clear_slots(self) -> None:
        self.slots = []
        self.by_id = {}
        self.by_index = {}

    def open_item(self, event: dict[str, Any], kind: str) -> Slot:
        """Return the slot that an event is about; make the slot, and an item of this kind, if missing (R11)."""
        self.begun = True
        ident = event.get("item_id")
        slot = self.find_slot(ident, event.get("output_index"), kind)
        if slot is None:
            slot = self.open_slot(event.get("output_index"))  # after the items of this index
        if not slot.item:
            slot.item = {"type": kind}
            slot.is_guessed = True
            if ident:
                slot.item["id"] = ident
            if kind == "message":
                slot.item["role"] = "assistant"
        if ident and ident not in self.by_id:
            self.name(slot, ident)
        return slot

    def find_slot(self, ident: str | None, index: int | None, kind: str) -> Slot | None:
        """Find a slot by a known item id, else by its index; without an index the newest of a kind that may fit.

        A known id decides whatever the type of the item (R32). An item of another kind at the index does not fit: then
        the newest item after it that fits is found.
        """
        slot = self.by_id.get(ident) if ident else None
        if slot is not None:
            return slot
        if index is not None:
            slot = self.by_index.get(index)
            return slot if slot is None or _fits(slot, kind) else self._find_from(index, kind)
        for slot in self.newest():
            # In llama.cpp only the deltas of a call have an id, and its item has none.
            if slot.type == kind and (not ident or not (slot.is_done or slot.item.get("id"))):
                return slot
        return None

    def _find_from(self, index: int, kind: str) -> Slot | None:
        """Find the newest slot of this index that fits a kind, else the newest after it."""
        fitting = [slot for slot in self.newest() if _fits(slot, kind)]
        same = next((slot for slot in fitting if slot.index == index), None)
        return same or next((slot for slot in fitting if slot.index is None or slot.index > index), None)

    def newest(self) -> Iterator[Slot]:
        """Yield the slots that an event without an index may be about, the newest first."""
        return islice(reversed(self.slots), _MAX_SEARCHED)

    def in_order(self) -> list[Slot]:
        """Return the slots by index, those without one last; of one index in order of appearance."""
        return sorted(self.slots, key=lambda slot: (slot.index is None, slot.index or 0))

    # -- texts -----------------------------------------------------------------------------------

    def open_text(
        self, event: dict[str, Any], family: Family, done: str | None = None
    ) -> tuple[Slot, Part | None, StagedText]:
        """Return the item, part (if it has parts) and text that a text event is about; make what is missing.

        ``done`` is the text of a done event.
        """
        slot = self.open_item(event, family.item)
        if family.parts is None:
            return slot, None, slot.open_text(self, family.field)
        index = event.get(INDEX_KEYS[family.parts])
        if index not in slot.parts.get(family.parts, ()):
            index = slot.continue_counted(family.parts, family.part, index, done)
        return slot, *slot.open_part(self, family, index)


def _fits(slot: Slot, kind: str) -> bool:
    """Whether events about items of a kind may be about this item."""
    return slot.type == kind or type(slot.type) is not str or slot.type not in KNOWN_ITEMS


# -- the body ------------------------------------------------------------------------------------


def build(state: ResponsesState, report: Report) -> dict[str, Any] | None:
    """Build the body so far; ``None`` if nothing but an error came."""
    report_repairs(state, report)
    body: dict[str, Any] = dict(state.envelope) if state.envelope is not None else {"object": "response"}
    body["output"] = [entry.build() if isinstance(entry, Slot) else entry for entry in output_of(state)]
    for key, value in state.terminal_fields.items():
        if body.get(key) is None:
            body[key] = value
    return body


def output_of(state: ResponsesState) -> list[Any]:
    """Return the output: slots, and items that only the terminal event had."""
    return state.output if state.output is not None else [slot for slot in state.in_order() if slot.item]


def report_repairs(state: ResponsesState, report: Report) -> None:
    """Report which texts a repair changed, or would have changed."""
    for slot in state.slots:
        for text in slot.all_texts():
            text.report_repair("delta", report)


def has_content(state: ResponsesState) -> bool:
    return bool(state.output) or any(slot.has_content() for slot in state.slots)


# -- calls ---------------------------------------------------------------------------------------

_CALL_TEXTS = {"function_call": "arguments", "custom_tool_call": "input"}


def is_polled(body: dict[str, Any]) -> bool:
    """Whether a body that came whole is that of a response that goes on: its owner asks again."""
    return body.get("status") in ("in_progress", "queued")


def incomplete_calls(state: ResponsesState) -> dict[tuple[int, int], str]:
    """Return the text so far of each call that the wire has not closed, by choice (always 0) and place in the output.

    A done event of the item or of its text closes a call, and so does a terminal event. One that says that the
    response failed or was cut closes only the items that the event has. A call whose item is ``incomplete`` is never
    closed.
    """
    if state.whole is not None:
        output = state.whole.get("output")
        entries: list[Any] = output if type(output) is list else []
    else:
        entries = output_of(state)
    return {
        (0, place): _call_text(entry)
        for place, entry in enumerate(entries)
        if _type_of(entry) in _CALL_TEXTS and not _is_closed(state, entry)
    }


def _is_closed(state: ResponsesState, entry: Any) -> bool:
    item = entry.item if isinstance(entry, Slot) else entry
    if item.get("status") == "incomplete":
        return False
    if isinstance(entry, Slot):
        return entry.is_done or entry.is_closed or state.closes_calls
    return state.whole is None or not is_polled(state.whole)


def _type_of(entry: Any) -> str:
    item = entry.item if isinstance(entry, Slot) else entry
    kind = item.get("type") if type(item) is dict else None
    return kind if type(kind) is str else ""


def _call_text(entry: Any) -> str:
    item = entry.build() if isinstance(entry, Slot) else entry
    text = item.get(_CALL_TEXTS[item["type"]])
    return text if type(text) is str else "" if text is None else compact(text)
