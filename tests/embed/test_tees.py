"""`tee` and `atee`: the same objects in the same order, and one exchange at the end, whatever the end is."""

import asyncio
import gc
import gzip
import itertools
import subprocess
import sys
import time

import pytest

import reducer
from reducer.embed import Request, atee, tee
from tests.helpers import load_sample

CHAT = load_sample("openai_chat/usage-final.sse").data
PIECES = [CHAT[at : at + 50] for at in range(0, len(CHAT), 50)]
CUT = PIECES[:8]  # ends before the finish reason


class Source:
    """An iterator that counts how often it was closed, and that may raise at its end."""

    def __init__(self, pieces, error=None):
        self.pieces, self.error, self.closed = iter(pieces), error, 0

    def __iter__(self):
        return self

    def __next__(self):
        for piece in self.pieces:
            return piece
        raise self.error or StopIteration

    def close(self):
        self.closed += 1

    def __aiter__(self):
        return self

    async def __anext__(self):
        await asyncio.sleep(0)
        for piece in self.pieces:
            return piece
        raise self.error or StopAsyncIteration

    async def aclose(self):
        self.closed += 1


class Both:
    """Drives `tee` or `atee` with the same test."""

    def __init__(self, kind, queue):
        self.kind, self.queue, self.exchanges = kind, queue, []

    def tee(self, source, **options):
        return (tee if self.kind == "sync" else atee)(source, self.exchanges.append, reports=self.queue, **options)

    def run(self, action):
        """Run an action with this driver. In asynchronous code, return its coroutine's result."""
        return asyncio.run(action(self))

    async def next(self, one):
        return next(one) if self.kind == "sync" else await anext(one)

    async def all(self, one):
        return list(one) if self.kind == "sync" else [piece async for piece in one]

    async def close(self, one):
        if self.kind == "sync":
            one.close()
        else:
            await one.aclose()

    def reported(self):
        assert self.queue.force_flush(30)
        return self.exchanges


@pytest.fixture(params=["sync", "async"])
def both(request, queue):
    return Both(request.param, queue)


def test_the_same_objects_and_one_exchange(both):
    """The exchange comes after the last piece."""

    async def action(both):
        one = both.tee(Source(PIECES), status_code=200, headers={"content-type": "text/event-stream"}.items())
        got = await both.all(one)
        assert all(a is b for a, b in zip(got, PIECES, strict=True))
        await both.close(one)  # has no effect on the report
        assert await both.all(one) == []

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.integration, exchange.ended_by, exchange.status_code) == ("tee", "eof", 200)
    assert exchange.result == reducer.reduce(CHAT)
    assert exchange.response_headers == {"content-type": "text/event-stream"}


def test_the_source_fails(both):
    """The reader gets the exception itself."""
    error = OSError("dropped")

    async def action(both):
        one = both.tee(Source(CUT, error))
        with pytest.raises(OSError, match="dropped") as caught:
            await both.all(one)
        assert caught.value is error

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.error) == ("source_error", "OSError: dropped")
    assert exchange.result.status == "truncated"


def test_an_interrupted_reader(both):
    """Ctrl+C in the middle of a read is not the source's fault."""

    async def action(both):
        one = both.tee(Source(CUT, KeyboardInterrupt()))
        for _ in CUT:
            await both.next(one)
        with pytest.raises(KeyboardInterrupt):
            await both.next(one)

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.error) == ("consumer", None)


def test_the_reader_closes(both):
    """The last piece that it got is seen, and the source is closed, too."""

    async def action(both):
        source = Source(PIECES)
        one = both.tee(source)
        for _ in CUT:
            await both.next(one)
        await both.close(one)
        assert source.closed == 1

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.error, exchange.result.status) == ("consumer", None, "truncated")
    assert exchange.bytes_received == sum(map(len, CUT))


def test_the_reader_closes_at_the_end_marker(both):
    """As the OpenAI SDK does."""

    async def action(both):
        one = both.tee(Source([CHAT, b"\n"]))
        await both.next(one)
        await both.close(one)

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.result.status, exchange.result.problems) == ("eof", "complete", ())


