"""Parsing the payloads with `orjson` or `json`, and counting line ends in the bytes, without reducing anything."""

from __future__ import annotations

import json
import platform
from collections.abc import Callable
from functools import partial
from typing import Any

from benchmarks.contenders import Mode
from benchmarks.streams import Stream

try:
    import orjson
except ImportError:
    orjson = None


def version() -> str:
    """Return Python's and orjson's version."""
    return f"{platform.python_version()}, orjson {orjson.__version__ if orjson else 'is not installed'}"


def modes(dialect: str) -> dict[str, Mode]:
    """Return the parsers by name; they are the same for every dialect."""
    found = {
        "json.loads": Mode(Stream.payloads, partial(_parse, json.loads)),
        "bytes.count": Mode(lambda stream: stream.data, lambda data: data.count(b"\n")),
    }
    if orjson:
        found["orjson.loads"] = Mode(Stream.payloads, partial(_parse, orjson.loads))
    return found


def _parse(loads: Callable[[bytes], Any], payloads: list[bytes]) -> None:
    """Parse the payloads and drop the values."""
    for payload in payloads:
        loads(payload)
