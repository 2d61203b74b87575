"""The corpus door: recorded streams with expected bodies, reduced whole and in random splits.

``python -m tests.corpus DIR`` prints a table of streams, equal and different, by dialect and provider,
and for each difference the path inside the body. The folder is laid out as its README says: ``index.jsonl``
and ``expected/<path>.json``. Bodies are compared after one normalisation of both sides: a key whose value is
null or [] counts as absent, a float that is whole is that integer, and nothing else is forgiven.
"""

from __future__ import annotations

import json
import random
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import reducer
from reducer.dialects import DIALECTS

# The folder's names for the dialects.
NAMES = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "anthropic": "anthropic.messages",
    "completions": "openai.completions",
    "gemini": "gemini.generate",
}


def normalised(value: Any) -> Any:
    """Forgive what the corpus' rules of comparison forgive."""
    if isinstance(value, dict):
        kept = {key: normalised(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry is not None and entry != []}
    if isinstance(value, list):
        return [normalised(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Name every path at which two normalised values differ."""
    if type(expected) is dict and type(actual) is dict:
        for key in expected.keys() | actual.keys():
            here = f"{path}.{key}" if path else key
            if key not in actual:
                yield f"{here}: missing, expected {expected[key]!r:.100}"
            elif key not in expected:
                yield f"{here}: not expected, got {actual[key]!r:.100}"
            else:
                yield from differences(expected[key], actual[key], here)
    elif type(expected) is list and type(actual) is list:
        if len(expected) != len(actual):
            yield f"{path}: {len(actual)} entries, expected {len(expected)}"
        for place, (left, right) in enumerate(zip(expected, actual, strict=False)):
            yield from differences(left, right, f"{path}[{place}]")
    elif type(expected) is not type(actual) or expected != actual:
        yield f"{path}: got {actual!r:.100}, expected {expected!r:.100}"


def random_splits(data: bytes, seed: int) -> Iterator[bytes]:
    """Cut bytes at random places, from single bytes to large reads."""
    rng = random.Random(seed)
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 7, 40, 300, 4096))
        yield data[at : at + size]
        at += size


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """The streams of the dialects that exist."""
    with (folder / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            row = json.loads(line)
            if NAMES.get(row["dialect"], row["dialect"]) in DIALECTS:
                yield row


def check(folder: Path, row: dict[str, Any]) -> list[str]:
    """Reduce one stream whole and split; return every difference from what is expected."""
    data = (folder / row["path"]).read_bytes()
    expected = json.loads((folder / "expected" / (row["path"] + ".json")).read_bytes())
    whole = reducer.reduce_all(data)
    split = reducer.reduce_all(random_splits(data, seed=len(data)))
    found = [] if whole == split else ["the result depends on how the bytes are split"]
    if len(whole) != len(expected):
        found.append(f"{len(whole)} responses, expected {len(expected)}")
    for place, (want, result) in enumerate(zip(expected, whole, strict=False)):
        name = NAMES.get(row["dialect"], row["dialect"])
        if result.dialect is not None and result.dialect != name:
            found.append(f"{place}: dialect {result.dialect}, expected {name}")
        if result.status != want["status"]:
            found.append(f"{place}: status {result.status}, expected {want['status']}")
        found += differences(normalised(want["body"]), normalised(json.loads(result.json())), "body")
    return found


def main(argv: list[str] | None = None) -> int:
    """Run the corpus; 0 if every stream is as expected."""
    arguments = sys.argv[1:] if argv is None else argv
    if len(arguments) != 1:
        print("usage: python -m tests.corpus DIR", file=sys.stderr)
        return 2
    folder = Path(arguments[0])
    if not (folder / "index.jsonl").is_file():
        print(f"python -m tests.corpus: {folder} has no index.jsonl", file=sys.stderr)
        return 2
    equal: Counter[tuple[str, str]] = Counter()
    different: Counter[tuple[str, str]] = Counter()
    for row in rows(folder):
        key = (row["dialect"], row.get("provider") or "?")
        found = check(folder, row)
        if found:
            different[key] += 1
            print(row["path"])
            for line in found[:10]:
                print(f"    {line}")
        else:
            equal[key] += 1
    print(f"\n{'dialect':<12} {'provider':<20} {'streams':>7} {'equal':>7} {'different':>9}")
    for key in sorted(equal.keys() | different.keys()):
        print(f"{key[0]:<12} {key[1]:<20} {equal[key] + different[key]:>7} {equal[key]:>7} {different[key]:>9}")
    total, wrong = equal.total() + different.total(), different.total()
    print(f"{'all':<33} {total:>7} {equal.total():>7} {wrong:>9}")
    return 1 if wrong or not total else 0


if __name__ == "__main__":
    sys.exit(main())
