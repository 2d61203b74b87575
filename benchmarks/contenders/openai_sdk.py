"""openai's client: `Stream` (events and models) and the accumulator that ``stream()`` uses, from bytes in memory."""

from __future__ import annotations

from typing import Any

import httpx2
import openai
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from benchmarks import answers
from benchmarks.contenders import Mode
from benchmarks.streams import Stream

_CLIENT = openai.OpenAI(api_key="none")
_REQUEST = httpx2.Request("POST", "https://example.org")


def version() -> str:
    """Return openai's version."""
    return openai.__version__


def modes(dialect: str) -> dict[str, Mode]:
    """Accumulate Chat Completions and Responses."""
    run = {"openai.chat": chat, "openai.responses": responses}.get(dialect)
    return {"": Mode(_data, run, lambda body: answers.READERS[dialect](body.to_dict(mode="json")))} if run else {}


def _data(stream: Stream) -> bytes:
    return stream.data


def _events(data: bytes, kind: Any) -> Any:
    response = httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=data, request=_REQUEST)
    return openai.Stream(cast_to=kind, response=response, client=_CLIENT)


def chat(data: bytes) -> Any:
    """Return the ChatCompletion."""
    state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
    for chunk in _events(data, ChatCompletionChunk):
        state.handle_chunk(chunk)
    return state.get_final_completion()


def responses(data: bytes) -> Any:
    """Return the Response."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=openai.omit, text_format=openai.omit)
    for event in _events(data, ResponseStreamEvent):
        state.handle_event(event)
    return state._completed_response
