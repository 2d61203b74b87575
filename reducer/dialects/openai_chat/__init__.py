"""``openai.chat``: Chat Completions, OpenAI's own and the many that imitate it.

Theory of operation
-------------------
There is one event type, the chunk. A chunk names choices by ``index``; a choice's ``delta`` adds to its message. Every
choice that appeared ends with a finish reason, and the stream with ``[DONE]``; either is terminal evidence, and merging
goes on after it, because usage, filter results and signatures come late (C29, T20). So there is one phase, ``OPEN``.

Who wins: of ``id`` the first non-empty, of ``model`` the last (C15), of ``usage`` the last, whole (C25, C26). A
``finish_reason`` of ``stop`` does not replace ``tool_calls`` (C21). A ``message`` beside or after deltas fills what the
deltas lacked (C16, C42).

The tables here say what each key of a chunk, of a choice and of a delta does; `tool_calls` has those of a call.
Declared texts (content, refusal, reasoning) join; undeclared keys follow the generic rule and are reported if it could
lose text. `build` makes the body, `fast` the batches. A call that never got a name may continue another one, but only
in the body (`nameless_calls`).
"""

from __future__ import annotations

import re
from types import NoneType
from typing import Any

from msgspec import UNSET

from reducer.dialects import errors
from reducer.dialects.completion import (
    CHOICE_RULES,
    CHUNK_RULES,
    choice_index,
    is_decisive,
    is_usage_alone,
    on_done,
    type_of,
)
from reducer.dialects.contract import ANOTHER_RESPONSE, Dialect, check_growth, report_nothing
from reducer.dialects.openai_chat.body import ChatCompletion as ChatCompletion
from reducer.dialects.openai_chat.build import build, incomplete_calls, is_finished
from reducer.dialects.openai_chat.content import (
    append_whole_entries,
    append_whole_entry,
    is_blank,
    merge_audio,
    merge_content,
    merge_details,
    merge_text,
    merge_thinking_blocks,
    merge_undeclared,
)
from reducer.dialects.openai_chat.fast import propose_batch
from reducer.dialects.openai_chat.state import ChatState, Choice
from reducer.dialects.openai_chat.tool_calls import Call, check_calls, merge_calls, merge_function, set_name
from reducer.dialects.rules import (
    IGNORED,
    Rule,
    Table,
    ignore,
    last,
    merge_generic,
    merge_object,
    objects,
    objects_of,
    rule,
)
from reducer.dialects.views import record, string
from reducer.result import ProviderError

# -- a chunk -------------------------------------------------------------------------------------


def merge_choices(state: ChatState, into: Any, choices: list[dict[str, Any]]) -> None:
    if len(choices) > 1:
        state.counted = None  # C11: a counter gives each chunk one choice
    for wire in choices:
        index = choice_index(wire)
        if state.counted is not None:
            merge_counted(state, state.counted, index, wire)
        choice = state.choices.get(index)
        if choice is None:
            choice = state.choices[index] = Choice(state)
        merge_choice(state, choice, wire)


CHUNK = Table(
    "",
    {
        **CHUNK_RULES,
        "choices": objects("choices", merge_choices),
        "moderation": last(),
        "x_groq": rule(merge_generic, dict),
    },
    merge_generic,
)

# -- a choice ------------------------------------------------------------------------------------


def merge_choice(state: ChatState, choice: Choice, wire: dict[str, Any]) -> None:
    merge_object(CHOICE, state, choice, wire)
    delta = wire.get("delta")
    if type(delta) is not dict:
        if type(wire.get("text")) is str and type(wire.get("message")) is not dict:
            choice.content.add(wire["text"])  # C43
    elif choice.roles < 2 and string(delta.get("role")):
        merge_role(state, choice, delta, string(wire.get("finish_reason")))


