"""A message in the making: its blocks, and the rules of the deltas that change them.

The event path and the batch path read and write these objects.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from reducer.decoding import Report
from reducer.dialects.contract import Handlers, Options, State
from reducer.dialects.text import Text
from reducer.saving import Saved


class Block(Saved):
    """One content block in the making."""

    is_shared = True
    index: int  # on the wire; several blocks may have the same
    fields: dict[str, Any]  # the keys of the start event, and the values that deltas set whole
    has_started: bool  # False: a delta made the block, so that its type is a guess
    is_stopped: bool  # its `content_block_stop` has come
    texts: dict[str, Text]  # key -> its start value and the deltas
    input: Text | None  # the JSON text of `input`
    parsed: list[Any]  # the parsed `input` of a stopped block, while no further delta comes

    def __init__(self, index: int, fields: dict[str, Any], *, has_started: bool) -> None:
        self.index = index
        self.fields = fields
        self.has_started = has_started
        self.is_stopped = False
        self.texts = {}
        self.input = None
        self.parsed = []

    def text(self, state: MessageState, key: str) -> Text:
        """Return the growing text of a key; it begins with the key's start value (A6)."""
        text = self.texts.get(key)
        if text is None:
            text = self.texts[key] = Text(state)
            start = self.fields.get(key)
            if start and type(start) is str:
                text.add(start)
        return text

    def input_text(self, state: MessageState) -> Text:
        self.parsed = []
        if self.input is None:
            self.input = Text(state)
        return self.input

    def set_value(self, key: str, value: Any) -> None:
        """Set a key whole, in place of a text."""
        self.parsed = []
        self.fields[key] = value
        self.texts.pop(key, None)

    def set_signature(self, signature: str | None) -> None:
        """A8: the last signature wins."""
        if signature:
            self.fields["signature"] = signature

    def add_citation(self, citation: Any) -> None:
        """A9: citations append to a list, or to null."""
        citations = self.fields.get("citations")
        if type(citations) is list:
            citations.append(citation)
        else:
            self.fields["citations"] = [citation]

    def is_same_start(self, start: dict[str, Any]) -> bool:
        """Whether a start event repeats the block, to which nothing was added."""
        return not self.texts and self.input is None and self.fields == start

    def is_other_block(self, start: dict[str, Any]) -> bool:
        """Whether a start event at this block's index begins a further block (A13)."""
        if self.is_stopped:
            return True
        return self.has_started and any(
            start.get(key) and self.fields.get(key) and start[key] != self.fields[key] for key in ("type", "id")
        )

    def repeats_start(self, key: str, piece: str) -> bool:
        """Whether the first delta of a text equals the text in the start event (A14)."""
        return bool(piece) and key not in self.texts and self.fields.get(key) == piece

    def merge_start(self, start: dict[str, Any]) -> None:
        """Merge a late or second start event: it gives the keys that are missing."""
        if not self.has_started and start.get("type"):
            self.fields["type"] = start["type"]
        for key, value in start.items():
            if not self.fields.get(key) and not self.texts.get(key):
                self.set_value(key, value)
        self.has_started = True

    def has_content(self) -> bool:
        if self.input or any(self.texts.values()):
            return True
        kind = self.fields.get("type")
        return kind not in ("text", "thinking") or bool(self.fields.get(kind))


class MessageState(State):
    """A message in the making."""

    id: str | None
    message: dict[str, Any] | None  # the base, without content
    fields: dict[str, Any]  # the keys that override the base
    usage: dict[str, Any]  # the keys that override the base's usage
    all_blocks: list[Block]  # in order of appearance
    blocks: dict[int, Block]  # by index; of several blocks with one index the newest
    highest: int  # the highest index

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        super().__init__(options, report, handlers)
        self.id = None
        self.message = None
        self.fields = {}
        self.usage = {}
        self.all_blocks = []
        self.blocks = {}
        self.highest = -1

    def add_block(self, index: int, fields: dict[str, Any], *, has_started: bool) -> Block:
        block = self.blocks[index] = Block(index, fields, has_started=has_started)
        self.all_blocks.append(block)
        self.highest = max(self.highest, index)
        return block

    def stop_block(self, index: int) -> None:
        block = self.blocks.get(index)
        if block is not None:
            block.is_stopped = True

    def known_usage(self) -> dict[str, Any]:
        """Return the usage so far."""
        base = (self.message or {}).get("usage")
        return {**(base if type(base) is dict else {}), **self.usage}


def overlay(into: dict[str, Any], new: dict[str, Any]) -> None:
    """Let values that are not null replace others, each value whole."""
    for key, value in new.items():
        if value is not None or key not in into:
            into[key] = value


def find_zeroed(state: MessageState, usage: dict[str, Any]) -> list[str]:
    """Return the keys whose count a usage would lower from above 0 to 0 (C27)."""
    if 0 not in usage.values():
        return []
    before = state.known_usage()
    before.pop("output_tokens", None)  # A4: that of the start event is a placeholder, and others are running counts
    return [key for key, value in usage.items() if type(value) is int and value == 0 and before.get(key)]


# -- deltas --------------------------------------------------------------------------------------


class DeltaRule(NamedTuple):
    """How deltas of one type change their block, on both paths."""

    key: str  # the key of the delta that has its piece
    block_type: str  # the type of the block that such a delta makes if there is none
    extend: Callable[[MessageState, Block, list[Any]], None]  # adds pieces that are not null
    is_text: bool = False  # the piece is a part of a text. Of `TEXT_BLOCK_TYPES`, it fits `block_type` alone.


def extend_text(state: MessageState, block: Block, pieces: list[str]) -> None:
    block.text(state, "text").extend(pieces)


def extend_thinking(state: MessageState, block: Block, pieces: list[str]) -> None:
    block.text(state, "thinking").extend(pieces)


def extend_input(state: MessageState, block: Block, pieces: list[str]) -> None:
    block.input_text(state).extend(pieces)


def set_signatures(state: MessageState, block: Block, pieces: list[str]) -> None:
    for signature in pieces:
        block.set_signature(signature)


def add_citations(state: MessageState, block: Block, pieces: list[Any]) -> None:
    for citation in pieces:
        block.add_citation(citation)


# By the type of the delta. A delta that is not here merges by the generic rule, `merge_strings`.
DELTA_RULES: dict[Any, DeltaRule] = {
    "text_delta": DeltaRule("text", "text", extend_text, is_text=True),
    "thinking_delta": DeltaRule("thinking", "thinking", extend_thinking, is_text=True),  # without `estimated_tokens`
    "input_json_delta": DeltaRule("partial_json", "tool_use", extend_input, is_text=True),
    "signature_delta": DeltaRule("signature", "thinking", set_signatures),
    "citations_delta": DeltaRule("citation", "text", add_citations),
}
TEXT_BLOCK_TYPES = frozenset(rule.block_type for rule in DELTA_RULES.values() if rule.is_text)


def is_foreign(rule: DeltaRule, block_type: Any) -> bool:
    """Whether a delta belongs to another type of block than this one."""
    is_known = type(block_type) is str and block_type in TEXT_BLOCK_TYPES
    return rule.is_text and is_known and block_type != rule.block_type
