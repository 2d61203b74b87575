"""What OpenAI's two completion APIs share: the envelope of a chunk, logprobs, and the growth of choices."""

from __future__ import annotations

from typing import Any

from msgspec import UNSET, field

from reducer.decoding import Report
from reducer.dialects._dialect import LimitReached, Options, Row, State
from reducer.dialects._entries import Entries
from reducer.dialects._fragments import Fragments
from reducer.dialects._repairs import Watch, loses_usage, merge_usage
from reducer.dialects._wire import Wire, from_dict
from reducer.typed import Body

_MAX_IDS = 1024  # different ids, or models, that a state remembers


class Usage(Body, frozen=True):
    """Token counts as the provider reported them."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: dict[str, Any] | None = None
    completion_tokens_details: dict[str, Any] | None = None
    extra: dict[str, Any] = field(default_factory=dict)


class Stranger(Wire):
    """An event that is no chunk: it has a type, as no chunk has, and no choices. It is counted, and tells nothing."""

    type: str = ""


def revived(chunk: type[Wire], obj: dict[str, Any], report: Report) -> Any:
    """Read an event from a dict: a chunk, or one of another kind that stands among the chunks."""
    kind = obj.get("type")
    if type(kind) is str and kind != "chunk" and "choices" not in obj and "object" not in obj:
        return Stranger(type=kind)
    return from_dict(chunk, obj, report)


class Envelope(State):
    """A completion in the making, as far as chunks tell it beside their choices."""

    __slots__ = ("blank_id", "created", "extra", "id", "ids", "model", "models", "usage")

    def __init__(self, options: Options, report: Report, row: Row) -> None:
        super().__init__(options, report, row)
        self.id: str | None = None
        self.ids: set[str] = set()
        self.blank_id: str | None = None  # an id that counts as none
        self.created: Any = None
        self.model: str | None = None
        self.models: set[str] = set()
        self.usage: dict[str, Any] | None = None
        self.extra: dict[str, Any] = {}  # keys that nobody declared

    def take_id(self, ident: str) -> None:
        """The first that is not empty (C14)."""
        if not ident or ident.endswith("-keepalive"):
            self.blank_id = ident  # omlx opens with one; it stays if no other ever comes
            return
        if self.id is None:
            self.id = ident
        elif len(self.ids) == 1 and ident not in self.ids:
            # Once is enough: Groq's compound models give every chunk its own.
            self.report("id_differs", [self.id, ident], self.id)
        if len(self.ids) < _MAX_IDS:
            self.ids.add(ident)

    def take_model(self, model: str) -> None:
        """The last one (C15)."""
        if self.model is not None and model not in self.models:
            self.report("model_differs", [self.model, model], model)
        if len(self.models) < _MAX_IDS:
            self.models.add(model)
        self.model = model

    def take_usage(self, usage: dict[str, Any]) -> None:
        """The last one, whole; field by field only where the repair is on (C25-C27)."""
        before, by_field = self.usage, "usage_fields" in self.options.repairs
        self.usage = usage if before is None or not by_field else merge_usage(before, usage)
        if before is not None and loses_usage(before, usage):
            if by_field:
                self.report("repaired", {"usage": usage}, "usage_fields")
            else:
                self.report("repairable", {"usage": before}, "the last usage; the repair is usage_fields")

    def is_settled(self, ident: str | None, model: str | None, usage: dict[str, Any] | None) -> bool:
        """Whether a chunk with these, repeated, would report nothing and change nothing but the last usage."""
        if (ident or self.id) != self.id or (model or self.model) != self.model:
            return False
        return not (usage and self.usage is not None and loses_usage(self.usage, usage))

    def head(self, kind: str) -> dict[str, Any]:
        """The first keys of the body."""
        body: dict[str, Any] = {}
        if self.id is not None or self.blank_id is not None:
            body["id"] = self.id or self.blank_id
        body["object"] = kind
        created = self.created
        if created is not None:
            body["created"] = int(created) if type(created) is float and created.is_integer() else created
        if self.model is not None:
            body["model"] = self.model
        return body


def place(choice: Any) -> int:
    """The index of a choice; none, or one below 0, is 0 (C12)."""
    index: int | None = choice.index
    return index if index is not None and index >= 0 else 0


def check_growth(state: Any, choices: list[Any], *, bounded: bool = True) -> None:
    """Refuse a chunk that would open too much, before anything of it is taken."""
    limits = state.options.limits
    new = {place(choice) for choice in choices} - state.choices.keys()
    if len(new) > limits.max_new_slots:
        raise LimitReached("new_slots", len(new))
    if bounded and len(state.choices) + len(new) > limits.max_choices:
        raise LimitReached("choices", len(state.choices) + len(new))


def with_logprobs(old: Any, value: Any, *, typed: bool) -> Any:
    """Lists extend, other values take the last; null until an object, and a null list stays null (decision 9)."""
    if type(value) is not dict:
        return value if value is not None or old is UNSET else old
    if type(old) is not dict:
        old = {}
    for key, entry in value.items():
        if type(entry) is list:
            entries = old.get(key)
            if type(entries) is not Entries:
                entries = old[key] = Entries()
            entries.extend(entry, typed=typed)
        elif entry is not None or key not in old:
            old[key] = entry
    return old


def built_logprobs(value: Any) -> Any:
    """Return what `with_logprobs` made, for a body."""
    if type(value) is not dict:
        return value
    return {key: entry.build() if type(entry) is Entries else entry for key, entry in value.items()}


def watched(piece: str, text: Fragments, watch: Watch) -> tuple[Fragments, Watch | None]:
    """Let a piece that is the whole text so far take its place, where the repair is on (C1, T18)."""
    if not watch.goes_on(piece):
        return text, None
    return (Fragments() if watch.replaces(piece, text) else text), watch


def is_undecided(obj: dict[str, Any]) -> bool:
    """Whether chats and text completions alike begin with this: no choices, and no name for what it is (C7)."""
    kind = obj.get("object")
    named = type(kind) is str and kind.startswith(("chat.completion", "text_completion"))
    return "choices" in obj and obj["choices"] in (None, []) and not named and not obj.get("error")
