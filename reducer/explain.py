"""What happened in a stream, event by event: what each brought, what of the body it changed, and who had the last word.

Theory of operation
-------------------
Nothing here knows what an event means. A `Reducer` is watched: after every event its body is built, and the difference
to the body before is what the event did. A text that grew was added to, a new key or entry is new, another value was
set, and what is gone was removed. Of the events of one kind, what differs between them is what they carried.

The last event that changed a text or an entry of the body's lists had the last word on it; a later event that says
the very same (a done event after its deltas) has confirmed it.

To build the body costs what the body holds, so a stream of many events with a large body would cost the square of
its length. Every event earns an allowance (`_ALLOWANCE`); where the body costs more than what was saved, some events
are looked at together, and the changes are those of all of them (`Event.since`).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import reduce
from operator import getitem
from typing import Any

import msgspec

from reducer.decoding import NotJson, TooDeep, decode
from reducer.engine import Reducer
from reducer.framing import DONE, Frames, framed
from reducer.result import Result

Path = tuple[str | int, ...]

# Nodes of bodies that may be looked at: at first, and per event. A node costs some two microseconds.
_SAVINGS = 200_000
_ALLOWANCE = 500
_LETTERS = 512  # characters that cost as much as a node
_LEAVES = 64  # values of a payload that are looked at
_SCAFFOLDING = frozenset({"sequence_number", "obfuscation"})
_STATES = frozenset({"status"})  # what changes as it should, and is no text
_MISSING: Any = object()


class Change(msgspec.Struct, frozen=True):
    """One difference that an event made to the body.

    ``op`` is ``append`` (``value`` was added to a text), ``new`` (a key, or an entry at the end of a list), ``insert``
    (an entry, put before the one that was there), ``set`` (a value where null or an empty one was), ``replace`` (where
    another one was) or ``removed``. Done in order they make the body.
    """

    op: str
    path: Path
    value: Any = None


class Event(msgspec.Struct):
    """One event: where it stood, what it was, what it carried and what it did."""

    number: int
    offset: int | None
    size: int
    name: str | None  # of the framing
    kind: str  # of the payload: its type, or what else tells it
    response: int  # which of the stream's responses it belongs to
    carried: dict[str, Any] = {}
    since: int | None = None  # the changes are those of the events from this number on
    changes: list[Change] = []


class Source(msgspec.Struct):
    """Who said a part of the final body: a text that came in pieces, or an entry of one of the body's lists."""

    path: Path
    first: int
    last: int  # the last event that changed it
    events: int  # how many did
    confirmed: list[int] = []  # later events that said the same


class Response(msgspec.Struct):
    """One response of the stream."""

    result: Result[Any]
    sources: list[Source]
    at_end: list[Change]  # what only the end of the stream changed


class Explanation(msgspec.Struct):
    """A stream explained."""

    data: bytes
    events: list[Event]
    responses: list[Response]


def explain(reads: Iterable[bytes], dialect: str = "auto", **options: Any) -> Explanation:
    """Reduce a stream and say what happened.

    Args:
        reads: The bytes of the body, split anywhere.
        dialect: The wire language, or ``"auto"``.
        **options: Those of `Reducer`.
    """
    watched = _Watched(dialect, **{**options, "lanes": False, "trust_done": False})
    data = bytearray()
    for read in reads:
        data += read
        watched.feed(read)
    watched.close()
    return Explanation(bytes(data), watched.events, watched.explained())


class _Response:
    """What is known of one response on the way."""

    def __init__(self) -> None:
        self.body: Any = None
        self.waiting: list[Event] = []  # whose changes have not been looked at
        self.sources = _Sources()


