"""Tool calls, and the resolver: which call an entry of a delta belongs to (T1-T16, T26-T28).

"Name" is ``function.name`` or ``custom.name``. An empty string is no name and no id, ``"null"`` is no id, and a number
below 0 is no index. The rules, in this order:

1. A known id names its call. Of two names under one id, see `set_name`.
2. A new id belongs to the call at the entry's index (without an index: to the last call if the entry has no name) if
   that call has no id yet and rule 5 does not open another; otherwise it opens a call.
3. Without an id, an index names the call there, unless rule 5 opens another; where there is none, it opens one.
4. Without both, the n-th nameless entry of several continues the n-th call of the last delta that had several. A named
   one opens a call after a named call if it is one of several or rule 5 says so. Every other one continues the last.
5. A named entry opens a call if the call that it would continue has a name, and one of these is true: its arguments are
   whole JSON, and the entry has another name or arguments; it has no arguments, and the entry has another name; one of
   them is a custom tool, and the names differ.
6. In the body, a call without a name may continue an earlier one, see `nameless_calls`.

Batches ask the same resolver (`Calls.at`).
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.body import copied
from reducer.decoding import Report, compact
from reducer.dialects.contract import check_growth
from reducer.dialects.generic import Strings, built, keep_strings, merge_unknown, report_strings
from reducer.dialects.rules import Merge, Table, ignore, index_of, integer, merge_object, objects_of, rule
from reducer.dialects.text import Fragments, Text, WithTexts
from reducer.dialects.views import record, string
from reducer.json_value import Nesting, is_json
from reducer.saving import Saved

_SHORT = 64  # bytes of arguments that are decoded each time
_MIN_REPEATED = 16  # characters; shorter arguments end like they begin by chance

# -- state ---------------------------------------------------------------------------------------


class Arguments(Text):
    """Arguments in pieces. The last piece is kept: it may be all of the arguments once more (T30)."""

    last: str  # the last piece that is not empty
    # For `are_whole`. A text that `cumulative` puts in place of this one begins with it.
    nesting: Nesting  # of the first `scanned` bytes
    scanned: int
    is_json: bool | None  # None: the value is not whole yet

    def __init__(self, state: Any, text: str = "") -> None:
        super().__init__(state, text)
        self.last = ""
        self.nesting = Nesting()
        self.scanned = 0
        self.is_json = None

    def add(self, piece: str) -> None:
        self.last = piece or self.last
        super().add(piece)

    def extend(self, pieces: list[str]) -> None:
        before = self.last
        super().extend(pieces)
        self.last = next((piece for piece in reversed(pieces) if piece), before)

    def are_whole(self) -> bool:
        """Whether the text is JSON. However often this is asked, each byte is scanned once."""
        data = self.fragments.utf8()
        if len(data) <= _SHORT:
            return is_json(bytes(data))
        at, self.scanned = self.scanned, len(data)
        while self.is_json is None and at >= 0:
            at = self.nesting.scan(data, at)
            if at >= 0 and not self.nesting.at_line_end:
                self.is_json = is_json(bytes(data[:at]))
        if self.is_json and data[at:].strip():
            self.is_json = False
        return bool(self.is_json)

    def report_repair(self, where: str, report: Report) -> None:
        if self._repeats_all():
            report("repairable", {where: 1}, "joined as it came; the repair is cumulative")
        else:
            super().report_repair(where, report)

    def _repeats_all(self) -> bool:
        """Whether the last piece begins with all that came before and is JSON, which the joined text is not."""
        last = self.last
        if len(last) < _MIN_REPEATED or last[0] not in "{[":
            return False
        text = str(self)
        before = text[: -len(last)]
        return bool(before) and last.startswith(before) and is_json(last) and not is_json(text)


class Call(Saved):
    """A tool call, or the single function call of the older API."""

    is_shared = True
    index: int | None  # as the wire gave it first; not in the body
    id: str | None
    type: str | None
    name: str | None
    other_names: tuple[str, ...]  # names that were reported
    function: dict[str, WithTexts] | None  # a function came; its undeclared keys
    arguments: Arguments | None
    object: Any  # arguments that came as an object (T15); None as soon as `arguments` is set
    custom: dict[str, WithTexts] | None  # a custom tool came; its undeclared keys
    input: Fragments | None
    fields: dict[str, WithTexts]  # undeclared keys of the call
    strings: dict[str, Strings]  # the values of undeclared strings, by path

    def __init__(self, index: int | None = None) -> None:
        self.index = index
        self.id = None
        self.type = None
        self.name = None
        self.other_names = ()
        self.function = None
        self.arguments = None
        self.object = None
        self.custom = None
        self.input = None
        self.fields = {}
        self.strings = {}

    def start_arguments(self, state: Any) -> Arguments:
        """Return the arguments, to which strings may be added."""
        if self.arguments is None:
            # T15: an object before strings is their beginning, and `{}` was only a start value.
            self.arguments = Arguments(state, compact(self.object) if self.object else "")
            self.object = None
        return self.arguments

    def text(self) -> str:
        """The arguments or the input so far."""
        if self.object is not None:
            return compact(self.object)
        return str(self.arguments or self.input or "")

    def has_text(self) -> bool:
        return self.object is not None or bool(self.arguments or self.input)

    def has_whole_arguments(self) -> bool:
        """Whether there are arguments, and they are JSON."""
        return self.object is not None or (self.arguments is not None and self.arguments.are_whole())

    def is_empty(self) -> bool:
        return not (self.id or self.name or self.text() or self.fields or self.function or self.custom)

    def build(self) -> dict[str, Any]:
        body: dict[str, Any] = {}
        if self.id is not None:
            body["id"] = self.id
        kind = self.type or ("custom" if self.custom is not None else "function" if self.function is not None else None)
        if kind is not None:
            body["type"] = kind
        if self.function is not None:
            body["function"] = self.build_function()
        if self.custom is not None:
            body["custom"] = {"name": self.name, "input": str(self.input or ""), **built(self.custom)}
        for key, value in self.fields.items():
            body.setdefault(key, built(value))
        return body

    def build_function(self) -> dict[str, Any]:
        body: dict[str, Any] = {} if self.name is None else {"name": self.name}
        body["arguments"] = self.text() if self.arguments is not None or self.object is not None else ""
        for key, value in (self.function or {}).items():
            body.setdefault(key, built(value))
        return body

    def report_strings(self, report: Report) -> None:
        """Report repeated arguments, and strings that may have been fragments of an undeclared text."""
        if self.arguments is not None:
            self.arguments.report_repair("arguments", report)
        report_strings(self.strings, report)


class Calls(Saved):
    """The calls of one choice, and where the next entry of a delta goes."""

    all: list[Call]  # in order of appearance
    by_id: dict[str, Call]
    by_index: dict[int, Call]  # the newest call of each index
    last: Call | None  # the call that was continued last
    several: list[Call]  # the calls of the last delta that had several entries

    def __init__(self) -> None:
        self.all = []
        self.by_id = {}
        self.by_index = {}
        self.last = None
        self.several = []

    def at(self, index: int) -> Call | None:
        """The call at an index: the one continued last if it has this index, otherwise the newest there."""
        last = self.last
        return last if last is not None and last.index == index else self.by_index.get(index)

    def add(self, call: Call) -> None:
        self.all.append(call)
        if call.index is not None:
            self.by_index[call.index] = call
        if call.id is not None:
            self.by_id.setdefault(call.id, call)

    def set_last(self, call: Call) -> None:
        self.last = call


# -- rules ---------------------------------------------------------------------------------------


def merge_function(state: Any, call: Call, key: str, value: dict[str, Any]) -> None:
    if call.function is None:
        call.function = {}
    merge_object(FUNCTION, state, call, value)


def merge_custom(state: Any, call: Call, key: str, value: dict[str, Any]) -> None:
    """A custom tool, whose input is free text (T21)."""
    if call.custom is None:
        call.custom = {}
    merge_object(CUSTOM, state, call, value)


def set_name(state: Any, call: Call, name: str | None) -> None:
    """The first name wins (T8, T9), but before any arguments the whole name replaces its own beginning (T28).

    With the repair split_names other pieces join.
    """
    if not name or name == call.name:
        return
    if not call.name:
        call.name = name
        return
    if name.startswith(call.name) and not call.has_text():
        state.report("name_differs", [call.name, name], name)
        call.name = name
    elif "split_names" in state.options.repairs:
        call.name += name
        state.report("repaired", name, "split_names")
    elif name not in call.other_names:
        call.other_names += (name,)
        state.report("name_differs", [call.name, name], call.name)


def merge_arguments(state: Any, call: Call, key: str, value: str) -> None:
    if value or call.object is None:
        call.start_arguments(state).add(value)


def replace_arguments(state: Any, call: Call, key: str, value: Any) -> None:
    """Arguments that come as an object replace those before (T15)."""
    before = call.text()
    if before and before != compact(value) and before.strip() != "{}":
        state.report("arguments_replaced", before, value)
    call.object = copied(value)
    call.arguments = None


def merge_input(state: Any, call: Call, key: str, value: str) -> None:
    if call.input is None:
        call.input = Fragments()
    call.input.append(value)


def merge_type(state: Any, call: Call, key: str, value: str) -> None:
    call.type = call.type or value or None


def merge_undeclared_of_call(state: Any, call: Call, key: str, value: Any) -> None:
    """Decision 5: the generic rule. Every value of a string is kept, so that no text is lost unreported."""
    texts = state.options.text_keys
    keep_strings(call.strings, key, value, texts)
    merge_unknown(call.fields, {key: value}, texts=texts)


def merge_undeclared_of(tool: str) -> Merge:
    """The generic rule for the keys of a call's ``function`` or ``custom``."""

    def merge(state: Any, call: Call, key: str, value: Any) -> None:
        texts = state.options.text_keys
        keep_strings(call.strings, f"{tool}.{key}", value, texts)
        merge_unknown(getattr(call, tool), {key: value}, texts=texts, path=f"{tool}.")

    return merge


