"""``reducer explain``: events, changes, sources and problems of a stream, as text and as JSON."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import reducer
from reducer import captures
from reducer.cli import main
from reducer.cli.explain import as_json, as_text, printable, shorten
from reducer.explain import Change, explain, find_changes, format_path
from tests.helpers import SAMPLES, load_sample, sample_names
from tests.mutations import mutant, seeds
from tests.test_quirks import CASES

NAMES = sample_names()


def explain_json(path: str | Path, *options: str, capsysbinary: Any) -> tuple[int, dict[str, Any]]:
    """Run ``explain --json``; return its exit status and the decoded output."""
    status = main(["explain", str(path), "--json", *options])
    return status, json.loads(capsysbinary.readouterr().out)


def explain_text(path: str | Path, *options: str, capsysbinary: Any) -> tuple[int, str]:
    """Run ``explain``; return its exit status and its text."""
    status = main(["explain", str(path), *options])
    return status, capsysbinary.readouterr().out.decode()


def apply_all(changes: list[dict[str, Any]], body: Any) -> Any:
    """Apply changes in order; return the body."""
    for change in changes:
        body = apply(body, change)
    return body


def apply(body: Any, change: dict[str, Any]) -> Any:
    """Apply one change; return the body."""
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


def rebuild(record: dict[str, Any], response: int) -> Any:
    """Return the body that all changes of a response make."""
    changes = [change for event in record["events"] if event["response"] == response for change in event["changes"]]
    changes += record["responses"][response]["at_end"]
    return apply_all(changes, {}) if changes else None


# -- properties ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_changes_make_the_body(name: str, capsysbinary: Any) -> None:
    """The changes of a response, applied in order, make its body. Statuses and problems are those of `reduce`."""
    status, record = explain_json(SAMPLES / name, capsysbinary=capsysbinary)
    results = reducer.reduce_all(load_sample(name).data)

    assert [rebuild(record, place) for place in range(len(results))] == [
        json.loads(result.json()) for result in results
    ]
    assert [response["status"] for response in record["responses"]] == [result.status for result in results]
    assert [[p["code"] for p in response["problems"]] for response in record["responses"]] == [
        [p.code for p in r.problems] for r in results
    ]
    assert status == (0 if all(result.status == "complete" for result in results) else 1)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.name) for case in CASES])
def test_quirks_are_explained(case: Any) -> None:
    """Every sample of a quirk has the results of `reduce_all` with its options."""
    options = case.options
    if options.pop("strict", False) or options.get("clock"):
        return
    data = case.path.read_bytes()
    explanation = explain([data], **options)
    results = reducer.reduce_all(data, **options)

    assert [response.result for response in explanation.responses] == results
    assert printable("".join(map(repr, explanation.responses)))


def test_mutants_are_explained() -> None:
    """Every mutant has an explanation without raw control characters, and its changes make its body."""
    pool = seeds()
    for number in range(300):
        data = mutant(number, pool)
        explanation = explain([data])
        written = as_text("mutant", explanation)
        record = json.loads(as_json("mutant", explanation))

        assert [response.result for response in explanation.responses] == reducer.reduce_all(data)
        assert all(line.isprintable() for line in written.split("\n"))
        for place, response in enumerate(explanation.responses):
            assert rebuild(record, place) == json.loads(response.result.json())


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith(".sse")])
def test_split_of_the_bytes_does_not_matter(name: str) -> None:
    """Small reads give the same explanation as one read."""
    data = load_sample(name).data

    assert explain([data[at : at + 7] for at in range(0, len(data), 7)]) == explain([data])


# -- text and JSON -------------------------------------------------------------------------------

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
    choices[0]: last changed by #3 chat.completion.chunk, 4 changes since #0
    choices[0].message.content: last changed by #2 chat.completion.chunk, 3 changes since #0
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that is the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_text_of_a_chat_stream(folder: Path, capsysbinary: Any) -> None:
    """The whole text of a small stream."""
    (folder / "hi.sse").write_bytes(CHAT)

    assert explain_text("hi.sse", capsysbinary=capsysbinary) == (0, CHAT_TEXT)


def line_with(text: str, *words: str) -> str:
    """Return the only line that contains all these words."""
    found = [line for line in text.splitlines() if all(word in line for word in words)]

    assert len(found) == 1, (words, text)
    return found[0].strip()


def test_done_events_confirm(capsysbinary: Any) -> None:
    """In Responses, the deltas changed the text last, and done events repeat it."""
    _, text = explain_text(SAMPLES / "openai_responses/text.sse", capsysbinary=capsysbinary)

    line = line_with(text, "output[0].content[0].text:")
    assert re.search(r"last changed by #\d+ response.output_text.delta,", line)
    assert "response.output_text.done" in line.partition("repeated by")[2]


def test_done_event_that_differs(folder: Path, capsysbinary: Any) -> None:
    """A done event with another text changed the text last, and a problem reports this."""
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
    status, record = explain_json("r.jsonl", capsysbinary=capsysbinary)
    source = next(s for s in record["responses"][0]["sources"] if s["path"][-1] == "text")

    assert status == 0
    assert source == {"path": ["output", 0, "content", 0, "text"], "first": 2, "last": 4, "events": 3, "confirmed": []}
    assert record["events"][3]["changes"] == [{"op": "replace", "path": source["path"], "value": "Hello"}]
    assert [(p["code"], p["event"]) for p in record["responses"][0]["problems"]] == [("sources_differ", 4)]


def test_choice_that_is_inserted(folder: Path, capsysbinary: Any) -> None:
    """If a choice comes before an earlier one, the sources of the earlier one move."""
    chunks = [
        {"id": "c", "choices": [{"index": index, "delta": {"content": text}}]}
        for index, text in ((1, "one"), (1, " more"), (0, "zero"), (0, " more"), (1, "."))
    ]
    (folder / "n.sse").write_bytes(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    status, record = explain_json("n.sse", capsysbinary=capsysbinary)
    sources = {
        format_path(tuple(s["path"])): (s["first"], s["last"], s["events"]) for s in record["responses"][0]["sources"]
    }

    assert status == 1
    assert record["events"][2]["changes"][0]["op"] == "insert"
    assert sources == {
        "choices[0]": (2, 3, 2),
        "choices[0].message.content": (2, 3, 2),
        "choices[1]": (0, 4, 3),
        "choices[1].message.content": (0, 4, 3),
    }


def test_several_responses(capsysbinary: Any) -> None:
    """Each response has its own part, and every event names its response."""
    status, text = explain_text(SAMPLES / "openai_chat/several.sse", capsysbinary=capsysbinary)

    assert status == 0
    assert [line for line in text.splitlines() if line.startswith("response ")] == [
        "response 0: complete, openai.chat",
        "response 1: complete, openai.chat",
    ]
    assert "chunk of response 1" in line_with(text, "#4 @534")


def test_problems_show_their_bytes(folder: Path, capsysbinary: Any) -> None:
    """A problem shows its event, its offset, and the bytes around the fault."""
    broken = CHAT.replace(b'"content":"lo"', b'"content":"' + b"l" * 300 + b'\xff\x1b[31m"')
    (folder / "broken.sse").write_bytes(broken.replace(b"data: [DONE]", b"not a stream\ndata: [DONE]"))
    status, text = explain_text("broken.sse", capsysbinary=capsysbinary)

    assert status == 0
    problem, context = text[text.index("problem invalid_utf8") :].splitlines()[:2]
    assert problem.startswith("problem invalid_utf8 at #2 @286: seen ")
    assert context.strip().startswith("| llll")
    assert context.endswith('\\xff\\u001b[31m"},"finish_reason":null}]}')
    line_with(text, "problem stray_text at #4", "not a stream")
    assert "\x1b" not in text


def test_failed_and_truncated_streams(capsysbinary: Any) -> None:
    """The text has the provider's error, and the torn bytes at the end."""
    status, text = explain_text(SAMPLES / "openai_chat/error-mid-stream.sse", capsysbinary=capsysbinary)
    cut_status, cut = explain_text(SAMPLES / "openai_chat/truncated-torn.sse", capsysbinary=capsysbinary)

    assert (status, cut_status) == (1, 1)
    assert "failed, openai.chat" in text
    line_with(text, "error {", "message")
    line_with(cut, "problem torn_tail")
    line_with(cut, "problem no_terminal")


