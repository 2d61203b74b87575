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
OnDifference = Callable[[Outcome, Difference, "re.Match[str]"], bool]
OnError = Callable[[Outcome], bool]

# Peer and dialect -> defect -> the rules that know it. The first that says yes has it.
RULES: dict[str, dict[str, list[Rule]]] = {}


def explained(outcome: Outcome) -> Iterator[tuple[str | None, Difference | None]]:
    """Yield the defect behind each difference of an outcome, and behind its error; None where no rule knows it."""
    defects = RULES[f"{outcome.peer}/{outcome.stream.dialect}"]
    for difference in outcome.differences or ([None] if outcome.error is not None else []):
        known = (name for name, rules in defects.items() if any(rule(outcome, difference) for rule in rules))
        name = next(known, None)
        yield name and f"{outcome.peer}/{outcome.stream.dialect}/{name}", difference


def _register(peers: tuple[str, ...], name: str, rule: Rule) -> None:
    for peer in peers:
        RULES.setdefault(peer, {}).setdefault(name, []).append(rule)


def _at(*peers: str, path: str, name: str) -> Callable[[OnDifference], OnDifference]:
    """Register a rule for the differences whose path matches."""

    def register(rule: OnDifference) -> OnDifference:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            found = re.fullmatch(path, difference.path) if difference is not None else None
            return difference is not None and found is not None and rule(outcome, difference, found)

        _register(peers, name, asked)
        return rule

    return register


def _raised(*peers: str, text: str, name: str) -> Callable[[OnError], OnError]:
    """Register a rule for the errors in which a text is found."""

    def register(rule: OnError) -> OnError:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            return outcome.error is not None and re.search(text, outcome.error) is not None and rule(outcome)

        _register(peers, name, asked)
        return rule

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


@_raised("openai/openai.chat", text="list indices must be integers", name="choice-index-absent")
def _choice_index_absent(outcome: Outcome) -> bool:
    return any(type(choice.get("index")) is not int for choice in _chunk_choices(outcome))


@_raised("openai/openai.chat", text="list indices must be integers|`index` value is not an integer", name="tool-index-absent")
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
    return any(not call.get("function") and not call.get("custom") for call in _calls(outcome))


@_raised("openai/openai.chat", text="^AssertionError", name="tool-type-erased")
def _tool_type_erased(outcome: Outcome) -> bool:
    return any("type" in call and not call["type"] for call in _calls(outcome))


