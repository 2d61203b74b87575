"""What type checkers know of the public interface. Checked by mypy and pyright in test_typing.py, never run."""

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
    """Told from the payloads, or known only at run time, it may be any."""
    assert_type(reducer.reduce(data), reducer.Result[Any])
    assert_type(reducer.reduce(data, "auto"), reducer.Result[Any])
    assert_type(reducer.reduce(data, dialect=name), reducer.Result[Any])
    assert_type(reducer.reduce_all(data), list[reducer.Result[Any]])
    assert_type(reducer.Reducer(), reducer.Reducer[Any])
    assert_type(reducer.Reducer(name).close(), reducer.Result[Any])


def one_assert_is_enough(result: reducer.Result[ChatCompletion]) -> str | None:
    """What a complete body has need not be asked for again at every dot."""
    assert result.body
    return assert_type(result.body.choices[0].message.tool_calls[0].function.arguments, str | None)


def parts(result: reducer.Result[ChatCompletion]) -> None:
    """The rest of a result."""
    assert_type(result.dialect, str | None)
    assert_type(result.json(), bytes)
    assert_type(result.to_dict(), dict[str, Any] | None)
    assert_type(result.usage, dict[str, Any] | None)
    assert_type(result.problems, tuple[reducer.Problem, ...])
    if (message := result.view()) is not None:
        assert_type(message, reducer.View)
        assert_type(message.tool_calls, list[reducer.ToolCallView])
        assert_type(message.usage, reducer.UsageView | None)
        assert_type(message.finish_reason, Literal["stop", "length", "tool_calls", "content_filter"] | None)
    if result.error is not None:
        assert_type(result.error.message, str | None)
    if result.timing is not None:
        assert_type(result.timing.gaps, tuple[int, ...])
    if result.status == "complete":
        return
    # What is left of the four, so that a `match` over them can be seen to be whole.
    if result.status != "truncated" and result.status != "failed":
        assert_type(result.status, Literal["empty"])


async def hosts(reads: Iterator[bytes], live: AsyncIterator[bytes], view: memoryview) -> None:
    """Both loops, and every kind of data."""
    fold = reducer.Reducer(limits=reducer.Limits(max_choices=8), repairs=["cumulative"], text_keys=("mumble",))
    trusting = reducer.Reducer("openai.responses", trust_done=True)
    assert_type(trusting.close(), reducer.Result[Response])
    assert_type(reducer.reduce(b"", "openai.responses", trust_done=True), reducer.Result[Response])
    assert_type(reducer.reduce_all(b"", trust_done=True), list[reducer.Result[Any]])
    for data in reads:
        fold.feed(data)
    async for data in live:
        fold.feed(data)
    fold.feed(view)
    fold.feed_event({"choices": []}, event="message", at=1)
    assert_type(fold.finished, bool)
    assert_type(fold.close(OSError()), reducer.Result[Any])
    assert_type(fold.results, list[reducer.Result[Any]])
