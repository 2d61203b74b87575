"""What `openai.responses` does over several connections (quirk R21), and its limits. Its other quirks: ``samples/odd``."""

import json
from pathlib import Path

import pytest

import reducer

ODD = Path(__file__).parent.parent / "samples" / "odd" / "openai_responses"
STREAMS = sorted(path for path in ODD.iterdir() if path.suffix in (".sse", ".jsonl"))

# One event a line, with sequence numbers 0 to 8.
EVENTS = [
    b'data: {"type":"response.created","sequence_number":0,"response":{"id":"resp_21","object":"response","status":"in_progress","output":[]}}\n\n',
    b'data: {"type":"response.in_progress","sequence_number":1,"response":{"id":"resp_21","object":"response","status":"in_progress","output":[]}}\n\n',
    b'data: {"type":"response.output_item.added","sequence_number":2,"output_index":0,"item":{"id":"msg_1","type":"message","status":"in_progress","role":"assistant","content":[]}}\n\n',
    b'data: {"type":"response.content_part.added","sequence_number":3,"item_id":"msg_1","output_index":0,"content_index":0,"part":{"type":"output_text","text":"","annotations":[]}}\n\n',
    b'data: {"type":"response.output_text.delta","sequence_number":4,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"To "}\n\n',
    b'data: {"type":"response.output_text.delta","sequence_number":5,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"be "}\n\n',
    b'data: {"type":"response.output_text.delta","sequence_number":6,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"continued"}\n\n',
    b'data: {"type":"response.output_text.delta","sequence_number":7,"item_id":"msg_1","output_index":0,"content_index":0,"delta":"."}\n\n',
    b'data: {"type":"response.completed","sequence_number":8,"response":{"id":"resp_21","object":"response","status":"completed","output":[]}}\n\n',
]
BODY = {
    "id": "resp_21",
    "object": "response",
    "status": "completed",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "status": "in_progress",
            "role": "assistant",
            "content": [{"type": "output_text", "text": "To be continued.", "annotations": []}],
        }
    ],
}


def interrupted(*pieces):
    """Feed the pieces to one reducer and save it, as a process does before it ends."""
    one = reducer.Reducer("openai.responses")
    for piece in pieces:
        one.feed(piece)
    return one.save()


def resumed(state, *pieces):
    """Go on from a saved state."""
    one = reducer.Reducer.resume(state)
    for piece in pieces:
        one.feed(piece)
    return one.close()


@pytest.mark.parametrize("last", range(len(EVENTS)))
def test_R21_a_new_connection_goes_on_where_the_saved_one_ended(last):
    """With ``starting_after`` the server sends what comes after the last number that was seen."""
    result = resumed(interrupted(*EVENTS[: last + 1]), *EVENTS[last + 1 :])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


