"""Recorded streams with expected bodies, one test for each stream. See `tests.corpus`."""

import os
from pathlib import Path

import pytest

from tests.corpus import check, rows

FOLDER = os.environ.get("REDUCER_CORPUS", "")

ROWS = [pytest.param(row, id=row["path"]) for row in rows(Path(FOLDER))] if FOLDER else [pytest.param(None, id="none")]


@pytest.mark.skipif(not FOLDER, reason="REDUCER_CORPUS names no folder with recorded streams")
@pytest.mark.parametrize("row", ROWS)
def test_a_recorded_stream_gives_the_expected_bodies(row):
    """Whole and in random reads, a stream gives the expected statuses and bodies."""
    assert check(Path(FOLDER), row) == []
