"""``anthropic.messages``: the Messages API of Anthropic, also as Bedrock, Vertex and proxies speak it.

Theory of operation
-------------------
``message_start`` brings the message without its content. Blocks follow, each at an ``index``, as
``content_block_start``, deltas, ``content_block_stop``. ``message_delta`` brings the stop reason and the final usage.
``message_stop`` is the terminal evidence, and merging goes on after it. A ``ping`` may come anywhere.

Phases: ``FIRST`` (before the message began), ``OPEN``, ``OVER`` (after ``message_stop``), ``WHOLE`` (a body came whole,
and nothing has followed it).

Who wins: ``message_start`` is the base whenever it comes, and a ``message_delta`` overrides it, usage field by field
(A2, A3). A block's start value stands before its deltas (A6). A start event for a block that exists gives the keys that
are missing and erases nothing; a delta without a block makes one of the delta's own kind (A1). But a start event of
another type or id, or after the block's stop, begins a further block, to which later deltas of the index belong (A13).
The last signature wins (A8), citations append (A9). ``input`` is parsed at the end from all its pieces, in any block
that has pieces (A5, A7); empty pieces give no input to a block that has none (A15). A delta of unknown type joins its
strings by key; of other values the last wins (A10). A message without an id amid events repeats them (A14).

No body depends on ``content_block_stop`` (A11): it says only that a tool call is complete. Until an event gives
``output_tokens``, the start event's number is a placeholder (A4). Anthropic's endpoint in OpenAI's language (A12) is
``openai.chat``. `state` has the blocks and the rules of deltas, `build` makes the body, `fast` has the batches.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from reducer.dialects.anthropic_messages.body import Message as Message
from reducer.dialects.anthropic_messages.build import build, incomplete_calls
from reducer.dialects.anthropic_messages.fast import propose_batch
from reducer.dialects.anthropic_messages.state import (
    DELTA_RULES,
    Block,
    DeltaRule,
    MessageState,
    find_zeroed,
    is_foreign,
    overlay,
)
from reducer.dialects.contract import (
    ANOTHER_RESPONSE,
    MAX_INDEX,
    Dialect,
    Event,
    Handler,
    check_growth,
    compare_bodies,
    report_nothing,
)
from reducer.dialects.errors import find_error
from reducer.dialects.generic import merge_unknown
from reducer.dialects.rules import checked_fields

BODY = "whole body"  # the event type of a body that comes after other events

# -- declared types ------------------------------------------------------------------------------

_EVENT_TYPES: dict[str, tuple[type, ...]] = {
    "type": (str,),
    "index": (int,),
    **dict.fromkeys(("delta", "content_block", "message", "usage"), (dict,)),
}
_DELTA_TYPES: dict[str, tuple[type, ...]] = dict.fromkeys(
    ("type", "text", "partial_json", "thinking", "signature", "stop_reason", "stop_sequence"), (str,)
)


def checked(handler: Handler) -> Handler:
    """Give a handler its events without the values of a wrong type, which are reported."""

    def on_checked(state: MessageState, event: Event) -> object:
        event = checked_fields(_EVENT_TYPES, event, state.report)
        delta = event.get("delta")
        if delta:
            kept = checked_fields(_DELTA_TYPES, delta, state.report, "delta.")
            if kept is not delta:
                event = {**event, "delta": kept}
        return handler(state, event)

    return on_checked


# -- the message ---------------------------------------------------------------------------------


def on_message_start(state: MessageState, event: Event) -> object:
    message = event.get("message")
    if message is None:
        return on_event_before_start(state, event)
    merge_message(state, message)
    state.begun = True
    state.handlers = HANDLERS["OPEN"]
    return None


def on_message_start_again(state: MessageState, event: Event) -> object:
    """Another id begins another response (decision 12); otherwise the start event came late, or twice."""
    message = event.get("message")
    if message is None:
        return None
    if state.id is not None and message.get("id") and message["id"] != state.id:
        return ANOTHER_RESPONSE
    if state.message is not None and any(state.message.get(key) != message[key] for key in message if key != "content"):
        state.report("message_restarted", message, "merged")
    merge_message(state, message)
    return None


def on_message_start_after_stop(state: MessageState, event: Event) -> object:
    """After the end, only the same id continues the response."""
    if event.get("message") is None:
        return None
    return on_message_start_again(state, event) if _has_same_id(state, event) else ANOTHER_RESPONSE


def _has_same_id(state: MessageState, event: Event) -> bool:
    ident = (event.get("message") or {}).get("id")
    return bool(ident) and ident == state.id


def on_event_before_start(state: MessageState, event: Event) -> object:
    """The message begins without ``message_start``."""
    state.report("no_message_start", event["type"], "type and role as they always are")
    state.begun = True
    state.handlers = HANDLERS["OPEN"]
    return state.handlers[event["type"]](state, event)


def on_message_delta(state: MessageState, event: Event) -> None:
    state.begun = True
    delta = event.get("delta")
    if delta:
        reason = delta.get("stop_reason")
        before = state.fields.get("stop_reason") or (state.message or {}).get("stop_reason")
        if reason and before and reason != before:
            state.report("finish_reason_differs", [before, reason], reason)
        overlay(state.fields, {key: value for key, value in delta.items() if key not in _SCAFFOLDING})
        if type(delta.get("usage")) is dict:
            merge_usage(state, state.usage, delta["usage"])
    if event.get("usage"):
        merge_usage(state, state.usage, event["usage"])
    if not _NOT_IN_EVENT.issuperset(event):
        merge_unknown(state.fields, {key: value for key, value in event.items() if key not in _NOT_IN_EVENT})


def on_message_stop(state: MessageState, event: Event) -> None:
    # Its other keys, for example Bedrock's metrics, describe the call and are not in a body.
    state.done = True
    state.handlers = HANDLERS["OVER"]


def on_nothing(state: MessageState, event: Event) -> None:
    """Merge nothing: a ``ping``, or an end before anything began."""


# Keys of a message_delta, and of its delta, that are not keys of the message. The content is made of the blocks.
_SCAFFOLDING = frozenset({"type", "content", "usage", "error", "obfuscation", "p", "sequence_number", "stream_id"})
_NOT_IN_EVENT = _SCAFFOLDING | {"index", "delta", "content_block", "message"}


def merge_usage(state: MessageState, into: dict[str, Any], usage: dict[str, Any]) -> None:
    """Merge a usage field by field. Only with the repair ``usage_fields`` a 0 does not replace more than 0."""
    zeroed = find_zeroed(state, usage)
    if zeroed and "usage_fields" in state.options.repairs:
        state.report("repaired", {"usage": usage}, "usage_fields")
        usage = {key: value for key, value in usage.items() if key not in zeroed}
    elif zeroed:
        state.report("repairable", {"usage": dict(state.known_usage())}, "the last usage; the repair is usage_fields")
    overlay(into, usage)


def merge_message(state: MessageState, message: dict[str, Any]) -> None:
    """Merge the base, and the blocks in its content, which keep their places."""
    content = message.get("content")
    starts = content if type(content) is list else []
    if starts:
        _check_blocks(state, range(len(starts)))
    elif content:
        state.report("wrong_type", {"message.content": content}, "left out")
    if state.message is None:
        state.message = {}
    usage = state.message.get("usage")
    overlay(state.message, {**message, "content": None})
    if type(usage) is dict and type(message.get("usage")) is dict:
        state.message["usage"] = usage
        merge_usage(state, usage, message["usage"])
    ident = state.message.get("id")
    if state.id is None and type(ident) is str and ident:
        state.id = ident
    for index, start in enumerate(starts):
        if type(start) is dict:
            merge_start(state, index, start)
        else:
            state.report("wrong_type", {"message.content": start}, "left out")


# -- a body that came whole ----------------------------------------------------------------------


def take_body(state: MessageState, body: dict[str, Any]) -> None:
    """Keep a whole body; `on_event_after_body` merges it if anything follows."""
    state.id = body["id"] if type(body.get("id")) is str else None
    state.handlers = HANDLERS["WHOLE"]


def on_event_after_body(state: MessageState, event: Event) -> object:
    """The whole body was a start like others."""
    merge_message(state, state.whole or {})
    state.whole = None
    state.handlers = HANDLERS["OPEN"]
    return state.handlers[event["type"]](state, event)


def on_message_start_after_body(state: MessageState, event: Event) -> object:
    return on_event_after_body(state, event) if _has_same_id(state, event) else ANOTHER_RESPONSE


def on_body_again(state: MessageState, body: Event) -> object:
    """A whole body after other events is another response, or a copy of this one."""
    return compare_bodies(state, body, state.whole or build(state, report_nothing))


def on_body_amid_events(state: MessageState, body: Event) -> object:
    """A message without an id repeats the events before it; it gives the keys that they lack (A14)."""
    if body.get("id"):
        return on_body_again(state, body)
    before = build(state, report_nothing)
    if not _repeats(before, body):
        state.report("sources_differ", body, "what the events say")
    overlay(state.fields, {key: value for key, value in body.items() if before.get(key) is None})
    return None


def on_body_after_stop(state: MessageState, body: Event) -> object:
    """A message without an id repeats the events before it, or begins another response if it differs."""
    is_copy = not body.get("id") and _repeats(build(state, report_nothing), body)
    return None if is_copy else on_body_again(state, body)


def _repeats(before: Event, body: Event) -> bool:
    """Whether a body contradicts nothing; the counts of its usage may be older or newer."""
    return all(before.get(key) in (None, value) for key, value in body.items() if value and key != "usage")


# -- blocks --------------------------------------------------------------------------------------


def on_content_block_start(state: MessageState, event: Event) -> None:
    start = event.get("content_block")
    if start is None:
        return
    index = _slot_of(state, event.get("index"), state.highest + 1)
    block = state.blocks.get(index)
    if block is not None and block.is_other_block(start):
        check_growth(state, "items", len(state.all_blocks), 1)
        state.report("index_reused", {"index": index, "content_block": start}, "a further block")
        state.add_block(index, start, has_started=True)
    else:
        _check_blocks(state, (index,))
        merge_start(state, index, start)
    state.begun = True
    if start.get("type") == "fallback" and type(start.get("to")) is dict and start["to"].get("model"):
        # From here on another model answers, and a non-streaming body names that model.
        state.fields["model"] = start["to"]["model"]


def on_content_block_delta(state: MessageState, event: Event) -> None:
    delta = event.get("delta")
    if delta is None:
        return
    name = delta.get("type")
    rule = DELTA_RULES.get(name)
    block = _block_of_delta(state, event.get("index"), name, rule)
    if rule is None:
        merge_strings(state, block, delta)
        if name != "compaction_delta":
            chosen = "strings joined by key, of other values the last"
            state.report_once("unknown_delta", name, chosen, key=f"unknown delta {name}")
    else:
        merge_piece(state, block, name, rule, delta.get(rule.key))


def on_content_block_stop(state: MessageState, event: Event) -> None:
    state.stop_block(_slot_of(state, event.get("index"), max(state.highest, 0)))


def merge_start(state: MessageState, index: int, start: dict[str, Any]) -> None:
    """Merge the start value of a block, which may exist."""
    block = state.blocks.get(index)
    if block is None:
        state.add_block(index, start, has_started=True)
    elif not block.is_same_start(start):
        state.report("block_restarted", {"index": index, "content_block": start}, "the keys that were missing")
        block.merge_start(start)


def _block_of_delta(state: MessageState, index: int | None, name: str | None, rule: DeltaRule | None) -> Block:
    """Return the block of a delta; if there is none, make one of the delta's kind (A1)."""
    place = _slot_of(state, index, max(state.highest, 0))
    block = state.blocks.get(place)
    if block is None:
        _check_blocks(state, (place,))
        kind = rule.block_type if rule is not None else (name or "").removesuffix("_delta")
        block = state.add_block(place, {"type": kind} if kind else {}, has_started=False)
        state.begun = True
        state.report("block_not_started", {"index": place, "delta": name}, {"type": kind or None})
    return block


