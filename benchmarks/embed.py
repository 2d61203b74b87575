"""What recording costs a proxy: ``python -m benchmarks embed [--smoke]``. Needs the dependency group `integrations`.

The first table compares the processor time of the same server with and without `ReduceMiddleware`, in one run: a
reverse proxy of Starlette and httpx2 under uvicorn, and a bare ASGI application. Upstream, servers and client are
processes of their own; each server tells the time that its process has used. The second table measures inside of one
process what the recording adds to an event, and how long one call may hold an event loop.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import os
import socket
import sys
import time
from collections.abc import Callable
from random import Random
from statistics import median, quantiles
from typing import Any

from benchmarks import goals
from benchmarks.report import figure, table
from benchmarks.streams import Stream
from benchmarks.wires import anthropic, chat, gemini, responses
from reducer.embed import ReduceMiddleware, Reports
from reducer.embed.recording import Recorder

_EVENTS = 200
_PAUSE = 0.004  # seconds before each event: the servers are half busy, and read one event at a time
_CONCURRENT = 10
_STREAMS = 60  # of each server in each round
_ROUNDS = 5
_SSE = [(b"content-type", b"text/event-stream")]
_WIRES: dict[str, Callable[[Random, int], bytes]] = {
    "Chat": chat.vllm,
    "Responses": responses.text,
    "Anthropic": anthropic.text,
    "Gemini": gemini.text,
}


def _events() -> list[bytes]:
    return Stream("", chat.vllm(Random(0), _EVENTS - 4)).events()


# -- servers -----------------------------------------------------------------------------------------


def _scripted() -> Any:
    """Return an ASGI application that answers with events."""
    events = _events()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": _SSE})
        for event in events:
            await asyncio.sleep(_PAUSE)
            await send({"type": "http.response.body", "body": event, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    return app


def _proxy(upstream: str) -> Any:
    """Return the reverse proxy of ``samples/embed/proxy.py``, without its middleware."""
    import httpx2
    from starlette.applications import Starlette
    from starlette.background import BackgroundTask
    from starlette.requests import Request
    from starlette.responses import StreamingResponse
    from starlette.routing import Route

    client = httpx2.AsyncClient(timeout=60, trust_env=False)

    async def relay(request: Request) -> StreamingResponse:
        sent = client.build_request("POST", upstream, content=await request.body())
        answer = await client.send(sent, stream=True)
        headers = {"content-type": answer.headers["content-type"]}
        return StreamingResponse(answer.aiter_raw(), 200, headers, background=BackgroundTask(answer.aclose))

    return Starlette(routes=[Route("/{path:path}", relay, methods=["POST"])])


def _measured(app: Any) -> Any:
    """Answer GET with the processor time of this process, in nanoseconds."""

    async def measured(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "GET":
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"%d" % time.process_time_ns()})
        else:
            await app(scope, receive, send)

    return measured


def _ignore(exchange: Any) -> None:
    """Take an exchange."""


def _run(listener: socket.socket, kind: str, recording: str, upstream: str) -> None:
    import uvicorn

    app = _proxy(upstream) if kind == "reverse proxy" else _scripted()
    if recording != "alone":
        app = ReduceMiddleware(app, _ignore, clock=time.monotonic_ns if recording == "with a clock" else None)
    uvicorn.run(_measured(app), fd=listener.fileno(), log_level="critical", lifespan="off")


def _start(kind: str, recording: str, upstream: str = "") -> tuple[str, multiprocessing.Process]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    process = multiprocessing.get_context("fork").Process(target=_run, args=(listener, kind, recording, upstream))
    process.start()
    return f"http://127.0.0.1:{listener.getsockname()[1]}", process


async def _measure_servers(streams: int, rounds: int) -> dict[tuple[str, str], list[float]]:
    """Return the processor time of a stream in milliseconds, of each round, by server and recording."""
    import httpx2

    started = [_start("bare ASGI application", "alone")]
    servers = {("bare ASGI application", "alone"): started[0][0]}
    upstream, process = _start("upstream", "alone")
    started.append((upstream, process))
    for kind in ("reverse proxy", "bare ASGI application"):
        for recording in ("alone", "recorded", "with a clock"):
            if (kind, recording) not in servers:
                started.append(_start(kind, recording, upstream))
                servers[kind, recording] = started[-1][0]
    times: dict[tuple[str, str], list[float]] = {key: [] for key in servers}
    try:
        async with httpx2.AsyncClient(
            timeout=60, trust_env=False, transport=httpx2.AsyncHTTPTransport(retries=20)
        ) as client:
            for number in range(rounds + 1):  # the first round warms up
                for key, url in servers.items():
                    used = await _used_by(client, url, streams if number else _CONCURRENT)
                    if number:
                        times[key].append(used)
    finally:
        for _, one in started:
            one.terminate()
            one.join()
    return times


async def _used_by(client: Any, url: str, streams: int) -> float:
    left = list(range(streams))

    async def read() -> None:
        while left:
            left.pop()
            await client.post(f"{url}/v1/chat/completions", json={"model": "m", "stream": True})

    begin = int((await client.get(url)).content)
    await asyncio.gather(*(read() for _ in range(_CONCURRENT)))
    return (int((await client.get(url)).content) - begin) / 1e6 / streams


def _server_table(times: dict[tuple[str, str], list[float]]) -> str:
    rows = []
    for (kind, recording), used in times.items():
        base = times[kind, "alone"]
        ratio = median(ours / theirs for ours, theirs in zip(used, base, strict=True))
        goal = goals.PROXY.get(recording) if kind == "reverse proxy" else None
        rows.append([kind, recording, figure(median(used)), "" if recording == "alone" else figure(ratio, goal)])
    rows.sort(key=lambda row: row[0], reverse=True)
    return table(["server", "", f"ms a stream of {_EVENTS} events", "beside alone"], rows)


# -- inside of one process ---------------------------------------------------------------------------


def _added(streams: int) -> list[float]:
    """Return the microseconds that the middleware adds to each event: its own time in the application's `send`."""
    added: list[float] = []
    events = _events()
    inner = 0

    async def server_send(message: Any) -> None:
        nonlocal inner
        inner = time.perf_counter_ns()
        await asyncio.sleep(0)
        inner = time.perf_counter_ns() - inner

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": _SSE})
        for event in events:
            begin = time.perf_counter_ns()
            await send({"type": "http.response.body", "body": event, "more_body": True})
            added.append((time.perf_counter_ns() - begin - inner) / 1000)
        await send({"type": "http.response.body", "body": b""})

    async def main() -> None:
        wrapped = ReduceMiddleware(app, _ignore, reports=Reports())
        for _ in range(streams):
            messages = [{"type": "http.request", "body": b'{"model":"m","stream":true}'}]

            async def receive(messages: list[Any] = messages) -> Any:
                return messages.pop() if messages else await asyncio.Event().wait()

            scope = {"type": "http", "method": "POST", "path": "/v1", "headers": [], "query_string": b""}
            await wrapped(scope, receive, server_send)

    asyncio.run(main())
    return added


