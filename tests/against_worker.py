"""Reduce streams that come over a pipe, with the version of stream-reducer that this interpreter has installed.

`tests.against` starts this file with the other version's interpreter, so it imports only the standard library and
`reducer`. A message is a length in four bytes, followed by as many bytes. A request consists of two messages: the options
as JSON, and the stream. The answer is one message: the outcomes as JSON.
"""

from __future__ import annotations

import inspect
import json
import struct
import sys
from collections.abc import Iterable
from typing import Any, BinaryIO

import reducer

# The option that switches off the fast paths.
FAST = "lanes" if "lanes" in inspect.signature(reducer.Reducer.__init__).parameters else "fast"


def outcomes(data: bytes | Iterable[bytes], options: dict[str, Any], fast: bool) -> list[dict[str, Any]]:
    """Reduce a stream. Return the compared parts of each result, or the exception."""
    arguments = {**options, FAST: fast}
    if "limits" in options:
        arguments["limits"] = reducer.Limits(**options["limits"])
    try:
        return [_outcome(result) for result in reducer.reduce_all(data, **arguments)]
    except Exception as error:
        return [{"raised": f"{type(error).__name__}: {error}"[:300]}]


def _outcome(result: reducer.Result[Any]) -> dict[str, Any]:
    error = result.error
    parts = None if error is None else {key: getattr(error, key) for key in ("type", "code", "message", "param")}
    return {
        "status": result.status,
        "dialect": result.dialect,
        "body": result.json().decode(),
        "problems": [problem.code for problem in result.problems],
        "error": json.loads(json.dumps(parts, default=repr)),
    }


def read_message(stream: BinaryIO) -> bytes:
    """Return the next message. Raises `EOFError` at the end."""
    head = stream.read(4)
    if len(head) < 4:
        raise EOFError
    return stream.read(*struct.unpack(">I", head))


def write_message(stream: BinaryIO, message: bytes) -> None:
    stream.write(struct.pack(">I", len(message)) + message)
    stream.flush()


def reads(data: bytes, size: int) -> Iterable[bytes]:
    """Cut a stream into reads of a size; a size of 0 means one read."""
    return [data[at : at + size] for at in range(0, len(data), size)] if size else data  # type: ignore[return-value]


def main() -> None:
    """Answer requests until the pipe is closed. The first answer names the version."""
    hello = {"version": reducer.__version__, "file": reducer.__file__, "option": f"{FAST}=False"}
    write_message(sys.stdout.buffer, json.dumps(hello).encode())
    while True:
        try:
            request = json.loads(read_message(sys.stdin.buffer))
        except EOFError:
            return
        data = read_message(sys.stdin.buffer)
        found = outcomes(reads(data, request["read_size"]), request["options"], request["fast"])
        write_message(sys.stdout.buffer, json.dumps(found).encode())


if __name__ == "__main__":
    main()
