"""Mistakes in the options of `Reducer`: each message says what to write instead."""

import re
import time

import pytest

import reducer
from reducer.options import check_limits, check_time, read_clock, read_names

KNOWN = {"cumulative", "split_names"}


@pytest.mark.parametrize(
    "value", [(), [], {"cumulative"}, ["split_names", "cumulative"], {"cumulative": 1}, iter(["cumulative"])]
)
def test_any_iterable_of_names(value):
    """A generator is read once."""
    assert read_names("repairs", value, KNOWN) <= KNOWN


def test_any_name_is_valid_without_known_ones():
    """As for `text_keys`."""
    assert read_names("text_keys", ["mumble"]) == {"mumble"}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("cumulative", "repairs takes a list of names, not a string: write repairs=['cumulative']"),
        (b"cumulative", "repairs takes a list of names, not a string: write repairs=['cumulative']"),
        (None, "repairs takes a list of names, not None"),
        (5, "repairs takes a list of names, not 5"),
        (["cumulative", 5], "repairs takes a list of names, and 5 is not a string"),
        ([["cumulative"]], "repairs takes a list of names, and ['cumulative'] is not a string"),
        (["cumulativ", "a"], "unknown repair a, cumulativ: choose from cumulative, split_names"),
    ],
)
def test_names_that_are_mistakes(value, message):
    """A string is an iterable of strings, but never what the caller means."""
    with pytest.raises(reducer.UsageError, match=f"^{re.escape(message)}$"):
        read_names("repairs", value, KNOWN)


def test_names_of_text_keys_that_are_mistakes():
    """The message has the name of the option."""
    with pytest.raises(reducer.UsageError, match=re.escape("write text_keys=['mumble']")):
        read_names("text_keys", "mumble")


def test_clocks():
    """They count integer nanoseconds."""
    assert read_clock(None) is None
    assert read_clock(lambda: 7) == 7
    assert type(read_clock(time.monotonic_ns)) is int


class Clock:
    """A clock without a name."""

    def __call__(self):
        return None

    def __repr__(self):
        return "<a clock>"


@pytest.mark.parametrize(
    ("clock", "message"),
    [
        (time.monotonic, "clock must return nanoseconds as an integer, as time.monotonic_ns does; time.monotonic returned "),
        (Clock(), "clock must return nanoseconds as an integer, as time.monotonic_ns does; <a clock> returned None"),
        (lambda: True, "clock must return nanoseconds as an integer"),
        (5, "clock takes a function that returns nanoseconds, such as time.monotonic_ns, not the value 5"),
    ],
    ids=["seconds", "none", "bool", "number"],
)  # fmt: skip
def test_clocks_that_are_mistakes(clock, message):
    """The message names the clock."""
    with pytest.raises(reducer.UsageError, match=f"^{re.escape(message)}"):
        read_clock(clock)


def test_times():
    """`started` and `at` are as the clock is."""
    check_time("started", None)
    check_time("started", 0)
    for value in (0.5, "0", True):
        with pytest.raises(reducer.UsageError, match=r"^started must be nanoseconds as an integer"):
            check_time("started", value)


def test_limits():
    """A number is no `Limits`."""
    check_limits(reducer.Limits())
    with pytest.raises(reducer.UsageError, match=re.escape("limits takes reducer.Limits(...), not 5")):
        check_limits(5)


@pytest.mark.parametrize("dialect", [[], {}, None, 5, "openai"])
def test_dialects_that_are_no_names(dialect):
    """Whatever the value is, the message names the dialects."""
    with pytest.raises(reducer.UsageError, match=r"unknown dialect .*: choose 'auto' or one of openai.chat"):
        reducer.Reducer(dialect)


def test_a_clock_beside_a_start():
    """It is checked, though it is not asked."""
    with pytest.raises(reducer.UsageError, match="clock takes a function"):
        reducer.Reducer(clock=5, started=0)


@pytest.mark.parametrize("call", [reducer.reduce, reducer.reduce_all, lambda data: list(reducer.iter_results(data))])
def test_one_payload_is_no_stream(call):
    """A dict would be read as its keys."""
    with pytest.raises(reducer.UsageError, match="not dict"):
        call({"id": "c1", "choices": []})
