"""The buffer of reads. A live stream brings one event in each read, and processing a read costs more than merging one.

`Reducer.snapshot`, `save` and `close` process the buffer first. ``finished`` and ``ended`` do so only if the buffered
bytes may hold terminal evidence, so that asking after every read does not undo the buffer.
"""

from __future__ import annotations

import re

from reducer.framing import last_event_end

CAPACITY = 1 << 15  # bytes; a larger buffer is not faster and delays problems
_OVERLAP = 64  # bytes before a read in which a match that ends in the read may begin
_END_MARKER = b"[DONE"
# An ASCII letter that is escaped: the same key or value as in a pattern, written in other bytes.
_ESCAPED_LETTER = re.compile(rb"\\u00[4-7]")


class ReadBuffer:
    """Reads that have not been framed yet."""

    def __init__(self) -> None:
        self.reads: list[bytes] = []
        self.room = CAPACITY  # bytes that may still be added before the buffer is full
        self._kept = 0  # 1 if the first read is the rest that `take_events` kept, otherwise 0
        self._searched = 0  # reads that `may_hold` has searched without a match
        self._tail = b""  # the last bytes of those, if a match may begin in them

    def take_events(self) -> bytes:
        """Remove and return the whole events; the beginning of the next one stays. Without a whole one, return all."""
        data = self.take_all()
        end = last_event_end(data, 0, len(data))
        if 0 < end < len(data):
            self.reads = [data[end:]]
            self.room -= len(data) - end
            self._kept = 1
            return data[:end]
        return data

    def take_all(self) -> bytes:
        """Remove and return all bytes."""
        data = self.reads[0] if len(self.reads) == 1 else b"".join(self.reads)
        self.reads = []
        self.room = CAPACITY
        self._kept = self._searched = 0
        self._tail = b""
        return data

    def sizes(self) -> list[int]:
        """Return the size of each read since bytes were taken last."""
        return [len(read) for read in self.reads[self._kept :]]

    def may_hold(self, pattern: re.Pattern[bytes]) -> bool:
        """Whether the bytes may hold an end marker or match a pattern. A match never spans two lines."""
        reads = self.reads
        is_next = self._searched == len(reads) - 1 and not self._tail
        new = reads[-1] if is_next else b"".join([self._tail, *reads[self._searched :]])
        # Most reads lack the two single bytes, which are found much faster than what follows them.
        if b"D" in new and _END_MARKER in new:
            return True
        if pattern.search(new) or (b"\\" in new and _ESCAPED_LETTER.search(new)):
            return True
        self._searched = len(reads)
        self._tail = b"" if new.endswith(b"\n") else new[-_OVERLAP:]
        return False
