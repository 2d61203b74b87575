"""FastAPI under uvicorn, with `ReduceMiddleware` added as the README says, and an application that is not ours."""

import asyncio
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

import reducer
from reducer.embed import ReduceMiddleware
from tests.helpers import load_sample

pytestmark = pytest.mark.integrations

fastapi = pytest.importorskip("fastapi", reason="the group `integrations` is not installed")
httpx2 = pytest.importorskip("httpx2", reason="the group `integrations` is not installed")
servers = importlib.import_module("tests.embed.servers")

ROOT = Path(__file__).parent.parent.parent
CHAT = load_sample("openai_chat/usage-final.sse").data
EVENTS = servers.in_events(CHAT)
DELTAS = [json.loads(event.removeprefix(b"data: ")) for event in EVENTS[:-1]]
LONG = 30


def build_app():
    """Return an application of a gateway, which answers in every way that FastAPI has."""
    from fastapi import FastAPI, HTTPException, Request, WebSocket
    from fastapi.responses import StreamingResponse
    from fastapi.sse import EventSourceResponse, ServerSentEvent

    @asynccontextmanager
    async def lifespan(app):
        app.state.log = ["up"]
        yield
        app.state.log.append("down")

    app = FastAPI(lifespan=lifespan)
    app.state.left = threading.Event()

    async def play(pieces, end):
        try:
            for piece in pieces[:2] if end else pieces:
                await asyncio.sleep(0.001)
                yield piece
            if end == "upstream":
                raise httpx2.ReadError("reset")
            if end == "bug":
                raise ZeroDivisionError("oops")
            if end == "hang":
                await asyncio.Event().wait()
        finally:
            app.state.left.set()

    @app.post("/v1/stream")
    async def stream(request: Request, end: str | None = None):
        assert (await request.json())["model"] == "m"
        return StreamingResponse(play(EVENTS, end), media_type="text/event-stream")

    @app.post("/v1/sync")
    def stream_from_a_thread(body: dict):
        return StreamingResponse(iter(EVENTS), media_type="text/event-stream")

    @app.post("/v1/sse", response_class=EventSourceResponse)
    async def sse(body: dict, end: str | None = None):
        async for delta in play(DELTAS, end):
            yield delta
        yield ServerSentEvent(raw_data="[DONE]")

    @app.post("/v1/lines")
    async def lines(body: dict):
        for delta in DELTAS:
            yield delta

    @app.post("/v1/json")
    async def whole(body: dict):
        return reducer.reduce(CHAT).to_dict()

    @app.post("/v1/refused")
    async def refused():
        raise HTTPException(429, "slow down", {"retry-after": "7"})

    @app.post("/v1/broken")
    async def broken():
        raise ZeroDivisionError("oops")

    @app.get("/page")
    async def page():
        return fastapi.Response("<html>", media_type="text/html")

    @app.websocket("/v1/socket")
    async def socket(socket: WebSocket):
        raise AssertionError

    return app


@pytest.fixture
def gateway(queue):
    """Yield what posts to the application, the exchanges that it reports, and the application; its lifespan flushes."""
    recorded, app = servers.Recorded(queue), build_app()
    app.add_middleware(ReduceMiddleware, on_end=recorded, reports=queue, paths=["/v1"])
    with (
        servers.serve(app, lifespan="on") as url,
        httpx2.Client(base_url=url, timeout=LONG, trust_env=False) as http,
    ):
        yield http, recorded, app
    assert app.state.log == ["up", "down"]
    assert recorded.exchanges == []


@pytest.mark.parametrize("path", ["stream", "sync", "sse", "lines", "json"])
def test_every_kind_of_answer(gateway, path):
    """`StreamingResponse`, `EventSourceResponse`, JSON lines and JSON: what the client reads is what is reported."""
    http, recorded, _ = gateway
    response = http.post(f"/v1/{path}", json={"model": "m", "stream": path != "json"})

    (exchange,) = recorded.take()
    assert (response.status_code, exchange.status_code) == (200, 200)
    assert list(exchange.results) == reducer.reduce_all(response.content)
    assert exchange.result.view().text == reducer.reduce(CHAT).view().text
    assert (exchange.ended_by, exchange.error, exchange.result.status) == ("eof", None, "complete")
    assert (exchange.request.model, exchange.bytes_received) == ("m", len(response.content))


def test_the_bytes_are_those_without_us(gateway):
    """Status, headers and bytes."""
    http, recorded, _ = gateway
    with (
        servers.serve(build_app(), lifespan="on") as url,
        httpx2.Client(base_url=url, timeout=LONG, trust_env=False) as alone,
    ):
        for path in ("stream", "sync", "sse", "lines", "json", "refused", "broken", "nowhere"):
            request = {"json": {"model": "m"}, "headers": {"connection": "close"}}
            ours, theirs = (client.post(f"/v1/{path}", **request) for client in (http, alone))
            headers = [{**answer.headers, "date": None} for answer in (ours, theirs)]
            assert (ours.status_code, headers[0], ours.content) == (theirs.status_code, headers[1], theirs.content)
    recorded.take(8)


