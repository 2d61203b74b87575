"""Generated streams: from a final body to the events of a server, the inverse of a reducer.

Hypothesis draws a final body (`BODIES`). A seed determines the rest: where texts are cut, how choices, calls and items
alternate, which done events come, and how the JSON is written and framed. `streams` combines both. A generated stream
conforms to its dialect: it must give the body without a problem, whichever repair is allowed.

The texts contain separators, quotes, escapes, line ends, and characters of all sizes, because a reader might confuse
them with framing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from random import Random
from typing import Any, NamedTuple

from hypothesis import strategies as st

Event = tuple[str | None, Any]  # the event's name, and its payload; "[DONE]" is one too
DONE: Event = (None, "[DONE]")


class Stream(NamedTuple):
    """A stream, and the body that it must give."""

    dialect: str
    body: dict[str, Any]
    reads: list[bytes]  # one framed event each

    @property
    def data(self) -> bytes:
        return b"".join(self.reads)


# -- values in messages --------------------------------------------------------------------------

ODD = (
    "aaaaaaaaa",
    "hahaha",
    '"},"logprobs":null,"finish_reason":null}]}', '"},"logprobs":null', "\n\ndata: ", 'data: {"choices":[]}\n\n', "data: [DONE]\n\n",
    "event: error\n", '"', '""', "\\", "\\\\", '\\"', "\\n", "\\u00e9", "\\ud83d", "\n", "\r\n", "\r", "\t", "\x00", "\x01", "\x07", "\x1f", "\x7f",
    "\u0085", "\u2028", "\u2029", "\ufeff", "\ufffd", "é", "e\u0301", "日本", "😀", "👩‍👩‍👧", "\U0010ffff", "{", "}", "[", "]", "{}", ":", ",", "null",
    "</think>", "/", "<", " ", "  ", "word ", "The quick brown fox ", "a", "0", ": ping\n\n", '","obfuscation":"', '"delta":"', "[DONE]", "{" * 40,
)  # fmt: skip
fragments = st.sampled_from(ODD) | st.text(max_size=6)
short_texts = st.lists(fragments, max_size=8).map("".join)


@st.composite
def texts(draw: Any, least: int = 0) -> str:
    """Draw a text of any kind; one in eight is long enough for several reads."""
    text: str = draw(short_texts)
    if draw(st.integers(0, 7)) == 7:
        rng = Random(draw(st.integers(0, 1000)))
        words = [
            rng.choice(ODD) if rng.random() < 0.2 else rng.choice(("The", " sky", " is", " blue", ",", "\n"))
            for _ in range(600)
        ]
        text += "".join(words)
    return text if len(text) >= least else text + "x" * (least - len(text))


def is_ident(text: str) -> bool:
    """Whether a text counts as an id (C14, T26)."""
    return text != "null" and not text.endswith("-keepalive")


names = st.text("abcdefghijklmnopqrstuvwxyzABCXYZ0123456789_-.", min_size=1, max_size=12).filter(is_ident)
idents = names | texts(1).map(lambda text: text[:40]).filter(is_ident)
numbers = st.integers(0, 2**40)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | short_texts
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(short_texts, inner, max_size=3), max_leaves=6
)
objects = st.dictionaries(short_texts, values, max_size=4)
# Undeclared fields. Inside a delta, lists would be appended, so there are none.
said = values.filter(lambda value: value is not None)
plain = (st.booleans() | st.integers() | short_texts.filter(bool) | st.dictionaries(names, scalars, max_size=2)).filter(
    lambda value: value is not None
)
unknown = st.dictionaries(names.map("x_{}".format), said, max_size=2)
unknown_plain = st.dictionaries(names.map("x_{}".format), plain, max_size=2)
logprob = st.fixed_dictionaries({"token": short_texts, "logprob": st.floats(-20, 0), "bytes": st.none() | st.lists(st.integers(0, 255), max_size=3), "top_logprobs": st.just([])})  # fmt: skip


def maybe(strategy: Any) -> Any:
    return st.none() | strategy


def uniquely(strategy: Any, count: int) -> Any:
    return st.lists(strategy, min_size=count, max_size=count, unique=True)


class Server(Random):
    """The random decisions of a server.

    With ``halves``, texts are cut between UTF-16 units, as servers in JavaScript do.
    """

    halves = False


# -- fragments and order -------------------------------------------------------------------------


def cut(text: str, rng: Server, least: int = 0) -> list[str]:
    """Cut a text at random places; some fragments are empty.

    No fragment of 16 or more characters begins with the text before it.
    """
    if rng.halves:
        text = "".join(char if char < "\U00010000" else _pair(char) for char in text)
    if not text:
        return [""] * max(least, rng.choice((0, 0, 1)))
    longest = rng.choice((1, 2, 4, 15, 60, len(text)))
    even = rng.random() < 0.2  # repeated texts are then cut at equal places
    pieces: list[str] = []
    at = 0
    while at < len(text):
        piece = text[at : at + (longest if even else rng.randint(1, longest))]
        before = next((other for other in reversed(pieces) if other), None)
        if len(piece) >= 16 and before is not None and (piece.startswith(before) or piece.startswith(text[:at])):
            piece = piece[:15]  # else it would look like text that arrives whole each time (C1)
        pieces.append(piece)
        at += len(piece)
        if rng.random() < 0.1:
            pieces.append("")
    return pieces


def _pair(char: str) -> str:
    """Return a character beyond the first 65,536 as two halves of a surrogate pair."""
    units = char.encode("utf-16-be")
    return chr(int.from_bytes(units[:2])) + chr(int.from_bytes(units[2:]))


def dealt(entries: list[Any], count: int, rng: Server) -> list[list[Any]]:
    """Distribute entries in order over a number of lists."""
    places = sorted(rng.randint(0, len(entries)) for _ in range(count - 1))
    return (
        [entries[begin:end] for begin, end in zip([0, *places], [*places, len(entries)], strict=True)] if count else []
    )


def merged(sequences: Iterable[Iterable[Any]], rng: Server) -> list[Any]:
    """Merge sequences at random; each keeps its own order."""
    queues = [list(sequence) for sequence in sequences]
    result = []
    stays = rng.choice((0.0, 0.5, 0.95))  # the probability that the same sequence continues
    queues = [queue for queue in queues if queue]
    current = None
    while queues:
        if current is None or not current or rng.random() > stays:
            current = rng.choice(queues)
        result.append(current.pop(0))
        queues = [queue for queue in queues if queue]
    return result


def shuffled(obj: dict[str, Any], rng: Server) -> dict[str, Any]:
    """Return the same keys in another order."""
    keys = list(obj)
    rng.shuffle(keys)
    return {key: obj[key] for key in keys}


def scattered(obj: dict[str, Any], count: int, rng: Server) -> list[dict[str, Any]]:
    """Put each key into one of several dicts, or into all."""
    places: list[dict[str, Any]] = [{} for _ in range(count)]
    for key, value in obj.items():
        for place in places if rng.random() < 0.3 else [rng.choice(places)]:
            place[key] = value
    return places


# -- openai.chat ---------------------------------------------------------------------------------

REASONING = ("reasoning_content", "reasoning", "thinking", "reasoning_text")


@st.composite
def tool_calls(draw: Any) -> list[dict[str, Any]]:
    calls: list[dict[str, Any]] = []
    for ident in draw(uniquely(names, draw(st.integers(1, 4)))):
        arguments = draw(objects.map(json.dumps) | texts())
        if draw(st.booleans()):
            calls.append({"id": ident, "type": "function", "function": {"name": draw(names), "arguments": arguments}})
        else:
            calls.append({"id": ident, "type": "custom", "custom": {"name": draw(names), "input": arguments}})
        calls[-1] |= draw(unknown_plain)
    return calls


@st.composite
def chat_messages(draw: Any) -> dict[str, Any]:
    message: dict[str, Any] = {"role": draw(st.sampled_from(["assistant", "assistant", "tool"])), "content": None}
    kind = draw(st.sampled_from(["text", "text", "blank", "refusal", "calls", "call", "nothing"]))
    if kind == "blank":
        message["content"] = ""
    elif kind == "text" or (kind in ("calls", "call") and draw(st.booleans())):
        message["content"] = draw(texts(1))
    if kind == "refusal":
        message["refusal"] = draw(texts(1))
    elif draw(st.booleans()):
        message["refusal"] = None
    for key in draw(st.lists(st.sampled_from(REASONING), max_size=2, unique=True)):
        message[key] = draw(texts(1))
    if draw(st.integers(0, 5)) == 5:
        message["reasoning_details"] = [
            {"type": "reasoning.text", "format": draw(names), "index": 0, "text": draw(texts(1))}
        ]
    if kind == "calls":
        message["tool_calls"] = draw(tool_calls())
    elif kind == "call":
        message["function_call"] = {"name": draw(names), "arguments": draw(objects.map(json.dumps) | texts())}
    return message | draw(unknown_plain)


@st.composite
def chat_bodies(draw: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": draw(idents),
        "object": "chat.completion",
        "created": draw(st.integers(1, 2**31)),
        "model": draw(idents),
    }
    body["choices"] = []
    logprobs = draw(st.sampled_from(["absent", "null", "there"]))
    for index in sorted(draw(st.sets(st.integers(0, 6), min_size=1, max_size=3))):
        message = draw(chat_messages())
        finish = "tool_calls" if "tool_calls" in message else "function_call" if "function_call" in message else draw(st.sampled_from(["stop", "length", "content_filter", "eos"]))  # fmt: skip
        choice: dict[str, Any] = {"index": index, "message": message, "finish_reason": finish}
        if logprobs == "null":
            choice["logprobs"] = None
        elif logprobs == "there":
            choice["logprobs"] = {"content": draw(st.lists(logprob, max_size=5)), "refusal": None}
        if draw(st.booleans()):
            choice["content_filter_results"] = {"hate": {"filtered": False, "severity": "safe"}}
        body["choices"].append(choice | draw(unknown))
    if draw(st.booleans()):
        body["usage"] = {"prompt_tokens": draw(numbers), "completion_tokens": draw(numbers), "completion_tokens_details": {"reasoning_tokens": draw(numbers)}}  # fmt: skip
    for key in draw(st.sets(st.sampled_from(["system_fingerprint", "service_tier", "provider"]))):
        body[key] = draw(idents)
    if draw(st.booleans()):
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": {}}]
    return body | draw(unknown)


def chat_events(body: dict[str, Any], rng: Server) -> list[Event]:
    """Return the chunks of a chat completion.

    Choices may alternate; usage, ``[DONE]`` and padding vary as servers vary.
    """
    repeats_role = rng.random() < 0.15
    chunks: list[dict[str, Any]] = []
    if "prompt_filter_results" in body:
        # Azure's first chunk has empty values.
        chunks.append(
            {
                "id": "",
                "object": "",
                "created": 0,
                "model": "",
                "choices": [],
                "prompt_filter_results": body["prompt_filter_results"],
            }
        )
    common = {key: body[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    for key in ("system_fingerprint", "service_tier", "provider"):
        if key in body:
            common[key] = body[key]
    together = rng.random() < 0.1
    waiting: dict[int, dict[str, Any]] = {}
    for choice in merged([chat_choices(choice, repeats_role, rng) for choice in body["choices"]], rng):
        if together and choice["index"] not in waiting and rng.random() < 0.7:
            waiting[choice["index"]] = choice
            continue
        before = [waiting.pop(index) for index in list(waiting) if index == choice["index"] or rng.random() < 0.5]
        chunks.append(
            {**common, "choices": [*before, choice]}
            if choice["index"] not in [c["index"] for c in before]
            else {**common, "choices": before}
        )
        if choice["index"] in [c["index"] for c in before]:
            chunks.append({**common, "choices": [choice]})
    chunks += [{**common, "choices": [choice]} for choice in waiting.values()]
    extras = scattered({key: value for key, value in body.items() if key.startswith("x_")}, len(chunks), rng)
    chunks = [{**chunk, **extra} for chunk, extra in zip(chunks, extras, strict=True)]
    usage = body.get("usage")
    how = rng.choice(("behind", "with the last", "in all"))
    if usage is not None and how == "behind":
        if rng.random() < 0.5:
            chunks = [{**chunk, "usage": None} for chunk in chunks]
        chunks.append({**common, "choices": [], "usage": usage})
    elif usage is not None:
        for place, chunk in enumerate(chunks):
            # The usage so far, as with vLLM's continuous_usage_stats.
            if place == len(chunks) - 1:
                chunk["usage"] = usage
            elif how == "in all":
                chunk["usage"] = {**usage, "completion_tokens": usage["completion_tokens"] * place // len(chunks)}
    if rng.random() < 0.3:
        for chunk in chunks:
            chunk["obfuscation"] = "".join(rng.choice("abcXYZ019") for _ in range(rng.randint(0, 12)))
    if rng.random() < 0.1:
        order = rng.random()
        chunks = [shuffled(chunk, Random(order)) for chunk in chunks]
    events: list[Event] = [(None, chunk) for chunk in chunks]
    return [*events, DONE] if rng.random() < 0.8 else events


def chat_choices(choice: dict[str, Any], repeats_role: bool, rng: Server) -> list[dict[str, Any]]:
    """Return one choice's part of the chunks: role, deltas, finish reason."""
    message = choice["message"]
    opening: dict[str, Any] = {"role": message["role"]}
    blank = message["content"] == "" or (
        any(key in message for key in ("tool_calls", "function_call")) or message.get("refusal") or message["content"]
    )
    if message["content"] == "" or (blank and rng.random() < 0.5):
        opening["content"] = ""
    elif rng.random() < 0.5:
        opening["content"] = None
    if "refusal" in message:
        opening["refusal"] = None
    sequences: list[list[dict[str, Any]]] = []
    for key in ("content", "refusal", *REASONING):
        if message.get(key):
            pieces = cut(message[key], rng)
            sequences.append([{key: piece} for piece in pieces])
    if "reasoning_details" in message:
        detail = message["reasoning_details"][0]
        sequences.append([{"reasoning_details": [{**detail, "text": piece}]} for piece in cut(detail["text"], rng)])
    if "function_call" in message:
        call = message["function_call"]
        first, *rest = cut(call["arguments"], rng) or [""]
        sequences.append(
            [
                {"function_call": {"name": call["name"], "arguments": first}},
                *({"function_call": {"arguments": piece}} for piece in rest),
            ]
        )
    calls = message.get("tool_calls", [])
    indices = sorted(rng.sample(range(len(calls) + rng.choice((0, 0, 5))), len(calls)))
    for index, call in zip(indices, calls, strict=True):
        sequences.append([{"tool_calls": [entry]} for entry in call_entries(index, call, rng)])
    deltas = combined(merged(sequences, rng), rng)
    extras = scattered({key: value for key, value in message.items() if key.startswith("x_")}, len(deltas) + 1, rng)
    deltas = [{**opening, **extras[0]}, *({**delta, **extra} for delta, extra in zip(deltas, extras[1:], strict=True))]
    # Some servers open with the role alone, some with the first text.
    if len(deltas) > 1 and rng.random() < 0.3:
        deltas[:2] = [deltas[0] | deltas[1]]
    if repeats_role:
        deltas = [{"role": message["role"], **delta} for delta in deltas]
    wires = [{"index": choice["index"], "delta": delta, "finish_reason": None} for delta in deltas]
    if rng.random() < 0.3 and len(wires) > 1:
        wires[-1]["finish_reason"] = choice["finish_reason"]
    else:
        wires.append(
            {
                "index": choice["index"],
                "delta": {"role": message["role"]} if repeats_role else {},
                "finish_reason": choice["finish_reason"],
            }
        )
    if "logprobs" in choice:
        add_logprobs(wires, choice["logprobs"], rng)
    if "content_filter_results" in choice:
        wires[-1]["content_filter_results"] = choice["content_filter_results"]
        if rng.random() < 0.5:
            wires[0]["content_filter_results"] = {}
    for wire, extra in zip(
        wires,
        scattered({key: value for key, value in choice.items() if key.startswith("x_")}, len(wires), rng),
        strict=True,
    ):
        wire |= extra
    return wires


