"""The engine: what every host relies on, whichever dialect it is. Limits, problems, strictness, several responses."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from reducer.dialects import anthropic_messages, load


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def chunk(content: str, finish: str = "null", beside: str = "") -> str:
    """A chat chunk; what is beside its one choice begins with a comma."""
    one = f'{{"index":0,"delta":{{"content":"{content}"}},"finish_reason":{finish}}}'
    return f'{{"id":"c1","object":"chat.completion.chunk","choices":[{one}]{beside}}}'


STOP = '"stop"'


def content(result: reducer.Result[Any]) -> Any:
    return result.to_dict()["choices"][0]["message"]["content"]


def codes(result: reducer.Result[Any]) -> list[tuple[str, int | None]]:
    return [(problem.code, problem.event) for problem in result.problems]


# -- before and after close ----------------------------------------------------------------------


def test_what_is_there_after_close_only_and_before_it_only() -> None:
    """Results come with `close`; a snapshot is the result then, and there is nothing to save."""
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
    """The host may go on all the same, and hears of no other problem before the result."""
    one = reducer.Reducer(strict=True)
    feed = one.feed_event if as_events else lambda payload: one.feed(sse(payload))
    feed(chunk("a"))
    with pytest.raises(reducer.ProblemError, match="not_json at event 1"):
        feed("oops")
    feed("again")
    feed(chunk("b", STOP))
    result = one.close()

    assert content(result) == "ab"
    assert codes(result) == [("not_json", 1), ("not_json", 2)]


def test_strict_raises_at_close_what_only_the_end_tells() -> None:
    """Once: whoever wants the result all the same asks again."""
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
    """Beside bytes, str and dicts."""
    one = reducer.Reducer()
    one.feed_event(payload)

    assert content(one.close()) == "Hi"


def test_half_a_surrogate_pair_in_a_dict() -> None:
    """The other half comes with the next."""
    one = reducer.Reducer()
    for half in ("\ud83d", "\ude00"):
        one.feed_event({"id": "c1", "choices": [{"index": 0, "delta": {"content": half}, "finish_reason": "stop"}]})

    assert content(one.close()) == "\U0001f600"


def test_what_is_no_payload() -> None:
    """It is the host's mistake, and not the wire's."""
    with pytest.raises(reducer.UsageError, match="no payload: object"):
        reducer.Reducer().feed_event(object())


@pytest.mark.filterwarnings("error")
def test_the_chunks_of_an_sdk() -> None:
    """What the wire did not say is not written, what the SDK does not know or allow is."""
    types = pytest.importorskip("openai.types.chat", reason="openai is not installed")
    payloads = [chunk("Hi"), chunk("", '"eos"').replace('"id"', '"zone":{"a":[1]},"id"')]
    result = reducer.reduce(types.ChatCompletionChunk.construct(**json.loads(payload)) for payload in payloads)

    assert result.to_dict() == reducer.reduce(payloads).to_dict()
    assert result.problems == ()


@pytest.mark.parametrize("printed", ["b'oops", "b'\\xZZ'", "b'' + b''"])
def test_what_looks_like_printed_bytes(printed: str) -> None:
    """S20: it is not JSON, and no error of ours, where it does not read as Python's bytes."""
    result = reducer.reduce(sse(chunk("a"), printed, chunk("b", STOP)))

    assert content(result) == "ab"
    assert codes(result) == [("not_json", 1)]


def test_brackets_in_texts_are_no_depth() -> None:
    """A text may have more of them than a payload may nest; and so may a payload that nests less."""
    braces = "{" * 600
    flat = f',"vendor":[{",".join(["[]"] * 600)}]'
    result = reducer.reduce(sse(chunk("a"), chunk(braces), chunk("b", STOP, flat)))

    assert content(result) == f"a{braces}b"
    assert result.problems == ()


def test_brackets_beside_what_msgspec_does_not_read() -> None:
    """S22: the other decoder is asked only where the depth allows it, and it does."""
    flat = f',"vendor":[NaN,{",".join(["[]"] * 600)}]'
    deep = f',"vendor":[NaN,{"[" * 600}{"]" * 600}]'
    result = reducer.reduce(sse(chunk("a"), chunk("b", beside=flat), chunk("c", beside=deep), chunk("d", STOP)))

    assert content(result) == "abd"
    assert result.status == "truncated"
    assert codes(result) == [("not_finite", 1), ("limit_depth", 2)]


# -- limits --------------------------------------------------------------------------------------


@pytest.mark.parametrize("as_events", [False, True])
def test_no_more_is_retained_than_the_limit(as_events: bool) -> None:
    """What comes behind is counted, and nothing of it kept: neither its text nor its problems."""
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
def test_nothing_is_taken_of_a_chunk_of_too_many_calls(ident: str, before: int, choices: int) -> None:
    """Neither what stands beside the calls, nor another choice of the chunk."""
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
    """They are counted by kind, and there may be a kind for each event."""
    kinds = [f'{{"type":"odd.{number}"}}' for number in range(300)]
    result = reducer.reduce(sse(chunk("a"), *kinds, kinds[0], chunk("b", STOP)))
    unknown = [problem for problem in result.problems if problem.code == "unknown_event"]

    assert content(result) == "ab"
    assert [problem.seen["count"] for problem in unknown] == [2] + [1] * 255


