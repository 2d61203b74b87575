"""The command ``reducer``: as a process of its own, and by calling `main`."""

import gzip
import io
import json
import os
import pty
import re
import resource
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager

import pytest

import reducer
from reducer import captures, outputs
from reducer.cli import COMMANDS, main, messages
from reducer.cli import reduce as reduce_command
from reducer.cli.output import Output
from reducer.embed import decoded
from reducer.outputs._escapes import escape_controls

HI = (
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":"Hi"},"finish_reason":null}]}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
    b"data: [DONE]\n\n"
)
HO = HI.replace(b'"c1"', b'"c2"').replace(b'"Hi"', b'"Ho"')
CUT = HI[: HI.index(b"\n\n") + 2]
FAILED = b'data: {"error":{"message":"overloaded","type":"server_error","code":"busy"}}\n\n'


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A new working directory that contains one complete stream."""
    (tmp_path / "hi.sse").write_bytes(HI)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def command(*arguments, data=b"", **options):
    """Run the command as a process; return its exit status, output and error output."""
    run = subprocess.run(
        [sys.executable, "-bb", "-m", "reducer", *arguments],
        input=data,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        **options,
    )
    return run.returncode, run.stdout, run.stderr.decode()


def rows(output):
    return [json.loads(line) for line in output.splitlines()]


def content(row):
    return row["body"]["choices"][0]["message"]["content"]


# -- input and output --------------------------------------------------------------------------------


def test_a_file_becomes_one_record():
    """The default output is one JSON object a line, with these keys in this order."""
    status, output, errors = command("hi.sse")

    assert (status, errors) == (0, "")
    (row,) = rows(output)
    assert list(row) == ["source", "index", "dialect", "status", "body", "error", "problems"]
    assert (row["source"], row["index"], row["dialect"], row["status"]) == ("hi.sse", 0, "openai.chat", "complete")
    assert (row["error"], row["problems"]) == (None, [])
    assert row["body"] == reducer.reduce(HI).to_dict()


@pytest.mark.parametrize("arguments", [(), ("-",), ("reduce",), ("reduce", "-")])
def test_standard_input_is_the_default(arguments):
    """A pipe needs no argument."""
    status, output, _ = command(*arguments, data=HI)

    assert status == 0
    assert [(row["source"], content(row)) for row in rows(output)] == [("-", "Hi")]


def test_several_files_keep_their_order(folder):
    """There is one record for each path, in the given order. Options may be among the paths."""
    (folder / "ho.sse").write_bytes(HO)

    status, output, _ = command("ho.sse", "--dialect", "openai.chat", "hi.sse", "-", data=HO)

    assert status == 0
    assert [(row["source"], content(row)) for row in rows(output)] == [("ho.sse", "Ho"), ("hi.sse", "Hi"), ("-", "Ho")]


def test_several_responses_in_one_capture_are_numbered(folder):
    """Each response has a record of its own."""
    (folder / "both.sse").write_bytes(HI + HO)

    status, output, _ = command("both.sse")

    assert status == 0
    assert [(row["index"], content(row)) for row in rows(output)] == [(0, "Hi"), (1, "Ho")]


def test_output_format_body(folder):
    """``--to body`` writes what a non-streaming call returns, and null if there is no body."""
    (folder / "failed.sse").write_bytes(FAILED)

    status, output, _ = command("--to", "body", "hi.sse", "failed.sse")

    assert status == 1
    assert output == reducer.reduce(HI).json() + b"\nnull\n"


def test_output_format_json():
    """``--to json`` writes the same record over several lines."""
    _, output, _ = command("hi.sse", "--to", "json")
    _, line, _ = command("hi.sse")

    assert output.startswith(b'{\n  "source": "hi.sse",\n')
    assert json.loads(output) == json.loads(line)


def test_output_file(folder):
    """``-o`` writes to a file, and nothing to standard output."""
    status, output, errors = command("hi.sse", "-o", "out.jsonl")

    assert (status, output, errors) == (0, b"", "")
    assert content(rows((folder / "out.jsonl").read_bytes())[0]) == "Hi"


@pytest.mark.parametrize("format", ["auto", "sse", "jsonl", "json"])
def test_raw_formats_are_detected_by_their_content(folder, format):
    """The four raw formats read the same files."""
    (folder / "hi.jsonl").write_bytes(HI.replace(b"data: ", b"").replace(b"\n\n", b"\n"))

    status, output, _ = command("--from", format, "hi.sse", "hi.jsonl")

    assert status == 0
    assert [content(row) for row in rows(output)] == ["Hi", "Hi"]


@pytest.mark.parametrize("name", ["hi.sse.gz", "hi"])
def test_gzip_is_detected_by_its_first_bytes(folder, name):
    """The name does not matter, and standard input may be compressed, too."""
    (folder / name).write_bytes(gzip.compress(HI))

    status, output, _ = command(name, "-", data=gzip.compress(HI))

    assert status == 0
    assert [content(row) for row in rows(output)] == ["Hi", "Hi"]


def test_bytes_in_problems_are_written_as_text(folder):
    """Bytes that are not UTF-8 are escaped."""
    (folder / "odd.sse").write_bytes(b"data: \xff not JSON\n\n" + HI)

    _, output, _ = command("odd.sse")

    (row,) = rows(output)
    assert [problem["code"] for problem in row["problems"]] == ["not_json"]
    assert row["problems"][0] == {
        "code": "not_json",
        "event": 0,
        "offset": 0,
        "seen": "\\xff not JSON",
        "chosen": "skipped",
    }


def test_file_name_that_is_not_text(folder):
    """The name is written with escapes."""
    (folder / os.fsdecode(b"\xff.sse")).write_bytes(HI)

    status, output, errors = command(b"\xff.sse", b"\xfe.sse")

    assert status == 2
    assert [row["source"] for row in rows(output)] == ["\\udcff.sse"]
    assert errors == "reducer: \\udcfe.sse: No such file or directory\n"


# -- exit status and errors --------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", CUT, FAILED, b"<html>\n"], ids=["empty", "cut", "failed", "no stream"])
def test_exit_status_1_for_incomplete_streams(data):
    """Everything was processed, but some stream is not complete."""
    status, output, errors = command(data=data)

    assert (status, errors) == (1, "")
    assert rows(output)[0]["status"] != "complete"


def test_unreadable_paths(folder):
    """A missing file and a folder each get a line with the cause. The other files are reduced."""
    (folder / "sub").mkdir()
    (folder / "cut.sse").write_bytes(CUT)

    status, output, errors = command("nowhere.sse", "sub", "cut.sse", "hi.sse")

    assert status == 2
    assert [row["source"] for row in rows(output)] == ["cut.sse", "hi.sse"]
    assert errors.splitlines() == [
        "reducer: nowhere.sse: No such file or directory",
        "reducer: sub: Is a directory",
    ]


def test_damaged_gzip_file(folder):
    """The record has what was read before the damage, and the problem `aborted`."""
    cut = HI.replace(b"data: [DONE]\n\n", b"")
    good = gzip.compress(cut + b": %s\n" % os.urandom(200_000).hex().encode())
    (folder / "broken.gz").write_bytes(good[:150_000] + bytes(1000) + good[151_000:])

    status, output, errors = command("broken.gz", "hi.sse")

    assert status == 2
    assert errors.startswith("reducer: broken.gz: content encoding gzip: ")
    broken, whole = rows(output)
    assert content(broken) == "Hi"
    assert broken["problems"][-1]["code"] == "aborted"
    assert whole["source"] == "hi.sse"


def test_file_that_only_looks_like_gzip(folder):
    """If nothing could be read, there is no record."""
    (folder / "broken.gz").write_bytes(b"\x1f\x8b" + bytes(100))

    status, output, errors = command("broken.gz")

    assert (status, output) == (2, b"")
    assert errors.startswith("reducer: broken.gz: content encoding gzip: ")


def test_file_that_ends_inside_a_magic_number(folder):
    """The file is read as it is."""
    (folder / "short").write_bytes(b"\x1f")

    status, output, errors = command("short")

    assert (status, errors) == (1, "")
    assert rows(output)[0]["body"] is None


def test_capture_that_cannot_be_opened(monkeypatch, capfd):
    """A format may have to read the file before the file's streams are known."""

    def broken(path, format):
        raise OSError(5, "Input/output error")
        yield

    monkeypatch.setattr(captures, "streams", broken)

    assert main(["hi.sse"]) == 2
    assert capfd.readouterr().err == "reducer: hi.sse: Input/output error\n"


