"""Streams that no dialect reads: the problem `unknown_dialect` says what they looked like."""

import json
import struct
import zlib

import pytest

import reducer
from reducer.dialects.registry import DIALECTS, load
from reducer.dialects.unspoken import WIRES, find_wire

# A first event, and sometimes a later one, for captures that begin late.
FIRST_EVENTS = {
    "the OpenAI Realtime API": [
        '{"type":"session.created","event_id":"event_1","session":{"id":"sess_1","object":"realtime.session"}}'
    ],
    "Ollama's native API": [
        '{"model":"llama3.2","created_at":"2025-08-04T08:52:19.385406455-07:00","message":{"role":"assistant",'
        '"content":"The"},"done":false}',
        '{"model":"llama3.2","created_at":"2025-08-04T08:52:19.385406455-07:00","response":"The","done":false}',
    ],
    "Amazon Bedrock's ConverseStream": [
        '{"messageStart":{"role":"assistant"}}',
        '{"contentBlockDelta":{"contentBlockIndex":0,"delta":{"text":"Hi"}}}',
        '{"p":"abcdefgh","role":"assistant"}',
        '{"contentBlockIndex":0,"delta":{"text":"Hi"},"p":"abc"}',
        '{"contentBlockIndex":0,"start":{"toolUse":{"name":"f","toolUseId":"t"}}}',
    ],
    "Amazon Bedrock's InvokeModelWithResponseStream": [
        '{"bytes":"eyJ0eXBlIjoicGluZyJ9","p":"abc"}',
        '{"chunk":{"bytes":"eyJ0eXBlIjoicGluZyJ9"}}',
    ],
    "the Cohere v2 API": [
        '{"id":"29f14a5a","type":"message-start","delta":{"message":{"role":"assistant","content":[],"tool_plan":""}}}',
        '{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"A"}}}}',
    ],
    "the AI SDK's UI message stream": [
        '{"type":"start","messageId":"msg_1"}',
        '{"type":"start-step"}',
        '{"type":"text-delta","id":"0","delta":"Hi"}',
    ],
    "the Gemini Interactions API": [
        '{"event_type":"interaction.start","interaction":{"id":"v1_a","model":"gemini-3-pro","status":"in_progress"}}',
        '{"event_type":"interaction.created","interaction":{"id":"v1_a","status":"in_progress"}}',
        '{"event_type":"step.delta","index":0,"delta":{"type":"text","text":"Hi"}}',
    ],
    "DashScope's native API": [
        '{"output":{"choices":[{"message":{"content":"Hi","role":"assistant"},"finish_reason":"null"}]},'
        '"usage":{"total_tokens":7,"input_tokens":5,"output_tokens":2},"request_id":"940af3b0"}',
        '{"output":{"finish_reason":"null","text":"Hi"},"usage":{"total_tokens":7},"request_id":"940af3b0"}',
    ],
}
LINES = [(name, line) for name, lines in FIRST_EVENTS.items() for line in lines]


def unknown_dialect(data):
    result = reducer.reduce(data)
    assert (result.status, result.dialect) == ("empty", None)
    (problem,) = [problem for problem in result.problems if problem.code == "unknown_dialect"]
    return problem


def test_every_wire_has_a_first_event():
    """And no other name is tested."""
    assert {wire.name for wire in WIRES} == FIRST_EVENTS.keys()


@pytest.mark.parametrize(("name", "line"), LINES)
@pytest.mark.parametrize("form", [b"data: %b\n\n", b"%b\n"])
def test_a_known_wire_is_named(name, line, form):
    """With advice, and with the keys of its first event; as an event stream and as JSON lines."""
    problem = unknown_dialect(form % line.encode() * 2)

    assert name in problem.chosen
    assert next(wire.advice for wire in WIRES if wire.name == name) in problem.chosen
    assert problem.seen == list(json.loads(line))


@pytest.mark.parametrize(("name", "line"), LINES)
def test_an_event_is_of_one_wire_and_of_no_dialect(name, line):
    """So the order of the table does not matter, and no stream that is read is refused."""
    event = json.loads(line)

    assert [wire.name for wire in WIRES if wire.matches(event)] == [name]
    assert not any(load(dialect).recognise(event) for dialect in DIALECTS)


@pytest.mark.parametrize(
    "event", [{}, {"type": 1}, {"type": "message_start"}, {"output": []}, {"done": True}, {"chunk": "x"}]
)
def test_other_events_are_of_no_known_wire(event):
    """Near misses."""
    assert find_wire(event) is None