def merge_counted(state: ChatState, counted: Choice, index: int, wire: dict[str, Any]) -> None:
    """C11: as long as each chunk has the next index, and no earlier one was finished, all are one choice."""
    if (state.next_index is not None and index != state.next_index) or counted.finish is not None:
        state.counted = None
        return
    state.next_index = index + 1
    report, state.report = state.report, report_nothing  # the choice itself reports the same
    try:
        merge_choice(state, counted, wire)
    finally:
        state.report = report


def merge_role(state: ChatState, choice: Choice, delta: dict[str, Any], finish: str | None) -> None:
    """The first role wins. The opening chunk once more, after chunks without a role, looks like a replay (C45)."""
    choice.roles += 1
    content = delta.get("content", UNSET)
    if choice.role is None:
        choice.role = delta["role"]
        choice.opening = content
    elif choice.roles == 2 and finish is None and content == choice.opening and state.id is not None:
        text = choice.content.build()
        if type(text) is str and len(text) > 2 * len(string(content) or ""):
            state.report("repairable", {"role": delta["role"]}, "as it came; the repair is duplicate_chunks")


def merge_delta(state: ChatState, choice: Choice, key: str, value: dict[str, Any]) -> None:
    merge_object(DELTA, state, choice, value)


def merge_message(state: ChatState, choice: Choice, key: str, value: dict[str, Any]) -> None:
    """The last value of each key, but an empty one takes nothing back."""
    before = choice.whole_message or {}
    choice.whole_message = before | {
        name: entry for name, entry in value.items() if not is_blank(entry) or name not in before
    }


CHOICE = Table(
    "choices.",
    {
        **CHOICE_RULES,
        "delta": rule(merge_delta, dict),
        "native_finish_reason": last(str),
        "message": rule(merge_message, dict),
        "text": rule(ignore, str),  # a copy of the content; alone it is the content, see `merge_choice`
    },
    merge_generic,
)

# -- a delta -------------------------------------------------------------------------------------


def merge_function_call(state: ChatState, choice: Choice, key: str, value: dict[str, Any]) -> None:
    if choice.function_call is None:
        choice.function_call = Call()
    set_name(state, choice.function_call, string(value.get("name")))
    merge_function(state, choice.function_call, key, value)


TEXT = rule(merge_text, str, list, dict, NoneType)
WHOLE_ENTRIES: Rule = {**rule(merge_undeclared), list: append_whole_entries, dict: append_whole_entry}
DELTA = Table(
    "choices.delta.",
    {
        "role": rule(ignore, str),  # `merge_role` needs more than this key
        "content": rule(merge_content, str, list, dict),
        "refusal": rule(merge_text, str, list, NoneType),
        "reasoning_content": TEXT,
        "reasoning": TEXT,
        "thinking": TEXT,
        "reasoning_text": TEXT,
        "reasoning_details": rule(merge_details, list),
        "tool_calls": objects("choices.delta.tool_calls", merge_calls),
        "function_call": rule(merge_function_call, dict),
        "thinking_blocks": rule(merge_thinking_blocks, list),
        "audio": rule(merge_audio, dict),
        "annotations": WHOLE_ENTRIES,
        "images": WHOLE_ENTRIES,
        **dict.fromkeys(("index", "obfuscation"), IGNORED),
    },
    merge_undeclared,
)

# The keys of a delta that are content.
_ANSWERS = (
    "content", "refusal", "reasoning_content", "reasoning", "thinking", "reasoning_text", "reasoning_details",
    "tool_calls", "function_call", "thinking_blocks", "audio",
)  # fmt: skip

# -- handlers ------------------------------------------------------------------------------------


def on_chunk(state: ChatState, chunk: dict[str, Any]) -> object:
    choices = objects_of(chunk.get("choices"))
    ident = chunk.get("id")
    if type(ident) is str and ident and state.ids and ident not in state.ids and begins_another(state, choices):
        return ANOTHER_RESPONSE
    check_limits(state, choices)
    state.begun = True
    state.whole = None
    merge_object(CHUNK, state, state, chunk)
    return None