def _slot_of(state: MessageState, index: int | None, likely: int) -> int:
    """Return an event's index, or the likely one if it has none."""
    if index is not None and 0 <= index <= MAX_INDEX:
        return index
    state.report_once("no_index", index, likely)
    return likely


def _check_blocks(state: MessageState, indices: Iterable[int]) -> None:
    """Refuse an event that would open too many blocks, before anything of it is merged."""
    new = sum(index not in state.blocks for index in indices)
    check_growth(state, "items", len(state.all_blocks), new)


# -- deltas --------------------------------------------------------------------------------------


def merge_piece(state: MessageState, block: Block, name: str, rule: DeltaRule, piece: Any) -> None:
    """Merge the piece of a delta whose type is known."""
    kind = block.fields.get("type")
    if is_foreign(rule, kind):
        if not piece:
            return  # A15
        seen = {"content_block": kind, "delta": name}
        state.report_once("sources_differ", seen, "kept under the delta's key", key=f"{name} of {kind}")
    if rule.is_text:
        if block.repeats_start(rule.key, piece):
            if "cumulative" in state.options.repairs:
                state.report("repaired", {rule.key: piece}, "cumulative")
                piece = ""
            else:
                state.report("repairable", {rule.key: piece}, "joined as it came; the repair is cumulative")
        piece = piece or ""
    if piece is not None:
        rule.extend(state, block, [piece])


