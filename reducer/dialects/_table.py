"""The table of dialects: the module of each name, and the body that type checkers know by a literal name.

A new dialect is a file beside this one and its rows here: one for what runs, and one for each way to name it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Literal, TypeVar, overload

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from reducer.dialects.anthropic_messages import Message
    from reducer.dialects.gemini_generate import GenerateContentResponse
    from reducer.dialects.openai_chat import ChatCompletion
    from reducer.dialects.openai_completions import Completion
    from reducer.dialects.openai_responses import Response
    from reducer.engine import Keywords, Reducer
    from reducer.result import Result

# Name -> module, in the order of detection.
DIALECTS = {
    "openai.chat": "openai_chat",
    "openai.responses": "openai_responses",
    "anthropic.messages": "anthropic_messages",
    "gemini.generate": "gemini_generate",
    "openai.completions": "openai_completions",
}

BodyT = TypeVar("BodyT")
FunctionT = TypeVar("FunctionT")


class Named(Generic[BodyT]):
    """The part of a `Reducer` that tells type checkers its body."""

    if TYPE_CHECKING:

        @overload
        def __init__(  # type: ignore[misc]
            self: Reducer[ChatCompletion], dialect: Literal["openai.chat"], **options: Unpack[Keywords]
        ) -> None: ...
        @overload
        def __init__(  # type: ignore[misc]
            self: Reducer[Response], dialect: Literal["openai.responses"], **options: Unpack[Keywords]
        ) -> None: ...
        @overload
        def __init__(  # type: ignore[misc]
            self: Reducer[Message], dialect: Literal["anthropic.messages"], **options: Unpack[Keywords]
        ) -> None: ...
        @overload
        def __init__(  # type: ignore[misc]
            self: Reducer[GenerateContentResponse], dialect: Literal["gemini.generate"], **options: Unpack[Keywords]
        ) -> None: ...
        @overload
        def __init__(  # type: ignore[misc]
            self: Reducer[Completion], dialect: Literal["openai.completions"], **options: Unpack[Keywords]
        ) -> None: ...
        @overload
        def __init__(self: Reducer[Any], dialect: str = ..., **options: Unpack[Keywords]) -> None: ...  # type: ignore[misc]
        def __init__(self: Any, dialect: str = "auto", **options: Any) -> None: ...


def typed_as(like: FunctionT) -> Callable[[Callable[..., Any]], FunctionT]:
    """Give a function the overloads of another, which is there for type checkers alone."""
    return lambda function: function  # type: ignore[return-value]


if TYPE_CHECKING:

    @overload
    def reduces(data: Any, dialect: Literal["openai.chat"], **options: Unpack[Keywords]) -> Result[ChatCompletion]: ...
    @overload
    def reduces(data: Any, dialect: Literal["openai.responses"], **options: Unpack[Keywords]) -> Result[Response]: ...
    @overload
    def reduces(data: Any, dialect: Literal["anthropic.messages"], **options: Unpack[Keywords]) -> Result[Message]: ...
    @overload
    def reduces(
        data: Any, dialect: Literal["gemini.generate"], **options: Unpack[Keywords]
    ) -> Result[GenerateContentResponse]: ...
    @overload
    def reduces(
        data: Any, dialect: Literal["openai.completions"], **options: Unpack[Keywords]
    ) -> Result[Completion]: ...
    @overload
    def reduces(data: Any, dialect: str = ..., **options: Unpack[Keywords]) -> Result[Any]: ...
    def reduces(data: Any, dialect: str = "auto", **options: Any) -> Any:
        """Reduce a complete stream to its result."""

    @overload
    def reduces_all(
        data: Any, dialect: Literal["openai.chat"], **options: Unpack[Keywords]
    ) -> list[Result[ChatCompletion]]: ...
    @overload
    def reduces_all(
        data: Any, dialect: Literal["openai.responses"], **options: Unpack[Keywords]
    ) -> list[Result[Response]]: ...
    @overload
    def reduces_all(
        data: Any, dialect: Literal["anthropic.messages"], **options: Unpack[Keywords]
    ) -> list[Result[Message]]: ...
    @overload
    def reduces_all(
        data: Any, dialect: Literal["gemini.generate"], **options: Unpack[Keywords]
    ) -> list[Result[GenerateContentResponse]]: ...
    @overload
    def reduces_all(
        data: Any, dialect: Literal["openai.completions"], **options: Unpack[Keywords]
    ) -> list[Result[Completion]]: ...
    @overload
    def reduces_all(data: Any, dialect: str = ..., **options: Unpack[Keywords]) -> list[Result[Any]]: ...
    def reduces_all(data: Any, dialect: str = "auto", **options: Any) -> Any:
        """Reduce a capture that may hold several responses to all their results."""

else:
    reduces = reduces_all = None