def call_entries(index: int, call: dict[str, Any], rng: Server) -> list[dict[str, Any]]:
    """Return the entries of one call: the first has id, type and name; the others have its arguments."""
    kind = call["type"]
    field = "arguments" if kind == "function" else "input"
    pieces = cut(call[kind][field], rng)
    first = "" if rng.random() < 0.7 or not pieces else pieces.pop(0)
    entries = [{"index": index, "id": call["id"], "type": kind, kind: {"name": call[kind]["name"], field: first}}]
    known = {"id": call["id"], "type": kind} if rng.random() < 0.2 else {}
    entries += [{"index": index, **known, kind: {field: piece}} for piece in pieces]
    for entry, extra in zip(
        entries,
        scattered({key: value for key, value in call.items() if key.startswith("x_")}, len(entries), rng),
        strict=True,
    ):
        entry |= extra
    return entries


def combined(deltas: list[dict[str, Any]], rng: Server) -> list[dict[str, Any]]:
    """Put some neighbouring deltas into one: texts of different keys, entries of different calls."""
    result: list[dict[str, Any]] = []
    often = rng.choice((0.0, 0.3, 0.9))
    for delta in deltas:
        last = result[-1] if result else None
        if last is not None and rng.random() < often and not last.keys() & delta.keys():
            last |= delta
        elif last is not None and rng.random() < often and last.keys() == delta.keys() == {"tool_calls"}:
            known = {entry["index"] for entry in last["tool_calls"]}
            if delta["tool_calls"][0]["index"] in known:
                result.append(delta)
            else:
                last["tool_calls"] = [*last["tool_calls"], *delta["tool_calls"]]
        else:
            result.append(dict(delta))
    return result


