"""The dialects by name. A new dialect is one row here and one module or package beside this file.

After a change of the rows, run `python -m tests.typing.overloads`: it writes the stub `overloads.pyi`, from which type
checkers know the body of each literal name.
"""

from __future__ import annotations

import importlib
from typing import NamedTuple

from reducer.dialects.contract import Dialect
from reducer.errors import UsageError


class Row(NamedTuple):
    module: str  # in this package
    body: str  # the name of the typed body in that module


# In the order of detection.
DIALECTS = {
    "openai.chat": Row("openai_chat", "ChatCompletion"),
    "openai.responses": Row("openai_responses", "Response"),
    "anthropic.messages": Row("anthropic_messages", "Message"),
    "gemini.generate": Row("gemini_generate", "GenerateContentResponse"),
    "openai.completions": Row("openai_completions", "Completion"),
}

_loaded: dict[str, Dialect] = {}


def load(name: str) -> Dialect:
    """Return a dialect by its name; its module is imported at first use. Raises `UsageError` for an unknown name."""
    dialect = _loaded.get(name) if type(name) is str else None
    if dialect is None:
        if type(name) is not str or name not in DIALECTS:
            raise UsageError(f"unknown dialect {name!r}: choose 'auto' or one of {', '.join(DIALECTS)}")
        module = importlib.import_module(f"reducer.dialects.{DIALECTS[name].module}")
        dialect = _loaded[name] = module.DIALECT
    return dialect
