"""The batch of Anthropic: all frequent events after ``message_start``, in the form that most streams have.

The strict structs here are told apart by their ``type``, so that one batch covers texts, thinking, inputs, the events
that open and close blocks, and the end. Consecutive deltas of one type at one index are added together.
"""

from __future__ import annotations

from functools import partial
from types import NoneType
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType

from reducer.dialects.anthropic_messages.state import (
    DELTA_RULES,
    DeltaRule,
    MessageState,
    find_zeroed,
    is_foreign,
)
from reducer.dialects.contract import MAX_INDEX, Additions, Batch, Event, Strict

# -- shapes --------------------------------------------------------------------------------------

# JSON values that are kept as they are. Their depth is bounded, because a batch has to refuse deep events.
_Scalar = str | int | float | bool | None
_Inner = _Scalar | dict[str, _Scalar] | list[_Scalar]
_Middle = _Scalar | dict[str, _Inner] | list[_Inner]
_Object = dict[str, _Scalar | dict[str, _Middle] | list[_Middle]]


class TextDelta(Strict, tag_field="type", tag="text_delta"):
    piece: str = msgspec.field(name="text")


class ThinkingDelta(Strict, tag_field="type", tag="thinking_delta"):
    piece: str = msgspec.field(name="thinking")
    estimated_tokens: int | None = None  # not in a body


class InputDelta(Strict, tag_field="type", tag="input_json_delta"):
    piece: str = msgspec.field(name="partial_json")


class SignatureDelta(Strict, tag_field="type", tag="signature_delta"):
    piece: str = msgspec.field(name="signature")


class CitationsDelta(Strict, tag_field="type", tag="citations_delta"):
    piece: _Object = msgspec.field(name="citation")


class BlockDelta(Strict, tag_field="type", tag="content_block_delta"):
    index: int
    delta: TextDelta | ThinkingDelta | InputDelta | SignatureDelta | CitationsDelta


class BlockStart(Strict, tag_field="type", tag="content_block_start"):
    index: int
    content_block: _Object


class BlockStop(Strict, tag_field="type", tag="content_block_stop"):
    index: int


class MessageDelta(Strict, tag_field="type", tag="message_delta"):
    delta: _Object  # a dict, because the body keeps the order of its keys; see `_OUTCOME_TYPES`
    usage: _Object | UnsetType | None = UNSET
    context_management: _Object | UnsetType | None = UNSET


class MessageStop(Strict, tag_field="type", tag="message_stop"):
    pass


class Ping(Strict, tag_field="type", tag="ping"):
    pass


# The keys that the delta of a message may have here, and the types of their values.
_OUTCOME_TYPES: dict[str, tuple[type, ...]] = {
    "stop_reason": (str, NoneType),
    "stop_sequence": (str, NoneType),
    "stop_details": (dict, NoneType),
    "container": (dict, NoneType),
}

# -- what they add -------------------------------------------------------------------------------


def _extend_block(state: MessageState, rule: DeltaRule, index: int, pieces: list[Any]) -> None:
    rule.extend(state, state.blocks[index], pieces)


def _start_block(state: MessageState, index: int, start: dict[str, Any]) -> None:
    state.add_block(index, start, has_started=True)


def _merge_event(state: MessageState, event: Event) -> None:
    state.handlers[event["type"]](state, event)


_RULES: dict[type, DeltaRule] = {
    shape: DELTA_RULES[shape.__struct_config__.tag]
    for shape in (TextDelta, ThinkingDelta, InputDelta, SignatureDelta, CitationsDelta)
}


class _Plan:
    """What events add, as far as they were looked at.

    The methods put additions into the plan and leave the state as it is. Each returns whether the event path would do
    nothing but these additions; if not, the batch is refused.
    """

    __slots__ = ("additions", "has_reason", "has_usage", "opened", "state")

    def __init__(self, state: MessageState) -> None:
        self.state = state
        self.additions: Additions = []
        self.opened: dict[int, dict[str, Any]] = {}  # the start values of the blocks that these events open, by index
        self.has_reason = False  # one of these events has a stop reason
        self.has_usage = False  # one of these events has a usage

    def add_pieces(self, index: int, shape: type, pieces: list[Any]) -> bool:
        """Add pieces to a block; the list may grow afterwards."""
        block = self.state.blocks.get(index)
        start = self.opened.get(index) if block is None else block.fields
        if start is None:
            return False
        rule = _RULES[shape]
        if is_foreign(rule, start.get("type")):
            return False
        # The first delta of a text that has a start value may repeat that value, which is reported (A14).
        if rule.is_text and start.get(rule.key) and (block is None or rule.key not in block.texts):
            return False
        self.additions.append(
            (rule.key if rule.is_text else "", partial(_extend_block, self.state, rule, index), pieces)
        )
        return True

    def add_start(self, index: int, start: dict[str, Any]) -> bool:
        """Open a block at an index that has none."""
        state, opened = self.state, self.opened
        if not 0 <= index <= MAX_INDEX or index in state.blocks or index in opened or start.get("type") == "fallback":
            return False
        if len(state.all_blocks) + len(opened) >= state.options.limits.max_items:
            return False
        opened[index] = start
        self.additions.append(("", partial(_start_block, state, index), start))
        return True

    def add_block_stop(self, index: int) -> bool:
        self.additions.append(("", self.state.stop_block, index))
        return 0 <= index <= MAX_INDEX

    def add_outcome(self, event: MessageDelta) -> bool:
        """Add a ``message_delta`` that has no second stop reason."""
        state, delta = self.state, event.delta
        if not all(type(value) in _OUTCOME_TYPES.get(key, ()) for key, value in delta.items()):
            return False
        if delta.get("stop_reason"):
            known = state.fields.get("stop_reason") or (state.message or {}).get("stop_reason")
            if self.has_reason or known:
                return False
            self.has_reason = True
        if type(event.usage) is dict:
            # A 0 may replace a count of another event of this batch, which the state does not have yet.
            if find_zeroed(state, event.usage) or (self.has_usage and 0 in event.usage.values()):
                return False
            self.has_usage = True
        self.additions.append(("", partial(_merge_event, state), msgspec.to_builtins(event)))
        return True

    def add_stop(self) -> bool:
        self.additions.append(("", partial(_merge_event, self.state), {"type": "message_stop"}))
        return True


def additions_of(state: MessageState, events: list[Any]) -> Additions | None:
    """Return what events add, if none of them would be reported."""
    plan = _Plan(state)
    index, delta_shape, pieces = -1, None, []  # the consecutive deltas of one type at one index
    for event in events:
        shape = event.__class__
        if shape is BlockDelta:
            delta = event.delta
            if delta.__class__ is delta_shape and event.index == index:
                pieces.append(delta.piece)
                continue
            index, delta_shape, pieces = event.index, delta.__class__, [delta.piece]
            is_plain = plan.add_pieces(index, delta_shape, pieces)
        elif shape is Ping:
            continue
        else:
            delta_shape = None
            if shape is BlockStop:
                is_plain = plan.add_block_stop(event.index)
            elif shape is BlockStart:
                is_plain = plan.add_start(event.index, event.content_block)
            else:
                is_plain = plan.add_outcome(event) if shape is MessageDelta else plan.add_stop()
        if not is_plain:
            return None
    return plan.additions


_decode = msgspec.json.Decoder(BlockDelta | BlockStart | BlockStop | MessageDelta | MessageStop | Ping).decode
BATCH = Batch(_decode, additions_of)


def propose_batch(state: MessageState, event: Event) -> Batch | None:
    """Return the one batch, as soon as the message has begun."""
    return BATCH if state.begun and state.whole is None else None
