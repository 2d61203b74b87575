"""Cut a body into payloads: server-sent events, JSON lines, a JSON array, one JSON value.

This is the package's only grammar of SSE lines.

A framer reads a body from left to right. At the start of a line there are three possibilities:

- A JSON value opens (``{`` or ``[``). The framer counts brackets until the value closes, over any number of lines and
  reads. An object is a payload; a top-level array is a list of payloads, because Gemini streams such an array. This one
  rule reads JSON lines, pretty-printed JSON, concatenated JSON, and an error object that a server writes into an event
  stream without ``data:`` (S15, S16, S18).
- A line of an event stream. ``data``, ``event`` and comments follow WHATWG 9.2.6, with these leniencies: a ``data``
  line after a whole JSON object begins a new event, because some proxies strip blank lines (S5); the last event counts
  without its blank line if it is whole (S4); ``error:`` is read as ``data:`` of an event named error (S16).
- Anything else. The framer ignores the line. A note reports it if it is not a field, or if the field is unknown and its
  value is a JSON object (S24), but not inside the head of an HTTP response. One note stands for a run of lines.

Lines end at CR, LF or CRLF only: U+2028 is text (S9). Payloads stay bytes; nothing but names is decoded. Frames and
notes do not depend on how the body is split into reads: bytes that cannot be decided yet wait in ``_tail``.

How the code is arranged: `Framer.feed` tries a shortcut, `cut_alike`, and gives everything else to `_read`, which calls
one method for each thing that can begin at a place. `_read_line` gives whole lines to `_on_line`. A new leniency for a
kind of line belongs in `_on_line` or `_on_other_line`; the shortcuts must then refuse the lines that the leniency
changes. Framing looks at the text of an event only if a further data line follows without a blank line, or the body
ends: `Responses` splits a payload that is not JSON, such as ``{A}{B}``, by `splitting.split`.

There are two shortcuts because reading by lines costs 2 to 7 µs an event. `cut_alike` costs 0.15 µs, but all events of
a read must have one form. `cut_mixed` costs 1 µs, and accepts comments, ids, and events with and without names.
`_read_line` must read everything that a shortcut accepts in the same way.
"""

from __future__ import annotations

import re
from itertools import repeat

from reducer.frames import (
    DATA,
    EVENT,
    NO_FRAMES,
    SHOWN,
    Frame,
    Frames,
    Note,
    OpenEvent,
    StrayRun,
    decode_name,
    in_columns,
)
from reducer.frames import DONE as DONE
from reducer.json_value import OpenValue, is_json, is_json_object
from reducer.saving import Saved
from reducer.splitting import split_torn

_BOM = b"\xef\xbb\xbf"
_LF, _CR, _OPEN_BRACE, _OPEN_BRACKET, _CLOSE_BRACKET = b"\n\r{[]"
_PLAIN_STARTS = (DATA, EVENT)

# The first bytes of compressed bodies (S17).
_COMPRESSED = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\x78\x01": "deflate",
    b"\x78\x9c": "deflate",
    b"\x78\xda": "deflate",
}
_LINE_END = rb"(?:\n|\r\n)"
_PLAIN_FIRST_BYTES = b"de:ir\r\n"  # of what `cut_mixed` accepts
# What `cut_mixed` accepts: an event, or lines that say nothing. Their number is bounded, so that a run of them that is
# too long for the limit is not searched again and again.
_PLAIN_EVENT = re.compile(
    rb"(?:event: ([^\r\n]*)%b)?data: ([^\r\n]*)%b%b" % ((_LINE_END,) * 3)
    + rb"|(?:(?::|id:|retry:)[^\r\n]*%b|%b){1,32}" % ((_LINE_END,) * 2)
)
_FIRST_BYTES = (_BOM, *_COMPRESSED)
_MOST_FIRST_BYTES = 4  # the longest of them
# The binary frames of AWS event streams: lengths and checksum, and the first header, whose name begins with a colon.
_BINARY_FRAME = re.compile(rb"\0[\0-\xff]{12}:[a-z]")
_MOST_PRELUDE = 15  # bytes of a match