def test_the_reader_never_starts(both):
    """A generator's `finally` would not run."""

    async def action(both):
        await both.close(both.tee(Source(PIECES)))

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.result.status, exchange.bytes_received) == ("consumer", "empty", 0)


def test_the_reader_forgets(both):
    """Garbage collection reports."""

    async def action(both):
        one = both.tee(Source(PIECES))
        await both.next(one)
        del one
        gc.collect()

    both.run(action)

    (exchange,) = both.reported()
    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 50)


def test_as_context_managers(queue):
    """Leaving the block closes the tee, and the exception passes."""
    exchanges = []

    def read():
        with tee(Source(PIECES), exchanges.append, reports=queue) as one:
            next(one)
            raise ZeroDivisionError

    async def aread():
        async with atee(Source(PIECES), exchanges.append, reports=queue) as one:
            await anext(one)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        read()
    with pytest.raises(ZeroDivisionError):
        asyncio.run(aread())
    queue.force_flush(30)

    assert [exchange.ended_by for exchange in exchanges] == ["consumer", "consumer"]


def test_iterables_of_any_kind(both):
    """A list, a generator, and an iterable with a `close` of its own are closed if they can be."""

    class Body:
        def __init__(self):
            self.closed = 0

        def __iter__(self):
            yield from PIECES

        async def __aiter__(self):
            for piece in PIECES:
                yield piece

        def close(self):
            self.closed += 1

        async def aclose(self):
            self.closed += 1

    async def action(both):
        body = Body()
        one = both.tee(body)
        await both.next(one)
        await both.close(one)
        assert body.closed == 1
        if both.kind == "sync":
            listed = both.tee(PIECES)
            next(listed)
            listed.close()

    both.run(action)

    assert {exchange.bytes_received for exchange in both.reported()} == {50}


def test_the_source_is_closed_while_it_is_read(queue):
    """Another task waits for the next piece: its generator cannot be closed, but the source can, which wakes it."""
    exchanges = []

    class Body:
        def __init__(self):
            self.closed = asyncio.Event()

        async def __aiter__(self):
            yield CUT[0]
            await self.closed.wait()

        async def aclose(self):
            self.closed.set()

    async def action():
        one = atee(Body(), exchanges.append, reports=queue)
        await anext(one)
        reader = asyncio.create_task(anext(one, None))
        await asyncio.sleep(0)
        await one.aclose()
        assert await reader is None

    asyncio.run(action())
    queue.force_flush(30)

    assert [(exchange.ended_by, exchange.bytes_received) for exchange in exchanges] == [("consumer", 50)]


def test_an_asynchronous_iterator_that_cannot_be_closed(queue):
    """It is just dropped."""
    exchanges = []

    class Bare:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return CHAT

    async def action():
        await atee(Bare(), exchanges.append, reports=queue).aclose()

    asyncio.run(action())
    queue.force_flush(30)

    assert len(exchanges) == 1


def test_a_cancelled_reader(queue):
    """The task that waits for the next piece is cancelled."""
    exchanges = []

    async def forever():
        yield CUT[0]
        await asyncio.sleep(3600)

    async def read():
        async for _ in atee(forever(), exchanges.append, reports=queue):
            pass

    async def action():
        task = asyncio.create_task(read())
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(action())
    queue.force_flush(30)

    (exchange,) = exchanges
    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 50)


def test_a_piece_is_passed_on_before_it_is_reduced(both, monkeypatch):
    """The reader waits for nothing of ours."""
    fed = []
    feed = reducer.Reducer.feed
    monkeypatch.setattr(reducer.Reducer, "feed", lambda self, data: (fed.append(data), feed(self, data)))

    async def action(both):
        one = both.tee(Source(PIECES))
        for number in range(len(PIECES)):
            assert await both.next(one) is PIECES[number]
            assert len(fed) == number
        assert one.snapshot().status == "complete"
        assert fed == PIECES
        await both.close(one)

    both.run(action)


def test_buffers_may_be_reused(both):
    """What the reader does with a buffer after it got it does not matter."""

    async def action(both):
        buffers = [bytearray(piece) for piece in PIECES]
        one = both.tee(Source([*buffers, memoryview(b"\n")]))
        for buffer in buffers:
            assert await both.next(one) is buffer
            buffer[:] = b"x" * len(buffer)
        assert await both.next(one) == b"\n"
        await both.close(one)

    both.run(action)

    assert both.reported()[0].result.status == "complete"


