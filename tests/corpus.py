"""Compare recorded streams with their expected bodies, reduced whole and in random reads.

``python -m tests.corpus DIR`` prints each difference with its path inside the body, and a table of equal and different
streams by dialect and provider. Each line of ``DIR/index.jsonl`` has the ``path`` and the ``dialect`` of a stream;
``DIR/expected/<path>.json`` has its expected results. Both bodies are normalised before the comparison: a key whose value
is null or [] counts as absent, and a float without a fraction counts as an integer.
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

# Names of dialects in the corpus, and ours.
NAMES = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "anthropic": "anthropic.messages",
    "completions": "openai.completions",
    "gemini": "gemini.generate",
}


def normalised(value: Any) -> Any:
    """Return a value without nulls and empty lists, and with whole floats as integers."""
    if isinstance(value, dict):
        kept = {key: normalised(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry is not None and entry != []}
    if isinstance(value, list):
        return [normalised(entry) for entry in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def differences(expected: Any, actual: Any, path: str = "") -> Iterator[str]:
    """Yield a line for each path at which two normalised values differ."""
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
    """Cut bytes at random places, into single bytes up to large reads."""
    rng = random.Random(seed)
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 7, 40, 300, 4096))
        yield data[at : at + size]
        at += size


def rows(folder: Path) -> Iterator[dict[str, Any]]:
    """Yield the rows of the index whose dialect is known."""
    with (folder / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            row = json.loads(line)
            if NAMES.get(row["dialect"], row["dialect"]) in NAMES.values():
                yield row


def check(folder: Path, row: dict[str, Any]) -> list[str]:
    """Reduce one stream whole and in random reads; return a line for each difference from the expected results."""
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
    """Run from the command line. Return 0 if every stream gives its expected results."""
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
