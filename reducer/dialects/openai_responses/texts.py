"""Handlers of the events inside an item: texts, parts, annotations, a tool's status, a shell's commands and outputs."""

from __future__ import annotations

from typing import Any

from reducer.decoding import compact
from reducer.dialects.contract import Event
from reducer.dialects.openai_responses.events import FAMILIES, INDEX_KEYS, Family
from reducer.dialects.openai_responses.items import ADDED, PART_DONE, Part
from reducer.dialects.openai_responses.state import ResponsesState
from reducer.dialects.text import Fragments
from reducer.dialects.views import record, string

# Part types -> the type of the item that has such parts, if it is not the one that the event's list tells.
_ITEM_OF_PART = {"reasoning_text": "reasoning", "summary_text": "reasoning"}
_PARTS_OF_MESSAGE = frozenset({"output_text", "refusal", "text"})
_ITEM_OF_LIST = {"content": "message", "summary": "reasoning"}
# Items of these kinds have a status only if the wire gave them one.
_WITHOUT_STATUS = frozenset({"mcp_call", "mcp_list_tools", "compaction"})

# -- texts -------------------------------------------------------------------------------------


def on_text_delta(family: Family, state: ResponsesState, event: Event) -> None:
    """``output_text.delta`` and its like: a piece of the text of a part, or of an item itself."""
    piece = _text_of(state, event.get("delta"))
    _, part, text = state.open_text(event, family)
    if text.stage >= PART_DONE:
        state.report("late_delta", piece, "ignored: the text is done")
        return
    text.add(piece)
    if part is not None and event.get("logprobs"):
        part.add_logprobs(event["logprobs"])


def on_text_done(family: Family, state: ResponsesState, event: Event) -> None:
    """The done event of such a text: the whole text, instead of what the deltas made (R23)."""
    value = event.get(family.field)
    if type(value) is dict:
        value = compact(value)
    elif value is not None and type(value) is not str:  # `code` is also a number, in errors
        state.report("wrong_type", {family.field: value}, "left out")
        value = None
    slot, part, text = state.open_text(event, family, value or "")
    if value is not None:
        text.replace(value, PART_DONE, state.report, family.field)
    if part is None:
        slot.is_closed = True
        if event.get("name") and slot.item.get("name") is None and not slot.is_done:
            slot.item["name"] = event["name"]
    elif event.get("logprobs") and part.stage <= PART_DONE:
        part.logprobs = list(event["logprobs"])


def _text_of(state: ResponsesState, delta: Any) -> str:
    """Return the text of a delta; null has none, and an object may have it as ``text`` (R22)."""
    if type(delta) is str:
        return delta
    if type(delta) is dict and type(delta.get("text")) is str:
        return str(delta["text"])
    if delta is not None:
        state.report("wrong_type", {"delta": delta}, "left out")
    return ""


# -- parts ---------------------------------------------------------------------------------------


def on_part_added(key: str, state: ResponsesState, event: Event) -> None:
    """``content_part.added`` and ``reasoning_summary_part.added``."""
    _merge_part(key, state, event, ADDED)


def on_part_done(key: str, state: ResponsesState, event: Event) -> None:
    """``content_part.done`` and ``reasoning_summary_part.done``: the part whole."""
    _merge_part(key, state, event, PART_DONE)


def _merge_part(key: str, state: ResponsesState, event: Event, stage: int) -> None:
    state.begun = True
    obj = event.get("part")
    if obj is None:
        return
    kind = obj.get("type")
    slot = state.open_item(event, _kind_of_item(key, state, event, kind))
    parts = slot.parts.setdefault(key, {})
    index = event.get(INDEX_KEYS[key])
    if stage == PART_DONE and index not in parts:
        text = string(obj.get("refusal" if kind == "refusal" else "text")) or ""
        index = slot.continue_counted(key, kind, index, text, is_part=True)
    if index is None:
        same = [place for place, part in parts.items() if part.type == kind] if stage == PART_DONE else []
        index = max(same) if same else slot.ends.get(key, 0)  # a done part goes to the last of its type
    part = parts.get(index)
    if part is not None and stage == ADDED and part.text and part.is_of_another_kind(obj):
        index, part = slot.ends[key], None  # a part of its own, after the others
    if part is None:
        slot.add_part(state, key, index, Part(state, obj, stage))
    elif stage == ADDED == part.stage and part.text:
        part.object = obj  # a delta came before and made the part by assumption: its text stays
    else:
        part.replace(state, obj, stage, f"{key}[{index}]")


