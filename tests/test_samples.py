"""Every sample gives its expected result, however its bytes are split."""

from __future__ import annotations

import json
import re

import pytest

from tests.helpers import (
    SAMPLES,
    as_text,
    expectation_of,
    feed_bytewise,
    feed_random,
    feed_whole,
    load_sample,
    outcome,
    sample_names,
)

NAMES = sample_names()
# Samples of one response without problems. Several responses are reported as a problem only by `close`.
UNPROBLEMATIC = [name for name in NAMES if [entry["problems"] for entry in load_sample(name).expected] == [[]]]


@pytest.mark.parametrize("name", NAMES)
def test_sample_fed_whole(name):
    """A sample in one read gives its expected results."""
    sample = load_sample(name)

    results = feed_whole(sample.data)

    assert as_text(sample.expected) == as_text([outcome(result) for result in results])


@pytest.mark.parametrize("name", NAMES)
def test_sample_fed_bytewise(name):
    """A sample fed byte by byte gives its expected results."""
    sample = load_sample(name)

    results = feed_bytewise(sample.data)

    assert as_text(sample.expected) == as_text([outcome(result) for result in results])


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", NAMES)
def test_sample_fed_in_random_pieces(name, seed):
    """A sample fed in reads of random sizes gives its expected results."""
    sample = load_sample(name)

    results = feed_random(sample.data, seed)

    assert as_text(sample.expected) == as_text([outcome(result) for result in results])


@pytest.mark.parametrize("name", UNPROBLEMATIC)
def test_sample_without_problems_passes_strict(name):
    """A sample without expected problems raises nothing under `strict`."""
    sample = load_sample(name)

    results = feed_whole(sample.data, strict=True)

    assert as_text(sample.expected) == as_text([outcome(result) for result in results])


def test_samples_and_expectations_belong_together():
    """Each sample has a file with expected results, and each of these files has a sample."""
    odd = SAMPLES / "odd"  # tested in test_quirks
    expectations = {path for path in SAMPLES.rglob("*.expected.json") if odd not in path.parents}

    assert expectations == {expectation_of(name) for name in NAMES}


def test_every_sample_has_one_row_in_the_readme():
    """The tables in the README list each sample once, and nothing else."""
    rows = re.findall(r"^\| \[([^\]]+)\]\(([^)]+)\) \| \S", (SAMPLES / "README.md").read_text("utf-8"), re.MULTILINE)

    assert sorted(target for _, target in rows) == NAMES
    assert all(target.endswith(f"/{shown}") for shown, target in rows)


def test_every_finish_reason_has_its_sample():
    """The sample in a row of the table ends with the finish reason of that row."""
    table = (SAMPLES / "seed" / "finish-reasons.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)` \|.*\(\.\./([^)]+)\) \|$", table, re.MULTILINE)

    assert [reason for reason, _ in rows] == ["stop", "length", "tool_calls", "function_call", "content_filter", "null"]
    for reason, name in rows:
        body = load_sample(name).expected[0]["body"]
        assert (None if reason == "null" else reason) == body["choices"][0]["finish_reason"]


def test_inputs_that_share_an_expectation_have_equal_events():
    """The JSON array and the event stream of a sample differ only in framing."""
    for name in ("chat-text", "responses-tool-call"):
        array = json.loads((SAMPLES / "seed" / f"{name}.in.json").read_bytes())
        lines = (SAMPLES / "seed" / f"{name}.sse").read_text("utf-8").splitlines()
        events = [json.loads(line[6:]) for line in lines if line.startswith("data: {")]

        assert array == events
