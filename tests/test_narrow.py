"""A state's `narrow` decoder only saves time: with it and without it the same events give the same body."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

import reducer
from reducer.dialects import DIALECTS, load
from reducer.dialects._dialect import SPLIT, Options
from reducer.framing import DONE
from tests.helpers import SAMPLES, sample_names
from tests.mutations import events_of

OPTIONS = Options(reducer.Limits(), frozenset(), frozenset())
NAMES = [name for name in sample_names() if name.partition("/")[0].replace("_", ".", 1) in DIALECTS]


def run(name: str, payloads: list[bytes], *, narrowly: bool) -> tuple[Any, list[Any], int]:
    """Handle payloads as the engine does. Return the body, what was reported, and how often the narrow way was gone."""
    dialect = load(name)
    problems: list[Any] = []
    gone = 0

    def report(*problem: Any) -> None:
        problems.append(problem)

    state = dialect.state(OPTIONS, report)
    for payload in payloads:
        event = None
        if payload == DONE:
            state.row.get("[DONE]", lambda *_: None)(state, None)
            continue
        for decode in (state.narrow if narrowly else None, dialect.decode):
            try:
                event = decode(payload) if decode is not None else None
            except (ValueError, RecursionError):
                continue
            if event is not None:
                gone += decode is not dialect.decode
                break
        handler = state.row.get(event.type) if event is not None else None
        if handler is not None and handler(state, event) is None:
            continue
        event = dialect.revive(json.loads(payload), report)
        handler = state.row.get(event.type)
        if handler is not None and handler(state, event) is SPLIT:
            break
    return dialect.build(state, report), problems, gone


def payloads_of(name: str) -> list[bytes]:
    events = events_of((SAMPLES / name).read_bytes())
    return [DONE if event == "[DONE]" else json.dumps(event).encode() for event in events if event]


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_nothing(name: str) -> None:
    dialect = name.partition("/")[0].replace("_", ".", 1)
    payloads = payloads_of(name)
    if any(not payload.startswith(b"{") for payload in payloads if payload != DONE):
        pytest.skip("not a stream of objects")
    body, problems, _ = run(dialect, payloads, narrowly=False)
    assert run(dialect, payloads, narrowly=True)[:2] == (body, problems)
    # Said again, everything goes on where it ended: also what only the end of a stream has.
    body, problems, _ = run(dialect, payloads * 2, narrowly=False)
    assert run(dialect, payloads * 2, narrowly=True)[:2] == (body, problems)


def chunk(delta: dict[str, Any], **others: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **others.pop("choice", {})}
    return msgspec.json.encode({"id": "c", "created": 1, "model": "m", "choices": [choice], **others})


def call(index: int, arguments: str, **others: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **others}]}


HEAD = [chunk({"role": "assistant", "content": ""})]
DETAIL = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}
CHAT: dict[str, list[bytes]] = {
    "text": [chunk({"content": f"{n} "}) for n in range(600)],
    "text, with what each chunk has": [
        chunk({"role": "assistant", "content": str(n)}, system_fingerprint="f", service_tier="t", provider="p")
        for n in range(6)
    ],
    "reasoning": [chunk({"content": "", "reasoning": str(n), "reasoning_details": [DETAIL]}) for n in range(6)],
    "reasoning, the role in each chunk": [chunk({"role": "assistant", "reasoning": str(n)}) for n in range(6)],
    "reasoning_content": [chunk({"content": None, "reasoning_content": str(n)}) for n in range(600)],
    "reasoning, then text": [chunk({"reasoning": "a"})] * 4 + [chunk({"content": "b"})] * 4,
    "arguments": [chunk(call(0, "{", id="a", type="function")), *[chunk(call(0, "1, "))] * 600],
    "calls by turns": [
        *[chunk(call(n, "", id=str(n), type="function")) for n in range(4)],
        *[chunk(call(n % 4, str(n))) for n in range(40)],
    ],
    "a call that was never opened": [chunk(call(0, "1", id="a"))] * 3 + [chunk(call(7, "2"))] * 3,
    "another id": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, id="d")] * 4],
    "another model": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, model="n")] * 4],
    "another choice": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, choice={"index": 1})] * 4],
    "a null for logprobs": [
        *[chunk({"content": "a"})] * 4,
        *[chunk({"content": "b"}, choice={"logprobs": None})] * 4,
    ],
    "parts": [*[chunk({"content": "a"})] * 4, *[chunk({"content": [{"type": "text", "text": "b"}]})] * 2]
    + [chunk({"content": "c"})] * 3,
    "after the end": [*[chunk({"content": "a"})] * 4, DONE, *[chunk({"content": "b"})] * 4],
}


@pytest.mark.parametrize("name", CHAT)
def test_chat(name: str) -> None:
    payloads = HEAD + CHAT[name]
    body, problems, none = run("openai.chat", payloads, narrowly=False)
    assert none == 0
    other, noted, gone = run("openai.chat", payloads, narrowly=True)
    assert (other, noted) == (body, problems)
    assert gone > 0


def test_an_index_used_again_beyond_the_limit_is_refused() -> None:
    limited = Options(reducer.Limits(max_calls=1), frozenset(), frozenset())
    head = chunk(call(0, "", id="a", type="function"))
    again = chunk({"tool_calls": [{"index": 0, "id": "b", "type": "function", "function": {"name": "x"}}]})
    dialect = load("openai.chat")
    state = dialect.state(limited, lambda *_: None)
    for payload in [*HEAD, head, *[chunk(call(0, "1"))] * 3]:
        event = dialect.decode(payload)
        state.row[event.type](state, event)
    for narrow in (state.narrow, None):
        state.narrow = narrow
        with pytest.raises(Exception, match="calls"):
            state.row["chunk"](state, dialect.decode(again))
        state.row["chunk"](state, dialect.decode(chunk(call(0, "2"))))
    [one] = dialect.build(state, lambda *_: None)["choices"][0]["message"]["tool_calls"]

    assert one["function"]["arguments"] == "11122"


def test_filter_results_that_are_too_deep_cost_their_event() -> None:
    deep = b"[" * 300 + b"]" * 300
    events = [chunk({"content": "a"}, choice={"content_filter_results": msgspec.Raw(r)}) for r in (b"{}", deep, b"{}")]
    result = reducer.reduce(b"".join(b"data: %b\n\n" % event for event in events))
    assert [(problem.code, problem.event) for problem in result.problems] == [("limit_depth", 1), ("no_terminal", None)]
    body: Any = result.to_dict()
    assert body["choices"][0]["message"]["content"] == "aa"