def add_logprobs(wires: list[dict[str, Any]], logprobs: dict[str, Any] | None, rng: Server) -> None:
    """Distribute the entries of every list over the events; an event without a token has none."""
    if logprobs is None:
        for wire in wires:
            wire["logprobs"] = None
        return
    count = len(wires)
    hands = {key: dealt(value, count, rng) for key, value in logprobs.items() if isinstance(value, list)}
    for place, wire in enumerate(wires):
        share = {key: hands[key][place] if key in hands else value for key, value in logprobs.items()}
        silent = not any(share[key] for key in hands) and 0 < place < count - 1
        wire["logprobs"] = None if silent and rng.random() < 0.5 else share


# -- openai.completions --------------------------------------------------------------------------


@st.composite
def completions_bodies(draw: Any) -> dict[str, Any]:
    body: dict[str, Any] = {
        "id": draw(idents),
        "object": "text_completion",
        "created": draw(st.integers(1, 2**31)),
        "model": draw(idents),
    }
    body["choices"] = []
    logprobs = draw(st.sampled_from(["absent", "null", "there"]))
    for index in sorted(draw(st.sets(st.integers(0, 6), min_size=1, max_size=3))):
        choice: dict[str, Any] = {
            "index": index,
            "text": draw(texts()),
            "finish_reason": draw(st.sampled_from(["stop", "length", "content_filter"])),
        }
        if logprobs == "null":
            choice["logprobs"] = None
        elif logprobs == "there":
            count = draw(st.integers(0, 4))
            choice["logprobs"] = {
                "tokens": draw(st.lists(short_texts, min_size=count, max_size=count)),
                "token_logprobs": draw(st.lists(st.none() | st.floats(-20, 0), min_size=count, max_size=count)),
                "top_logprobs": None,
                "text_offset": list(range(count)),
            }
        body["choices"].append(choice | draw(unknown))
    if draw(st.booleans()):
        body["usage"] = {
            "prompt_tokens": draw(numbers),
            "completion_tokens": draw(numbers),
            "total_tokens": draw(numbers),
        }
    if draw(st.booleans()):
        body["system_fingerprint"] = draw(idents)
    return body | draw(unknown)


