"""The batch path changes no result: over samples, recorded streams and mutants. `tests.agreement` tries more."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.agreement import counted, disagreement, inputs
from tests.mutations import SAMPLES, as_arguments, fault, mutant, options_of, seeds, streams

FOLDER = os.environ.get("REDUCER_CORPUS", "")
MUTANTS = 600
MAX_BYTES = 50_000  # longer streams take too long, because each is reduced about ten times


def test_samples() -> None:
    """Every sample gives the same result with and without the batch path, and many are merged by it."""
    faults = []
    with counted() as usage:
        for name, data in streams(SAMPLES):
            if found := disagreement(data, len(data)):
                faults.append(f"{name}: {found}")
            usage.end_stream()

    assert faults == []
    assert usage.streams["the batch path"] > 20


def test_mutants() -> None:
    """Every mutant gives the same result with and without the batch path, for all options, and none causes an internal
    error.
    """
    pool = seeds()
    faults = []
    for number in range(MUTANTS):
        data = mutant(number, pool)
        found = fault(data, number) or disagreement(data, number, **as_arguments(options_of(number)))
        if found:
            faults.append(f"mutant {number}: {found}")

    assert faults == []


@pytest.mark.skipif(not FOLDER, reason="REDUCER_CORPUS names no folder with recorded streams")
def test_recorded_streams() -> None:
    """Every recorded stream of at most `MAX_BYTES` gives the same result with and without the batch path."""
    faults = [
        f"{name}: {found}"
        for name, data, seed, _ in inputs(0, 0, Path(FOLDER))
        if len(data) < MAX_BYTES and (found := disagreement(data, seed))
    ]

    assert faults == []
