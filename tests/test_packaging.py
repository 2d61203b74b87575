"""The wheel and the source distribution: their contents, and the installed package in a fresh environment."""

import importlib.util
import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

import reducer

ROOT = Path(__file__).parent.parent
NEEDED = ("build", "hatchling")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        any(importlib.util.find_spec(name) is None for name in NEEDED), reason=f"needs {' and '.join(NEEDED)}"
    ),
]


def run(*command, cwd, **options):
    # Neither this checkout nor this environment's packages may leak in.
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    done = subprocess.run(
        list(map(str, command)), cwd=cwd, env=clean, capture_output=True, timeout=600, check=False, **options
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory):
    """Build a source distribution, and a wheel from it. Return their folder."""
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist):
    (path,) = dist.glob("*.whl")
    return path


def test_the_wheel_contains_the_package_and_nothing_else(wheel):
    """The wheel has every module and stub, the marker for type checkers, and the licence."""
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.partition("/")[0] for name in names}

    assert wheel.name == f"stream_reducer-{reducer.__version__}-py3-none-any.whl"
    assert tops == {"reducer", f"stream_reducer-{reducer.__version__}.dist-info"}
    assert "reducer/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert {name for name in names if name.endswith((".py", ".pyi"))} == {
        path.relative_to(ROOT).as_posix() for path in (ROOT / "reducer").rglob("*") if path.suffix in (".py", ".pyi")
    }


def test_the_source_distribution_has_the_tests_and_samples(dist):
    """It has the files that the tests need, and no caches or environments."""
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}

    assert {"README.md", "CHANGELOG.md", "LICENSE", "pyproject.toml", "tests/test_cli.py"} <= names
    assert any(name.startswith("samples/openai_chat/") for name in names)
    assert not [name for name in names if "__pycache__" in name or name.startswith((".ci", ".venv"))]


def test_the_installed_wheel_works_without_the_source(wheel, tmp_path):
    """A fresh environment has only the wheel and msgspec; the import, the command and the module work."""
    (tmp_path / "hi.sse").write_bytes((ROOT / "samples/seed/chat-text.sse").read_bytes())
    venv.create(tmp_path / "venv", with_pip=True)
    scripts = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin")

    run(scripts / "python", "-m", "pip", "install", "-q", "--disable-pip-version-check", wheel, cwd=tmp_path)
    listing = "from importlib.metadata import distributions; print(*(found.name for found in distributions()))"
    listed = run(scripts / "python", "-Ic", listing, cwd=tmp_path).decode().split()
    where = run(scripts / "python", "-Ic", "import reducer; print(reducer.__file__)", cwd=tmp_path).decode()
    by_command = run(scripts / "reducer", "hi.sse", cwd=tmp_path)
    by_module = run(scripts / "python", "-m", "reducer", "hi.sse", cwd=tmp_path)
    version = run(scripts / "reducer", "--version", cwd=tmp_path).decode()

    assert where.startswith(str(tmp_path))
    assert set(listed) - {"pip", "setuptools"} == {"msgspec", "stream-reducer"}
    assert b'"status":"complete"' in by_command
    assert by_command == by_module
    assert version == f"reducer {reducer.__version__}\n"
