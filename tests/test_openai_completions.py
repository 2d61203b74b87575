"""`openai.completions`: quirks of legacy text completions, and the rules that the dialect shares with Chat."""

from __future__ import annotations

import json
from typing import Any

import pytest

import reducer
from tests.helpers import SAMPLES, feed_bytewise, feed_random, feed_whole

DONE = "[DONE]"
LONG = "All work and no play makes a dull text"


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def chunk(*choices: str, **more: Any) -> str:
    """Return a chunk of one completion. A value of ``None`` leaves the key out."""
    head = {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", **more}
    head = {key: value for key, value in head.items() if value is not None}
    return f"""{json.dumps(head)[:-1]}{"," if head else ""}"choices":[{",".join(choices)}]}}"""


def reduced(*payloads: str, **options: Any) -> reducer.Result:
    """Reduce a stream whole, bytewise, in random reads and without batches; all results must be equal."""
    data = sse(*payloads)
    whole = feed_whole(data, **options)
    assert whole == feed_whole(data, fast=False, **options)
    assert whole == feed_bytewise(data, **options)
    for seed in range(3):
        assert whole == feed_random(data, seed, **options)
    [result] = whole
    return result


def codes(result: reducer.Result) -> list[str]:
    return [problem.code for problem in result.problems]


def body(*choices: dict, **more: Any) -> dict:
    return {"id": "cmpl-1", "object": "text_completion", "created": 1, "model": "m", "choices": list(choices), **more}


def choice(text: str, finish: str | None = "stop", index: int = 0, **more: Any) -> dict:
    return {"index": index, "text": text, "finish_reason": finish, **more}


A = '{"index":0,"text":"a","finish_reason":null}'
STOP = '{"index":0,"text":"","finish_reason":"stop"}'

# Each row: its id, the payloads, the body, the status, the codes of the problems.
ROWS = [
    ("text-is-joined", [chunk(A), chunk('{"index":0,"text":"b"}'), chunk(STOP), DONE], body(choice("ab")), "complete", []),
    ("text-null-is-empty", [chunk('{"index":0,"text":null}'), chunk(A), chunk(STOP)], body(choice("a")), "complete", []),
    ("text-that-never-came-is-empty", [chunk('{"index":0,"finish_reason":"stop"}')], body(choice("")), "complete", []),
    (
        "C12-C13-choices-by-index",
        [chunk('{"index":1,"text":"x"}'), chunk('{"text":"a"}', '{"index":1,"text":"y","finish_reason":"stop"}'), chunk('{"index":-1,"text":"b","finish_reason":"length"}')],
        body(choice("ab", "length"), choice("xy", index=1)),
        "complete",
        [],
    ),
    ("truncated", [chunk(A)], body(choice("a", None)), "truncated", ["no_terminal"]),
    ("one-of-two-finished", [chunk(A, '{"index":1,"text":"b","finish_reason":"stop"}')], body(choice("a", None), choice("b", index=1)), "truncated", ["no_terminal"]),
    ("C23-done-without-finish", [chunk(A), DONE], body(choice("a", None)), "complete", ["no_finish_reason"]),
    ("C19-empty-finish-reason", [chunk('{"index":0,"text":"a","finish_reason":""}'), chunk(STOP)], body(choice("a")), "complete", []),
    ("C24-finish-reasons-stay-verbatim", [chunk('{"index":0,"text":"a","finish_reason":"eos_token"}')], body(choice("a", "eos_token")), "complete", []),
    (
        "finish-reason-the-last",
        [chunk('{"index":0,"text":"a","finish_reason":"length"}'), chunk(STOP), chunk(STOP)],
        body(choice("a")),
        "complete",
        ["finish_reason_differs"],
    ),
    ("chunks-after-done-are-merged", [chunk(A), chunk(STOP), DONE, chunk('{"index":0,"text":"b"}')], body(choice("ab")), "complete", []),
    ("C14-id-first", [chunk(A, id="chatcmpl-keepalive"), chunk(A, id=""), chunk(A), chunk(A, id="x"), chunk(STOP, id="y")], body(choice("aaaa")), "complete", ["id_differs"]),
    ("C14-id-that-stays-empty", [chunk(A, id=""), chunk(STOP, id="")], body(choice("a"), id=""), "complete", []),
    ("C15-model-last", [chunk(A, model="router"), chunk(A), chunk(STOP, model="")], body(choice("aa")), "complete", ["model_differs"]),
    ("C17-created-first-non-zero", [chunk(A, created=0), chunk(A, created=3.0), chunk(STOP, created=4)], body(choice("aa"), created=3), "complete", []),
    ("C16-object-is-fixed", [chunk(A, object="text_completion.chunk"), chunk(STOP, object="")], body(choice("a")), "complete", []),
    ("C43-no-object", [chunk(A, object=None), chunk(STOP, object=None)], body(choice("a")), "complete", []),
    (
        "C25-usage-is-not-erased",
        [chunk(A), chunk(STOP, usage={"total_tokens": 3}), '{"object":"text_completion","choices":null,"usage":null}', chunk(usage={})],
        body(choice("a"), usage={"total_tokens": 3}),
        "complete",
        [],
    ),
    ("C26-usage-the-last", [chunk(A, usage={"total_tokens": 1}), chunk(STOP, usage={"total_tokens": 2})], body(choice("a"), usage={"total_tokens": 2}), "complete", []),
    (
        "C31-last-non-empty",
        [chunk(A, system_fingerprint="1", service_tier="auto", provider="p"), chunk(STOP, system_fingerprint="", service_tier="default", metadata={"a": 1}), chunk(metadata={"b": 1})],
        body(choice("a"), system_fingerprint="1", service_tier="default", provider="p", metadata={"b": 1}),
        "complete",
        [],
    ),
    ("C34-padding-is-dropped", [chunk(A, obfuscation="x", p="y", sequence_number=1), chunk(STOP)], body(choice("a")), "complete", []),
    (
        "C43-logprobs-lists-add-up",
        [
            chunk('{"index":0,"text":"a","logprobs":null}'),
            chunk('{"index":0,"text":"b","logprobs":{"tokens":["b"],"token_logprobs":[-1],"top_logprobs":null,"text_offset":[5],"n":1}}'),
            chunk('{"index":0,"text":"c","logprobs":{"tokens":["c"],"token_logprobs":[null],"top_logprobs":null,"text_offset":[0],"n":2},"finish_reason":"stop"}'),
            chunk('{"index":0,"text":"","logprobs":null}'),
        ],
        body(choice("abc", logprobs={"tokens": ["b", "c"], "token_logprobs": [-1, None], "top_logprobs": None, "text_offset": [5, 0], "n": 2})),
        "complete",
        [],
    ),
    (
        "C43-a-null-list-becomes-a-list",
        [chunk('{"index":0,"text":"b","logprobs":{"tokens":null}}'), chunk('{"index":0,"text":"c","logprobs":{"tokens":["c"]},"finish_reason":"stop"}')],
        body(choice("bc", logprobs={"tokens": ["c"]})),
        "complete",
        [],
    ),
    ("logprobs-that-stay-null", [chunk('{"index":0,"text":"b","logprobs":null,"finish_reason":"stop"}')], body(choice("b", logprobs=None)), "complete", []),
    ("logprobs-as-a-number", [chunk('{"index":0,"text":"a","logprobs":-1.5}'), chunk('{"index":0,"logprobs":-2.5,"finish_reason":"stop"}')], body(choice("a", logprobs=-2.5)), "complete", []),
    (
        "vllm-extras",
        [
            chunk('{"index":0,"text":"a","prompt_token_ids":[1],"prompt_logprobs":[null],"token_ids":[2],"stop_reason":null}'),
            chunk('{"index":0,"text":"b","prompt_token_ids":null,"token_ids":[3,4],"stop_reason":"##","finish_reason":"stop"}', kv_transfer_params={"a": 1}),
        ],
        body(choice("ab", token_ids=[2, 3, 4], prompt_token_ids=[1], prompt_logprobs=[None], stop_reason="##"), kv_transfer_params={"a": 1}),
        "complete",
        [],
    ),
    ("sglang-extras", [chunk('{"index":0,"text":"a","matched_stop":null}'), chunk('{"index":0,"matched_stop":7,"finish_reason":"stop"}')], body(choice("a", matched_stop=7)), "complete", []),
    (
        "C7-azure-extras",
        [
            chunk(id="", created=0, model="", prompt_filter_results=[{"prompt_index": 0}]),
            chunk('{"index":0,"text":"a","content_filter_results":{"hate":{"filtered":false}}}'),
            chunk('{"index":0,"text":"","content_filter_results":{"violence":{"filtered":false}},"finish_reason":"stop"}'),
        ],
        body(choice("a", content_filter_results={"hate": {"filtered": False}, "violence": {"filtered": False}}), prompt_filter_results=[{"prompt_index": 0}]),
        "complete",
        [],
    ),
    ("unknown-keys-the-last", [chunk('{"index":0,"text":"a","x":{"a":1},"y":null}', z=[1]), chunk('{"index":0,"x":{"b":2},"finish_reason":"stop"}', z=[2])], body(choice("a", x={"a": 1, "b": 2}), z=[2]), "complete", []),
    ("wrong-type-is-left-out", [chunk(A), chunk('{"index":0,"text":7,"finish_reason":"stop"}')], body(choice("a")), "complete", ["wrong_type"]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("wire", "expected", "status", "problems"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS]
)
def test_rules(wire, expected, status, problems):
    """A stream gives the body, the status and the problems of its row."""
    result = reduced(*wire)

    assert result.dialect == "openai.completions"
    assert result.to_dict() == expected
    assert result.status == status
    assert codes(result) == problems


# -- bodies sent whole -------------------------------------------------------------------------------

WHOLE = """{"id":"cmpl-1","object":"text_completion","created":1,"model":"m","choices":[{"text":"ab","index":0,"logprobs":null,"finish_reason":"stop","seed":null}],"usage":{"total_tokens":2}}"""


@pytest.mark.parametrize("wire", [[WHOLE], [WHOLE, DONE]], ids=["alone", "and-done"])
def test_whole_body(wire):
    """A body that was sent whole is unchanged, nulls included."""
    result = reduced(*wire)

    assert json.loads(result.json()) == json.loads(WHOLE)
    assert (result.status, codes(result)) == ("complete", [])


def test_whole_body_with_an_error():
    """The body is kept, and the status is `failed`."""
    result = reduced(WHOLE[:-1] + ""","error":{"message":"late","type":"server_error"}}""")

    assert (result.status, result.error.type) == ("failed", "server_error")
    assert result.to_dict()["choices"][0]["text"] == "ab"


@pytest.mark.parametrize("between", [[], [DONE]], ids=["at-once", "after-done"])
def test_more_after_a_whole_body(between):
    """If another chunk follows, the first payload is an ordinary chunk."""
    result = reduced(WHOLE, *between, chunk('{"index":1,"text":"c","finish_reason":"stop"}'))

    assert result.to_dict()["choices"] == [choice("ab", logprobs=None), choice("c", index=1)]


@pytest.mark.parametrize("key", ["id", "model"])
def test_values_that_change_with_every_chunk_need_bounded_memory(key):
    """Groq's compound models give every chunk another id. The state keeps only a bounded number of ids and models."""
    stream = reducer.Reducer("openai.completions")
    sizes = []
    for begin in (0, 1100, 2200):
        for number in range(begin, begin + 1100):
            stream.feed(sse(chunk(A, **{key: f"{key}-{number:06}"})))
        sizes.append(len(stream.save()))

    assert sizes[2] - sizes[1] < 2 * len("a") * 1100  # the texts
    assert stream.close().to_dict()[key] == (f"{key}-000000" if key == "id" else f"{key}-003299")


# -- errors, limits, repairs -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "text"),
    [
        pytest.param([chunk(A), """{"error":{"message":"no","type":"server_error"}}"""], "a", id="after-text"),
        pytest.param([chunk(A), chunk('{"index":0,"text":"b"}', error={"message": "no", "type": "server_error"})], "ab", id="beside-text"),
        pytest.param([chunk(A), chunk('{"index":0,"text":"b","error":{"message":"no","type":"server_error"}}')], "ab", id="in-a-choice"),
        pytest.param(["""{"error":{"message":"no","type":"server_error"}}"""], None, id="alone"),
    ],
)  # fmt: skip
def test_errors(wire, text):
    """An error fails the stream, and the text before it stays in the body."""
    result = reduced(*wire)

    assert (result.status, result.error.type, result.error.message) == ("failed", "server_error", "no")
    assert (result.to_dict() and result.to_dict()["choices"][0]["text"]) == text
    assert "error" not in (result.to_dict() or {})


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_choices": 2}, "limit_choices"), ({"max_new_slots": 1}, "limit_new_slots")],
)
def test_limits(limits, code):
    """A chunk beyond a limit is dropped as a whole, and the stream is truncated."""
    result = reduced(
        chunk(A),
        chunk('{"index":1,"text":"x"}', '{"index":2,"text":"y"}'),
        chunk(STOP),
        limits=reducer.Limits(**limits),
    )

    assert result.to_dict() == body(choice("a"))
    assert (result.status, codes(result)) == ("truncated", [code])


