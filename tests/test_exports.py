"""The public names. Adding a name is a minor version, removing one is a major version."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

import reducer

ROOT = Path(__file__).parent.parent

EXPORTS = {
    "reducer": [
        "ROW",
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
        "iter_results",
        "reduce",
        "reduce_all",
    ],
    "reducer.captures": ["FORMATS", "Stream", "streams"],
    "reducer.cli": ["main"],
    "reducer.embed": [
        "EXCHANGE_ROW",
        "Decoder",
        "Exchange",
        "ReduceMiddleware",
        "Reports",
        "Request",
        "StartedRequest",
        "atee",
        "decoded",
        "force_flush",
        "shutdown",
        "tee",
        "write_jsonl",
    ],
    "reducer.outputs": ["FORMATS", "Encode", "encoder"],
    "reducer.types": ["anthropic", "chat", "completions", "gemini", "responses"],
}


@pytest.mark.parametrize("module", EXPORTS)
def test_public_names(module):
    """`__all__` has exactly these names, and all of them exist."""
    found = importlib.import_module(module)

    assert found.__all__ == EXPORTS[module]
    assert all(hasattr(found, name) for name in found.__all__)


def test_every_package_is_listed():
    """Every package with public names has a row in `EXPORTS`."""
    packages = {path.parent.relative_to(ROOT) for path in (ROOT / "reducer").rglob("__init__.py")}
    names = {".".join(package.parts) for package in packages}

    internal = {name for name in names if name.startswith(("reducer.dialects", "reducer.fast"))}
    assert names - internal == set(EXPORTS)


@pytest.mark.parametrize("name", [name for name in reducer.__all__ if name not in ("ROW", "__version__")])
def test_public_names_have_docstrings(name):
    """The first line of each docstring is a sentence."""
    assert getattr(reducer, name).__doc__.strip().split("\n")[0].endswith((".", ":"))


def test_version_has_three_numbers():
    """As semantic versioning demands; the build reads the version too."""
    assert [int(part) >= 0 for part in reducer.__version__.split(".")] == [True] * 3


def test_import_loads_only_msgspec():
    """A fresh interpreter loads nothing but msgspec and the standard library. SDKs are imported on demand."""
    program = "import sys, msgspec; before = set(sys.modules); import reducer; print(*(set(sys.modules) - before))"

    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True, cwd=ROOT
    )

    loaded = {name.partition(".")[0] for name in run.stdout.split()}
    assert loaded - sys.stdlib_module_names == {"reducer"}
    # A library must not load an event loop or a command line parser.
    assert not loaded & {"argparse", "asyncio", "subprocess", "socket", "gzip"}
