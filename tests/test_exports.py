"""The public names. Adding one is a minor version, taking one away a major one."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import reducer

ROOT = Path(__file__).parent.parent

EXPORTS = {
    "reducer": [
        "ClosedError",
        "ContentError",
        "Limits",
        "MissingExtraError",
        "Problem",
        "ProblemError",
        "ProviderError",
        "Reducer",
        "ReducerError",
        "Result",
        "StateError",
        "Timing",
        "ToolCallView",
        "UsageError",
        "UsageView",
        "View",
        "__version__",
        "reduce",
        "reduce_all",
    ],
    "reducer.captures": ["FORMATS", "Stream", "streams"],
    "reducer.cli": ["main"],
    "reducer.embed": ["Decoder", "decoded"],
    "reducer.outputs": ["FORMATS", "Encode", "encoder"],
}


@pytest.mark.parametrize("module", EXPORTS)
def test_the_public_names_are_these(module):
    """All there, and no other."""
    found = importlib.import_module(module)

    assert found.__all__ == EXPORTS[module]
    assert all(hasattr(found, name) for name in found.__all__)


def test_every_package_is_listed():
    """A new package with public names has its row above."""
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "reducer").rglob("__init__.py")}
    names = {".".join(package.parts) for package in packages}

    # Whoever writes a dialect works on this package, not with it.
    assert names - {"reducer.dialects"} == set(EXPORTS)


@pytest.mark.parametrize("name", [name for name in reducer.__all__ if name != "__version__"])
def test_public_names_say_what_they_are(name):
    """Each has a docstring of at least a sentence."""
    assert getattr(reducer, name).__doc__.strip().split("\n")[0].endswith((".", ":"))


def test_the_version_is_one_of_semver():
    """Three numbers, as the build reads them."""
    assert [int(part) >= 0 for part in reducer.__version__.split(".")] == [True] * 3


def test_importing_needs_only_msgspec():
    """A fresh interpreter loads the standard library and msgspec; openai and the rest come when they are asked for."""
    program = "import sys, msgspec; before = set(sys.modules); import reducer; print(*(set(sys.modules) - before))"

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )

    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded - sys.stdlib_module_names == {"reducer"}
    # A library brings neither an event loop nor a command line with it.
    assert not loaded & {"argparse", "asyncio", "subprocess", "socket", "gzip"}
