"""The types of the public interface. mypy and pyright check this file in test_typing.py; it is never run."""

from collections.abc import AsyncIterator, Iterator
from typing import Any, Literal, assert_type

import reducer
from reducer.dialects.anthropic_messages import Message
from reducer.dialects.gemini_generate import GenerateContentResponse
from reducer.dialects.openai_chat import ChatCompletion
from reducer.dialects.openai_completions import Completion
from reducer.dialects.openai_responses import Response


def known_dialects(data: bytes) -> None:
    """A literal dialect gives its typed body, by position or by name."""
    assert_type(reducer.reduce(data, dialect="openai.chat"), reducer.Result[ChatCompletion])
    assert_type(reducer.reduce(data, "openai.responses"), reducer.Result[Response])
    assert_type(reducer.reduce(data, "anthropic.messages"), reducer.Result[Message])
    assert_type(reducer.reduce(data, "gemini.generate"), reducer.Result[GenerateContentResponse])
    assert_type(reducer.reduce(data, "openai.completions"), reducer.Result[Completion])
    assert_type(reducer.reduce_all(data, dialect="openai.chat"), list[reducer.Result[ChatCompletion]])
    assert_type(reducer.reduce_all(data, "openai.responses"), list[reducer.Result[Response]])
    assert_type(reducer.reduce_all(data, "anthropic.messages"), list[reducer.Result[Message]])
    assert_type(reducer.reduce_all(data, "gemini.generate"), list[reducer.Result[GenerateContentResponse]])
    assert_type(reducer.reduce_all(data, "openai.completions"), list[reducer.Result[Completion]])
    assert_type(reducer.Reducer("openai.chat"), reducer.Reducer[ChatCompletion])
    assert_type(reducer.Reducer("openai.responses").close(), reducer.Result[Response])
    assert_type(reducer.Reducer("anthropic.messages").close(), reducer.Result[Message])
    assert_type(reducer.Reducer("gemini.generate").close(), reducer.Result[GenerateContentResponse])
    assert_type(reducer.Reducer("openai.completions").close(), reducer.Result[Completion])
    assert_type(reducer.Reducer.resume(data), reducer.Reducer[Any])
    assert_type(reducer.Reducer("openai.chat").snapshot().body, ChatCompletion | None)


def unknown_dialects(data: bytes, name: str) -> None:
    """If the dialect is detected or known only at run time, the body is `Any`."""
    assert_type(reducer.reduce(data), reducer.Result[Any])
    assert_type(reducer.reduce(data, "auto"), reducer.Result[Any])
    assert_type(reducer.reduce(data, dialect=name), reducer.Result[Any])
    assert_type(reducer.reduce_all(data), list[reducer.Result[Any]])
    assert_type(reducer.Reducer(), reducer.Reducer[Any])
    assert_type(reducer.Reducer(name).close(), reducer.Result[Any])


def one_assert_is_enough(result: reducer.Result[ChatCompletion]) -> str | None:
    """Inside a body, attributes need no further `None` checks."""
    assert result.body
    return assert_type(result.body.choices[0].message.tool_calls[0].function.arguments, str | None)


def types_of_bodies(message: reducer.types.chat.Message, item: reducer.types.responses.Item) -> None:
    """The structs are public."""
    assert_type(message.tool_calls, list[reducer.types.chat.ToolCall])
    assert_type(item.status, str | None)
    assert_type(reducer.reduce(b"", "anthropic.messages").body, reducer.types.anthropic.Message | None)
    assert_type(reducer.types.gemini.Part().text, str | None)
    assert_type(reducer.types.completions.Completion().choices, list[reducer.types.completions.CompletionChoice])


def parts(result: reducer.Result[ChatCompletion]) -> None:
    """The rest of a result."""
    assert_type(result.dialect, str | None)
    assert_type(result.json(), bytes)
    assert_type(result.to_dict(), dict[str, Any] | None)
    assert_type(result.usage, dict[str, Any] | None)
    assert_type(result.problems, tuple[reducer.Problem, ...])
    assert_type(result.row(choice=1), dict[str, str | int | None])
    assert_type(reducer.ROW, dict[str, type[str] | type[int]])
    for problem in result.problems:
        if problem.code == "no_terminal":
            assert_type(problem.code, Literal["no_terminal"])
    if (message := result.view()) is not None:
        assert_type(message, reducer.View)
        assert_type(message.tool_calls, list[reducer.ToolCallView])
        assert_type(message.tool_calls[0].complete, bool)
        assert_type(message.usage, reducer.UsageView | None)
        assert_type(message.finish_reason, Literal["stop", "length", "tool_calls", "content_filter"] | None)
    if result.error is not None:
        assert_type(result.error.message, str | None)
    if result.timing is not None:
        assert_type(result.timing.gaps, tuple[int, ...])
    if result.status == "complete":
        return
    # Only one of the four values is left, so type checkers can see that a `match` is exhaustive.
    if result.status != "truncated" and result.status != "failed":
        assert_type(result.status, Literal["empty"])


async def callers(reads: Iterator[bytes], live: AsyncIterator[bytes], view: memoryview) -> None:
    """Feed in synchronous and asynchronous loops, with every kind of data."""
    live_reducer = reducer.Reducer(limits=reducer.Limits(max_choices=8), repairs=["cumulative"], text_keys=("mumble",))
    slow = reducer.Reducer("openai.responses", fast=False)
    assert_type(slow.close(), reducer.Result[Response])
    assert_type(reducer.reduce(b"", "openai.responses", fast=False), reducer.Result[Response])
    assert_type(reducer.reduce_all(b"", fast=False), list[reducer.Result[Any]])
    for data in reads:
        live_reducer.feed(data)
    async for data in live:
        live_reducer.feed(data)
    live_reducer.feed(view)
    live_reducer.feed_event({"choices": []}, event="message", at=1)
    assert_type(live_reducer.finished, bool)
    assert_type(live_reducer.close(OSError()), reducer.Result[Any])
    assert_type(live_reducer.results, list[reducer.Result[Any]])


def without_a_body(result: reducer.Result, live: reducer.Reducer) -> reducer.Result:
    """Annotations may omit the type of the body, which is `Any` then."""
    assert_type(result, reducer.Result[Any])
    assert_type(live, reducer.Reducer[Any])
    return reducer.reduce(b"", "openai.chat")


def covariant(result: reducer.Result[ChatCompletion], live: reducer.Reducer[ChatCompletion]) -> None:
    """A function that takes a general body also takes a special one."""
    takes_general(result, live)


def takes_general(result: reducer.Result[ChatCompletion | Message], live: reducer.Reducer[object]) -> None:
    """The body has the type of the annotation."""
    assert_type(result.body, ChatCompletion | Message | None)
    assert_type(live.snapshot(), reducer.Result[object])
