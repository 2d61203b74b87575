"""Check the options of `Reducer`, so that a mistake is reported at construction, in a sentence that says what to write.

Type checkers find most of these mistakes too. One mistake they cannot find: a string is an iterable of strings.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Any

from reducer.errors import UsageError
from reducer.result import Limits


def read_names(option: str, value: Iterable[str], known: Collection[str] | None = None) -> frozenset[str]:
    """Return the names that an option lists.

    Args:
        option: The name of the option, for the messages.
        value: What the caller passed.
        known: All valid names; ``None`` if any name is valid.

    Raises `UsageError` for anything but an iterable of strings, and for a name that is not valid.
    """
    if isinstance(value, str | bytes):
        shown = value if isinstance(value, str) else value.decode("utf-8", "replace")
        raise UsageError(f"{option} takes a list of names, not a string: write {option}=[{shown!r}]")
    try:
        names = list(value)
    except TypeError:
        raise UsageError(f"{option} takes a list of names, not {value!r}") from None
    for name in names:
        if not isinstance(name, str):
            raise UsageError(f"{option} takes a list of names, and {name!r} is not a string")
    unknown = sorted(set(names).difference(names if known is None else known))
    if unknown:
        what = option.removesuffix("s").replace("_", " ")
        raise UsageError(f"unknown {what} {', '.join(unknown)}: choose from {', '.join(sorted(known or ()))}")
    return frozenset(names)


def read_clock(clock: Callable[[], int] | None) -> int | None:
    """Return the time of the clock; ``None`` without a clock.

    Raises `UsageError` for a clock that cannot be called, or that does not return an integer.
    """
    if clock is None:
        return None
    check_clock(clock)
    now: Any = clock()
    if type(now) is not int:
        raise UsageError(
            f"clock must return nanoseconds as an integer, as time.monotonic_ns does; {_name(clock)} returned {now!r}"
        )
    return now


def check_clock(clock: Callable[[], int] | None) -> None:
    """Raise `UsageError` for a clock that cannot be called."""
    if clock is not None and not callable(clock):
        raise UsageError(
            f"clock takes a function that returns nanoseconds, such as time.monotonic_ns, not the value {clock!r}"
        )


def check_time(option: str, value: int | None) -> None:
    """Raise `UsageError` for ``started`` of `Reducer`, or ``at`` of `Reducer.feed_event`, that is not an integer."""
    if value is not None and type(value) is not int:
        raise UsageError(f"{option} must be nanoseconds as an integer, as time.monotonic_ns() returns, not {value!r}")


def check_limits(limits: Limits) -> None:
    """Raise `UsageError` for anything but `Limits`."""
    if not isinstance(limits, Limits):
        raise UsageError(f"limits takes reducer.Limits(...), not {limits!r}")


def _name(clock: Callable[[], int]) -> str:
    module, name = getattr(clock, "__module__", None), getattr(clock, "__qualname__", None)
    return repr(clock) if name is None else f"{module}.{name}" if module else name
