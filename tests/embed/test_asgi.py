"""`ReduceMiddleware` driven by hand: every message passes unchanged, and every order of events gives one exchange."""

import asyncio

import pytest

import reducer
from reducer.embed import ReduceMiddleware
from tests.helpers import load_sample

CHAT = load_sample("openai_chat/usage-final.sse").data
SSE = [(b"content-type", b"text/event-stream")]
START = {"type": "http.response.start", "status": 200, "headers": SSE}
REQUEST = {"type": "http.request", "body": b'{"model":"m","stream":true}', "more_body": False}
DISCONNECT = {"type": "http.disconnect"}
LONG = 30


def body(data=b"", *, more=True):
    return {"type": "http.response.body", "body": data, "more_body": more}


def scope(**fields):
    return {
        "type": "http", "method": "POST", "path": "/v1/chat/completions", "query_string": b"key=SECRET&alt=sse",
        "scheme": "http", "headers": [(b"host", b"h:80"), (b"authorization", b"SECRET")], **fields,
    }  # fmt: skip


class Server:
    """The server's side of one request. Its `receive` gives the messages, and then waits for the client to leave."""

    def __init__(self, *messages, send=None):
        self.messages, self.sent, self.left, self.receiving = list(messages or [REQUEST]), [], None, 0
        self._send = send

    async def receive(self):
        self.receiving += 1
        assert self.receiving == 1, "two calls of receive at a time"
        try:
            if self.messages:
                message = self.messages.pop(0)
                if isinstance(message, Exception):
                    raise message
                return message
            self.left = self.left or asyncio.Event()
            await self.left.wait()
            return DISCONNECT
        finally:
            self.receiving -= 1

    async def send(self, message):
        self.sent.append(message)
        if self._send is not None:
            await self._send(self, message)

    async def leave(self):
        """Let the client leave, and everybody notice."""
        self.left = self.left or asyncio.Event()
        self.left.set()
        for _ in range(5):
            await asyncio.sleep(0)


def run(app, queue, server=None, request=None, **options):
    """Run one request; return the server, what the app raised, and the exchanges."""
    server, exchanges, raised = server or Server(), [], None

    async def main():
        nonlocal raised
        wrapped = ReduceMiddleware(app, exchanges.append, reports=queue, **options)
        try:
            await wrapped(request or scope(), server.receive, server.send)
        except BaseException as error:
            raised = error
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())
    assert queue.force_flush(LONG)
    return server, raised, exchanges


def answering(*messages):
    async def app(scope, receive, send):
        assert await receive() == REQUEST
        for message in messages:
            await send(message)

    return app


def test_messages_pass_unchanged(queue):
    """The same objects. The exchange has the request and the answer, without credentials."""
    messages = [START, body(CHAT[:300]), body(), body(CHAT[300:]), body(more=False)]

    server, raised, (exchange,) = run(answering(*messages), queue)

    assert all(a is b for a, b in zip(server.sent, messages, strict=True))
    assert raised is None
    assert (exchange.integration, exchange.ended_by, exchange.error) == ("asgi", "eof", None)
    assert exchange.request == reducer.embed.Request(
        "POST", "http://h:80/v1/chat/completions?key=***&alt=sse", "m", True
    )
    assert exchange.result == reducer.reduce(CHAT)
    assert 0 < exchange.first_byte <= exchange.duration


def test_the_last_message_may_have_all(queue):
    """As answers in JSON do. Buffers of other types are copied before the app may reuse them."""
    data = bytearray(reducer.reduce(CHAT).json())

    async def app(scope, receive, send):
        await receive()
        await send({**START, "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": data})
        data.clear()

    _, _, (exchange,) = run(app, queue)

    assert (exchange.ended_by, exchange.result.status) == ("eof", "complete")


def test_a_request_in_pieces(queue):
    """The app gets each piece, and the address may be in other words."""
    pieces = [{**REQUEST, "body": b'{"model":', "more_body": True}, {**REQUEST, "body": b'"m"}'}]

    async def app(scope, receive, send):
        assert [await receive(), await receive()] == pieces
        for message in (START, body(CHAT, more=False)):
            await send(message)

    given = scope(raw_path=b"/a%20b?", query_string=b"", headers=[])
    _, _, (exchange,) = run(app, queue, Server(*pieces), given)

    assert (exchange.request.model, exchange.request.url) == ("m", "http:///a%20b")


