"""Fast lanes: events that repeat the one before but for a text are proven on their bytes, not decoded.

Theory of operation
-------------------
A stream is one event repeated with one string changed. If an event's bytes are ``head + text + tail``, where
head and tail are the bytes around the text of an event that was decoded, and ``text`` is the inside of one JSON
string, then by JSON's grammar it *is* that event with another text: a proof, not a guess. A `Template` holds such
bytes, with up to a few holes: texts, padding strings, numbers, blanks. It is made from an event that a dialect says
would, repeated, add its texts and nothing else (``Dialect.texts``), and checked by decoding the event once more
with other values in the holes.

What fits is not looked at singly. Live reads are held (`Reducer.feed`) and buffers are split (`Template.run`), a
hundred events and more at a time, and then proven together (`Template.columns`): what lies between the constants
of an event is a row, the holes of all rows are columns, and a column is checked at once, by its kind. Rows that do
not fit are told by their number, and go through the per-event way in their places, so the lanes change nothing but
the time. The last event of a run goes that way too: what it says beside its texts so counts as the last word.

What is decoded quickly is not worth it, nor is a short stream, nor events that come by turns: see `worth`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import chain, repeat
from typing import Any, NamedTuple

import msgspec

from reducer.framing import DATA, Frames

_STRING = re.compile(rb'[ ]*"((?:[^"\\\x00-\x1f]|\\[^\x00-\x1f])*+)"')
_NUMBER = re.compile(rb"[ ]*(0|[1-9][0-9]{0,15})(?=[,}\s])")
_LONGEST_NUMBER = 16
# What things cost, measured in nanoseconds of one machine, of which only the proportions count: an event that is
# decoded, for each of its bytes; one that is proven; to make a template; in both, each hole that is no text.
_DECODED = 3
_PROVEN = 420
_HOLE = 310
_MADE, _MADE_HOLE = 70_000, 30_000
_NEVER = 1 << 60
_AHEAD = 1 << 13  # how far is looked for events that repeat
_OFTEN = 6  # how many that must be
_WINDOW = 1 << 16  # what `run` looks at at once: it stays in the processor's cache
_NEEDLE = 24  # CPython's search is quick for needles of this length and slow for long ones
_PROBE = "a lane's probe"
_MARK = "\x7f"

TEXT, PADDING, NUMBER, BLANKS = range(4)
_ENDS = {NUMBER: b"0123456789", BLANKS: b" "}  # what such a hole is made of

# For each text that an event adds its key, its value and its sink, which has `add_utf8`.
Texts = list[tuple[str, str, Any]]
Columns = list[Sequence[bytes]]


class _Hole(NamedTuple):
    begin: int
    end: int
    kind: int
    path: str  # of a text its key
    probe: bytes  # what a probe has there


class Template:
    """The bytes of an event around its holes."""

    __slots__ = (
        "_before",
        "_behind",
        "_between",
        "_kinds",
        "_last_text",
        "_names",
        "_needle",
        "_reach",
        "_rest",
        "goes_on_at",
        "head",
        "keys",
        "misses",
        "sinks",
        "tail",
    )

    def __init__(self, prefix: bytes, constants: list[bytes], suffix: bytes, holes: list[_Hole]) -> None:
        constants = [prefix + constants[0], *constants[1:-1], constants[-1] + suffix]
        self.head = constants[0]
        self.tail = constants[-1]
        self.misses = 0  # runs that came to nothing, since the last that did not
        self.keys = [hole.path for hole in holes if hole.kind == TEXT]
        self.sinks: list[Any] = []  # as long as no other event comes
        self.goes_on_at = -1  # the number of the last event that was proven
        self._before, self._behind = len(prefix), len(suffix)
        self._names = [prefix[: prefix.index(DATA)].rstrip()] if not prefix.startswith(DATA) else None
        self._kinds = [hole.kind for hole in holes]
        self._between = constants[1:-1]
        self._reach = 1 << 15  # how far `run` looks: further while runs are long
        self._needle = self.head[-_NEEDLE:]
        self._rest = (self.tail + self.head)[: -len(self._needle)]
        # Behind the last text a row is cut from its end, as a text may look like a constant and other holes cannot.
        self._last_text = len(holes) - 1 - self._kinds[::-1].index(TEXT)

    def event(self, row: bytes) -> bytes:
        """The bytes of an event, from what lies between head and tail."""
        return self.head + row + self.tail

    def payload(self, row: bytes) -> bytes:
        """The JSON of an event."""
        event = self.event(row)
        return event[self._before : len(event) - self._behind]

    def frame(self, row: bytes, end: int) -> Frames:
        """An event, framed; its bytes end at this offset."""
        payload = self.payload(row)
        return Frames([payload], self._names, [end - self._behind - len(payload) - len(DATA)])

    def size(self, rows: list[bytes]) -> int:
        """The bytes of events."""
        return sum(map(len, rows)) + len(rows) * (len(self.head) + len(self.tail))

    def begins(self, data: bytes, at: int = 0) -> bool:
        """Whether such an event begins here, and ends."""
        if not data.startswith(self.head, at):
            return False
        begin = at + len(self.head)
        end = data.find(self.tail, begin)
        return end >= 0 and not self.columns([data[begin:end]])[1]

    def run(self, data: bytes, at: int) -> list[bytes]:
        """Return the rows of the events that begin at ``at`` and may fit."""
        head, tail = self.head, self.tail
        stop = data.rfind(tail, at, at + self._reach)
        begin = at + len(head)
        if stop < begin:
            self._reach = _WINDOW  # one long event, perhaps
            return []
        pieces = data[begin:stop].split(self._needle)
        last = pieces.pop()
        rest = self._rest
        rows = list(map(bytes.removesuffix, pieces, repeat(rest)))
        # What was split off and what is left must add up, or some piece did not end as it should.
        constant = (len(rest) + len(self._needle)) * len(pieces)
        if constant + sum(map(len, rows)) + len(last) == stop - begin:
            self._reach = min(4 * self._reach, _WINDOW)
            rows.append(last)
        else:
            self._reach = 1 << 13
            del rows[next(place for place, piece in enumerate(pieces) if not piece.endswith(rest)) :]
        return rows

    def columns(self, rows: list[bytes]) -> tuple[Columns, list[int]]:
        """Cut rows into columns, one a hole; say which rows do not fit, those of texts aside."""
        if not self._between:
            return [rows], []
        misfits: set[int] = set()
        finds: list[Any] = []
        middle: Any = rows
        before: list[Any] = []
        behind: list[Any] = []
        for constant in self._between[: self._last_text]:
            column, found, middle = zip(*map(bytes.partition, middle, repeat(constant)), strict=True)
            before.append(column)
            finds.append(found)
        later = self._between[self._last_text :]
        while later and (kind := self._kinds[len(self._kinds) - 1 - len(behind)]) in _ENDS:
            # No search is needed for what stands before blanks or digits at the end.
            constant = later.pop()
            stripped = list(map(bytes.rstrip, middle, repeat(_ENDS[kind])))
            behind.append(list(map(bytes.removeprefix, middle, stripped)) if kind in _PROOFS else [])
            middle = list(map(bytes.removesuffix, stripped, repeat(constant)))
            if sum(map(len, stripped)) - sum(map(len, middle)) != len(constant) * len(rows):
                misfits.update(place for place, row in enumerate(stripped) if not row.endswith(constant))
        for constant in reversed(later):
            middle, found, column = zip(*map(bytes.rpartition, middle, repeat(constant)), strict=True)
            behind.append(column)
            finds.append(found)
        for found in finds:
            if not all(found):
                misfits.update(place for place, one in enumerate(found) if not one)
        columns = [*before, middle, *reversed(behind)]
        for kind, column in zip(self._kinds, columns, strict=True):
            if kind in _PROOFS:
                misfits.update(_misfits(kind, column))
        return columns, sorted(misfits)

    def texts(self, columns: Columns) -> list[bytes] | None:
        """What rows add, the last aside: each text, joined, as UTF-8; ``None`` if one, the last's too, is no text."""
        texts = [column for kind, column in zip(self._kinds, columns, strict=True) if kind == TEXT]
        joined = [_joined(column[:-1]) for column in texts if _are_texts(column)]
        return joined if len(joined) == len(texts) else None

    def unsound(self, columns: Columns) -> list[int]:
        """The rows that have something in place of a text that is none, or cannot be proven with others."""
        return sorted(
            {
                place
                for kind, column in zip(self._kinds, columns, strict=True)
                if kind == TEXT
                for place, entry in enumerate(column)
                if not _are_texts((entry,))
            }
        )