def completions_events(body: dict[str, Any], rng: Server) -> list[Event]:
    """Return the chunks of a completion. Choices may alternate."""
    common = {
        key: value for key, value in body.items() if key in ("id", "object", "created", "model", "system_fingerprint")
    }
    sequences = []
    for choice in body["choices"]:
        wires = [{"index": choice["index"], "text": piece, "finish_reason": None} for piece in cut(choice["text"], rng)]
        if not wires or rng.random() < 0.6:
            wires.append({"index": choice["index"], "text": "", "finish_reason": None})
        wires[-1]["finish_reason"] = choice["finish_reason"]
        if "logprobs" in choice:
            add_logprobs(wires, choice["logprobs"], rng)
        for wire, extra in zip(
            wires,
            scattered({key: value for key, value in choice.items() if key.startswith("x_")}, len(wires), rng),
            strict=True,
        ):
            wire |= extra
        sequences.append(wires)
    chunks: list[dict[str, Any]] = [{**common, "choices": [wire]} for wire in merged(sequences, rng)]
    for chunk, extra in zip(
        chunks,
        scattered({key: value for key, value in body.items() if key.startswith("x_")}, len(chunks), rng),
        strict=True,
    ):
        chunk |= extra
    if "usage" in body:
        if len(chunks) > 1 and rng.random() < 0.3:
            chunks[-1]["usage"] = body["usage"]
        else:
            if rng.random() < 0.5:
                chunks = [{**chunk, "usage": None} for chunk in chunks]
            chunks.append({**common, "choices": [], "usage": body["usage"]})
    events: list[Event] = [(None, chunk) for chunk in chunks]
    return [*events, DONE] if rng.random() < 0.8 else events


# -- openai.responses ----------------------------------------------------------------------------

annotations = st.fixed_dictionaries(
    {"type": st.just("url_citation"), "url": short_texts, "start_index": st.integers(0, 99)}
)


@st.composite
def message_items(draw: Any, ident: str) -> dict[str, Any]:
    parts: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(0, 3))):
        if draw(st.integers(0, 3)) == 3:
            parts.append({"type": "refusal", "refusal": draw(texts(1))})
        else:
            found = draw(st.lists(annotations, max_size=2, unique_by=lambda found: json.dumps(found, sort_keys=True)))
            parts.append(
                {
                    "type": "output_text",
                    "text": draw(texts(1)),
                    "annotations": found,
                    "logprobs": draw(st.lists(logprob, max_size=3)),
                }
            )
    return {"id": ident, "type": "message", "status": "completed", "role": "assistant", "content": parts}


@st.composite
def reasoning_items(draw: Any, ident: str) -> dict[str, Any]:
    item: dict[str, Any] = {"id": ident, "type": "reasoning"}
    item["summary"] = [{"type": "summary_text", "text": draw(texts(1))} for _ in range(draw(st.integers(0, 2)))]
    if draw(st.booleans()):
        item["content"] = [{"type": "reasoning_text", "text": draw(texts(1))} for _ in range(draw(st.integers(1, 2)))]
    if draw(st.booleans()):
        item["encrypted_content"] = draw(names)
    return item


