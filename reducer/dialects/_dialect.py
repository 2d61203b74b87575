"""What a dialect is: a table of handlers, a state, and the few functions the engine needs.

The engine knows nothing else about a provider. ``HANDLERS[phase][event type] -> on_x(state, event)``:
a state keeps the row of its phase in ``row``, and a handler that ends a phase puts the next row there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from reducer.decoding import Report
from reducer.result import Limits, ProviderError
from reducer.saving import Saved

Handler = Callable[[Any, Any], object]
Row = Mapping[str, Handler]

# What a handler returns when nothing of the event has been taken: it belongs to another response than its state's
# (decision 12), or it is to be handled again, made from a dict.
SPLIT = "split"
AGAIN = "again"

# The events of a narrow way are nested no deeper; a limit below turns it off.
FLAT = 12


class Options(NamedTuple):
    """What the caller chose and every state knows."""

    limits: Limits
    repairs: frozenset[str]
    text_keys: frozenset[str]


class LimitReached(Exception):
    """A handler refuses an event because a limit is reached; nothing of the event has been taken."""

    def __init__(self, name: str, seen: Any) -> None:
        super().__init__(name)
        self.name = name
        self.seen = seen


class Varying(NamedTuple):
    """The piece of a payload that alone varies, where the bytes around it are those of an event that was taken.

    ``around`` gives the bytes before and behind it, or ``None`` if no other such piece could stand there.
    ``decode_all`` gives what pieces say as far as it knows them, and raises at the first that it does not;
    ``take_all`` is for that what `Narrow`'s is for events.
    """

    around: Callable[[bytes], tuple[bytes, bytes] | None]
    decode_all: Callable[[list[bytes]], Iterable[Any]]
    take_all: Callable[[Any, list[Any]], bool]


class Narrow(NamedTuple):
    """A quicker way for what most of the next events will be, if the last ones tell: pieces of texts.

    ``decode`` knows less than the dialect's, which is to be asked where it refuses; its events are not nested deeper
    than `FLAT`. ``take`` merges such an event, ``take_all`` several that follow one that was taken, all or none; they
    say whether they did. What does more than add its piece is to be handled as if there were no narrow way. Nothing is
    reported.
    """

    decode: Callable[[bytes], Any]
    take: Callable[[Any, Any], bool]
    take_all: Callable[[Any, list[Any]], bool]
    varying: Varying | None = None


class State(Saved):
    """What every dialect's state has. ``report`` is set by the engine and knows the current event."""

    unsaved = ("options", "report", "row")
    caches: tuple[str, ...] = ("narrow",)
    __slots__ = ("begun", "done", "error", "narrow", "options", "report", "row", "whole")

    def __init__(self, options: Options, report: Report, row: Row) -> None:
        self.options = options
        self.report = report
        self.row = row
        self.narrow: Narrow | None = None
        self.begun = False  # something but an error has come
        self.done = False  # the end marker was seen
        self.error: ProviderError | None = None
        self.whole: dict[str, Any] | None = None  # the first event, if it was a body sent whole


class Dialect(NamedTuple):
    """One provider API's wire language."""

    name: str
    final: type  # the typed body
    decode: Callable[[bytes], Any]  # strict and typed: raises at what it does not know
    revive: Callable[[dict[str, Any], Report], Any]  # the same event from a dict, tolerantly
    recognise: Callable[[dict[str, Any]], bool]  # is this payload of this dialect?
    is_body: Callable[[dict[str, Any], bool], bool]  # is it a final body, sent whole? bare: it came as JSON, unframed
    carries: Callable[[dict[str, Any]], bool]  # does it carry anything beside an error?
    state: Callable[[Options, Report], Any]
    build: Callable[[Any, Report], dict[str, Any] | None]  # the body so far, which may share with the state
    finished: Callable[[Any], bool]  # terminal evidence has been seen
    has_content: Callable[[Any], bool]  # the first content has been seen
    find_error: Callable[[dict[str, Any], str | None], ProviderError | None]
    # Fast lanes. `texts`: the texts that handling this event, which `decode` has made, would add to the state (key,
    # value, sink with `add_utf8`), if it would do nothing else that handling the last of many such events would not do
    # alone; values at the paths `idle` may vary meanwhile.
    texts: Callable[[Any, Any], list[tuple[str, str, Any]] | None] = lambda state, event: None
    idle: tuple[str, ...] = ()
    handlers: Mapping[str, Row] = {}
    # Does a payload that is recognised tell the dialect? Another may begin alike.
    decides: Callable[[dict[str, Any]], bool] = lambda obj: True
    # Done values can be trusted where this is: does an event say the whole text of which a delta is a piece? Then it is
    # how many events later their numbers say it comes, 0 if they say nothing; otherwise `None`.
    covers: Callable[[Any, Any, Any], int | None] | None = None
