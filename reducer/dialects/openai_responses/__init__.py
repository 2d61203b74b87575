"""``openai.responses``: the Responses API, OpenAI's own and those that imitate it.

Theory of operation
-------------------
A stream sends everything up to four times: deltas, then the part or text that they make (``*.done``), then the item
(``output_item.done``), then the whole response in a terminal event (``completed``, ``incomplete``, ``failed``,
``cancelled``, Realtime's ``done``). Real streams miss any of these, and contradict themselves. The phases are
``OPEN``, ``OVER`` after the terminal event or a body sent whole, when only errors and another response still count, and
``POLLED`` after a body sent whole whose status is ``in_progress`` or ``queued``, which ends nothing.

Who wins: stages are ordered added < delta < part or text done < item done < terminal, and a later stage replaces the
item whole. But a text that is empty, or a proper prefix or suffix of what is there, replaces nothing, whatever its
stage (R1, R2, R3). Ids, ``encrypted_content``, ``signature`` and ``fingerprint`` are those of the latest stage and are
never compared (R7). Envelopes (the ``response`` of an event) overlay each other key by key; their ``output`` does not
count before the terminal event, except that a non-empty one is a checkpoint that replaces the slots (R21).

An item lives in a slot. Events find it by a known item id, else by ``output_index``: providers rotate ids at every
event (R5), change them between stages (R6), and use one index for everything (R9). By an index, an event finds only
items of its own kind (R32). An event whose item or part was never added makes it (R11). Indices are sparse and
compacted at the end (R10).

`items` has one item and its stages, `state` the response and how events find their item and text, `lifecycle`,
`texts` and `reconcile` the handlers, `body` the typed body and its view, `fast` the batches. The tables here say which
handler merges which event.
"""

from __future__ import annotations

import re
from functools import partial

from reducer.dialects import errors
from reducer.dialects.contract import ANOTHER_RESPONSE, Dialect, Event, Handler
from reducer.dialects.openai_responses.body import Response as Response
from reducer.dialects.openai_responses.events import FAMILIES, FIELDS, INDEX_KEYS, STATUSES
from reducer.dialects.openai_responses.fast import propose_batch
from reducer.dialects.openai_responses.lifecycle import (
    on_created,
    on_envelope,
    on_item_added,
    on_item_done,
    with_response,
)
from reducer.dialects.openai_responses.reconcile import (
    continue_polled,
    merge_terminal,
    on_body,
    on_late,
    on_late_created,
    on_late_failure,
)
from reducer.dialects.openai_responses.state import ResponsesState, build, has_content, incomplete_calls, is_polled
from reducer.dialects.openai_responses.texts import (
    on_annotation_added,
    on_command_added,
    on_command_delta,
    on_command_done,
    on_nothing,
    on_part_added,
    on_part_done,
    on_shell_output_delta,
    on_shell_output_done,
    on_status,
    on_text_delta,
    on_text_done,
)
from reducer.dialects.rules import checked_fields
from reducer.result import ProviderError

# -- events --------------------------------------------------------------------------------------

BODY = "a whole body"  # stands for the type of a body sent whole, which has none

EVENTS: dict[str, Handler] = {
    "response.created": on_created,
    "response.queued": on_envelope,
    "response.in_progress": on_envelope,
    "response.output_item.added": on_item_added,
    "response.output_item.done": on_item_done,
    "response.content_part.added": partial(on_part_added, "content"),
    "response.content_part.done": partial(on_part_done, "content"),
    "response.reasoning_part.added": partial(on_part_added, "content"),  # vLLM
    "response.reasoning_part.done": partial(on_part_done, "content"),
    "response.reasoning_summary_part.added": partial(on_part_added, "summary"),
    "response.reasoning_summary_part.done": partial(on_part_done, "summary"),
    "response.output_text.annotation.added": on_annotation_added,
    **{f"{name}.delta": partial(on_text_delta, family) for name, family in FAMILIES.items()},
    **{f"{name}.done": partial(on_text_done, family) for name, family in FAMILIES.items()},
    **{
        f"response.{kind}.{status}": partial(on_status, kind, status)
        for kind, statuses in STATUSES.items()
        for status in statuses
    },
    "response.shell_call_command.added": on_command_added,
    "response.shell_call_command.delta": on_command_delta,
    "response.shell_call_command.done": on_command_done,
    "response.shell_call_output_content.delta": on_shell_output_delta,
    "response.shell_call_output_content.done": on_shell_output_done,
    # The last partial image and spoken output have no place in a Response.
    "response.image_generation_call.partial_image": on_nothing,
    "response.audio.delta": on_nothing,
    "response.audio.done": on_nothing,
    "response.audio.transcript.delta": on_nothing,
    "response.audio.transcript.done": on_nothing,
}


def on_terminal(state: ResponsesState, event: Event) -> None:
    """``response.completed``, ``incomplete``, ``failed``, ``cancelled``, ``done``: the response whole."""
    state.handlers = HANDLERS["OVER"]
    merge_terminal(state, event)


TERMINAL_EVENTS: dict[str, Handler] = dict.fromkeys(
    ("response.completed", "response.incomplete", "response.failed", "response.cancelled", "response.done"), on_terminal
)
LATE_EVENTS: dict[str, Handler] = {
    **dict.fromkeys((*EVENTS, *TERMINAL_EVENTS), on_late),
    "response.failed": on_late_failure,
    "response.done": on_late_failure,
    "response.created": on_late_created,
}


