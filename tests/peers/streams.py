"""A simple reader of the framing, so that the peers' input does not depend on ours."""

from __future__ import annotations

import json
import re
from typing import Any


def payloads(data: bytes) -> list[Any]:
    """Return the JSON values of a stream: of its ``data:`` fields, or of its lines where it has none."""
    text = re.sub(r"\r\n?", "\n", data.decode("utf-8-sig", "replace"))
    found = []
    for event in text.split("\n\n"):
        lines = event.split("\n")
        fields = [line[5:].removeprefix(" ") for line in lines if line.startswith("data:")]
        found += ["\n".join(fields)] if fields else [line for line in lines if line.startswith("{")]
    values = []
    for value in found:
        try:
            values.append(json.loads(value))
        except ValueError:
            continue  # [DONE], heartbeats, a cut tail
    return [value for value in values if isinstance(value, dict)]
