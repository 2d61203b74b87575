"""The record of a result for people: the object that `jsonl` writes, over several lines."""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.outputs import jsonl
from reducer.result import Result


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the record, indented by two."""
    return msgspec.json.format(jsonl.encode(source, index, result), indent=2) + b"\n"
