"""A reverse proxy of Starlette and httpx2, and a bare ASGI application, with `ReduceMiddleware` under uvicorn.

The upstream, the proxy and the clients are real and on loopback; the SDKs are those of the dialects.
"""

import asyncio
import gc
import importlib
import importlib.util
import time

import pytest

import reducer
from reducer.embed import ReduceMiddleware
from tests.helpers import SAMPLES, load_sample, sample_names

pytestmark = pytest.mark.integrations

httpx2 = pytest.importorskip("httpx2", reason="the group `integrations` is not installed")
pytest.importorskip("starlette", reason="the group `integrations` is not installed")
servers = importlib.import_module("tests.embed.servers")
Answer, Recorded, Upstream, serve, in_events = (
    servers.Answer, servers.Recorded, servers.Upstream, servers.serve, servers.in_events
)  # fmt: skip

CHAT = load_sample("openai_chat/usage-final.sse").data
TYPES = {"sse": "text/event-stream", "jsonl": "application/x-ndjson", "json": "application/json"}
LONG = 30


def starlette_proxy(url):
    """The application of ``samples/embed/proxy.py`` without its own middleware."""
    spec = importlib.util.spec_from_file_location("samples_embed_proxy", SAMPLES / "embed" / "proxy.py")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("UPSTREAM", url)
        spec.loader.exec_module(module)
    from starlette.applications import Starlette

    @module.asynccontextmanager
    async def lifespan(app):
        async with httpx2.AsyncClient(base_url=url, timeout=LONG, limits=httpx2.Limits(max_connections=None)) as client:
            app.state.client = client
            yield

    return Starlette(routes=module.app.routes, lifespan=lifespan)


class Stage:
    """An upstream whose answers change, behind both kinds of server, which live as long as the module's tests."""

    def __init__(self, url, upstream, recorded, loops):
        self.url, self.upstream, self.recorded, self.loops = url, upstream, recorded, loops

    def play(self, *answers):
        self.upstream.answers = list(answers)
        self.upstream.requests.clear()
        return self.url


@pytest.fixture(scope="module", params=["starlette", "bare"])
def stage(request):
    queue = reducer.embed.Reports(max_queue_size=5000)
    recorded, upstream = Recorded(queue), Upstream(Answer([]))
    loops = set()

    def wrapped(app):
        middleware = ReduceMiddleware(app, recorded, reports=queue, keep_body=10_000)

        async def noting_the_loop(scope, receive, send):
            loops.add(asyncio.get_running_loop())
            await middleware(scope, receive, send)

        return noting_the_loop

    if request.param == "bare":
        with serve(wrapped(upstream)) as url:
            yield Stage(url, upstream, recorded, loops)
    else:
        with serve(upstream) as behind, serve(wrapped(starlette_proxy(behind)), lifespan="on") as url:
            yield Stage(url, upstream, recorded, loops)
    assert queue.shutdown(LONG)
    assert recorded.exchanges == []


def client(**options):
    return httpx2.Client(timeout=LONG, trust_env=False, **options)


@pytest.fixture(scope="module")
def http():
    with client() as shared:
        yield shared


def sample_answer(name, data):
    if name.endswith(".sse"):
        pieces = in_events(data) if b"\r" not in data and b"\n\n" in data else [data]
    else:
        pieces = [data[at : at + 700] for at in range(0, len(data), 700)]
    if b"".join(pieces) != data:  # the sample ends in the middle of an event
        pieces = [data]
    return Answer(pieces, headers={"content-type": TYPES[name.rpartition(".")[2]]}, pause=0.0005)


@pytest.mark.parametrize("name", sample_names())
def test_every_sample(stage, http, name):
    """The bytes are equal, and there is one right exchange. Query strings are kept."""
    data = load_sample(name).data
    url = stage.play(sample_answer(name, data))

    with http.stream("POST", f"{url}/v1/x?alt=sse", json={"model": "m", "stream": True}) as response:
        assert b"".join(response.iter_raw()) == data

    (exchange,) = stage.recorded.take()
    assert list(exchange.results) == (reducer.reduce_all(data) or [reducer.reduce(data)])
    assert (exchange.ended_by, exchange.error, exchange.status_code) == ("eof", None, 200)
    assert (exchange.bytes_received, exchange.request.model) == (len(data), "m")
    assert exchange.request.url == f"{url}/v1/x?alt=sse"
    assert stage.upstream.requests[0][0]["query_string"] == b"alt=sse"


# -- SDKs --------------------------------------------------------------------------------------------

DIALECTS = ("openai_chat", "openai_responses", "openai_completions", "anthropic_messages", "gemini_generate")


