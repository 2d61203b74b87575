"""The programs in ``samples/embed`` do what a user who copies them expects, with samples and with local servers."""

import gzip
import http.client
import importlib.util
import json
import logging
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest

import reducer
from reducer.embed import force_flush, tee
from tests.helpers import SAMPLES, load_sample
from tests.test_typing import check

ROOT = Path(__file__).parent.parent
PROGRAMS = SAMPLES / "embed"
CHAT = load_sample("openai_chat/usage-final.sse").data
RESPONSE = load_sample("openai_responses/text.sse").data
TWO_CALLS = load_sample("openai_chat/parallel-tools.sse").data
TEXT = "The tide turns at dawn \N{EN DASH} 05:12."


def load(name, monkeypatch=None, **environment):
    """Import a program from its path."""
    for key, value in environment.items():
        monkeypatch.setenv(key, value)
    spec = importlib.util.spec_from_file_location(f"samples_embed_{name}", PROGRAMS / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def run(name, *arguments, data=None, **environment):
    """Run a program as a command."""
    return subprocess.run(
        [sys.executable, str(PROGRAMS / f"{name}.py"), *map(str, arguments)],
        input=data, capture_output=True, timeout=60, check=False, cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "utf-8", "no_proxy": "*", **environment},
    )  # fmt: skip


@contextmanager
def serving(handler):
    """Run a server in a thread, and yield its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


class Provider(BaseHTTPRequestHandler):
    """Answers requests with a chunked stream, and drops the connection if `answer` says so."""

    protocol_version = "HTTP/1.1"

    def answer(self, body):
        """Return the status, the headers, the reads, and whether the connection drops after them."""
        raise NotImplementedError

    def do_POST(self):
        self.stream(*self.answer(json.loads(self.rfile.read(int(self.headers["Content-Length"])))))

    def do_GET(self):
        self.stream(*self.answer(None))

    def stream(self, status, headers, reads, drops):
        self.send_response(status)
        self.send_header("Transfer-Encoding", "chunked")
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        for data in reads:
            self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        if drops:
            self.close_connection = True
        else:
            self.wfile.write(b"0\r\n\r\n")

    def log_message(self, *_):
        pass


def in_reads(data, size=100):
    return [data[at : at + size] for at in range(0, len(data), size)]


# -- gateway -----------------------------------------------------------------------------------------


def through_the_gateway(monkeypatch, caplog, answer, **headers):
    """Send a request through the gateway; return the client's response, its bytes, and the line of the log."""
    upstream = type("Upstream", (Provider,), {"answer": answer})
    caplog.set_level(logging.INFO, "gateway")
    with serving(upstream) as url:
        gateway = load("gateway", monkeypatch, UPSTREAM=url)
        monkeypatch.setattr(gateway.Gateway, "log_message", lambda *_: None)
        logged = threading.Event()
        log_exchange = gateway.log_exchange
        monkeypatch.setattr(gateway, "log_exchange", lambda exchange: (log_exchange(exchange), logged.set()))
        with serving(gateway.Gateway) as address:
            client = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
            client.request("POST", "/v1/chat/completions", b'{"stream":true}', headers)
            response = client.getresponse()
            data = response.read()
            client.close()
            if response.status != 502:
                assert logged.wait(30)
    lines = [record.getMessage() for record in caplog.records if record.name == "gateway"]
    return response, data, lines


def test_the_gateway_relays_and_logs(monkeypatch, caplog):
    """The client gets the upstream's bytes; the log has the status, the usage and the time to the first token."""
    seen = {}

    def answer(self, body):
        seen.update(body=body, key=self.headers["Authorization"], path=self.path)
        time.sleep(0.05)
        return 200, {"Content-Type": "text/event-stream"}, in_reads(CHAT), False

    response, data, (line,) = through_the_gateway(monkeypatch, caplog, answer, Authorization="Bearer k")

    assert data == CHAT
    assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
    assert seen == {"body": {"stream": True}, "key": "Bearer k", "path": "/v1/chat/completions"}
    logged = re.fullmatch(
        r"200 openai\.chat complete, tokens in 8, out 3, first token after (\d+) ms, ended by eof, problems: None", line
    )
    assert logged, line
    assert int(logged[1]) >= 50  # counted from the request, not from the first read


