"""`gemini.generate`: the quirks of section G by their ids, and what else the rules of the dialect say."""

from __future__ import annotations

import json

import pytest

import reducer
from tests.helpers import SAMPLES, feed_bytewise, feed_random, feed_whole

STOP = """{"candidates":[{"finishReason":"STOP"}]}"""
FIFTY = "I have read the whole of it and these are my thoughts"


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def parts(*some: str) -> str:
    """A chunk with these parts of the only candidate."""
    return f"""{{"candidates":[{{"content":{{"parts":[{",".join(some)}]}}}}]}}"""


def text(piece: str) -> str:
    return parts(json.dumps({"text": piece}))


def reduced(*payloads: str, **options) -> reducer.Result:
    """Reduce a stream under three feeds, which must agree."""
    return reduced_bytes(sse(*payloads), **options)


def reduced_bytes(data: bytes, **options) -> reducer.Result:
    whole = feed_whole(data, **options)
    assert whole == feed_bytewise(data, **options)
    for seed in range(3):
        assert whole == feed_random(data, seed, **options)
    [result] = whole
    return result


def codes(result: reducer.Result) -> list[str]:
    return [problem.code for problem in result.problems]


def parts_of(result: reducer.Result) -> list:
    return result.to_dict()["candidates"][0]["content"].get("parts", [])


