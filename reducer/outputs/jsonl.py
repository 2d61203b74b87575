"""The record of a result, one JSON object a line: the default.

Its keys are ``source, index, dialect, status, body, error, problems``. The body is the text of `Result.json`.
Bytes, which problems may show, are written as the text they are, and as escapes where they are none.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.result import Result

# Integers of thousands of digits are carried as decimals; they are written as the numbers they are.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the record as one line."""
    record = {
        "source": source,
        "index": index,
        "dialect": result.dialect,
        "status": result.status,
        "body": msgspec.Raw(result.json()),
        "error": msgspec.structs.asdict(result.error) if result.error is not None else None,
        "problems": [msgspec.structs.asdict(problem) for problem in result.problems],
    }
    return _ENCODER.encode(plain(record)) + b"\n"


def plain(value: Any) -> Any:
    """Make every value one that JSON has."""
    kind = type(value)
    if kind is str:
        # A file's name, and what a problem shows, may hold surrogates, which UTF-8 has no place for.
        return value.encode("utf-8", "backslashreplace").decode()
    if kind is bytes:
        return value.decode("utf-8", "backslashreplace")
    if kind is dict:
        return {plain(key): plain(entry) for key, entry in value.items()}
    if kind in (list, tuple):
        return [plain(entry) for entry in value]
    return value