class _Watched(Reducer[Any]):
    """A reducer that is looked at after every event."""

    def __init__(self, dialect: str, **options: Any) -> None:
        super().__init__(dialect, **options)
        self.events: list[Event] = []
        self._seen: list[_Response] = []
        self._kinds: dict[str, _Kind] = {}
        self._savings = _SAVINGS
        self._cost = 1  # of the last look

    def _run(self, frames: Frames) -> None:
        for frame in frames:
            super()._run(framed([frame]))
            self._note_event(*frame)

    def _note_event(self, payload: bytes, name: str | None, offset: int | None) -> None:
        value = _value(payload)
        place = next(place for place, stream in enumerate(self._streams) if stream is self._stream)
        event = Event(self._number, offset, len(payload), name, _kind(payload, value, name), place)
        self.events.append(event)
        self._kinds.setdefault(event.kind, _Kind()).add(event, value)
        while len(self._seen) <= place:
            self._seen.append(_Response())
        seen = self._seen[place]
        seen.waiting.append(event)
        self._savings += _ALLOWANCE
        if self._savings >= self._cost:
            self._look(place)
            seen.sources.confirm(event, value, seen.body)

    def _look(self, place: int) -> None:
        """Compare a response's body with what it was, and give the changes to the event that came last."""
        seen = self._seen[place]
        body = self._result(self._streams[place], final=False).to_dict()
        self._cost = _cost(body)
        self._savings -= self._cost
        event = seen.waiting[-1]
        if len(seen.waiting) > 1:
            event.since = seen.waiting[0].number
        seen.waiting = []
        event.changes = list(differences(seen.body, body))
        seen.sources.take(event)
        seen.body = body

    def explained(self) -> list[Response]:
        """The responses, after `close`."""
        for kind in self._kinds.values():
            kind.tell()
        responses = []
        for place, result in enumerate(self.results):
            seen = self._seen[place] if place < len(self._seen) else _Response()
            if seen.waiting:
                self._look(place)
            body = result.to_dict()
            responses.append(Response(result, seen.sources.told(), list(differences(seen.body, body))))
        return responses


# -- what an event is ----------------------------------------------------------------------------


def _value(payload: bytes) -> Any:
    """The payload's value; what is no JSON has none."""
    try:
        return decode(payload, lambda code, seen, chosen: None, 512)
    except (NotJson, TooDeep):
        return _MISSING


def _kind(payload: bytes, value: Any, name: str | None) -> str:
    if not payload.strip():
        return "left out"  # an empty one, or what a repair dropped
    if payload.strip() == DONE:
        return DONE.decode()
    if type(value) is not dict:
        return "not JSON" if value is _MISSING else "not an object"
    told = value.get("type") or name or value.get("object")
    return told if type(told) is str else "error" if value.get("error") else "chunk"