@st.composite
def call_items(draw: Any, ident: str) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(["function_call", "custom_tool_call", "mcp_call", "code_interpreter_call", "apply_patch_call"])
    )
    item: dict[str, Any] = {"id": ident, "type": kind, "status": "completed"}
    if kind == "code_interpreter_call":
        return item | {"code": draw(texts(1)), "container_id": draw(names), "outputs": draw(maybe(st.just([])))}
    if kind == "apply_patch_call":
        return item | {
            "call_id": draw(names),
            "operation": {"type": "update_file", "path": draw(names), "diff": draw(texts(1))},
        }
    item |= (
        {"name": draw(names), "call_id": f"call_{ident}"}
        if kind != "mcp_call"
        else {"name": draw(names), "server_label": draw(names), "output": draw(maybe(texts()))}
    )
    return item | {"input" if kind == "custom_tool_call" else "arguments": draw(objects.map(json.dumps) | texts(1))}


@st.composite
def other_items(draw: Any, ident: str) -> dict[str, Any]:
    kind = draw(st.sampled_from(["web_search_call", "file_search_call", "image_generation_call", "new_kind_of_item"]))
    return {"id": ident, "type": kind, "status": "completed", "action": draw(objects), "result": draw(maybe(names))}


@st.composite
def responses_bodies(draw: Any) -> dict[str, Any]:
    status = draw(st.sampled_from(["completed", "completed", "incomplete"]))
    body: dict[str, Any] = {
        "id": draw(idents), "object": "response", "created_at": draw(numbers), "status": status, "model": draw(idents), "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None, "metadata": {},
        "usage": {"input_tokens": draw(numbers), "output_tokens": draw(numbers)}, "temperature": 1.0, "tools": [], "output": [],
    }  # fmt: skip
    for ident in draw(uniquely(names, draw(st.integers(0, 4)))):
        kind = draw(st.sampled_from([message_items, message_items, reasoning_items, call_items, other_items]))
        body["output"].append(draw(kind(ident)) | draw(unknown))
    return body | draw(unknown)


def responses_events(body: dict[str, Any], rng: Server) -> list[Event]:
    """Return `created`, the events of the items, and a terminal event that has the whole response or only its envelope."""
    envelope = {key: value for key, value in body.items() if key != "output"}
    begun = {**envelope, "status": "in_progress", "usage": None, "incomplete_details": None, "output": []}
    full = rng.random() < 0.5
    done = "always" if not full else rng.choice(("always", "sometimes", "never"))
    events: list[dict[str, Any]] = [{"type": "response.created", "response": begun}]
    if rng.random() < 0.7:
        events.append({"type": "response.in_progress", "response": begun})
    # One item after the other, as servers do, or alternating.
    # Later stages may leave out the log probabilities that came with the deltas; those stay.
    said = [without_logprobs(item) for item in body["output"]] if rng.random() < 0.3 else body["output"]
    sequences = [item_events(index, item, said[index], done, rng) for index, item in enumerate(body["output"])]
    events += merged(sequences, rng) if rng.random() < 0.5 else [event for sequence in sequences for event in sequence]
    terminal = (
        {**envelope, "output": said}
        if full
        else rng.choice(({**envelope, "output": []}, {**envelope, "output": None}, envelope))
    )
    events.append({"type": f"response.{body['status']}", "response": terminal})
    if rng.random() < 0.2:
        events.insert(rng.randrange(1, len(events)), {"type": "keepalive"})
    if rng.random() < 0.8:
        events = [{**event, "sequence_number": number} for number, event in enumerate(events)]
    if rng.random() < 0.3:
        events = [
            {**event, "obfuscation": rng.choice(("aB3", "", "x" * 9))} if event["type"].endswith(".delta") else event
            for event in events
        ]
    named = rng.random() < 0.7
    found: list[Event] = [(event["type"] if named else None, event) for event in events]
    return [*found, DONE] if rng.random() < 0.2 else found


# Item type -> the key of its text, and the events that bring it.
ITEM_TEXTS = {
    "function_call": ("arguments", "response.function_call_arguments"),
    "mcp_call": ("arguments", "response.mcp_call_arguments"),
    "custom_tool_call": ("input", "response.custom_tool_call_input"),
    "code_interpreter_call": ("code", "response.code_interpreter_call_code"),
    "apply_patch_call": ("diff", "response.apply_patch_call_operation_diff"),
}
PART_TEXTS = {
    "output_text": ("text", "response.output_text"),
    "refusal": ("refusal", "response.refusal"),
    "reasoning_text": ("text", "response.reasoning_text"),
    "summary_text": ("text", "response.reasoning_summary_text"),
}


def without_logprobs(item: dict[str, Any]) -> dict[str, Any]:
    content = item.get("content")
    if not content:
        return item
    return {**item, "content": [{**part, "logprobs": []} if "logprobs" in part else part for part in content]}


def item_events(index: int, item: dict[str, Any], said: dict[str, Any], done: str, rng: Server) -> list[dict[str, Any]]:
    """Return all events of one item: deltas and done events."""
    place = {"item_id": item["id"], "output_index": index}

    def says_done() -> bool:
        return done == "always" or (done == "sometimes" and rng.random() < 0.5)

    added = {key: value for key, value in item.items() if not key.startswith("x_")}
    if "status" in added:
        added["status"] = "in_progress"
    for key in ("content", "summary"):
        if key in added:
            added[key] = []
    events: list[dict[str, Any]] = []
    field, family = ITEM_TEXTS.get(item["type"], (None, None))
    if field == "diff":
        added["operation"] = {**item["operation"], "diff": ""}
    elif field is not None:
        added[field] = "" if field != "code" else None
    events.append({"type": "response.output_item.added", "output_index": index, "item": added})
    if field is not None:
        text = item["operation"]["diff"] if field == "diff" else item[field]
        events += [{"type": f"{family}.delta", **place, "delta": piece} for piece in cut(text, rng)]
        if says_done():
            events.append({"type": f"{family}.done", **place, field: text})
    elif item["type"] in ("web_search_call", "file_search_call"):
        events += [
            {"type": f"response.{item['type']}.{status}", **place}
            for status in ("in_progress", "searching", "completed")
        ]
    sequences = [
        part_events(key, number, part, said[key][number], place, says_done, rng)
        for key in ("content", "summary")
        for number, part in enumerate(item.get(key) or ())
    ]
    events += merged(sequences, rng) if rng.random() < 0.3 else [event for sequence in sequences for event in sequence]
    if says_done():
        events.append({"type": "response.output_item.done", "output_index": index, "item": said})
    return events


