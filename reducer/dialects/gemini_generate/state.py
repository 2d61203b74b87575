"""A Gemini response in the making. Both paths, of events and of batches, read and write these objects."""

from __future__ import annotations

from typing import Any

from reducer.decoding import Report
from reducer.dialects.contract import Handlers, Options, State
from reducer.dialects.entries import WithEntries
from reducer.dialects.generic import GrowingList
from reducer.dialects.text import Text, WithTexts
from reducer.saving import Saved


class TextPart(Saved):
    """A part that is nothing but a text, perhaps a thought, perhaps signed."""

    text: Text
    thought: Any  # as the wire gave it first; null and absent are None
    is_thought: bool
    signature: Any  # a part with a signature is closed: no text joins it (G1)

    def __init__(self, state: GeminiState, text: str, thought: Any, signature: Any) -> None:
        self.text = Text(state)
        self.text.add(text)
        self.thought = thought
        self.is_thought = bool(thought)
        self.signature = signature

    def sign(self, signature: Any) -> None:
        self.signature = signature

    def build(self) -> dict[str, Any]:
        body: dict[str, Any] = {"text": str(self.text)}
        if self.thought is not None:
            body["thought"] = self.thought
        if self.signature:
            body["thoughtSignature"] = self.signature
        return body


class StreamedCall(Saved):
    """A function call that comes in pieces."""

    is_shared = True
    id: Any
    name: Any
    args: dict[str, WithTexts] | None  # None: no piece had arguments
    fields: dict[str, Any]  # other keys of the call
    part_fields: dict[str, Any]  # other keys of the part: its signature

    def __init__(self) -> None:
        self.id = None
        self.name = None
        self.args = None
        self.fields = {}
        self.part_fields = {}


class Content(Saved):
    """The content of a candidate."""

    role: str | None
    parts: list[TextPart | StreamedCall | dict[str, Any]]  # a dict is a part as it came
    calls: int  # how many of the parts are function calls
    open_calls: list[StreamedCall]  # the calls that will continue, in order of appearance
    fields: dict[str, Any]  # other keys of the content

    def __init__(self) -> None:
        self.role = None
        self.parts = []
        self.calls = 0
        self.open_calls = []
        self.fields = {}

    def joinable_text(self) -> TextPart | None:
        """Return the last part if it is a text without a signature: the only part that a text can join."""
        last = self.parts[-1] if self.parts else None
        return last if isinstance(last, TextPart) and not last.signature else None

    def open_call(self, call: StreamedCall) -> None:
        self.calls += 1
        self.parts.append(call)
        self.open_calls.append(call)

    def close_call(self, call: StreamedCall) -> None:
        self.open_calls.remove(call)

    def add_whole_call(self, part: dict[str, Any]) -> None:
        """Append a call that came whole, without ``willContinue``, which says only that it did."""
        call = part["functionCall"]
        if "willContinue" in call:
            call = {key: value for key, value in call.items() if key != "willContinue"}
            part = {**part, "functionCall": call}
        if call or len(part) > 1:  # `{}` is no part: it marks an end
            self.calls += 1
            self.parts.append(part)


class Candidate(Saved):
    """One candidate."""

    index: int | None  # as the wire gave it; None where the wire leaves out a 0
    content: Content | None  # None: no content came
    finish: str | None  # the last finish reason
    citations: dict[str, GrowingList | Any] | None
    logprobs: dict[str, WithEntries] | None
    fields: dict[str, Any]  # other keys, of which the last value counts

    def __init__(self) -> None:
        self.index = None
        self.content = None
        self.finish = None
        self.citations = None
        self.logprobs = None
        self.fields = {}

    def set_finish(self, reason: str) -> None:
        self.finish = reason


class GeminiState(State):
    """A Gemini response in the making."""

    id: str | None
    model: str | None
    usage: dict[str, Any] | None  # the last value of each key (G2)
    feedback: dict[str, Any] | None  # `promptFeedback`
    fields: dict[str, Any]  # other top-level keys of the body
    candidates: dict[int, Candidate]

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        super().__init__(options, report, handlers)
        self.id = None
        self.model = None
        self.usage = None
        self.feedback = None
        self.fields = {}
        self.candidates = {}

    def add_usage(self, usage: dict[str, Any]) -> None:
        """Overlay a usage without nulls."""
        if self.usage is None:
            self.usage = {}
        self.usage |= usage


def keep_last(state: GeminiState, into: Any, key: str, value: Any) -> None:
    """The last value wins, whole; null replaces nothing. The generic rule of this dialect."""
    if value is not None:
        into.fields[key] = value
