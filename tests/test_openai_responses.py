"""`openai.responses`: streams that continue over a second connection (R21), limits, and batches. The samples in
``samples/odd`` show the other quirks.
"""

import json
from pathlib import Path

import pytest

import reducer
from reducer.dialects import openai_responses
from reducer.dialects.openai_responses.events import FAMILIES

ODD = Path(__file__).parent.parent / "samples" / "odd" / "openai_responses"
# After a resume, a number that comes again is a replay (R21), so a stream that repeats one depends on the place.
STREAMS = sorted(
    path for path in ODD.iterdir() if path.suffix in (".sse", ".jsonl") and not path.stem.startswith("C45")
)

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


def save_after(*pieces):
    """Feed pieces of a stream to a new reducer, and return its saved state."""
    one = reducer.Reducer("openai.responses")
    for piece in pieces:
        one.feed(piece)
    return one.save()


def resume_with(state, *pieces):
    """Resume a saved state, feed more pieces, and return the result."""
    one = reducer.Reducer.resume(state)
    for piece in pieces:
        one.feed(piece)
    return one.close()


@pytest.mark.parametrize("last", range(len(EVENTS)))
def test_R21_a_new_connection_continues_the_stream(last):
    """With ``starting_after``, the server sends only the events after the given number."""
    result = resume_with(save_after(*EVENTS[: last + 1]), *EVENTS[last + 1 :])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


