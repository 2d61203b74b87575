"""The state of one output item: its slot, its parts and its texts, and how a later stage replaces an earlier one.

An item object comes at up to three stages (added, done, terminal); between them its texts come in deltas and done
events. The latest stage wins, whole, except that a text is not replaced by one that is empty or only a part of it
(R1, R2, R3). A `StagedText` holds each text; the item or part has an empty string or list in its place until `build`,
so that no text is kept twice.
"""

from __future__ import annotations

from typing import Any

from reducer.decoding import Report
from reducer.dialects.contract import State, check_growth
from reducer.dialects.generic import json_key
from reducer.dialects.openai_responses.events import ITEM_TEXTS, Family
from reducer.dialects.text import Fragments, Text
from reducer.dialects.views import record
from reducer.problems import SHOWN
from reducer.saving import Saved

ADDED, DELTA, PART_DONE, ITEM_DONE, TERMINAL = range(5)  # stages

PART_KEYS = ("content", "summary")  # lists of parts
# Never compared: these change between the stages of one honest answer (R5, R6, R7).
_INCOMPARABLE = frozenset({"id", "status", "encrypted_content", "signature", "fingerprint", *PART_KEYS})

Object = dict[str, Any]


class StagedText(Text):
    """A text that several stages send."""

    stage: int

    def __init__(self, state: State, text: str = "", stage: int = ADDED) -> None:
        super().__init__(state, text)
        self.stage = stage

    def add(self, piece: str) -> None:
        """Append the text of a delta."""
        Text.add(self, piece)
        self.stage = DELTA

    def extend(self, pieces: list[str]) -> None:
        """Append the texts of several deltas."""
        Text.extend(self, pieces)
        self.stage = DELTA

    def replace(self, text: str, stage: int, report: Report, where: str) -> None:
        """Replace the text by a later stage's, unless that is empty or a proper prefix or suffix of what is here."""
        if stage < self.stage and self.fragments:
            return
        if not self.fragments.equals(text):
            old = self.fragments
            if old and not text:
                return
            if old and old.begins_or_ends_with(text):
                report("shorter_text", {where: text}, old.shown(SHOWN))
                return
            if old and self.stage >= PART_DONE:
                report("sources_differ", {where: old.shown(SHOWN)}, text)
            self.fragments = Fragments(text)
        self.stage = stage


class Annotations(Saved):
    """The annotations of a part, by index."""

    by_index: dict[int, Any]
    end: int  # an index after all others
    keys: set[bytes]

    def __init__(self, known: Any) -> None:
        self.by_index = dict(enumerate(known)) if type(known) is list else {}
        self.end = len(self.by_index)
        self.keys = set(map(json_key, self.by_index.values()))

    def add(self, annotation: Any, index: int | None) -> None:
        """Put an annotation at its index, or after the others if the index is taken; drop one that is there already."""
        key = json_key(annotation)
        if annotation is None or key in self.keys:
            return
        if index is None or index in self.by_index:
            index = self.end
        self.by_index[index] = annotation
        self.keys.add(key)
        self.end = max(self.end, index + 1)

    def build(self) -> list[Any]:
        return [self.by_index[index] for index in sorted(self.by_index)]