def test_input_that_is_not_a_stream(folder: Path, capsysbinary: Any) -> None:
    """Empty input, plain text and unknown JSON have an explanation."""
    for data in (b"", b"Hello\n", b'{"a":1}\n', b"\x1f\x8b\x08\x00", b"data: [DONE]\n\n", b"data: 7\n\ndata: {\n\n"):
        (folder / "x").write_bytes(data)
        status, text = explain_text("x", capsysbinary=capsysbinary) if data[:2] != b"\x1f\x8b" else (1, "")
        assert status == 1
        if text:
            assert "response 0: empty, no known dialect" in text


def test_payload_that_nests_deep() -> None:
    """The payload is not looked into, and its problem is that of `reduce`."""
    data = b"data: " + b"[" * 600 + b"]" * 600 + b"\n\n"
    explanation = explain([data])

    assert [(event.kind, event.carried) for event in explanation.events] == [("not JSON", {})]
    assert [response.result for response in explanation.responses] == reducer.reduce_all(data)


def test_large_event_is_shortened(folder: Path, capsysbinary: Any) -> None:
    """Of an event with very many values, only the first are shown."""
    many = b'"model":"m","x":[' + b",".join(b"%d" % number for number in range(500)) + b"]"
    (folder / "l.sse").write_bytes(CHAT.replace(b'"model":"m"', many))
    status, text = explain_text("l.sse", capsysbinary=capsysbinary)

    assert status == 0
    assert max(map(len, text.splitlines())) < 300


