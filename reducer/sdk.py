"""Convert a body into an object of a provider's own Python package.

A body that the package's type accepts is validated. Real bodies are not always accepted, because providers send more
than their packages declare, and because a stream may have been cut:

- openai and anthropic: the body is passed to the type's ``construct``, which builds the inner objects too and keeps
  every value.
- google-genai has no such method. Its own client drops undeclared keys before it validates. `_validate_part` drops
  every value that the type refuses, and validates the rest.

The packages are imported here, when a conversion is asked for. Nothing else in `reducer` needs them.
"""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

from reducer.errors import MissingExtraError

# Package -> the arguments of `MissingExtraError`: the feature, the distribution, and the extra that installs it.
_MISSING = {
    "openai": ("Result.to_openai()", "openai", "openai"),
    "anthropic": ("Result.to_anthropic()", "anthropic", "anthropic"),
    "google": ("Result.to_gemini()", "google-genai", "gemini"),
}
# Package -> (module, name) of each type that a body may be converted into, the preferred type first.
SdkTypes = dict[str, tuple[tuple[str, str], ...]]


def to_sdk(package: str, types: tuple[tuple[str, str], ...], body: dict[str, Any]) -> Any:
    """Convert a body into the type that fits best. The conversion may change ``body``.

    The best type refuses the fewest values. Among equals, it leaves the fewest keys undeclared, then comes first.

    Raises `MissingExtraError` if the package is not installed.
    """
    models = [_import_model(package, module, name) for module, name in types]
    fits = [_validate(model, body) for model in models]
    best = min(range(len(models)), key=lambda place: (fits[place].refused, fits[place].undeclared))
    if not fits[best].refused:
        return fits[best].converted
    model = models[best]
    return _validate_part(model, body) if package == "google" else model.construct(**body)


def _import_model(package: str, module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != package:
            raise  # a module inside the SDK is missing: a defect of the installation, not a missing extra
        raise MissingExtraError(*_MISSING[package]) from missing


class _Fit(NamedTuple):
    """How well a type fits a body."""

    refused: int  # values that the type refuses
    undeclared: int  # top-level keys that the type does not declare
    converted: Any  # the object; None if the type refuses any value


def _validate(model: Any, body: dict[str, Any]) -> _Fit:
    try:
        converted = model.model_validate(body)
    except Exception as error:  # validators inside google-genai raise other types than pydantic's ValidationError
        return _Fit(len(_error_paths(error)) or 1, 0, None)
    return _Fit(0, len(converted.model_extra or ()), converted)


def _error_paths(error: Exception) -> list[tuple[Any, ...]]:
    """Return the path to each refused value, in the order of the body."""
    return [details["loc"] for details in getattr(error, "errors", list)()]


def _validate_part(model: Any, body: dict[str, Any]) -> Any:
    """Validate a body after removing every value that its type refuses."""
    while True:  # pydantic may report further errors only after the first ones are gone
        try:
            return model.model_validate(body)
        except Exception as error:
            # In reverse order, because removing a list entry moves the entries after it.
            if not [path for path in reversed(_error_paths(error)) if _remove(body, path)]:
                return model.model_construct(**body)


def _remove(body: Any, path: tuple[Any, ...]) -> bool:
    """Remove the value at a path of pydantic's; return whether anything was removed.

    Some steps of such a path name types instead of keys. Those steps are skipped.
    """
    found: tuple[Any, Any] | None = None
    node = body
    for key in path:
        if (type(node) is dict and key in node) or (type(node) is list and type(key) is int and key < len(node)):
            found = (node, key)
            node = node[key]
    if found is not None:
        del found[0][found[1]]
    return found is not None
