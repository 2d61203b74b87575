"""The deltas alone give what the done and terminal events say once more: of our samples and of recorded streams."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.helpers import SAMPLES
from tests.mutations import framed
from tests.stripped import check, compare, main, spoken, streams, stripped

FOLDER = os.environ.get("REDUCER_CORPUS", "")
RECORDED = streams(Path(FOLDER)) if FOLDER else []

OURS = sorted((SAMPLES / "openai_responses").glob("*.sse"))
UNSAID = {"terminal-only.sse": "it has no other event (R13)"}


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
    """A stream with one call, which the terminal event says with these keys."""
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
def test_our_samples_say_all_in_deltas(path: Path) -> None:
    """But for those that are named here, and these do not."""
    outcome = check(path.read_bytes())

    assert outcome.wrong == []
    assert bool(outcome.unsaid) == (path.name in UNSAID)


@pytest.mark.skipif(not RECORDED, reason="REDUCER_CORPUS names no folder with recorded Responses streams")
@pytest.mark.parametrize("path", [pytest.param(path, id=str(path.relative_to(FOLDER))) for path in RECORDED])
def test_a_recorded_stream_says_all_in_deltas(path: Path) -> None:
    """Or, where its done events say something else, we give to the letter what its deltas say."""
    assert check(path.read_bytes()).wrong == []


# -- the check itself ----------------------------------------------------------------------------


def test_what_deltas_do_not_say_is_told_apart() -> None:
    """Arguments without deltas, others than in the deltas, another call id: nothing of it can be known before."""
    assert check(call('{"a":', "1}")) == ([], [])
    for data in (call(arguments="{}"), call("{}", arguments="{ }"), call("{}", call_id="call_2")):
        outcome = check(data)
        assert (outcome.wrong, len(outcome.unsaid)) == ([], 1)


def test_what_is_read_wrong_is_wrong() -> None:
    """An item that is neither that of the whole stream nor what is left by the letter."""
    item, other, literal = ["message", ("content", "a")], ["message", ("content", "b")], ["message"]

    assert compare([item], [item], [literal]) == ([], [])
    assert len(compare([literal], [item], [literal]).unsaid) == 1
    assert len(compare([other], [item], [literal]).wrong) == 1
    assert len(compare([], [item], [literal]).wrong) == 1
    assert len(compare([item, item], [item], [item]).wrong) == 1


def test_a_delta_that_nobody_knows_is_not_passed_over() -> None:
    """What it adds to cannot be said, so that nothing is by the letter."""
    events = [event("output_item.added", item=CALL), event("new.delta", delta="x"), event("new.done", x="x"), "[DONE]"]

    assert spoken(stripped(events)) == [["function_call", ("name", "f"), ("call_id", "call_1"), "response.new.delta"]]


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It names what differs, and counts."""
    (tmp_path / "same.sse").write_bytes(call("{}"))
    (tmp_path / "unsaid.sse").write_bytes(call(arguments="{}"))
    rows = "".join(f'{{"path":"{name}.sse","dialect":"responses"}}\n' for name in ("same", "unsaid"))
    (tmp_path / "index.jsonl").write_text(rows + '{"path":"x","dialect":"chat"}\n')

    assert main([str(tmp_path)]) == 0
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first.startswith("unsaid.sse: unsaid: item 0: ['function_call'")
    assert last == "2 streams, 1 the same, 1 that do not say all without, 0 wrong"
