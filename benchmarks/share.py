"""The share of the corpus' events that batches merge: ``python -m benchmarks share [--top N] [--all-keys]``.

Every recorded stream is reduced in one read. For each dialect the command prints the share of events that the batch
path merged, and the most frequent shapes of the other events. Frequent shapes are candidates for a batch struct.

A shape is the sorted set of an event's keys. By default, keys with empty values are left out, and so are the keys
of the envelope, which have equal values in all events of a stream. ``--all-keys`` counts the full sets of keys, which a
strict struct has to declare; the type of each value stands after its key.

The reasons: ``begins``: the dialect is not detected yet. ``no batch``: the dialect proposed no batch after the event
before. ``refused``: the proposed batch did not accept the event, or pauses after a refusal.

This is the only module of the benchmarks that looks inside the reducer: it wraps `BatchPath.merge`.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import patch

import reducer
from benchmarks.goals import SHARE
from benchmarks.recorded import find_corpus, read_streams
from benchmarks.report import MET, MISSED, table
from reducer.fast.batches import BatchPath

_ENVELOPE = {"id", "object", "created", "model", "system_fingerprint", "service_tier", "obfuscation", "type"}
_ENVELOPE |= {"index", "sequence_number", "item_id", "output_index", "content_index", "summary_index"}
_ENVELOPE |= {"responseId", "modelVersion"}
# Values that are shown as one key, whatever they contain.
_LEAVES = {"usage", "usageMetadata", "logprobs", "content_filter_results", "args", "response", "item", "part"}
_EXAMPLE_LENGTH = 160  # characters of an example


class Counts:
    """How many events of one dialect each path merged."""

    def __init__(self) -> None:
        self.batched = 0
        self.others: Counter[tuple[str, str]] = Counter()  # (shape, reason) -> events
        self.examples: dict[str, bytes] = {}  # shape -> the first payload of this shape

    @property
    def total(self) -> int:
        """The number of all events."""
        return self.batched + self.others.total()

    @property
    def share(self) -> float:
        """The share of events that batches merged."""
        return self.batched / self.total if self.total else 0.0


def count_events(folder: Path, *, all_keys: bool = False) -> dict[str, Counts]:
    """Reduce every stream of the corpus; return the counts by dialect."""
    merge = BatchPath.merge
    counts: dict[str, Counts] = {}
    current = Counts()

    def counting_merge(self: BatchPath, responses: Any, frames: Any, place: int) -> int:
        begins = responses.current.dialect is None
        end = merge(self, responses, frames, place)
        current.batched += end - place
        if end < len(frames.payloads):
            payload = bytes(frames.payloads[end])
            reason = "begins" if begins else "no batch" if self._batch is None else "refused"
            _count_event(current, payload, reason, all_keys=all_keys)
        return end

    with patch.object(BatchPath, "merge", counting_merge):
        for dialect, _, data in read_streams(folder):
            current = counts.setdefault(dialect, Counts())
            reducer.reduce_all(data)
    return counts


def _count_event(counts: Counts, payload: bytes, reason: str, *, all_keys: bool) -> None:
    """Count an event that the event path merges; end markers are not events."""
    if payload.strip() in (b"", b"[DONE]"):
        return
    try:
        event = json.loads(payload)
    except ValueError:
        shape = "(not JSON)"
    else:
        shape = find_shape(event, all_keys=all_keys)
    counts.others[shape, reason] += 1
    counts.examples.setdefault(shape, payload)


def find_shape(event: Any, *, all_keys: bool = False) -> str:
    """Return the shape of an event, such as ``choices.delta.content+role choices.finish_reason``."""
    if not isinstance(event, dict):
        return f"({type(event).__name__})"
    keys: dict[str, set[str]] = {}
    for parent, key in _walk(event, "", all_keys=all_keys):
        keys.setdefault(parent, set()).add(key)
    parts = [f"{parent}.{'+'.join(sorted(names))}".lstrip(".") for parent, names in sorted(keys.items())]
    kind = event.get("type")
    delta = event.get("delta")
    if isinstance(delta, dict) and isinstance(delta.get("type"), str):
        kind = f"{kind} {delta['type']}"
    return ": ".join([*([kind] if isinstance(kind, str) else []), " ".join(parts) or "(nothing)"])


def _walk(value: dict[str, Any], parent: str, *, all_keys: bool) -> Iterator[tuple[str, str]]:
    """Yield the path of the parent and the key of every leaf."""
    for key, entry in value.items():
        if not all_keys and (key in _ENVELOPE or entry is None or entry in ("", [], {})):
            continue
        objects = [one for one in (entry if isinstance(entry, list) else [entry]) if isinstance(one, dict)]
        if objects and key not in _LEAVES:
            for one in objects:
                yield from _walk(one, f"{parent}.{key}".lstrip("."), all_keys=all_keys)
        else:
            yield parent, f"{key}:{_type_name(entry)}" if all_keys else key


def _type_name(value: Any) -> str:
    return "null" if value is None else type(value).__name__


def measure() -> dict[str, Any]:
    """Return the share of each dialect; none without the corpus."""
    folder = find_corpus()
    return {"rows": _rows(count_events(folder)) if folder is not None else []}


def _rows(counts: dict[str, Counts]) -> list[dict[str, Any]]:
    return [
        {"dialect": dialect, "events": found.total, "batched": found.batched, "share": found.share}
        for dialect, found in counts.items()
    ]


def markdown(result: dict[str, Any]) -> str:
    """Return the table of shares."""
    if not result["rows"]:
        return "Skipped, because REDUCER_CORPUS names no corpus."
    lines = [
        [
            row["dialect"],
            f"{row['events']:,}",
            f"{row['batched']:,}",
            f"{row['share']:.1%} {MET if row['share'] >= SHARE else MISSED}",
        ]
        for row in result["rows"]
    ]
    return f"Goal: ≥ {SHARE:.0%}.\n\n{table(['dialect', 'events', 'batched', 'share'], lines)}"


def shapes_markdown(counts: dict[str, Counts], top: int) -> str:
    """Return for each dialect the table of shapes that no batch merged."""
    parts = []
    for dialect, found in counts.items():
        lines = [
            [f"`{shape}`", reason, f"{count:,}", f"{count / found.total:.1%}", f"`{_example(found.examples[shape])}`"]
            for (shape, reason), count in found.others.most_common(top)
        ]
        parts.append(f"### {dialect}: not batched")
        parts.append(table(["shape", "reason", "events", "of all", "example"], lines))
    return "\n\n".join(parts)


def _example(payload: bytes) -> str:
    text = payload[:_EXAMPLE_LENGTH].decode("utf-8", "replace").replace("|", "\\|").replace("`", "'")
    return text + (" …" if len(payload) > _EXAMPLE_LENGTH else "")


def main(argv: list[str]) -> int:
    """Print the tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks share", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--top", type=int, default=15, metavar="N", help="shapes to show for each dialect (15)")
    parser.add_argument("--all-keys", action="store_true", help="count full sets of keys, with the types of the values")
    arguments = parser.parse_args(argv)
    folder = find_corpus()
    if folder is None:
        print("python -m benchmarks share: REDUCER_CORPUS names no corpus", file=sys.stderr)
        return 2
    counts = count_events(folder, all_keys=arguments.all_keys)
    print(markdown({"rows": _rows(counts)}), shapes_markdown(counts, arguments.top), sep="\n\n")
    return 0
