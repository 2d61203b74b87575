"""What openai-python does, in Chat Completions first, then in Responses."""

from __future__ import annotations

import base64
import re
from typing import Any

from tests.peers.compare import Difference, Outcome
from tests.peers.rules.payloads import (
    as_list,
    as_normalised,
    call_fragments,
    call_names,
    choice_deltas,
    chunk_choices,
    entries_of,
    follow,
    has_item_of_another_type,
    has_null_call,
    is_in_a_choice,
    is_in_a_chunk,
    is_joined,
    is_repeated,
    joined_texts,
    lacks_function,
    lists_in,
    of_choice,
    reported_usages,
    strings_under,
    terminal,
)
from tests.peers.rules.registry import differs, raises


def _first_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = as_normalised(follow(outcome.stream.payloads[0], difference.path))
    # We move Groq's usage to the top level, so no chunk has it there.
    said = is_in_a_chunk(outcome, difference.ours, difference.path) or difference.path.startswith("x_groq")
    return difference.theirs == first and said


def _choice_order(outcome: Outcome) -> bool:
    seen = list(dict.fromkeys(choice.get("index") for choice in chunk_choices(outcome)))
    return seen != sorted(seen)


@raises(
    "openai/openai.chat", text=r"^(LengthFinishReasonError|ContentFilterFinishReasonError)", name="finish-reason-raises"
)
def _finish_reason_raises(outcome: Outcome) -> bool:
    return any(choice["finish_reason"] in ("length", "content_filter") for choice in outcome.stream.body["choices"])


@raises("openai/openai.chat", text="list indices must be integers", name="choice-index-absent")
def _choice_index_absent(outcome: Outcome) -> bool:
    return any(type(choice.get("index")) is not int for choice in chunk_choices(outcome))


@raises(
    "openai/openai.chat", text="list indices must be integers|`index` value is not an integer", name="tool-index-absent"
)
def _tool_index_absent(outcome: Outcome) -> bool:
    return any(type(call.get("index")) is not int for call in call_fragments(outcome))


@raises(
    "openai/openai.chat", text="^RuntimeError: Expected list delta entry to have an `index`", name="list-without-index"
)
def _list_without_index(outcome: Outcome) -> bool:
    lists = [entries for choice in chunk_choices(outcome) for entries in lists_in(choice.get("delta"))]
    return any(isinstance(entry, dict) and "index" not in entry for entries in lists for entry in entries)


@raises(
    "openai/openai.chat", text="^TypeError: Unexpected list delta entry is not a dictionary: None", name="call-null"
)
def _call_null(outcome: Outcome) -> bool:
    return has_null_call(outcome)


@raises("openai/openai.chat", text="^AssertionError", name="function-absent")
def _function_absent(outcome: Outcome) -> bool:
    return lacks_function(outcome)


@raises("openai/openai.chat", text="'NoneType' object has no attribute '(to_dict|content|role)'", name="delta-absent")
def _delta_absent(outcome: Outcome) -> bool:
    return any(not isinstance(choice.get("delta"), dict) for choice in chunk_choices(outcome))


@raises("openai/openai.chat", text="'NoneType' object is not iterable|^KeyError: 'choices'", name="choices-absent")
def _choices_absent(outcome: Outcome) -> bool:
    return any(not isinstance(chunk.get("choices"), list) for chunk in outcome.stream.payloads)


@raises("openai/openai.chat", text="^AssertionError", name="tool-type-erased")
def _tool_type_erased(outcome: Outcome) -> bool:
    return any("type" in call and not call["type"] for call in call_fragments(outcome))


@raises("openai/openai.chat", text="^AttributeError: 'dict' object has no attribute 'name'", name="custom-tool-raises")
def _custom_tool(outcome: Outcome) -> bool:
    return any(call.get("custom") for call in call_fragments(outcome))


@raises("openai/openai.chat", text="^IndexError", name="index-gap")
def _index_gap(outcome: Outcome) -> bool:
    """The index of a tool call or a choice differs from the length of the list so far."""
    indices = {choice.get("index") for choice in chunk_choices(outcome)}
    calls = {call.get("index") for call in call_fragments(outcome)}
    return indices != set(range(len(indices))) or calls != set(range(len(calls))) or _choice_order(outcome)


