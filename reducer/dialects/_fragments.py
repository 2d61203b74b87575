"""Text that arrives in pieces, joined when read.

``text += piece`` on an attribute copies the whole text each time; a list of small strings takes
fifteen times the text's size, and one emoji makes every character of a joined ``str`` four bytes wide.
So pieces are gathered and every few dozen join a block of UTF-8.
"""

from __future__ import annotations

from reducer.saving import Saved

GATHERED = 32  # so few, because a response may have many texts


class Fragments(Saved):
    """One growing text. Lone surrogates pass through: their other half may be the next piece (S21).

    A handler that nearly every event comes to saves the call: it appends to ``pieces``, and gathers at `GATHERED`.
    """

    __slots__ = ("_blocks", "pieces")

    def __init__(self, text: str = "") -> None:
        self._blocks = bytearray()
        self.pieces = [text] if text else []
        if not text.isascii():
            self.gather()

    def append(self, piece: str) -> None:
        pieces = self.pieces
        pieces.append(piece)
        if len(pieces) >= GATHERED:
            self.gather()

    def extend(self, pieces: list[str]) -> None:
        self.pieces += pieces
        if len(self.pieces) >= GATHERED:
            self.gather()

    def add_utf8(self, text: bytes) -> None:
        """Append what is UTF-8 already."""
        self.gather()
        self._blocks += text

    def gather(self) -> None:
        """Make one block of the pieces."""
        # A bytearray grows in place, so that gathering stays linear.
        self._blocks += "".join(self.pieces).encode("utf-8", "surrogatepass")
        self.pieces = []

    def says(self, text: str) -> bool:
        """Whether this is the text; cheaper than to make a ``str`` of it."""
        pieces = self.pieces
        if len(pieces) == 1 and not self._blocks:
            return pieces[0] == text
        self.gather()
        return self._blocks == text.encode("utf-8", "surrogatepass")

    def __str__(self) -> str:
        text = "".join(self.pieces)
        return self._blocks.decode("utf-8", "surrogatepass") + text if self._blocks else text

    def __bool__(self) -> bool:
        return bool(self._blocks) or any(self.pieces)
