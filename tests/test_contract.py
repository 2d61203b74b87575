"""What every dialect owes, checked over the table of dialects: a new one is tested without another line."""

import ast
import inspect
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import reducer
from reducer.dialects import DIALECTS, detect, load
from reducer.dialects._dialect import Options, State
from reducer.saving import Saved
from tests.helpers import load_sample, sample_names

NAMES = sorted(DIALECTS)


def ignore(code: str, seen: Any, chosen: Any) -> None:
    """A report that nobody reads."""


def new_state(name: str) -> Any:
    """A fresh state of a dialect."""
    return load(name).state(Options(reducer.Limits(), frozenset(), frozenset()), ignore)


def samples_of(name: str) -> list[str]:
    """The samples whose first result is of this dialect."""
    return [sample for sample in sample_names() if load_sample(sample).expected[0]["dialect"] == name]


@pytest.mark.parametrize("name", NAMES)
def test_named(name: str) -> None:
    """A dialect carries the name it is listed under."""
    assert load(name).name == name


@pytest.mark.parametrize("name", NAMES)
def test_rows(name: str) -> None:
    """Every phase has a row of handlers, and a fresh state stands in one of them."""
    dialect = load(name)

    assert dialect.handlers
    assert all(callable(handler) for row in dialect.handlers.values() for handler in row.values())
    assert any(new_state(name).row is row for row in dialect.handlers.values())


@pytest.mark.parametrize("name", NAMES)
def test_fresh_states_share_nothing(name: str) -> None:
    """Two fresh states are independent, unfinished, and without a body."""
    dialect = load(name)
    one, two = new_state(name), new_state(name)
    mutable = [getattr(one, slot) for slot in slots(type(one)) if isinstance(getattr(one, slot), dict | list | set)]

    assert not [
        value
        for value in mutable
        if any(value is getattr(two, slot) for slot in slots(type(two))) and value is not one.row
    ]
    assert not dialect.finished(one)
    assert not dialect.has_content(one)
    assert dialect.build(one, ignore) is None


def slots(cls: type) -> list[str]:
    """All slots of a class."""
    return [name for base in cls.__mro__ for name in vars(base).get("__slots__", ())]


@pytest.mark.parametrize("name", NAMES)
def test_state_can_be_saved(name: str) -> None:
    """Every class of a dialect's state has slots and may be part of a saved state."""
    module = sys.modules[load(name).state.__module__]
    classes = [c for _, c in inspect.getmembers(module, inspect.isclass) if c.__module__ == module.__name__]
    state_classes = [c for c in classes if "__slots__" in vars(c) and not issubclass(c, msgspec.Struct | tuple)]

    assert any(issubclass(c, State) for c in state_classes)
    assert [c for c in state_classes if not issubclass(c, Saved)] == []


@pytest.mark.parametrize("name", NAMES)
def test_samples(name: str) -> None:
    """A dialect has samples, and the first event of each is recognised as its own by detection."""
    found = samples_of(name)

    assert found
    for sample in found:
        assert reducer.reduce(load_sample(sample).data, dialect=name).dialect == name


# Texts of every kind, and calls that are the caller's to run: a view shows these as they come.
SHOWN = {
    "text", "thinking", "reasoning-content", "reasoning-text", "reasoning-summary", "refusal", "tool-call", "tool-use",
    "function-call",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_first_content_is_timed(name: str) -> None:
    """The first content came with the bytes that first make a view show something; empty starts are none."""
    samples = [sample for sample in samples_of(name) if Path(sample).stem in SHOWN and sample.endswith(".sse")]

    assert samples
    for sample in samples:
        ticks = iter(range(10_000))
        stream: Any = reducer.Reducer(clock=partial(next, ticks))
        first = None
        for place, piece in enumerate(load_sample(sample).data.splitlines(keepends=True)):
            stream.feed(piece)
            view = stream.snapshot().view()
            if first is None and view and (view.text or view.reasoning or view.refusal or view.tool_calls):
                first = place

        assert stream.close().timing.first_content == first, sample


@pytest.mark.parametrize("name", NAMES)
def test_recognises_only_its_own(name: str) -> None:
    """No event of another dialect's samples is taken for one of this dialect's, but one that does not tell."""
    from tests.mutations import events_of

    def tells(event: object) -> bool:
        dialect = detect(event) if isinstance(event, dict) else None
        return dialect is not None and dialect.decides(event)

    for other in NAMES:
        for sample in samples_of(other):
            first = next(filter(tells, events_of(load_sample(sample).data)), None)
            if first is not None and other != name:
                assert not load(name).recognise(first), sample


@pytest.mark.parametrize("name", NAMES)
def test_sections(name: str) -> None:
    """A dialect's file has the same sections in the same order."""
    source = Path(inspect.getfile(load(name).state)).read_text()
    order = ["wire events", "final object", "state", "handlers", "table", "dialect"]
    places = [source.find(f"# -- {section} --") for section in order]

    assert "Theory of operation" in (ast.get_docstring(ast.parse(source)) or "")
    assert -1 not in places
    assert places == sorted(places)


@pytest.mark.parametrize("name", NAMES)
def test_typed_body(name: str) -> None:
    """The typed body of every sample can be read, compared, copied and pickled, and keeps every key."""
    import copy
    import pickle

    for sample in samples_of(name):
        result = reducer.reduce(load_sample(sample).data)
        again = pickle.loads(pickle.dumps(result))

        assert again == result
        assert again.body == result.body == copy.deepcopy(result.body)
        if result.body is not None:
            assert lost(result.body, result.to_dict() or {}) == [], sample


def lost(body: Any, wire: dict[str, Any], path: str = "") -> list[str]:
    """The paths of the wire's values that a typed body does not say."""
    names = dict(zip(type(body).__struct_encode_fields__, type(body).__struct_fields__, strict=True))
    found = []
    for key, value in wire.items():
        there = getattr(body, names[key]) if key in names and key != "extra" else body.extra.get(key)
        if isinstance(there, msgspec.Struct) and isinstance(value, dict):
            found += lost(there, value, f"{path}.{key}")
        elif isinstance(there, list) and isinstance(value, list) and len(there) == len(value):
            for entry, item in zip(there, value, strict=True):
                if isinstance(entry, msgspec.Struct):
                    found += lost(entry, item, f"{path}.{key}[]")
                elif entry != item:
                    found.append(f"{path}.{key}[]")
        elif there != value and not (value is None and there == []):
            found.append(f"{path}.{key}")
    return found
