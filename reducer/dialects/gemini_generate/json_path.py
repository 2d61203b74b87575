"""Arguments of a call that come in pieces, each with the JSON path of its place (G3).

`parse_path` reads a path, `set_argument` sets one value, and `check_paths` refuses paths before anything is set that
would build too much.
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import Any

from msgspec import UNSET

from reducer.body import copied
from reducer.decoding import is_deep
from reducer.dialects.contract import LimitReached
from reducer.dialects.generic import built
from reducer.dialects.text import Fragments
from reducer.result import Limits

# RFC 9535, as far as a path names one place: `.name`, `[0]`, `['name']` and `["name"]`.
_SEGMENT = re.compile(r"""\.([^.\[\]]+)|\[(\d{1,9})\]|\['((?:[^'\\]|\\.)*)'\]|\["((?:[^"\\]|\\.)*)"\]""", re.DOTALL)
_QUOTED = re.compile(r"""\\(.)|["]""", re.DOTALL)
_VALUES = ("stringValue", "numberValue", "boolValue")


def partial_args(call: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the entries of a call's ``partialArgs``."""
    entries = call.get("partialArgs")
    return [entry for entry in entries if type(entry) is dict] if type(entries) is list else []


# -- reading -------------------------------------------------------------------------------------


def parse_path(path: Any) -> list[str | int] | None:
    """Return the names and indices of a JSON path; ``None`` if it does not name one place inside the arguments."""
    if type(path) is not str or not path.startswith("$"):
        return None
    keys: list[str | int] = []
    at = 1
    while at < len(path):
        match = _SEGMENT.match(path, at)
        if match is None:
            return None
        name, index, single, double = match.groups()
        if name is not None:
            keys.append(name)
        elif index is not None:
            keys.append(int(index))
        else:
            unquoted = _unquote(single if double is None else double)
            if unquoted is None:
                return None
            keys.append(unquoted)
        at = match.end()
    return keys or None


def _unquote(name: str) -> str | None:
    """Return a quoted name without its escapes; ``None`` if it has an escape that RFC 9535 does not know."""
    if "\\" not in name:
        return name
    # RFC 9535 escapes as JSON does, and the single quote besides.
    escaped = _QUOTED.sub(lambda match: '\\"' if match[1] is None else "'" if match[1] == "'" else match[0], name)
    try:
        unescaped = str(json.loads(f'"{escaped}"', strict=False))
        unescaped.encode()
    except ValueError:  # half a surrogate pair names no place either
        return None
    return unescaped


def value_of(entry: dict[str, Any]) -> Any:
    """Return the value of an entry; ``UNSET`` if it only announces a path."""
    for key in _VALUES:
        if entry.get(key) is not None:
            return entry[key]
    if "nullValue" in entry:
        return None
    # Protobuf's other kinds of value, listValue and structValue, are plain JSON.
    return next((value for key, value in entry.items() if key.endswith("Value") and value is not None), UNSET)


# -- setting -------------------------------------------------------------------------------------


def set_argument(state: Any, args: dict[str, Any], entry: dict[str, Any]) -> None:
    """Set the value of one entry; a string continues the string at its place.

    An entry is left out and reported if its path names no place, or the place of an object or a list.
    """
    value = value_of(entry)
    if value is UNSET:
        return
    path = parse_path(entry.get("jsonPath"))
    node = None if path is None else _open(args, path)
    if path is None or node is None:
        state.report("json_path", entry, "left out: no such place in the arguments")
        return
    key = path[-1]
    old = _get(node, key)
    if type(old) in (dict, list):
        state.report("json_path", entry, "left out: the place is taken")
    elif type(value) is str and type(old) in (str, Fragments):
        if type(old) is str:
            old = Fragments(old)
            _put(node, key, old)
        old.append(value)
    else:
        if old is not None and built(old) != value:
            state.report("arguments_replaced", built(old), value)
        _put(node, key, Fragments(value) if type(value) is str else copied(value))


def _open(root: dict[str, Any], path: list[str | int]) -> Any:
    """Return the object or list that holds the last key, making what is missing; ``None`` if the path does not fit."""
    node: Any = root
    if type(path[0]) is int:
        return None
    for key, following in pairwise(path):
        child = _get(node, key)
        kind = list if type(following) is int else dict
        if child is None:
            child = kind()
            _put(node, key, child)
        elif type(child) is not kind:
            return None
        node = child
    return node


def _get(node: Any, key: Any) -> Any:
    if type(node) is dict:
        return node.get(key)
    return node[key] if key < len(node) else None


def _put(node: Any, key: Any, value: Any) -> None:
    if type(node) is list and key >= len(node):
        # Paths name entries by position, so those skipped are null; `check_paths` bounds how many.
        node.extend([None] * (key + 1 - len(node)))
    node[key] = value


# -- limits --------------------------------------------------------------------------------------


def check_paths(limits: Limits, args: dict[str, Any], call: dict[str, Any]) -> None:
    """Raise `LimitReached` if an entry would nest too deep, or the entries together would skip too many places."""
    skipped = 0
    made: dict[Any, Any] = {}  # a tree of the entries so far; None: the length of a list that they make
    for entry in partial_args(call):
        path = parse_path(entry.get("jsonPath")) or []
        value = value_of(entry)
        is_nested = type(value) in (dict, list)
        if len(path) > limits.max_depth or (is_nested and is_deep(value, limits.max_depth - len(path))):
            raise LimitReached("depth", len(path))
        skipped += _skipped(args, path, made)
        if skipped > limits.max_new_slots:
            raise LimitReached("new_slots", skipped)


def _skipped(args: dict[str, Any], path: list[str | int], made: dict[Any, Any]) -> int:
    """Return how many places of lists this path skips, and add it to the tree."""
    node: Any = args
    skipped = 0
    for key in path:
        if type(key) is int:
            length = max(made.get(None, 0), len(node) if type(node) is list else 0)
            skipped += max(0, key - length)
            made[None] = max(length, key + 1)
            node = _get(node, key) if type(node) is list else None
        else:
            node = node.get(key) if type(node) is dict else None
        made = made.setdefault(key, {})
    return skipped
