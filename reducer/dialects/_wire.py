"""Wire structs, and the tolerant way to fill them from a dict.

The typed decoders forbid unknown fields and other types than declared. An event that has either comes
here: what is unknown goes to the struct's ``extra``, what has the wrong type is left out and reported.
Handlers so see one kind of event, whatever came.
"""

from __future__ import annotations

import types
import typing
from typing import Any, TypeVar

import msgspec

from reducer.decoding import Report

T = TypeVar("T", bound="Wire")

_ENCODER = msgspec.json.Encoder(decimal_format="number")


def unnamed(name: str) -> Any:
    """Declare a field under a key that no wire has."""
    return msgspec.field(default=None, name=f"\x7f{name}")


class Wire(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A part of an event.

    ``extra`` is ``None`` exactly where the typed decoder made the event; in one that was made from a dict it is a
    dict in every part. A field that is declared costs each event that has it not, so what few events have may be
    declared in a struct apart, the type of a field ``rare``: the typed decoder refuses an event that has it.
    """

    extra: dict[str, Any] | None = unnamed("extra")


class Closed(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A part of an event that has nothing but what is declared: any other is not read this way (`Narrow`)."""


class _Field(msgspec.Struct, frozen=True):
    name: str
    kinds: tuple[type, ...]  # what may stand here as it is; empty: anything
    inner: type[Wire] | None
    many: bool
    rare: bool = False


def _field(name: str, hint: Any) -> _Field:
    kinds: list[type] = []
    inner: type[Wire] | None = None
    many = False
    members = typing.get_args(hint) if typing.get_origin(hint) in (types.UnionType, typing.Union) else (hint,)
    for member in members:
        if member is Any:
            return _Field(name, (), None, False)
        origin = typing.get_origin(member) or member
        if origin is list and typing.get_args(member) and _is_wire(typing.get_args(member)[0]):
            inner, many = typing.get_args(member)[0], True
        elif _is_wire(origin):
            inner = origin
        elif origin is typing.Literal:
            kinds.append(str)  # the strings that are frequent; any other is read here
        elif origin is msgspec.Raw:
            kinds.append(dict)  # an object that is not worth decoding each time
        elif origin not in (types.NoneType, msgspec.UnsetType):
            kinds.append(origin)
    return _Field(name, tuple(kinds), inner, many)


def _is_wire(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, Wire)


_FIELDS: dict[type, dict[str, _Field]] = {}


def _fields(cls: type[Wire]) -> dict[str, _Field]:
    fields = _FIELDS.get(cls)
    if fields is None:
        hints = typing.get_type_hints(cls)
        names = zip(cls.__struct_fields__, cls.__struct_encode_fields__, strict=True)
        fields = {wire: _field(name, hints[name]) for name, wire in names if not wire.startswith("\x7f")}
        rare = _rare(cls)
        if rare is not None:
            fields |= {wire: msgspec.structs.replace(field, rare=True) for wire, field in _fields(rare).items()}
        _FIELDS[cls] = fields
    return fields


def _rare(cls: type[Wire]) -> type[Wire] | None:
    """The struct of a part's rare fields."""
    hint = typing.get_type_hints(cls).get("rare")
    return next((member for member in typing.get_args(hint) if _is_wire(member)), None)


def from_dict(cls: type[T], obj: dict[str, Any], report: Report, path: str = "") -> T:
    """Fill a wire struct from a dict, leaving out and reporting what has the wrong type."""
    values: dict[str, Any] = {}
    rare: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    fields = _fields(cls)
    for key, value in obj.items():
        field = fields.get(key)
        if field is None:
            extra[key] = value
            continue
        if value is not None and (field.kinds or field.inner is not None):
            value = _accept(field, value, report, f"{path}.{key}" if path else key)
            if value is None:
                continue
        (rare if field.rare else values)[field.name] = value
    if rare:
        values["rare"] = _rare(cls)(**rare)  # type: ignore[misc]
    return cls(**values, extra=extra)


def _accept(field: _Field, value: Any, report: Report, path: str) -> Any:
    kind = type(value)
    if kind in field.kinds:
        return value
    inner = field.inner
    if inner is not None:
        if kind is dict:
            one = from_dict(inner, value, report, path)
            if not field.many:
                return one
            report("wrong_type", {path: "object"}, "read as a list of one")
            return [one]
        if kind is list and field.many:
            entries = []
            for entry in value:
                if type(entry) is dict:
                    entries.append(from_dict(inner, entry, report, path))
                elif entry is not None:
                    report("wrong_type", {path: entry}, "left out")
            return entries
    if kind is float and int in field.kinds and value.is_integer():
        return int(value)
    report("wrong_type", {path: value}, "left out")
    return None


def compact(value: Any) -> str:
    """Write arguments that came as an object: compact, keys in wire order, not ASCII-escaped (T15)."""
    try:
        return _ENCODER.encode(value).decode()
    except UnicodeEncodeError:
        import json  # half a surrogate pair, which is judged in the body (S21)

        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
