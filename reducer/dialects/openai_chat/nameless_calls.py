"""The calls of a body. Those that never got a name continue earlier ones there, as nobody could run them (T26, T27).

This is rule 6 of the resolver in `tool_calls`. It needs the whole choice: a name may come with any later delta.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from reducer.decoding import Report
from reducer.dialects.generic import built, merge_unknown
from reducer.dialects.openai_chat.tool_calls import Arguments, Call, Calls
from reducer.dialects.text import Fragments
from reducer.json_value import is_json


def calls_of_body(state: Any, calls: Calls, report: Report) -> list[Call]:
    """Return the calls of a choice as its body has them. The state is not changed.

    They stand in order of index if every call has one of its own, otherwise as they appeared (T6).
    """
    found = [call for call in calls.all if not call.is_empty()]
    if not all(call.name for call in found):
        found = _joined(state, found, report)
    indices = {call.index for call in found}
    if None in indices or len(indices) < len(found):
        return found
    return sorted(found, key=lambda call: call.index or 0)


def _joined(state: Any, calls: list[Call], report: Report) -> list[Call]:
    """Rule 6: let calls that never got a name continue earlier ones (T26, T27)."""
    found: list[Call] = []
    texts: list[str] = []  # the arguments or input of each, with those of the calls that continue it
    newest: dict[int | None, int] = {}  # the place of the newest named call of each index
    continuing: dict[int, list[Call]] = {}
    count = Counter(call.index for call in calls)
    for call in calls:
        text = call.text()
        place = None
        if call.name:
            newest[call.index] = len(found)
        elif call.id is not None:
            place = _newest_open(found, texts, newest.get(call.index), text)
        elif call.index is not None and count[call.index] == 1 and found and found[-1].name and not texts[-1].strip():
            place = len(found) - 1  # without an id, at an index of its own, after a call without arguments
        if place is None:
            found.append(call)
            texts.append(text)
        else:
            continuing.setdefault(place, []).append(call)
            texts[place] += text
    for place, others in continuing.items():
        named = found[place]
        report("id_differs", [named.id, others[0].id], named.id)
        found[place] = _join(state, named, others, texts[place])
    return found


def _newest_open(found: list[Call], texts: list[str], place: int | None, text: str) -> int | None:
    """Return the place of the newest named call, unless its arguments are whole JSON and ``text`` would follow them."""
    if place is None:
        return None
    is_whole = bool(text.strip()) and found[place].custom is None and is_json(texts[place])
    return None if is_whole else place


def _join(state: Any, named: Call, others: list[Call], text: str) -> Call:
    """Return a copy of a call with this text, and with the undeclared keys of the nameless calls that continue it."""
    joined = Call(named.index)
    joined.id, joined.name = named.id, named.name
    joined.type = next((call.type for call in (named, *others) if call.type), None)
    if named.custom is not None:
        joined.input = Fragments(text)
    else:
        joined.arguments = Arguments(state, text)
    joined.function = (
        _merged([named.function, *(call.function for call in others)]) if named.function is not None else None
    )
    joined.custom = _merged([named.custom, *(call.custom for call in others)]) if named.custom is not None else None
    joined.fields = _merged([named.fields, *(call.fields for call in others)])
    return joined


def _merged(all_fields: list[dict[str, Any] | None]) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for fields in all_fields:
        if fields:
            merge_unknown(merged, built(fields))
    return merged