def test_strict_stops_at_the_first_problem(folder):
    """The problem gets one line, the stream gets no record, and the next file is reduced."""
    (folder / "odd.sse").write_bytes(b"data: {\n\n" + HI)

    status, output, errors = command("--strict", "odd.sse", "hi.sse")

    assert status == 1
    assert [row["source"] for row in rows(output)] == ["hi.sse"]
    assert errors.count("\n") == 1
    assert errors.startswith("reducer: odd.sse: ")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--dialect", "nope"), "--dialect: invalid choice: 'nope'"),
        (("--from", "nope"), "--from: invalid choice: 'nope'"),
        (("--to", "nope"), "--to: invalid choice: 'nope'"),
        (("--repair", "nope"), "--repair: invalid choice: 'nope'"),
        (("--nope",), "unrecognized arguments: --nope"),
        (("hi.sse", "-o", "./hi.sse"), "./hi.sse is the same file as the input hi.sse: choose another output"),
    ],
)
def test_exit_status_2_for_usage_errors(folder, arguments, cause):
    """The cause is named, nothing is written, and no file is changed."""
    status, output, errors = command(*arguments)

    assert (status, output) == (2, b"")
    assert cause in errors
    assert (folder / "hi.sse").read_bytes() == HI


UNBUFFERED = pytest.mark.parametrize("unbuffered", ["", "1"], ids=["buffered", "unbuffered"])


