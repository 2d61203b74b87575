"""The parts of a content: texts and their signatures, function calls whole and in pieces.

`merge_parts` merges the parts of one chunk; `count_parts` tells before how many parts they would add.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reducer.dialects.contract import LimitReached
from reducer.dialects.gemini_generate.json_path import check_paths, partial_args, set_argument
from reducer.dialects.gemini_generate.state import Content, GeminiState, StreamedCall, TextPart, keep_last
from reducer.dialects.generic import merge_unknown
from reducer.dialects.rules import IGNORED, Table, merge_object, rule

_TEXT_KEYS = frozenset({"text", "thought", "thoughtSignature"})


def merge_parts(state: GeminiState, content: Content, key: str, value: list[Any]) -> None:
    for part in value:
        if type(part) is not dict:
            if part is not None:
                state.report("wrong_type", {"content.parts": part}, "left out")
        elif is_plain_text(part):
            merge_text(state, content, part)
        elif type(part.get("functionCall")) is dict:
            merge_call(state, content, part)
        elif part:
            content.parts.append(part)


# -- texts ---------------------------------------------------------------------------------------


def is_plain_text(part: dict[str, Any]) -> bool:
    """Whether a part is nothing but a text, signed or not."""
    if type(part.get("text")) is not str:
        return False
    return len(part) == 1 or all(key in _TEXT_KEYS or value is None for key, value in part.items())


def merge_text(state: GeminiState, content: Content, part: dict[str, Any]) -> None:
    """A text joins the text before it if both are thoughts or both are not, and neither is signed (G1)."""
    text, thought, signature = part["text"], part.get("thought"), part.get("thoughtSignature")
    if not text and not signature:
        return  # an empty unsigned text is no part
    last = content.joinable_text()
    if last is None or last.is_thought != bool(thought) or (text and signature):
        content.parts.append(TextPart(state, text, thought, signature))
    elif signature:
        last.sign(signature)  # on an empty text it signs the text before it
    else:
        last.text.add(text)


# -- function calls ------------------------------------------------------------------------------


def merge_call(state: GeminiState, content: Content, part: dict[str, Any]) -> None:
    """A call with ``willContinue`` stays open; pieces continue it until the first one without ``willContinue``."""
    call = part["functionCall"]
    streamed = find_open_call(content, call)
    continues = call.get("willContinue") is True
    if streamed is None:
        if not continues and "partialArgs" not in call:
            content.add_whole_call(part)
            return
        streamed = StreamedCall()
        content.open_call(streamed)
    merge_piece(state, streamed, part)
    if not continues:
        content.close_call(streamed)


def find_open_call(content: Content, call: dict[str, Any]) -> StreamedCall | None:
    """Find the open call that a piece continues: by its id, else the newest, unless the piece has a name."""
    ident = call.get("id")
    if ident:
        for streamed in content.open_calls:
            if streamed.id == ident:
                return streamed
    if call.get("name") or not content.open_calls:
        return None
    newest = content.open_calls[-1]
    return None if ident and newest.id else newest


def merge_first(state: GeminiState, call: StreamedCall, key: str, value: Any) -> None:
    """The first value that is not empty wins."""
    if value and not getattr(call, key):
        setattr(call, key, value)


def merge_args(state: GeminiState, call: StreamedCall, key: str, value: dict[str, Any]) -> None:
    call.args = {} if call.args is None else call.args
    merge_unknown(call.args, value)


CALL = Table(
    "content.parts.functionCall.",
    {
        "id": rule(merge_first),
        "name": rule(merge_first),
        "args": {**IGNORED, dict: merge_args},
        "partialArgs": IGNORED,  # `merge_piece` merges them after ``args``
        "willContinue": IGNORED,
    },
    keep_last,
)


def merge_piece(state: GeminiState, call: StreamedCall, part: dict[str, Any]) -> None:
    piece = part["functionCall"]
    merge_object(CALL, state, call, piece)
    for entry in partial_args(piece):
        call.args = {} if call.args is None else call.args
        set_argument(state, call.args, entry)
    call.part_fields |= {key: value for key, value in part.items() if value is not None and key != "functionCall"}


# -- limits --------------------------------------------------------------------------------------


def count_parts(state: GeminiState, content: Content | None, parts: Iterable[Any]) -> int:
    """Return how many parts these would add, at most; raise `LimitReached` if their content cannot take so many."""
    added = calls = 0
    may_continue = True  # no part of this chunk has opened or closed a call
    last = content.joinable_text() if content is not None else None
    before = last.is_thought if last is not None else None  # the text that the next part can join; None: no text
    for part in parts:
        if type(part) is not dict:
            continue  # left out
        call = part.get("functionCall")
        kind = None
        if type(call) is dict:
            # A piece of a call that an earlier part of this chunk opens or closes counts as a part of its own.
            streamed = find_open_call(content, call) if content is not None and may_continue else None
            may_continue = streamed is not None and bool(call.get("willContinue"))
            calls += streamed is None
            added += streamed is None
            check_paths(state.options.limits, (streamed.args or {}) if streamed is not None else {}, call)
        else:
            if is_plain_text(part) and not part.get("thoughtSignature"):
                kind = bool(part.get("thought"))
            added += kind is None or kind != before
        before = kind
    if added:
        _check_room(state, content or Content(), added, calls)
    return added


def _check_room(state: GeminiState, content: Content, added: int, calls: int) -> None:
    limits = state.options.limits
    if len(content.parts) + added > limits.max_items:
        raise LimitReached("items", len(content.parts) + added)
    if content.calls + calls > limits.max_calls:
        raise LimitReached("calls", content.calls + calls)
