"""Bytes to payloads: server-sent events, JSON lines, JSON arrays, one JSON value.

Theory of operation
-------------------
A body is read by lines, because server-sent events are lines, and by values, because JSON is not.
At the start of a line there are three possibilities:

- It opens a JSON value (``{`` or ``[``). The value is followed by counting braces until it closes,
  over as many lines and reads as that takes; what closes is a payload. A top-level array is not a
  payload but a list of them, so its elements come out one by one (Gemini streams such an array).
  This one rule reads JSON lines, pretty-printed JSON, concatenated JSON, and the error object that
  a server drops unframed into an event stream (S15, S16, S18).
- It is a line of an event stream. ``data``, ``event`` and the comment mean what WHATWG 9.2.6 says.
  Beyond the standard: a further ``data`` line after a whole JSON object begins a new event, because
  some proxies strip blank lines (S5); the last event counts without its blank line (S4); ``error:``
  in place of ``data:`` is an event named error (S16).
- It is neither. Then it is ignored, and a note shows it.

Lines end at CR, LF or CRLF and at nothing else: U+2028 is text (S9). Nothing is decoded here but
the event name. A `Frame` is ``(payload, name, offset)``, the offset being that of the line or the
brace where its data begin; its number is its position in the stream. A `Note` is worth a problem
and carries the number of the frame that follows it. Any split of the bytes gives the same frames
and notes: what cannot be decided yet stays in ``_tail`` and is looked at again with more bytes.

Two shortcuts take events that are one ``data`` line, perhaps after one ``event`` line, without looking at
lines one by one: `_plain_events` reads that hold nothing else, all at once, and `_whole_events` such events
among others. They must agree with `_line` on every such event.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from itertools import accumulate, repeat
from typing import NamedTuple

import msgspec

from reducer.saving import Saved

Frame = tuple[bytes, str | None, int | None]

DONE = b"[DONE]"
_BOM = b"\xef\xbb\xbf"
# WHATWG 9.2.5: a line ends at CRLF, LF or CR, and nowhere else.
_LINE_END = re.compile(rb"\r\n|\n|\r")
_STRING_BODY = re.compile(rb'[^"\\\n\r]*+(?:\\[^\n\r][^"\\\n\r]*+)*+')
_BRACKET = re.compile(rb'["{}\[\]]')
_BLANKS = re.compile(rb"[ \t,]*")
_BETWEEN = re.compile(rb"[ \t\r\n,]*")
_SCALAR = re.compile(rb"[^,\]{\[\r\n]+")
# What a last line without an end is the beginning of, if the bytes were cut there.
_STARTS = (b"data:", b"event:", b"error:", b"id:", b"retry:", DONE)
# A line break inside a string is a cut JSON line if what follows begins like a new one.
_NEW_LINE_BEGINS = re.compile(rb'(?:\r\n|\n|\r)(?:\{"|data:|event:)')
# WHATWG 9.2.6 ignores fields it does not name; `curl -i` puts a status line and headers in front.
_IGNORED_FIELD = re.compile(rb"[A-Za-z0-9_.\-]+(?::|\Z)|HTTP/")
# What makes a bracket at the start of a line an array of payloads, and not `[INFO] started`.
_ARRAY_OPENS = re.compile(rb"\[[ \t\r\n]{0,256}[{\[\]]")
_ARRAY_MAY_OPEN = re.compile(rb"\[[ \t\r\n]{0,256}\Z")
# First bytes of bodies that have to be decompressed before anybody can read them (S17).
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x78\x01": "deflate",
    b"\x78\x9c": "deflate",
    b"\x78\xda": "deflate",
}
_FIRST_BYTES = (_BOM, *_COMPRESSED)
DATA = b"data: "
EVENT = b"event: "
_FIELDS = (DATA, EVENT)
_SHOWN = 200  # bytes of unusable input that a note shows
# The fast lane looks at no more than this at once, so that falling out of it stays cheap.
_WINDOW = 1 << 16
_NEEDLE = 24  # a short one is found the quickest


class Note(NamedTuple):
    """Something the framing saw that is worth a problem."""

    code: str
    frame: int
    offset: int
    seen: bytes
    chosen: str


class Frames(msgspec.Struct, gc=False):
    """Frames side by side, as plain events are cut many at once, without looking at each."""

    payloads: list[bytes]
    names: list[bytes] | list[str | None] | None = None  # as bytes: whole ``event`` lines
    where: int | list[int | None] = 0  # the offsets, or that of the first byte: then they follow from the lengths
    line_end: int = 1  # bytes
    kinds: set[bytes] | None = None  # the names that there are, if that is known

    def __len__(self) -> int:
        return len(self.payloads)

    def __iter__(self) -> Iterator[Frame]:
        return map(self.frame, range(len(self.payloads)))

    def frame(self, place: int) -> Frame:
        return (self.payloads[place], self.name(place), self.offset(place))

    def name(self, place: int) -> str | None:
        name = self.names[place] if self.names is not None else None
        return _name(name[len(EVENT) :]) if type(name) is bytes else name  # type: ignore[return-value]

    def errors(self) -> frozenset[int]:
        """Places of the events that are named error."""
        names = self.names
        if not names:
            return _NOWHERE
        name = b"event: error" if type(names[0]) is bytes else "error"
        if name not in (self.kinds or names):
            return _NOWHERE
        return frozenset(place for place, other in enumerate(names) if other == name)

    def offset(self, place: int) -> int | None:
        if type(self.where) is not list:
            # Before an event lie its own event line and other events: two lines and a blank one each, or one.
            lines = [len(name) + self.line_end for name in self.names or ()]  # type: ignore[arg-type]
            sizes = [len(DATA) + len(payload) + 2 * self.line_end for payload in self.payloads]
            if lines:
                sizes = [size + line for size, line in zip(sizes, [*lines[1:], 0], strict=True)]
            begin: int = self.where + (lines[0] if lines else 0)  # type: ignore[operator]
            self.where = list(accumulate(sizes[:-1], initial=begin))
        return self.where[place]

    def part(self, begin: int, end: int) -> Frames:
        return framed([self.frame(place) for place in range(begin, end)])


def framed(frames: Iterable[Frame]) -> Frames:
    """Put frames side by side."""
    payloads, names, where = [list(column) for column in zip(*frames, strict=True)] or ([], [], [])
    return Frames(payloads, names, where)


def _name(value: bytes) -> str | None:
    return str(value, "utf-8", "replace") or None


_NONE = Frames([])
_NOWHERE: frozenset[int] = frozenset()


class Nesting(Saved):
    """Follows one JSON value through its braces, over any number of pieces."""

    __slots__ = ("_depth", "_escaped", "_in_string", "broken")

    def __init__(self) -> None:
        self._depth = 0
        self._in_string = False
        self._escaped = False
        self.broken = False  # a line ended inside a string; `scan` stopped before its end

    def scan(self, data: bytes, at: int = 0) -> int:
        """Return the index behind the value's last byte, or -1 if the value goes on.

        When ``broken`` is set, the index is that of a line end inside a string.
        Scanning on from behind it, after clearing ``broken``, takes it as part of the string.
        """
        end = len(data)
        while at < end:
            if self._escaped:
                self._escaped = False
                at += 1
            elif self._in_string:
                at = _STRING_BODY.match(data, at).end()  # type: ignore[union-attr]
                if at < end:
                    byte = data[at]
                    if byte == 0x22:
                        self._in_string = False
                        at += 1
                    elif byte == 0x5C:
                        self._escaped = True
                        at += 1
                    else:
                        self.broken = True
                        return at
            else:
                found = _BRACKET.search(data, at)
                if found is None:
                    return -1
                at = found.end()
                byte = data[at - 1]
                if byte == 0x22:
                    self._in_string = True
                elif byte in b"{[":
                    self._depth += 1
                else:
                    self._depth -= 1
                    if self._depth <= 0:
                        return at
        return -1


def is_whole(data: bytes) -> bool:
    """Tell whether the bytes are one complete JSON value."""
    try:
        msgspec.json.decode(data, type=msgspec.Raw)
    except (ValueError, RecursionError):
        return False
    return True


def _begins_anew(line: bytes) -> bool:
    """Whether a line is none of a cut value that was printed over many lines, where they are indented or no object."""
    return line.startswith(b"data:") or (line.startswith(b"{") and is_whole(line))


class Framer(Saved):
    """Cuts one body into frames. Feed it bytes, flush it once at the end."""

    __slots__ = (
        "_at",
        "_begun",
        "_data",
        "_data_at",
        "_data_end",
        "_data_first",
        "_data_followed",
        "_data_nesting",
        "_data_size",
        "_dead",
        "_frames",
        "_in_array",
        "_in_line",
        "_max",
        "_name",
        "_nesting",
        "_next_name",
        "_oversize",
        "_pieces",
        "_pieces_size",
        "_skip_lf",
        "_skip_line",
        "_stray",
        "_tail",
        "_value_at",
        "bare",
        "ignored",
        "notes",
        "taken",
        "torn",
    )  # fmt: skip

    def __init__(self, max_event_bytes: int) -> None:
        self.notes: list[Note] = []  # for the caller to take away
        self.torn: tuple[int, bytes] | None = None  # after flush: offset and bytes of no whole event
        self.ignored: tuple[int, bytes] | None = None  # the first line that the standard ignores in silence
        self._frames: list[Frame] = []
        self.taken = 0  # frames given away so far
        self._max = max_event_bytes
        self._begun = False
        self.bare: bool | None = None  # the first frame was a JSON value of its own, neither framed nor in an array
        self._dead = False  # nothing readable can follow
        self._tail = bytearray()  # bytes that cannot be decided yet
        self._at = 0  # offset of the tail's first byte
        self._in_line = False  # the tail is the beginning of a line that opens no value
        self._skip_lf = False  # the last byte fed was the CR that ended a line
        self._skip_line = False  # the rest of this line is past the limit
        self._stray = -1  # the number of frames when a note last said that a line was ignored
        # The event being collected.
        self._data: list[bytes] = []
        self._data_first: bytes | None = None  # the first line that is not blank
        self._data_at = 0
        self._data_size = 0
        self._data_nesting: Nesting | None = None  # follows the data, from their second line on
        self._data_followed = 0  # lines it has seen
        self._data_end = -1  # 0: what it has seen is one whole object
        self._name: str | None = None
        self._next_name: str | None = None  # an event line that came after the data
        self._oversize = False  # this event is past the limit
        # The value being collected.
        self._nesting: Nesting | None = None
        self._pieces: list[bytes] = []
        self._pieces_size = 0
        self._value_at = 0
        self._in_array = False

    def feed(self, data: bytes, begin: int = 0, end: int | None = None) -> Frames:
        """Return the frames that these bytes, or those between two places, complete."""
        end = len(data) if end is None else end
        if self._tail:
            data = data[begin:end]
            self._tail += data
            # Most reads that end nothing are part of a long line: look at it when it ends.
            if self._in_line and b"\n" not in data and b"\r" not in data:
                if len(self._tail) > self._max:
                    self._limit(self._at, bytes(self._tail))
                    self._skip_line = True
                    self._in_line = False
                    self._at += len(self._tail)
                    self._tail = bytearray()
                return _NONE
            data = bytes(self._tail)
            begin, end = 0, len(data)
        plain = None
        if data.startswith(_FIELDS, begin, end) and self._between_events:
            self._begun = True
            line_end = b"\r\n" if data.find(b"\r", begin, end) >= 0 else b"\n"
            stop = data.rfind(line_end + line_end, begin, end)
            plain = self._plain_events(data, begin, stop, line_end)
            if plain is not None:
                stop += 2 * len(line_end)
                self._at += stop - begin
                self.taken += len(plain.payloads)
                self.bare = self.bare or False
                if stop == end:
                    self._tail = bytearray()
                    self._in_line = False
                    return plain
                begin = stop
        data = data[begin:end]
        at = 0
        if not self._begun:
            if len(data) < 4 and any(first.startswith(data) for first in _FIRST_BYTES):
                self._tail = bytearray(data)
                return _NONE
            at = self._begin(data)
        elif self._skip_lf and data:
            self._skip_lf = False
            at = 1 if data[0] == 0x0A else 0
        self._read(data, at, final=False)
        rest = self._take()
        return framed([*plain, *rest]) if plain and rest else plain or rest

    @property
    def _between_events(self) -> bool:
        """Whether the tail, if there is any, begins an event."""
        return not (
            self._data or self._name or self._nesting or self._in_array or self._skip_lf or self._skip_line
            or self._oversize or self._dead
        )  # fmt: skip

    def _plain_events(self, data: bytes, begin: int, stop: int, line_end: bytes) -> Frames | None:
        """Cut these bytes, whole events but for the last blank line, if each is one data line, perhaps after a name."""
        if stop < 0 or stop + 2 * len(line_end) - begin > self._max:
            return None
        if stop - begin > _WINDOW:
            return self._large_event(data, begin, stop, line_end)
        if data.startswith(DATA, begin):
            lines = payloads = data[begin + len(DATA) : stop].split(2 * line_end + DATA)
            names = kinds = None
        else:
            lines = data[begin:stop].split(line_end)
            names, data_lines = lines[0::3], lines[1::3]
            payloads = list(map(bytes.removeprefix, data_lines, repeat(DATA)))
            # Every third line is a data line, and what stands between two of them a blank and an event line.
            if len(lines) != 3 * len(names) - 1 or any(lines[2::3]):
                return None
            if sum(map(len, data_lines)) - sum(map(len, payloads)) != len(DATA) * len(payloads):
                return None
            kinds = set(names)
            if not all(name.startswith(EVENT) for name in kinds):
                return None
        # No line ends but these; where the lines were split at each line feed, there can be none.
        if names is None or len(line_end) == 2:
            rest = b"".join(lines)
            if b"\n" in rest or (len(line_end) == 2 and b"\r" in rest):
                return None
        return Frames(payloads, names, self._at, len(line_end), kinds)

    def _large_event(self, data: bytes, begin: int, stop: int, line_end: bytes) -> Frames | None:
        """Cut one event, of many bytes that are not to be copied again and again, out of its lines."""
        at = begin if data.startswith(DATA, begin) else data.find(line_end, begin) + len(line_end)
        if not data.startswith(DATA, at) or data.find(line_end[:1], at) != stop or data.find(b"\n", at) < stop:
            return None
        name = data[begin : at - len(line_end)] if at > begin else None
        if name is not None and (not name.startswith(EVENT) or b"\r" in name or b"\n" in name):
            return None
        return Frames([data[at + len(DATA) : stop]], [name] if name is not None else None, self._at, len(line_end))

    def flush(self) -> Frames:
        """Return the frames that only the end of the bytes completes; ``torn`` has the rest."""
        if self.idle:
            return _NONE
        data = bytes(self._tail)
        self._read(data, 0 if self._begun else self._begin(data), final=True)
        tries = 8
        while self._nesting is not None:
            tries -= 1
            self._recover(again=tries > 0)
        if self._data:
            payload = b"\n".join(self._data)
            # S4: the last event does without its blank line if it is whole.
            if self._oversize or payload.strip() in (b"", DONE) or is_whole(payload):
                self._end_event()
            else:
                self.torn = (self._data_at, payload if self.torn is None else payload + b"\n" + self.torn[1])
        elif self._name is not None and self.torn is None:
            self.torn = (self._data_at, b"event: " + self._name.encode())
        return self._take()

    @property
    def inside(self) -> bool:
        """Whether the bytes so far end inside a line or a value."""
        return bool(self._tail) or self._nesting is not None

    @property
    def idle(self) -> bool:
        """Whether events have come, and the next byte begins another."""
        return self._begun and self.ready

    @property
    def ready(self) -> bool:
        """Whether the next byte begins an event."""
        return not (self._tail or self._data or self._name or self._nesting or self._in_array or self._skip_lf)

    @property
    def offset(self) -> int:
        """The number of bytes that have been cut into frames."""
        return self._at

    @property
    def fed(self) -> int:
        """The number of bytes that have come."""
        return self._at + len(self._tail)

    def untail(self) -> bytes:
        """Give back the beginning of an event, where nothing but its bytes has been taken."""
        tail = b""
        if self._in_line and not (self._data or self._name or self._oversize or self._skip_line):
            tail = bytes(self._tail)
            self._tail = bytearray()
            self._in_line = False
        return tail

    def pieces(self, data: bytes, begin: int, end: int, head: bytes, tail: bytes) -> tuple[list[bytes], int]:
        """What is between head and tail of the payloads that begin here, as far as all are plain events with both.

        And how many bytes each event has beside it. They are not counted as taken: `skip` does so.
        """
        line_end = b"\r\n" if data.find(b"\r", begin, end) >= 0 else b"\n"
        opens, closes = DATA + head, tail + 2 * line_end
        begin += len(opens)
        stop = data.rfind(closes, begin, end)
        if stop < 0 or not data.startswith(opens, begin - len(opens)) or stop - begin > min(self._max, 2 * _WINDOW):
            return [], 0
        between = closes + opens
        needle, rest = between[-_NEEDLE:], between[:-_NEEDLE]
        rows = data[begin:stop].split(needle)
        last = rows.pop()
        pieces = [*map(bytes.removesuffix, rows, repeat(rest)), last]
        inner = b"".join(pieces)
        alike = len(inner) + len(between) * len(rows) == stop - begin
        if not alike or b"\n" in inner or b"\r" in inner:
            ends = [len(row) - len(rest) for row in rows] + [len(last)]
            sizes = enumerate(zip(pieces, ends, strict=True))
            del pieces[next(at for at, (it, size) in sizes if len(it) != size or b"\n" in it or b"\r" in it) :]
        return pieces, len(between)

    def skip(self, frames: int, size: int) -> None:
        """Count frames that a fast lane has cut, as plain as `_whole_events` cuts them."""
        self.taken += frames
        self._at += size

    def _take(self) -> Frames:
        frames = self._frames
        if frames and self.bare is None:
            self.bare = False
        self._frames = []
        self.taken += len(frames)
        return framed(frames) if frames else _NONE

    def _note(self, code: str, at: int, seen: bytes, chosen: str) -> None:
        self.notes.append(Note(code, self.taken + len(self._frames), at, seen, chosen))

    def _limit(self, at: int, seen: bytes) -> None:
        # No more than the limit is shown: that much has been seen however the bytes were split.
        shown = seen[: min(_SHOWN, self._max)]
        self._note("limit_event_bytes", at, shown, f"not retained: more than {self._max} bytes")

    def _ignore(self, at: int, seen: bytes) -> None:
        """Note text that is no part of a stream, once for all of it between two frames."""
        frame = self.taken + len(self._frames)
        if self._stray != frame:
            self._stray = frame
            if b"\0" in seen or "\ufffd" in str(seen[:-3], "utf-8", "replace"):
                advice = "nothing; if it is compressed, decompress it first: reducer.embed.decoded(data, encoding)"
                self._note("binary", at, seen, advice)
            else:
                self._note("stray_text", at, seen, "ignored")

    # -- the loop --------------------------------------------------------------------------------

    def _begin(self, data: bytes) -> int:
        """Look at the first bytes of all; return where to begin."""
        self._begun = True
        if data.startswith(_BOM):
            return len(_BOM)
        for magic, encoding in _COMPRESSED.items():
            if data.startswith(magic):
                self._dead = True
                advice = f"nothing; decompress it first: reducer.embed.decoded(data, {encoding!r})"
                self._note("compressed", 0, magic, advice)
        return 0

    def _read(self, data: bytes, at: int, *, final: bool) -> None:
        """Go through the bytes as far as they can be decided; the rest becomes the tail."""
        end = len(data)
        self._in_line = False
        # The fast lane is left at whatever it does not know; to try it costs a window at most.
        attempts = 64 if self._max >= _WINDOW else 0
        while at < end and not self._dead:
            if self._nesting is not None:
                after = self._value(data, at, final=final)
            elif self._in_array:
                after = self._between(data, at)
            elif attempts and not (self._data or self._name or self._skip_line or self._oversize):
                attempts -= 1
                at = self._whole_events(data, at)
                if at >= end:
                    break
                after = self._line_start(data, at, final=final)
            else:
                after = self._line_start(data, at, final=final)
            if after < 0:
                break
            at = after
        if self._dead:
            at = end
        self._tail = bytearray(data[at:]) if at < end else bytearray()
        self._at += at

    def _whole_events(self, data: bytes, at: int) -> int:
        """Take whole events from the front, as long as they are of the plain kind."""
        frames = self._frames
        base = self._at
        while True:
            separator, line_end = b"\n\n", b"\n"
            stop = data.rfind(separator, at, at + _WINDOW)
            region = data[at:stop] if stop >= 0 else b"\r"
            if b"\r" in region:
                separator, line_end = b"\r\n\r\n", b"\r\n"
                stop = data.rfind(separator, at, at + _WINDOW)
                region = data[at:stop] if stop >= 0 else b"\r"
                if not region.count(b"\r") == region.count(b"\n") == region.count(b"\r\n"):
                    return at
            if region.startswith(b"data: "):
                # All of the plainest kind: the payloads are what stands between one constant.
                payloads = region[6:].split(separator + b"data: ")
                if region.count(b"\n") == 2 * (len(payloads) - 1):
                    step = len(separator) + 6
                    offsets = accumulate(map(step.__add__, map(len, payloads)), initial=base + at)
                    frames.extend(zip(payloads, repeat(None), offsets, strict=False))
                    at = stop + len(separator)
                    continue
            for block in region.split(separator):
                if line_end not in block:
                    if block.startswith(b"data: "):
                        frames.append((block[6:], None, base + at))
                    elif not block.startswith(b":"):
                        return at
                elif block.startswith(b"event: "):
                    head, _, rest = block.partition(line_end)
                    if not rest.startswith(b"data: ") or line_end in rest:
                        return at
                    name = _name(head[7:])
                    frames.append((rest[6:], name, base + at + len(head) + len(line_end)))
                else:
                    return at
                at += len(block) + len(separator)

    # -- lines -----------------------------------------------------------------------------------

    def _line_start(self, data: bytes, at: int, *, final: bool) -> int:
        """Take one line, or open the value that begins here; -1 asks for more bytes."""
        if not self._skip_line:
            first = _BLANKS.match(data, at).end()  # type: ignore[union-attr]
            if first > at:
                return first  # blanks before a line are no part of it
            byte = data[first]
            if byte == 0x7B:
                self._end_whole_event()
                at_line = at == 0 or data[at - 1] in b"\r\n"
                return self._take_line(data, first) if at_line else self._open_value(first)
            if byte == 0x5B:
                head = data[first : first + len(DONE)]
                if head == DONE:
                    self._end_whole_event()
                    self._emit(DONE, self._at + first)
                    return first + len(DONE)
                if _ARRAY_OPENS.match(data, first):
                    self._end_whole_event()
                    self._in_array = True
                    return first + 1
                if not final and (DONE.startswith(head) or _ARRAY_MAY_OPEN.match(data, first)):
                    return -1
        found = _LINE_END.search(data, at)
        if found is None:
            if not final:
                return self._pass_over(data, at)
            line, after = data[at:], len(data)
        else:
            line, after = data[at : found.start()], found.end()
            self._skip_lf = after == len(data) and data[after - 1] == 0x0D
        if self._skip_line:
            self._skip_line = False
            self._oversize = True
        elif len(line) > self._max:
            self._limit(self._at + at, line)
            self._oversize = True
        elif found is None and any(start.startswith(line.rstrip(b" ")) for start in _STARTS) and line:
            self.torn = (self._at + at, line)
        else:
            self._line(line, self._at + at)
        return after

    def _pass_over(self, data: bytes, at: int) -> int:
        """Skip what belongs to a line past the limit; otherwise ask for the rest of the line."""
        if self._skip_line:
            return len(data)
        if len(data) - at > self._max:
            self._limit(self._at + at, data[at:])
            self._skip_line = True
            return len(data)
        self._in_line = True
        return -1

    def _line(self, line: bytes, at: int) -> None:
        if not line:
            self._end_event()
            return
        field, colon, value = line.partition(b":")
        if value.startswith(b" "):
            value = value[1:]
        if field == b"data":
            self._add_data(value, at)
        elif field == b"event":
            name = _name(value)
            if self._data:
                self._next_name = name
            else:
                self._name = name
                self._data_at = at
        elif field == b"error" and colon:
            # S16: llama.cpp sends `error: {...}` where `data:` belongs.
            self._end_whole_event()
            self._name = "error"
            self._add_data(value, at)
        elif _IGNORED_FIELD.match(line):
            if self.ignored is None and field not in (b"id", b"retry"):
                self.ignored = (at, line[:_SHOWN])
        elif field:
            self._ignore(at, line[:_SHOWN])

    def _add_data(self, value: bytes, at: int) -> None:
        if self._oversize and value.lstrip().startswith(b"{"):
            self._end_event()
        elif self._data and self._data_whole():
            # S5: a proxy has stripped the blank lines.
            name = self._next_name
            self._next_name = None
            self._end_event()
            self._name = name
        if not self._data:
            self._data_at = at
        self._data_size += len(value) + 1
        if self._data_size > self._max + 1 and not self._oversize:
            self._oversize = True
            self._limit(self._data_at, b"\n".join([*self._data, value]))
        if not self._oversize:
            self._data.append(value)
            if self._data_first is None and value.strip():
                self._data_first = value

    def _data_whole(self) -> bool:
        """Tell whether the data so far are one JSON object or the end marker; linear over many lines."""
        data = self._data
        first = self._data_first
        if first is None or self._oversize:
            return False
        if first.strip() == DONE:
            return True
        if not first.lstrip().startswith(b"{"):
            return False
        if self._data_nesting is None:
            self._data_nesting = Nesting()
        while self._data_followed < len(data):
            line = data[self._data_followed]
            self._data_followed += 1
            self._data_end = -1 if self._data_end >= 0 else self._data_nesting.scan(line)
            if self._data_end >= 0:
                self._data_end = len(line[self._data_end :].strip())
        return self._data_end == 0

    def _end_whole_event(self) -> None:
        if self._data and self._data_whole():
            self._end_event()

    def _end_event(self) -> None:
        if self._data and not self._oversize:
            payload = self._data[0] if len(self._data) == 1 else b"\n".join(self._data)
            self._frames.append((payload, self._next_name or self._name, self._data_at))
        if self._data:
            self._data = []
            self._data_size = 0
            self._data_nesting = None
            self._data_followed = 0
            self._data_end = -1
            self._data_first = None
        self._name = self._next_name = None
        self._oversize = False

    # -- values ----------------------------------------------------------------------------------

    def _take_line(self, data: bytes, at: int) -> int:
        """Take a value that is whole on its line at once (JSON lines); open it otherwise."""
        stop = data.find(b"\n", at)
        if stop >= 0:
            line = data[at:stop].rstrip()
            if line.endswith(b"}") and len(line) <= self._max and is_whole(line):
                self._emit(line, self._at + at)
                return at + len(line)
        return self._open_value(at)

    def _open_value(self, at: int) -> int:
        self._nesting = Nesting()
        self._value_at = self._at + at
        return at

    def _value(self, data: bytes, at: int, *, final: bool) -> int:
        """Follow the value that is open; -1 asks for more bytes."""
        nesting = self._nesting
        assert nesting is not None
        begin = at
        if nesting.broken:
            if len(data) - at < 8 and not final:
                return -1
            if _NEW_LINE_BEGINS.match(data, at):
                self._close_value()
                return at
            nesting.broken = False
            at += 1
        stop = nesting.scan(data, at)
        piece = data[begin:stop] if stop >= 0 else data[begin:]
        if self._pieces_size <= self._max:
            self._pieces.append(piece)
            self._pieces_size += len(piece)
            if self._pieces_size > self._max:
                self._limit(self._value_at, b"".join(self._pieces))
                self._pieces.clear()
        if stop < 0:
            return len(data)
        if not nesting.broken:
            self._close_value()
        return stop

    def _close_value(self) -> None:
        pieces = self._pieces
        if self._pieces_size <= self._max:
            self._emit(pieces[0] if len(pieces) == 1 else b"".join(pieces), self._value_at)
        self._nesting = None
        self._pieces = []
        self._pieces_size = 0

    def _emit(self, payload: bytes, at: int) -> None:
        if self.bare is None:
            self.bare = not (self._frames or self._in_array)
        self._frames.append((payload, None if self._data else self._name, at))
        if not self._data:
            self._name = None

    def _between(self, data: bytes, at: int) -> int:
        """Take what stands between the elements of an array."""
        at = _BETWEEN.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        if data[at] == 0x5D:
            self._in_array = False
            return at + 1
        if data[at] in b"{[":
            return self._open_value(at)
        self._ignore(self._at + at, data[at : at + 1])
        return _SCALAR.match(data, at).end()  # type: ignore[union-attr]

    def _recover(self, *, again: bool) -> None:
        """The bytes have ended inside a value: give up its first line and read on behind it."""
        value = b"".join(self._pieces)
        at = self._value_at
        oversize = self._pieces_size > self._max
        self._nesting = None
        self._pieces = []
        self._pieces_size = 0
        if oversize:
            return
        found = _LINE_END.search(value)
        rest = value[found.end() :] if found else b""
        if again and any(map(_begins_anew, rest.splitlines())):
            self._emit(value[: found.start()] if found else value, at)
            self._in_array = False
            self._at = at + len(value) - len(rest)
            self._read(rest, 0, final=True)
        else:
            self.torn = (at, value)