def shell(script, *arguments, unbuffered="", **options):
    """Run a shell script in which ``reducer`` is the command; return its exit status, output and error output."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "PYTHONUNBUFFERED": unbuffered}
    run = subprocess.run(
        ["bash", "-c", f'reducer() {{ "$PYTHON" -bb -m reducer "$@"; }}; {script}', "bash", *arguments],
        env={**environment, "PYTHON": sys.executable},
        **{"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, "check": False, **options},
    )
    return run.returncode, run.stdout, run.stderr.decode()


@UNBUFFERED
@pytest.mark.parametrize("arguments", ["hi.sse hi.sse", "--help", "explain hi.sse"])
def test_exit_status_2_if_standard_output_is_full(unbuffered, arguments):
    """There is one line, and the interpreter prints nothing more when it exits."""
    assert shell(f"reducer {arguments} > /dev/full", unbuffered=unbuffered) == (
        2, b"", "reducer: standard output: No space left on device\n",
    )  # fmt: skip


@pytest.mark.parametrize("arguments", ["hi.sse", "--version", "explain hi.sse", "explain --help"])
def test_exit_status_2_if_standard_output_is_closed(arguments):
    """There is one line and no traceback."""
    assert shell(f"reducer {arguments} >&-") == (
        2, b"", "reducer: standard output: is closed\n",
    )  # fmt: skip


@pytest.mark.parametrize("arguments", ["-", "explain -"])
def test_exit_status_2_if_standard_input_is_closed(arguments):
    """There is one line and no traceback."""
    assert shell(f"reducer {arguments} <&-") == (2, b"", "reducer: -: standard input is closed\n")
    assert shell("reducer <&-")[2].endswith("error: no PATH given, and standard input is not redirected\n")


@pytest.mark.parametrize("errors", ["2>&-", "2>/dev/full", "2> >(:)"], ids=["closed", "full", "broken"])
@pytest.mark.parametrize("arguments", ["nowhere hi.sse", "explain nowhere", "--nope"])
def test_error_output_that_cannot_be_written(errors, arguments):
    """The message is lost, but not the exit status. Nothing of it is written to standard output."""
    status, output, _ = shell(f"{{ sleep 0.1; reducer {arguments}; }} {errors}")

    assert status == 2
    assert [content(row) for row in rows(output)] == (["Hi"] if "hi.sse" in arguments else [])


@pytest.mark.parametrize("streams", ["<&- >&- 2>&-", ">/dev/full 2>/dev/full"])
@pytest.mark.parametrize("arguments", ["- hi.sse", "explain hi.sse", "--help"])
def test_all_standard_streams_are_unusable(streams, arguments):
    """The exit status still shows the error."""
    assert shell(f"reducer {arguments} {streams}") == (2, b"", "")


def test_terminal_as_standard_input():
    """Without a path, the usage is printed instead of waiting for input."""
    leader, follower = pty.openpty()
    try:
        run = subprocess.run(
            [sys.executable, "-m", "reducer"], stdin=follower, capture_output=True, timeout=60, check=False
        )
    finally:
        os.close(leader)
        os.close(follower)

    assert (run.returncode, run.stdout) == (2, b"")
    assert run.stderr.startswith(b"usage: reducer ")


def test_closed_pipe():
    """``reducer … | head`` ends without a message."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", *["hi.sse"] * 2000], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()

    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_interrupt():
    """Ctrl-C ends the command without a message, with the status that shells report."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", "hi.sse", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline()

    process.send_signal(signal.SIGINT)

    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, b"", b"")


# -- control characters ------------------------------------------------------------------------------

# ESC, CR, LF, DEL, the C1 control CSI, NEL, and the marks that change the direction of text or begin a new line.
CONTROLS = "\x1b[31m\r\n\x7f\x9b\x85\u202e\u2028"
ESCAPED = "\\u001b[31m\\r\\n\\u007f\\u009b\\u0085\\u202e\\u2028"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("{}.sse",), "reducer: {}.sse: No such file or directory\n"),
        (("explain", "{}.sse"), "reducer: {}.sse: No such file or directory\n"),
        (("hi.sse", "-o", "{}/x"), "reducer: {}/x: No such file or directory\n"),
        (("hi.sse", "{0}", "-o", "./{0}"), "reducer: error: ./{0} is the same file as the input {0}: choose another output\n"),
        (("--{}",), "reducer: error: unrecognized arguments: --{}\n"),
        (("explain", "hi.sse", "{}"), "reducer explain: error: unrecognized arguments: {}\n"),
        (("--to", "{}"), None),
        (("hi.sse", "--strict={}"), None),
        (("explain", "hi.sse", "--stream", "{}"), None),
        (("explain", "--from", "{}", "hi.sse"), None),
    ],
)  # fmt: skip
def test_control_characters_of_arguments_are_escaped(arguments, expected):
    """The message is the last line, and a terminal interprets nothing that the message echoes."""
    status, output, errors = command(*(argument.format(CONTROLS) for argument in arguments))
    message = errors.splitlines(keepends=True)[-1]

    assert (status, output) == (2, b"")
    assert all(line.isprintable() for line in errors.split("\n"))
    assert expected is None or message == expected.format(ESCAPED)
    assert errors == message or errors.startswith("usage: reducer ")


def test_control_characters_of_the_stream_are_escaped_in_messages(folder):
    """The text of a problem comes from the stream."""
    (folder / "odd.sse").write_text(f"{CONTROLS}\n\n")

    status, output, errors = command("--strict", "odd.sse")

    assert (status, output) == (1, b"")
    assert errors.startswith("reducer: odd.sse: stray_text")
    assert "\\x1b[31m" in errors
    assert errors.endswith("\n")
    assert errors[:-1].isprintable()


C1 = "".join(map(chr, range(0x7F, 0xA0)))
NASTY = HI.replace(b'"Hi"', f'"Hi{C1}\\\\\\u009bé\xa0¿日😀","{C1}":"{C1}"'.encode())


@pytest.mark.parametrize("format", ["jsonl", "json", "body"])
def test_control_characters_are_escaped_in_the_output(folder, format):
    """Names, keys, texts, errors and problems have the same JSON values as without the escapes."""
    name = f"x{CONTROLS}{C1}.sse"
    fault = f'data: {{"error":{{"message":"no{C1}","code":"{C1}"}}}}\n\ndata: {C1}\n\n'
    (folder / name).write_bytes(NASTY[: NASTY.index(b"data: [DONE]")] + fault.encode())

    status, output, errors = command("--to", format, name)
    row = json.loads(output)
    (result,) = reducer.reduce_all((folder / name).read_bytes())

    assert (status, errors) == (1, "")
    assert not set(output.decode()) & {*map(chr, range(0x20)), *C1} - {"\n"}
    assert "é\xa0¿日😀" in output.decode()  # not escaped
    if format != "body":
        assert row["source"] == name
        assert row["error"]["message"] == f"no{C1}"
        shown = {problem["code"]: problem["seen"] for problem in row["problems"]}
        assert shown["not_json"] == C1
        row = row["body"]
    assert row == result.to_dict()
    assert content({"body": row}) == f"Hi{C1}\\\x9bé\xa0¿日😀"


@pytest.mark.parametrize(
    "text", [*C1, C1 * 3, "\\" + C1, '"\x9b', "\xa0", "é", "\xc2\x7f", "¿\x9f\xc2", "\U00010080", ""]
)
def test_escape_controls_keeps_the_value(text):
    """Each control is escaped, and no other character."""
    before = json.dumps([text, {text: text}], ensure_ascii=False).encode()
    after = escape_controls(before)

    assert json.loads(after) == json.loads(before)
    assert not set(after.decode()) & set(C1)
    assert (after == before) == (not set(text) & set(C1))


# -- the output file ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("script", "named"),
    [
        ("reducer x -o x", "x is the same file as the input x"),
        ("reducer x -o $PWD/x", "/x is the same file as the input x"),
        ("ln -s x link; reducer link -o x", "x is the same file as the input link"),
        ("ln -s x link; reducer hi.sse x -o link", "link is the same file as the input x"),
        ("ln x hard; reducer hi.sse hard -o x", "x is the same file as the input hard"),
        ("reducer -o x < x", "x is the same file as standard input"),
        ("reducer -o x - < x", "x is the same file as standard input"),
        ("ln x hard; reducer hi.sse - -o x < hard", "x is the same file as standard input"),
        ("reducer /dev/stdin -o x < x", "x is the same file as the input /dev/stdin"),
        ("reducer x -o /dev/stdout >> x", "/dev/stdout is the same file as the input x"),
        ("reducer hi.sse x >> x", "standard output is the same file as the input x"),
        ("reducer hi.sse x 1<> x", "standard output is the same file as the input x"),
        ("reducer < x >> x", "standard output is the same file as standard input"),
        ("mkfifo pipe; reducer hi.sse pipe -o pipe", "pipe is the same file as the input pipe"),
        ("reducer hi.sse new -o new", "new is the same file as the input new"),
        ("ln -s new link; reducer hi.sse new -o link", "link is the same file as the input new"),
    ],
)
def test_the_output_is_no_input(folder, script, named):
    """An output that is an input by any name is a usage error, before anything is written."""
    (folder / "x").write_bytes(HO)

    status, output, errors = shell(script)

    assert (status, output) == (2, b"")
    assert errors.startswith("usage: reducer ")
    assert errors.endswith(f"{named}: choose another output\n")
    assert (folder / "x").read_bytes() == HO
    assert not (folder / "new").exists()


def test_the_null_device_may_be_input_and_output():
    """It keeps nothing that could be lost."""
    assert shell("reducer /dev/null -o /dev/null") == (1, b"", "")
    assert shell("reducer < /dev/null > /dev/null") == (1, b"", "")


def test_a_socket_may_be_input_and_output():
    """A program may connect both to one socket."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        process = subprocess.Popen([sys.executable, "-m", "reducer"], stdin=theirs, stdout=theirs)
        theirs.close()
        ours.sendall(HI)
        ours.shutdown(socket.SHUT_WR)
        output = ours.makefile("rb").read()

    assert process.wait(60) == 0
    assert content(json.loads(output)) == "Hi"


