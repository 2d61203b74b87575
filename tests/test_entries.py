"""Log-probabilities are kept as JSON; nobody can tell from a result."""

from __future__ import annotations

import json
import pickle
import tracemalloc

import msgspec
import pytest

import reducer
from reducer.dialects._entries import Entries


def entry(n: int, **fields):
    top = [{"token": f"t{k}", "logprob": -0.5 - k, "bytes": [116, 48 + k]} for k in range(5)]
    return {"token": f"é{n}", "logprob": -n / 7, "bytes": [195, 169], "top_logprobs": top, **fields}


def chunks(entries, **fields):
    for n, one in enumerate(entries):
        delta = {"role": "assistant", "content": f"é{n}"} if n == 0 else {"content": f"é{n}"}
        choice = {"index": 0, "delta": delta, "logprobs": {"content": [one], "refusal": None}, "finish_reason": None}
        yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice], **fields}
    over = {"index": 0, "delta": {}, "logprobs": None, "finish_reason": "stop"}
    yield {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [over], **fields}


def sse(events) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(event).encode() for event in events) + b"data: [DONE]\n\n"


@pytest.mark.parametrize("count", [1, 31, 32, 33, 100])
def test_all_entries_come_back(count):
    entries = [entry(n) for n in range(count)]
    result = reducer.reduce(sse(chunks(entries)))
    assert result.status == "complete"
    assert result.to_dict()["choices"][0]["logprobs"] == {"content": entries, "refusal": None}
    assert json.loads(result.json()) == result.to_dict()
    assert msgspec.to_builtins(result.body.choices[0].logprobs.content[-1])["token"] == f"é{count - 1}"
    assert pickle.loads(pickle.dumps(result)) == result
    result.to_dict()["choices"][0]["logprobs"]["content"].clear()
    assert len(result.to_dict()["choices"][0]["logprobs"]["content"]) == count


def test_snapshots_and_saved_states_have_them():
    entries = [entry(n) for n in range(80)]
    events = sse(chunks(entries)).split(b"\n\n")
    stream = reducer.Reducer()
    for n, event in enumerate(events[:-1]):
        stream.feed(event + b"\n\n")
        if n == 49:
            assert stream.snapshot().to_dict()["choices"][0]["logprobs"]["content"] == entries[:50]
            stream = reducer.Reducer.resume(stream.save())
    assert stream.close() == reducer.reduce(sse(chunks(entries)))


@pytest.mark.parametrize("odd", ["\ud83d", 10**4000, 1.5], ids=["surrogate", "digits", "unknown field"])
def test_what_is_no_plain_json_stays_an_object(odd):
    entries = [entry(n) for n in range(100)]
    entries[50]["odd"] = odd
    events = list(chunks(entries))
    events[50]["choices"][0]["odd"] = 1
    plain = reducer.reduce(sse(events), lanes=False)
    assert plain == reducer.reduce(sse(events))
    found = plain.to_dict()["choices"][0]["logprobs"]["content"]
    del found[50]["odd"], entries[50]["odd"]
    assert found == entries


def test_entries_that_do_not_encode():
    entries = Entries()
    for n in range(40):
        entries.extend([n], typed=True)
    entries.extend([object()], typed=True)
    built = entries.build()
    assert built[:40] == list(range(40))
    assert len(built) == 41
    for n in range(40):
        entries.extend([n], typed=True)
    assert entries.build()[41:] == list(range(40))


def test_entries_among_which_one_does_not_encode():
    entries = Entries()
    odd = object()
    for n in range(100):
        entries.extend([odd if n == 40 else n], typed=True)
    assert entries.build() == [*range(40), odd, *range(41, 100)]


def test_entries_after_one_that_is_no_plain_json():
    entries = Entries()
    entries.extend([1], typed=True)
    entries.extend([2], typed=False)
    entries.extend([3], typed=False)
    assert entries.build() == [1, 2, 3]


def test_they_take_no_more_than_their_json():
    data = sse(chunks([entry(n) for n in range(2000)]))
    reducer.reduce(data[:2000])
    tracemalloc.start()
    stream = reducer.Reducer()
    stream.feed(data)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert held < 1.5 * len(stream.close().json()) + (64 << 10)
