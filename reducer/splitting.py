"""Split a payload that is not JSON into the events in it and the text around them (decision 17; S23).

Framing joins the data lines of an event and does not look at the text, because that would cost more than framing
itself. Some servers write two values on one line, or a value and the next field, or cut a value and write the next one
after it. Such a payload is not JSON. `Responses` calls `split` for these payloads only.

A further value is a further event. Everything else becomes a piece with the code of a problem. The pieces together hold
every byte of the payload but white space.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from reducer.frames import DONE
from reducer.json_value import is_json

_MOST_FAILURES = 100  # places where a value begins and does not end: each may cost a look at the rest of the payload

_WHITE_SPACE = re.compile(r"[ \t\r\n]*")
_COMMAS = re.compile(r",[ \t\r\n,]*")
_END_MARKER = re.compile(r'\[DONE\]|"\[DONE\]"')
_FIELD = re.compile(r"data:[ \t]*(?=[{\[])|event:[ \t]*([\w.\-]+)")
# In a text after a value: the end of the line, or a place where something else may begin.
_TEXT_MAY_END = re.compile(r"\n|\{|(?<!\w)(?:data:[ \t]*[{\[]|event:)")
_DATA_BEFORE_OBJECT = re.compile(r"data:[ \t]*(?=\{)")


class Piece(NamedTuple):
    """A part of a payload: an event, or text that is part of none."""

    text: bytes
    name: str | None = None  # of the event
    problem: str | None = None  # the code that reports the text; None: the text is an event


def split(payload: bytes, name: str | None) -> list[Piece]:
    """Return the pieces of a payload that is not JSON; an empty list if it holds no event.

    ``name`` is the name of the payload's event.
    """
    if b"{" not in payload and b"[" not in payload:
        return []
    return _Splitter(payload, name).split()


def split_torn(payload: bytes) -> tuple[bytes, bytes]:
    """Split the data of an event whose blank line never came into the whole values and the cut rest (S4).

    The rest is empty if every value is whole. The first part is empty if none is.
    """
    if payload.strip() in (b"", DONE) or is_json(payload):
        return payload, b""
    pieces = split(payload, None)
    if not pieces:
        return b"", payload
    if pieces[-1].problem != "not_json":
        return payload, b""
    cut = pieces[-1].text
    return payload.rstrip(b" \t\r\n").removesuffix(cut), cut


class _Splitter:
    """Reads one payload from left to right. Text is decoded such that every byte can be written back."""

    def __init__(self, payload: bytes, name: str | None) -> None:
        from json import JSONDecoder  # imported late, because few streams need it

        # Numbers stay text: Python refuses to convert very long ones.
        self._decode = JSONDecoder(strict=False, parse_int=str, parse_float=str).raw_decode
        self._text = payload.decode("utf-8", "surrogateescape")
        self._name = name  # of the values that follow
        self._pieces: list[Piece] = []
        self._failures = 0

    def split(self) -> list[Piece]:
        text = self._text
        at = self._skip_white_space(0)
        end = self._find_value_end(at)
        if end < 0:
            at = self._find_next_event(at)
            if at < 0:
                return []
            self._add(0, at, "not_json")
        while at < len(text):
            at = self._skip_white_space(self._read(at))
        return self._pieces

    def _read(self, at: int) -> int:
        """Read what stands at a place after a value, or where a value begins; return the place after it."""
        text = self._text
        end = self._find_value_end(at)
        if end >= 0:
            self._add(at, end, None)
            return end
        commas = _COMMAS.match(text, at)
        if commas is not None:
            self._add(at, commas.end(), "stray_text")
            return commas.end()
        field = _FIELD.match(text, at)
        if field is not None:
            self._name = field[1]
            self._add(at, field.end(), "stray_text")
            return field.end()
        if text[at] == "{":
            end = self._find_next_event(at)
            end = len(text) if end < 0 else end
            self._add(at, end, "not_json")
        else:
            end = self._find_text_end(at)
            self._add(at, end, "stray_text")
        return end

    def _find_value_end(self, at: int) -> int:
        """Return the place after the object, array or end marker that begins here; -1 if none does."""
        marker = _END_MARKER.match(self._text, at)
        if marker is not None:
            return marker.end()
        if not self._text.startswith(("{", "["), at) or self._failures > _MOST_FAILURES:
            return -1
        try:
            return self._decode(self._text, at)[1]
        except (ValueError, RecursionError):
            self._failures += 1
            return -1

    def _find_next_event(self, at: int) -> int:
        """Return the place of the first event after a value that was cut, or after text without a value; or -1.

        The event stands after a ``data:`` in the cut object. Otherwise it is on a later line, and every line from there
        to the end begins with a whole value: lines of a cut object that was printed over many lines are no events.
        """
        text = self._text
        if text.startswith("{", at):
            for field in _DATA_BEFORE_OBJECT.finditer(text, at):
                if self._find_value_end(field.end()) >= 0:
                    return field.end()
                if self._failures > _MOST_FAILURES:
                    break
        found = -1
        begin = len(text)
        while True:
            line_end = begin
            begin = text.rfind("\n", at, line_end) + 1
            if begin == 0:
                break
            place = self._skip_white_space(begin)
            if place < line_end:
                if self._find_value_end(place) < 0:
                    break
                if text[place] != "[" or found >= 0:
                    found = place
            begin -= 1
        return found

    def _find_text_end(self, at: int) -> int:
        """Return the place where a text after a value ends: at the line's end, or where a field or an object begins."""
        text = self._text
        for match in _TEXT_MAY_END.finditer(text, at + 1):
            if match[0] != "{" or self._find_value_end(match.start()) >= 0:
                return match.start()
        return len(text)

    def _skip_white_space(self, at: int) -> int:
        return _WHITE_SPACE.match(self._text, at).end()  # type: ignore[union-attr]

    def _add(self, begin: int, end: int, problem: str | None) -> None:
        text = self._text[begin:end].strip(" \t\r\n").encode("utf-8", "surrogateescape")
        self._pieces.append(Piece(text, None if problem else self._name, problem))
