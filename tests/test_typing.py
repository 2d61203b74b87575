"""The types that an embedder's checker sees: `tests/typing` through mypy and pyright."""

import importlib.util
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reducer.dialects import DIALECTS

ROOT = Path(__file__).parent.parent


def check(checker, *arguments):
    """Run a checker over the folder; show what it says if it says anything."""
    if importlib.util.find_spec(checker) is None:
        pytest.skip(f"{checker} is not installed")
    run = subprocess.run(
        [sys.executable, "-m", checker, *arguments],
        capture_output=True, text=True, timeout=300, cwd=ROOT, check=False,
        env={**os.environ, "MYPYPATH": str(ROOT), "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1"},
    )  # fmt: skip
    assert run.returncode == 0, run.stdout + run.stderr


def test_every_dialect_has_its_types():
    """The table says of each name what a checker is to know: as `Reducer`, `reduce` and `reduce_all` take it."""
    names = re.findall(r'Literal\["([\w.]+)"\]', (ROOT / "reducer" / "dialects" / "_table.py").read_text("utf-8"))
    assert {name: names.count(name) for name in names} == dict.fromkeys(DIALECTS, 3)


@pytest.mark.slow
def test_mypy_knows_the_interface():
    """In strict mode."""
    check("mypy", "--strict", "tests/typing/api.py")


@pytest.mark.slow
def test_pyright_knows_the_interface():
    """In strict mode, as pyproject says."""
    check("pyright", "--pythonpath", sys.executable, "tests/typing")
