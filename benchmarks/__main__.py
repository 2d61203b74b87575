"""``python -m benchmarks [NAME …]``: measure, and print tables in Markdown or everything as JSON."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import growth, imports, memory, peers, share, snapshots, speed
from benchmarks.processes import Failed
from benchmarks.report import count_marks, machine, without_marks, write_results
from benchmarks.sampling import Method
from benchmarks.workloads import WORKLOADS

SECTIONS = ("speed", "growth", "snapshots", "memory", "import", "share", "peers")


def main(argv: list[str] | None = None) -> int:
    """Measure the named sections and workloads, or everything."""
    words = sys.argv[1:] if argv is None else argv
    if words[:1] == ["share"]:
        return share.main(words[1:])
    if words[:1] == ["embed"]:
        from benchmarks import embed  # needs servers and an HTTP client

        return embed.main(words[1:])
    if words[:1] == ["accuracy"]:
        from benchmarks import accuracy  # needs the tests' peers

        return accuracy.main(words[1:])
    parser, arguments = _parse(words)
    method = Method(1, 1_000_000, is_tiny=True) if arguments.smoke else Method(arguments.repeat)
    where = {**machine(), "samples": f"{method.repeat} of at least {method.least // 1_000_000} ms, the median"}
    output = sys.stderr if arguments.json else sys.stdout
    texts = [", ".join(f"{key} {value}" for key, value in where.items())]
    print(texts[0], file=output)
    measured: dict[str, Any] = {}
    try:
        for name, (measure, markdown) in _sections(arguments, method).items():
            print(f"measuring {name}", file=sys.stderr)
            measured[name] = measure()
            text = f"### {name}\n\n{markdown(measured[name])}"
            texts.append(without_marks(text) if arguments.smoke else text)
            print(f"\n{texts[-1]}", file=output, flush=True)
    except Failed as error:
        parser.error(str(error))
    marks = count_marks("\n".join(texts))
    if not arguments.smoke:
        print(f"\n{marks}", file=output)
    if arguments.json:
        print(json.dumps({"where": where, **measured}, indent=1))
    if arguments.write:
        write_results("\n\n".join([texts[0], marks, *texts[1:]]))
    return 0


def _parse(words: list[str]) -> tuple[argparse.ArgumentParser, argparse.Namespace]:
    names = f"sections: {', '.join(SECTIONS)}; workloads, for speed and peers: {', '.join(WORKLOADS)}"
    commands = "python -m benchmarks share --help, embed --help, accuracy --help: these have options of their own"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=f"{names}. {commands}")
    parser.add_argument("name", nargs="*", metavar="NAME", help="sections and workloads; everything without any")
    parser.add_argument("--against", metavar="PYTHON", help="an interpreter in which an older version is installed")
    parser.add_argument("--repeat", type=int, default=9, metavar="N", help="samples of everything (9)")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--write", action="store_true", help="also put the tables into benchmarks/README.md")
    parser.add_argument("--smoke", action="store_true", help="everything tiny, without peers: does it run?")
    arguments = parser.parse_args(words)
    unknown = set(arguments.name) - set(SECTIONS) - WORKLOADS.keys()
    if unknown:
        parser.error(f"unknown name {', '.join(sorted(unknown))}; {names}")
    if arguments.against is not None and shutil.which(arguments.against) is None:
        parser.error(f"--against: {arguments.against} is not an executable file")
    if arguments.repeat < 1:
        parser.error("--repeat must be 1 or more")
    return parser, arguments


Section = tuple[Callable[[], Any], Callable[[Any], str]]  # measure, markdown


def _sections(arguments: argparse.Namespace, method: Method) -> dict[str, Section]:
    """Return the sections to measure, in order. A named workload implies the section speed unless peers is named."""
    older = arguments.against
    workloads = [name for name in arguments.name if name in WORKLOADS]
    sections: dict[str, Section] = {
        "speed": (lambda: speed.measure(method, workloads, older), speed.markdown),
        "growth": (lambda: growth.measure(method), growth.markdown),
        "snapshots": (lambda: snapshots.measure(method), snapshots.markdown),
        "memory": (lambda: memory.measure(method, older), memory.markdown),
        "import": (lambda: imports.measure(method, older), imports.markdown),
        "share": (share.measure, share.markdown),
        "peers": (lambda: peers.measure(method, workloads), peers.markdown),
    }
    named = {name for name in arguments.name if name in SECTIONS}
    if workloads and not named & {"speed", "peers"}:
        named.add("speed")
    return {name: section for name, section in sections.items() if not named or name in named}


if __name__ == "__main__":
    sys.exit(main())