def test_limit_at_the_first_chunk():
    """If the only chunk is dropped, there is no body."""
    result = reduced(chunk(A, '{"index":1,"text":"x"}'), limits=reducer.Limits(max_choices=1))

    assert result.to_dict() is None
    assert codes(result) == ["limit_choices", "no_terminal"]


@pytest.mark.parametrize("repair", [False, True], ids=["off", "on"])
def test_cumulative_text(repair):
    """C1:

    texts that each repeat the whole text so far are joined, and reported. With the repair, the last text counts.
    """
    pieces = [json.dumps({"index": 0, "text": LONG + "!" * n}) for n in range(3)]

    result = reduced(*map(chunk, pieces), chunk(STOP), repairs=["cumulative"] if repair else [])

    joined = LONG + "!!" if repair else LONG + LONG + "!" + LONG + "!!"
    assert result.to_dict()["choices"][0]["text"] == joined
    assert codes(result) == (["repaired"] if repair else ["repairable"])


@pytest.mark.parametrize("repair", [False, True], ids=["off", "on"])
def test_usage_in_pieces(repair):
    """C27: the last usage counts as a whole. With the repair, usages merge field by field, and 0 replaces nothing."""
    wire = [chunk(A, usage={"prompt_tokens": 5}), chunk(STOP, usage={"prompt_tokens": 0, "completion_tokens": 2})]

    result = reduced(*wire, repairs=["usage_fields"] if repair else [])

    assert result.usage == {"prompt_tokens": 5 if repair else 0, "completion_tokens": 2}
    assert codes(result) == (["repaired"] if repair else ["repairable"])


