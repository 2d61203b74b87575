"""The workloads by name: which streams are reduced.

A workload is a pool of streams. The synthetic ones are made by a maker of `benchmarks.wires` from one seed a stream,
so a pool is the same in every process and on every machine. `SAMPLES` are the files of ``samples/``, and `RECORDED` are
the streams of the corpus, one workload a dialect; its pools are empty if ``$REDUCER_CORPUS`` names no corpus.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks import recorded
from benchmarks.streams import Stream
from benchmarks.wires import anthropic, chat, gemini, irregular, responses

Maker = Callable[[Random, int], bytes]

_SAMPLES = Path(__file__).parents[1] / "samples"
_TINY_DELTAS = 40
_TINY_FILES = 5


class Synthetic(NamedTuple):
    """Streams of one kind that a maker writes."""

    title: str
    dialect: str
    maker: Maker
    deltas: int = 1_000
    templates: int = 4  # streams with texts of their own
    is_irregular: bool = False

    def pool(self) -> list[Stream]:
        """Make the streams."""
        return [Stream(self.dialect, self.maker(Random(seed), self.deltas)) for seed in range(self.templates)]

    def tiny(self) -> Synthetic:
        """Return a small copy, which shows only that everything runs."""
        return self._replace(deltas=min(self.deltas, _TINY_DELTAS), templates=2)


class Files(NamedTuple):
    """Streams that are read from files."""

    title: str
    dialect: str  # "" if there are several
    read: Callable[[], list[Stream]]
    most: int | None = None  # streams of the pool; None: all of them
    is_irregular: bool = False

    def pool(self) -> list[Stream]:
        """Read the streams."""
        return self.read()[: self.most]

    def tiny(self) -> Files:
        """Return the first few files, which show only that everything runs."""
        return self._replace(most=_TINY_FILES)


Workload = Synthetic | Files


def _read_samples() -> list[Stream]:
    """Read the streams in ``samples/``; each folder is named after its dialect."""
    return [
        Stream(path.parent.name.replace("_", "."), path.read_bytes()) for path in sorted(_SAMPLES.glob("*_*/*.sse"))
    ]


def _read_recorded(dialect: str) -> list[Stream]:
    """Read the streams of one dialect of the corpus."""
    folder = recorded.find_corpus()
    if folder is None:
        return []
    return [Stream(dialect, data) for found, _, data in recorded.read_streams(folder) if found == dialect]


CHAT = "openai.chat"
RESPONSES = "openai.responses"

RECORDED: dict[str, Workload] = {
    f"recorded-{name}": Files(f"recorded streams, {dialect}", dialect, partial(_read_recorded, dialect))
    for name, dialect in recorded.DIALECTS.items()
}

SYNTHETIC: dict[str, Synthetic] = {
    "chat-text": Synthetic("chat text, vLLM", CHAT, chat.vllm),
    "chat-openai": Synthetic("chat text, OpenAI, padded", CHAT, chat.openai),
    "chat-logprobs": Synthetic("chat text with top-5 logprobs", CHAT, chat.logprobs),
    "chat-choices": Synthetic("chat text, n=4 interleaved", CHAT, chat.choices),
    "tools": Synthetic("40 tool calls", CHAT, chat.tools),
    "tools-openai": Synthetic("40 tool calls, OpenAI, padded", CHAT, chat.padded_tools),
    "tools-interleaved": Synthetic("40 tool calls, interleaved", CHAT, chat.interleaved_tools),
    "arguments": Synthetic("one call, 100 kB of arguments", CHAT, chat.long_arguments, deltas=5_000),
    "openrouter": Synthetic("reasoning, OpenRouter", CHAT, chat.openrouter),
    "azure": Synthetic("chat text, Azure filters", CHAT, chat.azure),
    "responses-text": Synthetic("Responses text", RESPONSES, responses.text),
    "responses-tools": Synthetic("Responses reasoning and tools", RESPONSES, responses.reasoning_and_tools),
    "responses-terminal": Synthetic("Responses, 1 MB terminal event", RESPONSES, responses.terminal),
    "anthropic": Synthetic("Anthropic text, padded", "anthropic.messages", anthropic.text),
    "gemini": Synthetic("Gemini text", "gemini.generate", gemini.text),
    "short": Synthetic("10,000 streams of 15 events", CHAT, chat.vllm, deltas=12, templates=10_000),
}

SAMPLES: dict[str, Workload] = {"samples": Files("the samples", "", _read_samples)}

IRREGULAR: dict[str, Workload] = {
    name: Synthetic((maker.__doc__ or "").strip(), CHAT, maker, is_irregular=True)
    for name, maker in irregular.MAKERS.items()
}

REGULAR: dict[str, Workload] = {**RECORDED, **SYNTHETIC, **SAMPLES}
WORKLOADS: dict[str, Workload] = {**REGULAR, **IRREGULAR}