_PATH = "choices.delta.tool_calls."
FUNCTION = Table(
    f"{_PATH}function.",
    {
        "name": rule(ignore, str),  # `set_name` needs more than this key
        "arguments": {str: merge_arguments, dict: replace_arguments, list: replace_arguments},
    },
    merge_undeclared_of("function"),
)
CUSTOM = Table(
    f"{_PATH}custom.",
    {
        "name": rule(ignore, str),  # `set_name` needs more than this key
        "input": rule(merge_input, str),
    },
    merge_undeclared_of("custom"),
)
CALL = Table(
    _PATH,
    {
        "index": integer(_PATH),
        "id": rule(ignore, str),
        "type": rule(merge_type, str),
        "function": rule(merge_function, dict),
        "custom": rule(merge_custom, dict),
    },
    merge_undeclared_of_call,
)

# -- resolver ------------------------------------------------------------------------------------


class Entry(msgspec.Struct, frozen=True):
    """An entry of a delta's ``tool_calls``, and what may tell its call."""

    wire: dict[str, Any]
    index: int | None
    id: str | None
    name: str | None  # of its function or tool


def _entry(wire: dict[str, Any]) -> Entry:
    ident = string(wire.get("id"))
    name = string(record(wire.get("function")).get("name")) or string(record(wire.get("custom")).get("name"))
    return Entry(wire, index_of(wire.get("index")), ident if ident and ident != "null" else None, name or None)


