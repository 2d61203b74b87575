"""`Result.row`: a flat dict with the same keys for every dialect, that goes into any table."""

import csv
import io
import json
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer.dialects.registry import DIALECTS, load
from tests.helpers import load_sample, sample_names
from tests.mutations import mutant, seeds
from tests.test_view import ANYTHING, KEYS

TEXT = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{"content":"Hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'
CALL = load_sample("openai_chat/tool-call.sse").data
EMPTY = dict.fromkeys(reducer.ROW) | {"status": "empty", "problems": ""}


def row_of(dialect, body, choice=0, **forms):
    return reducer.Result("complete", dialect=dialect, wire=body, final=load(dialect).body, **forms).row(choice)


def check(row):
    """Check that a row has exactly the columns, with values of their types that a table can hold."""
    assert list(row) == list(reducer.ROW)
    for column, value in row.items():
        assert value is None or type(value) is reducer.ROW[column]
        assert type(value) is not int or -(2**63) <= value < 2**63
        assert type(value) is not str or value.encode().decode() == value


# -- columns -----------------------------------------------------------------------------------------


def test_columns():
    """`ROW` names them in order, with their types."""
    assert " ".join(reducer.ROW) == (
        "id model dialect status finish_reason text reasoning refusal tool_calls choices input_tokens cached_tokens "
        "output_tokens reasoning_tokens total_tokens error_code error_message problems"
    )
    assert [name for name, kind in reducer.ROW.items() if kind is int] == [
        "choices", "input_tokens", "cached_tokens", "output_tokens", "reasoning_tokens", "total_tokens",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        (
            "openai_chat/reasoning-content.sse",
            {"dialect": "openai.chat", "finish_reason": "stop", "text": "Spring tide.", "reasoning": "The moon is full.", "choices": 1,
             "input_tokens": 9, "cached_tokens": 0, "output_tokens": 21, "reasoning_tokens": 14, "total_tokens": 30},
        ),
        ("openai_chat/refusal.sse", {"refusal": "I'm sorry, I can't help with that.", "text": None}),
        ("openai_responses/text.sse", {"dialect": "openai.responses", "choices": 1, "input_tokens": 12, "total_tokens": 21}),
        ("anthropic_messages/usage-merged.sse", {"dialect": "anthropic.messages", "choices": 1, "cached_tokens": 64, "total_tokens": 85}),
        ("gemini_generate/text.sse", {"dialect": "gemini.generate", "choices": 1, "output_tokens": 26, "reasoning_tokens": 20}),
        ("gemini_generate/blocked-prompt.sse", {"choices": 0, "finish_reason": "content_filter", "input_tokens": 7}),
        ("openai_completions/text.sse", {"dialect": "openai.completions", "text": "High tide now", "total_tokens": 7}),
    ],
)  # fmt: skip
def test_rows_of_the_samples(name, columns):
    """Every dialect has the same columns."""
    row = reducer.reduce(load_sample(name).data).row()

    assert {key: row[key] for key in columns} == columns
    assert row["status"] == "complete"


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
def test_id_and_model(dialect):
    """They have one name in every dialect."""
    body = {"responseId": "i", "modelVersion": "m"} if dialect == "gemini.generate" else {"id": "i", "model": "m"}
    row = row_of(dialect, body)

    assert (row["id"], row["model"], row["dialect"]) == ("i", "m", dialect)


def test_tool_calls_are_json_text():
    """A list of objects with the fields of `ToolCallView`."""
    assert json.loads(reducer.reduce(CALL).row()["tool_calls"]) == [
        {"id": "call_Tide0001", "name": "get_tide", "arguments": {"port": "Brest"}, "unparsed": None, "complete": True}
    ]
    assert reducer.reduce(TEXT).row()["tool_calls"] is None


def test_incomplete_tool_calls():
    """A row says so, too."""
    body = {"content": [{"type": "tool_use", "name": "f", "input": {}}]}
    (call,) = json.loads(row_of("anthropic.messages", body, incomplete={(0, 0): '{"a'})["tool_calls"])

    assert (call["complete"], call["arguments"], call["unparsed"]) == (False, None, '{"a')


def test_choices():
    """A row has one choice. A choice that does not exist leaves the columns of the whole response."""
    result = reducer.reduce(load_sample("openai_chat/n3.sse").data)

    assert [result.row(choice)["text"] for choice in range(4)] == ["Ebb.", "Flood", "Slack water", None]
    assert {result.row(choice)["choices"] for choice in range(4)} == {3}
    assert {result.row(choice)["total_tokens"] for choice in range(4)} == {result.row()["total_tokens"]}
    with pytest.raises(reducer.UsageError, match="choice must be a position"):
        result.row(-1)


def test_errors():
    """The code is text, even if the wire has a number."""
    row = reducer.reduce(b'{"error":{"message":"No such port","type":"not_found","code":404}}').row()

    assert (row["status"], row["error_code"], row["error_message"]) == ("failed", "404", "No such port")
    assert reducer.reduce(b'{"error":{"message":"No"}}').row()["error_code"] is None


def test_problems():
    """Their codes, in order."""
    assert reducer.reduce(TEXT).row()["problems"] == ""
    assert reducer.reduce(b"x\n\n" + TEXT[:60]).row()["problems"].split(",") == [
        problem.code for problem in reducer.reduce(b"x\n\n" + TEXT[:60]).problems
    ]


def test_without_a_body():
    """The row has the same keys."""
    assert reducer.reduce(b"").row() == EMPTY
    assert reducer.reduce(b"").row(3) == EMPTY


