"""`Reducer` in every dialect: `close` and `strict`, payloads, limits, internal errors, several responses, saved states."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from reducer import resume, saving
from reducer.dialects import anthropic_messages
from reducer.dialects.registry import load


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def chunk(content: str, finish: str = "null", beside: str = "") -> str:
    """Return a Chat chunk with one choice. ``beside`` are further keys of the chunk; it begins with a comma."""
    one = f'{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish}}}'
    return f'{{"id":"c1","object":"chat.completion.chunk","choices":[{one}]{beside}}}'


STOP = '"stop"'


def content(result: reducer.Result[Any]) -> Any:
    return result.to_dict()["choices"][0]["message"]["content"]


def codes(result: reducer.Result[Any]) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.event) for problem in result.problems]


# -- before and after close ----------------------------------------------------------------------


def test_methods_before_and_after_close() -> None:
    """`results` needs `close`, and `save` is not possible after it. A snapshot after `close` is the result."""
    one = reducer.Reducer()
    one.feed(sse(chunk("Hi", STOP)))
    with pytest.raises(reducer.UsageError, match="after close"):
        _ = one.results
    result = one.close()

    assert one.close() is one.snapshot() is one.results[0] is result
    with pytest.raises(reducer.ClosedError, match="save after close"):
        one.save()


@pytest.mark.parametrize("as_events", [False, True])
def test_strict_raises_the_first_problem_once(as_events: bool) -> None:
    """The `feed` that processes the event raises the first problem.

    If the caller continues, later problems do not raise.
    """
    one = reducer.Reducer(strict=True)
    large = b": %b\n\n" % (b"x" * 40_000)  # a read that is not buffered
    feed = one.feed_event if as_events else lambda payload: one.feed(sse(payload) + large)
    feed(chunk("a"))
    with pytest.raises(reducer.ProblemError, match="not_json at event 1"):
        feed("oops")
    feed("again")
    feed(chunk("b", STOP))
    result = one.close()

    assert content(result) == "ab"
    assert codes(result) == [("not_json", 1), ("not_json", 2)]


def test_strict_raises_problems_of_the_end_at_close() -> None:
    """The first `close` raises; a second `close` returns the result."""
    one = reducer.Reducer(strict=True)
    one.feed(sse(chunk("a")))
    with pytest.raises(reducer.ProblemError, match="no_terminal"):
        one.close()

    assert content(one.close()) == "a"


# -- payloads ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [bytearray(chunk("Hi", STOP).encode()), memoryview(chunk("Hi", STOP).encode())],
    ids=lambda payload: type(payload).__name__,
)
def test_forms_of_a_payload(payload: Any) -> None:
    """`feed_event` accepts every bytes-like object."""
    one = reducer.Reducer()
    one.feed_event(payload)

    assert content(one.close()) == "Hi"


def test_half_a_surrogate_pair_in_a_dict() -> None:
    """The other half comes with the next dict."""
    one = reducer.Reducer()
    for half in ("\ud83d", "\ude00"):
        one.feed_event({"id": "c1", "choices": [{"index": 0, "delta": {"content": half}, "finish_reason": "stop"}]})

    assert content(one.close()) == "\U0001f600"


def test_invalid_payload() -> None:
    """A payload of an unknown type is a mistake of the caller, so it raises."""
    with pytest.raises(reducer.UsageError, match="not a payload: object"):
        reducer.Reducer().feed_event(object())


@pytest.mark.filterwarnings("error")
def test_chunks_of_an_sdk() -> None:
    """Fields that the stream did not have are not in the body; values that the SDK does not declare or allow are."""
    types = pytest.importorskip("openai.types.chat", reason="openai is not installed")
    payloads = [chunk("Hi"), chunk("", '"eos"').replace('"id"', '"zone":{"a":[1]},"id"')]
    result = reducer.reduce(types.ChatCompletionChunk.construct(**json.loads(payload)) for payload in payloads)

    assert result.to_dict() == reducer.reduce(payloads).to_dict()
    assert result.problems == ()


@pytest.mark.parametrize("printed", ["b'oops", "b'\\xZZ'", "b'' + b''"])
def test_broken_printed_bytes(printed: str) -> None:
    """S20: a payload that only begins like Python's printed bytes is not JSON, and causes no internal error."""
    result = reducer.reduce(sse(chunk("a"), printed, chunk("b", STOP)))

    assert content(result) == "ab"
    assert codes(result) == [("not_json", 1)]


