"""Classify one payload before a dialect handles it: dialect, heartbeat, end marker, undecided or wrapped."""

from __future__ import annotations

import re
from typing import Any

from reducer.decoding import object_in
from reducer.dialects.contract import Dialect
from reducer.dialects.registry import DIALECTS, load
from reducer.frames import DONE
from reducer.json_value import is_json

_HEARTBEATS = frozenset({"ping", "keepalive"})
_HEARTBEAT_KEYS = frozenset({"type", "sequence_number"})
# Every undecided payload that is not blank matches, so others need not be decoded. A match may still be decisive.
_MAYBE_UNDECIDED = re.compile(rb'"choices"\s*:\s*(?:\[\s*\]|null)|"usage"\s*:\s*\{')
_MAX_HEARTBEAT = 64  # bytes; no larger payload is looked at for a heartbeat before the dialect is told
_MAX_UNDECIDED_SIZE = 1 << 16  # bytes; a larger payload is not held
# A bytes object as Python prints it, and the escapes in it.
_PRINTED = re.compile(rb"""b(['"])((?:(?!\1)[^\\\r\n]|\\.)*+)\1""")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|([\\'\"abfnrtv]))")
_ESCAPES = dict(zip(b"abfnrtv", b"\a\b\f\n\r\t\v", strict=True))


def detect(event: dict[str, Any]) -> Dialect | None:
    """Return the dialect that recognises this event."""
    for name in DIALECTS:
        dialect = load(name)
        if dialect.recognise(event):
            return dialect
    return None


def is_undecided(payload: bytes) -> bool:
    """Whether several dialects begin with such a payload, or it says nothing: a later payload decides."""
    if len(payload) > _MAX_UNDECIDED_SIZE:
        return False
    if not _MAYBE_UNDECIDED.search(payload):
        event = object_in(payload) if len(payload) <= _MAX_HEARTBEAT else None
        return not payload.strip() or (event is not None and is_heartbeat(event))
    event = object_in(payload)
    dialect = detect(event) if event is not None else None
    return dialect is not None and event is not None and not dialect.is_decisive(event)


def is_heartbeat(event: dict[str, Any]) -> bool:
    """Decision 14: an empty object, or a ``ping`` or ``keepalive`` that says nothing."""
    return len(event) <= 2 and (
        not event or (event.keys() <= _HEARTBEAT_KEYS and str(event.get("type")) in _HEARTBEATS)
    )


def is_end_marker(payload: bytes) -> bool:
    """Whether a payload is ``[DONE]``, perhaps with blanks or as a JSON string."""
    return payload.strip() in (DONE, b'"[DONE]"')


def unwrap(payload: bytes) -> bytes | None:
    """S20: return the payload after a second ``data:`` or inside a printed ``b'...'``, if there is one."""
    inner = payload.strip()
    if inner.startswith(b"data:"):
        inner = inner[5:].strip()
    else:
        printed = _PRINTED.fullmatch(inner)
        if printed is None:
            return None
        inner = _ESCAPE.sub(_unescape, printed[2])
    return inner if inner == DONE or is_json(inner) else None


def _unescape(match: re.Match[bytes]) -> bytes:
    if match[1] is not None:
        return bytes([int(match[1], 16)])
    return bytes([_ESCAPES.get(match[2][0], match[2][0])])