@differs("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.role", name="role-concatenated")
def _role_concatenated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    roles = [delta.get("role") or "" for delta in choice_deltas(outcome, at[1])]
    return (difference.theirs or "") == "".join(roles) and difference.ours in (*roles, "assistant")


@differs("openai/openai.chat", path="sequence_number|p", name="padding-kept")
def _padding(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == outcome.stream.payloads[0].get(difference.path)


differs("openai/openai.chat", path="id|model|created", name="envelope-of-first-chunk")(_first_chunk)


differs("openai/openai.chat", path="service_tier", name="service-tier-of-first-chunk")(_first_chunk)


@differs("openai/openai.chat", path=r"usage", name="usage-erased")
def _usage_erased(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and not outcome.stream.payloads[-1].get("usage") and bool(reported_usages(outcome))


@differs("openai/openai.chat", path="system_fingerprint", name="fingerprint-of-last-chunk")
def _fingerprint_of_last_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    said = is_in_a_chunk(outcome, difference.ours, "system_fingerprint") or (
        difference.ours is None and difference.theirs == ""
    )
    return difference.theirs == outcome.stream.payloads[-1].get("system_fingerprint") and said


differs("openai/openai.chat", path=r"(?!choices|usage|system_fingerprint|moderation).*", name="extras-of-first-chunk")(
    _first_chunk
)


@differs(
    "openai/openai.chat",
    path=r"choices\[(\d+)\]\.(?!message|finish_reason|logprobs)(.+)",
    name="choice-extras-of-first-chunk",
)
def _choice_extras(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = as_normalised(follow(of_choice(outcome, at[1])[0], at[2]))
    # Our body does not have a text that only repeats the delta.
    said = is_in_a_choice(outcome, at[1], difference.ours, at[2]) or (difference.ours is None and at[2] == "text")
    if isinstance(difference.ours, list):  # the list `token_ids` is extended
        said = difference.ours == [entry for choice in of_choice(outcome, at[1]) for entry in choice.get(at[2]) or ()]
    return difference.theirs == first and said


@differs("openai/openai.chat", path=r"choices\[\d+\]\.message\.content", name="empty-content-beside-calls")
def _empty_content(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == ""


@differs(
    "openai/openai.chat", path=r"choices\[(\d+)\]\.message\.reasoning_details(\[.*)?", name="reasoning-details-by-index"
)
def _reasoning_details(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    if sum(len(delta.get("reasoning_details") or ()) for delta in choice_deltas(outcome, at[1])) < 2:
        return False
    if not isinstance(difference.ours, str):
        return isinstance(difference.ours, list) and len(difference.ours) > len(as_list(difference.theirs))
    pieces = list(strings_under(choice_deltas(outcome, at[1]), difference.path.rpartition(".")[2]))
    return difference.ours in pieces or is_joined(difference.ours, pieces)


@differs("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.tool_calls\[\d+\]\.type", name="tool-type-absent")
def _tool_type(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(not call.get("type") for call in call_fragments(outcome))


@differs("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.obfuscation", name="obfuscation-kept")
def _obfuscation(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == "".join(delta.get("obfuscation") or "" for delta in choice_deltas(outcome, at[1]))


@differs("openai/openai.chat", path=r"choices\[\d+\]\.finish_reason", name="empty-finish-kept")
def _empty_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == ""


@differs("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="placeholder-kept")
def _placeholder(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    full = [call for call in as_list(difference.theirs) if call.get("id") or any((call.get("function") or {}).values())]
    return len(full) == len(as_list(difference.ours)) < len(as_list(difference.theirs))


@differs(
    "openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments", name="null-arguments"
)
def _null_arguments(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(
        (call.get("function") or {}).get("arguments") is None for call in call_fragments(outcome)
    )


@differs(
    "openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.(id|function\.name)", name="blank-kept"
)
def _blank(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == ""


@differs("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.id", name="tool-id-concatenated")
def _tool_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ids = [call["id"] for call in call_fragments(outcome) if call.get("id")]
    return is_repeated(difference) or (difference.ours in ids and is_joined(difference.theirs, ids))


@differs(
    "openai/openai.chat",
    path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.(function|custom)\.name",
    name="tool-name-concatenated",
)
def _tool_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    names = call_names(outcome)
    return is_repeated(difference) or (difference.ours in names and is_joined(difference.theirs, names))


@differs(
    "openai/openai.chat",
    path=r"choices\[(\d+)\]\.message\.(?!role|content|refusal|tool_calls)(.+)",
    name="strings-concatenated",
)
def _strings(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    keys = re.findall(r"[^.\[\]]+", at[2])
    deltas = [{keys[0]: delta.get(keys[0])} for delta in choice_deltas(outcome, at[1])]
    pieces = list(strings_under(deltas, keys[-1]))
    return is_joined(difference.theirs, pieces) and (
        difference.ours in pieces or difference.ours == _decoded_and_joined(pieces)
    )


def _decoded_and_joined(pieces: list[str]) -> str | None:
    """Return padded fragments of Base64 as one text, or None if they are not padded Base64."""
    try:
        return base64.b64encode(b"".join(base64.b64decode(piece, validate=True) for piece in pieces)).decode()
    except ValueError:
        return None


@differs("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.(?!role|content|refusal)(.+)", name="numbers-summed")
def _numbers(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [follow(delta, at[2]) for delta in choice_deltas(outcome, at[1])]
    numbers = [number for number in came if isinstance(number, (int, float))]
    return len(numbers) > 1 and difference.theirs == sum(numbers)


@differs(
    "openai/openai.chat",
    path=r"choices\[(\d+)\]\.logprobs\.(?!content$|refusal$)(\w+)",
    name="logprobs-of-other-shapes",
)
def _logprobs(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [
        choice["logprobs"].get(at[2])
        for choice in of_choice(outcome, at[1])
        if isinstance(choice.get("logprobs"), dict)
    ]
    return any(came) and difference.theirs in (None, as_normalised(came[0]))


@raises(
    "openai/openai.chat",
    text="^AttributeError: '(int|float)' object has no attribute 'content'",
    name="logprobs-of-other-shapes",
)
def _logprobs_number(outcome: Outcome) -> bool:
    return any(isinstance(choice.get("logprobs"), (int, float)) for choice in chunk_choices(outcome))


@raises(
    "openai/openai.responses",
    text="^RuntimeError: Didn't receive a `response.completed` event",
    name="incomplete-raises",
)
def _incomplete(outcome: Outcome) -> bool:
    return all(event.get("type") != "response.completed" for event in outcome.stream.payloads)


@raises(
    "openai/openai.responses", text="^RuntimeError: Expected to have received `response.created`", name="created-absent"
)
def _created_absent(outcome: Outcome) -> bool:
    return outcome.stream.payloads[0].get("type") != "response.created"


@differs("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.images", name="images-joined")
def _images_joined(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Entries with one index are joined as if they were fragments of one image."""
    came = [image for delta in choice_deltas(outcome, at[1]) for image in entries_of(delta.get("images"))]
    return (
        len({image.get("index") for image in came}) == len(as_list(difference.theirs)) < len(as_list(difference.ours))
    )


@raises(
    "openai/openai.responses",
    text="^RuntimeError: Lifecycle response identity changed",
    name="terminal-without-response",
)
def _terminal_without_response(outcome: Outcome) -> bool:
    return any(
        event.get("type") == "response.completed" and not event.get("response") for event in outcome.stream.payloads
    )


@raises(
    "openai/openai.responses",
    text="^RuntimeError: (Lifecycle response identity|Completed output item identity|Completed response output identity) changed",
    name="ids-change",
)
def _ids_change(outcome: Outcome) -> bool:
    ids: dict[Any, set[Any]] = {}
    for event in outcome.stream.payloads:
        if isinstance(event.get("response"), dict):
            ids.setdefault("response", set()).add(event["response"].get("id"))
            for place, item in enumerate(event["response"].get("output") or ()):
                ids.setdefault(place, set()).add((item.get("id"), item.get("call_id")))
        if isinstance(event.get("item"), dict):
            ids.setdefault(event.get("output_index"), set()).add(
                (event["item"].get("id"), event["item"].get("call_id"))
            )
    return any(len(found) > 1 for found in ids.values())


@raises("openai/openai.responses", text="^IndexError", name="content-index-gap")
def _content_index_gap(outcome: Outcome) -> bool:
    """The index of a content part differs from its position:

    an earlier part is hidden, or no event has added the part.
    """
    parts: dict[Any, int] = {}
    for event in outcome.stream.payloads:
        if event.get("type") == "response.content_part.added":
            parts[event.get("output_index")] = parts.get(event.get("output_index"), 0) + 1
        elif event.get("type") in ("response.output_text.delta", "response.output_text.done") and event[
            "content_index"
        ] >= parts.get(event.get("output_index"), 0):
            return True
    return False


@raises(
    "openai/openai.responses",
    text="^RuntimeError: Cannot complete response with unfinished output items",
    name="item-done-absent",
)
def _item_done_absent(outcome: Outcome) -> bool:
    added, done = (
        {
            event.get("output_index")
            for event in outcome.stream.payloads
            if event.get("type") == f"response.output_item.{which}"
        }
        for which in ("added", "done")
    )
    return bool(added - done)


@raises("openai/openai.responses", text="^RuntimeError: Duplicate response output index", name="output-index-twice")
def _output_index_twice(outcome: Outcome) -> bool:
    added = [
        event.get("output_index")
        for event in outcome.stream.payloads
        if event.get("type") == "response.output_item.added"
    ]
    return len(added) != len(set(added))


@raises(
    "openai/openai.responses", text="^RuntimeError: Received a content event for output index", name="item-added-absent"
)
def _item_added_absent(outcome: Outcome) -> bool:
    added: set[Any] = set()
    for event in outcome.stream.payloads:
        if event.get("type") == "response.output_item.added":
            added.add(event.get("output_index"))
        elif "content_index" in event or str(event.get("type")).endswith(".delta"):
            if event.get("output_index") not in added:
                return True
    return False


@raises("openai/openai.responses", text="^AssertionError", name="item-of-another-type")
def _item_of_another_type(outcome: Outcome) -> bool:
    return has_item_of_another_type(outcome)


@raises("openai/openai.responses", text="^TypeError: list indices must be integers", name="part-index-absent")
def _part_index_absent(outcome: Outcome) -> bool:
    return any(
        event.get("type") == "response.output_text.delta" and type(event.get("content_index")) is not int
        for event in outcome.stream.payloads
    )


@raises(
    "openai/openai.responses",
    text=r"^TypeError: unsupported operand type\(s\) for \+=: 'NoneType' and 'str'",
    name="part-text-absent",
)
def _part_text_absent(outcome: Outcome) -> bool:
    return any(
        event.get("type") == "response.content_part.added"
        and event["part"].get("type") == "output_text"
        and event["part"].get("text") is None
        for event in outcome.stream.payloads
    )


@raises("openai/openai.responses", text="^AttributeError: 'NoneType' object has no attribute 'type'", name="item-null")
def _item_null(outcome: Outcome) -> bool:
    return any(None in ((event.get("response") or {}).get("output") or ()) for event in outcome.stream.payloads)


@differs("openai/openai.responses", path="output", name="terminal-output-empty")
def _terminal_output_empty(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and terminal(outcome).get("output") == []


@differs("openai/openai.responses", path=r"output(\[\d+\].*)?", name="terminal-trusted")
def _terminal_trusted(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    if difference.theirs != as_normalised(follow(terminal(outcome), difference.path)):
        return False
    if isinstance(difference.ours, str):
        return difference.ours in joined_texts(outcome)
    return isinstance(difference.ours, list) and len(difference.ours) > len(as_list(difference.theirs))