def _milliseconds(action: Callable[..., object], *arguments: object) -> float:
    begin = time.perf_counter()
    action(*arguments)
    return (time.perf_counter() - begin) * 1000


def _holds(maker: Callable[[Random, int], bytes], repeat: int) -> tuple[float, float]:
    """Return the milliseconds of the slowest `feed` of 64 KiB but one, and of `end` after 5 MiB in events."""
    data = maker(Random(0), 40_000)
    reads = [data[at : at + (1 << 16)] for at in range(0, 5 << 20, 1 << 16)]
    queue = Reports()
    feeds, ends = [], []
    for _ in range(repeat):
        recording = Recorder("benchmark", _ignore, reports=queue).begin()
        recording.see_response(200, _SSE)
        feeds.append(sorted(_milliseconds(recording.feed, read) for read in reads)[-2])  # one may be disturbed
        ends.append(_milliseconds(recording.end, "consumer"))
    queue.shutdown()
    return median(feeds), median(ends)


def _inside_table(streams: int, repeat: int) -> str:
    added = _added(streams)
    rows = [
        ["added to an event, median", figure(median(added), goals.ADDED_MEDIAN, " µs")],
        ["added to an event, 99th percentile", figure(quantiles(added, n=100)[98], goals.ADDED_P99, " µs")],
    ]
    for name, maker in _WIRES.items():
        feed, end = _holds(maker, repeat)
        rows.append([f"one read of 64 KiB, the slowest but one, {name}", figure(feed, goals.FEED, " ms")])
        rows.append([f"the end after 5 MiB, {name}", figure(end, goals.END, " ms")])
    return table(["what", "time"], rows)


def main(argv: list[str]) -> int:
    """Print both tables."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks embed", description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="everything tiny: does it run?")
    is_tiny = parser.parse_args(argv).smoke
    print(_inside_table(5 if is_tiny else 200, 1 if is_tiny else 5), flush=True)
    times = asyncio.run(_measure_servers(_CONCURRENT if is_tiny else _STREAMS, 1 if is_tiny else _ROUNDS))
    print(f"\n{_server_table(times)}")
    return 0


if __name__ == "__main__":
    os.environ.setdefault("PYTHONWARNINGS", "ignore")
    sys.exit(main(sys.argv[1:]))
