"""The README cannot drift: its code runs, and its tables say what the code says."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import reducer
from reducer.cli import main
from reducer.dialects import DIALECTS, load
from reducer.engine import REPAIRS

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]


def table(heading):
    """The cells of the first table under a heading, without its head."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def names(cell):
    return re.findall(r"`([^`]+)`", cell)


# -- programs and commands ---------------------------------------------------------------------------


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: f"line{README[: README.index(text)].count(chr(10))}")
def test_programs_run(program, monkeypatch, capsys):
    """Every Python block is a program of its own; a comment behind a print says what it prints."""
    monkeypatch.chdir(ROOT)

    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})

    printed = capsys.readouterr().out.splitlines()
    for line in program.splitlines():
        said = re.fullmatch(r"print\(.*\)  # (.*)", line)
        if said and not said[1].startswith("the "):
            assert said[1] in printed


def test_the_first_command_runs_the_main_job(monkeypatch, capfd):
    """What it installs is tested in test_packaging; what it runs ends well, on samples that are there."""
    monkeypatch.chdir(ROOT)
    arguments = COMMANDS[0].partition(".venv/bin/reducer ")[2].split()

    paths = [str(path) for pattern in arguments for path in sorted(Path().glob(pattern))]

    assert paths
    assert main(paths) == 0
    assert len(capfd.readouterr().out.splitlines()) == len(paths)


def test_the_second_command_installs_the_tests_extra():
    """CI runs it as it stands here."""
    assert COMMANDS[1].startswith("python3 -m venv .venv && ")
    assert "'.[test]'" in COMMANDS[1]
    assert COMMANDS[1].endswith(" && .venv/bin/pytest -q")


def test_the_help_is_what_the_command_prints():
    """`COLUMNS=100 reducer --help`, word for word."""
    (shown,) = (text for language, text in BLOCKS if language == "text")

    run = subprocess.run(
        [sys.executable, "-m", "reducer", "--help"],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip

    assert shown == "$ reducer --help\n" + run.stdout


def test_it_stays_short():
    """It is read before it is installed, the table of peers included."""
    assert README.count("\n") < 280


def test_files_it_points_to_exist():
    """Relative links lead somewhere."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


# -- tables ------------------------------------------------------------------------------------------


def test_the_dialects_are_those_there_are():
    """Each with its typed body, and the method that makes it the SDK's type."""
    said = {names(row[0])[0]: (names(row[2])[0], names(row[4])) for row in table("Dialects")}
    methods = {"openai": "to_openai()", "anthropic": "to_anthropic()", "google": "to_gemini()"}

    finals = {name: load(name).final for name in DIALECTS}
    assert said == {
        name: (final.__name__, [methods[package] for package in final.sdk_types]) for name, final in finals.items()
    }


def test_the_repairs_are_those_there_are():
    """By name."""
    assert [names(row[0])[0] for row in table("Repairs")] == sorted(REPAIRS)


def test_the_limits_are_those_there_are():
    """With their defaults and problems."""
    limits = reducer.Limits()

    assert [(names(row[0])[0], row[1], names(row[2])[0]) for row in table("Limits")] == [
        (name, str(getattr(limits, name)), name.replace("max_", "limit_")) for name in limits.__struct_fields__
    ]


_REPORTERS = {"report", "_report", "_note", "Problem"}


def _reported(path):
    """The codes of all problems that a module reports, by its syntax tree."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and node.args:
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            code = node.args[0]
            if name == "LimitReached":
                yield f"limit_{ast.literal_eval(code)}"
            elif name in _REPORTERS and isinstance(code, ast.Constant):
                yield code.value
            elif name in _REPORTERS:
                # Handed on from where it is written out; f"limit_{…}" is covered by LimitReached.
                assert isinstance(code, ast.Name | ast.Attribute | ast.Starred | ast.JoinedStr), ast.unparse(node)
        # `return ("code", seen, chosen)` of a verdict, and decoding's `noted["code"] = (seen, chosen)`.
        elif isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[0], ast.Constant):
            if path.name == "_repairs.py":
                yield node.elts[0].value
        elif isinstance(node, ast.Subscript) and getattr(node.value, "id", None) == "noted":
            yield ast.literal_eval(node.slice)


def test_the_problem_codes_are_those_there_are():
    """Every code that the package reports has its place in a table, and no other has."""
    said = [name for row in table("Problems") for name in names(row[0])] + [
        name for row in table("Limits") for name in names(row[2])
    ]
    reported = {code for path in (ROOT / "reducer").rglob("*.py") for code in _reported(path)}

    assert len(said) == len(set(said))
    assert sorted(reported - set(said)) == [], "reported, but not in the README"
    assert sorted(set(said) - reported) == [], "in the README, but never reported"
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in reported)
