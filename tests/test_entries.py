"""`Entries`: log-probabilities are kept as JSON text, and no result shows a difference."""

from __future__ import annotations

import json
import pickle
import tracemalloc

import msgspec
import pytest

import reducer
from reducer.dialects.entries import Entries


def log_probability(n: int, **fields):
    """Return the entry of one token."""
    top = [{"token": f"t{k}", "logprob": -0.5 - k, "bytes": [116, 48 + k]} for k in range(5)]
    return {"token": f"é{n}", "logprob": -n / 7, "bytes": [195, 169], "top_logprobs": top, **fields}


def chunks(entries, **fields):
    """Yield a stream with one entry a chunk."""
    for n, one in enumerate(entries):
        delta = {"role": "assistant", "content": f"é{n}"} if n == 0 else {"content": f"é{n}"}
        choice = {"index": 0, "delta": delta, "logprobs": {"content": [one], "refusal": None}, "finish_reason": None}
        yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}
    over = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [over], **fields}


def sse(events) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_body_has_all_entries(count):
    """Body, JSON, dict and pickle have all entries, and returned dicts are copies."""
    entries = [log_probability(n) for n in range(count)]
    result = reducer.reduce(sse(chunks(entries)))
    assert result.status == "complete"
    assert result.to_dict()["choices"][0]["logprobs"] == {"content": entries, "refusal": None}
    assert json.loads(result.json()) == result.to_dict()
    assert msgspec.to_builtins(result.body.choices[0].logprobs.content[-1])["token"] == f"é{count - 1}"
    assert pickle.loads(pickle.dumps(result)) == result
    result.to_dict()["choices"][0]["logprobs"]["content"].clear()
    assert len(result.to_dict()["choices"][0]["logprobs"]["content"]) == count


def test_snapshot_and_saved_state_have_all_entries():
    """The entries survive `snapshot`, and `save` and `resume`."""
    entries = [log_probability(n) for n in range(80)]
    events = sse(chunks(entries)).split(b"\n\n")
    stream = reducer.Reducer()
    for n, event in enumerate(events[:-1]):
        stream.feed(event + b"\n\n")
        if n == 49:
            assert stream.snapshot().to_dict()["choices"][0]["logprobs"]["content"] == entries[:50]
            stream = reducer.Reducer.resume(stream.save())
    assert stream.close() == reducer.reduce(sse(chunks(entries)))


@pytest.mark.parametrize("odd", ["\ud83d", 10**4000, 1.5], ids=["surrogate", "digits", "unknown field"])
def test_values_that_json_cannot_hold(odd):
    """Half a surrogate pair, a huge integer, or an unknown field is kept, on both paths."""
    entries = [log_probability(n) for n in range(100)]
    entries[50]["odd"] = odd
    events = list(chunks(entries))
    events[50]["choices"][0]["odd"] = 1
    plain = reducer.reduce(sse(events), fast=False)
    assert plain == reducer.reduce(sse(events))
    found = plain.to_dict()["choices"][0]["logprobs"]["content"]
    del found[50]["odd"], entries[50]["odd"]
    assert found == entries


def test_entry_that_cannot_be_encoded():
    """The entries before it and after it are kept as objects."""
    entries = Entries()
    for n in range(40):
        entries.extend([n], is_odd=False)
    entries.extend([object()], is_odd=False)
    built = entries.build()
    assert built[:40] == list(range(40))
    assert len(built) == 41
    for n in range(40):
        entries.extend([n], is_odd=False)
    assert entries.build()[41:] == list(range(40))


def test_entry_that_cannot_be_encoded_inside_a_block():
    """All entries are kept, in order."""
    entries = Entries()
    odd = object()
    for n in range(100):
        entries.extend([odd if n == 40 else n], is_odd=False)
    assert entries.build() == [*range(40), odd, *range(41, 100)]


def test_other_entries_after_plain_ones():
    """Entries that are marked as odd are kept as objects, in order."""
    entries = Entries()
    entries.extend([1], is_odd=False)
    entries.extend([2], is_odd=True)
    entries.extend([3], is_odd=True)
    assert entries.build() == [1, 2, 3]


def test_memory_is_that_of_the_json_text():
    """A stream of 2,000 entries retains little more than the size of its body's JSON."""
    data = sse(chunks([log_probability(n) for n in range(2000)]))
    reducer.reduce(data[:2000])
    tracemalloc.start()
    stream = reducer.Reducer()
    stream.feed(data)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1.5 * len(stream.close().json()) + (64 << 10)
