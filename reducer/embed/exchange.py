"""`Exchange`: one HTTP request and its answer, with the results of the answer.

Every integration reports the same record. It holds no credentials: `reducer.embed.redaction` removes them before the
record is built. An `Exchange` is immutable and can be pickled. New versions add fields with defaults only.
"""

from __future__ import annotations

import re
from typing import Any, Literal
from urllib.parse import unquote, urlsplit

import msgspec

from reducer.body import to_json
from reducer.embed.redaction import clean_body, clean_url
from reducer.outputs._escapes import escape_controls
from reducer.outputs.jsonl import plain, result_record
from reducer.result import Result
from reducer.row import ROW

EndedBy = Literal["eof", "consumer", "source_error", "host_error"]

# The columns of `Exchange.rows`, with the types of their values.
EXCHANGE_ROW: dict[str, type[str] | type[int] | type[bool]] = {
    "exchange_id": str,
    "integration": str,
    "metadata": str,
    "request_method": str,
    "request_url": str,
    "request_model": str,
    "request_stream": bool,
    "request_body": str,
    "status_code": int,
    "response_headers": str,
    "ended_by": str,
    "error": str,
    "started_at": int,
    "first_byte": int,
    "duration": int,
    "bytes_received": int,
    "bytes_decoded": int,
    "index": int,
    **ROW,
}

# Requests with images or long histories have megabytes. A larger one is not decoded: that would take milliseconds.
MAX_DECODED_REQUEST = 4 << 20

# Gemini and Vertex AI name the model and the method in the path, Azure OpenAI names the deployment.
_GEMINI_PATH = re.compile(r"/(?:models|tunedModels|endpoints)/([^/:]+):(\w+)$")
_AZURE_PATH = re.compile(r"/deployments/([^/]+)/")
_GEMINI_STREAMS = {"generateContent": False, "streamGenerateContent": True}


class Request(msgspec.Struct, frozen=True):
    """The request of an exchange. What is not known is ``None``.

    ``body`` is the JSON of the request without credentials, if the integration was asked to keep it.
    """

    method: str | None = None
    url: str | None = None
    model: str | None = None
    stream: bool | None = None
    body: bytes | None = None


class StartedRequest(Request, frozen=True):
    """The request as ``on_start`` gets it. The headers are those of the client, credentials included.

    ``headers`` has lower-case names. No exchange keeps them.
    """

    headers: dict[str, str] = {}


