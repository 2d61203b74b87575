"""What stream_chunk_builder does, in Chat Completions first, then in legacy completions."""

from __future__ import annotations

import re
from typing import Any

from tests.corpus import normalised
from tests.peers.compare import Difference, Outcome
from tests.peers.rules.payloads import (
    as_list,
    as_normalised,
    call_fragments,
    call_names,
    came_whole,
    choice_deltas,
    chunk_choices,
    entries_of,
    follow,
    is_in_a_chunk,
    lacks_function,
    of_choice,
    reported_usages,
    strings_under,
)
from tests.peers.rules.registry import differs, raises

_FINISH_REASONS = ("stop", "length", "tool_calls", "content_filter", "function_call")


@differs("litellm/openai.chat", path=r"created", name="created-of-first-chunk")
def _created(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = outcome.stream.payloads[0].get("created") or None
    # Without one, LiteLLM takes the current time.
    return (difference.theirs == first or first is None) and is_in_a_chunk(outcome, difference.ours, "created")


@differs("litellm/openai.chat", path=r"system_fingerprint", name="fingerprint-of-first-chunk")
def _fingerprint(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = outcome.stream.payloads[0].get("system_fingerprint") or None
    return difference.theirs == first and is_in_a_chunk(outcome, difference.ours, "system_fingerprint")


@differs("litellm/openai.chat", path=r"usage(\..*)?", name="usage-estimated")
def _usage_estimated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not reported_usages(outcome)


@differs("litellm/openai.chat", path=r"usage\.completion\.reasoning_tokens", name="reasoning-tokens-estimated")
def _reasoning_estimated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and any(
        delta.get("reasoning_content") or delta.get("reasoning") for delta in choice_deltas(outcome)
    )


@differs("litellm/openai.chat", path=r"usage\.total_tokens", name="total-recomputed")
def _total(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    usage = outcome.theirs["usage"]
    said = difference.ours in [usage.get("total_tokens") for usage in reported_usages(outcome)]
    return said and (difference.theirs or 0) == usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.logprobs(\..*)?", name="logprobs-lost")
def _logprobs_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(choice.get("logprobs") for choice in of_choice(outcome, at[1]))


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.finish_reason", name="finish-invented")
def _finish_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == "stop" and not any(choice.get("finish_reason") for choice in of_choice(outcome, at[1]))


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.finish_reason", name="finish-mapped")
def _finish_mapped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    said = {choice.get("finish_reason") for choice in of_choice(outcome, at[1])}
    return difference.ours in said - {None, *_FINISH_REASONS} and difference.theirs in _FINISH_REASONS


@differs("litellm/openai.chat", path=r"choices(\[\d+\]\..*)?", name="choices-merged")
def _choices_merged(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body["choices"]) > 1 and len(outcome.theirs["choices"]) == 1


@differs(
    "litellm/openai.chat",
    path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments",
    name="arguments-invented",
)
def _arguments_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.ours and difference.theirs == "{}"


@differs("litellm/openai.chat", path=r"id", name="keepalive-id")
def _keepalive_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return str(difference.theirs).endswith("-keepalive")


@raises("litellm/openai.chat", text="^ValidationError: .*ModelResponseStream\\s+created", name="created-invalid")
def _created_invalid(outcome: Outcome) -> bool:
    return any(type(chunk.get("created")) is not int for chunk in outcome.stream.payloads)


@raises(
    "litellm/openai.chat", text="^ValidationError: .*ChatCompletionDeltaToolCall\\s+function", name="function-absent"
)
def _litellm_function(outcome: Outcome) -> bool:
    return lacks_function(outcome)


@raises("litellm/openai.chat", text="sequence item 0: expected str instance", name="reasoning-parts")
def _reasoning_parts(outcome: Outcome) -> bool:
    return any(
        isinstance(delta.get("reasoning_content") or delta.get("reasoning"), list) for delta in choice_deltas(outcome)
    )


@differs("litellm/openai.chat", path=r"usage\.(prompt_tokens|completion_tokens|total_tokens)", name="usage-by-field")
def _usage_by_field(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    counts = [usage.get(at[1]) or None for usage in reported_usages(outcome)]
    return len(counts) > 1 and difference.theirs in counts and difference.ours in counts


@differs(
    "litellm/openai.chat",
    path=r"choices\[\d+\]\.message\.tool_calls(\[\d+\]\.(extra_content|provider_specific_fields|custom\.(?!name|input)).*)?",
    name="call-extras-lost",
)
def _call_extras(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return at[1] is not None and difference.theirs is None


@differs("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.type", name="custom-type-lost")
def _custom_type(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours == "custom"


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.images", name="images-twice")
def _images(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [entry for delta in choice_deltas(outcome, at[1]) for entry in entries_of(delta.get("images"))]
    return difference.theirs == normalised(came)


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.images", name="image-without-a-list")
def _image_alone(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    images = [delta.get("images") for delta in choice_deltas(outcome, at[1])]
    return any(isinstance(image, dict) and set(image) <= set(map(str, difference.theirs)) for image in images)


@differs("litellm/openai.chat", path=r"choices", name="choice-invented")
def _choice_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and not chunk_choices(outcome)


@differs("litellm/openai.chat", path=r"choices\[\d+\]\.message\.audio\.expires_at", name="expiry-invented")
def _expiry(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and type(difference.theirs) is int


@differs("litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.audio\.id", name="audio-id-of-last-chunk")
def _audio_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    audio = [delta.get("audio") or {} for delta in choice_deltas(outcome, at[1])]
    ids = [piece["id"] for piece in audio if isinstance(piece.get("id"), str)]
    return len(ids) > 1 and difference.ours == ids[0] and difference.theirs == ids[-1]


@raises("litellm/openai.chat", text="Error: Invalid base64-encoded string", name="audio-invalid")
def _audio_invalid(outcome: Outcome) -> bool:
    pieces = [data for delta in choice_deltas(outcome) for data in strings_under(delta.get("audio"), "data")]
    return any(not re.fullmatch(r"[A-Za-z0-9+/]+={0,2}", piece) or len(piece) % 4 for piece in pieces)


@differs(
    "litellm/openai.chat",
    path=r"choices\[(\d+)\]\.message\.tool_calls\[(\d+)\]\.function\.arguments",
    name="calls-without-index",
)
def _calls_without_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Fragments without an index go to the call at index 0."""
    joined: dict[Any, str] = {}
    fragments = [call for delta in choice_deltas(outcome, at[1]) for call in delta.get("tool_calls") or () if call]
    for call in fragments:
        index = call.get("index") or 0
        joined[index] = joined.get(index, "") + ((call.get("function") or {}).get("arguments") or "")
    absent = any(call.get("index") is None for call in fragments)
    ours, theirs = (
        sorted("".join(strings_under(side["choices"][int(at[1])], "arguments")))
        for side in (outcome.ours, outcome.theirs)
    )
    return absent and ours == theirs and difference.theirs in list(joined.values())[int(at[2]) : int(at[2]) + 1]


@differs("litellm/openai.chat", path=r"choices\[\d+\]\.message\.(tool_calls|reasoning_content)", name="message-ignored")
def _litellm_message(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and came_whole(outcome)


@differs("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="calls-without-id-dropped")
def _calls_dropped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return as_list(difference.theirs) == [call for call in as_list(difference.ours) if call.get("id")]


@differs("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.id", name="tool-id-of-last-fragment")
def _tool_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ids = [call["id"] for call in call_fragments(outcome) if call.get("id")]
    return difference.ours in ids and difference.theirs in ids[ids.index(difference.ours) + 1 :]


@differs(
    "litellm/openai.chat",
    path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.name",
    name="tool-name-of-last-fragment",
)
def _tool_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    names = call_names(outcome)
    return difference.ours in names and difference.theirs in names[names.index(difference.ours) + 1 :]


@raises("litellm/openai.chat", text="^ValidationError: .*ChoiceLogprobs", name="logprobs-invalid")
def _logprobs_invalid(outcome: Outcome) -> bool:
    return any(choice.get("logprobs") for choice in chunk_choices(outcome))


@differs("litellm/openai.completions", path=r"choices\[\d+\]\.logprobs(\..*)?", name="logprobs-of-last-chunk")
def _logprobs_of_last(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    last = as_normalised(follow(outcome.stream.payloads[-1], "choices[0].logprobs" + (at[1] or "")))
    return difference.theirs == last


@differs("litellm/openai.completions", path=r"id|created|model|system_fingerprint", name="envelope-of-first-chunk")
def _completions_envelope(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = outcome.stream.payloads[0].get(difference.path)
    # LiteLLM invents missing values: the current time, an id.
    made_up = difference.path in ("id", "created") and difference.path not in outcome.stream.payloads[0]
    said = is_in_a_chunk(outcome, difference.ours, difference.path)
    return ((difference.theirs == (first or None) or made_up) and said) or (not first and difference.ours is None)


@differs("litellm/openai.completions", path=r"choices(\[\d+\]\..*)?", name="choices-merged")
def _completions_choices(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body["choices"]) > 1 and len(outcome.theirs["choices"]) == 1


@differs("litellm/openai.completions", path=r"choices\[\d+\]\.finish_reason", name="finish-mapped")
def _completions_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    said = {choice.get("finish_reason") for choice in chunk_choices(outcome)}
    return difference.ours in said - {None, *_FINISH_REASONS} and difference.theirs in _FINISH_REASONS


@differs("litellm/openai.completions", path=r"usage(\..*)?", name="usage-estimated")
def _completions_usage(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return True


@raises("litellm/openai.completions", text="IndexError", name="last-chunk-without-choice")
def _last_chunk(outcome: Outcome) -> bool:
    return not outcome.stream.payloads[-1].get("choices")
