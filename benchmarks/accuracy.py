"""How many streams of the corpus each accumulator gets right: ``python -m benchmarks accuracy [CORPUS]``.

CORPUS is a folder of recorded streams with expected bodies (`tests.corpus`); the default is ``$REDUCER_CORPUS``.
A peer is right if its final object agrees with the expected body in every field that this object can express
(`tests.peers.forms`); the faults of the peers are in ``tests/peers/defects.json``. A stream on which our own body
differs from the expected one counts as wrong for us, and is left out for the peers.
"""

from __future__ import annotations

import os
import platform
import sys
from collections import Counter
from datetime import date
from pathlib import Path

import reducer
from tests import corpus
from tests.peers import compare

DIALECTS = {
    "openai.chat": "Chat Completions",
    "openai.responses": "Responses",
    "anthropic.messages": "Anthropic Messages",
    "openai.completions": "legacy completions",
    "gemini.generate": "Gemini",
}
NAMES = {
    "openai": "openai {}, `lib.streaming`",
    "anthropic": "anthropic {}, `messages.stream`",
    "anthropic-beta": "anthropic {}, `beta.messages.stream`",
    "litellm": "litellm {}, `stream_chunk_builder`",
    "langchain": "{}, chunks added",
}
VERDICTS = ("right", "wrong", "raised")


def compare_all(folder: Path) -> str:
    """Return the table of all dialects and accumulators."""
    streams = list(compare.from_corpus(folder))
    disputed = {row["path"] for row in corpus.rows(folder) if corpus.check(folder, row)}
    outcomes = compare.run(stream for stream in streams if stream.name not in disputed)
    counts = Counter((outcome.stream.dialect, outcome.peer, outcome.verdict) for outcome in outcomes)
    failed = {outcome.stream.name for outcome in outcomes if outcome.stream.result.status == "failed"}
    lines = [
        "| dialect | accumulator | streams | right | wrong | raised |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    for dialect, title in DIALECTS.items():
        names = [stream.name for stream in streams if stream.dialect == dialect]
        wrong = sum(name in disputed for name in names)
        ours = f"**stream-reducer {reducer.__version__}**"
        lines.append(f"| {title} | {ours} | {len(names)} | {len(names) - wrong} | {wrong} | 0 |")
        for peer in compare.PEERS:
            if dialect in peer.packages:
                version = peer.version(dialect)
                name = NAMES[peer.name].format(
                    f"{peer.packages[dialect]} {version}" if peer.name == "langchain" else version
                )
                figures = [counts[dialect, peer.name, verdict] for verdict in VERDICTS]
                lines.append(f"| | {name} | {sum(figures)} | {' | '.join(map(str, figures))} |")
    note = (
        f"{date.today().isoformat()}, Python {platform.python_version()}, {len(streams)} recorded streams. "
        "All accumulators got framed payloads; a peer is compared only in the fields that its final object has. "
        f"In {len(failed)} of the streams the provider reported an error, which the peers raise."
    )
    return "\n".join([*lines, "", note])


def main(argv: list[str] | None = None) -> int:
    """Print the table."""
    arguments = sys.argv[1:] if argv is None else argv
    folder = Path(arguments[0] if arguments else os.environ.get("REDUCER_CORPUS", ""))
    if len(arguments) > 1 or not (folder / "index.jsonl").is_file():
        print("usage: python -m benchmarks accuracy CORPUS, a folder with an index.jsonl", file=sys.stderr)
        return 2
    if missing := compare.missing():
        names = ", ".join(environment.name for environment in missing)
        print(
            f"python -m benchmarks accuracy: not installed: {names}; run python -m tests.peers.environments",
            file=sys.stderr,
        )
        return 2
    print(compare_all(folder))
    return 0
