"""Known wires that no dialect reads: the problem `unknown_dialect` names them and says what to do instead.

A wire is recognised by one event, the first of its stream. To name another wire, add a row to `WIRES`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

_MOST_KEYS = 32  # keys of an event that a problem shows
_MOST_KEY = 64  # characters of a key that a problem shows


class Wire(NamedTuple):
    """A known wire that no dialect reads."""

    name: str
    advice: str  # what the caller can do instead
    matches: Callable[[dict[str, Any]], bool]  # whether a stream of this wire may have such an event


def _has_type(key: str, types: str) -> Callable[[dict[str, Any]], bool]:
    known = frozenset(types.split())
    return lambda event: type(event.get(key)) is str and event[key] in known


REALTIME = Wire(
    "the OpenAI Realtime API",
    "read the events of each response with dialect='openai.responses'",
    _has_type("type", "session.created"),
)
_CONVERSE_KEYS = frozenset(
    {"messageStart", "contentBlockStart", "contentBlockDelta", "contentBlockStop", "messageStop"}
)
_CONVERSE_FIELDS = ({"contentBlockIndex", "delta"}, {"contentBlockIndex", "start"}, {"role", "p"})

# The order matters little: no real event matches two.
WIRES = (
    REALTIME,
    Wire(
        "Ollama's native API",
        "use Ollama's OpenAI-compatible endpoint, /v1/chat/completions",
        lambda event: "done" in event and "created_at" in event and ("message" in event or "response" in event),
    ),
    Wire(
        "Amazon Bedrock's ConverseStream",
        "use InvokeModelWithResponseStream of an Anthropic model, or Bedrock's OpenAI-compatible endpoint",
        lambda event: (
            not _CONVERSE_KEYS.isdisjoint(event) or any(fields <= event.keys() for fields in _CONVERSE_FIELDS)
        ),
    ),
    Wire(
        "Amazon Bedrock's InvokeModelWithResponseStream",
        "decode the base64 text in `bytes` and feed it to `feed_event`",
        lambda event: (
            type(event.get("bytes")) is str or (type(event.get("chunk")) is dict and "bytes" in event["chunk"])
        ),
    ),
    Wire(
        "the Cohere v2 API",
        "use Cohere's OpenAI-compatible endpoint, /compatibility/v1/chat/completions",
        _has_type(
            "type",
            "message-start content-start content-delta content-end tool-plan-delta tool-call-start tool-call-delta"
            " tool-call-end citation-start citation-end message-end",
        ),
    ),
    Wire(
        "the AI SDK's UI message stream",
        "capture the stream of the provider, before the AI SDK",
        _has_type(
            "type",
            "start start-step text-start text-delta text-end reasoning-start reasoning-delta reasoning-end"
            " tool-input-start tool-input-delta tool-input-available tool-output-available source-url source-document"
            " file finish-step finish abort message-metadata",
        ),
    ),
    Wire(
        "the Gemini Interactions API",
        "use streamGenerateContent",
        _has_type(
            "event_type",
            "interaction.start interaction.created interaction.status_update interaction.complete"
            " interaction.completed content.start content.delta content.stop step.start step.delta step.stop",
        ),
    ),
    Wire(
        "DashScope's native API",
        "use DashScope's OpenAI-compatible endpoint, /compatible-mode/v1/chat/completions",
        lambda event: type(event.get("output")) is dict and "request_id" in event,
    ),
)


def find_wire(event: dict[str, Any]) -> Wire | None:
    """Return the known wire that no dialect reads and that has such an event."""
    return next((wire for wire in WIRES if wire.matches(event)), None)


def describe_unknown(event: dict[str, Any]) -> tuple[list[str], str]:
    """Return what the problem `unknown_dialect` says about an event: its keys, and what they look like."""
    keys = [key[:_MOST_KEY] for key in list(event)[:_MOST_KEYS]]
    wire = find_wire(event)
    if wire is None:
        return keys, "no body"
    return keys, f"no body: this looks like {wire.name}, which is not read here; {wire.advice}"