def ask(dialect, url, http, *, streamed):
    """Make a call of the SDK that speaks the dialect, and read its answer."""
    text = [{"role": "user", "content": "Hi"}]
    if dialect.startswith("openai"):
        import openai

        sdk = openai.OpenAI(api_key="SECRET", base_url=f"{url}/v1", http_client=http, max_retries=0)
        if dialect == "openai_chat":
            answer = sdk.chat.completions.create(model="m", messages=text, stream=streamed)
        elif dialect == "openai_responses":
            answer = sdk.responses.create(model="m", input="Hi", stream=streamed)
        else:
            answer = sdk.completions.create(model="m", prompt="Hi", stream=streamed)
    elif dialect == "anthropic_messages":
        import anthropic

        sdk = anthropic.Anthropic(api_key="SECRET", base_url=url, http_client=http, max_retries=0)
        answer = sdk.messages.create(model="m", max_tokens=5, messages=text, stream=streamed)
    else:
        from google import genai

        options = genai.types.HttpOptions(base_url=url, httpx_client=http)
        models = genai.Client(api_key="SECRET", http_options=options).models
        call = models.generate_content_stream if streamed else models.generate_content
        answer = call(model="m", contents="Hi")
    return list(answer) if streamed else answer


@pytest.mark.parametrize(
    "name", [name for name in sample_names() if name.endswith(".sse") and name.split("/")[0] in DIALECTS]
)
def test_every_sample_in_its_sdk(stage, http, name):
    """An SDK may refuse what a stream holds, and may leave early; there is one exchange nevertheless, with its prefix."""
    data = load_sample(name).data
    url = stage.play(sample_answer(name, data))

    try:
        ask(name.split("/")[0], url, http, streamed=True)
        refused = False
    except Exception:
        refused = True

    (exchange,) = stage.recorded.take()
    expected = reducer.reduce_all(data) or [reducer.reduce(data)]
    assert exchange.request.stream is True
    assert "SECRET" not in repr(exchange)
    if exchange.bytes_received == len(data) and exchange.ended_by == "eof":
        assert list(exchange.results) == expected
    else:  # it left at the end marker of the first response, or where it refused an event
        assert refused or exchange.ended_by == "eof" or len(expected) > 1
        assert exchange.result.dialect == expected[0].dialect


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("streamed", [True, False])
def test_sdks(stage, http, dialect, streamed):
    """The exchange is complete, with the model and without the key."""
    names = {"openai_chat": "usage-final", "openai_completions": "text"}
    data = load_sample(f"{dialect}/{names.get(dialect, 'text')}.sse").data
    expected = reducer.reduce(data)
    answer = Answer(in_events(data), pause=0.002) if streamed else Answer([expected.json()], headers=servers.JSON)
    url = stage.play(answer)

    assert ask(dialect, url, http, streamed=streamed)

    (exchange,) = stage.recorded.take()
    assert (exchange.ended_by, exchange.error, exchange.result.status) == ("eof", None, "complete")
    assert exchange.result.problems == ()
    assert exchange.result.to_dict() == expected.to_dict()
    assert (exchange.request.model, exchange.request.stream) == ("m", streamed)
    assert exchange.request.body
    assert "SECRET" not in repr(exchange)


# -- ends --------------------------------------------------------------------------------------------


def test_the_openai_sdk_closes_at_the_end_marker(stage):
    """While the upstream still holds the connection: complete, and nobody has aborted anything."""
    url = stage.play(Answer([CHAT], end="hang"))

    with client() as http:
        assert ask("openai_chat", url, http, streamed=True)
        (exchange,) = stage.recorded.take()

    assert (exchange.ended_by, exchange.result.status, exchange.result.problems) == ("eof", "complete", ())


@pytest.mark.parametrize(("mark", "status"), [(b'"finish_reason":"stop"', "complete"), (b'"content":""', "truncated")])
def test_the_client_leaves(stage, mark, status):
    """After the finish reason and before the usage: complete with `aborted`; earlier: truncated with what was seen."""
    head = CHAT[: CHAT.index(b"\n\n", CHAT.index(mark)) + 2]
    url = stage.play(Answer(in_events(head), end="hang"))

    with client() as http, http.stream("POST", f"{url}/v1/x", json={}) as response:
        got = b""
        for piece in response.iter_raw():
            got += piece
            if len(got) == len(head):
                break

    (exchange,) = stage.recorded.take()
    assert got == head
    assert (exchange.ended_by, exchange.result.status, exchange.bytes_received) == ("consumer", status, len(head))
    assert "aborted" in [problem.code for problem in exchange.result.problems]
    assert stage.upstream.left.wait(LONG)
    stage.upstream.left.clear()