def merge_calls(state: Any, choice: Any, entries: list[dict[str, Any]]) -> None:
    """Merge the entries of a delta's ``tool_calls``."""
    calls: Calls = choice.calls
    several = len(entries) > 1
    merged = []
    for place, wire in enumerate(entries):
        entry = _entry(wire)
        call = _find_call(state, calls, entry, place if several else None)
        if call is None:
            call = Call(entry.index)
            calls.add(call)
        if entry.id is not None and call.id is None:
            call.id = entry.id
            calls.by_id.setdefault(entry.id, call)
        set_name(state, call, entry.name)
        merge_object(CALL, state, call, wire)
        calls.last = call
        merged.append(call)
    if several:
        calls.several = merged


def _find_call(state: Any, calls: Calls, entry: Entry, place: int | None) -> Call | None:
    """Return the call that an entry continues; ``None`` if it opens one.

    ``place`` is that of the entry among several of one delta, otherwise ``None``.
    """
    if entry.id is not None:
        return _find_by_id(state, calls, entry, entry.id)
    if entry.index is not None:
        there = calls.at(entry.index)
        if there is not None and _opens_call(state, there, entry):
            state.report("index_reused", {"index": entry.index, "name": entry.name}, "a new call")
            return None
        return there
    if place is not None and not entry.name and place < len(calls.several):
        return calls.several[place]
    last = calls.last
    if entry.name and last is not None and last.name and (place is not None or _opens_call(state, last, entry)):
        return None
    return last


