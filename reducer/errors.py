"""The exceptions of this package, and its logger.

The content of a stream never raises, unless the caller asks for that with ``strict=True``.

- `ReducerError`
    - `UsageError` (also a `ValueError`): the caller made a mistake. Always raised, by the call that is wrong.
        - `ClosedError`: something was fed after `Reducer.close`.
        - `StateError`: the bytes given to `Reducer.resume` are not a saved state of this version.
    - `ProblemError`: the stream has a problem, under ``strict=True``. Has ``problem``.
    - `ContentError` (also a `ValueError`): a compressed body cannot be decompressed. Has ``encoding`` and ``cause``.
    - `MissingExtraError` (also an `ImportError`): an optional dependency is not installed. Has ``feature``, ``package``
      and ``extra``.
"""

from __future__ import annotations

from typing import Any

from reducer.problems import Problem


class ReducerError(Exception):
    """The base of all exceptions that this package raises on purpose."""


class UsageError(ReducerError, ValueError):
    """The caller used the package in a way that cannot work."""


class ClosedError(UsageError):
    """Something was fed to a reducer that is closed."""


class StateError(UsageError):
    """The bytes given to `Reducer.resume` are not a saved state that this version can read."""


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
    """A compressed body cannot be decompressed: it is damaged, has another encoding, or is larger than allowed."""

    def __init__(self, encoding: str, cause: str) -> None:
        super().__init__(f"content encoding {encoding}: {cause}")
        self.encoding = encoding
        self.cause = cause

    def __reduce__(self) -> tuple[type[ContentError], tuple[str, str]]:
        return (ContentError, (self.encoding, self.cause))


class MissingExtraError(ReducerError, ImportError):
    """An optional feature needs a package that is not installed."""

    def __init__(self, feature: str, package: str, extra: str | None = None) -> None:
        install = f"stream-reducer[{extra}]" if extra else package
        super().__init__(f"{feature} needs {package}: pip install '{install}'")
        self.feature = feature
        self.package = package
        self.extra = extra

    def __reduce__(self) -> tuple[type[MissingExtraError], tuple[str, str, str | None]]:
        return (MissingExtraError, (self.feature, self.package, self.extra))


_logger: Any = None


def log(level: str, message: str, *facts: object) -> None:
    """Log to the logger ``reducer``: numbers and names, never content.

    Nothing is printed unless the host configures logging.
    """
    global _logger
    if _logger is None:
        import logging  # imported late, because it would take a third of the import time of `reducer`

        _logger = logging.getLogger("reducer")
        _logger.addHandler(logging.NullHandler())
    getattr(_logger, level)(message, *facts)
