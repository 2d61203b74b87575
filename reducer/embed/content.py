"""Decode HTTP content codings (gzip, deflate, br and zstd), for a whole body or incrementally.

A proxy sees compressed bytes, but `Reducer.feed` needs the bytes before compression. Each coding is an object that
turns bytes into decoded pieces and keeps its state between calls (`_OPENERS`). The header lists codings in the order in
which the server applied them, so they are undone in reverse order (RFC 9110, 8.4).

A few bytes may decode to gigabytes, and a coding inside another one multiplies that. So every coding decodes at most
`_PIECE` bytes at a time, and what each of them has decoded is counted.

A body that was cut is not an error: its prefix is decoded as far as possible, and the result's status tells the cut.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any, Protocol

from reducer.errors import ContentError, MissingExtraError, UsageError

_PIECE = 1 << 16  # bytes decoded at a time
_SLICE = 1 << 14  # bytes given to a coding at a time: what a frame leaves of them is copied for the next frame
# Decoded bytes. Four times what a Reducer retains by default: a larger body is a decompression bomb.
_MAX_BYTES = 1 << 30
_MAX_CODINGS = 5
_MAX_WINDOW_LOG = 23  # 8 MiB, the most that zstd may ask for over HTTP (RFC 9659)


class _Coding(Protocol):
    """Undoes one content coding, incrementally."""

    @property
    def finished(self) -> bool: ...

    def decode(self, data: bytes) -> Iterator[bytes]:
        """Yield the decoded form of the next bytes in pieces of at most `_PIECE` bytes; some may be empty."""


class Decoder:
    """Decodes one body incrementally.

    Args:
        encoding: The value of the header ``Content-Encoding``. With ``identity``, an empty value or ``None``, the
            bytes pass through unchanged.
        max_bytes: How many bytes a coding may decode to; past that `decode` and `feed` raise. Codings apart from that
            need at most 32 MiB.

    Raises:
        UsageError: A coding is unknown, or there are more than five.
        MissingExtraError: The package that a coding needs is not installed.
    """

    def __init__(self, encoding: str | None = "", *, max_bytes: int = _MAX_BYTES) -> None:
        self._encoding = encoding or ""
        names = [name.strip().lower() for name in self._encoding.split(",")]
        applied = [name for name in reversed(names) if name not in ("", "identity")]
        if len(applied) > _MAX_CODINGS:
            raise UsageError(f"{len(applied)} content codings: at most {_MAX_CODINGS} are undone")
        self._max = max_bytes
        self._is_closed = False
        self._codings = [_open(name) for name in applied]
        self._counts = [0] * len(applied)  # of the bytes that each coding has decoded, empty pieces as one byte

    @property
    def finished(self) -> bool:
        """Whether every coding has reached its end. If not, the body is not complete yet, or was cut."""
        return all(coding.finished for coding in self._codings)

    def decode(self, data: bytes | bytearray | memoryview) -> Iterator[bytes]:
        """Yield the decoded form of the next bytes, at most 64 KiB at a time.

        Raises `ContentError` if the bytes do not have this encoding, or decode to more than ``max_bytes`` in total.
        """
        if self._is_closed:
            raise UsageError("decode after close: a Decoder decodes one body")
        view = memoryview(data).cast("B")
        try:
            for at in range(0, len(view), _SLICE):
                yield from filter(None, self._decode(bytes(view[at : at + _SLICE]), 0))
        except ContentError:
            raise
        except Exception as error:  # each package raises a type of its own, and they have no common base
            raise ContentError(self._encoding, str(error) or type(error).__name__) from error

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return the decoded form of the next bytes at once. It may be empty. The exceptions are those of `decode`."""
        joined = BytesIO()  # its value is not copied, unlike that of a joined list
        for piece in self.decode(data):
            joined.write(piece)
        return joined.getvalue()

    def close(self) -> None:
        """Free the memory of the codings. To decode afterwards is a `UsageError`."""
        self._codings = []
        self._is_closed = True

    def _decode(self, data: bytes, place: int) -> Iterator[bytes]:
        """Yield what the codings from a place on make of these bytes."""
        if place == len(self._codings):
            yield data
            return
        for piece in self._codings[place].decode(data):
            self._counts[place] += len(piece) or 1
            if self._counts[place] > self._max:
                raise ContentError(self._encoding, f"more than {self._max} bytes")
            yield from self._decode(piece, place + 1)


