"""Runs LangChain: each integration's own conversion of an event to a message chunk, then LangChain's addition.

What `ChatOpenAI`, `ChatAnthropic` and `ChatGoogleGenerativeAI` do in `_stream` is done here on the payloads: the
client's model of each event first, then the conversion, then `merge_chat_generation_chunks`, which is what
LangChain's own `generate_from_stream` adds with. The final AIMessageChunk is written as plain data.
"""

from __future__ import annotations

from typing import Any

import anthropic._models
import openai._models
from _loop import serve
from anthropic.types.beta import BetaRawMessageStreamEvent
from google.genai.models import _GenerateContentResponse_from_mldev
from google.genai.types import GenerateContentResponse
from langchain_anthropic import ChatAnthropic
from langchain_core.messages import AIMessageChunk
from langchain_core.messages.ai import add_usage
from langchain_core.outputs import ChatGenerationChunk
from langchain_core.outputs.chat_generation import merge_chat_generation_chunks
from langchain_google_genai import chat_models as google
from langchain_openai import ChatOpenAI
from langchain_openai.chat_models import base as openai_base
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

OPENAI = ChatOpenAI(api_key="none", model="none")
ANTHROPIC = ChatAnthropic(api_key="none", model="none")


class ProviderError(Exception):
    """Stands for the error of the client below LangChain."""


def chat(payloads: list[Any]) -> Any:
    """Add the chunks of a Chat Completions stream."""
    chunks = []
    class_: Any = AIMessageChunk
    for payload in _checked(payloads):
        chunk = openai._models.construct_type(type_=ChatCompletionChunk, value=payload).model_dump()
        generation = OPENAI._convert_chunk_to_generation_chunk(chunk, class_, {})
        if generation is not None:
            class_ = generation.message.__class__
            chunks.append(generation)
    return _added(chunks)


def responses(payloads: list[Any]) -> Any:
    """Add the chunks of a Responses stream."""
    chunks = []
    at = -1, -1, -1
    indices: dict[str, int] = {}
    for payload in _checked(payloads):
        event = openai._models.construct_type(type_=ResponseStreamEvent, value=payload)
        *place, generation = openai_base._convert_responses_chunk_to_generation_chunk(
            event, *at, metadata={}, item_output_indices=indices
        )
        at = tuple(place)
        if generation is not None:
            chunks.append(generation)
    return _added(chunks)


def messages(payloads: list[Any]) -> Any:
    """Add the chunks of an Anthropic stream, with the beta's models, which know every block."""
    chunks = []
    started = None
    for payload in _checked(payloads):
        if payload.get("type") == "ping":
            continue
        event = anthropic._models.construct_type(type_=BetaRawMessageStreamEvent, value=payload)
        message, started = ANTHROPIC._make_message_chunk_from_anthropic_event(
            event, stream_usage=True, coerce_content_to_string=False, block_start_event=started
        )
        if message is not None:
            chunks.append(ChatGenerationChunk(message=message))
    return _added(chunks)


def generate(payloads: list[Any]) -> Any:
    """Add the chunks of a Gemini stream."""
    chunks = []
    usage = None
    indexer = google._StreamBlockIndexer()
    for payload in _checked(payloads):
        known = _GenerateContentResponse_from_mldev(payload, None, None)
        response = GenerateContentResponse._from_response(response=known, kwargs={})
        generation = google._response_to_result(response, stream=True, prev_usage=usage).generations[0]
        indexer.assign(generation.message)
        usage = (
            generation.message.usage_metadata if usage is None else add_usage(usage, generation.message.usage_metadata)
        )
        chunks.append(generation)
    return _added(chunks)


def _checked(payloads: list[Any]) -> Any:
    for payload in payloads:
        if payload.get("error"):
            raise ProviderError(str(payload["error"]))
        yield payload


def _added(chunks: list[ChatGenerationChunk]) -> Any:
    generation = merge_chat_generation_chunks(chunks)
    if generation is None:
        return None
    message = generation.message
    return {
        "type": message.type,
        "content": message.content,
        "tool_calls": [dict(call) for call in getattr(message, "tool_call_chunks", ())],
        "usage": getattr(message, "usage_metadata", None),
        "metadata": {**(generation.generation_info or {}), **message.response_metadata},
        "kwargs": message.additional_kwargs,
    }


if __name__ == "__main__":
    serve(
        {
            "openai.chat": chat,
            "openai.responses": responses,
            "anthropic.messages": messages,
            "gemini.generate": generate,
        }
    )
