"""Forged states: the header and the checksum are right, and the content was changed.

`Reducer.resume` must refuse such a state with `StateError`, or the resumed `Reducer` must work as any other: no method
raises, and no result has the problem ``internal_error``.

By hand, with a number of forgeries and a seed: ``python -m tests.hostile.test_forged_states 50000 1``
"""

import random
import sys
import time
import zlib
from collections import Counter
from contextlib import suppress
from functools import cache
from typing import Any, NamedTuple

import msgspec
import pytest

import reducer
from reducer.reducer import REPAIRS
from tests.helpers import load_sample, sample_names

TAG = "\x00"
STATES = 400  # saved states that are changed again and again
FEW_STATES = 60


class Saved(NamedTuple):
    """A saved state, the rest of its stream, and where it comes from."""

    state: bytes
    rest: bytes
    origin: str


# -- states --------------------------------------------------------------------------------------


def saved_somewhere(rng: random.Random) -> Saved:
    """Return a state that was saved at a random place of one stream, or of two streams after each other."""
    names = sample_names()
    name = rng.choice(names)
    data = load_sample(name).data
    if rng.random() < 0.3:
        data += load_sample(rng.choice(names)).data
    if rng.random() < 0.1:
        data = data.replace(b'data: {"', b'data: {"stream_id":"a","') + data.replace(
            b'data: {"', b'data: {"stream_id":"b","'
        )
    times = iter(range(0, 10**9, 1000))
    options: dict[str, Any] = {
        "repairs": rng.sample(sorted(REPAIRS), rng.choice((0, 0, 1, len(REPAIRS)))),
        "text_keys": rng.choice(((), ("vendor", "usage", "x.y"))),
        "clock": rng.choice((None, lambda: next(times))),
        "fast": rng.random() < 0.7,
    }
    one = reducer.Reducer(**options)
    at = rng.randrange(len(data) + 1)
    size = rng.choice((50, 500, 5000, len(data) + 1))
    for begin in range(0, at, size):
        one.feed(data[begin : min(begin + size, at)])
        if rng.random() < 0.1:
            one.take_results()
    return Saved(one.save(), data[at : at + 20_000], f"{name} at {at}")


@cache
def saved_states(seed: int, count: int) -> list[Saved]:
    """Return saved states; the same seed gives the same ones."""
    rng = random.Random(seed)
    return [saved_somewhere(rng) for _ in range(count)]


# -- forgeries -----------------------------------------------------------------------------------

# -- values that stand in place of others
PLAIN: list[Any] = [
    None, True, False, 0, 1, -1, 7, 255, 2**31, 2**63, -(2**63), 0.5, 1e308, float("nan"), float("inf"),
    "", "a", "data", "text", "content", "type", "stop", "openai.chat", "gemini.generate", "OPEN", b"", b"a", b"\xff", b"{",
    [], [0], [[]], ["a"], {}, {"a": 1}, {"type": "text"}, [{"index": 0}], {1: 2},
]  # fmt: skip
TAGGED: list[Any] = [
    ["same", 0], ["same", 1], ["same", 5], ["same", -1], ["same", 10**6], ["tuple", [1, 2]], ["tuple", [0, b"a"]], ["set", []],
    ["set", ["a"]], ["set", [[]]], ["dict", [[0, 0]]], ["dict", [[None, 1]]], ["bytearray", b"\xff"], ["bytearray", b"ab"],
    ["unset", None], ["decimal", "9" * 4301], ["decimal", "NaN"], ["int", "0x" + "f" * 20000], ["int", "-0x1ffffffffffffffffff"],
    ["str", b"\xed\xa0\x80"], ["frozenset", []], ["struct", "Problem", {"code": "x"}], ["struct", "Limits", {}],
    ["struct", "ProviderError", {"message": 1}], ["unknown", 0], [], ["tuple"],
]  # fmt: skip


