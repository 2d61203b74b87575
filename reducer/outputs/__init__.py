"""Output formats: encode results as bytes.

Each format is a module in this package with a function ``encode(source, index, result)``. The function returns the
bytes to write for the result of response number ``index`` of that source, including the line end.

To add a format, add a module and one line in `FORMATS`.
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
    """Return the function that encodes results in this format. Raises `UsageError` for an unknown format."""
    if format not in FORMATS:
        raise UsageError(f"unknown output format {format!r}: choose from {', '.join(FORMATS)}")
    module = importlib.import_module(f"reducer.outputs.{FORMATS[format]}")
    encode: Encode = module.encode
    return encode
