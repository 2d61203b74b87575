"""Frames and notes, which framing returns, and the open event and the run of stray lines that become one.

A frame is a payload with a name and an offset.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import accumulate
from typing import Any, Literal, NamedTuple

import msgspec

from reducer.json_value import Nesting, append
from reducer.saving import Saved

Frame = tuple[bytes, str | None, int | None]  # payload, name of the event, offset of the data line or the bracket

DATA = b"data: "
EVENT = b"event: "
DONE = b"[DONE]"
SHOWN = 200  # bytes of unusable input that a note shows
_OBJECT_SHOWN = 1024  # the same, if the input holds a JSON object
_EVENT_FIELD = b"event:"
_IF_COMPRESSED = "nothing; if it is compressed, decompress it first: reducer.embed.decoded(data, encoding)"


class Note(NamedTuple):
    """Something that the framer saw and that is worth a problem."""

    code: str
    frame: int  # the number of the frame that follows
    offset: int
    seen: bytes
    chosen: str


class StrayRun(Saved):
    """Lines between two frames that are not part of a stream."""

    frame: int  # the number of the frame that follows
    offset: int  # of the first line
    holds_object: bool  # some line has a JSON object as the value of its field
    code: Literal["stray_text", "binary"]  # decided by the first line
    seen: bytes
    lines: int
    size: int  # bytes, without line ends

    def __init__(self, frame: int, offset: int, line: bytes, *, holds_object: bool) -> None:
        self.frame = frame
        self.offset = offset
        self.holds_object = holds_object
        self.code = "stray_text" if _is_text(line[:SHOWN]) else "binary"
        self.seen = line[: self._most_shown]
        self.lines = 1
        self.size = len(line)

    def add(self, line: bytes) -> None:
        self.lines += 1
        self.size += len(line)
        if len(self.seen) < self._most_shown:
            self.seen = (self.seen + b"\n" + line)[: self._most_shown]

    def note(self) -> Note:
        chosen = "ignored" if self.code == "stray_text" else _IF_COMPRESSED
        if self.lines > 1:
            chosen += f"; {self.lines} lines, {self.size} bytes"
        return Note(self.code, self.frame, self.offset, self.seen, chosen)

    @property
    def _most_shown(self) -> int:
        return _OBJECT_SHOWN if self.holds_object else SHOWN


class Frames(msgspec.Struct, gc=False):
    """Frames in columns: payloads, names and offsets.

    For events that are cut together, decoding the names and adding up the offsets is left until somebody asks: most
    are never looked at.
    """

    payloads: list[bytes]
    names: list[bytes] | list[str | None] | None = None  # None: no event has a name. Bytes: whole ``event`` lines
    offsets: int | list[int | None] = 0  # an integer: the offset of the first line; the events follow each other
    line_end: int = 1  # bytes of each line end, if `offsets` is an integer
    distinct_names: set[Any] | None = None  # the different values of `names`; None: not collected yet

    def __len__(self) -> int:
        return len(self.payloads)

    def __iter__(self) -> Iterator[Frame]:
        return map(self.frame, range(len(self.payloads)))

    def frame(self, place: int) -> Frame:
        return (self.payloads[place], self.name(place), self.offset(place))

    def name(self, place: int) -> str | None:
        name = self.names[place] if self.names is not None else None
        return decode_name(name[len(EVENT) :]) if type(name) is bytes else name  # type: ignore[return-value]

    def has_error(self) -> bool:
        """Whether some event is named error."""
        if not self.names:
            return False
        if self.distinct_names is None:
            self.distinct_names = set(self.names)
        return "error" in self.distinct_names or b"event: error" in self.distinct_names

    def offset(self, place: int) -> int | None:
        if type(self.offsets) is int:
            self.offsets = self._add_up_offsets(self.offsets)
        return self.offsets[place]  # type: ignore[index]

    def _add_up_offsets(self, begin: int) -> list[int | None]:
        """Return the offsets of events that have, each, an event line if there are names, a data line, a blank line."""
        sizes = [len(DATA) + len(payload) + 2 * self.line_end for payload in self.payloads[:-1]]
        if self.names:
            event_lines = [len(line) + self.line_end for line in self.names]  # type: ignore[arg-type]
            begin += event_lines[0]
            sizes = [size + line for size, line in zip(sizes, event_lines[1:], strict=True)]
        return list(accumulate(sizes, initial=begin))

    def end(self, place: int) -> int | None:
        """Return the offset after the payload, as if it stood on one ``data`` line; ``None`` without framing."""
        offset = self.offset(place)
        return None if offset is None else offset + len(DATA) + len(self.payloads[place])

    def part(self, begin: int, end: int) -> Frames:
        return in_columns([self.frame(place) for place in range(begin, end)])


NO_FRAMES = Frames([], None, [])


def in_columns(frames: Iterable[Frame]) -> Frames:
    """Put frames into columns."""
    payloads, names, offsets = [list(column) for column in zip(*frames, strict=True)] or ([], [], [])
    return Frames(payloads, names, offsets)


def decode_name(value: bytes) -> str | None:
    """Return the name in an event line's value; ``None`` if it is empty."""
    return str(value, "utf-8", "replace") or None


class OpenEvent(Saved):
    """An event of which some line has come, but not the blank line."""

    offset: int  # of the first data line; before there is one, of the event line
    name: str | None
    next_name: str | None  # from an event line after the data; the next event's name if data follow
    payload: bytes | bytearray | None  # the data lines, joined; None: there is no data line
    is_oversize: bool  # past the limit: further data lines are dropped, and the event is no frame
    _unscanned: bytes  # the last data line, if `is_whole` has not looked at it
    _shape: Literal["blank", "object", "whole", "text"]  # of the data lines that `is_whole` has looked at
    _nesting: Nesting | None  # follows the object

    def __init__(self, offset: int) -> None:
        self.offset = offset
        self.name = None
        self.next_name = None
        self.payload = None
        self.is_oversize = False
        self._unscanned = b""
        self._shape = "blank"
        self._nesting = None

    def add(self, value: bytes) -> None:
        self.payload = value if self.payload is None else append(self.payload, b"\n" + value)
        self._unscanned = value

    def add_name(self, name: str | None, offset: int) -> None:
        if self.payload is not None:
            self.next_name = name
        else:
            self.name = name
            self.offset = offset

    def take_name(self) -> str | None:
        """Return the name for a value that stands where data could, and forget the name."""
        if self.payload is not None:
            return None
        name, self.name = self.name, None
        return name

    def is_whole(self) -> bool:
        """Whether the data lines begin with a whole JSON object, or are the end marker. Looks at each line once."""
        line, self._unscanned = self._unscanned, b""
        if self._shape == "blank" and (text := line.strip()):
            self._shape = "whole" if text == DONE else "object" if text.startswith(b"{") else "text"
        if self._shape == "object":
            self._nesting = self._nesting or Nesting()
            end = self._nesting.scan(line)
            if end >= 0:  # further text cannot make this JSON; `event:` in the text names the next data line
                self._shape = "text" if _EVENT_FIELD in line[end:] else "whole"
        return self._shape == "whole" and not self.is_oversize


def _is_text(seen: bytes) -> bool:
    """Whether bytes are UTF-8, except that the last character may be cut, and have no NUL."""
    return b"\0" not in seen and "\ufffd" not in str(seen[:-3], "utf-8", "replace")
