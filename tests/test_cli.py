"""The command ``reducer``: as a process of its own, and in this one where that shows more."""

import gzip
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
import time

import pytest

import reducer
from reducer.cli import COMMANDS, main

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
    """A folder of its own, with one complete stream in it."""
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


# -- in and out --------------------------------------------------------------------------------------


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
def test_standard_input_is_read_when_nothing_else_is_named(arguments):
    """A pipe needs no argument."""
    status, output, _ = command(*arguments, data=HI)

    assert status == 0
    assert [(row["source"], content(row)) for row in rows(output)] == [("-", "Hi")]


def test_several_files_keep_their_order(folder):
    """One record each, in the order given; options may stand among the paths."""
    (folder / "ho.sse").write_bytes(HO)

    status, output, _ = command("ho.sse", "--dialect", "openai.chat", "hi.sse", "-", data=HO)

    assert status == 0
    assert [(row["source"], content(row)) for row in rows(output)] == [("ho.sse", "Ho"), ("hi.sse", "Hi"), ("-", "Ho")]


def test_several_responses_in_one_capture_are_numbered(folder):
    """Each has a record of its own."""
    (folder / "both.sse").write_bytes(HI + HO)

    status, output, _ = command("both.sse")

    assert status == 0
    assert [(row["index"], content(row)) for row in rows(output)] == [(0, "Hi"), (1, "Ho")]


def test_the_body_alone(folder):
    """``--to body`` writes what a call without streaming returns, and null where there is nothing."""
    (folder / "failed.sse").write_bytes(FAILED)

    status, output, _ = command("--to", "body", "hi.sse", "failed.sse")

    assert status == 1
    assert output == reducer.reduce(HI).json() + b"\nnull\n"


def test_the_record_indented():
    """``--to json`` writes the same record over several lines."""
    _, output, _ = command("hi.sse", "--to", "json")
    _, line, _ = command("hi.sse")

    assert output.startswith(b'{\n  "source": "hi.sse",\n')
    assert json.loads(output) == json.loads(line)


def test_out_names_a_file(folder):
    """``-o`` writes there, and nothing to standard output."""
    status, output, errors = command("hi.sse", "-o", "out.jsonl")

    assert (status, output, errors) == (0, b"", "")
    assert content(rows((folder / "out.jsonl").read_bytes())[0]) == "Hi"


@pytest.mark.parametrize("format", ["auto", "sse", "jsonl", "json"])
def test_raw_captures_are_told_apart_by_what_is_in_them(folder, format):
    """The four raw formats are read alike."""
    (folder / "hi.jsonl").write_bytes(HI.replace(b"data: ", b"").replace(b"\n\n", b"\n"))

    status, output, _ = command("--from", format, "hi.sse", "hi.jsonl")

    assert status == 0
    assert [content(row) for row in rows(output)] == ["Hi", "Hi"]


@pytest.mark.parametrize("name", ["hi.sse.gz", "hi"])
def test_gzip_is_told_by_its_first_bytes(folder, name):
    """The name does not matter, and a pipe may hold it as well."""
    (folder / name).write_bytes(gzip.compress(HI))

    status, output, _ = command(name, "-", data=gzip.compress(HI))

    assert status == 0
    assert [content(row) for row in rows(output)] == ["Hi", "Hi"]


def test_bytes_in_problems_are_written_as_text(folder):
    """What was seen stays readable, and what is no text is escaped."""
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


def test_a_file_s_name_may_be_no_text(folder):
    """It is written with escapes."""
    (folder / os.fsdecode(b"\xff.sse")).write_bytes(HI)

    status, output, errors = command(b"\xff.sse", b"\xfe.sse")

    assert status == 2
    assert [row["source"] for row in rows(output)] == ["\\udcff.sse"]
    assert errors == "reducer: \\udcfe.sse: No such file or directory\n"


# -- exit status and errors --------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b"", CUT, FAILED, b"<html>\n"], ids=["empty", "cut", "failed", "no stream"])
def test_a_stream_that_is_not_complete_makes_it_one(data):
    """Everything was done, and something is not complete."""
    status, output, errors = command(data=data)

    assert (status, errors) == (1, "")
    assert rows(output)[0]["status"] != "complete"


def test_what_cannot_be_read_is_named_and_the_others_are_reduced(folder):
    """A missing file and a folder each get a line with the cause."""
    (folder / "sub").mkdir()
    (folder / "cut.sse").write_bytes(CUT)

    status, output, errors = command("nowhere.sse", "sub", "cut.sse", "hi.sse")

    assert status == 2
    assert [row["source"] for row in rows(output)] == ["cut.sse", "hi.sse"]
    assert errors.splitlines() == [
        "reducer: nowhere.sse: No such file or directory",
        "reducer: sub: Is a directory",
    ]


def test_a_broken_gzip_file_keeps_what_came_before(folder):
    """The result is there, says that reading stopped, and the exit status says it too."""
    good = gzip.compress(HI + b": %s\n" % os.urandom(200_000).hex().encode())
    (folder / "broken.gz").write_bytes(good[:150_000] + bytes(1000) + good[151_000:])

    status, output, errors = command("broken.gz", "hi.sse")

    assert status == 2
    assert errors.startswith("reducer: broken.gz: content encoding gzip: ")
    broken, whole = rows(output)
    assert content(broken) == "Hi"
    assert broken["problems"][-1]["code"] == "aborted"
    assert whole["source"] == "hi.sse"


