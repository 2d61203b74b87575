"""`Result.view`: a small message with the same fields for every dialect, built from the body and from the cut calls."""

import contextlib
import copy
import json
import pickle
import random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer import ToolCallView as Call
from reducer import UsageView as Usage
from reducer import View
from reducer.dialects.registry import DIALECTS, load
from tests.helpers import load_sample, sample_names
from tests.mutations import changed, mutant, seeds

TIDE = Call("call_Tide0001", "get_tide", {"port": "Brest"})
USAGE = Usage(12, 9, 21, cached_tokens=0, reasoning_tokens=0)

# The view of each sample. The en dashes are part of the samples.
# ruff: noqa: RUF001
SAMPLES = {
    "openai_chat/text.sse": View("assistant", "The tide turns at dawn – 05:12.", finish_reason="stop"),
    "openai_chat/reasoning-content.sse": View(
        "assistant", "Spring tide.", "The moon is full.", finish_reason="stop", usage=Usage(9, 21, 30, 0, 14)
    ),
    "openai_chat/thinking-parts.sse": View(
        "assistant", "Spring tide.", "The moon is full.", finish_reason="stop", usage=Usage(11, 29, 40)
    ),
    "openai_chat/refusal.sse": View("assistant", refusal="I'm sorry, I can't help with that.", finish_reason="stop"),
    "openai_chat/tool-call.sse": View("assistant", tool_calls=[TIDE], finish_reason="tool_calls"),
    "openai_chat/parallel-tools.sse": View(
        "assistant",
        tool_calls=[Call("call_TideBrest", "get_tide", {"port": "Brest"}), Call("call_WindHull", "get_wind", {"port": "Hull"})],
        finish_reason="tool_calls",
    ),
    "openai_chat/custom-tool.sse": View(
        "assistant",
        tool_calls=[Call("call_Sql00001", "run_sql", unparsed="SELECT height FROM tides;\n")],
        finish_reason="tool_calls",
    ),
    "openai_chat/function-call.sse": View(
        "assistant", tool_calls=[Call(None, "get_tide", {"port": "Brest"})], finish_reason="tool_calls"
    ),
    "openai_chat/finish-odd.sse": View("assistant", "Calm.", finish_reason="stop"),  # eos
    "openai_chat/finish-content-filter.sse": View("assistant", "", finish_reason="content_filter"),
    "openai_chat/error-in-choice.sse": View("assistant", "The tide"),  # error: not in the common set
    "openai_chat/truncated.sse": View("assistant", "The tide tur"),
    "openai_chat/usage-final.sse": View("assistant", "Calm.", finish_reason="stop", usage=Usage(8, 3, 11, 0, 0)),
    "openai_chat/error-body.in.json": None,
    "openai_responses/text.sse": View("assistant", "The tide turns at dawn – 05:12.", finish_reason="stop", usage=USAGE),
    "openai_responses/two-messages.sse": View("assistant", "Let me look.Low at six.", finish_reason="stop", usage=USAGE),
    "openai_responses/two-parts-truncated.sse": View("assistant", "Half the", refusal="Not more."),
    "openai_responses/reasoning-summary.sse": View(
        "assistant",
        "Spring tide.",
        "**Looking up**\n\nThe moon is full.\n\n**Answering**",
        finish_reason="stop",
        usage=USAGE,
    ),
    "openai_responses/reasoning-text.sse": View(
        "assistant", "Spring tide.", "The moon is full.", finish_reason="stop", usage=USAGE
    ),
    "openai_responses/function-call.sse": View("assistant", tool_calls=[TIDE], finish_reason="tool_calls", usage=USAGE),
    "openai_responses/function-call-truncated.sse": View(
        "assistant", tool_calls=[Call("call_Tide0001", "get_tide", unparsed='{"port":', complete=False)]
    ),
    "openai_responses/custom-tool-call.sse": View(
        "assistant",
        tool_calls=[Call("call_Sql00001", "run_sql", unparsed="SELECT height FROM tides;\n")],
        finish_reason="tool_calls",
        usage=USAGE,
    ),
    "openai_responses/computer-call.sse": View("assistant", finish_reason="tool_calls", usage=USAGE),
    "openai_responses/shell-call.sse": View("assistant", finish_reason="stop", usage=USAGE),  # the provider ran the call
    "openai_responses/mcp.sse": View("assistant", finish_reason="stop", usage=USAGE),
    "openai_responses/incomplete.sse": View("assistant", "The tide tur", finish_reason="length", usage=USAGE),
    "openai_responses/cancelled.sse": View("assistant", "The tide"),
    "openai_responses/failed.sse": View(),
    "anthropic_messages/thinking.sse": View(
        "assistant", "High tide at 05:12.", "Spring tide, so early.", finish_reason="stop", usage=Usage(12, 9, 21)
    ),
    "anthropic_messages/citations.sse": View(
        "assistant", "High tide at 05:12. Good night.", finish_reason="stop", usage=Usage(12, 9, 21)
    ),
    "anthropic_messages/tool-use.sse": View(
        "assistant",
        "I look it up.",
        tool_calls=[Call("toolu_01Tide", "get_tide", {"port": "Brest", "days": 3, "heights": [1.5, None]})],
        finish_reason="tool_calls",
        usage=Usage(12, 9, 21),
    ),
    "anthropic_messages/mcp.sse": View("assistant", finish_reason="stop", usage=Usage(12, 9, 21)),
    "anthropic_messages/stop-sequence.sse": View(
        "assistant", "High tide at 05:12.", finish_reason="stop", usage=Usage(12, 9, 21)
    ),
    "anthropic_messages/refusal.sse": View("assistant", finish_reason="content_filter", usage=Usage(12, 2, 14)),
    "anthropic_messages/usage-merged.sse": View(
        "assistant", "High tide at 05:12.", finish_reason="stop", usage=Usage(76, 9, 85, cached_tokens=64)
    ),
    "anthropic_messages/usage-none.sse": View("assistant", "High tide at 05:12.", finish_reason="stop"),
    "gemini_generate/text.sse": View(
        "assistant", "High tide is at six.", finish_reason="stop", usage=Usage(7, 26, 33, reasoning_tokens=20)
    ),
    "gemini_generate/thinking.sse": View(
        "assistant", "At six.", "**Tides**\n\nThe user wants a time.", finish_reason="stop"
    ),
    "gemini_generate/function-call.sse": View(
        "assistant",
        tool_calls=[Call("tide0001", "get_tide", {"port": "Brest"})],
        finish_reason="tool_calls",
        usage=Usage(20, 9, 29),
    ),
    "gemini_generate/code-execution.sse": View("assistant", "Let me count.Six.", finish_reason="stop"),
    "gemini_generate/no-content.sse": View("assistant", finish_reason="length", usage=Usage(7, 50, 57, None, 50)),
    "gemini_generate/safety.sse": View("assistant", "Well", finish_reason="content_filter"),
    "gemini_generate/blocked-prompt.sse": View(finish_reason="content_filter", usage=Usage(7, None, 7)),
    "openai_completions/text.sse": View(text="High tide now", finish_reason="stop", usage=Usage(4, 3, 7)),
    "openai_completions/text-generation-inference.sse": View(text="At six", finish_reason="stop"),
    "openai_completions/truncated.sse": View(text="High tide"),
}  # fmt: skip