@pytest.mark.parametrize(("last", "first"), [(last, first) for last in (2, 4, 5, 7) for first in range(last + 2)])
def test_R21_events_that_are_sent_again_are_dropped(last, first):
    """Events that the server sends again add nothing."""
    result = resume_with(save_after(*EVENTS[: last + 1]), *EVENTS[first:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


@pytest.mark.parametrize("cut", [1, 4, 5, 20, 60, 120])
def test_R21_an_event_that_was_cut_is_sent_again_whole(cut):
    """The first connection ended inside an event, and the second begins with this event.

    The incomplete event is dropped and reported.
    """
    result = resume_with(save_after(*EVENTS[:5], EVENTS[5][:cut]), *EVENTS[5:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert [problem.code for problem in result.problems] == ["torn_tail"]


@pytest.mark.parametrize("cut", [1, 5, 20, 60, 120])
def test_R21_the_bytes_continue_inside_an_event(cut):
    """Only the process changed, not the connection: the rest of the event follows."""
    result = resume_with(save_after(*EVENTS[:5], EVENTS[5][:cut]), EVENTS[5][cut:], *EVENTS[6:])

    assert result.to_dict() == BODY
    assert result.problems == ()


def test_R21_a_checkpoint_replaces_the_saved_output():
    """An `in_progress` event with output replaces the output so far, and later deltas are appended to it."""
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

    result = resume_with(save_after(*EVENTS[:6]), b"data: " + json.dumps(event).encode() + b"\n\n", *EVENTS[7:])

    assert result.to_dict() == BODY
    assert result.status == "complete"
    assert result.problems == ()


def test_R21_saving_changes_nothing():
    """Saving after every event does not change the result."""
    one = reducer.Reducer("openai.responses")
    for event in EVENTS:
        one.feed(event)
        one.save()

    assert one.close() == reducer.reduce(b"".join(EVENTS))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in STREAMS])
def test_R21_save_and_resume_anywhere(path):
    """A state that was saved after any byte gives the same results."""
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
    """An event that would make too many items is dropped as a whole, and the result is truncated."""
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


def test_events_without_their_values():
    """Events without a part, text, item or response erase nothing."""
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
    """They count if the response has null or no such key."""
    end = (
        EVENTS[8]
        .replace(b'"sequence_number":8', b'"status":"odd","cost":7')
        .replace(b'"output":[]', b'"output":[],"usage":null')
    )
    result = reducer.reduce(
        b"".join([*EVENTS[:8], end.replace(b'"cost":7', b'"cost":7,"object":"odd","usage":{"total_tokens":3}')])
    )

    assert result.to_dict() == {**BODY, "cost": 7, "usage": {"total_tokens": 3}}


# -- batches -------------------------------------------------------------------------------------


def delta(family, **fields):
    """Return a text delta as a server-sent event."""
    return b"data: " + json.dumps({"type": f"response.{family}.delta", **fields}).encode() + b"\n\n"


def text_delta(piece, ident="msg_1", **fields):
    return delta("output_text", item_id=ident, output_index=0, content_index=0, delta=piece, **fields)


def call_added(index):
    item = {"id": f"fc_{index}", "type": "function_call", "call_id": f"call_{index}", "name": "tide", "arguments": ""}
    event = {"type": "response.output_item.added", "output_index": index, "item": item}
    return b"data: " + json.dumps(event).encode() + b"\n\n"


def arguments_delta(index, piece):
    return delta("function_call_arguments", item_id=f"fc_{index}", output_index=index, delta=piece)


BATCHED = {
    "one-text": [text_delta(f"{n} ") for n in range(100)],
    "a-new-id-at-every-event": [text_delta(f"{n} ", ident=f"id_{n}") for n in range(100)],
    "two-ids-of-one-text": [text_delta(f"{n} ", ident=f"id_{n % 2}") for n in range(100)],
    "two-calls-in-turn": [call_added(1), call_added(2), *(arguments_delta(1 + n % 2, f"{n}") for n in range(100))],
    "without-ids": [
        delta("output_text", output_index=0, content_index=0, delta=f"{n} ", obfuscation="x" * (n % 7))
        for n in range(100)
    ],
    "without-indices": [delta("output_text", item_id="msg_1", delta=f"{n} ") for n in range(100)],
}


def count_events_of_the_event_path(monkeypatch, data):
    """Reduce a stream. Return the result and the number of events that no batch merged."""
    from reducer.responses import Responses

    count = 0
    merge = Responses.merge_payload

    def counted(self, payload, name):
        nonlocal count
        count += 1
        merge(self, payload, name)

    monkeypatch.setattr(Responses, "merge_payload", counted)
    return reducer.reduce(data), count


@pytest.mark.parametrize("deltas", [pytest.param(deltas, id=name) for name, deltas in BATCHED.items()])
def test_batches_give_what_the_event_path_gives(monkeypatch, deltas):
    """Batches merge the deltas of several texts, and the result is equal to that of the event path."""
    data = b"".join([*EVENTS[:4], *deltas, EVENTS[8]])
    expected = reducer.reduce(data, fast=False)
    result, count = count_events_of_the_event_path(monkeypatch, data)

    assert result == expected
    assert expected.status == "complete"
    assert expected.problems == ()
    assert count <= 9


@pytest.mark.parametrize(
    "misleading",
    [
        pytest.param(text_delta("odd", unknown=1), id="undeclared-key"),
        pytest.param(text_delta("odd", logprobs=[{"token": "odd"}]), id="log-probabilities"),
        pytest.param(text_delta({"text": "odd"}), id="an-object"),
        pytest.param(text_delta("odd", ident=7), id="wrong-type"),
        pytest.param(text_delta("\ud83d"), id="half-a-surrogate-pair"),
        pytest.param(EVENTS[8], id="the-terminal-event"),
        pytest.param(
            b'data: {"type":"response.output_text.done","item_id":"msg_1","output_index":0,"content_index":0,"text":"x"}'
            b"\n\n",
            id="a-done-text",
        ),
    ],
)
def test_misleading_event_among_deltas(misleading):
    """The results with and without batches are equal, also for deltas that come too late."""
    run = [text_delta(f"{n} ") for n in range(40)]
    data = b"".join([*EVENTS[:4], *run, misleading, *run, EVENTS[8]])
    result = reducer.reduce(data)

    assert result == reducer.reduce(data, fast=False)


# -- events and bodies ----------------------------------------------------------------------------


def event(kind, **data):
    return json.dumps({"type": kind, **data}).encode()


def response(status="in_progress", *output, **more):
    return {"id": "resp_1", "object": "response", "status": status, "output": list(output), **more}


def item_of(kind, number, **more):
    return {"type": kind, "id": f"item_{number}", "call_id": f"call_{number}", "name": "f", **more}


def fed(*payloads, **options):
    one = reducer.Reducer("openai.responses", **options)
    for payload in payloads:
        one.feed(b"data: " + payload + b"\n\n")
    return one


def state_of(one):
    """The state, after everything that was fed has been merged."""
    one.snapshot()
    return one._pipeline.responses.current.state


CREATED = event("response.created", response=response())
COMPLETED = event("response.completed", response=response("completed"))


# -- names (R31) ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "name", "expected"),
    [
        ({"delta": "x"}, "response.output_text.delta", {"delta": "x", "type": "response.output_text.delta"}),
        (
            {"type": "text", "delta": "x"},
            "response.output_text.delta",
            {"type": "response.output_text.delta", "delta": "x"},
        ),
        (
            {"type": None, "delta": "x"},
            "response.output_text.delta",
            {"type": "response.output_text.delta", "delta": "x"},
        ),
        # The type of an event counts before its name, a known one or not.
        ({"type": "response.queued"}, "response.created", None),
        ({"type": "response.of_tomorrow"}, "response.created", None),
        ({"type": "codex.rate_limits"}, "response.created", None),
        ({"type": "error", "message": "m"}, "response.failed", None),
        ({"type": "keepalive"}, "response.in_progress", None),
        # A name that is no known event's says nothing.
        ({"id": "r"}, "response.of_tomorrow", None),
        ({"id": "r"}, "message", None),
        (
            {"type": "server_error", "message": "m", "sequence_number": 4},
            "response.failed",
            {
                "type": "response.failed",
                "response": {"error": {"type": "server_error", "message": "m"}},
                "sequence_number": 4,
            },
        ),
        # Bare objects.
        ({"id": "r"}, "response.created", {"type": "response.created", "response": {"id": "r"}}),
        (
            {"id": "r", "type": "response", "sequence_number": 3},
            "response.completed",
            {"type": "response.completed", "response": {"id": "r", "type": "response"}, "sequence_number": 3},
        ),
        ({"response": {"id": "r"}}, "response.done", {"response": {"id": "r"}, "type": "response.done"}),
        ({"sequence_number": 3}, "response.completed", {"sequence_number": 3, "type": "response.completed"}),
        ({}, "response.completed", {"type": "response.completed"}),
        (
            {"type": "message", "id": "m", "output_index": 1},
            "response.output_item.done",
            {"type": "response.output_item.done", "item": {"type": "message", "id": "m"}, "output_index": 1},
        ),
        (
            {"type": "summary_text", "text": "x", "item_id": "rs", "summary_index": 0},
            "response.reasoning_summary_part.added",
            {
                "type": "response.reasoning_summary_part.added",
                "part": {"type": "summary_text", "text": "x"},
                "item_id": "rs",
                "summary_index": 0,
            },
        ),
        (
            {"item": {"type": "message"}, "type": "message"},
            "response.output_item.added",
            {"item": {"type": "message"}, "type": "response.output_item.added"},
        ),
    ],
)
def test_R31_the_name_of_an_event_is_its_type(data, name, expected):
    before = dict(data)

    assert openai_responses.named(data, name) == (data if expected is None else expected)
    assert data == before


# -- bodies sent whole ----------------------------------------------------------------------------


@pytest.mark.parametrize("status", ["in_progress", "queued"])
def test_a_polled_body_is_truncated(status):
    result = reducer.reduce(json.dumps(response(status)).encode())

    assert result.status == "truncated"
    assert result.to_dict() == response(status)
    assert [problem.code for problem in result.problems] == ["no_terminal"]


@pytest.mark.parametrize("status", ["completed", "incomplete", "cancelled", None])
def test_any_other_whole_body_is_complete(status):
    result = reducer.reduce(json.dumps(response(status)).encode())

    assert result.status == "complete"
    assert result.to_dict() == response(status)


def test_a_response_is_polled_until_it_is_complete():
    """The last body counts, and after a complete one nothing does."""
    last = response("completed", item_of("function_call", 1, arguments="{}"))
    bodies = [response("queued"), response("in_progress"), last]
    result = fed(*(json.dumps(body).encode() for body in bodies)).close()

    assert result.status == "complete"
    assert result.to_dict() == last
    assert result.problems == ()


def test_events_may_follow_a_polled_body():
    one = fed(
        json.dumps(response("queued", model="m")).encode(),
        event("response.output_item.added", output_index=0, item={"type": "message", "id": "m1", "content": []}),
        event("response.output_text.delta", output_index=0, item_id="m1", content_index=0, delta="Later."),
    )
    assert one.snapshot().status == "truncated"
    one.feed(b"data: " + COMPLETED + b"\n\n")
    result = one.close()

    assert result.status == "complete"
    assert result.to_dict() == response(
        "completed",
        {"type": "message", "id": "m1", "content": [{"type": "output_text", "text": "Later."}]},
        model="m",
    )


@pytest.mark.parametrize("status", ["completed", "in_progress"])
def test_response_created_with_another_id_leaves_a_whole_body_as_it_is(status):
    body = response(status, "odd", {"type": "message", "content": "odd"}, text=None)
    one = fed(json.dumps(body).encode(), CREATED.replace(b"resp_1", b"resp_2"))
    one.close()

    assert [result.to_dict() for result in one.results] == [body, {**response(), "id": "resp_2"}]


@pytest.mark.parametrize(
    ("last", "status", "codes"),
    [
        (response("completed"), "complete", ["late_event"]),
        (response("failed", status_details={"error": {"message": "m"}}), "failed", []),
    ],
)
def test_response_done_after_the_terminal_event_counts_if_it_failed(last, status, codes):
    result = fed(CREATED, COMPLETED, event("response.done", response=last)).close()

    assert result.status == status
    assert [problem.code for problem in result.problems] == codes


def test_a_polled_body_may_be_saved():
    one = fed(json.dumps(response("queued")).encode())
    one = reducer.Reducer.resume(one.save())
    one.feed(b"data: " + COMPLETED + b"\n\n")

    assert one.close().to_dict() == response("completed")


@pytest.mark.parametrize("late", [CREATED, COMPLETED, event("response.in_progress", response=response())])
def test_events_after_a_whole_body_change_nothing(late):
    """They are known events, and ``response.created`` with the same id begins no other response."""
    body = response("completed", item_of("function_call", 1, arguments="{}"))
    one = fed(json.dumps(body).encode(), late)
    result = one.close()

    assert len(one.results) == 1
    assert result.status == "complete"
    assert result.to_dict() == body
    assert [problem.code for problem in result.problems if problem.code == "unknown_event"] == []


def test_response_created_with_another_id_after_a_whole_body_begins_another_response():
    one = fed(json.dumps(response("completed")).encode(), CREATED.replace(b"resp_1", b"resp_2"))
    one.close()

    assert [result.to_dict()["id"] for result in one.results] == ["resp_1", "resp_2"]


# -- what the wire has closed ---------------------------------------------------------------------

CALL = event("response.output_item.added", output_index=0, item=item_of("function_call", 1, arguments=""))
CUSTOM = event("response.output_item.added", output_index=1, item=item_of("custom_tool_call", 2, input=""))
PIECE = event("response.function_call_arguments.delta", item_id="item_1", output_index=0, delta='{"a":1}')
INPUT = event("response.custom_tool_call_input.delta", item_id="item_2", output_index=1, delta="free")
CLOSED = event("response.function_call_arguments.done", item_id="item_1", output_index=0, arguments='{"a":1}')
EMPTY = event("response.function_call_arguments.done", item_id="item_1", output_index=0, arguments="")
DONE = item_of("function_call", 1, arguments='{"a":1}', status="completed")
MESSAGE = event("response.output_item.added", output_index=0, item={"type": "message", "id": "m", "content": []})
BOTH = {(0, 0): '{"a":1}', (0, 1): "free"}


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ([CALL], {(0, 0): ""}),
        ([CALL, PIECE, CUSTOM, INPUT], BOTH),
        ([CALL, PIECE, CLOSED, CUSTOM, INPUT], {(0, 1): "free"}),
        ([CALL, PIECE, EMPTY], {}),
        ([MESSAGE, CALL.replace(b'"output_index": 0', b'"output_index": 1')], {(0, 1): ""}),
        ([CALL, PIECE, event("response.output_item.done", output_index=0, item=DONE)], {}),
        ([CALL, event("response.output_item.done", output_index=0, item={**DONE, "status": "incomplete"})], {(0, 0): '{"a":1}'}),
        # A terminal event closes every call, one that says that the response was cut only those that it has.
        ([CALL, PIECE, CUSTOM, INPUT, COMPLETED], {}),
        ([CALL, PIECE, CUSTOM, INPUT, event("response.completed")], {}),
        ([CALL, PIECE, CUSTOM, INPUT, event("response.incomplete", response=response("incomplete"))], BOTH),
        ([CALL, PIECE, CUSTOM, INPUT, event("response.failed", response=response("failed"))], BOTH),
        ([CALL, PIECE, CUSTOM, INPUT, event("response.done", response=response("cancelled"))], BOTH),
        ([CALL, PIECE, event("response.incomplete", response=response("incomplete", DONE))], {}),
        ([event("response.incomplete", response=response("incomplete", {**DONE, "status": "incomplete"}))], {(0, 0): '{"a":1}'}),
        ([event("response.completed", response=response("completed", DONE))], {}),
        # Bodies sent whole.
        ([json.dumps(response("completed", DONE)).encode()], {}),
        ([json.dumps(response("incomplete", {**DONE, "status": "incomplete"})).encode()], {(0, 0): '{"a":1}'}),
        ([json.dumps(response("in_progress", None, {"type": "message"}, DONE)).encode()], {(0, 2): '{"a":1}'}),
    ],
)  # fmt: skip
def test_incomplete_calls_are_those_that_the_wire_has_not_closed(payloads, expected):
    created = [] if b'"type": "response.' not in payloads[0] else [CREATED]
    one = fed(*created, *payloads)

    assert openai_responses.incomplete_calls(state_of(one)) == expected
    for _, place in expected:  # the place is that in the body
        assert one.snapshot().to_dict()["output"][place]["type"] in ("function_call", "custom_tool_call")


