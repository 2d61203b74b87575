"""The doors by which a stream comes in. Each function prepares a stream, and returns what is to be measured."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import reducer
from reducer.cli import main
from reducer.embed import Decoder
from reducer.explain import explain as explain_stream
from reducer.framing import Framer

Run = Callable[[], object]
Door = Callable[[list[bytes], dict[str, Any]], Run]

DOORS: dict[str, Door] = {}
_PLACES = 10  # of a stream where it is saved, or looked at


def door(prepare: Door) -> Door:
    """Register a door under the name of its function. A strict stream may end at its first problem."""

    def prepared(reads: list[bytes], options: dict[str, Any]) -> Run:
        run = prepare(reads, options)

        def guarded() -> None:
            with suppress(reducer.ProblemError):
                run()

        return guarded

    DOORS[prepare.__name__] = prepared
    return prepared


def _read(stream: reducer.Reducer, reads: list[bytes]) -> None:
    for data in reads:
        stream.feed(data)


def _parts(reads: list[bytes]) -> Iterator[list[bytes]]:
    size = len(reads) // _PLACES + 1
    return (reads[at : at + size] for at in range(0, len(reads), size))


@door
def feed(reads: list[bytes], options: dict[str, Any]) -> Run:
    def run() -> None:
        stream = reducer.Reducer(**options)
        _read(stream, reads)
        stream.close()

    return run


@door
def without_batches(reads: list[bytes], options: dict[str, Any]) -> Run:
    return feed(reads, {**options, "fast": False})


@door
def feed_event(reads: list[bytes], options: dict[str, Any]) -> Run:
    framer = Framer(reducer.Limits().max_event_bytes)
    frames = [*framer.feed(b"".join(reads)), *framer.flush()]

    def run() -> None:
        stream = reducer.Reducer(**options)
        for payload, name, _ in frames:
            stream.feed_event(payload, event=name)
        stream.close()

    return run


@door
def save(reads: list[bytes], options: dict[str, Any]) -> Run:
    """Save and resume at a few places."""

    def run() -> None:
        stream = reducer.Reducer(**options)
        for part in _parts(reads):
            _read(stream, part)
            stream = reducer.Reducer.resume(stream.save(), clock=options.get("clock"))
        stream.close()

    return run


@door
def snapshot(reads: list[bytes], options: dict[str, Any]) -> Run:
    """Look at everything at a few places."""

    def run() -> None:
        stream = reducer.Reducer(**options)
        for part in _parts(reads):
            _read(stream, part)
            result = stream.snapshot()
            result.json(), result.body, result.view(), result.row(), result.problems
            stream.finished, stream.ended, stream.take_results()
        stream.close()

    return run


@door
def explain(reads: list[bytes], options: dict[str, Any]) -> Run:
    return lambda: explain_stream(reads)


@door
def command(reads: list[bytes], options: dict[str, Any]) -> Run:
    folder = TemporaryDirectory()
    path = Path(folder.name, "stream")
    path.write_bytes(b"".join(reads))

    def run() -> None:
        with folder:
            main([str(path), "-o", os.devnull])

    return run


@door
def decode(reads: list[bytes], options: dict[str, Any]) -> Run:
    data = gzip.compress(b"".join(reads), 1)

    def run() -> None:
        decoder = Decoder("gzip")
        for _ in decoder.decode(data):
            pass

    return run