def test_the_gateway_relays_compressed_bytes_unchanged(monkeypatch, caplog):
    """The copy is decoded; the client gets the compressed bytes."""
    packed = gzip.compress(CHAT)

    def answer(self, body):
        assert self.headers["Accept-Encoding"] == "gzip"
        return 200, {"Content-Encoding": "gzip"}, in_reads(packed), False

    response, data, (line,) = through_the_gateway(monkeypatch, caplog, answer, **{"Accept-Encoding": "gzip"})

    assert data == packed
    assert response.headers["Content-Encoding"] == "gzip"
    assert line.startswith("200 openai.chat complete, tokens in 8, out 3,")


@pytest.mark.parametrize("encoding", ["gzip", "never-heard-of"])
def test_a_gateway_that_cannot_decode_still_relays(monkeypatch, caplog, encoding):
    """Only the copy is lost."""

    def answer(self, body):
        return 200, {"Content-Encoding": encoding}, in_reads(CHAT), False

    _, data, (line,) = through_the_gateway(monkeypatch, caplog, answer)

    assert data == CHAT
    assert line.startswith("200 None empty,")
    assert line.endswith("problems: aborted")


def test_the_gateway_logs_that_the_upstream_dropped(monkeypatch, caplog):
    """The exception of the upstream becomes the problem `aborted`."""

    def answer(self, body):
        return 200, {}, in_reads(CHAT[:400]), True

    _, data, (line,) = through_the_gateway(monkeypatch, caplog, answer)

    assert data == CHAT[:400]
    assert line.startswith("200 openai.chat truncated,")
    assert "aborted" in line


def test_the_gateway_relays_errors(monkeypatch, caplog):
    """A refused request is relayed with its status."""
    refusal = b'{"error":{"message":"no such key","type":"invalid_request_error","code":"invalid_api_key"}}'

    def answer(self, body):
        return 401, {"Content-Type": "application/json"}, [refusal], False

    response, data, (line,) = through_the_gateway(monkeypatch, caplog, answer)

    assert (response.status, data) == (401, refusal)
    assert line.startswith("401 ")
    assert " failed," in line


def test_the_gateway_notices_a_client_that_leaves():
    """The exception of `send` ends the stream, too."""
    exchanges = []

    def send(data):
        raise BrokenPipeError("the client left")

    load("gateway").relay(tee(in_reads(CHAT), exchanges.append), send)

    assert force_flush(30)
    (exchange,) = exchanges
    assert (exchange.ended_by, exchange.bytes_received) == ("consumer", 100)


def test_a_gateway_without_upstream(monkeypatch):
    """The client gets the status 502."""
    with serving(Provider) as url:
        pass  # nothing listens here any more
    gateway = load("gateway", monkeypatch, UPSTREAM=url)
    monkeypatch.setattr(gateway.Gateway, "log_message", lambda *_: None)
    with serving(gateway.Gateway) as address:
        client = http.client.HTTPConnection(urlsplit(address).netloc, timeout=30)
        client.request("POST", "/v1/messages", b"{}")
        assert client.getresponse().status == 502
        client.close()


# -- clients, with servers and SDKs ------------------------------------------------------------------


class Models(Provider):
    """Answers in the dialect of the path."""

    def answer(self, body):
        streams = {
            "/completions": CHAT,
            "/messages": reducer.reduce(load_sample("anthropic_messages/text.sse").data).json(),
            ":streamGenerateContent?alt=sse": load_sample("gemini_generate/text.sse").data,
        }
        (data,) = (data for ending, data in streams.items() if self.path.removesuffix("?key=SECRET").endswith(ending))
        kind = "application/json" if data.startswith(b"{") else "text/event-stream"
        return 200, {"Content-Type": kind}, in_reads(data), False


def exchanges_in(path):
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]


