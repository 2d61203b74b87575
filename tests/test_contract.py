"""The rules for every dialect in the registry. A new dialect is tested here with its samples."""

import copy
import inspect
import pickle
import sys
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import pytest

import reducer
from reducer.detect import detect, is_end_marker
from reducer.dialects.contract import Options, State
from reducer.dialects.registry import DIALECTS, load
from reducer.framing import Framer
from reducer.saving import Saved
from tests.helpers import load_sample, sample_names
from tests.mutations import events_of

NAMES = sorted(DIALECTS)
OPTIONS = Options(reducer.Limits(), frozenset(), frozenset())


def ignore_problem(code: str, seen: Any, chosen: Any) -> None:
    """A report function that does nothing."""


def new_state(name: str) -> Any:
    """Return a new state of a dialect."""
    return load(name).new_state(OPTIONS, ignore_problem)


def modules_of(name: str) -> list[Any]:
    """Return the modules of a dialect: its file, or those of its package."""
    root = f"reducer.dialects.{DIALECTS[name].module}"
    load(name)
    return [module for path, module in sys.modules.items() if path == root or path.startswith(root + ".")]


def samples_of(name: str) -> list[str]:
    """Return the names of the samples whose first result has this dialect."""
    return [sample for sample in sample_names() if load_sample(sample).expected[0]["dialect"] == name]


@pytest.mark.parametrize("name", NAMES)
def test_name(name: str) -> None:
    """A dialect has the name and the typed body with which it is registered."""
    assert load(name).name == name
    assert load(name).body.__name__ == DIALECTS[name].body


@pytest.mark.parametrize("name", NAMES)
def test_theory(name: str) -> None:
    """The docstring of a dialect's module explains its stream, before anything else."""
    (docstring,) = [module.__doc__ for module in modules_of(name) if hasattr(module, "DIALECT")]

    assert "Theory of operation" in docstring


@pytest.mark.parametrize("name", NAMES)
def test_handlers(name: str) -> None:
    """There are handlers for each phase, and a new state is in one of the phases."""
    dialect = load(name)

    assert dialect.handlers
    assert all(callable(handler) for handlers in dialect.handlers.values() for handler in handlers.values())
    assert any(new_state(name).handlers is handlers for handlers in dialect.handlers.values())


@pytest.mark.parametrize("name", NAMES)
def test_new_states_share_nothing(name: str) -> None:
    """Two new states share no mutable value, are not finished, and have no content."""
    dialect = load(name)
    one, two = new_state(name), new_state(name)

    for slot in set(slots(type(one))) - set(State.unsaved):
        value = getattr(one, slot)
        assert not isinstance(value, dict | list | set) or value is not getattr(two, slot), slot
    assert not one.begun
    assert not dialect.is_finished(one)
    assert not dialect.has_content(one)


def slots(cls: type) -> list[str]:
    """Return the names of all slots of a class and its bases."""
    return [name for base in cls.__mro__ for name in vars(base).get("__slots__", ())]


@pytest.mark.parametrize("name", NAMES)
def test_state_can_be_saved(name: str) -> None:
    """Every class of a dialect's state has slots and derives from `Saved`."""
    classes = [
        found
        for module in modules_of(name)
        if not module.__name__.endswith(".fast")  # batches keep nothing
        for _, found in inspect.getmembers(module, inspect.isclass)
        if found.__module__ == module.__name__ and not issubclass(found, msgspec.Struct | tuple)
    ]

    assert isinstance(new_state(name), State)
    assert type(new_state(name)) in classes
    assert [found for found in classes if not issubclass(found, Saved) or "__slots__" not in vars(found)] == []


@pytest.mark.parametrize("name", NAMES)
def test_samples(name: str) -> None:
    """A dialect has samples, and reduces each of them if it is named."""
    found = samples_of(name)

    assert found
    for sample in found:
        assert reducer.reduce(load_sample(sample).data, dialect=name).dialect == name


@pytest.mark.parametrize("name", NAMES)
def test_terminal_pattern(name: str) -> None:
    """A payload that finishes the response matches the dialect's pattern, or is an end marker."""
    for sample in samples_of(name):
        stream: Any = reducer.Reducer(name)
        framer = Framer(1 << 26)
        data = load_sample(sample).data
        for payload, event_name, _ in [*framer.feed(data), *framer.flush()]:
            was_finished = stream.finished
            stream.feed_event(payload, event_name)
            if stream.finished and not was_finished:
                assert is_end_marker(payload) or load(name).terminal_pattern.search(payload), (sample, payload)


# The stems of samples with texts, and with calls that the caller has to run. A view shows these while they arrive.
SHOWN = {
    "text", "thinking", "reasoning-content", "reasoning-text", "reasoning-summary", "refusal", "tool-call", "tool-use",
    "function-call",
}  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_first_content_has_a_time(name: str) -> None:
    """The first content arrives with the read after which a view first shows something."""
    samples = [sample for sample in samples_of(name) if Path(sample).stem in SHOWN and sample.endswith(".sse")]

    assert samples
    for sample in samples:
        ticks = iter(range(10_000))
        stream: Any = reducer.Reducer(clock=partial(next, ticks), started=0)
        first = None
        for place, event in enumerate(load_sample(sample).data.split(b"\n\n")):
            stream.feed(event + b"\n\n")
            view = stream.snapshot().view()
            if first is None and view and (view.text or view.reasoning or view.refusal or view.tool_calls):
                first = place

        assert stream.close().timing.first_content == first, sample


@pytest.mark.parametrize("name", NAMES)
def test_recognises_only_its_own_events(name: str) -> None:
    """A dialect recognises no decisive event of another dialect's samples."""

    def is_decisive(event: object) -> bool:
        dialect = detect(event) if isinstance(event, dict) else None
        return dialect is not None and dialect.is_decisive(event)

    for other in NAMES:
        for sample in samples_of(other):
            first = next(filter(is_decisive, events_of(load_sample(sample).data)), None)
            if first is not None and other != name:
                assert not load(name).recognise(first), sample


@pytest.mark.parametrize("name", NAMES)
def test_typed_body(name: str) -> None:
    """The typed body of every sample can be compared, copied and pickled, and has every key."""
    for sample in samples_of(name):
        result = reducer.reduce(load_sample(sample).data)
        again = pickle.loads(pickle.dumps(result))

        assert again == result
        assert again.body == result.body == copy.deepcopy(result.body)
        if result.body is not None:
            assert missing_paths(result.body, result.to_dict() or {}) == [], sample


def missing_paths(body: Any, wire: dict[str, Any], path: str = "") -> list[str]:
    """Return the path of each value of a plain body that is not in the typed body."""
    names = dict(zip(type(body).__struct_encode_fields__, type(body).__struct_fields__, strict=True))
    found = []
    for key, value in wire.items():
        there = getattr(body, names[key]) if key in names and key != "extra" else body.extra.get(key)
        if isinstance(there, msgspec.Struct) and isinstance(value, dict):
            found += missing_paths(there, value, f"{path}.{key}")
        elif isinstance(there, list) and isinstance(value, list) and len(there) == len(value):
            for entry, item in zip(there, value, strict=True):
                if isinstance(entry, msgspec.Struct):
                    found += missing_paths(entry, item, f"{path}.{key}[]")
                elif entry != item:
                    found.append(f"{path}.{key}[]")
        elif there != value and not (value is None and there == []):
            found.append(f"{path}.{key}")
    return found
