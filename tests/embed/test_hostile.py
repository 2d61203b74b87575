"""What must hold, whatever the upstream, the client and the callback do: the client notices nothing of us.

The tests with servers are in `tests.embed.test_httpx`; these use the tees alone, and so the recording that all
integrations share.
"""

import asyncio
import contextvars
import gc
import json
import logging
import random
import threading
import tracemalloc
import zlib

import pytest

from reducer import Limits
from reducer.embed import Reports, Request, atee, tee, write_jsonl
from reducer.embed.recording import Recorder
from tests.helpers import load_sample

CHAT = load_sample("openai_chat/usage-final.sse").data
LONG = 30
TRACE = contextvars.ContextVar("trace", default=None)


def in_pieces(data, size=1 << 16):
    return [data[at : at + size] for at in range(0, len(data), size)]


def long_stream(events):
    """Return the pieces of a Chat stream of so many text events."""
    head, middle, *_ = CHAT.split(b"\n\n")
    text = json.loads(middle.removeprefix(b"data: "))
    for number in range(events):
        text["choices"][0]["delta"] = {"content": f"word{number} "}
        yield b"data: " + json.dumps(text).encode() + b"\n\n"
    yield CHAT[len(head) + len(middle) + 4 :]


# -- many streams ------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_thousand_streams_at_once(queue, logged):
    """A third of the readers leave at a random event: one exchange each, no task and no memory left."""
    chance = random.Random(5)
    exchanges = []

    async def source():
        for piece in long_stream(200):
            yield piece
            await asyncio.sleep(0)

    async def read(number):
        TRACE.set(number)
        leaves = chance.randrange(200) if number % 3 == 0 else None
        count = 0
        async with atee(source(), on_end, reports=queue, metadata=number) as pieces:
            async for _ in pieces:
                count += 1
                if count == leaves:
                    break

    async def on_end(exchange):
        exchanges.append((exchange.metadata, TRACE.get(), exchange.ended_by, exchange.result.status))

    async def many(count):
        await asyncio.gather(*map(read, range(count)))
        assert await queue.aforce_flush(LONG)
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    async def main():
        await many(100)
        gc.collect()
        before = len(gc.get_objects())
        exchanges.clear()
        await many(1000)
        gc.collect()
        found = list(exchanges)
        exchanges.clear()
        assert len(gc.get_objects()) - before < 2 * len(found) + 500  # `found` has a tuple each
        return found

    found = asyncio.run(main())
    assert [one[0] for one in sorted(found)] == list(range(1000))
    assert all(number == trace for number, trace, _, _ in found)
    assert {(ended_by, status) for number, _, ended_by, status in found if number % 3} == {("eof", "complete")}
    assert {ended_by for number, _, ended_by, _ in found if not number % 3} <= {"consumer", "eof"}
    assert logged() == []


def test_memory_of_an_open_stream(queue):
    """At most four times the text so far, and 64 KiB."""
    tracemalloc.start()
    try:
        for events in (1, 100, 1000, 10_000):
            source = long_stream(events)
            text = sum(len(f"word{number} ") for number in range(events))
            gc.collect()
            before = tracemalloc.get_traced_memory()[0]
            one = tee(source, lambda exchange: None, reports=queue, request=Request(body=b"{}" + b" " * 1_000_000))
            for _ in range(events):
                next(one)
            used = tracemalloc.get_traced_memory()[0] - before
            one.close()
            assert used < 4 * text + (64 << 10), events
    finally:
        tracemalloc.stop()


# -- the upstream ------------------------------------------------------------------------------------


def play(pieces, queue, **options):
    """Read all pieces through a tee; return what the reader got, the exchange, and the peak of the memory in bytes."""
    exchanges, got = [], 0
    gc.collect()
    tracemalloc.start()
    try:
        for piece in tee(pieces, exchanges.append, reports=queue, **options):
            got += len(piece)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert queue.force_flush(LONG)
    (exchange,) = exchanges
    return got, exchange, peak


@pytest.mark.parametrize("encoding", ["gzip", "deflate"])
def test_a_bomb(queue, encoding):
    """256 MiB in 256 KiB: given up after some megabytes."""
    coder = zlib.compressobj(9, wbits=31 if encoding == "gzip" else 15)
    zeros = bytes(1 << 20)
    bomb = b"".join(coder.compress(zeros) for _ in range(256)) + coder.flush()

    got, exchange, peak = play(in_pieces(bomb), queue, encoding=encoding)

    assert got == exchange.bytes_received == len(bomb)
    assert exchange.error.startswith(f"ContentError: content encoding {encoding}: ")
    assert (exchange.ended_by, exchange.result.status) == ("eof", "empty")
    assert "aborted" in [problem.code for problem in exchange.result.problems]
    assert exchange.bytes_decoded < 9 << 20
    assert peak < 32 << 20


