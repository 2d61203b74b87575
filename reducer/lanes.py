"""Fast lanes: events that repeat the one before but for a text are proven on their bytes, not decoded.

Theory of operation
-------------------
A stream is one event repeated with one string changed. If an event's bytes are ``head + text + tail``, where
head and tail are the bytes around the text of an event that was decoded and handled, and ``text`` is the inside
of one JSON string, then by JSON's grammar it *is* that event with another text: a proof, not a guess. A
`Template` holds such bytes, with up to a few holes: texts, padding strings, numbers. It is made from an event
that a dialect says would, repeated, add its texts and nothing else (``Dialect.texts``), and checked by decoding
the event once more with other values in the holes.

What fits is not looked at singly. Live reads are held (`Reducer.feed`) and buffers are split (`run`), a hundred
events at a time, and then proven together (`columns`): the holes are joined by line feeds, the constants between
them become control characters, and one comparison shows that every event has the same shape; what lies in the
holes is checked by kind. Neither character can stand in a payload's line or in a JSON string. A batch that is not
proven goes through the per-event way, so the lanes change nothing but the time.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import repeat
from typing import Any, NamedTuple

import msgspec

# The inside of JSON strings, one a line. Controls and quotes end a string; escapes are checked by decoding.
_STRINGS = re.compile(rb'(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+(?:\n(?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+)*+')
_STRING = re.compile(rb'[ ]*"((?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+)"')
_NUMBER = re.compile(rb"[ ]*(0|[1-9][0-9]{0,15})(?=[,}\s])")
_BLANKS = re.compile(rb"( +)\}\Z")
# All bytes but the marks that stand for constants, and the line feed between events.
_MARKS = b"\x01\x02\x03\x04\x05\x06\x07"
_NO_MARKS = bytes(byte for byte in range(256) if byte not in _MARKS + b"\n")
_WINDOW = 1 << 16  # what `run` looks at at once: it stays in the processor's cache
_NEEDLE = 24  # CPython's search is quick for needles of this length and slow for long ones
_PROBE = "a lane's probe"

TEXT, PADDING, NUMBER, BLANKS = range(4)
# What a probe has in the holes, and what the decoded event must then say.
_PROBES = {TEXT: _PROBE.encode(), PADDING: b"lane", NUMBER: b"7", BLANKS: b""}
_PROBED = {PADDING: "lane", NUMBER: 7}


# For each text that an event added its key, its value and its sink, which has `add_all`.
Texts = list[tuple[str, str, Any]]


class _Hole(NamedTuple):
    begin: int
    end: int
    kind: int
    value: Any  # of a text its place among the texts; of the others the attribute that it fills


class Template:
    """The bytes of an event around its holes."""

    __slots__ = (
        "_between", "_framing", "_kinds", "_needle", "_order", "_pattern", "_reach", "_rest",
        "head", "keys", "longest", "sinks", "tail",
    )  # fmt: skip

    def __init__(self, constants: list[bytes], holes: list[_Hole], texts: Texts, framing: tuple[int, int]) -> None:
        self.head = constants[0]
        self.tail = constants[-1]
        self.longest = sum(map(len, constants)) + 256  # a longer read is more than one such event
        self.keys = [key for key, _, _ in texts]
        self._order = [hole.value for hole in holes if hole.kind == TEXT]  # of the texts, as they lie in the bytes
        self.sinks: list[Any] = []
        self.aim(texts)
        self._framing = framing  # bytes before and behind the payload
        self._between = constants[1:-1]
        self._reach = 4 * self.longest  # how far `run` looks: further while runs are long
        self._kinds = [hole.kind for hole in holes]
        self._pattern = _MARKS[: len(self._between)] + b"\n"
        self._needle = self.head[-_NEEDLE:]
        self._rest = (self.tail + self.head)[: -len(self._needle)]

    def aim(self, texts: Texts) -> None:
        """Let the texts go where they belong now."""
        self.sinks = [texts[place][2] for place in self._order]

    def payload(self, event: bytes) -> bytes:
        """Return the JSON of an event of this shape."""
        before, behind = self._framing
        return event[before : len(event) - behind]

    def fits(self, data: bytes) -> bool:
        """Whether these bytes are such an event."""
        if not (data.startswith(self.head) and data.endswith(self.tail)) or len(data) < len(self.head) + len(self.tail):
            return False
        return self.columns([data[len(self.head) : -len(self.tail)]]) is not None

    def columns(self, holes: list[bytes]) -> list[str] | None:
        """Prove a batch: return what each text hole adds, joined over the events; ``None`` if it is not proven."""
        joined = b"\n".join(holes)
        if not self._between:
            if joined.count(b"\n") != len(holes) - 1:
                return None
            text = _text(joined, holes)
            return None if text is None else [text]
        if any(mark in joined for mark in self._pattern[:-1]):
            return None  # no JSON string holds a raw control character
        for mark, constant in zip(_MARKS, self._between, strict=False):
            joined = joined.replace(constant, bytes((mark,)))
        if (joined + b"\n").translate(None, _NO_MARKS) != self._pattern * len(holes):
            return None
        for mark in self._pattern[:-1]:
            joined = joined.replace(bytes((mark,)), b"\n")
        values = joined.split(b"\n")
        width = len(self._kinds)
        texts = []
        for place, kind in enumerate(self._kinds):
            column = values[place::width]
            if kind == TEXT:
                text = _text(b"\n".join(column), column)
                if text is None:
                    return None
                texts.append(text)
            elif not _PROOFS[kind](column):
                return None
        return texts

    def run(self, data: bytes, at: int) -> tuple[list[bytes], int]:
        """Return the holes of the events that begin at ``at`` and fit, and where they end."""
        head, tail = self.head, self.tail
        stop = data.rfind(tail, at, at + self._reach)
        begin = at + len(head)
        if stop < begin:
            self._reach = _WINDOW  # one long event, perhaps
            return [], at
        pieces = data[begin:stop].split(self._needle)
        last = pieces.pop()
        rest = self._rest
        holes = list(map(bytes.removesuffix, pieces, repeat(rest)))
        # What was split off and what is left must add up, or some piece did not end as it should.
        constant = (len(rest) + len(self._needle)) * len(pieces)
        if constant + sum(map(len, holes)) + len(last) == stop - begin:
            self._reach = min(2 * self._reach, _WINDOW)
            holes.append(last)
            return holes, stop + len(tail)
        self._reach = 4 * self.longest
        fit = next(place for place, piece in enumerate(pieces) if not piece.endswith(rest))
        del holes[fit:]
        return holes, at + fit * (len(head) + len(tail)) + sum(map(len, holes))


def _text(joined: bytes, column: list[bytes]) -> str | None:
    """Prove that every entry is the inside of a JSON string; return the strings, joined."""
    if b"\\" not in joined and b'"' not in joined and joined.isascii():
        try:
            return msgspec.json.decode(b'"%s"' % b"".join(column), type=str)
        except ValueError:
            return None
    # Where no entry ends in a backslash, each of the quotes put around them counts as one, so a list of as many
    # strings as entries leaves no quote for the entries themselves.
    if (b"\\\n" in joined or joined.endswith(b"\\")) and _STRINGS.fullmatch(joined) is None:
        return None
    # Each string must be one by itself: half a character, or half of a surrogate pair, is not.
    try:
        strings = msgspec.json.decode(b'["%s"]' % b'","'.join(column), type=list[str])
    except ValueError:
        return None
    return "".join(strings) if len(strings) == len(column) else None


def _is_padding(column: list[bytes]) -> bool:
    joined = b"".join(column)
    return joined.isalnum() or not joined


def _is_number(column: list[bytes]) -> bool:
    return b"".join(column).isdigit() and not any(not n or len(n) > 16 or (n[0] == 0x30 and len(n) > 1) for n in column)


def _is_blank(column: list[bytes]) -> bool:
    return not b"".join(column).strip(b" ")


_PROOFS: dict[int, Callable[[list[bytes]], bool]] = {PADDING: _is_padding, NUMBER: _is_number, BLANKS: _is_blank}


def learn(
    prefix: bytes,
    payload: bytes,
    suffix: bytes,
    event: Any,
    texts: Texts,
    idle: tuple[str, ...],
    decode: Callable[[bytes], Any],
    again: Callable[[Any], Texts | None],
) -> Template | None:
    """Make a template of an event that was handled just now.

    Args:
        prefix, payload, suffix: The event's bytes: ``data: ``, the JSON, and the blank line.
        texts: What the event added.
        idle: Attributes of the event that may vary without changing anything.
        decode, again: Decode another payload, and say its texts.

    Returns ``None`` where the holes cannot be found, or do not mean what they should.
    """
    holes: list[_Hole] = []
    for place, (key, value, _) in enumerate(texts):
        found = _find(payload, key, value)
        if found is None:
            return None
        holes.append(_Hole(*found, TEXT, place))
    for key in idle:
        value = getattr(event, key)
        if value is not None:
            found = _find(payload, key, value)
            if found is None or (type(value) is str and value and not value.isalnum()):
                return None
            holes.append(_Hole(*found, PADDING if type(value) is str else NUMBER, key))
    blanks = _BLANKS.search(payload)
    if blanks is not None:
        holes.append(_Hole(*blanks.span(1), BLANKS, None))
    holes.sort(key=lambda hole: hole.begin)
    constants = []
    probe = b""
    at = 0
    for hole in holes:
        constants.append(payload[at : hole.begin])
        probe += constants[-1] + _PROBES[hole.kind]
        at = hole.end
    constants.append(payload[at:])
    probe += constants[-1]
    between = constants[1:-1]
    if not all(constants) or len(between) > len(_MARKS) or len(set(between)) != len(between):
        return None
    try:
        other = decode(probe)
    except (ValueError, RecursionError):
        return None
    said = again(other)
    if said is None or [(key, value) for key, value, _ in said] != [(key, _PROBE) for key, _, _ in texts]:
        return None
    if any(getattr(other, hole.value) != _PROBED[hole.kind] for hole in holes if hole.kind in _PROBED):
        return None
    constants[0] = prefix + constants[0]
    constants[-1] += suffix
    return Template(constants, holes, texts, (len(prefix), len(suffix)))


def _find(payload: bytes, key: str, value: Any) -> tuple[int, int] | None:
    """Find the inside of the value that stands after a key."""
    name = b'"%s":' % key.encode()
    at = payload.find(name)
    while at >= 0:
        begin = at + len(name)
        match = _STRING.match(payload, begin) if type(value) is str else _NUMBER.match(payload, begin)
        if match is not None and _value(match.group(1), value) == value:
            return match.span(1)
        at = payload.find(name, begin)
    return None


def _value(raw: bytes, like: Any) -> Any:
    if type(like) is not str:
        return int(raw)
    try:
        return msgspec.json.decode(b'"%s"' % raw, type=str)
    except ValueError:
        return None
