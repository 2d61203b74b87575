"""`gemini.generate`: the quirks G1 to G4, each by its id, and the other rules of the dialect."""

from __future__ import annotations

import json
from random import Random

import pytest

import reducer
from reducer.dialects.contract import Options, report_nothing
from reducer.dialects.gemini_generate import DIALECT, incomplete_calls
from reducer.fast import BatchPath
from tests.helpers import SAMPLES, feed_bytewise, feed_random, feed_whole

STOP = """{"candidates":[{"finishReason":"STOP"}]}"""
FIFTY = "I have read the whole of it and these are my thoughts"


def sse(*payloads: str) -> bytes:
    return "".join(f"data: {payload}\n\n" for payload in payloads).encode()


def parts(*some: str) -> str:
    """Return a chunk with these parts in the only candidate."""
    return f"""{{"candidates":[{{"content":{{"parts":[{",".join(some)}]}}}}]}}"""


def text(piece: str) -> str:
    return parts(json.dumps({"text": piece}))


def reduced(*payloads: str, **options) -> reducer.Result:
    """Reduce a stream whole, bytewise and in random reads; all results must be equal."""
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


# Each row: its id, the payloads, the parts of the only candidate, the codes of the problems. All streams end with STOP.
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
    (
        "a-part-that-is-no-object-after-texts",
        [parts('{"text":"a"}'), parts('{"text":"b"}'), parts("null"), parts("false"), parts("5"), parts('{"text":"c"}')],
        [{"text": "abc"}],
        ["wrong_type", "wrong_type"],
    ),
    (
        "a-path-with-half-a-surrogate-pair",
        [parts(r"""{"functionCall":{"name":"f","partialArgs":[{"jsonPath":"$['\\ud800']","numberValue":1}]}}""")],
        [{"functionCall": {"name": "f", "args": {}}}],
        ["json_path"],
    ),
]  # fmt: skip


@pytest.mark.parametrize(("wire", "expected", "problems"), [row[1:] for row in ROWS], ids=[row[0] for row in ROWS])
def test_parts(wire, expected, problems):
    """Texts join, signatures move to the text before them, and calls are complete, as in the row."""
    result = reduced(*wire, STOP)

    assert parts_of(result) == expected
    assert result.status == "complete"
    assert codes(result) == problems


# -- G2: usage -------------------------------------------------------------------------------------


def test_usage_is_the_last_value_of_each_key():
    """G2: the last value of each key counts. A key that a later chunk lacks, or that is null there, keeps its value."""
    result = reduced(
        """{"candidates":[{"content":{"parts":[{"text":"a"}]}}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":1,"thoughtsTokenCount":5}}""",
        """{"candidates":[{"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":7,"candidatesTokenCount":0,"thoughtsTokenCount":null,"totalTokenCount":9}}""",
    )

    expected = {"promptTokenCount": 7, "candidatesTokenCount": 0, "thoughtsTokenCount": 5, "totalTokenCount": 9}
    assert result.to_dict()["usageMetadata"] == result.usage == expected
    assert codes(result) == []


def test_no_usage_is_none():
    """G2: without a reported usage, the body has none."""
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
    """G3:

    candidates may alternate. An absent or negative index means 0; the body has an index only if the stream has it.
    """
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
    """One answer gives the same body in every framing."""
    result = reduced_bytes(data)

    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "ab"}]}, "finishReason": "STOP"}]}
    assert (result.status, result.dialect, codes(result)) == ("complete", "gemini.generate", [])


def test_response_beside_other_keys_is_no_wrapper():
    """The key `response` beside `candidates` is an undeclared key."""
    result = reduced(text("a"), """{"candidates":[{"finishReason":"STOP"}],"response":{"candidates":[]}}""")

    assert result.to_dict()["response"] == {"candidates": []}


@pytest.mark.parametrize("repair", [False, True], ids=["G4-cumulative-off", "G4-cumulative-on"])
def test_cumulative_text(repair):
    """Texts that each repeat the whole text so far are joined, and `repairable` is reported.

    With the repair, the last text counts.
    """
    wire = [text(FIFTY), text(f"{FIFTY}, and"), text(f"{FIFTY}, and more"), STOP]

    result = reduced(*wire, repairs=["cumulative"] if repair else [])

    if repair:
        assert parts_of(result) == [{"text": f"{FIFTY}, and more"}]
        assert codes(result) == ["repaired"]
    else:
        assert parts_of(result) == [{"text": f"{FIFTY}{FIFTY}, and{FIFTY}, and more"}]
        assert codes(result) == ["repairable"]


