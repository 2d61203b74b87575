"""How low an exact reducer in plain Python can go: loops with nothing in them but what cannot be left out.

They know where the text lies and what is around it, keep no state, count no event, report nothing and make no body:

- ``cut``: the events of windows that fit the processor's cache, split at what is between them
- ``decode``: cut, then msgspec with the yardstick's structs, which is what a per-event way cannot do without
- ``lane``: cut at what is around the text of one event, the rest proven by its length, the texts joined and decoded

All in decode floors. What the tables of ``reduce`` show above these is the price of the rest; a goal that is below
them is not to be had in this language on this machine.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import repeat
from statistics import median
from typing import Any

import msgspec

from benchmarks import goals
from benchmarks.contenders import Mode, floor
from benchmarks.floor import DECODE
from benchmarks.report import table
from benchmarks.sampling import Method, Pool, Sampler
from benchmarks.streams import Stream
from benchmarks.workloads import WORKLOADS

_DATA = b"data: "
_WINDOW = 1 << 16
_NEEDLE = 24  # a short one is found the quickest
_TEXT = b'"content":"'
_EXAMPLE = 20  # an event that is a delta
_NAMES = ("chat-text", "chat-openai", "tools", "responses-text", "anthropic", "gemini", "short")


def measure(method: Method) -> dict[str, Any]:
    """Time the bare loops of workloads whose goals are near them."""
    rows = []
    for name in _NAMES:
        print(f"  {name}", file=sys.stderr)
        workload = WORKLOADS[name].tiny() if method.tiny else WORKLOADS[name]
        pool = Pool(workload.pool())
        modes = {
            "floor": floor.modes(workload.dialect)[""],
            "cut": Mode(_plain, _cut),
            "decode": Mode(_plain, _decode),
        }
        if name == "chat-text":
            modes["lane"] = Mode(_around_and_data, _lane)
        samplers = {key: Sampler(pool, mode.prepare, mode.run, method.least) for key, mode in modes.items()}
        rounds = [{key: sampler.sample().each() for key, sampler in samplers.items()} for _ in range(method.repeat)]
        ratios = {key: median(one[key] / one["floor"] for one in rounds) for key in modes if key != "floor"}
        rows.append({"name": name, "title": workload.title, **ratios})
    return {"rows": rows}


def _plain(stream: Stream) -> tuple[bytes, bytes, str]:
    """What is between events, the stream in the plainest framing there is, and its dialect."""
    end = stream.end()
    return end, b"".join(b"%b%b%b" % (_DATA, payload, end) for payload in stream.payloads()), stream.dialect


def _windows(data: bytes, end: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        stop = len(data) if len(data) - at <= _WINDOW else data.rfind(end, at, at + _WINDOW) + len(end)
        yield data[at:stop]
        at = stop


def _cut(prepared: tuple[bytes, bytes, str]) -> None:
    end, data, _ = prepared
    for window in _windows(data, end):
        window[len(_DATA) : -len(end)].split(end + _DATA)


def _decode(prepared: tuple[bytes, bytes, str]) -> None:
    end, data, dialect = prepared
    decode = DECODE[dialect]
    for window in _windows(data, end):
        for payload in window[len(_DATA) : -len(end)].split(end + _DATA):
            decode(payload)


def _around_and_data(stream: Stream) -> tuple[bytes, bytes, bytes]:
    events = stream.events()
    event = events[min(_EXAMPLE, len(events) // 2)]
    begin = event.index(_TEXT) + len(_TEXT)
    head, tail = event[:begin], event[event.index(b'"', begin) :]
    deltas = b"".join(one for one in events if one.startswith(head) and one.endswith(tail))
    return head, tail, deltas


def _lane(prepared: tuple[bytes, bytes, bytes]) -> int:
    head, tail, data = prepared
    needle = head[-_NEEDLE:]
    rest = (tail + head)[: -len(needle)]
    size = 0
    for window in _windows(data, b"\n\n"):
        pieces = window[len(head) : -len(tail)].split(needle)
        last = pieces.pop()
        rows = list(map(bytes.removesuffix, pieces, repeat(rest)))
        proven = sum(map(len, rows)) + len(last) + (len(rest) + len(needle)) * len(rows)
        if proven != len(window) - len(head) - len(tail):
            raise ValueError("an event is not like the others")
        rows.append(last)
        size += len(msgspec.json.decode(b'"%b"' % b"\x7f".join(rows), type=str))
    return size


def markdown(result: dict[str, Any]) -> str:
    """Return the table, with the goals beside what they cannot be below."""
    columns = ("cut", "decode", "lane")
    rows = [
        [
            row["title"],
            *(f"{row[column]:.2f}" if column in row else "-" for column in columns),
            *(str(goals.GOALS[row["name"]].get(feed, "-")) for feed in ("whole", "whole, plain")),
        ]
        for row in result["rows"]
    ]
    return f"In decode floors.\n\n{table(['workload', *columns, 'goal, whole', 'goal, plain'], rows)}"
