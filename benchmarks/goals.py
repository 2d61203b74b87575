"""What was promised: the most that a feed may cost, in decode floors. The tables mark what misses its goal."""

from __future__ import annotations

GOALS: dict[str, dict[str, float]] = {
    "chat-text": {"whole": 0.7, "event": 1.2},
    "chat-openai": {"whole": 1.4, "event": 1.9},
    "tools": {"whole": 1.0, "event": 1.3},
    "tools-interleaved": {"whole": 1.0, "event": 1.3},
    "openrouter": {"whole": 2.5, "event": 3.5},
    "azure": {"whole": 2.5, "event": 3.5},
    "chat-logprobs": {"whole": 2.5, "event": 3.5},
    "responses-text": {"whole": 1.8, "event": 3.5, "whole, trusting": 0.5},
    "anthropic": {"whole": 1.5, "event": 3.0, "whole, plain": 2.8},
    "gemini": {"whole": 1.3, "event": 2.5, "whole, plain": 1.5},
    "short": {"whole": 2.5},
}

ORJSON = 0.85  # of `orjson.loads` of the payloads, whole, where events are many and small
ORJSON_TERMINAL = 1.0  # the same for one event of a megabyte
OPENAI = 100  # times as fast as openai-python, at least
LITELLM = 40  # times as fast as LiteLLM, at least
GROWTH = 1.15  # an event of 64,000 beside one of 1,000
RETAINED = 1.5  # of the final JSON, beyond `RETAINED_BYTES`
RETAINED_BYTES = 64 << 10
CLOSE = 0.02  # of the time that 100,000 deltas took
IRREGULAR = 1.1  # with lanes beside without
