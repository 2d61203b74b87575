"""The processes of the contenders in the sections `speed`, `memory` and `peers`, and the rounds of sampling.

Each contender has a process of its own, because an older version has the same import name and the peers need other
dependencies. Only one process works at any time. A round takes one sample of each mode, and every second round goes
through the modes backwards. A ratio compares two samples of the same round, so a machine that is slow for a while slows
both; the median of the rounds' ratios is reported.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from operator import truediv
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any

from benchmarks.contenders import ENVIRONMENTS, LABELS, OLDER, OURS, PEERS
from benchmarks.sampling import Method
from benchmarks.streams import Stream

ROOT = Path(__file__).parents[1]
_MOST_PEER_TIME = 5_000_000_000  # nanoseconds; a mode of a peer that has used more gets no further rounds
# An older version must be imported from its own installation, so the path to this repository is the last one then.
_START = (
    "import sys; root, place, name = sys.argv[1:]; sys.path.insert(int(place), root); "
    "from benchmarks.worker import main; main(name)"
)
_FIRST, _LAST = 0, 1_000_000

Key = tuple[str, str]  # contender, mode
Times = dict[Key, list[float]]  # nanoseconds an event, one entry a round


class Failed(Exception):
    """A contender cannot do something; the message gives the reason."""


class Process:
    """The process of one contender (`benchmarks.worker`)."""

    def __init__(self, name: str, python: str = sys.executable) -> None:
        self.name = name
        place = _LAST if name == OLDER else _FIRST
        self._process = subprocess.Popen(
            [python, "-P", "-c", _START, str(ROOT), str(place), name],
            env={key: value for key, value in os.environ.items() if key != "PYTHONPATH"},
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.version = self.ask(version=True)

    def ask(self, **order: Any) -> Any:
        """Send an order and return the answer; raise `Failed` if there is none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise Failed("the process has ended") from None
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process has ended"}')
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(answer["error"])
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class Processes:
    """The processes of one section, used as a context manager."""

    def __init__(self, method: Method) -> None:
        self._method = method
        self.all: dict[str, Process] = {}
        self.missing: dict[str, str] = {}  # label -> why the contender does not take part

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.all.values():
            process.end()

    def start(self, name: str, python: str | None = None, *, is_optional: bool = False) -> None:
        """Start a contender; one that is optional and cannot start goes to `missing`."""
        try:
            self.all[name] = Process(name, python or _find_python(name))
        except Failed as error:
            if not is_optional:
                raise Failed(f"{LABELS[name]}: {error}") from None
            self.missing[LABELS[name]] = str(error)

    def start_reducers(self, older: str | None) -> None:
        """Start the reducer and, if its interpreter is given, the older version.

        Both run in the same interpreter, so that its version, and that of msgspec, make no difference.
        """
        self.start(OURS, older)
        if older is not None:
            self.start(OLDER, older)

    def versions(self) -> dict[str, str]:
        """Return the versions of the contenders, by label."""
        return {LABELS[name]: process.version for name, process in self.all.items()}

    def load(self, streams: list[Stream], dialect: str) -> list[Key]:
        """Give all processes the streams of a workload; return the modes of all contenders."""
        with tempfile.NamedTemporaryFile() as file:
            file.write(pickle.dumps(streams))
            file.flush()
            return [
                (name, mode)
                for name, process in self.all.items()
                for mode in process.ask(load=file.name, dialect=dialect, least=self._method.least)
            ]

    def time(self, keys: Sequence[Key]) -> Times:
        """Sample modes in rounds. Modes that are compared should be neighbours."""
        times: Times = {key: [] for key in keys}
        spent = dict.fromkeys(keys, 0)
        for number in range(self._method.repeat):
            for key in keys if number % 2 == 0 else reversed(keys):
                name, mode = key
                if name not in PEERS or spent[key] < _MOST_PEER_TIME:
                    nanoseconds, _, events = self.all[name].ask(sample=mode)
                    times[key].append(nanoseconds / max(events, 1))
                    spent[key] += nanoseconds
        return times


def ratio(times: Times, key: Key, base: Key) -> float | None:
    """Return the median of the rounds' ratios; ``None`` if one of the modes was not sampled."""
    return median(map(truediv, times[key], times[base])) if times.get(key) and times.get(base) else None


def _find_python(name: str) -> str:
    """Return the interpreter that a contender runs in."""
    if name not in ENVIRONMENTS:
        return sys.executable
    from tests.peers.environments import environments

    environment = environments()[ENVIRONMENTS[name]]
    if not environment.ready:
        raise Failed("not installed: python -m tests.peers.environments")
    return str(environment.interpreter)
