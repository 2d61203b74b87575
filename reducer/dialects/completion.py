"""What Chat and legacy completions share: the envelope of a chunk, choices, and log-probabilities."""

from __future__ import annotations

from types import NoneType
from typing import Any

from msgspec import UNSET, UnsetType, field

from reducer.body import Body, copied
from reducer.decoding import Report
from reducer.dialects.contract import Additions, Handlers, Options, State
from reducer.dialects.entries import Entries, WithEntries
from reducer.dialects.errors import normalise
from reducer.dialects.generic import built, merge_unknown
from reducer.dialects.rules import IGNORED, index_of, integer, last, last_non_empty, merge_generic, rule
from reducer.saving import Saved

_WITH_USAGE = frozenset({"id", "object", "created", "model", "system_fingerprint", "service_tier", "provider", "usage"})
_MAX_VALUES = 1024  # different ids, or models, that a state remembers


class Usage(Body, frozen=True):
    """Token counts as the provider reported them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class ChoiceState(Saved):
    """One choice in the making: what Chat and legacy completions say of it beside the answer."""

    fields: dict[str, Any]  # other keys of the choice
    finish: str | None  # the last finish reason
    finishes: dict[str, None]  # those that differ, in order, at most `_MAX_VALUES` (C21)
    logprobs: UnsetType | WithEntries  # see `merge_logprobs`
    token_ids: list[Any] | None

    def __init__(self) -> None:
        self.fields = {}
        self.finish = None
        self.finishes = {}
        self.logprobs = UNSET
        self.token_ids = None

    def set_finish(self, reason: str) -> None:
        """Set the last finish reason, and remember it among those before."""
        if len(self.finishes) < _MAX_VALUES:
            self.finishes[reason] = None
        self.finish = reason

    def has_calls(self) -> bool:
        return False

    def chosen_finish(self, has_calls: bool) -> str | None:
        """Return the reason of the body: a later stop does not take back that tools were called (C21)."""
        if self.finish == "stop" and has_calls:
            return next((one for one in reversed(self.finishes) if one in ("tool_calls", "function_call")), "stop")
        return self.finish

    def add_fields(self, body: dict[str, Any]) -> None:
        """Add to the body of the choice what follows its answer."""
        if self.logprobs is not UNSET:
            body["logprobs"] = built(self.logprobs)
        if self.token_ids is not None:
            body["token_ids"] = list(self.token_ids)
        add_missing(body, self.fields)


class Envelope(State):
    """A completion in the making. A dialect derives its own choices."""

    id: str | None
    ids: set[str]
    blank_id: str | None  # an id that counts as none
    created: Any
    model: str | None
    blank_model: str | None  # an empty model; it stays if no other ever comes
    models: set[str]
    usage: dict[str, Any] | None
    fields: dict[str, Any]  # other top-level keys of the body
    choices: dict[int, Any]  # a dialect declares their class

    def __init__(self, options: Options, report: Report, handlers: Handlers) -> None:
        super().__init__(options, report, handlers)
        self.id = None
        self.ids = set()
        self.blank_id = None
        self.created = None
        self.model = None
        self.blank_model = None
        self.models = set()
        self.usage = None
        self.fields = {}
        self.choices = {}

    def set_id(self, ident: str) -> None:
        """The first non-empty id wins (C14)."""
        if not ident or ident.endswith("-keepalive"):
            self.blank_id = ident  # omlx begins with one; it stays if no other id ever comes
            return
        if self.id is None:
            self.id = ident
        elif len(self.ids) == 1 and ident not in self.ids:
            # Reported once: Groq's compound models give every chunk an id of its own.
            self.report("id_differs", [self.id, ident], self.id)
        if len(self.ids) < _MAX_VALUES:
            self.ids.add(ident)

    def set_model(self, model: str) -> None:
        """The last model wins (C15)."""
        if self.model is not None and model not in self.models:
            self.report("model_differs", [self.model, model], model)
        if len(self.models) < _MAX_VALUES:
            self.models.add(model)
        self.model = model

    def set_usage(self, usage: dict[str, Any]) -> None:
        """The last usage wins, whole; field by field only with the repair (C25-C27)."""
        before, by_field = self.usage, "usage_fields" in self.options.repairs
        is_lost = before is not None and loses_usage(before, usage)
        if not by_field:
            self.usage = usage
        elif before is None:
            self.usage = copied(usage)
        else:
            merge_usage(before, usage)
        if is_lost:
            if by_field:
                self.report("repaired", {"usage": usage}, "usage_fields")
            else:
                self.report("repairable", {"usage": before}, "the last usage; the repair is usage_fields")

    def head(self, kind: str) -> dict[str, Any]:
        """Return the first keys of the body."""
        body: dict[str, Any] = {}
        if self.id is not None or self.blank_id is not None:
            body["id"] = self.id or self.blank_id
        body["object"] = kind
        created = self.created
        if created is not None:
            body["created"] = int(created) if type(created) is float and created.is_integer() else created
        model = self.blank_model if self.model is None else self.model
        if model is not None:
            body["model"] = model
        return body


def merge_id(state: Envelope, into: Any, key: str, value: str) -> None:
    if value != state.id:
        state.set_id(value)


def merge_created(state: Envelope, into: Any, key: str, value: Any) -> None:
    """The first that is not 0."""
    state.created = state.created or value


def merge_model(state: Envelope, into: Any, key: str, value: str) -> None:
    if not value:
        state.blank_model = value
    elif value != state.model:
        state.set_model(value)


def merge_usage_whole(state: Envelope, into: Any, key: str, value: dict[str, Any]) -> None:
    if value:
        state.set_usage(value)


def choice_index(choice: dict[str, Any]) -> int:
    """Return the index of a choice; a missing or negative one is 0 (C12)."""
    return index_of(choice.get("index")) or 0


def type_of(event: dict[str, Any]) -> str:
    """Return ``chunk``, or the type of an event of another kind among the chunks."""
    name = event.get("type")
    return name if type(name) is str and "choices" not in event and "object" not in event else "chunk"


def is_usage_alone(event: dict[str, Any]) -> bool:
    """Whether an event has the usage of a completion, and beside it nothing but what every chunk has."""
    usage = event.get("usage")
    return (
        type(usage) is dict
        and ("prompt_tokens" in usage or "completion_tokens" in usage)
        and _WITH_USAGE.issuperset(event)
    )


def is_decisive(event: dict[str, Any]) -> bool:
    """Whether a chunk tells Chat from legacy completions: its ``object`` does, a usage or empty choices do not (C7)."""
    kind = event.get("object")
    is_named = type(kind) is str and kind.startswith(("chat.completion", "text_completion"))
    if is_named or event.get("error"):
        return True
    return not is_usage_alone(event) if "choices" not in event else event["choices"] not in (None, [])


def merge_logprobs(old: Any, value: Any, *, is_odd: bool) -> Any:
    """Decision 9: lists extend, of other values the last wins; null replaces nothing, but stays if nothing else comes.

    ``old`` is what this function returned before, or ``UNSET``.
    """
    if type(value) is not dict:
        return value if value is not None or old is UNSET else old
    if type(old) is not dict:
        old = {}
    for key, entry in value.items():
        if type(entry) is list:
            entries = old.get(key)
            if type(entries) is not Entries:
                entries = old[key] = Entries()
            entries.extend(entry, is_odd=is_odd)
        elif entry is not None or key not in old:
            old[key] = entry
    return old


def merge_finish(state: Envelope, choice: ChoiceState, key: str, value: str) -> None:
    """The last non-empty one; all are remembered, because a body with calls prefers that of calls (C21)."""
    if value and choice.finishes and value not in choice.finishes:
        before = choice.finish
        choice.set_finish(value)
        state.report("finish_reason_differs", [before, value], choice.chosen_finish(choice.has_calls()))
    elif value:
        choice.set_finish(value)


def merge_choice_logprobs(state: Envelope, choice: ChoiceState, key: str, value: Any) -> None:
    choice.logprobs = merge_logprobs(choice.logprobs, value, is_odd=state.is_odd)


def append_token_ids(state: Envelope, choice: ChoiceState, key: str, value: list[Any]) -> None:
    if choice.token_ids is None:
        choice.token_ids = []
    choice.token_ids += value


def merge_choice_error(state: Envelope, choice: ChoiceState, key: str, value: Any) -> None:
    """OpenRouter: the error stays in the choice as well (decision 13)."""
    merge_unknown(choice.fields, {key: value})
    if value and state.error is None:
        state.error = normalise(value, value)


CHUNK_RULES = {
    "id": rule(merge_id, str),
    "created": rule(merge_created, int, float, str),
    "model": rule(merge_model, str),
    "usage": rule(merge_usage_whole, dict),
    "system_fingerprint": last_non_empty(str),
    "service_tier": last_non_empty(str),
    "provider": last(str),
    "prompt_filter_results": last(list),
    "metadata": last(),
    **dict.fromkeys(("object", "obfuscation", "p", "sequence_number", "error"), IGNORED),
}
CHOICE_RULES = {
    "index": integer("choices."),  # `choice_index` has read it
    "finish_reason": rule(merge_finish, str),
    "logprobs": rule(merge_choice_logprobs, dict, int, float, NoneType),
    "content_filter_results": rule(merge_generic, dict),
    "stop_reason": last(),
    "matched_stop": last(),
    "token_ids": rule(append_token_ids, list),
    "error": rule(merge_choice_error),
}


def add_usages(state: Envelope, usages: list[dict[str, Any]]) -> Additions | None:
    """Return what successive usages add, each of which replaces the one before; ``None`` if one would be reported."""
    if not usages:
        return []
    # `set_usage` compares the last one with the one before the batch, the event path each one with the one before it.
    pairs = [*zip([state.usage, *usages[:-1]], usages, strict=True), (state.usage, usages[-1])]
    if "usage_fields" in state.options.repairs or any(old and loses_usage(old, new) for old, new in pairs):
        return None
    return [("", state.set_usage, usages[-1])]


def on_done(state: Envelope, event: dict[str, Any]) -> None:
    state.done = True


def is_finished(state: Envelope) -> bool:
    """Whether ``[DONE]`` came, or a whole body, or a finish reason for every choice."""
    if state.done or state.whole is not None:
        return True
    return bool(state.choices) and all(choice.finish is not None for choice in state.choices.values())


def add_missing(body: dict[str, Any], fields: dict[str, Any], first: tuple[str, ...] = ()) -> None:
    """Add keys that the body lacks and that are not null, the ``first`` ones first."""
    for key in (*first, *fields):
        if fields.get(key) is not None:
            body.setdefault(key, fields[key])


def merge_usage(into: dict[str, Any], new: dict[str, Any]) -> None:
    """Merge usage field by field; 0 never replaces more than 0 (C27)."""
    for key, value in new.items():
        before = into.get(key)
        if type(value) is dict and type(before) is dict:
            merge_usage(before, value)
        elif value is not None and not (value == 0 and before):
            into[key] = copied(value)


def loses_usage(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether a count above 0 is missing from the later usage, or 0 there. Details may be missing as a whole."""
    for key, value in old.items():
        after = new.get(key)
        if type(value) is int and value > 0 and not after:
            return True
        if type(value) is dict and type(after) is dict and loses_usage(value, after):
            return True
    return False
