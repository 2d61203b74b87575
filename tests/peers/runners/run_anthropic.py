"""Runs anthropic's own accumulators: `accumulate_event` of ``messages.stream``, and with ``--beta`` the beta's.

Each event becomes the model that anthropic's `Stream` would have made of it; ``ping`` is skipped and ``error``
raises, as there.
"""

from __future__ import annotations

import sys
from typing import Any

import httpx2
from _loop import serve
from anthropic._models import construct_type
from anthropic.lib.streaming import _beta_messages, _messages
from anthropic.types import RawMessageStreamEvent
from anthropic.types.beta import BetaRawMessageStreamEvent


class ProviderError(Exception):
    """Stands for anthropic.APIStatusError, which wants a response."""


def messages(payloads: list[Any]) -> Any:
    """Return the final Message."""
    snapshot = None
    buffers: dict[int, bytes] = {}
    for event in _events(RawMessageStreamEvent, payloads):
        snapshot = _messages.accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    assert snapshot is not None
    return snapshot.to_dict(mode="json")


def beta(payloads: list[Any]) -> Any:
    """Return the final BetaMessage."""
    snapshot = None
    buffers: dict[int, bytes] = {}
    for event in _events(BetaRawMessageStreamEvent, payloads):
        snapshot = _beta_messages.accumulate_event(
            event=event, current_snapshot=snapshot, json_bufs=buffers, request_headers=httpx2.Headers()
        )
    assert snapshot is not None
    return snapshot.to_dict(mode="json")


def _events(type_: Any, payloads: list[Any]) -> Any:
    for payload in payloads:
        kind = payload.get("type") if isinstance(payload, dict) else None
        if kind == "ping":
            continue
        if kind == "error":
            raise ProviderError(str(payload.get("error")))
        yield construct_type(type_=type_, value=payload)


if __name__ == "__main__":
    serve({"anthropic.messages": beta if "--beta" in sys.argv else messages})
