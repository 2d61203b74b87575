"""Dicts to server-sent events."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

DONE = b"data: [DONE]\n\n"


def encoded(event: Any) -> bytes:
    """Return compact JSON; letters that are not ASCII are not escaped, as every provider sends them."""
    return json.dumps(event, ensure_ascii=False, separators=(",", ":")).encode()


def unnamed(events: Iterable[Any]) -> bytes:
    """Return events of one ``data`` line each."""
    return b"".join(b"data: %b\n\n" % encoded(event) for event in events)


def named(events: Iterable[dict[str, Any]]) -> bytes:
    """Return events of an ``event`` line, which repeats the type, and a ``data`` line."""
    return b"".join(b"event: %b\ndata: %b\n\n" % (event["type"].encode(), encoded(event)) for event in events)
