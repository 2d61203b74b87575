"""The bytes of a stream, with ids that can be replaced, and their cuts into reads.

A maker writes `ID` for each id of the stream, and `CREATED` for each time. `Stream.named` replaces both by other values
of the same length. Events are cut at blank lines (at line ends in JSON lines), without a parser.

This module imports only the standard library, because it also runs in the environments of other accumulators.
"""

from __future__ import annotations

from typing import NamedTuple

ID = "0f1e2d3c4b5a6978"
CREATED = 1_700_000_000


class Stream(NamedTuple):
    """The bytes of one response."""

    dialect: str
    data: bytes

    def named(self, number: int) -> Stream:
        """Return the stream with the ids of this number."""
        own = number * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF
        data = self.data.replace(ID.encode(), b"%016x" % own)
        return Stream(self.dialect, data.replace(b"%d" % CREATED, b"%d" % (CREATED + number)))

    def payloads(self) -> list[bytes]:
        """Return the JSON of every event, without end markers."""
        events = self.data.split(self.end())
        payloads = [event if event.startswith(b"{") else event.partition(b"data: ")[2] for event in events]
        return [payload for payload in payloads if payload and payload != b"[DONE]"]

    def events(self) -> list[bytes]:
        """Return the bytes one event a read, as a server sends them."""
        end = self.end()
        events = [event + end for event in self.data.split(end)]
        last = events.pop()[: -len(end)]
        return [*events, last] if last else events

    def reads(self, size: int) -> list[bytes]:
        """Return the bytes in reads of one size, as a network delivers them."""
        return [self.data[at : at + size] for at in range(0, len(self.data), size)]

    def end(self) -> bytes:
        """Return the bytes that end an event."""
        return next((end for end in (b"\r\n\r\n", b"\n\n") if end in self.data), b"\n")
