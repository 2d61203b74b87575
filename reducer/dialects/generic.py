"""The generic rule for keys that no table declares (semantics, decision 5): nothing is lost, nothing is invented.

The last non-null value wins, and dicts recurse. A list is a snapshot, so the last one wins, except inside a delta:
there it grows entry by entry (`GrowingList`). Numbers are never summed, and strings joined only where the caller names
their key (``text_keys``).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from reducer.body import copied
from reducer.decoding import Report
from reducer.dialects.contract import MAX_INDEX
from reducer.dialects.entries import Entries
from reducer.dialects.text import Fragments
from reducer.problems import SHOWN
from reducer.saving import Saved

_key_of = msgspec.json.Encoder(order="sorted", decimal_format="number").encode


_NO_TEXTS: frozenset[str] = frozenset()


def merge_unknown(
    into: dict[str, Any],
    new: dict[str, Any],
    *,
    in_delta: bool = False,
    texts: frozenset[str] = _NO_TEXTS,
    path: str = "",
) -> None:
    """Merge undeclared keys into those that came before.

    Args:
        into: The keys that came before.
        new: The keys of the event.
        in_delta: Whether lists grow.
        texts: Keys whose strings join, by their path with dots. Entries of a list have the path of the list.
        path: What the paths of these keys begin with.
    """
    for key, value in new.items():
        if value is None:
            into.setdefault(key, None)
            continue
        old = into.get(key)
        kind = type(value)
        inner = f"{path}{key}." if texts else ""
        if kind is dict and (type(old) is dict or texts or in_delta):
            if type(old) is not dict:
                old = into[key] = {}
            merge_unknown(old, value, in_delta=in_delta, texts=texts, path=inner)
        elif kind is list and in_delta:
            if type(old) is not GrowingList:
                old = into[key] = GrowingList()
            old.add(value, texts, inner)
        elif kind is str and texts and path + key in texts:
            if type(old) is not Fragments:
                old = into[key] = Fragments()
            old.append(value)
        else:
            into[key] = copied(value)


class Strings(Saved):
    """The values of one undeclared string: they may have been fragments of a text. A problem shows the first ones."""

    first: list[str]  # a little more than a problem shows
    _size: int
    last: str
    differ: bool

    def __init__(self) -> None:
        self.first = []
        self._size = 0
        self.last = ""
        self.differ = False

    def add(self, value: str) -> None:
        self.differ = self.differ or (bool(self.first) and value != self.last)
        self.last = value
        if self._size <= SHOWN:
            self.first.append(value)
            self._size += len(value) + len('"",')

    def extend(self, values: list[str]) -> None:
        for value in values:
            self.add(value)


def keep_strings(kept: dict[str, Strings], path: str, value: Any, texts: frozenset[str]) -> None:
    """Note every value of the strings in an undeclared value, by path, but those whose values join."""
    if type(value) is dict:
        for key, entry in value.items():
            keep_strings(kept, f"{path}.{key}", entry, texts)
    elif type(value) is str and value and path not in texts:
        strings = kept.get(path)
        if strings is None:
            strings = kept[path] = Strings()
        strings.add(value)


def report_strings(kept: dict[str, Strings], report: Report) -> None:
    """Report strings whose values differ: they may have been fragments of an undeclared text."""
    for key, strings in kept.items():
        if strings.differ:
            report("undeclared_text", {key: strings.first}, strings.last)


class GrowingList(Saved):
    """A list that grows by deltas: a dict with an integer ``index`` merges into the entry of that index, any other
    value is appended unless an equal one is there.

    Values are equal if they have the same JSON: ``true``, ``1`` and ``1.0`` differ. With ``whole=True`` an ``index``
    means nothing, and every entry is a value of its own (C36, C37).
    """

    _items: list[Growing]
    _keys: set[bytes]  # the JSON of the entries without an index
    _places: dict[int, int]  # the places in `_items` of the entries with an index
    _whole: bool

    def __init__(self, *, whole: bool = False) -> None:
        self._items = []
        self._keys = set()
        self._places = {}
        self._whole = whole

    def check(self) -> None:
        items = self._items
        if not all(0 <= place < len(items) and type(items[place]) is dict for place in self._places.values()):
            raise ValueError("a list has no object at a place with an index")

    def add(self, entries: list[Any], texts: frozenset[str] = _NO_TEXTS, path: str = "") -> None:
        """Add the entries of a delta; ``texts`` and ``path`` are those of `merge_unknown`."""
        for entry in entries:
            index = entry.get("index") if type(entry) is dict and not self._whole else None
            if type(index) is int and abs(index) <= MAX_INDEX:
                self._merge_at(index, entry, texts, path)
                continue
            key = json_key(entry)
            if key not in self._keys:
                self._keys.add(key)
                self._items.append(copied(entry))

    def _merge_at(self, index: int, entry: dict[str, Any], texts: frozenset[str], path: str) -> None:
        place = self._places.get(index)
        if place is None:
            place = self._places[index] = len(self._items)
            self._items.append({})
        merge_unknown(self._items[place], entry, in_delta=True, texts=texts, path=path)

    def build(self) -> list[Any]:
        return [built(entry) for entry in self._items]


Growing = Annotated[Any, Fragments, GrowingList]  # a JSON value in which texts and lists may grow


def json_key(value: Any) -> bytes:
    """Return a JSON value as a key: equal for values of the same types, whatever the order of keys."""
    try:
        return _key_of(value)
    except (ValueError, TypeError, OverflowError):
        return repr(value).encode("utf-8", "surrogatepass")  # half a surrogate pair or a huge integer


def is_settled(has: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether `merge_unknown` would change nothing."""
    return all(
        json_key(has.get(key)) == json_key(value) if value is not None else key in has for key, value in new.items()
    )


def built(value: Any) -> Any:
    """Return a value of the state as plain data for a body: growing texts and lists become strings and lists."""
    kind = type(value)
    if kind is dict:
        return {key: built(entry) for key, entry in value.items()}
    if kind is list:
        return [built(entry) for entry in value]
    if kind is Fragments:
        return str(value)
    if kind is GrowingList or kind is Entries:
        return value.build()
    return value
