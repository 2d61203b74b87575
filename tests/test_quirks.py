"""Quirks are known deviations of servers, each with an id such as T1. Every quirk has samples, in ``samples/odd/``.

A sample is two files in a folder for its dialect: a stream ``<id>-<name>.sse`` (or ``.jsonl``, or ``.in.json`` for a
plain JSON body), and its expected results ``<id>-<name>.expected.json``, which were written by hand:

- ``quirk``: the id
- ``why``: how the stream deviates, and which result is right
- ``options`` (optional): options of `reducer.Reducer`; ``limits`` as an object
- ``close`` (optional): the argument of `Reducer.close`
- ``results``: for each response ``status``, ``dialect``, ``body``, the codes of ``problems`` in order, and ``error`` if
  there is one
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import reducer
from tests.corpus import random_splits

ODD = Path(__file__).parent.parent / "samples" / "odd"
EXPECTED = ".expected.json"
SUFFIXES = (".sse", ".jsonl", ".in.json")

# The letter of each group of quirks, and the last number in the group.
GROUPS = {"T": 30, "C": 45, "R": 34, "S": 24, "E": 9}
# The tests of two dialects have the other quirks in tables, each with its id.
ELSEWHERE = {
    "test_anthropic_messages.py": [f"A{number}" for number in range(1, 16)],
    "test_gemini_generate.py": [f"G{number}" for number in range(1, 5)],
}


class Case(NamedTuple):
    name: str
    path: Path
    expected: dict

    @property
    def options(self):
        options = dict(self.expected.get("options", {}))
        if "limits" in options:
            options["limits"] = reducer.Limits(**options["limits"])
        return options


def cases():
    found = []
    for path in sorted(ODD.glob(f"*/*{EXPECTED}")):
        name = path.name.removesuffix(EXPECTED)
        streams = [stream for suffix in SUFFIXES if (stream := path.with_name(name + suffix)).exists()]
        assert len(streams) == 1, f"{name}: {len(streams)} streams for one file with expected results"
        found.append(Case(name, streams[0], json.loads(path.read_bytes())))
    return found


CASES = cases()
each_case = pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])


def whole(data):
    return [[data]]


def bytewise(data):
    return [[data[at : at + 1] for at in range(len(data))]]


def at_random(data):
    return [list(random_splits(data, seed)) for seed in range(8)]


def facts(result):
    """Return the values of a result that a sample specifies."""
    error = result.error
    return {
        "status": result.status,
        "dialect": result.dialect,
        "body": json.loads(result.json()),
        "problems": [problem.code for problem in result.problems],
        "error": error and {key: getattr(error, key) for key in ("type", "code", "message", "param")},
    }


def text(value):
    """Return a value as text, so that 1, 1.0 and true differ."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


@each_case
@pytest.mark.parametrize("feed", [whole, bytewise, at_random])
def test_results(case, feed):
    """Status, body, problems and error are as expected, however the bytes are split."""
    for pieces in feed(case.path.read_bytes()):
        one = reducer.Reducer(**case.options)
        for piece in pieces:
            one.feed(piece)
        one.close(case.expected.get("close"))

        assert len(one.results) == len(case.expected["results"])
        for result, expected in zip(one.results, case.expected["results"], strict=True):
            assert text(facts(result)) == text({"error": None, **expected})


def test_cases_are_well_formed():
    """Each stream has expected results, and these have the keys that the module's docstring lists."""
    streams = [path for path in ODD.glob("*/*") if path.name.endswith(SUFFIXES)]

    assert {path for path in ODD.glob("*/*") if path.is_file()} == {
        *streams,
        *(case.path.with_name(case.name + EXPECTED) for case in CASES),
    }
    assert len(streams) == len(CASES)
    for case in CASES:
        assert case.expected["quirk"] == case.name.partition("-")[0], case.name
        assert case.expected["why"].endswith("."), case.name
        assert case.expected.keys() <= {"quirk", "why", "options", "close", "results"}, case.name
        for result in case.expected["results"]:
            assert result.keys() - {"error"} == {"status", "dialect", "body", "problems"}, case.name


def test_every_quirk_has_a_sample():
    """Each quirk has a sample, and no sample has an unknown id."""
    quirks = {f"{group}{number}" for group, last in GROUPS.items() for number in range(1, last + 1)}
    covered = {case.expected["quirk"] for case in CASES}

    assert quirks - covered == set()
    assert covered - quirks - {quirk for others in ELSEWHERE.values() for quirk in others} == set()


@pytest.mark.parametrize("module", ELSEWHERE)
def test_every_quirk_elsewhere_is_tested(module):
    """Each quirk has a sample here, or the module contains its id."""
    source = Path(__file__).with_name(module).read_text(encoding="utf-8")
    covered = {case.expected["quirk"] for case in CASES}
    missing = [
        quirk
        for quirk in ELSEWHERE[module]
        if quirk not in covered and not re.search(rf"(?<![a-z0-9]){quirk}(?![0-9])", source, re.IGNORECASE)
    ]

    assert missing == []
