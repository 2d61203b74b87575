"""Recorded streams with expected bodies, where they are: one test a stream. See `tests.corpus`."""

import os
from pathlib import Path

import pytest

from tests.corpus import check, rows

FOLDER = os.environ.get("REDUCER_CORPUS", "")

# Expectations that are wrong by the rule that the body says all that the stream said. A fixed one fails here.
_UNDERSCORE = "the expectation lacks the key _person, which the stream has"
WRONG = {
    "anthropic/posit-dev__chatlas/tests__vcr_test_provider_anthropic_test_anthropic_tool_variations_parallel.0-6c71a7d6.sse": _UNDERSCORE,
    "gemini/posit-dev__chatlas/tests__vcr_test_provider_google_test_tools_parallel.0-fdb296a1.sse": _UNDERSCORE,
    "responses/posit-dev__chatlas/tests__vcr_test_provider_openai_test_openai_tool_variations.6-116644fb.sse": _UNDERSCORE,
    "gemini/FirebaseExtended__vertexai-sdk-test-data/mock-responses_vertexai_streaming-failure-malformed-content-d76b19cc.sse": "the expectation lacks the key missing-parts, which the stream has",
    "gemini/maruel__genai/gemini_testdata_TestClient_Scoreboard_gemini-pro-latest_thinking_GenStream-Tools-WebSearch-7650d266.sse": "the expectation keeps an empty unsigned text part, which is none",
}


def marked(row):
    marks = [pytest.mark.xfail(reason=WRONG[row["path"]], strict=True)] if row["path"] in WRONG else []
    return pytest.param(row, id=row["path"], marks=marks)


ROWS = [marked(row) for row in rows(Path(FOLDER))] if FOLDER else [pytest.param(None, id="none")]


@pytest.mark.skipif(not FOLDER, reason="REDUCER_CORPUS names no folder with recorded streams")
@pytest.mark.parametrize("row", ROWS)
def test_a_recorded_stream_gives_the_expected_bodies(row):
    """Whole and in random splits, status and body, with nothing forgiven but what the corpus' README says."""
    assert check(Path(FOLDER), row) == []
