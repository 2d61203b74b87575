"""``orjson.loads`` of every payload, and no merging."""

from __future__ import annotations

import orjson

from benchmarks.contenders import Mode
from benchmarks.streams import Stream


def version() -> str:
    """Return orjson's."""
    return orjson.__version__


def modes(dialect: str) -> dict[str, Mode]:
    """Parse."""
    return {"": Mode(Stream.payloads, loaded)}


def loaded(payloads: list[bytes]) -> None:
    """Parse the payloads and drop the values."""
    loads = orjson.loads
    for payload in payloads:
        loads(payload)
