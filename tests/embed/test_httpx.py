"""`wrap` and `response_hook`, with the packages ``httpx`` and ``httpx2``, the SDKs, and real servers on loopback."""

import asyncio
import gc
import gzip
import importlib
import json
import subprocess
import sys
import threading

import pytest

import reducer
from reducer.embed import httpx as door
from tests.helpers import load_sample, sample_names

pytestmark = pytest.mark.integrations

httpx = pytest.importorskip("httpx", reason="the group `integrations` is not installed")
httpx2 = pytest.importorskip("httpx2", reason="the group `integrations` is not installed")
servers = importlib.import_module("tests.embed.servers")
Answer, Upstream, serve, in_events = servers.Answer, servers.Upstream, servers.serve, servers.in_events

CHAT = load_sample("openai_chat/usage-final.sse").data
PACKAGES = [httpx, httpx2]
LONG = 30


@pytest.fixture(scope="module")
def play():
    """Return a function that makes the one server of these tests play answers; it returns the address and the upstream."""

    async def stage(scope, receive, send):
        await stage.upstream(scope, receive, send)

    with serve(stage) as url:

        def play(*answers):
            stage.upstream = Upstream(*answers)
            return url, stage.upstream

        yield play


class Calls:
    """Makes calls through a client of either package, synchronous or not, by either `wrap` or a hook."""

    def __init__(self, package, is_async, by, queue, **options):
        self.package, self.is_async, self.queue, self.exchanges = package, is_async, queue, []
        options = {"reports": queue, **options}
        self.options = {"timeout": LONG, "trust_env": False}
        kind = "Async" if is_async else ""
        if by == "wrap":
            transport = getattr(package, f"{kind}HTTPTransport")()
            self.options["transport"] = door.wrap(transport, self.exchanges.append, **options)
        else:
            self.options["event_hooks"] = {"response": [door.response_hook(self.exchanges.append, **options)]}
        self.Client = getattr(package, f"{kind}Client")

    def read(self, url, pieces=None, **request):
        """Post a request; return the bytes of the answer as they were sent. Leave after so many pieces."""
        request = {"method": "POST", "json": {"model": "m", "stream": True}, **request}
        if self.is_async:
            return asyncio.run(self._aread(url, pieces, request))
        got = []
        with self.Client(**self.options) as client, client.stream(url=url, **request) as response:
            for piece in response.iter_raw():
                got.append(piece)
                if len(got) == pieces:
                    break
        return b"".join(got)

    async def _aread(self, url, pieces, request):
        got = []
        async with self.Client(**self.options) as client, client.stream(url=url, **request) as response:
            async for piece in response.aiter_raw():
                got.append(piece)
                if len(got) == pieces:
                    break
        return b"".join(got)

    def reported(self):
        assert self.queue.force_flush(LONG)
        return self.exchanges


@pytest.fixture(params=[(p, a, by) for p in PACKAGES for a in (False, True) for by in ("wrap", "hook")],
                ids=lambda param: f"{param[0].__name__}-{'async' if param[1] else 'sync'}-{param[2]}")  # fmt: skip
def calls(request, queue):
    return Calls(*request.param, queue)


def test_the_bytes_and_the_exchange(calls, play):
    """The client gets the bytes as they were sent. Of the request, the exchange has what is no secret."""
    packed = gzip.compress(CHAT)
    headers = {**servers.SSE, "content-encoding": "gzip", "x-request-id": "r", "set-cookie": "SECRET"}
    url, _ = play(Answer([packed[:50], packed[50:]], headers=headers))
    got = calls.read(f"{url}/v1/chat/completions?key=SECRET", headers={"authorization": "SECRET"})

    (exchange,) = calls.reported()
    assert got == packed
    assert (exchange.integration, exchange.ended_by, exchange.error) == ("httpx", "eof", None)
    assert exchange.request == reducer.embed.Request("POST", f"{url}/v1/chat/completions?key=***", "m", True)
    assert exchange.response_headers == {"content-type": servers.SSE["content-type"], "x-request-id": "r"}
    assert exchange.result == reducer.reduce(CHAT)
    assert (exchange.bytes_received, exchange.bytes_decoded) == (len(packed), len(CHAT))
    assert 0 < exchange.first_byte <= exchange.duration
    assert "SECRET" not in repr(exchange)


def test_the_client_leaves(calls, play):
    """Early: truncated, with what was seen."""
    events = in_events(CHAT)
    url, _ = play(Answer(events[:2], end="hang"))
    got = calls.read(url, pieces=1)
    (exchange,) = calls.reported()
    assert got.startswith(events[0])
    assert (exchange.ended_by, exchange.error, exchange.result.status) == ("consumer", None, "truncated")
    assert exchange.bytes_received == len(got)


