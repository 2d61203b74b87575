"""A state's `narrow` decoder only saves time: with it and without it the same events give the same body."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any
from unittest.mock import patch

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


def run(name: str, payloads: list[bytes], *, narrowly: bool, many: int = 1) -> tuple[Any, list[Any], int]:
    """Handle payloads as the engine does, the narrow ones so many at once.

    Returns the body, what was reported, and how many events went the narrow way.
    """
    dialect = load(name)
    problems: list[Any] = []
    gone = 0

    def report(*problem: Any) -> None:
        problems.append(problem)

    state = dialect.state(OPTIONS, report)
    place = 0
    while place < len(payloads):
        payload = payloads[place]
        if payload == DONE:
            state.row.get("[DONE]", lambda *_: None)(state, None)
            place += 1
            continue
        taken = go_narrow(state, payloads[place : place + many]) if narrowly and state.narrow is not None else 0
        gone += taken
        place += taken
        if taken:
            continue
        state.narrow = None
        place += 1
        try:
            event = dialect.decode(payload)
        except (ValueError, RecursionError):
            event = None
        handler = state.row.get(event.type) if event is not None else None
        if handler is not None and handler(state, event) is None:
            continue
        event = dialect.revive(json.loads(payload), report)
        handler = state.row.get(event.type)
        if handler is not None and handler(state, event) is SPLIT:
            break
    return dialect.build(state, report), problems, gone


def go_narrow(state: Any, payloads: list[bytes]) -> int:
    """Take what the narrow way takes at once; return how many events that are."""
    events: list[Any] = []
    with suppress(ValueError, RecursionError):
        events.extend(map(state.narrow.decode, payloads))
    if len(payloads) > 1:
        return len(events) if events and state.narrow.take_all(state, events) else 0
    return int(bool(events) and state.narrow.take(state, events[0]))


def plain(body: Any) -> str:
    """A body as JSON, whatever of it is JSON already."""
    return json.dumps(body, default=msgspec.json.decode)


def same(name: str, payloads: list[bytes]) -> list[int]:
    """Check that the narrow way does not show; return how many events went it, one by one and many at once."""
    body, problems, none = run(name, payloads, narrowly=False)
    assert none == 0
    gone = []
    for many in (1, 3, 100):
        other, noted, some = run(name, payloads, narrowly=True, many=many)
        assert (plain(other), noted) == (plain(body), problems), many
        gone.append(some)
    same_whole(name, sse(payloads))
    return gone


def same_whole(name: str, data: bytes) -> tuple[int, bool]:
    """Check the same of the engine; return how many events it took at once, and whether only what varies of them."""
    many = 0
    varying = False
    run_many, around_varying = reducer.Reducer._run_many, reducer.Reducer._around_varying
    take_alike = reducer.Reducer._take_alike

    def counted(self: Any, state: Any, narrow: Any, payloads: list[bytes], place: int) -> int:
        nonlocal many
        after = run_many(self, state, narrow, payloads, place)
        many += after - place
        return after

    def noted(self: Any, *arguments: Any) -> Any:
        nonlocal varying
        around = around_varying(self, *arguments)
        varying = varying or around is not None
        return around

    def alike(self: Any, *arguments: Any) -> int:
        nonlocal many
        many -= self._number
        after: int = take_alike(self, *arguments)
        many += self._number
        return after

    with patch.multiple(reducer.Reducer, _run_many=counted, _around_varying=noted, _take_alike=alike):
        narrowly = reducer.reduce(data, name, lanes=False)
    with patch.object(reducer.Reducer, "_run_narrow", lambda self, state, narrow, payloads, place: place):
        widely = reducer.reduce(data, name, lanes=False)
    assert (plain(narrowly.to_dict()), narrowly.problems) == (plain(widely.to_dict()), widely.problems)
    assert narrowly.status == widely.status
    return many, varying


def sse(payloads: list[bytes]) -> bytes:
    return b"".join(b"data: %b\n\n" % payload for payload in payloads)


def payloads_of(name: str) -> list[bytes]:
    events = events_of((SAMPLES / name).read_bytes())
    return [DONE if event == "[DONE]" else json.dumps(event).encode() for event in events if event]


@pytest.mark.parametrize("name", NAMES)
def test_it_changes_nothing(name: str) -> None:
    dialect = name.partition("/")[0].replace("_", ".", 1)
    payloads = payloads_of(name)
    if any(not payload.startswith(b"{") for payload in payloads if payload != DONE):
        pytest.skip("not a stream of objects")
    same(dialect, payloads)
    # Said again, everything goes on where it ended: also what only the end of a stream has.
    same(dialect, payloads * 2)


def chunk(delta: dict[str, Any], **others: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **others.pop("choice", {})}
    return msgspec.json.encode({"id": "c", "created": 1, "model": "m", "choices": [choice], **others})


def call(index: int, arguments: str, **others: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **others}]}


HEAD = [chunk({"role": "assistant", "content": ""})]
DETAIL = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}


def logged(token: Any, **others: Any) -> dict[str, Any]:
    """A choice's logprobs."""
    candidate = {"token": token, "logprob": -0.5, "bytes": [97]}
    entry = {**candidate, "top_logprobs": [candidate, {**candidate, "logprob": 0, "bytes": None}]}
    return {"logprobs": {"content": [{**entry, **others.pop("entry", {})}], **others}}


