"""The accumulators that people write in an hour, for comparison: what first-party streams need, and no more.

They split lines, strip ``data: ``, decode and add up. A case of `tests.test_quirks` says whether that is enough.
"""

import json


def payloads(text):
    """The decoded events of a stream, up to ``[DONE]``."""
    for line in text.splitlines():
        if line.startswith("data: "):
            data = line.removeprefix("data: ")
            if data == "[DONE]":
                return
            yield json.loads(data)


def json_lines(text):
    """The decoded events of a file with one JSON object a line."""
    return (json.loads(line) for line in text.splitlines() if line)


def chat(events):
    """A chat completion: choices by index, texts and arguments joined."""
    body = {"object": "chat.completion"}
    choices = []
    for chunk in events:
        for key in ("id", "created", "model", "system_fingerprint", "service_tier"):
            if key in chunk:
                body.setdefault(key, chunk[key])
        if "usage" in chunk:
            body["usage"] = chunk["usage"]
        for piece in chunk["choices"]:
            if piece["index"] == len(choices):
                message = {"role": "assistant", "content": ""}
                choices.append({"index": piece["index"], "message": message, "finish_reason": None})
            choice = choices[piece["index"]]
            add_delta(choice["message"], piece["delta"])
            if piece["finish_reason"]:
                choice["finish_reason"] = piece["finish_reason"]
    for choice in choices:
        choice["message"]["content"] = choice["message"]["content"] or None
    return {**body, "choices": choices}


def add_delta(message, delta):
    message["content"] += delta.get("content") or ""
    if delta.get("refusal"):
        message["refusal"] = message.get("refusal", "") + delta["refusal"]
    for fragment in delta.get("tool_calls") or []:
        calls = message.setdefault("tool_calls", [])
        if fragment["index"] == len(calls):
            calls.append({"id": "", "type": "function", "function": {"name": "", "arguments": ""}})
        call = calls[fragment["index"]]
        if fragment.get("id"):
            call["id"] = fragment["id"]
        function = fragment["function"]
        call["function"]["name"] += function.get("name") or ""
        call["function"]["arguments"] += function.get("arguments") or ""


def responses(events):
    """A response: the one of `response.completed`."""
    for event in events:
        if event["type"] == "response.completed":
            return event["response"]
    return None
