"""`reducer.types`: the types of bodies, public, and loaded on access."""

import subprocess
import sys
import typing
from pathlib import Path

import pytest

import reducer
from reducer.body import Body
from reducer.dialects.registry import DIALECTS, load
from tests.helpers import load_sample

ROOT = Path(__file__).parent.parent
MODULES = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "anthropic": "anthropic.messages",
    "gemini": "gemini.generate",
    "completions": "openai.completions",
}


def structs_in(annotation):
    """Return the structs that an annotation names, and those of their fields."""
    if isinstance(annotation, type) and issubclass(annotation, Body):
        return {annotation}.union(*map(structs_in, typing.get_type_hints(annotation).values()))
    return set().union(*map(structs_in, typing.get_args(annotation)))


def test_every_dialect_has_a_module():
    """And `reducer.types` has no other module."""
    assert sorted(MODULES.values()) == sorted(DIALECTS)
    assert sorted(MODULES) == reducer.types.__all__


@pytest.mark.parametrize(("name", "dialect"), MODULES.items())
def test_modules_have_every_type_of_their_body(name, dialect):
    """Under their own names; the typed body is one of them."""
    module = getattr(reducer.types, name)
    public = {getattr(module, name) for name in module.__all__}

    assert public == structs_in(load(dialect).body)
    assert [getattr(module, name).__name__ for name in module.__all__] == sorted(module.__all__)


def test_bodies_have_these_types():
    """What an annotation says is what a result holds."""
    body = reducer.reduce(load_sample("openai_chat/tool-call.sse").data).body

    assert type(body) is reducer.types.chat.ChatCompletion
    assert type(body.choices[0].message) is reducer.types.chat.Message
    assert type(body.choices[0].message.tool_calls[0].function) is reducer.types.chat.Function


@pytest.mark.parametrize("module", [reducer, reducer.types])
def test_other_names_do_not_exist(module):
    """The message is Python's."""
    with pytest.raises(AttributeError, match=f"^module '{module.__name__}' has no attribute 'tides'$"):
        _ = module.tides


def test_types_are_loaded_on_access():
    """`import reducer` loads no dialect; an access loads only the dialect that it names."""
    program = (
        "import sys, reducer; before = set(sys.modules); reducer.types.chat.Message; "
        "print(*(name for name in before if name.startswith(('reducer.types', 'reducer.dialects.openai')))); "
        "print(*(name for name in sys.modules if name.startswith('reducer.types')))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )

    assert run.stdout.splitlines() == ["", "reducer.types reducer.types.chat"]


def test_modules_can_be_imported():
    """Like any module."""
    program = "from reducer.types import gemini; from reducer.types.responses import Response; print(gemini.Part.__name__, Response.__name__)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )

    assert run.stdout == "Part Response\n"