# -- what fails all the same ---------------------------------------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_a_handler_that_fails_costs_its_event(first: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whether the event is the first, or one like those before."""
    row: Any = load("openai.chat").handlers["FIRST" if first else "OPEN"]
    handler = row["chunk"]
    monkeypatch.setitem(row, "chunk", lambda state, event: 1 / 0 if event.usage else handler(state, event))
    bad = chunk("bad", beside=',"usage":{"total_tokens":1}')
    result = reducer.reduce(sse(*[chunk("a")] * (not first), bad, chunk("b"), chunk("c", STOP)))
    (problem,) = result.problems

    assert content(result) == ("bc" if first else "abc")
    assert (problem.code, problem.event) == ("internal_error", int(not first))
    assert problem.seen["error"].startswith("ZeroDivisionError")


@pytest.mark.parametrize("together", [False, True])
def test_a_narrow_event_that_fails_is_reported(together: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """Several at once are taken one by one then, so that only the one that fails is lost."""

    def take(state: Any, event: Any) -> bool:
        return bool(1 / 0) if event.delta.text == "bad" else narrow.take(state, event)

    def take_all(state: Any, events: list[Any]) -> bool:
        return together and any(1 / 0 for event in events if event.delta.text == "bad")

    narrow = anthropic_messages.TEXTS
    monkeypatch.setattr(anthropic_messages, "TEXTS", narrow._replace(take=take, take_all=take_all))
    delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"%s"}}'
    texts = ["bad" if place == 3 else str(place) for place in range(40)]
    start = '{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}'
    block = '{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}'
    result = reducer.reduce(sse(start, block, *(delta % text for text in ["a", *texts])), lanes=False)
    body: Any = result.to_dict()

    assert [(p.code, p.event) for p in result.problems] == [("internal_error", 6), ("no_terminal", None)]
    assert body["content"][0]["text"] == "a" + "".join(text for text in texts if text != "bad")


def test_a_body_that_fails_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is raised at the end either."""
    failing = load("openai.chat")._replace(build=lambda state, report: 1 / 0)  # type: ignore[arg-type,return-value]
    monkeypatch.setattr("reducer.engine.load", lambda name: failing)
    result = reducer.reduce(sse(chunk("a", STOP)), "openai.chat")

    assert codes(result)[0] == ("internal_error", None)
    assert result.status == "empty"


# -- several responses ---------------------------------------------------------------------------


def test_half_a_surrogate_pair_in_the_event_that_begins_a_response() -> None:
    """S21: it is the body of that response which is mended, whether its id or its stream's tells it."""
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
    """Decision 12: events of that id go on with the newer one, and other ids keep theirs."""

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


# -- going on elsewhere --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("left", "text", "problems"),
    [
        (sse(chunk("b"))[:-2], "abc", []),  # whole but for its blank line
        (sse(chunk("b"))[:-9], "ac", [("torn_tail", 1)]),
        (b": a comment", "ac", []),
    ],
    ids=["whole", "cut", "comment"],
)
def test_what_the_old_connection_left(left: bytes, text: str, problems: list[Any]) -> None:
    """S4: an event that wants only its blank line counts; one that will never be whole is reported."""
    one = reducer.Reducer()
    one.feed(sse(chunk("a")) + left)
    other = reducer.Reducer.resume(one.save())
    other.feed(sse(chunk("c", STOP)))
    result = other.close()

    assert content(result) == text
    assert codes(result) == problems


def test_a_saved_attribute_that_nobody_knows() -> None:
    """A state of another version is refused as a whole."""
    from reducer import engine, saving

    structs = engine._STRUCTS
    record = saving.load(reducer.Reducer().save(), structs)
    record["attributes"]["odd"] = 1
    with pytest.raises(reducer.StateError, match="a damaged state: 'odd'"):
        reducer.Reducer.resume(saving.dump(record, structs))


# -- openai.chat: what only its own tables show elsewhere ---------------------------------------


@pytest.mark.parametrize("first", [False, True])
def test_an_event_of_a_text_completion_among_chunks(first: bool) -> None:
    """C43: by name it is a chunk with a text; without the name it is another language's, and counted."""
    other = '{"id":"c1",%s"choices":[{"index":0,"text":"t","matched_stop":null}]}'
    named, nameless = other % '"object":"chat.completion.chunk",', other % ""
    if first:
        result = reducer.reduce(sse(named, chunk("b", STOP)))
        assert content(result) == "tb"
        assert result.problems == ()
    else:
        result = reducer.reduce(sse(chunk("a"), nameless, named, chunk("b", STOP)))
        assert content(result) == "atb"
        assert codes(result) == [("unknown_event", 1)]


def test_choices_that_are_no_list_of_objects() -> None:
    """One object is a list of one; of other entries none but null is worth a report."""
    one = '{"index":0,"delta":{"content":"b"}}'
    payloads = [
        chunk("a"),
        f'{{"id":"c1","choices":[null,7,{one}]}}',
        f'{{"id":"c1","choices":{one}}}',
        chunk("c", STOP),
    ]
    result = reducer.reduce(sse(*payloads), "openai.chat")

    assert content(result) == "abbc"
    assert [(problem.code, problem.event, problem.seen) for problem in result.problems] == [
        ("wrong_type", 1, {"choices": 7}),
        ("wrong_type", 2, {"choices": "object"}),
    ]
