"""`anthropic.messages`: the quirks A1 to A15, each by its id, and the other rules of the dialect."""

from __future__ import annotations

import json

import pytest

import reducer
from reducer.dialects.anthropic_messages import incomplete_calls
from reducer.responses import Responses
from tests.helpers import feed_bytewise, feed_random, feed_whole

START = """{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}"""
TEXT_0 = """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""
HI = """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"""
STOP_0 = """{"type":"content_block_stop","index":0}"""
END = """{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}"""
STOP = """{"type":"message_stop"}"""
HI_BLOCK = {"type": "text", "text": "Hi"}
TOOL_1 = (
    """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{}}}"""
)
ARGS_1 = """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}"""
CALL_1 = {"type": "tool_use", "id": "t_1", "name": "f", "input": {"a": 1}}


def sse(*payloads: str) -> bytes:
    """Frame payloads as the API does. A payload that is a comment line stays a comment line."""
    frames = []
    for payload in payloads:
        if payload.startswith(":"):
            frames.append(f"{payload}\n\n")
        else:
            kind = json.loads(payload).get("type")
            frames.append((f"event: {kind}\n" if kind else "") + f"data: {payload}\n\n")
    return "".join(frames).encode()


def reduced(*payloads: str, **options) -> reducer.Result:
    """Reduce a stream of one response whole, bytewise, in random reads and without batches; all results must be equal."""
    [result] = reduced_all(*payloads, **options)
    return result


def reduced_all(*payloads: str, **options) -> list[reducer.Result]:
    data = sse(*payloads)
    whole = feed_whole(data, **options)
    assert whole == feed_whole(data, fast=False, **options)
    assert whole == feed_bytewise(data, **options)
    for seed in range(3):
        assert whole == feed_random(data, seed, **options)
    return whole


def codes(result: reducer.Result) -> list[str]:
    return [problem.code for problem in result.problems]


def message(content: list, **changes) -> dict:
    """Return the body of a stream that begins with START and ends with END, with the given changes."""
    return {
        "id": "msg_1",
        "type": "message",
        "role": "assistant",
        "model": "claude-x",
        "content": content,
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 7, "output_tokens": 3},
        **changes,
    }


# Each row: its id, the payloads, the body, the status, the codes of the problems.
ROWS = [
    (
        "A1-deltas-of-another-kind-than-their-block",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm"}}""",
            HI,
            HI,
            STOP_0,
            """{"type":"content_block_start","index":1,"content_block":{"type":"server_tool_use","name":"f","input":{}}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{}"}}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"H"}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"thinking_delta","thinking":"m"}}""",
            END,
            STOP,
        ],
        message(
            [
                {"type": "thinking", "thinking": "Hm", "text": "HiHi"},
                {"type": "server_tool_use", "name": "f", "input": {}},
                {"type": "text", "text": "", "thinking": "Hm"},
            ]
        ),
        "complete",
        ["sources_differ", "sources_differ"],
    ),
    (
        "A1-index-gaps-and-blocks-out-of-order",
        [
            START,
            """{"type":"content_block_start","index":5,"content_block":{"type":"text","text":""}}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"text","text":""}}""",
            """{"type":"content_block_delta","index":5,"delta":{"type":"text_delta","text":"second"}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"first"}}""",
            END,
            STOP,
        ],
        message([{"type": "text", "text": "first"}, {"type": "text", "text": "second"}]),
        "complete",
        [],
    ),
    (
        "A1-deltas-before-any-start",
        [
            START,
            HI,
            """{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"Hm"}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"signature_delta","signature":"EqQB"}}""",
            """{"type":"content_block_delta","index":3,"delta":{"type":"input_json_delta","partial_json":"{}"}}""",
            """{"type":"content_block_delta","index":4,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}""",
            """{"type":"content_block_delta","index":5,"delta":{"type":"compaction_delta","content":"so far"}}""",
            END,
            STOP,
        ],
        message(
            [
                HI_BLOCK,
                {"type": "thinking", "thinking": "Hm"},
                {"type": "thinking", "signature": "EqQB"},
                {"type": "tool_use", "input": {}},
                {"type": "text", "citations": [{"cited_text": "x"}]},
                {"type": "compaction", "content": "so far"},
            ]
        ),
        "complete",
        ["block_not_started"] * 6,
    ),
    (
        "A1-start-after-its-first-delta",
        [
            START,
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\""}}""",
            """{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"m_1","name":"f","server_name":"s","input":{}}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":":1}"}}""",
            END,
            STOP,
        ],
        message([{"type": "mcp_tool_use", "id": "m_1", "name": "f", "server_name": "s", "input": {"a": 1}}]),
        "complete",
        ["block_not_started", "block_restarted"],
    ),
    (
        "A2-message-start-without-usage",
        [START.replace(',"usage":{"input_tokens":7,"output_tokens":1}', ""), TEXT_0, HI, STOP_0, END, STOP],
        message([HI_BLOCK], usage={"output_tokens": 3}),
        "complete",
        [],
    ),
    (
        "A2-message-start-with-null-usage",
        [START.replace('{"input_tokens":7,"output_tokens":1}', "null"), TEXT_0, HI, STOP_0, END, STOP],
        message([HI_BLOCK], usage={"output_tokens": 3}),
        "complete",
        [],
    ),
    (
        "A3-usage-cumulative-and-never-erased",
        [
            START.replace(
                '{"input_tokens":7,"output_tokens":1}',
                '{"input_tokens":0,"output_tokens":1,"cache_read_input_tokens":4,"cache_creation":{"ephemeral_5m_input_tokens":2}}',
            ),
            TEXT_0,
            HI,
            """{"type":"message_delta","delta":{},"usage":{"input_tokens":7,"output_tokens":2}}""",
            """{"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":null,"output_tokens":3,"cache_read_input_tokens":null,"server_tool_use":{"web_search_requests":0}}}""",
            STOP,
        ],
        message(
            [HI_BLOCK],
            usage={
                "input_tokens": 7,
                "output_tokens": 3,
                "cache_read_input_tokens": 4,
                "cache_creation": {"ephemeral_5m_input_tokens": 2},
                "server_tool_use": {"web_search_requests": 0},
            },
        ),
        "complete",
        [],
    ),
    (
        "A4-usage-of-the-start-is-provisional",
        [START, TEXT_0, HI],
        message([HI_BLOCK], stop_reason=None, usage={"input_tokens": 7, "output_tokens": 1}),
        "truncated",
        ["usage_provisional", "no_terminal"],
    ),
    (
        "A5-only-empty-pieces-are-an-empty-object",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{}}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t_2","name":"g","input":null}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":null}}""",
            END,
            STOP,
        ],
        message(
            [
                {"type": "tool_use", "id": "t_1", "name": "f", "input": {}},
                {"type": "tool_use", "id": "t_2", "name": "g", "input": {}},
            ]
        ),
        "complete",
        [],
    ),
    (
        "A5-an-input-that-is-cut-keeps-its-start-value",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{}}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\": [1, "}}""",
            END.replace("end_turn", "max_tokens"),
            STOP,
        ],
        message([{"type": "tool_use", "id": "t_1", "name": "f", "input": {}}], stop_reason="max_tokens"),
        "complete",
        ["input_not_json"],
    ),
    (
        "A6-start-values-and-deltas",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"H"}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"i"}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{"a":1}}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}""",
            END,
            STOP,
        ],
        message([HI_BLOCK, {"type": "tool_use", "id": "t_1", "name": "f", "input": {"a": 1}}]),
        "complete",
        [],
    ),
    (
        "A6-an-input-in-start-and-another-in-deltas",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{"a":1}}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":2}"}}""",
            END,
            STOP,
        ],
        message([{"type": "tool_use", "id": "t_1", "name": "f", "input": {"a": 2}}]),
        "complete",
        ["sources_differ"],
    ),
    (
        "A7-input-of-any-block",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"m_1","name":"f","server_name":"s","input":{}}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"future_call","id":"x_1"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"[2]"}}""",
            END,
            STOP,
        ],
        message(
            [
                {"type": "mcp_tool_use", "id": "m_1", "name": "f", "server_name": "s", "input": {"a": 1}},
                {"type": "future_call", "id": "x_1", "input": [2]},
            ]
        ),
        "complete",
        [],
    ),
    (
        "A8-the-last-signature-and-redacted-thinking",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":"Hm","estimated_tokens":1}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"first"}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"second"}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"redacted_thinking","data":"Emw"}}""",
            END,
            STOP,
        ],
        message(
            [
                {"type": "thinking", "thinking": "Hm", "signature": "second"},
                {"type": "redacted_thinking", "data": "Emw"},
            ]
        ),
        "complete",
        [],
    ),
    (
        "A9-citations-append-to-null-or-a-list",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"","citations":null}}""",
            HI,
            """{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"text","text":"","citations":[{"cited_text":"a"}]}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"citations_delta","citation":{"cited_text":"a"}}}""",
            END,
            STOP,
        ],
        message(
            [
                {"type": "text", "text": "Hi", "citations": [{"cited_text": "x"}]},
                {"type": "text", "text": "", "citations": [{"cited_text": "a"}, {"cited_text": "a"}]},
            ]
        ),
        "complete",
        [],
    ),
    (
        "A10-ping-and-unknown-events",
        [
            """{"type":"ping"}""",
            START,
            """{"type":"ping","at":5}""",
            TEXT_0,
            HI,
            """{"type":"future_event","index":0,"delta":{"type":"text_delta","text":"no"}}""",
            """{"type":"content_block_start","index":1,"content_block":{"type":"future","a":"x"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"future_delta","a":"y","b":1,"text":"t"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"future_delta","a":"z","b":2,"text":"u"}}""",
            END,
            STOP,
        ],
        message([HI_BLOCK, {"type": "future", "a": "xyz", "b": 2, "text": "tu"}]),
        "complete",
        ["unknown_event", "unknown_delta"],
    ),
    (
        "A10-compaction",
        [
            START,
            """{"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"so ","encrypted_content":"Er"}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"far","encrypted_content":null}}""",
            END,
            STOP,
        ],
        message([{"type": "compaction", "content": "so far", "encrypted_content": "Er"}]),
        "complete",
        [],
    ),
    (
        "A10-error-event",
        [START, TEXT_0, HI, END, """{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"""],
        message([HI_BLOCK]),
        "failed",
        [],
    ),
    (
        "A11-no-stop-events",
        [START, TEXT_0, HI, END],
        message([HI_BLOCK]),
        "truncated",
        ["no_terminal"],
    ),
    (
        "A12-usage-in-every-chunk-of-the-endpoint-in-OpenAIs-language",
        [
            """{"id":"msg_1","object":"chat.completion.chunk","created":5,"model":"claude-x","choices":[{"index":0,"delta":{"role":"assistant","content":"H"},"finish_reason":null}],"usage":{"prompt_tokens":7,"completion_tokens":1,"total_tokens":8}}""",
            ": ping",
            """{"id":"msg_1","object":"chat.completion.chunk","created":5,"model":"claude-x","choices":[{"index":0,"delta":{"content":"i"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":3,"total_tokens":10}}""",
        ],
        {
            "id": "msg_1",
            "object": "chat.completion",
            "created": 5,
            "model": "claude-x",
            "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
            "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
        },
        "complete",
        [],
    ),
    (
        "A13-a-text-then-a-tool-at-one-index",
        [START, TEXT_0, HI, STOP_0, TOOL_1, ARGS_1, STOP_0, END, STOP],
        message([HI_BLOCK, CALL_1]),
        "complete",
        ["index_reused"],
    ),
    (
        "A13-two-tools-at-one-index-without-stops",
        [START, TOOL_1, ARGS_1, TOOL_1.replace("t_1", "t_2"), ARGS_1.replace("1}", "2}"), END, STOP],
        message([CALL_1, {**CALL_1, "id": "t_2", "input": {"a": 2}}]),
        "complete",
        ["index_reused"],
    ),
    (
        "A13-two-texts-at-one-index-with-stops",
        [START, TEXT_0, HI, STOP_0, TEXT_0, HI, STOP_0, END, STOP],
        message([HI_BLOCK, HI_BLOCK]),
        "complete",
        ["index_reused"],
    ),
    (
        "A13-two-texts-at-one-index-without-stops",
        [START, TEXT_0, HI, TEXT_0, HI, END, STOP],
        message([{"type": "text", "text": "HiHi"}]),
        "complete",
        ["block_restarted"],
    ),
    (
        "A13-further-blocks-stand-beside-the-first-of-their-index",
        [
            START,
            TEXT_0,
            HI,
            TEXT_0.replace('"index":0', '"index":1'),
            HI.replace('"index":0', '"index":1').replace("Hi", "last"),
            TOOL_1,
            ARGS_1,
            END,
            STOP,
        ],
        message([HI_BLOCK, CALL_1, {"type": "text", "text": "last"}]),
        "complete",
        ["index_reused"],
    ),
    (
        "A13-a-late-id-or-a-guessed-block-is-no-further-block",
        [
            START,
            TOOL_1.replace('"id":"t_1",', ""),
            ARGS_1,
            TOOL_1,
            HI.replace('"index":0', '"index":1'),
            TOOL_1.replace('"index":0', '"index":1').replace("t_1", "t_2"),
            END,
            STOP,
        ],
        message([CALL_1, {"type": "tool_use", "text": "Hi", "id": "t_2", "name": "f", "input": {}}]),
        "complete",
        ["block_restarted", "block_not_started", "block_restarted"],
    ),
    (
        "A13-a-start-after-the-stop-of-a-guessed-block",
        [START, HI, STOP_0, TEXT_0, HI, END, STOP],
        message([HI_BLOCK, HI_BLOCK]),
        "complete",
        ["block_not_started", "index_reused"],
    ),
    (
        "A14-a-bare-message-amid-the-events",
        [
            START,
            TEXT_0,
            HI,
            STOP_0,
            """{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}]}""",
            END,
            STOP,
        ],
        message([HI_BLOCK]),
        "complete",
        [],
    ),
    (
        "A14-a-bare-message-that-differs-and-one-that-gives-a-reason",
        [
            START,
            TEXT_0,
            HI,
            """{"type":"message","role":"assistant","content":[{"type":"text","text":"Ho"}],"stop_reason":null}""",
            """{"type":"message","role":"assistant","content":[],"stop_reason":"end_turn","usage":{"input_tokens":0}}""",
            STOP,
        ],
        message([HI_BLOCK], usage={"input_tokens": 7, "output_tokens": 1}),
        "complete",
        ["sources_differ", "usage_provisional"],
    ),
    (
        "A14-a-bare-message-after-the-end",
        [
            START,
            TEXT_0,
            HI,
            END,
            STOP,
            """{"type":"message","role":"assistant","content":[{"type":"text","text":"Hi"}]}""",
        ],
        message([HI_BLOCK]),
        "complete",
        [],
    ),
    (
        "A14-a-first-delta-equal-to-the-text-of-the-start",
        [START, TEXT_0.replace('"text":""', '"text":"Hi"'), HI, HI, STOP_0, END, STOP],
        message([{"type": "text", "text": "HiHiHi"}]),
        "complete",
        ["repairable"],
    ),
    (
        "A15-empty-input-deltas-in-other-blocks",
        [
            START,
            TEXT_0,
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":""}}""",
            """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":null}}""",
            STOP_0,
            """{"type":"content_block_start","index":1,"content_block":{"type":"future","a":"x"}}""",
            """{"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":""}}""",
            """{"type":"content_block_start","index":2,"content_block":{"type":"future","input":null}}""",
            """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":""}}""",
            END,
            STOP,
        ],
        message([{"type": "text", "text": ""}, {"type": "future", "a": "x"}, {"type": "future", "input": {}}]),
        "complete",
        [],
    ),
]


