"""The output of ``reducer reduce``: standard output, or the file OUT.

OUT keeps its contents until the first result is written. So nothing is lost if no input can be read.

From then on, OUT is written in place. A temporary file that replaces OUT at the end would keep the old contents even
longer. But a live run would then show nothing until its end, an interrupted run would lose its results, and hard links
would keep the old contents. Results matter more: a live answer cannot be requested again.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from types import TracebackType
from typing import IO, Any

from reducer.cli.messages import write_data


class Output:
    """Writes results to standard output or to OUT. A context manager, which closes OUT at the end.

    Args:
        path: The path of OUT; ``None`` for standard output.

    Raises `OSError` or `ValueError` if OUT cannot be written.
    """

    def __init__(self, path: str | None) -> None:
        self._path = path
        self._file: IO[bytes] | None = None  # OUT, once it is open
        self._stream: IO[Any] | None = None  # the standard stream to write to, if `_path` is `None`
        if path is None:
            self._stream = sys.stdout
            write_data(self._stream, b"")  # raise now if it is closed
            return
        found = _status(path)
        for stream in (sys.stdout, sys.stderr):
            # OUT may be /dev/stdout. Opening the path again would empty a file that the shell opened for appending.
            open_file = _status(stream)
            if found is not None and open_file is not None and os.path.samestat(found, open_file):
                self._path, self._stream = None, stream
                return
        if found is None or stat.S_ISREG(found.st_mode):
            _check_writable(path)
        else:
            self._file = open(path, "wb")  # noqa: SIM115  # a FIFO or a device, which has nothing to lose

    def write(self, data: bytes) -> None:
        """Write the next result, so that readers see it at once. The first result replaces the contents of OUT."""
        if self._path is None:
            write_data(self._stream, data)
            return
        if self._file is None:
            self._file = open(self._path, "wb")  # noqa: SIM115
        self._file.write(data)
        self._file.flush()

    def finish(self) -> None:
        """Make OUT an empty file if there was no result. To be called only if everything was processed."""
        self.write(b"")

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()


def _check_writable(path: str) -> None:
    """Raise `OSError` if a regular file can be neither opened for writing nor created.

    The file is opened at the first result. Without this check a long run would lose its first result.
    """
    try:
        os.close(os.open(path, os.O_WRONLY))
    except FileNotFoundError:
        folder, name = os.path.split(path)
        if not name or not os.path.isdir(folder or os.curdir):
            raise
        if not os.access(folder or os.curdir, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES)) from None


def find_overwritten(paths: list[str], out: str | None) -> str | None:
    """Return the first input path that names the same file as the output, or ``None``.

    The path ``-`` is standard input. If ``out`` is ``None``, the output is standard output.
    """
    return next((path for path in paths if _is_overwritten(path, out)), None)


def _is_overwritten(path: str, out: str | None) -> bool:
    read = _status(sys.stdin if path == "-" else path)
    written = _status(sys.stdout if out is None else out)
    if read is None or written is None:
        # OUT may not exist yet, but the results of other paths would create it before this path is read.
        return path != "-" and out is not None and _is_same_name(path, out)
    # A terminal, a socket or the null device may be both.
    is_harmless = stat.S_ISCHR(read.st_mode) or stat.S_ISSOCK(read.st_mode)
    return os.path.samestat(read, written) and not is_harmless


def _is_same_name(left: str, right: str) -> bool:
    try:
        return os.path.realpath(left) == os.path.realpath(right)
    except ValueError:  # a null byte in a name
        return False


def _status(file: str | IO[Any] | None) -> os.stat_result | None:
    """Return the status of a path or an open stream; ``None`` if the file does not exist or has no number."""
    try:
        return os.stat(file if isinstance(file, str) else file.fileno()) if file is not None else None
    except (OSError, ValueError):
        return None
