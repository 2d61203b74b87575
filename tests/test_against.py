"""`tests.against` names the parts of two outcomes that differ, and explains the decided differences."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.against import Case, Kind, Report, explanation_of, fields_that_differ
from tests.against_worker import outcomes
from tests.mutations import framed

CHUNK = {"id": "c", "choices": [{"index": 0, "delta": {"content": "a"}, "finish_reason": "stop"}]}


def outcome(**changes: Any) -> list[dict[str, Any]]:
    """Return the outcomes of a stream with one event, with the given changes."""
    [found] = outcomes(framed([CHUNK]), {}, fast=False)
    return [{**found, **changes}]


BODY = json.loads(outcome()[0]["body"])


@pytest.mark.parametrize(
    ("changes", "fields"),
    [
        ({}, set()),
        ({"status": "failed"}, {"status: failed instead of complete"}),
        ({"problems": ["aborted"]}, {"problems: +aborted"}),
        ({"error": {"code": 1}}, {"error.code"}),
        ({"body": json.dumps(BODY)}, {"body: only the order of keys"}),
        ({"body": json.dumps({**BODY, "choices": []})}, {"body.choices entries"}),
        ({"body": json.dumps({**BODY, "id": "d"})}, {"body.id"}),
        ({"body": json.dumps({**BODY, "undeclared": 1})}, {"body.undeclared not expected"}),
    ],
)
def test_fields_that_differ(changes: dict[str, Any], fields: set[str]) -> None:
    """Each part is named; a part of the body by its path, without indices."""
    assert fields_that_differ(outcome(), outcome(**changes)) == fields


def test_results_and_exceptions() -> None:
    """The number of results, and the exception of one version, are named."""
    assert fields_that_differ(outcome(), outcome() * 2) == {"2 results instead of 1"}
    assert fields_that_differ([{"raised": "E: x"}], outcome()) == {"raised None instead of E: x"}
    assert fields_that_differ([{"raised": "E: x"}], [{"raised": "E: x"}]) == set()


def known(data: bytes, *fields: str, dialect: str = "openai.chat") -> bool:
    case = Case(data, {}, outcome(), outcome(dialect=dialect), frozenset(fields))
    return explanation_of(case) != ""


def test_accepted_differences() -> None:
    """A difference is explained only if both the input and every field match an entry."""
    call = {"choices": [{"delta": {"tool_calls": [{"index": 0, "id": ident} for ident in "ab"]}}]}
    arguments = "body.choices[].message.tool_calls[].function.arguments"

    assert known(framed([call]), arguments)
    assert not known(framed([call]), arguments, "status: failed instead of complete")
    assert not known(framed([CHUNK]), arguments)
    assert known(b"data: b'',{[]}\n\n", "raised None instead of TypeError: x")
    assert known(framed([{"parts": [0]}]), "problems: +wrong_type", dialect="gemini.generate")
    assert known(framed([{"delta": {"undeclared": [1, True]}}]), "body.choices[].message.undeclared entries")


def test_difference_of_another_dialect() -> None:
    """An event of the other completions dialect may lose its values, and nothing else."""
    text = {"id": "c", "object": "text_completion", "choices": [{"index": 0, "text": "b", "finish_reason": "stop"}]}

    assert known(framed([CHUNK, text]), "body.choices[].message.content", "problems: +unknown_event -id_differs")
    assert not known(framed([CHUNK, text]), "problems: +internal_error")
    assert not known(framed([CHUNK, CHUNK]), "body.choices[].message.content")


def test_difference_of_unknown_events() -> None:
    """Wrong types in an event of unknown type need not be reported."""
    ping, unknown = {"type": "ping"}, {"type": ["a"], "index": 0}

    assert known(framed([unknown]), "problems: -wrong_type", dialect="anthropic.messages")
    assert not known(framed([ping]), "problems: -wrong_type", dialect="anthropic.messages")
    assert not known(framed([unknown]), "problems: -unknown_event", dialect="anthropic.messages")


def test_difference_after_damaged_data() -> None:
    """A later data line that is JSON does not begin an event."""
    assert known(b"data: {}x\ndata: {}\n\n", "problems: -not_json")
    assert not known(b"data: {}\ndata: {}x\n\n", "problems: -not_json")


def test_a_report_counts_equal_differences_once() -> None:
    """The reports of several processes are added up."""
    total = Report()
    for name in "ab":
        report = Report()
        report.kinds[Kind("", "both paths", "openai.chat", ("status",))] += 5
        report.examples[Kind("", "both paths", "openai.chat", ("status",))] = [name]
        total.add(report)

    assert [line.strip() for line in total.lines()] == ["10  both paths (openai.chat): status", "a", "b"]
