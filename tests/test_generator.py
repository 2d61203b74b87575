"""Generated streams give the message from which they were generated: for every dialect, split and repair."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer.dialects.registry import DIALECTS
from tests.corpus import random_splits
from tests.generator import BODIES, EVENTS, Server, Stream, cut, streams
from tests.mutations import REPAIRS

pytestmark = pytest.mark.slow

NAMES = sorted(BODIES)


def canonical(value: Any) -> str:
    """Return a value as text. The texts of 1, 1.0 and true differ; the order of keys does not matter."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def gives_its_message(stream: Stream, results: list[reducer.Result[Any]]) -> None:
    assert len(results) == 1
    result = results[0]

    assert [(p.code, p.seen) for p in result.problems] == []
    assert result.status == "complete"
    assert result.dialect == stream.dialect
    assert canonical(result.to_dict()) == canonical(stream.body)


def test_every_dialect_has_a_generator() -> None:
    """The generator has bodies and events for each dialect of the registry."""
    assert sorted(BODIES) == sorted(EVENTS) == sorted(DIALECTS)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data())
@settings(max_examples=150)
def test_whole(name: str, data: Any) -> None:
    """The bytes of a generated stream give its message, as a dict and as JSON."""
    stream = data.draw(streams(name))
    results = reducer.reduce_all(stream.data)

    gives_its_message(stream, results)
    assert canonical(json.loads(results[0].json())) == canonical(stream.body)


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), seed=st.integers(0, 10_000))
@settings(max_examples=60)
def test_split(name: str, data: Any, seed: int) -> None:
    """Every split of the bytes gives the message, also without the batch path, and with the dialect named."""
    stream = data.draw(streams(name))
    for pieces in (random_splits(stream.data, seed), stream.reads, join_reads(stream.reads, seed)):
        gives_its_message(stream, reducer.reduce_all(pieces))
    gives_its_message(stream, reducer.reduce_all(stream.data, fast=False))
    gives_its_message(stream, reducer.reduce_all(stream.data, dialect=name))


def join_reads(reads: list[bytes], seed: int) -> list[bytes]:
    """Return reads of one to seven events each."""
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
    """Each repair leaves a stream without faults unchanged."""
    stream = data.draw(streams(name))
    gives_its_message(stream, reducer.reduce_all(stream.data, repairs=[repair]))


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), place=st.integers(0, 10_000))
@settings(max_examples=40)
def test_strict_and_snapshots(name: str, data: Any, place: int) -> None:
    """No stream raises under ``strict``, and a snapshot is never `failed`, and `complete` only if the stream is
    finished.
    """
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
    """The fragments of a text join to the text, and no long fragment begins with the text before it."""
    pieces = cut(text, Server(seed))

    assert "".join(pieces) == text
    before = ""
    for piece in pieces:
        assert not (before and len(piece) >= 16 and piece.startswith(before))
        before += piece
