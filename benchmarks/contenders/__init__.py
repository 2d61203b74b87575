"""The contenders, one module each: the reducer, an older version of it, parsers and other accumulators.

A contender is a module with

- ``version()``: the version of the software,
- ``modes(dialect)``: the modes in which it reduces a dialect, by name; an empty dict if it does not know the dialect.

`benchmarks.worker` imports each contender in a process of its own, by its name; nothing else imports the heavy ones.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.streams import Stream

OURS = "ours"
OLDER = "older"
FLOOR = "floor"
PARSERS = "parsers"
# By module, as the tables call them.
PEERS = {"openai_sdk": "openai", "litellm_builder": "LiteLLM", "langchain_add": "LangChain"}
LABELS = {OURS: "reducer", OLDER: "older reducer", FLOOR: "decode floor", PARSERS: "parsers", **PEERS}
# The environments (`tests.peers.environments`) that the peers run in.
ENVIRONMENTS = {"openai_sdk": "openai", "litellm_builder": "litellm", "langchain_add": "langchain"}


class Mode(NamedTuple):
    """One way to reduce a stream."""

    prepare: Callable[[Stream], Any]  # not timed; returns the argument of `run`
    run: Callable[[Any], Any]  # timed
    answer: Callable[[Any], dict[str, Any]] | None = None  # the result as `benchmarks.answers` compares it