def view_of(dialect, body, choice=0, incomplete=()):
    """Return the view of a body, which may be invalid."""
    result = reducer.Result("complete", dialect=dialect, wire=body, final=load(dialect).body, incomplete=incomplete)
    return result.view(choice)


def chat(message=None, finish_reason=None, **body):
    return view_of("openai.chat", {"choices": [{"message": message, "finish_reason": finish_reason}], **body})


def responses(*output, **body):
    return view_of("openai.responses", {"status": "completed", "output": list(output), **body})


def anthropic(*content, **body):
    return view_of("anthropic.messages", {"role": "assistant", "content": list(content), **body})


def gemini(*parts, **candidate):
    return view_of(
        "gemini.generate", {"candidates": [{"content": {"role": "model", "parts": list(parts)}, **candidate}]}
    )


@pytest.mark.parametrize("name", SAMPLES)
def test_views_of_the_samples(name):
    """Every dialect gives the same fields."""
    assert reducer.reduce(load_sample(name).data).view() == SAMPLES[name]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_has_a_view(dialect):
    """An empty body gives an empty view, and `SAMPLES` has a sample of the dialect."""
    assert view_of(dialect, {}) == View()
    assert any(name.startswith(dialect.replace(".", "_") + "/") for name in SAMPLES)


# -- choices -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "texts"),
    [
        ("openai_chat/n3.sse", ["Ebb.", "Flood", "Slack water"]),
        ("openai_completions/choices.sse", ["Six", "Seven"]),
        ("gemini_generate/candidates.sse", ["Six", "Seven"]),
        ("openai_responses/text.sse", ["The tide turns at dawn – 05:12."]),
        ("anthropic_messages/stop-sequence.sse", ["High tide at 05:12."]),
    ],
)
def test_choices_by_their_position(name, texts):
    """The default is the first choice; a position after the last gives None."""
    result = reducer.reduce(load_sample(name).data)

    assert [result.view(place).text for place in range(len(texts))] == texts
    assert result.view(len(texts)) is None
    assert result.view() == result.view(choice=0)


