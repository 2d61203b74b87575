"""What a reducer returns, `Result` with `ProviderError` and `Timing`, and the `Limits` that it takes.

A `Result` holds the body as a plain dict in wire shape. Everything else, such as the typed body or an SDK's object, is
converted from that dict when the caller asks. Nothing in this module reads a stream.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Generic, Literal, cast

import msgspec

from reducer.body import copied, to_json, to_struct
from reducer.errors import UsageError
from reducer.problems import Problem
from reducer.row import build_row
from reducer.sdk import SdkTypes, to_sdk
from reducer.view import Incomplete, View

TYPE_CHECKING = False
if TYPE_CHECKING:
    # The default allows annotations with bare `Result` and `Reducer`. Type checkers bring typing_extensions with them.
    from typing_extensions import TypeVar

    BodyT = TypeVar("BodyT", covariant=True, default=Any)
else:
    from typing import TypeVar

    BodyT = TypeVar("BodyT", covariant=True)

Status = Literal["complete", "truncated", "failed", "empty"]


class ProviderError(msgspec.Struct, frozen=True):
    """The provider's error in the shape that all dialects share. ``raw`` is the error as the wire sent it."""

    type: str | None = None
    code: str | int | None = None
    message: str | None = None
    param: Any = None
    raw: Any = None


