"""`anthropic.messages`: the quirks of section A by their ids, and what else the rules of the dialect say."""

from __future__ import annotations

import json

import pytest

import reducer
from tests.helpers import feed_bytewise, feed_random, feed_whole

START = """{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-x","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":7,"output_tokens":1}}}"""
TEXT_0 = """{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""
HI = """{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hi"}}"""
STOP_0 = """{"type":"content_block_stop","index":0}"""
END = """{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":3}}"""
STOP = """{"type":"message_stop"}"""
HI_BLOCK = {"type": "text", "text": "Hi"}


def sse(*payloads: str) -> bytes:
    """Frame payloads as the API does; a line that is a comment stays one."""
    frames = []
    for payload in payloads:
        if payload.startswith(":"):
            frames.append(f"{payload}\n\n")
        else:
            kind = json.loads(payload).get("type")
            frames.append((f"event: {kind}\n" if kind else "") + f"data: {payload}\n\n")
    return "".join(frames).encode()


def reduced(*payloads: str, **options) -> reducer.Result:
    """Reduce a stream of one response under three feeds, which must agree."""
    [result] = reduced_all(*payloads, **options)
    return result


def reduced_all(*payloads: str, **options) -> list[reducer.Result]:
    data = sse(*payloads)
    whole = feed_whole(data, **options)
    assert whole == feed_bytewise(data, **options)
    for seed in range(3):
        assert whole == feed_random(data, seed, **options)
    return whole


def codes(result: reducer.Result) -> list[str]:
    return [problem.code for problem in result.problems]


def message(content: list, **changes) -> dict:
    """The body of a stream that begins with START and ends with END, but for the changes."""
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


# Each row: its id, the wire, the body, the status, the codes of the problems.
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
]


@pytest.mark.parametrize(
    ("payloads", "body", "status", "problems"), [pytest.param(*row[1:], id=row[0]) for row in ROWS]
)
def test_quirk(payloads, body, status, problems):
    """A quirk gives its body, status and problems, however the bytes are split."""
    result = reduced(*payloads)

    assert body == result.to_dict()
    assert (status, problems) == (result.status, codes(result))


# -- the message ---------------------------------------------------------------------------------


def test_error_is_normalised():
    """An error event is the result's error, and adds nothing to the body."""
    result = reduced(
        START, END, """{"type":"error","error":{"type":"api_error","message":"Internal"},"request_id":"r"}"""
    )

    assert (result.error.type, result.error.message) == ("api_error", "Internal")
    assert "request_id" in result.error.raw
    assert message([]) == result.to_dict()


def test_error_beside_an_event_that_carries_content():
    """An error key on an event fails the stream, and the event counts all the same."""
    result = reduced(START, TEXT_0, HI[:-1] + ""","error":{"message":"late"}}""", END[:-1] + ""","error":null}""", STOP)

    assert result.status == "failed"
    assert message([HI_BLOCK]) == result.to_dict()


def test_nothing_but_an_end_is_empty():
    """Ends of what never began are no answer."""
    result = reduced("""{"type":"ping"}""", STOP_0, STOP)

    assert (result.status, result.to_dict()) == ("empty", None)


@pytest.mark.parametrize("first", [TEXT_0, HI, END, """{"type":"message_start"}"""])
def test_stream_without_message_start(first):
    """Without a start the body has type and role, and what came; that is reported."""
    result = reduced(first, STOP)

    assert {"type": "message", "role": "assistant"}.items() <= result.to_dict().items()
    assert "id" not in result.to_dict()
    assert codes(result)[0] == "no_message_start"
    assert result.status == "complete"


def test_late_message_start_is_the_base_all_the_same():
    """What deltas said before the start lies over it."""
    result = reduced(END, TEXT_0, HI, START, STOP)

    assert message([HI_BLOCK]) == result.to_dict()
    assert codes(result) == ["no_message_start"]


def test_start_without_a_message_and_one_with():
    """A start that says nothing waits for one that does."""
    result = reduced("""{"type":"message_start","message":null}""", START, """{"type":"message_start"}""", END, STOP)

    assert message([]) == result.to_dict()
    assert codes(result) == ["no_message_start"]


def test_repeated_start_erases_nothing():
    """A start with the same id again is merged, and reported where it differs."""
    again = START.replace('"content":[]', '"content":[{"type":"text","text":""}]').replace(
        '"input_tokens":7', '"input_tokens":8'
    )
    result = reduced(START, TEXT_0, HI, START, again, END, STOP)

    assert message([HI_BLOCK], usage={"input_tokens": 8, "output_tokens": 3}) == result.to_dict()
    assert codes(result) == ["message_restarted", "block_restarted"]