def _are_texts(column: Sequence[bytes]) -> bool:
    """Whether every entry is the inside of a JSON string, for itself."""
    # A mark may stand in a JSON string as it is, but not in an escape, nor in a character, nor amid a surrogate pair.
    try:
        text = msgspec.json.decode(b'"%s"' % _MARK.encode().join(column), type=str)
    except ValueError:
        return False
    return text.count(_MARK) == len(column) - 1


def _joined(column: Sequence[bytes]) -> bytes:
    """The strings of which these are the insides, joined, as UTF-8."""
    whole = b"".join(column)
    return msgspec.json.decode(b'"%s"' % whole, type=str).encode() if b"\\" in whole else whole


def _are_padding(column: Sequence[bytes]) -> bool:
    padding = b"".join(column)
    return padding.isalnum() or not padding


def _are_numbers(column: Sequence[bytes]) -> bool:
    # No 0: what counts up begins with it, and where it comes later it says more than that.
    lines = b"\n%s\n" % b"\n".join(column)
    return (
        b"".join(column).isdigit()
        and b"\n0" not in lines
        and b"\n\n" not in lines
        and max(map(len, column)) <= _LONGEST_NUMBER
    )


_PROOFS: dict[int, Callable[[Sequence[bytes]], bool]] = {PADDING: _are_padding, NUMBER: _are_numbers}


