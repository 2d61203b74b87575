"""Where the rules are kept, and how one is registered."""

from __future__ import annotations

import re
from collections.abc import Callable

from tests.peers.compare import Difference, Outcome

Rule = Callable[[Outcome, "Difference | None"], bool]
OnDifference = Callable[[Outcome, Difference, "re.Match[str]"], bool]
OnError = Callable[[Outcome], bool]

# Peer and dialect -> defect -> the rules that recognise it. The first rule that returns true wins.
RULES: dict[str, dict[str, list[Rule]]] = {}


def _register(peers: tuple[str, ...], name: str, rule: Rule) -> None:
    for peer in peers:
        RULES.setdefault(peer, {}).setdefault(name, []).append(rule)


def differs(*peers: str, path: str, name: str) -> Callable[[OnDifference], OnDifference]:
    """Register a rule for the differences whose path matches."""

    def register(rule: OnDifference) -> OnDifference:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            found = re.fullmatch(path, difference.path) if difference is not None else None
            return difference is not None and found is not None and rule(outcome, difference, found)

        _register(peers, name, asked)
        return rule

    return register


def raises(*peers: str, text: str, name: str) -> Callable[[OnError], OnError]:
    """Register a rule for the errors that contain a text."""

    def register(rule: OnError) -> OnError:
        def asked(outcome: Outcome, difference: Difference | None) -> bool:
            return outcome.error is not None and re.search(text, outcome.error) is not None and rule(outcome)

        _register(peers, name, asked)
        return rule

    return register
