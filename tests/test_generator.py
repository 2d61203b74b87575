"""Message to stream to the same message: for every dialect, every shape, every split, every repair."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer.dialects import DIALECTS
from reducer.engine import REPAIRS
from tests.corpus import random_splits
from tests.generator import BODIES, EVENTS, Server, Stream, cut, streams

pytestmark = pytest.mark.slow

NAMES = sorted(DIALECTS)


def canonical(value: Any) -> str:
    """The value for comparison: 1, 1.0 and true differ, the order of keys does not count."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def gives_its_message(stream: Stream, results: list[reducer.Result[Any]]) -> None:
    assert len(results) == 1
    result = results[0]

    assert [(p.code, p.seen) for p in result.problems] == []
    assert result.status == "complete"
    assert result.dialect == stream.dialect
    assert canonical(result.to_dict()) == canonical(stream.body)


def test_every_dialect_has_a_generator() -> None:
    """A new dialect needs one."""
    assert sorted(BODIES) == sorted(EVENTS) == NAMES


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150)
def test_whole(name: str, data: Any) -> None:
    """The bytes of a message's stream give the message; its JSON says the same."""
    stream = data.draw(streams(name))
    results = reducer.reduce_all(stream.data)

    gives_its_message(stream, results)
    assert canonical(json.loads(results[0].json())) == canonical(stream.body)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_split(name: str, data: Any, seed: int) -> None:
    """So they do in any split, event by event, and without lanes."""
    stream = data.draw(streams(name))
    for pieces in (random_splits(stream.data, seed), stream.reads, several(stream.reads, seed)):
        gives_its_message(stream, reducer.reduce_all(pieces))
    gives_its_message(stream, reducer.reduce_all(stream.data, lanes=False))
    gives_its_message(stream, reducer.reduce_all(stream.data, dialect=name))


def several(reads: list[bytes], seed: int) -> list[bytes]:
    """One to seven events a read."""
    rng = random.Random(seed)
    joined = []
    at = 0
    while at < len(reads):
        size = rng.randint(1, 7)
        joined.append(b"".join(reads[at : at + size]))
        at += size
    return joined


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("repair", sorted(REPAIRS))
@given(data=st.data())
@settings(max_examples=40)
def test_repairs_change_nothing(name: str, repair: str, data: Any) -> None:
    """With a repair on, conforming streams are unchanged (semantics, decision 11)."""
    stream = data.draw(streams(name))
    gives_its_message(stream, reducer.reduce_all(stream.data, repairs=[repair]))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), place=st.integers(0, 10_000))
@settings(max_examples=40)
def test_strict_and_snapshots(name: str, data: Any, place: int) -> None:
    """A conforming stream passes ``strict``, and a snapshot on the way is neither failed nor complete too early."""
    stream = data.draw(streams(name))
    watched = reducer.Reducer(strict=True)
    for number, read in enumerate(stream.reads):
        if number == place % len(stream.reads):
            snapshot = watched.snapshot()
            assert snapshot.status in ("empty", "truncated", "complete")
            assert (snapshot.status == "complete") == watched.finished
        watched.feed(read)
    watched.close()

    gives_its_message(stream, watched.results)


@given(text=st.text(), seed=st.integers(0, 10_000))
def test_cut(text: str, seed: int) -> None:
    """The pieces of a text make the text, and none looks like the whole so far."""
    pieces = cut(text, Server(seed))

    assert "".join(pieces) == text
    before = ""
    for piece in pieces:
        assert not (before and len(piece) >= 16 and piece.startswith(before))
        before += piece