# -- the typed body ----------------------------------------------------------------------------------


def test_typed_body():
    """The body has frozen structs; undeclared fields are in `extra`."""
    result = reduced(
        chunk(
            '{"index":0,"text":"a","logprobs":{"tokens":["a"],"token_logprobs":[-1]},"finish_reason":"stop","seed":1}',
            usage={"total_tokens": 2},
        )
    )

    [first] = result.body.choices
    assert (first.text, first.finish_reason, first.logprobs.tokens, first.logprobs.text_offset) == (
        "a",
        "stop",
        ["a"],
        [],
    )
    assert (first.extra, result.body.usage.total_tokens) == ({"seed": 1}, 2)


def test_to_openai_of_every_complete_sample():
    """`to_openai` returns an object with the text of the body."""
    pytest.importorskip("openai")

    for path in sorted((SAMPLES / "openai_completions").glob("*.sse")):
        result = reducer.reduce(path.read_bytes())
        if result.status == "complete":
            assert result.to_openai().choices[0].text == result.to_dict()["choices"][0]["text"]


# -- payloads before the dialect is known --------------------------------------------------------------

FILTERED = '{"choices":[],"prompt_filter_results":[{"prompt_index":0}]}'
UNDECIDED = [FILTERED, '{"choices":null}', '{"id":"","object":"","model":"","choices":[ ]}', ""]
CHAT = '{"id":"c","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]}'


