"""What a dialect is: a state, a table of handlers for each phase, and the few functions that the core calls.

The core knows nothing else about a provider. ``handlers[phase][event type]`` is a function ``on_x(state, event)``
that merges one event, a plain dict, into the state. The state holds the table of its phase in ``handlers``; a handler
or `take_body` that ends a phase puts the next table there.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import msgspec

from reducer.decoding import Report
from reducer.result import Limits, ProviderError
from reducer.saving import Saved

# A handler returns this if the event begins another response (decision 12). It has merged nothing then.
ANOTHER_RESPONSE: Literal["another response"] = "another response"

# Larger integers with equal hashes are easily made, and a dict of those takes quadratic time.
MAX_INDEX = 2**31 - 1

Event = dict[str, Any]
Handler = Callable[[Any, Event], object]
Handlers = Mapping[str, Handler]


class Options(NamedTuple):
    """What the caller chose and every state may read."""

    limits: Limits
    repairs: frozenset[str]
    text_keys: frozenset[str]


class LimitReached(Exception):
    """An event would exceed a limit. Whoever raises this has merged nothing of the event."""

    def __init__(self, name: str, seen: Any) -> None:
        super().__init__(name)
        self.name = name  # without the prefix "max_"
        self.seen = seen


class State(Saved):
    """The part of a state that the core reads or writes; every dialect derives its own state from it."""

    unsaved = ("options", "report", "handlers")  # the core sets them after `resume`
    options: Options
    report: Report  # reports a problem at the current event
    handlers: Handlers  # the table of the current phase
    begun: bool  # something other than an error has come: there is a body
    done: bool  # the stream's end marker has come
    error: ProviderError | None  # the first error
    is_odd: bool  # some value may be what JSON cannot say: half a surrogate pair, a huge integer
    # A body that came whole. The core sets it and shows it as it came. A handler that merges something clears it; a
    # newer body of the same response replaces it.
    whole: Event | None
    reported: set[str]  # what `report_once` has reported

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        self.options = options
        self.report = report
        self.handlers = handlers
        self.begun = False
        self.done = False
        self.error = None
        self.is_odd = False
        self.whole = None
        self.reported = set()

    def report_once(self, code: str, seen: Any, chosen: Any, *, key: str | None = None) -> None:
        """Report a problem unless one with this key (by default the code) was reported before."""
        key = key or code
        if key not in self.reported:
            self.reported.add(key)
            self.report(code, seen, chosen)


# What one batch adds: entries ``(key, add, value)``; ``add(value)`` changes the state. With a key, ``value`` is the
# list of pieces of the text at this key of the events, in order. With the key "" it is whatever ``add`` takes.
Additions = list[tuple[str, Callable[[Any], object], Any]]


class Strict(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """A part of an event as a batch decodes it: it declares everything that it accepts."""


class Batch(NamedTuple):
    """Shapes of events that the batch path merges many at a time (`reducer.fast`).

    ``decode`` raises `ValueError` for a payload with a key or a type that the shape does not declare. ``additions``
    changes nothing. It returns ``None`` if the event path might report something about these events, or do more than
    add; otherwise the additions. Adding all of them must give the state, and the order of keys, that
    the event path would give; inside filter results and log-probabilities the order of keys may differ.
    """

    decode: Callable[[bytes], Any]
    additions: Callable[[Any, list[Any]], Additions | None]


class Dialect(NamedTuple):
    """One provider API's wire language."""

    name: str
    body: type  # the typed body, a `reducer.body.Body`
    handlers: Mapping[str, Handlers]  # by phase
    new_state: Callable[[Options, Report], Any]
    type_of: Callable[[Event], str]  # the event's key in the tables of handlers
    recognise: Callable[[Event], bool]  # is this payload of this dialect?
    is_body: Callable[[Event, bool], bool]  # is it a whole body? The flag says that it came as JSON, unframed.
    take_body: Callable[[Any, Event], None]  # merge a whole body, or note what later events need of it
    has_more_than_error: Callable[[Event], bool]  # does an event with an error also carry content?
    build: Callable[[Any, Report], Event | None]  # the body so far; it may share values with the state
    is_finished: Callable[[Any], bool]  # has terminal evidence been seen?
    has_content: Callable[[Any], bool]  # has any content been seen?
    find_error: Callable[[Event, str | None], ProviderError | None]  # in an event with this name
    # Bytes without a match hold no terminal evidence other than ``[DONE]``. The pattern begins with a literal: that is
    # quick to search.
    terminal_pattern: re.Pattern[bytes]
    # Has the stream's own end marker been seen, so that nothing need follow? A body sent whole has none and needs none.
    has_ended: Callable[[Any], bool] = lambda state: state.done or state.whole is not None
    # The calls that the wire has not closed, or whose input cannot be read, with the text so far. A key is the position
    # of the choice and that of the call in the body. The result carries them for its view.
    incomplete_calls: Callable[[Any], dict[tuple[int, int], str]] = lambda state: {}
    # Does a recognised payload identify the dialect? Another dialect may begin alike.
    is_decisive: Callable[[Event], bool] = lambda event: True
    # The batch for events that are likely to follow the one just merged. Without it all go by the event path.
    propose_batch: Callable[[Any, Event], Batch | None] | None = None
    # The event with the name of its framing as its type, where the data do not say what it is. Without this function,
    # only data without a type get one.
    named: Callable[[Event, str], Event] | None = None


def compare_bodies(state: Any, body: Event, before: Event | None) -> object:
    """Handle a whole body after other events: another response, or a copy of this one, which is compared (R30)."""
    if body.get("id") != state.id:
        return ANOTHER_RESPONSE
    if body != before:
        state.report("sources_differ", body, "what came before")
    return None


def report_nothing(code: str, seen: Any, chosen: Any) -> None:
    """A report function for work that is done twice, or only to compare."""


def check_growth(state: State, limit: Literal["choices", "calls", "items"], count: int, new: int) -> None:
    """Raise `LimitReached` if ``new`` more slots beside ``count`` are too many, for one event or in all."""
    limits = state.options.limits
    if new > limits.max_new_slots:
        raise LimitReached("new_slots", new)
    most: int = getattr(limits, f"max_{limit}")
    if new and count + new > most:
        raise LimitReached(limit, count + new)
