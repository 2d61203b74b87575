"""The reducer: in every feed, and plain (``lanes=False``) or trusting (``trust_done=True``) where it can be."""

from __future__ import annotations

import platform
from functools import partial
from typing import Any

import reducer
from benchmarks import answers
from benchmarks.contenders import Mode
from benchmarks.feeds import FEEDS, OPTIONS


def version() -> str:
    """Return the reducer's and Python's."""
    return f"{reducer.__version__} on CPython {platform.python_version()}"


def modes(dialect: str) -> dict[str, Mode]:
    """Return the feeds by name, with variants as ``whole, plain``."""
    found = {}
    for name, (prepare, run) in FEEDS.items():
        found[name] = Mode(prepare, run, partial(_answer, dialect))
        if "lanes" in OPTIONS:
            found[f"{name}, plain"] = Mode(prepare, partial(run, lanes=False), partial(_answer, dialect))
        if "trust_done" in OPTIONS and dialect == "openai.responses":
            found[f"{name}, trusting"] = Mode(prepare, partial(run, trust_done=True), partial(_answer, dialect))
    return found


def _answer(dialect: str, result: reducer.Result[Any]) -> dict[str, Any]:
    assert result.status == "complete", result.problems
    return answers.OF[dialect](result.to_dict()) if dialect in answers.OF else {}
