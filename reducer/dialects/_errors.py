"""The provider's error in its wire shapes, normalised (decision 13; quirks R16, E1-E5).

An ``error`` key; ``type`` or ``object`` equal to ``error``; an event named error; without ``choices``,
a ``detail``, or a ``message`` with a ``code``. ``null``, ``""``, ``{}`` and ``false`` are none.
"""

from __future__ import annotations

from typing import Any

from reducer.result import ProviderError
from reducer.typed import copied


def find_error(obj: dict[str, Any], name: str | None) -> ProviderError | None:
    """Return the error this event reports, if it reports one."""
    if obj.get("error"):
        return normalise(obj["error"], obj)
    if obj.get("type") == "error" or obj.get("object") == "error" or name == "error":
        return normalise(obj, obj)
    if "choices" not in obj and "type" not in obj:
        if obj.get("detail"):
            return normalise(obj, obj)
        if obj.get("message") and "code" in obj and obj["code"] != 0:  # Spark says 0 and Success beside its usage
            return normalise(obj, obj)
    return None


def normalise(error: Any, raw: Any) -> ProviderError:
    """Bring an error of any shape into one."""
    if type(error) is not dict:
        return ProviderError(message=error if type(error) is str else None, raw=copied(raw))
    kind = error.get("type")
    if kind == "error" or type(kind) is not str:
        kind = None
    status = error.get("status")
    if kind is None and type(status) is str:
        kind = status  # Gemini
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
