"""``reducer explain``: what came, what it changed, who had the last word, what was wrong; for people and for programs."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reducer
from reducer import captures
from reducer.cli import main
from reducer.cli.explain import as_json, as_text, printable, short
from reducer.explain import Change, differences, explain, spelled
from tests.helpers import SAMPLES, load_sample, sample_names
from tests.mutations import mutant, seeds
from tests.test_quirks import CASES

NAMES = sample_names()


def told(path: str | Path, *options: str, capsysbinary: Any) -> tuple[int, dict[str, Any]]:
    """Run ``explain --json``; return its exit status and what it says."""
    status = main(["explain", str(path), "--json", *options])
    return status, json.loads(capsysbinary.readouterr().out)


def text_of(path: str | Path, *options: str, capsysbinary: Any) -> tuple[int, str]:
    """Run ``explain``; return its exit status and its text."""
    status = main(["explain", str(path), *options])
    return status, capsysbinary.readouterr().out.decode()


def done(changes: list[dict[str, Any]], body: Any) -> Any:
    """Do what the changes say, in order."""
    for change in changes:
        body = changed(body, change)
    return body


def changed(body: Any, change: dict[str, Any]) -> Any:
    op, path, value = change["op"], list(change["path"]), json.loads(json.dumps(change["value"]))
    if not path:
        return value
    node = body
    for key in path[:-1]:
        node = node[key]
    if op == "append":
        node[path[-1]] += value
    elif op == "removed":
        del node[path[-1]]
    elif isinstance(node, list) and op in ("new", "insert"):
        node.insert(path[-1], value)
    else:
        node[path[-1]] = value
    return body


def replayed(record: dict[str, Any], response: int) -> Any:
    """The body that all changes of a response make."""
    changes = [change for event in record["events"] if event["response"] == response for change in event["changes"]]
    changes += record["responses"][response]["at_end"]
    return done(changes, {}) if changes else None


# -- everything adds up --------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_changes_make_the_body(name: str, capsysbinary: Any) -> None:
    """Done in order, all changes of a response make its body; status, problems and exit status are those of `reduce`."""
    status, record = told(SAMPLES / name, capsysbinary=capsysbinary)
    results = reducer.reduce_all(load_sample(name).data)

    assert [replayed(record, place) for place in range(len(results))] == [
        json.loads(result.json()) for result in results
    ]
    assert [response["status"] for response in record["responses"]] == [result.status for result in results]
    assert [[p["code"] for p in response["problems"]] for response in record["responses"]] == [
        [p.code for p in r.problems] for r in results
    ]
    assert status == (0 if all(result.status == "complete" for result in results) else 1)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_quirks_are_explained(case: Any) -> None:
    """So it is for every quirk, with its options, and problems stand where `reduce` says."""
    options = case.options
    if options.pop("strict", False) or options.get("clock"):
        return
    data = case.wire.read_bytes()
    explanation = explain([data], **options)
    results = reducer.reduce_all(data, **options)

    assert [response.result for response in explanation.responses] == results
    assert printable("".join(map(repr, explanation.responses)))


def test_mutants_are_explained() -> None:
    """Whatever came, it is explained, in text without a raw control character and in JSON, and the changes make the body."""
    pool = seeds()
    for number in range(300):
        data = mutant(number, pool)
        explanation = explain([data])
        written = as_text("mutant", explanation)
        record = json.loads(as_json("mutant", explanation))

        assert [response.result for response in explanation.responses] == reducer.reduce_all(data)
        assert all(line.isprintable() for line in written.split("\n"))
        for place, response in enumerate(explanation.responses):
            assert replayed(record, place) == json.loads(response.result.json())


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".sse")])
def test_every_split_is_explained_alike(name: str) -> None:
    """How the bytes were read does not show."""
    data = load_sample(name).data

    assert explain([data[at : at + 7] for at in range(0, len(data), 7)]) == explain([data])


# -- what is said --------------------------------------------------------------------------------

CHAT = (
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":""},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"content":"lo"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
CHAT_TEXT = """\
hi.sse: 556 bytes, 5 events, 1 response