_BLANKS = re.compile(rb"[ \t,]*")
_BLANKS_AND_LINE_ENDS = re.compile(rb"[ \t\r\n,]*")
_LINE = re.compile(rb"[^\r\n]+")
_SCALAR = re.compile(rb"[^,\]{\[\r\n]+")
# A bracket at the start of a line opens an array of payloads, unless it is text like `[INFO] started`.
_ARRAY_OPENS = re.compile(rb"\[[ \t\r\n]{0,256}[{\[\]]")
_ARRAY_MAY_OPEN = re.compile(rb"\[[ \t\r\n]{0,256}\Z")
# A value was cut if a line ends in one of its strings and a new line begins like this.
_NEW_LINE_BEGINS = re.compile(rb'(?:\r\n|\n|\r)(?:\{"|data:|event:)')
_MOST_NEW_LINE_BYTES = 8  # the longest match
# WHATWG 9.2.6 ignores fields that it does not name; `curl -i` writes a status line and headers before the body.
_IGNORED_FIELD = re.compile(rb"[A-Za-z0-9_.\-]+(?::|\Z)|HTTP/")
# A last line without a line end is torn if it is the beginning of one of these; otherwise it is read as a line.
_LINE_STARTS = (b"data:", b"event:", b"error:", b"id:", b"retry:", DONE)
_CONNECTION_BEGINS = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:event: ?[\w.]+[\r\n]|data: ?[{\[]|id: ?[^\r\n]*[\r\n]|retry: ?\d+[\r\n])"
)
_CONNECTION_MAY_BEGIN = re.compile(rb"(?:\xef(?:\xbb(?:\xbf)?)?)?(?:[a-z]{0,5}|(?:event|data|id|retry):[^\r\n{\[]*)")
_MOST_OF_A_FIELD = 256  # bytes; a longer first line than this continues a cut event

_COMPRESSED_CHOSEN = "nothing; decompress it first: reducer.embed.decoded(data, {!r})"
_BINARY_FRAME_CHOSEN = (
    "nothing: these are binary frames of an AWS event stream (Amazon Bedrock); decode the frames first, "
    "and feed the payload of each to `feed_event`"
)
_NEAR = 1 << 12  # bytes that `_find_line_end` searches first: a search that fails must stay cheap
_NEAR_END = 1 << 10  # bytes at the end of a window that most often hold the end of an event
_MOST_RECOVERIES = 7  # at the end of the body: how often the framer reads on after the first line of a cut value