# -- lists that are extended, and values of which the last counts --------------------------------------


def test_citations_append_without_repeats():
    """Each citation is kept once, in order. Of the other keys the last value counts."""
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
    """The lists of `logprobsResult` are joined. Of its other keys the last value counts."""
    result = reduced(
        """{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":"a"}],"topCandidates":null,"logProbabilitySum":-1}}]}""",
        """{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":"a"}],"topCandidates":[{}],"logProbabilitySum":-2},"finishReason":"STOP"}]}""",
    )

    assert result.to_dict()["candidates"][0]["logprobsResult"] == {
        "chosenCandidates": [{"token": "a"}, {"token": "a"}],
        "logProbabilitySum": -2,
        "topCandidates": [{}],
    }


def test_other_values_are_replaced():
    """A later value replaces the earlier one as a whole; null replaces nothing."""
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
    """Ids, models and finish reasons that differ are reported once, with the last value in the body."""
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
    """An error fails the stream. Its `status` becomes the type, and the content before it stays in the body."""
    result = reduced_bytes(data)

    assert result.status == "failed"
    assert result.error.type == "RESOURCE_EXHAUSTED"
    assert (result.error.code, result.error.message) == (429, "Quota exceeded.")
    assert (result.to_dict() and parts_of(result)) == body


def test_error_beside_content():
    """The content beside an error is merged; the error is not a key of the body."""
    result = reduced(
        """{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"error":{"code":500,"status":"INTERNAL"}}"""
    )

    assert result.status == "failed"
    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}


# -- limits ------------------------------------------------------------------------------------------


def piece(*paths: str) -> str:
    entries = [{"jsonPath": path, "numberValue": 1} for path in paths]
    return parts(json.dumps({"functionCall": {"partialArgs": entries, "willContinue": True}}))


CALL = parts('{"functionCall":{"name":"f","willContinue":true}}')


def test_a_long_list_in_one_chunk_has_no_gaps():
    """Each entry stands behind the one before it, though none of them was there before the chunk."""
    result = reduced(CALL, piece(*(f"$.a[{place}].b" for place in range(200))), STOP)

    part = result.to_dict()["candidates"][0]["content"]["parts"][0]
    assert part["functionCall"]["args"] == {"a": [{"b": 1}] * 200}
    assert "limit_new_slots" not in codes(result)


def deep_piece() -> str:
    """Return a chunk that nests 12 deep, with arguments that would nest 14 deep."""
    entry = {"jsonPath": "$" + ".a" * 11, "structValue": {"b": {"c": {}}}}
    return parts(json.dumps({"functionCall": {"name": "f", "partialArgs": [entry]}}))


