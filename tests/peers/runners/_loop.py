"""What every runner does beside its peer's work: jobs in, answers out.

Standard input is a JSON list of jobs ``{"id", "dialect", "payloads"}``, standard output one JSON line a job:
``{"id", "outcome": "body" | "raised" | "unsupported", "body", "error"}``. This runs inside a peer's environment
and imports the standard library only.
"""

from __future__ import annotations

import json
import os
import sys
import warnings
from collections.abc import Callable
from typing import Any


def serve(accumulators: dict[str, Callable[[list[Any]], Any]]) -> None:
    """Answer all jobs; an accumulator takes a stream's payloads and returns the peer's final object."""
    warnings.simplefilter("ignore")
    # The peer's own output must not mix with the answers.
    answers, sys.stdout = sys.stdout, open(os.devnull, "w")  # noqa: SIM115  (until the end)
    for job in json.load(sys.stdin):
        answers.write(
            json.dumps({"id": job["id"], **_answer(accumulators.get(job["dialect"]), job["payloads"])}) + "\n"
        )
    answers.flush()


def _answer(accumulate: Callable[[list[Any]], Any] | None, payloads: list[Any]) -> dict[str, Any]:
    if accumulate is None:
        return {"outcome": "unsupported", "body": None, "error": None}
    try:
        return {"outcome": "body", "body": accumulate(payloads), "error": None}
    except Exception as error:  # every exception of a peer is an answer
        return {"outcome": "raised", "body": None, "error": _chain(error)}


def _chain(error: BaseException | None) -> str:
    """Return the names of an exception and of its causes, because some peers raise one type for everything."""
    texts = []
    while error is not None and len(texts) < 4:
        texts.append(f"{type(error).__name__}: {error}"[:300])
        error = error.__cause__ or error.__context__
    return " <- ".join(texts)
