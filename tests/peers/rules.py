"""Which difference is which defect: one function a defect, in the order in which they are asked.

A rule gets an `Outcome` and one of its differences, or None where the peer raised, and says whether this is its
defect. It must know it from the payloads: wherever that takes a line, it works out what the defect makes of
them and compares, so that no mistake of ours can pass for one of theirs. The texts are in ``defects.json``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

from tests.corpus import normalised
from tests.peers.compare import Difference, Outcome
from tests.peers.forms import _call

Rule = Callable[[Outcome, "Difference | None"], bool]

# Defect -> rule. The first that says yes has it.
RULES: dict[str, Rule] = {}


def explained(outcome: Outcome) -> Iterator[tuple[str | None, Difference | None]]:
    """Yield the defect behind each difference of an outcome; None where no rule knows it."""
    for difference in outcome.differences or ([None] if outcome.error is not None else []):
        yield next((name for name, rule in RULES.items() if _asked(name, outcome) and rule(outcome, difference)), None), difference


def _asked(name: str, outcome: Outcome) -> bool:
    return name.startswith(f"{outcome.peer}/{outcome.stream.dialect}/")


def _on(*prefixes: str, name: str) -> Callable[[Rule], Rule]:
    def register(rule: Rule) -> Rule:
        for prefix in prefixes:
            RULES[f"{prefix}/{name}"] = rule
        return rule

    return register


def _at(*peers: str, path: str, name: str) -> Callable[[Callable[[Outcome, Difference, re.Match[str]], bool]], Rule]:
    """Register a rule for the differences whose path matches."""

    def register(rule: Callable[[Outcome, Difference, re.Match[str]], bool]) -> Rule:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            found = re.fullmatch(path, difference.path) if difference is not None else None
            return difference is not None and found is not None and rule(outcome, difference, found)

        return _on(*peers, name=name)(asked)

    return register


def _raised(*peers: str, text: str, name: str) -> Callable[[Callable[[Outcome], bool]], Rule]:
    """Register a rule for errors that begin so."""

    def register(rule: Callable[[Outcome], bool]) -> Rule:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            return outcome.error is not None and re.search(text, outcome.error) is not None and rule(outcome)

        return _on(*peers, name=name)(asked)

    return register


# -- what the payloads say ---------------------------------------------------------------------------------------


def _chunk_choices(outcome: Outcome, index: int | None = None) -> list[dict[str, Any]]:
    """Return the choices of all chunks, or those of one index."""
    return [
        choice
        for chunk in outcome.stream.payloads
        for choice in chunk.get("choices") or ()
        if isinstance(choice, dict) and index in (None, choice.get("index") or 0)
    ]


def _of_choice(outcome: Outcome, place: str | int) -> list[dict[str, Any]]:
    """Return what came for the choice at a place of our body."""
    return _chunk_choices(outcome, outcome.stream.body["choices"][int(place)]["index"])


def _deltas(outcome: Outcome, place: str | int = 0) -> list[dict[str, Any]]:
    return [choice["delta"] for choice in _of_choice(outcome, place) if isinstance(choice.get("delta"), dict)]


def _calls(outcome: Outcome) -> list[dict[str, Any]]:
    """Return every fragment of every tool call."""
    return [
        call
        for choice in _chunk_choices(outcome)
        for call in (choice.get("delta") or {}).get("tool_calls") or ()
        if isinstance(call, dict)
    ]


def _under(value: Any, key: str, named: bool = False) -> Iterator[str]:
    """Yield the strings under a key, however deep."""
    if named and isinstance(value, str) and value:
        yield value
    elif isinstance(value, dict):
        for name, entry in value.items():
            yield from _under(entry, key, name == key)
    elif isinstance(value, list):
        for entry in value:
            yield from _under(entry, key)


def _is_joined(text: Any, pieces: list[str]) -> bool:
    """Whether a text is two or more of these pieces, in their order, and nothing else."""
    taken = 0
    for piece in pieces:
        if isinstance(text, str) and text.startswith(piece):
            text = text[len(piece) :]
            taken += 1
    return text == "" and taken > 1


def _lists(value: Any) -> Iterator[list[Any]]:
    if isinstance(value, dict):
        for entry in value.values():
            yield from _lists(entry)
    elif isinstance(value, list):
        yield value
        for entry in value:
            yield from _lists(entry)


def _follow(value: Any, path: str) -> Any:
    """Return what is at a path; None where nothing is."""
    for key in re.findall(r"[^.\[\]]+", path):
        if isinstance(value, dict):
            value = value.get(key)
        elif isinstance(value, list) and key.isdigit() and int(key) < len(value):
            value = value[int(key)]
        else:
            return None
    return value


def _usages(outcome: Outcome) -> list[Any]:
    return [chunk["usage"] for chunk in outcome.stream.payloads if chunk.get("usage")]


def _said(value: Any) -> Any:
    """Normalise a wire value as the two sides of a comparison are."""
    value = normalised(value)
    return None if value == [] else value


# -- every peer --------------------------------------------------------------------------------------------------

_CHAT = "openai/openai.chat", "litellm/openai.chat", "litellm/openai.completions", "langchain/openai.chat"
_EVENTS = "openai/openai.responses", "anthropic/anthropic.messages", "anthropic-beta/anthropic.messages"
_LANGCHAIN = "langchain/openai.responses", "langchain/anthropic.messages", "langchain/gemini.generate"


@_raised(*_CHAT, *_EVENTS, *_LANGCHAIN, text=r"^(ProviderError|ValueError)", name="provider-error")
def _provider_error(outcome: Outcome) -> bool:
    return outcome.stream.result.status == "failed"


# -- openai, chat ------------------------------------------------------------------------------------------------


@_raised("openai/openai.chat", text=r"^(LengthFinishReasonError|ContentFilterFinishReasonError)", name="finish-reason-raises")
def _finish_reason_raises(outcome: Outcome) -> bool:
    return any(choice["finish_reason"] in ("length", "content_filter") for choice in outcome.stream.body["choices"])


@_raised("openai/openai.chat", text="list indices must be integers|'>=' not supported|'<' not supported", name="tool-index-absent")
def _tool_index_absent(outcome: Outcome) -> bool:
    return any(type(call.get("index")) is not int for call in _calls(outcome))


@_raised("openai/openai.chat", text="^RuntimeError: Expected list delta entry to have an `index`", name="list-without-index")
def _list_without_index(outcome: Outcome) -> bool:
    lists = [entries for choice in _chunk_choices(outcome) for entries in _lists(choice.get("delta"))]
    return any(isinstance(entry, dict) and "index" not in entry for entries in lists for entry in entries)


@_raised("openai/openai.chat", text="'NoneType' object has no attribute '(to_dict|content|role)'", name="delta-absent")
def _delta_absent(outcome: Outcome) -> bool:
    return any(not isinstance(choice.get("delta"), dict) for choice in _chunk_choices(outcome))


@_raised("openai/openai.chat", text="'NoneType' object is not iterable|^KeyError: 'choices'", name="choices-absent")
def _choices_absent(outcome: Outcome) -> bool:
    return any(not isinstance(chunk.get("choices"), list) for chunk in outcome.stream.payloads)


@_raised("openai/openai.chat", text="^AssertionError", name="function-absent")
def _function_absent(outcome: Outcome) -> bool:
    return any(call.get("type") == "function" and not call.get("function") for call in _calls(outcome))


@_raised("openai/openai.chat", text="^AssertionError", name="tool-type-erased")
def _tool_type_erased(outcome: Outcome) -> bool:
    return any("type" in call and not call["type"] for call in _calls(outcome))


@_raised("openai/openai.chat", text="^IndexError", name="index-gap")
def _index_gap(outcome: Outcome) -> bool:
    """A tool call or a choice whose index is not the length of the list so far."""
    indices = {choice.get("index") for choice in _chunk_choices(outcome)}
    calls = {call.get("index") for call in _calls(outcome)}
    return indices != set(range(len(indices))) or calls != set(range(len(calls))) or _choice_order(outcome)


def _choice_order(outcome: Outcome) -> bool:
    seen = list(dict.fromkeys(choice.get("index") for choice in _chunk_choices(outcome)))
    return seen != sorted(seen)


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.role", name="role-concatenated")
def _role_concatenated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return (difference.theirs or "") == "".join(delta.get("role") or "" for delta in _deltas(outcome, at[1]))


def _first_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == _said(_follow(outcome.stream.payloads[0], difference.path))


_at("openai/openai.chat", path="id|model|created", name="envelope-of-first-chunk")(_first_chunk)
_at("openai/openai.chat", path="service_tier", name="service-tier-of-first-chunk")(_first_chunk)


@_at("openai/openai.chat", path=r"usage", name="usage-erased")
def _usage_erased(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and not outcome.stream.payloads[-1].get("usage") and bool(_usages(outcome))


@_at("openai/openai.chat", "langchain/openai.chat", path=r"usage|usage_breakdown", name="usage-of-groq")
def _usage_of_groq(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and not _usages(outcome) and any((chunk.get("x_groq") or {}).get("usage") for chunk in outcome.stream.payloads)


@_at("openai/openai.chat", path="system_fingerprint", name="fingerprint-of-last-chunk")
def _fingerprint_of_last_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == outcome.stream.payloads[-1].get("system_fingerprint")


_at("openai/openai.chat", path=r"(?!choices|usage|system_fingerprint|moderation).*", name="extras-of-first-chunk")(_first_chunk)


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.(?!message|finish_reason|logprobs)(.+)", name="choice-extras-of-first-chunk")
def _choice_extras(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == _said(_follow(_of_choice(outcome, at[1])[0], at[2]))


@_at("openai/openai.chat", path=r"choices\[\d+\]\.message\.content", name="empty-content-beside-calls")
def _empty_content(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == ""


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.content", name="content-parts")
def _content_parts(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance(delta.get("content"), list) for delta in _deltas(outcome, at[1]))


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.reasoning_details(\[.*)?", name="reasoning-details-by-index")
def _reasoning_details(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return sum(len(delta.get("reasoning_details") or ()) for delta in _deltas(outcome, at[1])) > 1


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.tool_calls\[\d+\]\.type", name="tool-type-absent")
def _tool_type(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(not call.get("type") for call in _calls(outcome))


def _repeated(difference: Difference) -> bool:
    ours, theirs = difference.ours, difference.theirs
    return isinstance(ours, str) and isinstance(theirs, str) and ours != "" and theirs != ours and theirs.replace(ours, "") == ""


@_at("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.id", name="tool-id-concatenated")
def _tool_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _repeated(difference)


@_at("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.(function|custom)\.name", name="tool-name-concatenated")
def _tool_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _repeated(difference)


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.(?!role|content|refusal|tool_calls)(.+)", name="strings-concatenated")
def _strings(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    keys = re.findall(r"[^.\[\]]+", at[2])
    return _is_joined(difference.theirs, [text for delta in _deltas(outcome, at[1]) for text in _under({keys[0]: delta.get(keys[0])}, keys[-1])])


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.(?!role|content|refusal|tool_calls)(.+)", name="numbers-summed")
def _numbers(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [_follow(delta, at[2]) for delta in _deltas(outcome, at[1])]
    numbers = [number for number in came if isinstance(number, (int, float))]
    return len(numbers) > 1 and difference.theirs == sum(numbers)


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.logprobs\.(?!content$|refusal$)(\w+)", name="logprobs-of-other-shapes")
def _logprobs(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any((choice.get("logprobs") or {}).get(at[2]) for choice in _of_choice(outcome, at[1]))


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.annotations", name="annotations-twice")
def _annotations(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [entry for delta in _deltas(outcome, at[1]) for entry in delta.get("annotations") or ()]
    return _as_list(difference.theirs) == normalised(came) or _as_list(difference.theirs) == [{**entry} for entry in normalised(came)]


def _as_list(value: Any) -> Any:
    return value or []


# -- openai, responses -------------------------------------------------------------------------------------------


@_raised("openai/openai.responses", text="^RuntimeError: Didn't receive a `response.completed` event", name="incomplete-raises")
def _incomplete(outcome: Outcome) -> bool:
    return all(event.get("type") != "response.completed" for event in outcome.stream.payloads)


@_raised("openai/openai.responses", text="^RuntimeError: Expected to have received `response.created`", name="created-absent")
def _created_absent(outcome: Outcome) -> bool:
    return outcome.stream.payloads[0].get("type") != "response.created"


@_raised("openai/openai.responses", text="^RuntimeError: (Lifecycle response identity|Completed output item identity|Completed response output identity) changed", name="ids-change")
def _ids_change(outcome: Outcome) -> bool:
    ids: dict[Any, set[Any]] = {}
    for event in outcome.stream.payloads:
        if isinstance(event.get("response"), dict):
            ids.setdefault("response", set()).add(event["response"].get("id"))
        if isinstance(event.get("item"), dict):
            ids.setdefault(event.get("output_index"), set()).add((event["item"].get("id"), event["item"].get("call_id")))
    return any(len(found) > 1 for found in ids.values())


@_raised("openai/openai.responses", text="^IndexError", name="content-index-gap")
def _content_index_gap(outcome: Outcome) -> bool:
    """A content part whose index is not its place: one before it is hidden, or no event has added it."""
    parts: dict[Any, int] = {}
    for event in outcome.stream.payloads:
        if event.get("type") == "response.content_part.added":
            parts[event.get("output_index")] = parts.get(event.get("output_index"), 0) + 1
        elif event.get("type") == "response.output_text.delta" and event["content_index"] >= parts.get(event.get("output_index"), 0):
            return True
    return False


@_at("openai/openai.responses", path="output", name="terminal-output-empty")
def _terminal_output_empty(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    last = [event["response"] for event in outcome.stream.payloads if event.get("type") == "response.completed"][-1]
    return difference.theirs is None and last.get("output") == []


# -- anthropic ---------------------------------------------------------------------------------------------------

_BOTH = "anthropic/anthropic.messages", "anthropic-beta/anthropic.messages"


@_at(*_BOTH, path=r"content\[(\d+)\]\.input(\..*)?", name="input-cut")
def _input_cut(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(problem.code == "bad_arguments" or "input" in problem.code for problem in outcome.stream.result.problems)


@_at("anthropic/anthropic.messages", path=r"context_management(\..*)?|usage\.iterations(\[.*)?", name="beta-fields")
def _beta_fields(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@_at("anthropic/anthropic.messages", path=r"content\[(\d+)\]\.(content|input)(\..*)?", name="beta-blocks")
def _beta_blocks(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and outcome.stream.body["content"][int(at[1])]["type"] not in ("text", "thinking", "tool_use", "server_tool_use")


# -- litellm, chat -----------------------------------------------------------------------------------------------


@_at("litellm/openai.chat", path=r"created", name="created-of-first-chunk")
def _created(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == (outcome.stream.payloads[0].get("created") or None)


@_at("litellm/openai.chat", path=r"system_fingerprint", name="fingerprint-of-first-chunk")
def _fingerprint(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == (outcome.stream.payloads[0].get("system_fingerprint") or None)


@_at("litellm/openai.chat", path=r"usage(\..*)?", name="usage-estimated")
def _usage_estimated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not _usages(outcome)


@_at("litellm/openai.chat", path=r"usage\.completion\.reasoning_tokens", name="reasoning-tokens-estimated")
def _reasoning_estimated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and any(delta.get("reasoning_content") or delta.get("reasoning") for delta in _deltas(outcome))


@_at("litellm/openai.chat", path=r"usage\.total_tokens", name="total-recomputed")
def _total(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    usage = outcome.theirs["usage"]
    return difference.theirs == usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)


@_at("litellm/openai.chat", path=r"choices\[(\d+)\]\.logprobs(\..*)?", name="logprobs-lost")
def _logprobs_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(choice.get("logprobs") for choice in _of_choice(outcome, at[1]))


@_at("litellm/openai.chat", path=r"choices\[(\d+)\]\.finish_reason", name="finish-invented")
def _finish_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == "stop" and not any(choice.get("finish_reason") for choice in _of_choice(outcome, at[1]))


@_at("litellm/openai.chat", path=r"choices\[(\d+)\]\.finish_reason", name="finish-mapped")
def _finish_mapped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return isinstance(difference.ours, str) and difference.ours not in ("stop", "length", "tool_calls", "content_filter", "function_call")


@_at("litellm/openai.chat", path=r"choices(\[\d+\]\..*)?", name="choices-merged")
def _choices_merged(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body["choices"]) > 1 and len(outcome.theirs["choices"]) == 1


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments", name="arguments-invented")
def _arguments_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.ours and difference.theirs == "{}"


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="calls-without-id-dropped")
def _calls_dropped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _as_list(difference.theirs) == [call for call in _as_list(difference.ours) if call.get("id")]


# -- langchain, chat ---------------------------------------------------------------------------------------------


def _finishing(outcome: Outcome) -> list[tuple[Any, Any]]:
    """Return the chunks that LangChain takes metadata from, each with its first choice."""
    firsts = [(chunk, chunk["choices"][0]) for chunk in outcome.stream.payloads if chunk.get("choices")]
    return [(chunk, choice) for chunk, choice in firsts if choice.get("finish_reason")]


@_at("langchain/openai.chat", path=r"(content|tool_calls|finish_reason|model|system_fingerprint)(\W.*)?", name="choices-merged")
def _langchain_choices(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    several = len(outcome.stream.body["choices"]) > 1
    return several and (at[1] in ("content", "tool_calls") or _metadata_joined(outcome, difference))


@_at("langchain/openai.chat", path=r"finish_reason|model|system_fingerprint", name="metadata-concatenated")
def _metadata(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(_finishing(outcome)) > 1 and _metadata_joined(outcome, difference)


@_at("langchain/openai.chat", path=r"model|system_fingerprint", name="metadata-of-finish-only")
def _metadata_of_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(_finishing(outcome)) < 2 and _metadata_joined(outcome, difference)


def _metadata_joined(outcome: Outcome, difference: Difference) -> bool:
    said = [choice.get("finish_reason") if difference.path == "finish_reason" else chunk.get(difference.path) for chunk, choice in _finishing(outcome)]
    return (difference.theirs or "") == "".join(value for value in said if value)


@_at("langchain/openai.chat", path=r"usage\.\w+", name="usage-summed")
def _usage_summed(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    usages = _usages(outcome)
    if len(usages) < 2:
        return False
    key = difference.path.partition(".")[2]
    if key in ("input_tokens", "output_tokens", "total_tokens"):
        counts = [[usage.get(name) or 0 for name in ("prompt_tokens", "completion_tokens", "total_tokens")] for usage in usages]
        totals = {"input_tokens": [into for into, _, _ in counts], "output_tokens": [out for _, out, _ in counts]}
        return difference.theirs == sum(totals.get(key) or [total or into + out for into, out, total in counts])
    detail = {"cache_read": "prompt_tokens_details.cached_tokens", "reasoning": "completion_tokens_details.reasoning_tokens"}[key]
    return (difference.theirs or 0) == sum(_follow(usage, detail) or 0 for usage in usages)


@_at("langchain/openai.chat", path=r"content(\[.*)?", name="content-parts")
def _langchain_content_parts(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance(delta.get("content"), list) for delta in _deltas(outcome))


@_at("langchain/openai.chat", path=r"refusal", name="refusal-lost")
def _refusal_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@_at("langchain/openai.chat", path=r"audio(\..*)?", name="audio-lost")
def _audio_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


# -- langchain, responses ----------------------------------------------------------------------------------------


@_at("langchain/openai.responses", path=r"text|tool_calls(\[\d+\].*)?|reasoning\[\d+\]\.summary\[\d+\]", name="deltas-only")
def _deltas_only(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """What LangChain says is what the deltas say, and a later event says otherwise."""
    joined: dict[tuple[Any, ...], str] = {}
    for event in outcome.stream.payloads:
        if str(event.get("type")).endswith(".delta") and isinstance(event.get("delta"), str):
            key = event["type"], event.get("output_index"), event.get("summary_index")
            joined[key] = joined.get(key, "") + event["delta"]
    if difference.path == "text":
        return difference.theirs == "".join(text for key, text in joined.items() if key[0] == "response.output_text.delta")
    if difference.path.startswith("tool_calls"):
        said = [_call("", "", text)["args"] for key, text in joined.items() if key[0] == "response.function_call_arguments.delta"]
        return any(difference.theirs == _follow(args, difference.path.partition(".args")[2]) for args in [*said, None])
    return difference.theirs in joined.values()


@_at("langchain/openai.responses", path=r"reasoning(\[\d+\]\.id)?", name="ids-change")
def _langchain_ids_change(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _ids_change(outcome, None)


# -- langchain, anthropic ----------------------------------------------------------------------------------------


@_at("langchain/anthropic.messages", path=r"usage(\.(input_tokens|total_tokens|cache_read))?", name="usage-of-start-lost")
def _usage_of_start(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    delta = [event.get("usage") or {} for event in outcome.stream.payloads if event.get("type") == "message_delta"]
    return not any(usage.get("input_tokens") for usage in delta)


@_at("langchain/anthropic.messages", path=r"(content|tool_calls|stop_reason|usage)(\W.*)?", name="content-of-start-lost")
def _content_of_start(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(event.get("message", {}).get("content") for event in outcome.stream.payloads if event.get("type") == "message_start")


@_at("langchain/anthropic.messages", path=r"tool_calls\[\d+\]\.args", name="input-cut")
def _langchain_input_cut(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and isinstance(difference.theirs, str)


# -- langchain, gemini -------------------------------------------------------------------------------------------


@_at("langchain/gemini.generate", path=r"finish_reason", name="finish-concatenated")
def _finish_concatenated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    firsts = [chunk["candidates"][0] for chunk in outcome.stream.payloads if chunk.get("candidates")]
    return difference.theirs == "".join(candidate.get("finishReason") or "" for candidate in firsts)


@_at("langchain/gemini.generate", path=r"tool_calls(\[.*)?", name="partial-arguments")
def _partial_arguments(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    calls = [part["functionCall"] for entries in _lists(outcome.stream.payloads) for part in entries if isinstance(part, dict) and "functionCall" in part]
    return any("willContinue" in call or "partialArgs" in call for call in calls)


# -- litellm, completions and more -------------------------------------------------------------------------------


@_raised("litellm/openai.chat", text="^ValidationError: .*ChoiceLogprobs", name="logprobs-invalid")
def _logprobs_invalid(outcome: Outcome) -> bool:
    return any(choice.get("logprobs") for choice in _chunk_choices(outcome))


@_at("litellm/openai.completions", path=r"usage(\..*)?", name="usage-estimated")
def _completions_usage(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return True


@_raised("litellm/openai.completions", text="IndexError", name="last-chunk-without-choice")
def _last_chunk(outcome: Outcome) -> bool:
    return not outcome.stream.payloads[-1].get("choices")