@pytest.mark.parametrize("choice", [-1, True, "0", None, 0.0])
def test_choice_must_be_a_position(choice):
    """Any other value raises `UsageError`."""
    with pytest.raises(reducer.UsageError, match="choice must be a position"):
        reducer.reduce(b"").view(choice)


def test_without_a_body():
    """There is no view."""
    assert reducer.reduce(b"").view() is None


# -- finish reasons ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("view", "reason"),
    [
        (chat({}, "stop"), "stop"),
        (chat({}, "length"), "length"),
        (chat({}, "model_length"), "length"),
        (chat({}, "insufficient_system_resource"), None),
        (chat({"tool_calls": [{"function": {"name": "f"}}]}, "stop"), "tool_calls"),  # C22
        (chat({"tool_calls": [{"function": {"name": "f"}}]}, "length"), "length"),
        (responses(incomplete_details={"reason": "content_filter"}, status="incomplete"), "content_filter"),
        (responses(incomplete_details={"reason": "steered"}, status="incomplete"), None),
        (responses(status="in_progress"), None),
        (responses({"type": "mcp_approval_request"}), "tool_calls"),
        (responses({"type": "shell_call"}, {"type": "shell_call_output"}), "stop"),
        (anthropic(stop_reason="max_tokens"), "length"),
        (anthropic(stop_reason="model_context_window_exceeded"), "length"),
        (anthropic(stop_reason="pause_turn"), None),
        (gemini(finishReason="RECITATION"), "content_filter"),
        (gemini(finishReason="MALFORMED_FUNCTION_CALL"), None),
        (gemini({"functionCall": {"name": "f"}}, finishReason="STOP"), "tool_calls"),
    ],
)
def test_finish_reasons(view, reason):
    """A word without a common meaning gives None and stays in the body."""
    assert view.finish_reason == reason


# -- texts -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("message", "reasoning"),
    [
        ({"reasoning_content": "a", "reasoning": "a"}, "a"),  # C4
        ({"reasoning_content": "", "reasoning": "b"}, "b"),
        ({"reasoning_content": None, "thinking": "c"}, "c"),
        ({"reasoning_text": "d"}, "d"),
        ({"reasoning": [{"type": "reasoning.text", "text": "e"}, "f", {"type": "image"}]}, "ef"),
        ({"reasoning": {"text": "g"}}, "g"),
        ({"reasoning": ""}, ""),
        ({"content": [{"type": "thinking", "thinking": "h"}, {"type": "text", "text": "i"}]}, "h"),
        ({"reasoning": 1, "content": "j"}, None),
    ],
)
def test_reasoning_appears_once(message, reasoning):
    """If chat providers repeat it under several keys, the first key with a text counts."""
    assert chat(message).reasoning == reasoning


def test_content_of_several_parts():
    """The texts of a content list are joined. Other parts stay in the body."""
    parts = [{"type": "text", "text": "High "}, {"type": "image_url", "text": "no"}, {"text": "tide"}, "!"]

    assert chat({"content": parts}).text == "High tide!"
    assert chat({"content": [{"type": "image_url"}]}).text is None


