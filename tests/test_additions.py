"""`Batch.additions`: adding what a batch returns gives the state that the event path gives.

Each test merges a stream with the event path up to some event, asks the dialect for a batch, and merges the next events
once with the batch and once with the event path. Whole streams are compared elsewhere; these tests reach every event of
a stream, also those for which the batch path would pause.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from reducer.detect import DONE
from reducer.dialects.contract import Options
from reducer.dialects.registry import DIALECTS, load
from reducer.responses import Responses
from tests.helpers import load_sample, sample_names
from tests.mutations import events_of

OPTIONS = Options(reducer.Limits(), frozenset(), frozenset())
MAX_EVENTS = 40  # of one stream; each test merges a stream once for each of its events


def merged(name: str, payloads: list[bytes]) -> Responses:
    """Return the responses after the event path has merged these payloads."""
    responses = Responses(OPTIONS, load(name))
    for payload in payloads:
        responses.merge_payload(payload, None)
    return responses


def outcome(responses: Responses) -> list[Any]:
    """Return the results so far."""
    return [response.result(final=False, end=0) for response in responses.all]


def find_additions(responses: Responses, payloads: list[bytes]) -> Any:
    """Return what the proposed batch would add for these payloads; ``None`` if there is no batch or it refuses."""
    response = responses.current
    dialect = response.dialect
    if response.state is None or dialect is None or dialect.propose_batch is None:
        return None
    batch = dialect.propose_batch(response.state, responses.last_event)
    try:
        events = [batch.decode(payload) for payload in payloads] if batch is not None else []
    except (ValueError, RecursionError):
        return None
    return batch.additions(response.state, events) if batch is not None else None


def check(name: str, before: list[bytes], payloads: list[bytes]) -> bool:
    """Compare both paths for payloads after others; return whether a batch accepts them."""
    responses = merged(name, before)
    untouched = outcome(responses)
    additions = find_additions(responses, payloads)
    assert outcome(responses) == untouched  # `additions` changes nothing
    if additions is None:
        return False
    for key, add, value in additions:
        assert not key or all(type(piece) is str for piece in value)
        add(value)
    expected = merged(name, [*before, *payloads])
    assert outcome(responses) == outcome(expected)
    # Later events give equal results, so the parts of the state that a result does not show are equal, too.
    for payload in (*payloads, *before[-2:]):
        responses.merge_payload(payload, None)
        expected.merge_payload(payload, None)
    assert outcome(responses) == outcome(expected)
    return True


def check_stream(name: str, payloads: list[bytes]) -> int:
    """Check each event of a stream after those before it, and once more as a repetition; count accepted batches."""
    count = 0
    for place in range(1, min(len(payloads), MAX_EVENTS)):
        before, last = payloads[:place], payloads[place - 1]
        count += check(name, before, payloads[place : place + 1])
        count += check(name, before, payloads[place : place + 3])
        count += check(name, before, [last, last])
    return count


def payloads_of(sample: str) -> list[bytes]:
    """Return the payloads of a sample as compact JSON."""
    events = events_of(load_sample(sample).data)
    return [
        DONE if event == "[DONE]" else json.dumps(event, separators=(",", ":")).encode() for event in events if event
    ]


STREAMS = [(load_sample(sample).expected[0]["dialect"], sample) for sample in sample_names()]


@pytest.mark.parametrize(("name", "sample"), [stream for stream in STREAMS if stream[0] in DIALECTS])
def test_samples(name: str, sample: str) -> None:
    """In every sample, a batch that accepts events adds what the event path merges."""
    check_stream(name, payloads_of(sample))


@pytest.mark.parametrize("name", sorted(DIALECTS))
def test_batches_accept_samples(name: str) -> None:
    """Batches accept events of a dialect's samples, if the dialect has batches at all."""
    samples = [sample for dialect, sample in STREAMS if dialect == name]
    has_batches = load(name).propose_batch is not None

    assert any(check_stream(name, payloads_of(sample)) for sample in samples) == has_batches


# -- events that do more than add text -----------------------------------------------------------


