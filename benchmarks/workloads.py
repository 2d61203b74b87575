"""What is reduced: every workload by name, with how many streams of which size make it up.

A workload is a pool of templates, which differ in their texts; `Stream.named` gives each use of one ids of its
own. Makers get one seed a template, so that a pool is the same in every process and on every machine.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import NamedTuple

from benchmarks.streams import Stream
from benchmarks.wires import anthropic, chat, gemini, responses

Maker = Callable[[Random, int], bytes]

_SAMPLES = Path(__file__).parents[1] / "samples"


class Workload(NamedTuple):
    """A pool of streams of one kind."""

    title: str
    dialect: str
    maker: Maker
    deltas: int = 1_000
    templates: int = 4

    def pool(self) -> list[Stream]:
        """Make the templates."""
        return [Stream(self.dialect, self.maker(Random(seed), self.deltas)) for seed in range(self.templates)]

    def tiny(self) -> Workload:
        """Return the same, small enough to see only whether it runs."""
        return self._replace(deltas=min(self.deltas, 40), templates=2)


class Samples(NamedTuple):
    """The streams in ``samples/``, as they are."""

    title: str
    dialect: str = ""  # several

    def pool(self) -> list[Stream]:
        """Read them; their folder says what dialect they are."""
        paths = [path for path in sorted(_SAMPLES.glob("*_*/*.sse")) if path.parent.name != "odd"]
        return [Stream(path.parent.name.replace("_", "."), path.read_bytes()) for path in paths]

    def tiny(self) -> Samples:
        """Return the same: samples are small."""
        return self


CHAT = "openai.chat"
RESPONSES = "openai.responses"

WORKLOADS: dict[str, Workload | Samples] = {
    "chat-text": Workload("chat text, vLLM", CHAT, chat.vllm),
    "chat-openai": Workload("chat text, OpenAI, padded", CHAT, chat.openai),
    "chat-logprobs": Workload("chat text with top-5 logprobs", CHAT, chat.logprobs),
    "chat-choices": Workload("chat text, n=4 interleaved", CHAT, chat.choices),
    "tools": Workload("40 tool calls", CHAT, chat.tools),
    "tools-openai": Workload("40 tool calls, OpenAI, padded", CHAT, chat.padded_tools),
    "tools-interleaved": Workload("40 tool calls, interleaved", CHAT, chat.interleaved_tools),
    "arguments": Workload("one call, 100 kB of arguments", CHAT, chat.long_arguments, deltas=5_000),
    "openrouter": Workload("reasoning, OpenRouter", CHAT, chat.openrouter),
    "azure": Workload("chat text, Azure filters", CHAT, chat.azure),
    "responses-text": Workload("Responses text", RESPONSES, responses.text),
    "responses-tools": Workload("Responses reasoning and tools", RESPONSES, responses.reasoning_and_tools),
    "responses-terminal": Workload("Responses, 1 MB terminal event", RESPONSES, responses.terminal),
    "anthropic": Workload("Anthropic text, padded", "anthropic.messages", anthropic.text),
    "gemini": Workload("Gemini text", "gemini.generate", gemini.text),
    "short": Workload("10,000 streams of 15 events", CHAT, chat.vllm, deltas=12, templates=10_000),
    "samples": Samples("the samples"),
}