class Part(Saved):
    """A part of content or summary: the object that the wire sent, its text, and what came in other events."""

    # From deltas or a text's done event, and from events of their own, by index. None: the object has them.
    logprobs: list[Any] | None
    annotations: Annotations | None
    last_index: int  # the highest index, other than its own, of an event that continued this part (R32)
    field: str
    stage: int
    object: Object
    text: StagedText | None  # None: no text has come

    def __init__(self, state: State, obj: Object, stage: int, field: str | None = None) -> None:
        """Make a part of its object; ``field`` is the key of its text if the event is about one."""
        self.logprobs = None
        self.annotations = None
        self.last_index = -1
        self._set(state, obj, stage, field)

    def _set(self, state: State, obj: Object, stage: int, field: str | None) -> None:
        self.field = field or ("refusal" if obj.get("type") == "refusal" else "text")
        self.stage = stage
        self.object = obj
        self.text = None
        value = obj.get(self.field)
        if type(value) is str:
            self.object = {**obj, self.field: ""}
            self.text = StagedText(state, value, stage)
        elif field:
            self.text = StagedText(state, "", stage)

    @property
    def type(self) -> Any:
        return self.object.get("type")

    def has_content(self) -> bool:
        return self.text is None or bool(self.text)

    def replace(self, state: State, obj: Object, stage: int, where: str) -> None:
        """Replace the part by a later stage's."""
        if stage < self.stage:
            return
        if self.text is None or self.is_of_another_kind(obj):
            if self.text and self.text.stage >= PART_DONE:
                state.report("sources_differ", {where: str(self.text)}, obj)
            self.logprobs = self.annotations = None
            self._set(state, obj, stage, None)
            return
        annotations = self.all_annotations()
        if annotations and stage >= PART_DONE and obj.get("annotations") != annotations:
            state.report("sources_differ", {f"{where}.annotations": annotations}, obj.get("annotations"))
        self.stage = stage
        self.annotations = None
        if obj.get("logprobs"):
            self.logprobs = None
        value = obj.get(self.field)
        self.object = obj
        if type(value) is str:
            self.object = {**obj, self.field: ""}
            self.text.replace(value, stage, state.report, where)

    def is_of_another_kind(self, obj: Object) -> bool:
        kind = obj.get("type")
        return kind is not None and (kind == "refusal") != (self.field == "refusal")

    def all_annotations(self) -> Any:
        return self.object.get("annotations") if self.annotations is None else self.annotations.build()

    def add_annotation(self, annotation: Any, index: int | None) -> None:
        if self.annotations is None:
            self.annotations = Annotations(self.object.get("annotations"))
        self.annotations.add(annotation, index)

    def add_logprobs(self, logprobs: list[Any]) -> None:
        if self.logprobs is None:
            known = self.object.get("logprobs")
            self.logprobs = list(known) if type(known) is list else []
        self.logprobs.extend(logprobs)

    def build(self) -> Object:
        body = dict(self.object)
        if self.text is not None:
            body[self.field] = str(self.text)
        if self.logprobs is not None:
            body["logprobs"] = list(self.logprobs)
        if self.annotations is not None and self.annotations.by_index:
            body["annotations"] = self.all_annotations()
        return body


