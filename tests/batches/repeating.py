"""Streams of repeating events, and the check that both paths give equal results, however the bytes are read."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

from tests.agreement import Step, play
from tests.batches.events import KINDS, MISLEADING_EVENTS, MISLEADING_TEXTS, OTHER_EVENTS, PADS, TEXTS
from tests.corpus import random_splits
from tests.mutations import VALUES

INTERRUPTIONS = [*MISLEADING_TEXTS, *MISLEADING_EVENTS, *OTHER_EVENTS]


class Repeating:
    """Events of one kind, each with its number."""

    def __init__(self, name: str, number: int = 2) -> None:
        self.opening, self.event = KINDS[name]
        self.number = number

    def next(self, text: bytes | None = None) -> bytes:
        """Return the next event; its text is the next of `TEXTS`, unless given."""
        number = self.number
        self.number += 1
        event = self.event.replace(b"NUMBER", b"%d" % number).replace(b"PAD", PADS[number % len(PADS)])
        return event.replace(b"TEXT", TEXTS[number % len(TEXTS)] if text is None else text)

    def many(self, count: int, text: bytes | None = None) -> list[bytes]:
        return [self.next(text) for _ in range(count)]

    def interruption(self, name: str) -> bytes:
        """Return the event of this name in `INTERRUPTIONS`; a misleading event is a change of the next event."""
        if name in MISLEADING_TEXTS:
            return self.next(MISLEADING_TEXTS[name])
        return MISLEADING_EVENTS[name](self.next(b"")) if name in MISLEADING_EVENTS else OTHER_EVENTS[name]


# -- reads of the same bytes ---------------------------------------------------------------------


def whole(events: list[bytes]) -> list[bytes]:
    return [b"".join(events)]


def in_4_kib(events: list[bytes]) -> list[bytes]:
    data = b"".join(events)
    return [data[at : at + 4096] for at in range(0, len(data), 4096)]


def one_a_read(events: list[bytes]) -> list[bytes]:
    return events


def anywhere(events: list[bytes]) -> list[bytes]:
    return list(random_splits(b"".join(events), len(events)))


READS: tuple[Callable[[list[bytes]], list[bytes]], ...] = (whole, in_4_kib, one_a_read, anywhere)


def check(events: list[bytes], **options: Any) -> None:
    """Check that the paths agree for every size of the reads."""
    plain = play(whole(events), fast=False, **options)
    for reads in READS:
        assert play(reads(events), fast=True, **options) == plain, reads.__name__


def check_script(script: list[Step], **options: Any) -> None:
    """Check that the paths agree on a script, which may also take snapshots and save the state."""
    assert play(script, fast=True, **options) == play(script, fast=False, **options)


def sse(payloads: list[bytes]) -> list[bytes]:
    return [b"data: %b\n\n" % payload for payload in payloads]


def changes_of(event: Any) -> Iterator[Any]:
    """Yield copies of a JSON value, each with one change: a key dropped, added or moved, or another value."""
    for path in _paths(event):
        for change in ("drop", "add", "reverse", *VALUES):
            changed = copy.deepcopy(event)
            into = changed
            for key in path[:-1]:
                into = into[key]
            if isinstance(change, str) and change == "drop":
                del into[path[-1]]
            elif isinstance(change, str) and change == "add" and isinstance(into, dict):
                into["undeclared"] = "word"
            elif isinstance(change, str) and change == "reverse" and isinstance(into, dict):
                entries = list(into.items())
                into.clear()
                into.update(reversed(entries))
            else:
                into[path[-1]] = change
            yield changed


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield (key,)
        yield from ((key, *rest) for rest in _paths(inner))
