"""Convert a body from a plain dict in wire shape into typed, frozen structs.

msgspec's own conversion drops or rejects unknown fields, but a body must keep them. So dialects build bodies as dicts,
and `to_struct` converts a dict into a `Body` struct when the caller asks for it. Keys that the struct does not declare
go to its ``extra`` dict. The conversion never fails: a value of another type than declared is kept unchanged.
"""

from __future__ import annotations

import types
import typing
from functools import cache
from typing import Any, NamedTuple, TypeVar

import msgspec

T = TypeVar("T")

# Integers of more than 4,300 digits are kept as `Decimal` (S22) and must be written as JSON numbers, not as strings.
to_json = msgspec.json.Encoder(decimal_format="number").encode


class Body(msgspec.Struct, frozen=True):
    """The base of every struct in a typed body. A field is ``None`` if the wire sent null or nothing."""


class _Field(NamedTuple):
    """How to convert one declared key of a dict."""

    name: str  # of the struct's field; the wire may spell the key differently
    struct: type | None  # the struct of the value, or of the entries if the value is a list; None for plain values
    is_list: bool


def _find_struct(annotation: Any) -> tuple[type | None, bool]:
    """Return the struct class inside an annotation, if there is one, and whether the annotation is a list."""
    if typing.get_origin(annotation) in (types.UnionType, typing.Union):
        for member in typing.get_args(annotation):
            found = _find_struct(member)
            if found[0] is not None:
                return found
    elif typing.get_origin(annotation) is list:
        return (_find_struct(typing.get_args(annotation)[0])[0], True)
    elif isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return (annotation, False)
    return (None, False)


@cache
def _fields(cls: type) -> dict[str, _Field]:
    """Return the declared fields of a struct class by their key on the wire."""
    annotations = typing.get_type_hints(cls)
    names = zip(cls.__struct_encode_fields__, cls.__struct_fields__, strict=True)  # type: ignore[attr-defined]
    return {key: _Field(name, *_find_struct(annotations[name])) for key, name in names if name != "extra"}


def to_struct(cls: type[T], obj: dict[str, Any]) -> T:
    """Convert a dict into a struct of this class. The struct shares no mutable value with the dict."""
    fields = _fields(cls)  # type: ignore[arg-type]  # mypy: a type variable is not Hashable
    values: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in obj.items():
        field = fields.get(key)
        if field is None:
            extra[key] = copied(value)
        elif value is not None or not field.is_list:  # a list that is null keeps the field's default, an empty list
            values[field.name] = _convert(value, field)
    return cls(**values, extra=extra)  # type: ignore[call-arg]


def _convert(value: Any, field: _Field) -> Any:
    """Convert the value of a declared field as far as it has the declared type."""
    if type(value) is msgspec.Raw:
        value = msgspec.json.decode(value)
    if field.struct is not None:
        if field.is_list and type(value) is list:
            return [to_struct(field.struct, entry) if type(entry) is dict else copied(entry) for entry in value]
        if not field.is_list and type(value) is dict:
            return to_struct(field.struct, value)
    return copied(value)


def independent(value: Any) -> Any:
    """Return a copy of the dicts and lists of a JSON value. What nobody can change is shared."""
    kind = type(value)
    if kind is dict:
        return {key: independent(entry) for key, entry in value.items()}
    if kind is list:
        return [independent(entry) for entry in value]
    return value


def copied(value: Any) -> Any:
    """Return a deep copy of a JSON value. A `msgspec.Raw` inside the value is decoded."""
    kind = type(value)
    if kind is dict:
        return {key: copied(entry) for key, entry in value.items()}
    if kind is list:
        return [copied(entry) for entry in value]
    if kind is msgspec.Raw:
        return msgspec.json.decode(value)
    return value
