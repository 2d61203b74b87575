"""`Exchange`, its rows and its JSON, and `read_request`, which decodes a request within bounds."""

import json
import pickle

import pytest

import reducer
from reducer.embed import EXCHANGE_ROW, Exchange, Request
from reducer.embed.exchange import MAX_DECODED_REQUEST, read_request
from tests.helpers import load_sample

CHAT = reducer.reduce(load_sample("openai_chat/usage-final.sse").data)
MESSAGE = reducer.reduce(load_sample("anthropic_messages/text.sse").data)


def exchange(**fields):
    return Exchange("0" * 32, "tee", **fields)


def test_subpackage_is_reachable():
    """`import reducer` is enough."""
    assert reducer.embed.Exchange is Exchange
    with pytest.raises(AttributeError, match=r"'reducer.embed' has no attribute 'exchanges'"):
        reducer.embed.exchanges  # noqa: B018
    with pytest.raises(AttributeError, match="'reducer' has no attribute 'embeds'"):
        reducer.embeds  # noqa: B018


def test_exchanges_are_immutable_and_can_be_pickled():
    """The results travel with them."""
    one = exchange(results=(CHAT,), metadata={"tenant": "a"}, request=Request("POST", "/v1", "m", True, b"{}"))

    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(AttributeError):
        one.ended_by = "consumer"


def test_the_result_is_the_last_one():
    """Most answers have one, some have none."""
    assert exchange(results=(CHAT, MESSAGE)).result is MESSAGE
    assert exchange().result is None


def test_one_row_for_each_result():
    """The columns are those of `EXCHANGE_ROW`, and the values have its types."""
    one = exchange(
        results=(CHAT, MESSAGE),
        request=Request("POST", "/v1", "gpt", True, b'{"model":"gpt"}'),
        metadata={"tenant": "a"},
        response_headers={"x-request-id": "r"},
        status_code=200,
        started_at=5,
    )

    first, second = one.rows()

    assert list(first) == list(second) == list(EXCHANGE_ROW)
    for row in (first, second):
        assert all(value is None or type(value) is EXCHANGE_ROW[column] for column, value in row.items())
    assert (first["index"], second["index"]) == (0, 1)
    assert (first["id"], first["model"], first["text"]) == (CHAT.body.id, CHAT.body.model, "Calm.")
    assert second["dialect"] == "anthropic.messages"
    assert (first["exchange_id"], first["request_model"], first["request_stream"]) == ("0" * 32, "gpt", True)
    assert (first["request_body"], first["metadata"]) == ('{"model":"gpt"}', '{"tenant":"a"}')
    assert (first["response_headers"], first["started_at"]) == ('{"x-request-id":"r"}', 5)


def test_an_exchange_without_results_has_one_row():
    """So that a table shows answers that were refused."""
    (row,) = exchange(status_code=502, error="HTTP 502").rows()

    assert list(row) == list(EXCHANGE_ROW)
    assert (row["status_code"], row["error"], row["index"], row["status"]) == (502, "HTTP 502", None, None)


def test_json_has_everything():
    """The body of a request is an object, not text."""
    clock = iter(range(100))
    timed = reducer.reduce(load_sample("openai_chat/usage-final.sse").data[:300], clock=lambda: next(clock))
    failed = reducer.reduce(b'{"error":{"message":"no","type":"t","code":"c"}}')
    one = exchange(results=(timed, failed), request=Request("POST", "/v1", "m", True, b'{"model":"m"}'))

    record = json.loads(one.json())

    assert b"\n" not in one.json()
    assert list(record) == list(Exchange.__struct_fields__)
    assert record["request"] == {"method": "POST", "url": "/v1", "model": "m", "stream": True, "body": {"model": "m"}}
    assert [result["status"] for result in record["results"]] == ["truncated", "failed"]
    assert record["results"][0]["body"] == timed.to_dict()
    assert record["results"][0]["timing"]["first_byte"] == timed.timing.first_byte
    assert record["results"][0]["problems"][0]["code"] == timed.problems[0].code
    assert record["results"][1]["error"]["message"] == "no"
    assert record["results"][1]["timing"] is None


@pytest.mark.parametrize(
    ("metadata", "text"),
    [
        (None, "null"),
        ({"when": object}, json.dumps({"when": str(object)})),
        ("\ud800", '"\\\\ud800"'),
        ({(1, 2): 3}, '"<dict>"'),
    ],
)
def test_any_metadata_can_be_written(metadata, text):
    """What JSON cannot hold is shown as text."""
    assert json.loads(exchange(metadata=metadata).json())["metadata"] == json.loads(text)


@pytest.mark.parametrize(
    ("body", "model", "stream"),
    [
        (b'{"model":"m","stream":true,"messages":[]}', "m", True),
        (b'{"model":"m"}', "m", False),
        (b'{"model":5,"stream":"yes"}', None, False),
        (b"[1]", None, None),
        (b"--boundary", None, None),
        (b"", None, None),
        (None, None, None),
        (b'{"model":"m","x":"' + b"a" * MAX_DECODED_REQUEST + b'"}', None, None),
        (b'{"model":"m","x":' + b"[" * 100_000, None, None),
    ],
)
def test_model_and_stream_of_a_body(body, model, stream):
    """What cannot be decoded, or is too large, is not known."""
    request = read_request("POST", "http://host/v1/chat/completions", body)

    assert request == Request("POST", "http://host/v1/chat/completions", model, stream, None)


@pytest.mark.parametrize(
    ("url", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-pro:streamGenerateContent?alt=sse", "gemini-2.5-pro", True),
        ("/v1beta/models/gemini-2.5-pro:generateContent", "gemini-2.5-pro", False),
        ("/v1/projects/p/locations/l/publishers/google/models/g%201:countTokens", "g 1", None),
        ("/openai/deployments/gpt-4o/chat/completions?api-version=2024-10-21", "gpt-4o", None),
        ("/v1/messages", None, None),
        (None, None, None),
    ],
)
def test_model_and_stream_of_a_path(url, model, stream):
    """Gemini and Azure OpenAI name them there."""
    request = read_request(None, url, None)

    assert (request.url, request.model, request.stream) == (url, model, stream)


def test_the_body_names_the_model_first():
    """An Azure deployment may have any name."""
    request = read_request("POST", "/openai/deployments/mine/chat/completions", b'{"model":"gpt-4o","stream":true}')

    assert (request.model, request.stream) == ("gpt-4o", True)


def test_bodies_are_kept_within_a_limit():
    """And only JSON objects, because nothing else can be searched for credentials."""
    body = b'{"model": "m"}'

    assert read_request("POST", "/", body, keep_body=len(body)).body == b'{"model":"m"}'
    assert read_request("POST", "/", body, keep_body=len(body) - 1).body is None
    assert read_request("POST", "/", b"model=m", keep_body=1000).body is None