@pytest.mark.parametrize(
    "arguments",
    [
        ("missing.sse",),
        ("missing.sse", "sub", "x" * 300),
        ("-",),
        ("--strict", "odd.sse", "missing.sse"),
        ("hi.sse", "--nope"),
    ],
)
def test_the_output_file_is_kept_if_nothing_can_be_read(folder, arguments):
    """A file that exists keeps its contents, and one that does not is not created."""
    (folder / "sub").mkdir()
    (folder / "odd.sse").write_bytes(b"data: {\n\n" + HI)
    (folder / "out").write_text("precious\n")
    before = sorted(os.listdir())

    for mode in ("--append", "--overwrite"):
        assert shell('reducer "$@" -o out <&-', *arguments, mode)[:2] == (2, b"")
    assert shell('reducer "$@" -o new <&-', *arguments)[:2] == (2, b"")
    assert (folder / "out").read_text() == "precious\n"
    assert sorted(os.listdir()) == before


def test_the_output_file_has_the_results_of_the_other_files(folder):
    """The first and the last path cannot be read; the result between them is written."""
    (folder / "out").write_text("old" * 1000)

    status, output, errors = command("a.sse", "hi.sse", "b.sse", "-o", "out", "--overwrite")

    assert (status, output) == (2, b"")
    assert [line.split(":")[1] for line in errors.splitlines()] == [" a.sse", " b.sse"]
    assert [row["source"] for row in rows((folder / "out").read_bytes())] == ["hi.sse"]


@pytest.mark.parametrize("old", [None, "old"])
def test_the_output_file_is_empty_if_there_is_no_result(folder, old):
    """Everything was processed, so the contents of an earlier run would be mistaken for those of this run."""
    (folder / "odd.sse").write_bytes(b"data: {\n\n" + HI)
    if old:
        (folder / "out").write_text(old)

    assert command("--strict", "odd.sse", "-o", "out", "--overwrite")[0] == 1
    assert (folder / "out").read_bytes() == b""


@pytest.mark.parametrize("name", ["out", "link", "hard"])
def test_an_output_file_that_exists_is_refused(folder, name):
    """Nothing is read, and the file keeps its contents."""
    (folder / "out").write_text("precious")
    (folder / "link").symlink_to("out")
    os.link(folder / "out", folder / "hard")

    status, output, errors = command("-", "-o", name, data=HI)

    assert (status, output) == (2, b"")
    assert errors == f"reducer: {name}: exists already: add --append or --overwrite, or choose another file\n"
    assert (folder / "out").read_text() == "precious"


def test_overwrite_replaces_the_file(folder):
    """Its permissions and a link to it are kept. Its other names, and its readers, keep the old contents."""
    (folder / "out").write_text("old")
    (folder / "out").chmod(0o640)
    (folder / "link").symlink_to("out")
    os.link(folder / "out", folder / "hard")

    with open(folder / "out") as reader:
        assert command("hi.sse", "-o", "link", "--overwrite") == (0, b"", "")
        assert reader.read() == "old"
    assert (folder / "link").is_symlink()
    assert (folder / "out").stat().st_mode & 0o777 == 0o640
    assert content(rows((folder / "out").read_bytes())[0]) == "Hi"
    assert (folder / "hard").read_text() == "old"
    assert sorted(os.listdir()) == ["hard", "hi.sse", "link", "out"]


@pytest.mark.parametrize("mode", ["--append", "--overwrite"])
def test_a_write_protected_output_file(monkeypatch, capfd, folder, mode):
    """It stays as it is: permission to change its folder is not enough."""
    (folder / "out").write_text("precious\n")
    real = open

    def denied(path, mode="r", *arguments, **options):
        if (path, mode) == ("out", "ab"):
            raise PermissionError(13, "Permission denied")
        return real(path, mode, *arguments, **options)

    monkeypatch.setattr(os, "access", lambda path, mode: (path, mode) != ("out", os.W_OK))
    monkeypatch.setattr("builtins.open", denied)

    assert main(["hi.sse", "-o", "out", mode]) == 2
    assert capfd.readouterr() == ("", "reducer: out: Permission denied\n")
    assert (folder / "out").read_text() == "precious\n"
    assert sorted(os.listdir()) == ["hi.sse", "out"]