def on_whole_body(state: ResponsesState, body: Event) -> object:
    """A whole body after something else."""
    result = on_body(state, body)
    if state.whole is body and not is_polled(body):
        state.handlers = HANDLERS["OVER"]
    return result


_ENVELOPES = frozenset({"response.created", "response.queued", "response.in_progress", *TERMINAL_EVENTS})


def _merge_checked(handler: Handler, state: ResponsesState, event: Event) -> object:
    """Check the fields of an event before its handler merges it."""
    event = checked_fields(FIELDS, event, state.report)
    result = handler(state, event)
    state.see_number(event)
    return result


def _merge_envelope(handler: Handler, state: ResponsesState, event: Event) -> object:
    """Check the fields of an event that brings a response, or find the response in its own keys."""
    event = with_response(state, event, is_terminal=event["type"] in TERMINAL_EVENTS)
    result = handler(state, event)
    if result is not ANOTHER_RESPONSE:
        state.see_number(event)
    return result


def _with_checks(handlers: dict[str, Handler]) -> dict[str, Handler]:
    return {
        kind: partial(_merge_envelope if kind in _ENVELOPES else _merge_checked, handler)
        for kind, handler in handlers.items()
    }


def _after_polled(handler: Handler, state: ResponsesState, event: Event) -> object:
    """Merge the first event after a polled body, unless it begins another response."""
    if event["type"] == "response.created" and on_late_created(state, event) is ANOTHER_RESPONSE:
        return ANOTHER_RESPONSE
    continue_polled(state)
    state.handlers = HANDLERS["OPEN"]
    return handler(state, event)


_OPEN = _with_checks(EVENTS | TERMINAL_EVENTS)
HANDLERS: dict[str, dict[str, Handler]] = {
    "OPEN": {**_OPEN, BODY: on_whole_body},
    "POLLED": {**{kind: partial(_after_polled, handler) for kind, handler in _OPEN.items()}, BODY: on_whole_body},
    "OVER": {**_with_checks(LATE_EVENTS), BODY: on_whole_body},
}

# -- dialect -------------------------------------------------------------------------------------


def recognise(event: Event) -> bool:
    kind = event.get("type")
    if type(kind) is str:
        return kind.startswith("response.")
    return event.get("object") == "response"


def type_of(event: Event) -> str:
    kind = event.get("type")
    if type(kind) is str:
        return kind
    return BODY if is_body(event, True) else ""


def is_body(event: Event, is_bare: bool) -> bool:
    return event.get("object") == "response" and "type" not in event


def take_body(state: ResponsesState, body: Event) -> None:
    """Note the id of a body sent whole: after it only errors and another response count, unless it is polled."""
    ident = body.get("id")
    state.id = ident if type(ident) is str else None
    state.handlers = HANDLERS["POLLED" if is_polled(body) else "OVER"]


def has_ended(state: ResponsesState) -> bool:
    """Whether the terminal event has come, or a body sent whole that is not a polled one."""
    return state.done or (state.whole is not None and not is_polled(state.whole))


# -- names ---------------------------------------------------------------------------------------

_OTHER_TYPES = frozenset({"error", "ping", "keepalive"})
# The events' keys for the object that they bring.
_OBJECT_KEYS = {
    **dict.fromkeys(_ENVELOPES, "response"),
    **{kind: "item" for kind in EVENTS if ".output_item." in kind},
    **{kind: "part" for kind in EVENTS if "_part." in kind},
}
_ADDRESS = frozenset({
    "sequence_number", "stream_id", "obfuscation", "output_index", "item_id", *INDEX_KEYS.values()
})  # fmt: skip


def named(event: Event, name: str) -> Event:
    """Return an event that lacks its type with its name as the type (R31, S13).

    A type that is no event's counts as none. An object that stands bare under the name of an event that brings one
    becomes that event's ``response``, ``item`` or ``part``; an item or part shows by its own type that it is one. An
    error that stands bare becomes that of the response.
    """
    kind = event.get("type")
    if kind == name or not (name in EVENTS or name in TERMINAL_EVENTS):
        return event
    if type(kind) is str and ("." in kind or kind in _OTHER_TYPES):
        return event
    key = _OBJECT_KEYS.get(name)
    bare = {inner: value for inner, value in event.items() if inner not in _ADDRESS}
    if key is None or key in event or not bare or (key != "response" and kind is None):
        return {**event, "type": name}
    if name == "response.failed" and "message" in bare and "object" not in bare:
        bare = {"error": bare}
    return {"type": name, key: bare, **{inner: value for inner, value in event.items() if inner in _ADDRESS}}


def find_error(event: Event, name: str | None) -> ProviderError | None:
    kind = event.get("type")
    if type(kind) is str and kind.startswith("response."):
        return None  # decision 13: in these events only the error of `response.failed` counts
    return errors.find_error(event, name)


DIALECT = Dialect(
    name="openai.responses",
    body=Response,
    handlers=HANDLERS,
    new_state=lambda options, report: ResponsesState(options, report, HANDLERS["OPEN"]),
    type_of=type_of,
    recognise=recognise,
    is_body=is_body,
    take_body=take_body,
    has_more_than_error=recognise,
    build=build,
    is_finished=has_ended,
    has_content=has_content,
    find_error=find_error,
    # The dot may be escaped. A whole body has ``"object": "response"``.
    terminal_pattern=re.compile(rb'response(?:"|.{1,6}(?:completed|incomplete|failed|cancelled|done))'),
    has_ended=has_ended,
    incomplete_calls=incomplete_calls,
    named=named,
    propose_batch=propose_batch,
)