@pytest.mark.parametrize("count", range(1, 8))
@pytest.mark.parametrize("kind", ["openai.completions", "openai.chat"])
def test_C7_undecided_payloads_wait(kind, count):
    """The first decisive payload chooses the dialect. The result is the same as if the dialect had been named."""
    texts = [chunk(A), chunk(STOP)] if kind == "openai.completions" else [CHAT, CHAT]
    wire = [*(UNDECIDED * 2)[:count], texts[0], "{oops", texts[1], DONE]
    result = reduced(*wire)

    assert result.dialect == kind
    assert result.to_dict()["prompt_filter_results"] == [{"prompt_index": 0}]
    assert [problem.event for problem in result.problems if problem.code == "not_json"] == [count + 1]
    assert result == reduced(*wire, dialect=kind)


@pytest.mark.parametrize(
    ("then", "status"),
    [
        ([], "truncated"), ([DONE], "complete"), (["{oops", chunk(A)], "truncated"), ([FILTERED] * 7 + [chunk(A)], "truncated"),
        (['{"error":{"message":"x"}}'], "failed"),
    ],
)  # fmt: skip
def test_C7_without_a_decisive_payload_the_dialect_is_chat(then, status):
    """The dialect is Chat also if the decisive payload comes too late. Nothing is lost."""
    result = reduced(FILTERED, *then)

    assert (result.dialect, result.status) == ("openai.chat", status)
    assert result.to_dict()["prompt_filter_results"] == [{"prompt_index": 0}]
    assert result == reduced(FILTERED, *then, dialect="openai.chat")


