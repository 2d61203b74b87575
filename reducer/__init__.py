"""Reduce the stream of a language-model API to the one object that a non-streaming call returns."""

from reducer.errors import (
    ClosedError,
    ContentError,
    MissingExtraError,
    ProblemError,
    ReducerError,
    StateError,
    UsageError,
)
from reducer.one_call import iter_results, reduce, reduce_all
from reducer.problems import Problem
from reducer.reducer import Reducer
from reducer.result import Limits, ProviderError, Result, Timing
from reducer.row import ROW
from reducer.view import ToolCallView, UsageView, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reducer import embed as embed
    from reducer import types as types

__version__ = "0.1.0"

__all__ = [
    "ROW",
    "ClosedError",
    "ContentError",
    "Limits",
    "MissingExtraError",
    "Problem",
    "ProblemError",
    "ProviderError",
    "Reducer",
    "ReducerError",
    "Result",
    "StateError",
    "Timing",
    "ToolCallView",
    "UsageError",
    "UsageView",
    "View",
    "__version__",
    "iter_results",
    "reduce",
    "reduce_all",
]


def __getattr__(name: str) -> object:
    """Load a subpackage on the first access: `types` imports every dialect that is used, `embed` an event loop."""
    if name not in ("embed", "types"):
        raise AttributeError(f"module 'reducer' has no attribute {name!r}")
    import importlib

    return importlib.import_module(f"reducer.{name}")
