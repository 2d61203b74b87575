"""The body of a message, built from the state, and the tool calls in it that are not complete."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import msgspec

from reducer.decoding import NotJson, Report, TooDeep, compact, decode_tolerantly, join_surrogates
from reducer.dialects.anthropic_messages.state import Block, MessageState, overlay
from reducer.dialects.contract import report_nothing
from reducer.problems import SHOWN

_INVALID: Any = object()  # the value of a text that is not JSON
_END = 64  # bytes at the end of a text in which its last brace is looked for
_index_of = attrgetter("index")
_check_json = msgspec.json.Decoder(msgspec.Raw).decode


def build(state: MessageState, report: Report) -> dict[str, Any]:
    """Return the body so far."""
    base = state.message
    body: dict[str, Any] = {"type": "message", "role": "assistant"} if base is None else dict(base)
    depth = state.options.limits.max_depth
    body["content"] = [_build_block(block, report, depth) for block in _in_order(state)]
    overlay(body, state.fields)
    if state.usage:
        usage = body.get("usage")
        body["usage"] = dict(usage) if type(usage) is dict else {}
        overlay(body["usage"], state.usage)
    if state.done and body.get("stop_reason") is None:
        report("no_finish_reason", None, None)
    if state.done and state.error is None:
        _report_repairs(state, report)
    # A4: until an event gives `output_tokens`, the usage is the start event's placeholder.
    if (
        base is not None
        and base.get("stop_reason") is None
        and state.usage.get("output_tokens") is None
        and body.get("usage")
    ):
        report("usage_provisional", body["usage"], "as it came")
    return body


def incomplete_calls(state: MessageState) -> dict[tuple[int, int], str]:
    """Return the input's text so far of each tool call that the stream did not close, or whose input is not JSON.

    A key is the number of the choice, which is always 0, and the position of the block in the body's ``content``. Only
    blocks of type ``tool_use`` are calls that the caller has to run. The start event's input stands in for a text that
    has not begun.
    """
    if state.whole is not None:
        return {}
    calls: dict[tuple[int, int], str] = {}
    for position, block in enumerate(_in_order(state)):
        if block.fields.get("type") != "tool_use" or block.parsed:
            continue
        is_open = not (block.is_stopped or state.done)
        if is_open or _parse(block, report_nothing, state.options.limits.max_depth) is _INVALID:
            text = str(block.input or "")
            given = block.fields.get("input")
            calls[0, position] = text if text.strip() or not given else compact(given)
    return calls


def _in_order(state: MessageState) -> list[Block]:
    """Return the blocks in order of index; blocks with one index stand in order of appearance."""
    return sorted(state.all_blocks, key=_index_of)


def _build_block(block: Block, report: Report, max_depth: int) -> dict[str, Any]:
    body = dict(block.fields)
    for key, text in block.texts.items():
        body[key] = str(text)
    if block.parsed:
        body["input"] = block.parsed[0]
        return body
    kind = body.get("type")
    is_tool_use = type(kind) is str and kind.endswith("tool_use")
    if is_tool_use or (block.input is not None and (block.input or "input" in body)):
        given = _given_input(block)
        body["input"] = given
        if block.input:
            value = _parse(block, report, max_depth)
            if value is _INVALID:
                written = block.input.fragments.shown(SHOWN)
                report("input_not_json", written, {"index": block.index, "input": given})
            else:
                body["input"] = value
    return body


def _given_input(block: Block) -> Any:
    """Return the input of the start event; without one, an empty object."""
    given = block.fields.get("input")
    return {} if given is None or given == "" else given


def _parse(block: Block, report: Report, max_depth: int) -> Any:
    """Return the value of an input's text: the start value if the text is blank, `_INVALID` if it is not JSON (A5)."""
    if _lacks_end(block):
        return _INVALID
    given = _given_input(block)
    text = str(block.input or "")
    if not text or text.isspace():
        return given
    reported = False

    def report_here(code: str, seen: Any, chosen: Any) -> None:
        nonlocal reported
        reported = True
        report(code, seen, chosen)

    value = _parse_text(text, report_here, max_depth, is_open=not block.is_stopped)
    if value is not _INVALID and given and given != value:
        report_here("sources_differ", {"index": block.index, "input": given}, value)
    if block.is_stopped and not reported and value is not _INVALID:
        block.parsed = [value]
    return value


def _lacks_end(block: Block) -> bool:
    """Whether an open block's input is an object without its last brace.

    A snapshot after each delta of a long input depends on it: no string is made of the text.
    """
    if block.is_stopped or block.input is None:
        return False
    text = block.input.fragments.utf8()
    end = text[-_END:].rstrip()
    return text.startswith(b"{") and end[-1:].isascii() and bool(end) and not end.endswith(b"}")


def _parse_text(text: str, report: Report, max_depth: int, *, is_open: bool) -> Any:
    try:
        data = text.encode()
    except UnicodeEncodeError:
        # S21: the halves of a surrogate pair came in neighbouring deltas.
        joined = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        data = joined.encode("utf-8", "surrogatepass")
    if is_open and _is_cut(data):
        return _INVALID
    try:
        value = decode_tolerantly(data, report, max_depth)
    except (NotJson, TooDeep):
        return _INVALID
    return join_surrogates(value, report) if b"\\ud" in data else value


def _is_cut(data: bytes) -> bool:
    """Whether JSON ends before its value does. This check is quick; tolerant decoding of such a text is not.

    A snapshot after each delta of a long input depends on it.
    """
    try:
        _check_json(data)
    except msgspec.DecodeError as error:
        return "truncated" in str(error)
    except (ValueError, RecursionError):
        pass
    return False


def _report_repairs(state: MessageState, report: Report) -> None:
    """Report deltas that repeat the whole text before them (decision 11)."""
    for block in state.all_blocks:
        for key, text in block.texts.items():
            if text.watch is not None:
                text.report_repair(key, report)
        if block.input is not None and block.input.watch is not None:
            block.input.report_repair("input", report)
