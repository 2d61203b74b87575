"""HTTP content codings undone: gzip, deflate, br and zstd, whole or as the bytes come.

A proxy sees what crossed the wire, and `Reducer.feed` wants what the server meant. A coding is a function
from bytes to bytes with a memory (`_OPENERS`); a body with several has been through them in the order of its
header, so they are undone from the last to the first (RFC 9110, 8.4). A body that is cut gives what can be
decoded of it: that is a matter for the result's status.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

from reducer.errors import ContentError, MissingExtraError, UsageError

# Small bites, because a byte may become a thousand (deflate) and more: memory is counted between them.
_BITE = 4096
# Four times what a Reducer retains: no answer of a language model is longer, and a bomb is.
_MAX_BYTES = 1 << 30


class _Coding(Protocol):
    @property
    def finished(self) -> bool: ...

    def __call__(self, data: bytes) -> bytes: ...


class Decoder:
    """Undoes the content codings of one body, as its bytes come.

    Args:
        encoding: The value of the header ``Content-Encoding``; ``identity`` or nothing passes bytes through.
        max_bytes: How many decoded bytes are too many.

    Raises:
        UsageError: A coding that is none of gzip, deflate, br, zstd.
        MissingExtraError: The coding's package is not installed.
    """

    def __init__(self, encoding: str = "", *, max_bytes: int = _MAX_BYTES) -> None:
        names = [name.strip().lower() for name in encoding.split(",")]
        self._encoding = encoding
        self._max = max_bytes
        self._count = 0
        self._codings = [_open(name) for name in reversed(names) if name not in ("", "identity")]

    @property
    def finished(self) -> bool:
        """Whether the codings came to their end; if not, the body was cut."""
        return all(coding.finished for coding in self._codings)

    def feed(self, data: bytes | bytearray | memoryview) -> bytes:
        """Return what these bytes decode to, which may be nothing yet.

        Raises `ContentError` for bytes that are not of this encoding, and past ``max_bytes``.
        """
        if not self._codings:
            return bytes(data)
        pieces = []
        view = memoryview(data).cast("B")
        for at in range(0, len(view), _BITE):
            piece = bytes(view[at : at + _BITE])
            try:
                for coding in self._codings:
                    piece = coding(piece)
            # Each package has an exception of its own, and none is a ValueError.
            except Exception as error:
                raise ContentError(self._encoding, str(error) or type(error).__name__) from error
            self._count += len(piece)
            if self._count > self._max:
                raise ContentError(self._encoding, f"more than {self._max} bytes")
            pieces.append(piece)
        return b"".join(pieces)


def decoded(data: bytes | bytearray | memoryview, encoding: str, *, max_bytes: int = _MAX_BYTES) -> bytes:
    """Return a whole body as it was before compression; of one that was cut, what can be decoded.

    Raises what `Decoder` raises.
    """
    return Decoder(encoding, max_bytes=max_bytes).feed(data)


class _Frames:
    """Compressed frames one after another: gzip members, zstd frames."""

    def __init__(self, opener: Callable[[], Any], magic: bytes = b"") -> None:
        self._opener = opener
        self._magic = magic  # what a further frame begins with; anything else behind a frame is padding
        self._frame = opener()
        self._rest = b""
        self._over = False
        self._begun = False

    @property
    def finished(self) -> bool:
        return not self._begun or bool(self._frame.eof)

    def __call__(self, data: bytes) -> bytes:
        self._begun = self._begun or bool(data)
        pieces = []
        data = self._rest + data
        self._rest = b""
        while data and not self._over:
            if self._frame.eof:
                if len(data) < len(self._magic) and self._magic.startswith(data):
                    self._rest = data
                    break
                if not data.startswith(self._magic):
                    self._over = True
                    break
                self._frame = self._opener()
            pieces.append(self._frame.decompress(data))
            data = self._frame.unused_data
        return b"".join(pieces)


class _Deflate:
    """What HTTP calls deflate is the zlib format (RFC 9110, 8.4.1.2); some servers send it without its header."""

    def __init__(self) -> None:
        self._frame: Any = None

    @property
    def finished(self) -> bool:
        return self._frame is None or bool(self._frame.eof)

    def __call__(self, data: bytes) -> bytes:
        if self._frame is None and data:
            # A zlib header's low four bits are 8. Raw deflate would have to begin with an unfinished stored
            # block whose padding is not zero, and no compressor writes that.
            self._frame = zlib.decompressobj(zlib.MAX_WBITS if data[0] & 0x0F == 8 else -zlib.MAX_WBITS)
        return self._frame.decompress(data) if data else b""


class _Brotli:
    def __init__(self) -> None:
        try:
            import brotli
        except ModuleNotFoundError as missing:
            raise MissingExtraError("the content encoding br", "brotli", "brotli") from missing
        self._frame = brotli.Decompressor()
        self._begun = False

    @property
    def finished(self) -> bool:
        return not self._begun or bool(self._frame.is_finished())

    def __call__(self, data: bytes) -> bytes:
        self._begun = self._begun or bool(data)
        return bytes(self._frame.process(data)) if data else b""


def _gzip() -> _Coding:
    # 16: with gzip's header and check sum.
    return _Frames(lambda: zlib.decompressobj(16 + zlib.MAX_WBITS), b"\x1f\x8b")


def _zstd() -> _Coding:
    try:
        from compression.zstd import ZstdDecompressor  # Python 3.14
    except ModuleNotFoundError:
        try:
            from backports.zstd import ZstdDecompressor
        except ModuleNotFoundError as missing:
            raise MissingExtraError("the content encoding zstd", "backports-zstd", "zstd") from missing
    return _Frames(ZstdDecompressor)


_OPENERS: dict[str, Callable[[], _Coding]] = {
    "gzip": _gzip,
    "x-gzip": _gzip,  # RFC 9110, 8.4.1.3: the same
    "deflate": _Deflate,
    "br": _Brotli,
    "zstd": _zstd,
}


def _open(name: str) -> _Coding:
    opener = _OPENERS.get(name)
    if opener is None:
        raise UsageError(f"unknown content encoding {name!r}: known are {', '.join(_OPENERS)}")
    return opener()
