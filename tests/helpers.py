"""Load samples, and feed them whole, byte by byte, or in random reads."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, NamedTuple

import reducer
from tests.corpus import random_splits

SAMPLES = Path(__file__).parent.parent / "samples"
_INPUTS = (".sse", ".jsonl", ".in.json")
_EXPECTED = ".expected.json"


class Sample(NamedTuple):
    """A stream from `SAMPLES`, and the expected result of each response."""

    name: str  # inside the folder: openai_chat/text.sse
    data: bytes
    expected: list[dict[str, Any]]


def sample_names() -> list[str]:
    """Return the names of all samples, except those in ``odd/``, which `tests.test_quirks` loads."""
    found = (path.relative_to(SAMPLES).as_posix() for path in SAMPLES.rglob("*") if path.is_file())
    return sorted(name for name in found if name.endswith(_INPUTS) and not name.startswith("odd/"))


def expectation_of(name: str) -> Path:
    """Return the path of the expected results of a sample. Inputs that differ only in framing share one file."""
    for ending in _INPUTS:
        if name.endswith(ending):
            return SAMPLES / (name.removesuffix(ending) + _EXPECTED)
    raise AssertionError(f"{name} is not a sample")


def load_sample(name: str) -> Sample:
    """Load a sample with its expected results."""
    expected = json.loads(expectation_of(name).read_bytes())
    return Sample(name, (SAMPLES / name).read_bytes(), expected if type(expected) is list else [expected])


def feed_whole(data: bytes, **options: Any) -> list[reducer.Result]:
    """Feed a stream in one read; return the results of all its responses."""
    return _fed([data], options)


def feed_bytewise(data: bytes, **options: Any) -> list[reducer.Result]:
    """Feed a stream byte by byte."""
    return _fed([data[at : at + 1] for at in range(len(data))], options)


def feed_random(data: bytes, seed: int, **options: Any) -> list[reducer.Result]:
    """Feed a stream in reads of random sizes; the same seed gives the same sizes."""
    return _fed(random_splits(data, seed), options)


def _fed(pieces: Any, options: dict[str, Any]) -> list[reducer.Result]:
    stream = reducer.Reducer(**options)
    for piece in pieces:
        stream.feed(piece)
    stream.close()
    return stream.results


def outcome(result: reducer.Result) -> dict[str, Any]:
    """Return a result in the form of an expected result."""
    written = {
        "status": result.status,
        "dialect": result.dialect,
        "body": json.loads(result.json()),
        "problems": [problem.code for problem in result.problems],
    }
    if result.error is not None:
        error = result.error
        written["error"] = {
            "type": error.type,
            "code": error.code,
            "message": error.message,
            "param": error.param,
            "raw": error.raw,
        }
    return written


def as_text(outcomes: list[dict[str, Any]]) -> str:
    """Return outcomes as text, so that 1, 1.0 and true differ, and the order of keys does not matter."""
    return json.dumps(outcomes, indent=1, sort_keys=True, ensure_ascii=False)