def part_events(
    key: str,
    number: int,
    part: dict[str, Any],
    said: dict[str, Any],
    place: dict[str, Any],
    says_done: Callable[[], bool],
    rng: Server,
) -> list[dict[str, Any]]:
    """Return all events of one part of an item's content or summary."""
    field, family = PART_TEXTS[part["type"]]
    place = {**place, "content_index" if key == "content" else "summary_index": number}
    family_of_part = "response.content_part" if key == "content" else "response.reasoning_summary_part"
    events: list[dict[str, Any]] = []
    # R32: without its start, a part behind another one of its type continues that one.
    if rng.random() < 0.8 or key == "content":
        empty = {name: [] if isinstance(value, list) else value for name, value in part.items()} | {field: ""}
        events.append({"type": f"{family_of_part}.added", **place, "part": empty})
    deltas: list[dict[str, Any]] = [
        {"type": f"{family}.delta", **place, "delta": piece} for piece in cut(part[field], rng)
    ]
    if "logprobs" in part:
        for delta, share in zip(deltas, dealt(part["logprobs"], len(deltas), rng), strict=True):
            delta["logprobs"] = share
    events += deltas
    if says_done():
        events.append({"type": f"{family}.done", **place, field: part[field]})
        if "logprobs" in part and rng.random() < 0.5:
            events[-1]["logprobs"] = said["logprobs"]
    for at, annotation in enumerate(part.get("annotations", ())):
        events.append(
            {"type": "response.output_text.annotation.added", **place, "annotation_index": at, "annotation": annotation}
        )
    if says_done():
        events.append({"type": f"{family_of_part}.done", **place, "part": said})
    return events


# -- anthropic.messages --------------------------------------------------------------------------


@st.composite
def blocks(draw: Any) -> dict[str, Any]:
    kind = draw(
        st.sampled_from(
            ["text", "text", "thinking", "redacted_thinking", "tool_use", "server_tool_use", "web_search_tool_result"]
        )
    )
    if kind == "text":
        block: dict[str, Any] = {"type": kind, "text": draw(texts())}
        if draw(st.integers(0, 3)) == 3:
            block["citations"] = draw(st.lists(annotations, min_size=1, max_size=2))
    elif kind == "thinking":
        block = {"type": kind, "thinking": draw(texts()), "signature": draw(names)}
    elif kind == "redacted_thinking":
        block = {"type": kind, "data": draw(names)}
    elif kind == "web_search_tool_result":
        block = {"type": kind, "tool_use_id": draw(names), "content": draw(st.lists(objects, max_size=2))}
    else:
        block = {"type": kind, "id": draw(names), "name": draw(names), "input": draw(objects)}
    return block | draw(unknown)


@st.composite
def anthropic_bodies(draw: Any) -> dict[str, Any]:
    return {
        "id": draw(idents), "type": "message", "role": "assistant", "model": draw(idents), "content": draw(st.lists(blocks(), max_size=4)),
        "stop_reason": draw(st.sampled_from(["end_turn", "max_tokens", "tool_use", "refusal"])), "stop_sequence": draw(maybe(short_texts)),
        "usage": {"input_tokens": draw(numbers), "cache_read_input_tokens": draw(numbers), "output_tokens": draw(numbers), "service_tier": "standard"} | draw(st.sampled_from([{}, {"server_tool_use": {"web_search_requests": 3}}])),
    } | draw(unknown)  # fmt: skip


def anthropic_events(body: dict[str, Any], rng: Server) -> list[Event]:
    """Return the start of a message, its blocks in order or alternating, and its end."""
    start = {
        **body,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {**body["usage"], "output_tokens": 1},
    }
    sequences = [block_events(index, block, rng) for index, block in enumerate(body["content"])]
    events: list[dict[str, Any]] = [{"type": "message_start", "message": start}]
    events += merged(sequences, rng) if rng.random() < 0.3 else [event for sequence in sequences for event in sequence]
    delta = {"stop_reason": body["stop_reason"], "stop_sequence": body["stop_sequence"]}
    final = {"output_tokens": body["usage"]["output_tokens"]}
    if "server_tool_use" in body["usage"]:
        # Its counts come at the end, in an event of their own or in the last.
        del start["usage"]["server_tool_use"]
        tools = {"server_tool_use": body["usage"]["server_tool_use"]}
        if rng.random() < 0.5:
            usage = {**tools, "output_tokens": 2}
            events.append({"type": "message_delta", "delta": {"stop_reason": None}, "usage": usage})
        else:
            final |= tools
    events.append({"type": "message_delta", "delta": delta, "usage": final})
    events.append({"type": "message_stop"})
    for _ in range(rng.choice((0, 0, 1, 3))):
        events.insert(rng.randint(1, len(events)), {"type": "ping"})
    named = rng.random() < 0.8
    return [(event["type"] if named else None, event) for event in events]