def test_fifty_megabytes_in_one_event(queue):
    """Within the limits, they are reduced; beyond them, they are not kept."""
    size = 50 << 20
    head, _ = CHAT.split(b'"content":""', 1)

    def pieces():
        yield head + b'"content":"'
        for _ in range(size >> 16):
            yield b"a" * (1 << 16)
        yield b'"}}]}\n\n'

    got, exchange, peak = play(pieces(), queue)
    assert got == exchange.bytes_received > size
    assert len(exchange.result.body.choices[0].message.content) == size
    assert peak < 5 * size

    got, exchange, peak = play(pieces(), queue, limits=Limits(max_event_bytes=1 << 20))
    assert got > size
    assert exchange.result.status == "truncated"
    assert "limit_event_bytes" in [problem.code for problem in exchange.result.problems]
    assert peak < 16 << 20


@pytest.mark.parametrize("seed", range(5))
def test_garbage(queue, seed):
    """Random bytes, also as something compressed."""
    data = random.Random(seed).randbytes(100_000)

    for encoding in ("", "gzip", "deflate", "gzip, deflate"):
        got, exchange, _ = play(in_pieces(data, 1000), queue, encoding=encoding)
        assert got == exchange.bytes_received == len(data)
        assert exchange.result.status in ("empty", "truncated")
        assert bool(exchange.error) == bool(encoding)


# -- the callback ------------------------------------------------------------------------------------


def test_a_callback_that_blocks(queue):
    """Streams go on while it blocks, and all are reported after it."""
    entered, opened, got = threading.Event(), threading.Event(), []

    def on_end(exchange):
        entered.set()
        assert opened.wait(LONG)
        got.append(exchange)

    assert b"".join(tee([CHAT], on_end, reports=queue)) == CHAT
    assert entered.wait(LONG)
    for _ in range(100):
        assert b"".join(tee([CHAT], on_end, reports=queue)) == CHAT
    assert got == []
    opened.set()
    assert queue.force_flush(LONG)
    assert len(got) == 101


def test_a_slow_asynchronous_callback(queue):
    """Streams go on while it waits."""
    got = []

    async def source():
        yield CHAT

    async def main():
        opened = asyncio.Event()

        async def on_end(exchange):
            await opened.wait()
            got.append(exchange)

        for _ in range(100):
            assert [piece async for piece in atee(source(), on_end, reports=queue)] == [CHAT]
        assert got == []
        opened.set()
        assert await queue.aforce_flush(LONG)

    asyncio.run(main())
    assert len(got) == 100


def test_thousands_of_callbacks_that_block(logged):
    """The queue is bounded; what does not fit is counted, and logged once."""
    queue = Reports(max_queue_size=100)
    opened, got = threading.Event(), []

    def on_end(exchange):
        assert opened.wait(LONG)
        got.append(exchange)

    for _ in range(3000):
        assert b"".join(tee([CHAT], on_end, reports=queue)) == CHAT
    assert len(queue) == 100
    opened.set()
    assert queue.shutdown(LONG)
    assert len(got) + queue.dropped == 3000
    assert len(got) in (100, 101)
    assert len(logged()) == 1


# -- credentials -------------------------------------------------------------------------------------


def test_credentials_are_nowhere(queue, tmp_path, caplog):
    """In no exchange, no row, no file and no line of the log, whatever fails."""
    caplog.set_level(logging.DEBUG)
    secret = "sk-PLANTED"
    url = f"https://me-{secret}:{secret}@host/v1/models/m:streamGenerateContent?alt=sse&key={secret}&sig={secret}"
    headers = [(name, secret) for name in ("Authorization", "api-key", "x-api-key", "x-goog-api-key", "Cookie")]
    tools = [
        {"type": "mcp", "authorization": secret, "headers": {"X-Key": secret}, "server_url": f"https://{secret}@h"}
    ]
    body = json.dumps({"model": "m", "stream": True, "tools": tools}).encode()
    answer = [("Content-Type", "text/event-stream"), ("Set-Cookie", secret), ("X-Api-Key", secret)]
    exchanges = []

    def fails(request_or_exchange):
        raise ValueError(secret, repr(request_or_exchange))

    def play(on_end, error=None, **options):
        one = Recorder("test", on_end, keep_body=10_000, reports=queue, **options).begin()
        one.see_request("POST", url, headers, body)
        one.see_response(200, answer)
        one.feed(CHAT[:400])
        one.end("source_error" if error else "eof", error)

    for on_end in (exchanges.append, write_jsonl(tmp_path / "calls.jsonl"), fails):
        play(on_end)
        play(on_end, OSError(f"cannot reach {url} with Authorization: Bearer {secret}"))
        play(on_end, on_start=fails)
        play(on_end, on_start=lambda request: request.model)
    assert queue.force_flush(LONG)

    shown = [
        repr(exchanges),
        repr([one.rows() for one in exchanges]),
        (tmp_path / "calls.jsonl").read_text(),
        caplog.text,
    ]
    assert [secret in text for text in shown] == [False] * 4
    assert len(exchanges) == len(shown[2].splitlines()) == 4
    assert "on_end failed" in caplog.text
    assert "on_start failed" in caplog.text