@pytest.mark.parametrize(
    ("payloads", "expected"),
    [
        ([CREATED, CALL], False),
        ([CREATED, COMPLETED], True),
        ([CREATED, event("response.done")], True),
        ([json.dumps(response("completed")).encode()], True),
        ([json.dumps(response("queued")).encode()], False),
    ],
)
def test_a_response_has_ended_by_its_terminal_event_or_as_a_whole_body(payloads, expected):
    assert openai_responses.has_ended(state_of(fed(*payloads))) is expected


# -- texts ----------------------------------------------------------------------------------------


def test_every_family_of_text_events_keeps_its_text():
    """Through its deltas, its done event, an empty done item and an empty terminal one."""
    for name, family in FAMILIES.items():
        item = {"type": family.item, "id": "i"}
        address = {"item_id": "i", "output_index": 0}
        for last in (
            [event(f"{name}.done", **address, **{family.field: "text, whole"})],
            [event("response.output_item.done", output_index=0, item=item)],
            [event("response.completed", response=response("completed", item))],
            [],
        ):
            one = fed(
                CREATED,
                event("response.output_item.added", output_index=0, item=item),
                event(f"{name}.delta", **address, delta="text, "),
                event(f"{name}.delta", **address, delta="whole"),
                *last,
            )
            assert b'"text, whole"' in one.close().json(), (name, last)