def test_brackets_that_do_not_nest() -> None:
    """A text, or a flat list, may have more brackets than the limit allows levels."""
    braces = "{" * 600
    flat = f',"vendor":[{",".join(["[]"] * 600)}]'
    result = reducer.reduce(sse(chunk("a"), chunk(braces), chunk("b", STOP, flat)))

    assert content(result) == f"a{braces}b"
    assert result.problems == ()


def test_depth_of_payloads_that_msgspec_refuses() -> None:
    """S22: the tolerant decoder has the same limit of depth."""
    flat = f',"vendor":[NaN,{",".join(["[]"] * 600)}]'
    deep = f',"vendor":[NaN,{"[" * 600}{"]" * 600}]'
    result = reducer.reduce(sse(chunk("a"), chunk("b", beside=flat), chunk("c", beside=deep), chunk("d", STOP)))

    assert content(result) == "abd"
    assert result.status == "truncated"
    assert codes(result) == [("not_finite", 1), ("limit_depth", 2)]


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_events", [False, True])
def test_no_more_is_retained_than_the_limit(as_events: bool) -> None:
    """Events beyond the limit are counted; their texts and problems are dropped."""
    one = reducer.Reducer(limits=reducer.Limits(max_retained_bytes=2000))
    payloads = [chunk("x" * 100) for _ in range(40)] + ["oops"] * 3 + [chunk("", STOP)]
    for payload in payloads:
        if as_events:
            one.feed_event(payload)
        else:
            one.feed(sse(payload))
    one.feed(b"data: {")
    result = one.close()
    (limit, reached), (torn, last), (end, _) = codes(result)

    assert result.status == "truncated"
    assert [limit, torn, end] == ["limit_retained_bytes", "torn_tail", "no_terminal"]
    assert reached is not None
    assert 10 < reached < 20
    assert content(result) == "x" * 100 * reached
    assert last == len(payloads)


@pytest.mark.parametrize("ident", ["c1", "c2"])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("choices", [1, 2])
def test_chunk_with_too_many_calls_is_dropped(ident: str, before: int, choices: int) -> None:
    """Nothing of the chunk is merged: no other key, and no other choice."""
    calls = ",".join(f'{{"index":{n},"id":"t{n}","function":{{"name":"f","arguments":"x"}}}}' for n in range(129))
    deltas = ['{"content":"no"}', f'{{"content":"no","tool_calls":[{calls}]}}'][-choices:]
    many = ",".join(f'{{"index":{n},"delta":{delta},"finish_reason":"length"}}' for n, delta in enumerate(deltas))
    bad = f'{{"id":"{ident}","model":"no","service_tier":"no","choices":[{many}]}}'
    fine = chunk("a", beside=',"created":1')
    result = reducer.reduce(sse(*[fine] * before, bad, fine, chunk("b", STOP)))

    assert result.to_dict() == reducer.reduce(sse(*[fine] * before, fine, chunk("b", STOP))).to_dict()
    assert codes(result) == [("limit_new_slots", before)]
    assert result.status == "truncated"


def test_kinds_of_unknown_events_are_bounded() -> None:
    """Unknown events are counted by type, for at most 256 types."""
    kinds = [f'{{"type":"odd.{number}"}}' for number in range(300)]
    result = reducer.reduce(sse(chunk("a"), *kinds, kinds[0], chunk("b", STOP)))
    unknown = [problem for problem in result.problems if problem.code == "unknown_event"]

    assert content(result) == "ab"
    assert [problem.seen["count"] for problem in unknown] == [2] + [1] * 255


