"""Text that grows by deltas, and the evidence that a delta repeats the whole text so far.

``text += piece`` on an attribute copies the whole text each time; a list of small strings takes fifteen times the
text's size, and one emoji makes every character of a joined ``str`` four bytes wide. So `Fragments` joins every few
dozen pieces to a block of UTF-8.
"""

from __future__ import annotations

from typing import Annotated, Any

from reducer.decoding import Report
from reducer.saving import Saved

_GATHER_AT = 32  # pieces; few, because a response may have many texts
_MIN_SNAPSHOT = 16  # characters; shorter deltas repeat their predecessors by chance


class Fragments(Saved):
    """One growing text. Half a surrogate pair passes through: its other half may be the next piece (S21)."""

    _block: bytearray  # UTF-8; a bytearray grows in place, so that gathering stays linear
    _pieces: list[str]

    def __init__(self, text: str = "") -> None:
        self._block = bytearray()
        self._pieces = [text] if text else []
        if not text.isascii():
            self._gather()

    def check(self) -> None:
        try:
            self._block.decode("utf-8", "surrogatepass")
        except UnicodeDecodeError:
            raise ValueError("a text is not UTF-8") from None

    def append(self, piece: str) -> None:
        pieces = self._pieces
        pieces.append(piece)
        if len(pieces) >= _GATHER_AT:
            self._gather()

    def extend(self, pieces: list[str]) -> None:
        self._pieces += pieces
        if len(self._pieces) >= _GATHER_AT:
            self._gather()

    def _gather(self) -> None:
        self._block += "".join(self._pieces).encode("utf-8", "surrogatepass")
        self._pieces = []

    def utf8(self) -> bytearray:
        """Return the text's own UTF-8, which the caller must not change."""
        if self._pieces:
            self._gather()
        return self._block

    def equals(self, text: str) -> bool:
        """Compare with a string without making one."""
        if len(self._pieces) == 1 and not self._block:
            return self._pieces[0] == text
        return self.utf8() == text.encode("utf-8", "surrogatepass")

    def begins_or_ends_with(self, text: str) -> bool:
        """Compare with a shorter text without making a string of this one."""
        data, other = self.utf8(), text.encode("utf-8", "surrogatepass")
        return data.startswith(other) or data.endswith(other)

    def shown(self, size: int) -> str:
        """Return the text, or its first characters if it is much longer than a problem shows."""
        data = self.utf8()
        return data[: 4 * size].decode("utf-8", "ignore") if len(data) > 4 * size else str(self)

    def __str__(self) -> str:
        text = "".join(self._pieces)
        return self._block.decode("utf-8", "surrogatepass") + text if self._block else text

    def __bool__(self) -> bool:
        return bool(self._block) or any(self._pieces)


WithTexts = Annotated[Any, Fragments]  # a JSON value in which texts may grow


class Watch(Saved):
    """Counts deltas that repeat the whole text before them (C1, T18; decision 11).

    With the repair ``cumulative`` such a delta replaces the text. Without it, a delta is only compared with the one
    before it, and the first that does not extend that one ends the watch: ordinary streams pay for two deltas.
    """

    _repairs: bool
    _last: str | None  # the delta before, without the repair
    _size: int  # of the text so far, with the repair
    _hits: int

    def __init__(self, repairs: bool) -> None:
        self._repairs = repairs
        self._last = None
        self._size = 0
        self._hits = 0

    def is_over(self, piece: str) -> bool:
        """Whether this delta shows that the text comes in pieces."""
        if self._repairs or self._last is None:
            return False
        return len(piece) < _MIN_SNAPSHOT or not piece.startswith(self._last)

    def note(self, piece: str, text: Fragments) -> bool:
        """Note this delta, and return whether it takes the place of the text so far."""
        if not self._repairs:
            if self._last is not None:
                self._hits += len(piece) > len(self._last)
            self._last = piece
            return False
        size = self._size
        if size and len(piece) >= max(_MIN_SNAPSHOT, size) and piece.startswith(str(text)):
            self._size = len(piece)
            self._hits += 1
            return True
        self._size = size + len(piece)
        return False

    def report(self, where: str, report: Report) -> None:
        """Report at the end what the repair changed, or that it would have."""
        if self._repairs and self._hits:
            report("repaired", {where: self._hits}, "cumulative")
        elif self._hits > 1:
            report("repairable", {where: self._hits}, "joined as it came; the repair is cumulative")


class Text(Saved):
    """A growing text with its watch."""

    fragments: Fragments
    watch: Watch | None  # None: it is over

    def __init__(self, state: Any, text: str = "") -> None:
        self.fragments = Fragments(text)
        self.watch = Watch("cumulative" in state.options.repairs)

    def add(self, piece: str) -> None:
        if self.watch is not None and piece:
            if self.watch.is_over(piece):
                self.watch = None
            elif self.watch.note(piece, self.fragments):
                self.fragments = Fragments()
        self.fragments.append(piece)

    def extend(self, pieces: list[str]) -> None:
        """Add several pieces."""
        for place, piece in enumerate(pieces):
            if self.watch is None:
                self.fragments.extend(pieces[place:] if place else pieces)
                return
            self.add(piece)

    def report_repair(self, where: str, report: Report) -> None:
        if self.watch is not None:
            self.watch.report(where, report)

    def __str__(self) -> str:
        return str(self.fragments)

    def __bool__(self) -> bool:
        return bool(self.fragments)
