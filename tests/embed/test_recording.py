"""`Recorder` and `Recording`: which answers are recorded, and what becomes of faults."""

import gzip
import itertools
import zlib

import pytest

import reducer
from reducer.embed import recording
from reducer.embed.recording import Recorder
from reducer.reducer import Reducer
from tests.helpers import load_sample

CHAT = load_sample("openai_chat/usage-final.sse").data
SSE = {"content-type": "text/event-stream; charset=utf-8"}
JSON = {"content-type": "application/json"}
HTML = {"content-type": "text/html"}
ERROR = b'{"error":{"message":"no such key","type":"invalid_request_error","code":"invalid_api_key"}}'


def record(
    queue, status=200, headers=SSE, pieces=(CHAT,), method="POST", url="/v1/x", ended_by="eof", error=None, **options
):
    """Record one exchange; return it, or ``None`` if it was not reported."""
    reported = []
    one = Recorder("test", reported.append, reports=queue, **options).begin()
    one.see_request(method, url, {"Authorization": "Bearer SECRET"}.items(), b'{"model":"m","stream":true}')
    if one.see_response(status, headers.items()):
        for piece in pieces:
            if one.needs_mark:
                one.mark()
            one.feed(piece)
        one.end(ended_by, error)
    one.end("consumer")  # has no effect
    assert queue.force_flush(30)
    assert len(reported) <= 1
    return reported[0] if reported else None


def test_an_exchange_has_everything(queue):
    """The request, the answer, and their times."""
    headers = {**SSE, "x-request-id": "r", "set-cookie": "SECRET"}

    exchange = record(queue, headers=headers, url="https://u:SECRET@h/v1?key=SECRET")

    assert len(exchange.id) == 32
    assert exchange.integration == "test"
    assert exchange.request == reducer.embed.Request("POST", "https://h/v1?key=***", "m", True, None)
    assert exchange.response_headers == {"content-type": SSE["content-type"], "x-request-id": "r"}
    assert (exchange.status_code, exchange.ended_by, exchange.error) == (200, "eof", None)
    assert (exchange.bytes_received, exchange.bytes_decoded) == (len(CHAT), len(CHAT))
    assert exchange.results == (reducer.reduce(CHAT),)
    assert 0 <= exchange.first_byte <= exchange.duration
    assert exchange.started_at > 1_700_000_000 * 10**9
    assert "SECRET" not in repr(exchange)


@pytest.mark.parametrize(
    "content_type",
    [
        "text/event-stream",
        "Text/Event-Stream;charset=utf-8",
        "application/json",
        "application/x-ndjson",
        "application/jsonl",
        "application/vnd.api+json ; x=y",
        "application/stream+json",
        "text/json",
        None,
    ],
)
def test_event_streams_and_json_are_reduced(queue, content_type):
    """And an answer that does not say what it is."""
    exchange = record(queue, headers={} if content_type is None else {"Content-Type": content_type})

    assert exchange.result.status == "complete"


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("content_type", ["text/html", "text/plain", "image/png", "audio/mpeg", "application/jsonp/x"])
def test_other_answers_are_not_reported(queue, method, content_type):
    """Pages, images, speech."""
    assert record(queue, headers={"content-type": content_type}, method=method) is None


@pytest.mark.parametrize(
    ("method", "status"),
    [("HEAD", 200), ("OPTIONS", 200), ("POST", 204), ("POST", 304), ("POST", 302), ("GET", 101), ("POST", 205)],
)
def test_answers_without_body_are_not_reported(queue, method, status):
    """HEAD, preflight requests, redirections, upgrades."""
    assert record(queue, status, {}, (), method) is None


def test_errors_in_json_are_failed_results(queue):
    """The provider's error is in the result, so the exchange has none."""
    exchange = record(queue, 401, JSON, (ERROR,))

    assert (exchange.status_code, exchange.result.status, exchange.error) == (401, "failed", None)
    assert exchange.result.error.code == "invalid_api_key"
    assert exchange.ended_by == "eof"