def test_reasoning_with_summary_and_content():
    """The summary counts if an item has both. Items are separate paragraphs."""
    both = {"type": "reasoning", "summary": [{"text": "Short."}], "content": [{"text": "At length."}]}
    plain = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Then this."}]}

    assert responses(both, plain).reasoning == "Short.\n\nThen this."


def test_reasoning_in_several_parts():
    """Anthropic's blocks are separate paragraphs. Gemini's parts are joined, because they are cut anywhere."""
    first, call, second = (
        {"type": "thinking", "thinking": "A"},
        {"type": "tool_use"},
        {"type": "thinking", "thinking": "B"},
    )

    assert anthropic(first, call, second).reasoning == "A\n\nB"
    assert (
        gemini({"text": "A", "thought": True}, {"text": "B", "thought": True, "thoughtSignature": "s"}).reasoning
        == "AB"
    )


# -- tool calls --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "arguments", "unparsed"),
    [
        ('{"a": [1, 2.5, null]}', {"a": [1, 2.5, None]}, None),
        ("5", 5, None),
        ("null", None, None),
        ("", {}, None),
        (" \n", {}, None),
        ('{"a": 1', None, '{"a": 1'),
        ('{"a": NaN}', None, '{"a": NaN}'),
        ("{}{}", None, "{}{}"),
        ("\ud83c", None, "\ud83c"),
        ("[" * 300 + "]" * 300, None, "[" * 300 + "]" * 300),
        ("[" * 90_000, None, "[" * 90_000),
        ({"a": 1}, {"a": 1}, None),  # as in Ollama's whole bodies
        (None, {}, None),
    ],
)
def test_arguments_are_decoded_or_kept_as_text(written, arguments, unparsed):
    """Never both, and nothing is repaired. A call with text that is not JSON is not complete."""
    expected = Call("c", "f", arguments, unparsed, complete=unparsed is None)
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": written}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": written}}

    assert chat({"tool_calls": [call]}).tool_calls == [expected]
    assert responses(item).tool_calls == [expected]


def test_free_text_is_never_decoded():
    """A custom tool's input is text, even if the text happens to be JSON."""
    assert chat({"tool_calls": [{"custom": {"name": "f", "input": "5"}}]}).tool_calls == [Call(None, "f", unparsed="5")]
    assert responses({"type": "custom_tool_call", "id": "i", "input": "5"}).tool_calls == [Call("i", unparsed="5")]


def test_calls_that_the_provider_ran_stay_in_the_body():
    """xAI sends the calls that it ran as custom calls before the message that uses their results. Function calls are always the caller's."""
    search, message = {"type": "custom_tool_call", "name": "x_keyword_search"}, {"type": "message", "role": "assistant"}

    assert responses(search, message) == View("assistant", finish_reason="stop")
    assert responses(message, search).tool_calls == [Call(None, "x_keyword_search")]
    assert responses({"type": "function_call", "name": "f"}, message).tool_calls == [Call(None, "f", {})]


def test_arguments_are_copies():
    """Changing the arguments in a view does not change the body."""
    given = {"ports": ["Brest"]}
    for view in (
        anthropic({"type": "tool_use", "input": given}),
        gemini({"functionCall": {"args": given}}),
        chat({"tool_calls": [{"function": {"arguments": given}}]}),
    ):
        view.tool_calls[0].arguments["ports"].append("Hull")

    assert given == {"ports": ["Brest"]}


# -- complete and incomplete calls -------------------------------------------------------------------

ARGUMENTS = {"port": "Brest"}
TEXT = '{"port":"Brest"}'
CALLERS = ["openai.chat", "openai.responses", "anthropic.messages", "gemini.generate"]  # dialects with tool calls