def block_events(index: int, block: dict[str, Any], rng: Server) -> list[dict[str, Any]]:
    """Return start, deltas and stop of one block."""
    start = dict(block)
    deltas: list[dict[str, Any]] = []
    if block["type"] in ("text", "thinking"):
        key = block["type"]
        start[key] = ""
        deltas = [{"type": f"{key}_delta", key: piece} for piece in cut(block[key], rng)]
    if "signature" in block:
        start["signature"] = ""
        deltas.append({"type": "signature_delta", "signature": block["signature"]})
    if "citations" in block:
        start["citations"] = []
        citations = [{"type": "citations_delta", "citation": citation} for citation in block["citations"]]
        deltas = merged([deltas, citations], rng)
    if "input" in block:
        start["input"] = {}
        if block["input"] or rng.random() < 0.5:
            text = json.dumps(block["input"], ensure_ascii=rng.random() < 0.5, indent=rng.choice((None, None, 1)))
            deltas = [{"type": "input_json_delta", "partial_json": piece} for piece in ["", *cut(text, rng)]]
    events: list[dict[str, Any]] = [{"type": "content_block_start", "index": index, "content_block": start}]
    events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
    return [*events, {"type": "content_block_stop", "index": index}]


# -- gemini.generate -----------------------------------------------------------------------------