def test_errors_that_are_not_json(queue):
    """The answer of a load balancer has no result; a page that a browser asked for is nobody's answer."""
    exchange = record(queue, 502, HTML, (b"<html>Bad", b" Gateway</html>"))

    assert (exchange.status_code, exchange.results, exchange.error) == (502, (), "HTTP 502")
    assert exchange.bytes_received == len(b"<html>Bad Gateway</html>")
    assert record(queue, 404, HTML, (b"<html>",), "GET") is None


def test_errors_in_unknown_json(queue):
    """The status says what the body does not."""
    exchange = record(queue, 500, JSON, (b'{"oops":1}',))

    assert (exchange.result.status, exchange.error) == ("empty", "HTTP 500")


@pytest.mark.parametrize(("method", "is_reported"), [("POST", True), ("GET", False)])
def test_no_answer_came(queue, method, is_reported):
    """The connection was refused. The text of the exception has no credentials."""
    reported = []
    one = Recorder("test", reported.append, reports=queue).begin()
    one.see_request(method, "/v1", (), b'{"model":"m"}')
    one.end("source_error", OSError("refused by https://u:SECRET@h"))
    queue.force_flush(30)

    assert [(exchange.error, exchange.ended_by) for exchange in reported] == is_reported * [
        ("OSError: refused by https://h", "source_error")
    ]
    assert [(exchange.status_code, exchange.first_byte) for exchange in reported] == is_reported * [(None, None)]
    assert [exchange.request.model for exchange in reported] == is_reported * ["m"]


@pytest.mark.parametrize(
    ("ended_by", "error", "seen"), [("consumer", None, "the consumer left"), ("source_error", OSError(), "OSError")]
)
def test_a_cut_answer(queue, ended_by, error, seen):
    """The result has what was seen, and the problem `aborted`."""
    exchange = record(queue, pieces=(CHAT[:400],), ended_by=ended_by, error=error)

    assert exchange.ended_by == ended_by
    assert exchange.error == (None if error is None else "OSError")
    assert exchange.result.status == "truncated"
    assert ("aborted", seen) in [(problem.code, problem.seen) for problem in exchange.result.problems]


@pytest.mark.parametrize("ended_by", ["consumer", "source_error", "host_error"])
def test_after_the_end_marker_nobody_ended_it(queue, ended_by):
    """Clients close at ``[DONE]``."""
    exchange = record(queue, ended_by=ended_by, error=OSError("late"))

    assert (exchange.ended_by, exchange.error, exchange.result.status) == ("eof", None, "complete")
    assert exchange.result.problems == ()


def test_several_responses(queue):
    """Each is a result."""
    other = load_sample("openai_chat/text.sse").data

    exchange = record(queue, pieces=(CHAT, other))

    assert [result.status for result in exchange.results] == ["complete", "complete"]


def test_an_answer_of_nothing(queue):
    """Its one result is empty."""
    assert [result.status for result in record(queue, pieces=()).results] == ["empty"]


@pytest.mark.parametrize(("name", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)])
def test_content_encodings_are_undone(queue, name, pack):
    """On the copy."""
    data = pack(CHAT)
    pieces = [data[at : at + 100] for at in range(0, len(data), 100)]

    exchange = record(queue, headers={**SSE, "Content-Encoding": name}, pieces=pieces)

    assert exchange.result.to_dict() == reducer.reduce(CHAT).to_dict()
    assert (exchange.bytes_received, exchange.bytes_decoded) == (len(data), len(CHAT))


def test_repeated_headers_are_joined(queue):
    """Two codings in two headers, in bytes as ASGI gives them."""
    reported = []
    one = Recorder("test", reported.append, reports=queue).begin()
    one.see_request("POST", "/")
    headers = [(b"content-encoding", b"deflate"), (b"Content-Encoding", b"gzip")]
    assert one.see_response(200, headers)
    one.feed(gzip.compress(zlib.compress(CHAT)))
    one.end("eof")
    queue.force_flush(30)

    assert reported[0].result.status == "complete"