def two_calls(dialect, reason):
    """Return a body with two calls: the first at place 0, the second at place 2 of its list."""
    if dialect == "openai.chat":
        first, second = ({"id": id, "function": {"name": "f", "arguments": TEXT}} for id in "ab")
        return {"choices": [{"message": {"tool_calls": [first, None, second]}, "finish_reason": reason}]}
    if dialect == "openai.responses":
        first, second = ({"type": "function_call", "call_id": id, "name": "f", "arguments": TEXT} for id in "ab")
        status = "completed" if reason is None else "incomplete"
        output = [first, {"type": "reasoning"}, second]
        return {"status": status, "incomplete_details": {"reason": reason}, "output": output}
    if dialect == "anthropic.messages":
        first, second = ({"type": "tool_use", "id": id, "name": "f", "input": ARGUMENTS} for id in "ab")
        return {"content": [first, {"type": "text"}, second], "stop_reason": reason}
    first, second = ({"functionCall": {"id": id, "name": "f", "args": ARGUMENTS}} for id in "ab")
    return {"candidates": [{"content": {"parts": [first, {"text": ""}, second]}, "finishReason": reason}]}


@pytest.mark.parametrize("dialect", CALLERS)
def test_calls_that_the_stream_did_not_close(dialect):
    """The result names them by choice and place, and has their text so far, in every dialect."""
    body = two_calls(dialect, None)
    whole, cut = Call("a", "f", ARGUMENTS), Call("b", "f", None, '{"po', complete=False)

    assert view_of(dialect, body).tool_calls == [whole, Call("b", "f", ARGUMENTS)]
    assert view_of(dialect, body, incomplete={(0, 2): '{"po'}).tool_calls == [whole, cut]
    assert view_of(dialect, body, incomplete={(1, 2): '{"po'}).tool_calls[1].complete


@pytest.mark.parametrize(
    ("dialect", "reason"),
    [
        ("openai.chat", "length"),
        ("openai.chat", "content_filter"),
        ("openai.responses", "max_output_tokens"),
        ("openai.responses", "content_filter"),
        ("anthropic.messages", "max_tokens"),
        ("anthropic.messages", "refusal"),
        ("gemini.generate", "MAX_TOKENS"),
        ("gemini.generate", "SAFETY"),
    ],
)
def test_no_call_of_a_cut_answer_is_complete(dialect, reason):
    """Even if its arguments are JSON. Without a text so far, `unparsed` is the JSON text of the body's value."""
    assert view_of(dialect, two_calls(dialect, reason)).tool_calls == [
        Call(id, "f", None, TEXT, complete=False) for id in "ab"
    ]


def test_an_item_that_is_incomplete():
    """Responses says so in the item's status."""
    call = {"type": "function_call", "name": "f", "arguments": "{}", "status": "incomplete"}
    custom = {"type": "custom_tool_call", "name": "g", "input": "SELECT", "status": "incomplete"}

    assert responses(call, custom).tool_calls == [
        Call(None, "f", None, "{}", complete=False),
        Call(None, "g", None, "SELECT", complete=False),
    ]


def test_free_text_that_is_cut():
    """Only `complete` tells it from a whole text."""
    call = {"custom": {"name": "f", "input": "SELECT"}}

    assert chat({"tool_calls": [call]}).tool_calls == [Call(None, "f", None, "SELECT")]
    assert chat({"tool_calls": [call]}, "length").tool_calls == [Call(None, "f", None, "SELECT", complete=False)]
    assert chat({"tool_calls": [{"custom": {"input": {"a": 1}}}]}).tool_calls == [Call(None, None, {"a": 1})]


def test_calls_without_arguments():
    """They are complete, and read as an empty object in every dialect. If they are cut, `unparsed` is empty."""
    views = [
        chat({"tool_calls": [{"function": {"name": "f"}}]}),
        chat({"function_call": {"name": "f", "arguments": ""}}),
        responses({"type": "function_call", "name": "f"}),
        anthropic({"type": "tool_use", "name": "f"}),
        gemini({"functionCall": {"name": "f"}}),
    ]

    assert [view.tool_calls for view in views] == [[Call(None, "f", {})]] * len(views)
    cut = anthropic({"type": "tool_use", "name": "f"}, stop_reason="max_tokens")
    assert cut.tool_calls == [Call(None, "f", None, "", complete=False)]


def events_in(data):
    """Return the events whose JSON is whole, read as simply as possible."""
    found = []
    for line in data.replace(b"\r", b"\n").split(b"\n"):
        payload = line.removeprefix(b"data:").strip()
        if payload == b"[DONE]":
            found.append({"type": "[DONE]"})
        elif payload.startswith(b"{"):
            with contextlib.suppress(ValueError):
                found.append(json.loads(payload))
    return found


