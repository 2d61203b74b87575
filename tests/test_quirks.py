"""Every row of the quirks has named cases: a stream, and the results it must give, under any split of its bytes.

A case is two files in ``samples/odd/<dialect>/``: ``<ROW>-<what>.sse`` (or ``.jsonl``, or ``.in.json`` for a
plain JSON body) and ``<ROW>-<what>.expected.json``, written by hand from the semantics:

- ``quirk``, the row's id, and ``why``: what the wire does and what is right
- ``naive``: whether the accumulator that people write in an hour gives the same body (`tests.naive`)
- ``options`` (optional): of `reducer.Reducer`; ``limits`` as a dict
- ``close`` (optional): what the host gives to `Reducer.close`
- ``results``: ``status``, ``dialect``, ``body``, the codes of ``problems`` in order, and ``error`` where there is one
"""

import json
import re
from pathlib import Path
from typing import NamedTuple

import pytest

import reducer
from reducer.dialects import DIALECTS
from tests import naive
from tests.corpus import normalised, random_splits

ODD = Path(__file__).parent.parent / "samples" / "odd"
EXPECTED = ".expected.json"
SUFFIXES = (".sse", ".jsonl", ".in.json")

# The rows of the sections; the sections of Anthropic and Gemini have modules of their own.
SECTIONS = {"T": 25, "C": 45, "R": 30, "S": 22, "E": 9}
ELSEWHERE = {
    "test_anthropic_messages.py": [f"A{number}" for number in range(1, 13)],
    "test_gemini_generate.py": [f"G{number}" for number in range(1, 5)],
}
NOT_APPLICABLE: dict[str, str] = {}


class Case(NamedTuple):
    name: str
    wire: Path
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
        wires = [wire for suffix in SUFFIXES if (wire := path.with_name(name + suffix)).exists()]
        assert len(wires) == 1, f"{name}: one stream beside the expectation, not {len(wires)}"
        found.append(Case(name, wires[0], json.loads(path.read_bytes())))
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
    """What a case says about a result."""
    error = result.error
    return {
        "status": result.status,
        "dialect": result.dialect,
        "body": json.loads(result.json()),
        "problems": [problem.code for problem in result.problems],
        "error": error and {key: getattr(error, key) for key in ("type", "code", "message", "param")},
    }


def text(value):
    """The value for comparison: 1, 1.0 and true are not the same."""
    return json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False)


@each_case
@pytest.mark.parametrize("feed", [whole, bytewise, at_random])
def test_a_case_gives_its_results(case, feed):
    """Status, body, problems and error are as derived, however the bytes are split."""
    if not {result["dialect"] for result in case.expected["results"]} <= {*DIALECTS, None}:
        pytest.skip("a dialect that is not there yet")
    for pieces in feed(case.wire.read_bytes()):
        one = reducer.Reducer(**case.options)
        for piece in pieces:
            one.feed(piece)
        one.close(case.expected.get("close"))

        assert len(one.results) == len(case.expected["results"])
        for result, expected in zip(one.results, case.expected["results"], strict=True):
            assert text(facts(result)) == text({"error": None, **expected})


@each_case
def test_the_naive_flag_is_right(case):
    """What the case says of the naive accumulator is so. Raising, or no body, is not the same body."""
    results = case.expected["results"]
    stream = case.wire.read_bytes()
    accumulate = naive.responses if results[0]["dialect"] == "openai.responses" else naive.chat
    try:
        events = (naive.json_lines if case.wire.suffix == ".jsonl" else naive.payloads)(stream.decode())
        body = accumulate(events)
    except Exception:
        body = None
    same = body is not None and [normalised(body)] == [normalised(result["body"]) for result in results]

    assert same == case.expected["naive"]


def test_cases_are_well_formed():
    """Every stream has an expectation, and every expectation says what a case says."""
    streams = [path for path in ODD.glob("*/*") if path.name.endswith(SUFFIXES)]

    assert {path for path in ODD.glob("*/*") if path.is_file()} == {
        *streams,
        *(case.wire.with_name(case.name + EXPECTED) for case in CASES),
    }
    assert len(streams) == len(CASES)
    for case in CASES:
        assert case.expected["quirk"] == case.name.partition("-")[0], case.name
        assert case.expected["why"].endswith("."), case.name
        assert case.expected.keys() <= {"quirk", "why", "naive", "options", "close", "results"}, case.name
        for result in case.expected["results"]:
            assert result.keys() - {"error"} == {"status", "dialect", "body", "problems"}, case.name


def test_every_row_has_a_case():
    """No row of the quirks is without a case, but those that cannot apply, and none is of an unknown row."""
    rows = {f"{section}{number}" for section, last in SECTIONS.items() for number in range(1, last + 1)}
    covered = {case.expected["quirk"] for case in CASES}

    assert rows - covered - NOT_APPLICABLE.keys() == set()
    assert NOT_APPLICABLE.keys() & covered == set()
    assert covered - rows - {row for others in ELSEWHERE.values() for row in others} == set()


@pytest.mark.parametrize("module", ELSEWHERE)
def test_every_row_of_a_section_elsewhere_has_a_case(module):
    """A module for a section of its own names every row of it, or the row has a case here."""
    path = Path(__file__).with_name(module)
    if not path.exists():
        pytest.skip(f"no {module} yet")
    covered = {case.expected["quirk"] for case in CASES} | NOT_APPLICABLE.keys()
    source = path.read_text(encoding="utf-8")

    missing = [
        row
        for row in ELSEWHERE[module]
        if row not in covered and not re.search(rf"(?<![a-z0-9]){row}(?![0-9])", source, re.IGNORECASE)
    ]

    assert missing == []
