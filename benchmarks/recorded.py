"""The corpus: a folder of recorded streams, one sub-folder a dialect, named by ``$REDUCER_CORPUS``.

Its ``index.jsonl`` has a row for each stream with the file's ``path`` and its ``dialect``. Standard library only: this
module runs in the environments of other versions and of other accumulators too.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

# The corpus' names of the dialects, and ours.
DIALECTS = {
    "chat": "openai.chat",
    "responses": "openai.responses",
    "anthropic": "anthropic.messages",
    "gemini": "gemini.generate",
    "completions": "openai.completions",
}


def find_corpus() -> Path | None:
    """Return the folder of the corpus, if ``$REDUCER_CORPUS`` names one."""
    folder = Path(os.environ.get("REDUCER_CORPUS") or "/nonexistent")
    return folder if (folder / "index.jsonl").is_file() else None


def read_streams(folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """Yield the dialect, the path inside the folder and the bytes of each stream, in the order of the index."""
    with (folder / "index.jsonl").open(encoding="utf-8") as index:
        for line in index:
            row = json.loads(line)
            yield DIALECTS[row["dialect"]], row["path"], (folder / row["path"]).read_bytes()