@pytest.mark.parametrize("kind", [5, [], {}])
def test_an_item_whose_type_is_no_string_is_kept(kind):
    item = item_of(kind, 1)
    result = fed(
        CREATED,
        event("response.output_item.added", output_index=0, item=item),
        event("response.output_text.delta", output_index=0, delta="x"),
        event("response.completed", response=response("completed", item)),
    ).close()

    assert [problem.code for problem in result.problems] == []
    assert result.to_dict()["output"] == [{**item, "content": [{"type": "output_text", "text": "x"}]}]


def test_the_repair_cumulative_reports_a_command_that_it_changes():
    snapshots = ["find . -name '*.py'", "find . -name '*.py' | wc -l"]
    deltas = [
        event("response.shell_call_command.delta", output_index=0, command_index=0, delta=text) for text in snapshots
    ]
    result = fed(CREATED, *deltas, COMPLETED, repairs=["cumulative"]).close()

    assert result.to_dict()["output"] == [{"type": "shell_call", "action": {"commands": [snapshots[1]]}}]
    assert [problem.code for problem in result.problems] == ["repaired"]


def test_a_checkpoint_may_not_bring_too_many_items():
    """One event may add only so many items, and keeps what came if there are more."""
    checkpoint = event(
        "response.in_progress", response=response("in_progress", *[item_of("reasoning", n) for n in range(4)])
    )
    one = fed(CREATED, CALL, checkpoint, limits=reducer.Limits(max_new_slots=3))

    result = one.close()
    assert [item["type"] for item in result.to_dict()["output"]] == ["function_call"]
    assert [problem.code for problem in result.problems][:1] == ["limit_new_slots"]


