"""Gemini's streamGenerateContent: CRLF, a blank after every colon, the usage so far in every chunk."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from benchmarks.streams import ID
from benchmarks.words import Words, mixed


def text(rng: Random, deltas: int, words: Words = mixed) -> bytes:
    """Text of one candidate."""
    pieces = words(rng, deltas)
    chunks = [_chunk(piece, number) for number, piece in enumerate(pieces)]
    chunks.append(_chunk("", len(pieces), finish="STOP"))
    return b"".join(chunks)


def _chunk(piece: str, count: int, finish: str | None = None) -> bytes:
    candidate: dict[str, Any] = {"content": {"parts": [{"text": piece}], "role": "model"}}
    if finish is not None:
        candidate["finishReason"] = finish
    chunk = {
        "candidates": [{**candidate, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 24,
            "candidatesTokenCount": count,
            "totalTokenCount": 24 + count,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 24}],
        },
        "modelVersion": "gemini-2.5-flash",
        "responseId": ID,
    }
    return b"data: %b\r\n\r\n" % json.dumps(chunk, ensure_ascii=False, separators=(",", ": ")).encode()
