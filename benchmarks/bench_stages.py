"""Where the time of the plain way goes, stage by stage.

Each stage is timed alone, on what the stage before made of a stream that was never seen before:

- framing: `Framer.feed` over the whole stream, and event by event
- decode: the dialect's typed decoder, and its tolerant way for what that refuses
- dispatch: the state's row asked for each event's handler
- merge: the handlers called, less the dispatch
- build: the dialect's body from the state
- encode: `Result.json`

These parts have no underscore, but are no contract: the figures tell where to look, not what an embedder pays.
That is beside them: `reduce` and `feed`, with lanes and without. What the stages do not add up to is the loop.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from statistics import median
from types import SimpleNamespace
from typing import Any

import msgspec

import reducer
from benchmarks.contenders import Mode, floor
from benchmarks.feeds import FEEDS, OPTIONS
from benchmarks.report import table
from benchmarks.sampling import MOST_BYTES, Method, Pool, Sampler
from benchmarks.streams import Stream
from benchmarks.workloads import WORKLOADS, Workload
from reducer.dialects import load
from reducer.framing import DONE, Framer, Frames

_LIMITS = reducer.Limits()
# Stages that leave their input as it was may go round a few streams, which take long to prepare.
_UNCHANGING = frozenset({"dispatch", "build", "encode"})
_FEW_BYTES = 4 << 20
_OPTIONS: Any = SimpleNamespace(limits=_LIMITS, repairs=frozenset(), text_keys=frozenset())


def measure(method: Method) -> dict[str, Any]:
    """Time the stages of every workload of many small events."""
    rows = []
    for name, workload in WORKLOADS.items():
        if isinstance(workload, Workload) and name != "responses-terminal":
            print(f"  {name}", file=sys.stderr)
            rows.append(
                {"name": name, "title": workload.title, **_times(workload.tiny() if method.tiny else workload, method)}
            )
    return {"rows": rows}


def _times(workload: Workload, method: Method) -> dict[str, float]:
    pool = Pool(workload.pool())
    samplers = {
        name: Sampler(pool, mode.prepare, mode.run, method.least, _FEW_BYTES if name in _UNCHANGING else MOST_BYTES)
        for name, mode in _modes(workload.dialect).items()
    }
    taken: dict[str, list[float]] = {name: [] for name in samplers}
    for _ in range(method.repeat):
        for name, sampler in samplers.items():
            taken[name].append(sampler.sample().each())
    times = {name: median(samples) for name, samples in taken.items()}
    times["merge"] -= times["dispatch"]
    return times


def _modes(name: str) -> dict[str, Mode]:
    dialect = load(name)

    def framed(stream: Stream) -> list[bytes]:
        return [payload for frames in _frames([stream.data]) for payload in frames.payloads]

    def decoded(payloads: list[bytes]) -> Iterator[Any]:
        for payload in payloads:
            try:
                yield dialect.decode(payload)
            except ValueError:
                if payload != DONE:
                    yield dialect.revive(msgspec.json.decode(payload), _ignore)

    def drained(payloads: list[bytes]) -> None:
        for _ in decoded(payloads):
            pass

    def begun(stream: Stream) -> tuple[Any, list[Any]]:
        return dialect.state(_OPTIONS, _ignore), list(decoded(framed(stream)))

    def looked_up(begun: tuple[Any, list[Any]]) -> None:
        state, events = begun
        for event in events:
            state.row.get(event.type)

    def merged(begun: tuple[Any, list[Any]]) -> Any:
        state, events = begun
        for event in events:
            handler = state.row.get(event.type)
            if handler is not None:
                handler(state, event)
        return state

    modes = {
        "floor": floor.modes(name)[""],
        "framing": Mode(lambda stream: [stream.data], _frames),
        "framing, event": Mode(Stream.events, _frames),
        "decode": Mode(framed, drained),
        "dispatch": Mode(begun, looked_up),
        "merge": Mode(begun, merged),
        "build": Mode(lambda stream: merged(begun(stream)), lambda state: dialect.build(state, _ignore)),
        "encode": Mode(lambda stream: reducer.reduce(stream.data), lambda result: result.json()),
    }
    for feed in ("whole", "event"):
        prepare, run = FEEDS[feed]
        if "lanes" in OPTIONS:
            modes[f"{feed}, plain"] = Mode(prepare, _plain(run))
        modes[feed] = Mode(prepare, run)
    return modes


def _plain(run: Callable[..., Any]) -> Callable[[Any], Any]:
    return lambda data: run(data, lanes=False)


def _frames(reads: list[bytes]) -> list[Frames]:
    framer = Framer(_LIMITS.max_event_bytes)
    return [*map(framer.feed, reads), framer.flush()]


def _ignore(*_: Any) -> None:
    """Take a problem and forget it."""


def markdown(result: dict[str, Any]) -> str:
    """Return the table."""
    rows = result["rows"]
    stages = [key for key in rows[0] if key not in ("name", "title")]
    body = ([row["title"], *(f"{row[stage]:,.0f}" for stage in stages)] for row in rows)
    return f"Nanoseconds an event.\n\n{table(['workload', *stages], body)}"
