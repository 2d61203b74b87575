"""LangChain: each chunk converted as `ChatOpenAI` does, and the message chunks added up as its users do.

The client's own models, which come before that, are left out in its favour: payloads are parsed by `json`.
"""

from __future__ import annotations

import json
from importlib.metadata import version as installed
from typing import Any

from langchain_core.messages import AIMessageChunk
from langchain_openai import ChatOpenAI

from benchmarks import answers
from benchmarks.contenders import Mode
from benchmarks.streams import Stream

_MODEL = ChatOpenAI(api_key="none", model="none")


def version() -> str:
    """Return the versions of both packages."""
    return f"{installed('langchain-core')}, openai {installed('langchain-openai')}"


def modes(dialect: str) -> dict[str, Mode]:
    """Add Chat Completions."""
    return {"": Mode(Stream.payloads, chat, _answer)} if dialect == "openai.chat" else {}


def chat(payloads: list[bytes]) -> Any:
    """Return the sum of all chunks, a ChatGenerationChunk."""
    total = None
    for payload in payloads:
        chunk = _MODEL._convert_chunk_to_generation_chunk(json.loads(payload), AIMessageChunk, None)
        if chunk is not None:
            total = chunk if total is None else total + chunk
    return total


def _answer(total: Any) -> dict[str, Any]:
    message = total.message
    info = total.generation_info or {}
    usage = message.usage_metadata or {}
    calls = [
        {"id": call["id"], "function": {"name": call["name"], "arguments": call["args"]}}
        for call in message.tool_call_chunks
    ]
    choice = {
        "message": {"content": message.content, "tool_calls": calls, **message.additional_kwargs},
        "finish_reason": info.get("finish_reason"),
        "logprobs": info.get("logprobs"),
    }
    usage = {"prompt_tokens": usage.get("input_tokens"), "completion_tokens": usage.get("output_tokens")}
    return answers.read_chat({"choices": [choice], "usage": usage})
