"""Mutated streams: half of them bytes changed blindly, half structural changes of decoded events.

``python -m tests.mutations COUNT [FOLDER …]`` reduces that many mutants, each seeded by its number, of the
samples and of the streams in the folders, and fails if one raises, takes more than ten seconds, ends in an
internal error, or lets the process outgrow 512 MiB.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import reducer
from reducer.framing import Framer

SAMPLES = Path(__file__).parent.parent / "samples"
SUFFIXES = {".sse", ".jsonl"}
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 10**9, 2**70, 1.5, -0.0, "", "x", "\u2028", "[DONE]", [], {}, [[]], [None], {"index": 0},
    {"type": "text", "text": "x"}, ["a", 1], [{"index": "0"}], {"error": "x"},
)  # fmt: skip


def seeds(*folders: Path) -> list[bytes]:
    """The streams to mutate, the largest left out."""
    files = [path for folder in (SAMPLES, *folders) for path in sorted(folder.rglob("*")) if path.suffix in SUFFIXES]
    return [data for path in files if len(data := path.read_bytes()) < 50_000]


def events_of(data: bytes) -> list[Any]:
    """The decoded payloads of a stream."""
    framer = Framer(1 << 26)
    events: list[Any] = []
    for payload, _, _ in [*framer.feed(data), *framer.flush()]:
        try:
            events.append(json.loads(payload))
        except ValueError:
            events.append("[DONE]")
    return events


def framed(events: list[Any]) -> bytes:
    """Events as server-sent events."""
    return b"".join(b"data: " + (e if e == "[DONE]" else json.dumps(e)).encode() + b"\n\n" for e in events)


def mutant(number: int, pool: list[bytes]) -> bytes:
    """The mutant of this number: the same bytes for the same number and pool."""
    rng = random.Random(number)
    data = rng.choice(pool)
    return structural(rng, data, pool) if number % 2 else blind(rng, data)


def blind(rng: random.Random, data: bytes) -> bytes:
    """Change bytes without knowing what they mean."""
    out = bytearray(data)
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
        else:
            del out[at:]
        if not out:
            break
    return bytes(out)


def structural(rng: random.Random, data: bytes, pool: list[bytes]) -> bytes:
    """Change decoded events: values, keys, order, and events of other streams."""
    events = events_of(data)
    for _ in range(rng.randint(1, 6)):
        if not events:
            break
        at = rng.randrange(len(events))
        change = rng.randrange(7)
        if change == 0:
            del events[at]
        elif change == 1:
            events.insert(at, events[at])
        elif change == 2:
            other = rng.randrange(len(events))
            events[at], events[other] = events[other], events[at]
        elif change == 3:
            foreign = events_of(rng.choice(pool))
            begin = rng.randrange(len(foreign) + 1)
            events[at:at] = foreign[begin : begin + rng.randint(1, 4)]
        else:
            events[at] = changed(rng, events[at])
    return framed(events)


def changed(rng: random.Random, value: Any) -> Any:
    """Change one place somewhere inside a value."""
    if isinstance(value, dict) and value and rng.random() < 0.85:
        key = rng.choice(list(value))
        copy = dict(value)
        change = rng.randrange(6)
        if change == 0:
            del copy[key]
        elif change == 1:
            copy[key + rng.choice(("", "_", "s"))] = rng.choice(VALUES)
        elif change == 2:
            copy[key] = rng.choice(VALUES)
        else:
            copy[key] = changed(rng, copy[key])
        return copy
    if isinstance(value, list) and value and rng.random() < 0.85:
        at = rng.randrange(len(value))
        return [*value[:at], changed(rng, value[at]), *value[at + rng.randrange(2) :]]
    return rng.choice(VALUES)


def fault(data: bytes, seed: int) -> str | None:
    """Reduce one mutant whole and split; return what is wrong with it."""
    rng = random.Random(seed)
    began = time.monotonic()
    try:
        whole = reducer.reduce_all(data)
        split = reducer.Reducer()
        at = 0
        while at < len(data):
            size = rng.choice((1, 5, 50, 500))
            split.feed(data[at : at + size])
            if rng.random() < 0.01:
                split.snapshot().json()
            at += size
        split.close()
        for result in whole:
            result.json()
            result.to_dict()
            _ = result.body
            if any(problem.code == "internal_error" for problem in result.problems):
                return f"internal error: {next(p for p in result.problems if p.code == 'internal_error')}"
        if whole != split.results:
            return "the result depends on how the bytes are split"
        if whole != reducer.reduce_all(data, lanes=False):
            return "the fast lanes change the result"
    except Exception as error:
        return f"raised {error!r}"
    if time.monotonic() - began > 10:
        return "took more than 10 s"
    return None


def run(count: int, pool: list[bytes], first: int = 0) -> list[str]:
    """Reduce mutants; return every fault with its number."""
    faults = []
    for number in range(first, first + count):
        data = mutant(number, pool)
        found = fault(data, number)
        if found:
            with tempfile.NamedTemporaryFile(prefix=f"mutant-{number}-", suffix=".sse", delete=False) as file:
                file.write(data)
            faults.append(f"mutant {number}, kept as {file.name}: {found}")
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
    print("\n".join(faults[:50]))
    print(f"{arguments[0]} mutants of {len(pool)} streams, {len(faults)} faults")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
