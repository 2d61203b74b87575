"""Messages on standard error, and writing to the standard streams: what all commands share.

File names, arguments, error texts and problems come from outside, and may hold control characters that a terminal
would interpret. So every message passes through `printable`, and is one line.

Each standard stream may be closed, full or a pipe without a reader. A message that cannot be written is lost, and the
exit status still shows the error. Data that cannot be written raises `OSError`.
"""

from __future__ import annotations

import argparse
import errno
import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import IO, Any, NoReturn

from reducer.errors import ReducerError

_WRITE_SIZE = 1 << 16  # bytes; the capacity of a pipe on Linux


def printable(text: str) -> str:
    """Escape every character that a terminal would interpret or hide.

    These are control characters, line ends, direction marks and halves of surrogate pairs.
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def _escape(char: str) -> str:
    known = {"\n": "\\n", "\r": "\\r", "\t": "\\t"}
    return known.get(char) or (f"\\u{ord(char):04x}" if ord(char) < 0x10000 else f"\\U{ord(char):08x}")


def print_error(source: str, cause: Exception | str) -> None:
    """Print one line about a source, such as a file, to standard error."""
    text = cause if isinstance(cause, str) else _describe(cause)
    _print(f"reducer: {printable(source)}: {printable(text)}\n")


def _describe(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return str(error.strerror)
    if isinstance(error, ReducerError):
        return str(error)
    # The text of another exception means little without its type: the text of `KeyError` is only the key.
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _print(text: str) -> None:
    stream = sys.stderr
    if stream is None:
        return
    try:
        stream.write(text)
        stream.flush()
    except (OSError, ValueError):
        _silence(stream)


def write_data(stream: IO[Any] | None, data: bytes) -> None:
    """Write to a standard stream and flush it. Raises `OSError`, also if the stream is closed."""
    if stream is None:
        raise OSError(errno.EBADF, "is closed")
    try:
        file = getattr(stream, "buffer", None)
        if file is None:  # a program that calls `main` may have replaced the stream
            stream.write(data.decode())
        else:
            _write_all(file, data)
        stream.flush()
    except OSError:
        _silence(stream)
        raise


def _write_all(file: IO[bytes], data: bytes) -> None:
    """Write in slices, so that a closed pipe raises before everything is written."""
    at = 0
    while at < len(data):
        # Without the interpreter's buffer (`python -u`) a write may be short.
        count = file.write(data[at : at + _WRITE_SIZE])
        if not count:
            raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN))
        at += count


def _silence(stream: IO[Any]) -> None:
    """Redirect a stream that cannot be written to the null device.

    The stream may still hold data. Without the redirection, the interpreter would flush the data at exit, print an
    error, and change the exit status to 120.
    """
    with suppress(OSError, ValueError, AttributeError):  # a program may have replaced the stream
        number = stream.fileno()
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, number)
        os.close(null)


def readable(reads: Iterable[bytes], failures: list[Exception]) -> Iterator[bytes]:
    """Yield the reads up to the first error, which is added to ``failures``."""
    try:
        yield from reads
    except Exception as error:  # a device or a decompressor may raise anything; the other files follow
        failures.append(error)


class Parser(argparse.ArgumentParser):
    """Parses arguments. Errors echo arguments, so they are printed like all other messages."""

    def error(self, message: str) -> NoReturn:
        """Print the usage and the error, and raise `SystemExit` with the status 2."""
        _print(f"{self.format_usage()}{self.prog}: error: {printable(message)}\n")
        self.exit(2)

    def _print_message(self, message: str, file: object = None) -> None:
        """Print help or the version. `argparse` itself would hide that standard output cannot be written."""
        write_data(sys.stdout, message.encode())
