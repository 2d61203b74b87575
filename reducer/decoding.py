"""One payload to a plain value, tolerantly: the cold path beside the dialects' typed decoders.

msgspec reads nearly everything. What it refuses and real streams contain is read by the standard
library instead, and reported: invalid UTF-8 and lone surrogates (S21), NaN, infinities and numbers
out of range (S22), raw control characters in strings. What neither reads is no JSON.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from math import isfinite
from typing import Any

import msgspec

Report = Callable[[str, Any, Any], None]

_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
_decode = msgspec.json.decode
_SCALARS = frozenset({str, int, float, bool, type(None)})
_LARGE = 1 << 15
_DIGITS = 4300  # CPython's own limit on converting a decimal string to an int


class NotJson(ValueError):
    """The payload is no JSON."""


class TooDeep(ValueError):
    """The payload nests deeper than the limit."""


def decode(payload: bytes, report: Report, max_depth: int) -> Any:
    """Return the payload's value; report what had to be forgiven.

    Raises `NotJson` or `TooDeep`.
    """
    try:
        value = _decode(payload)
    except (ValueError, RecursionError):
        if too_deep(payload, max_depth):
            raise TooDeep from None
        return _forgiving(payload, report)
    if may_be_deep(payload, max_depth) and is_deep(value, max_depth):
        raise TooDeep
    return value


def object_in(payload: bytes) -> dict[str, Any] | None:
    """The object that a payload is, if it is one."""
    try:
        value = _decode(payload)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def may_be_deep(payload: bytes, max_depth: int) -> bool:
    """Tell whether the payload has enough brackets to nest deeper than the limit; a large one surely has."""
    size = len(payload)
    return size > 2 * max_depth and (size > _LARGE or payload.count(b"{") + payload.count(b"[") > max_depth)


def is_deep(value: Any, max_depth: int) -> bool:
    """Tell whether a value, or an event, nests deeper than the limit."""
    level = [value]
    for depth in range(max_depth):
        inner: list[Any] = []
        for one in level:
            kind = type(one)
            if kind is dict:
                inner += one.values()
            elif kind is list:
                inner += one
            elif kind is msgspec.Raw:
                if too_deep(bytes(one), max_depth - depth):
                    return True
            elif isinstance(one, msgspec.Struct):
                inner += msgspec.structs.astuple(one)
        level = [one for one in inner if type(one) not in _SCALARS]
        if not level:
            return False
    return True


def too_deep(payload: bytes, max_depth: int) -> bool:
    """Tell whether the payload nests deeper than the limit, without decoding it."""
    if not may_be_deep(payload, max_depth):
        return False
    depth = 0
    for byte in _STRING.sub(b"", payload).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"{[" else -1
        if depth > max_depth:
            return True
    return False


def _forgiving(payload: bytes, report: Report) -> Any:
    # Only here: they cost a fifth of the import time.
    import json
    from decimal import Decimal

    noted: dict[str, Any] = {}
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        text = payload.decode("utf-8", "replace")
        noted["invalid_utf8"] = (payload[error.start : error.start + 16], "replaced by U+FFFD")

    def constant(word: str) -> None:
        noted["not_finite"] = (word, None)

    def number(digits: str) -> float | None:
        value = float(digits)
        if isfinite(value):
            return value
        noted["not_finite"] = (digits, None)
        return None

    def integer(digits: str) -> Any:
        return int(digits) if len(digits) <= _DIGITS else Decimal(digits)

    try:
        try:
            value = json.loads(text, parse_constant=constant, parse_float=number, parse_int=integer)
        except json.JSONDecodeError:
            value = json.loads(text, strict=False, parse_constant=constant, parse_float=number, parse_int=integer)
            noted["control_character"] = (payload[:200], "read as it stands")
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    for code, (seen, chosen) in noted.items():
        report(code, seen, chosen)
    return value


def join_surrogates(value: Any, report: Report) -> Any:
    """Join the halves of surrogate pairs; a half alone becomes U+FFFD, and is reported (S21)."""
    if type(value) is str:
        if not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.count("\ufffd") > value.count("\ufffd"):
            report("lone_surrogate", value.encode("ascii", "backslashreplace")[:200], "replaced by U+FFFD")
        return joined
    if type(value) is dict:
        return {join_surrogates(key, report): join_surrogates(entry, report) for key, entry in value.items()}
    if type(value) is list:
        return [join_surrogates(entry, report) for entry in value]
    return value