# Each row: its id, the wire, the parts of the only candidate, the codes of the problems. All end with STOP.
ROWS = [
    (
        "G1-neighbouring-text-joins",
        [parts('{"text":"a"}', '{"text":"b"}'), parts('{"text":"c"}')],
        [{"text": "abc"}],
        [],
    ),
    (
        "G1-false-null-and-absent-thought-are-equal",
        [parts('{"text":"a","thought":false}', '{"text":"b"}', '{"text":"c","thought":null}')],
        [{"text": "abc", "thought": False}],
        [],
    ),
    (
        "G1-thoughts-and-text-stay-apart",
        [parts('{"text":"a","thought":true}'), parts('{"text":"b","thought":true}'), parts('{"text":"c"}')],
        [{"text": "ab", "thought": True}, {"text": "c"}],
        [],
    ),
    (
        "G1-a-signed-text-is-a-part-of-its-own",
        [parts('{"text":"a"}'), parts('{"text":"b","thoughtSignature":"s"}'), parts('{"text":"c"}')],
        [{"text": "a"}, {"text": "b", "thoughtSignature": "s"}, {"text": "c"}],
        [],
    ),
    (
        "G1-a-signature-on-an-empty-text-goes-to-the-text-before",
        [parts('{"text":"a"}'), parts('{"text":"","thoughtSignature":"s"}'), parts('{"text":"b"}')],
        [{"text": "a", "thoughtSignature": "s"}, {"text": "b"}],
        [],
    ),
    (
        "G1-but-never-to-a-thought",
        [parts('{"text":"a","thought":true}'), parts('{"text":"","thoughtSignature":"s"}')],
        [{"text": "a", "thought": True}, {"text": "", "thoughtSignature": "s"}],
        [],
    ),
    (
        "G1-nor-to-a-text-that-is-signed",
        [parts('{"text":"a","thoughtSignature":"s"}'), parts('{"text":"","thoughtSignature":"t"}')],
        [{"text": "a", "thoughtSignature": "s"}, {"text": "", "thoughtSignature": "t"}],
        [],
    ),
    (
        "G1-nor-past-a-call",
        [parts('{"text":"a"}', '{"functionCall":{"name":"f"}}', '{"text":"","thoughtSignature":"s"}')],
        [{"text": "a"}, {"functionCall": {"name": "f"}}, {"text": "", "thoughtSignature": "s"}],
        [],
    ),
    (
        "G1-a-signed-call-keeps-its-signature",
        [parts('{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"s"}')],
        [{"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "s"}],
        [],
    ),
    (
        "G1-an-empty-unsigned-text-is-no-part",
        [parts('{"text":""}'), parts('{"text":"a"}', '{"text":"","thought":true}'), parts('{"text":"b"}', "{}")],
        [{"text": "ab"}],
        [],
    ),
    (
        "G1-a-text-with-another-key-is-no-plain-text",
        [parts('{"text":"a"}', '{"text":"b","lang":"en"}', '{"text":"c","lang":null}', '{"text":"d"}')],
        [{"text": "a"}, {"text": "b", "lang": "en"}, {"text": "cd"}],
        [],
    ),
    (
        "G3-a-call-in-pieces",
        [
            parts('{"functionCall":{"name":"f","willContinue":true},"thoughtSignature":"s"}'),
            parts('{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"x","willContinue":true}],"willContinue":true}}'),
            parts('{"functionCall":{"partialArgs":[{"jsonPath":"$.a","stringValue":"y"}],"willContinue":true}}'),
            parts('{"functionCall":{}}'),
        ],
        [{"functionCall": {"name": "f", "args": {"a": "xy"}}, "thoughtSignature": "s"}],
        [],
    ),
    (
        "G3-the-piece-that-closes-may-bring-arguments",
        [
            parts('{"functionCall":{"name":"f","willContinue":true}}'),
            parts('{"functionCall":{"partialArgs":[{"jsonPath":"$.a","numberValue":0.5}],"willContinue":false}}'),
            parts('{"functionCall":{"name":"f"}}'),
        ],
        [{"functionCall": {"name": "f", "args": {"a": 0.5}}}, {"functionCall": {"name": "f"}}],
        [],
    ),
    (
        "G3-a-call-without-arguments-has-none",
        [parts('{"functionCall":{"name":"f","willContinue":true}}', '{"functionCall":{}}')],
        [{"functionCall": {"name": "f"}}],
        [],
    ),
    (
        "G3-an-empty-call-is-no-part",
        [parts('{"functionCall":{}}', '{"functionCall":{"willContinue":false}}', '{"text":"a"}')],
        [{"text": "a"}],
        [],
    ),
    (
        "G3-but-its-signature-is-kept",
        [parts('{"functionCall":{},"thoughtSignature":"s"}')],
        [{"functionCall": {}, "thoughtSignature": "s"}],
        [],
    ),
    (
        "G3-a-whole-call-may-say-that-it-is-whole",
        [parts('{"functionCall":{"name":"f","args":{},"willContinue":false}}')],
        [{"functionCall": {"name": "f", "args": {}}}],
        [],
    ),
    (
        "G3-a-whole-call-may-have-its-arguments-in-pieces",
        [parts('{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a","boolValue":true}]}}')],
        [{"functionCall": {"name": "f", "args": {"a": True}}}],
        [],
    ),
    (
        "G3-values-of-every-kind",
        [
            parts(
                '{"functionCall":{"name":"f","args":{"given":"z"},"willContinue":true}}',
                '{"functionCall":{"partialArgs":[{"jsonPath":"$.n","nullValue":"NULL_VALUE"},{"jsonPath":"$.l","listValue":[1]},{"jsonPath":"$.given","stringValue":"!"},{"jsonPath":"$.later","willContinue":true}]}}',
            )
        ],
        [{"functionCall": {"name": "f", "args": {"given": "z!", "n": None, "l": [1]}}}],
        [],
    ),
    (
        "G3-paths-of-every-kind",
        [
            parts(
                r"""{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a[0][1].b","stringValue":"1"},{"jsonPath":"$['it\\'s \"so\"']","stringValue":"2"},{"jsonPath":"$[\"x\\u0041\"].y-z","stringValue":"3"}]}}"""
            )
        ],
        [{"functionCall": {"name": "f", "args": {"a": [[None, {"b": "1"}]], 'it\'s "so"': "2", "xA": {"y-z": "3"}}}}],
        [],
    ),
    (
        "G3-paths-that-name-no-place",
        [
            parts(
                r"""{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$","stringValue":"1"},{"jsonPath":"$..a","stringValue":"2"},{"jsonPath":"$[0]","stringValue":"3"},{"stringValue":"4"},{"jsonPath":"$['\\x']","stringValue":"5"}]}}"""
            )
        ],
        [{"functionCall": {"name": "f", "args": {}}}],
        ["json_path"] * 5,
    ),
    (
        "G3-places-that-are-taken",
        [
            parts(
                '{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$.a","stringValue":"1"},{"jsonPath":"$.a.b","stringValue":"2"},{"jsonPath":"$.c[0]","numberValue":3},{"jsonPath":"$.c","numberValue":4},{"jsonPath":"$.c[0]","numberValue":5},{"jsonPath":"$.c[0]","numberValue":5}]}}'
            )
        ],
        [{"functionCall": {"name": "f", "args": {"a": "1", "c": [5]}}}],
        ["json_path", "json_path", "arguments_replaced"],
    ),
    (
        "G3-pieces-go-to-the-call-of-their-id",
        [
            parts('{"functionCall":{"id":"1","name":"f","willContinue":true}}', '{"functionCall":{"id":"2","name":"g","willContinue":true}}'),
            parts('{"functionCall":{"id":"1","args":{"a":1}}}'),
            parts('{"functionCall":{"partialArgs":[{"jsonPath":"$.b","numberValue":2}]}}'),
        ],
        [{"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}}, {"functionCall": {"id": "2", "name": "g", "args": {"b": 2}}}],
        [],
    ),
    (
        "G3-an-id-that-comes-late",
        [parts('{"functionCall":{"name":"f","willContinue":true}}'), parts('{"functionCall":{"id":"1"}}')],
        [{"functionCall": {"id": "1", "name": "f"}}],
        [],
    ),
    (
        "G3-an-id-of-no-open-call-is-a-call-of-its-own",
        [parts('{"functionCall":{"id":"1","name":"f","willContinue":true}}', '{"functionCall":{"id":"2","args":{}}}', '{"functionCall":{}}')],
        [{"functionCall": {"id": "1", "name": "f"}}, {"functionCall": {"id": "2", "args": {}}}],
        [],
    ),
    (
        "G3-a-call-that-nothing-closes",
        [parts('{"functionCall":{"name":"f","willContinue":true}}', '{"functionCall":{"name":"g"}}')],
        [{"functionCall": {"name": "f"}}, {"functionCall": {"name": "g"}}],
        ["call_not_closed"],
    ),
    (
        "G3-a-call-whose-begin-was-lost",
        [parts('{"functionCall":{"partialArgs":[{"jsonPath":"$.a","numberValue":1}],"willContinue":true}}', '{"functionCall":{}}')],
        [{"functionCall": {"args": {"a": 1}}}],
        [],
    ),
    (
        "G3-keys-of-every-piece-are-kept",
        [parts('{"functionCall":{"name":"f","willContinue":true,"kind":"x"},"note":1}'), parts('{"functionCall":{"kind":"y"},"thoughtSignature":"s"}')],
        [{"functionCall": {"name": "f", "kind": "y"}, "note": 1, "thoughtSignature": "s"}],
        [],
    ),
    (
        "parts-of-other-kinds-append-whole",
        [
            parts('{"inlineData":{"mimeType":"image/png","data":"aa="}}', '{"inlineData":{"mimeType":"image/png","data":"aa="}}'),
            parts('{"executableCode":{"code":"1","language":"PYTHON"}}', '{"codeExecutionResult":{"outcome":"OUTCOME_OK","output":"1"}}'),
        ],
        [
            {"inlineData": {"mimeType": "image/png", "data": "aa="}},
            {"inlineData": {"mimeType": "image/png", "data": "aa="}},
            {"executableCode": {"code": "1", "language": "PYTHON"}},
            {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        ],
        [],
    ),
    (
        "parts-of-no-kind-are-left-out",
        [parts('{"text":"a"}', "7", "null", '{"functionCall":"f"}', '{"text":1}')],
        [{"text": "a"}, {"functionCall": "f"}, {"text": 1}],
        ["wrong_type"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "expected", "problems"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_parts(wire, expected, problems):
    """Parts join, sign and call as the table of quirks says."""
    result = reduced(*wire, STOP)

    assert parts_of(result) == expected
    assert result.status == "complete"
    assert codes(result) == problems


# -- G2: usage -------------------------------------------------------------------------------------


def test_usage_is_the_last_value_of_each_key():
    """G2: usage counts from the start again with every chunk, and a key that a chunk leaves out is not erased."""
    result = reduced(
        """{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1,"thoughtsTokenCount":5}}""",
        """{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":0,"thoughtsTokenCount":null,"totalTokenCount":9}}""",
    )

    expected = {"promptTokenCount": 7, "candidatesTokenCount": 0, "thoughtsTokenCount": 5, "totalTokenCount": 9}
    assert result.to_dict()["usageMetadata"] == result.usage == expected
    assert codes(result) == []


def test_no_usage_is_none():
    """G2: usage that nobody reported is not invented."""
    result = reduced(text("a"), STOP)

    assert result.usage is None
    assert "usageMetadata" not in result.to_dict()


# -- G3: candidates and terminal evidence ------------------------------------------------------------


@pytest.mark.parametrize(
    ("wire", "status", "problems"),
    [
        pytest.param([text("a")], "truncated", ["no_terminal"], id="G3-no-finish-reason"),
        pytest.param([text("a"), STOP], "complete", [], id="G3-finish-reason-alone"),
        pytest.param([STOP, """{"usageMetadata":{"totalTokenCount":3}}"""], "complete", [], id="G3-usage-after-it"),
        pytest.param(
            ["""{"candidates":[{"index":0,"finishReason":"STOP"},{"index":1}]}"""], "truncated", ["no_terminal"], id="G3-only-one-of-two"
        ),
        pytest.param(["""{"promptFeedback":{"blockReason":"SAFETY"}}"""], "complete", [], id="G3-blocked-prompt"),
        pytest.param(["""{"promptFeedback":{"safetyRatings":[]}}"""], "truncated", ["no_terminal"], id="G3-feedback-alone"),
        pytest.param(["""{"candidates":[{"finishReason":""}]}"""], "truncated", ["no_terminal"], id="G3-empty-finish-reason"),
        pytest.param([text("a"), "[DONE]"], "truncated", ["no_terminal"], id="G3-done-is-no-evidence"),
    ],
)  # fmt: skip
def test_terminal_evidence(wire, status, problems):
    """A stream is complete when every candidate has a finish reason, or the prompt was blocked."""
    result = reduced(*wire)

    assert result.status == status
    assert codes(result) == problems


def test_candidates_by_index():
    """G3: candidates interleave, an absent or negative index is 0, and the body names only an index that came."""
    result = reduced(
        """{"candidates":[{"index":2,"content":{"parts":[{"text":"c"}],"role":"model"}}]}""",
        """{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"},{"index":2,"content":{"parts":[{"text":"d"}],"role":"x"}}]}""",
        """{"candidates":[{"index":2,"finishReason":"STOP"},{"index":-1,"content":{"parts":[{"text":"b"}]}}]}""",
    )

    assert result.to_dict()["candidates"] == [
        {"content": {"parts": [{"text": "ab"}]}, "finishReason": "STOP"},
        {"content": {"role": "model", "parts": [{"text": "cd"}]}, "finishReason": "STOP", "index": 2},
    ]


# -- G4: framings and cumulative text ----------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(sse(text("a"), text("b"), STOP), id="G4-sse"),
        pytest.param(f"[{text('a')},{text('b')},{STOP}]".encode(), id="G4-array"),
        pytest.param(f"[{text('a')}\n,\r\n{text('b')}\n,\r\n{STOP}\n]\n".encode(), id="G4-array-in-lines"),
        pytest.param(f"{text('a')}\n{text('b')}\n{STOP}\n".encode(), id="G4-json-lines"),
        pytest.param(sse(f"[{text('a')},{text('b')},{STOP}]"), id="G4-array-in-an-event"),
        pytest.param(sse(*(f'{{"response":{chunk},"traceId":"t"}}' for chunk in (text("a"), text("b"), STOP))), id="G4-wrapped"),
        pytest.param(sse(*(f'{{"traceId":"t", "response": {chunk}}}' for chunk in (text("a"), text("b"), STOP))), id="G4-wrapped-inside-out"),
        pytest.param(sse(*(f'{{"response":{chunk},"traceId":"t","metadata":{{}}}}' for chunk in (text("a"), text("b"), STOP))), id="G4-wrapped-with-metadata"),
        pytest.param(sse(*(f'{{"response":{chunk},"traceId":"t","quota":[1]}}' for chunk in (text("a"), text("b"), STOP))), id="G4-wrapped-with-more"),
    ],
)  # fmt: skip
def test_framings(data):
    """One answer is the same in every way it can be sent."""
    result = reduced_bytes(data)

    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "ab"}]}, "finishReason": "STOP"}]}
    assert (result.status, result.dialect, codes(result)) == ("complete", "gemini.generate", [])


