"""Decode payloads that msgspec refuses, and check how deep a payload nests.

msgspec decodes nearly every payload. Real streams also contain JSON that msgspec refuses: invalid UTF-8 and lone
surrogates (S21), NaN, infinities and numbers out of range (S22), and raw control characters in strings.
`decode_tolerantly` decodes such a payload with the standard library and reports each deviation. A payload that the
standard library refuses too is not JSON.

This module does not know events or dialects.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import partial
from math import isfinite
from typing import Any

import msgspec

from reducer.body import to_json

# Reports a problem: code, what was seen, what was chosen.
Report = Callable[[str, Any, Any], None]

# A string that nothing closes goes to the end, so that no quote in it is tried as the beginning of another.
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_VALUE_STARTS = tuple(bytes([byte]) for byte in b'{["-0123456789tfnNI')  # with those of NaN and Infinity
_CONTROL = re.compile(rb"[\x00-\x1f]")
_NO_BRACKETS = bytes(byte for byte in range(256) if byte not in b"{}[]")
_decode = msgspec.json.decode
_SCALARS = frozenset({str, int, float, bool, type(None)})
_LARGE = 1 << 15  # bytes; checking the decoded value is cheaper than counting the brackets of a larger payload
VALUE_BYTES = 32
FREE_VALUES = 100_000
_MAX_INT_DIGITS = 4300  # CPython refuses to convert a longer decimal string to an int
_SHOWN = 200  # bytes of a payload or a text that a problem shows


class NotJson(ValueError):
    """The payload is not JSON."""


class TooDeep(ValueError):
    """The payload nests deeper than the limit."""


def decode_tolerantly(payload: bytes, report: Report, max_depth: int) -> Any:
    """Return the value of a payload, and report every deviation from JSON.

    Raises `NotJson`, or `TooDeep` if the payload nests deeper than ``max_depth``.
    """
    try:
        value = _decode(payload)
    except (ValueError, RecursionError):
        if too_deep(payload, max_depth):
            raise TooDeep from None
        return _decode_with_stdlib(payload, report)
    if may_be_deep(payload, max_depth) and is_deep(value, max_depth):
        raise TooDeep
    return value


def object_in(payload: bytes) -> dict[str, Any] | None:
    """Return the payload's value if the payload is a JSON object, otherwise ``None``."""
    try:
        value = _decode(payload)
    except (ValueError, RecursionError):
        return None
    return value if type(value) is dict else None


def may_be_deep(payload: bytes, max_depth: int) -> bool:
    """Return ``False`` if the payload has too few brackets to nest deeper than the limit.

    This is a cheap test before `is_deep`. A large payload is not counted: the answer is then ``True``.
    """
    size = len(payload)
    return size > 2 * max_depth and (size > _LARGE or payload.count(b"{") + payload.count(b"[") > max_depth)


def weight(texts: Iterable[bytes], limit: int) -> int:
    """Return what JSON texts together count as against a limit of bytes.

    That is their size or, if it is more, `VALUE_BYTES` for each value beyond the first `FREE_VALUES`: as Python's own
    objects, sixty megabytes of ``{}`` need two gigabytes.
    """
    size = values = 0
    most = limit // VALUE_BYTES + FREE_VALUES
    for text in texts:
        size += len(text)
        # Fewer bytes hold fewer values. Strings are cut out only where the marks in them could make a difference.
        marks = _count_marks(text) if values + len(text) > most else len(text)
        values += marks if values + marks <= most else _count_marks(_STRING.sub(b"", text))
    return max(size, VALUE_BYTES * (values - FREE_VALUES)) if values > most else size


def _count_marks(text: bytes) -> int:
    """Return how many bytes of a JSON text may stand before a value."""
    return sum(map(text.count, (b"{", b"[", b",", b":")))


def is_deep(value: Any, max_depth: int) -> bool:
    """Return whether a JSON value nests deeper than the limit."""
    level = [value]
    for _ in range(max_depth):
        inner: list[Any] = []
        for container in level:
            if type(container) is dict:
                inner += container.values()
            else:
                inner += container
        level = [entry for entry in inner if type(entry) not in _SCALARS]
        if not level:
            return False
    return True


def too_deep(payload: bytes, max_depth: int) -> bool:
    """Return whether a payload nests deeper than the limit, without decoding the payload."""
    if not may_be_deep(payload, max_depth):
        return False
    depth = 0
    for byte in _STRING.sub(b"", payload).translate(None, _NO_BRACKETS):
        depth += 1 if byte in b"{[" else -1
        if depth > max_depth:
            return True
    return False


def _decode_with_stdlib(payload: bytes, report: Report) -> Any:
    """Decode what msgspec refuses. Raises `NotJson`."""
    if not payload.lstrip().startswith(_VALUE_STARTS):
        raise NotJson
    # Imported late, because both together would take a fifth of the import time of `reducer`.
    import json
    from decimal import Decimal

    noted: dict[str, tuple[Any, Any]] = {}  # code -> what was seen, what was chosen; one problem of a kind a payload
    try:
        text = payload.decode()
    except UnicodeDecodeError as error:
        text = payload.decode("utf-8", "replace")
        noted["invalid_utf8"] = (payload[error.start : error.start + 16], "replaced by U+FFFD")

    def parse_constant(name: str) -> None:
        noted["not_finite"] = (name, None)

    def parse_float(digits: str) -> float | None:
        value = float(digits)
        if isfinite(value):
            return value
        noted["not_finite"] = (digits, None)
        return None

    def parse_int(digits: str) -> Any:
        return int(digits) if len(digits) <= _MAX_INT_DIGITS else Decimal(digits)

    loads = partial(json.loads, parse_constant=parse_constant, parse_float=parse_float, parse_int=parse_int)
    try:
        try:
            value = loads(text)
        except json.JSONDecodeError:
            if not _CONTROL.search(payload):
                raise
            value = loads(text, strict=False)
            noted["control_character"] = (payload[:_SHOWN], "read as it stands")
    except (ValueError, RecursionError) as error:
        raise NotJson(str(error)) from None
    for code, (seen, chosen) in noted.items():
        report(code, seen, chosen)
    return value


def join_surrogates(value: Any, report: Report) -> Any:
    """Join the two halves of each surrogate pair. Replace a lone half by U+FFFD and report it (S21)."""
    if type(value) is str:
        if not any("\ud800" <= char <= "\udfff" for char in value):
            return value
        joined = value.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
        if joined.count("\ufffd") > value.count("\ufffd"):
            report("lone_surrogate", value.encode("ascii", "backslashreplace")[:_SHOWN], "replaced by U+FFFD")
        return joined
    if type(value) is dict:
        return {join_surrogates(key, report): join_surrogates(entry, report) for key, entry in value.items()}
    if type(value) is list:
        return [join_surrogates(entry, report) for entry in value]
    return value


def compact(value: Any) -> str:
    """Return a value as JSON text without blanks, with keys in wire order and without ASCII escapes (T15)."""
    try:
        return to_json(value).decode()
    except UnicodeEncodeError:
        import json  # the value holds half a surrogate pair, which `join_surrogates` handles later (S21)

        return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=str)