@pytest.mark.parametrize(("last", "first"), [(last, first) for last in (2, 4, 5, 7) for first in range(last + 2)])
def test_R21_events_that_are_sent_again_are_dropped(last, first):
    """A server that resends earlier events, or all of them, doubles nothing."""
    result = resumed(interrupted(*EVENTS[: last + 1]), *EVENTS[first:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


@pytest.mark.parametrize("cut", [1, 4, 5, 20, 60, 120])
def test_R21_an_event_that_was_cut_is_sent_again_whole(cut):
    """The connection broke inside an event, and the new one begins with that event: half of it is dropped, and said so."""
    result = resumed(interrupted(*EVENTS[:5], EVENTS[5][:cut]), *EVENTS[5:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert [problem.code for problem in result.problems] == ["torn_tail"]


@pytest.mark.parametrize("cut", [1, 5, 20, 60, 120])
def test_R21_the_same_bytes_go_on_inside_an_event(cut):
    """The connection stayed and only the process changed: the rest of the event follows."""
    result = resumed(interrupted(*EVENTS[:5], EVENTS[5][:cut]), EVENTS[5][cut:], *EVENTS[6:])

    assert result.to_dict() == BODY
    assert result.problems == ()


def test_R21_a_checkpoint_takes_the_place_of_what_was_saved():
    """An in_progress event that carries output resets to it, and the deltas go on from there."""
    event = {
        "type": "response.in_progress",
        "sequence_number": 6,
        "response": {
            "id": "resp_21",
            "object": "response",
            "status": "in_progress",
            "output": [
                {
                    **BODY["output"][0],
                    "content": [{"type": "output_text", "text": "To be continued", "annotations": []}],
                }
            ],
        },
    }

    result = resumed(interrupted(*EVENTS[:6]), b"data: " + json.dumps(event).encode() + b"\n\n", *EVENTS[7:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


def test_R21_saving_changes_nothing():
    """A reducer that is saved after every event gives what it would have given."""
    one = reducer.Reducer("openai.responses")
    for event in EVENTS:
        one.feed(event)
        one.save()

    assert one.close() == reducer.reduce(b"".join(EVENTS))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in STREAMS])
def test_R21_save_and_resume_anywhere(path):
    """A process may end at any byte, and another go on with the next, whatever the stream does."""
    data = path.read_bytes()
    options = json.loads(path.with_name(f"{path.stem}.expected.json").read_bytes()).get("options", {})
    whole = reducer.reduce_all(data, **options)

    for at in range(0, len(data), 13):
        one = reducer.Reducer(**options)
        one.feed(data[:at])
        other = reducer.Reducer.resume(one.save())
        other.feed(data[at:])
        other.close()

        assert other.results == whole, at


ITEM = {"id": "msg_2", "type": "message", "status": "in_progress", "role": "assistant", "content": []}
DELTA = {"type": "response.output_text.delta", "item_id": "msg_2", "output_index": 1, "content_index": 0, "delta": "x"}


@pytest.mark.parametrize(
    "event",
    [
        pytest.param({"type": "response.output_item.added", "output_index": 1, "item": ITEM}, id="added"),
        pytest.param({"type": "response.output_item.done", "output_index": 1, "item": ITEM}, id="done"),
        pytest.param(DELTA, id="made-by-a-delta"),
        pytest.param(
            {"type": "response.in_progress", "response": {"id": "resp_21", "status": "odd", "output": [ITEM, ITEM]}},
            id="a-checkpoint",
        ),
    ],
)
def test_no_more_items_than_the_limit(event):
    """An event that would make one item too many leaves no trace in the body; the result is truncated."""
    stream = reducer.Reducer(limits=reducer.Limits(max_items=1))
    for known in EVENTS[:6]:
        stream.feed(known)
    stream.feed(b"data: " + json.dumps(event).encode() + b"\n\n")
    for known in EVENTS[6:8]:
        stream.feed(known)
    snapshot = stream.snapshot().to_dict()
    stream.feed(EVENTS[8])
    result = stream.close()

    assert snapshot == {**BODY, "status": "in_progress"}
    assert result.to_dict() == BODY
    assert result.status == "truncated"
    assert [problem.code for problem in result.problems] == ["limit_items"]


def test_events_without_what_they_should_bring():
    """A part, a text, an item or a response that is missing takes nothing back."""
    bare = [
        b'data: {"type":"response.in_progress"}\n\n',
        b'data: {"type":"response.output_item.added","output_index":0}\n\n',
        b'data: {"type":"response.content_part.added","item_id":"msg_1","output_index":0,"content_index":0}\n\n',
        b'data: {"type":"response.output_text.done","item_id":"msg_1","output_index":0,"content_index":0}\n\n',
        b'data: {"type":"response.content_part.done","item_id":"msg_1","output_index":0,"content_index":0}\n\n',
        b'data: {"type":"response.output_item.done","output_index":0}\n\n',
    ]
    result = reducer.reduce(b"".join([*EVENTS[:8], *bare, EVENTS[8]]))

    assert result.to_dict() == BODY
    assert result.problems == ()


def test_keys_beside_the_terminal_response():
    """They count where the response has not the key, or a null."""
    end = (
        EVENTS[8]
        .replace(b'"sequence_number":8', b'"status":"odd","cost":7')
        .replace(b'"output":[]', b'"output":[],"usage":null')
    )
    result = reducer.reduce(
        b"".join([*EVENTS[:8], end.replace(b'"cost":7', b'"cost":7,"object":"odd","usage":{"total_tokens":3}')])
    )

    assert result.to_dict() == {**BODY, "cost": 7, "usage": {"total_tokens": 3}}
