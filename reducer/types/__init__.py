"""The types of bodies, for annotations: one module for each dialect.

The modules are loaded on access, so that `import reducer` loads no dialect::

    import reducer

    def first_text(message: reducer.types.chat.Message) -> str: ...
"""

import importlib
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reducer.types import anthropic, chat, completions, gemini, responses

__all__ = ["anthropic", "chat", "completions", "gemini", "responses"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'reducer.types' has no attribute {name!r}")
    return importlib.import_module(f"reducer.types.{name}")
