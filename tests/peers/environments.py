"""The peers' environments: one each, created once, and kept until its pins change.

``python -m tests.peers.environments`` creates missing environments and prints their paths. An environment is a folder
in ``$REDUCER_PEERS``, or in ``~/.cache/stream-reducer/peers``. Its name has a hash of its pins, so that several
versions of this repository can share environments.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import NamedTuple

PINS = Path(__file__).with_name("peers.toml")
_READY = "ready"  # this file is written last; without it, the installation was interrupted


class Environment(NamedTuple):
    """An environment with its pins, which may not exist yet."""

    name: str
    python: str  # the preferred version; others are used if it is missing
    packages: list[str]

    @property
    def folder(self) -> Path:
        """The path of the environment."""
        pins = "\n".join([self.python, *sorted(self.packages)])
        return root() / f"{self.name}-{hashlib.sha256(pins.encode()).hexdigest()[:16]}"

    @property
    def interpreter(self) -> Path:
        """The path of its Python."""
        return self.folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")

    @property
    def ready(self) -> bool:
        """Whether the environment is completely installed."""
        return (self.folder / _READY).is_file()

    def version(self, package: str) -> str:
        """Return the pinned version of a package."""
        return next(pin.partition("==")[2] for pin in self.packages if pin.partition("==")[0] == package)


def root() -> Path:
    """Return the folder that holds the environments."""
    given = os.environ.get("REDUCER_PEERS")
    return Path(given) if given else Path.home() / ".cache" / "stream-reducer" / "peers"


def environments() -> dict[str, Environment]:
    """Read the pins."""
    pins = tomllib.loads(PINS.read_text("utf-8"))
    return {name: Environment(name, pin["python"], pin["packages"]) for name, pin in pins.items()}


def make(environment: Environment) -> None:
    """Create an environment, unless it exists."""
    if environment.ready:
        return
    folder = environment.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    subprocess.run([_python(environment.python), "-m", "venv", folder], check=True)
    with tempfile.TemporaryDirectory() as temporary:
        pins = Path(temporary) / "pins.txt"
        pins.write_text("\n".join(environment.packages))
        # The pins list all packages, so pip need not resolve dependencies.
        install = [
            environment.interpreter,
            "-m",
            "pip",
            "install",
            "--quiet",
            "--no-deps",
            "--only-binary",
            ":all:",
            "-r",
            pins,
        ]
        subprocess.run(install, check=True)
    subprocess.run([environment.interpreter, "-m", "pip", "check"], check=True, stdout=subprocess.DEVNULL)
    (folder / _READY).touch()


def _python(version: str) -> str:
    """Return an interpreter of this version, or the current one."""
    if sys.version_info[:2] != tuple(map(int, version.split("."))):
        found = shutil.which(f"python{version}")
        # A version manager's shim may be on the path for a version that is not installed.
        if found and subprocess.run([found, "-c", ""], check=False, capture_output=True).returncode == 0:
            return found
    return sys.executable


def main() -> int:
    """Create every environment and print its path."""
    for environment in environments().values():
        state = "there" if environment.ready else "made"
        try:
            make(environment)
        except subprocess.CalledProcessError as error:
            print(f"tests.peers.environments: {environment.name}: {error}", file=sys.stderr)
            return 1
        print(f"{environment.name:<10} {state:<6} {environment.interpreter}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