def test_the_client_leaves_before_the_usage(calls, play):
    """After the finish reason the answer is complete, but what followed it is missing."""
    head = CHAT[: CHAT.index(b"\n\n", CHAT.index(b'"finish_reason":"stop"')) + 2]
    url, _ = play(Answer([head], end="hang"))
    assert calls.read(url, pieces=1) == head
    (exchange,) = calls.reported()
    assert (exchange.ended_by, exchange.result.status) == ("consumer", "complete")
    assert "aborted" in [problem.code for problem in exchange.result.problems]


def test_the_upstream_dies(calls, play):
    """The client gets the exception that it would get without us."""
    url, _ = play(Answer(in_events(CHAT)[:2], end="die"))
    with pytest.raises(calls.package.RemoteProtocolError) as caught:
        calls.read(url)
    (exchange,) = calls.reported()
    assert exchange.ended_by == "source_error"
    assert exchange.error == f"RemoteProtocolError: {caught.value}"
    assert exchange.result.status == "truncated"


@pytest.mark.parametrize(
    ("method", "status", "headers", "pieces", "expected"),
    [
        ("POST", 401, servers.JSON, [b'{"error":{"message":"no","type":"t","code":"c"}}'], ("failed", None)),
        ("POST", 502, {"content-type": "text/html"}, [b"<html>"], (None, "HTTP 502")),
        ("POST", 200, {}, [CHAT], ("complete", None)),
        ("GET", 200, {"content-type": "text/html"}, [b"<html>"], None),
        ("HEAD", 200, servers.JSON, [], None),
        ("POST", 204, {}, [], None),
        ("POST", 304, {}, [], None),
    ],
)
def test_which_answers_are_reported(calls, method, status, headers, pieces, expected, play):
    """JSON errors and refused posts are, pages and empty answers are not."""
    url, _ = play(Answer(pieces, status, headers))
    assert calls.read(url, method=method) == b"".join(pieces)
    found = [(one.result and one.result.status, one.error) for one in calls.reported()]
    assert found == ([] if expected is None else [expected])


@pytest.mark.parametrize("package", PACKAGES)
@pytest.mark.parametrize("is_async", [False, True])
def test_no_connection(package, is_async, queue):
    """The exception of the client passes, and is reported."""
    calls = Calls(package, is_async, "wrap", queue)
    with serve(Upstream(Answer([]))) as url:
        pass  # nothing listens here any more
    with pytest.raises(package.ConnectError):
        calls.read(url)
    (exchange,) = calls.reported()
    assert (exchange.status_code, exchange.results, exchange.ended_by) == (None, (), "source_error")
    assert exchange.error.startswith("ConnectError: ")
    assert exchange.request.model == "m"


@pytest.mark.parametrize("package", PACKAGES)
def test_a_cancelled_call(package, queue, play):
    """Before the answer, and in its middle. No task and no warning is left."""
    calls = Calls(package, True, "wrap", queue)
    url, upstream = play(Answer(in_events(CHAT)[:1], end="hang"), Answer([], pause=3600, end="hang"))

    async def cancel(url, until):
        task = asyncio.create_task(calls._aread(url, None, {"method": "POST", "json": {}}))
        while not until():
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def hang(scope, receive, send):
        entered.set()
        await receive()
        while (await receive())["type"] != "http.disconnect":
            pass

    asyncio.run(cancel(url, lambda: upstream.requests))
    assert upstream.left.wait(LONG)
    entered = threading.Event()
    with serve(hang) as url:
        asyncio.run(cancel(url, entered.is_set))
    gc.collect()
    first, second = calls.reported()
    assert (first.ended_by, first.error, first.result.status) == ("consumer", None, "truncated")
    assert (second.ended_by, second.error, second.results, second.status_code) == ("consumer", None, (), None)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_response_that_is_forgotten(package, queue, play):
    """Garbage collection reports it."""
    calls = Calls(package, False, "wrap", queue)
    url, _ = play(Answer(in_events(CHAT)[:1], end="hang"))
    with calls.Client(**calls.options) as client:
        response = client.send(client.build_request("POST", url, json={}), stream=True)
        next(response.iter_raw())
        del response
        gc.collect()
    (exchange,) = calls.reported()
    assert (exchange.ended_by, exchange.result.status) == ("consumer", "truncated")


