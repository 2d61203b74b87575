"""The README is true: its programs run, and its tables agree with the code."""

import ast
import inspect
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import get_args

import pytest

import reducer
from reducer.cli import main
from reducer.dialects.registry import DIALECTS, load
from reducer.problems import Code
from reducer.reducer import REPAIRS
from reducer.result import Status

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", README, flags=re.DOTALL | re.MULTILINE)
PROGRAMS = [text for language, text in BLOCKS if language == "python"]
COMMANDS = [line for language, text in BLOCKS if language == "sh" for line in text.splitlines()]


def table(heading, number=0):
    """Return the cells of a table under a heading, without the table's own heading."""
    section = README.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    tables = re.findall(r"(?:^\|.*\n)+", section, flags=re.MULTILINE)
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in tables[number].splitlines()[2:]]


def names(cell):
    """Return the words of a cell that are set as code."""
    return re.findall(r"`([^`]+)`", cell)


@contextmanager
def stream_of_a_sample(method, url, *, headers, json):
    """Answer as `httpx.stream` does, with the bytes of a sample in small reads."""
    data = (ROOT / "samples/openai_chat/text.sse").read_bytes()
    yield SimpleNamespace(iter_bytes=lambda: (data[at : at + 100] for at in range(0, len(data), 100)))


# -- programs and commands ---------------------------------------------------------------------------


@pytest.mark.parametrize("program", PROGRAMS, ids=lambda text: f"line{README[: README.index(text)].count(chr(10))}")
def test_programs_run(program, monkeypatch, capsys):
    """Every Python block is a complete program; the comment after a print is the printed line."""
    monkeypatch.chdir(ROOT)
    monkeypatch.setitem(sys.modules, "httpx", SimpleNamespace(stream=stream_of_a_sample, HTTPError=OSError))

    exec(compile(program, "README.md", "exec"), {"__name__": "__main__"})

    printed = capsys.readouterr().out.splitlines()
    for line in program.splitlines():
        comment = re.fullmatch(r" *print\(.*\)  # (.*)", line)
        if comment and not comment[1].startswith("the "):
            assert comment[1] in printed


def test_the_first_command_runs_the_main_job(monkeypatch, capfd):
    """The command that it installs reduces the samples and succeeds; `test_packaging` tests the installation."""
    monkeypatch.chdir(ROOT)
    arguments = COMMANDS[0].partition(".venv/bin/reducer ")[2].split()

    paths = [str(path) for pattern in arguments for path in sorted(Path().glob(pattern))]

    assert paths
    assert main(paths) == 0
    assert len(capfd.readouterr().out.splitlines()) == len(paths)


def test_the_second_command_installs_the_tests_extra():
    """CI runs this line unchanged."""
    assert COMMANDS[1].startswith("python3 -m venv .venv && ")
    assert "'.[test]'" in COMMANDS[1]
    assert COMMANDS[1].endswith(" && .venv/bin/pytest -q")


def test_the_help_is_what_the_command_prints():
    """The README shows the output of `COLUMNS=100 reducer --help` unchanged."""
    (shown,) = (text for language, text in BLOCKS if language == "text")

    run = subprocess.run(
        [sys.executable, "-m", "reducer", "--help"],
        capture_output=True, text=True, timeout=60, check=True, cwd=ROOT, env={**os.environ, "COLUMNS": "100"},
    )  # fmt: skip

    assert shown == "$ reducer --help\n" + run.stdout


def test_it_stays_short():
    """People read it before they install the package."""
    assert README.count("\n") < 480


def test_files_it_points_to_exist():
    """The targets of relative links exist."""
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (ROOT / target).exists(), target


# -- tables ------------------------------------------------------------------------------------------


def test_the_layout_names_every_module():
    """The layout under "Development" names each module and each package, and nothing else."""
    development = README.split("\n## Development\n", 1)[1]
    layout = re.search(r"\n\n```\n(.*?)```\n", development, flags=re.DOTALL)[1]
    found = {path.name for path in (ROOT / "reducer").glob("*.py") if not path.name.startswith("_")}
    found |= {f"{path.parent.name}/" for path in (ROOT / "reducer").glob("*/__init__.py")}

    assert set(re.findall(r"\b\w+(?:\.py\b|/)", layout)) == found


def test_links_to_headings_lead_to_headings():
    """The targets of links within the README exist."""
    headings = {heading.lower().replace(" ", "-") for heading in re.findall(r"^## (.*)$", README, re.MULTILINE)}

    assert set(re.findall(r"\]\(#([^)]+)\)", README)) <= headings


def test_the_dialects_agree_with_the_registry():
    """Each row has the typed body, and the method that returns the SDK's type."""
    shown = {names(row[0])[0]: (names(row[2])[0], names(row[4])) for row in table("Dialects")}
    methods = {"openai": "to_openai()", "anthropic": "to_anthropic()", "google": "to_gemini()"}

    bodies = {name: load(name).body for name in DIALECTS}
    assert shown == {
        name: (body.__name__, [methods[package] for package in body.sdk_types]) for name, body in bodies.items()
    }


def test_the_options_agree_with_the_signature():
    """The table has each option with its default, in order."""
    parameters = list(inspect.signature(reducer.Reducer.__init__).parameters.values())[1:]
    defaults = {parameter.name: parameter.default for parameter in parameters}

    assert [(names(row[0])[0], names(row[1])[0]) for row in table("Options")] == [
        (name, "Limits()" if default == reducer.Limits() else repr(default)) for name, default in defaults.items()
    ]