LOGGED = [chunk({"content": str(n)}, choice=logged(str(n), refusal=None)) for n in range(40)]
CHAT: dict[str, list[bytes]] = {
    "logprobs": LOGGED,
    "logprobs without a word of refusals, then with one": [
        *[chunk({"content": "a"}, choice=logged("a"))] * 4,
        *[chunk({"content": "b"}, choice=logged("b", refusal=None))] * 4,
    ],
    "logprobs, then a null": [*LOGGED[:5], *[chunk({"content": "b"}, choice={"logprobs": None})] * 4, *LOGGED[5:8]],
    "logprobs, then none": [*LOGGED[:5], *[chunk({"content": "b"})] * 4, *LOGGED[5:8]],
    "logprobs, none of them": [*LOGGED[:5], *[chunk({"content": ""}, choice={"logprobs": {"content": []}})] * 4],
    "logprobs of refusals": [*LOGGED[:5], *[chunk({"content": ""}, choice=logged("", refusal=[]))] * 4],
    "logprobs with a key more": [*LOGGED[:5], chunk({"content": "x"}, choice=logged("x", entry={"rank": 1})), *LOGGED],
    "logprobs with a key less": [
        *LOGGED[:5],
        chunk({"content": "x"}, choice={"logprobs": {"content": [{"token": "x", "logprob": 0}]}}),
        *LOGGED[:5],
    ],
    "logprobs of two choices": [
        chunk({"content": str(n)}, choice={"index": n % 2, **logged(str(n))}) for n in range(40)
    ],
    "logprobs with numbers beyond all": [
        *LOGGED[:5],
        chunk({"content": "x"}, choice=logged("x", entry={"bytes": [2**70]})),
        chunk({"content": "x"}, choice=logged("x", entry={"logprob": -(2**70)})),
        chunk({"content": "x"}, choice=logged("x", entry={"logprob": -1e300})),
        *LOGGED[:5],
    ],
    "choices by turns": [chunk({"content": str(n)}, choice={"index": n % 3}) for n in range(60)],
    "choices by turns, a role in one": [
        chunk({"content": str(n), **({"role": "assistant"} if n == 50 else {})}, choice={"index": n % 3})
        for n in range(60)
    ],
    "calls of choices by turns": [
        *[chunk(call(n % 2, "", id=str(n), type="function"), choice={"index": n // 2}) for n in range(4)],
        *[chunk(call(n % 2, str(n)), choice={"index": n % 4 // 2}) for n in range(60)],
    ],
    "a call touched that is not the newest of its index": [
        chunk(call(0, "", id="a", type="function")),
        chunk(call(0, "", id="b", type="function")),
        chunk(call(0, "1", id="a")),
        *[chunk(call(0, "2"))] * 40,
    ],
    "brackets in a name": [chunk({"content": str(n)}, model="a[0]") for n in range(40)],
    "a bracket behind": [chunk({"content": str(n)}, obfuscation="]") for n in range(40)],
    "text": [chunk({"content": f"{n} "}) for n in range(600)],
    "text, with what each chunk has": [
        chunk({"role": "assistant", "content": str(n)}, system_fingerprint="f", service_tier="t", provider="p")
        for n in range(6)
    ],
    "reasoning": [chunk({"content": "", "reasoning": str(n), "reasoning_details": [DETAIL]}) for n in range(6)],
    "reasoning, the role in each chunk": [chunk({"role": "assistant", "reasoning": str(n)}) for n in range(6)],
    "reasoning, with what each chunk has": [
        chunk({"reasoning": str(n)}, system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        for n in range(6)
    ],
    "reasoning, then an empty content": [
        chunk({"reasoning": str(n), **({"content": ""} if n > 3 else {})}, choice={"index": 1}) for n in range(6)
    ],
    "reasoning of another model": [chunk({"reasoning": str(n)}, model="m" if n < 3 else "n") for n in range(6)],
    "reasoning of another choice": [chunk({"reasoning": str(n)}, choice={"index": n // 3}) for n in range(6)],
    "details whose text comes late": [
        chunk({"reasoning_details": [{**DETAIL, "text": None}]}),
        *[chunk({"reasoning": "a", "reasoning_details": [DETAIL]})] * 3,
    ],
    "reasoning_content": [chunk({"content": None, "reasoning_content": str(n)}) for n in range(600)],
    "reasoning, then text": [chunk({"reasoning": "a"})] * 4 + [chunk({"content": "b"})] * 4,
    "arguments": [chunk(call(0, "{", id="a", type="function")), *[chunk(call(0, "1, "))] * 600],
    "arguments, with what each chunk has": [
        chunk(call(0, str(n), id="a"), system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        if n < 2
        else chunk(call(0, str(n)), system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        for n in range(8)
    ],
    "arguments of another model": [
        chunk(call(0, "", id="a")),
        *(chunk(call(0, str(n)), model="m" if n < 3 else "n") for n in range(6)),
    ],
    "arguments of another choice": [
        chunk(call(0, "", id="a")),
        *(chunk(call(0, str(n)), choice={"index": n // 3}) for n in range(6)),
    ],
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
    assert same("openai.chat", HEAD + CHAT[name])[0] > 0
    same("openai.chat", HEAD + [payload for payload in CHAT[name] for _ in range(20)])


def padded(delta: dict[str, Any], count: int, **others: Any) -> list[bytes]:
    """Chunks that differ behind their choices."""
    return [chunk(delta, obfuscation=str(n), **others) for n in range(count)]


def opened(index: int, ident: str) -> list[bytes]:
    """A call whose arguments are known to come in pieces."""
    return [chunk(call(index, "", id=ident, type="function")), *[chunk(call(index, str(n))) for n in range(3)]]


MANY: dict[str, tuple[list[bytes], bool]] = {
    "text": ([*HEAD, *CHAT["text"]], True),
    "text, padded": ([*HEAD, *padded({"content": "a"}, 60)], False),
    "logprobs": ([*HEAD, *LOGGED], True),
    "logprobs, padded": ([*HEAD, *padded({"content": "a"}, 60, choice=logged("a"))], False),
    "reasoning": ([*HEAD, *CHAT["reasoning_content"]], True),
    "arguments": ([*HEAD, *opened(0, "a"), *[chunk(call(0, "1"))] * 60], True),
    "a role amid reasoning": (
        [
            *[chunk({"reasoning": "a"})] * 60,
            chunk({"reasoning": "a", "role": "tool"}),
            *[chunk({"reasoning": "b"})] * 30,
        ],
        True,
    ),
    "a role amid text": (
        [*[chunk({"content": "a"})] * 60, chunk({"content": "a", "role": "tool"}), *[chunk({"content": "b"})] * 30],
        True,
    ),
    "a call touched that is not the newest of its index": (
        [*opened(0, "a"), *opened(0, "b"), chunk(call(0, "x", id="a")), *[chunk(call(0, "y"))] * 60],
        True,
    ),
    "pieces without an index go to the call touched last": (
        [
            *opened(0, "a"),
            *opened(1, "b"),
            *[chunk(call(1, "y"))] * 40,
            *[chunk(call(0, "z"))] * 3,
            *[chunk({"tool_calls": [{"function": {"arguments": "-"}}]})] * 30,
        ],
        True,
    ),
    "another provider": (
        [*HEAD, *padded({"content": "a"}, 60, provider="p"), *padded({"content": "b"}, 60, provider="q")],
        False,
    ),
    "logprobs that are no plain JSON before": (
        [*HEAD, chunk({"content": "a"}, choice={**logged("a"), "odd": 1}), *LOGGED, *LOGGED],
        True,
    ),
    "keys of logprobs in another order": (
        [
            *HEAD,
            *[
                chunk({"content": "a"}, choice={"logprobs": {"content": [{"bytes": None, "token": "a", "logprob": 0}]}})
                for _ in range(60)
            ],
        ],
        False,
    ),
    "two models": ([*HEAD, *[chunk({"content": "a"}, model=model) for model in "mn" for _ in range(60)]], True),
}
_NONE_AT_ONCE = {"keys of logprobs in another order", "a call touched that is not the newest of its index"}


@pytest.mark.parametrize("name", MANY)
def test_many_at_once(name: str) -> None:
    payloads, varying = MANY[name]
    many, by_what_varies = same_whole("openai.chat", sse(payloads))
    assert bool(many) == (name not in _NONE_AT_ONCE)
    assert by_what_varies == varying


def test_what_is_no_deeper_than_the_limit_says() -> None:
    """A limit below what narrow events may have turns them off."""
    token = {"token": "a", "logprob": 0, "bytes": [1]}
    deep = chunk({"content": "a"}, choice={"logprobs": {"content": [{**token, "top_logprobs": [token]}]}})
    for depth in range(1, 14):
        result = reducer.reduce(sse([*HEAD, *LOGGED, deep]), limits=reducer.Limits(max_depth=depth), lanes=False)
        said = [(problem.code, problem.event) for problem in result.problems if problem.code == "limit_depth"]
        assert ("limit_depth", len(HEAD + LOGGED)) in said if depth < 9 else said == []


def test_a_state_saved_after_many_at_once() -> None:
    """What of a replay was handled before is told by the number of the last event."""
    start = b'{"type":"response.created","sequence_number":0,"response":{"id":"r","object":"response","output":[]}}'
    payloads = [start, item("a", 0, "message"), *[delta(sequence_number=n) for n in range(2, 80)]]
    stream = reducer.Reducer()
    stream.feed(sse(payloads))
    resumed = reducer.Reducer.resume(stream.save())
    resumed.feed(sse([*payloads[-5:], delta(sequence_number=80)]))

    assert resumed.close().to_dict()["output"][0]["content"][0]["text"] == "x " * 79  # type: ignore[index]


def test_a_number_that_is_none_is_not_saved() -> None:
    stream = reducer.Reducer()
    stream.feed(sse([chunk({"content": "a"}, sequence_number="x")]))
    assert reducer.Reducer.resume(stream.save()).snapshot() == stream.snapshot()


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


def test_filter_results_of_another_type() -> None:
    """A null says nothing; what is no object is left out, and reported where it is new."""
    filters = [b"null", b"7", b"7", b'{"hate":1}', b"null"]
    events = [chunk({"content": "a"}, choice={"content_filter_results": msgspec.Raw(one)}) for one in filters]
    result = reducer.reduce(b"".join(b"data: %b\n\n" % event for event in events))
    body: Any = result.to_dict()

    assert [(problem.code, problem.event) for problem in result.problems] == [("wrong_type", 1), ("no_terminal", None)]
    assert body["choices"][0]["content_filter_results"] == {"hate": 1}
    assert body["choices"][0]["message"]["content"] == "aaaaa"


def test_a_message_that_is_null_beside_a_delta() -> None:
    """C16: it is none."""
    events = [chunk({"content": "a"}), chunk({}, choice={"message": None, "finish_reason": "stop"})]
    result = reducer.reduce(b"".join(b"data: %b\n\n" % event for event in events))
    body: Any = result.to_dict()

    assert body["choices"][0]["message"] == {"role": "assistant", "content": "a"}
    assert result.problems == ()


# -- Anthropic -------------------------------------------------------------------------------------


def test_anthropic() -> None:
    """Pieces of a text, more than are gathered at once, and of a block that is not there."""
    start = b'{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}'
    block = b'{"type":"content_block_start","index":%d,"content_block":{"type":"%b","text":""}}'
    delta = b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":"%d "}}'
    payloads = [start, block % (0, b"text"), *(delta % (0, n) for n in range(600)), delta % (1, 7), delta % (0, 8)]
    body, _, _ = run("anthropic.messages", payloads, narrowly=True)

    assert body["content"][0]["text"] == "".join(f"{n} " for n in range(600)) + "8 "
    assert min(same("anthropic.messages", payloads)) >= 500


# -- Responses -------------------------------------------------------------------------------------


def delta(kind: str = "output_text", item: str = "a", output: int = 0, **others: Any) -> bytes:
    event = {"type": f"response.{kind}.delta", "item_id": item, "output_index": output, "delta": "x "}
    return msgspec.json.encode({**event, **({} if "reasoning" in kind else {"content_index": 0}), **others})


def item(ident: str, output: int, kind: str) -> bytes:
    return msgspec.json.encode(
        {"type": "response.output_item.added", "output_index": output, "item": {"id": ident, "type": kind}}
    )


SUMMARY = "reasoning_summary_text"
RESPONSES: dict[str, list[bytes]] = {
    "text": [delta(sequence_number=n) for n in range(600)],
    "parts of one item": [delta(content_index=n // 9) for n in range(18)],
    "parts by turns": [*[delta()] * 4, *(delta(content_index=n % 2) for n in range(18))],
    "two items": [*[delta()] * 9, *[delta(item="b", output=1)] * 9],
    "another number for one item": [*[delta()] * 9, *[delta(output=1)] * 9],
    "a summary": [*[delta(SUMMARY, "r", 2, summary_index=0)] * 9, *[delta(SUMMARY, "r", 2, summary_index=1)] * 9],
    "a summary, then a text": [*[delta(SUMMARY, "r", 2, summary_index=0)] * 9, *[delta()] * 9],
    "a refusal": [*[delta()] * 9, *[delta("refusal")] * 9],
    "after the text is done": [
        *[delta()] * 9,
        b'{"type":"response.output_text.done","item_id":"a","output_index":0,"content_index":0,"text":"%b"}'
        % (b"x " * 9),
        *[delta()] * 9,
    ],
    "after the end": [
        *[delta()] * 9,
        b'{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}',
        *[delta()] * 9,
    ],
}


@pytest.mark.parametrize("name", RESPONSES)
def test_responses(name: str) -> None:
    start = b'{"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","output":[]}}'
    opening = [start, item("a", 0, "message"), item("b", 1, "message"), item("r", 2, "reasoning")]
    assert same("openai.responses", opening + RESPONSES[name])[0] > 0
    same("openai.responses", opening + [payload for payload in RESPONSES[name] for _ in range(20)])


# -- Gemini ----------------------------------------------------------------------------------------


def piece(text: Any = "a", usage: Any = None, index: Any = 0, **part: Any) -> dict[str, Any]:
    content = {"parts": [{"text": text, **part}], "role": "model"}
    chunk = {"candidates": [{"content": content, "index": index}], "modelVersion": "m", "responseId": "r"}
    return chunk if usage is None else {**chunk, "usageMetadata": usage}


def usage(count: int, *keys: str) -> dict[str, Any]:
    details = [{"tokenCount": 4, "modality": "TEXT"}]
    said = {"promptTokenCount": 4, "candidatesTokenCount": count, "promptTokensDetails": details}
    return said | dict.fromkeys(keys, count)


def with_candidate(chunk: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**chunk, "candidates": [{**chunk["candidates"][0], **others}]}


TOTAL, THOUGHTS = "totalTokenCount", "thoughtsTokenCount"
GEMINI: dict[str, list[dict[str, Any]]] = {
    "text": [piece(str(n), usage(n, TOTAL)) for n in range(600)],
    "thoughts, then text": [
        *(piece(str(n), usage(n, THOUGHTS), thought=True) for n in range(5)),
        *(piece(str(n), usage(n, TOTAL)) for n in range(5)),
    ],
    "thoughts that are none": [*[piece()] * 3, *[piece(thought=False)] * 2, *[piece(thought=None)] * 2],
    "keys that come and go": [
        *(piece(usage=usage(n)) for n in range(4)),
        *(piece(usage=usage(n, TOTAL, THOUGHTS)) for n in range(4)),
        *(piece(usage=usage(n, THOUGHTS)) for n in range(4)),
        *(piece(usage={"totalTokenCount": 7, "candidatesTokenCount": 8}) for n in range(4)),
    ],
    "keys in another order": [piece(usage={THOUGHTS: n, TOTAL: n}) for n in range(4)]
    + [piece(usage={TOTAL: n, THOUGHTS: n}) for n in range(4)],
    "a key that nobody knows": [piece(usage=usage(n, "newTokenCount")) for n in range(4)] + [piece()] * 4,
    "values of other types": [
        *(piece(usage=usage(n)) for n in range(4)),
        *(piece(usage={**usage(9), "candidatesTokenCount": value}) for value in (None, "7", 7.0, 7.5, 2**70)),
        *(piece(usage=usage(n)) for n in range(4)),
        piece(usage={**usage(9), "promptTokensDetails": None}),
    ],
    "details that change": [
        *(piece(usage={**usage(n), "promptTokensDetails": [{"tokenCount": n // 2}]}) for n in range(9)),
        *(piece(usage={**usage(n), "promptTokensDetails": {"tokenCount": n}}) for n in range(2)),
    ],
    "details of another kind": [
        *(piece(usage=usage(n)) for n in range(3)),
        *(piece(usage={**usage(n), "promptTokensDetails": {"tokenCount": 1}}) for n in range(40)),
    ],
    "thoughts that end by a word": [*[piece(thought=True)] * 5, *[piece(thought=False)] * 5],
    "usage in some": [piece(str(n), usage(n) if n % 2 else None) for n in range(9)],
    "usage alone": [*(piece(usage=usage(n)) for n in range(4)), {"usageMetadata": {TOTAL: 9}}, piece(usage=usage(7))],
    "usage of Vertex": [{**piece(usage={"trafficType": "ON_DEMAND"}), "createTime": f"t{n}"} for n in range(6)],
    "candidates by turns": [piece(str(n), usage(n), n % 2) for n in range(9)],
    "an index that comes late": [*[piece(index=None)] * 5, *[piece()] * 5, *[piece(index=None)] * 2],
    "an index below 0": [*[piece()] * 4, *[piece(index=-1)] * 4],
    "another id": [*[piece()] * 4, *[{**piece("b"), "responseId": "s"}] * 4],
    "another model": [*[piece()] * 4, *[{**piece("b"), "modelVersion": "n"}] * 4],
    "signatures": [
        *[piece()] * 4,
        piece("", thoughtSignature="s"),
        *[piece("b")] * 4,
        piece("c", thoughtSignature="t"),
    ],
    "a call between": [
        *[piece()] * 4,
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}], "responseId": "r"},
        *[piece("b")] * 4,
    ],
    "no role": [with_candidate(piece(), content={"parts": [{"text": "a"}]})] * 4 + [piece()] * 4,
    "no content": [*[piece()] * 4, with_candidate(piece(), content=None), piece()],
    "no part": [*[piece()] * 4, with_candidate(piece(), content={"parts": []}), piece()],
    "two parts": [*[piece()] * 4, with_candidate(piece(), content={"parts": [{"text": "a"}] * 2}), piece()],
    "two candidates": [*[piece()] * 4, {"candidates": [{"index": 0}, {"index": 1}]}, piece()],
    "rated": [*[piece()] * 4, *[with_candidate(piece(), safetyRatings=[{"category": "C"}])] * 4],
    "a blocked prompt": [*[piece()] * 4, {**piece(), "promptFeedback": {"blockReason": "OTHER"}}, piece()],
    "after the end": [*[piece()] * 4, with_candidate(piece(), finishReason="STOP"), *[piece("b")] * 4],
}


@pytest.mark.parametrize("name", GEMINI)
def test_gemini(name: str) -> None:
    payloads = [msgspec.json.encode(chunk) for chunk in GEMINI[name]]
    assert bool(same("gemini.generate", payloads)[0]) == (name not in ("candidates by turns", "usage in some"))
    same("gemini.generate", [payload for payload in payloads for _ in range(20)])


COUNTS = b'"promptTokenCount": 4,"candidatesTokenCount": %d'
ENDS = b',"promptTokensDetails": [{"modality": "TEXT","tokenCount": 4}]},"modelVersion": "m","responseId": "r"}'
CANDIDATE = b'{"content": {"parts": [{"text": "%b"}],"role": "model"},"index": 0}'


def google(text: bytes = b"a", count: int = 1, candidate: bytes = CANDIDATE, ends: bytes = ENDS) -> bytes:
    """A chunk of text as Google writes it."""
    return b'{"candidates": [%b],"usageMetadata": {%b%b' % (candidate % text, COUNTS % count, ends)


MODEL_N = ENDS.replace(b'"m"', b'"n"')
FINISHED = CANDIDATE.replace(b"},", b'},"finishReason": "STOP",')
NOT_CLOSED = google().replace(b'"a"}', b'"a"')
# What may stand among such chunks.
ODD: dict[str, list[bytes]] = {
    "nothing": [],
    "the last chunk": [google(candidate=FINISHED)],
    "another model": [google(b"b", 2, ends=MODEL_N)] * 3,
    "other details": [google(b"b", 2, ends=ENDS.replace(b"TEXT", b"AUDIO"))] * 60,
    "no details": [google(b"b", 2, ends=ENDS[ENDS.index(b"}]}") + 2 :])] * 3,
    "no counts": [b'{"candidates": [%b],"usageMetadata": {%b' % (CANDIDATE % b"b", ENDS[1:])] * 3,
    "no usage": [b'{"candidates": [%b]%b' % (CANDIDATE % b"b", ENDS[ENDS.index(b"}]}") + 3 :])] * 3,
    "details twice": [google(ends=ENDS[: ENDS.index(b"}]") + 2] + ENDS)],
    "a model before": [b'{"modelVersion": "n",' + google()[1:]],
    "a thought": [google(candidate=CANDIDATE.replace(b'"}', b'","thought": true}', 1))] * 3,
    "a thought that is none": [google(candidate=CANDIDATE.replace(b'"}', b'","thought": false}', 1))] * 3,
    "two parts": [google(candidate=CANDIDATE.replace(b"[{", b'[{"text": "b"},{'))],
    "two candidates": [google(candidate=CANDIDATE + b"," + CANDIDATE.replace(b"%b", b"b"))],
    "another candidate": [google(candidate=CANDIDATE.replace(b"0}", b"1}"))] * 3,
    "a key of the candidate": [google(candidate=CANDIDATE.replace(b"0}", b'0,"tokenCount": 1}'))],
    "escapes": [
        google(rb"\"\\u00e9\\\\"),
        google(rb'}}\\",\\n{\\"promptTokensDetails\\": '),
        google("\u2028é".encode()),
    ],
    # Parts of two chunks that would be whole if they were read as one.
    "two chunks in one event": [google() + b"," + google()],
    "a chunk in two events": [google()[:60], google()[60:]],
    "a chunk that does not end, and two in one": [NOT_CLOSED, google() + b"," + google()],
    "a text that does not end, and two in one": [
        google(b"b", candidate=CANDIDATE.replace(b'b"}', b"b")),
        google() + b"," + google(),
    ],
    "candidates that do not end": [google(candidate=CANDIDATE[:-1]), google(candidate=CANDIDATE + b"}")],
    "a comma too many": [google(ends=b"," + ENDS), google(ends=b"}" + ENDS)],
    "a count that is none": [google().replace(b"4,", b"04,"), google().replace(b"4,", b'"4",'), google(count=2**70)],
    "no JSON": [b"{", b"[DONE]", b"null", b"7"],
}


@pytest.mark.parametrize("name", ODD)
@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_gemini_many_at_once(name: str, line_end: bytes) -> None:
    """All of a chunk but its end, which the one before it had; in one window, and over several."""
    for before, behind in ((36, 40), (40, 40), (40, 2), (400, 400), (700, 0)):
        payloads = [google(b"%d " % n, n) for n in range(before)]
        payloads += ODD[name] + [google(b"%d " % n, n) for n in range(behind)]
        payloads.append(google(b"", 9, candidate=FINISHED))
        data = b"".join(b"data: %b%b" % (payload, 2 * line_end) for payload in payloads)
        many, by_what_varies = same_whole("gemini.generate", data)
        assert by_what_varies
        assert many >= before * 3 // 4  # those that come first


BARE = b'{"candidates": [%b],"responseId": "r"}' % (CANDIDATE % b"a")
DETAILS = ENDS[: ENDS.index(b"}]") + 2]
BEHIND = ENDS[ENDS.index(b"}]}") + 3 :]


def in_order(*usage: bytes, beside: bytes = b"") -> bytes:
    """A chunk whose usage has these members, in this order."""
    candidate = (CANDIDATE % b"a").replace(b"0}", b"0%b}" % beside)
    return b'{"candidates": [%b],"usageMetadata": {%b}%b' % (candidate, b",".join(usage), BEHIND)


def counts(count: int) -> bytes:
    return COUNTS % count


# Of a key that comes twice the last counts: what a chunk ends with says more than the one before it, then.
TWICE: dict[str, list[bytes]] = {
    "a count": [google(b"%d " % n, n, ends=DETAILS + b',"candidatesTokenCount": 7}' + BEHIND) for n in range(60)],
    "candidates": [
        google(b"%d " % n, n, ends=DETAILS + b'},"candidates": [%b]%b' % (CANDIDATE % b"b", BEHIND)) for n in range(60)
    ],
    "a usage, its details by another name": [
        google(
            b"a", n, ends=DETAILS + b'},"usageMetadata": {%b,"promptTokensDetail\\u0073": []}%b' % (counts(7), BEHIND)
        )
        for n in range(60)
    ],
    "null, and then in another order": [
        google().replace(b'"candidatesTokenCount": 1', b'"candidatesTokenCount": null,"thoughtsTokenCount": null'),
        *[in_order(b'"promptTokenCount": 4,"thoughtsTokenCount": 2,"candidatesTokenCount": 3', DETAILS[1:])] * 40,
    ],
}


def test_gemini_ends_that_are_known_from_chunks_of_another_order() -> None:
    """What ends chunks whose counts follow the details says nothing of chunks whose counts come before them."""
    late = b'"candidatesTokenCount": 7'
    for between in range(10, 34):
        payloads = [in_order(b'"promptTokenCount": 4', DETAILS[1:], late)] * 60
        payloads.append(in_order(counts(5), DETAILS[1:], beside=b',"tokenCount": 1'))
        payloads += [in_order(b'"promptTokenCount": 4', DETAILS[1:], late)] * between
        payloads += [in_order(counts(n), DETAILS[1:], late) for n in range(60)]
        same_whole("gemini.generate", sse(payloads))


def test_gemini_thoughts_that_end_by_a_word() -> None:
    """Of one shape with those before, and no thoughts."""
    thought, none = (CANDIDATE.replace(b'"}', b'","thought": %b}' % word, 1) for word in (b"true", b"false"))
    payloads = [google(candidate=thought)] * 60 + [google(candidate=none)] * 60 + [google(candidate=thought)] * 300
    assert same_whole("gemini.generate", sse(payloads))[1]


def test_what_goes_by_events_is_not_cut_together() -> None:
    """Repairs, limits and a narrow way that has no such cut."""
    payloads = [google(b"%d " % n, n) for n in range(700)]
    late = [in_order(b'"candidatesTokenCount": %d,"totalTokenCount": 3' % n) for n in range(700)]
    data = sse([*payloads, google(candidate=CANDIDATE.replace(b"0}", b'0,"tokenCount": 1}')), *late])
    texts = []
    for options in ({}, {"repairs": ["duplicate_chunks"]}, {"limits": reducer.Limits(max_retained_bytes=1 << 16)}):
        body: Any = reducer.reduce(data, lanes=False, **options).to_dict()
        texts.append(body["candidates"][0]["content"]["parts"][0]["text"])
    assert texts[0] == texts[1] == texts[2] == "".join(f"{n} " for n in range(700)) + "a" * 701
    same_whole("gemini.generate", data)


@pytest.mark.parametrize("name", TWICE)
def test_gemini_keys_that_come_twice(name: str) -> None:
    payloads = [*[BARE] * 3, *TWICE[name]]
    for repeat in (1, 9):
        same_whole("gemini.generate", sse([*payloads, *TWICE[name] * repeat]))


@pytest.mark.parametrize("depth", range(246, 256))
def test_details_that_are_too_deep_cost_their_event(depth: int) -> None:
    """As deep as the limit, and deeper, they are to the narrow decoder what they are to the other."""
    deep = {**usage(4), "promptTokensDetails": msgspec.Raw(b"[" * depth + b"]" * depth)}
    chunks = [*[piece(usage=usage(3))] * 4, piece("b", usage=deep), piece("c", usage=usage(5))]
    # What the narrow decoder does not know: a key of the candidate.
    wide = [with_candidate(chunk, tokenCount=1) for chunk in chunks]
    bodies = []
    for stream in (chunks, wide):
        result = reducer.reduce(b"".join(b"data: %b\n\n" % msgspec.json.encode(chunk) for chunk in stream))
        body: Any = result.to_dict()
        bodies.append((body["candidates"][0]["content"], body["usageMetadata"], [p.code for p in result.problems]))

    assert bodies[0] == bodies[1]


def test_not_more_usages_than_some_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reducer.dialects.gemini_generate._narrow", {})
    monkeypatch.setattr("reducer.dialects.gemini_generate._MAX_NARROW", 1)
    keys = [THOUGHTS] * 4 + [TOTAL] * 4 + [THOUGHTS] * 4
    payloads = [msgspec.json.encode(piece(str(n), usage(n, key))) for n, key in enumerate(keys)]
    body, problems, _ = run("gemini.generate", payloads, narrowly=False)
    other, noted, gone = run("gemini.generate", payloads, narrowly=True)
    assert (json.dumps(other), noted, gone) == (json.dumps(body), problems, 5)


def test_saved_with_a_usage_that_is_kept() -> None:
    stream = reducer.Reducer()
    for n in range(8):
        stream.feed(b"data: %b\n\n" % msgspec.json.encode(piece(str(n), usage(n))))
    resumed = reducer.Reducer.resume(stream.save())

    assert resumed.snapshot().json() == stream.snapshot().json()
    assert stream.close().to_dict()["usageMetadata"] == usage(7)  # type: ignore[index]
