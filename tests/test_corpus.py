"""Recorded streams with expected bodies, where they are: one test a stream. See `tests.corpus`."""

import os
from pathlib import Path

import pytest

from tests.corpus import check, rows

FOLDER = os.environ.get("REDUCER_CORPUS", "")
ROWS = list(rows(Path(FOLDER))) if FOLDER else []


@pytest.mark.skipif(not FOLDER, reason="REDUCER_CORPUS names no folder with recorded streams")
@pytest.mark.parametrize("row", ROWS or [None], ids=lambda row: row["path"] if row else "none")
def test_a_recorded_stream_gives_the_expected_bodies(row):
    """Whole and in random splits, status and body, with nothing forgiven but what the corpus' README says."""
    assert check(Path(FOLDER), row) == []
