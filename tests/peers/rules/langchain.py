"""What the addition of LangChain's chunks does: Chat Completions, Responses, Anthropic, Gemini."""

from __future__ import annotations

import re
from typing import Any

from tests.peers.compare import Difference, Outcome
from tests.peers.forms import as_call
from tests.peers.rules.payloads import (
    as_list,
    call_fragments,
    call_names,
    came_whole,
    choice_deltas,
    chunk_choices,
    done_texts,
    follow,
    has_block_gap,
    has_item_of_another_type,
    has_null_call,
    is_in_a_chunk,
    is_joined,
    is_repeated,
    joined_texts,
    lists_in,
    of_choice,
    reported_usages,
    strings_under,
    terminal,
)
from tests.peers.rules.registry import differs, raises


def _finishing(outcome: Outcome) -> list[tuple[Any, Any]]:
    """Return the chunks from which LangChain takes metadata, each with its first choice."""
    firsts = [(chunk, chunk["choices"][0]) for chunk in outcome.stream.payloads if chunk.get("choices")]
    return [(chunk, choice) for chunk, choice in firsts if choice.get("finish_reason")]


def _metadata_joined(outcome: Outcome, difference: Difference) -> bool:
    said = [
        choice.get("finish_reason") if difference.path == "finish_reason" else chunk.get(difference.path)
        for chunk, choice in _finishing(outcome)
    ]
    known = difference.path == "finish_reason" or is_in_a_chunk(outcome, difference.ours, difference.path)
    return (difference.theirs or "") == "".join(value for value in said if value) and known