def test_the_attributes_of_the_result_exist():
    """The table has each public attribute and method of a result."""
    shown = [name.partition("(")[0] for row in table("The result") for name in names(row[0])]
    internal = {"summary", "with_problem"}

    assert sorted(shown) == sorted({name for name in dir(reducer.Result) if not name.startswith("_")} - internal)


def test_the_methods_of_a_reducer_exist():
    """The table has each public method of a reducer."""
    shown = [name.removeprefix("Reducer.").partition("(")[0] for row in table("Embed", 1) for name in names(row[0])]

    assert sorted(shown) == sorted(name for name in dir(reducer.Reducer) if not name.startswith("_"))


def test_the_statuses_agree_with_the_type():
    """The table has each status."""
    assert [names(row[0])[0] for row in table("The result", 1)] == list(get_args(Status))


def test_the_columns_of_a_row_agree_with_the_code():
    """The table has each column, in order."""
    assert [name for row in table("The result", 2) for name in names(row[0])] == list(reducer.ROW)


def test_the_exceptions_agree_with_the_code():
    """The table has each exception with its bases, in order of definition."""
    exceptions = {
        name: [base.__name__ for base in value.__bases__]
        for name, value in vars(reducer.errors).items()
        if isinstance(value, type) and issubclass(value, reducer.ReducerError)
    }

    assert {names(row[0])[0]: names(row[1]) for row in table("Exceptions")} == exceptions
    assert set(exceptions) <= set(reducer.__all__)


def test_the_repairs_agree_with_the_code():
    """The table has each repair, in alphabetical order."""
    assert [names(row[0])[0] for row in table("Repairs")] == sorted(REPAIRS)


def test_the_limits_agree_with_the_code():
    """The table has each limit with its default and its problem, in order."""
    limits = reducer.Limits()

    assert [(names(row[0])[0], row[1], names(row[2])[0]) for row in table("Limits")] == [
        (name, str(getattr(limits, name)), name.replace("max_", "limit_")) for name in limits.__struct_fields__
    ]


def _trees():
    """Yield the syntax tree of each module."""
    for path in sorted((ROOT / "reducer").rglob("*.py")):
        yield ast.parse(path.read_text(encoding="utf-8"))


def _functions(tree):
    """Return the arguments of each function of a module, by name and by whether the function is a method."""
    methods = {node for cls in ast.walk(tree) if isinstance(cls, ast.ClassDef) for node in cls.body}
    return {
        (node.name, node in methods): [argument.arg for argument in node.args.args][1 if node in methods else 0 :]
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef)
    }


def _argument(call, name, own, others):
    """Return the argument that a call gives to the parameter of this name, or None.

    A plain name, or a method of `self`, is looked up among the functions of the module itself (`own`) before those of
    the package (`others`).
    """
    function, is_method, is_own = call.func, False, True
    if isinstance(function, ast.Attribute):
        is_method, is_own = True, getattr(function.value, "id", None) == "self"
    called = function.attr if is_method else getattr(function, "id", None)
    arguments = own.get((called, is_method)) if is_own else None
    arguments = arguments or others.get(called, [])
    place = arguments.index(name) if name in arguments else len(call.args)
    return call.args[place] if place < len(call.args) else None


def _assigned(node):
    """Yield the constants that a statement assigns to a variable `code`, alone or in a tuple."""
    if not isinstance(node, ast.Assign) or len(node.targets) != 1:
        return
    target = node.targets[0]
    values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
    for value in values:
        pairs = [(target, value)]
        if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
            pairs = zip(target.elts, value.elts, strict=False)
        for variable, part in pairs:
            if getattr(variable, "id", None) == "code" and isinstance(part, ast.Constant):
                yield part.value


def _reported():
    """Return the codes of all problems that the package reports, found in its syntax trees.

    A code is a string that is given as the parameter `code` of a function, as the field `code` of a problem, or to a
    variable `code`. The limits that can be reached are given as the parameter `limit` of a function, or to
    `LimitReached`.
    """
    trees = list(_trees())
    classes = {"Problem": ["code"], "Note": ["code"], "LimitReached": ["limit"]}
    found = set()
    for parameter, prefix in (("code", ""), ("limit", "limit_")):
        others = {
            name: arguments
            for tree in trees
            for (name, _), arguments in _functions(tree).items()
            if parameter in arguments
        } | classes
        for tree in trees:
            own = _functions(tree)
            for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
                value = _argument(call, parameter, own, others)
                if isinstance(value, ast.Constant):
                    found.add(prefix + value.value)
                elif value is not None:
                    # A function passes on its own parameter, or f"limit_{...}".
                    assert isinstance(value, ast.Name | ast.Attribute | ast.Starred | ast.JoinedStr), ast.unparse(call)
    found |= {code for tree in trees for node in ast.walk(tree) for code in _assigned(node)}
    # `noted["code"] = (seen, chosen)` in decoding.
    found |= {
        ast.literal_eval(node.slice)
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Subscript) and getattr(node.value, "id", None) == "noted"
    }
    return found


def test_the_problem_codes_agree_with_the_code():
    """Each code that the package reports is in one table, and the tables have no other code."""
    shown = [name for row in table("Problems") for name in names(row[0])] + [
        name for row in table("Limits") for name in names(row[2])
    ]
    reported = _reported()

    assert len(shown) == len(set(shown))
    assert sorted(reported - set(shown)) == [], "reported, but not in the README"
    assert sorted(set(shown) - reported) == [], "in the README, but never reported"
    assert all(re.fullmatch(r"[a-z][a-z0-9_]*", code) for code in reported)
    assert set(get_args(Code)) == reported