@pytest.mark.parametrize(
    ("path", "status", "error"), [("refused", 429, "HTTP 429"), ("broken", 500, "ZeroDivisionError: oops")]
)
def test_errors(gateway, path, status, error):
    """Those that the application means, and those that it does not."""
    http, recorded, _ = gateway
    assert http.post(f"/v1/{path}").status_code == status

    (exchange,) = recorded.take()
    assert exchange.ended_by == ("eof" if status == 429 else "host_error")
    if status == 429:
        assert (exchange.result.status, exchange.result.error.message) == ("failed", "slow down")
        assert exchange.response_headers["retry-after"] == "7"
    else:
        assert (exchange.status_code, exchange.error) == (None, error)


@pytest.mark.parametrize(
    ("end", "ended_by", "error"),
    [("upstream", "source_error", "ReadError: reset"), ("bug", "host_error", "ZeroDivisionError: oops")],
)
@pytest.mark.parametrize("path", ["stream", "sse"])
def test_a_generator_that_fails(gateway, path, end, ended_by, error):
    """The upstream's fault is told from the application's, also out of the group of tasks that sends events."""
    http, recorded, _ = gateway
    with pytest.raises(httpx2.RemoteProtocolError):
        http.post(f"/v1/{path}?end={end}", json={"model": "m"})

    (exchange,) = recorded.take()
    assert (exchange.ended_by, exchange.error, exchange.result.status) == (ended_by, error, "truncated")


@pytest.mark.parametrize("path", ["stream", "sse"])
def test_the_client_leaves(gateway, path):
    """It is reported at once, and the application's generator is closed."""
    http, recorded, app = gateway
    with http.stream("POST", f"/v1/{path}?end=hang", json={"model": "m"}) as response:
        pieces = response.iter_raw()
        got = b""
        while got.count(b"\n\n") < 2:
            got += next(pieces)

    assert app.state.left.wait(LONG)
    (exchange,) = recorded.take()
    assert (exchange.ended_by, exchange.error, exchange.bytes_received) == ("consumer", None, len(got))
    assert exchange.result.status == "truncated"
    assert "aborted" in [problem.code for problem in exchange.result.problems]


def test_the_openai_sdk(gateway):
    """It talks to a gateway of FastAPI."""
    import openai

    http, recorded, app = gateway

    @app.post("/v1/chat/completions")
    async def chat():
        return fastapi.responses.StreamingResponse(iter(EVENTS), media_type="text/event-stream")

    sdk = openai.OpenAI(api_key="SECRET", base_url=f"{http.base_url}/v1", http_client=http, max_retries=0)
    assert list(sdk.chat.completions.create(model="m", messages=[], stream=True))

    (exchange,) = recorded.take()
    assert exchange.result == reducer.reduce(CHAT)
    assert "SECRET" not in repr(exchange)


def test_what_passes(gateway):
    """Pages, paths that are not watched, and WebSockets."""
    http, recorded, _ = gateway
    assert http.get("/page").text == "<html>"
    assert http.head("/v1/json").status_code == 405
    upgrade = {"connection": "Upgrade", "upgrade": "websocket"}
    http.get("/v1/socket", headers=upgrade)
    assert recorded.queue.force_flush(LONG)
    assert recorded.exchanges == []


def test_the_lifespan_flushes(queue):
    """When the server has stopped, nothing waits any more: neither for the thread nor for the loop."""
    exchanges = []

    async def save(exchange):
        await asyncio.sleep(0.2)
        exchanges.append(exchange)

    app = build_app()
    app.add_middleware(ReduceMiddleware, on_end=save, reports=queue)
    with servers.serve(app, lifespan="on") as url:
        for _ in range(3):
            httpx2.post(f"{url}/v1/sync", json={}, timeout=LONG, trust_env=False)
    assert len(exchanges) == 3


# -- `uvicorn wrapped:app` ---------------------------------------------------------------------------

THEIRS = """
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.post("/v1/chat/completions")
async def chat(body: dict):
    return StreamingResponse(iter({events!r}), media_type="text/event-stream")
"""

WRAPPED = """
from reducer.embed import ReduceMiddleware, write_jsonl
from theirs import app

app = ReduceMiddleware(app, write_jsonl("calls.jsonl"), paths=["/v1"])
"""


def test_around_an_application_that_is_not_ours(tmp_path):
    """`uvicorn wrapped:app`, as the README has it; what waits is written when the server is told to stop."""
    (tmp_path / "theirs.py").write_text(THEIRS.format(events=EVENTS))
    (tmp_path / "wrapped.py").write_text(WRAPPED)
    command = [sys.executable, "-m", "uvicorn", "wrapped:app", "--port", "0", "--log-level", "info"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=tmp_path, env=environment) as server:
        try:
            url = next(found[1] for line in server.stderr if (found := re.search(r"running on (http://[\d.:]+)", line)))
            answers = [
                httpx2.post(f"{url}/v1/chat/completions", json={"model": str(number)}, timeout=LONG, trust_env=False)
                for number in range(3)
            ]
        finally:
            server.send_signal(signal.SIGTERM)
            log = server.stderr.read()
    assert [answer.content for answer in answers] == [CHAT] * 3
    calls = [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]
    assert [call["request"]["model"] for call in calls] == ["0", "1", "2"]
    assert {(call["ended_by"], call["results"][0]["status"]) for call in calls} == {("eof", "complete")}
    assert "Traceback" not in log
