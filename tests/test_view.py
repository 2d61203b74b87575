"""`Result.view`: one small message for all dialects, made of the final body alone."""

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
from reducer.dialects import DIALECTS, load
from tests.helpers import load_sample, sample_names
from tests.mutations import changed, mutant, seeds

TIDE = Call("call_Tide0001", "get_tide", {"port": "Brest"})
USAGE = Usage(12, 9, 21, cached_tokens=0, reasoning_tokens=0)

# What the samples say, by sample. An en dash is data here.
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
        "assistant", tool_calls=[Call("call_Tide0001", "get_tide", unparsed='{"port":')]
    ),
    "openai_responses/custom-tool-call.sse": View(
        "assistant",
        tool_calls=[Call("call_Sql00001", "run_sql", unparsed="SELECT height FROM tides;\n")],
        finish_reason="tool_calls",
        usage=USAGE,
    ),
    "openai_responses/computer-call.sse": View("assistant", finish_reason="tool_calls", usage=USAGE),
    "openai_responses/shell-call.sse": View("assistant", finish_reason="stop", usage=USAGE),  # the provider ran it
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


def view_of(dialect, body, choice=0):
    """The view of a body, however odd."""
    return reducer.Result("complete", dialect=dialect, wire=body, final=load(dialect).final).view(choice)


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
def test_samples_in_common_names(name):
    """One message, whatever the dialect."""
    assert reducer.reduce(load_sample(name).data).view() == SAMPLES[name]


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_every_dialect_has_a_view(dialect):
    """An empty body of it gives an empty message, and some sample of it is above."""
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
def test_choices_by_their_place(name, texts):
    """The first unless another is asked for; behind the last there is none."""
    result = reducer.reduce(load_sample(name).data)

    assert [result.view(place).text for place in range(len(texts))] == texts
    assert result.view(len(texts)) is None
    assert result.view() == result.view(choice=0)


@pytest.mark.parametrize("choice", [-1, True, "0", None, 0.0])
def test_a_choice_is_a_place(choice):
    """Anything else is the caller's mistake."""
    with pytest.raises(reducer.UsageError, match="choice must be a place"):
        reducer.reduce(b"").view(choice)


def test_no_body_has_no_view():
    """Nothing came."""
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
def test_finish_reasons_of_the_common_set(view, reason):
    """What is none of them is None, and stays in the body."""
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
def test_reasoning_is_taken_once(message, reasoning):
    """Of the names that chat providers gave it the first that says something."""
    assert chat(message).reasoning == reasoning


def test_text_parts_join_and_others_stay_in_the_body():
    """A list as content, which some providers mix of kinds."""
    parts = [{"type": "text", "text": "High "}, {"type": "image_url", "text": "no"}, {"text": "tide"}, "!"]

    assert chat({"content": parts}).text == "High tide!"
    assert chat({"content": [{"type": "image_url"}]}).text is None


def test_a_summary_is_not_said_again():
    """Where a reasoning item has both, the summary; items are paragraphs."""
    both = {"type": "reasoning", "summary": [{"text": "Short."}], "content": [{"text": "At length."}]}
    plain = {"type": "reasoning", "summary": [], "content": [{"type": "reasoning_text", "text": "Then this."}]}

    assert responses(both, plain).reasoning == "Short.\n\nThen this."


def test_thoughts_between_calls_are_paragraphs():
    """Anthropic's blocks are whole each; Gemini's parts are cut anywhere."""
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
        ("", None, None),
        (" \n", None, None),
        ('{"a": 1', None, '{"a": 1'),
        ('{"a": NaN}', None, '{"a": NaN}'),
        ("{}{}", None, "{}{}"),
        ("\ud83c", None, "\ud83c"),
        ("[" * 300 + "]" * 300, None, "[" * 300 + "]" * 300),
        ("[" * 90_000, None, "[" * 90_000),
        ({"a": 1}, {"a": 1}, None),  # whole bodies of Ollama's kind
        (None, None, None),
    ],
)
def test_arguments_are_parsed_or_kept(written, arguments, unparsed):
    """Never both, and nothing is repaired."""
    item = {"type": "function_call", "call_id": "c", "name": "f", "arguments": written}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": written}}

    assert chat({"tool_calls": [call]}).tool_calls == [Call("c", "f", arguments, unparsed)]
    assert responses(item).tool_calls == [Call("c", "f", arguments, unparsed)]


def test_free_text_is_not_taken_for_json():
    """A custom tool's input is text even where it happens to be JSON."""
    assert chat({"tool_calls": [{"custom": {"name": "f", "input": "5"}}]}).tool_calls == [Call(None, "f", unparsed="5")]
    assert responses({"type": "custom_tool_call", "id": "i", "input": "5"}).tool_calls == [Call("i", unparsed="5")]


def test_calls_that_the_provider_ran_stay_in_the_body():
    """xAI sends its own as custom calls, before the message that uses what they found; a function is always the caller's."""
    search, message = {"type": "custom_tool_call", "name": "x_keyword_search"}, {"type": "message", "role": "assistant"}

    assert responses(search, message) == View("assistant", finish_reason="stop")
    assert responses(message, search).tool_calls == [Call(None, "x_keyword_search")]
    assert responses({"type": "function_call", "name": "f"}, message).tool_calls == [Call(None, "f")]


def test_arguments_are_copies():
    """Whoever changes them changes nothing else."""
    given = {"ports": ["Brest"]}
    for view in (
        anthropic({"type": "tool_use", "input": given}),
        gemini({"functionCall": {"args": given}}),
        chat({"tool_calls": [{"function": {"arguments": given}}]}),
    ):
        view.tool_calls[0].arguments["ports"].append("Hull")

    assert given == {"ports": ["Brest"]}


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
        # xAI: the reasoning is beside the completion, and the total says so.
        (
            {"prompt_tokens": 307, "completion_tokens": 26, "total_tokens": 560, "completion_tokens_details": {"reasoning_tokens": 227}},
            Usage(307, 253, 560, None, 227),
        ),
        ({}, Usage()),
        ([], None),
    ],
)  # fmt: skip
def test_chat_usage(usage, view):
    """A reported 0 is 0, what is absent or odd is None."""
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
def test_usage_means_one_thing(view, usage):
    """Input with what is cached, output with the reasoning."""
    assert view.usage == usage


# -- whatever the body says --------------------------------------------------------------------------

BODIES = [(entry["dialect"], entry["body"]) for name in sample_names() for entry in load_sample(name).expected if entry["body"]]  # fmt: skip


def check(result):
    """A view comes or None; it is a value, made of the body alone, and leaves that as it was."""
    before = result.json()
    for choice in range(3):
        view = result.view(choice)
        assert view is None or type(view) is View
        assert pickle.loads(pickle.dumps(view)) == view == result.view(choice)
        msgspec.json.encode(view)
    assert result.json() == before


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_changed_bodies_have_views(dialect):
    """Any value may stand anywhere in a body that was sent whole."""
    bodies = [body for name, body in BODIES if name == dialect]
    for number in range(3000):
        rng = random.Random(number)
        body = copy.deepcopy(rng.choice(bodies))
        for _ in range(rng.randint(1, 4)):
            body = changed(rng, body)
        if type(body) is dict:
            check(reducer.Result("complete", dialect=dialect, wire=body, final=load(dialect).final))


def test_mutants_have_views():
    """And so has whatever comes of a stream that is none."""
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
    """Of any JSON with the names of real bodies."""
    check(reducer.Result("complete", dialect=dialect, wire=json.loads(json.dumps(body)), final=load(dialect).final))
