"""Turns the stream of a language-model API into the one object that a call without streaming returns."""

from reducer.engine import Reducer
from reducer.errors import (
    ClosedError,
    ContentError,
    MissingExtraError,
    ProblemError,
    ReducerError,
    StateError,
    UsageError,
)
from reducer.result import Limits, Problem, ProviderError, Result, Timing
from reducer.view import ToolCallView, UsageView, View
from reducer.whole import reduce, reduce_all

__version__ = "0.1.0"

__all__ = [
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
    "reduce",
    "reduce_all",
]
