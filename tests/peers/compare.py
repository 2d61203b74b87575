"""Run the peers on streams, and find the differences between their final objects and ours."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import reducer
from tests import corpus
from tests.helpers import SAMPLES
from tests.peers.environments import Environment, environments
from tests.peers.forms import FORMS
from tests.peers.streams import payloads

RUNNERS = Path(__file__).parent / "runners"
TIMEOUT = 600


class Peer(NamedTuple):
    """Another accumulator."""

    name: str
    environment: str
    packages: dict[str, str]  # dialect -> the package that accumulates it
    command: tuple[str, ...]

    def version(self, dialect: str) -> str:
        """Return the pinned version of the package that accumulates a dialect."""
        return environments()[self.environment].version(self.packages[dialect])


# google-genai is missing, because it does not join chunks (see peers.toml).
PEERS = [
    Peer("openai", "openai", {"openai.chat": "openai", "openai.responses": "openai"}, ("run_openai.py",)),
    Peer("anthropic", "anthropic", {"anthropic.messages": "anthropic"}, ("run_anthropic.py",)),
    Peer("anthropic-beta", "anthropic", {"anthropic.messages": "anthropic"}, ("run_anthropic.py", "--beta")),
    Peer("litellm", "litellm", {"openai.chat": "litellm", "openai.completions": "litellm"}, ("run_litellm.py",)),
    Peer(
        "langchain",
        "langchain",
        {
            "openai.chat": "langchain-openai",
            "openai.responses": "langchain-openai",
            "anthropic.messages": "langchain-anthropic",
            "gemini.generate": "langchain-google-genai",
        },
        ("run_langchain.py",),
    ),
]


class Stream(NamedTuple):
    """One stream, and our result."""

    name: str
    dialect: str
    payloads: list[Any]
    result: reducer.Result[Any]
    body: Any  # ours, as plain data


class Outcome(NamedTuple):
    """The result of one peer for a stream, and ours."""

    peer: str
    stream: Stream
    ours: Any  # in the form of the comparison
    theirs: Any
    error: str | None  # the exception of the peer
    differences: list[Difference]

    @property
    def verdict(self) -> str:
        """The verdict on the peer: right, wrong or raised."""
        if self.error is not None:
            return "raised"
        return "wrong" if self.differences else "right"


class Difference(NamedTuple):
    """A place where a peer's final object differs from ours. Absent is None."""

    path: str
    ours: Any
    theirs: Any


def load(name: str, data: bytes) -> Stream | None:
    """Reduce a stream. Return None if there is nothing to compare: several responses, no events, or no dialect."""
    results = reducer.reduce_all(data)
    found = payloads(data)
    if len(results) != 1 or results[0].dialect is None or not found:
        return None
    return Stream(name, results[0].dialect, found, results[0], json.loads(results[0].json()))


def from_corpus(folder: Path) -> Iterator[Stream]:
    """Load every stream of a corpus."""
    for row in corpus.rows(folder):
        stream = load(row["path"], (folder / row["path"]).read_bytes())
        if stream is not None:
            yield stream


def from_samples() -> Iterator[Stream]:
    """Load every sample that is a stream, except those that test only framing."""
    for path in sorted(path for ending in ("*.sse", "*.jsonl") for path in SAMPLES.rglob(ending)):
        name = path.relative_to(SAMPLES).as_posix()
        stream = None if name.startswith("odd/framing/") else load(name, path.read_bytes())
        if stream is not None:
            yield stream


def missing() -> list[Environment]:
    """Return the environments that are not installed."""
    return [environment for environment in environments().values() if not environment.ready]


def run(streams: Iterable[Stream]) -> list[Outcome]:
    """Run every peer on every stream of its dialects."""
    streams = list(streams)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        # The slowest peers are last in the list, so they start first.
        found = list(pool.map(lambda peer: _run(peer, streams), reversed(PEERS)))
    return [outcome for outcomes in reversed(found) for outcome in outcomes]


def _run(peer: Peer, streams: list[Stream]) -> list[Outcome]:
    mine = [stream for stream in streams if stream.dialect in peer.packages]
    jobs = [{"id": place, "dialect": stream.dialect, "payloads": stream.payloads} for place, stream in enumerate(mine)]
    command = [environments()[peer.environment].interpreter, RUNNERS / peer.command[0], *peer.command[1:]]
    # The peer must not import from this repository or this environment.
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE_", "COV_"))
    }
    done = subprocess.run(
        command, input=json.dumps(jobs), capture_output=True, text=True, env=environment, timeout=TIMEOUT, check=False
    )
    answers = {answer["id"]: answer for answer in map(json.loads, done.stdout.splitlines())}
    if done.returncode or len(answers) != len(jobs):
        raise RuntimeError(
            f"{peer.name}: exit {done.returncode}, {len(answers)} of {len(jobs)} answers\n{done.stderr[-2000:]}"
        )
    return [_outcome(peer.name, stream, answers[place]) for place, stream in enumerate(mine)]


def _outcome(peer: str, stream: Stream, answer: dict[str, Any]) -> Outcome:
    if answer["outcome"] != "body":
        return Outcome(peer, stream, None, None, answer["error"] or answer["outcome"], [])
    form = FORMS[peer, stream.dialect]
    ours = corpus.normalised(form.ours(stream.body)) if stream.body is not None else None
    theirs = corpus.normalised(form.theirs(answer["body"])) if answer["body"] is not None else None
    return Outcome(peer, stream, ours, theirs, None, list(differences(ours, theirs)))


def differences(ours: Any, theirs: Any, path: str = "") -> Iterator[Difference]:
    """Yield every place at which two normalised values differ. Lists of different lengths are one difference."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        for key in sorted(ours.keys() | theirs.keys()):
            yield from differences(ours.get(key), theirs.get(key), f"{path}.{key}" if path else key)
    elif isinstance(ours, list) and isinstance(theirs, list) and len(ours) == len(theirs):
        for place, (left, right) in enumerate(zip(ours, theirs, strict=True)):
            yield from differences(left, right, f"{path}[{place}]")
    elif type(ours) is not type(theirs) or ours != theirs:
        yield Difference(path, ours, theirs)