@differs(
    "langchain/openai.chat",
    path=r"(content|tool_calls|finish_reason|model|system_fingerprint)(\W.*)?",
    name="choices-merged",
)
def _langchain_choices(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    several = len(outcome.stream.body["choices"]) > 1
    return several and (at[1] in ("content", "tool_calls") or _metadata_joined(outcome, difference))


@differs("langchain/openai.chat", path=r"finish_reason|model|system_fingerprint", name="metadata-concatenated")
def _metadata(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(_finishing(outcome)) > 1 and _metadata_joined(outcome, difference)


@differs("langchain/openai.chat", path=r"model|system_fingerprint", name="metadata-of-finish-only")
def _metadata_of_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(_finishing(outcome)) < 2 and _metadata_joined(outcome, difference)


@differs("langchain/openai.chat", path=r"usage\.\w+", name="usage-summed")
def _usage_summed(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    usages = reported_usages(outcome)
    if len(usages) < 2:
        return False
    key = difference.path.partition(".")[2]
    if key in ("input_tokens", "output_tokens", "total_tokens"):
        counts = [
            [usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")]
            for usage in usages
        ]
        totals = {"input_tokens": [into for into, _, _ in counts], "output_tokens": [out for _, out, _ in counts]}
        return difference.theirs == sum(totals.get(key) or [total or into + out for into, out, total in counts])
    detail = {
        "cache_read": "prompt_tokens_details.cached_tokens",
        "reasoning": "completion_tokens_details.reasoning_tokens",
    }[key]
    return (difference.theirs or 0) == sum(follow(usage, detail) or 0 for usage in usages)


@raises(
    "langchain/openai.chat", text="^AttributeError: 'NoneType' object has no attribute 'get'", name="function-absent"
)
def _langchain_function(outcome: Outcome) -> bool:
    return any(not call.get("function") for call in call_fragments(outcome))


@raises("langchain/openai.chat", text="^ValidationError: .*AIMessageChunk\\s+tool_call_chunks", name="arguments-object")
def _langchain_arguments(outcome: Outcome) -> bool:
    return any(isinstance((call.get("function") or {}).get("arguments"), dict) for call in call_fragments(outcome))


@differs("langchain/openai.chat", path=r"(content|usage|tool_calls|finish_reason|model)?", name="message-ignored")
def _langchain_message(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and came_whole(outcome)


@differs("langchain/openai.chat", path=r"finish_reason|model", name="delta-absent")
def _langchain_delta_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(
        choice.get("finish_reason") and not choice.get("delta") for choice in chunk_choices(outcome)
    )


@differs("langchain/openai.chat", path=r"tool_calls", name="placeholder-kept")
def _langchain_placeholder(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return [call for call in as_list(difference.theirs) if call] == as_list(difference.ours)


@differs("langchain/openai.chat", path=r"tool_calls", name="calls-without-index")
def _calls_without_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(type(call.get("index")) is not int for call in call_fragments(outcome))


@differs("langchain/openai.chat", path=r"tool_calls", name="fragments-in-a-chunk")
def _fragments_in_a_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    indices = [[call.get("index") for call in delta.get("tool_calls") or ()] for delta in choice_deltas(outcome)]
    return any(len(found) != len(set(found)) for found in indices)


@differs("langchain/openai.chat", path=r"tool_calls(\[\d+\]\.args(\..*)?)?", name="calls-fused")
def _langchain_fused(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Two calls share one index: found by their ids, by their names, or without either."""
    indices = {call.get("index") for call in call_fragments(outcome)}
    # Joined arguments are not JSON, and the calls from which they were taken are missing.
    strung = difference.theirs is None or (isinstance(difference.theirs, str) and not isinstance(difference.ours, str))
    return len(indices) < len(as_list(outcome.ours.get("tool_calls"))) and (at[1] is None or strung)


@differs("langchain/openai.chat", path=r"tool_calls\[\d+\]\.name", name="tool-name-concatenated")
def _langchain_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    names = call_names(outcome)
    return is_repeated(difference) or (difference.ours in names and is_joined(difference.theirs, names))


@differs("langchain/openai.chat", path=r"tool_calls", name="call-for-each-id")
def _call_for_each_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ids = {call["id"] for call in call_fragments(outcome) if call.get("id")}
    return len(as_list(difference.ours)) < len(as_list(difference.theirs)) == len(ids)


@differs("langchain/openai.chat", path=r"tool_calls(\[.*)?", name="calls-by-arrival")
def _calls_by_arrival(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ours, theirs = ([str(call) for call in as_list(side.get("tool_calls"))] for side in (outcome.ours, outcome.theirs))
    return sorted(ours) == sorted(theirs)


@differs("langchain/openai.chat", path=r"content(\[.*)?", name="content-parts")
def _langchain_content_parts(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance(delta.get("content"), list) for delta in choice_deltas(outcome))


@raises("langchain/openai.chat", text=r"^ValidationError: .*AIMessageChunk\s+content\.", name="content-parts")
def _langchain_null_part(outcome: Outcome) -> bool:
    return any(isinstance(delta.get("content"), list) and None in delta["content"] for delta in choice_deltas(outcome))


@raises("langchain/openai.chat", text="^TypeError: 'NoneType' object is not subscriptable", name="call-null")
def _langchain_call_null(outcome: Outcome) -> bool:
    return has_null_call(outcome)


@differs("langchain/openai.chat", path=r"logprobs", name="logprobs-summed")
def _logprobs_summed(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [choice.get("logprobs") for choice in of_choice(outcome, 0) if choice.get("logprobs") is not None]
    numbers = [number for number in came if isinstance(number, (int, float))]
    return len(numbers) > 1 and difference.ours == numbers[-1] and difference.theirs == sum(numbers)


@differs("langchain/openai.chat", path=r"refusal", name="refusal-lost")
def _refusal_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@differs("langchain/openai.chat", path=r"audio(\..*)?", name="audio-lost")
def _audio_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@differs(
    "langchain/openai.responses",
    path=r"text|tool_calls(\[\d+\].*)?|reasoning\[\d+\]\.summary\[\d+\]",
    name="deltas-only",
)
def _deltas_only(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """LangChain's value is that of the deltas; a later event has another value."""
    joined: dict[tuple[Any, ...], str] = {}
    for event in outcome.stream.payloads:
        if str(event.get("type")).endswith(".delta") and isinstance(event.get("delta"), str):
            key = event["type"], event.get("output_index"), event.get("summary_index")
            joined[key] = joined.get(key, "") + event["delta"]
    done = done_texts(outcome)
    if difference.path == "text":
        texts = [text for key, text in joined.items() if key[0] == "response.output_text.delta"]
        # If two items share an index, the newer one is done first.
        said = any(is_joined(difference.ours, pieces) for pieces in (done, done[::-1], _texts(outcome)))
        bare = difference.ours == "" and _has_bare_content(outcome)
        return difference.theirs == "".join(texts) and (difference.ours in done or said or bare)
    if difference.path.startswith("tool_calls"):
        arguments = [
            as_call("", "", text)["args"]
            for key, text in joined.items()
            if key[0] == "response.function_call_arguments.delta"
        ]
        path = difference.path.partition(".args")[2]
        objects = [event["arguments"] for event in outcome.stream.payloads if isinstance(event.get("arguments"), dict)]
        ours = [follow(args, path) for args in [*(as_call("", "", text)["args"] for text in done), *objects]]
        return difference.theirs in [follow(args, path) for args in [*arguments, None]] and difference.ours in ours
    return difference.theirs in joined.values() and difference.ours in done


def _texts(outcome: Outcome) -> list[str]:
    """Return the deltas and the texts of the events of output text, in order."""
    events = [event for event in outcome.stream.payloads if str(event.get("type")).startswith("response.output_text.")]
    texts = [event.get("delta") or event.get("text") for event in events]
    return [text for text in texts if isinstance(text, str)]


def _has_bare_content(outcome: Outcome) -> bool:
    """Return whether no content part of a done message is an object."""
    items = [event["item"] for event in outcome.stream.payloads if event.get("type") == "response.output_item.done"]
    return any(
        item.get("content") and not any(isinstance(part, dict) for part in item["content"]) for item in items if item
    )


@differs("langchain/openai.responses", path=r"model|status|usage", name="metadata-of-terminal-only")
def _metadata_of_terminal(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and not any(
        event.get("type") in ("response.completed", "response.incomplete") for event in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path=r"refusal", name="refusal-deltas-lost")
def _refusal_deltas(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    done = any(event.get("type") == "response.refusal.done" for event in outcome.stream.payloads)
    deltas = [event for event in outcome.stream.payloads if event.get("type") == "response.refusal.delta"]
    said = joined_texts(outcome) | {"".join(event["delta"] for event in deltas)}
    said |= {
        text
        for event in outcome.stream.payloads
        if event.get("type") == "response.completed"
        for text in strings_under(event, "refusal")
    }
    return not difference.theirs and not done and difference.ours in said


@differs("langchain/openai.responses", path=r"reasoning(\[\d+\]\.(id|summary\[\d+\]))?", name="reasoning-ids-change")
def _langchain_ids_change(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """The ids of one item differ: they are joined, or become several items."""
    ids = {
        event["item_id"]
        for event in outcome.stream.payloads
        if "reasoning" in str(event.get("type")) and event.get("item_id")
    }
    return len(ids) > len(as_list(outcome.ours.get("reasoning")))


@raises("langchain/openai.responses", text="^TypeError: 'NoneType' object is not iterable", name="terminal-output-null")
def _langchain_output_null(outcome: Outcome) -> bool:
    return terminal(outcome).get("output") is None


@raises(
    "langchain/openai.responses",
    text="^AttributeError: 'NoneType' object has no attribute 'error'",
    name="terminal-without-response",
)
def _terminal_without_response(outcome: Outcome) -> bool:
    return any(
        event.get("type") == "response.completed" and not event.get("response") for event in outcome.stream.payloads
    )


@raises(
    "langchain/openai.responses", text="^AttributeError: 'NoneType' object has no attribute 'type'", name="item-null"
)
def _item_null(outcome: Outcome) -> bool:
    return any(
        event.get("type") == "response.output_item.added" and not event.get("item") for event in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path=r"tool_calls", name="interleaved-calls-split")
def _interleaved(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Fragments of two items alternate: each change of the item opens a new block."""
    return len(as_list(difference.theirs)) > len(as_list(difference.ours))


@differs("langchain/openai.responses", path=r"(reasoning|tool_calls)(\[\d+\]\.(id|name))?", name="items-of-few-events")
def _items_of_few(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Items come only from ``output_item.added``, and custom calls only from ``output_item.done``."""
    events = [
        f"{event['type']} {event['item'].get('type')}"
        for event in outcome.stream.payloads
        if isinstance(event.get("item"), dict)
    ]
    if at[1] == "reasoning":
        came = events.count("response.output_item.added reasoning")
    else:
        came = events.count("response.output_item.added function_call") + events.count(
            "response.output_item.done custom_tool_call"
        )
    return difference.theirs is None and came < max(len(as_list(outcome.ours.get(at[1]))), 1)


@differs("langchain/openai.responses", path=r"tool_calls\[\d+\](\..*)?", name="terminal-order-lost")
def _terminal_order(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """LangChain's calls are those of ``output_item.added``, in their order and with their keys; ours are those of the
    terminal event.
    """
    events = outcome.stream.payloads
    added = [event.get("item") or {} for event in events if event.get("type") == "response.output_item.added"]
    completed = [event.get("response") for event in events if event.get("type") == "response.completed"]
    ours, theirs = (
        [(call.get("name"), call.get("id")) for call in as_list(side.get("tool_calls"))]
        for side in (outcome.ours, outcome.theirs)
    )
    mine, others = (
        [(item.get("name"), item.get("call_id")) for item in items if item.get("type") == "function_call"]
        for items in ((completed[-1] or {}).get("output") or () if completed else (), added)
    )
    same = sorted(str(call.get("args")) for call in as_list(outcome.ours.get("tool_calls"))) == sorted(
        str(call.get("args")) for call in as_list(outcome.theirs.get("tool_calls"))
    )
    return same and mine != others and ours == mine and theirs == others


@raises(
    "langchain/openai.responses",
    text="^TypeError: the JSON object must be str, bytes or bytearray, not NoneType",
    name="terminal-arguments-absent",
)
def _terminal_arguments(outcome: Outcome) -> bool:
    calls = [item for item in terminal(outcome).get("output") or () if item.get("type") == "function_call"]
    return any(call.get("arguments") is None for call in calls)


@differs("langchain/openai.responses", path="text", name="item-of-another-type")
def _item_of_another_type(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return has_item_of_another_type(outcome)


@differs("langchain/openai.responses", path="", name="type-absent")
def _type_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Payloads without a type, which the name of the event has, are ignored."""
    keys = {key for payload in outcome.stream.payloads for key in payload}
    return difference.theirs is None and "type" not in keys and "delta" in keys


@differs("langchain/openai.responses", path="", name="body-ignored")
def _body_ignored(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Bodies that were sent whole are ignored."""
    return difference.theirs is None and all(
        payload.get("object") == "response" and "type" not in payload for payload in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path="", name="commands-alone")
def _commands_alone(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """LangChain does not know the events of shell calls."""
    return difference.theirs is None and all(
        str(payload.get("type")).startswith("response.shell_call") for payload in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path=r"tool_calls\[\d+\]\.(args|name|id)", name="output-index-absent")
def _output_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Without `output_index`, the fragments of all calls are joined into one call."""
    events = [event for event in outcome.stream.payloads if "function_call_arguments" in str(event.get("type"))]
    return bool(events) and not any("output_index" in event for event in events)


@differs("langchain/openai.responses", path=r"reasoning", name="item-of-checkpoint-lost")
@differs("langchain/openai.responses", path=r"text", name="item-of-checkpoint-lost")
def _checkpoint(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    begun = [
        event for event in outcome.stream.payloads if event.get("type") in ("response.created", "response.in_progress")
    ]
    return any((event.get("response") or {}).get("output") for event in begun)


@differs("langchain/openai.responses", path=r"text", name="parts-by-arrival")
def _parts_by_arrival(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    indices = [event["content_index"] for event in outcome.stream.payloads if "content_index" in event]
    return indices != sorted(indices) and sorted(difference.ours) == sorted(difference.theirs)


@differs("langchain/openai.responses", path=r"text", name="event-names")
def _event_names(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and any(
        event.get("type") == "response.text.delta" for event in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path=r"text", name="delta-object")
def _delta_object(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance(event.get("delta"), dict) for event in outcome.stream.payloads)


@differs("langchain/openai.responses", path=r"reasoning\[\d+\]\.summary", name="summary-index-absent")
def _summary_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(
        "reasoning_summary" in str(event.get("type")) and "summary_index" not in event
        for event in outcome.stream.payloads
    )


@differs("langchain/openai.responses", path=r"usage\.\w+", name="usage-of-chat-lost")
def _usage_of_chat(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return "prompt_tokens" in (outcome.stream.body.get("usage") or {})


@differs("langchain/openai.responses", path=r"tool_calls\[\d+\]\.name", name="added-twice")
def _added_twice(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return is_repeated(difference)


@differs(
    "langchain/anthropic.messages", path=r"usage(\.(input_tokens|total_tokens|cache_read))?", name="usage-of-start-lost"
)
def _usage_of_start(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    delta = [event.get("usage") or {} for event in outcome.stream.payloads if event.get("type") == "message_delta"]
    return not any(usage.get("input_tokens") for usage in delta)


@differs(
    "langchain/anthropic.messages", path=r"(content|tool_calls|stop_reason|usage)(\W.*)?", name="content-of-start-lost"
)
def _content_of_start(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(
        event.get("message", {}).get("content")
        for event in outcome.stream.payloads
        if event.get("type") == "message_start"
    )


@differs("langchain/anthropic.messages", path=r"tool_calls\[\d+\]\.args", name="input-cut")
def _langchain_input_cut(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and isinstance(difference.theirs, str)


@differs("langchain/anthropic.messages", path=r"content(\[.*)?", name="blocks-lost")
def _blocks_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Blocks are lost if the conversion does not name their type."""
    names = re.compile(r"tool_result|tool_use|document|redacted_thinking|^text$|^thinking$")
    return at[1] is None and [
        block for block in as_list(outcome.ours["content"]) if names.search(block["type"])
    ] == as_list(difference.theirs)


@differs("langchain/anthropic.messages", path=r"tool_calls(\[.*)?|content\[\d+\]\.type", name="block-start-absent")
def _block_start_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return has_block_gap(outcome)


@differs("langchain/anthropic.messages", path=r"tool_calls\[\d+\]\.args", name="input-of-start-and-deltas")
def _input_twice(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("content_block") or {}).get("input") for event in outcome.stream.payloads) and isinstance(
        difference.theirs, str
    )


@differs("langchain/anthropic.messages", path=r"content\[\d+\]\.signature", name="signatures-concatenated")
def _signatures(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return is_joined(difference.theirs, list(strings_under(outcome.stream.payloads, "signature")))


@differs("langchain/anthropic.messages", path=r"usage\.\w+", name="usage-summed")
def _langchain_messages_usage(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return (
        sum(event.get("type") == "message_delta" and bool(event.get("usage")) for event in outcome.stream.payloads) > 1
    )


@differs("langchain/gemini.generate", path=r"usage\.(\w+)", name="usage-that-falls")
def _usage_that_falls(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """The counts of the chunk before are subtracted, and a difference below 0 becomes 0."""
    usages = [chunk["usageMetadata"] for chunk in outcome.stream.payloads if chunk.get("usageMetadata")]
    keys = {key for usage in usages for key, count in usage.items() if isinstance(count, int)}
    counts = [[usage.get(key) or 0 for usage in usages] for key in keys]
    return any(column != sorted(column) for column in counts)


@differs("langchain/gemini.generate", path=r"finish_reason", name="finish-concatenated")
def _finish_concatenated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    firsts = [chunk["candidates"][0] for chunk in outcome.stream.payloads if chunk.get("candidates")]
    said = [candidate.get("finishReason") or "" for candidate in firsts]
    return difference.theirs == "".join(said) and difference.ours in said


@differs("langchain/gemini.generate", path=r"(text|thinking|finish_reason|usage|model)(\..*)?", name="wrapped")
def _wrapped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and all(isinstance(chunk.get("response"), dict) for chunk in outcome.stream.payloads)


@differs("langchain/gemini.generate", path=r"model", name="model-of-finish-only")
def _model_of_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    finishing = [chunk for chunk in outcome.stream.payloads if (chunk.get("candidates") or [{}])[0].get("finishReason")]
    models = [chunk.get("modelVersion") or "" for chunk in finishing]
    return (difference.theirs or "") == "".join(models) and is_in_a_chunk(outcome, difference.ours, "modelVersion")


@differs("langchain/gemini.generate", path=r"text|thinking|tool_calls", name="candidates-merged")
def _candidates_merged(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body.get("candidates") or ()) > 1


@differs("langchain/gemini.generate", path=r"tool_calls(\[.*)?", name="partial-arguments")
def _partial_arguments(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    calls = [
        part["functionCall"]
        for entries in lists_in(outcome.stream.payloads)
        for part in entries
        if isinstance(part, dict) and "functionCall" in part
    ]
    return any("willContinue" in call or "partialArgs" in call for call in calls)