def test_response_beside_other_keys_is_no_wrapper():
    """A `response` that is not alone is an unknown key like others."""
    result = reduced(text("a"), """{"candidates":[{"finishReason":"STOP"}],"response":{"candidates":[]}}""")

    assert result.to_dict()["response"] == {"candidates": []}


@pytest.mark.parametrize("repair", [False, True], ids=["G4-cumulative-off", "G4-cumulative-on"])
def test_cumulative_text(repair):
    """Text that comes whole each time is joined and reported; the repair takes the last."""
    wire = [text(FIFTY), text(f"{FIFTY}, and"), text(f"{FIFTY}, and more"), STOP]

    result = reduced(*wire, repairs=["cumulative"] if repair else [])

    if repair:
        assert parts_of(result) == [{"text": f"{FIFTY}, and more"}]
        assert codes(result) == ["repaired"]
    else:
        assert parts_of(result) == [{"text": f"{FIFTY}{FIFTY}, and{FIFTY}, and more"}]
        assert codes(result) == ["repairable"]


# -- what adds up, and what is the last --------------------------------------------------------------


def test_citations_append_without_repeats():
    """Citations of one list are kept once each, in order; other keys of the metadata are the last."""
    result = reduced(
        """{"candidates":[{"citationMetadata":{"citations":[{"uri":"a","startIndex":1},{"uri":"a","startIndex":1}],"x":1}}]}""",
        """{"candidates":[{"citationMetadata":{"citations":[{"startIndex":1,"uri":"a"},{"uri":"b","tags":["t"]}],"x":null}}]}""",
        """{"candidates":[{"citationMetadata":{"citations":[{"uri":"b","tags":["t"]}]},"finishReason":"RECITATION"}]}""",
    )

    [candidate] = result.to_dict()["candidates"]
    assert candidate["citationMetadata"] == {
        "citations": [{"uri": "a", "startIndex": 1}, {"uri": "b", "tags": ["t"]}],
        "x": 1,
    }
    assert "content" not in candidate