def merge_strings(state: MessageState, block: Block, delta: dict[str, Any]) -> None:
    """The generic rule: strings join the block's key of the same name; of other values the last wins."""
    for key, value in delta.items():
        if key in ("type", "obfuscation"):
            continue
        if type(value) is str:
            block.text(state, key).add(value)
        elif value is not None:
            block.set_value(key, value)
        elif key not in block.texts:
            block.fields.setdefault(key, None)


# -- handlers ------------------------------------------------------------------------------------

_MERGING = ("content_block_start", "content_block_delta", "message_delta")
_IDLE: dict[str, Handler] = dict.fromkeys(("content_block_stop", "message_stop", "ping"), on_nothing)
_FIRST: dict[str, Handler] = {
    **_IDLE,
    **dict.fromkeys(_MERGING, on_event_before_start),
    "message_start": on_message_start,
}
_OPEN: dict[str, Handler] = {
    **_IDLE,
    "message_start": on_message_start_again,
    "content_block_start": on_content_block_start,
    "content_block_delta": on_content_block_delta,
    "content_block_stop": on_content_block_stop,
    "message_delta": on_message_delta,
    "message_stop": on_message_stop,
}
_WHOLE: dict[str, Handler] = {
    **_IDLE,
    **dict.fromkeys(_MERGING, on_event_after_body),
    "message_start": on_message_start_after_body,
}


