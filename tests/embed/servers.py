"""Real servers on the loopback interface: uvicorn in a thread, and an upstream that plays what a test has written."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn

SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
LONG = 30


@contextmanager
def serve(app: Any, **options: Any):
    """Run an ASGI application in a thread, and yield its address and its `uvicorn.Server`."""
    config = uvicorn.Config(
        app, log_config=None, log_level="critical", timeout_graceful_shutdown=1, **{"lifespan": "off", **options}
    )
    server = uvicorn.Server(config)
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    thread = threading.Thread(target=server.run, args=([listener],), name="uvicorn")
    thread.start()
    try:
        while not server.started:
            assert thread.is_alive()
            time.sleep(0.005)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(30)
        listener.close()
        assert not thread.is_alive()


@dataclass
class Answer:
    """What the upstream answers."""

    pieces: list[bytes]
    status: int = 200
    headers: dict[str, str] = field(default_factory=lambda: dict(SSE))
    pause: float = 0.0  # seconds before each piece
    end: str = "eof"  # or "die", "hang"


class Upstream:
    """An ASGI application that answers each request with the next of its answers, the last one for ever.

    `requests` has the scope and the body of each; `left` is set when a client has left an answer that hangs.
    """

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[tuple[dict[str, Any], bytes]] = []
        self.left = threading.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        body, more = b"", True
        while more:
            message = await receive()
            body += message.get("body", b"")
            more = message.get("more_body", False)
        self.requests.append((scope, body))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        headers = [(name.encode(), value.encode()) for name, value in answer.headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        for piece in answer.pieces:
            await asyncio.sleep(answer.pause)
            await send({"type": "http.response.body", "body": piece, "more_body": True})
        if answer.end == "die":
            raise ConnectionAbortedError("the upstream dies")
        if answer.end == "hang":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.left.set()
            return
        await send({"type": "http.response.body", "body": b""})


class Recorded:
    """The end of the middleware: keeps the exchanges, and waits for them."""

    def __init__(self, queue):
        self.queue, self.exchanges, self.changed = queue, [], threading.Condition()

    def __call__(self, exchange):
        with self.changed:
            self.exchanges.append(exchange)
            self.changed.notify_all()

    def take(self, count=1):
        """Return the next exchanges: exactly so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.exchanges) >= count, LONG), len(self.exchanges)
            taken, self.exchanges = self.exchanges, []
        assert len(taken) == count
        return taken


def in_events(data: bytes) -> list[bytes]:
    """Cut a stream after each blank line, as servers write it."""
    pieces = data.replace(b"\r\n", b"\n").split(b"\n\n")
    return [piece + b"\n\n" for piece in pieces if piece]