def test_blocks_of_the_start_keep_their_places():
    """Content that came with the start is there, and later blocks follow it."""
    start = START.replace('"content":[]', '"content":[{"type":"text","text":"H"},7]')
    late = TEXT_0.replace('"index":0', '"index":2')
    result = reduced(start, HI.replace("Hi", "i"), late, END, STOP)

    assert message([HI_BLOCK, {"type": "text", "text": ""}]) == result.to_dict()
    assert codes(result) == ["wrong_type"]


def test_content_that_is_no_list_is_left_out():
    """A start whose content is text is reported."""
    result = reduced(START.replace('"content":[]', '"content":"Hi"'), END, STOP)

    assert message([]) == result.to_dict()
    assert codes(result) == ["wrong_type"]


def test_message_delta_sets_what_is_not_null():
    """Keys of the delta and keys beside it go to the message; nulls erase nothing, and padding is no key."""
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
    """What nobody declared goes to the message."""
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
    """A complete stream without a stop reason keeps null, reported; none is invented."""
    result = reduced(START, TEXT_0, HI, """{"type":"message_delta","usage":{"output_tokens":3}}""", STOP)

    assert message([HI_BLOCK], stop_reason=None) == result.to_dict()
    assert codes(result) == ["no_finish_reason"]


def test_keys_of_message_stop_are_not_in_the_body():
    """Bedrock's metrics are about the call."""
    result = reduced(START, END, STOP[:-1] + ""","amazon-bedrock-invocationMetrics":{"inputTokenCount":7}}""")

    assert message([]) == result.to_dict()


def test_folding_goes_on_after_the_end():
    """What comes after message_stop still counts."""
    result = reduced(START, STOP, TEXT_0, HI, END)

    assert ("complete", message([HI_BLOCK])) == (result.status, result.to_dict())


def test_fallback_names_the_model_that_answers():
    """A fallback block relabels the message, as it is without streaming."""
    block = """{"type":"content_block_start","index":0,"content_block":{"type":"fallback","from":{"model":"claude-x"},"to":{"model":"claude-y"}}}"""
    result = reduced(START, block, END, STOP)

    assert result.body.model == "claude-y"
    assert codes(result) == []


# -- blocks --------------------------------------------------------------------------------------


def test_input_that_does_not_parse_is_reported_whole():
    """The problem has the text of the input, all of it."""
    text = '{"a": "' + "x" * 5000
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
    result = reduced(START, json.dumps(delta), END, STOP)

    [problem] = [problem for problem in result.problems if problem.code == "input_not_json"]
    assert text == problem.seen
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
def test_input_is_read_like_any_payload(text, value, problems):
    """What real numbers and strings contain is read; what is too deep is not."""
    start = TEXT_0.replace("text", "tool_use", 1)
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "input_json_delta", "partial_json": text}}
    result = reduced(START, start, json.dumps(delta), END, STOP)

    assert value == result.to_dict()["content"][0]["input"]
    assert problems == codes(result)


def test_halves_of_a_pair_in_two_pieces_of_an_input():
    """A surrogate pair that is split between two deltas is one character (S21)."""
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
    """A start that repeats what is there changes nothing."""
    result = reduced(START, TEXT_0, TEXT_0, HI, END, STOP)

    assert (message([HI_BLOCK]), []) == (result.to_dict(), codes(result))


def test_second_start_gives_missing_keys_only():
    """A start for a block that has begun keeps what the block has; the problem has what it said."""
    again = """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","text":"other","id":"t_1"}}"""
    result = reduced(START, TEXT_0, HI, again, END, STOP)

    assert message([{**HI_BLOCK, "id": "t_1"}]) == result.to_dict()
    [problem] = result.problems
    assert problem.seen["content_block"]["text"] == "other"


def test_second_start_of_an_empty_text_gives_it():
    """A start value fills a text to which nothing was added yet."""
    again = TEXT_0.replace('"text":""', '"text":"H"')
    result = reduced(START, TEXT_0, HI.replace("Hi", ""), again, HI.replace("Hi", "i"), END, STOP)

    assert message([HI_BLOCK]) == result.to_dict()


def test_no_index():
    """Without a usable index a start is the next block, and a delta is for the newest; reported once."""
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


def test_nulls_in_events_are_nothing():
    """Null blocks, deltas, texts and signatures neither add nor erase."""
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
    """A delta that does not say its kind follows the generic rule, padding apart."""
    result = reduced(
        START,
        """{"type":"content_block_delta","index":0,"delta":{"text":"Hi","obfuscation":"xx","note":null}}""",
        END,
        STOP,
    )

    assert message([{"text": "Hi", "note": None}]) == result.to_dict()
    assert codes(result) == ["block_not_started", "unknown_delta"]


# -- several responses, whole bodies, limits -----------------------------------------------------


def test_another_id_is_another_response():
    """A message_start with another id begins a response, and the one before is truncated."""
    first, second = reduced_all(START, TEXT_0, HI, START.replace("msg_1", "msg_2"), END, STOP)

    assert (first.status, first.body.id, first.to_dict()["content"]) == ("truncated", "msg_1", [HI_BLOCK])
    assert (second.status, second.body.id, second.to_dict()["content"]) == ("complete", "msg_2", [])