def test_list_that_is_reordered(folder: Path, capsysbinary: Any) -> None:
    """After a list is replaced as a whole, the sources inside it are forgotten."""
    calls = [{"index": index, "id": f"t{index}", "function": {"name": "f", "arguments": "{"}} for index in (1, 0)]
    more = [{"index": index, "function": {"arguments": "}"}} for index in (0, 1)]
    chunks = [
        {"id": "c", "choices": [{"index": 0, "delta": {"tool_calls": [call]}}]}
        for call in (*calls, *more, {"id": "t9", "function": {}})
    ]
    (folder / "t.sse").write_bytes(b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks))
    _, record = explain_json("t.sse", capsysbinary=capsysbinary)

    assert [change["op"] for change in record["events"][1]["changes"]] == ["insert"]
    assert record["events"][4]["changes"][0]["op"] == "replace"
    assert [format_path(tuple(source["path"])) for source in record["responses"][0]["sources"]] == ["choices[0]"]


def test_options_reach_the_reducer(folder: Path, capsysbinary: Any) -> None:
    """Dialect, repairs and text keys have the same effect as for `reduce`."""
    (folder / "c.sse").write_bytes(CHAT)
    status, record = explain_json("c.sse", "--dialect", "openai.responses", capsysbinary=capsysbinary)
    assert (status, record["responses"][0]["status"]) == (1, "empty")

    prefixed = CHAT.replace(b"data: {", b"data: data: {")
    (folder / "p.sse").write_bytes(prefixed)
    assert explain_json("p.sse", "--repair", "double_prefix", capsysbinary=capsysbinary)[0] == 0

    keyed = CHAT.replace(b'"content":"Hel"', b'"think":"a"').replace(b'"content":"lo"', b'"think":"b"')
    (folder / "k.sse").write_bytes(keyed)
    _, record = explain_json("k.sse", "--text-key", "think", capsysbinary=capsysbinary)
    assert rebuild(record, 0)["choices"][0]["message"]["think"] == "ab"


def test_dropped_duplicates_are_left_out() -> None:
    """A dropped event keeps its number and its offset, and changes nothing."""
    data = (SAMPLES / "odd" / "openai_chat" / "C45-replayed-run-dropped.sse").read_bytes()
    events = explain([data], repairs=["duplicate_chunks"]).events
    dropped = [event for event in events if event.kind == "left out"]

    assert [event.offset for event in events] == [event.offset for event in explain([data]).events]
    assert [event.number for event in dropped] == [4, 5, 6, 7]
    assert not any(event.changes for event in dropped)