#0 @0 chat.completion.chunk, 143 bytes: role "assistant"
    id = "c1"
    object = "chat.completion"
    model = "m"
    choices = [{"index":0,"message":{"role":"assistant","content":""},"fi…
#1 @151 chat.completion.chunk, 127 bytes: content "Hel"
    choices[0].message.content += "Hel"
#2 @286 chat.completion.chunk, 126 bytes: content "lo"
    choices[0].message.content += "lo"
#3 @420 chat.completion.chunk, 114 bytes: finish_reason "stop"
    choices[0].finish_reason = "stop"
#4 @542 [DONE], 6 bytes

response 0: complete, openai.chat
    choices[0]: #3 chat.completion.chunk has the last word, of 4 from #0 on
    choices[0].message.content: #2 chat.completion.chunk has the last word, of 3 from #0 on
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_chat(folder: Path, capsysbinary: Any) -> None:
    """What a stream of chunks is explained by, whole."""
    (folder / "hi.sse").write_bytes(CHAT)

    assert text_of("hi.sse", capsysbinary=capsysbinary) == (0, CHAT_TEXT)


def line_with(text: str, *words: str) -> str:
    """The one line that has all these words."""
    found = [line for line in text.splitlines() if all(word in line for word in words)]

    assert len(found) == 1, (words, text)
    return found[0].strip()


def test_done_events_confirm(capsysbinary: Any) -> None:
    """In Responses the deltas have the last word where every later stage says the same."""
    _, text = text_of(SAMPLES / "openai_responses/text.sse", capsysbinary=capsysbinary)

    line = line_with(text, "output[0].content[0].text:")
    assert "response.output_text.delta has the last word" in line
    assert "response.output_text.done" in line.partition("said again by")[2]


def test_a_later_stage_wins(folder: Path, capsysbinary: Any) -> None:
    """Where the done event says otherwise it has the last word, and the problem says so."""
    events = [
        {"type": "response.created", "response": {"id": "r", "object": "response", "output": []}},
        {
            "type": "response.output_item.added",
            "output_index": 0,
            "item": {"id": "i", "type": "message", "role": "assistant", "content": []},
        },
        {"type": "response.output_text.delta", "item_id": "i", "output_index": 0, "content_index": 0, "delta": "Helo"},
        {"type": "response.output_text.done", "item_id": "i", "output_index": 0, "content_index": 0, "text": "Hello"},
        {"type": "response.output_text.done", "item_id": "i", "output_index": 0, "content_index": 0, "text": "Hullo"},
        {
            "type": "response.completed",
            "response": {"id": "r", "object": "response", "status": "completed", "output": []},
        },
    ]
    (folder / "r.jsonl").write_bytes(b"".join(json.dumps(event).encode() + b"\n" for event in events))
    status, record = told("r.jsonl", capsysbinary=capsysbinary)
    source = next(s for s in record["responses"][0]["sources"] if s["path"][-1] == "text")

    assert status == 0
    assert source == {"path": ["output", 0, "content", 0, "text"], "first": 2, "last": 4, "events": 3, "confirmed": []}
    assert record["events"][3]["changes"] == [{"op": "replace", "path": source["path"], "value": "Hello"}]
    assert [(p["code"], p["event"]) for p in record["responses"][0]["problems"]] == [("sources_differ", 4)]


def test_choices_that_come_late(folder: Path, capsysbinary: Any) -> None:
    """A choice that comes before one that is there moves it, and who said what moves with it."""
    chunks = [
        {"id": "c", "choices": [{"index": index, "delta": {"content": text}}]}
        for index, text in ((1, "one"), (1, " more"), (0, "zero"), (0, " more"), (1, "."))
    ]
    (folder / "n.sse").write_bytes(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    status, record = told("n.sse", capsysbinary=capsysbinary)
    said = {spelled(tuple(s["path"])): (s["first"], s["last"], s["events"]) for s in record["responses"][0]["sources"]}

    assert status == 1
    assert record["events"][2]["changes"][0]["op"] == "insert"
    assert said == {
        "choices[0]": (2, 3, 2),
        "choices[0].message.content": (2, 3, 2),
        "choices[1]": (0, 4, 3),
        "choices[1].message.content": (0, 4, 3),
    }


def test_several_responses(capsysbinary: Any) -> None:
    """Each response is told by itself, and every event names its own."""
    status, text = text_of(SAMPLES / "openai_chat/several.sse", capsysbinary=capsysbinary)

    assert status == 0
    assert [line for line in text.splitlines() if line.startswith("response ")] == [
        "response 0: complete, openai.chat",
        "response 1: complete, openai.chat",
    ]
    assert "chunk of response 1" in line_with(text, "#4 @534")


def test_problems_show_their_bytes(folder: Path, capsysbinary: Any) -> None:
    """A problem shows its event, its offset, and the line it is on, near to what was seen."""
    broken = CHAT.replace(b'"content":"lo"', b'"content":"' + b"l" * 300 + b'\xff\x1b[31m"')
    (folder / "broken.sse").write_bytes(broken.replace(b"data: [DONE]", b"not a stream\ndata: [DONE]"))
    status, text = text_of("broken.sse", capsysbinary=capsysbinary)

    assert status == 0
    problem, context = text[text.index("problem invalid_utf8") :].splitlines()[:2]
    assert problem.startswith("problem invalid_utf8 at #2 @286: seen ")
    assert context.strip().startswith("| llll")
    assert context.endswith('\\xff\\u001b[31m"},"finish_reason":null}]}')
    line_with(text, "problem stray_text at #4", "not a stream")
    assert "\x1b" not in text


def test_errors_and_cuts(capsysbinary: Any) -> None:
    """What failed says its error; what is cut says so, and shows what is torn."""
    status, text = text_of(SAMPLES / "openai_chat/error-mid-stream.sse", capsysbinary=capsysbinary)
    cut_status, cut = text_of(SAMPLES / "openai_chat/truncated-torn.sse", capsysbinary=capsysbinary)

    assert (status, cut_status) == (1, 1)
    assert "failed, openai.chat" in text
    line_with(text, "error {", "message")
    line_with(cut, "problem torn_tail")
    line_with(cut, "problem no_terminal")


def test_no_stream_at_all(folder: Path, capsysbinary: Any) -> None:
    """Nothing, text, JSON of nobody: there is an explanation all the same."""
    for data in (b"", b"Hello\n", b'{"a":1}\n', b"\x1f\x8b\x08\x00", b"data: [DONE]\n\n", b"data: 7\n\ndata: {\n\n"):
        (folder / "x").write_bytes(data)
        status, text = text_of("x", capsysbinary=capsysbinary) if data[:2] != b"\x1f\x8b" else (1, "")
        assert status == 1
        if text:
            assert "response 0: empty, no known dialect" in text


def test_a_large_event_is_told_in_short(folder: Path, capsysbinary: Any) -> None:
    """Of an event with very many values the first are told."""
    many = b'"model":"m","x":[' + b",".join(b"%d" % number for number in range(500)) + b"]"
    (folder / "l.sse").write_bytes(CHAT.replace(b'"model":"m"', many))
    status, text = text_of("l.sse", capsysbinary=capsysbinary)

    assert status == 0
    assert max(map(len, text.splitlines())) < 300


def test_calls_in_another_order(folder: Path, capsysbinary: Any) -> None:
    """Where a list is replaced as a whole, what was known of its inside is told anew."""
    calls = [{"index": index, "id": f"t{index}", "function": {"name": "f", "arguments": "{"}} for index in (1, 0)]
    more = [{"index": index, "function": {"arguments": "}"}} for index in (0, 1)]
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
        for call in (*calls, *more, {"id": "t9", "function": {}})
    ]
    (folder / "t.sse").write_bytes(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    _, record = told("t.sse", capsysbinary=capsysbinary)

    assert [change["op"] for change in record["events"][1]["changes"]] == ["insert"]
    assert record["events"][4]["changes"][0]["op"] == "replace"
    assert [spelled(tuple(source["path"])) for source in record["responses"][0]["sources"]] == ["choices[0]"]


def test_the_options_are_those_of_reduce(folder: Path, capsysbinary: Any) -> None:
    """Dialect, repairs and text keys count as they do there."""
    (folder / "c.sse").write_bytes(CHAT)
    status, record = told("c.sse", "--dialect", "openai.responses", capsysbinary=capsysbinary)
    assert (status, record["responses"][0]["status"]) == (1, "empty")

    prefixed = CHAT.replace(b"data: {", b"data: data: {")
    (folder / "p.sse").write_bytes(prefixed)
    assert told("p.sse", "--repair", "double_prefix", capsysbinary=capsysbinary)[0] == 0

    keyed = CHAT.replace(b'"content":"Hel"', b'"think":"a"').replace(b'"content":"lo"', b'"think":"b"')
    (folder / "k.sse").write_bytes(keyed)
    _, record = told("k.sse", "--text-key", "think", capsysbinary=capsysbinary)
    assert replayed(record, 0)["choices"][0]["message"]["think"] == "ab"


def test_what_a_repair_drops_is_left_out() -> None:
    """A duplicate keeps its number and its place, and changes nothing."""
    data = (SAMPLES / "odd" / "openai_chat" / "C45-replayed-run-dropped.sse").read_bytes()
    events = explain([data], repairs=["duplicate_chunks"]).events
    dropped = [event for event in events if event.kind == "left out"]

    assert [event.offset for event in events] == [event.offset for event in explain([data]).events]
    assert [event.number for event in dropped] == [4, 5, 6, 7]
    assert not any(event.changes for event in dropped)


@pytest.mark.parametrize("name", ["seed/chat-text.sse", "openai_responses/text.sse"])
def test_fields_are_these(name: str, capsysbinary: Any) -> None:
    """What programs read has these keys."""
    _, record = told(SAMPLES / name, capsysbinary=capsysbinary)
    event, response = record["events"][-2], record["responses"][0]

    assert list(record) == ["source", "size", "events", "responses"]
    assert list(event) == ["number", "offset", "size", "name", "kind", "response", "carried", "since", "changes"]
    assert list(record["events"][0]["changes"][0]) == ["op", "path", "value"]
    assert list(response) == ["dialect", "status", "error", "at_end", "sources", "problems"]
    assert list(response["sources"][0]) == ["path", "first", "last", "events", "confirmed"]


def test_what_cannot_be_read(folder: Path, capsysbinary: Any) -> None:
    """A file that is not there, a stream that is not in it, an option that is none: status 2 and one line."""
    assert main(["explain", "nowhere\x1b.sse"]) == 2
    assert capsysbinary.readouterr() == (b"", b"reducer: nowhere\\u001b.sse: No such file or directory\n")
    (folder / "c.sse").write_bytes(CHAT)
    assert main(["explain", "c.sse", "--stream", "1"]) == 2
    assert capsysbinary.readouterr() == (b"", b"reducer: c.sse: it has no stream 1\n")
    assert main(["explain", "c.sse", "--repair", "magic"]) == 2
    assert main(["explain"]) == 2


def test_a_broken_file_is_explained_as_far_as_it_came(folder: Path, capsysbinary: Any) -> None:
    """Of a compressed file that is broken, what came before is explained; the status is that of an I/O error."""
    import gzip

    packed = bytearray(
        gzip.compress(CHAT + b": " + random.Random(1).randbytes(200_000).hex().encode() + b"\n\n" + CHAT)
    )
    packed[-6] ^= 0xFF  # in the checksum
    (folder / "broken.gz").write_bytes(packed)
    status = main(["explain", "broken.gz"])
    out, err = capsysbinary.readouterr()

    assert status == 2
    assert err.startswith(b"reducer: broken.gz: ")
    assert b'choices[0].message.content += "Hel"' in out


def test_a_process(folder: Path) -> None:
    """As a command: text is UTF-8 whatever the terminal, nothing a terminal obeys, and the input may be standard input."""
    data = CHAT.replace(b"Hel", "Hé\u202e😀".encode() + b"\\u001b[2J")
    run = subprocess.run(
        [sys.executable, "-bb", "-m", "reducer", "explain", "-"],
        input=data,
        capture_output=True,
        timeout=60,
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
            "PYTHONIOENCODING": "ascii",
            "LC_ALL": "C",
        },
    )

    assert (run.returncode, run.stderr) == (0, b"")
    assert 'choices[0].message.content += "Hé\\u202e😀\\u001b[2J"' in run.stdout.decode()
    assert b"\x1b" not in run.stdout


def test_more_streams(folder: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a capture with several streams one is explained: the first, or the one that is asked for."""

    def streams(path: str, format: str) -> Any:
        return iter(
            [captures.Stream("x#0", iter([CHAT])), captures.Stream("x#1", iter([CHAT.replace(b"Hel", b"Hal")]))]
        )

    monkeypatch.setattr(captures, "streams", streams)
    assert main(["explain", "x"]) == 0
    out, err = capsysbinary.readouterr()
    assert out.startswith(b"x#0: ")
    assert err == b"reducer: x: there are more streams; --stream 1 is the next\n"

    assert main(["explain", "x", "--stream", "1"]) == 0
    out, err = capsysbinary.readouterr()
    assert b'+= "Hal"' in out
    assert err == b""


def process(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "reducer", "explain", *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


def test_output_that_cannot_be_written(folder: Path) -> None:
    """A full disk and a closed output are I/O errors, said in one line; a reader that has enough is none."""
    (folder / "c.sse").write_bytes(CHAT * 2000)
    with open("/dev/full", "wb") as full, process("c.sse", stdout=full) as run:
        assert run.communicate(timeout=60)[1] == b"reducer: standard output: No space left on device\n"
        assert run.returncode == 2
    with process("c.sse", preexec_fn=lambda: os.close(1)) as run:
        assert run.communicate(timeout=60)[1] == b"reducer: standard output: is closed\n"
        assert run.returncode == 2
    with process("c.sse", stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.read(10)
        run.stdout.close()
        assert (run.stderr.read(), run.wait(60)) == (b"", 141)


# -- its parts -----------------------------------------------------------------------------------


def test_printable() -> None:
    """What a terminal would obey, or would not show, is escaped; letters of all languages stay."""
    assert (
        printable("a\n\r\t\x1b[0m\x07\x85\u2028\u202e\ud800é日😀\U000e0001")
        == "a\\n\\r\\t\\u001b[0m\\u0007\\u0085\\u2028\\u202e\\ud800é日😀\\U000e0001"
    )


def test_short() -> None:
    """Values are written as JSON, long ones with the middle left out."""
    assert short('a"b\\') == '"a\\"b\\\\"'
    assert short("x" * 100) == '"' + "x" * 40 + "…" + "x" * 19 + '"'
    assert short(b'\xff{"\x1b') == '\\xff{"\\u001b'
    assert short({"a": [1, None], "b": "\x1b"}) == '{"a":[1,null],"b":"\\u001b"}'


TABLE = [
    ("equal", {"a": [1]}, {"a": [1]}, []),
    ("nothing", None, {"a": 1}, [("new", ("a",), 1)]),
    ("append", {"t": "a"}, {"t": "ab"}, [("append", ("t",), "b")]),
    ("set", {"t": "ab"}, {"t": "ac"}, [("replace", ("t",), "ac")]),
    ("type", {"t": 1}, {"t": 1.0}, []),
    ("zero", {"t": 0}, {"t": 1}, [("replace", ("t",), 1)]),
    ("null", {"t": None}, {"t": "x"}, [("set", ("t",), "x")]),
    ("removed", {"a": 1, "b": 2}, {"b": 2}, [("removed", ("a",), None)]),
    ("longer", {"l": [1]}, {"l": [1, 2, 3]}, [("new", ("l", 1), 2), ("new", ("l", 2), 3)]),
    ("shorter", {"l": [1, 2, 3]}, {"l": [1]}, [("removed", ("l", 2), None), ("removed", ("l", 1), None)]),
    ("by index", [{"index": 1, "t": "a"}], [{"index": 0}, {"index": 1, "t": "ab"}], [("insert", (0,), {"index": 0}), ("append", (1, "t"), "b")]),
    ("by id", [{"id": "x"}, {"id": "y"}], [{"id": "y", "k": 1}], [("removed", (0,), None), ("new", (0, "k"), 1)]),
    ("another order", [{"id": "x"}, {"id": "y"}], [{"id": "y"}, {"id": "x"}], [("replace", (), [{"id": "y"}, {"id": "x"}])]),
    ("names twice", [{"index": 0}, {"index": 0}], [{"index": 0}, {"index": 1}], [("replace", (1, "index"), 1)]),
    ("no names", [{"id": "x"}, 1], [{"id": "z"}, 1], [("replace", (0, "id"), "z")]),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "expected"), [pytest.param(*row[1:], id=row[0]) for row in TABLE])
def test_differences(old: Any, new: Any, expected: list[Any]) -> None:
    """The differences of two values, by name."""
    assert list(differences(old, new)) == [Change(*row) for row in expected]


def test_a_long_stream_is_explained_in_linear_time() -> None:
    """Where the body is large, events are looked at together: the work grows with the events, and nothing is lost."""
    entry = {"token": "w", "logprob": -0.1, "top_logprobs": [{"token": str(n), "logprob": -1.0} for n in range(3)]}
    chunk = {"id": "c", "choices": [{"index": 0, "delta": {"content": "w"}, "logprobs": {"content": [entry]}}]}
    data = (b"data: " + json.dumps(chunk).encode() + b"\n\n") * 1500
    explanation = explain([data])
    together = [event for event in explanation.events if event.since is not None]
    record = {
        "events": [
            {"response": 0, "changes": [{"op": c.op, "path": c.path, "value": c.value} for c in e.changes]}
            for e in explanation.events
        ],
        "responses": [{"at_end": []}],
    }

    assert together
    assert f"    with all from #{together[0].since} on:\n" in as_text("long", explanation)
    assert all(event.since <= event.number for event in together)
    assert len([event for event in explanation.events if event.changes]) < 750
    assert replayed(record, 0) == reducer.reduce(data).to_dict()
