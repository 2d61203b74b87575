"""In Responses, the deltas alone give the items that done and terminal events repeat: in our samples and in recorded
streams.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import SAMPLES
from tests.mutations import framed
from tests.stripped import check, compare, items_of_deltas, main, streams, stripped

FOLDER = os.environ.get("REDUCER_CORPUS", "")
RECORDED = streams(Path(FOLDER)) if FOLDER else []

OURS = sorted((SAMPLES / "openai_responses").glob("*.sse"))
INCOMPLETE = {"terminal-only.sse": "it has no other event (R13)"}


def event(kind: str, **more: Any) -> dict[str, Any]:
    return {"type": f"response.{kind}", "output_index": 0, **more}


CALL = {
    "id": "fc_1",
    "type": "function_call",
    "status": "in_progress",
    "name": "f",
    "call_id": "call_1",
    "arguments": "",
}


def call(*deltas: str, **done: Any) -> bytes:
    """Return a stream with one call. The done events have the given keys."""
    response = {"id": "r1", "object": "response", "status": "in_progress", "output": []}
    whole = {**CALL, "status": "completed", "arguments": "".join(deltas), **done}
    return framed(
        [
            event("created", response=response),
            event("output_item.added", item=CALL),
            *(event("function_call_arguments.delta", item_id="fc_1", delta=delta) for delta in deltas),
            event("function_call_arguments.done", item_id="fc_1", arguments=whole["arguments"]),
            event("output_item.done", item=whole),
            event("completed", response={**response, "status": "completed", "output": [whole]}),
        ]
    )


@pytest.mark.parametrize("path", [pytest.param(path, id=path.name) for path in OURS])
def test_samples(path: Path) -> None:
    """The deltas are complete in all samples except those that `INCOMPLETE` names."""
    outcome = check(path.read_bytes())

    assert outcome.wrong == []
    assert bool(outcome.incomplete) == (path.name in INCOMPLETE)


@pytest.mark.skipif(not RECORDED, reason="REDUCER_CORPUS names no folder with recorded Responses streams")
@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(FOLDER))) for path in RECORDED])
def test_recorded_streams(path: Path) -> None:
    """The items equal those of the whole stream, or exactly those of the deltas."""
    assert check(path.read_bytes()).wrong == []


# -- the check itself ----------------------------------------------------------------------------


def test_incomplete_deltas() -> None:
    """Deltas may lack the arguments, have other arguments, or have another call id."""
    assert check(call('{"a":', "1}")) == ([], [])
    for data in (call(arguments="{}"), call("{}", arguments="{ }"), call("{}", call_id="call_2")):
        outcome = check(data)
        assert (outcome.wrong, len(outcome.incomplete)) == ([], 1)


def test_wrong_items() -> None:
    """An item is wrong if it equals neither that of the whole stream nor that of the deltas."""
    item, other, literal = ["message", ("content", "a")], ["message", ("content", "b")], ["message"]

    assert compare([item], [item], [literal]) == ([], [])
    assert len(compare([literal], [item], [literal]).incomplete) == 1
    assert len(compare([other], [item], [literal]).wrong) == 1
    assert len(compare([], [item], [literal]).wrong) == 1
    assert len(compare([item, item], [item], [item]).wrong) == 1


def test_unknown_delta() -> None:
    """An item with a delta of unknown type has the type among its values, so that it equals no other item."""
    events = [event("output_item.added", item=CALL), event("new.delta", delta="x"), event("new.done", x="x"), "[DONE]"]

    assert items_of_deltas(stripped(events)) == [
        ["function_call", ("name", "f"), ("call_id", "call_1"), "response.new.delta"]
    ]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The command prints the differences and a count."""
    (tmp_path / "same.sse").write_bytes(call("{}"))
    (tmp_path / "incomplete.sse").write_bytes(call(arguments="{}"))
    rows = "".join(f'{{"path":"{name}.sse","dialect":"responses"}}\n' for name in ("same", "incomplete"))
    (tmp_path / "index.jsonl").write_text(rows + '{"path":"x","dialect":"chat"}\n')

    assert main([str(tmp_path)]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("incomplete.sse: incomplete: item 0: ['function_call'")
    assert last == "2 streams: 1 equal, 1 with incomplete deltas, 0 wrong"
