"""A live state to bytes and back, for going on in another process. No pickle: nothing is run by reading it.

The state is a graph of this package's own objects. Those that may be saved derive from `Saved`; they become
records of their attributes, numbered, so that what was one object is one object again. The rest is data.
The bytes are a mark, a version, a checksum and MessagePack.
"""

from __future__ import annotations

import importlib
import zlib
from typing import Any

import msgspec

from reducer.errors import StateError

_MARK = b"stream-reducer state"
_VERSION = 1
# The wire cannot be confused with it: dicts with keys that do not print are saved as pairs.
_TAG = "\x00"


class Saved:
    """The base of what may be part of a saved state.

    Attributes named in ``unsaved`` are set anew by the owner; those in ``caches`` are ``None`` in what is read.
    """

    __slots__ = ()
    unsaved: tuple[str, ...] = ()
    caches: tuple[str, ...] = ()

    def settle(self) -> None:
        """Bring the attributes up to date: called before they are saved, as a cache may know more."""


def _attributes(cls: type) -> list[str]:
    names = [name for base in cls.__mro__ for name in vars(base).get("__slots__", ())]
    return sorted(name for name in names if name not in cls.unsaved and name not in cls.caches)  # type: ignore[attr-defined]


class _Writer:
    def __init__(self, structs: dict[str, type]) -> None:
        self._numbers: dict[int, int] = {}
        self._structs = {cls: name for name, cls in structs.items()}

    def write(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, float, bytes):
            return value
        if kind is int:
            return value if -(2**63) <= value < 2**64 else {_TAG: ["int", hex(value)]}
        if kind is str:
            try:
                value.encode()
            except UnicodeEncodeError:
                return {_TAG: ["str", value.encode("utf-8", "surrogatepass")]}
            return value
        if kind is list:
            return [self.write(entry) for entry in value]
        if kind is dict:
            if all(type(key) is str and key.isprintable() for key in value):
                return {key: self.write(entry) for key, entry in value.items()}
            return {_TAG: ["dict", [[self.write(key), self.write(entry)] for key, entry in value.items()]]}
        if kind in (set, frozenset, tuple):
            return {_TAG: [kind.__name__, [self.write(entry) for entry in value]]}
        if kind is bytearray:
            return {_TAG: ["bytearray", bytes(value)]}
        if kind.__name__ == "Decimal":
            return {_TAG: ["decimal", str(value)]}
        if value is msgspec.UNSET:
            return {_TAG: ["unset", None]}
        if kind in self._structs:
            return {_TAG: ["struct", self._structs[kind], self.write(msgspec.structs.asdict(value))]}
        return self._write_object(value)

    def _write_object(self, value: Any) -> Any:
        number = self._numbers.get(id(value))
        if number is not None:
            return {_TAG: ["same", number]}
        self._numbers[id(value)] = len(self._numbers)
        cls = type(value)
        value.settle()
        record = [self.write(getattr(value, name)) for name in _attributes(cls)]
        return {_TAG: ["object", cls.__module__, cls.__qualname__, record]}


class _Reader:
    def __init__(self, structs: dict[str, type]) -> None:
        self._objects: list[Any] = []
        self._structs = structs

    def read(self, value: Any) -> Any:
        if type(value) is list:
            return [self.read(entry) for entry in value]
        if type(value) is not dict:
            return value
        if _TAG not in value:
            return {key: self.read(entry) for key, entry in value.items()}
        tag, *rest = value[_TAG]
        if tag == "object":
            return self._read_object(*rest)
        if tag == "same":
            return self._objects[rest[0]]
        if tag == "struct":
            return self._structs[rest[0]](**self.read(rest[1]))
        return _PLAIN[tag](self.read(rest[0]))

    def _read_object(self, module: str, name: str, record: list[Any]) -> Any:
        if not module.startswith("reducer."):
            raise ValueError(module)
        cls = getattr(importlib.import_module(module), name)
        if not (isinstance(cls, type) and issubclass(cls, Saved)):
            raise ValueError(name)
        made = cls.__new__(cls)
        self._objects.append(made)
        for attribute, value in zip(_attributes(cls), record, strict=True):
            setattr(made, attribute, self.read(value))
        for attribute in cls.caches:
            setattr(made, attribute, None)
        return made


_PLAIN: dict[str, Any] = {
    "int": lambda value: int(value, 16),
    "str": lambda value: value.decode("utf-8", "surrogatepass"),
    "dict": dict,
    "set": set,
    "frozenset": frozenset,
    "tuple": tuple,
    "bytearray": bytearray,
    "decimal": lambda value: importlib.import_module("decimal").Decimal(value),
    "unset": lambda _: msgspec.UNSET,
}


def dump(value: Any, structs: dict[str, type]) -> bytes:
    """Return the bytes of a value; ``structs`` are the msgspec structs that it may hold, by name."""
    packed = msgspec.msgpack.encode(_Writer(structs).write(value))
    return b"%s %d %d\n%s" % (_MARK, _VERSION, zlib.crc32(packed), packed)


def load(data: bytes, structs: dict[str, type]) -> Any:
    """Return the value of what `dump` made. Raises `StateError` for anything else."""
    head, _, packed = bytes(data).partition(b"\n")
    words = head.removeprefix(_MARK).split()
    if not head.startswith(_MARK) or len(words) != 2 or not all(word.isdigit() for word in words):
        raise StateError("not a saved state: it does not begin as one")
    if int(words[0]) != _VERSION:
        raise StateError(f"a saved state of version {int(words[0])}; this version reads {_VERSION}")
    if int(words[1]) != zlib.crc32(packed):
        raise StateError("a damaged state: the checksum differs")
    try:
        return _Reader(structs).read(msgspec.msgpack.decode(packed))
    except Exception as error:  # whatever a forged one makes of the reader
        raise StateError(f"a damaged state: {error}") from None
