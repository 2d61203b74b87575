"""A chat completion in the making. Both paths, of events and of batches, read and write these objects."""

from __future__ import annotations

from typing import Any

from msgspec import UnsetType

from reducer.decoding import Report
from reducer.dialects.completion import ChoiceState, Envelope
from reducer.dialects.contract import Handlers, Options
from reducer.dialects.generic import Growing, Strings
from reducer.dialects.openai_chat.content import MessageText
from reducer.dialects.openai_chat.tool_calls import Call, Calls
from reducer.dialects.text import WithTexts


class Choice(ChoiceState):
    """One choice: its message in the making."""

    role: str | None
    roles: int  # deltas with a role, counted up to 2 (C45)
    opening: UnsetType | Any  # the content that came with the first role
    content: MessageText
    texts: dict[str, MessageText]  # the other declared texts, in order of appearance
    calls: Calls
    function_call: Call | None  # the single call that came before there were tools
    audio: dict[str, Any] | None
    details: list[WithTexts] | None  # OpenRouter's `reasoning_details`
    whole_message: dict[str, Any] | None  # a `message` beside or in place of deltas (C16)
    message_fields: dict[str, Growing]  # other keys of the message
    strings: dict[str, Strings]  # the values of undeclared strings of deltas, by path

    def __init__(self, state: ChatState) -> None:
        super().__init__()
        self.role = None
        self.roles = 0
        self.opening = None
        self.content = MessageText(state)
        self.texts = {}
        self.calls = Calls()
        self.function_call = None
        self.audio = None
        self.details = None
        self.whole_message = None
        self.message_fields = {}
        self.strings = {}

    def check(self) -> None:
        audio = self.audio or {}
        for pieces in (audio.get("data", []), audio.get("transcript", [])):
            if type(pieces) is not list or not all(type(piece) is str for piece in pieces):
                raise ValueError("the pieces of an audio are not texts")
        if type(self.message_fields.get("thinking_blocks", [])) is not list:
            raise ValueError("the thinking blocks of a message are not a list")

    def has_content(self) -> bool:
        fields = self.message_fields
        return self.has_deltas() or bool(
            self.details or self.whole_message or fields.get("images") or fields.get("thinking_blocks")
        )

    def has_deltas(self) -> bool:
        """Whether a delta had content, so that a whole message beside it is a copy (C11, C16)."""
        return bool(self.content or self.has_calls() or self.audio or any(self.texts.values()))

    def has_calls(self) -> bool:
        return bool(self.calls.all or self.called_function())

    def called_function(self) -> Call | None:
        """The function call, unless it is a stub: no name, no arguments (T29)."""
        call = self.function_call
        return call if call is not None and not call.is_empty() else None


class ChatState(Envelope):
    """A chat completion in the making."""

    choices: dict[int, Choice]
    # With the repair choice_counter, all choices as one, as long as their indices count the chunks (C11).
    counted: Choice | None
    next_index: int | None  # the index that continues the count; None: no chunk has come

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        super().__init__(options, report, handlers)
        self.counted = Choice(self) if "choice_counter" in options.repairs else None
        self.next_index = None
