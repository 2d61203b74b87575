"""No credential gets into what an exchange keeps."""

import json

import pytest

from reducer.embed.redaction import clean_body, clean_text, clean_url, keep_headers


def test_only_harmless_headers_are_kept():
    """An allowlist: content type, request ids, retry-after and rate limits."""
    kept = {
        "Content-Type": "text/event-stream",
        "X-Request-Id": "r",
        "Retry-After": "1",
        "x-ratelimit-remaining-tokens": "5",
        "anthropic-ratelimit-requests-limit": "6",
    }
    lost = {"Set-Cookie": "s", "Authorization": "a", "X-Api-Key": "k", "openai-organization": "o", "Server": "s"}

    assert keep_headers((kept | lost).items()) == {name.lower(): value for name, value in kept.items()}


@pytest.mark.parametrize(
    ("url", "cleaned"),
    [
        ("https://h/v1beta/models/g:x?alt=sse&key=SECRET", "https://h/v1beta/models/g:x?alt=sse&key=***"),
        ("https://user:SECRET@h:8080/v1?sig=SECRET&sv=2024", "https://h:8080/v1?sig=***&sv=2024"),
        (
            "https://SECRET@h/v1?api-key=SECRET&api-version=2024-10-21",
            "https://h/v1?api-key=***&api-version=2024-10-21",
        ),
        ("/v1?Subscription-Key=SECRET&a", "/v1?Subscription-Key=***&a"),
        ("/v1?%6bey=SECRET", "/v1?%6bey=***"),
        ("/v1?X-Amz-Credential=SECRET&X-Amz-Signature=SECRET", "/v1?X-Amz-Credential=***&X-Amz-Signature=***"),
        ("/v1?access_token=SECRET#SECRET", "/v1?access_token=***"),
        ("http://user:SECRET@[h/v1?key=SECRET", "[h/v1"),
    ],
)
def test_addresses_lose_credentials(url, cleaned):
    """User names, passwords, fragments, and the values of parameters that sound secret."""
    assert clean_url(url) == cleaned


@pytest.mark.parametrize(
    ("text", "cleaned"),
    [
        ("connect to 'https://u:SECRET@h/v1?key=SECRET' failed", "connect to 'https://h/v1?key=***' failed"),
        ("Illegal header value b'Bearer SECRET'", "Illegal header value b'Bearer ***'"),
        ("{'authorization': 'Bearer SECRET'}", "{'authorization': '***'}"),
        ("api_key=SECRET, then", "api_key=***, then"),
        ("x-api-key: SECRET", "x-api-key: ***"),
        ("peer closed connection without sending complete message body", None),
    ],
)
def test_texts_of_exceptions_lose_credentials(text, cleaned):
    """They quote addresses and headers."""
    assert clean_text(text) == (text if cleaned is None else cleaned)


def test_kept_bodies_lose_the_credentials_of_tools():
    """Those of MCP servers. What the model sees, and the schemas of functions, stay."""
    schema = {"type": "object", "properties": {"token": {"type": "string", "description": "d"}, "max_tokens": 5}}
    body = {
        "model": "m",
        "max_tokens": 5,
        "input": "my authorization",
        "tools": [
            {"type": "mcp", "server_url": "https://h", "authorization": "SECRET", "headers": {"X": "SECRET"}},
            {"type": "x", "auth": {"authorization": {"token": "SECRET"}}, "api_keys": ["SECRET"]},
            {"type": "function", "function": {"name": "f", "parameters": schema}},
        ],
        "mcp_servers": [{"url": "https://h", "authorization_token": "SECRET"}],
    }

    cleaned = clean_body(json.dumps(body).encode())

    assert b"SECRET" not in cleaned
    kept = json.loads(cleaned)
    assert kept["tools"][0] == {
        "type": "mcp", "server_url": "https://h", "authorization": "***", "headers": "***",
    }  # fmt: skip
    assert kept["tools"][2] == body["tools"][2]
    assert {key: kept[key] for key in ("model", "max_tokens", "input")} == {
        key: body[key] for key in ("model", "max_tokens", "input")
    }


def test_addresses_in_tools_lose_credentials():
    """The address of an MCP server may have a user name or a key."""
    body = b'{"tools":[{"type":"mcp","server_url":"https://u:SECRET@h/sse?key=SECRET"}]}'

    assert json.loads(clean_body(body)) == {"tools": [{"type": "mcp", "server_url": "https://h/sse?key=***"}]}


def test_a_repeated_key_hides_nothing():
    """Only the last value is written."""
    assert b"SECRET" not in clean_body(b'{"tools":[{"authorization":"SECRET"}],"tools":[]}')


def test_deep_tools_are_cut():
    """So that a request cannot exhaust the stack."""
    body = b'{"tools":' + b"[" * 500 + b'"SECRET"' + b"]" * 500 + b"}"

    assert b"SECRET" not in clean_body(body)


@pytest.mark.parametrize("body", [b"no JSON", b"[]", b'{"tools":' + b"[" * 100_000 + b"]" * 100_000 + b"}"])
def test_other_bodies_are_not_kept(body):
    """What cannot be searched is dropped."""
    assert clean_body(body) is None