class Exchange(msgspec.Struct, frozen=True):
    """One HTTP request and its answer. What is not known is ``None``.

    Attributes:
        id: A random id, 32 hexadecimal digits.
        integration: What recorded the exchange: ``"tee"``, ``"asgi"``, ``"httpx"`` and others to come.
        metadata: What ``on_start`` returned.
        request: The request, without credentials.
        status_code: The HTTP status. ``None`` if no answer came.
        response_headers: The content type, request ids, ``retry-after`` and rate limits, with lower-case names.
        results: One `Result` for each response in the answer. Empty if the answer is neither an event stream nor JSON.
        ended_by: ``"eof"``: the answer was read to its end, or to its own end marker. ``"consumer"``: the reader
            closed, cancelled or dropped it. ``"source_error"``: reading it failed. ``"host_error"``: the program
            around the integration failed.
        error: What went wrong, as text: an exception with its type, or an HTTP status without an error in JSON.
        started_at: When the request began, in Unix nanoseconds.
        first_byte: Nanoseconds from the start to the first byte of the body.
        duration: Nanoseconds from the start to the end.
        bytes_received: The size of the body as it was sent.
        bytes_decoded: The size of the body without its content encodings.
    """

    id: str
    integration: str
    metadata: Any = None
    request: Request = Request()
    status_code: int | None = None
    response_headers: dict[str, str] = {}
    results: tuple[Result[Any], ...] = ()
    ended_by: EndedBy = "eof"
    error: str | None = None
    started_at: int | None = None
    first_byte: int | None = None
    duration: int | None = None
    bytes_received: int = 0
    bytes_decoded: int = 0

    @property
    def result(self) -> Result[Any] | None:
        """The last of `results`; ``None`` if there are none."""
        return self.results[-1] if self.results else None

    def rows(self) -> list[dict[str, str | int | None]]:
        """Return a flat dict of plain values for each result, or one dict without result columns if there are none.

        The keys are those of `EXCHANGE_ROW`, in its order: those of the exchange, the position of the result as
        ``index``, and the columns of `Result.row`. ``metadata`` and ``response_headers`` are JSON text.
        """
        request = self.request
        own: dict[str, Any] = {
            "exchange_id": self.id,
            "integration": self.integration,
            "metadata": None if self.metadata is None else _json_text(self.metadata),
            **{f"request_{name}": getattr(request, name) for name in ("method", "url", "model", "stream")},
            "request_body": None if request.body is None else request.body.decode("utf-8", "backslashreplace"),
            "response_headers": _json_text(self.response_headers),
        }
        for column in EXCHANGE_ROW.keys() - own.keys() - ROW.keys() - {"index"}:
            own[column] = getattr(self, column)
        if not self.results:
            return [{column: own.get(column) for column in EXCHANGE_ROW}]
        return [
            {column: values[column] for column in EXCHANGE_ROW}
            for index, result in enumerate(self.results)
            for values in [{**own, "index": index, **result.row()}]
        ]

    def json(self) -> bytes:
        """Return the exchange as one JSON object without line ends.

        Each of its ``results`` has ``dialect``, ``status``, ``body``, ``error``, ``problems`` and ``timing``. A kept
        request body is an object, too. Values of ``metadata`` that JSON cannot hold are written as their ``str``.
        """
        record = {name: getattr(self, name) for name in self.__struct_fields__}
        request = {name: getattr(self.request, name) for name in Request.__struct_fields__}
        if self.request.body is not None:
            request["body"] = msgspec.Raw(self.request.body)
        record["metadata"] = msgspec.Raw(_json_text(self.metadata).encode())
        record["request"] = request
        record["results"] = [_result_record(result) for result in self.results]
        return escape_controls(to_json(plain(record)))


def read_request(method: str | None, url: str | None, body: bytes | None, *, keep_body: int = 0) -> Request:
    """Return what is known of a request, without credentials.

    Args:
        method: The HTTP method.
        url: The address. Its path tells the model of Gemini and Azure OpenAI.
        body: The JSON of the request. ``None`` if it is not known.
        keep_body: Keep a body of at most so many bytes, without credentials.
    """
    head = _Head()
    if body and len(body) <= max(MAX_DECODED_REQUEST, keep_body):
        try:
            head = _HEADS.decode(body)
        except (ValueError, RecursionError):  # not JSON, or not an object
            body = None
    else:
        body = None
    model = head.model if type(head.model) is str else None
    stream = (head.stream if type(head.stream) is bool else False) if body else None
    path = urlsplit(url).path if url else ""
    if found := _GEMINI_PATH.search(path):
        model = model or unquote(found[1])
        stream = _GEMINI_STREAMS.get(found[2], stream)
    elif found := _AZURE_PATH.search(path):
        model = model or unquote(found[1])
    kept = clean_body(body) if body and len(body) <= keep_body else None
    return Request(method, clean_url(url) if url else None, model, stream, kept)


class _Head(msgspec.Struct):
    """The two fields of a request that every exchange tells. The decoder skips all others."""

    model: Any = None
    stream: Any = None


_HEADS = msgspec.json.Decoder(_Head)


def _result_record(result: Result[Any]) -> dict[str, Any]:
    timing = None if result.timing is None else msgspec.structs.asdict(result.timing)
    return {**result_record(result), "timing": timing}


def _json_text(value: Any) -> str:
    """Return any value as JSON text."""
    try:
        return msgspec.json.encode(plain(value), enc_hook=str).decode()
    except Exception:  # a value of the host may raise anything
        return msgspec.json.encode(plain(f"<{type(value).__name__}>")).decode()