def _kind_of_item(key: str, state: ResponsesState, event: Event, kind: Any) -> str:
    """Return the type of the item that has a part; parts of unknown types may be in a message or in reasoning."""
    name = str(kind)
    if name in _ITEM_OF_PART or name in _PARTS_OF_MESSAGE or key != "content":
        return _ITEM_OF_PART.get(name, _ITEM_OF_LIST[key])
    if event["type"].startswith("response.reasoning"):
        return "reasoning"
    slot = state.by_index.get(event.get("output_index", -1))
    return "reasoning" if slot is not None and slot.type == "reasoning" else "message"


def on_annotation_added(state: ResponsesState, event: Event) -> None:
    """``output_text.annotation.added``."""
    _, part, _ = state.open_text(event, FAMILIES["response.output_text"])
    assert part is not None
    part.add_annotation(event.get("annotation"), event.get("annotation_index"))


# -- tools ---------------------------------------------------------------------------------------


def on_status(kind: str, status: str, state: ResponsesState, event: Event) -> None:
    """``<tool>_call.<status>``."""
    slot = state.open_item(event, kind)
    if not slot.is_done and (kind not in _WITHOUT_STATUS or "status" in slot.item):
        slot.item["status"] = status


def on_command_added(state: ResponsesState, event: Event) -> None:
    """``shell_call_command.added``: these events name no item, only its index."""
    slot = state.open_item(event, "shell_call")
    if not slot.is_done:
        slot.open_command(state, event.get("command_index") or 0, event.get("command") or "")


def on_command_delta(state: ResponsesState, event: Event) -> None:
    """``shell_call_command.delta``."""
    slot = state.open_item(event, "shell_call")
    index = event.get("command_index") or 0
    known = slot.commands.get(index)
    if slot.is_done or (known is not None and known.stage >= PART_DONE):
        state.report("late_delta", event.get("delta"), "ignored: the command is done")
        return
    slot.open_command(state, index).add(_text_of(state, event.get("delta")))


def on_command_done(state: ResponsesState, event: Event) -> None:
    """``shell_call_command.done``."""
    slot = state.open_item(event, "shell_call")
    if not slot.is_done:
        command = slot.open_command(state, event.get("command_index") or 0)
        command.replace(event.get("command") or "", PART_DONE, state.report, "command")


def on_shell_output_delta(state: ResponsesState, event: Event) -> None:
    """``shell_call_output_content.delta``: pieces of stdout and stderr."""
    slot = state.open_item(event, "shell_call_output")
    index = event.get("command_index") or 0
    output = slot.outputs.get(index, {})
    if slot.is_done or isinstance(output, list):
        state.report("late_delta", event.get("delta"), "ignored: the output is done")
        return
    slot.outputs[index] = output
    for key, value in record(event.get("delta")).items():
        if type(value) is str:
            output.setdefault(key, Fragments()).append(value)


def on_shell_output_done(state: ResponsesState, event: Event) -> None:
    """``shell_call_output_content.done``: what a command printed, whole."""
    slot = state.open_item(event, "shell_call_output")
    if type(event.get("output")) is list and not slot.is_done:
        slot.outputs[event.get("command_index") or 0] = event["output"]


def on_nothing(state: ResponsesState, event: Event) -> None:
    """An event without a place in the body: a partial image, spoken output."""
    state.begun = True