def chunk(delta: dict[str, Any], choice: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """Return a chunk of Chat."""
    whole_choice = {"index": 0, "delta": delta, "finish_reason": None, **(choice or {})}
    return {"id": "c", "created": 1, "model": "m", "choices": [whole_choice], **others}


def completion(choice: dict[str, Any] | None = None, **others: Any) -> dict[str, Any]:
    """Return a chunk of legacy completions."""
    whole_choice = {"index": 0, "text": "a", "finish_reason": None, **(choice or {})}
    return {"id": "c", "created": 1, "model": "m", "choices": [whole_choice], **others}


def gemini(
    part: dict[str, Any] | None = None, candidate: dict[str, Any] | None = None, **others: Any
) -> dict[str, Any]:
    """Return a chunk of Gemini."""
    content = {"parts": [{"text": "a", **(part or {})}], "role": "model"}
    candidates = [{"content": content, "index": 0, **(candidate or {})}]
    return {"candidates": candidates, "modelVersion": "m", "responseId": "r", **others}


DETAIL = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}
CHAT_ODD = {
    "unknown": chunk({"content": "a"}, odd=1),
    "unknown in choice": chunk({"content": "a"}, {"odd": 1}),
    "unknown in delta": chunk({"content": "a", "odd": 1}),
    "another id": chunk({"content": "a"}, id="d"),
    "another model": chunk({"content": "a"}, model="n"),
    "no choices": {"id": "c", "model": "m", "choices": []},
    "another choice": chunk({"content": "a"}, {"index": 1}),
    "empty": chunk({"content": ""}),
    "null": chunk({"content": None}),
    "number": chunk({"content": 7}),
    "role again": chunk({"role": "assistant", "content": "a"}),
    "first reasoning": chunk({"reasoning": "a"}),
    "first detail": chunk({"reasoning_details": [DETAIL]}),
    "detail without text": chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0}]}),
    "detail of another format": chunk({"reasoning_details": [{**DETAIL, "format": "other"}]}),
    "finish": chunk({}, {"finish_reason": "stop"}),
    "finish with text": chunk({"content": "a"}, {"finish_reason": "length"}),
    "call": chunk({"tool_calls": [{"index": 0, "id": "t", "function": {"name": "f", "arguments": "{"}}]}),
    "arguments without a call": chunk({"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}),
    "log-probabilities": chunk({"content": "a"}, {"logprobs": {"content": [{"token": "a", "logprob": -1.0}]}}),
    "usage": chunk({"content": "a"}, usage={"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}),
    "usage lost": chunk({"content": "a"}, usage={"completion_tokens": 0}),
    "error": chunk({"content": "a"}, error={"message": "busy"}),
}
COMPLETIONS_ODD = {
    "unknown": completion(odd=1),
    "unknown in choice": completion({"odd": 1}),
    "another id": completion(id="d"),
    "another model": completion(model="n"),
    "no choices": {"id": "c", "model": "m", "choices": []},
    "another choice": completion({"index": 1}),
    "empty": completion({"text": ""}),
    "null": completion({"text": None}),
    "tokens": completion({"token_ids": [1]}),
    "log-probabilities": completion({"logprobs": {"tokens": ["a"]}}),
    "null log-probabilities": completion({"logprobs": None}),
    "finish": completion({"finish_reason": "stop"}),
    "stop": completion({"stop_reason": 7}),
    "filtered": completion({"content_filter_results": {"hate": {"filtered": False}}}),
    "usage lost": completion(usage={"completion_tokens": 0}),
}
GEMINI_ODD = {
    "unknown": gemini(odd=1),
    "unknown in candidate": gemini(candidate={"odd": 1}),
    "unknown in content": gemini(candidate={"content": {"parts": [{"text": "a"}], "odd": 1}}),
    "another id": gemini(responseId="s"),
    "another model": gemini(modelVersion="n"),
    "no candidates": {"modelVersion": "m"},
    "another candidate": gemini(candidate={"index": 1}),
    "no content": gemini(candidate={"content": None}),
    "two parts": gemini(candidate={"content": {"parts": [{"text": "a"}] * 2}}),
    "empty": gemini({"text": ""}),
    "number": gemini({"text": 7}),
    "signed": gemini({"thoughtSignature": "s"}),
    "metadata": gemini({"videoMetadata": {}}),
    "thought": gemini({"thought": True}),
    "cited": gemini(candidate={"citationMetadata": {"citations": [{"uri": "u"}]}}),
    "finish": gemini(candidate={"finishReason": "STOP"}),
    "rated": gemini(candidate={"safetyRatings": [{"category": "C"}]}),
    "grounded": gemini(candidate={"groundingMetadata": {"a": 1}}),
}
# Dialect -> chunks that begin a text, and chunks that differ from them.
ODD: dict[str, tuple[list[dict[str, Any]], dict[str, dict[str, Any]]]] = {
    "openai.chat": (
        [chunk({"role": "assistant", "content": ""}), *[chunk({"content": "a"})] * 3],
        CHAT_ODD,
    ),
    "openai.completions": ([completion(usage={"completion_tokens": 3})] * 4, COMPLETIONS_ODD),
    "gemini.generate": ([gemini()] * 4, GEMINI_ODD),
}
CASES = [(name, case) for name, (_, cases) in ODD.items() for case in cases if name in DIALECTS]


@pytest.mark.parametrize(("name", "case"), CASES)
def test_misleading_event_after_texts(name: str, case: str) -> None:
    """If a batch accepts the misleading event, or texts after it, it adds exactly the values that the event path merges."""
    texts, cases = ODD[name]
    before = [json.dumps(text).encode() for text in texts]
    odd, text = json.dumps(cases[case]).encode(), before[-1]

    check(name, before, [odd])
    check(name, before, [text, odd, text])
    check(name, [*before, odd], [odd])
    check(name, [*before, odd], [text])
    check(name, [*before, odd, odd], [odd, odd])
    check(name, [*before, odd, odd, text], [text, text])
