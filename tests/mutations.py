"""Mutants: recorded streams with damages. The same number and the same pool of streams give the same mutant.

`seeds` collects the streams, `mutant` changes one of them, `options_of` chooses the reducer's options for that mutant.
Half of the mutants have changed bytes; the others have changed events, which are framed again. `tests.against` compares
two versions over mutants; `tests.agreement` compares the two paths of one version.

``python -m tests.mutations COUNT [FOLDER …]`` reduces ``COUNT`` mutants of the samples and of the streams in the folders.
It fails if one raises, takes more than ten seconds, ends in an internal error, or depends on how its bytes are split or
on ``fast``, or if the process needs more than 512 MiB.
"""

from __future__ import annotations

import copy
import functools
import itertools
import json
import random
import re
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import reducer
from tests.corpus import random_splits

SAMPLES = Path(__file__).parent.parent / "samples"
SUFFIXES = {".sse", ".jsonl"}
MAX_SEED_BYTES = 50_000
MAX_MUTANT_BYTES = 100_000

DONE = "[DONE]"
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, 2**70, 1.5, 1.0, -0.0, "", "x", "\u2028", DONE, [], {}, [[]], [None], {"index": 0},
    {"type": "text", "text": "x"}, ["a", 1], [1, True, 1.0], [{"index": "0"}], {"error": "x"}, {"message": "x", "code": 1},
)  # fmt: skip
# Keys that determine where an event belongs, or how a response ends.
DECISIVE = frozenset((
    "id", "index", "role", "type", "object", "status", "model", "name", "call_id", "item_id", "output_index",
    "content_index", "summary_index", "sequence_number", "response_id", "stream_id", "finish_reason", "stop_reason",
    "finishReason", "blockReason", "responseId", "error", "choices", "delta", "usage",
))  # fmt: skip
# Keys whose strings grow with each event.
GROWING = frozenset((
    "content", "text", "delta", "arguments", "partial_json", "thinking", "reasoning", "reasoning_content",
    "refusal", "input",
))  # fmt: skip
WORDS = ("The", " sky", "", '"', "\\", "\n", " is", "é", "😀", '"},', "\u2028", "{}", "x" * 40)
REPAIRS = ("cumulative", "choice_counter", "duplicate_chunks", "split_names", "usage_fields", "double_prefix")
TEXT_KEYS = ("undeclared", "id_", "content_", "reasoning", "x")
LIMITS = {
    "max_event_bytes": (100, 300, 1000),
    "max_retained_bytes": (100, 400, 2000),
    "max_choices": (1, 2),
    "max_calls": (1, 2),
    "max_items": (1, 2),
    "max_new_slots": (1, 2),
    "max_depth": (2, 5, 8, 12),
}


class Event(NamedTuple):
    """One framed event:

    its name, if it has one, and its decoded payload. Text that is not JSON is decoded as `DONE`.
    """

    name: str | None
    payload: Any


def seeds(*folders: Path, only: str = "") -> list[bytes]:
    """Return the streams to mutate: the samples and the streams in the folders, without the largest."""
    return [data for _, data in streams(SAMPLES, *folders, only=only) if len(data) < MAX_SEED_BYTES]


