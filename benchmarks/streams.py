"""A stream's bytes: made from a template, given ids of its own, and cut as others want it.

A template holds `ID` wherever an id of the stream stands, and `CREATED` where the time does. `named` puts the
stream's own in their place, of the same length, so that no two streams that are timed share them. Cutting is
plain splitting, good for what the makers write and for nothing else. Standard library only: this module runs
in the peers' environments too.
"""

from __future__ import annotations

from typing import NamedTuple

ID = "0f1e2d3c4b5a6978"
CREATED = 1_700_000_000


class Stream(NamedTuple):
    """One response as it comes over the wire."""

    dialect: str
    data: bytes

    def named(self, number: int) -> Stream:
        """Return the stream with the ids of this number."""
        own = number * 0x9E3779B97F4A7C15 & 0xFFFF_FFFF_FFFF_FFFF
        data = self.data.replace(ID.encode(), b"%016x" % own)
        return Stream(self.dialect, data.replace(b"%d" % CREATED, b"%d" % (CREATED + number)))

    def payloads(self) -> list[bytes]:
        """Return the JSON of every event, framed; end markers are none."""
        payloads = [event.partition(b"data: ")[2] for event in self.data.split(self.end())]
        return [payload for payload in payloads if payload and payload != b"[DONE]"]

    def events(self) -> list[bytes]:
        """Return the bytes one event each, as a server sends them."""
        end = self.end()
        events = [event + end for event in self.data.split(end)]
        last = events.pop()[: -len(end)]
        return [*events, last] if last else events

    def reads(self, size: int) -> list[bytes]:
        """Return the bytes in pieces of one size, as a network delivers them."""
        return [self.data[at : at + size] for at in range(0, len(self.data), size)]

    def end(self) -> bytes:
        """Return what ends an event: the line end twice."""
        return b"\r\n\r\n" if b"\r\n\r\n" in self.data else b"\n\n"
