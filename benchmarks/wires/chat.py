"""Chat Completions: as vLLM, OpenAI, OpenRouter and Azure send them."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

from benchmarks.streams import CREATED, ID
from benchmarks.wires._sse import DONE, unnamed
from benchmarks.words import Words, arguments, mixed, padding, pieces

_USAGE = {"prompt_tokens": 24, "total_tokens": 1047, "completion_tokens": 1023}


def vllm(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text as vLLM sends it."""
    chunks = [_vllm({"role": "assistant", "content": ""})]
    chunks += [_vllm({"content": piece}) for piece in words(rng, deltas)]
    chunks.append(_vllm({}, finish="stop"))
    return unnamed([*chunks, _vllm_usage()]) + DONE


def openai(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text as OpenAI sends it if usage was requested: padded, and with a usage of null."""
    chunks = [_openai(rng, {"role": "assistant", "content": "", "refusal": None})]
    chunks += [_openai(rng, {"content": piece}) for piece in words(rng, deltas)]
    chunks.append(_openai(rng, {}, finish="stop"))
    return unnamed([*chunks, _openai_usage(rng)]) + DONE


def logprobs(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text with the log probabilities of five candidates a token."""
    chunks = [_openai(rng, {"role": "assistant", "content": "", "refusal": None})]
    for piece in words(rng, deltas):
        candidates = [_token(rng, other) for other in (piece, *words(rng, 4))]
        probable = {"content": [{**candidates[0], "top_logprobs": candidates}], "refusal": None}
        chunks.append(_openai(rng, {"content": piece}, logprobs=probable))
    chunks.append(_openai(rng, {}, finish="stop"))
    return unnamed([*chunks, _openai_usage(rng)]) + DONE


def choices(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text of four choices, whose deltas interleave."""
    chunks = [_vllm({"role": "assistant", "content": ""}, index=index) for index in range(4)]
    chunks += [_vllm({"content": piece}, index=rng.randrange(4)) for piece in words(rng, deltas)]
    chunks += [_vllm({}, index=index, finish="stop") for index in range(4)]
    return unnamed([*chunks, _vllm_usage()]) + DONE


def tools(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Forty tool calls, one after the other, as OpenAI and vLLM send them; unpadded."""
    chunks = [_vllm({"role": "assistant", "content": None})]
    chunks += [_vllm({"tool_calls": [entry]}) for call in _calls(rng, 40, deltas) for entry in call]
    chunks.append(_vllm({}, finish="tool_calls"))
    return unnamed([*chunks, _vllm_usage()]) + DONE


def padded_tools(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Forty tool calls, one after the other, with all that OpenAI sends beside them."""
    chunks = [_openai(rng, {"role": "assistant", "content": None})]
    chunks += [_openai(rng, {"tool_calls": [entry]}) for call in _calls(rng, 40, deltas) for entry in call]
    chunks.append(_openai(rng, {}, finish="tool_calls"))
    return unnamed([*chunks, _openai_usage(rng)]) + DONE


def interleaved_tools(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Forty tool calls: the ids and names of all, then their arguments in alternation."""
    calls = [list(call) for call in _calls(rng, 40, deltas)]
    entries = [call[turn] for turn in range(max(map(len, calls))) for call in calls if turn < len(call)]
    chunks = [_vllm({"role": "assistant", "content": None})]
    chunks += [_vllm({"tool_calls": [entry]}) for entry in entries]
    chunks.append(_vllm({}, finish="tool_calls"))
    return unnamed([*chunks, _vllm_usage()]) + DONE


def long_arguments(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """One tool call whose arguments have 20 characters a delta."""
    text = arguments(rng, 20 * deltas)
    entries = [_head(0), *({"index": 0, "function": {"arguments": piece}} for piece in pieces(rng, text, 10, 30))]
    chunks = [_vllm({"role": "assistant", "content": None}), *(_vllm({"tool_calls": [entry]}) for entry in entries)]
    chunks.append(_vllm({}, finish="tool_calls"))
    return unnamed([*chunks, _vllm_usage()]) + DONE


def openrouter(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Reasoning, which OpenRouter sends twice in each delta, and then text."""
    thoughts = deltas * 3 // 4
    chunks = []
    for piece in words(rng, thoughts):
        detail = {"type": "reasoning.text", "text": piece, "format": "unknown", "index": 0}
        chunks.append(
            _openrouter({"content": "", "role": "assistant", "reasoning": piece, "reasoning_details": [detail]})
        )
    chunks += [_openrouter({"content": piece, "role": "assistant"}) for piece in words(rng, deltas - thoughts)]
    chunks.append(_openrouter({"content": "", "role": "assistant"}, finish="stop"))
    usage = {**_USAGE, "cost": 0.0006974, "is_byok": False, "completion_tokens_details": {"reasoning_tokens": thoughts}}
    chunks.append({**_openrouter({"content": "", "role": "assistant"}, finish="stop"), "usage": usage})
    return b": OPENROUTER PROCESSING\n\n" * 2 + unnamed(chunks) + DONE


def azure(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text as Azure sends it: filter results first and beside every delta, keys in alphabetical order."""
    safe = {kind: {"filtered": False, "severity": "safe"} for kind in ("hate", "self_harm", "sexual", "violence")}
    prompt = {"hate": safe["hate"], "jailbreak": {"detected": False, "filtered": False}, **safe}
    results = [{"prompt_index": 0, "content_filter_results": prompt}]
    first = {"choices": [], "created": 0, "id": "", "model": "", "object": "", "prompt_filter_results": results}
    chunks = [first, _azure({"content": "", "refusal": None, "role": "assistant"}, {})]
    chunks += [_azure({"content": piece}, safe) for piece in words(rng, deltas)]
    chunks.append(_azure({}, {}, finish="stop"))
    return unnamed(chunks) + DONE


def _vllm(delta: dict[str, Any], *, index: int = 0, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": index, "delta": delta, "logprobs": None, "finish_reason": finish, "token_ids": None}
    if finish is not None:
        choice["stop_reason"] = None
    return _of_vllm([choice])


def _vllm_usage() -> dict[str, Any]:
    return {**_of_vllm([]), "usage": _USAGE}


def _of_vllm(choices: list[Any]) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-{ID}{ID}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": "meta-llama/Llama-3.3-70B-Instruct",
        "choices": choices,
    }


def _openai(rng: Random, delta: dict[str, Any], *, logprobs: Any = None, finish: str | None = None) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
    return _of_openai(rng, [choice], None)


def _openai_usage(rng: Random) -> dict[str, Any]:
    details = {
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }
    return _of_openai(rng, [], {**_USAGE, **details})


def _of_openai(rng: Random, choices: list[Any], usage: dict[str, Any] | None) -> dict[str, Any]:
    return {
        "id": f"chatcmpl-B{ID}{ID[:12]}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": "gpt-4o-2024-08-06",
        "service_tier": "default",
        "system_fingerprint": "fp_07871e2ad8",
        "choices": choices,
        "usage": usage,
        "obfuscation": padding(rng),
    }


def _openrouter(delta: dict[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    return {
        "id": f"gen-{CREATED}-{ID}",
        "object": "chat.completion.chunk",
        "created": CREATED,
        "model": "qwen/qwen3-30b-a3b",
        "provider": "DeepInfra",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish, "native_finish_reason": finish}],
    }


def _azure(delta: dict[str, Any], results: dict[str, Any], *, finish: str | None = None) -> dict[str, Any]:
    choice = {"content_filter_results": results, "delta": delta, "finish_reason": finish, "index": 0, "logprobs": None}
    return {
        "choices": [choice],
        "created": CREATED,
        "id": f"chatcmpl-D{ID}",
        "model": "gpt-4o-2024-11-20",
        "object": "chat.completion.chunk",
        "system_fingerprint": "fp_ee1d74bde0",
    }


def _calls(rng: Random, count: int, deltas: int) -> Iterator[list[dict[str, Any]]]:
    """Make the entries of every call: the head, then fragments of four characters or so."""
    for index in range(count):
        text = arguments(rng, 4 * deltas // count)
        yield [_head(index), *({"index": index, "function": {"arguments": piece}} for piece in pieces(rng, text, 1, 7))]


def _head(index: int) -> dict[str, Any]:
    function = {"name": f"look_up_{index}", "arguments": ""}
    return {"index": index, "id": f"call_{ID}{index:02}", "type": "function", "function": function}


def _token(rng: Random, text: str) -> dict[str, Any]:
    return {"token": text, "logprob": -rng.expovariate(1), "bytes": list(text.encode())}
