"""A body as the type of a provider's own package, which nothing else here needs.

A body that such a type allows is validated. Any other is constructed, because providers send more than the packages
know, and a stream may have been cut: openai's and anthropic's own ``construct`` builds the inner objects too and keeps
whatever there is. google-genai has none; its client drops the keys that its types do not declare before it validates,
and so does this; a value of another type than declared is left out as well.
"""

from __future__ import annotations

import importlib
from typing import Any

from reducer.errors import MissingExtraError

# Package -> what needs it, its name, and the extra that installs it.
_SDKS = {
    "openai": ("Result.to_openai()", "openai", "openai"),
    "anthropic": ("Result.to_anthropic()", "anthropic", "anthropic"),
    "google": ("Result.to_gemini()", "google-genai", "gemini"),
}
# By package, the modules and names of the types that a body may be, the usual one first.
SdkTypes = dict[str, tuple[tuple[str, str], ...]]


def to_sdk(package: str, types: tuple[tuple[str, str], ...], body: dict[str, Any]) -> Any:
    """Make a body the type of a package that fits it best; the body may be changed by it.

    Raises `MissingExtraError` without the package.
    """
    models = [_imported(package, module, name) for module, name in types]
    fits = [_fit(model, body) for model in models]
    refused, _, place, made = min((*fit[:2], place, fit[2]) for place, fit in enumerate(fits))
    if not refused:
        return made
    model = models[place]
    return _pruned(model, body) if package == "google" else model.construct(**body)


def _imported(package: str, module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.partition(".")[0] != package:
            raise
        raise MissingExtraError(*_SDKS[package]) from missing


def _fit(model: Any, body: dict[str, Any]) -> tuple[int, int, Any]:
    """How much of a body a type refuses, and how many of its keys it does not know; and the object, if there is one."""
    try:
        made = model.model_validate(body)
    except Exception as error:  # google-genai's own checks raise what they like
        return len(_places(error)) or 1, 0, None
    return 0, len(made.model_extra or ()), made


def _places(error: Exception) -> list[tuple[Any, ...]]:
    """Where a validation failed, in the order of the body."""
    return [one["loc"] for one in getattr(error, "errors", list)()]


def _pruned(model: Any, body: dict[str, Any]) -> Any:
    """Validate a body without what its type refuses."""
    while True:  # an error may hide others further in
        try:
            return model.model_validate(body)
        except Exception as error:
            # From the end, so that places in a list stay those they were.
            if not [place for place in reversed(_places(error)) if _drop(body, place)]:
                return model.model_construct(**body)


def _drop(body: Any, place: tuple[Any, ...]) -> bool:
    """Take out what is at a place, as near as that is there: some of its steps name types, not keys."""
    found: tuple[Any, Any] | None = None
    node = body
    for key in place:
        if (type(node) is dict and key in node) or (type(node) is list and type(key) is int and key < len(node)):
            found = (node, key)
            node = node[key]
    if found is not None:
        del found[0][found[1]]
    return found is not None