@pytest.mark.parametrize("name", ["seed/chat-text.sse", "openai_responses/text.sse"])
def test_keys_of_the_json_output(name: str, capsysbinary: Any) -> None:
    """Programs rely on these keys and their order."""
    _, record = explain_json(SAMPLES / name, capsysbinary=capsysbinary)
    event, response = record["events"][-2], record["responses"][0]

    assert list(record) == ["source", "size", "events", "responses"]
    assert list(event) == ["number", "offset", "size", "name", "kind", "response", "carried", "since", "changes"]
    assert list(record["events"][0]["changes"][0]) == ["op", "path", "value"]
    assert list(response) == ["dialect", "status", "error", "at_end", "sources", "problems"]
    assert list(response["sources"][0]) == ["path", "first", "last", "events", "confirmed"]


def test_usage_errors(folder: Path, capsysbinary: Any) -> None:
    """A missing file, a missing stream, or an unknown option: exit status 2 and one line."""
    assert main(["explain", "nowhere\x1b.sse"]) == 2
    assert capsysbinary.readouterr() == (b"", b"reducer: nowhere\\u001b.sse: No such file or directory\n")
    (folder / "c.sse").write_bytes(CHAT)
    assert main(["explain", "c.sse", "--stream", "1"]) == 2
    assert capsysbinary.readouterr() == (b"", b"reducer: c.sse: the capture has no stream 1\n")
    assert main(["explain", "c.sse", "--repair", "magic"]) == 2
    assert main(["explain"]) == 2


def test_damaged_file(folder: Path, capsysbinary: Any) -> None:
    """The events before the damage are explained, and the exit status is that of an I/O error."""
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


def test_output_of_a_process(folder: Path) -> None:
    """The text is UTF-8 with any locale, control characters are escaped, and standard input works."""
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


C1 = "".join(map(chr, range(0x7F, 0xA0)))
MARKS = f"\x1b[2J\r{C1}\u202e\u2028\u200b"  # controls, and characters that hide, end a line, or change its direction
NASTY = [
    {"id": MARKS, "choices": [{"index": 0, "delta": {"content": MARKS, MARKS: {MARKS: MARKS}}, MARKS: "a"}]},
    {"id": MARKS, "choices": [{"index": 0, "delta": {"content": "b", MARKS: "b"}, MARKS: "b"}], MARKS: [MARKS]},
    {"id": "other", "object": MARKS, "model": MARKS, "choices": [{"index": 0, "delta": {"tool_calls": MARKS}}]},
    {"type": MARKS, MARKS: MARKS},
    {"error": {"message": MARKS, "type": MARKS, "code": MARKS, MARKS: MARKS}},
]


def test_control_characters_are_escaped_everywhere(folder: Path) -> None:
    """Neither form has raw control characters of names, keys, values, errors, stray text or the file's name."""
    name = f"{MARKS}.sse"
    raw = MARKS.replace("\r", "")
    events = [f"event: {raw}\ndata: {json.dumps(event, ensure_ascii=False)}\n\n" for event in NASTY]
    stray = f'{raw}\n\ndata: {raw}\n\ndata: {{"{raw}": {raw}}}\n\ndata: {raw}'
    (folder / name).write_bytes(("".join(events) + stray).encode() + b"\xff\x9b")
    with start_process(name, stdout=subprocess.PIPE) as run:
        text, errors = run.communicate(timeout=60)
        assert (run.returncode, errors) == (1, b"")
    with start_process(name, "--json", stdout=subprocess.PIPE) as run:
        record, errors = run.communicate(timeout=60)
        assert (run.returncode, errors) == (1, b"")

    assert all(line.isprintable() for line in text.decode().split("\n"))
    assert text.startswith(b"\\u001b[2J\\r\\u007f\\u0080")
    escaped = [line for line in text.decode().split("\n") if "\\u001b" in line]
    for place in (
        "#0 @86 ", "#3 @1834 ", "    id = ", "    choices[0].message.\\u001b", "    error ", "    choices[0]: last changed by ",
        "    problem id_differs ", "    problem stray_text ", "    problem torn_tail ", "        | data: ", "        | \\u001b",
    ):  # fmt: skip
        assert any(line.startswith(place) for line in escaped), place
    assert not set(record.decode()[:-1]) & {*map(chr, range(0x20)), *C1}
    assert json.loads(record)["source"] == name
    assert json.loads(record)["events"][0]["name"] == raw
    assert json.loads(record)["events"][0]["carried"]["choices[0].delta.content"] == MARKS
    assert rebuild(json.loads(record), 0) == reducer.reduce((folder / name).read_bytes()).to_dict()


