"""The dialects there are. A new one is a file beside this one and a line in `DIALECTS`."""

from __future__ import annotations

import importlib
from typing import Any

from reducer.dialects._dialect import Dialect
from reducer.errors import UsageError

# Name -> module. A module is imported at its first use; the order is the order of detection.
DIALECTS = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "anthropic.messages": "anthropic_messages",
    "gemini.generate": "gemini_generate",
    "openai.completions": "openai_completions",
}

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