@pytest.mark.parametrize("name", ["gzip", "never-heard-of"])
def test_an_answer_that_cannot_be_decoded(queue, logged, name):
    """The exchange says so. That is no fault of ours, so nothing is logged."""
    exchange = record(queue, headers={**SSE, "Content-Encoding": name})

    assert name in exchange.error
    assert exchange.bytes_received == len(CHAT)
    assert [problem.code for problem in exchange.result.problems][-1:] == ["aborted"]
    assert logged() == []


def test_a_bomb_is_not_decoded(queue):
    """It is given up after some megabytes, and its bytes are counted on."""
    coder = zlib.compressobj(9, wbits=31)
    data = b"".join(coder.compress(bytes(1 << 20)) for _ in range(128)) + coder.flush()
    pieces = [data[at : at + (1 << 16)] for at in range(0, len(data), 1 << 16)]

    exchange = record(queue, headers={**SSE, "Content-Encoding": "gzip"}, pieces=pieces)

    assert "bytes decode to more than 8454144" in exchange.error
    assert exchange.bytes_received == len(data)
    assert exchange.bytes_decoded < 9 << 20


def test_decoded_bytes_are_bounded_by_the_limits(queue):
    """Four times of what may be retained."""
    limits = reducer.Limits(max_retained_bytes=100)

    exchange = record(queue, headers={**SSE, "Content-Encoding": "gzip"}, pieces=(gzip.compress(CHAT),), limits=limits)

    assert "more than 400 bytes" in exchange.error


def test_a_missing_package_is_logged(queue, logged, monkeypatch):
    """The log says once what to install."""

    def missing(*_, **__):
        raise reducer.MissingExtraError("the content encoding br", "brotli", "brotli")

    monkeypatch.setattr(recording, "Decoder", missing)

    for _ in range(3):
        exchange = record(queue, headers={**SSE, "Content-Encoding": "br"})
        assert exchange.error.startswith("MissingExtraError")
    assert logged() == ["the content encoding br needs brotli: pip install 'stream-reducer[brotli]' (logged once)"]


def test_metadata_comes_from_on_start(queue):
    """It gets the headers, which are not kept."""
    started = []

    def on_start(request):
        started.append(request)
        return {"key": request.headers["authorization"][-3:]}

    exchange = record(queue, on_start=on_start)

    assert exchange.metadata == {"key": "RET"}
    assert started[0].headers == {"authorization": "Bearer SECRET"}
    assert (started[0].method, started[0].url, started[0].model, started[0].stream) == ("POST", "/v1/x", "m", True)
    assert type(exchange.request) is reducer.embed.Request


def test_on_start_may_fail(queue, logged):
    """Then there is no metadata, and the log says why, without the text of the exception."""

    def on_start(request):
        raise KeyError("SECRET")

    for _ in range(3):
        exchange = record(queue, on_start=on_start)
        assert (exchange.metadata, exchange.result.status) == (None, "complete")
    (line,) = logged()
    assert line.startswith("on_start failed: KeyError at test_recording.py:")


def test_request_bodies_are_kept_if_asked_for(queue):
    """Within a limit."""
    assert record(queue).request.body is None
    assert record(queue, keep_body=1000).request.body == b'{"model":"m","stream":true}'
    assert record(queue, keep_body=10).request.body is None


def test_request_bodies_may_come_in_pieces(queue):
    """A body that grows too large is forgotten."""
    for pieces, model in (((b'{"model"', b':"m"}'), "m"), ((b'{"model":"m"', b" " * (4 << 20), b"}"), None)):
        reported = []
        one = Recorder("test", reported.append, reports=queue).begin()
        one.see_request("POST", "/")
        for piece in pieces:
            one.feed_request(piece)
        one.see_response(200)
        one.end("eof")
        queue.force_flush(30)
        assert reported[0].request.model == model