def nested(depth: int) -> Any:
    """Return lists in each other."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def places_in(value: Any) -> list[tuple[Any, Any]]:
    """Return every container with every key or place in it."""
    found = []
    containers = [value]
    while containers:
        container = containers.pop()
        for key in container if type(container) is dict else range(len(container)):
            found.append((container, key))
            if type(container[key]) in (dict, list):
                containers.append(container[key])
    return found


def forge(state: bytes, donor: bytes, rng: random.Random) -> bytes:
    """Change one to three places of a state; ``donor`` is another state, whose values may take their places."""
    record, other = decoded(state), decoded(donor)
    with suppress(RecursionError, OverflowError):  # of values that MessagePack cannot write
        for _ in range(rng.choice((1, 1, 1, 2, 3))):
            places = places_in(record)
            if places:
                change(*rng.choice(places), rng.choice((places, places_in(other))), rng)
        return with_checksum(msgspec.msgpack.encode(record))
    return b""


def change(container: Any, key: Any, places: list[tuple[Any, Any]], rng: random.Random) -> None:
    """Change one place; ``places`` are those of other values."""
    value = container[key]
    other, place = rng.choice(places)
    kind = rng.randrange(24)
    if kind < 2:
        container[key] = copied(rng.choice(PLAIN))
    elif kind == 2:
        container[key] = {TAG: rng.choice(TAGGED)}
    elif kind == 3:
        del container[key]
    elif kind == 4:
        container[key], other[place] = copied(other[place]), copied(value)
    elif kind == 5:
        container[key] = copied(other[place])
    elif kind == 6 and type(container) is list:
        container.insert(key, copied(other[place]))
    elif kind == 7:
        container[key] = nested(rng.choice((1, 3, 200, 400, 900)))
    elif kind < 14:
        same = [there[at] for there, at in places if kind_of(there[at]) == kind_of(value)]
        container[key] = copied(rng.choice(same or [value]))
    else:
        container[key] = changed(value, rng)


def kind_of(value: Any) -> Any:
    """Return the type of a value; of an object of the package, its class."""
    tagged = value.get(TAG) if type(value) is dict else None
    return type(value), tagged[: 3 if tagged[:1] == ["object"] else 1] if type(tagged) is list else None


def changed(value: Any, rng: random.Random) -> Any:
    """Return a value of the same type that is a little different."""
    if type(value) is bool:
        return not value
    if type(value) is int:
        return value + rng.choice((-1, 1, -2, 10, -1000, 2**40))
    if type(value) is str:
        at = rng.randrange(len(value) + 1)
        return rng.choice(("", "text", value[:at] + rng.choice("\u20ac{") + value[at + 1 :]))
    if type(value) is bytes:
        at = rng.randrange(len(value) + 1)
        return value[:at] + rng.choice((b"", b"\xff", b"\n", b"{", b'"', b"}")) + value[at + rng.randrange(2) :]
    if type(value) is dict and TAG not in value:
        return {**value, rng.choice(("a", "type", "index", "content")): rng.choice(PLAIN)}
    if type(value) is list:
        return rng.sample(value, rng.randrange(len(value) + 1))
    return copied(rng.choice(PLAIN))


def decoded(state: bytes) -> Any:
    """Return the content of a state."""
    return msgspec.msgpack.decode(state.partition(b"\n")[2])


def copied(value: Any) -> Any:
    """Return a copy, so that no container gets into itself."""
    return msgspec.msgpack.decode(msgspec.msgpack.encode(value))


def with_checksum(packed: bytes) -> bytes:
    """Return a saved state with any content and the right checksum."""
    return b"stream-reducer state 3 %d\n" % zlib.crc32(packed) + packed


# -- using them ----------------------------------------------------------------------------------


def use(state: bytes, rest: bytes, rng: random.Random) -> bool:
    """Resume a state and use every method; return whether `resume` took the state."""
    clock = rng.choice((None, lambda: 5))
    try:
        one = reducer.Reducer.resume(state, clock=clock)
    except reducer.StateError:
        return False
    with suppress(reducer.ProblemError):  # of a state that says `strict`
        use_resumed(one, rest, clock, rng)
    return True


def use_resumed(one: reducer.Reducer, rest: bytes, clock: Any, rng: random.Random) -> None:
    """Use every method of a `Reducer`."""
    look(one.snapshot())
    size = rng.choice((100, 1000, len(rest) + 1))
    middle = rng.randrange(len(rest) + 1)
    feed(one, rest[:middle], size)
    look(one.snapshot())
    one = reducer.Reducer.resume(one.save(), clock=clock)
    for result in one.take_results():
        look(result)
    for line in rest[middle:].splitlines()[:20]:
        one.feed_event(line.removeprefix(b"data:"))
    feed(one, rest[middle:], size)
    assert one.finished in (True, False)
    assert one.ended in (True, False)
    look(one.close(rng.choice((None, "gone"))))
    for result in one.results:
        look(result)


def feed(one: reducer.Reducer, data: bytes, size: int) -> None:
    """Feed data in reads of a size."""
    for begin in range(0, len(data), size):
        one.feed(data[begin : begin + size])


def look(result: reducer.Result) -> None:
    """Call every method of a result."""
    assert [problem for problem in result.problems if problem.code == "internal_error"] == []
    result.json()
    result.to_dict()
    result.view()
    result.row()
    assert result.body is None or result.body is result.body
    assert result == result
    repr(result.problems)


@pytest.mark.parametrize(("seed", "count"), [(1, 300), pytest.param(2, 5_000, marks=pytest.mark.slow)])
def test_forged_states(seed: int, count: int) -> None:
    """A forged state is refused, or it works."""
    rng = random.Random(seed)
    states = saved_states(seed, STATES if count > 1000 else FEW_STATES)
    for _ in range(count):
        saved = rng.choice(states)
        use(forge(saved.state, rng.choice(states).state, rng), saved.rest, rng)


def test_states_that_were_not_changed() -> None:
    """`forge` and `use` refuse nothing by themselves."""
    rng = random.Random(3)
    assert all(use(saved.state, saved.rest, rng) for saved in saved_states(1, FEW_STATES))


def main(count: int, seed: int) -> None:
    """Try many forgeries, and print the kinds of faults."""
    import traceback

    rng = random.Random(seed)
    states = saved_states(seed, STATES)
    for saved in states:
        assert use(saved.state, saved.rest, random.Random(0)), saved.origin
    taken = 0
    faults: Counter[str] = Counter()
    for number in range(count):
        saved = rng.choice(states)
        state = forge(saved.state, rng.choice(states).state, rng)
        begin = time.perf_counter()
        try:
            taken += use(state, saved.rest, rng)
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            where = " < ".join(f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in reversed(frames[-3:]))
            kind = f"{type(error).__name__} {str(error)[:300]} at {where}"
            if kind not in faults:
                print(number, saved.origin, kind, flush=True)
            faults[kind] += 1
        if time.perf_counter() - begin > 1:
            print(number, saved.origin, "took", time.perf_counter() - begin, flush=True)
    print(
        f"{count} forgeries, seed {seed}: {count - taken} refused, {sum(faults.values())} faults of {len(faults)} kinds"
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