def test_logprobs_append():
    """The lists of `logprobsResult` extend, its other values are the last."""
    result = reduced(
        """{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":"a"}],"topCandidates":null,"logProbabilitySum":-1}}]}""",
        """{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":"a"}],"topCandidates":[{}],"logProbabilitySum":-2},"finishReason":"STOP"}]}""",
    )

    assert result.to_dict()["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "a"}, {"token": "a"}],
        "logProbabilitySum": -2,
        "topCandidates": [{}],
    }


def test_everything_else_is_the_last():
    """Declared or not, a later value replaces the earlier one whole, and null replaces nothing."""
    result = reduced(
        """{"candidates":[{"content":{"role":"","parts":[],"x":1},"safetyRatings":[{"category":"A"}],"groundingMetadata":{"a":1},"y":{"a":1}}],"promptFeedback":{"safetyRatings":[]},"createTime":"1","z":1}""",
        """{"candidates":[{"content":{"role":"model","x":2},"safetyRatings":[{"category":"B"}],"groundingMetadata":{"b":1},"y":{"b":1},"finishReason":"STOP"}],"promptFeedback":null,"createTime":"2","z":null}""",
    )

    assert result.to_dict() == {
        "candidates": [
            {
                "content": {"role": "model", "x": 2},
                "finishReason": "STOP",
                "safetyRatings": [{"category": "B"}],
                "groundingMetadata": {"b": 1},
                "y": {"b": 1},
            }
        ],
        "promptFeedback": {"safetyRatings": []},
        "createTime": "2",
        "z": 1,
    }
    assert codes(result) == []


