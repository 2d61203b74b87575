"""One contender in a process of its own: ``python -m benchmarks.worker NAME``. `benchmarks.contest` speaks with it.

Orders are lines of JSON on standard input, each answered by one on standard output:

- ``{"load": path, "dialect": …, "least": ns}``: take the pool at the path; answers the names of the modes.
- ``{"sample": mode}``: answers ``[nanoseconds, calls, events]``.
- ``{"answer": mode}``: what the contender made of the first template, or ``null``.
- ``{"version": true}``: the first order, which imports the contender.

What fails is answered as ``{"error": …}``. The process ends with its input.
"""

from __future__ import annotations

import importlib
import json
import os
import pickle
import sys
import warnings
from pathlib import Path
from typing import Any

from benchmarks.sampling import Pool, Sampler


class Worker:
    """A contender and what it is working on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._samplers: dict[str, Sampler] = {}

    def obey(self, order: dict[str, Any]) -> Any:
        """Do what one order says and return the answer."""
        if "load" in order:
            return self._load(**order)
        if "sample" in order:
            return self._samplers[order["sample"]].sample()
        if "answer" in order:
            return self._answer(order["answer"])
        self._contender = importlib.import_module(f"benchmarks.contenders.{self._name}")
        return self._contender.version()

    def _load(self, load: str, dialect: str, least: int) -> list[str]:
        self._templates = pickle.loads(Path(load).read_bytes())
        self._modes = self._contender.modes(dialect)
        pool = Pool(self._templates)
        self._samplers = {name: Sampler(pool, mode.prepare, mode.run, least) for name, mode in self._modes.items()}
        return list(self._modes)

    def _answer(self, name: str) -> Any:
        mode = self._modes[name]
        return mode.answer(mode.run(mode.prepare(self._templates[0]))) if mode.answer is not None else None


def main() -> None:
    """Obey until the orders end."""
    warnings.simplefilter("ignore")
    # What a contender prints belongs to nobody here.
    answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115  (until the end)
    worker = Worker(sys.argv[1])
    for line in sys.stdin:
        try:
            answer = worker.obey(json.loads(line))
        except Exception as error:  # whatever a contender raises is its answer
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    main()
