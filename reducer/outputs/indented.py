"""Output format ``json``: the record that `jsonl` writes, indented for people."""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.outputs import jsonl
from reducer.result import Result


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the record over several lines, indented by two spaces."""
    return msgspec.json.format(jsonl.encode(source, index, result), indent=2) + b"\n"
