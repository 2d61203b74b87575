"""Write the state of a live stream to bytes, and read it again in another process.

The state is a graph of this package's own objects and of plain values. A class whose objects may be saved derives from
`Saved`. An object becomes a record of its attributes. Objects are numbered, so that two references to one object are
two references to one object again after reading.

The bytes are a header with a version and a checksum, followed by MessagePack. Reading never runs code that the bytes
choose, unlike pickle: only classes of this package that derive from `Saved` are created, without calling them.

Anybody can write bytes with a valid checksum, so reading trusts no value. Each attribute must have its declared type,
and `Saved.check` tests what types cannot say. References cannot form a cycle, because an object gets its number after
its attributes.
"""

from __future__ import annotations

import importlib
import re
import zlib
from collections.abc import Callable
from functools import cache
from itertools import repeat
from math import isfinite
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints

import msgspec

from reducer.errors import StateError

_MAGIC = b"stream-reducer state"
_VERSION = 3
_HEADER = re.compile(rb"%b (\d{1,9}) (\d{1,10})" % _MAGIC)
_DIGITS = re.compile(r"-?[0-9]+")
# The only key of a dict that stands for a value without a MessagePack form. A dict of the wire cannot be mistaken for
# such a dict, because dicts with keys that are not printable are saved as lists of pairs.
_TAG = "\x00"
# Containers and objects inside each other. `Limits.max_depth` allows 256; a list that grows takes three levels for the
# two of a list and its entry. Recursive functions then stay below CPython's recursion limit.
MAX_DEPTH = 420
_TOO_LARGE = 10**4300  # CPython does not convert longer integers to text
_SCALARS = frozenset({str, bool, NoneType})

_CLASSES: dict[tuple[str, str], Any] = {}  # every class that derives from `Saved`, by its module and name


class _SlottedClass(type):
    """Makes a slot of each attribute that the body of a class declares without a value."""

    def __new__(cls, name: str, bases: tuple[type, ...], body: dict[str, Any]) -> _SlottedClass:
        inherited = {slot for base in bases for slot in _slots(base)}
        declared = body.get("__annotations__", {})
        body["__slots__"] = tuple(slot for slot in declared if slot not in body and slot not in inherited)
        made = super().__new__(cls, name, bases, body)
        _CLASSES[made.__module__, name] = made
        return made


def _slots(cls: type) -> list[str]:
    return [name for base in cls.__mro__ for name in vars(base).get("__slots__", ())]


class Saved(metaclass=_SlottedClass):
    """The base of every class whose objects may be part of a saved state.

    The body of a subclass declares every attribute with its type. The declarations are the class's ``__slots__``, and
    reading checks each value against them. ``Any`` stands for a JSON value, ``Annotated[Any, A, B]`` for a JSON value
    in which objects of the classes A and B may stand anywhere.
    """

    unsaved: tuple[str, ...] = ()  # attributes that are left out; the owner of the object sets them again after reading
    is_shared: bool = False  # several attributes may refer to one object

    def check(self) -> None:
        """Raise `ValueError` if the attributes contradict each other. Called after reading."""


@cache
def _saved_attributes(cls: type[Saved]) -> list[str]:
    return sorted(name for name in _slots(cls) if name not in cls.unsaved)


class _Writer:
    """Turns values into what MessagePack can encode."""

    def __init__(self, structs: dict[str, type]) -> None:
        self._numbers: dict[int, int] = {}  # id of each shared object written so far -> its number
        self._structs = {cls: name for name, cls in structs.items()}

    def write(self, value: Any) -> Any:
        """Return the written form of a value: the value itself, or a dict with the only key `_TAG`."""
        kind = type(value)
        if value is None or kind in (bool, float, bytes):
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else {_TAG: ["int", hex(value)]}
        if kind is str:
            return _write_str(value)
        if kind is list:
            return list(map(self.write, value))  # unlike a comprehension, `map` adds no frame to the stack
        if kind is dict:
            return self._write_dict(value)
        if kind in (set, frozenset, tuple):
            return {_TAG: [kind.__name__, list(map(self.write, value))]}
        if kind is bytearray:
            return {_TAG: ["bytearray", bytes(value)]}
        if kind.__name__ == "Decimal":
            return {_TAG: ["decimal", str(value)]}
        if value is msgspec.UNSET:
            return {_TAG: ["unset", None]}
        if kind in self._structs:
            return {_TAG: ["struct", self._structs[kind], self.write(msgspec.structs.asdict(value))]}
        return self._write_object(value)

    def _write_dict(self, value: dict[Any, Any]) -> Any:
        if all(type(key) is str and key.isprintable() for key in value):
            return dict(zip(value, map(self.write, value.values()), strict=True))
        return {_TAG: ["dict", [[self.write(key), self.write(entry)] for key, entry in value.items()]]}

    def _write_object(self, value: Any) -> Any:
        number = self._numbers.get(id(value))
        if number is not None:
            return {_TAG: ["same", number]}
        cls: Any = type(value)
        attributes = [getattr(value, name) for name in _saved_attributes(cls)]
        record = list(map(self.write, attributes))
        if cls.is_shared:
            self._numbers[id(value)] = len(self._numbers)
        return {_TAG: ["object", cls.__module__, cls.__qualname__, record]}