@pytest.mark.parametrize("number", [2**63 - 1, 2**63, -(2**63), -(2**63) - 1, 10**30])
def test_integers_beyond_64_bits(number):
    """No table has a type for them."""
    body = {"choices": [], "usage": {"prompt_tokens": number, "total_tokens": 1}}

    assert row_of("openai.chat", body)["input_tokens"] == (number if -(2**63) <= number < 2**63 else None)


def test_values_that_a_table_cannot_hold():
    """Half a surrogate pair becomes an escape; a value of another type is left out."""
    error = reducer.ProviderError(message="a\ud83c")
    row = row_of("openai.chat", {"id": 5, "model": ["m"], "choices": 1}, error=error)

    check(row)
    assert (row["id"], row["model"], row["choices"], row["error_message"]) == (None, None, 0, "a\\ud83c")


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(body=st.dictionaries(st.sampled_from(KEYS), ANYTHING))
@settings(max_examples=100, deadline=None)
def test_any_body_has_a_row(dialect, body):
    """Any JSON object with keys of real bodies has a row."""
    for choice in range(2):
        check(row_of(dialect, json.loads(json.dumps(body)), choice))


def test_mutants_have_rows():
    """Results of mutated streams have rows, too."""
    pool = seeds()
    for number in range(500):
        for result in reducer.reduce_all(mutant(number, pool)):
            check(result.row())


# -- tables ------------------------------------------------------------------------------------------

LATE = 30_000  # a column may have its first value here


def every_row():
    """Return rows of all samples, and of streams whose values are hard to keep."""
    rows = [result.row() for name in sample_names() for result in reducer.reduce_all(load_sample(name).data)]
    odd = 'quote " comma , semicolon ; tab \t line \r\n NUL-free \u2028 emoji \U0001f30a NaN null \\N'
    rows.append(reducer.reduce(TEXT.replace(b'"Hi"', json.dumps(odd).encode())).row())
    rows.append(row_of("openai.chat", {"usage": {"prompt_tokens": 2**63 - 1, "completion_tokens": 2**53 + 1}}))
    return rows


ROWS = every_row()
LATE_ROWS = [EMPTY] * LATE + random.Random(1).sample(ROWS, len(ROWS))


def test_samples_fill_every_column():
    """So the tests of tables test every column."""
    assert [column for column in reducer.ROW if all(row[column] is None for row in ROWS)] == []


def test_csv():
    """Python's csv module: None is an empty cell."""
    file = io.StringIO(newline="")
    writer = csv.DictWriter(file, reducer.ROW)
    writer.writeheader()
    writer.writerows(LATE_ROWS)

    file.seek(0)
    expected = [{key: "" if value is None else str(value) for key, value in row.items()} for row in LATE_ROWS]
    assert list(csv.DictReader(file)) == expected


def needs(name):
    return pytest.importorskip(name, reason=f"{name} is not installed: pip install --group frames")


@pytest.mark.frames
@pytest.mark.parametrize("rows", [ROWS, LATE_ROWS, [EMPTY], []], ids=["samples", "late", "empty", "none"])
class TestTables:
    """Every value comes back; a missing one as the table's null."""

    def test_polars(self, rows):
        """`ROW` is the schema: without it, Polars looks at the first 100 rows only."""
        polars = needs("polars")
        frame = polars.DataFrame(rows, schema=reducer.ROW)

        assert frame.schema == {
            key: polars.String if kind is str else polars.Int64 for key, kind in reducer.ROW.items()
        }
        assert frame.to_dicts() == rows
        file = io.BytesIO()
        frame.write_parquet(file)
        file.seek(0)
        assert polars.read_parquet(file).to_dicts() == rows

    def test_pyarrow_and_parquet(self, rows):
        """`from_pylist` looks at all rows."""
        pyarrow, parquet = needs("pyarrow"), needs("pyarrow.parquet")
        table = pyarrow.Table.from_pylist(rows)
        file = io.BytesIO()
        parquet.write_table(table, file)
        file.seek(0)

        assert parquet.read_table(file).to_pylist() == rows

    def test_pandas(self, rows):
        """A column of integers that has missing values is one of floats, as always in pandas."""
        pandas = needs("pandas")
        frame = pandas.DataFrame(rows)

        assert list(frame.columns) == (list(reducer.ROW) if rows else [])
        for column in frame.columns:
            for value, row in zip(frame[column], rows, strict=True):
                assert (
                    pandas.isna(value) if row[column] is None else value == row[column] or float(row[column]) == value
                )

    def test_duckdb(self, rows):
        """From a table of PyArrow, of Polars or of pandas, and row by row."""
        duckdb, pyarrow, polars, pandas = needs("duckdb"), needs("pyarrow"), needs("polars"), needs("pandas")
        database = duckdb.connect()
        columns = ", ".join(f"{key} {'VARCHAR' if kind is str else 'BIGINT'}" for key, kind in reducer.ROW.items())
        database.execute(f"CREATE TABLE answers ({columns})")
        if rows[-100:]:
            places = ", ".join(f"${key}" for key in reducer.ROW)
            database.executemany(f"INSERT INTO answers VALUES ({places})", rows[-100:])
        assert database.execute("FROM answers").fetchall() == [tuple(row.values()) for row in rows[-100:]]

        expected = [tuple(row.values()) for row in rows]
        arrow = pyarrow.Table.from_pylist(rows)
        assert not rows or database.from_arrow(arrow).fetchall() == expected
        assert database.from_arrow(polars.DataFrame(rows, schema=reducer.ROW).to_arrow()).fetchall() == expected
        texts = [key for key, kind in reducer.ROW.items() if kind is str]
        found = database.from_df(pandas.DataFrame(rows, columns=list(reducer.ROW))).project(", ".join(texts)).fetchall()
        assert found == [tuple(row[key] for key in texts) for row in rows]