def test_append_adds_to_the_file(folder):
    """Records follow those of an earlier run."""
    for mode in ([], ["--append"], ["--append"]):
        assert command("hi.sse", "-o", "out", *mode) == (0, b"", "")

    assert [content(row) for row in rows((folder / "out").read_bytes())] == ["Hi"] * 3


@pytest.mark.parametrize("mode", ["--append", "--overwrite"])
@pytest.mark.parametrize("old", [None, ""])
def test_append_and_overwrite_need_no_contents(folder, mode, old):
    """OUT may not exist yet, or be empty."""
    if old is not None:
        (folder / "out").write_text(old)

    assert command("hi.sse", "-o", "out", mode) == (0, b"", "")
    assert [content(row) for row in rows((folder / "out").read_bytes())] == ["Hi"]
    assert sorted(os.listdir()) == ["hi.sse", "out"]


def test_append_after_a_line_that_is_not_whole(folder):
    """An earlier run may have been killed. A message says so, and no record is glued to the rest."""
    (folder / "out").write_text('{"half')

    assert command("hi.sse", "-o", "out", "--append") == (
        0, b"", "reducer: out: its last line is not whole; the new records begin on a new line\n",
    )  # fmt: skip
    half, whole = (folder / "out").read_bytes().splitlines()
    assert (half, content(json.loads(whole))) == (b'{"half', "Hi")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("--append",), "--append needs -o OUT"),
        (("--overwrite", "-o", "-"), "--overwrite needs -o OUT"),
        (("--append", "--overwrite", "-o", "x"), "argument --overwrite: not allowed with argument --append"),
    ],
)
def test_modes_of_no_output_file(arguments, cause):
    """They are usage errors."""
    status, output, errors = command("hi.sse", *arguments)

    assert (status, output) == (2, b"")
    assert errors.endswith(f"reducer: error: {cause}\n")


def test_output_file_of_one_dash(folder):
    """It is standard output, as in other programs."""
    status, output, _ = command("hi.sse", "-o", "-")

    assert (status, content(rows(output)[0])) == (0, "Hi")
    assert os.listdir() == ["hi.sse"]


def test_xargs_loses_nothing(folder):
    """It may run the command several times with the same OUT. Every run but the first refuses."""
    for number in range(5):
        (folder / f"{number}.sse").write_bytes(HI)

    runs = 'echo 0.sse 1.sse 2.sse 3.sse 4.sse | xargs -n 2 "$PYTHON" -m reducer -o out'

    status, _, errors = shell(runs)
    assert status == 123
    assert errors.count("reducer: out: exists already") == 2
    assert [row["source"] for row in rows((folder / "out").read_bytes())] == ["0.sse", "1.sse"]
    assert shell(f"rm out; {runs} --append")[0] == 0
    assert [row["source"] for row in rows((folder / "out").read_bytes())] == [f"{number}.sse" for number in range(5)]


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_append_wants_the_same_columns(folder, suffix):
    """A header is written once, and records with other columns do not follow it."""
    out = str(folder / f"out{suffix}")
    for line in (b"1,2\n", b"3,4\n"):
        with Output(out, "append", b"a,b\n") as output:
            output.write(line)
            output.finish(keeps_empty=True)

    data = (folder / out).read_bytes()
    assert (gzip.decompress(data) if suffix else data) == b"a,b\n1,2\n3,4\n"
    with pytest.raises(reducer.UsageError, match="its first line has other columns"):
        Output(out, "append", b"a,c\n")


# -- compressed output -------------------------------------------------------------------------------

SUFFIXES = pytest.mark.parametrize("suffix", [".gz", ".zst", ".GZ"])


def decompress(path):
    pytest.importorskip("backports.zstd") if path.suffix == ".zst" else None
    return decoded(path.read_bytes(), "zstd" if path.suffix == ".zst" else "gzip")


@SUFFIXES
def test_compressed_output(folder, suffix):
    """The suffix tells how. Another run may append, and the same records give the same bytes."""
    if suffix == ".zst":
        pytest.importorskip("backports.zstd")
    out = folder / f"out{suffix}"

    assert command("hi.sse", "-o", out.name) == (0, b"", "")
    first = out.read_bytes()
    assert command("hi.sse", "-o", out.name, "--append") == (0, b"", "")
    assert out.read_bytes() == first * 2
    assert [content(row) for row in rows(decompress(out))] == ["Hi"] * 2
    assert command("hi.sse", "-o", out.name, "--overwrite") == (0, b"", "")
    assert out.read_bytes() == first


def test_compressed_output_without_records(folder):
    """It can be decompressed, too; an appending run adds nothing."""
    (folder / "odd.sse").write_bytes(b"data: {\n\n" + HI)

    assert command("--strict", "odd.sse", "-o", "out.gz")[0] == 1
    empty = (folder / "out.gz").read_bytes()
    assert gzip.decompress(empty) == b""
    assert command("missing", "-o", "out.gz", "--append")[0] == 2
    assert (folder / "out.gz").read_bytes() == empty


def test_nothing_is_appended_to_a_cut_compressed_file(folder):
    """Nobody could read what follows the cut."""
    (folder / "out.gz").write_bytes(gzip.compress(os.urandom(1000))[:-100])

    assert command("hi.sse", "-o", "out.gz", "--append") == (
        2, b"", "reducer: out.gz: its compressed data are cut off, so nothing can follow: choose another file\n",
    )  # fmt: skip


def test_an_interrupt_finishes_the_compressed_output(folder):
    """All results are in it."""
    stdin = io.TextIOWrapper(io.BytesIO())
    stdin.buffer.read1 = _interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stdin)
        assert main(["hi.sse", "-", "-o", "out.gz"]) == 130
    assert [content(row) for row in rows(gzip.decompress((folder / "out.gz").read_bytes()))] == ["Hi"]


