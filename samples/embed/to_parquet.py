"""A batch: turn captured streams into a Parquet table with one row for each response.

Run ``python to_parquet.py OUT.parquet PATH ...``. Needs Polars: ``pip install polars``. The captures may be large: one
response at a time is in memory, and the rows.
"""

import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import polars

import reducer

Row = dict[str, str | int | None]
SCHEMA = {"source": str, **reducer.ROW}


def rows_of(path: Path) -> Iterator[Row]:
    """Yield a row for each response of a capture, whatever its dialect and its status."""
    with path.open("rb") as file:
        for result in reducer.iter_results(iter(lambda: file.read(1 << 16), b"")):
            yield {"source": str(path), **result.row()}


def write_table(out: Path, paths: Iterable[Path]) -> polars.DataFrame:
    """Write the rows of all captures to one file, and return them."""
    # With a schema, Polars does not guess the types of columns from the first rows.
    frame = polars.DataFrame([row for path in paths for row in rows_of(path)], schema=SCHEMA)
    frame.write_parquet(out)
    return frame


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit("usage: to_parquet.py OUT.parquet PATH ...")
    out, *captures = map(Path, sys.argv[1:])
    counts = write_table(out, captures)["status"].value_counts(sort=True)
    print(", ".join(f"{count} {status}" for status, count in counts.iter_rows()))
