"""Find the provider's error in an event, and normalise it (decision 13; quirks R16, E1-E5).

An event reports an error if one of these is true:

- it has the key ``error``, and the value is not null, empty, 0 or false;
- its ``type`` or ``object`` is ``error``, or the framing names the event ``error``;
- it has neither ``choices`` nor ``type``, and it has a ``detail``, or a ``message`` together with a ``code``, which may
  be null but not 0 or ``"0"``: Spark sends code 0 and the message Success with its usage.
"""

from __future__ import annotations

from typing import Any

from reducer.body import copied
from reducer.result import ProviderError


def find_error(obj: dict[str, Any], name: str | None) -> ProviderError | None:
    """Return the error that an event reports, if it reports one. ``name`` is the event's name from the framing."""
    if obj.get("error"):
        return normalise(obj["error"], obj)
    if obj.get("type") == "error" or obj.get("object") == "error" or name == "error":
        return normalise(obj, obj)
    if "choices" not in obj and "type" not in obj:
        if obj.get("detail"):
            return normalise(obj, obj)
        if obj.get("message") and obj.get("code", 0) not in (0, "0"):
            return normalise(obj, obj)
    return None


def normalise(error: Any, raw: Any) -> ProviderError:
    """Convert an error of any shape to a `ProviderError`. ``raw`` is the value that the result shows as it came."""
    if type(error) is not dict:
        return ProviderError(message=error if type(error) is str else None, raw=copied(raw))
    kind = error.get("type")
    if kind == "error" or type(kind) is not str:
        status = error.get("status")  # Gemini's word for the type
        kind = status if type(status) is str else None
    message = error.get("message")
    detail = error.get("detail")
    if message is None and detail is not None:
        message = detail.get("message") if type(detail) is dict else detail
    code = error.get("code")
    return ProviderError(
        type=kind,
        code=code if type(code) in (str, int) else None,
        message=message if type(message) is str or message is None else str(message),
        param=copied(error.get("param")),
        raw=copied(raw),
    )