def test_changes_are_reported_once():
    """Ids, models and finish reasons that differ are reported, a model that changes with every chunk once."""
    wire = [
        f"""{{"candidates":[{{"finishReason":"{n}"}}],"responseId":"r{n}","modelVersion":"m{n}"}}""" for n in "1233"
    ]

    result = reduced(*wire)

    body = result.to_dict()
    assert (body["responseId"], body["modelVersion"], body["candidates"][0]["finishReason"]) == ("r3", "m3", "3")
    assert codes(result) == ["id_differs", "model_differs", "finish_reason_differs"]


# -- errors ------------------------------------------------------------------------------------------

ERROR = """{"error":{"code":429,"message":"Quota exceeded.","status":"RESOURCE_EXHAUSTED","details":[]}}"""


@pytest.mark.parametrize(
    ("data", "body"),
    [
        pytest.param(sse(text("a"), ERROR), [{"text": "a"}], id="in-an-event"),
        pytest.param(sse(text("a")) + json.dumps(json.loads(ERROR), indent=2).encode(), [{"text": "a"}], id="unframed"),
        pytest.param(f"[{text('a')},\n{ERROR}]".encode(), [{"text": "a"}], id="in-the-array"),
        pytest.param(sse(text("a"), f'{{"response":{ERROR}}}'), [{"text": "a"}], id="wrapped"),
        pytest.param(sse(ERROR), None, id="alone"),
    ],
)
def test_errors(data, body):
    """An error makes the stream failed; its status is the type, and what came before it stays."""
    result = reduced_bytes(data)

    assert result.status == "failed"
    assert result.error.type == "RESOURCE_EXHAUSTED"
    assert (result.error.code, result.error.message) == (429, "Quota exceeded.")
    assert (result.to_dict() and parts_of(result)) == body


