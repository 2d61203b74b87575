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


class Entries(Saved):
    """A growing list of JSON values."""

    __slots__ = ("_blocks", "_last")

    def __init__(self) -> None:
        self._blocks: list[bytes] | None = []  # None: some entry is not for them
        self._last: list[Any] = []

    def extend(self, entries: list[Any], *, typed: bool) -> None:
        """Append; ``typed`` if the typed decoder made them, so that they are what their JSON says."""
        self._last += entries
        if self._blocks is not None and not typed:
            self._unpack(self._blocks)
        elif len(self._last) >= _GATHERED:
            self._gather()

    def add(self, entries: list[Any]) -> None:
        """Append structs that encode to what they were made of."""
        self._gather()
        if self._blocks is None:
            self._last += msgspec.to_builtins(entries)
        elif entries:
            self._blocks.append(_encode(entries)[1:-1])

    def _gather(self) -> None:
        """Make a block of the last, if all are for them."""
        if self._blocks is None or not self._last:
            return
        try:
            self._blocks.append(_encode(self._last)[1:-1])
        except (ValueError, TypeError, RecursionError, OverflowError):
            self._unpack(self._blocks)
        else:
            self._last = []

    def _unpack(self, blocks: list[bytes]) -> None:
        self._last = [*msgspec.json.decode(b"[%s]" % b",".join(blocks)), *self._last]
        self._blocks = None

    def build(self) -> Any:
        """The list, or the `msgspec.Raw` of it."""
        if not self._blocks:
            return list(self._last)
        self._gather()
        if self._blocks is None:
            return list(self._last)
        return msgspec.Raw(b"[%s]" % b",".join(self._blocks))