def test_zstd_needs_its_package(monkeypatch, capfd):
    """The message names the extra, before anything is read or created."""
    monkeypatch.setitem(sys.modules, "compression", None)
    monkeypatch.setitem(sys.modules, "backports", None)

    assert main(["hi.sse", "-o", "out.zst"]) == 2
    assert capfd.readouterr().err == (
        "reducer: out.zst: compressing with zstd needs backports-zstd: pip install 'stream-reducer[zstd]'\n"
    )
    assert os.listdir() == ["hi.sse"]


# -- links, live runs and failures -------------------------------------------------------------------


def test_a_link_to_a_missing_output_file(folder):
    """The file is created where the link leads."""
    (folder / "link").symlink_to("out")

    assert command("hi.sse", "-o", "link") == (0, b"", "")
    assert content(rows((folder / "out").read_bytes())[0]) == "Hi"


def test_the_output_file_of_a_live_run(folder):
    """Each result can be read as soon as it is written, and stays after Ctrl-C."""
    out = folder / "out"
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", "-", "-o", "out"], stdin=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdin.write(HI)
    process.stdin.flush()
    process.stdin.write(HO)
    process.stdin.flush()
    deadline = time.monotonic() + 60
    while not (out.exists() and out.stat().st_size) and time.monotonic() < deadline:
        time.sleep(0.01)
    found = out.read_bytes()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)

    assert (process.returncode, errors) == (130, b"")
    assert [content(row) for row in rows(found)] == ["Hi"]
    assert out.read_bytes() == found


def test_an_interrupt_before_the_first_result_keeps_the_output_file(folder):
    """Nothing has been written yet, so nothing is left of the run."""
    (folder / "out").write_text("precious\n")
    stdin = io.TextIOWrapper(io.BytesIO())
    stdin.buffer.read1 = _interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stdin)
        for arguments in (["new"], ["out", "--append"], ["out", "--overwrite"]):
            assert main(["-", "-o", *arguments]) == 130
    assert (folder / "out").read_text() == "precious\n"
    assert sorted(os.listdir()) == ["hi.sse", "out"]


def test_an_interrupt_of_an_overwriting_run_loses_nothing(folder, capfd):
    """A live answer cannot be requested again: a message names the file that has the results."""
    (folder / "out").write_text("precious")
    stdin = io.TextIOWrapper(io.BytesIO())
    stdin.buffer.read1 = _interrupted

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdin", stdin)
        assert main(["hi.sse", "-", "-o", "out", "--overwrite"]) == 130
    (part,) = folder.glob("out.*.part")
    assert capfd.readouterr().err == f"reducer: out: is unchanged; the results so far are in {part}\n"
    assert [content(row) for row in rows(part.read_bytes())] == ["Hi"]
    assert (folder / "out").read_text() == "precious"


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        ("mkfifo p; cat p & reducer hi.sse hi.sse -o p; wait", 2),
        ("reducer hi.sse -o /dev/stdout", 1),
        ("reducer hi.sse -o /dev/stdout | cat", 1),
        ("reducer hi.sse -o /dev/fd/3 3>&1 | cat", 1),
        ("reducer hi.sse > log; reducer hi.sse -o /dev/stdout >> log; cat log", 2),
        ("reducer hi.sse > log; reducer hi.sse -o /dev/stderr 2>> log; cat log", 2),
        ("reducer hi.sse -o /dev/null", 0),
    ],
)
def test_special_output_files(script, expected):
    """A pipe or a device is written as it is, and /dev/stdout never empties a file that is appended to."""
    status, output, errors = shell(script)

    assert (status, errors) == (0, "")
    assert [content(row) for row in rows(output)] == ["Hi"] * expected


def test_a_reader_of_the_output_file_leaves(folder):
    """A named pipe without a reader ends the command like any closed pipe."""
    status, output, errors = shell("mkfifo p; head -c 10 p >/dev/null & reducer $(yes hi.sse | head -n 2000) -o p")

    assert (status, output, errors) == (141, b"", "")


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("hi.sse", "-o", "no/where"), "reducer: no/where: No such file or directory\n"),
        (("hi.sse", "-o", "where/"), "reducer: where/: Is a directory\n"),
        (("hi.sse", "-o", ""), "reducer: : No such file or directory\n"),
        (("hi.sse", "-o", "."), "reducer: .: Is a directory\n"),
        (("hi.sse", "-o", "hi.sse/x"), "reducer: hi.sse/x: Not a directory\n"),
        (("hi.sse", "-o", "x" * 300), f"reducer: {'x' * 300}: File name too long\n"),
        (("hi.sse", "hi.sse", "-o", "/dev/full"), "reducer: /dev/full: No space left on device\n"),
    ],
)
def test_exit_status_2_if_output_cannot_be_written(arguments, cause):
    """The message has the output's name and the cause."""
    assert command(*arguments) == (2, b"", cause)


def test_output_errors_are_found_before_anything_is_read(monkeypatch, capfd):
    """A live run would otherwise lose its first result."""
    monkeypatch.setattr(captures, "streams", lambda path, format: pytest.fail("nothing is read"))

    assert main(["hi.sse", "-o", "no/where"]) == 2
    assert main(["hi.sse", "-o", "nul\0"]) == 2
    nowhere, null = capfd.readouterr().err.splitlines()
    assert nowhere == "reducer: no/where: No such file or directory"
    assert re.fullmatch(r"reducer: nul\\u0000: ValueError: .*embedded null .*", null)  # Python 3.13 words it otherwise