@pytest.mark.parametrize(
    ("limits", "wire", "code"),
    [
        pytest.param({"max_choices": 1}, """{"candidates":[{"index":0},{"index":1}]}""", "limit_choices", id="candidates"),
        pytest.param({"max_new_slots": 1}, """{"candidates":[{"index":1},{"index":2}]}""", "limit_new_slots", id="candidates-of-a-chunk"),
        pytest.param({"max_new_slots": 2}, parts('{"a":1}', '{"text":"b"}', '{"a":1}'), "limit_new_slots", id="parts-of-a-chunk"),
        pytest.param({"max_items": 2}, parts('{"a":1}', '{"a":1}'), "limit_items", id="parts"),
        pytest.param({"max_calls": 1}, parts('{"functionCall":{"name":"f"}}', '{"functionCall":{"name":"g"}}'), "limit_calls", id="calls"),
        pytest.param({}, piece("$.a[129]"), "limit_new_slots", id="a-gap-in-a-list"),
        pytest.param({}, piece("$.a[64]", "$.b[0].c[65]"), "limit_new_slots", id="gaps-of-several-entries"),
        pytest.param({"max_depth": 12}, piece("$" + ".a" * 13), "limit_depth", id="a-deep-path"),
        pytest.param({"max_depth": 12}, deep_piece(), "limit_depth", id="a-deep-value-at-a-deep-path"),
    ],
)  # fmt: skip
def test_limits(limits, wire, code):
    """A chunk beyond a limit is dropped as a whole, and the stream is truncated."""
    result = reduced(text("a"), wire, STOP, limits=reducer.Limits(**limits))

    assert result.to_dict() == {"candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}]}
    assert result.status == "truncated"
    assert codes(result) == [code]


def test_limit_at_the_first_chunk():
    """If the only chunk is dropped, there is no body."""
    result = reduced("""{"candidates":[{"index":1},{"index":2}]}""", limits=reducer.Limits(max_choices=1))

    assert result.to_dict() is None
    assert (result.status, codes(result)) == ("truncated", ["limit_choices", "no_terminal"])


def test_joined_parts_do_not_count_toward_the_limits():
    """A text that joins the text before it, and a fragment that continues a call, are not new parts."""
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
    """The body has frozen structs with Python's names; undeclared fields are in `extra`."""
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
def test_to_gemini_equals_the_clients_own_type(path):
    """`to_gemini` returns the object that google-genai's client builds from the body."""
    types = pytest.importorskip("google.genai.types")
    for cut in (-1, -40):
        result = reducer.reduce(path.read_bytes()[:cut])
        response = result.to_gemini()
        if response is not None:
            # The client renames this key before it validates the response.
            body = json.loads(result.json().replace(b"citationSources", b"citations"))
            try:
                theirs = types.GenerateContentResponse._from_response(response=body, kwargs={})
            except ValueError:
                continue  # the client refuses a value; the next test has this case
            assert response == theirs


def test_to_gemini_leaves_out_refused_values():
    """An unknown key and a value of a wrong type are left out; the other values are typed."""
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


def test_to_gemini_of_a_body_that_is_refused_as_a_whole():
    """The result is an object without typed values."""
    types = pytest.importorskip("google.genai.types")
    result = reduced("""{"candidates":[{"content":{"parts":7,"role":[1]}}],"promptFeedback":{"blockReason":[]}}""")

    assert type(result.to_gemini()) is types.GenerateContentResponse


def test_chunks_of_the_clients_type():
    """Bytes become base64 again, and keys that the client added are not in the body."""
    types = pytest.importorskip("google.genai.types")
    wire = """{"candidates":[{"content":{"parts":[{"inlineData":{"mimeType":"image/png","data":"//79++++Pz8+Pg=="},"thoughtSignature":"+/8="}],"role":"model"},"finishReason":"STOP","index":0}],"createTime":"2026-01-02T03:04:05.123456Z","responseId":"r"}"""
    chunk = types.GenerateContentResponse.model_validate_json(wire)
    chunk.sdk_http_response = types.HttpResponse(headers={"date": "today"})
    chunk.automatic_function_calling_history = [types.Content(role="user")]

    assert reducer.reduce([chunk]).to_dict() == reduced(wire).to_dict()


def test_saved_in_the_middle_of_a_call():
    """A state that was saved after any byte gives the same body."""
    data = (SAMPLES / "gemini_generate" / "partial-args-two.sse").read_bytes()
    [whole] = feed_whole(data)

    for at in range(0, len(data), 97):
        first = reducer.Reducer()
        first.feed(data[:at])
        second = reducer.Reducer.resume(first.save())
        second.feed(data[at:])
        assert second.close().json() == whole.json()


def test_snapshots_are_independent():
    """Later chunks do not change a snapshot."""
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


# -- batches -----------------------------------------------------------------------------------------


def chunk(part: dict, count: int = 1, **candidate) -> dict:
    """Return a chunk like those of the Gemini API: one part, and the usage so far."""
    return {
        "candidates": [{"content": {"parts": [part], "role": "model"}, "index": 0, **candidate}],
        "usageMetadata": {"promptTokenCount": 7, "candidatesTokenCount": count, "totalTokenCount": 7 + count},
        "modelVersion": "gemini-2.5-flash",
        "responseId": "r1",
    }


def texts(count: int) -> list[dict]:
    return [chunk({"text": f"word {number} "}, number) for number in range(count)]


def count_batched_events(chunks: list[dict], monkeypatch) -> int:
    """Reduce a stream with and without batches, and check that the results are equal.

    Return how many events batches merged.
    """
    data = sse(*map(json.dumps, chunks))
    merged = []
    merge = BatchPath.merge

    def counting(self, responses, frames, place):
        after = merge(self, responses, frames, place)
        merged.append(after - place)
        return after

    with monkeypatch.context() as patch:
        patch.setattr(BatchPath, "merge", counting)
        fast = feed_whole(data)
    slow = feed_whole(data, fast=False)
    assert fast == slow
    assert "internal_error" not in codes(fast[0])
    return sum(merged)


# Each row: its id, the chunks after a chunk of text, and how many of these chunks batches merge.
BATCHED = [
    ("texts", texts(50), 50),
    ("thoughts-then-text", [chunk({"text": "t", "thought": True})] * 5 + texts(5), 10),
    ("an-empty-text", [chunk({"text": "", "thought": True}), *texts(3)], 4),
    ("a-finish-reason", [*texts(3), chunk({"text": ""}, finishReason="STOP")], 4),
    ("a-finish-reason-in-each", [chunk({"text": "a"}, finishReason="STOP")] * 3, 3),
    ("a-time", [{**one, "createTime": str(number)} for number, one in enumerate(texts(3))], 3),
    ("usage-that-loses-a-key", [{**texts(1)[0], "usageMetadata": usage} for usage in ({"thoughtsTokenCount": 3, "promptTokensDetails": [{"tokenCount": 7, "modality": "TEXT"}]}, {"totalTokenCount": 8}, {"totalTokenCount": 9})], 3),
    ("an-empty-usage", [{**texts(1)[0], "usageMetadata": {}}] * 3, 3),
    # The event path has to merge some chunks of the rows below.
    ("a-signed-text", [chunk({"text": "a", "thoughtSignature": "s"}), *texts(3)], 2),
    ("a-signature-alone", [chunk({"text": "", "thoughtSignature": "s"}), *texts(3)], 2),
    ("whole-calls", [chunk({"functionCall": {"name": "f", "args": {"a": 1}}})] * 3 + texts(2), 0),
    ("two-candidates", [chunk({"text": "a"}, index=index) for index in (1, 0, 1, 0, 0, 1)], 4),
    ("two-candidates-that-think-and-end", [chunk({"text": "a"}, index=1), *[chunk({"text": "b", "thought": thought}, index=index) for thought in (True, False) for index in (1, 0)], *[chunk({"text": "c"}, index=index, finishReason=reason) for index, reason in ((0, "STOP"), (1, "SAFETY"))]], 5),
    ("another-finish-reason-of-one-candidate", [chunk({"text": "a"}, index=1), *[chunk({"text": "c"}, index=index, finishReason=reason) for index, reason in ((0, "STOP"), (1, "STOP"), (1, "SAFETY"))]], 0),
    ("metadata", [chunk({"text": "a"}, groundingMetadata={"a": [1]}), chunk({"text": "b"}, safetyRatings=[])], 0),
    ("usage-with-null", [*texts(2), {**texts(1)[0], "usageMetadata": {"totalTokenCount": None}}, *texts(1)], 3),
    ("another-id", [*texts(2), {**texts(1)[0], "responseId": "r2"}], 0),
    ("another-model", [{**texts(1)[0], "modelVersion": "m2"}], 0),
    ("another-finish-reason", [chunk({"text": "a"}, finishReason=reason) for reason in ("STOP", "SAFETY")], 0),
    ("an-unknown-key", [{**texts(1)[0], "zone": 1}, *texts(2)], 1),
    ("a-part-of-another-kind", [chunk({"executableCode": {"code": "1"}}), *texts(3)], 2),
    ("two-parts", [{**texts(1)[0], "candidates": [{"content": {"parts": [{"text": "a"}, {"text": "b"}]}}]}], 0),
]  # fmt: skip


@pytest.mark.parametrize(("chunks", "count"), [row[1:] for row in BATCHED], ids=[row[0] for row in BATCHED])
def test_batches(chunks, count, monkeypatch):
    """With and without batches the results are equal, and batches merge the expected number of events."""
    assert count_batched_events([texts(1)[0], *chunks], monkeypatch) == count


def counted(part: dict, count: int = 1, **candidate) -> dict:
    """Return a chunk with the details that the Gemini API adds to each usage."""
    one = chunk(part, count, **candidate)
    one["usageMetadata"]["promptTokensDetails"] = [{"modality": "TEXT", "tokenCount": 7}]
    return one


# Each row: its id, and a chunk between plain texts whose usages have equal keys.
AMID = [
    ("a-text", counted({"text": "a"})),
    ("a-thought", counted({"text": "a", "thought": True})),
    ("a-signature", counted({"text": "a", "thoughtSignature": "s"})),
    ("another-candidate", counted({"text": "a"}, index=1)),
    ("a-call", counted({"functionCall": {"name": "f"}})),
    ("another-usage", chunk({"text": "a"})),
    ("no-id", {key: value for key, value in counted({"text": "a"}).items() if key != "responseId"}),
    ("another-model", {**counted({"text": "a"}), "modelVersion": "m2"}),
    ("a-finish-reason", counted({"text": "a"}, finishReason="STOP")),
]


@pytest.mark.parametrize("amid", [row[1] for row in AMID], ids=[row[0] for row in AMID])
def test_batches_of_texts(amid, monkeypatch):
    """Chunks that differ from those around them are merged as the event path merges them."""
    plain = [counted({"text": f"word {number} "}, number) for number in range(40)]

    assert count_batched_events([*plain, amid, *plain, amid, amid, *plain], monkeypatch) > 100


def test_first_values_are_left_to_the_event_path(monkeypatch):
    """A first role, a first index and a body sent whole are left to the event path."""
    bare = {"candidates": [{"content": {"parts": [{"text": "a"}]}}]}
    named = {"candidates": [{"content": {"parts": [{"text": "a"}], "role": "model"}}]}
    other = {"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 1}]}
    assert count_batched_events([bare, named], monkeypatch) == 0
    assert count_batched_events([bare, named, bare, named, named], monkeypatch) == 2
    assert count_batched_events([bare, {"candidates": [{"index": 1}]}, bare, other, other], monkeypatch) == 0
    assert (
        count_batched_events([bare, {"candidates": [{"content": {"parts": [{"text": "a"}]}, "index": 0}]}], monkeypatch)
        == 0
    )
    assert count_batched_events([{"candidates": [{"index": 0}]}, bare], monkeypatch) == 0
    data = f"{json.dumps(bare)}\n{json.dumps(bare)}\n{json.dumps(bare)}\n".encode()
    assert feed_whole(data) == feed_whole(data, fast=False)


@pytest.mark.parametrize("second", ["[]", "null", "7", '[{"modality":"TEXT","tokenCount":8}]'])
@pytest.mark.parametrize("first", ["[]", "null", "7", '"x"', '{"a":1}', "[" * 20 + "]" * 20, '[{"a":NaN}]'])
def test_duplicate_keys_of_a_usage(first, second, monkeypatch):
    """Of two values of one key the last counts, whatever the first one is, with and without batches."""
    one = json.dumps(counted({"text": "a"}))
    twice = one.replace(
        '"promptTokensDetails": [', f'"promptTokensDetails": {first}, "promptTokensDetails": {second}, "x": ['
    )
    alike = twice.replace(', "x": [{"modality": "TEXT", "tokenCount": 7}]', "")
    assert alike.count("promptTokensDetails") == 2
    data = sse(one, alike, alike, one, *[alike] * 40)

    assert feed_whole(data) == feed_whole(data, fast=False)
    assert feed_bytewise(data) == feed_whole(data)


# -- calls that are not complete ---------------------------------------------------------------------


def call_piece(*entries: dict, more: bool = True, **call) -> str:
    """A chunk with a piece of a call."""
    call = {**call, **({"partialArgs": list(entries)} if entries else {}), **({"willContinue": True} if more else {})}
    return parts(json.dumps({"functionCall": call}))


A_STRING = {"jsonPath": "$.a", "stringValue": "x", "willContinue": True}
A_BODY = {
    "candidates": [{"content": {"parts": [{"text": "a"}, {"functionCall": {"name": "f", "willContinue": True}}]}}]
}


@pytest.mark.parametrize(
    ("wire", "calls"),
    [
        ([text("a"), parts('{"functionCall":{"name":"f","args":{"a":1}}}')], {}),
        ([text("a"), call_piece(name="f")], {(0, 1): ""}),
        ([text("a"), call_piece(name="f"), call_piece(A_STRING)], {(0, 1): '{"a":"x"}'}),
        ([call_piece(name="f"), call_piece(A_STRING), call_piece(A_STRING), STOP], {(0, 0): '{"a":"xx"}'}),
        ([call_piece(name="f"), call_piece(A_STRING), call_piece(more=False), STOP], {}),
        ([call_piece(name="f", args={"b": [1]}), call_piece(name="g", id="2")], {(0, 0): '{"b":[1]}', (0, 1): ""}),
        ([call_piece(name="f", id="1"), call_piece(name="g", id="2"), call_piece(id="1", more=False)], {(0, 1): ""}),
        (
            [call_piece(name="f").replace('"content"', '"index":4,"content"'), text("a").replace('"content"', '"index":2,"content"')],
            {(1, 0): ""},
        ),
    ],
)  # fmt: skip
def test_incomplete_calls(wire, calls):
    """A call in pieces is complete when its last piece has come."""
    for fast in (True, False):
        one = reducer.Reducer("gemini.generate", fast=fast)
        one.feed(sse(*wire))
        body = one.snapshot().to_dict()

        assert incomplete_calls(one._pipeline.responses.current.state) == calls
        for number, position in calls:
            assert "functionCall" in body["candidates"][number]["content"]["parts"][position]


def test_incomplete_calls_of_a_whole_body():
    """A body that came whole is judged where its parts stand."""
    state = DIALECT.new_state(Options(reducer.Limits(), frozenset(), frozenset()), report_nothing)
    state.whole = A_BODY

    assert incomplete_calls(state) == {(0, 1): ""}


@pytest.mark.parametrize("limit", ["max_items", "max_calls"])
def test_batches_reach_a_limit_where_the_event_path_does(limit):
    """With and without batches, a limit drops the same events."""
    data = sse(*[json.dumps(chunk({"functionCall": {"name": "f"}})) for _ in range(40)])
    limits = reducer.Limits(**{limit: 20})

    fast, slow = feed_whole(data, limits=limits), feed_whole(data, limits=limits, fast=False)

    assert fast == slow
    assert len(parts_of(fast[0])) == 20


def test_batches_of_random_streams():
    """Random streams give the same results with and without batches, whole and in small reads."""
    paths = ["$.a", "$.a.x", "$.l[0]", "$.l[1]", "$.b", "$"]
    values = [{"stringValue": "s"}, {"stringValue": ""}, {"numberValue": 1}, {"nullValue": None}, {"listValue": [1]}]
    some_texts = [{"text": piece} for piece in ("a", "", FIFTY, f"{FIFTY}, and")]
    for seed in range(150):
        rng = Random(seed)

        def call(rng=rng) -> dict:
            entry = {"jsonPath": rng.choice(paths), **rng.choice(values)}
            call = {"partialArgs": [entry], "willContinue": rng.random() < 0.8}
            return {"functionCall": rng.choice([call, call, {**call, "name": "f"}, {"name": "g"}, {}])}

        stream = [
            counted(call() if rng.random() < 0.4 else {**rng.choice(some_texts), **rng.choice([{}, {}, {"thought": True}, {"thoughtSignature": "s"}])}, number, index=rng.choice([0, 0, seed % 3]))
            for number in range(60)
        ]  # fmt: skip
        data = sse(*map(json.dumps, stream))
        slow = feed_whole(data, fast=False)
        assert feed_whole(data) == slow, seed
        assert feed_random(data, seed) == slow, seed


@pytest.mark.parametrize("part", [{"text": "a", "foo": 1}, {"text": 7}, {"inlineData": {"data": ""}}])
def test_parts_that_no_text_can_join_count(part):
    """One chunk cannot bring more parts than the limits allow, whatever the parts have beside a text."""
    limits = reducer.Limits()
    event = {"candidates": [{"index": 0, "content": {"parts": [part] * (limits.max_items + 1)}}]}
    result = reducer.reduce([event], "gemini.generate")
    assert result.status == "truncated"
    assert next(problem.code for problem in result.problems) in ("limit_items", "limit_new_slots")
