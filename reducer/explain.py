"""Explain a stream event by event: what each event carried, how it changed the body, and which events set each part.

This module does not know what any event means. It merges a stream with the event path of the core, and compares the
body after each event with the body before it. The difference is what the event did: a text grew, a key or a list entry
was added, a value was replaced, or something was removed. An event *carried* those of its values that differ among the
events of its kind.

For each entry of a list at the top of the body, and each text that grew or was replaced, a `Source` names the last
event that changed it. A later event that repeats the same value, as a done event repeats its deltas, confirms it.

Building the body takes time in proportion to the body's size. Building a large body after each of many events would
take quadratic time. So every event earns an allowance (`_ALLOWANCE`), and a body that costs more than the saved
allowances is not built: several events are then compared together (`Event.since`). The total time stays linear.

Of the core it uses `Pipeline`, whose hook for a batch path is called before each event, and `Response.result`.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from functools import reduce
from operator import getitem
from typing import Any

import msgspec

from reducer.decoding import NotJson, TooDeep, decode_tolerantly
from reducer.dialects.contract import Options
from reducer.dialects.generic import json_key
from reducer.dialects.registry import load
from reducer.frames import DONE, Frame, Frames
from reducer.pipeline import Pipeline
from reducer.responses import Responses
from reducer.result import Limits, Result
from reducer.timing import Stopwatch

Path = tuple[str | int, ...]

# The cost of building and comparing bodies is counted in nodes: one for each value, and one more for every
# `_NODE_CHARACTERS` characters of a text. A node takes about two microseconds.
_SAVINGS = 20_000  # nodes that may be built beside the allowances of the events
_ALLOWANCE = 500  # nodes that each event adds
_NODE_CHARACTERS = 512

_MAX_LEAVES = 64  # values of one payload that are compared with those of other events
_SCAFFOLDING = frozenset({"sequence_number", "obfuscation"})  # keys that vary and carry nothing
_STATES = frozenset({"status"})  # keys of strings that are replaced as the stream proceeds: they are not texts
_MISSING: Any = object()  # stands for the value of a payload that is not JSON


class Change(msgspec.Struct, frozen=True):
    """One difference between the body before an event and the body after it.

    ``op`` is one of:

    - ``append``: ``value`` was appended to a text;
    - ``new``: a key was added, or an entry at the end of a list;
    - ``insert``: a list entry was added before another entry;
    - ``set``: a value replaced null or an empty value;
    - ``replace``: a value replaced another value;
    - ``removed``: a key or a list entry was removed.

    Applied in order, the changes of all events and those at the end make the body, beginning with ``{}``.
    """

    op: str
    path: Path
    value: Any = None


class Event(msgspec.Struct):
    """One event: its place in the stream, its kind, what it carried, and how it changed the body."""

    number: int
    offset: int | None
    size: int
    name: str | None  # the event's name in the framing
    kind: str  # the payload's ``type``; if it has none, what `_kind_of` calls the payload
    response: int  # the number of the response that the event belongs to
    carried: dict[str, Any] = {}
    since: int | None = None  # if set, `changes` are those of all events of this response from this number on
    changes: list[Change] = []


class Source(msgspec.Struct):
    """The events that set one part of the final body: a text that grew, or an entry of a top-level list."""

    path: Path
    first: int  # number of the first event that changed the part
    last: int  # number of the last one
    events: int  # how many events changed the part
    confirmed: list[int] = []  # numbers of later events that repeat the final value


class Response(msgspec.Struct):
    """One response of the stream."""

    result: Result[Any]
    sources: list[Source]
    at_end: list[Change]  # changes that no event made, only the end of the stream


class Explanation(msgspec.Struct):
    """A stream with its events and responses."""

    data: bytes
    events: list[Event]
    responses: list[Response]


def explain(
    reads: Iterable[bytes],
    dialect: str = "auto",
    *,
    limits: Limits = Limits(),  # noqa: B008  (frozen)
    repairs: Iterable[str] = (),
    text_keys: Iterable[str] = (),
) -> Explanation:
    """Reduce a stream and explain it.

    Args:
        reads: The bytes of the body, split anywhere.
        dialect: The name of the dialect, or ``"auto"`` to detect it.
        limits: As for `Reducer`.
        repairs: As for `Reducer`.
        text_keys: As for `Reducer`.
    """
    watcher = _Watcher(Options(limits, frozenset(repairs), frozenset(text_keys)), dialect)
    data = bytearray()
    for read in reads:
        data += read
        watcher.feed(read)
    responses = watcher.close()
    return Explanation(bytes(data), watcher.events, responses)


class _Progress:
    """One response between two comparisons."""

    def __init__(self) -> None:
        self.body: Any = None  # at the last comparison
        self.waiting: list[Event] = []  # events since the last comparison; their changes are not known yet
        self.sources = _Sources()


class _Watcher:
    """Merges a stream and compares the body after every event, as far as the allowance permits."""

    def __init__(self, options: Options, dialect: str) -> None:
        given = None if dialect == "auto" else load(dialect)
        # The pipeline calls its batch path before each event. `_before_event` merges nothing, so that every event is
        # merged by the event path.
        self._pipeline = Pipeline(options, given, self._before_event, Stopwatch(None))
        self.events: list[Event] = []
        self._merging: tuple[int, Frame] | None = None  # number and frame of the event that is being merged
        self._progress: list[_Progress] = []  # of each response
        self._places: dict[int, int] = {}  # id of each of the core's responses -> its place in `_progress`
        self._kinds: dict[str, _Kind] = {}
        self._savings = _SAVINGS
        self._cost = 1  # nodes of the body that was built last

    def feed(self, data: bytes) -> None:
        if data:
            self._pipeline.feed(data)

    def close(self) -> list[Response]:
        """End the stream and return its responses."""
        self._pipeline.flush()
        self._after_event()
        self._add_responses()
        for place, progress in enumerate(self._progress):
            if progress.waiting:
                self._compare(place)
        for kind in self._kinds.values():
            kind.set_carried()
        results = self._pipeline.results(final=True)
        return [
            Response(result, progress.sources.build(), list(find_changes(progress.body, result.to_dict())))
            for result, progress in zip(results, self._progress, strict=True)
        ]

    def _before_event(self, responses: Responses, frames: Frames, place: int) -> int:
        """Finish the previous event and note the next one. Return ``place``: nothing is merged here."""
        self._after_event()
        self._merging = (self._pipeline.count + place, frames.frame(place))
        return place

    def _after_event(self) -> None:
        """Record the event that was merged last, and compare the body if the allowance permits."""
        if self._merging is None:
            return
        number, (payload, name, offset) = self._merging
        self._merging = None
        self._add_responses()
        value = _value_of(payload)
        place = self._places[id(self._pipeline.responses.current)]
        event = Event(number, offset, len(payload), name, _kind_of(payload, value, name), place)
        self.events.append(event)
        self._kinds.setdefault(event.kind, _Kind()).add(event, value)
        progress = self._progress[place]
        progress.waiting.append(event)
        self._savings += _ALLOWANCE
        if self._savings >= self._cost:
            self._compare(place)
            progress.sources.confirm(event, value, progress.body)

    def _add_responses(self) -> None:
        """Follow the responses that have begun since the last call."""
        for response in self._pipeline.responses.all[len(self._progress) :]:
            self._places[id(response)] = len(self._progress)
            self._progress.append(_Progress())

    def _compare(self, place: int) -> None:
        """Compare a response's body with the previous one. The changes belong to the last event that is waiting."""
        progress = self._progress[place]
        response = self._pipeline.responses.all[place]
        body = response.result(final=False, end=self._pipeline.count).to_dict()
        self._cost = _count_nodes(body)
        self._savings -= self._cost
        event = progress.waiting[-1]
        if len(progress.waiting) > 1:
            event.since = progress.waiting[0].number
        progress.waiting = []
        event.changes = list(find_changes(progress.body, body))
        self._savings -= progress.sources.add(event)
        progress.body = body