def test_error_beside_content():
    """An error beside content leaves the content; it is no key of the body."""
    result = reduced(
        """{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"error":{"code":500,"status":"INTERNAL"}}"""
    )

    assert result.status == "failed"
    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}


# -- limits ------------------------------------------------------------------------------------------


def piece(path: str) -> str:
    return parts(
        json.dumps({"functionCall": {"partialArgs": [{"jsonPath": path, "numberValue": 1}], "willContinue": True}})
    )


CALL = parts('{"functionCall":{"name":"f","willContinue":true}}')


@pytest.mark.parametrize(
    ("limits", "wire", "code"),
    [
        pytest.param({"max_choices": 1}, """{"candidates":[{"index":0},{"index":1}]}""", "limit_choices", id="candidates"),
        pytest.param({"max_new_slots": 1}, """{"candidates":[{"index":1},{"index":2}]}""", "limit_new_slots", id="candidates-of-a-chunk"),
        pytest.param({"max_new_slots": 2}, parts('{"a":1}', '{"text":"b"}', '{"a":1}'), "limit_new_slots", id="parts-of-a-chunk"),
        pytest.param({"max_items": 2}, parts('{"a":1}', '{"a":1}'), "limit_items", id="parts"),
        pytest.param({"max_calls": 1}, parts('{"functionCall":{"name":"f"}}', '{"functionCall":{"name":"g"}}'), "limit_calls", id="calls"),
        pytest.param({}, piece("$.a[129]"), "limit_new_slots", id="a-gap-in-a-list"),
        pytest.param({"max_depth": 12}, piece("$" + ".a" * 13), "limit_depth", id="a-deep-path"),
    ],
)  # fmt: skip
def test_limits(limits, wire, code):
    """A chunk past a limit leaves no trace, and the status is truncated."""
    result = reduced(text("a"), wire, STOP, limits=reducer.Limits(**limits))

    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
    assert result.status == "truncated"
    assert codes(result) == [code]


def test_limit_at_the_first_chunk():
    """Where the only chunk is past a limit there is no body."""
    result = reduced("""{"candidates":[{"index":1},{"index":2}]}""", limits=reducer.Limits(max_choices=1))

    assert result.to_dict() is None
    assert (result.status, codes(result)) == ("truncated", ["limit_choices", "no_terminal"])


def test_what_joins_is_no_new_part():
    """Text that joins and pieces that continue a call count against no limit."""
    wire = [
        parts(*['{"text":"a"}'] * 5),
        CALL,
        piece("$.a"),
        parts(*['{"functionCall":{"willContinue":true}}'] * 3),
        piece("$.b[1]"),
    ]

    result = reduced(
        *wire, parts('{"functionCall":{}}'), STOP, limits=reducer.Limits(max_new_slots=1, max_items=2, max_calls=1)
    )

    assert parts_of(result) == [{"text": "aaaaa"}, {"functionCall": {"name": "f", "args": {"a": 1, "b": [None, 1]}}}]
    assert codes(result) == []


# -- the typed body, and a state saved in the middle -------------------------------------------------


def test_typed_body():
    """The body reads as frozen structs with Python's names, and keeps what they do not declare."""
    result = reduced(
        """{"candidates":[{"content":{"role":"model","parts":[{"text":"a","thought":true},{"functionCall":{"name":"f","args":{"b":1}}},{"inlineData":{"mimeType":"image/png","data":"aa="}}]},"finishReason":"STOP","index":0,"aura":1}],"usageMetadata":{"totalTokenCount":3},"modelVersion":"m","responseId":"r"}"""
    )

    body = result.body
    [candidate] = body.candidates
    thought, call, image = candidate.content.parts
    assert (body.model_version, body.response_id, body.usage_metadata.total_token_count) == ("m", "r", 3)
    assert (candidate.finish_reason, candidate.extra, candidate.citation_metadata) == ("STOP", {"aura": 1}, None)
    assert (thought.text, thought.thought, thought.function_call) == ("a", True, None)
    assert (call.function_call.name, call.function_call.args) == ("f", {"b": 1})
    assert image.inline_data.mime_type == "image/png"