def with_number(event, number):
    """Return an event with another sequence number, or without one."""
    value = json.loads(event.removeprefix(b"data: "))
    value.pop("sequence_number")
    more = {} if number is None else {"sequence_number": number}
    return b"data: " + json.dumps({**value, **more}).encode() + b"\n\n"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("numbers", "seen"),
    [
        pytest.param(range(9), None, id="growing"),
        pytest.param([0, 1, 2, 3, 5, 7, 20, 21, 22], None, id="with-gaps"),
        pytest.param([0] * 9, None, id="always-0"),
        pytest.param([None] * 9, None, id="without"),
        pytest.param([None, None, None, None, 4, 5, 6, 7, None], None, id="deltas-alone"),
        pytest.param([None, None, None, None, 4, 5, 6, 6, None], [6, 6], id="deltas-alone-repeated"),
        pytest.param([0, 1, 2, 3, 4, 5, 4, 5, 6], [5, 4], id="two-repeated"),
        pytest.param([0, 1, 2, 3, 4, 4, 4, 4, 5], [4, 4], id="one-repeated"),
        pytest.param([0, 1, 2, 3, 3, 4, 5, 6, 7], [3, 3], id="the-first-of-a-batch"),
    ],
)
def test_C45_a_repeated_number_names_its_repair(numbers, seen, fast):
    """It is reported once, by both paths. Numbers that never grow count nothing (R20)."""
    data = b"".join(map(with_number, EVENTS, numbers))
    result = reducer.reduce(data, fast=fast)

    assert result.to_dict() == BODY
    assert [(problem.code, problem.seen) for problem in result.problems] == (
        [] if seen is None else [("repairable", {"sequence_number": seen})]
    )
    repaired = reducer.reduce(data, fast=fast, repairs=["duplicate_chunks"])
    assert "repairable" not in [problem.code for problem in repaired.problems]


