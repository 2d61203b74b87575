"""The types that type checkers infer for callers: `tests/typing`, checked by mypy and pyright."""

import ast
import importlib.util
import inspect
import os
import pydoc
import re
import subprocess
import sys
from pathlib import Path
from typing import get_type_hints

import pytest

import reducer
from reducer.reducer import Keywords
from tests.typing import overloads

ROOT = Path(__file__).parent.parent


def check(checker, *arguments):
    """Run a type checker on files of the repository; show its output if it fails."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    run = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
        env={**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_stub_is_generated():
    """The stub has the overloads of every dialect in the registry: run `python -m tests.typing.overloads`."""
    assert overloads.STUB.read_text("utf-8") == overloads.stub()


def test_the_stub_has_the_names_of_the_module():
    """Each function of the stub also exists at run time."""
    declared = {node.name for node in ast.parse(overloads.stub()).body if isinstance(node, ast.FunctionDef)}

    assert declared <= set(vars(reducer.dialects.overloads))


def test_keywords_are_the_options():
    """`Keywords` has each option of `Reducer` with its type."""
    options = get_type_hints(reducer.Reducer.__init__)

    assert get_type_hints(Keywords) == {
        name: options[name]
        for name, parameter in inspect.signature(reducer.Reducer).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    }


@pytest.mark.parametrize(
    ("public", "parameters"),
    [
        (reducer.Reducer, ["dialect", *get_type_hints(Keywords)]),
        (reducer.reduce, ["data", "dialect", "options"]),
        (reducer.reduce_all, ["data", "dialect", "options"]),
    ],
)
def test_help_shows_the_signature(public, parameters):
    """The overloads are for type checkers. At run time, the function keeps its signature and docstring."""
    page = pydoc.plaintext.document(public)

    assert list(inspect.signature(public).parameters) == parameters
    assert f"{public.__name__}({parameters[0]}" in re.sub(r"[\s|]", "", page)  # 3.13 writes one parameter a line
    assert inspect.getdoc(public).partition("\n")[0] in page


@pytest.mark.slow
def test_mypy_knows_the_interface():
    """mypy accepts `tests/typing` in strict mode."""
    check("mypy", "--strict", "tests/typing/api.py")


@pytest.mark.slow
def test_pyright_knows_the_interface():
    """pyright accepts `tests/typing` in strict mode."""
    check("pyright", "--pythonpath", sys.executable, "tests/typing")
