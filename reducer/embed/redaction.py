"""Remove credentials from what an `Exchange` keeps.

Response headers are kept by an allowlist. Addresses keep their path and the values of harmless query parameters. Kept
request bodies lose the credentials of tools and MCP servers. Texts of exceptions lose the credentials of addresses.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

import msgspec

REMOVED = "***"

_HEADERS = frozenset(
    {
        "content-type",
        "request-id",
        "x-request-id",
        "apim-request-id",
        "x-ms-request-id",
        "x-amzn-requestid",
        "x-amzn-request-id",
        "x-goog-request-id",
        "x-correlation-id",
        "cf-ray",
        "retry-after",
        "retry-after-ms",
    }
)
_HEADER_PREFIXES = ("x-ratelimit-", "ratelimit-", "anthropic-ratelimit-")

# Parts of the names of query parameters whose values may be credentials or persons.
_SECRET_PARAMETER = re.compile(r"key|sig|token|secret|pass|pwd|auth|cred|code|session|jwt|sas|user", re.IGNORECASE)
_ADDRESS = re.compile(r"\b[A-Za-z][A-Za-z0-9+.-]*://[^\s'\"<>]+")
# Exceptions quote what they failed at: `Bearer sk-…`, `Authorization: …`, `api_key=…`.
_SECRET_TEXT = re.compile(
    r"\b((?:bearer|basic)\s+"
    r"|[\w-]{0,30}(?:authorization|api[_-]?key|token|secret|cookie|sig)['\"]?\s*[:=]\s*(?:b?['\"])?)"
    r"(?:(?:bearer|basic)\s+)?[^\s'\",;&]+",
    re.IGNORECASE,
)
# Where requests hold credentials of third parties: OpenAI's `tools`, Anthropic's `mcp_servers`.
_TOOL_LISTS = ("tools", "mcp_servers")
_SECRET_FIELD = re.compile(r"authorization|token|secret|password|api_?key", re.IGNORECASE)
_MAX_DEPTH = 64  # of the objects in a tool; a part of a tool that is nested deeper is removed


def keep_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers of the allowlist, with lower-case names. Of repeated ones the last counts."""
    lowered = ((name.lower(), value) for name, value in headers)
    return {name: value for name, value in lowered if name in _HEADERS or name.startswith(_HEADER_PREFIXES)}


def clean_url(url: str) -> str:
    """Return an address without user name, password, fragment and the values of secret query parameters."""
    try:
        parts = urlsplit(url)
    except ValueError:  # a bracket without its partner
        return url.partition("?")[0].rpartition("@")[2]
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, _clean_query(parts.query), ""))


def _clean_query(query: str) -> str:
    pairs = []
    for pair in query.split("&"):
        name, equals, _ = pair.partition("=")
        pairs.append(f"{name}={REMOVED}" if equals and _SECRET_PARAMETER.search(unquote(name)) else pair)
    return "&".join(pairs)


def clean_text(text: str) -> str:
    """Return the text of an exception without credentials."""
    text = _ADDRESS.sub(lambda found: clean_url(found[0]), text)
    return _SECRET_TEXT.sub(lambda found: found[1] + REMOVED, text)


def clean_body(body: bytes) -> bytes | None:
    """Return the JSON of a request without the credentials of its tools; ``None`` if it is not a JSON object.

    The JSON is always written anew: a repeated key could hide a credential from a search.
    """
    try:
        request: Any = msgspec.json.decode(body)
        if type(request) is not dict:
            return None
        for name in _TOOL_LISTS:
            if name in request:
                request[name] = _clean_tool(request[name], 0)
        return msgspec.json.encode(request)
    except (ValueError, RecursionError):
        return None


def _clean_tool(value: Any, depth: int) -> Any:
    if depth > _MAX_DEPTH:
        return REMOVED
    if type(value) is list:
        return [_clean_tool(entry, depth + 1) for entry in value]
    if type(value) is dict:
        return {
            key: REMOVED if _is_secret(key, entry) else _clean_tool(entry, depth + 1) for key, entry in value.items()
        }
    return clean_url(value) if type(value) is str and _ADDRESS.fullmatch(value) else value


def _is_secret(key: str, value: Any) -> bool:
    """Whether a field of a tool may hold a credential.

    The JSON schema of a function may declare a parameter named ``token``: its value is an object, and is searched.
    """
    if key.lower() in ("headers", "http_headers"):
        return True
    return type(value) in (str, list) and _SECRET_FIELD.search(key) is not None