@_raised("openai/openai.chat", text="^AttributeError: 'dict' object has no attribute 'name'", name="custom-tool-raises")
def _custom_tool(outcome: Outcome) -> bool:
    return any(call.get("custom") for call in _calls(outcome))


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


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.obfuscation", name="obfuscation-kept")
def _obfuscation(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == "".join(delta.get("obfuscation") or "" for delta in _deltas(outcome, at[1]))


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.content", name="message-ignored")
def _message_ignored(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and _snapshot(outcome)


def _snapshot(outcome: Outcome) -> bool:
    """Whether a choice came whole, as the message of a body that is not streamed."""
    return any(choice.get("message") or choice.get("text") for choice in _chunk_choices(outcome))


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.finish_reason", name="stop-after-calls")
def _stop_after_calls(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours in ("tool_calls", "function_call") and difference.theirs == "stop"


@_at("openai/openai.chat", path=r"choices\[\d+\]\.finish_reason", name="empty-finish-kept")
def _empty_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and difference.theirs == ""


def _calls_of(body: Any) -> list[Any]:
    return [call for choice in (body or {}).get("choices") or () for call in choice["message"].get("tool_calls") or ()]


def _arguments(body: Any) -> list[str]:
    """Return every character of every argument, sorted: what stays when calls are mixed up."""
    texts = [(call.get("function") or {}).get("arguments") or (call.get("custom") or {}).get("input") or "" for call in _calls_of(body)]
    return sorted("".join(text for text in texts if isinstance(text, str)))


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="split-name-joined")
def _split_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    names = [(call.get("function") or {}).get("name") for call in _calls(outcome)]
    ids = {call.get("id") for call in _calls(outcome) if call.get("id")}
    return len(ids) == 1 and len({name for name in names if name}) > 1 and len(_as_list(difference.theirs)) == 1


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="calls-fused")
def _calls_fused(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    fewer = 0 < len(_as_list(difference.theirs)) < len(_as_list(difference.ours))
    return fewer and _arguments(outcome.ours) == _arguments(outcome.theirs)


@_at("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="placeholder-kept")
def _placeholder(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    full = [call for call in _as_list(difference.theirs) if call.get("id") or any((call.get("function") or {}).values())]
    return len(full) == len(_as_list(difference.ours)) < len(_as_list(difference.theirs))


@_at("openai/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments", name="null-arguments")
def _null_arguments(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any((call.get("function") or {}).get("arguments", "") is None for call in _calls(outcome))


@_at("openai/openai.chat", "litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.function\.arguments(\..*)?", name="arguments-object")
def _arguments_object(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(isinstance((call.get("function") or {}).get("arguments"), dict) for call in _calls(outcome))


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


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.message\.(?!role|content|refusal)(.+)", name="numbers-summed")
def _numbers(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [_follow(delta, at[2]) for delta in _deltas(outcome, at[1])]
    numbers = [number for number in came if isinstance(number, (int, float))]
    return len(numbers) > 1 and difference.theirs == sum(numbers)


@_at("openai/openai.chat", path=r"choices\[(\d+)\]\.logprobs\.(?!content$|refusal$)(\w+)", name="logprobs-of-other-shapes")
def _logprobs(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [choice["logprobs"].get(at[2]) for choice in _of_choice(outcome, at[1]) if isinstance(choice.get("logprobs"), dict)]
    return any(came) and difference.theirs in (None, _said(came[0]))


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
            for place, item in enumerate(event["response"].get("output") or ()):
                ids.setdefault(place, set()).add((item.get("id"), item.get("call_id")))
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
        elif event.get("type") in ("response.output_text.delta", "response.output_text.done") and event["content_index"] >= parts.get(event.get("output_index"), 0):
            return True
    return False


@_raised("openai/openai.responses", text="^RuntimeError: Cannot complete response with unfinished output items", name="item-done-absent")
def _item_done_absent(outcome: Outcome) -> bool:
    added, done = (
        {event.get("output_index") for event in outcome.stream.payloads if event.get("type") == f"response.output_item.{which}"}
        for which in ("added", "done")
    )
    return bool(added - done)


@_raised("openai/openai.responses", text="^RuntimeError: Duplicate response output index", name="output-index-twice")
def _output_index_twice(outcome: Outcome) -> bool:
    added = [event.get("output_index") for event in outcome.stream.payloads if event.get("type") == "response.output_item.added"]
    return len(added) != len(set(added))


@_raised("openai/openai.responses", text="^RuntimeError: Received a content event for output index", name="item-added-absent")
def _item_added_absent(outcome: Outcome) -> bool:
    added: set[Any] = set()
    for event in outcome.stream.payloads:
        if event.get("type") == "response.output_item.added":
            added.add(event.get("output_index"))
        elif "content_index" in event or str(event.get("type")).endswith(".delta"):
            if event.get("output_index") not in added:
                return True
    return False


@_raised("openai/openai.responses", text="^TypeError: list indices must be integers", name="part-index-absent")
def _part_index_absent(outcome: Outcome) -> bool:
    return any(event.get("type") == "response.output_text.delta" and type(event.get("content_index")) is not int for event in outcome.stream.payloads)


def _terminal(outcome: Outcome) -> Any:
    return [event["response"] for event in outcome.stream.payloads if event.get("type") == "response.completed"][-1]


@_at("openai/openai.responses", path="output", name="terminal-output-empty")
def _terminal_output_empty(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and _terminal(outcome).get("output") == []


@_at("openai/openai.responses", path=r"output(\[\d+\].*)?", name="terminal-trusted")
def _terminal_trusted(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs == _said(_follow(_terminal(outcome), difference.path))


# -- anthropic ---------------------------------------------------------------------------------------------------

_BOTH = "anthropic/anthropic.messages", "anthropic-beta/anthropic.messages"


@_at(*_BOTH, path=r"content\[(\d+)\]\.input(\..*)?", name="input-cut")
def _input_cut(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(problem.code == "bad_arguments" or "input" in problem.code for problem in outcome.stream.result.problems)


@_at(*_BOTH, path=r"content\[\d+\]\.input", name="input-absent")
def _input_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours == {} and difference.theirs in (None, "")


@_raised(*_BOTH, text="^IndexError", name="block-index-gap")
def _block_index_gap(outcome: Outcome) -> bool:
    """A block whose index is not its place among those that have started."""
    started = 0
    for event in outcome.stream.payloads:
        if event.get("type") == "content_block_start":
            started += 1
        elif event.get("type") == "content_block_delta" and event["index"] >= started:
            return True
    return False


@_raised(*_BOTH, text="has no attribute '(output_tokens|input_tokens)'", name="usage-absent")
def _usage_absent(outcome: Outcome) -> bool:
    return any(not event.get("usage") and not (event.get("message") or {}).get("usage") for event in outcome.stream.payloads if event.get("type") in ("message_start", "message_delta"))


@_raised(*_BOTH, text='^RuntimeError: Unexpected event order', name="message-start-absent")
def _message_start_absent(outcome: Outcome) -> bool:
    return next(event.get("type") for event in outcome.stream.payloads if event.get("type") != "ping") != "message_start"


@_raised(*_BOTH, text="surrogates not allowed", name="surrogate-raises")
def _surrogate(outcome: Outcome) -> bool:
    return True


@_at(*_BOTH, path=r"content\[\d+\]\.citations", name="null-citation-kept")
def _null_citation(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("delta") or {}).get("citation", "") is None for event in outcome.stream.payloads)


@_at("anthropic-beta/anthropic.messages", path=r"content\[(\d+)\]\.(content|encrypted_content)", name="compaction-of-last-delta")
def _compaction(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    last = [event["delta"] for event in outcome.stream.payloads if (event.get("delta") or {}).get("type") == "compaction_delta"]
    return len(last) > 1 and difference.theirs == last[-1].get(at[2])


@_at(*_BOTH, path=r"content\[(\d+)\]\.\w+", name="unknown-delta-lost")
def _unknown_delta(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    known = ("text_delta", "input_json_delta", "citations_delta", "thinking_delta", "signature_delta", "compaction_delta")
    return any((event.get("delta") or {}).get("type", "text_delta") not in known for event in outcome.stream.payloads if event.get("type") == "content_block_delta")


@_at("anthropic/anthropic.messages", "langchain/anthropic.messages", path="model", name="fallback-model-lost")
def _fallback_model(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("content_block") or {}).get("type") == "fallback" for event in outcome.stream.payloads)


@_at("anthropic/anthropic.messages", path=r"context_management(\..*)?|usage\.iterations(\[.*)?", name="beta-fields")
def _beta_fields(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None


@_at("anthropic/anthropic.messages", path=r"content\[(\d+)\]\.(content|encrypted_content|input)(\..*)?", name="beta-blocks")
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


@_at("litellm/openai.chat", path=r"id", name="keepalive-id")
def _keepalive_id(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return str(difference.theirs).endswith("-keepalive")


@_raised("litellm/openai.chat", text="^ValidationError: .*ModelResponseStream\\s+created", name="created-invalid")
def _created_invalid(outcome: Outcome) -> bool:
    return any(type(chunk.get("created")) is not int for chunk in outcome.stream.payloads)


@_raised("litellm/openai.chat", text="^ValidationError: .*ChatCompletionDeltaToolCall\\s+function", name="function-absent")
def _litellm_function(outcome: Outcome) -> bool:
    return _function_absent(outcome)


@_raised("litellm/openai.chat", text="sequence item 0: expected str instance", name="reasoning-parts")
def _reasoning_parts(outcome: Outcome) -> bool:
    return any(isinstance(delta.get("reasoning_content") or delta.get("reasoning"), list) for delta in _deltas(outcome))


@_at("litellm/openai.chat", path=r"usage\.(prompt_tokens|completion_tokens|total_tokens)", name="usage-by-field")
def _usage_by_field(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(_usages(outcome)) > 1 and any(difference.theirs == usage.get(at[1]) for usage in _usages(outcome))


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls(\[\d+\]\.(extra_content|provider_specific_fields).*)?", name="call-extras-lost")
def _call_extras(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return at[1] is not None and difference.theirs is None


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls\[\d+\]\.type", name="custom-type-lost")
def _custom_type(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours == "custom"


@_at("litellm/openai.chat", path=r"choices\[(\d+)\]\.message\.images", name="images-twice")
def _images(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    came = [entry for delta in _deltas(outcome, at[1]) for entry in delta.get("images") or ()]
    return difference.theirs == normalised(came)


@_at("litellm/openai.chat", path=r"choices", name="choice-invented")
def _choice_invented(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and not _chunk_choices(outcome)


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.audio\.expires_at", name="expiry-invented")
def _expiry(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours is None and type(difference.theirs) is int


@_at("litellm/openai.chat", path=r"choices\[\d+\]\.message\.tool_calls", name="message-ignored")
def _litellm_message(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and _snapshot(outcome)


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


@_raised("langchain/openai.chat", text="^AttributeError: 'NoneType' object has no attribute 'get'", name="function-absent")
def _langchain_function(outcome: Outcome) -> bool:
    return any(not call.get("function") for call in _calls(outcome))


@_raised("langchain/openai.chat", text="^ValidationError: .*AIMessageChunk\\s+tool_call_chunks", name="arguments-object")
def _langchain_arguments(outcome: Outcome) -> bool:
    return any(isinstance((call.get("function") or {}).get("arguments"), dict) for call in _calls(outcome))


@_at("langchain/openai.chat", path=r"(content|usage|tool_calls|finish_reason|model)?", name="message-ignored")
def _langchain_message(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and _snapshot(outcome)


@_at("langchain/openai.chat", path=r"finish_reason|model", name="delta-absent")
def _langchain_delta_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and any(choice.get("finish_reason") and not choice.get("delta") for choice in _chunk_choices(outcome))


@_at("langchain/openai.chat", path=r"tool_calls", name="split-name-joined")
def _langchain_split_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _split_name(outcome, difference, at)


@_at("langchain/openai.chat", path=r"tool_calls", name="placeholder-kept")
def _langchain_placeholder(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return [call for call in _as_list(difference.theirs) if call] == _as_list(difference.ours)


@_at("langchain/openai.chat", path=r"tool_calls(\[.*)?", name="calls-without-index")
def _calls_without_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any(type(call.get("index")) is not int for call in _calls(outcome))


@_at("langchain/openai.chat", path=r"tool_calls", name="fragments-in-a-chunk")
def _fragments_in_a_chunk(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    indices = [[call.get("index") for call in delta.get("tool_calls") or ()] for delta in _deltas(outcome)]
    return any(len(found) != len(set(found)) for found in indices)


@_at("langchain/openai.chat", path=r"tool_calls(\[.*)?", name="calls-fused")
def _langchain_fused(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """One index for two calls: by their ids, by their names, or without either."""
    return len({call.get("index") for call in _calls(outcome)}) < len(_as_list(outcome.ours.get("tool_calls")))


@_at("langchain/openai.chat", path=r"tool_calls\[\d+\]\.name", name="tool-name-concatenated")
def _langchain_name(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _repeated(difference)


@_at("langchain/openai.chat", path=r"tool_calls(\[.*)?", name="calls-by-arrival")
def _calls_by_arrival(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    ours, theirs = ([str(call) for call in _as_list(side.get("tool_calls"))] for side in (outcome.ours, outcome.theirs))
    return sorted(ours) == sorted(theirs)


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


@_at("langchain/openai.responses", path=r"model|status", name="metadata-of-terminal-only")
def _metadata_of_terminal(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.theirs is None and not any(event.get("type") in ("response.completed", "response.incomplete") for event in outcome.stream.payloads)


@_at("langchain/openai.responses", path=r"refusal", name="refusal-deltas-lost")
def _refusal_deltas(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and not any(event.get("type") == "response.refusal.done" for event in outcome.stream.payloads)


@_at("langchain/openai.responses", path=r"reasoning(\[\d+\]\.id)?", name="reasoning-ids-change")
def _langchain_ids_change(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """One item, several ids: they are joined, or make several items."""
    ids = {event["item_id"] for event in outcome.stream.payloads if "reasoning" in str(event.get("type")) and event.get("item_id")}
    return len(ids) > len(_as_list(outcome.ours.get("reasoning")))


@_raised("langchain/openai.responses", text="^TypeError: 'NoneType' object is not iterable", name="terminal-output-null")
def _langchain_output_null(outcome: Outcome) -> bool:
    return _terminal(outcome).get("output") is None


@_raised("langchain/openai.responses", text="^AttributeError: 'NoneType' object has no attribute 'error'", name="terminal-without-response")
def _terminal_without_response(outcome: Outcome) -> bool:
    return any(event.get("type") == "response.completed" and not event.get("response") for event in outcome.stream.payloads)


@_raised("langchain/openai.responses", text="^AttributeError: 'NoneType' object has no attribute 'type'", name="item-null")
def _item_null(outcome: Outcome) -> bool:
    return any(event.get("type") == "response.output_item.added" and not event.get("item") for event in outcome.stream.payloads)


@_at("langchain/openai.responses", path=r"tool_calls", name="interleaved-calls-split")
def _interleaved(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Fragments of two items in turn: each change of the item opens a new block."""
    return len(_as_list(difference.theirs)) > len(_as_list(difference.ours))


@_at("langchain/openai.responses", path=r"reasoning(\[\d+\].*)?", name="reasoning-of-few-events")
def _reasoning_of_few(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """It comes from ``output_item.added`` and from the summary's events, from nothing else."""
    added = [event for event in outcome.stream.payloads if event.get("type") == "response.output_item.added" and (event.get("item") or {}).get("type") == "reasoning"]
    return difference.theirs is None and len(added) < len(_as_list(outcome.ours.get("reasoning"))) + 1


@_at("langchain/openai.responses", path=r"reasoning\[\d+\]\.summary", name="summary-index-absent")
def _summary_index(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any("reasoning_summary" in str(event.get("type")) and "summary_index" not in event for event in outcome.stream.payloads)


@_at("langchain/openai.responses", path=r"usage\.\w+", name="usage-of-chat-lost")
def _usage_of_chat(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return "prompt_tokens" in (outcome.stream.body.get("usage") or {})


@_at("langchain/openai.responses", path=r"tool_calls\[\d+\]\.name", name="added-twice")
def _added_twice(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _repeated(difference)


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


@_at("langchain/anthropic.messages", path=r"content(\[.*)?", name="blocks-lost")
def _blocks_lost(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    """Blocks of a type that the conversion does not name."""
    names = re.compile(r"tool_result|tool_use|document|redacted_thinking|^text$|^thinking$")
    return at[1] is None and [block for block in _as_list(outcome.ours["content"]) if names.search(block["type"])] == _as_list(difference.theirs)


@_at("langchain/anthropic.messages", path=r"tool_calls(\[.*)?|content\[\d+\]\.type", name="block-start-absent")
def _block_start_absent(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _block_index_gap(outcome)


@_at("langchain/anthropic.messages", path=r"tool_calls\[\d+\]\.args", name="input-of-start-and-deltas")
def _input_twice(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("content_block") or {}).get("input") for event in outcome.stream.payloads) and isinstance(difference.theirs, str)


@_at("langchain/anthropic.messages", path=r"content\[\d+\]\.citations", name="null-citation-kept")
def _langchain_null_citation(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return any((event.get("delta") or {}).get("citation", "") is None for event in outcome.stream.payloads)


@_at("langchain/anthropic.messages", path=r"content\[\d+\]\.signature", name="signatures-concatenated")
def _signatures(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return _is_joined(difference.theirs, list(_under(outcome.stream.payloads, "signature")))


@_at("langchain/anthropic.messages", path=r"usage\.\w+", name="usage-summed")
def _langchain_messages_usage(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return sum(event.get("type") == "message_delta" and bool(event.get("usage")) for event in outcome.stream.payloads) > 1


# -- langchain, gemini -------------------------------------------------------------------------------------------


@_at("langchain/gemini.generate", path=r"finish_reason", name="finish-concatenated")
def _finish_concatenated(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    firsts = [chunk["candidates"][0] for chunk in outcome.stream.payloads if chunk.get("candidates")]
    return difference.theirs == "".join(candidate.get("finishReason") or "" for candidate in firsts)


@_at("langchain/gemini.generate", path=r"(text|thinking|finish_reason|usage|model)(\..*)?", name="wrapped")
def _wrapped(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return not difference.theirs and all(isinstance(chunk.get("response"), dict) for chunk in outcome.stream.payloads)


@_at("langchain/gemini.generate", path=r"model", name="model-of-finish-only")
def _model_of_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    finishing = [chunk for chunk in outcome.stream.payloads if (chunk.get("candidates") or [{}])[0].get("finishReason")]
    return (difference.theirs or "") == "".join(chunk.get("modelVersion") or "" for chunk in finishing)


@_at("langchain/gemini.generate", path=r"text|thinking|tool_calls", name="candidates-merged")
def _candidates_merged(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body.get("candidates") or ()) > 1


@_at("langchain/gemini.generate", path=r"tool_calls(\[.*)?", name="partial-arguments")
def _partial_arguments(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    calls = [part["functionCall"] for entries in _lists(outcome.stream.payloads) for part in entries if isinstance(part, dict) and "functionCall" in part]
    return any("willContinue" in call or "partialArgs" in call for call in calls)


# -- litellm, completions and more -------------------------------------------------------------------------------


@_raised("litellm/openai.chat", text="^ValidationError: .*ChoiceLogprobs", name="logprobs-invalid")
def _logprobs_invalid(outcome: Outcome) -> bool:
    return any(choice.get("logprobs") for choice in _chunk_choices(outcome))


@_at("litellm/openai.completions", path=r"choices\[\d+\]\.logprobs(\..*)?", name="logprobs-of-last-chunk")
def _logprobs_of_last(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    last = _said(_follow(outcome.stream.payloads[-1], "choices[0].logprobs" + (at[1] or "")))
    return difference.theirs == last


@_at("litellm/openai.completions", path=r"id|created|model|system_fingerprint", name="envelope-of-first-chunk")
def _completions_envelope(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    first = outcome.stream.payloads[0].get(difference.path)
    # Without one it makes one up: the time of day, an id.
    return difference.theirs == (first or None) or (not first and difference.ours is None)


@_at("litellm/openai.completions", path=r"choices(\[\d+\]\..*)?", name="choices-merged")
def _completions_choices(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return len(outcome.stream.body["choices"]) > 1 and len(outcome.theirs["choices"]) == 1


@_at("litellm/openai.completions", path=r"choices\[\d+\]\.finish_reason", name="finish-mapped")
def _completions_finish(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return difference.ours not in ("stop", "length", "content_filter", None) and difference.theirs in ("stop", "length", "content_filter")


@_at("litellm/openai.completions", path=r"usage(\..*)?", name="usage-estimated")
def _completions_usage(outcome: Outcome, difference: Difference, at: re.Match[str]) -> bool:
    return True


@_raised("litellm/openai.completions", text="IndexError", name="last-chunk-without-choice")
def _last_chunk(outcome: Outcome) -> bool:
    return not outcome.stream.payloads[-1].get("choices")
