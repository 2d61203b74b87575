"""`reducer.embed.decoded` and `Decoder`: what HTTP compressed comes back, however the bytes are split."""

import builtins
import gzip
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
    if kind == "zstd":
        return "zstd", zstd().compress(TEXT)
    if kind == "br":
        return "br", pytest.importorskip("brotli", reason="brotli is not installed").compress(TEXT)
    if kind == "several":
        return "deflate, gzip", gzip.compress(zlib.compress(TEXT))
    encoders = {"gzip": gzip.compress, "x-gzip": gzip.compress, "deflate": zlib.compress, "raw": raw_deflate}
    return kind if kind != "raw" else "deflate", encoders[kind](TEXT)


KINDS = ["gzip", "x-gzip", "deflate", "raw", "several", "zstd", "br"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_whole_body_comes_back(kind):
    """Every encoding is undone in one call, whatever kind of buffer holds it."""
    encoding, data = compress(kind)

    assert decoded(data, encoding) == TEXT
    assert decoded(memoryview(bytearray(data)), encoding.upper()) == TEXT


@pytest.mark.parametrize("kind", KINDS)
def test_the_split_does_not_matter(kind):
    """Byte by byte the same comes out, and the end is known."""
    encoding, data = compress(kind)
    decoder = Decoder(encoding)

    text = b"".join(decoder.feed(data[at : at + 1]) for at in range(len(data)))

    assert text == TEXT
    assert decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_a_cut_body_gives_what_can_be_decoded(kind):
    """A stream that broke off is no error here: its status will say so."""
    encoding, data = compress(kind)
    decoder = Decoder(encoding)

    text = decoder.feed(data[:-5])

    assert TEXT.startswith(text)
    assert not decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_text_is_not_taken_for_compressed(kind):
    """A wrong header is named, with the encoding as an attribute."""
    encoding, _ = compress(kind)

    with pytest.raises(ContentError, match="content encoding") as caught:
        decoded(b"this is plain text, and says nothing at all " * 5, encoding)

    assert caught.value.encoding == encoding


def test_gzip_members_follow_one_another():
    """Members join, and padding behind them is no error (RFC 1952, 2.2)."""
    data = gzip.compress(b"one ") + gzip.compress(b"two") + bytes(512)
    decoder = Decoder("gzip")

    assert decoded(data, "gzip") == b"one two"
    assert b"".join(decoder.feed(data[at : at + 1]) for at in range(len(data))) == b"one two"


def test_zstd_frames_follow_one_another():
    """Frames join."""
    data = zstd().compress(b"one ") + zstd().compress(b"two")

    assert decoded(data, "zstd") == b"one two"


@pytest.mark.parametrize("encoding", ["", "identity", " , Identity"])
def test_no_encoding_passes_bytes_through(encoding):
    """Without a coding nothing is done, and nothing can be cut."""
    decoder = Decoder(encoding)

    assert decoder.feed(bytearray(b"abc")) == b"abc"
    assert decoder.finished


@pytest.mark.parametrize("kind", KINDS)
def test_nothing_at_all_is_finished(kind):
    """An empty body was not cut."""
    encoding, _ = compress(kind)

    assert decoded(b"", encoding) == b""
    assert Decoder(encoding).finished


def test_a_bomb_is_stopped():
    """What decodes to more than is allowed is given up, before it is all in memory."""
    bomb = gzip.compress(bytes(50_000_000))

    with pytest.raises(ContentError, match="more than 1000000 bytes"):
        decoded(bomb, "gzip", max_bytes=1_000_000)


def test_an_unknown_encoding_is_the_caller_s_mistake():
    """The message says what is known."""
    with pytest.raises(UsageError, match="unknown content encoding 'lzma': known are gzip"):
        Decoder("gzip, lzma")


@pytest.mark.parametrize(("encoding", "extra"), [("br", "brotli"), ("zstd", "zstd")])
def test_a_missing_package_is_named_with_its_extra(monkeypatch, encoding, extra):
    """One clear sentence says what to install."""
    real = builtins.__import__

    def without(name, *args, **kwargs):
        if name.split(".")[0] in ("brotli", "backports", "compression"):
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)

    with pytest.raises(MissingExtraError, match=rf"pip install 'stream-reducer\[{extra}\]'"):
        Decoder(encoding)