def test_the_answer_begins_before_the_request_has_ended(queue):
    """Then the middleware waits for the client from the last part of the request on."""
    pieces = [{**REQUEST, "more_body": True}, {"type": "http.request"}]
    server = Server(*pieces)

    async def app(scope, receive, send):
        await receive()
        await send(START)
        assert await receive() == pieces[1]
        await send(body(CHAT[:300]))
        await server.leave()
        assert await receive() == DISCONNECT

    _, _, (exchange,) = run(app, queue, server)

    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 300)


@pytest.mark.parametrize("listens", [False, True])
def test_the_client_leaves(queue, listens):
    """The app may not ask, and send on; the exchange has what was sent before. Or it may ask, again and again."""
    server = Server()

    async def app(scope, receive, send):
        await receive()
        if listens:  # as Starlette does, before the answer begins
            waiting = asyncio.create_task(receive())
            await asyncio.sleep(0)
        await send(START)
        await send(body(CHAT[:300]))
        await server.leave()
        if listens:
            assert await waiting == DISCONNECT
            assert await receive() == DISCONNECT
            return
        await send(body(CHAT[300:]))
        await send(body(more=False))

    _, _, (exchange,) = run(app, queue, server)

    assert (exchange.ended_by, exchange.error, exchange.bytes_received) == ("consumer", None, 300)
    assert exchange.result.status == "truncated"


def test_the_app_gives_up_listening(queue):
    """Its task is cancelled, ours goes on."""
    server = Server()

    async def app(scope, receive, send):
        await receive()
        waiting = asyncio.create_task(receive())
        await asyncio.sleep(0)
        waiting.cancel()
        await send(START)
        await send(body(CHAT[:300]))
        await server.leave()

    _, _, (exchange,) = run(app, queue, server)

    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 300)


def test_the_client_leaves_before_the_answer(queue):
    """The app has not answered yet: it asks, or it is cancelled."""
    server = Server(REQUEST, DISCONNECT)

    async def app(scope, receive, send):
        await receive()
        assert await receive() == DISCONNECT

    _, _, (exchange,) = run(app, queue, server)

    assert (exchange.ended_by, exchange.status_code, exchange.results) == ("consumer", None, ())


def test_the_client_leaves_while_it_sends(queue):
    """Its request is not whole."""

    async def app(scope, receive, send):
        assert await receive() == DISCONNECT

    _, _, (exchange,) = run(app, queue, Server(DISCONNECT))

    assert (exchange.ended_by, exchange.request.model) == ("consumer", None)


def test_a_disconnect_after_the_last_part_is_none(queue):
    """uvicorn says it after every complete answer, and maybe while the last part is being sent."""

    async def send(server, message):
        if message == body(more=False):
            await server.leave()

    server = Server(send=send)
    _, _, (exchange,) = run(answering(START, body(CHAT[:300]), body(more=False)), queue, server)

    assert (exchange.ended_by, exchange.result.status) == ("eof", "truncated")
    assert "aborted" not in [problem.code for problem in exchange.result.problems]


def test_a_server_whose_send_fails(queue):
    """Some servers raise if the client has left."""

    async def send(server, message):
        if message["type"] == "http.response.body":
            raise OSError("gone")

    _, raised, (exchange,) = run(answering(START, body(CHAT)), queue, Server(send=send))

    assert str(raised) == "gone"
    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 0)


class RemoteProtocolError(Exception):
    """Like that of an HTTP client."""


RemoteProtocolError.__module__ = "httpx2"


@pytest.mark.parametrize(
    ("error", "ended_by", "text"),
    [
        (ZeroDivisionError("oops"), "host_error", "ZeroDivisionError: oops"),
        (ConnectionResetError("reset"), "source_error", "ConnectionResetError: reset"),
        (RemoteProtocolError("closed"), "source_error", "RemoteProtocolError: closed"),
        (ExceptionGroup("tasks", [RemoteProtocolError("closed")]), "source_error", "RemoteProtocolError: closed"),
        (ExceptionGroup("two", [OSError(), OSError()]), "host_error", "ExceptionGroup: two (2 sub-exceptions)"),
        (asyncio.CancelledError(), "consumer", None),
    ],
)
def test_the_app_raises(queue, error, ended_by, text):
    """What an HTTP client raises is the upstream's failure, all else the app's."""

    async def app(scope, receive, send):
        await receive()
        await send(START)
        await send(body(CHAT[:300]))
        raise error

    _, raised, (exchange,) = run(app, queue)

    assert raised is error
    assert (exchange.ended_by, exchange.error, exchange.result.status) == (ended_by, text, "truncated")


