"""``reducer reduce``: streams in, results out; each file's as soon as that file is done."""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterator
from typing import Any, BinaryIO

from reducer import (
    ContentError,
    MissingExtraError,
    ProblemError,
    Reducer,
    Result,
    __version__,
    captures,
    outputs,
)
from reducer.dialects import DIALECTS
from reducer.engine import REPAIRS

_COMPLETE, _INCOMPLETE, _USAGE = 0, 1, 2
_UNREADABLE = (OSError, ContentError, MissingExtraError)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reducer",
        usage="reducer [reduce] [options] [PATH ... | -]\n       reducer explain [options] FILE",
        description="Reduce recorded or live LLM API streams to the objects that calls without streaming return. "
        "Or explain how one stream became its object: reducer explain --help.",
        epilog="Exit status: 0 all streams are complete; 1 some stream is not; 2 usage or I/O.",
    )
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files; - is standard input, as is none")
    parser.add_argument("--from", dest="format", default="auto", choices=captures.FORMATS, metavar="FORMAT",
                        help=f"the capture format: {', '.join(captures.FORMATS)}")  # fmt: skip
    parser.add_argument("--dialect", default="auto", choices=("auto", *DIALECTS), metavar="NAME",
                        help=f"the wire language: auto, {', '.join(DIALECTS)}")  # fmt: skip
    parser.add_argument("--to", default="jsonl", choices=outputs.FORMATS, metavar="FORMAT",
                        help="jsonl: a record a line (default); body: the bare final object a line; "
                             "json: the record, indented")  # fmt: skip
    parser.add_argument("-o", dest="out", metavar="OUT", help="write to this file, not to standard output")
    parser.add_argument("--strict", action="store_true", help="give a stream up at its first problem")
    parser.add_argument("--repair", dest="repairs", action="append", default=[], choices=sorted(REPAIRS),
                        metavar="NAME",
                        help=f"allow a guess: {', '.join(sorted(REPAIRS))}; may be repeated")  # fmt: skip
    parser.add_argument("--text-key", dest="text_keys", action="append", default=[], metavar="NAME",
                        help="join the strings of this undeclared delta key; may be repeated")  # fmt: skip
    parser.add_argument(
        "--trust-done",
        action="store_true",
        help="take a text of openai.responses from its done event; its deltas are not read",
    )
    parser.add_argument("--version", action="version", version=f"reducer {__version__}")
    return parser


def run(argv: list[str]) -> int:
    """Reduce what the arguments name; return the exit status."""
    parser = _parser()
    options = parser.parse_intermixed_args(argv)
    if not options.paths:
        if sys.stdin is None or sys.stdin.isatty():
            parser.error("no PATH given, and standard input is not redirected")
        options.paths = ["-"]
    if options.out is not None and any(path != "-" and _same_file(path, options.out) for path in options.paths):
        parser.error(f"{options.out} is read, and cannot be written as well")
    job = _Job(options)
    # What goes wrong with the input ends in the job; an OSError that arrives here is the output's.
    try:
        if options.out is not None:
            with open(options.out, "wb") as out:
                job.write(out)
        elif sys.stdout is None:
            raise OSError(errno.EBADF, "is closed")
        else:
            job.write(sys.stdout.buffer)
    except BrokenPipeError:
        raise
    except OSError as error:
        job.note(_USAGE, options.out or "standard output", error)
    return job.status


class _Job:
    """One run over all paths. ``status`` is the exit status, the worst of what was seen."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.status = _COMPLETE
        self._options = options

    def write(self, out: BinaryIO) -> None:
        """Write the results of every stream."""
        encode = outputs.encoder(self._options.to)
        for stream in self._streams():
            for index, result in enumerate(self._results(stream)):
                out.write(encode(stream.source, index, result))
                if result.status != "complete":
                    self.status = max(self.status, _INCOMPLETE)
            out.flush()

    def note(self, status: int, source: str, error: Exception) -> None:
        """Say what went wrong with a source."""
        self.status = max(self.status, status)
        cause = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        # A file's name may hold bytes that are no text, and what a problem shows may hold line ends.
        line = f"{source}: {cause}".encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")
        print(f"reducer: {line}", file=sys.stderr)

    def _streams(self) -> Iterator[captures.Stream]:
        for path in self._options.paths:
            try:
                yield from captures.streams(path, self._options.format)
            except _UNREADABLE as error:
                self.note(_USAGE, path, error)

    def _results(self, stream: captures.Stream) -> list[Result[Any]]:
        """Reduce one stream; where nothing of it could be read there is no result."""
        options = self._options
        fold = Reducer(
            options.dialect,
            strict=options.strict,
            repairs=options.repairs,
            text_keys=options.text_keys,
            trust_done=options.trust_done,
        )
        begun = False
        try:
            try:
                for data in stream.reads:
                    begun = True
                    fold.feed(data)
                fold.close()
            except _UNREADABLE as error:
                self.note(_USAGE, stream.source, error)
                if not begun:
                    return []
                # What came before it is not lost; the result will say that it is not all.
                fold.close(error)
        except ProblemError as problem:
            self.note(_INCOMPLETE, stream.source, problem)
            return []
        return fold.results


def _same_file(left: str, right: str) -> bool:
    try:
        return os.path.samefile(left, right)
    except OSError:
        return False
