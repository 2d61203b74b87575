"""What a dialect says that an event adds (`Dialect.texts`, for the lanes) is all that it adds, said again and again."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from reducer.dialects import load
from reducer.dialects._dialect import Dialect
from reducer.framing import DONE
from tests.test_narrow import CHAT, DETAIL, GEMINI, HEAD, NAMES, OPTIONS, chunk, payloads_of, piece, with_candidate


def handle(dialect: Dialect, state: Any, payload: bytes) -> Any:
    """Handle a payload as the engine does. Return the event, if the strict decoder takes it."""
    if payload == DONE:
        state.row.get("[DONE]", lambda *_: None)(state, None)
        return None
    try:
        event = dialect.decode(payload)
    except (ValueError, RecursionError):
        event = None
    handler = state.row.get(event.type) if event is not None else None
    if handler is None or handler(state, event) is not None:
        other = dialect.revive(json.loads(payload), state.report)
        state.row.get(other.type, lambda *_: None)(state, other)
    return event


def handled(dialect: Dialect, payloads: list[bytes]) -> tuple[Any, list[Any], Any]:
    """Return a state that has handled payloads, what was reported, and the last event."""
    problems: list[Any] = []
    state = dialect.state(OPTIONS, lambda *problem: problems.append(problem))
    event = None
    for payload in payloads:
        event = handle(dialect, state, payload)
    return state, problems, event


def check(name: str, payloads: list[bytes]) -> int:
    """Take each event twice more by its texts and once more as it is. Return how many have texts."""
    dialect = load(name)
    count = 0
    for place in range(1, len(payloads) + 1):
        state, problems, event = handled(dialect, payloads[:place])
        texts = dialect.texts(state, event) if event is not None else None
        if texts is None:
            continue
        count += 1
        last = payloads[place - 1]
        for _, text, sink in texts * 2:
            sink.add_utf8(text.encode())
        handle(dialect, state, last)
        whole, reported, _ = handled(dialect, [*payloads[:place], last, last, last])
        bodies = [json.dumps(dialect.build(one, lambda *_: None)) for one in (state, whole)]
        assert bodies[0] == bodies[1]
        assert problems == reported
    return count


@pytest.mark.parametrize("name", NAMES)
def test_samples(name: str) -> None:
    payloads = payloads_of(name)
    if any(not payload.startswith(b"{") for payload in payloads if payload != DONE):
        pytest.skip("not a stream of objects")
    check(name.partition("/")[0].replace("_", ".", 1), payloads[:40])


@pytest.mark.parametrize("name", CHAT)
def test_chat(name: str) -> None:
    check("openai.chat", HEAD + CHAT[name][:20])


@pytest.mark.parametrize("name", GEMINI)
def test_gemini(name: str) -> None:
    assert check("gemini.generate", [msgspec.json.encode(chunk) for chunk in GEMINI[name][:20]])


def choice(text: str | None = "a", index: int = 0, **others: Any) -> dict[str, Any]:
    return {"index": index, "text": text, "finish_reason": None, **others}


def completion(*choices: dict[str, Any], **others: Any) -> bytes:
    return msgspec.json.encode({"id": "c", "created": 1, "model": "m", "choices": choices, **others})


# Chunks that add more than their text, or none, behind some of text.
GEMINI_ODD: dict[str, dict[str, Any]] = {
    "unknown": {**piece(), "odd": 1},
    "unknown-in-candidate": with_candidate(piece(), odd=1),
    "unknown-in-content": with_candidate(piece(), content={"parts": [{"text": "a"}], "odd": 1}),
    "another-id": {**piece(), "responseId": "s"},
    "another-model": {**piece(), "modelVersion": "n"},
    "no-candidates": {"modelVersion": "m"},
    "another-candidate": piece(index=1),
    "no-content": with_candidate(piece(), content=None),
    "two-parts": with_candidate(piece(), content={"parts": [{"text": "a"}] * 2}),
    "empty": piece(""),
    "number": piece(7),
    "signed": piece(thoughtSignature="s"),
    "beside-text": piece(videoMetadata={}),
    "thought": piece(thought=True),
    "cited": with_candidate(piece(), citationMetadata={"citations": [{"uri": "u"}]}),
    "finish": with_candidate(piece(), finishReason="STOP"),
    "rated": with_candidate(piece(), safetyRatings=[{"category": "C"}]),
    "grounded": with_candidate(piece(), groundingMetadata={"a": 1}),
}
COMPLETIONS_ODD: dict[str, bytes] = {
    "unknown": completion(choice(), odd=1),
    "unknown-in-choice": completion(choice(odd=1)),
    "another-id": completion(choice(), id="d"),
    "another-model": completion(choice(), model="n"),
    "no-choices": completion(),
    "another-choice": completion(choice(index=1)),
    "empty": completion(choice("")),
    "no-text": completion(choice(None)),
    "tokens": completion(choice(token_ids=[1])),
    "logprobs": completion(choice(logprobs={"tokens": ["a"]})),
    "no-logprobs": completion(choice(logprobs=None)),
    "finish": completion(choice(finish_reason="stop")),
    "stop": completion(choice(stop_reason=7)),
    "filtered": completion(choice(content_filter_results={"hate": {"filtered": False}})),
    "usage-lost": completion(choice(), usage={"completion_tokens": 0}),
}
ODD = {f"gemini.generate/{name}": msgspec.json.encode(chunk) for name, chunk in GEMINI_ODD.items()}
ODD |= {f"openai.completions/{name}": payload for name, payload in COMPLETIONS_ODD.items()}


@pytest.mark.parametrize("name", ODD)
def test_odd(name: str) -> None:
    """A chunk that does more than to add its text is none for the lanes, at least at its first time."""
    dialect = load(name.partition("/")[0])
    text = msgspec.json.encode(piece())
    if dialect.name == "openai.completions":
        text = completion(choice(), usage={"completion_tokens": 3})
    state, _, event = handled(dialect, [text] * 4)

    assert dialect.texts(state, event) is not None
    assert dialect.texts(state, dialect.revive(json.loads(ODD[name]), state.report)) is None
    check(dialect.name, [*[text] * 4, *[ODD[name]] * 3, *[text] * 2])


# What came before an event, and the event.
MORE_THAN_TEXTS: dict[str, tuple[list[bytes], bytes]] = {
    "a detail that has no text yet": (
        [chunk({"reasoning_details": [{"type": "reasoning.text", "index": 0}]})],
        chunk({"reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]}),
    ),
    "a detail of another format": (
        [chunk({"reasoning_details": [DETAIL]})],
        chunk({"reasoning_details": [{**DETAIL, "format": "other"}]}),
    ),
    "another finish reason": (
        [chunk({"content": "a"}, choice={"finish_reason": "length"})],
        chunk({"content": "a"}, choice={"finish_reason": "stop"}),
    ),
    "a text that has not begun": ([], chunk({"reasoning": "a"})),
    "another model": ([chunk({"content": "a"})], chunk({"content": "a"}, model="n")),
}


@pytest.mark.parametrize("name", MORE_THAN_TEXTS)
def test_events_that_do_more(name: str) -> None:
    """They would change more than their texts, so they have none."""
    before, last = MORE_THAN_TEXTS[name]
    dialect = load("openai.chat")
    state, _, _ = handled(dialect, [*HEAD, *before])

    assert dialect.texts(state, dialect.decode(last)) is None