class Framer(Saved):
    """Cuts one body into frames. Feed it bytes, then flush it once."""

    max_event_bytes: int  # a later `resume` may set another limit
    # What the caller reads.
    notes: list[Note]  # the caller takes the notes away
    frame_count: int  # frames returned so far
    offset: int  # of the tail's first byte
    bare: bool | None  # the first frame is a JSON value, outside of any array; None: no frame yet
    torn: tuple[int, bytes] | None  # after `flush`: offset and bytes of an unfinished event
    ignored: tuple[int, bytes] | None  # the first line whose field the standard ignores
    # What the framer has read.
    _frames: list[Frame]  # the current call of `feed` or `flush` will return them
    _is_readable: bool | None  # None: the first bytes have not come; False: the body is compressed
    _tail: bytearray  # bytes that cannot be decided yet
    _in_line: bool  # the tail is the beginning of a line that opens no value
    _skips_line: bool  # the rest of this line is past the limit
    _skips_lf: bool  # the last byte was a CR that ended a line: an LF belongs to the same line end
    _in_array: bool  # a top-level array is open
    _event: OpenEvent | None
    _value: OpenValue | None  # may stand in an open event whose data are not a whole object
    _stray: StrayRun | None  # stray lines after the last frame and the last note
    _in_head: bool  # inside the head of an HTTP response, which has fields of its own
    _lacks_blank_lines: bool  # an event without a blank line after it was noted

    def __init__(self, max_event_bytes: int) -> None:
        self.max_event_bytes = max_event_bytes
        self.notes = []
        self.frame_count = 0
        self.offset = 0
        self.bare = None
        self.torn = None
        self.ignored = None
        self._frames = []
        self._is_readable = None
        self._tail = bytearray()
        self._in_line = False
        self._skips_line = False
        self._skips_lf = False
        self._in_array = False
        self._event = None
        self._value = None
        self._stray = None
        self._in_head = False
        self._lacks_blank_lines = False

    def check(self) -> None:
        if self._stray is not None and self._stray.frame > self.frame_count:
            raise ValueError("stray lines come after a frame that is not there")

    # -- reads -----------------------------------------------------------------------------------

    def feed(self, data: bytes, begin: int = 0, end: int | None = None) -> Frames:
        """Return the frames that these bytes, or those between two places, complete."""
        end = len(data) if end is None else end
        if self._tail:
            data = data[begin:end]
            tail = self._tail
            tail += data
            if self._in_line and len(tail) <= self.max_event_bytes and b"\n" not in data and b"\r" not in data:
                return NO_FRAMES
            data = bytes(tail)
            self._tail = bytearray()
            begin, end = 0, len(data)
        alike = NO_FRAMES
        is_busy = self._event or self._value or self._in_array or self._skips_line or self._is_readable is False
        if data.startswith(_PLAIN_STARTS, begin, end) and not is_busy:
            self._is_readable = True
            self._skips_lf = False
            alike, after = cut_alike(data, begin, end, self.offset, self.max_event_bytes)
            if after > begin:
                self.offset += after - begin
                self.frame_count += len(alike.payloads)
                self.bare = bool(self.bare)
                self._in_head = False
                self._end_stray()
                if after == end:
                    return alike
                begin = after
        if begin < end:
            self._read(data[begin:end], final=False)
        rest = self._take_frames()
        return in_columns([*alike, *rest]) if alike and rest else alike or rest

    def flush(self) -> Frames:
        """Return the frames that only the end of the bytes completes; keep an unfinished event in ``torn``."""
        data, self._tail = bytes(self._tail), bytearray()
        self._read(data, final=True)
        for attempt in range(_MOST_RECOVERIES + 1):
            if self._value is not None:
                self._recover(self._value, may_read_on=attempt < _MOST_RECOVERIES)
        event = self._event
        if event is not None and event.payload is not None:
            payload = bytes(event.payload)
            whole, cut = split_torn(payload)
            if event.is_oversize or not cut:
                self._end_event()  # S4
            else:
                self.torn = (event.offset, cut if self.torn is None else cut + b"\n" + self.torn[1])
                if whole:
                    event.payload = whole
                    self._end_event()
        elif event is not None and event.name is not None and self.torn is None:
            self.torn = (event.offset, EVENT + event.name.encode("utf-8", "replace"))
        self._end_stray()
        return self._take_frames()

    @property
    def is_inside(self) -> bool:
        """Whether the bytes so far end inside a line or a value."""
        return bool(self._tail) or self._value is not None

    @property
    def fed(self) -> int:
        """The bytes that have come."""
        return self.offset + len(self._tail)

    @property
    def has_open_event(self) -> bool:
        """Whether the next bytes may complete an event that has begun."""
        return self.is_inside or self._event is not None

    def _take_frames(self) -> Frames:
        frames, self._frames = self._frames, []
        if not frames:
            return NO_FRAMES
        self.frame_count += len(frames)
        self.bare = bool(self.bare)
        return in_columns(frames)

    def _read(self, data: bytes, *, final: bool) -> None:
        """Read the bytes as far as they can be decided, and keep the rest as the tail."""
        at, end = 0, len(data)
        if self._is_readable is None:
            at = self._begin(data, final=final)
        elif self._skips_lf and data.startswith(b"\n"):
            at = 1
        self._in_line = False
        while at < end and self._is_readable:
            if self._value is not None:
                after = self._read_value(self._value, data, at, final=final)
            elif self._in_array:
                after = self._read_array(data, at)
            elif self._skips_line:
                after = self._skip_line(data, at)
            else:
                if self._event is None and not self._in_head and data[at] in _PLAIN_FIRST_BYTES:
                    at = self._cut_plain(data, at)
                    if at == end:
                        break
                after = self._read_line(data, at, final=final)
            if after < 0:
                break
            at = after
        if self._is_readable is False:
            at = end
        if at < end:
            self._tail = bytearray(data[at:])
        self._skips_lf = at == end and self._value is None and data.endswith(b"\r")
        self.offset += at

    def _cut_plain(self, data: bytes, at: int) -> int:
        """Cut leading events by the shortcut `cut_mixed`; return the place after them."""
        frames, after = cut_mixed(data, at, self.offset, self.max_event_bytes)
        if frames:
            self._in_head = False
            self._end_stray()
            self._frames += frames
        return after

    def _begin(self, data: bytes, *, final: bool) -> int:
        """Look at the first bytes of the body, if there are enough; return the place where reading begins."""
        if not final and len(data) < _MOST_FIRST_BYTES and any(first.startswith(data) for first in _FIRST_BYTES):
            return 0
        if not final and len(data) < _MOST_PRELUDE and data.startswith(b"\0"):
            return 0
        if _BINARY_FRAME.match(data):
            self._is_readable = False
            self._note("binary", 0, data[:_MOST_PRELUDE], _BINARY_FRAME_CHOSEN)
            return 0
        mark = next((mark for mark in _COMPRESSED if data.startswith(mark)), None)
        self._is_readable = mark is None
        if mark is not None:
            self._note("compressed", 0, mark, _COMPRESSED_CHOSEN.format(_COMPRESSED[mark]))
        return len(_BOM) if data.startswith(_BOM) else 0

    # -- lines: each method that reads returns the place after, or -1 to ask for more bytes -------

    def _read_line(self, data: bytes, at: int, *, final: bool) -> int:
        """Read one line, or open the value that begins here."""
        byte = data[at]
        if byte in b"\r\n" and self._event is None:
            self._in_head = False
            return _BLANKS_AND_LINE_ENDS.match(data, at).end()  # type: ignore[union-attr]
        if byte in b" \t,":
            return _BLANKS.match(data, at).end()  # type: ignore[union-attr]
        if byte == _OPEN_BRACE:
            return self._open_object(data, at)
        if byte == _OPEN_BRACKET:
            after = self._open_array(data, at, final=final)
            if after != at:
                return after
        stop, after = _find_line_end(data, at)
        if stop < 0:
            return self._read_last_line(data, at, final=final)
        self._on_line(data, at, stop)
        return after

    def _read_last_line(self, data: bytes, at: int, *, final: bool) -> int:
        """Read a line that has no line end, or not yet."""
        line = data[at:]
        if (
            final
            and len(line) <= self.max_event_bytes
            and any(start.startswith(line.rstrip(b" ")) for start in _LINE_STARTS)
        ):
            self.torn = (self.offset + at, line)
        elif final:
            self._on_line(data, at, len(data))
        elif len(line) <= self.max_event_bytes:
            self._in_line = True
            return -1
        else:
            self._drop_line(at, line)
            self._skips_line = True
        return len(data)

    def _skip_line(self, data: bytes, at: int) -> int:
        """Drop bytes of a line that is past the limit."""
        stop, after = _find_line_end(data, at)
        self._skips_line = stop < 0
        return after

    def _drop_line(self, at: int, line: bytes) -> None:
        """Note a line past the limit; the event that it belongs to is left out, unless it is a comment."""
        self._limit(self.offset + at, line)
        if not line.startswith(b":"):
            self._open_event(at).is_oversize = True

    def _on_line(self, data: bytes, at: int, stop: int) -> None:
        """Handle the line between two places, by WHATWG 9.2.6; and ``error:`` (S16)."""
        if at == stop:
            self._end_event()
            return
        line = data[at:stop]
        if len(line) > self.max_event_bytes:
            self._drop_line(at, line)
            return
        field, colon, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._on_data(value, at)
        elif field == b"event":
            self._open_event(at).add_name(decode_name(value), self.offset + at)
        elif field == b"error" and colon:
            self._end_whole_event()
            self._open_event(at).name = "error"
            self._on_data(value, at)
        elif field:  # otherwise the line is a comment
            self._on_other_line(line, field, at)

    def _on_data(self, value: bytes, at: int) -> None:
        """Add a data line to the open event; a new one follows whole data, or oversized data before an object."""
        event = self._open_event(at)
        if event.is_oversize and value.lstrip().startswith(b"{"):
            self._end_event()
            event = self._open_event(at)
        elif event.is_whole():  # S5
            name, event.next_name = event.next_name, None
            self._end_event()
            if not self._lacks_blank_lines:
                self._lacks_blank_lines = True
                self._note("no_blank_line", self.offset + at, value[:SHOWN], "a further event; later ones unreported")
            event = self._open_event(at)
            event.name = name
        if event.payload is None:
            event.offset = self.offset + at
        elif not event.is_oversize and len(event.payload) + 1 + len(value) > self.max_event_bytes:
            self._limit(event.offset, bytes(event.payload[:SHOWN]) + b"\n" + value)
            event.is_oversize = True
            event.payload = b""
        if not event.is_oversize:
            event.add(value)

    def _on_other_line(self, line: bytes, field: bytes, at: int) -> None:
        """Note a line of an unknown field, or of text (decision 17; S24)."""
        if line.startswith(b"HTTP/"):
            self._in_head = True
        is_known = field in (b"id", b"retry") or self._in_head
        if not is_known and is_json_object(line.partition(b":")[2]):
            self._ignore(at, line, holds_object=True)
        elif not _IGNORED_FIELD.match(line):
            self._ignore(at, line)
        elif self.ignored is None and field not in (b"id", b"retry"):
            self.ignored = (self.offset + at, line[:SHOWN])

    def _open_event(self, at: int) -> OpenEvent:
        """Return the open event; open one if there is none."""
        self._in_head = False
        if self._event is None:
            self._event = OpenEvent(self.offset + at)
        return self._event

    def _end_event(self) -> None:
        """End the open event, if there is one; its joined data lines are a frame (decision 17)."""
        event, self._event = self._event, None
        if event is not None and event.payload is not None and not event.is_oversize:
            self._end_stray()
            self._frames.append((bytes(event.payload), event.next_name or event.name, event.offset))

    def _end_whole_event(self) -> None:
        """End the open event before its blank line, if its data lines are whole."""
        if self._event is not None and self._event.is_whole():
            self._end_event()

    # -- values ----------------------------------------------------------------------------------

    def _open_object(self, data: bytes, at: int) -> int:
        """Read an object that is whole on its line (JSON lines), or open the object."""
        self._end_whole_event()
        if at == 0 or data[at - 1] in b"\r\n":  # otherwise each of many objects on a line would search for its end
            stop = data.find(b"\n", at)
            line = data[at:stop].rstrip() if stop >= 0 else b""
            if line.endswith(b"}") and len(line) <= self.max_event_bytes and is_json(line):
                self._add_value(line, self.offset + at)
                return at + len(line)
        self._value = OpenValue(self.offset + at)
        return at

    def _open_array(self, data: bytes, at: int, *, final: bool) -> int:
        """Open an array, or read a bare end marker; return the same place for any other line."""
        head = data[at : at + len(DONE)]
        if head == DONE:
            self._end_whole_event()
            self._add_value(DONE, self.offset + at)
            return at + len(DONE)
        if _ARRAY_OPENS.match(data, at):
            self._end_whole_event()
            self._in_array = True
            return at + 1
        if not final and (DONE.startswith(head) or _ARRAY_MAY_OPEN.match(data, at)):
            return -1
        return at

    def _read_array(self, data: bytes, at: int) -> int:
        """Read what stands between the elements of an array."""
        at = _BLANKS_AND_LINE_ENDS.match(data, at).end()  # type: ignore[union-attr]
        if at == len(data):
            return at
        if data[at] == _CLOSE_BRACKET:
            self._in_array = False
            return at + 1
        if data[at] in b"{[":
            self._value = OpenValue(self.offset + at)
            return at
        self._ignore(at, data[at : at + 1])
        return _SCALAR.match(data, at).end()  # type: ignore[union-attr]

    def _read_value(self, value: OpenValue, data: bytes, at: int, *, final: bool) -> int:
        """Read bytes of the open value. End a value that was cut where a line ends in a string."""
        if value.at_line_end:
            if len(data) - at < _MOST_NEW_LINE_BYTES and not final:
                return -1
            if _NEW_LINE_BEGINS.match(data, at):
                self._end_value(value)
                return at
        after = value.read(data, at)
        if value.payload is not None and len(value.payload) > self.max_event_bytes:
            self._limit(value.offset, bytes(value.payload[:SHOWN]))
            value.payload = None
        if value.is_closed:
            self._end_value(value)
        return after

    def _end_value(self, value: OpenValue) -> None:
        self._value = None
        if value.payload is not None:
            self._add_value(bytes(value.payload), value.offset)

    def _add_value(self, payload: bytes, offset: int) -> None:
        """Add the frame of a value. An event line names the value after it, if no data line came between."""
        if self.bare is None:
            self.bare = not (self._frames or self._in_array)
        name = self._event.take_name() if self._event is not None else None
        self._end_stray()
        self._frames.append((payload, name, offset))

    def _recover(self, value: OpenValue, *, may_read_on: bool) -> None:
        """At the end of the body: end a cut value after its first line and read on, if a later line begins anew."""
        self._value = None
        if value.payload is None:
            return
        payload = bytes(value.payload)
        stop, after = _find_line_end(payload, 0)
        if may_read_on and any(_begins_anew(line[0]) for line in _LINE.finditer(payload, after)):
            self._add_value(payload[:stop], value.offset)
            self._in_array = False
            self.offset = value.offset + after
            self._read(payload[after:], final=True)
        else:
            self.torn = (value.offset, payload)

    # -- notes -----------------------------------------------------------------------------------

    def _note(self, code: str, offset: int, seen: bytes, chosen: str) -> None:
        self._end_stray()
        self.notes.append(Note(code, self.frame_count + len(self._frames), offset, seen, chosen))

    def _limit(self, offset: int, seen: bytes) -> None:
        """Note an event past the limit. The note shows no more bytes than the limit: every split has seen so many."""
        shown = seen[: min(SHOWN, self.max_event_bytes)]
        self._note("limit_event_bytes", offset, shown, f"not retained: more than {self.max_event_bytes} bytes")

    def _ignore(self, at: int, line: bytes, *, holds_object: bool = False) -> None:
        """Note text that is not part of a stream: one note for all such lines between two frames.

        A line that holds an object begins another note, so that the note shows the object.
        """
        if self._stray is not None and holds_object and not self._stray.holds_object:
            self._end_stray()
        if self._stray is None:
            frame = self.frame_count + len(self._frames)
            self._stray = StrayRun(frame, self.offset + at, line, holds_object=holds_object)
        elif not self._in_array:  # a read may end inside a scalar, so the scalars of an array are not counted
            self._stray.add(line)

    def _end_stray(self) -> None:
        """Note the stray lines so far. Called before a frame or another note is added, and at the end."""
        stray, self._stray = self._stray, None
        if stray is not None:
            self.notes.append(stray.note())


