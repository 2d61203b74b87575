"""The output of ``reducer reduce``: standard output, or the file OUT. Nothing that exists is destroyed.

- A new OUT is created at once, so no second run can take the same name. Each record can be read as soon as it is
  written. OUT is removed if nothing could be read.
- An OUT that exists is refused, unless the user chose ``--append`` or ``--overwrite``.
- ``--overwrite`` writes a new file beside OUT, and renames it at the end of the run. If the run does not get that far,
  OUT is unchanged, and a message names the file with the results so far. The new file has the permissions of the old
  one. If OUT is a symbolic link, its target is replaced. Other hard links, and programs that have OUT open, keep the
  old contents.
- A pipe or a device is written directly.

If a write fails in the middle of a record, the record is cut off again. The suffixes ``.gz`` and ``.zst`` compress.
Compressed records can be read when the file is finished, which an interrupt does too.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
import tempfile
from contextlib import suppress
from types import TracebackType
from typing import IO, Any, Literal

from reducer.cli.compression import Compressor, compressor, encoding_of
from reducer.cli.messages import print_error, write_data
from reducer.embed.content import Decoder
from reducer.errors import UsageError

Mode = Literal["new", "append", "overwrite"]

_READ_SIZE = 1 << 16  # bytes


class Output:
    """Writes records to standard output or to OUT. A context manager; call `finish` at the end of its block.

    Args:
        path: The path of OUT; ``None`` for standard output.
        mode: What to do if OUT exists and is a regular file.
        header: Bytes to write before the first record, unless ``mode`` is ``"append"`` and OUT has some contents.

    Raises `OSError`, `ValueError` or `ReducerError` if OUT cannot be written.
    """

    def __init__(self, path: str | None, mode: Mode = "new", header: bytes = b"") -> None:
        self._header = header
        self._file: _File | None = None
        self._stream = sys.stdout if path is None else _standard_stream(path)
        if path is None or self._stream is not None:
            write_data(self._stream, b"")  # raise now if it is closed
            return
        self._file = _File(path, mode, header)
        if self._file.has_contents:
            self._header = b""

    def write(self, record: bytes) -> None:
        """Write the next record."""
        data, self._header = self._header + record, b""
        if self._file is not None:
            self._file.write(data)
        else:
            write_data(self._stream, data)

    def finish(self, *, keeps_empty: bool) -> None:
        """Complete OUT.

        Args:
            keeps_empty: Without any record, leave an empty OUT rather than the state before the run.
        """
        if keeps_empty:
            self.write(b"")
        if self._file is not None:
            self._file.finish()

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        if self._file is not None:
            self._file.abort()


class _File:
    """OUT while it is written."""

    def __init__(self, path: str, mode: Mode, header: bytes) -> None:
        self._path = path
        self._target = os.path.realpath(path) if os.path.islink(path) else path
        self._part: str | None = None  # the file beside OUT, for "overwrite"
        self._is_new = False
        self._is_written = False
        self._is_open = True
        self._end = 0  # where the last whole record ends
        self.has_contents = False
        self._compressor: Compressor | None = compressor(path)
        found = _status(path)
        if found is None:
            self._file: IO[bytes] = open(self._target, "xb", buffering=0)  # noqa: SIM115
            self._is_new = True
        elif not stat.S_ISREG(found.st_mode):
            self._file = open(path, "wb", buffering=0)  # noqa: SIM115
        elif mode == "append":
            self._file = open(self._target, "ab", buffering=0)  # noqa: SIM115
            self._end = found.st_size
            self.has_contents = found.st_size > 0
            self._continue(header)
        elif mode == "overwrite":
            self._file = self._open_part(found)
        else:
            raise UsageError("exists already: add --append or --overwrite, or choose another file")

    def _open_part(self, found: os.stat_result) -> IO[bytes]:
        if not os.access(self._target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        folder, name = os.path.split(self._target)
        number, self._part = tempfile.mkstemp(".part", f"{name[:60]}.", folder or os.curdir)
        with suppress(OSError, AttributeError):  # only the superuser may, and not on every system
            os.chown(self._part, found.st_uid, found.st_gid)
        os.chmod(self._part, stat.S_IMODE(found.st_mode))
        return open(number, "wb", buffering=0)

    def _continue(self, header: bytes) -> None:
        """Check that records can follow the contents of OUT, and begin a new line if the last one is not whole."""
        if not self.has_contents:
            return
        try:
            begins, is_whole = _inspect(self._target, len(header))
            if begins != header:
                raise UsageError("its first line has other columns: choose another file")
            if not is_whole and self._compressor is not None:
                raise UsageError("its compressed data are cut off, so nothing can follow: choose another file")
            if not is_whole:
                print_error(self._path, "its last line is not whole; the new records begin on a new line")
                self.write(b"\n")
        except BaseException:
            self._file.close()
            raise

    def write(self, record: bytes) -> None:
        self._write_all(record if self._compressor is None else self._compressor.compress(record))
        self._is_written = True

    def _write_all(self, data: bytes) -> None:
        written = 0
        try:
            while written < len(data):
                written += self._file.write(data[written:])
        except OSError as error:
            if self._compressor is None and (not written or self._cut(written)):
                raise
            self._compressor, self._is_written = None, True
            raise OSError(error.errno, f"{error.strerror}; the end of the file is not whole") from error
        self._end += written

    def _cut(self, written: int) -> bool:
        """Remove the part of a record that was written. Return whether that was possible."""
        with suppress(OSError):  # a pipe has no size
            # Another program may append to the same file: do not remove its lines.
            if os.fstat(self._file.fileno()).st_size == self._end + written:
                os.ftruncate(self._file.fileno(), self._end)
                return True
        return False

    def finish(self) -> None:
        self._close()
        if self._part is not None and self._is_written:
            os.replace(self._part, self._target)
            self._part = None

    def abort(self) -> None:
        """Close OUT if it is open. Remove what this run has created, unless results are in it."""
        if self._is_open:
            with suppress(OSError):
                self._close()
        created = self._target if self._is_new else self._part
        if created is not None and not self._is_written:
            with suppress(OSError):
                os.unlink(created)
        elif self._part is not None:
            print_error(self._path, f"is unchanged; the results so far are in {self._part}")

    def _close(self) -> None:
        """Write the end of the compressed data, and close. Raises `OSError`."""
        self._is_open = False
        try:
            if self._compressor is not None and (self._is_written or not self.has_contents):
                self._write_all(self._compressor.flush())
            if self._part is not None:
                os.fsync(self._file.fileno())
        finally:
            self._file.close()


def _inspect(path: str, size: int) -> tuple[bytes, bool]:
    """Return the first ``size`` bytes of a file, decompressed, and whether the file ends with a whole line.

    If the file is compressed: whether its compressed data are whole.
    """
    encoding = encoding_of(path)
    with open(path, "rb") as file:
        if not encoding:
            begins = file.read(size)
            file.seek(-1, os.SEEK_END)
            return begins, file.read() == b"\n"
        decoder = Decoder(encoding, max_bytes=1 << 62)
        begins = b""
        while data := file.read(_READ_SIZE):
            for piece in decoder.decode(data):
                begins += piece[: size - len(begins)]
        return begins, decoder.finished


def _standard_stream(path: str) -> IO[Any] | None:
    """Return the standard stream that a path names, such as ``/dev/stdout``.

    To open the path again would empty a file that the shell opened for appending.
    """
    found = _status(path)
    for stream in (sys.stdout, sys.stderr):
        open_file = _status(stream)
        if found is not None and open_file is not None and os.path.samestat(found, open_file):
            return stream
    return None


def find_overwritten(paths: list[str], out: str | None) -> str | None:
    """Return the first input path that names the same file as the output, or ``None``.

    The path ``-`` is standard input. If ``out`` is ``None``, the output is standard output.
    """
    return next((path for path in paths if is_overwritten(path, out)), None)


def is_overwritten(path: str, out: str | None) -> bool:
    """Whether an input path names the same file as the output, which would be read while it is written."""
    read = _status(sys.stdin if path == "-" else path)
    written = _status(sys.stdout if out is None else out)
    if read is None or written is None:
        # OUT may not exist yet, but it is created before this path is read.
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