@pytest.mark.parametrize("path", sorted((SAMPLES / "gemini_generate").glob("*.sse")), ids=lambda path: path.stem)
def test_google_reads_every_sample(path):
    """As google-genai's own client reads a response: typed through, without the keys that it does not know."""
    types = pytest.importorskip("google.genai.types")
    for cut in (-1, -40):
        result = reducer.reduce(path.read_bytes()[:cut])
        response = result.to_gemini()
        if response is not None:
            # The client has renamed that by then.
            body = json.loads(result.json().replace(b"citationSources", b"citations"))
            try:
                theirs = types.GenerateContentResponse._from_response(response=body, kwargs={})
            except ValueError:
                continue  # a value that it refuses: below
            assert response == theirs


def test_what_google_refuses_is_left_out():
    """An unknown key, and a value of another type; the rest is typed."""
    types = pytest.importorskip("google.genai.types")
    result = reduced(
        """{"candidates":[{"content":{"parts":[{"text":"a","thoughtSignature":"x","odd":1},{"inlineData":{"mimeType":7,"data":"//79"}},{"functionCall":{"name":"f","args":{"b":1}}}]},"aura":1}],"usageMetadata":{"serviceTier":"s","totalTokenCount":3},"zone":1}"""
    )
    response = result.to_gemini()

    text, blob, call = response.candidates[0].content.parts
    assert result.status == "truncated"
    assert (text.text, text.thought_signature, blob.inline_data.data) == ("a", None, b"\xff\xfe\xfd")
    assert response.function_calls == [types.FunctionCall(name="f", args={"b": 1})]
    assert (call.function_call.args, response.usage_metadata.total_token_count) == ({"b": 1}, 3)
    assert result.to_dict()["candidates"][0]["content"]["parts"][0]["odd"] == 1


def test_a_body_that_google_refuses_as_a_whole():
    """There is an object all the same, though nothing in it is typed."""
    types = pytest.importorskip("google.genai.types")
    result = reduced("""{"candidates":[{"content":{"parts":7,"role":[1]}}],"promptFeedback":{"blockReason":[]}}""")

    assert type(result.to_gemini()) is types.GenerateContentResponse


def test_the_chunks_of_google_s_client():
    """Bytes are the base64 that they were, and what the client added is in no body."""
    types = pytest.importorskip("google.genai.types")
    wire = """{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"//79++++Pz8+Pg=="},"thoughtSignature":"+/8="}],"role":"model"},"finishReason":"STOP","index":0}],"createTime":"2026-01-02T03:04:05.123456Z","responseId":"r"}"""
    chunk = types.GenerateContentResponse.model_validate_json(wire)
    chunk.sdk_http_response = types.HttpResponse(headers={"date": "today"})
    chunk.automatic_function_calling_history = [types.Content(role="user")]

    assert reducer.reduce([chunk]).to_dict() == reduced(wire).to_dict()


def test_saved_in_the_middle_of_a_call():
    """A state saved anywhere goes on as if nothing had been."""
    data = (SAMPLES / "gemini_generate" / "partial-args-two.sse").read_bytes()
    [whole] = feed_whole(data)

    for at in range(0, len(data), 97):
        first = reducer.Reducer()
        first.feed(data[:at])
        second = reducer.Reducer.resume(first.save())
        second.feed(data[at:])
        assert second.close().json() == whole.json()


def test_snapshots_are_independent():
    """What a snapshot holds does not change with later chunks."""
    stream = reducer.Reducer()
    stream.feed(
        sse(
            """{"candidates":[{"content":{"parts":[{"text":"a"}]},"logprobsResult":{"chosenCandidates":[{}]}}],"usageMetadata":{"totalTokenCount":1}}"""
        )
    )
    early = stream.snapshot()
    written = early.json()

    stream.feed(
        sse(
            """{"candidates":[{"content":{"parts":[{"text":"b"}]},"logprobsResult":{"chosenCandidates":[{}]},"finishReason":"STOP"}],"usageMetadata":{"totalTokenCount":2}}"""
        )
    )

    assert early.json() == written
    assert stream.finished
    assert parts_of(stream.close()) == [{"text": "ab"}]
