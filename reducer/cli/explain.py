"""``reducer explain``: one stream event by event: what came, what it changed, who had the last word, what was wrong."""

from __future__ import annotations

import argparse
import errno
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from reducer import ContentError, MissingExtraError, Problem, captures
from reducer.dialects import DIALECTS
from reducer.engine import REPAIRS
from reducer.explain import Change, Event, Explanation, Response, Source, explain, spelled
from reducer.outputs.jsonl import plain

_COMPLETE, _INCOMPLETE, _USAGE = 0, 1, 2
_UNREADABLE = (OSError, ContentError, MissingExtraError)
# Integers of thousands of digits are carried as decimals; they are written as the numbers they are.
_ENCODER = msgspec.json.Encoder(decimal_format="number")

_WRITE = 1 << 16  # a pipe's own capacity on Linux
_SHORT = 60  # characters of a value in a line for people
_LINE = 100  # bytes of context beside a problem
_MARKS = {"append": "+=", "new": "=", "insert": "= (new)", "set": "=", "replace": "= (replaced)", "removed": "gone"}


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reducer explain",
        description="Explain one stream: what came, what of the final object it changed, who had the last word on "
        "each part of it, and every problem with the bytes around it.",
        epilog="Exit status: 0 all its responses are complete; 1 some response is not; 2 usage or I/O.",
    )
    parser.add_argument("path", metavar="FILE", help="a capture; - is standard input")
    parser.add_argument("--stream", type=int, default=0, metavar="N", help="which stream of the capture (default 0)")
    parser.add_argument("--from", dest="format", default="auto", choices=captures.FORMATS, metavar="FORMAT",
                        help=f"the capture format: {', '.join(captures.FORMATS)}")  # fmt: skip
    parser.add_argument("--dialect", default="auto", choices=("auto", *DIALECTS), metavar="NAME",
                        help=f"the wire language: auto, {', '.join(DIALECTS)}")  # fmt: skip
    parser.add_argument("--repair", dest="repairs", action="append", default=[], choices=sorted(REPAIRS),
                        metavar="NAME",
                        help=f"allow a guess: {', '.join(sorted(REPAIRS))}; may be repeated")  # fmt: skip
    parser.add_argument("--text-key", dest="text_keys", action="append", default=[], metavar="NAME",
                        help="join the strings of this undeclared delta key; may be repeated")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="one JSON object instead of text")
    return parser


def run(argv: list[str]) -> int:
    """Explain what the arguments name; return the exit status."""
    options = _parser().parse_args(argv)
    failed: list[Exception] = []
    told: Explanation | None = None
    try:
        stream, more = _stream(options)
        told = explain(_reads(stream, failed), options.dialect, repairs=options.repairs, text_keys=options.text_keys)
        if next(more, None) is not None:
            _say(options.path, f"there are more streams; --stream {options.stream + 1} is the next")
    except (*_UNREADABLE, IndexError) as error:
        failed.append(error)
    for failure in failed:
        _say(options.path, failure.strerror if isinstance(failure, OSError) and failure.strerror else str(failure))
    if told is None or (failed and not told.data):
        return _USAGE
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "is closed")
        written = as_json(stream.source, told) if options.json else as_text(stream.source, told).encode()
        # In pieces, so that a reader that has enough is noticed.
        for at in range(0, len(written), _WRITE):
            sys.stdout.buffer.write(written[at : at + _WRITE])
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        _say("standard output", str(error.strerror))
        return _USAGE
    if failed:
        return _USAGE
    complete = all(response.result.status == "complete" for response in told.responses)
    return _COMPLETE if complete else _INCOMPLETE


def _say(source: str, text: str) -> None:
    print(f"reducer: {printable(source)}: {printable(text)}", file=sys.stderr)


def _reads(stream: captures.Stream, failed: list[Exception]) -> Iterator[bytes]:
    """The stream's bytes as far as they can be read: what came before an error can be explained."""
    try:
        yield from stream.reads
    except _UNREADABLE as error:
        failed.append(error)


def _stream(options: argparse.Namespace) -> tuple[captures.Stream, Iterator[captures.Stream]]:
    """The stream that is asked for, and those behind it."""
    streams = captures.streams(options.path, options.format)
    for place, stream in enumerate(streams):
        if place == options.stream:
            return stream, streams
        for _ in stream.reads:
            pass
    raise IndexError(f"it has no stream {options.stream}")


# -- for people ----------------------------------------------------------------------------------


def printable(text: str) -> str:
    """Escape what a terminal would obey or hide: controls, line ends, marks of direction, halves of surrogates."""
    return "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return known.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")


