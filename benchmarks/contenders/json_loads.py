"""``json.loads`` of every payload, and no merging."""

from __future__ import annotations

import json
import platform

from benchmarks.contenders import Mode
from benchmarks.streams import Stream


def version() -> str:
    """Return Python's."""
    return platform.python_version()


def modes(dialect: str) -> dict[str, Mode]:
    """Parse."""
    return {"": Mode(Stream.payloads, loaded)}


def loaded(payloads: list[bytes]) -> None:
    """Parse the payloads and drop the values."""
    loads = json.loads
    for payload in payloads:
        loads(payload)
