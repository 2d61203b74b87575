"""The output formats there are: results to bytes. A new one is a file beside this one and a line in `FORMATS`.

A format module has ``encode(source, index, result)``, which returns what is written for the result of the
response number ``index`` of that source, line end included.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from reducer.errors import UsageError
from reducer.result import Result

__all__ = ["FORMATS", "Encode", "encoder"]

Encode = Callable[[str, int, Result[Any]], bytes]

# Name -> module, imported at its first use.
FORMATS = {
    "jsonl": "jsonl",
    "body": "body",
    "json": "indented",
}


def encoder(format: str = "jsonl") -> Encode:
    """Return the function that writes results in this format. Raises `UsageError` for a format that is none."""
    if format not in FORMATS:
        raise UsageError(f"unknown output format {format!r}: choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"reducer.outputs.{FORMATS[format]}")
    encode: Encode = module.encode
    return encode