def streams(*folders: Path, only: str = "") -> Iterator[tuple[str, bytes]]:
    """Yield the name and the bytes of every stream in the folders whose name matches the pattern ``only``."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            name = path.relative_to(folder).as_posix()
            if path.suffix in SUFFIXES and name != "index.jsonl" and re.search(only, name):
                yield name, path.read_bytes()


# -- events --------------------------------------------------------------------------------------


@functools.cache
def decoded(data: bytes) -> tuple[Event, ...]:
    """Cut a stream of events or JSON lines into events. The result is cached, so copy an event before you change it."""
    found: list[Event] = []
    name: str | None = None
    for line in re.split(rb"\r\n|\r|\n", data):
        field, _, value = line.partition(b":")
        if field == b"event":
            name = value.strip().decode(errors="replace")
        elif field == b"data" or line.startswith(b"{"):
            payload = value.strip() if field == b"data" else line
            if payload:
                found.append(Event(name, _json(payload)))
        elif not line:
            name = None
    return tuple(found)


def _json(payload: bytes) -> Any:
    try:
        return json.loads(payload)
    except ValueError:
        return DONE


def events_of(data: bytes) -> list[Any]:
    """Return the decoded payloads of a stream."""
    return [event.payload for event in decoded(data)]


def framed(payloads: list[Any]) -> bytes:
    """Frame payloads as server-sent events."""
    return b"".join(_frame(Event(None, payload), json.dumps, b"\n") for payload in payloads)


def _frame(event: Event, dumps: Callable[[Any], str], line_end: bytes) -> bytes:
    name = b"" if event.name is None else b"event: " + event.name.encode(errors="replace") + line_end
    payload = DONE if event.payload == DONE else dumps(event.payload)
    return name + b"data: " + payload.encode(errors="surrogatepass") + 2 * line_end


# -- mutants -------------------------------------------------------------------------------------


def mutant(number: int, pool: list[bytes]) -> bytes:
    """Return the mutant of this number. Short streams are mutated more often than long ones."""
    rng = random.Random(number)
    data = min(rng.choice(pool), rng.choice(pool), key=len)
    changed_data = structural(rng, data, pool) if number % 2 else blind(rng, data)
    return changed_data[:MAX_MUTANT_BYTES]


def options_of(number: int) -> dict[str, Any]:
    """Return the options of the mutant of this number, in JSON types. Three of four mutants have none."""
    rng = random.Random(-1 - number)
    options: dict[str, Any] = {}
    if rng.random() < 0.75:
        return options
    kind = rng.randrange(4)
    if kind in (0, 3):
        options["repairs"] = sorted(rng.sample(REPAIRS, rng.randint(1, 3)))
    if kind == 1:
        options["text_keys"] = rng.sample(TEXT_KEYS, 2)
    if kind in (2, 3):
        name = rng.choice(sorted(LIMITS))
        options["limits"] = {name: rng.choice(LIMITS[name])}
    return options


def as_arguments(options: dict[str, Any]) -> dict[str, Any]:
    """Turn options as `options_of` returns them into arguments of `reducer.reduce_all`."""
    limits = options.get("limits")
    return options if limits is None else {**options, "limits": reducer.Limits(**limits)}


def blind(rng: random.Random, data: bytes) -> bytes:
    """Change bytes without regard to their meaning."""
    out = bytearray(printed(rng, data) if rng.random() < 0.02 else data)
    for _ in range(rng.randint(1, 8)):
        at = rng.randrange(len(out) + 1)
        change = rng.randrange(5)
        if change == 0:
            del out[at : at + rng.randint(1, 40)]
        elif change == 1:
            out[at:at] = rng.choice(
                (b"\n", b"\r", b"\n\n", b"{", b"}", b'"', b"\\", b"\xff", b"[", b"data: ", b"\\ud83d", b"1e999")
            )
        elif change == 2 and at < len(out):
            out[at] = rng.randrange(256)
        elif change == 3:
            begin = rng.randrange(len(out) + 1)
            out[at:at] = out[begin : begin + rng.randint(1, 400)]
        elif rng.random() < 0.3:
            del out[at:]
        if not out:
            break
    return bytes(out)


def printed(rng: random.Random, data: bytes) -> bytes:
    """Write one payload as Python prints bytes."""
    lines = data.split(b"\n")
    at = rng.randrange(len(lines))
    field, colon, value = lines[at].partition(b": ")
    lines[at] = field + colon + repr(value).encode()
    return b"\n".join(lines)


def structural(rng: random.Random, data: bytes, pool: list[bytes]) -> bytes:
    """Change decoded events, and frame them like the stream or in another form."""
    events = list(decoded(data))
    for _ in range(rng.randint(1, 5)):
        if events:
            rng.choice(CHANGES)(rng, events, pool)
    if rng.random() < 0.1:
        events = [Event(None, event.payload) for event in events]
    separators = rng.choice(((",", ":"), (",", ":"), (", ", ": ")))
    dumps = functools.partial(json.dumps, separators=separators, ensure_ascii=rng.random() < 0.3)
    line_end = rng.choice((b"\n", b"\n", b"\n", b"\r\n"))
    return b"".join(_frame(event, dumps, line_end) for event in events)


def drop(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    del events[rng.randrange(len(events))]


def duplicate(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    at = rng.randrange(len(events))
    events.insert(rng.choice((at, rng.randrange(len(events)))), events[at])


def swap(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    at, other = rng.randrange(len(events)), rng.randrange(len(events))
    events[at], events[other] = events[other], events[at]


def cut_tail(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    del events[rng.randrange(len(events)) :]


def insert_foreign(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Insert a few events of another stream."""
    foreign = decoded(rng.choice(pool))
    begin, at = rng.randrange(len(foreign) + 1), rng.randrange(len(events))
    events[at:at] = foreign[begin : begin + rng.randint(1, 4)]


