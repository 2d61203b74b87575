"""``python -m benchmarks [NAME…]``: measures, and prints tables in Markdown or all of it as JSON."""

from __future__ import annotations

import argparse
import json
import sys

from benchmarks import (
    bench_bounds,
    bench_growth,
    bench_import,
    bench_irregular,
    bench_memory,
    bench_reduce,
    bench_stages,
)
from benchmarks.contest import Contest
from benchmarks.report import machine, table
from benchmarks.sampling import Method
from benchmarks.workloads import WORKLOADS

SECTIONS = {
    "reduce": bench_reduce,
    "irregular": bench_irregular,
    "stages": bench_stages,
    "bounds": bench_bounds,
    "growth": bench_growth,
    "memory": bench_memory,
    "import": bench_import,
}


def main(argv: list[str] | None = None) -> int:
    """Measure what is named, or everything."""
    names = f"sections: {', '.join(SECTIONS)}; workloads of the section reduce: {', '.join(WORKLOADS)}"
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__, epilog=names)
    parser.add_argument("name", nargs="*", metavar="NAME", help="sections, or workloads to reduce; all without any")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    parser.add_argument("--versions", action="store_true", help="print who takes part, and measure nothing")
    parser.add_argument("--repeat", type=int, default=7, metavar="N", help="samples of everything (7)")
    parser.add_argument(
        "--smoke", action="store_true", help="everything tiny and without rivals, to see whether it runs"
    )
    arguments = parser.parse_args(argv)
    unknown = set(arguments.name) - SECTIONS.keys() - WORKLOADS.keys()
    if unknown or arguments.repeat < 1:
        parser.error(f"unknown name {', '.join(sorted(unknown))}; {names}" if unknown else "--repeat takes 1 or more")
    if arguments.versions:
        with Contest(Method()) as contest:
            print(table(["contender", "version"], {**contest.versions(), **contest.missing}.items()))
        return 0
    method = Method(1, 1_000_000, tiny=True) if arguments.smoke else Method(arguments.repeat)
    workloads = [name for name in arguments.name if name in WORKLOADS]
    where = {**machine(), "samples": f"{method.repeat} of at least {method.least // 1_000_000} ms, the median"}
    measured = {}
    if not arguments.json:
        print(", ".join(f"{key} {value}" for key, value in where.items()))
    for name, section in SECTIONS.items():
        if arguments.name and name not in arguments.name and not (name == "reduce" and workloads):
            continue
        print(name, file=sys.stderr)
        # Naming a workload narrows the section reduce.
        measured[name] = bench_reduce.measure(method, workloads) if section is bench_reduce else section.measure(method)
        if not arguments.json:
            tables = section.markdown(measured[name])
            print(f"\n## {name}\n\n{tables.replace(' ✗', '') if arguments.smoke else tables}", flush=True)
    if arguments.json:
        print(json.dumps({"where": where, **measured}, indent=1))
    elif "reduce" in measured:
        print("\n" + table(["contender", "version"], measured["reduce"]["versions"].items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