def _write_str(value: str) -> Any:
    try:
        value.encode()
    except UnicodeEncodeError:  # half a surrogate pair
        return {_TAG: ["str", value.encode("utf-8", "surrogatepass")]}
    return value


class _Reader:
    """Turns what `_Writer` wrote into values again."""

    def __init__(self, structs: dict[str, type]) -> None:
        self._objects: list[Any] = []  # shared objects by their number
        self._structs = structs
        self.has_surrogates = False  # some text may hold half a surrogate pair

    def read(self, value: Any, depth: int = 0) -> Any:
        kind = type(value)
        if kind is not list and kind is not dict:
            return value
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError("values are nested too deeply")
        if kind is list:
            return list(map(self.read, value, repeat(depth)))
        if _TAG not in value:
            return dict(zip(value, map(self.read, value.values(), repeat(depth)), strict=True))
        tag, *rest = value[_TAG]
        if tag == "object":
            return self._read_object(depth, *rest)
        if tag == "same":
            return self._find_object(*rest)
        if tag == "struct":
            return self._read_struct(depth, *rest)
        (written,) = rest
        if tag == "str" or (tag == "bytearray" and not _is_utf8(written)):
            self.has_surrogates = True
        return _read_plain(tag, self.read(written, depth))

    def _find_object(self, number: Any) -> Any:
        if type(number) is not int or not 0 <= number < len(self._objects):
            raise ValueError("a reference to an object that is not there")
        return self._objects[number]

    def _read_struct(self, depth: int, name: str, fields: Any) -> Any:
        if name not in self._structs:
            raise ValueError("a struct that is never saved")
        struct = self._structs[name](**self.read(fields, depth))
        _check_attributes(struct)
        return struct

    def _read_object(self, depth: int, module: str, name: str, record: Any) -> Any:
        if module.startswith("reducer.dialects."):
            importlib.import_module(module)  # dialects are imported at their first use, everything else with this one
        cls = _CLASSES.get((module, name))
        if cls is None:
            raise ValueError("an object of a class that is never saved")
        restored = cls.__new__(cls)
        attributes = _saved_attributes(cls)
        if type(record) is not list or len(record) != len(attributes):
            raise ValueError(f"{name} has other attributes in this version")
        for attribute, value in zip(attributes, record, strict=True):
            setattr(restored, attribute, self.read(value, depth))
        _check_attributes(restored)
        restored.check()
        if cls.is_shared:
            self._objects.append(restored)
        return restored


# -- types ---------------------------------------------------------------------------------------

_Check = Callable[[Any], bool]


def _check_attributes(value: Any) -> None:
    cls: Any = type(value)
    for name, check in _checks(cls).items():
        if not check(getattr(value, name)):
            raise ValueError(f"{cls.__name__}.{name} has a value of a wrong type")


@cache
def _checks(cls: Any) -> dict[str, _Check]:
    """Return, for each saved attribute of a class, a function that tells whether a value has the declared type."""
    names = _saved_attributes(cls) if issubclass(cls, Saved) else cls.__struct_fields__
    hints = get_type_hints(cls, include_extras=True)
    return {name: _check_for(hints[name]) for name in names}


def _check_for(hint: Any) -> _Check:
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any or origin is Annotated:
        return _json_check(arguments[1:])
    if origin in (Union, UnionType):
        return _union_check(arguments)
    if origin is Literal:
        return lambda value: type(value) is str and value in arguments
    if origin is dict:
        return _dict_check(*arguments)
    if origin is tuple and arguments[-1] is not ...:
        return _tuple_check(arguments)
    if origin in (list, set, tuple):
        return _sequence_check(origin, arguments[0])
    if hint is int:
        return _is_int
    kind = NoneType if hint is None else hint
    return lambda value: type(value) is kind


