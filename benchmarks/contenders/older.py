"""An older version of the reducer: the one that is installed in the interpreter that runs this module."""

from __future__ import annotations

from pathlib import Path

import reducer
from benchmarks.contenders.ours import modes, version

__all__ = ["modes", "version"]

if Path(reducer.__file__).resolve().parents[1] == Path(__file__).resolve().parents[2]:
    raise ImportError("no stream-reducer is installed in this interpreter")
