"""A reverse proxy for model APIs, which appends every exchange to a file.

Run ``UPSTREAM=https://api.openai.com uvicorn proxy:app`` and use http://127.0.0.1:8000/v1 as the base URL of a client.
Needs uvicorn, starlette and httpx2. The client sends its own API key. Only ``ReduceMiddleware`` is ours: it works
around any ASGI application.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from reducer.embed import ReduceMiddleware, write_jsonl

# Headers of one connection, which a proxy must not pass on (RFC 9110, 7.6.1).
HOP_BY_HOP = {"connection", "keep-alive", "te", "trailer", "transfer-encoding", "upgrade", "host", "content-length"}
RAW_HOP_BY_HOP = {name.encode() for name in HOP_BY_HOP}


@asynccontextmanager
async def lifespan(app: Starlette) -> AsyncIterator[None]:
    async with httpx2.AsyncClient(base_url=os.environ["UPSTREAM"], timeout=600) as app.state.client:
        yield


async def relay(request: Request) -> Response:
    """Send a request to the upstream, and its answer to the client, byte by byte."""
    client: httpx2.AsyncClient = request.app.state.client
    headers = [(name, value) for name, value in request.headers.items() if name not in HOP_BY_HOP]
    url = httpx2.URL(path=request.url.path, query=request.url.query.encode())
    try:
        upstream = await client.send(
            client.build_request(request.method, url, headers=headers, content=await request.body()), stream=True
        )
    except httpx2.TransportError:
        return PlainTextResponse("the upstream cannot be reached", 502)
    answer = StreamingResponse(upstream.aiter_raw(), upstream.status_code, background=BackgroundTask(upstream.aclose))
    answer.raw_headers = [(name.lower(), value) for name, value in upstream.headers.raw if name.lower() not in DROPPED]
    return answer


DROPPED = {name.encode() for name in HOP_BY_HOP}

app = Starlette(
    routes=[Route("/{path:path}", relay, methods=["GET", "POST", "DELETE"])],
    middleware=[
        Middleware(ReduceMiddleware, on_end=write_jsonl(os.environ.get("CALLS", "calls.jsonl")), paths=["/v1"])
    ],
    lifespan=lifespan,
)