@pytest.mark.integrations
def test_follow(tmp_path):
    """It prints the bytes, and the file has the exchange."""
    path = tmp_path / "calls.jsonl"
    with serving(Models) as url:
        done = run("follow", "Why?", path, OPENAI_BASE_URL=url, OPENAI_API_KEY="SECRET")

    assert (done.returncode, done.stdout) == (0, CHAT), done.stderr.decode()
    (exchange,) = exchanges_in(path)
    assert (exchange["ended_by"], exchange["status_code"]) == ("eof", 200)
    assert exchange["results"][0]["body"] == reducer.reduce(CHAT).to_dict()
    assert exchange["request"]["model"] == "gpt-4o-mini"
    assert "SECRET" not in path.read_text("utf-8")


@pytest.mark.integrations
def test_follow_until_it_is_interrupted(tmp_path):
    """Ctrl+C: the file has what had come."""
    path, stop = tmp_path / "calls.jsonl", threading.Event()

    class Slow(Models):
        def answer(self, body):
            status, headers, reads, drops = super().answer(body)

            def slowly():
                yield from reads[:4]
                stop.wait(30)

            return status, headers, slowly(), drops

    with serving(Slow) as url:
        program = subprocess.Popen(
            [sys.executable, str(PROGRAMS / "follow.py"), "Why?", str(path)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT), "no_proxy": "*", "OPENAI_BASE_URL": url, "OPENAI_API_KEY": "k"},
        )  # fmt: skip
        got = program.stdout.read(400)
        program.send_signal(signal.SIGINT)
        program.communicate(timeout=60)
        stop.set()

    assert got == CHAT[:400]
    (exchange,) = exchanges_in(path)
    assert (exchange["ended_by"], exchange["results"][0]["status"]) == ("consumer", "truncated")


@pytest.mark.integrations
def test_the_proxy(tmp_path):
    """It is started as its text says; the client gets the bytes, and the file has the exchange."""
    path = tmp_path / "calls.jsonl"
    listener = socket.create_server(("127.0.0.1", 0))
    address = f"127.0.0.1:{listener.getsockname()[1]}"
    with listener, serving(Models) as url:
        proxy = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "proxy:app", "--fd", str(listener.fileno()), "--log-level", "error"],
            cwd=PROGRAMS, pass_fds=[listener.fileno()],
            env={**os.environ, "PYTHONPATH": str(ROOT), "UPSTREAM": url, "CALLS": str(path), "no_proxy": "*"},
        )  # fmt: skip
        client = http.client.HTTPConnection(address, timeout=30)
        client.request("POST", "/v1/chat/completions?key=SECRET", b'{"model":"m"}', {"Authorization": "SECRET"})
        response = client.getresponse()
        assert (response.status, response.headers["Content-Type"]) == (200, "text/event-stream")
        assert response.read() == CHAT
        client.request("POST", "/other", b"{}")
        assert client.getresponse().status == 502  # the upstream knows no such path, and drops the connection
        client.close()
        proxy.terminate()
        proxy.wait(30)

    (exchange,) = exchanges_in(path)
    assert (exchange["integration"], exchange["ended_by"]) == ("asgi", "eof")
    assert exchange["results"][0]["body"] == reducer.reduce(CHAT).to_dict()
    assert exchange["request"]["url"] == f"http://{address}/v1/chat/completions?key=***"
    assert "SECRET" not in path.read_text("utf-8")