def _misfits(kind: int, column: Sequence[bytes]) -> list[int]:
    """The places of what is not of a kind."""
    proof = _PROOFS[kind]
    if proof(column):
        return []
    suspects: Iterable[int] = [place for place, entry in enumerate(column) if not entry.isalnum()]
    others = [entry for entry in column if entry.isalnum()]
    if others and not proof(others):
        suspects = range(len(column))
    return [place for place in suspects if not proof(column[place : place + 1])]


def segments(misfits: list[int], count: int) -> Iterator[tuple[int, int]]:
    """The stretches of rows between those that do not fit."""
    begin = 0
    for place in (*misfits, count):
        if place > begin:
            yield begin, place
        begin = place + 1


def worth(event: bytes, idle: tuple[str, ...]) -> int:
    """The bytes of a stream that make up for a template of such an event, told quickly."""
    # A further text costs in a template what it costs to decode.
    padded = event.rstrip().endswith(b" }")
    further = sum([key in event for key in _keys(idle)]) + padded
    gain = _DECODED * len(event) - _PROVEN - _HOLE * further
    return (_MADE + _MADE_HOLE * further) * len(event) // gain if gain > 0 else _NEVER


def repeats(data: bytes, at: int, payload: bytes, holes: list[_Hole]) -> bool:
    """Whether nearly all events from here on have what this payload has before its first text and behind its holes."""
    text = next(hole.begin for hole in holes if hole.kind == TEXT)
    before = payload[max([0, *(hole.end for hole in holes if hole.end < text)]) : text]
    behind = payload[holes[-1].end :]
    stop = at + _AHEAD
    most = 7 * max(data.count(DATA, at, stop), _OFTEN)
    return 8 * data.count(before, at, stop) > most and 8 * data.count(behind, at, stop) > most