def take_body(state: ChatState, body: dict[str, Any]) -> None:
    check_limits(state, objects_of(body["choices"]))
    merge_object(CHUNK, state, state, body)


def check_limits(state: ChatState, choices: list[dict[str, Any]]) -> None:
    """Refuse a chunk that would open too much, before anything of it is merged."""
    new = set()
    for wire in choices:
        index = choice_index(wire)
        choice = state.choices.get(index)
        if choice is None:
            new.add(index)
        delta = wire.get("delta")
        if type(delta) is dict and delta.get("tool_calls"):
            check_calls(state, choice.calls if choice is not None else None, delta["tool_calls"])
    if new and state.counted is None:
        check_growth(state, "choices", len(state.choices), len(new))


def begins_another(state: ChatState, choices: list[dict[str, Any]]) -> bool:
    """Whether a chunk with an id that this response has not had begins another response (decision 12)."""
    if state.done:
        return any(_begins_answer(wire) for wire in choices)
    if len(state.ids) > 1 or not is_finished(state):
        return False
    for wire in choices:
        delta = wire.get("delta")
        if type(delta) is dict:
            if string(delta.get("role")) and choice_index(wire) in state.choices:
                return True
        elif type(wire.get("message")) is dict and state.whole is not None:
            return True  # a body sent whole has its role in the message
    return False


def _begins_answer(wire: dict[str, Any]) -> bool:
    """Whether a choice after the end marker has a role or content."""
    delta = wire.get("delta")
    if type(delta) is not dict:
        return type(wire.get("message")) is dict
    return bool(string(delta.get("role"))) or any(delta.get(key) for key in _ANSWERS)


HANDLERS = {"OPEN": {"chunk": on_chunk, "[DONE]": on_done}}

# -- dialect -------------------------------------------------------------------------------------


def find_error(event: dict[str, Any], name: str | None) -> ProviderError | None:
    """Return the error that an event reports; Groq has its errors in ``x_groq``."""
    error = errors.find_error(event, name)
    if error is None and (inner := record(event.get("x_groq")).get("error")):
        return errors.normalise(inner, inner)
    return error


def recognise(event: dict[str, Any]) -> bool:
    choices = event.get("choices")
    for choice in choices if type(choices) is list else ():
        if type(choice) is dict and ("delta" in choice or "message" in choice):
            return True  # whatever it calls itself (C16)
    kind = event.get("object")
    if type(kind) is str and kind.startswith("chat.completion"):
        return True
    if kind == "text_completion":
        return False
    if "choices" not in event:
        # C7, where a recorder drops empty lists; and a usage that comes first.
        return "prompt_filter_results" in event or is_usage_alone(event)
    # A legacy completion has its text on the choice, and neither delta nor message.
    return type(choices) is not list or not any(type(choice) is dict and "text" in choice for choice in choices)


def is_body(event: dict[str, Any], is_bare: bool) -> bool:
    choices = event.get("choices")
    if type(choices) is not list or event.get("object") == "chat.completion.chunk":
        return False
    return bool(choices) and all(
        type(choice) is dict and type(choice.get("message")) is dict and "delta" not in choice for choice in choices
    )


DIALECT = Dialect(
    name="openai.chat",
    body=ChatCompletion,
    handlers=HANDLERS,
    new_state=lambda options, report: ChatState(options, report, HANDLERS["OPEN"]),
    type_of=type_of,
    recognise=recognise,
    is_body=is_body,
    take_body=take_body,
    has_more_than_error=lambda event: bool(event.get("choices") or event.get("usage")),
    build=build,
    is_finished=is_finished,
    has_content=lambda state: any(choice.has_content() for choice in state.choices.values()),
    find_error=find_error,
    terminal_pattern=re.compile(rb'finish_reason"(?!: ?null)'),
    is_decisive=is_decisive,
    incomplete_calls=incomplete_calls,
    propose_batch=propose_batch,
)
