"""What is timed: the reducer, the yardsticks and the rivals, one module each.

A contender is a module with

- ``version()``: of what it stands for,
- ``modes(dialect)``: the ways it reduces that dialect by name, none if it does not speak it.

A `Mode` prepares a stream outside the timing and runs it inside; ``answer`` says what its result means, where
that can be compared. Modules are imported by name, in the process that runs them, and nothing heavy before that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from benchmarks.streams import Stream

OURS = "ours"
FLOOR = "floor"
# By module, as the tables call them.
YARDSTICKS = {"orjson_loads": "orjson.loads", "json_loads": "json.loads", "count": "bytes.count"}
RIVALS = {"openai_sdk": "openai", "litellm_builder": "LiteLLM", "langchain_add": "LangChain"}
LABELS = {OURS: "reducer", FLOOR: "decode floor", **YARDSTICKS, **RIVALS}
# The peers' environments (`tests.peers.environments`) that rivals run in.
ENVIRONMENTS = {"openai_sdk": "openai", "litellm_builder": "litellm", "langchain_add": "langchain"}


class Mode(NamedTuple):
    """One way of reducing a stream."""

    prepare: Callable[[Stream], Any]
    run: Callable[[Any], Any]
    answer: Callable[[Any], dict[str, Any]] | None = None
