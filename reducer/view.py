"""One small message for every dialect: what a final body says, in common names.

A view is a pure function of the final body, made by the function that each dialect gives. Nothing is guessed and
nothing is forced: what has no common name reads ``None`` here, or is not here at all, and stays in the body.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

# What a caller has to tell apart: the answer is there, was cut, waits for tools to be run, or was withheld. Every
# dialect has words for these four; for the rest (a pause, a malformed call, an error) no word means the same twice.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]


class ToolCallView(msgspec.Struct, frozen=True):
    """A call of a tool that the caller is to run.

    ``arguments`` is the value that the arguments' JSON says. What is no JSON, because the call was cut short or
    because a custom tool takes free text, is in ``unparsed`` as it came, and ``arguments`` reads ``None``.
    Both read ``None`` where no arguments came, or blank ones. Where bodies have parsed values, as Anthropic's and
    Gemini's do, ``arguments`` is that of the body: of a call that was cut short, what it began with or got so far,
    and the problems ``input_not_json`` and ``call_not_closed`` say so.
    """

    id: str | None = None
    name: str | None = None
    arguments: Any = None
    unparsed: str | None = None


class UsageView(msgspec.Struct, frozen=True):
    """Token counts of the whole response. A reported 0 is 0; what was not reported is ``None``.

    ``input_tokens`` is all that the model read: tokens from a cache and into one, and results of tools that ran at
    the provider, are in it also where the provider counts them beside it (Anthropic, Gemini). ``output_tokens`` is
    all that it wrote, reasoning included, also where the provider counts that beside it (Gemini, xAI).
    ``total_tokens`` is as reported, or their sum. ``cached_tokens``, read from a cache, are a part of the input, and
    ``reasoning_tokens`` one of the output.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class View(msgspec.Struct, frozen=True):
    """The message of one choice, whatever the dialect.

    ``text``, ``reasoning`` and ``refusal`` join all their pieces, and read ``None`` where there are none; a reasoning
    that is said under several names is taken once. ``tool_calls`` are those that the caller is to run; what the
    provider ran itself stays in the body. ``finish_reason`` is ``stop``, ``length``, ``tool_calls`` or
    ``content_filter``, and ``None`` while there is none, or where it is none of these. A model that stopped and
    left calls to run ended with ``tool_calls`` in every dialect, though the wire may have said ``stop``.
    """

    role: str | None = None
    text: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallView] = []
    finish_reason: FinishReason | None = None
    usage: UsageView | None = None
