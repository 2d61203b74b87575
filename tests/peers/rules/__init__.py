"""Rules that recognise the peers' defects: one function for each defect, one module for each peer.

A rule gets an `Outcome` and one of its differences, or None if the peer raised, and returns whether its defect explains
the difference. Where possible, a rule computes the defect's effect from the payloads and compares it with the peer's
value, so that a mistake of ours is unlikely to be taken for a defect. The texts are in ``defects.json``.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.peers.compare import Difference, Outcome
from tests.peers.rules import shared  # noqa: F401  (registers its rules, and must be first)
from tests.peers.rules.registry import RULES

# isort: split
from tests.peers.rules import anthropic, langchain, litellm, openai  # noqa: F401  (they register their rules)

__all__ = ["RULES", "explained"]


def explained(outcome: Outcome) -> Iterator[tuple[str | None, Difference | None]]:
    """Yield the defect for each difference of an outcome, or for its error; None if no rule recognises it."""
    defects = RULES[f"{outcome.peer}/{outcome.stream.dialect}"]
    for difference in outcome.differences or ([None] if outcome.error is not None else []):
        known = (name for name, rules in defects.items() if any(rule(outcome, difference) for rule in rules))
        name = next(known, None)
        yield name and f"{outcome.peer}/{outcome.stream.dialect}/{name}", difference
