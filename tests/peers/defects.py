"""The list of the peers' defects in `defects.json`, and the streams that show them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from tests.peers.compare import Outcome
from tests.peers.rules import explained

LIST = Path(__file__).with_name("defects.json")


class Defect(NamedTuple):
    """One fault of one peer in one dialect."""

    peer: str
    version: str  # of the peer; the defects are reviewed for each new version
    dialect: str
    defect: str
    quirk: str  # the id of a quirk, or - with a reason
    what: str
    samples: list[str]  # the names of the samples that show the defect
    reason: str | None = None  # why the defect belongs to no quirk

    @property
    def key(self) -> str:
        """The name under which its rule is registered."""
        return f"{self.peer}/{self.dialect}/{self.defect}"


def load() -> list[Defect]:
    """Read the list."""
    return [Defect(**entry) for entry in json.loads(LIST.read_text("utf-8"))]


def write(defects: Iterable[Defect]) -> None:
    """Write the list."""
    entries: list[dict[str, Any]] = []
    for defect in defects:
        entry = {key: value for key, value in defect._asdict().items() if value is not None and key != "samples"}
        entries.append({**entry, "samples": defect.samples})
    LIST.write_text(json.dumps(entries, ensure_ascii=False, indent=1) + "\n", "utf-8")


def shown(outcomes: Iterable[Outcome]) -> tuple[dict[str, set[str]], list[str]]:
    """Return the streams that show each defect, and a line for each unexplained difference."""
    found: dict[str, set[str]] = {}
    unexplained = []
    for outcome in outcomes:
        for key, difference in explained(outcome):
            if key is not None:
                found.setdefault(key, set()).add(outcome.stream.name)
            elif difference is None:
                unexplained.append(f"{outcome.peer}: {outcome.stream.name}: raised {outcome.error}")
            else:
                path, ours, theirs = difference
                unexplained.append(
                    f"{outcome.peer}: {outcome.stream.name}: {path}: ours {ours!r:.200}, theirs {theirs!r:.200}"
                )
    return found, unexplained