@contextmanager
def small_disk(size):
    """Let no file grow beyond this size."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("mode", [[], ["--append"]])
def test_full_disk_ends_the_batch(folder, capfd, mode):
    """One line, and the results that were written stay. A record that did not fit is cut off again."""
    if mode:
        assert main(["hi.sse", "-o", "out"]) == 0
    with small_disk(1000):
        status = main([*["hi.sse"] * 20, "missing.sse", "-o", "out", *mode])

    assert (status, *capfd.readouterr()) == (2, "", "reducer: out: File too large\n")
    assert {row["source"] for row in rows((folder / "out").read_bytes())} == {"hi.sse"}


@pytest.mark.parametrize("place", ["out.gz", "shared"])
def test_full_disk_where_nothing_can_be_cut_off(folder, capsys, monkeypatch, place):
    """Compressed records have no ends in the file, and another program may write to the same file."""
    (folder / "noise.sse").write_bytes(HI.replace(b"Hi", os.urandom(50_000).hex().encode()))
    if place == "shared":
        fstat = os.fstat
        monkeypatch.setattr(
            os, "fstat", lambda number: os.stat_result((*[0] * 6, 9_999, *[0] * 3)) if number > 2 else fstat(number)
        )
    with small_disk(1000):
        status = main([*["noise.sse"] * 20, "-o", place])

    assert status == 2
    assert capsys.readouterr().err == f"reducer: {place}: File too large; the end of the file is not whole\n"
    assert (folder / place).stat().st_size == 1000


def test_full_disk_of_an_overwriting_run(folder, capsys):
    """The old file stays; without any result, nothing of the run is left."""
    (folder / "out").write_text("precious")
    with small_disk(10):
        assert main(["hi.sse", "-o", "out", "--overwrite"]) == 2

    assert capsys.readouterr().err == "reducer: out: File too large\n"
    assert sorted(os.listdir()) == ["hi.sse", "out"]


def test_full_disk_at_the_end(folder, capsys):
    """The end of compressed data is written last."""
    with small_disk(5):
        assert main(["hi.sse", "-o", "out.gz"]) == 2

    assert capsys.readouterr().err == "reducer: out.gz: File too large; the end of the file is not whole\n"


# -- one file's failure ------------------------------------------------------------------------------

FAILURES = [
    (OSError(5, "Input/output error"), "Input/output error"),
    (PermissionError(13, "Permission denied"), "Permission denied"),
    (OSError("read\r"), "OSError: read\\r"),
    (MemoryError(), "MemoryError"),
    (RecursionError("too deep"), "RecursionError: too deep"),
    (KeyError("x"), "KeyError: 'x'"),
    (reducer.MissingExtraError("the content encoding zstd", "backports-zstd", "zstd"), "the content encoding zstd needs backports-zstd: pip install 'stream-reducer[zstd]'"),
]  # fmt: skip
FAILURE = pytest.mark.parametrize(("failure", "cause"), FAILURES, ids=lambda value: type(value).__name__)


def failing(failure, function=None, when="bad.sse"):
    """Return a function that raises if an argument is this text, or bytes that contain "bad"."""

    def call(*arguments, **options):
        for argument in arguments:
            if (type(argument) is str and argument == when) or (type(argument) is bytes and b"bad" in argument):
                raise failure
        return function(*arguments, **options)

    return call


@FAILURE
@pytest.mark.parametrize("place", ["open", "first read", "second read", "feed", "encode"])
def test_no_failure_ends_the_batch(folder, monkeypatch, capfd, place, failure, cause):
    """Each exception has one line with the file's name, and the next file is reduced."""
    (folder / "bad.sse").write_bytes(HI + b": bad\n\n")
    streams = captures.streams

    def reads(path, format):
        if path != "bad.sse":
            yield from streams(path, format)
            return
        if place == "open":
            raise failure
        yield captures.Stream(path, read())

    def read():
        if place == "second read":
            yield CUT
        raise failure

    if place == "feed":
        monkeypatch.setattr(
            reduce_command, "Reducer", type("R", (reducer.Reducer,), {"feed": failing(failure, reducer.Reducer.feed)})
        )
    elif place == "encode":
        monkeypatch.setattr(outputs, "encoder", lambda to, encoder=outputs.encoder: failing(failure, encoder(to)))
    else:
        monkeypatch.setattr(captures, "streams", reads)

    assert main(["hi.sse", "bad.sse", "hi.sse"]) == 2
    output, errors = capfd.readouterr()
    assert errors == f"reducer: bad.sse: {cause}\n"
    found = rows(output)
    assert [row["source"] for row in found if row["source"] != "bad.sse"] == ["hi.sse"] * 2
    bad = [row for row in found if row["source"] == "bad.sse"]
    assert len(bad) == (place == "second read")
    if bad:
        assert content(bad[0]) == "Hi"
        assert [problem["code"] for problem in bad[0]["problems"]] == ["aborted", "no_terminal"]


@FAILURE
def test_no_failure_of_explain_is_a_traceback(monkeypatch, capfd, failure, cause):
    """There is one line if the capture cannot be read, and if the explanation fails."""
    from reducer.cli import explain as explain_command

    with monkeypatch.context() as patch:
        patch.setattr(captures, "streams", failing(failure, when="hi.sse"))
        assert main(["explain", "hi.sse"]) == 2
    monkeypatch.setattr(explain_command, "as_text", failing(failure, when="hi.sse"))
    assert main(["explain", "hi.sse"]) == 2
    assert capfd.readouterr() == ("", f"reducer: hi.sse: {cause}\n" * 2)


def test_every_kind_of_unreadable_file(folder):
    """Each has one line, in order, and the files between them are reduced."""
    (folder / "sub").mkdir()
    (folder / "loop").symlink_to("loop")
    (folder / "broken.gz").write_bytes(b"\x1f\x8b" + bytes(100))
    names = ["missing", "sub", "loop", "hi.sse/x", "x" * 300, "", "broken.gz", "/proc/self/mem"]

    status, output, errors = command(*(name for bad in names for name in (bad, "hi.sse")))

    assert status == 2
    assert [row["source"] for row in rows(output)] == ["hi.sse"] * len(names)
    assert [line.split(":")[1] for line in errors.splitlines()] == [f" {name}" for name in names]


def test_names_that_cannot_be_names(capfd):
    """A program may pass a null byte, or a character that no file system encodes."""
    assert main(["nul\0", "\ud800", "hi.sse", "-o", "out"]) == 2
    assert main(["explain", "nul\0"]) == 2

    output, errors = capfd.readouterr()
    assert output == ""
    assert [line.split(":")[1] for line in errors.splitlines()] == [" nul\\u0000", " \\ud800", " nul\\u0000"]
    with open("out", "rb") as out:
        assert [row["source"] for row in rows(out.read())] == ["hi.sse"]