def short(value: Any, most: int = _SHORT) -> str:
    """Write a value in short, as JSON does; bytes as they are, as far as they can be shown."""
    if type(value) is str:
        cut = value if len(value) <= most else value[: most - 20] + "…" + value[-19:]
        return '"' + printable(cut.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    if type(value) is bytes:
        written = printable(value.decode("utf-8", "backslashreplace"))
    else:
        written = printable(_ENCODER.encode(plain(value)).decode())
    return written if len(written) <= most else written[: most - 1] + "…"


def as_text(source: str, told: Explanation) -> str:
    """Explain for people."""
    return "".join(line + "\n" for line in _lines(source, told))


def _lines(source: str, told: Explanation) -> Iterator[str]:
    count = len(told.responses)
    several = count > 1
    counts = _many(len(told.data), "byte"), _many(len(told.events), "event"), _many(count, "response")
    yield f"{printable(source)}: {', '.join(counts)}"
    yield ""
    for event in told.events:
        yield from _event_lines(event, several)
    kinds = {event.number: event.kind for event in told.events}
    for place, response in enumerate(told.responses):
        result = response.result
        yield ""
        yield f"response {place}: {result.status}, {result.dialect or 'no known dialect'}"
        if result.error is not None:
            yield f"    error {short(msgspec.structs.asdict(result.error), 200)}"
        yield from (f"    at the end: {_written(change)}" for change in response.at_end)
        yield from (_source_line(source, kinds) for source in response.sources)
        for problem in result.problems:
            yield from _problem_lines(problem, told.data)


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _event_lines(event: Event, several: bool) -> Iterator[str]:
    place = "" if event.offset is None else f" @{event.offset}"
    name = f" (named {printable(event.name)})" if event.name is not None and event.name != event.kind else ""
    whose = f" of response {event.response}" if several else ""
    carried = ", ".join(f"{_last_key(path)} {short(value, 40)}" for path, value in event.carried.items())
    carried = carried if len(carried) <= 200 else carried[:199] + "…"
    yield f"#{event.number}{place} {printable(event.kind)}{name}{whose}, {_many(event.size, 'byte')}" + (
        f": {carried}" if carried else ""
    )
    if event.since is not None:
        yield f"    with all from #{event.since} on:"
    for change in event.changes:
        yield f"    {_written(change)}"


def _last_key(path: str) -> str:
    return printable(path.rpartition(".")[2])


def _written(change: Change) -> str:
    path = printable(spelled(change.path))
    return f"{path} {_MARKS[change.op]}" + ("" if change.op == "removed" else f" {short(change.value)}")


def _source_line(source: Source, kinds: dict[int, str]) -> str:
    kind = printable(kinds.get(source.last, "?"))
    line = f"    {printable(spelled(source.path))}: #{source.last} {kind} has the last word"
    line += f", of {source.events} from #{source.first} on" if source.events > 1 else ""
    if source.confirmed:
        line += (
            f"; said again by {', '.join(f'#{number} {printable(kinds[number])}' for number in source.confirmed[:6])}"
        )
        line += f" and {len(source.confirmed) - 6} more" if len(source.confirmed) > 6 else ""
    return line


def _problem_lines(problem: Problem, data: bytes) -> Iterator[str]:
    place = "" if problem.event is None else f" at #{problem.event}"
    place += "" if problem.offset is None else f" @{problem.offset}"
    yield f"    problem {problem.code}{place}: seen {short(problem.seen, 200)}, chosen {short(problem.chosen, 200)}"
    line = context(problem, data)
    if line is not None:
        yield f"        | {short(line, 4 * _LINE)}"


def context(problem: Problem, data: bytes) -> bytes | None:
    """The bytes around a problem: from the line that it is on, near to what was seen if that is found there."""
    if problem.offset is None:
        return None
    begin = max(data.rfind(b"\n", 0, problem.offset), data.rfind(b"\r", 0, problem.offset)) + 1
    at = problem.offset
    seen = problem.seen.encode("utf-8", "surrogatepass") if type(problem.seen) is str else problem.seen
    if type(seen) is bytes and seen:
        at = max(at, data.find(seen, at, at + (1 << 20)))
    begin = max(begin, at - _LINE // 2)
    return data[begin : begin + _LINE].partition(b"\n")[0].partition(b"\r")[0]


# -- for programs --------------------------------------------------------------------------------


def as_json(source: str, told: Explanation) -> bytes:
    """Explain for programs: one JSON object. A response's changes, done in order on ``{}``, make its body."""
    record = {
        "source": source,
        "size": len(told.data),
        "events": [{**msgspec.structs.asdict(event), "changes": _changes(event.changes)} for event in told.events],
        "responses": [_response(response, told.data) for response in told.responses],
    }
    return _ENCODER.encode(plain(record)) + b"\n"


def _changes(changes: list[Change]) -> list[dict[str, Any]]:
    return [msgspec.structs.asdict(change) for change in changes]


def _response(response: Response, data: bytes) -> dict[str, Any]:
    result = response.result
    return {
        "dialect": result.dialect,
        "status": result.status,
        "error": msgspec.structs.asdict(result.error) if result.error is not None else None,
        "at_end": _changes(response.at_end),
        "sources": [msgspec.structs.asdict(source) for source in response.sources],
        "problems": [
            {**msgspec.structs.asdict(problem), "context": context(problem, data)} for problem in result.problems
        ],
    }