def cut_alike(data: bytes, begin: int, end: int, offset: int, limit: int) -> tuple[Frames, int]:
    """Cut the events up to the last blank line if all are one data line, or all are an event line and a data line.

    Return the frames and the place after them; no frames if some event has another form. ``offset`` is that of
    ``begin``. A few calls cut all events, so that no Python code runs for each event, and a few more check the form.
    """
    line_end = b"\r\n" if data.find(b"\r", begin, end) >= 0 else b"\n"
    blank_line = line_end + line_end
    stop = data.rfind(blank_line, begin, end)
    after = stop + len(blank_line)
    if stop < 0 or after - begin > limit:
        return NO_FRAMES, begin
    names = kinds = None
    if data.startswith(DATA, begin):
        text = data[begin + len(DATA) : stop]
        # To split one large event would search it for the separator, which is slow in text that repeats itself.
        lines = payloads = text.split(blank_line + DATA) if b"\n" in text else [text]
    else:
        lines = data[begin:stop].split(line_end)
        names, data_lines, blank_lines = lines[0::3], lines[1::3], lines[2::3]
        payloads = list(map(bytes.removeprefix, data_lines, repeat(DATA)))
        if len(lines) != 3 * len(names) - 1 or any(blank_lines):
            return NO_FRAMES, begin
        if sum(map(len, data_lines)) - sum(map(len, payloads)) != len(DATA) * len(payloads):
            return NO_FRAMES, begin  # not all of these are data lines
        kinds = set(names)
        if not all(line.startswith(EVENT) for line in kinds):
            return NO_FRAMES, begin
    if names is None or line_end == b"\r\n":  # otherwise the data have no CR, and were split at each LF
        text = b"".join(lines)
        if b"\n" in text or (line_end == b"\r\n" and b"\r" in text):
            return NO_FRAMES, begin
    return Frames(payloads, names, offset, len(line_end), kinds), after


