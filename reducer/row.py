"""`Result.row`: one choice of a result as a flat dict of plain values, for tables.

A row has the same keys for every dialect and every status, in the order of `ROW`. Every value is ``None`` or has the
type that `ROW` names, and every table format can hold it: integers have at most 64 bits, and text is valid Unicode.
"""

from __future__ import annotations

from typing import Any

from reducer.body import to_json
from reducer.view import ToolCallView, View

# The columns, with the types of their values.
ROW: dict[str, type[str] | type[int]] = {
    "id": str,
    "model": str,
    "dialect": str,
    "status": str,
    "finish_reason": str,
    "text": str,
    "reasoning": str,
    "refusal": str,
    "tool_calls": str,
    "choices": int,
    "input_tokens": int,
    "cached_tokens": int,
    "output_tokens": int,
    "reasoning_tokens": int,
    "total_tokens": int,
    "error_code": str,
    "error_message": str,
    "problems": str,
}

_LEAST, _MOST = -(2**63), 2**63 - 1  # of a signed integer with 64 bits


def build_row(values: dict[str, Any], view: View | None) -> dict[str, str | int | None]:
    """Return a row.

    Args:
        values: The columns that concern the whole response. A value of another type than its column's is left out.
        view: The choice, which has all other columns. ``None`` if there is no such choice.
    """
    if view is not None:
        columns = ("finish_reason", "text", "reasoning", "refusal")
        values = {**values, "tool_calls": _calls_text(view.tool_calls), **{key: getattr(view, key) for key in columns}}
    return {column: _plain(values.get(column), kind) for column, kind in ROW.items()}


def _calls_text(calls: list[ToolCallView]) -> str | None:
    """Return the calls as JSON text: a list of objects with the fields of `ToolCallView`. ``None`` without calls."""
    return str(to_json(calls), "utf-8") if calls else None


def _plain(value: Any, kind: type[str] | type[int]) -> str | int | None:
    """Return the value if it has this type and a table can hold it."""
    if type(value) is int and kind is int:
        return value if _LEAST <= value <= _MOST else None
    if type(value) is str and kind is str:
        return value.encode("utf-8", "backslashreplace").decode()  # half a surrogate pair cannot be encoded
    return None