class _Kind:
    """The events of one kind: what differs between them is what they carry."""

    def __init__(self) -> None:
        self._events: list[tuple[Event, dict[Path, Any]]] = []

    def add(self, event: Event, value: Any) -> None:
        leaves: dict[Path, Any] = {}
        if type(value) is dict:
            for path, leaf in _leaves(value, ()):
                if len(leaves) >= _LEAVES:
                    break
                leaves[path] = leaf
        self._events.append((event, leaves))

    def tell(self) -> None:
        """Give every event what it carried: of a kind that came once, all it says."""
        first = self._events[0][1]
        varies: set[Path] = set(first) if len(self._events) == 1 else set()
        for _, leaves in self._events:
            varies |= leaves.keys() ^ first.keys()
            varies |= {path for path, leaf in leaves.items() if first.get(path, leaf) != leaf}
        for event, leaves in self._events:
            carried = {path: leaf for path, leaf in leaves.items() if path in varies and leaf != event.kind}
            event.carried = {spelled(path): leaf for path, leaf in carried.items()}


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every value that is neither empty nor scaffolding."""
    if type(value) is dict:
        for key, entry in value.items():
            if key not in _SCAFFOLDING:
                yield from _leaves(entry, (*path, key))
    elif type(value) is list:
        for place, entry in enumerate(value):
            yield from _leaves(entry, (*path, place))
    elif value is not None and value != "":
        yield path, value


def spelled(path: Path) -> str:
    """Write a path as code does: ``choices[0].message.content``."""
    written = "".join(f"[{key}]" if type(key) is int else f".{key}" for key in path)
    return written.removeprefix(".") or "."


# -- what it changed -----------------------------------------------------------------------------


def differences(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """Say what makes the old value the new one, in order. Nothing at all counts as an empty object."""
    if old is None and new is not None and path == ():
        old = {}
    if old == new and type(old) is type(new):
        return
    if type(old) is dict and type(new) is dict:
        for key in old:
            if key not in new:
                yield Change("removed", (*path, key))
        for key, value in new.items():
            if key not in old:
                yield Change("new", (*path, key), value)
            else:
                yield from differences(old[key], value, (*path, key))
    elif type(old) is list and type(new) is list:
        yield from _list_differences(old, new, path)
    elif type(old) is str and type(new) is str and new.startswith(old):
        yield Change("append", path, new[len(old) :])
    else:
        yield Change("replace" if old or old == 0 else "set", path, new)


def _list_differences(old: list[Any], new: list[Any], path: Path) -> Iterator[Change]:
    if new[: len(old)] == old:
        yield from (Change("new", (*path, place), new[place]) for place in range(len(old), len(new)))
        return
    before, after = _names(old, new)
    kept = set(before) & set(after)
    if [name for name in before if name in kept] != [name for name in after if name in kept]:
        yield Change("replace", path, new)  # in another order
        return
    for place in reversed(range(len(old))):
        if before[place] not in kept:
            yield Change("removed", (*path, place))
    there = dict(zip(before, old, strict=True))
    last = max((place for place, name in enumerate(after) if name in kept), default=-1)
    for place, name in enumerate(after):
        if name in kept:
            yield from differences(there[name], new[place], (*path, place))
        else:
            yield Change("insert" if place < last else "new", (*path, place), new[place])


def _names(*lists: list[Any]) -> list[list[Any]]:
    """Tell the entries of two lists apart: by their index or id, as the first to come may be the last in order."""
    for key in ("index", "id"):
        names = [[entry.get(key) if type(entry) is dict else None for entry in entries] for entries in lists]
        if all(type(name) in (int, str) for found in names for name in found):
            if all(len(set(found)) == len(found) for found in names):
                return names
    return [list(range(len(entries))) for entries in lists]


def _cost(body: Any) -> int:
    if type(body) is dict:
        return 1 + sum(map(_cost, body.values()))
    if type(body) is list:
        return 1 + sum(map(_cost, body))
    return 1 + len(body) // _LETTERS if type(body) is str else 1


# -- who had the last word -----------------------------------------------------------------------


class _Sources:
    """Who said what of a body: of the entries of its lists, and of the texts in them that came in pieces."""

    def __init__(self) -> None:
        self._sources: dict[Path, Source] = {}
        self._made: dict[Path, int] = {}  # what was new, and the event that brought it
        self._places: dict[Any, list[Path]] | None = {}  # of the sources by what is compared with them

    def take(self, event: Event) -> None:
        """Note who changed what."""
        number = event.number if event.since is None else event.since
        for change in event.changes:
            path = change.path
            if change.op == "insert":
                self._move(path, 1)
            elif change.op == "removed":
                self._move(path, -1)
                continue
            if change.op == "replace":
                self._places = None
                inside = [known for known in self._sources if known[: len(path)] == path and known != path]
                for known in inside:
                    del self._sources[known]
            replaced = change.op == "replace" and type(change.value) is str and path[-1] not in _STATES
            if change.op == "append" or replaced or path in self._sources:
                self._touch(path, event.number)
            else:
                self._made[path] = number
            if len(path) > 1 and type(path[1]) is int:
                self._touch(path[:2], event.number)
            elif len(path) == 1 and type(change.value) is list:
                for place in range(len(change.value)):
                    self._touch((*path, place), event.number)

    def _touch(self, path: Path, number: int) -> None:
        source = self._sources.get(path)
        if source is None:
            self._places = None
            first = next(
                (self._made[path[:size]] for size in range(len(path), 0, -1) if path[:size] in self._made), number
            )
            source = self._sources[path] = Source(path, first, first, 1)
        if source.last != number:
            source.last = number
            source.events += 1
            source.confirmed = []

    def _move(self, path: Path, by: int) -> None:
        """An entry came to, or went from, the middle of a list: what is behind it, and in it, has another place now."""
        depth = len(path) - 1
        place: Any = path[-1]

        def now(known: Path) -> Path | None:
            there: Any = known[depth] if known[:depth] == path[:depth] and len(known) > depth else None
            if there == place and by < 0:
                return None
            behind = type(place) is int and there is not None and there >= place
            return (*known[:depth], there + by, *known[depth + 1 :]) if behind else known

        self._places = None
        self._made = {moved: number for known, number in self._made.items() if (moved := now(known)) is not None}
        self._sources = {moved: source for known, source in self._sources.items() if (moved := now(known)) is not None}
        for known, source in self._sources.items():
            source.path = known

    def confirm(self, event: Event, value: Any, body: Any) -> None:
        """Note what the event says again."""
        if self._places is None:
            self._places = {}
            for path in self._sources:
                self._places.setdefault(dict if len(path) == 2 else path[-1], []).append(path)
        for key, inner in _said(value, ()):
            for path in self._places.get(key, ()):
                source = self._sources[path]
                if source.last != event.number and event.number not in source.confirmed[-1:]:
                    if reduce(getitem, path, body) == inner:
                        source.confirmed.append(event.number)

    def told(self) -> list[Source]:
        """All of them, in the order of the body."""
        return sorted(self._sources.values(), key=lambda source: [(type(key) is str, key) for key in source.path])


def _said(value: Any, path: Path) -> Iterator[tuple[Any, Any]]:
    """Every text by its key, and every object inside by being one: it could be an entry."""
    if type(value) is dict:
        if path:
            yield dict, value
        for key, entry in value.items():
            yield from _said(entry, (key,))
    elif type(value) is list:
        for entry in value:
            yield from _said(entry, path)
    elif type(value) is str and value and path:
        yield path[-1], value
