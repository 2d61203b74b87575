"""What a message says: texts, lists of parts, reasoning details, thinking blocks, audio."""

from __future__ import annotations

import base64
from typing import Any

from reducer.body import copied
from reducer.dialects.generic import GrowingList, built, keep_strings, merge_unknown
from reducer.dialects.text import Fragments, Text, WithTexts

# -- texts and parts -----------------------------------------------------------------------------

_JOINED_PARTS = ("text", "thinking", "reasoning")
_JOINED_SUMMARIES = (*_JOINED_PARTS, "summary_text")  # in the summary of a reasoning part (Databricks)


class MessageText(Text):
    """A text key of a message. It becomes a list of parts as soon as one delta is a list (decision 8, C2)."""

    is_null: bool  # no delta has had a value other than null
    parts: list[WithTexts] | None  # the text is in the first part then

    def __init__(self, state: Any) -> None:
        super().__init__(state)
        self.is_null = True
        self.parts = None

    def add(self, value: Any) -> None:
        """Add a delta: a string, a part, or a list of parts."""
        self.is_null = False
        if type(value) is str and self.parts is None:
            super().add(value)
            return
        if self.parts is None:
            self.parts = []
            if self.fragments:
                _add_part(self.parts, {"type": "text", "text": str(self)})
        for part in value if type(value) is list else [value]:
            if type(part) is not str:
                _add_part(self.parts, part)
            elif part:
                _add_part(self.parts, {"type": "text", "text": part})

    def extend(self, pieces: list[str]) -> None:
        """Add several strings; there are no parts."""
        self.is_null = False
        super().extend(pieces)

    def build(self) -> Any:
        """Return the text, or the list of parts if some part is not plain text."""
        if self.parts is None:
            return None if self.is_null else str(self)
        parts = built(self.parts)
        if all(_is_plain(part) for part in parts):
            return "".join(part["text"] for part in parts)
        return parts

    def __bool__(self) -> bool:
        return bool(self.fragments or self.parts)


def _is_plain(part: Any) -> bool:
    """Whether a part is nothing but text."""
    return (
        type(part) is dict and part.keys() == {"type", "text"} and part["type"] == "text" and type(part["text"]) is str
    )


def _add_part(parts: list[Any], part: Any, joined: tuple[str, ...] = _JOINED_PARTS) -> None:
    """Append a part; it joins the last one if both are of one type, and this is a type whose parts join."""
    if part is None:
        return
    last = parts[-1] if parts else None
    if type(part) is not dict or part.get("type") not in joined:
        parts.append(copied(part))
        return
    if type(last) is not dict or last.get("type") != part["type"]:
        last = {"type": part["type"]}
        parts.append(last)
    for key, value in part.items():
        if key == "type" or value is None:
            last.setdefault(key, None)
        elif key in ("text", part["type"]) and type(value) is str:
            _append_text(last, key, value)
        elif type(value) is list:
            if type(last.get(key)) is not list:
                last[key] = []
            is_summary = key == "summary" and part["type"] == "reasoning"
            for entry in value:
                _add_part(last[key], entry, _JOINED_SUMMARIES if is_summary else _JOINED_PARTS)
        elif not is_blank(value) or is_blank(last.get(key)):
            last[key] = copied(value)


def _append_text(into: dict[str, Any], key: str, value: str) -> None:
    """Append to a text of an object; a value there that is no text is replaced."""
    text = into.get(key)
    if type(text) is not Fragments:
        text = into[key] = Fragments(text if type(text) is str else "")
    text.append(value)


def merge_content(state: Any, choice: Any, key: str, value: Any) -> None:
    choice.content.add(value)


def merge_text(state: Any, choice: Any, key: str, value: Any) -> None:
    """A text other than the content. A key that is always null stays, as null (decision 6)."""
    text = choice.texts.get(key)
    if text is None:
        text = choice.texts[key] = MessageText(state)
    if value is not None:
        text.add(value)


# -- undeclared keys and lists -------------------------------------------------------------------


def merge_undeclared(state: Any, choice: Any, key: str, value: Any) -> None:
    """Decision 5: the generic rule. Every value of a string is kept, so that no text is lost unreported."""
    texts = state.options.text_keys
    if type(value) is str and value and key in texts:
        merge_text(state, choice, key, value)
        return
    keep_strings(choice.strings, key, value, texts)
    if key not in choice.texts:
        merge_unknown(choice.message_fields, {key: value}, in_delta=True, texts=texts)


