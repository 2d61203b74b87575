"""`Reducer.save` and `Reducer.resume`: any value survives, and nothing but a saved state is read."""

import zlib

import msgspec
import pytest

import reducer

CHUNK = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}],"vendor":%s}\n\n'
REST = (
    b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[-9223372036854775808,18446744073709551615]", id="integers-of-64-bits"),
        pytest.param(b"[-9223372036854775809,18446744073709551616]", id="integers-of-more"),
        pytest.param(b"9" * 4301, id="an-integer-of-more-digits-than-python-reads"),
        pytest.param(b'[0.1,-0.0,1e300,true,false,null,""]', id="plain-values"),
        pytest.param(b'{"":1,"\\u0000":{"\\u0000":["same",0]},"\\n":2}', id="keys-of-control-characters"),
        pytest.param(b'["\\ud83d"]', id="half-a-surrogate-pair"),
        pytest.param(b'{"\\ude00":1}', id="half-a-surrogate-pair-as-a-key"),
    ],
)
def test_values_survive(value):
    """What an undeclared key holds is the same after going on elsewhere."""
    first = reducer.Reducer()
    first.feed(CHUNK % value)
    second = reducer.Reducer.resume(first.save())
    second.feed(REST)
    whole = reducer.reduce(CHUNK % value + REST)

    assert whole.status == "complete"
    assert "vendor" in whole.to_dict()
    assert second.close() == whole
    assert second.close().json() == whole.json()


def state():
    """The state behind one chunk."""
    one = reducer.Reducer()
    one.feed(CHUNK % b"1")
    return one.save()


def forged(packed):
    """Bytes with a right checksum around any content."""
    return b"stream-reducer state 1 %d\n" % zlib.crc32(packed) + packed


def tagged(*entry):
    """A saved state that is one tagged value."""
    return forged(msgspec.msgpack.encode({"\x00": entry}))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "does not begin as one", id="empty"),
        pytest.param(b"data: {}\n\n", "does not begin as one", id="a-stream"),
        pytest.param(b"stream-reducer state one two\n", "does not begin as one", id="no-numbers"),
        pytest.param(state().replace(b"state 1", b"state 2", 1), "a saved state of version 2; this version reads 1", id="version"),
        pytest.param(state()[:-1], "the checksum differs", id="cut"),
        pytest.param(state()[:-1] + b"\x00", "the checksum differs", id="changed"),
        pytest.param(forged(b"\xc1"), "a damaged state", id="no-msgpack"),
        pytest.param(tagged("object", "os", "system", []), "a damaged state: os", id="an-object-of-another-package"),
        pytest.param(tagged("object", "reducer.cli", "main", []), "a damaged state: main", id="a-function"),
        pytest.param(tagged("object", "reducer.result", "Limits", []), "a damaged state: Limits", id="a-class-that-is-never-saved"),
        pytest.param(tagged("object", "reducer.dialects.openai_chat", "ChatState", []), "a damaged state", id="no-attributes"),
        pytest.param(tagged("same", 7), "a damaged state", id="an-object-that-is-not-there"),
        pytest.param(tagged("struct", "Limits", {"max_calls": 0}), "a damaged state", id="an-invalid-struct"),
        pytest.param(tagged("decimal", "x"), "a damaged state", id="no-decimal"),
        pytest.param(tagged("lambda", 1), "a damaged state", id="an-unknown-tag"),
        pytest.param(forged(msgspec.msgpack.encode({"dialect": "auto"})), "a damaged state: 'options'", id="no-options"),
        pytest.param(forged(msgspec.msgpack.encode([1])), "a damaged state", id="a-list"),
    ],
)  # fmt: skip
def test_nothing_else_is_read(data, text):
    """Whatever the bytes are, they raise StateError, and nothing that they name is run."""
    with pytest.raises(reducer.StateError, match=text):
        reducer.Reducer.resume(data)
