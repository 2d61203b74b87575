"""Runs openai's own accumulators: the state behind ``chat.completions.stream`` and the one behind ``responses.stream``.

Each payload becomes the model that openai's `Stream` would have made of it, by the same `construct_type`, and an
``error`` raises as it does there. `ChatCompletionStreamState` gets every chunk, as its docstring shows; the
client's own ``stream()`` drops those whose ``object`` is not ``chat.completion.chunk`` before.
"""

from __future__ import annotations

from typing import Any

from _loop import serve
from openai import omit
from openai._models import construct_type
from openai.lib.streaming.chat import ChatCompletionStreamState
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent


class ProviderError(Exception):
    """Stands for openai.APIError, which wants a request."""


def _event(type_: Any, payload: Any) -> Any:
    if isinstance(payload, dict) and payload.get("error"):
        raise ProviderError(str(payload["error"]))
    return construct_type(type_=type_, value=payload)


def chat(payloads: list[Any]) -> Any:
    """Return the final ChatCompletion."""
    state = ChatCompletionStreamState()
    for payload in payloads:
        state.handle_chunk(_event(ChatCompletionChunk, payload))
    return state.get_final_completion().to_dict(mode="json")


def responses(payloads: list[Any]) -> Any:
    """Return the final Response."""
    state: ResponseStreamState[Any] = ResponseStreamState(input_tools=omit, text_format=omit)
    for payload in payloads:
        state.handle_event(_event(ResponseStreamEvent, payload))
    final = state._completed_response
    if final is None:
        # As ResponseStream.get_final_response does.
        raise RuntimeError("Didn't receive a `response.completed` event.")
    return final.to_dict(mode="json")


if __name__ == "__main__":
    serve({"openai.chat": chat, "openai.responses": responses})