def append_whole_entries(state: Any, choice: Any, key: str, value: list[Any]) -> None:
    """A list whose entries come whole: their ``index`` counts those of one chunk and names no entry (C36, C37)."""
    entries = choice.message_fields.get(key)
    if type(entries) is not GrowingList:
        before = [entries] if type(entries) is dict else []
        entries = choice.message_fields[key] = GrowingList(whole=True)
        entries.add(before)
    entries.add(value)


def append_whole_entry(state: Any, choice: Any, key: str, value: dict[str, Any]) -> None:
    """An object alone is kept as it came (Copilot's annotations), but after a list it is a further entry."""
    if type(choice.message_fields.get(key)) is GrowingList:
        state.report("wrong_type", {f"choices.delta.{key}": "object"}, "read as a list of one")
        append_whole_entries(state, choice, key, [value])
    else:
        merge_undeclared(state, choice, key, value)


def is_blank(value: Any) -> bool:
    """Whether a value says nothing, so that it replaces nothing. 0 and ``false`` say something."""
    return value is None or value == "" or value == [] or value == {}


# -- reasoning details, thinking blocks ----------------------------------------------------------

_DETAIL_TEXTS = ("text", "summary", "data")


def merge_details(state: Any, choice: Any, key: str, value: list[Any]) -> None:
    """OpenRouter's reasoning details."""
    if choice.details is None:
        choice.details = []
    for detail in value:
        add_detail(choice.details, detail)


def add_detail(details: list[Any], detail: Any) -> None:
    """Append a detail; it continues the last one of the same index, type and id (C6)."""
    last = details[-1] if details else None
    if type(detail) is not dict or type(last) is not dict or not continues_detail(last, detail):
        details.append(_started(detail, _DETAIL_TEXTS))
        return
    for key, value in detail.items():
        if key in _DETAIL_TEXTS and type(value) is str:
            _append_text(last, key, value)
        elif value is not None and (key not in ("id", "format", "type") or not last.get(key)):
            last[key] = copied(value)
        else:
            last.setdefault(key, value)


def continues_detail(last: dict[str, Any], detail: dict[str, Any]) -> bool:
    kind = detail.get("type")
    if type(kind) is str and "encrypted" in kind:
        return False
    if last.get("type") != kind or last.get("index") != detail.get("index"):
        return False
    return last.get("id") == detail.get("id") or not last.get("id") or not detail.get("id")


def merge_thinking_blocks(state: Any, choice: Any, key: str, value: list[Any]) -> None:
    """LiteLLM's blocks: thinking joins until a signature closes the block."""
    blocks = choice.message_fields.setdefault(key, [])
    for block in value:
        last = blocks[-1] if blocks else None
        if type(block) is dict and type(last) is dict and _continues_block(last, block):
            for name, entry in block.items():
                if name == "thinking" and type(entry) is str:
                    _append_text(last, name, entry)
                elif entry is not None:
                    last[name] = copied(entry)
        else:
            blocks.append(_started(block, ("thinking",)))


def _continues_block(last: dict[str, Any], block: dict[str, Any]) -> bool:
    return last.get("type") == block.get("type") == "thinking" and not last.get("signature")


def _started(entry: Any, texts: tuple[str, ...]) -> Any:
    """Return a copy of an entry whose texts may grow."""
    if type(entry) is not dict:
        return copied(entry)
    return {
        key: Fragments(value) if key in texts and type(value) is str else copied(value) for key, value in entry.items()
    }


# -- audio ---------------------------------------------------------------------------------------


def merge_audio(state: Any, choice: Any, key: str, value: dict[str, Any]) -> None:
    """Spoken output: the first id, the data and the transcript joined, of the rest the last (C35)."""
    if choice.audio is None:
        choice.audio = {}
    audio = choice.audio
    for name, entry in value.items():
        if name in ("data", "transcript") and entry is not None:
            if type(entry) is str:
                audio.setdefault(name, []).append(entry)
            else:
                state.report("wrong_type", {f"choices.delta.audio.{name}": entry}, "left out")
        elif entry is not None and not (name == "id" and audio.get("id")):
            audio[name] = copied(entry)


def build_audio(audio: dict[str, Any]) -> dict[str, Any]:
    body = dict(audio)
    if type(audio.get("transcript")) is list:
        body["transcript"] = "".join(audio["transcript"])
    if type(audio.get("data")) is list:
        body["data"] = _join_base64([piece for piece in audio["data"] if piece])
    return body


def _join_base64(pieces: list[str]) -> str:
    """Join base64 as text, unless a piece before the last is padded and so encodes bytes of its own (C35)."""
    if any(piece.endswith("=") for piece in pieces[:-1]):
        try:
            return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
        except ValueError:
            pass
    return "".join(pieces)