class Timing(msgspec.Struct, frozen=True):
    """When things came, in nanoseconds since ``started=``, else the clock at construction, else the first ``at``.

    ``first_content`` is the time to the first token. ``gaps`` are the times between one read and the next, in order, at
    most 1,024 of them; ``gap_count`` and ``longest_gap`` count all.
    """

    first_byte: int | None = None
    first_content: int | None = None
    end: int | None = None
    gaps: tuple[int, ...] = ()
    gap_count: int = 0
    longest_gap: int | None = None


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Upper bounds on what one stream may cost.

    What exceeds a limit is not retained, and the status is ``truncated``. After ``max_retained_bytes`` nothing more is
    merged.
    """

    # The largest real events are base64 images of some 10 MB.
    max_event_bytes: int = 64 * 1024 * 1024
    # No language model answers with a larger body. The limit bounds the memory of the host process.
    max_retained_bytes: int = 256 * 1024 * 1024
    # OpenAI accepts n up to 128.
    max_choices: int = 128
    # OpenAI accepts up to 128 tools, and a model may call each of them several times in one message.
    max_calls: int = 1024
    # Deep-research responses have several hundred items.
    max_items: int = 4096
    # Of one body, beside those whose results were taken. Most captures have one.
    max_responses: int = 65_536
    # New slots in one event. openai-go uses the same number (maxGrowth).
    max_new_slots: int = 128
    # Recursive functions stay well below CPython's recursion limit. Real answers nest about 20 levels deep.
    max_depth: int = 256

    def __post_init__(self) -> None:
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 1:
                raise UsageError(f"Limits.{name} must be a positive integer, not {value!r}")


class Result(Generic[BodyT]):
    """The result of one response: the verdict, the body as far as it arrived, and the problems.

    Immutable. Results can be pickled and compared by value.
    """

    __slots__ = ("_body", "_final", "_incomplete", "_wire", "dialect", "error", "problems", "status", "timing")

    status: Status
    dialect: str | None
    error: ProviderError | None
    problems: tuple[Problem, ...]
    timing: Timing | None
    _body: BodyT | None  # the typed body; None until the first access converts it from `_wire`
    _final: type[BodyT] | None  # the class of the typed body; None if the dialect is unknown
    _incomplete: Incomplete  # the tool calls that the stream did not close: the body cannot say that
    _wire: dict[str, Any] | None  # the body in wire shape; nothing changes it after construction

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
        incomplete: Incomplete | Iterable[tuple[tuple[int, int], str]] = (),
    ) -> None:
        set_ = object.__setattr__  # the class forbids ordinary assignment
        set_(self, "status", status)
        set_(self, "dialect", dialect)
        set_(self, "error", error)
        set_(self, "problems", problems)
        set_(self, "timing", timing)
        set_(self, "_wire", wire)
        set_(self, "_final", final)
        set_(self, "_incomplete", dict(incomplete))
        set_(self, "_body", None)

    @property
    def body(self) -> BodyT | None:
        """The final object as frozen structs, converted at the first access. ``None`` if there is no body."""
        if self._body is None and self._wire is not None and self._final is not None:
            object.__setattr__(self, "_body", to_struct(self._final, self._wire))
        return self._body

    @property
    def usage(self) -> dict[str, Any] | None:
        """A copy of the usage as the provider reported it. ``None`` if the provider reported none."""
        if self._wire is None or self._final is None:
            return None
        usage = self._wire.get(getattr(self._final, "usage_key", "usage"))
        return cast("dict[str, Any]", copied(usage)) if type(usage) is dict else None

    def json(self) -> bytes:
        """Return the body as JSON, including every unknown field. Return ``null`` if there is no body."""
        return to_json(self._wire)

    def to_dict(self) -> dict[str, Any] | None:
        """Return the body as plain Python values: a new copy at each call, or ``None`` if there is no body."""
        return cast("dict[str, Any] | None", copied(self._wire))

    def view(self, choice: int = 0) -> View | None:
        """Return one choice of the body as a `View`: a small message with the same names for all dialects.

        Args:
            choice: The position in the body's list of choices or candidates, from 0.

        Returns:
            The message. ``None`` if there is no body or no such choice. A body that has no choices at all gives an
            empty message for choice 0.

        Raises `UsageError` for a ``choice`` that is not a position. Never raises for the content of a body.
        """
        if type(choice) is not int or choice < 0:
            raise UsageError(f"choice must be a position in the list of choices, from 0, not {choice!r}")
        to_view: Callable[[dict[str, Any], int, Incomplete], View | None] | None = getattr(self._final, "to_view", None)
        return to_view(self._wire, choice, self._incomplete) if to_view is not None and self._wire is not None else None

    def row(self, choice: int = 0) -> dict[str, str | int | None]:
        """Return one choice as a flat dict of plain values, for a table. `reducer.ROW` maps its keys to their types.

        Every row has the same keys, in the same order. A value is ``None`` if the response does not have it, or if it
        is an integer of more than 64 bits. ``tool_calls`` is JSON text, a list of objects with the fields of
        `ToolCallView`; it is ``None`` without calls. ``choices`` is the number of choices. ``problems`` has the codes
        of all problems, joined by commas.

        Args:
            choice: The position in the body's list of choices or candidates, from 0. If there is no such choice, the
                row has only what concerns the whole response.

        Raises `UsageError` for a ``choice`` that is not a position.
        """
        view = self.view(choice)
        values: dict[str, Any] = {
            "dialect": self.dialect,
            "status": self.status,
            "problems": ",".join(problem.code for problem in self.problems),
        }
        if self.error is not None:
            code = self.error.code
            values["error_code"] = None if code is None else str(code)
            values["error_message"] = self.error.message
        if self._wire is not None:
            values |= self._common_values(self._wire, self._final)
        whole = view or self.view()
        if whole is not None and whole.usage is not None:
            values |= msgspec.structs.asdict(whole.usage)
        return build_row(values, view)

    @staticmethod
    def _common_values(wire: dict[str, Any], final: Any) -> dict[str, Any]:
        """Return the id, the model and the number of choices of a body, whatever its dialect calls them."""
        id_key, model_key = getattr(final, "id_key", "id"), getattr(final, "model_key", "model")
        choices_key = getattr(final, "choices_key", "choices")
        choices = wire.get(choices_key)
        # In a dialect without choices, the whole body is the only one.
        count = 1 if choices_key not in final.__struct_encode_fields__ else len(choices) if type(choices) is list else 0
        return {"id": wire.get(id_key), "model": wire.get(model_key), "choices": count}

    def to_openai(self) -> Any:
        """Return the body as an object of the ``openai`` package, or ``None`` if there is no body.

        The package is imported only here. A body that the type accepts is validated. A body that the type rejects is
        constructed without validation, and keeps all its values.

        Raises:
            MissingExtraError: The package is not installed.
            UsageError: The package has no type for this dialect.
        """
        return self._to_sdk("openai")

    def to_anthropic(self) -> Any:
        """Return the body as a ``Message`` of the ``anthropic`` package, or ``None`` if there is no body.

        The type is ``BetaMessage`` if it fits the body better. Validation and errors are those of `to_openai`.
        """
        return self._to_sdk("anthropic")

    def to_gemini(self) -> Any:
        """Return the body as an object of the ``google-genai`` package, or ``None`` if there is no body.

        Values that the type forbids are left out. Errors are those of `to_openai`.
        """
        return self._to_sdk("google")

    def _to_sdk(self, package: str) -> Any:
        if self._wire is None:
            return None
        sdk_types: SdkTypes = getattr(self._final, "sdk_types", {})
        if package not in sdk_types:
            raise UsageError(f"the {package} package has no type for {self.dialect}")
        return to_sdk(package, sdk_types[package], self.to_dict() or {})

    @property
    def summary(self) -> tuple[str | None, Status, int]:
        """The dialect, the status and the number of problems. Contains no content, so it may be logged."""
        return (self.dialect, self.status, len(self.problems))

    def with_problem(self, problem: Problem) -> Result[BodyT]:
        """Return a copy of this result with one more problem."""
        return Result(
            self.status,
            dialect=self.dialect,
            wire=self._wire,
            final=self._final,
            error=self.error,
            problems=(*self.problems, problem),
            timing=self.timing,
            incomplete=self._incomplete,
        )

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a Result is immutable: {name}")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"a Result is immutable: {name}")

    def _fields(self, body: dict[str, Any] | None) -> tuple[Any, ...]:
        return (self.status, self.dialect, body, self.error, self.problems, self.timing, self._incomplete)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Result):
            return NotImplemented
        # The same list may be JSON text in one body and objects in the other, so decoded bodies are compared.
        return self._fields(self.to_dict()) == other._fields(other.to_dict())

    __hash__ = None  # type: ignore[assignment]  # a body holds lists and dicts

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (*self._fields(self._wire), self._final))

    def __repr__(self) -> str:
        return f"<Result {self.status} {self.dialect} {len(self.problems)} problem(s)>"


def _rebuild(
    status: Status,
    dialect: str | None,
    wire: dict[str, Any] | None,
    error: ProviderError | None,
    problems: tuple[Problem, ...],
    timing: Timing | None,
    incomplete: Incomplete,
    final: type | None,
) -> Result[Any]:
    return Result(
        status,
        dialect=dialect,
        wire=wire,
        final=final,
        error=error,
        problems=problems,
        timing=timing,
        incomplete=incomplete,
    )
