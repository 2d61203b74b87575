"""LiteLLM: its chunk models, and `stream_chunk_builder` over them after the stream has ended."""

from __future__ import annotations

import json
import os
from importlib.metadata import version as installed
from typing import Any

os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"  # otherwise the import downloads a price list

import litellm
from litellm.types.utils import ModelResponseStream

from benchmarks import answers
from benchmarks.contenders import Mode
from benchmarks.streams import Stream

litellm.suppress_debug_info = True


def version() -> str:
    """Return LiteLLM's version."""
    return installed("litellm")


def modes(dialect: str) -> dict[str, Mode]:
    """Build Chat Completions."""
    if dialect != "openai.chat":
        return {}
    return {"": Mode(Stream.payloads, chat, lambda body: answers.read_chat(body.model_dump(mode="json")))}


def chat(payloads: list[bytes]) -> Any:
    """Return the ModelResponse."""
    return litellm.stream_chunk_builder([ModelResponseStream(**json.loads(payload)) for payload in payloads])
