"""Tables of the wire: the types of the events' fields, and where each family of text events keeps its text."""

from __future__ import annotations

from typing import Literal, NamedTuple

# The types of the keys that events declare, beside null. A value of another type is left out and reported.
FIELDS: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "sequence_number": (int,),
    "item_id": (str,),
    "output_index": (int,),
    "content_index": (int,),
    "summary_index": (int,),
    "annotation_index": (int,),
    "command_index": (int,),
    "logprobs": (list,),
    "text": (str,),
    "refusal": (str,),
    "arguments": (str, dict),
    "input": (str,),
    "diff": (str,),
    "command": (str,),
    "name": (str,),
    "part": (dict,),
    "item": (dict,),
    "response": (dict,),
}
# Declared as well, of any type.
_ANY = ("delta", "obfuscation", "code", "status", "annotation", "output")
DECLARED = frozenset({*FIELDS, *_ANY})
# Keys of a terminal event that are never those of a response.
NOT_OF_RESPONSE = frozenset({"type", "sequence_number", "obfuscation", "response", "stream_id"})


# The event's key for the index of a part, by the part's list.
INDEX_KEYS = {"content": "content_index", "summary": "summary_index"}


class Family(NamedTuple):
    """The delta and done events of one kind of text, and the place of that text."""

    item: str  # the type of the item
    parts: Literal["content", "summary"] | None  # the key of the item's list of parts; None: the text is the item's own
    part: str  # the type of the part
    field: str  # the key of the text, in the part or item and in the done event
    inside: str | None = None  # the key of the item's object that has the text; None: the item itself has it


# By the type of their events, without `.delta` or `.done`.
FAMILIES = {
    "response.output_text": Family("message", "content", "output_text", "text"),
    "response.refusal": Family("message", "content", "refusal", "refusal"),
    "response.reasoning_text": Family("reasoning", "content", "reasoning_text", "text"),
    "response.reasoning_summary_text": Family("reasoning", "summary", "summary_text", "text"),
    "response.function_call_arguments": Family("function_call", None, "", "arguments"),
    "response.mcp_call_arguments": Family("mcp_call", None, "", "arguments"),
    "response.custom_tool_call_input": Family("custom_tool_call", None, "", "input"),
    "response.code_interpreter_call_code": Family("code_interpreter_call", None, "", "code"),
    "response.apply_patch_call_operation_diff": Family("apply_patch_call", None, "", "diff", "operation"),
}
# Other names of the same events: vLLM, older servers.
FAMILIES |= {
    "response.reasoning": FAMILIES["response.reasoning_text"],
    "response.reasoning_summary": FAMILIES["response.reasoning_summary_text"],
    "response.text": FAMILIES["response.output_text"],
}
# The texts of items themselves: their key -> the key of the item's object that has it, or None.
ITEM_TEXTS = {family.field: family.inside for family in FAMILIES.values() if family.parts is None}

STATUSES = {
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "web_search_call": ("in_progress", "searching", "completed"),
    "image_generation_call": ("in_progress", "generating", "completed"),
    "mcp_call": ("in_progress", "completed", "failed"),
    "mcp_list_tools": ("in_progress", "completed", "failed"),
    "compaction": ("compacting",),
}

# Known types of items. By an index, an event fits an item of its own kind, or of a type that is not listed here.
KNOWN_ITEMS = frozenset({
    *(family.item for family in FAMILIES.values()),
    *STATUSES,
    "shell_call", "shell_call_output", "local_shell_call", "local_shell_call_output",
    "function_call_output", "custom_tool_call_output", "apply_patch_call_output",
    "computer_call", "computer_call_output", "mcp_approval_request", "mcp_approval_response",
    "tool_search_call", "tool_search_output",
})  # fmt: skip
