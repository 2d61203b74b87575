"""What comes out: `Result` with its verdict, `Problem`, `ProviderError`, `Timing`; and `Limits`, which bound it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from reducer.errors import UsageError
from reducer.sdk import SdkTypes, to_sdk
from reducer.typed import copied, to_struct
from reducer.view import View

BodyT = TypeVar("BodyT")
Status = Literal["complete", "truncated", "failed", "empty"]

# Integers of more than 4,300 digits are carried as decimals (S22); they are written as the numbers they are.
_ENCODER = msgspec.json.Encoder(decimal_format="number")


class Problem(msgspec.Struct, frozen=True):
    """A deviation that was seen, and what was chosen.

    ``code`` is stable and listed in the README. ``event`` is the event's number in what was fed,
    from 0, and ``offset`` the byte where its data begin; both are ``None`` where there is no such place.
    """

    code: str
    event: int | None = None
    offset: int | None = None
    seen: Any = None
    chosen: Any = None


class ProviderError(msgspec.Struct, frozen=True):
    """The provider's error in one shape. ``raw`` is what came."""

    type: str | None = None
    code: str | int | None = None
    message: str | None = None
    param: Any = None
    raw: Any = None


class Timing(msgspec.Struct, frozen=True):
    """When things came, in nanoseconds of the caller's clock.

    ``gaps`` are the times between one arrival and the next, in order.
    """

    first_byte: int | None = None
    first_content: int | None = None
    end: int | None = None
    gaps: tuple[int, ...] = ()


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What one stream may cost at most. Past a limit the rest is not retained, and the status is ``truncated``."""

    # The largest real events are base64 images of some 10 MB.
    max_event_bytes: int = 64 * 1024 * 1024
    # A body larger than this is no answer of a language model; it bounds a host's memory.
    max_retained_bytes: int = 256 * 1024 * 1024
    # OpenAI's own cap on n is 128.
    max_choices: int = 128
    # OpenAI's own cap on tools is 128; a model may call each several times in one message.
    max_calls: int = 1024
    # Agentic responses of several hundred items are real (deep research).
    max_items: int = 4096
    # openai-go allows one chunk to open 128 (maxGrowth).
    max_new_slots: int = 128
    # Half of what CPython's recursion limit leaves a host; no real answer nests deeper than some 20.
    max_depth: int = 256

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UsageError(f"Limits.{name} must be a positive integer, not {value!r}")


class Result(Generic[BodyT]):
    """The answer of one stream, as far as it came. Immutable; can be pickled and compared."""

    __slots__ = ("_body", "_final", "_wire", "dialect", "error", "problems", "status", "timing")

    status: Status
    dialect: str | None
    error: ProviderError | None
    problems: tuple[Problem, ...]
    timing: Timing | None
    _body: BodyT | None  # converted from the wire's shape at the first access
    _final: type[BodyT] | None
    _wire: dict[str, Any] | None

    def __init__(
        self,
        status: Status,
        *,
        dialect: str | None = None,
        wire: dict[str, Any] | None = None,
        final: type[BodyT] | None = None,
        error: ProviderError | None = None,
        problems: tuple[Problem, ...] = (),
        timing: Timing | None = None,
    ) -> None:
        set_ = object.__setattr__
        set_(self, "status", status)
        set_(self, "dialect", dialect)
        set_(self, "error", error)
        set_(self, "problems", problems)
        set_(self, "timing", timing)
        set_(self, "_wire", wire)
        set_(self, "_final", final)
        set_(self, "_body", None)

    @property
    def body(self) -> BodyT | None:
        """The final object as frozen structs, converted at the first access; ``None`` if there is none."""
        if self._body is None and self._wire is not None and self._final is not None:
            object.__setattr__(self, "_body", to_struct(self._final, self._wire))
        return self._body

    @property
    def usage(self) -> dict[str, Any] | None:
        """The usage as it was reported, or ``None``. A reported 0 is 0."""
        if self._wire is None or self._final is None:
            return None
        usage = self._wire.get(getattr(self._final, "usage_key", "usage"))
        return cast("dict[str, Any]", copied(usage)) if type(usage) is dict else None

    def json(self) -> bytes:
        """Return the body as JSON, every unknown field in its place; ``null`` if there is none."""
        return _ENCODER.encode(self._wire)

    def to_dict(self) -> dict[str, Any] | None:
        """Return the body as plain Python, a copy of its own each time."""
        return cast("dict[str, Any] | None", copied(self._wire))

    def view(self, choice: int = 0) -> View | None:
        """Return one choice of the body as a small message in the names that all dialects share.

        ``choice`` is its place among the body's choices, or candidates. A body without any gives an empty message for
        the first; ``None`` if there is no body, or no such choice. Never raises for what the body says.
        """
        if type(choice) is not int or choice < 0:
            raise UsageError(f"choice must be a place among the choices, from 0, not {choice!r}")
        to_view: Callable[[dict[str, Any], int], View | None] | None = getattr(self._final, "to_view", None)
        return to_view(self._wire, choice) if to_view is not None and self._wire is not None else None

    def to_openai(self) -> Any:
        """Return the body as the type of the openai package, which is imported here.

        A body that this type allows is validated; any other is constructed.
        Raises `MissingExtraError` without that package and `UsageError` where it has no type for the dialect.
        """
        return self._to_sdk("openai")

    def to_anthropic(self) -> Any:
        """Return the body as the type of the anthropic package, a ``BetaMessage`` if only that knows it.

        Otherwise as `to_openai`.
        """
        return self._to_sdk("anthropic")

    def to_gemini(self) -> Any:
        """Return the body as the type of the google-genai package, without what that type forbids.

        Otherwise as `to_openai`.
        """
        return self._to_sdk("google")

    def _to_sdk(self, package: str) -> Any:
        if self._wire is None:
            return None
        where: SdkTypes = getattr(self._final, "sdk_types", {})
        if package not in where:
            raise UsageError(f"the {package} package has no type for {self.dialect}")
        return to_sdk(package, where[package], self.to_dict() or {})

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Result is immutable: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Result is immutable: {name}")

    def _facts(self) -> tuple[Any, ...]:
        return (self.status, self.dialect, self._wire, self.error, self.problems, self.timing)

    def __eq__(self, other: object) -> bool:
        return self._facts() == other._facts() if isinstance(other, Result) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (*self._facts(), self._final))

    def __repr__(self) -> str:
        return f"<Result {self.status} {self.dialect} {len(self.problems)} problem(s)>"


def _rebuild(
    status: Status,
    dialect: str | None,
    wire: dict[str, Any] | None,
    error: ProviderError | None,
    problems: tuple[Problem, ...],
    timing: Timing | None,
    final: type | None,
) -> Result[Any]:
    return Result(status, dialect=dialect, wire=wire, final=final, error=error, problems=problems, timing=timing)