def test_capture_with_several_streams(folder: Path, capsysbinary: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first stream is explained, or the one with the given number."""

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


def start_process(*arguments: str, **options: Any) -> subprocess.Popen[bytes]:
    """Start the command as a process of its own."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-m", "reducer", "explain", *arguments]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, **options)


def test_output_that_cannot_be_written(folder: Path) -> None:
    """A full disk and a closed output are I/O errors with one line. A closed pipe is silent."""
    (folder / "c.sse").write_bytes(CHAT * 2000)
    with open("/dev/full", "wb") as full, start_process("c.sse", stdout=full) as run:
        assert run.communicate(timeout=60)[1] == b"reducer: standard output: No space left on device\n"
        assert run.returncode == 2
    with start_process("c.sse", preexec_fn=lambda: os.close(1)) as run:
        assert run.communicate(timeout=60)[1] == b"reducer: standard output: is closed\n"
        assert run.returncode == 2
    with start_process("c.sse", stdout=subprocess.PIPE) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        run.stdout.read(10)
        run.stdout.close()
        assert (run.stderr.read(), run.wait(60)) == (b"", 141)


# -- helpers -------------------------------------------------------------------------------------


def test_printable() -> None:
    """Characters that a terminal interprets or hides are escaped; letters of all languages stay."""
    assert (
        printable("a\n\r\t\x1b[0m\x07\x85\u2028\u202e\ud800é日😀\U000e0001")
        == "a\\n\\r\\t\\u001b[0m\\u0007\\u0085\\u2028\\u202e\\ud800é日😀\\U000e0001"
    )


def test_shorten() -> None:
    """Values are shown as JSON, and long ones are cut."""
    assert shorten('a"b\\') == '"a\\"b\\\\"'
    assert shorten("x" * 100) == '"' + "x" * 40 + "…" + "x" * 19 + '"'
    assert shorten(b'\xff{"\x1b') == '\\xff{"\\u001b'
    assert shorten({"a": [1, None], "b": "\x1b"}) == '{"a":[1,null],"b":"\\u001b"}'


TABLE = [
    ("equal", {"a": [1]}, {"a": [1]}, []),
    ("nothing", None, {"a": 1}, [("new", ("a",), 1)]),
    ("append", {"t": "a"}, {"t": "ab"}, [("append", ("t",), "b")]),
    ("set", {"t": "ab"}, {"t": "ac"}, [("replace", ("t",), "ac")]),
    ("type", {"t": 1}, {"t": 1.0}, [("replace", ("t",), 1.0)]),
    ("nested type", {"t": {"n": [1]}}, {"t": {"n": [True]}}, [("replace", ("t", "n", 0), True)]),
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
def test_find_changes(old: Any, new: Any, expected: list[Any]) -> None:
    """Each case has the changes between two values."""
    assert list(find_changes(old, new)) == [Change(*row) for row in expected]


def test_large_body_is_compared_for_several_events_together() -> None:
    """The events of a large body share one list of changes, and no change is lost."""
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
    assert f"    changes of all events since #{together[0].since}:\n" in as_text("long", explanation)
    assert all(event.since <= event.number for event in together)
    assert len([event for event in explanation.events if event.changes]) < 750
    assert rebuild(record, 0) == reducer.reduce(data).to_dict()
