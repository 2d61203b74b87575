"""`View`: a small message with the same field names for every dialect.

Each dialect has a function that builds the view from the final body, and from the tool calls that the stream left
incomplete. A view does not guess: a value without a common name is ``None`` in the view, or is not in the view at all.
The body still holds the value.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import msgspec

# The four outcomes that every dialect can express: the answer is complete, was cut, needs tools to be run, or was
# withheld. Other outcomes, such as a pause or an error, have no common meaning across dialects.
FinishReason = Literal["stop", "length", "tool_calls", "content_filter"]

# The tool calls that the stream did not close, each with the text of its arguments so far. The key is the position of
# the choice in the body, and the position of the call in the list of the body that holds it.
Incomplete = Mapping[tuple[int, int], str]


class ToolCallView(msgspec.Struct, frozen=True):
    """A tool call that the caller has to run.

    Run a call only if it is ``complete``: the stream closed the call, its arguments are JSON, blank or a custom tool's
    free text, and the finish reason is neither ``length`` nor ``content_filter``.

    The ``arguments`` of a complete call are the decoded value of their JSON text; blank arguments are ``{}``. The free
    text of a custom tool is in ``unparsed``, and ``arguments`` is ``None``.

    If a call is not complete, ``arguments`` is ``None``, and ``unparsed`` is the text of the arguments so far.
    """

    id: str | None = None
    name: str | None = None
    arguments: Any = None
    unparsed: str | None = None
    complete: bool = True


class UsageView(msgspec.Struct, frozen=True):
    """Token counts of the whole response. A count is ``None`` if the provider did not report it; a reported 0 is 0.

    ``input_tokens`` counts everything that the model read. It includes tokens read from a cache, tokens written to a
    cache, and results of tools that the provider ran, even if the provider counts those separately (Anthropic,
    Gemini). ``output_tokens`` counts everything that the model wrote. It includes reasoning, even if the provider
    counts reasoning separately (Gemini, xAI). ``total_tokens`` is the reported total, or the sum of input and output
    if no total was reported. ``cached_tokens`` is the part of the input that was read from a cache, and
    ``reasoning_tokens`` is the part of the output that is reasoning.
    """

    input_tokens: int | None = None
    output_tokens: int | None = None
    total_tokens: int | None = None
    cached_tokens: int | None = None
    reasoning_tokens: int | None = None


class View(msgspec.Struct, frozen=True):
    """The message of one choice, with the same fields for every dialect.

    ``text``, ``reasoning`` and ``refusal`` are each the joined text of all their parts, or ``None`` if there are no
    such parts. Reasoning that the body repeats under several keys appears only once. ``tool_calls`` holds the calls
    that the caller has to run; calls that the provider ran itself are only in the body.

    ``finish_reason`` is ``stop``, ``length``, ``tool_calls`` or ``content_filter``. It is ``None`` if the body has no
    finish reason yet, or one that is none of these four. If the provider says ``stop`` and the caller has calls to
    run, ``finish_reason`` is ``tool_calls``.
    """

    role: str | None = None
    text: str | None = None
    reasoning: str | None = None
    refusal: str | None = None
    tool_calls: list[ToolCallView] = []
    finish_reason: FinishReason | None = None
    usage: UsageView | None = None
