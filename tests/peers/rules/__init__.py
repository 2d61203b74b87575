"""Which difference is which defect: one function a defect, a module a peer.

A rule gets an `Outcome` and one of its differences, or None where the peer raised, and says whether this is its
defect. It must know it from the payloads: wherever that takes a line, it works out what the defect makes of
them and compares, so that no mistake of ours can pass for one of theirs. The texts are in ``defects.json``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.peers.compare import Difference, Outcome
from tests.peers.rules import shared  # noqa: F401  (for what it registers, and first)
from tests.peers.rules.registry import RULES

# isort: split
from tests.peers.rules import anthropic, langchain, litellm, openai  # noqa: F401  (for what they register)

__all__ = ["RULES", "explained"]


def explained(outcome: Outcome) -> Iterator[tuple[str | None, Difference | None]]:
    """Yield the defect behind each difference of an outcome, and behind its error; None where no rule knows it."""
    defects = RULES[f"{outcome.peer}/{outcome.stream.dialect}"]
    for difference in outcome.differences or ([None] if outcome.error is not None else []):
        known = (name for name, rules in defects.items() if any(rule(outcome, difference) for rule in rules))
        name = next(known, None)
        yield name and f"{outcome.peer}/{outcome.stream.dialect}/{name}", difference