def decoded(data: bytes | bytearray | memoryview, encoding: str | None, *, max_bytes: int = _MAX_BYTES) -> bytes:
    """Decode a whole body. If the body was cut, return what can be decoded.

    The arguments and the exceptions are those of `Decoder` and `Decoder.feed`.
    """
    return Decoder(encoding, max_bytes=max_bytes).feed(data)


class _Frames:
    """Decodes consecutive compressed frames: gzip members or zstd frames."""

    def __init__(self, opener: Callable[[], Any], magic: bytes = b"") -> None:
        self._opener = opener
        self._magic = magic  # the first bytes of every frame; other bytes after a frame are padding
        self._frame = opener()  # decodes the current frame
        self._rest = b""  # bytes after a frame, too few to tell whether another frame begins
        self._is_padding = False  # the last frame has ended, and everything after it is ignored
        self._has_begun = False

    @property
    def finished(self) -> bool:
        return not self._has_begun or bool(self._frame.eof)

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._has_begun = self._has_begun or bool(data)
        data = self._rest + data
        self._rest = b""
        while data and not self._is_padding:
            if self._frame.eof:
                if len(data) < len(self._magic) and self._magic.startswith(data):
                    self._rest = data
                    break
                if not data.startswith(self._magic):
                    self._is_padding = True
                    break
                self._frame = self._opener()
            yield from _pieces(self._frame, data)
            data = self._frame.unused_data


class _Deflate:
    """Decodes HTTP's deflate coding, which is the zlib format (RFC 9110, 8.4.1.2).

    Some servers send raw deflate data without the zlib header. These are decoded, too.
    """

    def __init__(self) -> None:
        self._frame: Any = None  # None until the first byte has come

    @property
    def finished(self) -> bool:
        return self._frame is None or bool(self._frame.eof)

    def decode(self, data: bytes) -> Iterator[bytes]:
        if self._frame is None and data:
            # The low four bits of a zlib header are 8. Raw deflate data with these bits would begin with a stored
            # block that is not the last one and whose padding is not zero. No compressor writes such a block.
            self._frame = _Zlib(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        if data:
            yield from _pieces(self._frame, data)


class _Zlib:
    """A `zlib` decompressor with the interface of those of the standard library's newer modules, such as zstd's."""

    def __init__(self, window_bits: int) -> None:
        self._frame = zlib.decompressobj(window_bits)
        self.needs_input = True

    @property
    def eof(self) -> bool:
        return self._frame.eof

    @property
    def unused_data(self) -> bytes:
        return self._frame.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        piece = self._frame.decompress(self._frame.unconsumed_tail + data, max_length)
        self.needs_input = len(piece) < max_length  # otherwise there may be more
        return piece


def _pieces(frame: Any, data: bytes) -> Iterator[bytes]:
    """Yield what a decompressor makes of these bytes, piece by piece."""
    yield frame.decompress(data, _PIECE)
    while not frame.needs_input and not frame.eof:
        yield frame.decompress(b"", _PIECE)


class _Brotli:
    def __init__(self) -> None:
        try:
            import brotli
        except ModuleNotFoundError as missing:
            raise MissingExtraError("the content encoding br", "brotli", "brotli") from missing
        self._frame = brotli.Decompressor()
        self._has_begun = False

    @property
    def finished(self) -> bool:
        return not self._has_begun or bool(self._frame.is_finished())

    def decode(self, data: bytes) -> Iterator[bytes]:
        self._has_begun = self._has_begun or bool(data)
        if data:
            yield self._frame.process(data, output_buffer_limit=_PIECE)
        while not self._frame.can_accept_more_data():
            yield self._frame.process(b"", output_buffer_limit=_PIECE)


def _gzip() -> _Coding:
    # zlib adds 16 to the window size to select gzip's header and checksum.
    return _Frames(lambda: _Zlib(16 + zlib.MAX_WBITS), b"\x1f\x8b")


def _zstd() -> _Coding:
    try:
        from compression import zstd  # Python 3.14
    except ModuleNotFoundError:
        try:
            from backports import zstd
        except ModuleNotFoundError as missing:
            raise MissingExtraError("the content encoding zstd", "backports-zstd", "zstd") from missing
    options = {zstd.DecompressionParameter.window_log_max: _MAX_WINDOW_LOG}
    return _Frames(lambda: zstd.ZstdDecompressor(options=options))


_OPENERS: dict[str, Callable[[], _Coding]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,  # an alias of gzip (RFC 9110, 8.4.1.3)
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _zstd,
}


def _open(name: str) -> _Coding:
    opener = _OPENERS.get(name)
    if opener is None:
        raise UsageError(f"unknown content encoding {name!r}: choose from {', '.join(_OPENERS)}")
    return opener()
