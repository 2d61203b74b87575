"""The corridor has one direction: who may import whom, and who may touch the world, read from the syntax trees."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "reducer"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}
# From the inside out; a room may import its own layer and those before it.
LAYERS = [
    {"errors", "result", "sdk", "typed", "view"},
    {"framing", "decoding", "dialects", "lanes", "repeats", "runs", "saving", "trust"},
    {"engine", "whole", "explain"},
    {"captures", "outputs", "parallel", "embed"},
    {"cli", "__main__"},
]
# These may open, print and wait; nobody else may.
WORLDLY = {"cli", "captures", "parallel", "embed"}


def room(module):
    """The part of a module's name that the layers are drawn by; of the package itself, nothing."""
    return module.partition(".")[2].partition(".")[0]


def layer(module):
    return next(number for number, rooms in enumerate(LAYERS) if room(module) in rooms)


def is_type_checking(node):
    return isinstance(node, ast.If) and ast.unparse(node.test) in ("TYPE_CHECKING", "typing.TYPE_CHECKING")


def walk(node):
    """Every node but what only type checkers see."""
    for child in ast.iter_child_nodes(node):
        if not is_type_checking(child):
            yield child
            yield from walk(child)


def nodes(module):
    return list(walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))))


def imports(module):
    """The names of the package's modules that a module imports."""
    for node in nodes(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "reducer")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}: imports are absolute, so that this test can read them"
            if node.module.split(".")[0] == "reducer":
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    yield inner if inner in MODULES else node.module


INNER = [module for module in MODULES if module != "reducer"]


@pytest.mark.parametrize("module", INNER)
def test_every_module_has_its_room(module):
    """A new module is drawn into a layer, or it is in the wrong place."""
    assert any(room(module) in rooms for rooms in LAYERS)


@pytest.mark.parametrize("module", INNER)
def test_imports_go_inwards(module):
    """From the command line to the errors, and never back; only the outer rooms use the public names."""
    for imported in imports(module):
        if imported == "reducer":
            assert layer(module) >= 3, f"{module} imports the package that it is part of"
        else:
            assert layer(imported) <= layer(module), f"{module} imports {imported}"


@pytest.mark.parametrize("module", [module for module in INNER if room(module) == "dialects"])
def test_no_dialect_knows_another(module):
    """What dialects share is in the files with an underscore."""
    for imported in imports(module):
        if imported.startswith("reducer.dialects."):
            assert imported.split(".")[2].startswith("_"), imported


def test_the_framing_knows_no_provider():
    """Bytes to payloads, and nothing of what they mean."""
    assert {room(imported) for imported in imports("reducer.framing")} <= {"errors", "saving"}


NAMES = re.compile(r"openai|anthropic|gemini|google|azure|mistral|groq|deepseek|llama", re.IGNORECASE)


@pytest.mark.parametrize("module", ["reducer.framing", "reducer.engine", "reducer.whole", "reducer.decoding"])
def test_the_core_names_no_provider(module):
    """No name and no string does, nor a type; comments may, and so may docstrings."""
    for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value:
            assert not NAMES.search(node.value), node.value
        elif isinstance(node, ast.Name | ast.Attribute):
            assert not NAMES.search(getattr(node, "id", "") + getattr(node, "attr", "")), ast.unparse(node)


@pytest.mark.parametrize("module", [module for module in INNER if room(module) not in WORLDLY])
def test_only_the_outer_rooms_touch_the_world(module):
    """No file, no print, no waiting, no clock and no chance where streams are folded."""
    for node in nodes(module):
        assert not isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith | ast.AsyncFunctionDef), node.lineno
        if isinstance(node, ast.Call):
            assert ast.unparse(node.func) not in ("open", "print", "input", "exec", "eval"), node.lineno
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            worldly = {"os", "io", "sys", "socket", "asyncio", "threading", "subprocess", "time", "random", "pathlib"}
            assert module == "reducer.__main__" or not worldly & {name.split(".")[0] for name in names}, names