def test_an_unknown_stream_shows_its_keys():
    """Not more than fit into a problem."""
    assert (problem := unknown_dialect(b'{"b":1,"a":{"c":2}}\n')).seen == ["b", "a"]
    assert problem.chosen == "no body"

    many = json.dumps({f"{number:0100}": 1 for number in range(100)}).encode()
    assert len(json.dumps(unknown_dialect(many).seen)) < 4000


def test_text_shows_its_first_bytes():
    """It has no keys."""
    assert unknown_dialect(b"data: hello\n\n").seen == b"hello"


REALTIME = (
    b'{"type":"session.created","event_id":"e1","session":{}}\n'
    b'{"type":"response.created","response":{"id":"r","object":"realtime.response","output":[]}}\n'
    b'{"type":"response.done","response":{"id":"r","object":"realtime.response","status":"completed","output":[]}}\n'
)


def test_realtime_is_not_read_as_responses():
    """A stream that begins with `session.created` is named, though later events look like Responses."""
    assert "Realtime" in unknown_dialect(REALTIME).chosen


def test_realtime_is_read_if_the_caller_says_so():
    """The caller's dialect decides."""
    result = reducer.reduce(REALTIME, dialect="openai.responses")

    assert result.dialect == "openai.responses"
    assert result.to_dict()["id"] == "r"


def test_a_saved_reducer_remembers_realtime():
    """The first event came before `save`."""
    first, rest = REALTIME[:60], REALTIME[60:]
    one = reducer.Reducer()
    one.feed(first)
    other = reducer.Reducer.resume(one.save())
    other.feed(rest)

    assert other.close().dialect is None


def binary_frame(event_type, payload):
    """Encode a frame of an AWS event stream."""
    headers = b""
    for name, value in ((":event-type", event_type), (":content-type", "application/json"), (":message-type", "event")):
        headers += bytes([len(name)]) + name.encode() + b"\7" + struct.pack(">H", len(value)) + value.encode()
    prelude = struct.pack(">II", 16 + len(headers) + len(payload), len(headers))
    frame = prelude + struct.pack(">I", zlib.crc32(prelude)) + headers + payload
    return frame + struct.pack(">I", zlib.crc32(frame))


BINARY = binary_frame("messageStart", b'{"p":"abcd","role":"assistant"}') + binary_frame(
    "contentBlockDelta", b'{"contentBlockIndex":0,"delta":{"text":"Hi"}}'
)


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_binary_frames_are_named(size):
    """In any split of the bytes."""
    one = reducer.Reducer()
    for at in range(0, len(BINARY), size):
        one.feed(BINARY[at : at + size])
    result = one.close()

    assert (result.status, [problem.code for problem in result.problems]) == ("empty", ["binary"])
    assert "Amazon Bedrock" in result.problems[0].chosen


@pytest.mark.parametrize("data", [b"\0", b"\0\0\0\x10", b"\0" * 40, b"\0data: 1\n\n" * 3])
def test_other_binary_bodies_are_not(data):
    """A body that begins with NUL."""
    results = [reducer.reduce(data), reducer.Reducer()]
    for at in range(len(data)):
        results[1].feed(data[at : at + 1])
    results[1] = results[1].close()

    assert results[0].problems == results[1].problems
    assert "Bedrock" not in results[0].problems[0].chosen


# -- decision 13 -----------------------------------------------------------------------------------

NO_ERRORS = [
    '{"code":0,"message":"Success","sid":"s"}',
    '{"code":"0","message":"Success"}',
    '{"code":0,"message":"","error":null}',
]
ERRORS = {
    '{"code":1,"message":"bad"}': "bad",
    '{"code":"10013","message":"bad"}': "bad",
    '{"code":0,"message":"no","error":{"code":0,"message":"bad"}}': "bad",
    '{"error":{"code":"0","message":"bad"}}': "bad",
    '{"detail":"bad","code":0}': "bad",
}  # fmt: skip


@pytest.mark.parametrize("line", NO_ERRORS)
def test_code_0_is_no_error(line):
    """Spark sends it with its usage."""
    result = reducer.reduce(f"data: {line}\n\n".encode())

    assert (result.status, result.error) == ("empty", None)


@pytest.mark.parametrize("line", ERRORS)
def test_an_error_counts_whatever_its_code(line):
    """An object under `error`, and other codes than 0."""
    result = reducer.reduce(f"data: {line}\n\n".encode())

    assert (result.status, result.error.message) == ("failed", ERRORS[line])
