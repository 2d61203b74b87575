"""One JSON value in bytes: whether it is whole, and where it ends. This module does not look at what a value means."""

from __future__ import annotations

import re

import msgspec

from reducer.saving import Saved

_STRING_BODY = re.compile(rb'[^"\\\n\r]*+(?:\\[^\n\r][^"\\\n\r]*+)*+')
_BRACKET_OR_QUOTE = re.compile(rb'["{}\[\]]')
_QUOTE, _BACKSLASH = b'"\\'


def is_json(data: bytes | str) -> bool:
    """Whether this is one complete JSON value, perhaps with white space around it."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def is_json_object(data: bytes) -> bool:
    """Whether this is one complete JSON object, perhaps with white space around it."""
    return data.lstrip().startswith(b"{") and is_json(data)


class Nesting(Saved):
    """Finds the end of one JSON object or array by counting its brackets, over any number of pieces."""

    _depth: int  # brackets that are open
    _in_string: bool  # the next byte belongs to a string
    _is_escaped: bool  # the last byte was a backslash in a string
    at_line_end: bool  # `scan` stopped at a line end inside a string, which JSON does not allow

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._is_escaped = False
        self.at_line_end = False

    def scan(self, data: bytes | bytearray, at: int = 0) -> int:
        """Return the place after the value's last byte, or -1 if the value goes on.

        At a line end inside a string, set ``at_line_end`` and return the place of the line end. A further call from
        that place reads the line end as part of the string.
        """
        if self.at_line_end:
            self.at_line_end = False
            at += 1
        end = len(data)
        while at < end:
            if self._is_escaped:
                self._is_escaped = False
                at += 1
            elif self._in_string:
                at = _STRING_BODY.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    byte = data[at]
                    if byte == _QUOTE:
                        self._in_string = False
                    elif byte == _BACKSLASH:
                        self._is_escaped = True
                    else:
                        self.at_line_end = True
                        return at
                    at += 1
            else:
                found = _BRACKET_OR_QUOTE.search(data, at)
                if found is None:
                    return -1
                at = found.end()
                byte = data[at - 1]
                if byte == _QUOTE:
                    self._in_string = True
                elif byte in b"{[":
                    self._depth += 1
                else:
                    self._depth -= 1
                    if self._depth <= 0:
                        return at
        return -1


class OpenValue(Nesting):
    """A JSON object or array of which not all bytes have come."""

    offset: int  # of the opening bracket
    is_closed: bool
    payload: bytes | bytearray | None  # the bytes so far; None: more than the limit

    def __init__(self, offset: int) -> None:
        super().__init__()
        self.offset = offset
        self.is_closed = False
        self.payload = b""

    def read(self, data: bytes, at: int) -> int:
        """Add the value's bytes from a place on; return the place after them."""
        stop = self.scan(data, at)
        after = stop if stop >= 0 else len(data)
        self.is_closed = stop >= 0 and not self.at_line_end
        if self.payload is not None:
            piece = data[at:after]
            if type(self.payload) is bytearray:
                self.payload += piece
            else:
                self.payload = append(self.payload, piece) if self.payload else piece
        return after


def append(data: bytes | bytearray, more: bytes) -> bytearray:
    """Append to data that stay ``bytes`` until the first append, because most payloads come in one piece."""
    data = data if type(data) is bytearray else bytearray(data)
    data += more
    return data