@pytest.mark.integrations
def test_clients(tmp_path):
    """Each SDK that has a key is asked, and each call is in the file."""
    path = tmp_path / "calls.jsonl"
    with serving(Models) as url:
        addresses = {f"{name}_BASE_URL": url for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
        keys = {f"{name}_API_KEY": "SECRET" for name in ("OPENAI", "ANTHROPIC", "GEMINI")}
        done = run("clients", path, **addresses, **keys)

    assert done.returncode == 0, done.stderr.decode()
    assert done.stdout.decode().splitlines()[0] == "ask_openai: Calm."
    exchanges = exchanges_in(path)
    assert [one["results"][0]["dialect"] for one in exchanges] == [
        "openai.chat", "anthropic.messages", "gemini.generate",
    ]  # fmt: skip
    assert {(one["ended_by"], one["results"][0]["status"]) for one in exchanges} == {("eof", "complete")}
    assert [one["request"]["stream"] for one in exchanges] == [True, False, True]
    assert "SECRET" not in path.read_text("utf-8")


@pytest.mark.integrations
@pytest.mark.parametrize("name", ["follow", "clients"])
def test_usage_of_the_clients(name):
    """Without arguments."""
    assert b"usage:" in run(name).stderr


# -- agent -------------------------------------------------------------------------------------------


class Model:
    """Answers each request with the next stream, and keeps the requests."""

    def __init__(self, *streams):
        self.streams, self.requests = list(streams), []

    def __call__(self, request):
        self.requests.append(request)
        return in_reads(self.streams.pop(0))


def play(*streams, **options):
    """Run the agent; return its result, the requests, and the calls that it ran."""
    ran, model = [], Model(*streams)
    tools = {
        "get_tide": lambda port: ran.append(("get_tide", port)) or "high",
        "get_wind": lambda port: ran.append(("get_wind", port)) or {"knots": 7},
    }
    first = {"model": "m", "messages": [{"role": "user", "content": "Tide?"}]}
    return load("agent").run(model, first, tools, **options), model.requests, ran


def test_the_agent_runs_calls_and_sends_their_results():
    """It sends the assistant's message and one message for each call, and stops at `stop`."""
    result, requests, ran = play(TWO_CALLS, CHAT)

    assert ran == [("get_tide", "Brest"), ("get_wind", "Hull")]
    assert result.view().text == "Calm."
    user, assistant, tide, wind = requests[1]["messages"]
    assert requests[0] == {"model": "m", "stream": True, "messages": [user]}
    assert [call["id"] for call in assistant["tool_calls"]] == ["call_TideBrest", "call_WindHull"]
    assert tide == {"role": "tool", "tool_call_id": "call_TideBrest", "content": '"high"'}
    assert wind == {"role": "tool", "tool_call_id": "call_WindHull", "content": '{"knots": 7}'}


def test_the_agent_runs_no_call_of_a_cut_stream():
    """Wherever the bytes end before the finish reason: no call runs, and the caller sees the status."""
    reason = TWO_CALLS.index(b'"finish_reason":"tool_calls"')
    for end in range(0, reason, 7):
        result, requests, ran = play(TWO_CALLS[:end])

        assert ran == []
        assert len(requests) == 1
        assert result.status in ("truncated", "empty")


def test_the_agent_runs_no_call_whose_arguments_are_cut():
    """The model finished, but the arguments of the second call are not whole: only the first call runs."""
    events = TWO_CALLS.split(b"\n\n")
    last = max(number for number, event in enumerate(events) if b'"arguments"' in event)
    _, requests, ran = play(b"\n\n".join(events[:last] + events[last + 1 :]), CHAT)

    assert ran == [("get_tide", "Brest")]
    assert requests[1]["messages"][3]["content"].startswith("Error: not run")


def test_the_agent_reports_faults_of_tools_to_the_model():
    """A tool that does not exist, and arguments that the tool does not take."""
    stream = TWO_CALLS.replace(b"get_wind", b"get_moon").replace(b"port", b"town")
    _, requests, ran = play(stream, CHAT)

    assert ran == []
    assert "unexpected keyword argument" in requests[1]["messages"][2]["content"]
    assert requests[1]["messages"][3]["content"] == "Error: there is no tool get_moon"


def test_the_agent_gives_up():
    """A model that never stops does not run for ever."""
    with pytest.raises(RuntimeError, match="after 2 answers"):
        play(TWO_CALLS, TWO_CALLS, max_turns=2)


def test_the_agent_as_a_command():
    """It runs `get_time`, and prints the text."""
    call = TWO_CALLS.replace(b"get_tide", b"get_time").replace(b"port", b"zone").replace(b"Brest", b"UTC")
    streams, bodies = [call, CHAT], []

    class Chat(Provider):
        def answer(self, body):
            bodies.append(body)
            return 200, {"Content-Type": "text/event-stream"}, in_reads(streams.pop(0)), False

    with serving(Chat) as url:
        done = run("agent", "Time?", OPENAI_BASE_URL=url, OPENAI_API_KEY="k")

    assert (done.returncode, done.stdout.decode().split()) == (0, ["Calm."]), done.stderr.decode()
    assert [tool["function"]["name"] for tool in bodies[0]["tools"]] == ["get_time"]
    assert re.fullmatch(r'"\d{4}-\d\d-\d\dT\d\d:\d\d\+00:00"', bodies[1]["messages"][2]["content"])


# -- to_parquet --------------------------------------------------------------------------------------


@pytest.mark.frames
def test_a_batch_becomes_a_table(tmp_path):
    """PyArrow reads the table that the command writes: the same rows, with the columns of `ROW`."""
    pytest.importorskip("polars", reason="polars is not installed: pip install --group frames")
    parquet = pytest.importorskip("pyarrow.parquet", reason="pyarrow is not installed: pip install --group frames")
    names = ("openai_chat/several.sse", "openai_responses/truncated.sse", "anthropic_messages/tool-use.sse")
    paths = [SAMPLES / name for name in names]
    empty = tmp_path / "empty.sse"
    empty.touch()
    out = tmp_path / "out.parquet"

    done = run("to_parquet", out, *paths, empty)

    assert done.returncode == 0, done.stderr.decode()
    assert b"1 truncated" in done.stdout
    table = parquet.read_table(out)
    rows = [
        {"source": str(path), **result.row()}
        for path in [*paths, empty]
        for result in reducer.reduce_all(path.read_bytes())
    ]
    key = str  # results come in order of ending
    assert sorted(table.to_pylist(), key=key) == sorted(rows, key=key)
    assert len(rows) > len(paths) + 1
    assert table.column_names == ["source", *reducer.ROW]
    integers = [field.name for field in table.schema if str(field.type) == "int64"]
    assert integers == [name for name, kind in reducer.ROW.items() if kind is int]


@pytest.mark.frames
def test_a_batch_of_nothing(tmp_path):
    """The command needs at least one capture."""
    pytest.importorskip("polars", reason="polars is not installed: pip install --group frames")

    assert b"usage:" in run("to_parquet", tmp_path / "out.parquet").stderr


# -- status_line -------------------------------------------------------------------------------------


def test_the_status_line_follows_the_text():
    """With no interval there is one line for each read: the text grows, and the last line shows its end."""
    program = load("status_line")
    data = load_sample("openai_chat/text.sse").data

    shown = [program.status_line(result) for result in program.lines(in_reads(data), interval=0)]

    counts = [int(line.split()[0]) for line in shown if line != "waiting"]
    assert len(shown) == len(in_reads(data)) + 1
    assert counts == sorted(counts)
    assert shown[-1] == f"{len(TEXT)} characters: {TEXT}"


def test_the_status_line_shows_the_tool_in_progress():
    """The open call with the length of its arguments so far."""
    program = load("status_line")
    shown = [program.status_line(result) for result in program.lines(in_reads(TWO_CALLS), interval=0)]

    assert any(re.search(r"calling get_tide \(\d+ characters\)", line) for line in shown)
    assert any(re.search(r"calling get_wind \(\d+ characters\)", line) for line in shown)
    assert "calling" not in shown[-1]


def test_the_status_line_takes_few_snapshots():
    """The clock decides, not the number of reads."""
    program = load("status_line")
    times = iter(range(10_000))
    reads = in_reads(RESPONSE, 10)

    results = list(program.lines(reads, interval=200, clock=lambda: next(times)))

    assert 2 <= len(results) <= len(reads) / 60
    assert results[-1].status == "complete"


def test_the_status_line_stays_one_line():
    """Long texts and control characters do not leave the line."""
    program = load("status_line")
    text = "word \x1b[2J\n" * 1000
    body = {"id": "c", "object": "chat.completion", "choices": [{"index": 0, "message": {"content": text}}]}

    line = program.status_line(reducer.reduce(json.dumps(body).encode()))

    assert line.isprintable()
    assert len(line) == 78


@pytest.mark.parametrize(("end", "status"), [(None, 0), (-400, 1)])
def test_the_status_line_as_a_command(end, status):
    """The text goes to standard output; the exit status shows whether the answer is whole."""
    done = run("status_line", data=RESPONSE[:end])

    assert done.returncode == status, done.stderr.decode()
    assert done.stdout.decode().strip() == TEXT
    assert f"\r\x1b[K{len(TEXT)} characters".encode() in done.stderr


# -- resume ------------------------------------------------------------------------------------------


def numbered(data):
    """Return the events of a stream by their sequence numbers."""
    events = [event + b"\n\n" for event in data.split(b"\n\n") if event.strip()]
    return {json.loads(event.split(b"data: ")[1])["sequence_number"]: event for event in events}


class Background(Provider):
    """Serves one response, and drops each connection after the next number of bytes in `cuts`."""

    cuts: list[int]
    asked: list[object]

    def answer(self, body):
        after = -1
        if body is None:
            url = urlsplit(self.path)
            query = parse_qs(url.query)
            after = int(query["starting_after"][0])
            assert (url.path, query["stream"]) == ("/responses/resp_Sample01", ["true"])
        else:
            assert body["background"] is True
        self.asked.append(after)
        data = b"".join(event for number, event in numbered(RESPONSE).items() if number > after)
        cut = self.cuts.pop(0) if self.cuts else None
        return 200, {"Content-Type": "text/event-stream"}, in_reads(data[:cut]), cut is not None


def background(*cuts):
    return type("Server", (Background,), {"cuts": list(cuts), "asked": []})


def test_a_dropped_stream_continues_in_another_process(tmp_path):
    """Two connections drop inside an event; the third process prints the whole text."""
    server = background(2500, 700)
    with serving(server) as url:
        command = ("resume", tmp_path / "state", "Tide?")
        runs = [run(*command, OPENAI_BASE_URL=url, OPENAI_API_KEY="k") for _ in range(3)]

    assert [done.returncode for done in runs] == [75, 75, 0], runs[-1].stderr.decode()
    assert runs[-1].stdout.decode().strip() == TEXT
    assert server.asked == sorted(set(server.asked))
    assert server.asked[0] == -1
    assert not (tmp_path / "state").exists()


def test_a_stream_that_drops_anywhere_continues(tmp_path, monkeypatch, capsys):
    """Wherever the connection drops after the response has begun, the text is the same."""
    first = len(numbered(RESPONSE)[0])
    last = len(RESPONSE) - len(list(numbered(RESPONSE).values())[-1])
    state = tmp_path / "state"
    monkeypatch.setenv("no_proxy", "*")
    for cut in range(first, last, 97):
        with serving(background(cut)) as url:
            program = load("resume", monkeypatch, OPENAI_BASE_URL=url, OPENAI_API_KEY="k")

            assert program.main(state, "Tide?") == 75, cut
            assert program.main(state, "Tide?") == 0, cut
            assert capsys.readouterr().out.strip() == TEXT, cut


def test_a_refused_connection_keeps_the_state(tmp_path, monkeypatch, capsys):
    """The state survives a server that is away."""
    monkeypatch.setenv("no_proxy", "*")
    state = tmp_path / "state"
    with serving(background(2500)) as url:
        program = load("resume", monkeypatch, OPENAI_BASE_URL=url, OPENAI_API_KEY="k")
        assert program.main(state, "Tide?") == 75
    assert program.main(state, "Tide?") == 75
    assert "no connection" in capsys.readouterr().err
    with serving(background()) as url:
        program = load("resume", monkeypatch, OPENAI_BASE_URL=url)
        assert program.main(state, "Tide?") == 0
    assert capsys.readouterr().out.strip() == TEXT


# -- all ---------------------------------------------------------------------------------------------


def test_the_readme_names_the_programs():
    """One row for each program."""
    shown = re.findall(r"\(samples/embed/(\w+)\.py\)", (ROOT / "README.md").read_text("utf-8"))

    assert sorted(shown) == sorted(path.stem for path in PROGRAMS.glob("*.py"))


@pytest.mark.slow
@pytest.mark.frames
def test_mypy_accepts_the_programs():
    """mypy accepts them in strict mode."""
    pytest.importorskip("polars", reason="polars is not installed: pip install --group frames")
    check("mypy", "--strict", "samples/embed")
