"""Lists of objects that grow with every event, kept as JSON.

With log-probabilities a response has thirteen lists and dicts for each token. As Python objects they take ten times
their JSON, and the garbage collector looks at all of them again and again, which costs more than to decode them. So
every few entries become a block of JSON as they come, and the body has one `msgspec.Raw` of them: whoever looks into
it decodes it (`reducer.typed`), and who wants JSON has it.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.saving import Saved

_GATHERED = 32

_encode = msgspec.json.Encoder().encode


def _listed(json: bytearray) -> bytes:
    return b"".join((b"[", json, b"]"))


class Entries(Saved):
    """A growing list of JSON values."""

    __slots__ = ("_json", "_last")

    def __init__(self) -> None:
        self._json: bytearray | None = bytearray()  # with commas between; None: some entry is not for it
        self._last: list[Any] = []

    def extend(self, entries: list[Any], *, typed: bool) -> None:
        """Append; ``typed`` if the typed decoder made them, so that they are what their JSON says."""
        self._last += entries
        if not typed:
            self._unpack()
        elif len(self._last) >= _GATHERED:
            self._gather()

    def add(self, entries: list[Any]) -> None:
        """Append structs that encode to what they were made of."""
        self._gather()
        if self._json is None:
            self._last += msgspec.to_builtins(entries)
        elif entries:
            self._append(self._json, entries)

    def _gather(self) -> None:
        """Make JSON of the last, if all are for it."""
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
            self._last = [*msgspec.json.decode(_listed(self._json)), *self._last]
            self._json = None

    def build(self) -> Any:
        """The list, or the `msgspec.Raw` of it."""
        if self._json:
            self._gather()
        return msgspec.Raw(_listed(self._json)) if self._json else list(self._last)
