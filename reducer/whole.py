"""`reduce` and `reduce_all`: a complete capture in memory, or an iterable of it, in one call."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from reducer.dialects._table import reduces, reduces_all, typed_as
from reducer.engine import Reducer
from reducer.errors import UsageError
from reducer.result import Result

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Unpack

    from reducer.engine import Keywords

# Large captures are fed in windows, so that no copy of the whole is made.
_WINDOW = 1 << 20


@typed_as(reduces)
def reduce(data: Any, dialect: str = "auto", **options: Unpack[Keywords]) -> Result[Any]:
    """Reduce a complete stream to its result.

    Args:
        data: The body as bytes, or an iterable: bytes-like entries are reads of the body, others payloads.
        dialect: The wire language, or ``"auto"``.
        **options: Those of `Reducer`.

    Of several responses in it the result is the first, with the problem ``several_responses``.
    """
    return _fed(data, dialect, options).close()


@typed_as(reduces_all)
def reduce_all(data: Any, dialect: str = "auto", **options: Unpack[Keywords]) -> list[Result[Any]]:
    """Reduce a capture that may hold several responses, one after another, to all their results.

    Takes what `reduce` takes. There is always at least one result; of nothing it is ``empty``.
    """
    reducer = _fed(data, dialect, options)
    reducer.close()
    return reducer.results


def _fed(data: Any, dialect: str, options: Keywords) -> Reducer[Any]:
    reducer: Reducer[Any] = Reducer(dialect, **options)
    if isinstance(data, bytes | bytearray | memoryview):
        if len(data) <= _WINDOW:
            reducer.feed(data)
        else:
            view = memoryview(data).cast("B")
            for at in range(0, len(view), _WINDOW):
                reducer.feed(view[at : at + _WINDOW])
    elif isinstance(data, str) or not isinstance(data, Iterable):
        raise UsageError(f"reduce takes bytes or an iterable of reads or payloads, not {type(data).__name__}")
    else:
        for entry in data:
            if isinstance(entry, bytes | bytearray | memoryview):
                reducer.feed(entry)
            else:
                reducer.feed_event(entry)
    return reducer
