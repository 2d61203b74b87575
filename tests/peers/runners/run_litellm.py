"""Runs LiteLLM's `stream_chunk_builder`, which its proxy and its loggers call once a stream has ended.

It takes LiteLLM's own chunk objects: `ModelResponseStream` for chat, `TextCompletionResponse` for legacy
completions; both are made of the payload as it is. An ``error`` raises, as the provider's client would have.
"""

from __future__ import annotations

import os

# Without these, the import downloads prices, and counting tokens downloads tokenizers.
os.environ.update({"LITELLM_LOCAL_MODEL_COST_MAP": "True", "HF_HUB_OFFLINE": "1"})

from typing import Any

import litellm
from _loop import serve
from litellm.types.utils import ModelResponseStream, TextCompletionResponse

litellm.suppress_debug_info = True
litellm.disable_hf_tokenizer_download = True


class ProviderError(Exception):
    """Stands for the error of the client below LiteLLM."""


def chat(payloads: list[Any]) -> Any:
    """Return the ModelResponse."""
    return _built([ModelResponseStream(**payload) for payload in _checked(payloads)])


def completions(payloads: list[Any]) -> Any:
    """Return the TextCompletionResponse."""
    return _built([TextCompletionResponse(**payload) for payload in _checked(payloads)])


def _checked(payloads: list[Any]) -> Any:
    for payload in payloads:
        if payload.get("error"):
            raise ProviderError(str(payload["error"]))
        yield payload


def _built(chunks: list[Any]) -> Any:
    built = litellm.stream_chunk_builder(chunks)
    return None if built is None else built.model_dump(mode="json")


if __name__ == "__main__":
    serve({"openai.chat": chat, "openai.completions": completions})