def test_C7_a_large_payload_does_not_wait():
    """The bytes of the waiting payloads are bounded, too."""
    large = json.dumps({"choices": [], "prompt_filter_results": ["x" * (1 << 16)]})

    assert reduced(large, chunk(A), chunk(STOP), DONE).dialect == "openai.chat"


def test_C7_waiting_payloads_are_numbered():
    """Problems of framing have the right event numbers, although payloads before them wait."""
    long = chunk(A, x="x" * 500)
    wire = [FILTERED, long, chunk(A), long, chunk(STOP), DONE]
    result = reduced(*wire, limits=reducer.Limits(max_event_bytes=400))

    assert [(problem.code, problem.event) for problem in result.problems] == [
        ("limit_event_bytes", 1),
        ("limit_event_bytes", 2),
    ]
    assert result == reduced(*wire, limits=reducer.Limits(max_event_bytes=400), dialect="openai.completions")


def test_C7_saved_while_payloads_wait():
    """Waiting payloads are saved. A snapshot shows nothing of them."""
    data = sse(FILTERED, FILTERED, chunk(A), chunk(STOP), DONE)
    for cut in range(len(data) + 1):
        first = reducer.Reducer()
        first.feed(data[:cut])
        if 0 < cut < data.index(b"cmpl"):
            assert (first.snapshot().status, first.snapshot().dialect, first.finished) == ("empty", None, False)
        second = reducer.Reducer.resume(first.save())
        second.feed(data[cut:])
        assert second.close() == reducer.reduce(data)


def test_C7_framed_payloads():
    """Framed payloads wait, too, with times and under `strict`."""
    stream = reducer.Reducer(strict=True)
    for number, payload in enumerate([json.loads(FILTERED), chunk(A), chunk(STOP), DONE]):
        stream.feed_event(payload, at=number)
    result = stream.close()

    assert (result.dialect, result.status, result.timing.first_content) == ("openai.completions", "complete", 1)


# -- batches -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "misleading",
    [
        pytest.param(chunk(A, id="cmpl-2"), id="another-id"),
        pytest.param(chunk(A, model="m-2"), id="another-model"),
        pytest.param(chunk(A, system_fingerprint="fp-2"), id="another-fingerprint"),
        pytest.param(chunk(A, usage={"total_tokens": 3}), id="usage"),
        pytest.param(chunk(A, usage={"completion_tokens": 3}), id="usage-that-loses-a-count"),
        pytest.param(chunk('{"index":1,"text":"b","finish_reason":null}'), id="another-choice"),
        pytest.param(chunk('{"index":0,"text":"","finish_reason":"stop"}'), id="a-finish"),
        pytest.param(chunk('{"index":0,"text":"","logprobs":{"tokens":["a"],"token_logprobs":[-1]}}'), id="logprobs"),
        pytest.param(chunk('{"index":0,"text":"","logprobs":{}}'), id="empty-logprobs"),
        pytest.param(chunk(A, object="chat.completion.chunk"), id="another-dialect"),
    ],
)
def test_misleading_chunk_among_plain_ones(misleading):
    """The results with and without batches are equal."""
    plain = chunk(A, usage={"total_tokens": 2}, system_fingerprint="fp")

    reduced(*[plain] * 3, misleading, *[plain] * 3, misleading, chunk('{"index":0,"text":"","finish_reason":"length"}'))