def test_a_file_that_is_no_gzip_after_all_is_named(folder):
    """Nothing came of it, so there is no record."""
    (folder / "broken.gz").write_bytes(b"\x1f\x8b" + bytes(100))

    status, output, errors = command("broken.gz")

    assert (status, output) == (2, b"")
    assert errors.startswith("reducer: broken.gz: content encoding gzip: ")


def test_bytes_that_only_begin_like_compression_are_read_as_they_are(folder):
    """A file that ends inside a magic number is short, not compressed."""
    (folder / "short").write_bytes(b"\x1f")

    status, output, errors = command("short")

    assert (status, errors) == (1, "")
    assert rows(output)[0]["body"] is None


def test_a_capture_that_cannot_be_opened_is_named(monkeypatch, capfd):
    """Also where a format has to read the file before it knows its streams."""
    from reducer import captures

    def broken(path, format):
        raise OSError(5, "Input/output error")
        yield

    monkeypatch.setattr(captures, "streams", broken)

    assert main(["hi.sse"]) == 2
    assert capfd.readouterr().err == "reducer: hi.sse: Input/output error\n"


def test_strict_gives_a_stream_up_at_its_first_problem(folder):
    """One line with source and problem, no record, and the next file is reduced."""
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
        (("hi.sse", "-o", "./hi.sse"), "./hi.sse is read, and cannot be written as well"),
    ],
)
def test_misuse_is_two(folder, arguments, cause):
    """The cause is named, nothing is written, and no file is harmed."""
    status, output, errors = command(*arguments)

    assert (status, output) == (2, b"")
    assert cause in errors
    assert (folder / "hi.sse").read_bytes() == HI


@pytest.mark.parametrize(
    ("arguments", "cause"),
    [
        (("hi.sse", "-o", "no/where"), "reducer: no/where: No such file or directory\n"),
        (("hi.sse", "-o", "/dev/full"), "reducer: /dev/full: No space left on device\n"),
    ],
)
def test_output_that_cannot_be_written_is_two(arguments, cause):
    """The output's name and the cause."""
    assert command(*arguments) == (2, b"", cause)


def test_a_full_disk_behind_standard_output_is_two():
    """Nothing more is said when the interpreter ends."""
    with open("/dev/full", "wb") as full:
        run = subprocess.run(
            [sys.executable, "-m", "reducer", "hi.sse"], stdout=full, stderr=subprocess.PIPE, timeout=60, check=False
        )

    assert run.returncode == 2
    assert run.stderr == b"reducer: standard output: No space left on device\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-"])
def test_closed_standard_streams_are_two(closed):
    """No traceback, whichever is missing."""
    run = subprocess.run(
        ["sh", "-c", f'exec "$0" -m reducer - {closed}', sys.executable],
        stdin=subprocess.DEVNULL, capture_output=True, timeout=60, check=False,
    )  # fmt: skip

    assert run.returncode == 2
    assert run.stderr.endswith(b" is closed\n")
    assert run.stderr.count(b"\n") == 1


def test_a_terminal_as_standard_input_is_not_waited_for():
    """Whoever types only the name gets the usage."""
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


def test_a_reader_that_leaves_ends_it_quietly():
    """``reducer … | head`` is no error to talk about."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", *["hi.sse"] * 2000], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    process.stdout.read(10)
    process.stdout.close()

    assert process.wait(60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()


def test_ctrl_c_ends_it_quietly():
    """130, as a shell reports it."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", "hi.sse", "-"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout.readline()

    process.send_signal(signal.SIGINT)

    output, errors = process.communicate(timeout=60)
    assert (process.returncode, output, errors) == (130, b"", b"")


# -- live --------------------------------------------------------------------------------------------


def test_each_file_is_written_as_soon_as_it_is_done():
    """The first record is there while the second stream has not begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "reducer", "hi.sse", "-"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )

    first = process.stdout.readline()
    time.sleep(0.05)
    output, _ = process.communicate(HO, timeout=60)

    assert content(json.loads(first)) == "Hi"
    assert content(json.loads(output)) == "Ho"


# -- in process --------------------------------------------------------------------------------------


def test_main_returns_the_status(capfdbinary):
    """It never exits, so that a program may call it."""
    assert main(["hi.sse"]) == 0
    assert main(["nowhere"]) == 2
    assert main(["--nope"]) == 2
    assert main(["--version"]) == 0

    assert capfdbinary.readouterr().out.endswith(f"reducer {reducer.__version__}\n".encode())


def test_a_file_named_like_a_command(folder, capfdbinary):
    """With its folder it is a path."""
    (folder / "reduce").write_bytes(HI)

    assert main(["./reduce"]) == 0
    assert rows(capfdbinary.readouterr().out)[0]["source"] == "./reduce"


def test_repairs_and_text_keys_reach_the_reducer(folder, capfdbinary):
    """They are the options of the same name."""
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
    """A program that calls `main` may give it another standard input."""
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(HI)))

    assert main(["-"]) == 0
    assert content(rows(capfdbinary.readouterr().out)[0]) == "Hi"


def test_the_help_names_every_command(capfd):
    """Whoever asks the one finds the others, and each has help of its own."""
    assert main(["--help"]) == 0
    printed = capfd.readouterr().out

    for name in COMMANDS:
        assert re.search(rf"^(usage:|      ) reducer \[?{name}\b", printed, re.MULTILINE)
        assert main([name, "--help"]) == 0


def test_unknown_formats_are_misuse():
    """The tables say what there is."""
    from reducer import captures, outputs

    with pytest.raises(reducer.UsageError, match="unknown capture format 'nope': choose from auto"):
        next(captures.streams("hi.sse", "nope"))
    with pytest.raises(reducer.UsageError, match="unknown output format 'nope': choose from jsonl"):
        outputs.encoder("nope")