def cut_mixed(data: bytes, at: int, base: int, limit: int) -> tuple[list[Frame], int]:
    """Cut leading events of one data line, perhaps after an event line, and lines that say nothing between events.

    Return the frames and the place after them. ``base`` is the offset of the data.
    """
    frames: list[Frame] = []
    while match := _PLAIN_EVENT.match(data, at):
        end = match.end()
        if end - at > limit:
            break
        name, payload = match.groups()
        if payload is not None:
            offset = base + match.start(2) - len(DATA)
            frames.append((payload, decode_name(name) if name else None, offset))
        at = end
    return frames, at


def last_event_end(data: bytes, at: int, end: int) -> int:
    """Return the place after the last event that ends between two places; ``at`` if none does."""
    # Search near the end first: a search for a kind of blank line that the data lack reads the whole window.
    for begin in (max(at, end - _NEAR_END), at):
        found = max(data.rfind(b"\n\n", begin, end), data.rfind(b"\n\r\n", begin, end))
        if found > begin:
            return found + (2 if data[found + 1] == _LF else 3)
    return at


def begins_connection(data: bytes) -> bool | None:
    """Whether bytes begin an event stream, rather than continue a cut event; ``None`` if there are too few to tell."""
    if _CONNECTION_BEGINS.match(data):
        return True
    return None if len(data) < _MOST_OF_A_FIELD and _CONNECTION_MAY_BEGIN.fullmatch(data) else False


def _find_line_end(data: bytes, at: int) -> tuple[int, int]:
    """Return the place of the first CR or LF and the place after the line end; -1 and the end if there is none."""
    size = _NEAR  # grows, so that data without LF are not searched to their end for each line that ends at a CR
    while at < len(data):
        lf = data.find(b"\n", at, at + size)
        cr = data.find(b"\r", at, lf if lf >= 0 else at + size)
        if cr >= 0:
            return cr, cr + (2 if data.startswith(b"\n", cr + 1) else 1)
        if lf >= 0:
            return lf, lf + 1
        at += size
        size *= 2
    return -1, len(data)


def _begins_anew(line: bytes) -> bool:
    """Whether a line begins something new, rather than continue a pretty-printed value that was cut."""
    return line.startswith(b"data:") or (line.startswith(b"{") and is_json(line))