def test_start_without_an_id_after_the_end_is_another_response():
    """After message_stop only the same id goes on."""
    nameless = START.replace('"id":"msg_1",', "")

    assert len(reduced_all(nameless, END, STOP, nameless, END, STOP)) == 2
    assert len(reduced_all(START, END, STOP, START)) == 1


BODY = json.dumps(message([HI_BLOCK], future=[1, None]))


def test_whole_body_is_kept_verbatim():
    """A body sent whole is complete as it stands; stray ends and copies change nothing."""
    for more in ([], [STOP_0, STOP, """{"type":"ping","at":1}"""], [BODY]):
        result = reduced(BODY, *more)

        assert ("complete", json.loads(BODY), []) == (result.status, result.to_dict(), codes(result))


def test_whole_body_and_another_copy():
    """A copy that differs is reported, and changes nothing."""
    result = reduced(BODY, BODY.replace("Hi", "Ho"))

    assert (json.loads(BODY), ["sources_differ"]) == (result.to_dict(), codes(result))


def test_whole_bodies_one_after_another():
    """Bodies with ids of their own are responses of their own, also after a stream."""
    results = reduced_all(START, END, STOP, BODY.replace("msg_1", "msg_2"), BODY, START.replace("msg_1", "msg_3"))

    assert [result.body.id for result in results] == ["msg_1", "msg_2", "msg_1", "msg_3"]


def test_events_after_a_whole_body():
    """Where events follow a body, the body was a start."""
    for event in (TEXT_0.replace('"index":0', '"index":1'), START):
        result = reduced(BODY, event, STOP)

        assert result.status == "complete"
        assert result.to_dict()["content"][0] == HI_BLOCK


def test_limit_of_blocks():
    """Past the limit a block is not retained, and the stream counts as truncated."""
    result = reduced(START, TEXT_0, HI.replace('"index":0', '"index":1'), END, STOP, limits=reducer.Limits(max_items=1))

    assert (result.status, codes(result)) == ("truncated", ["limit_items"])
    assert message([{"type": "text", "text": ""}]) == result.to_dict()


def test_limit_of_blocks_in_one_event():
    """An event that would open too many blocks is refused as a whole."""
    start = START.replace('"content":[]', '"content":[{"type":"text"},{"type":"text"}]')
    result = reduced(start, END, STOP, limits=reducer.Limits(max_new_slots=1))

    assert result.status == "truncated"
    assert "limit_new_slots" in codes(result)


def test_huge_index_costs_nothing():
    """Indices are keys, so that a hostile one allocates nothing."""
    result = reduced(START, HI.replace('"index":0', '"index":1000000000'), END, STOP)

    assert message([HI_BLOCK]) == result.to_dict()


# -- the typed body, snapshots -------------------------------------------------------------------


def test_typed_body():
    """Declared fields are attributes, absent ones read None or empty, others are in extra."""
    start = """{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"t_1","name":"f","input":{"a":1},"toolset_name":"browser"}}"""
    body = reduced(START, start, END, STOP).body

    [block] = body.content
    assert (block.type, block.id, block.input, block.text, block.citations) == ("tool_use", "t_1", {"a": 1}, None, [])
    assert block.extra == {"toolset_name": "browser"}
    assert (body.usage.input_tokens, body.usage.output_tokens) == (7, 3)


def test_snapshot_is_independent():
    """A snapshot shows what came, and later events do not change it."""
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
    """Empty starts are no content."""
    ticks = iter(range(10))
    stream = reducer.Reducer(clock=lambda: next(ticks))
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
    """A block that is neither text nor thinking is content as soon as it is there."""
    stream = reducer.Reducer(clock=lambda: 5)
    stream.feed(sse(START, payload))

    assert stream.close().timing.first_content == 5


def test_body_of_the_types_own_kind_is_needed():
    """An object of type message that is no body is not taken for one."""
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
def test_the_type_of_the_sdk_that_knows_the_body(payloads, name, block):
    """A ``Message``; what only the beta has makes it a ``BetaMessage``."""
    pytest.importorskip("anthropic.types", reason="anthropic is not installed")
    message = reduced(*payloads).to_anthropic()

    assert (type(message).__name__, [type(one).__name__ for one in message.content]) == (name, [block])


def test_a_block_that_no_type_of_the_sdk_knows():
    """It is constructed, with all that it has."""
    pytest.importorskip("anthropic.types", reason="anthropic is not installed")
    message = reduced(START, UNKNOWN, STOP_0, END, STOP).to_anthropic()

    assert type(message).__name__ == "Message"
    assert (message.content[0].type, message.content[0].stripes, message.usage.output_tokens) == ("zebra", [1], 3)
