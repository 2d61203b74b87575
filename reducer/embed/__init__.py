"""Record the exchanges that pass through a host, such as a proxy or a client, without touching the bytes.

- `ReduceMiddleware` wraps an ASGI application, `tee` and `atee` an iterable of bytes. `reducer.embed.httpx` wraps the
  transports of HTTP clients.
- Each reports an `Exchange` at its end: to a function ``on_end``, which runs away from the client's path (`Reports`).
- `Decoder` and `decoded` undo content encodings.

Every name is imported at its first use.
"""

from __future__ import annotations

import importlib
from typing import Any

TYPE_CHECKING = False
if TYPE_CHECKING:
    from reducer.embed.asgi import ReduceMiddleware
    from reducer.embed.content import Decoder, decoded
    from reducer.embed.exchange import EXCHANGE_ROW, Exchange, Request, StartedRequest
    from reducer.embed.reports import Reports, force_flush, shutdown, write_jsonl
    from reducer.embed.tees import atee, tee

__all__ = [
    "EXCHANGE_ROW",
    "Decoder",
    "Exchange",
    "ReduceMiddleware",
    "Reports",
    "Request",
    "StartedRequest",
    "atee",
    "decoded",
    "force_flush",
    "shutdown",
    "tee",
    "write_jsonl",
]

# Name -> module. None of the modules imports what another one needs.
_MODULES = {
    "ReduceMiddleware": "asgi",
    **dict.fromkeys(("Decoder", "decoded"), "content"),
    **dict.fromkeys(("EXCHANGE_ROW", "Exchange", "Request", "StartedRequest"), "exchange"),
    **dict.fromkeys(("Reports", "force_flush", "shutdown", "write_jsonl"), "reports"),
    **dict.fromkeys(("atee", "tee"), "tees"),
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module 'reducer.embed' has no attribute {name!r}")
    return getattr(importlib.import_module(f"reducer.embed.{module}"), name)
