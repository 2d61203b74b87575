"""`reducer.splitting`: payloads that are not JSON but hold events, and how their events are counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

import reducer
from reducer.splitting import split

SPLIT = {
    "two": (b'{"a":1}{"b":2}', [b'{"a":1}', b'{"b":2}']),
    "white-space": (b'{"a":1}  {"b":2}\n', [b'{"a":1}', b'{"b":2}']),
    "commas": (b'{"a":1}, ,{"b":2},', [b'{"a":1}', ("stray_text", b", ,"), b'{"b":2}', ("stray_text", b",")]),
    "arrays": (b'[{"a":1}][{"b":2}]', [b'[{"a":1}]', b'[{"b":2}]']),
    "end-marker": (b'{"a":1}[DONE]', [b'{"a":1}', b"[DONE]"]),
    "end-marker-as-string": (b'{"a":1}"[DONE]"', [b'{"a":1}', b'"[DONE]"']),
    "end-marker-first": (b'[DONE]{"a":1}', [b"[DONE]", b'{"a":1}']),
    "a-bracket": (b'{"a":1}}', [b'{"a":1}', ("stray_text", b"}")]),
    "a-log-line": (b'{"a":1} [INFO] on', [b'{"a":1}', ("stray_text", b"[INFO] on")]),
    "text-between": (b'{"a":1} and {x} {"b":2}', [b'{"a":1}', ("stray_text", b"and {x}"), b'{"b":2}']),
    "text-to-the-line-end": (b'{"a":1} x\ny\n{"b":2}', [b'{"a":1}', ("stray_text", b"x"), ("stray_text", b"y"), b'{"b":2}']),
    "scalar": (b'{"a":1} 5', [b'{"a":1}', ("stray_text", b"5")]),
    "data-field": (b'{"a":1}data:{"b":2}', [b'{"a":1}', ("stray_text", b"data:"), b'{"b":2}']),
    "data-field-after-text": (
        b'{"a":1} x data: {"b":2}',
        [b'{"a":1}', ("stray_text", b"x"), ("stray_text", b"data:"), b'{"b":2}'],
    ),
    "data-field-with-text": (b'{"a":1} data: x', [b'{"a":1}', ("stray_text", b"data: x")]),
    "metadata": (b'{"a":1} metadata:{"b":2}', [b'{"a":1}', ("stray_text", b"metadata:"), b'{"b":2}']),
    "cut-at-the-end": (b'{"a":1}{"b":', [b'{"a":1}', ("not_json", b'{"b":')]),
    "cut-in-a-key": (b'{"a":1,"bdata: {"c":2}', [("not_json", b'{"a":1,"bdata:'), b'{"c":2}']),
    "cut-between": (
        b'{"a":1}{"b data: {"c":2}{"d":3}',
        [b'{"a":1}', ("not_json", b'{"b data:'), b'{"c":2}', b'{"d":3}'],
    ),
    "cut-twice": (b'{"a data: {"b data: {"c":3}', [("not_json", b'{"a data: {"b data:'), b'{"c":3}']),
    "cut-line": (b'{"a":"x\n{"b":2}', [("not_json", b'{"a":"x'), b'{"b":2}']),
    "cut-line-and-many": (b'{"a":"x\n\n{"b":2}\n\n[DONE]', [("not_json", b'{"a":"x'), b'{"b":2}', b"[DONE]"]),
    "text-line": (b'thinking\n{"b":2}', [("not_json", b"thinking"), b'{"b":2}']),
    "text-before-on-the-line": (b'thinking {"b":2}', []),
    "cut-over-lines": (b'{"a":[\n{"b":2},\n{"c":', []),
    "array-over-lines": (b'{"a":[1,\n[2]', []),
    "text": (b"hello", []),
    "nothing": (b"", []),
    "not-utf-8": (b'{"a":1}\xff{"b":"\xfe"}', [b'{"a":1}', ("stray_text", b"\xff"), b'{"b":"\xfe"}']),
    "raw-line-end": (b'{"a":"\r\t"}{"b":1}', [b'{"a":"\r\t"}', b'{"b":1}']),
    "long-number": (b'{"a":' + b"1" * 5000 + b"}{}", [b'{"a":' + b"1" * 5000 + b"}", b"{}"]),
    "deep": (b'{"a":1}' + b"[" * 100_000, [b'{"a":1}', ("stray_text", b"[" * 100_000)]),
}  # fmt: skip


@pytest.mark.parametrize("name", SPLIT)
def test_a_payload_is_split(name):
    """Values are events; other text has the code that reports it."""
    payload, expected = SPLIT[name]

    assert [(text if problem is None else (problem, text)) for text, _, problem in split(payload, None)] == expected


def test_each_event_has_the_name_of_its_line():
    """A further value has the name of the payload. A field begins a new line, with its own name or none."""
    pieces = split(b'{"a":1}{"b":2} event: second\n{"c":3} data: {"d":4}', "first")

    assert [(text, name) for text, name, problem in pieces if problem is None] == [
        (b'{"a":1}', "first"),
        (b'{"b":2}', "first"),
        (b'{"c":3}', "second"),
        (b'{"d":4}', None),
    ]


values = st.dictionaries(st.text(max_size=5), st.text(max_size=8) | st.integers(), max_size=3)


@given(st.lists(values, min_size=2, max_size=5), st.sampled_from(["", " ", ",", ", ", " data: ", " and ", "\n"]))
def test_values_with_anything_between_are_events(objects, between):
    """However the values are separated."""
    payload = between.join(map(json.dumps, objects)).encode()

    assert [json.loads(piece.text) for piece in split(payload, None) if piece.problem is None] == objects


@given(st.lists(st.sampled_from([b'{"a":1}', b"{", b'"', b"}", b"[", b"]", b",", b"data: ", b"event: x", b" ", b"\n", b"[DONE]", b"\xff", b"x"]), max_size=12).map(b"".join))  # fmt: skip
def test_pieces_hold_all_bytes(payload):
    """No byte is lost but white space, and no event is what the payload was."""
    pieces = split(payload, None)

    if pieces:
        assert b"".join(b"".join(piece.text.split()) for piece in pieces) == b"".join(payload.split())
        assert any(piece.problem is None for piece in pieces)


@pytest.mark.parametrize(
    "payload", [b'{"a":[1,data:{' * 50_000, b'{"a":1}' + b"x{" * 50_000, b'{"a":\n' * 50_000, b'{"a":1}{"b":[' * 20_000]
)
def test_the_work_is_bounded(payload):
    """Places where a value begins and does not end are not looked at again and again."""
    assert len(split(payload, None)) < 200_000


# -- numbers and places ----------------------------------------------------------------------------


def chunk(text, **more):
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None, **more}
    return json.dumps({"id": "c", "created": 1, "model": "m", "choices": [choice]}).encode()


def problems(*reads):
    one = reducer.Reducer()
    for read in reads:
        one.feed(read)
    return [(problem.code, problem.event) for problem in one.close().problems]


def test_a_further_value_is_a_further_event():
    """Problems after it, of framing and of merging, have the number that follows."""
    wire = (
        b"data: " + chunk("a") + chunk("b") + chunk("c") + b" junk\n\n"
        b"stray text\ndata: not JSON\n\n"
        b"data: " + chunk("d", finish_reason="stop") + b'{"cut":\n\n'
        b"stray text\ndata: [DONE]\n\n"
    )
    expected = [("stray_text", 2), ("stray_text", 3), ("not_json", 3), ("not_json", 4), ("stray_text", 5)]

    assert problems(wire) == expected
    assert problems(*[wire[at : at + 1] for at in range(len(wire))]) == expected
    assert problems(wire[:300], wire[300:]) == expected


def test_the_cut_end_of_the_last_line_is_torn():
    """S4: what is whole on the last line counts, and the rest is a torn tail."""
    result = reducer.reduce(b"data: " + chunk("a") + b"\n\ndata: " + chunk("b") + chunk("c")[:20])

    assert result.to_dict()["choices"][0]["message"]["content"] == "ab"
    assert (result.problems[0].code, result.problems[0].seen) == ("torn_tail", chunk("c")[:20])


def test_a_last_event_that_python_reads_is_not_torn():
    """S4, S22: NaN is no JSON, but the value is whole."""
    wire = b"data: " + chunk("a", logprobs=float("nan"), finish_reason="stop")

    assert problems(wire) == [("not_finite", 0)]