def _find_by_id(state: Any, calls: Calls, entry: Entry, ident: str) -> Call | None:
    """Rules 1 and 2: the call of a known id, or the call whose id comes late."""
    known = calls.by_id.get(ident)
    if known is not None:
        return known
    if entry.index is None:
        # Without an index, only a nameless entry can bring the id of the last call.
        last = calls.last if entry.name is None else None
        return last if last is not None and last.id is None else None
    there = calls.at(entry.index)
    if there is None:
        return None
    if there.id is None and not _opens_call(state, there, entry):
        return there
    state.report("index_reused", {"index": entry.index, "id": ident}, "a new call")
    return None


def _opens_call(state: Any, call: Call, entry: Entry) -> bool:
    """Rule 5: whether a named entry opens a new call rather than continue one that has a name."""
    if not entry.name or not call.name:
        return False
    differs = entry.name != call.name
    if type(entry.wire.get("custom")) is dict or call.custom is not None:
        return differs
    if call.has_whole_arguments():
        value = record(entry.wire.get("function")).get("arguments")
        has_arguments = bool(value.strip()) if type(value) is str else type(value) in (dict, list)
        return differs or has_arguments
    return differs and not call.has_text() and "split_names" not in state.options.repairs


# -- limits --------------------------------------------------------------------------------------


def check_calls(state: Any, calls: Calls | None, value: Any) -> None:
    """Refuse a delta that would open too many calls, before anything of it is merged.

    Counts too many rather than too few; `merge_calls` decides.
    """
    entries = objects_of(value)
    limits = state.options.limits
    count = len(calls.all) if calls is not None else 0
    if len(entries) > limits.max_new_slots or count + len(entries) > limits.max_calls:
        calls = calls or Calls()
        new = sum(_may_open(state, calls, _entry(entry), len(entries) > 1) for entry in entries)
        check_growth(state, "calls", count, new)


def _may_open(state: Any, calls: Calls, entry: Entry, several: bool) -> bool:
    """Whether an entry may open a call. Of several entries, which depend on each other, every named one may.

    Counts too many rather than too few; `merge_calls` decides.
    """
    if entry.id is not None and entry.id in calls.by_id:
        return False
    if several and (entry.id or entry.name):
        return True
    last = calls.at(entry.index) if entry.index is not None else calls.last
    if last is None or _opens_call(state, last, entry):
        return True
    # Rule 2: an id that comes late. Without an index, a named entry does not bring one.
    return entry.id is not None and (last.id is not None or (entry.index is None and entry.name is not None))