@pytest.mark.parametrize("package", PACKAGES)
def test_what_a_client_asks_of_transports_and_streams(package, queue, play):
    """A wrapped transport is a transport, with the attributes of the one inside; `elapsed` still works."""
    inner = package.HTTPTransport()
    wrapped = door.wrap(inner, print, reports=queue)
    calls = Calls(package, False, "hook", queue)

    assert isinstance(wrapped, package.BaseTransport)
    assert wrapped._pool is inner._pool
    url, _ = play(Answer([CHAT]))
    with calls.Client(**calls.options) as client:
        assert client.post(url, json={}).elapsed.total_seconds() > 0


@pytest.mark.parametrize("package", PACKAGES)
def test_clients_close_their_transports(package, queue):
    """With `close`, as those do that are not used in a `with` block."""
    closed = []

    class Transport(package.BaseTransport, package.AsyncBaseTransport):
        def close(self):
            closed.append("close")

        async def aclose(self):
            closed.append("aclose")

        def handle_request(self, request):
            raise AssertionError

    package.Client(transport=door.wrap(Transport(), print, reports=queue)).close()
    asyncio.run(package.AsyncClient(transport=door.wrap(Transport(), print, reports=queue)).aclose())

    assert closed == ["close", "aclose"]


@pytest.mark.parametrize("package", PACKAGES)
def test_transports_for_tests(package, queue):
    """Their responses may have been read before the client gets them."""
    exchanges = []
    packed = gzip.compress(CHAT)
    headers = {**servers.SSE, "content-encoding": "gzip"}
    mock = package.MockTransport(lambda request: package.Response(200, headers=headers, content=packed))

    async def call():
        async with package.AsyncClient(transport=door.wrap(mock, exchanges.append, reports=queue)) as client:
            return (await client.post("http://host", json={"model": "m"})).content

    with package.Client(transport=door.wrap(mock, exchanges.append, reports=queue)) as client:
        assert client.post("http://host", json={"model": "m"}).content == CHAT
    assert asyncio.run(call()) == CHAT
    queue.force_flush(LONG)

    assert [(one.ended_by, one.result.status) for one in exchanges] == [("eof", "complete")] * 2


@pytest.mark.parametrize("package", PACKAGES)
def test_uploads(package, queue, play):
    """A body that is a stream is not read for us."""
    calls = Calls(package, False, "wrap", queue, keep_body=1000)
    url, upstream = play(Answer([CHAT]))
    calls.read(url, json=None, content=iter([b'{"model":', b'"m"}']))
    (exchange,) = calls.reported()
    assert upstream.requests[0][1] == b'{"model":"m"}'
    assert exchange.request == reducer.embed.Request("POST", url + "/" * (exchange.request.url != url), None, None)


def test_wrong_arguments():
    """They are told at once."""
    with pytest.raises(reducer.UsageError, match="wrap takes a transport such as"):
        door.wrap(5, print)
    with pytest.raises(reducer.UsageError, match="on_end takes a function"):
        door.response_hook(5)


def test_neither_package_is_imported():
    """The module works without both."""
    program = "import sys, reducer.embed.httpx; print('httpx' in sys.modules, 'httpx2' in sys.modules)"

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert done.stdout.split() == ["False", "False"]


@pytest.mark.parametrize("name", sample_names())
def test_every_sample(name, queue, play):
    """Through a real server, in the pieces that a server writes."""
    data = load_sample(name).data
    content_type = {"sse": "text/event-stream", "jsonl": "application/x-ndjson", "json": "application/json"}
    headers = {"content-type": content_type[name.rpartition(".")[2]]}
    calls = Calls(httpx2, False, "wrap", queue)
    url, _ = play(Answer([data[at : at + 1000] for at in range(0, len(data), 1000)], headers=headers))
    assert calls.read(url) == data
    (exchange,) = calls.reported()
    assert list(exchange.results) == reducer.reduce_all(data)


# -- SDKs --------------------------------------------------------------------------------------------

STREAMS = {
    "chat": "openai_chat/usage-final.sse",
    "responses": "openai_responses/text.sse",
    "completions": "openai_completions/text.sse",
    "messages": "anthropic_messages/text.sse",
    "gemini": "gemini_generate/text.sse",
}


def call_sdk(kind, url, calls, *, streamed):
    """Make a call of an SDK, and return its events, or its answer in a list."""

    async def acall():
        async with calls.Client(**calls.options) as client:
            answer = await sdk_call(kind, url, client, is_async=True, streamed=streamed)
            return [event async for event in answer] if streamed else [answer]

    if calls.is_async:
        return asyncio.run(acall())
    with calls.Client(**calls.options) as client:
        answer = sdk_call(kind, url, client, is_async=False, streamed=streamed)
        return list(answer) if streamed else [answer]


