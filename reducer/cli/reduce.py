"""``reducer reduce``: reduce streams and write each result when the next response begins, or the stream has ended."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import Any

from reducer import ProblemError, Reducer, ReducerError, Result, __version__, captures, outputs
from reducer.cli.messages import Parser, print_error, readable
from reducer.cli.output import Output, find_overwritten
from reducer.dialects.registry import DIALECTS
from reducer.reducer import REPAIRS

_COMPLETE, _INCOMPLETE, _USAGE = 0, 1, 2


def _parser() -> Parser:
    parser = Parser(
        prog="reducer",
        usage="reducer [reduce] [options] [PATH ... | -]\n       reducer explain [options] FILE",
        description="Reduce recorded or live LLM API streams to the objects that non-streaming calls return. "
        "To explain how one stream became its object, see: reducer explain --help.",
        epilog="Exit status: 0 all streams are complete; 1 some stream is not complete; 2 usage or I/O error.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="a file; - is standard input (default)")
    parser.add_argument("--from", dest="format", default="auto", choices=captures.FORMATS, metavar="FORMAT",
                        help=f"the capture format: {', '.join(captures.FORMATS)}")  # fmt: skip
    parser.add_argument("--dialect", default="auto", choices=("auto", *DIALECTS), metavar="NAME",
                        help=f"the dialect: auto, {', '.join(DIALECTS)}")  # fmt: skip
    parser.add_argument("--to", default="jsonl", choices=outputs.FORMATS, metavar="FORMAT",
                        help="jsonl: one record a line (default); body: only the final object, one a line; "
                             "json: the record, indented")  # fmt: skip
    parser.add_argument("-o", dest="out", metavar="OUT",
                        help="write to a new file OUT, not to standard output; .gz and .zst compress")  # fmt: skip
    existing = parser.add_mutually_exclusive_group()
    existing.add_argument("--append", dest="mode", action="store_const", const="append", default="new",
                          help="if OUT exists, write to its end")  # fmt: skip
    existing.add_argument("--overwrite", dest="mode", action="store_const", const="overwrite",
                          help="if OUT exists, replace it at the end of the run")  # fmt: skip
    parser.add_argument(
        "--strict", action="store_true", help="stop reading a stream at its first problem, and write no result for it"
    )
    parser.add_argument("--repair", dest="repairs", action="append", default=[], choices=sorted(REPAIRS),
                        metavar="NAME",
                        help=f"allow a guess: {', '.join(sorted(REPAIRS))}; may be repeated")  # fmt: skip
    parser.add_argument("--text-key", dest="text_keys", action="append", default=[], metavar="NAME",
                        help="join the strings of this undeclared key of deltas; may be repeated")  # fmt: skip
    parser.add_argument("--version", action="version", version=f"reducer {__version__}")
    return parser


def run(argv: list[str]) -> int:
    """Reduce the streams that the arguments name, and return the exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    if not options.paths:
        if sys.stdin is None or sys.stdin.isatty():
            parser.error("no PATH given, and standard input is not redirected")
        options.paths = ["-"]
    if options.out == "-":
        options.out = None
    if options.out is None and options.mode != "new":
        parser.error(f"--{options.mode} needs -o OUT")
    name = "standard output" if options.out is None else options.out
    overwritten = find_overwritten(options.paths, options.out)
    if overwritten is not None:
        source = "standard input" if overwritten == "-" else f"the input {overwritten}"
        parser.error(f"{name} is the same file as {source}: choose another output")
    job = _Job(options)
    # The job handles all errors of its inputs, so an error that arrives here comes from the output.
    try:
        with Output(options.out, options.mode) as output:
            for record in job.records():
                output.write(record)
            output.finish(keeps_empty=job.status != _USAGE)
    except BrokenPipeError:
        raise
    except (OSError, ValueError, ReducerError) as error:
        job.note(_USAGE, name, error)
    return job.status


class _Job:
    """Reduces all paths of one command line."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.status = _COMPLETE  # the exit status so far; it only grows
        self._options = options
        self._encode = outputs.encoder(options.to)

    def records(self) -> Iterator[bytes]:
        """Yield the encoded results of every path. An error of one path is printed, and the next path follows."""
        for path in self._options.paths:
            try:
                for stream in captures.streams(path, self._options.format):
                    yield from self._records(stream)
            except Exception as error:  # also a bug: it must not cost the results of the other paths
                self.note(_USAGE, path, error)

    def note(self, status: int, source: str, error: Exception) -> None:
        """Print an error of a source, and raise the exit status to ``status`` if it was lower."""
        self.status = max(self.status, status)
        print_error(source, error)

    def _records(self, stream: captures.Stream) -> Iterator[bytes]:
        for index, result in enumerate(self._results(stream)):
            record = self._encode(stream.source, index, result)
            if result.status != "complete":
                self.status = max(self.status, _INCOMPLETE)
            yield record

    def _results(self, stream: captures.Stream) -> Iterator[Result[Any]]:
        """Yield each result of one stream as soon as its response has ended; none if no byte could be read."""
        options = self._options
        reducer = Reducer(
            options.dialect,
            strict=options.strict,
            repairs=options.repairs,
            text_keys=options.text_keys,
        )
        failures: list[Exception] = []
        has_begun = False
        try:
            for data in readable(stream.reads, failures):
                has_begun = True
                reducer.feed(data)
                yield from reducer.take_results()
            for error in failures:
                self.note(_USAGE, stream.source, error)
                if not has_begun:
                    return
            # After an error, the result holds what was read before, and reports the error.
            reducer.close(*failures)
        except ProblemError as problem:
            self.note(_INCOMPLETE, stream.source, problem)
            return
        yield from reducer.take_results()