def splice(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Continue with the end of another stream."""
    foreign = decoded(rng.choice(pool))
    if len(foreign) < 200:
        events[rng.randrange(len(events)) :] = foreign[rng.randrange(len(foreign) + 1) :]


def change_value(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Change one place inside one event: a key dropped, added, or with a value of any type."""
    at = rng.randrange(len(events))
    events[at] = events[at]._replace(payload=changed(rng, events[at].payload))


def change_decisive(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Give a decisive key a value that the key has elsewhere in the stream, or one of any type."""
    at = rng.randrange(len(events))
    event = events[at] = events[at]._replace(payload=copy.deepcopy(events[at].payload))
    places = [(into, key) for into, key in _places(event.payload) if key in DECISIVE]
    if places:
        into, key = rng.choice(places)
        other = rng.choice(events).payload
        known = [found[name] for found, name in _places(other) if name == key]
        into[key] = copy.deepcopy(rng.choice([*known, *known, rng.choice(VALUES)]))


def share_index(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Give every entry at an index the same index from some event on, as providers do that always write 0."""
    key = rng.choice(("index", "output_index", "content_index"))
    for at in range(rng.randrange(len(events)), len(events)):
        payload = copy.deepcopy(events[at].payload)
        places = [into for into, name in _places(payload) if name == key]
        for into in places:
            into[key] = 0
        if places:
            events[at] = events[at]._replace(payload=payload)


def grow(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Repeat one event with other texts, so that batches and templates have something to merge."""
    at = rng.randrange(len(events))
    copies = []
    for number in range(rng.choice((3, 10, 50))):
        payload = copy.deepcopy(events[at].payload)
        for into, key in _places(payload):
            if key in GROWING and type(into[key]) is str:
                into[key] = rng.choice(WORDS)
            elif key == "sequence_number" and type(into[key]) is int:
                into[key] += number
        copies.append(events[at]._replace(payload=payload))
    events[at + 1 : at + 1] = copies


def add_everywhere(rng: random.Random, events: list[Event], pool: list[bytes]) -> None:
    """Add an unknown key to every event from some event on, at the top or inside."""
    value = rng.choice(VALUES)
    name = rng.choice((None, "delta", "item", "message", "function"))
    for at in range(rng.randrange(len(events)), len(events)):
        payload = copy.deepcopy(events[at].payload)
        found = [payload] if name is None else [into[key] for into, key in _places(payload) if key == name]
        for into in found:
            if type(into) is dict:
                into["undeclared"] = value
        events[at] = events[at]._replace(payload=payload)


CHANGES: tuple[Callable[[random.Random, list[Event], list[bytes]], None], ...] = (
    drop, duplicate, swap, cut_tail, insert_foreign, splice, change_value, change_value, change_value, change_value,
    change_decisive, change_decisive, change_decisive, share_index, grow, grow, add_everywhere,
)  # fmt: skip


def _places(value: Any) -> list[tuple[dict[str, Any], str]]:
    """Return every key inside a value with the object that has it."""
    found: list[tuple[dict[str, Any], str]] = []
    if isinstance(value, dict):
        found += [(value, key) for key in value]
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        found += _places(inner)
    return found


def changed(rng: random.Random, value: Any) -> Any:
    """Return a copy of a value with one place inside changed."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        result = dict(value)
        change = rng.randrange(6)
        if change == 0:
            del result[key]
        elif change == 1:
            result[rng.choice((key, key + "_", key + "s", "undeclared"))] = rng.choice(VALUES)
        elif change == 2:
            result[key] = rng.choice(VALUES)
        else:
            result[key] = changed(rng, result[key])
        return result
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], changed(rng, value[at]), *value[at + rng.randrange(2) :]]
    return rng.choice(VALUES)


# -- checks --------------------------------------------------------------------------------------


def fault(data: bytes, seed: int) -> str | None:
    """Reduce one mutant whole and in random reads; describe its first fault, or return ``None``."""
    began = time.monotonic()
    try:
        whole = reducer.reduce_all(data)
        split = reducer.Reducer()
        for place, read in enumerate(random_splits(data, seed)):
            split.feed(read)
            if place % 64 == 63:
                split.snapshot().json()
        split.close()
        for result in whole:
            result.json()
            result.to_dict()
            _ = result.body
            if any(problem.code == "internal_error" for problem in result.problems):
                return f"internal error: {next(p for p in result.problems if p.code == 'internal_error')}"
        if whole != split.results:
            return "the result depends on how the bytes are split"
        if whole != reducer.reduce_all(data, fast=False):
            return "the batch path changes the result"
    except Exception as error:
        return f"raised {error!r}"
    if time.monotonic() - began > 10:
        return "took more than 10 s"
    return None


def keep(data: bytes, name: str) -> str:
    """Save an input in a temporary file; return its path."""
    with tempfile.NamedTemporaryFile(prefix=f"{name}-", suffix=".sse", delete=False) as file:
        file.write(data)
    return file.name


def run(count: int, pool: list[bytes], first: int = 0) -> list[str]:
    """Reduce mutants; return every fault with its number."""
    faults = []
    for number in range(first, first + count):
        data = mutant(number, pool)
        found = fault(data, number)
        if found:
            faults.append(f"mutant {number}, kept as {keep(data, f'mutant-{number}')}: {found}")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    if peak > 512:
        faults.append(f"peak memory {peak} MiB")
    return faults


def main(argv: list[str] | None = None) -> int:
    """Run from the command line; 0 if no mutant has a fault."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or not arguments[0].isdigit():
        print("usage: python -m tests.mutations COUNT [FOLDER …]", file=sys.stderr)
        return 2
    pool = seeds(*map(Path, arguments[1:]))
    faults = run(int(arguments[0]), pool)
    print("\n".join(itertools.islice(faults, 50)))
    print(f"{arguments[0]} mutants of {len(pool)} streams, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
