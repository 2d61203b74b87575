"""Plain dicts from the wire into structs, keeping what the structs do not declare.

msgspec drops unknown fields or rejects them; a body must keep them. So bodies are built as dicts,
and converted here, when somebody asks, into frozen structs with an ``extra`` dict (`Body`).
The conversion never fails: a value of another type than declared stays as it is.
"""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")


class Body(msgspec.Struct, frozen=True):
    """A part of a final body. Fields read ``None`` where the wire sent null or nothing."""


class Plan:
    """How one struct class is filled from a dict: the inner struct of each field, if it has one."""

    __slots__ = ("fields", "kinds")

    def __init__(self, cls: type) -> None:
        hints = typing.get_type_hints(cls)
        self.fields: dict[str, str] = {}
        self.kinds: dict[str, tuple[type | None, bool]] = {}
        for name, wire_name in zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True):  # type: ignore[attr-defined]
            if name != "extra":
                self.fields[wire_name] = name
                self.kinds[wire_name] = _inner(hints[name])


def _inner(hint: Any) -> tuple[type | None, bool]:
    """Find the struct inside an annotation, and whether it stands in a list."""
    if typing.get_origin(hint) in (types.UnionType, typing.Union):
        for member in typing.get_args(hint):
            found = _inner(member)
            if found[0] is not None:
                return found
    elif typing.get_origin(hint) is list:
        return (_inner(typing.get_args(hint)[0])[0], True)
    elif isinstance(hint, type) and issubclass(hint, msgspec.Struct):
        return (hint, False)
    return (None, False)


_PLANS: dict[type, Plan] = {}


def plan_of(cls: type) -> Plan:
    """Return the plan of a struct class, made once."""
    plan = _PLANS.get(cls)
    if plan is None:
        plan = _PLANS[cls] = Plan(cls)
    return plan


def to_struct(cls: type[T], obj: Any) -> T:
    """Convert a dict into a struct of this class; what it does not declare goes to ``extra``."""
    plan = plan_of(cls)
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in obj.items():
        name = plan.fields.get(key)
        if name is None:
            extra[key] = copied(value)
            continue
        inner, many = plan.kinds[key]
        if type(value) is msgspec.Raw:
            value = msgspec.json.decode(value)
        if many and value is None:
            continue
        if many and type(value) is list:
            value = [
                to_struct(inner, entry) if inner is not None and type(entry) is dict else copied(entry)
                for entry in value
            ]
        elif inner is not None and not many and type(value) is dict:
            value = to_struct(inner, value)
        else:
            value = copied(value)
        values[name] = value
    return cls(**values, extra=extra)  # type: ignore[call-arg]


def copied(value: Any) -> Any:
    """Copy a JSON value, so that nobody's change reaches anybody else. What a body has as JSON is decoded."""
    kind = type(value)
    if kind is dict:
        return {key: copied(entry) for key, entry in value.items()}
    if kind is list:
        return [copied(entry) for entry in value]
    if kind is msgspec.Raw:
        return msgspec.json.decode(value)
    return value
