"""A gateway: relay answers to the client unchanged, and log the status, the usage and the time to the first token.

Run ``python gateway.py`` and send requests to http://127.0.0.1:8080/v1/chat/completions, for example. The client sends
its own API key. Needs the standard library only; for ASGI applications there is `ReduceMiddleware`.
"""

import http.client
import logging
import os
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

from reducer.embed import Exchange, Request, tee

UPSTREAM = urlsplit(os.environ.get("UPSTREAM", "https://api.openai.com"))
log = logging.getLogger("gateway")


def log_exchange(exchange: Exchange) -> None:
    """Log numbers and names, but no content."""
    for result in exchange.results:
        row, timing = result.row(), result.timing
        first = timing.first_content if timing else None
        log.info(
            "%s %s %s, tokens in %s, out %s, first token after %s ms, ended by %s, problems: %s",
            exchange.status_code,
            result.dialect,
            result.status,
            row["input_tokens"],
            row["output_tokens"],
            first // 1_000_000 if first is not None else None,
            exchange.ended_by,
            row["problems"] or None,
        )


def relay(pieces: tee[bytes], send: Callable[[bytes], object]) -> None:
    """Send all reads to the client, unchanged. Whatever ends them, the exchange is logged once."""
    with pieces, suppress(http.client.HTTPException, OSError):  # the upstream or the client closed the connection
        for data in pieces:
            send(data)


class Gateway(BaseHTTPRequestHandler):
    """Relay each POST to the upstream."""

    def do_POST(self) -> None:
        started = time.monotonic_ns()
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        names = ("Authorization", "X-Api-Key", "Anthropic-Version", "Content-Type", "Accept-Encoding")
        headers = {name: self.headers[name] for name in names if name in self.headers}
        connect = http.client.HTTPSConnection if UPSTREAM.scheme == "https" else http.client.HTTPConnection
        with closing(connect(UPSTREAM.netloc, timeout=600)) as connection:
            try:
                connection.request("POST", self.path, body, headers)
                response = connection.getresponse()
            except (http.client.HTTPException, OSError):
                self.send_error(502)
                return
            self.send_response(response.status)
            for name in ("Content-Type", "Content-Encoding"):
                if value := response.headers[name]:
                    self.send_header(name, value)
            self.end_headers()
            pieces = tee(
                iter(response.read1, b""),
                log_exchange,
                request=Request("POST", self.path, body=body),
                status_code=response.status,
                headers=response.headers.items(),
                clock=time.monotonic_ns,
                started=started,
            )
            relay(pieces, self.wfile.write)


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Gateway).serve_forever()