@st.composite
def parts(draw: Any) -> dict[str, Any]:
    kind = draw(st.sampled_from(["text", "text", "thought", "call", "code", "result", "blob", "signed"]))
    if kind in ("text", "thought", "signed"):
        part: dict[str, Any] = {"text": draw(texts(1))}
        if kind == "thought":
            part["thought"] = True
        if kind == "signed":
            part["thoughtSignature"] = draw(names)
        return part
    if kind == "call":
        part = {
            "functionCall": {
                "name": draw(names),
                "args": draw(st.dictionaries(names.filter(str.isalnum), scalars, max_size=3)),
            }
        }
        if draw(st.booleans()):
            part["thoughtSignature"] = draw(names)
        return part
    if kind == "code":
        return {"executableCode": {"language": "PYTHON", "code": draw(texts())}}
    if kind == "result":
        return {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": draw(texts())}}
    return {"inlineData": {"mimeType": "image/png", "data": draw(names)}}


def is_open_text(part: dict[str, Any] | None) -> bool:
    return part is not None and "text" in part and "thoughtSignature" not in part


@st.composite
def gemini_bodies(draw: Any) -> dict[str, Any]:
    candidates = []
    indices = sorted(draw(st.sets(st.integers(0, 4), min_size=1, max_size=2)))
    for index in indices:
        found: list[dict[str, Any]] = []
        for part in draw(st.lists(parts(), max_size=5)):
            # Plain texts of one kind that follow each other are one part.
            last = found[-1] if found else None
            if not (is_open_text(last) and is_open_text(part) and last.get("thought") == part.get("thought")):
                found.append(part)
        content: dict[str, Any] = {"role": "model"}
        if found:
            content["parts"] = found
        candidate: dict[str, Any] = {
            "content": content,
            "finishReason": draw(st.sampled_from(["STOP", "MAX_TOKENS", "SAFETY"])),
        }
        if index or draw(st.booleans()):
            candidate["index"] = index
        if draw(st.booleans()):
            candidate["safetyRatings"] = [{"category": "HARM", "probability": "NEGLIGIBLE"}]
        if draw(st.integers(0, 3)) == 3:
            candidate["citationMetadata"] = {
                "citationSources": draw(
                    st.lists(
                        annotations, min_size=1, max_size=3, unique_by=lambda found: json.dumps(found, sort_keys=True)
                    )
                )
            }
        if draw(st.integers(0, 3)) == 3:
            candidate["logprobsResult"] = {"chosenCandidates": draw(st.lists(logprob, min_size=1, max_size=4))}
        candidates.append(candidate | draw(unknown))
    body = {
        "candidates": candidates,
        "usageMetadata": {"promptTokenCount": draw(numbers), "candidatesTokenCount": draw(numbers)},
    }
    return body | {"modelVersion": draw(idents), "responseId": draw(idents)} | draw(unknown)


def gemini_events(body: dict[str, Any], rng: Server) -> list[Event]:
    """Return chunks in the form of the body, each with the new parts and the usage so far."""
    common = {key: body[key] for key in ("modelVersion", "responseId")}
    candidates = merged([candidate_pieces(candidate, rng) for candidate in body["candidates"]], rng)
    chunks: list[dict[str, Any]] = [{"candidates": [candidate], **common} for candidate in candidates]
    for chunk, extra in zip(
        chunks,
        scattered({key: value for key, value in body.items() if key.startswith("x_")}, len(chunks), rng),
        strict=True,
    ):
        chunk |= extra
    counts = body["usageMetadata"]
    for place, chunk in enumerate(chunks):
        if place == len(chunks) - 1:
            chunk["usageMetadata"] = counts
        elif rng.random() < 0.8:
            chunk["usageMetadata"] = {"promptTokenCount": counts["promptTokenCount"]}
    if rng.random() < 0.1:
        return [(None, {"response": chunk, "traceId": "t"}) for chunk in chunks]
    return [(None, chunk) for chunk in chunks]


def candidate_pieces(candidate: dict[str, Any], rng: Server) -> list[dict[str, Any]]:
    """Return one candidate's part of the chunks."""
    place = {"index": candidate["index"]} if "index" in candidate else {}
    pieces: list[dict[str, Any]] = []
    before: dict[str, Any] | None = None
    for part in candidate["content"].get("parts", ()):
        pieces += part_pieces(part, before, rng)
        before = part
    wires: list[dict[str, Any]] = [
        {"content": {"role": "model", "parts": hand}, **place} for hand in groups_of(pieces, rng)
    ]
    if not wires or rng.random() < 0.5:
        wires.append({"content": {"role": "model", "parts": [{"text": ""}] if rng.random() < 0.5 else []}, **place})
    wires[-1]["finishReason"] = candidate["finishReason"]
    for wire, extra in zip(
        wires,
        scattered(
            {key: candidate[key] for key in candidate if key.startswith("x_") or key == "safetyRatings"},
            len(wires),
            rng,
        ),
        strict=True,
    ):
        wire |= extra
    for key, inner in (("citationMetadata", "citationSources"), ("logprobsResult", "chosenCandidates")):
        if key in candidate:
            for wire, share in zip(wires, dealt(candidate[key][inner], len(wires), rng), strict=True):
                if share:
                    wire[key] = {inner: share}
    return wires


def groups_of(pieces: list[dict[str, Any]], rng: Server) -> Iterator[list[dict[str, Any]]]:
    """Return lists of parts: mostly one part in each chunk, or several."""
    several = rng.choice((1, 1, 3))
    at = 0
    while at < len(pieces):
        size = rng.randint(1, several)
        yield pieces[at : at + size]
        at += size


def part_pieces(part: dict[str, Any], before: dict[str, Any] | None, rng: Server) -> list[dict[str, Any]]:
    """Return the fragments of a part: a text with its signature, or a call. Other parts stay whole."""
    if "text" in part:
        rest = {key: value for key, value in part.items() if key not in ("text", "thoughtSignature")}
        if "thoughtSignature" not in part:
            return [{"text": piece, **rest} for piece in cut(part["text"], rng)]
        # It may come late, on an empty text (G1), where the text is not one with the text before.
        if not is_open_text(before) and rng.random() < 0.5:
            return [
                *({"text": piece} for piece in cut(part["text"], rng)),
                {"text": "", "thoughtSignature": part["thoughtSignature"]},
            ]
        return [part]
    call = part.get("functionCall")
    if call is None or not call["args"] or rng.random() < 0.5:
        return [part]
    rest = {key: value for key, value in part.items() if key != "functionCall"}
    pieces: list[dict[str, Any]] = [{"functionCall": {"name": call["name"], "willContinue": True}, **rest}]
    for key, value in call["args"].items():
        entries = argument_pieces(f"$.{key}", value, rng)
        pieces += [{"functionCall": {"partialArgs": [entry], "willContinue": True}} for entry in entries]
    return [*pieces, {"functionCall": {}}]


def argument_pieces(path: str, value: Any, rng: Server) -> list[dict[str, Any]]:
    """Return one argument as ``partialArgs`` entries; a string in fragments (G3)."""
    if isinstance(value, str):
        return [{"jsonPath": path, "stringValue": piece, "willContinue": True} for piece in cut(value, rng) or [""]]
    kind = "nullValue" if value is None else "boolValue" if isinstance(value, bool) else "numberValue"
    return [{"jsonPath": path, kind: value}]


# -- the bytes -----------------------------------------------------------------------------------


def encoded(payload: Any, style: tuple[str, str], ascii_only: bool) -> bytes:
    if payload == "[DONE]":
        return b"[DONE]"
    return json.dumps(payload, separators=style, ensure_ascii=ascii_only, allow_nan=False).encode()


COMPACT, SPACED = (",", ":"), (", ", ": ")


def framed(events: list[Event], dialect: str, rng: Server) -> list[bytes]:
    """Frame the events: compact or spaced JSON, escaped or not, as server-sent events, JSON lines or one array."""
    style = rng.choice((COMPACT, SPACED, (",", ": ")))
    # None: either, event by event. Half a pair can only be written as an escape.
    ascii_only = True if rng.halves else rng.choice((True, False, None))
    payloads = [
        encoded(payload, style, rng.random() < 0.5 if ascii_only is None else ascii_only) for _, payload in events
    ]
    # Without framing, a legacy completion's chunk and its body cannot be distinguished.
    forms = {"gemini.generate": ("sse", "array", "lines"), "openai.completions": ("sse",)}.get(
        dialect, ("sse", "sse", "sse", "sse", "lines")
    )
    form = rng.choice(forms)
    if form == "lines" and len(events) == 1:
        form = "sse"  # alone and bare it would be a body sent whole, which is never rewritten
    if form == "array":
        return [b"[" + payloads[0], *(b",\r\n" + payload for payload in payloads[1:]), b"]\n"]
    if form == "lines":
        return [payload + b"\n" for payload in payloads]
    end = rng.choice((b"\n", b"\n", b"\n", b"\r\n", b"\r"))
    colon = rng.choice((b": ", b": ", b": ", b":"))
    comments = rng.choice((0.0, 0.0, 0.2))
    reads = []
    for (name, _), payload in zip(events, payloads, strict=True):
        lines = [b"event" + colon + name.encode()] if name else []
        lines.append(b"data" + colon + payload)
        read = end.join([*lines, b"", b""])
        reads.append(b": ping" + end + end + read if rng.random() < comments else read)
    return reads


# -- whole streams -------------------------------------------------------------------------------

EVENTS: dict[str, Callable[[dict[str, Any], Server], list[Event]]] = {
    "openai.chat": chat_events,
    "openai.responses": responses_events,
    "openai.completions": completions_events,
    "anthropic.messages": anthropic_events,
    "gemini.generate": gemini_events,
}
BODIES: dict[str, Callable[[], Any]] = {
    "openai.chat": chat_bodies,
    "openai.responses": responses_bodies,
    "openai.completions": completions_bodies,
    "anthropic.messages": anthropic_bodies,
    "gemini.generate": gemini_bodies,
}


def stream_of(dialect: str, body: dict[str, Any], seed: int) -> Stream:
    """Return the stream of a message; the same seed gives the same stream."""
    rng = Server(seed)
    rng.halves = rng.random() < 0.2
    return Stream(dialect, body, framed(EVENTS[dialect](body, rng), dialect, rng))


def streams(dialect: str) -> Any:
    """Draw streams of a dialect, each with its message."""
    return st.builds(stream_of, st.just(dialect), BODIES[dialect](), st.integers(0, 2**32 - 1))
