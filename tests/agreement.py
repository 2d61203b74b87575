"""The two paths agree: ``fast=True`` and ``fast=False`` give equal results, for every stream and every caller.

A *script* is a list of steps of a caller: reads of bytes, framed payloads for `feed_event`, and the marks `SNAPSHOT` and
`SAVE`. `disagreement` plays several scripts for a stream, each with and without the batch path.

``python -m tests.agreement [--seed N] [--count N] [--corpus DIR] [--only NAME]`` plays the samples, the streams of the
corpus and ``--count`` mutants of both. It prints the disagreements with the mutants' numbers. It also prints how many
events batches and templates merged: without any, agreement proves nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import random
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import reducer
from reducer.fast.batches import BatchPath
from reducer.fast.templates import Templates
from tests.corpus import differences, random_splits
from tests.mutations import SAMPLES, as_arguments, keep, mutant, options_of, seeds, streams

NUMBERS_PER_SEED = 100_000_000
SNAPSHOT, SAVE = "snapshot", "save"
MAX_PRINTED = 20
PLAIN_FRAMING = re.compile(rb"(?:data: [^\r\n]+\n\n)*")

Step = bytes | tuple[Any, str | None] | str


def play(script: Iterable[Step], *, fast: bool, **options: Any) -> list[Any]:
    """Play a script. Return everything that a caller can see: at each mark, and at the end."""
    seen: list[Any] = []
    stream: reducer.Reducer[Any] = reducer.Reducer(fast=fast, **options)
    for step in script:
        if isinstance(step, bytes):
            stream.feed(step)
        elif isinstance(step, tuple):
            stream.feed_event(*step)
        elif step == SNAPSHOT:
            seen += [stream.finished, *_visible(stream.snapshot())]
        else:
            stream = reducer.Reducer.resume(stream.save())
    seen.append(stream.finished)
    stream.close()
    return [*seen, *(part for result in stream.results for part in _visible(result))]


def _visible(result: reducer.Result[Any]) -> tuple[Any, ...]:
    return result, result.json()


def scripts_of(data: bytes, rng: random.Random) -> dict[str, list[Step]]:
    """Return scripts by name. Those without marks and payloads must give equal results."""
    reads: list[Step] = list(random_splits(data, rng.randrange(1 << 30)))
    marked = reads.copy()
    for _ in range(rng.randint(1, 4)):
        marked.insert(rng.randrange(len(marked) + 1), rng.choice((SNAPSHOT, SNAPSHOT, SAVE)))
    cut = rng.randrange(len(data) + 1)
    scripts: dict[str, list[Step]] = {
        "whole": [data],
        "in random reads": reads,
        "in random reads with snapshots and saved states": marked,
        "whole, saved once": [data[:cut], SAVE, data[cut:]],
    }
    if PLAIN_FRAMING.fullmatch(data):
        scripts["as payloads"] = [(line.removeprefix(b"data: "), None) for line in data.split(b"\n\n") if line]
    return scripts


def disagreement(data: bytes, seed: int = 0, **options: Any) -> str | None:
    """Describe the first script on which the two paths give different results; ``None`` if they always agree."""
    scripts = scripts_of(data, random.Random(seed))
    plain: dict[str, list[Any]] = {}
    for name, script in scripts.items():
        plain[name] = play(script, fast=False, **options)
        fast = play(script, fast=True, **options)
        if fast != plain[name]:
            return f"{name}: with the batch path {_difference(fast, plain[name])}"
    if plain["whole"] != plain["in random reads"]:
        return "the result depends on how the bytes are split"
    return None


def _difference(fast: list[Any], plain: list[Any]) -> str:
    """Describe the first difference between two plays."""
    if len(fast) != len(plain):
        return "the number of results differs"
    ours, theirs = next((ours, theirs) for ours, theirs in zip(fast, plain, strict=True) if ours != theirs)
    if not isinstance(ours, reducer.Result):
        return "`finished` or the JSON differs"
    fields = ("dialect", "status", "error", "problems")
    different = [name for name in fields if getattr(ours, name) != getattr(theirs, name)]
    paths = list(differences(theirs.to_dict(), ours.to_dict(), "body"))
    return "; ".join([*different, *paths[:3]]) or "the results are not ==, though body, status and problems are equal"


class Usage:
    """The number of events that the batch path merged, by mechanism."""

    def __init__(self) -> None:
        self.events: Counter[str] = Counter()
        self.streams: Counter[str] = Counter()
        self._stream: Counter[str] = Counter()

    def count(self, mechanism: str, events: int) -> None:
        self._stream[mechanism] += events

    def end_stream(self) -> None:
        self.events += self._stream
        self.streams.update(mechanism for mechanism, events in self._stream.items() if events)
        self._stream.clear()

    def __str__(self) -> str:
        return "; ".join(
            f"{mechanism} merged {self.events[mechanism]} events of {self.streams[mechanism]} streams"
            for mechanism in ("the batch path", "templates")
        )


@contextlib.contextmanager
def counted() -> Iterator[Usage]:
    """Count the events that the batch path merges, and the part of them that its templates merge."""
    usage = Usage()
    merge_batches, merge_templates = BatchPath.merge, Templates.merge

    def merge(self: BatchPath, responses: Any, frames: Any, place: int) -> int:
        after = merge_batches(self, responses, frames, place)
        usage.count("the batch path", after - place)
        return after

    def merge_by_template(self: Templates, batch: Any, state: Any, payloads: list[bytes], place: int) -> int:
        events = merge_templates(self, batch, state, payloads, place)
        usage.count("templates", events)
        return events

    with mock.patch.object(BatchPath, "merge", merge), mock.patch.object(Templates, "merge", merge_by_template):
        yield usage


def inputs(seed: int, count: int, *folders: Path, only: str = "") -> Iterator[tuple[str, bytes, int, dict[str, Any]]]:
    """Yield every stream and ``count`` mutants: a name, the bytes, a seed for the scripts, and options."""
    for name, data in streams(SAMPLES, *folders, only=only):
        yield name, data, len(data), {}
    pool = seeds(*folders, only=only)
    for number in range(seed * NUMBERS_PER_SEED, seed * NUMBERS_PER_SEED + count):
        yield f"mutant {number}", mutant(number, pool), number, options_of(number)


def main(argv: list[str] | None = None) -> int:
    """Run from the command line. Return 1 if the paths disagree on any input."""
    parser = argparse.ArgumentParser(prog="python -m tests.agreement", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=5000, help="how many mutants")
    parser.add_argument("--corpus", type=Path, help="a folder of recorded streams, laid out as tests/corpus.py says")
    parser.add_argument(
        "--only", default="", help="a pattern for the names of the streams to use, e.g. ^chat|openai_chat"
    )
    chosen = parser.parse_args(argv)

    folders = [chosen.corpus] if chosen.corpus else []
    tried, found = 0, 0
    with counted() as usage:
        for name, data, seed, options in inputs(chosen.seed, chosen.count, *folders, only=chosen.only):
            tried += 1
            fault = disagreement(data, seed, **as_arguments(options))
            usage.end_stream()
            if fault:
                found += 1
                if found <= MAX_PRINTED:
                    print(f"{name}, options {options}, kept as {keep(data, 'disagreement')}: {fault}")
    print(f"{tried} streams, {found} on which the paths disagree; {usage}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