def test_pieces_that_are_not_bytes(both, logged):
    """They pass. The exchange tells that they could not be recorded."""

    async def action(both):
        assert await both.all(both.tee(Source(["text", 5]))) == ["text", 5]

    both.run(action)

    assert both.reported()[0].error.startswith("TypeError: ")


def test_content_encoding(both):
    """Given as an argument, or in the headers."""
    packed = gzip.compress(CHAT)

    async def action(both):
        await both.all(both.tee(Source([packed]), encoding="gzip"))
        await both.all(both.tee(Source([packed]), headers=[("Content-Encoding", "gzip")]))
        await both.all(both.tee(Source([CHAT]), headers=[("Content-Encoding", "gzip")], encoding=""))
        await both.all(both.tee(Source([packed]), encoding="unheard-of"))

    both.run(action)

    first, second, third, fourth = both.reported()
    assert [one.result.status for one in (first, second, third)] == ["complete"] * 3
    assert first.bytes_decoded == len(CHAT)
    assert fourth.error.startswith("UsageError: unknown content encoding")


def test_what_the_host_knows_of_the_request(both):
    """Its address and its body lose their credentials; the model may come from either."""
    body = b'{"model":"m","stream":true,"tools":[{"authorization":"SECRET"}]}'
    known = Request("post", "https://u:SECRET@h/v1?key=SECRET", body=body)

    async def action(both):
        await both.all(both.tee(Source([CHAT]), request=known, keep_body=1000, metadata={"tenant": 1}))
        await both.all(both.tee(Source([CHAT]), request=Request(model="other", stream=False), integration="mine"))

    both.run(action)

    first, second = both.reported()
    assert first.request == Request(
        "POST", "https://h/v1?key=***", "m", True, b'{"model":"m","stream":true,"tools":[{"authorization":"***"}]}'
    )
    assert first.metadata == {"tenant": 1}
    assert (second.request, second.integration) == (Request(model="other", stream=False), "mine")


def test_headers_of_a_wrong_type(both, logged):
    """The bytes pass."""

    async def action(both):
        assert await both.all(both.tee(Source([CHAT]), headers=[1])) == [CHAT]

    both.run(action)

    assert both.reported()[0].error.startswith("TypeError")
    assert len(logged()) == 1


def test_times(both):
    """With a clock."""
    ticks = itertools.count()

    async def action(both):
        await both.all(both.tee(Source(PIECES), clock=lambda: next(ticks)))

    both.run(action)

    assert both.reported()[0].result.timing.gap_count == len(PIECES) - 1


def test_times_count_from_the_request(both):
    """Which the host knows, because a tee begins with the answer."""
    started = time.monotonic_ns() - 5_000_000_000

    async def action(both):
        await both.all(both.tee(Source(PIECES), clock=time.monotonic_ns, started=started))

    before = time.time_ns()
    both.run(action)

    (exchange,) = both.reported()
    assert 5_000_000_000 <= exchange.first_byte <= exchange.duration
    assert exchange.started_at < before - 4_000_000_000
    assert 5_000_000_000 <= exchange.result.timing.first_content <= exchange.result.timing.end <= exchange.duration


def test_wrong_options_raise(both):
    """Before anything is read. The half-made object reports nothing."""
    with pytest.raises(reducer.UsageError):
        both.tee(Source(PIECES), keep_body=0, limits=5)
    with pytest.raises(reducer.UsageError, match="started must be nanoseconds"):
        both.tee(Source(PIECES), started=0.5)
    with pytest.raises(TypeError):
        (tee if both.kind == "sync" else atee)(5, print)
    gc.collect()
    assert both.reported() == []


def test_a_forgotten_tee_at_the_end_of_the_program():
    """The exchange is reported before the interpreter ends."""
    program = (
        "from reducer.embed import tee; one = tee([b'data: {}'], lambda e: print(e.ended_by)); next(one); one.close()"
    )

    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)

    assert (done.stdout, done.stderr) == ("consumer\n", "")
