"""Contenders against each other: one process each, sampled by turns.

All processes live at once, but only one works at any time: a round takes one sample of every mode of every
contender, the decode floor first, and a ratio is that of two samples of the same round. So what slows the
machine for a while slows both. The figure that is reported is the median of the rounds' ratios. Who needs seconds
for one stream takes part in fewer rounds.
"""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from operator import truediv
from pathlib import Path
from statistics import median
from types import TracebackType
from typing import Any, NamedTuple

from benchmarks import answers
from benchmarks.contenders import ENVIRONMENTS, FLOOR, LABELS, OURS, RIVALS, YARDSTICKS
from benchmarks.floor import readable
from benchmarks.sampling import Method
from benchmarks.workloads import Samples, Workload

_ROOT = Path(__file__).parents[1]

_LONGEST = 5_000_000_000  # nanoseconds: who has used as much gets no further rounds

Key = tuple[str, str]  # contender, mode


class Outcome(NamedTuple):
    """What a contest over one workload found."""

    events: int  # of a stream, in the mean
    size: int  # bytes of a stream, in the mean
    floor: float  # nanoseconds an event
    ratios: dict[Key, float]
    disagrees: dict[str, list[str]]  # rival -> facets, none where it agrees
    failed: dict[str, str]  # rival -> error


class Process:
    """A worker."""

    def __init__(self, name: str, python: str) -> None:
        self.name = name
        environment = {**os.environ, "PYTHONPATH": str(_ROOT)}
        command = [python, "-m", "benchmarks.worker", name]
        self._process = subprocess.Popen(
            command,
            cwd=_ROOT,
            env=environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.version = self.ask(version=True)

    def ask(self, **order: Any) -> Any:
        """Give an order and return the answer; raise `Failed` if there is none."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline() or '{"error": "the process ended"}')
        if isinstance(answer, dict) and "error" in answer:
            raise Failed(answer["error"])
        return answer

    def end(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.communicate()


class Failed(Exception):
    """A contender cannot do it; the text says why."""


class Contest:
    """The processes of a run."""

    def __init__(self, method: Method, *, rivals: bool = True) -> None:
        self._method = method
        self._processes: list[Process] = []
        self.missing: dict[str, str] = {}  # label -> why
        for name in (FLOOR, OURS, *YARDSTICKS, *(RIVALS if rivals else ())):
            try:
                self._processes.append(Process(name, _python(name)))
            except Failed as error:
                if name in (FLOOR, OURS):
                    raise
                self.missing[LABELS[name]] = str(error)

    def __enter__(self) -> Contest:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.end()

    def versions(self) -> dict[str, str]:
        """Return what takes part, by its label."""
        return {LABELS[process.name]: process.version for process in self._processes}

    def run(self, workload: Workload | Samples) -> Outcome:
        """Let all who speak its dialect reduce a workload."""
        templates = [stream for stream in workload.pool() if readable(stream)]
        failed: dict[str, str] = {}
        with tempfile.NamedTemporaryFile() as file:
            file.write(pickle.dumps(templates))
            file.flush()
            modes = [
                (process, mode)
                for process in self._processes
                for mode in process.ask(load=file.name, dialect=workload.dialect, least=self._method.least)
            ]
        disagrees = self._compared(modes, failed) if workload.dialect else {}
        taken: dict[Key, list[float]] = {
            (process.name, mode): [] for process, mode in modes if process.name not in failed
        }
        spent = dict.fromkeys(taken, 0)
        for _ in range(self._method.repeat):
            for process, mode in modes:
                key = process.name, mode
                if key in taken and spent[key] < _LONGEST:
                    nanoseconds, _, events = process.ask(sample=mode)
                    taken[key].append(nanoseconds / events)
                    spent[key] += nanoseconds
        floor = taken[FLOOR, ""]
        return Outcome(
            events=sum(len(stream.payloads()) for stream in templates) // len(templates),
            size=sum(len(stream.data) for stream in templates) // len(templates),
            floor=median(floor),
            ratios={key: median(map(truediv, times, floor)) for key, times in taken.items()},
            disagrees=disagrees,
            failed=failed,
        )

    def _compared(self, modes: Iterable[tuple[Process, str]], failed: dict[str, str]) -> dict[str, list[str]]:
        """Compare what each made of the first stream; our own modes must agree with each other."""
        disagrees: dict[str, list[str]] = {}
        mine: answers.Answer | None = None
        for process, mode in modes:
            try:
                answer = process.ask(answer=mode)
            except Failed as error:
                if process.name not in RIVALS:
                    raise
                failed[process.name] = str(error)
                continue
            if process.name == OURS:
                mine = answer if mine is None else mine
                assert answer == mine, f"{mode}: {answers.difference(mine, answer)}"
            elif answer is not None and mine is not None:
                disagrees[process.name] = answers.difference(mine, answer)
        return disagrees


def _python(name: str) -> str:
    """Return the interpreter that a contender runs in."""
    if name not in ENVIRONMENTS:
        return sys.executable
    from tests.peers.environments import environments

    environment = environments()[ENVIRONMENTS[name]]
    if not environment.ready:
        raise Failed("not installed: python -m tests.peers.environments")
    return str(environment.interpreter)