def _count_nodes(body: Any) -> int:
    if type(body) is dict:
        return 1 + sum(map(_count_nodes, body.values()))
    if type(body) is list:
        return 1 + sum(map(_count_nodes, body))
    return 1 + len(body) // _NODE_CHARACTERS if type(body) is str else 1


# -- kinds of events -----------------------------------------------------------------------------


def _value_of(payload: bytes) -> Any:
    """Return the payload's value, or `_MISSING` if the payload is not JSON."""
    try:
        return decode_tolerantly(payload, lambda code, seen, chosen: None, 512)
    except (NotJson, TooDeep):
        return _MISSING


def _kind_of(payload: bytes, value: Any, name: str | None) -> str:
    if not payload.strip():
        return "left out"  # the payload was empty on the wire, or a repair dropped it
    if payload.strip() == DONE:
        return DONE.decode()
    if type(value) is not dict:
        return "not JSON" if value is _MISSING else "not an object"
    kind = value.get("type") or name or value.get("object")
    if type(kind) is str:
        return kind
    return "error" if value.get("error") else "chunk"


class _Kind:
    """All events of one kind. The values that differ among them are what each event carried."""

    def __init__(self) -> None:
        self._events: list[tuple[Event, dict[Path, Any]]] = []  # with the first `_MAX_LEAVES` values of each

    def add(self, event: Event, value: Any) -> None:
        leaves: dict[Path, Any] = {}
        if type(value) is dict:
            for path, leaf in _leaves(value, ()):
                if len(leaves) >= _MAX_LEAVES:
                    break
                leaves[path] = leaf
        self._events.append((event, leaves))

    def set_carried(self) -> None:
        """Set `Event.carried` of every event. If there is only one, it carried all its values."""
        first = self._events[0][1]
        varying: set[Path] = set(first) if len(self._events) == 1 else set()
        for _, leaves in self._events:
            varying |= leaves.keys() ^ first.keys()
            varying |= {path for path, leaf in leaves.items() if not _is_same(first.get(path, leaf), leaf)}
        varying -= {("type",), ("object",)}  # the kind says them
        for event, leaves in self._events:
            event.carried = {format_path(path): leaf for path, leaf in leaves.items() if path in varying}


