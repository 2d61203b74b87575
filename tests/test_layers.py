"""Imports have one direction, and only the outer packages do input or output. The tests read syntax trees.

An import counts wherever it stands: at the top, in a function or under `TYPE_CHECKING`. Stubs do not count.
"""

import ast
import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from reducer.dialects.registry import DIALECTS

ROOT = Path(__file__).parent.parent
FILES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted((ROOT / "reducer").rglob("*.py"))
}
TREES = {module: ast.parse(path.read_text(encoding="utf-8")) for module, path in FILES.items()}

# From the outside to the inside. A module may import its own layer and the layers after it.
LAYERS = [
    {"__main__", "cli"},
    {"captures", "outputs", "embed"},
    {"reducer", "one_call", "explain", "options", "types"},
    {"pipeline", "responses", "response", "reads", "resume", "timing", "duplicates", "fast"},
    {"detect", "framing", "frames", "json_value", "splitting", "decoding", "saving", "dialects"},
    {"result", "body", "view", "row", "sdk", "errors", "problems"},
]
OUTER = LAYERS[0] | LAYERS[1]
INNERMOST = LAYERS[-1]
DIALECT_MODULES = {row.module for row in DIALECTS.values()}

INPUT_OUTPUT_CALLS = {"open", "print", "input", "exec", "eval", "__import__"}
INPUT_OUTPUT_METHODS = {"open", "read_bytes", "read_text", "write_bytes", "write_text"}
INPUT_OUTPUT_MODULES = {
    "asyncio", "io", "os", "pathlib", "random", "socket", "subprocess", "sys", "threading", "time",
}  # fmt: skip
PROVIDER = re.compile(r"openai|anthropic|claude|gemini|google|azure|mistral|groq|deepseek|llama", re.IGNORECASE)


def part_of(module):
    """Return the name of a module or its package in `LAYERS`; the name of the root package is "reducer"."""
    return [*module.split("."), "reducer"][1]


def layer_of(module):
    return next((number for number, parts in enumerate(LAYERS) if part_of(module) in parts), None)


def shared_name(module):
    """Return the name of a module or package directly inside `reducer.dialects`; "" for any other module."""
    return [*module.split("."), ""][2] if part_of(module) == "dialects" else ""


def imports_of(tree):
    """Yield the dotted name of each module of this package that the tree imports."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.partition(".")[0] == "reducer")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative imports are not used in this package"
            if node.module.partition(".")[0] == "reducer":
                for alias in node.names:
                    submodule = f"{node.module}.{alias.name}"
                    yield submodule if submodule in FILES else node.module


IMPORTS = {module: sorted(set(imports_of(tree))) for module, tree in TREES.items()}
PAIRS = [(module, imported) for module, found in IMPORTS.items() for imported in found]


def shown(pairs):
    return [f"{module} imports {imported}" for module, imported in pairs]


def test_every_module_has_a_layer():
    """A new module or package must be added to `LAYERS`."""
    assert [module for module in FILES if layer_of(module) is None] == []


def test_imports_go_inwards():
    """No module imports a layer outside its own. The root package names `reducer.embed` for type checkers only."""
    outwards = [pair for pair in PAIRS if layer_of(pair[0]) > layer_of(pair[1])]
    assert shown(outwards) == ["reducer imports reducer.embed"]


def test_imports_have_no_cycle():
    """The modules have an order in which each one imports only earlier ones."""
    graph = {module: set(found) for module, found in IMPORTS.items()}
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" imports ".join(reversed(error.args[1])), pytrace=False)


def test_only_the_public_class_imports_the_batch_path():
    """No other module depends on the batch path, which is optional."""
    users = {pair for pair in PAIRS if part_of(pair[1]) == "fast" and part_of(pair[0]) != "fast"}
    assert shown(pair for pair in users if pair[0] != "reducer.reducer") == []


def test_the_registry_has_every_dialect():
    """A module inside `reducer.dialects` that assigns `DIALECT` has a row in the registry."""
    found = {
        shared_name(module)
        for module, tree in TREES.items()
        if shared_name(module)
        for node in tree.body
        if ast.unparse(node).startswith(("DIALECT =", "DIALECT:"))
    }
    assert found == DIALECT_MODULES


def test_only_the_registry_knows_the_dialects():
    """A module imports a dialect only inside that dialect's own package: the registry loads dialects by name.

    `reducer.types` makes the types of the bodies public, and nothing imports it.
    """
    wrong = [
        pair
        for pair in PAIRS
        if shared_name(pair[1]) in DIALECT_MODULES and shared_name(pair[0]) != shared_name(pair[1])
        if part_of(pair[0]) != "types"
    ]
    users = {pair[0] for pair in PAIRS if part_of(pair[1]) == "types" and part_of(pair[0]) != "types"}
    assert users == {"reducer"}  # for type checkers only, see `tests/test_types.py`
    assert shown(wrong) == []


def test_dialects_do_not_import_the_registry():
    """The registry imports each dialect at its first use, so the opposite import would be a hidden cycle."""
    assert shown(pair for pair in PAIRS if shared_name(pair[0]) and shared_name(pair[1]) == "registry") == []


def test_framing_does_not_interpret_json():
    """Framing may ask whether bytes are one JSON value, but it never decodes the value."""
    tree = TREES["reducer.framing"]
    calls = [ast.unparse(node) for node in ast.walk(tree) if isinstance(node, ast.Call)]
    decoding = [call for call in calls if re.match(r"(msgspec\.|json\.).*(decode|Decoder|loads)", call)]
    modules = {part_of(imported) for imported in IMPORTS["reducer.framing"]}

    assert modules <= {"errors", "saving", "frames", "json_value", "splitting"}
    assert [call for call in decoding if "type=msgspec.Raw" not in call] == []


CORE = [module for module in FILES if part_of(module) not in OUTER | INNERMOST | {"dialects", "types"}]


@pytest.mark.parametrize("module", CORE)
def test_the_core_names_no_provider(module):
    """Identifiers and one-word strings name no provider. Comments and docstrings may give examples."""
    values = [value for node in ast.walk(TREES[module]) for value in vars(node).values()]
    words = {value for value in values if isinstance(value, str) and " " not in value}
    words |= {value.decode("latin-1") for value in values if isinstance(value, bytes) and b" " not in value}
    assert sorted(filter(PROVIDER.search, words)) == []


@pytest.mark.parametrize("module", [module for module in FILES if part_of(module) not in OUTER])
def test_only_the_outer_packages_do_input_and_output(module):
    """The core opens, reads, prints and awaits nothing, and it uses no clock, thread or random number."""
    found = []
    for node in ast.walk(TREES[module]):
        if isinstance(node, ast.Await | ast.AsyncFor | ast.AsyncWith | ast.AsyncFunctionDef):
            found.append(node)
        elif isinstance(node, ast.Call):
            method = node.func.attr if isinstance(node.func, ast.Attribute) else None
            if method in INPUT_OUTPUT_METHODS or ast.unparse(node.func) in INPUT_OUTPUT_CALLS:
                found.append(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else [node.module]
            if INPUT_OUTPUT_MODULES & {name.partition(".")[0] for name in names}:
                found.append(node)
    assert [f"line {node.lineno}: {ast.unparse(node)}" for node in found] == []