def is_closed_by_chat(events, call):
    choices = [choice for event in events for choice in event.get("choices") or [] if not choice.get("index")]
    return events[-1].get("type") == "[DONE]" or any(choice.get("finish_reason") for choice in choices)


def is_closed_by_responses(events, call):
    if events[-1].get("type", "").endswith(("[DONE]", ".completed", ".incomplete", ".failed", ".cancelled")):
        return True
    added = [event["item"] for event in events if event["type"] == "response.output_item.added"]
    done = [event["item"] for event in events if event["type"] == "response.output_item.done"]
    texts = ("response.function_call_arguments.done", "response.custom_tool_call_input.done")
    ids = [event["item_id"] for event in events if event["type"] in texts]
    closed = done + [item for item in added if item.get("id") in ids]
    return any(call.id in (item.get("call_id"), item.get("id")) for item in closed)


def is_closed_by_anthropic(events, call):
    if events[-1].get("type") == "message_stop":
        return True
    stopped = {event.get("index") for event in events if event["type"] == "content_block_stop"}
    starts = [event for event in events if event["type"] == "content_block_start"]
    return any(start["content_block"].get("id") == call.id and start["index"] in stopped for start in starts)


def is_closed_by_gemini(events, call):
    candidates = [candidate for event in events for candidate in event.get("candidates") or []]
    parts = [part for candidate in candidates for part in (candidate.get("content") or {}).get("parts") or []]
    calls = []  # each with the last piece of it
    for piece in (part["functionCall"] for part in parts if "functionCall" in part):
        going = [entry for entry in calls if entry["willContinue"]]
        same = [entry for entry in going if entry["id"] == piece.get("id")] or ([] if "name" in piece else going[-1:])
        entry = same[0] if same else {"name": piece.get("name"), "id": piece.get("id")}
        entry["willContinue"] = piece.get("willContinue")
        calls += [] if same else [entry]
    return any((entry["name"], entry["id"]) == (call.name, call.id) and not entry["willContinue"] for entry in calls)


# Does the wire say, in these events, that this call of choice 0 is whole? Told from the wire alone.
IS_CLOSED = dict(
    zip(CALLERS, (is_closed_by_chat, is_closed_by_responses, is_closed_by_anthropic, is_closed_by_gemini), strict=True)
)


def calls_of(result):
    view = result.view()
    return view.tool_calls if view is not None else []


CALLING = [
    name
    for name in sample_names()
    if name.endswith(".sse") and len(reducer.reduce_all(load_sample(name).data)) == 1
    if calls_of(reducer.reduce(load_sample(name).data))
]


def test_every_dialect_has_samples_with_calls():
    """And enough of them to mean something."""
    assert {name.partition("/")[0].replace("_", ".", 1) for name in CALLING} >= set(CALLERS)
    assert len(CALLING) > 25


@pytest.mark.parametrize("name", CALLING)
def test_an_agent_never_runs_a_call_that_is_cut(name):
    """An agent runs the calls of a stream that is cut at any byte: no call that the wire did not close is complete."""
    data = load_sample(name).data
    is_closed = IS_CLOSED[reducer.reduce(data).dialect]
    stream = reducer.Reducer()
    for end in range(len(data)):
        for call in [*calls_of(stream.snapshot()), *calls_of(reducer.reduce(data[:end]))]:
            if call.complete:
                assert is_closed(events_in(data[:end]), call), (data[:end], call)
            else:
                assert (call.arguments, type(call.unparsed)) == (None, str)
        stream.feed(data[end : end + 1])


@pytest.mark.parametrize("name", CALLING)
def test_an_agent_runs_every_call_of_a_whole_stream(name):
    """Calls without arguments, too. Arguments that are not JSON cannot be run."""
    result = reducer.reduce(load_sample(name).data)
    problems = {problem.code for problem in result.problems}

    if result.status == "complete" and "input_not_json" not in problems:
        assert result.view().finish_reason not in ("length", "content_filter")
        assert [call for call in calls_of(result) if not call.complete] == []