@pytest.mark.parametrize("event", ["response.failed", "response.done", "response.completed"])
def test_a_late_terminal_event_without_an_error(event):
    """After the terminal event, one that says nothing new is reported and ignored."""
    late = {"type": event, "response": {"id": "resp_21", "object": "response", "status": "completed"}}
    result = reducer.reduce(b"".join(EVENTS) + b"data: " + json.dumps(late).encode() + b"\n\n")

    assert (result.status, result.to_dict(), result.error) == ("complete", BODY, None)
    assert [(problem.code, problem.seen) for problem in result.problems] == [("late_event", event)]


def test_an_item_under_more_ids_than_are_remembered_is_whole():
    """Four ids an item are remembered; events under further ones find it by its index."""
    events = [{"type": "response.created", "response": {"id": "r", "output": []}}]
    for number in range(6):
        place = {"output_index": 0, "item_id": f"i{number}"}
        item = {"type": "message", "id": f"i{number}", "role": "assistant", "content": []}
        events.append({"type": "response.output_item.added", **place, "item": item})
        events.append({"type": "response.output_text.delta", **place, "content_index": 0, "delta": str(number)})
    result = reducer.reduce(events, limits=reducer.Limits(max_items=1))

    assert [part["text"] for item in result.to_dict()["output"] for part in item["content"]] == ["012345"]