@cache
def _keys(paths: tuple[str, ...]) -> set[bytes]:
    return {b'"%s"' % path.rpartition(".")[2].encode() for path in paths}


def holes_in(payload: bytes, texts: Texts, idle: tuple[str, ...]) -> list[_Hole] | None:
    """Find what may vary in the payload of an event that was handled just now.

    Args:
        payload: The JSON.
        texts: What the event added.
        idle: Paths of values that may vary where the last one counts, or none: strings and numbers.

    Returns ``None`` where the holes cannot be found. Raises `ValueError` or `RecursionError` for what a dialect's
    decoder passes over, and no other reads.
    """
    obj = msgspec.json.decode(payload)
    holes = [_find(payload, key, value, TEXT, key, _PROBE.encode()) for key, value, _ in texts]
    for path in idle:
        value = _at(obj, path)
        if type(value) is str or type(value) is int:
            kind = PADDING if type(value) is str else NUMBER
            probe = b"lane" if kind == PADDING else b"%d" % (len(holes) + 70)
            holes.append(_find(payload, path.rpartition(".")[2], value, kind, path, probe))
    blanks = len(payload) - 1 - len(payload[:-1].rstrip(b" "))
    if blanks:
        holes.append(_Hole(len(payload) - 1 - blanks, len(payload) - 1, BLANKS, "", b""))
    ordered = sorted(hole for hole in holes if hole is not None)
    return ordered if len(ordered) == len(holes) else None


def learn(
    prefix: bytes,
    payload: bytes,
    suffix: bytes,
    texts: Texts,
    holes: list[_Hole],
    again: Callable[[bytes], Texts | None],
) -> Template | None:
    """Make a template of an event that was handled just now.

    Args:
        prefix, payload, suffix: The event's bytes: ``data: ``, the JSON, and the blank line.
        texts: What the event added.
        holes: Where it may vary.
        again: Says the texts of another payload.

    Returns ``None`` where the holes do not mean what they should.
    """
    ends = [0, *(hole.end for hole in holes)]
    constants = [payload[end : hole.begin] for end, hole in zip(ends, holes, strict=False)]
    constants.append(payload[ends[-1] :])
    if not all(constants):
        return None
    probe = b"".join(chain.from_iterable(zip(constants, [*(hole.probe for hole in holes), b""], strict=True)))
    # Every hole is where its path says.
    obj = msgspec.json.decode(probe)
    if any(str(_at(obj, hole.path)).encode() != hole.probe for hole in holes if hole.kind in (PADDING, NUMBER)):
        return None
    said = again(probe)
    if said is None or [(key, value) for key, value, _ in said] != [(key, _PROBE) for key, _, _ in texts]:
        return None
    return Template(prefix, constants, suffix, holes)


def _at(obj: Any, path: str) -> Any:
    """The value at a dotted path; ``None`` where there is none."""
    for step in path.split("."):
        obj = obj.get(step) if type(obj) is dict else None
    return obj


def _find(payload: bytes, key: str, value: Any, kind: int, path: str, probe: bytes) -> _Hole | None:
    """Find the value, or the inside of the string, that stands after a key."""
    name = b'"%s":' % key.encode()
    at = payload.find(name)
    while at >= 0:
        at += len(name)
        match = _STRING.match(payload, at) if type(value) is str else _NUMBER.match(payload, at)
        if match is not None and _value(match.group(1), value) == value:
            return _Hole(*match.span(1), kind, path, probe)
        at = payload.find(name, at)
    return None


def _value(raw: bytes, like: Any) -> Any:
    return int(raw) if type(like) is int else msgspec.json.decode(b'"%s"' % raw, type=str)