@pytest.mark.parametrize(
    ("payloads", "body", "status", "problems"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_quirk(payloads, body, status, problems):
    """Each quirk gives the expected body, status and problems, however the bytes are split."""
    result = reduced(*payloads)

    assert body == result.to_dict()
    assert (status, problems) == (result.status, codes(result))


# -- the message ---------------------------------------------------------------------------------


def test_error_is_normalised():
    """The error of an error event becomes the result's error; the body does not change."""
    result = reduced(
        START, END, """{"type":"error","error":{"type":"api_error","message":"Internal"},"request_id":"r"}"""
    )

    assert (result.error.type, result.error.message) == ("api_error", "Internal")
    assert "request_id" in result.error.raw
    assert message([]) == result.to_dict()


def test_error_beside_an_event_that_carries_content():
    """An event with content and an error fails the stream, and its content is merged."""
    result = reduced(START, TEXT_0, HI[:-1] + ""","error":{"message":"late"}}""", END[:-1] + ""","error":null}""", STOP)

    assert result.status == "failed"
    assert message([HI_BLOCK]) == result.to_dict()


def test_nothing_but_an_end_is_empty():
    """A stream that has only end events has no body."""
    result = reduced("""{"type":"ping"}""", STOP_0, STOP)

    assert (result.status, result.to_dict()) == ("empty", None)


@pytest.mark.parametrize("first", [TEXT_0, HI, END, """{"type":"message_start"}"""])
def test_stream_without_message_start(first):
    """Without a start, the body has `type`, `role` and all content that came. The missing start is reported."""
    result = reduced(first, STOP)

    assert {"type": "message", "role": "assistant"}.items() <= result.to_dict().items()
    assert "id" not in result.to_dict()
    assert codes(result)[0] == "no_message_start"
    assert result.status == "complete"


def test_late_message_start_does_not_replace_earlier_deltas():
    """A start that comes late gives only the values that earlier deltas did not set."""
    result = reduced(END, TEXT_0, HI, START, STOP)

    assert message([HI_BLOCK]) == result.to_dict()
    assert codes(result) == ["no_message_start"]


def test_start_without_a_message_is_followed_by_a_complete_start():
    """The first start that has a message counts."""
    result = reduced("""{"type":"message_start","message":null}""", START, """{"type":"message_start"}""", END, STOP)

    assert message([]) == result.to_dict()
    assert codes(result) == ["no_message_start"]


def test_repeated_start_erases_nothing():
    """A repeated start with the same id is merged, and its differences are reported."""
    again = START.replace('"content":[]', '"content":[{"type":"text","text":""}]').replace(
        '"input_tokens":7', '"input_tokens":8'
    )
    result = reduced(START, TEXT_0, HI, START, again, END, STOP)

    assert message([HI_BLOCK], usage={"input_tokens": 8, "output_tokens": 3}) == result.to_dict()
    assert codes(result) == ["message_restarted", "block_restarted"]


def test_blocks_of_the_start_keep_their_places():
    """The start may have content; later blocks are placed after it."""
    start = START.replace('"content":[]', '"content":[{"type":"text","text":"H"},7]')
    late = TEXT_0.replace('"index":0', '"index":2')
    result = reduced(start, HI.replace("Hi", "i"), late, END, STOP)

    assert message([HI_BLOCK, {"type": "text", "text": ""}]) == result.to_dict()
    assert codes(result) == ["wrong_type"]


def test_content_that_is_no_list_is_left_out():
    """A content that is not a list is reported and left out."""
    result = reduced(START.replace('"content":[]', '"content":"Hi"'), END, STOP)

    assert message([]) == result.to_dict()
    assert codes(result) == ["wrong_type"]


def test_message_delta_sets_values_that_are_not_null():
    """The keys inside and beside the delta go to the message. A null erases nothing, and padding is dropped."""
    start = START.replace('"content":[]', '"content":[],"container":{"id":"c_1"},"context_management":null')
    delta = """{"type":"message_delta","delta":{"type":"x","stop_reason":"end_turn","stop_sequence":null,"container":null,"stop_details":null,"mood":"calm","usage":{"input_tokens":9}},"usage":{"output_tokens":3},"context_management":{"applied_edits":[]},"future":{"a":1},"obfuscation":"xx"}"""
    result = reduced(start, delta, """{"type":"message_delta","future":{"b":2}}""", STOP)

    expected = message(
        [],
        usage={"input_tokens": 9, "output_tokens": 3},
        container={"id": "c_1"},
        stop_details=None,
        mood="calm",
        context_management={"applied_edits": []},
        future={"a": 1, "b": 2},
    )
    assert expected == result.to_dict()
    assert codes(result) == []


def test_undeclared_keys_of_a_message_delta():
    """Undeclared keys of the delta go to the message."""
    result = reduced(
        START,
        """{"type":"message_delta","delta":{"stop_reason":"end_turn","mood":"calm"},"usage":{"output_tokens":1}}""",
        STOP,
    )

    assert (result.to_dict()["mood"], codes(result)) == ("calm", [])


def test_two_stop_reasons():
    """The last stop reason wins, and both are reported."""
    result = reduced(START, END, END.replace("end_turn", "tool_use"), STOP)

    assert message([], stop_reason="tool_use") == result.to_dict()
    assert codes(result) == ["finish_reason_differs"]


def test_no_stop_reason():
    """If no stop reason came, the body has null, and the problem `no_finish_reason` is reported."""
    result = reduced(START, TEXT_0, HI, """{"type":"message_delta","usage":{"output_tokens":3}}""", STOP)

    assert message([HI_BLOCK], stop_reason=None) == result.to_dict()
    assert codes(result) == ["no_finish_reason"]


def test_keys_of_message_stop_are_not_in_the_body():
    """Bedrock's metrics in `message_stop` do not belong to the message."""
    result = reduced(START, END, STOP[:-1] + ""","amazon-bedrock-invocationMetrics":{"inputTokenCount":7}}""")

    assert message([]) == result.to_dict()


def test_events_after_the_end_are_merged():
    """Content after `message_stop` is in the body."""
    result = reduced(START, STOP, TEXT_0, HI, END)

    assert ("complete", message([HI_BLOCK])) == (result.status, result.to_dict())


def test_fallback_names_the_model_that_answers():
    """A fallback block changes the model of the message, as in a non-streaming answer."""
    block = """{"type":"content_block_start","index":0,"content_block":{"type":"fallback","from":{"model":"claude-x"},"to":{"model":"claude-y"}}}"""
    result = reduced(START, block, END, STOP)

    assert result.body.model == "claude-y"
    assert codes(result) == []


# -- blocks --------------------------------------------------------------------------------------


def test_input_that_does_not_parse_is_reported():
    """The problem shows the beginning of the input's text."""
    text = '{"a": "' + "x" * 5000
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
    result = reduced(START, json.dumps(delta), END, STOP)

    [problem] = [problem for problem in result.problems if problem.code == "input_not_json"]
    assert problem.seen == json.dumps(text)[:1024]
    assert problem.chosen == {"index": 0, "input": {}}


@pytest.mark.parametrize(
    ("text", "value", "problems"),
    [
        ('{"n":123456789012345678901234567890}', {"n": 123456789012345678901234567890}, []),
        ('{"n":NaN}', {"n": None}, ["not_finite"]),
        ('{"s":"a\nb"}', {"s": "a\nb"}, ["control_character"]),
        ('{"s":"🌊"}', {"s": "🌊"}, []),
        ("[" * 300 + "]" * 300, {}, ["input_not_json"]),
        ("null", None, []),
    ],
)
def test_input_is_decoded_like_any_payload(text, value, problems):
    """Faulty numbers and strings are repaired as in payloads; an input that nests too deep is refused."""
    start = TEXT_0.replace("text", "tool_use", 1)
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
    result = reduced(START, start, json.dumps(delta), END, STOP)

    assert value == result.to_dict()["content"][0]["input"]
    assert problems == codes(result)


def test_surrogate_pair_split_between_two_deltas():
    """S21: the two halves become one character."""
    result = reduced(
        START,
        """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","input":{}}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":\\"\\ud83c"}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"\\udf0a\\"}"}}""",
        END,
        STOP,
    )

    assert result.to_dict()["content"][0]["input"] == {"a": "🌊"}
    assert codes(result) == []


def test_equal_start_again_is_not_reported():
    """A repeated block start with equal values changes nothing."""
    result = reduced(START, TEXT_0, TEXT_0, HI, END, STOP)

    assert (message([HI_BLOCK]), []) == (result.to_dict(), codes(result))


def test_second_start_gives_missing_keys_only():
    """A second start of a block adds only keys that the block lacks. The problem shows the complete second start."""
    again = """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":"other","id":"t_1"}}"""
    result = reduced(START, TEXT_0, HI, again, END, STOP)

    assert message([{**HI_BLOCK, "id": "t_1"}]) == result.to_dict()
    [problem] = result.problems
    assert problem.seen["content_block"]["text"] == "other"


def test_second_start_fills_an_empty_text():
    """The text of a second start counts if the block's text is still empty."""
    again = TEXT_0.replace('"text":""', '"text":"H"')
    result = reduced(START, TEXT_0, HI.replace("Hi", ""), again, HI.replace("Hi", "i"), END, STOP)

    assert message([HI_BLOCK]) == result.to_dict()


def test_no_index():
    """Without a valid index, a start opens the next block, and a delta belongs to the newest block.

    One problem is reported.
    """
    result = reduced(
        START,
        TEXT_0.replace('"index":0', '"index":-1'),
        HI.replace('"index":0,', ""),
        TEXT_0.replace('"index":0,', ""),
        HI.replace('"index":0', '"index":null'),
        END,
        STOP,
    )

    assert message([HI_BLOCK, HI_BLOCK]) == result.to_dict()
    assert codes(result) == ["no_index"]


def test_nulls_in_events_are_ignored():
    """Null blocks, deltas, texts and signatures neither add nor erase anything."""
    result = reduced(
        START,
        """{"type":"content_block_start","index":0,"content_block":null}""",
        """{"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"Hm","signature":"S"}}""",
        """{"type":"content_block_delta","index":0,"delta":null}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"thinking_delta","thinking":null}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":null}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":null}}""",
        END,
        STOP,
    )

    assert message([{"type": "thinking", "thinking": "Hm", "signature": "S"}]) == result.to_dict()
    assert codes(result) == []


def test_undeclared_delta_without_a_type():
    """The generic rule merges a delta without a type; its padding is dropped."""
    result = reduced(
        START,
        """{"type":"content_block_delta","index":0,"delta":{"text":"Hi","obfuscation":"xx","note":null}}""",
        END,
        STOP,
    )

    assert message([{"text": "Hi", "note": None}]) == result.to_dict()
    assert codes(result) == ["block_not_started", "unknown_delta"]


# -- repairs -------------------------------------------------------------------------------------


GROWING = [
    ("text", "text_delta", "text"),
    ("thinking", "thinking_delta", "thinking"),
    ("tool_use", "input_json_delta", "partial_json"),
]


@pytest.mark.parametrize(("block", "delta", "key"), GROWING, ids=[row[0] for row in GROWING])
@pytest.mark.parametrize("repair", [False, True])
def test_cumulative_deltas(block, delta, key, repair):
    """A delta that begins with the whole text so far replaces it, if the repair is on (C1)."""
    pieces = ['{"a":"0123456789', '{"a":"0123456789 0123', '{"a":"0123456789 0123456"}', '{"a":"0123456789 0123456"}']
    deltas = [
        json.dumps({"type": "content_block_delta", "index": 0, "delta": {"type": delta, key: piece}})
        for piece in pieces
    ]
    start = TEXT_0.replace('"type":"text","text":""', f'"type":"{block}"')
    result = reduced(START, start, *deltas, STOP_0, END, STOP, repairs=["cumulative"] if repair else [])

    [content] = result.to_dict()["content"]
    if key == "partial_json":
        assert content["input"] == ({"a": "0123456789 0123456"} if repair else {})
    else:
        assert content[key] == (pieces[-1] if repair else "".join(pieces))
    where = "input" if key == "partial_json" else key
    found = [problem for problem in result.problems if problem.code != "input_not_json"]
    assert [(problem.code, problem.seen) for problem in found] == [
        ("repaired", {where: 3}) if repair else ("repairable", {where: 2})
    ]


def test_a_first_delta_that_repeats_the_start_is_left_out_by_the_repair():
    """The start's text counts once (A14)."""
    start = TEXT_0.replace('"text":""', '"text":"Hi"')
    result = reduced(START, start, HI, HI.replace("Hi", " you"), END, STOP, repairs=["cumulative"])

    assert message([{"type": "text", "text": "Hi you"}]) == result.to_dict()
    assert codes(result) == ["repaired"]


@pytest.mark.parametrize(("repairs", "count", "code"), [([], 0, "repairable"), (["usage_fields"], 7, "repaired")])
def test_zero_after_a_count(repairs, count, code):
    """A 0 replaces more than 0, unless the repair is on (C27)."""
    end = END.replace('{"output_tokens":3}', '{"input_tokens":0,"output_tokens":3}')
    result = reduced(START, TEXT_0, HI, STOP_0, end, STOP, repairs=repairs)

    assert message([HI_BLOCK], usage={"input_tokens": count, "output_tokens": 3}) == result.to_dict()
    assert codes(result) == [code]


def test_zero_in_a_later_usage_of_one_batch():
    """The counts of one message_delta are known when the next one comes."""
    ends = [json.dumps({"type": "message_delta", "delta": {}, "usage": {"input_tokens": count}}) for count in (5, 0)]
    result = reduced(START, TEXT_0, HI, *ends, END, STOP)

    assert result.to_dict()["usage"]["input_tokens"] == 0
    assert codes(result) == ["repairable"]


# -- calls that are not complete -----------------------------------------------------------------


def incomplete(*payloads: str) -> dict[tuple[int, int], str]:
    """Return the incomplete calls of a stream; both paths must agree."""
    found = []
    for fast in (True, False):
        one = reducer.Reducer("anthropic.messages", fast=fast)
        one.feed(sse(*payloads))
        one.snapshot()
        found.append(incomplete_calls(one._pipeline.responses.current.state))
    assert found[0] == found[1]
    return found[0]


CUT_1 = ARGS_1.replace("1}", "")


@pytest.mark.parametrize(
    ("payloads", "calls"),
    [
        ([START, TOOL_1, ARGS_1, STOP_0], {}),
        ([START, TOOL_1, STOP_0], {}),
        ([START, TOOL_1, ARGS_1, END, STOP], {}),
        ([START, TOOL_1, ARGS_1], {(0, 0): '{"a":1}'}),
        ([START, TOOL_1, ARGS_1, END], {(0, 0): '{"a":1}'}),
        ([START, TOOL_1], {(0, 0): ""}),
        ([START, TOOL_1.replace('"input":{}', '"input":{"b":2}')], {(0, 0): '{"b":2}'}),
        ([START, TOOL_1, CUT_1, STOP_0, END, STOP], {(0, 0): '{"a":'}),
        ([START, TEXT_0, HI, STOP_0, TOOL_1, CUT_1], {(0, 1): '{"a":'}),
        ([START, TOOL_1, ARGS_1, STOP_0, TOOL_1, CUT_1], {(0, 1): '{"a":'}),
        ([START, TOOL_1, ARGS_1, STOP_0, ARGS_1], {(0, 0): '{"a":1}{"a":1}'}),
        ([START, TOOL_1, ARGS_1, STOP_0.replace('"index":0', '"index":1')], {(0, 0): '{"a":1}'}),
        ([START, TOOL_1, ARGS_1, STOP_0.replace(',"index":0', "")], {}),
        ([START, TOOL_1.replace("tool_use", "server_tool_use"), CUT_1], {}),
        ([json.dumps(message([CALL_1]))], {}),
    ],
)
def test_incomplete_calls(payloads, calls):
    """A call is complete if its block or the message has stopped and its input is JSON."""
    assert incomplete(*payloads) == calls


def test_a_snapshot_after_each_delta_of_a_long_input():
    """A text that has not ended is not decoded tolerantly: 2,000 snapshots of a long input take no seconds."""
    one = reducer.Reducer("anthropic.messages")
    one.feed(sse(START, TOOL_1, ARGS_1.replace("1}", '\\"')))
    for _ in range(2000):
        one.feed(sse(ARGS_1.replace('{\\"a\\":1}', "x} " * 20)))
        assert one.snapshot().to_dict()["content"][0]["input"] == {}
    one.feed(sse(ARGS_1.replace('{\\"a\\":1}', '\\"}'), STOP_0, END, STOP))

    assert one.close().to_dict()["content"][0]["input"] == {"a": "x} " * 40000}


# -- several responses, whole bodies, limits -----------------------------------------------------


def test_another_id_is_another_response():
    """A `message_start` with another id begins a response. The unfinished response before it is truncated."""
    first, second = reduced_all(START, TEXT_0, HI, START.replace("msg_1", "msg_2"), END, STOP)

    assert (first.status, first.body.id, first.to_dict()["content"]) == ("truncated", "msg_1", [HI_BLOCK])
    assert (second.status, second.body.id, second.to_dict()["content"]) == ("complete", "msg_2", [])


def test_start_without_an_id_after_the_end_is_another_response():
    """After `message_stop`, only a start with the same id belongs to the same response."""
    nameless = START.replace('"id":"msg_1",', "")

    assert len(reduced_all(nameless, END, STOP, nameless, END, STOP)) == 2
    assert len(reduced_all(START, END, STOP, START)) == 1
    assert len(reduced_all(START, END, STOP, """{"type":"message_start"}""")) == 1
    assert len(reduced_all(START, END, STOP, """{"type":"message","role":"assistant","content":[]}""")) == 1
    assert len(reduced_all(START, END, STOP, """{"type":"message","role":"assistant","content":[1]}""")) == 2


BODY = json.dumps(message([HI_BLOCK], future=[1, None]))


def test_whole_body_is_kept_verbatim():
    """A body that was sent whole is complete and unchanged; later end events and equal copies change nothing."""
    for more in ([], [STOP_0, STOP, """{"type":"ping","at":1}"""], [BODY]):
        result = reduced(BODY, *more)

        assert ("complete", json.loads(BODY), []) == (result.status, result.to_dict(), codes(result))


def test_whole_body_and_a_different_copy():
    """The second body is reported, and changes nothing."""
    result = reduced(BODY, BODY.replace("Hi", "Ho"))

    assert (json.loads(BODY), ["sources_differ"]) == (result.to_dict(), codes(result))


def test_whole_bodies_one_after_another():
    """Each body with another id is a response, also after a stream."""
    results = reduced_all(START, END, STOP, BODY.replace("msg_1", "msg_2"), BODY, START.replace("msg_1", "msg_3"))

    assert [result.body.id for result in results] == ["msg_1", "msg_2", "msg_1", "msg_3"]


def test_events_after_a_whole_body():
    """If events follow a body, the body counts as the start of a message."""
    for event in (TEXT_0.replace('"index":0', '"index":1'), START):
        result = reduced(BODY, event, STOP)

        assert result.status == "complete"
        assert result.to_dict()["content"][0] == HI_BLOCK


def test_limit_of_blocks():
    """A block beyond the limit is dropped, and the stream is truncated."""
    result = reduced(START, TEXT_0, HI.replace('"index":0', '"index":1'), END, STOP, limits=reducer.Limits(max_items=1))

    assert (result.status, codes(result)) == ("truncated", ["limit_items"])
    assert message([{"type": "text", "text": ""}]) == result.to_dict()


def test_limit_of_blocks_in_one_event():
    """An event that would open too many blocks is dropped as a whole."""
    start = START.replace('"content":[]', '"content":[{"type":"text"},{"type":"text"}]')
    result = reduced(start, END, STOP, limits=reducer.Limits(max_new_slots=1))

    assert result.status == "truncated"
    assert "limit_new_slots" in codes(result)


def test_huge_index_allocates_nothing():
    """Blocks are kept in a dict, so a huge index needs no memory."""
    result = reduced(START, HI.replace('"index":0', '"index":1000000000'), END, STOP)

    assert message([HI_BLOCK]) == result.to_dict()


# -- the typed body, snapshots -------------------------------------------------------------------


def test_typed_body():
    """Declared fields are attributes. An absent field is None or an empty list. Undeclared fields are in `extra`."""
    start = """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{"a":1},"toolset_name":"browser"}}"""
    body = reduced(START, start, END, STOP).body

    [block] = body.content
    assert (block.type, block.id, block.input, block.text, block.citations) == ("tool_use", "t_1", {"a": 1}, None, [])
    assert block.extra == {"toolset_name": "browser"}
    assert (body.usage.input_tokens, body.usage.output_tokens) == (7, 3)


def test_snapshot_is_independent():
    """A snapshot shows the message so far, and later events do not change it."""
    stream = reducer.Reducer("anthropic.messages")
    stream.feed(sse(START, TEXT_0.replace('"text":""', '"text":"","citations":[]'), HI))
    before = stream.snapshot()
    stream.feed(
        sse("""{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"a":1}}}""", HI)
    )

    assert before.to_dict()["content"] == [{"type": "text", "text": "Hi", "citations": []}]
    assert before.status == "truncated"
    assert not stream.finished


def test_first_content_is_timed():
    """Empty starts do not count as content."""
    ticks = iter(range(10))
    stream = reducer.Reducer(clock=lambda: next(ticks), started=0)
    for payload in (START, TEXT_0, HI, STOP):
        stream.feed(sse(payload))

    assert stream.close().timing.first_content == 2


@pytest.mark.parametrize(
    "payload",
    [
        """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1"}}""",
        """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{"}}""",
    ],
)
def test_uses_of_tools_are_content(payload):
    """A tool call counts as content when its block begins."""
    stream = reducer.Reducer(clock=lambda: 5, started=0)
    stream.feed(sse(START, payload))

    assert stream.close().timing.first_content == 5


def test_message_without_a_list_as_content_is_not_a_body():
    """An object of type `message` whose content is a string is not recognised."""
    result = reduced("""{"type":"message","content":"Hi"}""")

    assert (result.status, result.dialect) == ("empty", None)


# -- the SDK's types ---------------------------------------------------------------------------------

MCP = """{"type":"content_block_start","index":0,"content_block":{"type":"mcp_tool_use","id":"m","name":"q","server_name":"s","input":{}}}"""
MCP_INPUT = (
    """{"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\\"a\\":1}"}}"""
)
EDITED = END.replace('"usage"', '"context_management":{"applied_edits":[]},"usage"')
UNKNOWN = """{"type":"content_block_start","index":0,"content_block":{"type":"zebra","stripes":[1]}}"""


@pytest.mark.parametrize(
    ("payloads", "name", "block"),
    [
        ((START, TEXT_0, HI, STOP_0, END, STOP), "Message", "TextBlock"),
        ((START, TEXT_0, HI), "Message", "TextBlock"),
        ((START, TEXT_0, HI, STOP_0, EDITED, STOP), "BetaMessage", "BetaTextBlock"),
        ((START, MCP, MCP_INPUT, STOP_0, END, STOP), "BetaMessage", "BetaMCPToolUseBlock"),
        ((START, MCP, MCP_INPUT), "BetaMessage", "BetaMCPToolUseBlock"),
    ],
)
def test_sdk_type_that_knows_the_body(payloads, name, block):
    """`to_anthropic` returns a `Message`, or a `BetaMessage` if only the beta types declare a value."""
    pytest.importorskip("anthropic.types", reason="anthropic is not installed")
    message = reduced(*payloads).to_anthropic()

    assert (type(message).__name__, [type(one).__name__ for one in message.content]) == (name, [block])


def test_block_that_no_sdk_type_knows():
    """The block is constructed with all its values."""
    pytest.importorskip("anthropic.types", reason="anthropic is not installed")
    message = reduced(START, UNKNOWN, STOP_0, END, STOP).to_anthropic()

    assert type(message).__name__ == "Message"
    assert (message.content[0].type, message.content[0].stripes, message.usage.output_tokens) == ("zebra", [1], 3)


# -- batches -----------------------------------------------------------------------------------------

THINKING_1 = (
    """{"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":"","signature":""}}"""
)
HM = """{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"Hm"}}"""
SIGNED = """{"type":"content_block_delta","index":1,"delta":{"type":"signature_delta","signature":"EqQB"}}"""
CITED = """{"type":"content_block_delta","index":0,"delta":{"type":"citations_delta","citation":{"cited_text":"x"}}}"""
TOOL_2 = (
    """{"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t","name":"f","input":{}}}"""
)
PIECE = """{"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"1"}}"""
FALLBACK = """{"type":"content_block_start","index":2,"content_block":{"type":"fallback","to":{"model":"claude-y"}}}"""
PING = """{"type":"ping"}"""


@pytest.fixture
def payloads_of_the_event_path(monkeypatch):
    """Return the list of payloads that the event path merges."""
    payloads = []
    merge = Responses.merge_payload

    def merge_noted(self, payload, name):
        payloads.append(payload)
        return merge(self, payload, name)

    monkeypatch.setattr(Responses, "merge_payload", merge_noted)
    return payloads


def test_a_batch_merges_all_but_the_start(payloads_of_the_event_path):
    """Batches merge blocks that open, interleave and stop, citations, signatures, and the end of the message."""
    wire = [START, TEXT_0, PING, HI, THINKING_1, HM, HI, HM, CITED, SIGNED, HI, STOP_0, TOOL_2, PIECE, PIECE, END, STOP]

    [result] = feed_whole(sse(*wire))

    assert payloads_of_the_event_path == [START.encode()]
    assert result.to_dict() == message(
        [
            {"type": "text", "text": "HiHiHi", "citations": [{"cited_text": "x"}]},
            {"type": "thinking", "thinking": "HmHm", "signature": "EqQB"},
            {"type": "tool_use", "id": "t", "name": "f", "input": 11},
        ]
    )
    assert result == reduced(*wire)


@pytest.mark.parametrize(
    "misleading",
    [
        pytest.param(TEXT_0, id="a-block-once-more"),
        pytest.param(HI.replace(":0,", ":7,"), id="no-such-block"),
        pytest.param(HI.replace(":0,", ":1,"), id="another-kind-of-block"),
        pytest.param(CITED.replace('"x"', "[" * 300 + "]" * 300), id="too-deep"),
        pytest.param(FALLBACK, id="another-model"),
        pytest.param(START.replace("msg_1", "msg_2"), id="another-message"),
        pytest.param(END.replace("end_turn", "max_tokens"), id="another-stop-reason"),
        pytest.param(END.replace("3", "[[[[[[3]]]]]]"), id="deep-usage"),
        pytest.param(STOP, id="an-early-end"),
    ],
)
def test_misleading_event_among_plain_ones(misleading):
    """The results with and without batches are equal."""
    wire = [START, TEXT_0, HI, THINKING_1, HM, HI, misleading, HI, HM, STOP_0, END, STOP]

    reduced_all(*wire, limits=reducer.Limits(max_items=2))
    reduced_all(*wire)