def test_the_app_returns_too_early(queue):
    """Without the last part: the server will drop the connection."""
    _, _, (exchange,) = run(answering(START, body(CHAT[:300])), queue)

    assert (exchange.ended_by, exchange.result.status) == ("host_error", "truncated")


def test_a_server_whose_receive_fails(queue):
    """Nobody asked but we: the answer goes on."""
    server = Server(REQUEST, ValueError("server"))

    async def app(scope, receive, send):
        await receive()
        await send(START)
        await asyncio.sleep(0)
        await send(body(CHAT, more=False))

    _, raised, (exchange,) = run(app, queue, server)

    assert (raised, exchange.ended_by) == (None, "eof")


@pytest.mark.parametrize(
    ("paths", "is_watched"),
    [
        (None, True),
        (["/v1/"], True),
        (("/v2", "/v1/chat"), True),
        (["/v2"], False),
        ([], False),
        (lambda path: path.endswith("/completions"), True),
        (lambda path: path.endswith("/models"), False),
    ],
)
def test_paths(queue, paths, is_watched):
    """By beginnings, or by a function. Other requests are not touched."""
    seen = []

    async def app(scope, receive, send):
        seen.append(receive)
        await answering(START, body(CHAT, more=False))(scope, receive, send)

    server, _, exchanges = run(app, queue, paths=paths)

    assert len(exchanges) == is_watched
    assert (seen[0] == server.receive) != is_watched
    assert len(server.sent) == 2


def test_answers_of_no_interest(queue):
    """Pages and files pass; nothing waits for their client."""
    page = {**START, "headers": [(b"content-type", b"text/html")]}
    sent = {"type": "http.response.pathsend", "path": "/x"}

    for messages in ((page, body(b"<html>", more=False)), (page, sent)):
        server, _, exchanges = run(answering(*messages), queue)
        assert server.sent == list(messages)
        assert exchanges == []
        assert server.left is None


def test_other_scopes_pass(queue):
    """WebSockets are not reported."""
    got = []

    async def app(scope, receive, send):
        got.append((scope, receive, send))

    server, _, exchanges = run(app, queue, request={"type": "websocket"})

    assert got == [({"type": "websocket"}, server.receive, server.send)]
    assert exchanges == []


def test_without_asyncio(queue):
    """Under another library for asynchronous code, nothing waits for the client, and all else works."""
    server, exchanges = Server(REQUEST, DISCONNECT), []

    async def app(scope, receive, send):
        await receive()
        await send(START)
        await send(body(CHAT[:300]))
        assert await receive() == DISCONNECT

    coroutine = ReduceMiddleware(app, exchanges.append, reports=queue)(scope(), server.receive, server.send)
    with pytest.raises(StopIteration):
        coroutine.send(None)
    queue.force_flush(LONG)

    assert (exchanges[0].ended_by, exchanges[0].bytes_received) == ("consumer", 300)


def test_lifespan_waits_for_callbacks(queue):
    """Before the app tells that it has shut down."""
    events, opened = [], asyncio.Event()

    async def on_end(exchange):
        await opened.wait()
        events.append("reported")

    async def app(scope, receive, send):
        if scope["type"] == "http":
            await answering(START, body(CHAT, more=False))(scope, receive, send)
            return
        for kind in ("lifespan.startup.complete", "lifespan.shutdown.complete"):
            await send({"type": kind})

    async def send(message):
        events.append(message["type"])

    async def main():
        wrapped = ReduceMiddleware(app, on_end, reports=queue)
        server = Server()
        await wrapped(scope(), server.receive, server.send)
        asyncio.get_running_loop().call_later(0.05, opened.set)
        await wrapped({"type": "lifespan"}, None, send)

    asyncio.run(main())
    assert events == ["lifespan.startup.complete", "reported", "lifespan.shutdown.complete"]


def test_wrong_options():
    """They are told at once."""
    with pytest.raises(reducer.UsageError, match="paths takes a list of beginnings"):
        ReduceMiddleware(print, print, paths="/v1")
    with pytest.raises(reducer.UsageError, match="on_end takes a function"):
        ReduceMiddleware(print, None)