def test_the_client_leaves_before_the_answer(stage):
    """Nothing was answered. An application that asks for its client, or is told, ends; ours does not wait for it."""
    url = stage.play(Answer([CHAT], pause=0.3))

    with client() as http, pytest.raises(httpx2.ReadTimeout):
        http.post(f"{url}/v1/x", json={"model": "m"}, timeout=0.1)

    (exchange,) = stage.recorded.take()
    assert exchange.request.model == "m"
    assert exchange.ended_by in ("consumer", "eof")


def test_the_upstream_dies(stage):
    """The client sees what it sees without us. The proxy tells its upstream's fault from its own."""
    url = stage.play(Answer(in_events(CHAT)[:2], end="die"))

    with client() as http, pytest.raises(httpx2.RemoteProtocolError):
        http.post(f"{url}/v1/x", json={})

    (exchange,) = stage.recorded.take()
    assert exchange.ended_by == "source_error"
    assert exchange.error.partition(":")[0] in ("RemoteProtocolError", "ConnectionAbortedError")
    assert exchange.result.status == "truncated"


@pytest.mark.parametrize(
    ("method", "status", "headers", "data", "expected"),
    [
        ("POST", 429, servers.JSON, b'{"error":{"message":"no","type":"t","code":"c"}}', ("failed", None)),
        ("POST", 502, {"content-type": "text/html"}, b"<html>", (None, "HTTP 502")),
        ("GET", 200, {"content-type": "text/html"}, b"<html>", None),
        ("POST", 204, {}, b"", None),
    ],
)
def test_which_answers_are_reported(stage, http, method, status, headers, data, expected):
    """JSON errors and refused posts are; pages and empty answers are not."""
    url = stage.play(Answer([data] if data else [], status, headers))

    response = http.request(method, f"{url}/v1/x")
    assert (response.status_code, response.content) == (status, data)

    if expected is None:
        assert stage.recorded.queue.force_flush(LONG)
        assert stage.recorded.exchanges == []
    else:
        (exchange,) = stage.recorded.take()
        assert (exchange.result and exchange.result.status, exchange.error) == expected


def test_a_large_event_and_garbage(stage, http):
    """The client gets the bytes."""
    head, tail = CHAT.split(b'"content":""', 1)
    large = [head + b'"content":"', *[b"a" * (1 << 20)] * 20, b'"' + tail]
    for pieces in (large, [b"\x00\xff" * 5000] * 10):
        url = stage.play(Answer(pieces))
        assert http.post(f"{url}/v1/x").content == b"".join(pieces)
        (exchange,) = stage.recorded.take()
        assert exchange.bytes_received == sum(map(len, pieces))
        assert exchange.ended_by == "eof"


# -- many --------------------------------------------------------------------------------------------


def tasks_when_idle(loop):
    """Return how many tasks are left when the server of this loop has closed its connections."""
    deadline = time.monotonic() + LONG
    while (count := len(asyncio.all_tasks(loop))) > 3 and time.monotonic() < deadline:
        time.sleep(0.05)
    return count


@pytest.mark.slow
def test_a_thousand_streams_at_once(stage):
    """A third of the clients leave at some event: one exchange each, no growth, no task left in the server."""
    events = [b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":'
              b'{"content":"word%d "},"finish_reason":null}]}\n\n' % number for number in range(199)] + [b"data: [DONE]\n\n"]  # fmt: skip

    async def read(http, url, number):
        if number % 3:
            assert (await http.post(f"{url}/v1/x", json={"model": str(number)})).content == b"".join(events)
            return
        got = 0
        async with http.stream("POST", f"{url}/v1/x", json={"model": str(number)}) as response:
            async for piece in response.aiter_raw():
                got += piece.count(b"\n\n")
                if got > number % 190:
                    break

    async def many(url, count):
        limits = httpx2.Limits(max_connections=None)
        async with httpx2.AsyncClient(timeout=300, limits=limits, trust_env=False) as http:
            await asyncio.gather(*(read(http, url, number) for number in range(count)))

    url = stage.play(Answer(events))
    asyncio.run(many(url, 30))
    stage.recorded.take(30)
    (loop,) = stage.loops
    tasks = tasks_when_idle(loop)
    gc.collect()
    before = len(gc.get_objects())
    asyncio.run(many(url, 1000))
    found = stage.recorded.take(1000)
    assert {int(exchange.request.model) for exchange in found} == set(range(1000))
    whole = [exchange for exchange in found if int(exchange.request.model) % 3]
    assert {(exchange.ended_by, exchange.result.status) for exchange in whole} <= {
        ("eof", "complete"),
        ("eof", "truncated"),
    }
    assert {len(exchange.result.view().text) for exchange in whole} == {len(whole[0].result.view().text)}
    assert {exchange.ended_by for exchange in found} <= {"eof", "consumer"}
    stage.upstream.requests.clear()
    del found, whole
    gc.collect()
    assert len(gc.get_objects()) - before < 20_000
    assert tasks_when_idle(loop) == tasks