def test_a_bug_is_no_traceback(monkeypatch, capfd):
    """An exception that nothing else handles becomes one line and the exit status 2."""
    monkeypatch.setattr(reduce_command, "find_overwritten", failing(KeyError("x\n"), when="out"))

    assert main(["hi.sse", "-o", "out"]) == 2
    assert capfd.readouterr() == ("", "reducer: internal error: KeyError: 'x\\n'\n")


# -- live --------------------------------------------------------------------------------------------


def test_each_record_is_written_when_its_stream_has_ended():
    """The first record is written before the second stream begins."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", "hi.sse", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    first = process.stdout.readline()
    time.sleep(0.05)
    output, _ = process.communicate(HO, timeout=60)

    assert content(json.loads(first)) == "Hi"
    assert content(json.loads(output)) == "Ho"


# -- in process --------------------------------------------------------------------------------------


def test_a_record_is_written_when_the_next_response_begins():
    """Small reads of a live stream do not hold it back, and the stream stays open."""
    process = subprocess.Popen([sys.executable, "-m", "reducer"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None
    assert process.stdout is not None
    for number in range(3):
        process.stdin.write(HI.replace(b'"c1"', b'"c%d"' % number))
        process.stdin.flush()
        if number:
            assert json.loads(process.stdout.readline())["index"] == number - 1
    rest, _ = process.communicate(timeout=60)

    assert json.loads(rest)["index"] == 2


def test_main_returns_the_status(capfdbinary):
    """`main` never exits, so that a program may call it."""
    assert main(["hi.sse"]) == 0
    assert main(["nowhere"]) == 2
    assert main(["--nope"]) == 2
    assert main(["--version"]) == 0

    assert capfdbinary.readouterr().out.endswith(f"reducer {reducer.__version__}\n".encode())


def test_file_with_the_name_of_a_command(folder, capfdbinary):
    """With a folder in front, the argument is a path."""
    (folder / "reduce").write_bytes(HI)

    assert main(["./reduce"]) == 0
    assert rows(capfdbinary.readouterr().out)[0]["source"] == "./reduce"


def test_repairs_and_text_keys_reach_the_reducer(folder, capfdbinary):
    """They have the effect of the options with the same names."""
    odd = HI.replace(b'"content":"Hi"', b'"content":"Hi","mumble":"a"').replace(
        b'"delta":{}', b'"delta":{"mumble":"b"}'
    )
    (folder / "odd.sse").write_bytes(odd.replace(b"data: {", b"data: data: {", 1))

    status = main(["odd.sse", "--repair", "double_prefix", "--repair", "cumulative", "--text-key", "mumble"])

    (row,) = rows(capfdbinary.readouterr().out)
    assert status == 0
    assert row["body"]["choices"][0]["message"]["mumble"] == "ab"
    assert [problem["code"] for problem in row["problems"]] == ["repaired"]


def test_standard_input_may_be_replaced(monkeypatch, capfdbinary):
    """A program that calls `main` may replace `sys.stdin`."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HI)))

    assert main(["-"]) == 0
    assert content(rows(capfdbinary.readouterr().out)[0]) == "Hi"


def test_standard_output_may_be_replaced(monkeypatch):
    """A program that calls `main` may replace it by a text stream without a `buffer`."""
    monkeypatch.setattr(sys, "stdout", io.StringIO())

    assert main(["hi.sse"]) == 0
    assert main(["--version"]) == 0
    record, version = sys.stdout.getvalue().splitlines()
    assert content(json.loads(record)) == "Hi"
    assert version == f"reducer {reducer.__version__}"


def test_streams_that_fail_may_have_no_number(monkeypatch, capfd):
    """Nothing is redirected then. A program may even have closed them."""
    monkeypatch.setattr(sys, "stderr", io.StringIO())
    sys.stderr.close()
    assert main(["nowhere"]) == 2
    monkeypatch.setattr(sys, "stdin", sys.stderr)
    assert main([]) == 2
    assert capfd.readouterr() == ("", "")


def test_output_that_would_block(monkeypatch, capfd):
    """Without a buffer, a write that would block returns nothing: the data is not lost silently."""
    stdout = io.TextIOWrapper(io.BytesIO())
    stdout.buffer.write = lambda data: None
    monkeypatch.setattr(sys, "stdout", stdout)

    assert main(["hi.sse"]) == 2
    assert capfd.readouterr().err == "reducer: standard output: Resource temporarily unavailable\n"


def test_short_writes_are_continued(monkeypatch):
    """Without a buffer, a write may write less than it was given."""
    written = io.BytesIO()
    stdout = io.TextIOWrapper(io.BytesIO())
    stdout.buffer.write = lambda data: written.write(data[:100])
    monkeypatch.setattr(sys, "stdout", stdout)

    messages.write_data(sys.stdout, bytes(range(256)) * 1000)

    assert written.getvalue() == bytes(range(256)) * 1000


def test_an_interrupt_is_a_status(monkeypatch):
    """`main` returns it wherever the interrupt comes."""
    stdin = io.TextIOWrapper(io.BytesIO(HI))
    monkeypatch.setattr(stdin.buffer, "read1", _interrupted, raising=False)
    monkeypatch.setattr(sys, "stdin", stdin)

    assert main(["-"]) == 130


def _interrupted(size):
    raise KeyboardInterrupt


def test_help_names_every_command(capfd):
    """Each command has its own help, too."""
    assert main(["--help"]) == 0
    printed = capfd.readouterr().out

    for name in COMMANDS:
        assert re.search(rf"^(usage:|      ) reducer \[?{name}\b", printed, re.MULTILINE)
        assert main([name, "--help"]) == 0


def test_unknown_formats_raise():
    """The message names the known formats."""
    with pytest.raises(reducer.UsageError, match="unknown capture format 'nope': choose from auto"):
        next(captures.streams("hi.sse", "nope"))
    with pytest.raises(reducer.UsageError, match="unknown output format 'nope': choose from jsonl"):
        outputs.encoder("nope")
