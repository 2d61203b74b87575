"""``reducer explain``: explain one stream event by event.

For each event, the explanation shows what the event carried and how it changed the body. For each part of the body, it
names the events that set the part. For each problem, it shows the bytes around it. `reducer.explain` does the work.
This module reads the capture and writes the explanation as text or JSON.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

import msgspec

from reducer import Problem, UsageError, captures
from reducer.body import to_json
from reducer.cli.messages import Parser, print_error, printable, readable, write_data
from reducer.dialects.registry import DIALECTS
from reducer.explain import Change, Event, Explanation, Response, Source, explain, format_path
from reducer.outputs._escapes import escape_controls
from reducer.outputs.jsonl import plain
from reducer.reducer import REPAIRS

_COMPLETE, _INCOMPLETE, _USAGE = 0, 1, 2

_MAX_VALUE = 60  # characters of a value in the text
_MAX_CARRIED = 200  # characters of all values that an event carried
_MAX_CONFIRMED = 6  # events that are named as repeating a value
_CONTEXT = 100  # bytes of the stream that are shown for a problem
_SEARCH = 1 << 20  # bytes after a problem's offset that are searched for what was seen
_SIGNS = {
    "append": "+=", "new": "=", "insert": "= (new)", "set": "=", "replace": "= (replaced)", "removed": "removed",
}  # fmt: skip


def _parser() -> Parser:
    parser = Parser(
        prog="reducer explain",
        description="Explain one stream: what each event carried, how it changed the final object, which events set "
        "each part of the object, and every problem with the bytes around it.",
        epilog="Exit status: 0 all responses of the stream are complete; 1 some response is not complete; "
        "2 usage or I/O error.",
    )
    parser.add_argument("path", metavar="FILE", help="a capture; - is standard input")
    parser.add_argument(
        "--stream",
        type=int,
        default=0,
        metavar="N",
        help="the number of the stream in the capture; files hold one: 0",
    )
    parser.add_argument("--from", dest="format", default="auto", choices=captures.FORMATS, metavar="FORMAT",
                        help=f"the capture format: {', '.join(captures.FORMATS)}")  # fmt: skip
    parser.add_argument("--dialect", default="auto", choices=("auto", *DIALECTS), metavar="NAME",
                        help=f"the dialect: auto, {', '.join(DIALECTS)}")  # fmt: skip
    parser.add_argument("--repair", dest="repairs", action="append", default=[], choices=sorted(REPAIRS),
                        metavar="NAME",
                        help=f"allow a guess: {', '.join(sorted(REPAIRS))}; may be repeated")  # fmt: skip
    parser.add_argument("--text-key", dest="text_keys", action="append", default=[], metavar="NAME",
                        help="join the strings of this undeclared key of deltas; may be repeated")  # fmt: skip
    parser.add_argument("--json", action="store_true", help="write one JSON object instead of text")
    return parser


def run(argv: list[str]) -> int:
    """Explain the stream that the arguments name, and return the exit status."""
    options = _parser().parse_args(argv)
    failures: list[Exception] = []
    output: bytes | None = None
    is_complete = False
    try:
        stream, more = _find_stream(options)
        reads = readable(stream.reads, failures)
        explanation = explain(reads, options.dialect, repairs=options.repairs, text_keys=options.text_keys)
        is_complete = all(response.result.status == "complete" for response in explanation.responses)
        if explanation.data or not failures:
            source = stream.source
            output = as_json(source, explanation) if options.json else as_text(source, explanation).encode()
        if next(more, None) is not None:
            print_error(options.path, f"there are more streams; --stream {options.stream + 1} is the next")
    except Exception as error:  # unreadable, or a bug
        failures.append(error)
    for failure in failures:
        print_error(options.path, failure)
    if output is not None:
        write_data(sys.stdout, output)
    if failures:
        return _USAGE
    return _COMPLETE if is_complete else _INCOMPLETE


def _find_stream(options: argparse.Namespace) -> tuple[captures.Stream, Iterator[captures.Stream]]:
    """Return the requested stream and the iterator of the streams after it. Raises `UsageError`."""
    streams = captures.streams(options.path, options.format)
    for place, stream in enumerate(streams):
        if place == options.stream:
            return stream, streams
        for _ in stream.reads:
            pass
    raise UsageError(f"the capture has no stream {options.stream}")


# -- text ----------------------------------------------------------------------------------------


def shorten(value: Any, most: int = _MAX_VALUE) -> str:
    """Return a value as JSON text of at most about ``most`` characters, with escapes. Bytes are shown as text."""
    if type(value) is str:
        cut = value if len(value) <= most else value[: most - 20] + "…" + value[-19:]
        return '"' + printable(cut.replace("\\", "\\\\").replace('"', '\\"')) + '"'
    if type(value) is bytes:
        text = printable(value.decode("utf-8", "backslashreplace"))
    else:
        text = printable(to_json(plain(value)).decode())
    return _cut(text, most)


def _cut(text: str, most: int) -> str:
    return text if len(text) <= most else text[: most - 1] + "…"


def as_text(source: str, explanation: Explanation) -> str:
    """Return an explanation as text."""
    return "".join(line + "\n" for line in _lines(source, explanation))


def _lines(source: str, explanation: Explanation) -> Iterator[str]:
    count = len(explanation.responses)
    counts = (
        _count(len(explanation.data), "byte"), _count(len(explanation.events), "event"), _count(count, "response"),
    )  # fmt: skip
    yield f"{printable(source)}: {', '.join(counts)}"
    yield ""
    for event in explanation.events:
        yield from _event_lines(event, has_several_responses=count > 1)
    kinds = {event.number: event.kind for event in explanation.events}
    for place, response in enumerate(explanation.responses):
        result = response.result
        yield ""
        yield f"response {place}: {result.status}, {result.dialect or 'no known dialect'}"
        if result.error is not None:
            yield f"    error {shorten(msgspec.structs.asdict(result.error), 200)}"
        yield from (f"    at the end: {_format_change(change)}" for change in response.at_end)
        yield from (_source_line(source, kinds) for source in response.sources)
        for problem in result.problems:
            yield from _problem_lines(problem, explanation.data)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _event_lines(event: Event, *, has_several_responses: bool) -> Iterator[str]:
    offset = "" if event.offset is None else f" @{event.offset}"
    name = f" (named {printable(event.name)})" if event.name is not None and event.name != event.kind else ""
    response = f" of response {event.response}" if has_several_responses else ""
    line = f"#{event.number}{offset} {printable(event.kind)}{name}{response}, {_count(event.size, 'byte')}"
    carried = ", ".join(f"{_last_key(path)} {shorten(value, 40)}" for path, value in event.carried.items())
    yield f"{line}: {_cut(carried, _MAX_CARRIED)}" if carried else line
    if event.since is not None:
        yield f"    changes of all events since #{event.since}:"
    for change in event.changes:
        yield f"    {_format_change(change)}"


def _last_key(path: str) -> str:
    return printable(path.rpartition(".")[2])


def _format_change(change: Change) -> str:
    path = printable(format_path(change.path))
    return f"{path} {_SIGNS[change.op]}" + ("" if change.op == "removed" else f" {shorten(change.value)}")


def _source_line(source: Source, kinds: dict[int, str]) -> str:
    def format_event(number: int) -> str:
        return f"#{number} {printable(kinds[number])}"

    line = f"    {printable(format_path(source.path))}: last changed by {format_event(source.last)}"
    if source.events > 1:
        line += f", {source.events} changes since #{source.first}"
    if source.confirmed:
        line += f"; repeated by {', '.join(map(format_event, source.confirmed[:_MAX_CONFIRMED]))}"
    if len(source.confirmed) > _MAX_CONFIRMED:
        line += f" and {len(source.confirmed) - _MAX_CONFIRMED} more"
    return line


def _problem_lines(problem: Problem, data: bytes) -> Iterator[str]:
    place = "" if problem.event is None else f" at #{problem.event}"
    place += "" if problem.offset is None else f" @{problem.offset}"
    yield f"    problem {problem.code}{place}: seen {shorten(problem.seen, 200)}, chosen {shorten(problem.chosen, 200)}"
    context = find_context(problem, data)
    if context is not None:
        yield f"        | {shorten(context, 4 * _CONTEXT)}"


def find_context(problem: Problem, data: bytes) -> bytes | None:
    """Return the bytes around a problem, at most one line.

    If the bytes that the problem shows are found after its offset, the context begins shortly before them.
    """
    if problem.offset is None:
        return None
    begin = max(data.rfind(b"\n", 0, problem.offset), data.rfind(b"\r", 0, problem.offset)) + 1
    at = problem.offset
    seen = problem.seen.encode("utf-8", "surrogatepass") if type(problem.seen) is str else problem.seen
    if type(seen) is bytes and seen:
        at = max(at, data.find(seen, at, at + _SEARCH))
    begin = max(begin, at - _CONTEXT // 2)
    return data[begin : begin + _CONTEXT].partition(b"\n")[0].partition(b"\r")[0]


# -- JSON ----------------------------------------------------------------------------------------


def as_json(source: str, explanation: Explanation) -> bytes:
    """Return an explanation as one JSON object.

    The changes of a response, applied in order to ``{}``, make its body (`reducer.explain.Change`).
    """
    record = {
        "source": source,
        "size": len(explanation.data),
        "events": [
            {**msgspec.structs.asdict(event), "changes": _changes(event.changes)} for event in explanation.events
        ],
        "responses": [_response(response, explanation.data) for response in explanation.responses],
    }
    return escape_controls(to_json(plain(record))) + b"\n"


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
            {**msgspec.structs.asdict(problem), "context": find_context(problem, data)} for problem in result.problems
        ],
    }