def test_results_have_times_if_there_is_a_clock(queue):
    """They count from the request, and a piece came when it was marked, not when it was reduced."""
    ticks = itertools.count()
    pieces = [CHAT[at : at + 100] for at in range(0, len(CHAT), 100)]

    timing = record(queue, pieces=pieces, clock=lambda: next(ticks)).result.timing

    assert timing.first_byte == 1
    assert timing.gap_count == len(pieces) - 1
    assert set(timing.gaps) == {1}
    assert timing.end == len(pieces) + 1
    assert record(queue).result.timing is None


def test_a_clock_may_fail_later(queue):
    """The timing ends, nothing else."""
    ticks = iter([0, 1, 2])

    exchange = record(queue, pieces=(CHAT[:100], CHAT[100:]), clock=lambda: next(ticks))

    assert exchange.result.status == "complete"
    assert "clock_failed" in [problem.code for problem in exchange.result.problems]


def test_snapshots(queue):
    """There is none before the answer, and after the end it is the result."""
    one = Recorder("test", lambda exchange: None, reports=queue).begin()
    assert one.snapshot() is None
    one.see_response(200)
    one.feed(CHAT[:400])
    assert one.snapshot().status == "truncated"
    one.feed(CHAT[400:])
    one.end("eof")
    assert one.snapshot().status == "complete"


@pytest.mark.parametrize("method", ["feed", "snapshot", "close"])
def test_faults_of_ours_are_logged_once(queue, logged, monkeypatch, method):
    """They end the recording, and the exchange says so."""

    def fail(*_):
        raise ZeroDivisionError("SECRET")

    monkeypatch.setattr(Reducer, method, fail)
    for _ in range(3):
        reported = []
        one = Recorder("test", reported.append, reports=queue).begin()
        one.see_request("POST", "/")
        one.see_response(200)
        one.feed(CHAT)
        one.snapshot()
        one.end("eof")
        queue.force_flush(30)
        assert reported[0].error == "ZeroDivisionError: SECRET"
    (line,) = logged()
    assert line.startswith("recording failed: ZeroDivisionError at test_recording.py:")


def test_headers_of_a_wrong_type(queue, logged):
    """Neither a request nor a response raises for them."""
    reported = []
    one = Recorder("test", reported.append, reports=queue, on_start=lambda request: 5).begin()
    one.see_request("POST", "/", [5])
    assert one.see_response(200)
    one.end("eof")
    one = Recorder("test", reported.append, reports=queue).begin()
    assert one.see_response(200, [5])
    one.feed(CHAT)
    one.end("eof")
    queue.force_flush(30)

    assert (reported[0].error, reported[0].metadata) == (None, None)
    assert reported[1].error.startswith("TypeError")
    assert len(logged()) == 2


def test_an_exchange_that_cannot_be_built(queue, logged, monkeypatch):
    """The host notices nothing."""
    monkeypatch.setattr(recording, "Exchange", None)

    assert record(queue) is None
    assert logged()[0].startswith("recording failed: TypeError at recording.py:")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"on_end": 5}, "on_end takes a function, not 5"),
        ({"on_end": None}, "on_end takes a function, not None"),
        ({"on_start": 5}, "on_start takes a function, not 5"),
        ({"dialect": "klingon"}, "klingon"),
        ({"limits": 5}, "limits takes"),
        ({"clock": lambda: 0.5}, "clock must return nanoseconds"),
    ],
)
def test_wrong_options_raise_at_once(options, message):
    """When the integration is set up, not at the first request."""
    with pytest.raises(reducer.UsageError, match=message):
        Recorder("test", **{"on_end": print, **options})


def test_a_given_dialect():
    """As in `reducer.Reducer`."""
    Recorder("test", print, dialect="openai.chat")
