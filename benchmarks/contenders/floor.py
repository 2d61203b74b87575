"""The decode floor: see `benchmarks.floor`."""

from __future__ import annotations

import msgspec

from benchmarks.contenders import Mode
from benchmarks.floor import DECODE
from benchmarks.streams import Stream


def version() -> str:
    """Return msgspec's."""
    return f"msgspec {msgspec.__version__}"


def modes(dialect: str) -> dict[str, Mode]:
    """Decode; ``dialect`` may be of the stream."""

    def prepare(stream: Stream) -> tuple[list[bytes], str]:
        return stream.payloads(), stream.dialect

    return {"": Mode(prepare, decoded)}


def decoded(framed: tuple[list[bytes], str]) -> None:
    """Decode the payloads and drop the events."""
    payloads, dialect = framed
    decode = DECODE[dialect]
    for payload in payloads:
        decode(payload)
