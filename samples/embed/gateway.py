"""A gateway: relay answers to the client unchanged, and log the status, the usage and the time to the first token.

Run ``python gateway.py`` and send requests to http://127.0.0.1:8080/v1/chat/completions, for example. The client sends
its own API key.
"""

import http.client
import logging
import os
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import reducer
from reducer.embed import Decoder

UPSTREAM = urlsplit(os.environ.get("UPSTREAM", "https://api.openai.com"))
log = logging.getLogger("gateway")


def relay(
    upstream: Iterable[bytes], send: Callable[[bytes], object], encoding: str = "", started: int | None = None
) -> reducer.Result:
    """Send all reads to the client, and return the result of the copy."""
    r = reducer.Reducer(clock=time.monotonic_ns, started=started)
    decoder: Decoder | None = None
    fault: reducer.ReducerError | None = None
    try:
        for data in upstream:
            send(data)
            if fault is None:
                try:
                    decoder = decoder or Decoder(encoding)
                    r.feed(decoder.feed(data))
                except reducer.ReducerError as error:
                    fault = error  # only the copy is lost: the client gets the rest
    except (http.client.HTTPException, OSError) as error:  # the upstream or the client closed the connection
        return r.close(fault or error)
    return r.close(fault)


def log_result(result: reducer.Result) -> None:
    """Log numbers and names, but no content."""
    view, timing = result.view(), result.timing
    usage = view.usage if view else None
    first = timing.first_content if timing else None
    log.info(
        "%s %s, tokens in %s, out %s, first token after %s ms, problems: %s",
        result.dialect,
        result.status,
        usage.input_tokens if usage else None,
        usage.output_tokens if usage else None,
        first // 1_000_000 if first is not None else None,
        ", ".join(problem.code for problem in result.problems) or None,
    )


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
            reads = iter(response.read1, b"")
            log_result(relay(reads, self.wfile.write, response.headers["Content-Encoding"] or "", started))


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    ThreadingHTTPServer(("127.0.0.1", int(os.environ.get("PORT", "8080"))), Gateway).serve_forever()
