"""``python -m tests.peers [--write] [CORPUS]``: what differs between the peers and us, and which defect it is.

Differences that no rule explains are printed in full. ``--write`` lists in ``defects.json`` the samples that show
each defect; review what changes there, as it says what the peers do.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.peers.compare import from_corpus, from_samples, missing, run
from tests.peers.defects import load, shown, write


def main(argv: list[str] | None = None) -> int:
    """Compare, print, and perhaps write; 0 if everything is explained."""
    arguments = sys.argv[1:] if argv is None else argv
    folders = [argument for argument in arguments if argument != "--write"]
    if len(folders) > 1 or any(folder.startswith("-") for folder in folders):
        print("usage: python -m tests.peers [--write] [CORPUS]", file=sys.stderr)
        return 2
    if missing():
        print("python -m tests.peers: make the environments first: python -m tests.peers.environments", file=sys.stderr)
        return 2
    found, unexplained = shown(run(from_samples()))
    if "--write" in arguments:
        write([defect._replace(samples=sorted(found.get(defect.key, ()))) for defect in load()])
    counts = Counter({key: len(names) for key, names in found.items()})
    for folder in folders:
        more, unknown = shown(run(from_corpus(Path(folder))))
        counts.update({key: len(names) for key, names in more.items()})
        unexplained += unknown
    for defect in load():
        print(f"{counts[defect.key]:>5}  {defect.quirk:<4} {defect.key}")
    for line in unexplained:
        print(line)
    print(f"{len(unexplained)} not explained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
