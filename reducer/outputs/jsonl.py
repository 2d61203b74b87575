"""Output format ``jsonl``, the default: one record a line, a JSON object.

The keys of a record are ``source``, ``index``, ``dialect``, ``status``, ``body``, ``error`` and ``problems``. The body
is the text of `Result.json`, with escapes for DEL and the controls U+0080 to U+009F. Problems may show bytes; a record
shows them as text, with escapes for bytes that are not UTF-8.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.body import to_json
from reducer.outputs._escapes import escape_controls
from reducer.result import Result


def encode(source: str, index: int, result: Result[Any]) -> bytes:
    """Return the record as one line."""
    record = {"source": source, "index": index, **result_record(result)}
    return escape_controls(to_json(plain(record))) + b"\n"


def result_record(result: Result[Any]) -> dict[str, Any]:
    """Return the keys of a record that tell a result. `plain` makes the values fit for JSON."""
    return {
        "dialect": result.dialect,
        "status": result.status,
        "body": msgspec.Raw(result.json()),
        "error": msgspec.structs.asdict(result.error) if result.error is not None else None,
        "problems": [msgspec.structs.asdict(problem) for problem in result.problems],
    }


def plain(value: Any) -> Any:
    """Return a copy of a value in which every part can be encoded as JSON."""
    kind = type(value)
    if kind is str:
        # File names and problems may hold surrogates, which UTF-8 cannot encode.
        return value.encode("utf-8", "backslashreplace").decode()
    if kind is bytes:
        return value.decode("utf-8", "backslashreplace")
    if kind is dict:
        return {plain(key): plain(entry) for key, entry in value.items()}
    if kind in (list, tuple):
        return [plain(entry) for entry in value]
    return value
