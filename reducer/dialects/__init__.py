"""The dialects there are, found by name or by what a payload says."""

from __future__ import annotations

import importlib
import re
from typing import Any

from reducer.decoding import object_in
from reducer.dialects._dialect import Dialect
from reducer.dialects._table import DIALECTS as DIALECTS
from reducer.errors import UsageError

# What only undecided payloads have, so that others need not be decoded; larger ones are taken as they are.
_UNDECIDED = re.compile(rb'"choices"\s*:\s*(?:\[\s*\]|null)')
_LARGEST = 1 << 16

# A module is imported at its first use.
_loaded: dict[str, Dialect] = {}


def load(name: str) -> Dialect:
    """Return a dialect by its name. Raises `UsageError` for a name that is none."""
    dialect = _loaded.get(name)
    if dialect is None:
        if name not in DIALECTS:
            raise UsageError(f"unknown dialect {name!r}: choose 'auto' or one of {', '.join(DIALECTS)}")
        module = importlib.import_module(f"reducer.dialects.{DIALECTS[name]}")
        dialect = _loaded[name] = module.DIALECT
    return dialect


def detect(payload: dict[str, Any]) -> Dialect | None:
    """Return the dialect that recognises this payload."""
    for name in DIALECTS:
        dialect = load(name)
        if dialect.recognise(payload):
            return dialect
    return None


def told_by(payload: bytes) -> Dialect | None:
    """Return the dialect that recognises this payload, before it is anybody's."""
    obj = object_in(payload)
    return detect(obj) if obj is not None else None


def is_undecided(payload: bytes) -> bool:
    """Whether several dialects begin with such a payload, or none: what follows it tells which."""
    if len(payload) > _LARGEST:
        return False
    if not _UNDECIDED.search(payload):
        return not payload.strip()
    obj = object_in(payload)
    dialect = detect(obj) if obj is not None else None
    return dialect is not None and not dialect.decides(obj)  # type: ignore[arg-type]
