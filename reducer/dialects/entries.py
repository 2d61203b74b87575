"""Long lists of small objects, kept as JSON text.

With log-probabilities a response has thirteen lists and dicts for each token. As Python objects they take ten times
the memory of their JSON, and the garbage collector visits all of them again and again, which costs more than decoding
them. So every few entries become a block of JSON as they come, and the body has one `msgspec.Raw` for the list:
``json()`` writes it as it is, and whoever looks into it decodes it (`reducer.body`).
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from reducer.decoding import is_deep
from reducer.saving import MAX_DEPTH, Saved

_GATHER_AT = 32  # entries
_encode = msgspec.json.Encoder().encode


class Entries(Saved):
    """A growing list of JSON values."""

    _json: bytearray | None  # with commas between; None: some entry cannot be kept as JSON
    _last: list[Any]  # the entries since the last block

    def __init__(self) -> None:
        self._json = bytearray()
        self._last = []

    def check(self) -> None:
        if self._json:
            entries = msgspec.json.decode(_array(self._json))
            if not entries or is_deep(entries, MAX_DEPTH):
                raise ValueError("a list has no entries, or they are nested too deeply")

    def extend(self, entries: list[Any], *, is_odd: bool) -> None:
        """Append plain values; ``is_odd`` if some may be what JSON cannot say (`State.is_odd`)."""
        self._last += entries
        if is_odd:
            self._unpack()
        elif len(self._last) >= _GATHER_AT:
            self._gather()

    def extend_structs(self, entries: list[Any]) -> None:
        """Append structs that encode to the JSON that they were decoded from."""
        self._gather()
        if self._json is None:
            self._last += msgspec.to_builtins(entries)
        elif entries:
            self._append(self._json, entries)

    def build(self) -> Any:
        """Return the list, or a `msgspec.Raw` of it."""
        if self._json:
            self._gather()
        return msgspec.Raw(_array(self._json)) if self._json else list(self._last)

    def _gather(self) -> None:
        if self._json is not None and self._last:
            try:
                self._append(self._json, self._last)
            except (ValueError, TypeError, RecursionError, OverflowError):
                self._unpack()
            else:
                self._last = []

    def _append(self, json: bytearray, entries: list[Any]) -> None:
        block = _encode(entries)[1:-1]
        json += b",%b" % block if json else block

    def _unpack(self) -> None:
        if self._json is not None:
            self._last = [*msgspec.json.decode(_array(self._json)), *self._last]
            self._json = None


WithEntries = Annotated[Any, Entries]  # a JSON value whose lists may be `Entries`


def _array(json: bytearray) -> bytes:
    return b"".join((b"[", json, b"]"))
