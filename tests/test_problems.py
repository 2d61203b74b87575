"""`Problem`: the codes are a `Literal` type, and the values that a problem shows are bounded."""

import decimal
import json
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

import reducer
from reducer.problems import SHOWN, Code, build_problem, shown

ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


def test_codes_are_sorted_and_differ():
    """`tests/test_readme.py` compares them with the README and with the code."""
    assert list(get_args(Code)) == sorted(set(get_args(Code)))


@pytest.mark.parametrize(
    "value",
    [None, True, 7, -(2**70), 1.5, "tide", "", b"\xff", [], {"a": [1, {"b": None}]}, "x" * (SHOWN - 2), b"x" * SHOWN, "\ud83c"],
    ids=repr,
)  # fmt: skip
def test_short_values_are_shown_unchanged(value):
    """A value whose JSON text has at most 1,024 bytes keeps its type."""
    assert shown(value) == value
    assert type(shown(value)) is type(value)


@pytest.mark.parametrize(
    ("value", "start"),
    [
        ("x" * (SHOWN - 1), '"xxx'),
        ("\u20ac" * 400, '"\u20ac\u20ac'),
        ("\ud83c" * 400, '"\\ud83c\\ud83c'),
        ('"' * 600, '"\\"\\"'),
        (["tide"] * 500, '["tide","tide",'),
        ({"port": "Brest" * 300, "b": 1}, '{"port":"BrestBrest'),
        ({"a": ["\udc00" * 400]}, '{"a": ["\\udc00'),
        (10**4000, "10000000"),
        (decimal.Decimal("1" * 5000), "111111"),
        (msgspec.Raw(b'{"a":' + b" " * 2000 + b"1}"), '{"a":  '),
        (b"\xff" + b"x" * SHOWN, "\\xffxxx"),
        ({"error": ValueError("x" * 2000)}, '{"error":"ValueError('),
    ],
    ids=lambda value: repr(value)[:20],
)
def test_long_values_become_text(value, start):
    """The text is the beginning of the value's JSON text."""
    text = shown(value)

    assert type(text) is str
    assert text.startswith(start)
    assert SHOWN - 3 <= len(text.encode()) <= SHOWN


def test_the_text_is_the_beginning_of_the_json_text():
    """Without spaces, as `Result.json` writes it."""
    value = {"ports": [{"name": "Brest", "heights": [1.5, None, True]}] * 100}

    assert shown(value) == json.dumps(value, separators=(",", ":"))[:SHOWN]


@given(ANYTHING)
def test_any_value_can_be_shown(value):
    """`shown` never raises, and what it returns is small."""
    text = shown(value)

    assert type(text) is str or repr(text) == repr(value)
    assert type(text) is not str or len(text.encode("utf-8", "surrogatepass")) <= SHOWN


def test_problems_hold_copies():
    """Changing the event afterwards does not change the problem."""
    event = {"ports": ["Brest"]}
    problem = build_problem("wrong_type", 0, 1, event, event["ports"])
    event["ports"].append("Hull")

    assert problem == reducer.Problem("wrong_type", 0, 1, {"ports": ["Brest"]}, ["Brest"])


@pytest.mark.parametrize(
    "data",
    [
        b'data: {"choices":[{"index":0,"delta":{"content":{"a":"' + b"x" * 5000 + b'"}}}]}\n\n',
        b'data: {"type":"unknown","a":"' + b"x" * 5000 + b'"}\n\n',
        b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":"a"}}]}\n\ndata: {"id":"' + b"x" * 5000 + b'"}\n\n',
        b"x" * 5000 + b"\n",
    ],
)
def test_problems_of_a_stream_are_small(data):
    """However long the values of the stream are."""
    for problem in reducer.reduce(data).problems:
        assert len(repr(problem.seen)) <= 2 * SHOWN
        assert len(repr(problem.chosen)) <= 2 * SHOWN


def test_bytes_are_cut_between_characters():
    """A character that the cut splits is left out."""
    assert shown(b"a" * 1023 + "é".encode()) == "a" * 1023
    assert shown(b"a" * 1020 + b"\xff" + b"b" * 9) == "a" * 1020 + "\\xff"
