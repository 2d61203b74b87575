"""``python -m tests.peers [--write] [CORPUS]``: list the differences between the peers and us, and their defects.

Unexplained differences are printed in full. ``--write`` updates the samples of each defect in ``defects.json``; review
the changes in this file.
"""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.peers.compare import from_corpus, from_samples, missing, run
from tests.peers.defects import load, shown, write


def main(argv: list[str] | None = None) -> int:
    """Run from the command line. Return 0 if every difference is explained."""
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
    print(f"{len(unexplained)} unexplained")
    return 1 if unexplained else 0


if __name__ == "__main__":
    sys.exit(main())
