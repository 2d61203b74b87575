"""What a reducer reports about a stream that deviates from what it should be.

A problem shows what was seen, but never carries a payload: `shown` bounds every value in a problem.
"""

from __future__ import annotations

from codecs import getincrementaldecoder
from typing import Annotated, Any, Literal

import msgspec

from reducer.body import copied

# Stable: adding a code is a minor version, removing or renaming a code is a major version. The README explains them.
Code = Literal[
    "aborted",
    "arguments_replaced",
    "binary",
    "block_not_started",
    "block_restarted",
    "call_not_closed",
    "clock_failed",
    "compressed",
    "control_character",
    "finish_reason_differs",
    "id_differs",
    "index_reused",
    "input_not_json",
    "internal_error",
    "invalid_utf8",
    "item_missing",
    "json_path",
    "late_delta",
    "late_event",
    "limit_calls",
    "limit_choices",
    "limit_depth",
    "limit_event_bytes",
    "limit_items",
    "limit_new_slots",
    "limit_responses",
    "limit_retained_bytes",
    "lone_surrogate",
    "message_restarted",
    "model_differs",
    "more_problems",
    "name_differs",
    "no_blank_line",
    "no_finish_reason",
    "no_index",
    "no_message_start",
    "no_terminal",
    "not_an_object",
    "not_finite",
    "not_json",
    "output_index_reused",
    "repairable",
    "repaired",
    "several_responses",
    "shorter_text",
    "sources_differ",
    "stray_text",
    "terminal_without_response",
    "torn_tail",
    "undeclared_text",
    "unknown_delta",
    "unknown_dialect",
    "unknown_event",
    "usage_provisional",
    "wrong_type",
]

Shown = Annotated[Any, bytes]  # a value in a problem: JSON, or bytes of the stream
SHOWN = 1024  # bytes of JSON text that a problem shows of one value
_MAX_ESCAPE = 6  # bytes: no character of a string is longer in JSON text

# Integers of more than 4,300 digits are kept as `Decimal` (S22).
_ENCODER = msgspec.json.Encoder(decimal_format="number", enc_hook=repr)


class Problem(msgspec.Struct, frozen=True):
    """A deviation in the stream, with what was seen and what the reducer chose.

    ``code`` is a stable string; the README lists all codes. ``event`` is the number of the event, counted from 0 over
    everything that was fed. ``offset`` is the byte at which the event's data begin; ``None`` without framing. Both are
    ``None`` for a problem of the whole stream. A ``seen`` or ``chosen`` longer than 1 KiB is a ``str``: the first 1,024
    bytes of its JSON text.
    """

    code: Code
    event: int | None = None
    offset: int | None = None
    seen: Shown = None
    chosen: Shown = None


def build_problem(code: str, event: int | None, offset: int | None, seen: Any, chosen: Any) -> Problem:
    """Return a problem that shares no mutable value with the stream, and shows at most 1 KiB of each value."""
    return Problem(code, event, offset, shown(seen), shown(chosen))  # type: ignore[arg-type]  # tests compare the codes


def shown(value: Any) -> Any:
    """Return a copy of a value, or the first 1,024 bytes of its JSON text as a ``str`` if the text is longer.

    ``bytes`` count as the text that they are, with escapes for bytes that are not UTF-8. A character that the cut
    splits is left out.
    """
    kind = type(value)
    if value is None or kind is bool or (kind is str and len(value) * _MAX_ESCAPE + 2 <= SHOWN):
        return value
    if kind is bytes:
        # An incremental decoder leaves out a character that the cut splits.
        decoder = getincrementaldecoder("utf-8")("backslashreplace")
        return value if len(value) <= SHOWN else decoder.decode(value[:SHOWN])[:SHOWN]
    text = _json_text(value[:SHOWN] if kind is str else value)
    return copied(value) if len(text) <= SHOWN else text[:SHOWN].decode("utf-8", "ignore")


def _json_text(value: Any) -> bytes:
    try:
        return _ENCODER.encode(value)
    except UnicodeEncodeError:  # half a surrogate pair
        import json  # imported late, because few streams need it

        return json.dumps(value, ensure_ascii=False, default=repr).encode("utf-8", "backslashreplace")