class Slot(Saved):
    """An output item in the making."""

    is_shared = True
    index: int | None  # the `output_index` that the wire gave first
    item: Object  # empty: only its place is known
    parts: dict[str, dict[int, Part]]  # by list and index
    ends: dict[str, int]  # by list: an index after all its parts
    texts: dict[str, StagedText]  # by a key of ITEM_TEXTS
    commands: dict[int, StagedText]  # of a shell call
    outputs: dict[
        int, dict[str, Fragments] | list[Any]
    ]  # of a shell call's commands: fragments by key, or the list of the done event
    is_guessed: bool  # an event of an item that was never added has made the item
    is_closed: bool  # a done event of the item's own text has come
    is_done: bool  # the item's done event or the terminal event has come

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.item = {}
        self.parts = {}
        self.ends = {}
        self.texts = {}
        self.commands = {}
        self.outputs = {}
        self.is_guessed = False
        self.is_closed = False
        self.is_done = False

    def check(self) -> None:
        if not self.texts.keys() <= ITEM_TEXTS.keys():
            raise ValueError("an item has no text of this name")
        if any(parts and key not in self.ends for key, parts in self.parts.items()):
            raise ValueError("an item has parts without an end")

    @property
    def type(self) -> Any:
        return self.item.get("type")

    # -- whole items -----------------------------------------------------------------------------

    def replace(self, state: State, item: Object, stage: int) -> None:
        """Replace the item by a later stage's. Its texts and parts decide themselves what replaces them."""
        if stage < ITEM_DONE and self.is_done:
            return
        before = self._build_plain() if stage == TERMINAL and self.is_done else None
        if before is not None:
            self._report_missing_texts(item, state.report)
        self.item = dict(item)
        self.is_guessed = False
        if item.get("output"):
            self.outputs = {}
        self._replace_texts(state, item, stage)
        if item.get("type") == "shell_call":
            self._replace_commands(state, item.get("action"), stage)
        for key in PART_KEYS:
            value = item.get(key)
            # An empty list takes nothing back.
            if type(value) is not list or (not value and self.parts.get(key)):
                continue
            if all(type(entry) is dict for entry in value):
                self._replace_parts(state, key, value, stage)
                self.item[key] = []
            else:
                self.parts.pop(key, None)  # entries that are not objects stay as they are
                self.ends.pop(key, None)
        if before is not None:
            _compare(before, self._build_plain(), state.report)
        self.is_done = self.is_done or stage >= ITEM_DONE

    def _replace_texts(self, state: State, item: Object, stage: int) -> None:
        for key, inside in ITEM_TEXTS.items():
            holder = item.get(inside) if inside else item
            value = holder.get(key) if type(holder) is dict else None
            if type(value) is str:
                self._replace_text(state, key, value, stage)
                if inside is None:
                    self.item[key] = ""
                else:
                    self.item[inside] = {**record(holder), key: ""}
            elif value is not None and inside is None:
                self.texts.pop(key, None)

    def _replace_commands(self, state: State, action: Any, stage: int) -> None:
        """Replace the commands of a shell call: the n-th command of the action is the n-th that came."""
        values = action.get("commands") if type(action) is dict else None
        if type(values) is not list:
            return
        if not all(type(value) is str for value in values):
            self.commands = {}  # commands that are not texts stay as they are
            return
        indices = _indices_for(self.commands, len(values))
        left_out = [str(self.commands[index]) for index in sorted(self.commands)[len(values) :]] if values else []
        if any(left_out):
            state.report("sources_differ", {"commands": left_out}, "left out: what came later lacks them")
        old = self.commands
        if values:
            self.commands = {}
        for index, value in zip(indices, values, strict=True):
            command = self.commands[index] = old.get(index) or StagedText(state, value, stage)
            command.replace(value, stage, state.report, "command")
        self.item["action"] = {**action, "commands": []}

    def _report_missing_texts(self, item: Object, report: Report) -> None:
        """Report the texts of a done item that the item of the terminal event lacks."""
        missing = {}
        for key, text in self.texts.items():
            inside = ITEM_TEXTS[key]
            holder = record(item.get(inside)) if inside else item
            if text and not holder.get(key):
                missing[key] = str(text)
        for key, parts in self.parts.items():
            objects = item.get(key) or [{}] * len(parts)
            if type(objects) is not list:
                continue
            # Fewer parts, and parts of another kind, are reported where the parts are replaced.
            for place, (index, obj) in enumerate(zip(sorted(parts), objects, strict=False)):
                part = parts[index]
                is_lost = part.text and type(obj) is dict and not obj.get(part.field)
                if is_lost and not part.is_of_another_kind(obj):
                    missing[f"{key}[{place}].{part.field}"] = str(part.text)
        if missing:
            report("sources_differ", missing, "kept: the item of the terminal event lacks it")

    def _replace_text(self, state: State, key: str, value: str, stage: int) -> None:
        text = self.texts.get(key)
        if text is None:
            self.texts[key] = StagedText(state, value, stage)
        else:
            text.replace(value, stage, state.report, key)

    def _replace_parts(self, state: State, key: str, objects: list[Object], stage: int) -> None:
        old = self.parts.get(key, {})
        new: dict[int, Part] = {}
        for place, (index, obj) in enumerate(zip(_indices_for(old, len(objects)), objects, strict=True)):
            part = old.get(index)
            if part is None:
                part = Part(state, obj, stage)
            else:
                part.replace(state, obj, stage, f"{key}[{place}]")
            new[index] = part
        for index in sorted(old)[len(objects) :]:
            if old[index].has_content():
                state.report("sources_differ", {key: old[index].build()}, "left out: what came later lacks it")
        self.parts[key] = new
        self.ends[key] = max(new, default=-1) + 1

    # -- parts and texts -------------------------------------------------------------------------

    def open_part(self, state: State, family: Family, index: int | None) -> tuple[Part, StagedText]:
        """Return the part at an index, or without one the last of its kind (R27); make it and its text if missing."""
        kind, field = family.part, family.field
        key = family.parts or ""
        parts = self.parts.setdefault(key, {})
        if index is None:
            index = _last_index(parts, kind)
        part = parts.get(index)
        if part is not None and part.field != field and part.text:
            # Another kind of text at the same index is a part of its own, after the others.
            index = next((place for place, other in parts.items() if other.type == kind), self.ends[key])
            part = parts.get(index)
        if part is None or part.field != field:
            part = self.add_part(state, key, index, Part(state, {"type": kind}, ADDED, field))
        if part.text is None:
            part.text = StagedText(state)
        return part, part.text

    def add_part(self, state: State, key: str, index: int, part: Part) -> Part:
        """Put a part at an index. Raises `LimitReached` if there are too many."""
        parts = self.parts[key]
        check_growth(state, "items", len(parts), 1)
        parts[index] = part
        self.ends[key] = max(self.ends.get(key, 0), index + 1)
        return part

    def find_part_text(self, family: Family, index: int | None) -> StagedText | None:
        """Find the text that a delta adds to, if it would make nothing and continue no part from beside it."""
        parts = self.parts.get(family.parts or "", {})
        part = parts.get(_last_index(parts, family.part) if index is None else index)
        return part.text if part is not None and part.field == family.field else None

    def continue_counted(
        self, key: str, kind: Any, index: int | None, text: str | None, is_part: bool = False
    ) -> int | None:
        """Return the index of the part that an event is about, if no part has the index that the event gives (R32).

        vLLM counts the ``content_index`` up with every delta. So a delta above the index of the newest part of its
        type, but at most one above the last index that was used for it, continues that part until its text is done. A
        done event there belongs to the part only if its text equals or extends the part's. Any other event is about a
        part of its own.

        Args:
            key: The list of parts.
            kind: The type of the part that the event is about.
            index: The index that the event gives.
            text: The text of a done event; ``None`` for a delta.
            is_part: Whether a done event is the part's, which comes after that of the text.
        """
        parts = self.parts.get(key, {})
        if key != "content" or index is None:
            return index
        own = max((place for place, part in parts.items() if part.type == kind), default=-1)
        part = parts.get(own)
        if part is None or not own < index <= max(own, part.last_index) + 1:
            return index
        is_done = part.text is not None and part.text.stage >= PART_DONE
        if text is None:
            belongs = not is_done
        elif is_done:
            belongs = is_part and part.stage < PART_DONE and str(part.text) == text
        else:
            belongs = text.startswith(str(part.text or ""))
        if not belongs:
            return index
        part.last_index = max(part.last_index, index)
        return own

    def open_text(self, state: State, key: str) -> StagedText:
        """Return a text of the item itself; make it if it is missing."""
        text = self.texts.get(key)
        if text is None:
            text = self.texts[key] = StagedText(state)
        return text

    def open_command(self, state: State, index: int, text: str = "") -> StagedText:
        """Return a command of a shell call; make it of this text if it is missing."""
        command = self.commands.get(index)
        if command is None:
            command = self.commands[index] = StagedText(state, text)
        return command

    def all_texts(self) -> list[StagedText]:
        parts = [part.text for parts in self.parts.values() for part in parts.values() if part.text is not None]
        return [*self.texts.values(), *self.commands.values(), *parts]

    def has_content(self) -> bool:
        if self.type not in (None, "message", "reasoning"):
            return True
        return any(part.has_content() for parts in self.parts.values() for part in parts.values())

    # -- the body --------------------------------------------------------------------------------

    def build(self) -> Object:
        """Build the item so far."""
        item = self._build_plain()
        for key, parts in self.parts.items():
            if parts or key in item:
                item[key] = [parts[index].build() for index in sorted(parts)]
        for key, text in self.texts.items():
            inside = ITEM_TEXTS[key]
            if inside is None:
                item[key] = str(text)
            else:
                item[inside] = {**record(item.get(inside)), key: str(text)}
        if self.commands:
            commands = [str(self.commands[index]) for index in sorted(self.commands)]
            item["action"] = {**record(item.get("action")), "commands": commands}
        return item

    def _build_plain(self) -> Object:
        """Build the item without parts and texts, which are not compared: a stage may send only some of them."""
        item = dict(self.item)
        if self.outputs:
            item["output"] = [entry for index in sorted(self.outputs) for entry in _build_output(self.outputs[index])]
        return item


def _indices_for(old: dict[int, Any], count: int) -> list[int]:
    """Return indices for ``count`` values: the n-th value takes the n-th known index, further values new ones."""
    known = sorted(old)[:count]
    if len(known) == count:
        return known
    first = max(old, default=-1) + 1
    return known + list(range(first, first + count - len(known)))


def _last_index(parts: dict[int, Part], kind: str) -> int:
    """Return the index of the last part of a kind; 0 if there is none."""
    return max((index for index, part in parts.items() if part.type == kind), default=0)


def _build_output(output: Any) -> list[Any]:
    if type(output) is dict:
        return [{key: str(value) for key, value in output.items()}]
    return list(output)


def _compare(done: Object, terminal: Object, report: Report) -> None:
    """Report where an item's done event and the terminal event disagree, texts aside."""
    for key, value in done.items():
        other = terminal.get(key)
        if value and other and value != other and key not in _INCOMPARABLE and _filled(value) != _filled(other):
            report("sources_differ", {key: value}, other)


def _filled(value: Any) -> Any:
    """Return an object without its empty values; any other value as it is."""
    return {key: entry for key, entry in value.items() if entry} if type(value) is dict else value
