"""Merge rules as data: how each key of an object in an event changes the state.

A `Table` names, for each key, the types that its value may have, and for each type the function that merges it.
`merge_object` walks an object by its table: a value of another type is left out and reported, null is nothing unless a
rule names it, and a key without a rule goes to the table's one generic rule. Keys merge in wire order; what needs two
keys at once is done by the caller, before or after the table.

A merge function is called as ``merge(state, into, key, value)``: ``into`` is the object of the state that this part of
the event belongs to. `last`, `last_non_empty` and the rules for undeclared keys keep values in ``into.fields``, a dict
in wire shape.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any, NamedTuple

from reducer.decoding import Report
from reducer.dialects.contract import MAX_INDEX
from reducer.dialects.generic import merge_unknown

Merge = Callable[[Any, Any, str, Any], object]
Rule = Mapping[type, Merge]

_ALL = (str, int, float, bool, list, dict, object)


class Table(NamedTuple):
    """The rules of one kind of object."""

    path: str  # the prefix by which problems name its keys
    rules: Mapping[str, Rule]
    other: Merge  # for keys without a rule, whatever their value


def merge_object(table: Table, state: Any, into: Any, obj: Mapping[str, Any]) -> None:
    """Merge an object, key by key."""
    path, rules, other = table
    for key, value in obj.items():
        rule = rules.get(key)
        if rule is None:
            other(state, into, key, value)
            continue
        merge = rule.get(value.__class__)
        if merge is not None:
            merge(state, into, key, value)
        elif value is not None:
            if object in rule:  # a number that is neither int nor float (S22)
                rule[object](state, into, key, value)
            else:
                state.report("wrong_type", {path + key: value}, "left out")


# -- rules ---------------------------------------------------------------------------------------


def rule(merge: Merge, *types: type) -> Rule:
    """Merge values of these types by one function; without types, every value that is not null."""
    return dict.fromkeys(types or _ALL, merge)


def last(*types: type) -> Rule:
    """The last value wins, whole; null replaces nothing."""
    return rule(set_value, *types)


def last_non_empty(*types: type) -> Rule:
    """The last value wins, whole, unless it is empty."""
    return rule(set_non_empty, *types)


def integer(path: str) -> Rule:
    """Merge nothing: other code reads this integer. A float with a fraction is reported."""

    def check(state: Any, into: Any, key: str, value: float) -> None:
        if not value.is_integer():
            state.report("wrong_type", {path + key: value}, "left out")

    return {int: ignore, float: check}


def objects(path: str, merge: Callable[[Any, Any, list[dict[str, Any]]], None]) -> Rule:
    """A list of objects, given to ``merge(state, into, objects)``; a single object is read as a list of one."""

    def merge_list(state: Any, into: Any, key: str, value: list[Any]) -> None:
        found = objects_of(value)
        if len(found) < len(value):
            for entry in value:
                if entry.__class__ is not dict and entry is not None:
                    state.report("wrong_type", {path: entry}, "left out")
        merge(state, into, found)

    def merge_one(state: Any, into: Any, key: str, value: dict[str, Any]) -> None:
        state.report("wrong_type", {path: "object"}, "read as a list of one")
        merge(state, into, [value])

    return {list: merge_list, dict: merge_one}


def set_value(state: Any, into: Any, key: str, value: Any) -> None:
    into.fields[key] = value


def set_non_empty(state: Any, into: Any, key: str, value: Any) -> None:
    if value:
        into.fields[key] = value


def merge_generic(state: Any, into: Any, key: str, value: Any) -> None:
    """Decision 5: the last value wins, objects merge, null replaces nothing."""
    merge_unknown(into.fields, {key: value})


def ignore(state: Any, into: Any, key: str, value: Any) -> None:
    """Merge nothing."""


IGNORED = rule(ignore, *_ALL, NoneType)


# -- reading -------------------------------------------------------------------------------------


def objects_of(value: Any) -> list[dict[str, Any]]:
    """Return the objects that a rule made by `objects` gives to its function."""
    if value.__class__ is list:
        return [entry for entry in value if entry.__class__ is dict]
    return [value] if value.__class__ is dict else []


def index_of(value: Any) -> int | None:
    """Return an index of the wire; ``None`` if the value is not an integer from 0 to `MAX_INDEX`."""
    if value.__class__ is float and value.is_integer():
        value = int(value)
    return value if value.__class__ is int and 0 <= value <= MAX_INDEX else None


def checked_fields(
    types: Mapping[str, tuple[type, ...]], event: dict[str, Any], report: Report, path: str = ""
) -> dict[str, Any]:
    """Return the event without declared keys whose value has a wrong type, which are reported.

    ``types`` has the types of each declared key; null is always allowed, and a float without a fraction may stand for
    an int. The event itself is returned if there is nothing to leave out or convert.
    """
    wrong: list[str] = []
    integers: dict[str, int] = {}
    for key, value in event.items():
        allowed = types.get(key)
        if allowed is None or value is None:
            continue
        if value.__class__ in allowed and not (value.__class__ is int and value > MAX_INDEX and "index" in key):
            continue
        if value.__class__ is float and int in allowed and value.is_integer():
            integers[key] = int(value)
        else:
            report("wrong_type", {path + key: value}, "left out")
            wrong.append(key)
    if not wrong and not integers:
        return event
    return {key: value for key, value in (event | integers).items() if key not in wrong}