def _union_check(members: tuple[Any, ...]) -> _Check:
    checks = [_check_for(member) for member in members]
    return lambda value: any(check(value) for check in checks)


def _dict_check(key: Any, entry: Any) -> _Check:
    check_key, check_entry = _check_for(key), _check_for(entry)
    return lambda value: type(value) is dict and all(map(check_key, value)) and all(map(check_entry, value.values()))


def _tuple_check(members: tuple[Any, ...]) -> _Check:
    checks = [_check_for(member) for member in members]
    return lambda value: (
        type(value) is tuple
        and len(value) == len(checks)
        and all(check(entry) for check, entry in zip(checks, value, strict=True))
    )


def _sequence_check(kind: Any, entry: Any) -> _Check:
    check_entry = _check_for(entry)
    return lambda value: type(value) is kind and all(map(check_entry, value))


def _json_check(objects: tuple[type, ...]) -> _Check:
    """Return a function that tells whether a value is a JSON value in which objects of some classes may stand."""

    def check(value: Any) -> bool:
        kind = type(value)
        if kind in _SCALARS or isinstance(value, objects):
            return True
        if kind is int:
            return _is_int(value)
        if kind is float:
            return isfinite(value)
        if kind is list:
            return all(map(check, value))
        if kind is dict:
            return all(type(key) is str for key in value) and all(map(check, value.values()))
        return kind.__name__ == "Decimal"

    return check


def _is_int(value: Any) -> bool:
    return type(value) is int and -_TOO_LARGE < value < _TOO_LARGE


def _is_utf8(data: bytes) -> bool:
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


# -- bytes ---------------------------------------------------------------------------------------


def _read_plain(tag: str, written: Any) -> Any:
    try:
        return _PLAIN_TYPES[tag](written)
    except (ValueError, TypeError, LookupError, AttributeError):
        raise ValueError("a value that cannot be read") from None


def _read_decimal(digits: str) -> Any:
    if not _DIGITS.fullmatch(digits):
        raise ValueError("a number that is not an integer")
    return importlib.import_module("decimal").Decimal(digits)


# Tag -> the function that makes the value from its written form.
_PLAIN_TYPES: dict[str, Any] = {
    "int": lambda value: int(value, 16),
    "str": lambda value: value.decode("utf-8", "surrogatepass"),
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "bytearray": lambda value: bytearray(memoryview(value)),  # a number would be a size
    "decimal": _read_decimal,
    "unset": lambda _: msgspec.UNSET,
}


def dump(value: Any, structs: dict[str, type]) -> bytes:
    """Return a value as bytes.

    ``structs`` maps a name to each msgspec struct class that the value may hold. `load` needs the same mapping.
    """
    packed = msgspec.msgpack.encode(_Writer(structs).write(value))
    return b"%s %d %d\n%s" % (_MAGIC, _VERSION, zlib.crc32(packed), packed)


def load(data: bytes, structs: dict[str, type]) -> tuple[Any, bool]:
    """Return the value that `dump` wrote, and whether some text in it may hold half a surrogate pair.

    Raises `StateError` for bytes that `dump` did not write.
    """
    if not isinstance(data, bytes | bytearray | memoryview):
        raise StateError(f"a saved state is bytes, not {type(data).__name__}")
    head, _, packed = bytes(data).partition(b"\n")
    header = _HEADER.fullmatch(head)
    if header is None:
        raise StateError("not a saved state: the header is missing")
    version = int(header[1])
    if version != _VERSION:
        raise StateError(f"a saved state of version {version}; this version reads {_VERSION}")
    if int(header[2]) != zlib.crc32(packed):
        raise StateError("a damaged state: the checksum differs")
    try:
        reader = _Reader(structs)
        return reader.read(msgspec.msgpack.decode(packed)), reader.has_surrogates
    except Exception as error:  # a forged state may raise anything in the reader
        raise damaged(error) from None


def damaged(error: Exception) -> StateError:
    """Return the error for a state that made reading fail. Only the text of a `ValueError` is known to be harmless."""
    return StateError(f"a damaged state: {error if isinstance(error, ValueError) else type(error).__name__}")