def _leaves(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Yield every value that is neither empty nor a container, without those of `_SCAFFOLDING`."""
    if type(value) is dict:
        for key, entry in value.items():
            if key not in _SCAFFOLDING:
                yield from _leaves(entry, (*path, key))
    elif type(value) is list:
        for place, entry in enumerate(value):
            yield from _leaves(entry, (*path, place))
    elif value is not None and value != "":
        yield path, value


def format_path(path: Path) -> str:
    """Return a path in the notation of code: ``choices[0].message.content``."""
    text = "".join(f"[{key}]" if type(key) is int else f".{key}" for key in path)
    return text.removeprefix(".") or "."


# -- changes of the body -------------------------------------------------------------------------


def find_changes(old: Any, new: Any, path: Path = ()) -> Iterator[Change]:
    """Yield the changes that turn the old value into the new one, in order. No body counts as an empty object."""
    if old is None and new is not None and path == ():
        old = {}
    if _is_same(old, new):
        return
    if type(old) is dict and type(new) is dict:
        for key in old:
            if key not in new:
                yield Change("removed", (*path, key))
        for key, value in new.items():
            if key not in old:
                yield Change("new", (*path, key), value)
            else:
                yield from find_changes(old[key], value, (*path, key))
    elif type(old) is list and type(new) is list:
        yield from _find_list_changes(old, new, path)
    elif type(old) is str and type(new) is str and new.startswith(old):
        yield Change("append", path, new[len(old) :])
    else:
        yield Change("replace" if old or old == 0 else "set", path, new)


def _is_same(old: Any, new: Any) -> bool:
    """Whether two values are equal in their types too: ``true``, 1 and 1.0 differ."""
    return old == new and json_key(old) == json_key(new)


def _find_list_changes(old: list[Any], new: list[Any], path: Path) -> Iterator[Change]:
    if _is_same(old, new[: len(old)]):
        yield from (Change("new", (*path, place), new[place]) for place in range(len(old), len(new)))
        return
    old_names, new_names = _name_entries(old, new)
    common = set(old_names) & set(new_names)
    if [name for name in old_names if name in common] != [name for name in new_names if name in common]:
        yield Change("replace", path, new)  # the common entries have changed their order
        return
    for place in reversed(range(len(old))):
        if old_names[place] not in common:
            yield Change("removed", (*path, place))
    old_entries = dict(zip(old_names, old, strict=True))
    last = max((place for place, name in enumerate(new_names) if name in common), default=-1)
    for place, name in enumerate(new_names):
        if name in common:
            yield from find_changes(old_entries[name], new[place], (*path, place))
        else:
            yield Change("insert" if place < last else "new", (*path, place), new[place])


def _name_entries(*lists: list[Any]) -> list[list[Any]]:
    """Return a name for each entry of each list, so that an entry has the same name in both lists.

    The names are the entries' indices or ids, if every entry has one of its own. Otherwise they are the places.
    """
    for key in ("index", "id"):
        names = [[entry.get(key) if type(entry) is dict else None for entry in entries] for entries in lists]
        if all(type(name) in (int, str) for found in names for name in found):
            if all(len(set(found)) == len(found) for found in names):
                return names
    return [list(range(len(entries))) for entries in lists]


# -- sources of the parts of a body --------------------------------------------------------------


class _Sources:
    """The `Source` of each entry of the body's top-level lists, and of each text that grew or was replaced."""

    def __init__(self) -> None:
        self._sources: dict[Path, Source] = {}
        self._created: dict[Path, int] = {}  # path of each value that was added -> number of the event that added it
        # The paths of all sources by what can confirm them: `dict` for an entry, the last key for a text. None after a
        # change of the paths, until the next use.
        self._candidates: dict[Any, list[Path]] | None = {}

    def add(self, event: Event) -> int:
        """Record the changes of an event. Return how many paths were changed."""
        moved = self._move_all(event.changes)
        for change in event.changes:
            path = change.path
            if change.op == "removed":
                continue
            if change.op == "replace":
                self._forget_inside(path)
            is_new_text = change.op == "replace" and type(change.value) is str and path[-1] not in _STATES
            if change.op == "append" or is_new_text or path in self._sources:
                self._touch(path, event.number)
            else:
                self._created[path] = event.number if event.since is None else event.since
            if len(path) > 1 and type(path[1]) is int:
                self._touch(path[:2], event.number)
            elif len(path) == 1 and type(change.value) is list:
                for place in range(len(change.value)):
                    self._touch((*path, place), event.number)
        return moved

    def _touch(self, path: Path, number: int) -> None:
        """Record that an event has changed the part at a path."""
        source = self._sources.get(path)
        if source is None:
            self._candidates = None
            prefixes = (path[:size] for size in range(len(path), 0, -1))
            first = next((self._created[prefix] for prefix in prefixes if prefix in self._created), number)
            source = self._sources[path] = Source(path, first, first, 1)
        if source.last != number:
            source.last = number
            source.events += 1
            source.confirmed = []

    def _forget_inside(self, path: Path) -> None:
        """Remove the sources of everything inside a value that was replaced."""
        self._candidates = None
        for known in [known for known in self._sources if known[: len(path)] == path and known != path]:
            del self._sources[known]

    def _move_all(self, changes: list[Change]) -> int:
        """Change the paths that insertions and removals move. Return how many there are, or 0 if nothing moves."""
        moves: dict[Path, _Moves] = {}  # by the path of the list, or of the object that has lost a key
        for change in changes:
            if change.op in ("insert", "removed"):
                moves.setdefault(change.path[:-1], _Moves()).add(change)
        if not moves:
            return 0
        for prefix, one in moves.items():
            self._created = one.moved(self._created, prefix)
            self._sources = one.moved(self._sources, prefix)
        for path, source in self._sources.items():
            source.path = path
        self._candidates = None
        return len(moves) * (len(self._sources) + len(self._created))

    def confirm(self, event: Event, value: Any, body: Any) -> None:
        """Record which parts of the body an event repeats."""
        if self._candidates is None:
            self._candidates = {}
            for path in self._sources:
                self._candidates.setdefault(dict if len(path) == 2 else path[-1], []).append(path)
        for key, inner in _texts_and_objects(value, ()):
            for path in self._candidates.get(key, ()):
                source = self._sources[path]
                if source.last != event.number and event.number not in source.confirmed[-1:]:
                    if reduce(getitem, path, body) == inner:
                        source.confirmed.append(event.number)

    def build(self) -> list[Source]:
        """Return all sources in the order of their paths."""
        return sorted(self._sources.values(), key=lambda source: [(type(key) is str, key) for key in source.path])


class _Moves:
    """The entries that one event has removed from a list and inserted into it, or the keys it has removed."""

    def __init__(self) -> None:
        self._removed: set[Any] = set()  # places or keys before the event
        self._inserted: list[int] = []  # places after it, ascending

    def add(self, change: Change) -> None:
        if change.op == "removed":
            self._removed.add(change.path[-1])
        else:
            self._inserted.append(change.path[-1])  # type: ignore[arg-type]  # only lists have insertions

    def moved(self, known: dict[Path, Any], prefix: Path) -> dict[Path, Any]:
        """Return paths and their values as they are after the moves, without those inside a removed entry."""
        depth = len(prefix)
        places = {path[depth] for path in known if len(path) > depth and path[:depth] == prefix}
        after = self._after(places)
        moved = {}
        for path, value in known.items():
            if len(path) > depth and path[:depth] == prefix:
                place = after.get(path[depth])
                if place is None:
                    continue
                path = (*prefix, place, *path[depth + 1 :])
            moved[path] = value
        return moved

    def _after(self, places: set[Any]) -> dict[Any, Any]:
        """Return where each of these places, or keys, is afterwards; a removed one is missing."""
        after: dict[Any, Any] = {}
        removed = sorted(self._removed)  # all are places, or all are keys
        inserted = 0  # so far
        for place in sorted(places - self._removed):
            if type(place) is str:
                after[place] = place
                continue
            new = place - bisect_left(removed, place) + inserted
            while inserted < len(self._inserted) and self._inserted[inserted] <= new:
                inserted += 1
                new += 1
            after[place] = new
        return after


def _texts_and_objects(value: Any, path: Path) -> Iterator[tuple[Any, Any]]:
    """Yield every text of an event with its key, and every object inside the event with the key `dict`."""
    if type(value) is dict:
        if path:
            yield dict, value
        for key, entry in value.items():
            yield from _texts_and_objects(entry, (key,))
    elif type(value) is list:
        for entry in value:
            yield from _texts_and_objects(entry, path)
    elif type(value) is str and value and path:
        yield path[-1], value