# -- internal errors -----------------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_event_whose_handler_fails_is_dropped(first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first event of a stream is treated like a later one."""
    handlers: Any = load("openai.chat").handlers["OPEN"]
    handler = handlers["chunk"]
    monkeypatch.setitem(handlers, "chunk", lambda state, event: 1 / 0 if event.get("usage") else handler(state, event))
    bad = chunk("bad", beside=',"usage":{"total_tokens":1}')
    stream = sse(*[chunk("a")] * (not first), bad, chunk("b"), chunk("c", STOP))
    result = reducer.reduce(stream, fast=False)
    (problem,) = result.problems

    assert content(result) == ("bc" if first else "abc")
    assert (problem.code, problem.event) == ("internal_error", int(not first))
    assert problem.seen["error"].startswith("ZeroDivisionError")


@pytest.mark.parametrize("stage", ["propose_batch", "additions"])
def test_batch_that_fails_loses_nothing(
    stage: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The event path merges the events instead, and the logger reports the error."""

    def fail(*arguments: Any) -> Any:
        raise ZeroDivisionError

    dialect = load("anthropic.messages")
    batch = anthropic_messages.fast.BATCH._replace(additions=fail)
    propose = fail if stage == "propose_batch" else lambda state, event: batch
    monkeypatch.setattr("reducer.reducer.load", lambda name: dialect._replace(propose_batch=propose))
    delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'
    start = '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}'
    block = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    texts = [str(number) for number in range(40)]
    result = reducer.reduce(sse(start, block, *(delta % text for text in texts)), "anthropic.messages")
    body: Any = result.to_dict()

    assert codes(result) == [("no_terminal", None)]
    assert body["content"][0]["text"] == "".join(texts)
    assert [record.getMessage() for record in caplog.records] == ["internal error in a batch: ZeroDivisionError"]


def test_body_that_cannot_be_built_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """`close` does not raise."""
    failing = load("openai.chat")._replace(build=lambda state, report: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr("reducer.reducer.load", lambda name: failing)
    result = reducer.reduce(sse(chunk("a", STOP)), "openai.chat")

    assert codes(result)[0] == ("internal_error", None)
    assert result.status == "empty"


# -- several responses ---------------------------------------------------------------------------


def test_half_a_surrogate_pair_in_the_event_that_begins_a_response() -> None:
    """S21: the half is replaced in the body of the new response, for a new id and for a new stream id."""
    calls = r'[{"index":0,"id":"t","function":{"name":"f","arguments":{"a":"\ud83d"}}}]'
    begins = f'{{"id":"c2","choices":[{{"index":0,"delta":{{"role":"assistant","tool_calls":{calls}}}}}]}}'
    captures = [
        [chunk("a", STOP, ',"id":"c1"'), "[DONE]", begins, "[DONE]"],
        [f'{{"stream_id":"s{place}",{event[1:]}' for place, event in enumerate([chunk("a"), begins])],
    ]
    for capture in captures:
        _, second = reducer.reduce_all(sse(*capture))

        assert "\ufffd" in second.json().decode()


def test_another_response_under_the_same_stream_id() -> None:
    """Later events of that stream id belong to the new response. Other stream ids keep their responses."""

    def event(stream: str, ident: str, text: str, role: str = "") -> str:
        return (
            f'{{"stream_id":"{stream}","id":"{ident}","object":"chat.completion.chunk","choices":'
            f'[{{"index":0,"delta":{{{role}"content":"{text}"}},"finish_reason":"stop"}}]}}'
        )

    role = '"role":"assistant",'
    events = [event("s1", "c1", "a", role), event("s2", "c2", "b", role), event("s1", "c3", "c", role)]
    results = reducer.reduce_all(sse(*events, event("s2", "c2", "d"), event("s1", "c3", "e")))

    assert [(result.to_dict()["id"], content(result)) for result in results] == [
        ("c1", "a"),
        ("c2", "bd"),
        ("c3", "ce"),
    ]


# -- saved states --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "text", "problems"),
    [
        (sse(chunk("b"))[:-2], "abc", []),  # only the blank line is missing
        (sse(chunk("b"))[:-9], "ac", [("torn_tail", 1)]),
        (b": a comment", "ac", []),
    ],
    ids=["whole", "cut", "comment"],
)
def test_resume_after_an_unfinished_event(left: bytes, text: str, problems: list[Any]) -> None:
    """S4: an event that lacks only its blank line counts. An incomplete event is reported."""
    one = reducer.Reducer()
    one.feed(sse(chunk("a")) + left)
    other = reducer.Reducer.resume(one.save())
    other.feed(sse(chunk("c", STOP)))
    result = other.close()

    assert content(result) == text
    assert codes(result) == problems


@pytest.mark.parametrize(
    "cut", [b'data: {"choices":[{"delta":{"content":"', b'{"id":"c1","choices":[{"index":0,"delta":{"content":"']
)
@pytest.mark.parametrize("begin", [b"data:", b"event: chunk\ndata:", b"id: 1\ndata:", b"\xef\xbb\xbfretry: 9\ndata:"])
@pytest.mark.parametrize("look", ["snapshot", "save", None])
def test_a_new_connection_is_recognised_however_it_is_split(cut: bytes, begin: bytes, look: str | None) -> None:
    """The first reads after `resume` may be too short to tell; looking at the result changes nothing."""
    one = reducer.Reducer()
    one.feed(sse(chunk("a")) + cut)
    other = reducer.Reducer.resume(one.save())
    for byte in begin + sse(chunk("c", STOP)).removeprefix(b"data:"):
        other.feed(bytes([byte]))
        if look == "save":
            other = reducer.Reducer.resume(other.save())
        elif look:
            other.snapshot()
    result = other.close()

    assert content(result) == "ac"
    assert codes(result) == [("torn_tail", 1)]


@pytest.mark.parametrize("rest", [b"da", b"i", b"data: of", b"event: x", b"x" * 300])
def test_what_looks_like_a_new_connection_and_is_not(rest: bytes) -> None:
    """The first bytes after `resume` continue the cut event unless they begin a field."""
    whole = sse(chunk("a")) + sse(chunk(rest.decode(), STOP))
    at = whole.rindex(rest)
    one = reducer.Reducer()
    one.feed(whole[:at])
    other = reducer.Reducer.resume(one.save())
    other.feed(rest)
    if rest == b"da":
        last = reducer.Reducer.resume(other.save()).close()
        assert (content(last), codes(last)) == ("a", [("torn_tail", 1), ("no_terminal", None)])
    other.feed(whole[at + len(rest) :])
    result = other.close()

    assert (content(result), codes(result)) == ("a" + rest.decode(), [])


@pytest.mark.parametrize("state", [None, 7, "state", [], b"stream-reducer state 3 " + b"7" * 4301 + b"\n", b"\n"])
def test_what_is_no_state(state: Any) -> None:
    """Anything but the bytes of `save` is a `StateError`."""
    with pytest.raises(reducer.StateError):
        reducer.Reducer.resume(state)


def test_resume_with_other_limits() -> None:
    """The limits of the other process may be smaller."""
    one = reducer.Reducer()
    one.feed(sse(chunk("a")))
    other = reducer.Reducer.resume(memoryview(one.save()), limits=reducer.Limits(max_event_bytes=200))
    other.feed(sse(chunk("b" * 200)))
    assert [problem.code for problem in other.close().problems] == ["limit_event_bytes", "no_terminal"]
    with pytest.raises(reducer.UsageError):
        reducer.Reducer.resume(one.save(), limits={"max_event_bytes": 1})  # type: ignore[arg-type]


def test_a_state_with_an_unknown_setting() -> None:
    """The state of another version is refused."""
    saved = resume.load_state(reducer.Reducer().save())
    saved.repairs = ["unknown"]
    with pytest.raises(reducer.StateError, match=r"a damaged state: unknown repair unknown"):
        reducer.Reducer.resume(saving.dump(saved, resume._STRUCTS))


def test_payloads_that_cannot_be_json_are_misuse() -> None:
    """Also beside half a surrogate pair; a buffer with gaps is read as its bytes."""
    with pytest.raises(reducer.UsageError, match="not a payload"):
        reducer.Reducer().feed_event({"a": "\ud800", "b": object()})
    reducer.Reducer().feed_event({"a": "\ud800"})
    data = b"".join(bytes((byte, 0)) for byte in b'data: {"choices":[]}\n\n')
    assert reducer.reduce(memoryview(data)[::2]) == reducer.reduce(data[::2])
