"""The batches of Responses: text deltas, which are nearly all events of a long stream.

Deltas of different texts may follow each other, as parallel calls send them. Everything else in a stream comes a few
times for each item, compares several sources, and goes to the event path.
"""

from __future__ import annotations

from operator import lt
from typing import Annotated, Any, Literal

import msgspec

from reducer.dialects.contract import MAX_INDEX, Additions, Batch, Strict
from reducer.dialects.openai_responses.events import FAMILIES
from reducer.dialects.openai_responses.items import PART_DONE, Slot, StagedText
from reducer.dialects.openai_responses.state import ResponsesState

_FAMILY_OF_DELTA = {f"{name}.delta": family for name, family in FAMILIES.items()}


Index = Annotated[int, msgspec.Meta(le=MAX_INDEX)]


class Delta(Strict, kw_only=True):
    """A piece of a text, without log-probabilities."""

    type: Literal[tuple(_FAMILY_OF_DELTA)]  # type: ignore[valid-type]
    sequence_number: int | None = None
    item_id: str | None = None
    output_index: Index | None = None
    content_index: Index | None = None
    delta: str
    logprobs: tuple[()] | None = None
    obfuscation: str | None = None
    summary_index: Index | None = None


# -- what deltas add -----------------------------------------------------------------------------


def add_deltas(state: ResponsesState, deltas: list[Delta]) -> Additions | None:
    """Return the pieces that deltas add to texts; ``None`` if one of the texts is not open yet, or not any more."""
    if state.done or state.whole is not None:
        return None
    new_ids: dict[str, Slot] = {}
    pieces: dict[StagedText, list[str]] = {}
    for delta in deltas[:1] if _are_of_one_text(deltas) else deltas:
        text = _find_text(state, new_ids, delta)
        if text is None:
            return None
        pieces.setdefault(text, []).append(delta.delta)
    if len(pieces) == 1:
        pieces = {text: [delta.delta for delta in deltas] for text in pieces}
    additions: Additions = [("delta", text.extend, some) for text, some in pieces.items()]
    if state.counts_events:
        ends = _ends_of_growing(deltas)
        if ends is None or (ends and state.numbers and ends[0] <= state.numbers[1]):
            return None
        if ends:
            additions.append(("", state.see_growing, ends))
    if new_ids:
        additions.append(("", state.by_id.update, new_ids))
    return additions


def _ends_of_growing(deltas: list[Delta]) -> tuple[int, ...] | None:
    """Return the first and the last `sequence_number`, or nothing without any; ``None`` if one does not grow."""
    numbers: list[Any] = [delta.sequence_number for delta in deltas]
    first = numbers[0]
    if first is None or numbers != list(range(first, first + len(numbers))):
        numbers = [number for number in numbers if number is not None]
        if not all(map(lt, numbers, numbers[1:])):
            return None
    return (numbers[0], numbers[-1]) if numbers else ()


def _are_of_one_text(deltas: list[Delta]) -> bool:
    """Whether all deltas name the same place, as most often they do."""
    first = deltas[0]
    kind, ident, output = first.type, first.item_id, first.output_index
    content, summary = first.content_index, first.summary_index
    return not [
        delta
        for delta in deltas
        if delta.type != kind
        or delta.item_id != ident
        or delta.output_index != output
        or delta.content_index != content
        or delta.summary_index != summary
    ]


def _find_text(state: ResponsesState, new_ids: dict[str, Slot], delta: Delta) -> StagedText | None:
    """Find the text that a delta adds to, if the event path would add it there and report nothing.

    An item id that the event path would learn from this delta is put into ``new_ids`` (R5: a new one at every event).
    """
    family = _FAMILY_OF_DELTA[delta.type]
    ident, output_index = delta.item_id, delta.output_index
    slot = new_ids.get(ident) if ident else None
    if slot is None:
        slot = state.find_slot(ident, output_index, family.item)
    if slot is None or not slot.item:
        return None
    if ident and ident not in state.by_id:
        new_ids[ident] = slot
    if family.parts is None:
        text = slot.texts.get(family.field)
    else:
        index = delta.summary_index if family.parts == "summary" else delta.content_index
        text = slot.find_part_text(family, index)
    return text if text is not None and text.stage < PART_DONE else None


# -- which batch ---------------------------------------------------------------------------------

DELTAS = Batch(msgspec.json.Decoder(Delta).decode, add_deltas)

# Events after which most often a delta comes.
_BEFORE_DELTAS = frozenset({
    *_FAMILY_OF_DELTA,
    "response.content_part.added",
    "response.reasoning_part.added",
    "response.reasoning_summary_part.added",
    "response.output_text.annotation.added",
    "response.code_interpreter_call.in_progress",
})  # fmt: skip
# Items after whose beginning most often a delta of their own text comes.
_WITH_OWN_TEXT = frozenset({"function_call", "custom_tool_call"})


def propose_batch(state: ResponsesState, event: dict[str, Any]) -> Batch | None:
    """Return the batch for the events that most often follow this one."""
    kind = event.get("type")
    if kind == "response.output_item.added":
        item = event.get("item")
        kind = item.get("type") if type(item) is dict else None
        return DELTAS if type(kind) is str and kind in _WITH_OWN_TEXT else None
    return DELTAS if type(kind) is str and kind in _BEFORE_DELTAS else None