# -- usage -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("usage", "view"),
    [
        ({"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}, Usage(0, 0, 0)),
        ({"prompt_tokens": 3}, Usage(3)),
        ({"prompt_tokens": 3, "completion_tokens": 2}, Usage(3, 2, 5)),
        ({"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 9}, Usage(3, 2, 9)),
        ({"prompt_tokens": "3", "completion_tokens": True, "total_tokens": 4.0}, Usage(total_tokens=4)),
        ({"prompt_cache_hit_tokens": 7, "reasoning_tokens": 1}, Usage(cached_tokens=7, reasoning_tokens=1)),
        ({"prompt_tokens_details": {"cached_tokens": 0}, "cached_tokens": 7}, Usage(cached_tokens=0)),
        # xAI does not count reasoning as part of the completion, as its total shows.
        (
            {"prompt_tokens": 307, "completion_tokens": 26, "total_tokens": 560, "completion_tokens_details": {"reasoning_tokens": 227}},
            Usage(307, 253, 560, None, 227),
        ),
        ({}, Usage()),
        ([], None),
    ],
)  # fmt: skip
def test_chat_usage(usage, view):
    """A reported 0 is 0; an absent or invalid count is None."""
    assert chat(usage=usage).usage == view


@pytest.mark.parametrize(
    ("view", "usage"),
    [
        (
            anthropic(usage={"input_tokens": 3, "cache_read_input_tokens": 100, "cache_creation_input_tokens": 20, "output_tokens": 5,
                             "output_tokens_details": {"thinking_tokens": 4}}),
            Usage(123, 5, 128, 100, 4),
        ),
        (anthropic(usage={"output_tokens": 5, "cache_read_input_tokens": 0}), Usage(None, 5, None, 0)),
        (
            view_of("gemini.generate", {"usageMetadata": {"promptTokenCount": 9, "toolUsePromptTokenCount": 40, "candidatesTokenCount": 5,
                                                          "thoughtsTokenCount": 6, "totalTokenCount": 60, "cachedContentTokenCount": 8}}),
            Usage(49, 11, 60, 8, 6),
        ),
        (responses(usage={"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}), Usage(1, 2, 3)),
    ],
)  # fmt: skip
def test_usage_counts_the_same_in_every_dialect(view, usage):
    """Input includes cached tokens, output includes reasoning."""
    assert view.usage == usage


# -- any body ----------------------------------------------------------------------------------------

BODIES = [(entry["dialect"], entry["body"]) for name in sample_names() for entry in load_sample(name).expected if entry["body"]]  # fmt: skip


def check(result):
    """Check that views are plain values, depend on the body alone, and do not change it."""
    before = result.json()
    for choice in range(3):
        view = result.view(choice)
        assert view is None or type(view) is View
        assert pickle.loads(pickle.dumps(view)) == view == result.view(choice)
        msgspec.json.encode(view)
    assert result.json() == before


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_changed_bodies_have_views(dialect):
    """A body that was sent whole may have any value anywhere."""
    bodies = [body for name, body in BODIES if name == dialect]
    for number in range(3000):
        rng = random.Random(number)
        body = copy.deepcopy(rng.choice(bodies))
        for _ in range(rng.randint(1, 4)):
            body = changed(rng, body)
        if type(body) is dict:
            check(reducer.Result("complete", dialect=dialect, wire=body, final=load(dialect).body))


def test_mutants_have_views():
    """Results of mutated streams have views, too."""
    pool = seeds()
    for number in range(500):
        for result in reducer.reduce_all(mutant(number, pool)):
            check(result)


KEYS = [
    "choices", "message", "content", "tool_calls", "function", "custom", "arguments", "name", "id", "type", "text", "thinking", "usage",
    "output", "summary", "status", "input", "candidates", "parts", "functionCall", "args", "finishReason", "finish_reason", "stop_reason",
]  # fmt: skip
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False)
    | st.sampled_from(["text", "message", "reasoning", "output_text", "tool_use", "function_call", "thinking", "STOP", "{}", "["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)  # fmt: skip


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(body=st.dictionaries(st.sampled_from(KEYS), ANYTHING))
@settings(max_examples=150, deadline=None)
def test_any_body_has_a_view(dialect, body):
    """Any JSON object with keys of real bodies has a view."""
    check(reducer.Result("complete", dialect=dialect, wire=json.loads(json.dumps(body)), final=load(dialect).body))