def sdk_call(kind, url, client, *, is_async, streamed):
    """Make a call of the SDK that speaks the dialect. SDKs are imported here, because that takes seconds."""
    import anthropic
    import openai
    from google import genai

    text = [{"role": "user", "content": "Hi"}]
    if kind in ("chat", "responses", "completions"):
        make = openai.AsyncOpenAI if is_async else openai.OpenAI
        sdk = make(api_key="SECRET", base_url=f"{url}/v1", http_client=client, max_retries=0)
        if kind == "chat":
            return sdk.chat.completions.create(model="m", messages=text, stream=streamed)
        if kind == "responses":
            return sdk.responses.create(model="m", input="Hi", stream=streamed)
        return sdk.completions.create(model="m", prompt="Hi", stream=streamed)
    if kind == "messages":
        make = anthropic.AsyncAnthropic if is_async else anthropic.Anthropic
        sdk = make(api_key="SECRET", base_url=url, http_client=client, max_retries=0)
        return sdk.messages.create(model="m", max_tokens=5, messages=text, stream=streamed)
    option = {"httpx_async_client" if is_async else "httpx_client": client}
    sdk = genai.Client(api_key="SECRET", http_options=genai.types.HttpOptions(base_url=url, **option))
    models = sdk.aio.models if is_async else sdk.models
    call = models.generate_content_stream if streamed else models.generate_content
    return call(model="m", contents="Hi")


@pytest.mark.parametrize("streamed", [True, False])
@pytest.mark.parametrize("by", ["wrap", "hook"])
@pytest.mark.parametrize("is_async", [False, True])
@pytest.mark.parametrize("kind", STREAMS)
def test_sdks(kind, is_async, by, streamed, queue, play):
    """Every call is reported: complete, although SDKs close at the end marker, and without the key."""
    data = load_sample(STREAMS[kind]).data
    expected = reducer.reduce(data)
    if not streamed:
        data = expected.json()
    answer = Answer(
        in_events(data) if streamed else [data], headers=servers.SSE if streamed else servers.JSON, pause=0.002
    )
    calls = Calls(httpx2, is_async, by, queue, keep_body=10_000)
    url, upstream = play(answer)
    assert call_sdk(kind, url, calls, streamed=streamed)

    (exchange,) = calls.reported()
    assert (exchange.ended_by, exchange.error, exchange.status_code) == ("eof", None, 200)
    assert (exchange.result.status, exchange.result.problems) == ("complete", ())
    assert exchange.result.to_dict() == expected.to_dict()
    assert (exchange.request.method, exchange.request.model, exchange.request.stream) == ("POST", "m", streamed)
    assert json.loads(exchange.request.body) == json.loads(upstream.requests[0][1])
    if kind == "gemini" and streamed:
        assert exchange.request.url.endswith("?alt=sse")
    assert "SECRET" not in repr(exchange)
    assert b"SECRET" not in exchange.json()


@pytest.mark.parametrize("is_async", [False, True])
def test_the_openai_sdk_closes_at_the_end_marker(is_async, queue, play):
    """It leaves while the connection is still open: nobody has aborted anything."""
    calls = Calls(httpx2, is_async, "wrap", queue)
    url, upstream = play(Answer([CHAT], end="hang"))
    assert call_sdk("chat", url, calls, streamed=True)
    assert upstream.left.wait(LONG)

    (exchange,) = calls.reported()
    assert (exchange.ended_by, exchange.result.status, exchange.result.problems) == ("eof", "complete", ())


def test_errors_of_sdks(queue, play):
    """A refused request is reported once for each try."""
    import openai

    calls = Calls(httpx2, False, "wrap", queue)
    body = b'{"error":{"message":"slow down","type":"t","code":"rate_limit"}}'
    headers = {**servers.JSON, "retry-after-ms": "1", "x-ratelimit-limit-tokens": "5"}
    url, _ = play(Answer([body], 429, headers))
    with calls.Client(**calls.options) as client:
        sdk = openai.OpenAI(api_key="SECRET", base_url=url, http_client=client, max_retries=1)
        with pytest.raises(openai.RateLimitError):
            sdk.chat.completions.create(model="m", messages=[], stream=True)

    first, second = calls.reported()
    assert [exchange.status_code for exchange in (first, second)] == [429, 429]
    assert (first.result.status, first.error) == ("empty", "HTTP 429")  # the SDK reads the last one only
    assert (second.result.status, second.error) == ("failed", None)
    assert second.result.error.code == "rate_limit"
    assert second.response_headers == headers