def _with_checks(handlers: dict[str, Handler]) -> dict[str, Handler]:
    return {name: checked(handler) for name, handler in handlers.items()}


HANDLERS: dict[str, dict[str, Handler]] = {
    "FIRST": _with_checks(_FIRST),
    "OPEN": {**_with_checks(_OPEN), BODY: on_body_amid_events},
    "OVER": {**_with_checks({**_OPEN, "message_start": on_message_start_after_stop}), BODY: on_body_after_stop},
    "WHOLE": {**_with_checks(_WHOLE), BODY: on_body_again},
}

# -- dialect -------------------------------------------------------------------------------------


def type_of(event: Event) -> str:
    if is_body(event, True):
        return BODY
    kind = event.get("type")
    return kind if type(kind) is str else ""


def recognise(event: Event) -> bool:
    kind = event.get("type")
    # Other dialects have `ping` and `error` too.
    return (type(kind) is str and kind in _OPEN and kind != "ping") or is_body(event, True)


def is_body(event: Event, is_bare: bool) -> bool:
    return event.get("type") == "message" and event.get("role") == "assistant" and type(event.get("content")) is list


DIALECT = Dialect(
    name="anthropic.messages",
    body=Message,
    handlers=HANDLERS,
    new_state=lambda options, report: MessageState(options, report, HANDLERS["FIRST"]),
    type_of=type_of,
    recognise=recognise,
    is_body=is_body,
    take_body=take_body,
    has_more_than_error=recognise,
    build=build,
    is_finished=lambda state: state.done or state.whole is not None,
    has_content=lambda state: any(block.has_content() for block in state.all_blocks),
    find_error=find_error,
    terminal_pattern=re.compile(rb'message(?:_stop|")'),  # a whole body has ``"type": "message"``
    incomplete_calls=incomplete_calls,
    propose_batch=propose_batch,
)
