"""The overloads that tell type checkers the body of a literal dialect name. At run time they do nothing.

Type checkers read the stub beside this file, `overloads.pyi`. `python -m tests.typing.overloads` writes the stub from
the rows of `reducer.dialects.registry`: one overload for each dialect and function.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

FunctionT = TypeVar("FunctionT")

# In the stub, each of these is an overloaded function. `__init__` is the one of `Reducer`.
__init__ = reduce = reduce_all = iter_results = None


def typed_as(overloads: object) -> Callable[[FunctionT], FunctionT]:
    """Return a decorator that changes nothing. For type checkers, the decorated function has these overloads."""
    return lambda function: function
