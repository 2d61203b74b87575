"""What this package raises. What the wire says is never raised, unless ``strict=True`` asks for it.

- `ReducerError`
    - `UsageError` (also a `ValueError`): the caller's mistake, raised at once and always.
        - `ClosedError`: something was fed after `Reducer.close`.
        - `StateError`: `Reducer.resume` was given bytes that are no state of this version.
    - `ProblemError`: ``strict=True``, and the first problem has been seen. Has ``problem``.
    - `ContentError` (also a `ValueError`): compressed bytes are not what they were said to be. Has ``encoding``.
    - `MissingExtraError` (also an `ImportError`): an optional dependency is not installed. Has ``extra``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reducer.result import Problem


class ReducerError(Exception):
    """The base of everything this package raises on purpose."""


class UsageError(ReducerError, ValueError):
    """The caller used the package in a way that cannot work."""


class ClosedError(UsageError):
    """A closed reducer was fed."""


class StateError(UsageError):
    """The bytes given to ``resume`` are not a saved state that this version can read."""


class ProblemError(ReducerError):
    """The first problem of a stream, under ``strict=True``."""

    def __init__(self, problem: Problem) -> None:
        place = "at the end" if problem.event is None else f"at event {problem.event}"
        if problem.offset is not None:
            place += f" (byte {problem.offset})"
        super().__init__(f"{problem.code} {place}: seen {problem.seen!r:.200}, chosen {problem.chosen!r:.200}")
        self.problem = problem

    def __reduce__(self) -> tuple[type[ProblemError], tuple[Problem]]:
        return (ProblemError, (self.problem,))


class ContentError(ReducerError, ValueError):
    """A body cannot be decompressed: broken, of another encoding, or larger than allowed."""

    def __init__(self, encoding: str, cause: str) -> None:
        super().__init__(f"content encoding {encoding}: {cause}")
        self.encoding = encoding
        self.cause = cause

    def __reduce__(self) -> tuple[type[ContentError], tuple[str, str]]:
        return (ContentError, (self.encoding, self.cause))


class MissingExtraError(ReducerError, ImportError):
    """A package that an optional feature needs is not installed."""

    def __init__(self, feature: str, package: str, extra: str | None = None) -> None:
        install = f"stream-reducer[{extra}]" if extra else package
        super().__init__(f"{feature} needs {package}: pip install '{install}'")
        self.feature = feature
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str | None]]:
        return (MissingExtraError, (self.feature, self.package, self.extra))
