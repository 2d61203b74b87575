"""The process of one contender. `benchmarks.processes` starts it and sends it orders.

Orders are lines of JSON on standard input, and each is answered by one line on standard output:

- ``{"version": true}``: the first order; the process imports the contender and answers its version.
- ``{"load": path, "dialect": …, "least": nanoseconds}``: read the pool of streams at this path; the answer is the names
  of the modes.
- ``{"sample": mode}``: the answer is ``[nanoseconds, calls, events]``.
- ``{"answer": mode}``: the contender's result for the first stream of the pool, or ``null``.
- ``{"retained": true}``: the measurement of `benchmarks.memory` for the first stream of the pool, fed one event a read.

A failure is answered as ``{"error": …}``. The process ends when standard input ends.
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
    """A contender and the streams that it works on."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._samplers: dict[str, Sampler] = {}

    def obey(self, order: dict[str, Any]) -> Any:
        """Do what one order asks for and return the answer."""
        if "load" in order:
            return self._load(**order)
        if "sample" in order:
            return self._samplers[order["sample"]].sample()
        if "answer" in order:
            return self._answer(order["answer"])
        if "retained" in order:
            from benchmarks.memory import measure_stream  # imports the reducer, which the peers do not have

            return measure_stream(self._streams[0].events())
        self._contender = importlib.import_module(f"benchmarks.contenders.{self._name}")
        return self._contender.version()

    def _load(self, load: str, dialect: str, least: int) -> list[str]:
        self._streams = pickle.loads(Path(load).read_bytes())
        self._modes = self._contender.modes(dialect)
        pool = Pool(self._streams)
        self._samplers = {name: Sampler(pool, mode.prepare, mode.run, least) for name, mode in self._modes.items()}
        return list(self._modes)

    def _answer(self, name: str) -> Any:
        mode = self._modes[name]
        return mode.answer(mode.run(mode.prepare(self._streams[0]))) if mode.answer is not None else None


def main(name: str) -> None:
    """Obey orders until there are no more."""
    warnings.simplefilter("ignore")
    # A contender may print; its output must not mix with the answers.
    answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115  (until the end)
    worker = Worker(name)
    for line in sys.stdin:
        try:
            answer = worker.obey(json.loads(line))
        except Exception as error:  # every exception of a contender is an answer
            answer = {"error": f"{type(error).__name__}: {error}"[:300]}
        print(json.dumps(answer), file=answers, flush=True)
