"""`reducer.embed.decoded` and `Decoder`: every content coding is decoded, for every split of the bytes."""

import builtins
import gzip
import tracemalloc
import zlib

import pytest

from reducer import ContentError, MissingExtraError, UsageError
from reducer.embed import Decoder, decoded

TEXT = b'data: {"n": 1}\n\ndata: [DONE]\n\n' * 500


def raw_deflate(data):
    coder = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return coder.compress(data) + coder.flush()


def zstd():
    try:
        from compression import zstd
    except ImportError:
        zstd = pytest.importorskip("backports.zstd", reason="backports-zstd is not installed")
    return zstd


def compress(kind):
    """Return the header value and the compressed text of a kind; skip if a package is missing."""
    if kind == "zstd":
        return "zstd", zstd().compress(TEXT)
    if kind == "br":
        return "br", pytest.importorskip("brotli", reason="brotli is not installed").compress(TEXT)
    if kind == "br in gzip":
        encoding, data = compress("br")
        return f"{encoding}, gzip", gzip.compress(data)
    if kind == "several":
        return "deflate, gzip", gzip.compress(zlib.compress(TEXT))
    encoders = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}
    return kind if kind != "raw" else "deflate", encoders[kind](TEXT)


KINDS = ["gzip", "x-gzip", "deflate", "raw", "several", "zstd", "br", "br in gzip"]


@pytest.mark.parametrize("kind", KINDS)
def test_decode_a_whole_body(kind):
    """Every coding is decoded in one call, from every type of buffer."""
    encoding, data = compress(kind)

    assert decoded(data, encoding) == TEXT
    assert decoded(memoryview(bytearray(data)), encoding.upper()) == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_decode_byte_by_byte(kind):
    """The result is the same as in one call, and the end is detected."""
    encoding, data = compress(kind)
    decoder = Decoder(encoding)

    text = b"".join(decoder.feed(data[at : at + 1]) for at in range(len(data)))

    assert text == TEXT
    assert decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_decode_a_cut_body(kind):
    """The prefix that can be decoded is returned, and no error is raised."""
    encoding, data = compress(kind)
    decoder = Decoder(encoding)

    text = decoder.feed(data[:-5])

    assert TEXT.startswith(text)
    assert not decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_plain_text_raises(kind):
    """If the body does not have the coding of its header, the error names the coding."""
    encoding, _ = compress(kind)

    with pytest.raises(ContentError, match="content encoding") as caught:
        decoded(b"this is plain text, and says nothing at all " * 5, encoding)

    assert caught.value.encoding == encoding


def test_several_gzip_members():
    """The members are joined. Padding after the last one is ignored (RFC 1952, 2.2)."""
    data = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(512)
    decoder = Decoder("gzip")

    assert decoded(data, "gzip") == b"one two"
    assert b"".join(decoder.feed(data[at : at + 1]) for at in range(len(data))) == b"one two"


def test_several_zstd_frames():
    """The frames are joined."""
    data = zstd().compress(b"one ") + zstd().compress(b"two")

    assert decoded(data, "zstd") == b"one two"


@pytest.mark.parametrize("encoding", ["", None, "identity", " , Identity"])
def test_without_a_coding(encoding):
    """The bytes pass through unchanged, and the body is always finished."""
    decoder = Decoder(encoding)

    assert decoder.feed(bytearray(b"abc")) == b"abc"
    assert decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_empty_body_is_finished(kind):
    """A body of no bytes was not cut."""
    encoding, _ = compress(kind)

    assert decoded(b"", encoding) == b""
    assert Decoder(encoding).finished


def bomb(kind, size):
    """Return the header value and a body that decodes to this many zeros."""
    zeros = bytes(1 << 20)
    if kind in ("gzip", "deflate", "gzip, gzip", "deflate, gzip"):
        coder = zlib.compressobj(9, wbits=16 + zlib.MAX_WBITS if kind.startswith("gzip") else zlib.MAX_WBITS)
        data = b"".join(coder.compress(zeros) for _ in range(size >> 20)) + coder.flush()
        return kind, gzip.compress(data) if "," in kind else data
    if kind == "br":
        coder = pytest.importorskip("brotli", reason="brotli is not installed").Compressor(quality=5)
        return kind, b"".join(coder.process(zeros) for _ in range(size >> 20)) + coder.finish()
    coder = zstd().ZstdCompressor()
    data = b"".join(coder.compress(zeros) for _ in range(size >> 20)) + coder.flush()
    return kind, zstd().compress(data) if kind == "zstd, zstd" else data


@pytest.mark.parametrize("kind", ["gzip", "deflate", "gzip, gzip", "deflate, gzip", "br", "zstd", "zstd, zstd"])
@pytest.mark.parametrize("size", [1 << 28])
def test_decompression_bombs_raise(kind, size):
    """Decoding stops at `max_bytes`, before the whole body is in memory, in whatever codings."""
    encoding, data = bomb(kind, size)
    tracemalloc.start()
    try:
        with pytest.raises(ContentError, match="more than 1000000 bytes"):
            decoded(data, encoding, max_bytes=1_000_000)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert peak < 4_000_000 + len(data)


def test_many_empty_gzip_members_raise():
    """A member counts, even if it decodes to nothing."""
    with pytest.raises(ContentError, match="more than 1000 bytes"):
        decoded(gzip.compress(b"") * 1001, "gzip", max_bytes=1000)


def test_zstd_windows_are_bounded():
    """A frame that asks for a larger window than HTTP allows is refused (RFC 9659)."""
    module = zstd()
    coder = module.ZstdCompressor(options={module.CompressionParameter.window_log: 27})
    data = coder.compress(TEXT) + coder.flush()

    with pytest.raises(ContentError, match="too much memory"):
        decoded(data, "zstd")


def test_pieces_are_small():
    """`decode` yields at most 64 KiB at a time."""
    encoding, data = bomb("gzip", 1 << 22)
    sizes = [len(piece) for piece in Decoder(encoding).decode(data)]

    assert sum(sizes) == 1 << 22
    assert max(sizes) == 1 << 16


def test_a_closed_decoder_decodes_nothing():
    """The codings are gone."""
    decoder = Decoder("gzip")
    decoder.feed(gzip.compress(b"abc"))
    decoder.close()

    with pytest.raises(UsageError, match="decode after close"):
        decoder.feed(b"")


def test_too_many_codings_raise():
    """Each coding may multiply what the one before it has decoded."""
    with pytest.raises(UsageError, match="6 content codings: at most 5 are undone"):
        Decoder(", ".join(["gzip"] * 6))


def test_unknown_coding_raises():
    """The message names the known codings."""
    with pytest.raises(UsageError, match="unknown content encoding 'lzma': choose from gzip"):
        Decoder("gzip, lzma")


@pytest.mark.parametrize(("encoding", "extra"), [("br", "brotli"), ("zstd", "zstd")])
def test_missing_package_is_named_with_its_extra(monkeypatch, encoding, extra):
    """The message names the missing package."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("brotli", "backports", "compression"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError, match=rf"pip install 'stream-reducer\[{extra}\]'"):
        Decoder(encoding)
