"""Compare this checkout with another installed version of stream-reducer, over recorded streams and mutants of them.

``python -m tests.against --python OTHER/bin/python [--seed N] [--count N] [--jobs 2] [--corpus DIR] [--only NAME]``

Each input goes to the other version's event path and to both paths of this checkout, with the same options. Equal
differences are printed once, with their count and the first inputs. A mutant is printed with its number: the same number
with the same folders gives the same mutant. Some kinds of differences are explained and counted apart: those that
`ACCEPTED` explains, those in the order of keys and problems, and inputs on which the result of the other version depends
on its fast path or on the split. The exit code is 1 if any difference is unexplained.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from reducer.dialects.registry import load
from tests.against_worker import outcomes, read_message, write_message
from tests.corpus import differences
from tests.mutations import SAMPLES, Event, decoded, keep, mutant, options_of, seeds, streams

NUMBERS_PER_SEED = 100_000_000
CHUNK = 400  # inputs that one process compares before it reports
MAX_EXAMPLES = 3  # inputs that are kept of each kind of difference
MAX_ASKED = 50  # per kind of difference; how often a process checks whether the other version disagrees with itself
WORKER = Path(__file__).with_name("against_worker.py").resolve()

Outcomes = list[dict[str, Any]]


class Case(NamedTuple):
    """One input on which the versions differ."""

    data: bytes
    options: dict[str, Any]
    theirs: Outcomes
    ours: Outcomes
    fields: frozenset[str]  # the parts of the outcomes that differ; for bodies, every path

    @property
    def dialects(self) -> set[str | None]:
        return {outcome.get("dialect") for outcome in self.ours}


# -- known differences ---------------------------------------------------------------------------


class Known(NamedTuple):
    """A decided difference: a trait that the input must have, and the parts of the outcomes that may differ then."""

    is_possible: Callable[[Case], bool]
    may_differ: str  # a pattern for every field that differs
    reason: str

    def explains(self, case: Case, field: str) -> bool:
        return re.match(self.may_differ, field) is not None and self.is_possible(case)


ORDER = "only the order of keys or of problems differs"
_ORDER_FIELDS = {"body: only the order of keys", "problems: another order"}
_TERMINAL_TYPES = {"response.completed", "response.incomplete", "response.failed", "response.cancelled"}
_PLAIN_DELTAS = {"text_delta", "input_json_delta", "thinking_delta", "signature_delta", "citations_delta"}


def has_gemini_parts(case: Case) -> bool:
    lists = [value for key, value in _members(case.data) if key == "parts" and type(value) is list]
    return case.dialects == {"gemini.generate"} and any(type(part) is not dict for parts in lists for part in parts)


def has_printed_bytes(case: Case) -> bool:
    return re.search(rb"""data: ?b['"]""", case.data) is not None


def has_calls_that_share_an_index(case: Case) -> bool:
    """Return whether calls at one index have different ids, or different names."""
    found: dict[tuple[str, str], set[str]] = {}
    for key, value in _members(case.data):
        for entry in value if key == "tool_calls" and type(value) is list else ():
            if type(entry) is dict:
                function = entry.get("function")
                name = function.get("name") if type(function) is dict else None
                for kind, value_of_kind in (("id", entry.get("id")), ("name", name)):
                    if value_of_kind:
                        found.setdefault((kind, repr(entry.get("index"))), set()).add(repr(value_of_kind))
    return any(len(values) > 1 for values in found.values())


def has_equal_values_of_different_types(case: Case) -> bool:
    """Return whether entries of lists differ only in the types of their numbers, such as 1, 1.0 and true."""
    spellings: dict[str, set[str]] = {}
    for _, value in _members(case.data):
        for entry in value if type(value) is list else ():
            spellings.setdefault(repr(_with_floats(entry)), set()).add(repr(entry))
    return any(len(found) > 1 for found in spellings.values())


def _with_floats(value: Any) -> Any:
    if type(value) is dict:
        return {key: _with_floats(entry) for key, entry in value.items()}
    if type(value) is list:
        return [_with_floats(entry) for entry in value]
    return float(value) if type(value) in (bool, float) or (type(value) is int and abs(value) < 2**53) else value


def has_filters(case: Case) -> bool:
    return b"content_filter_results" in case.data


def has_events_of_both_completions(case: Case) -> bool:
    """Return whether a Chat stream has an event of a text completion, or the reverse."""
    is_of_chat = [is_chat for event in _dicts(case.data) if (is_chat := _is_of_chat(event)) is not None]
    return ("openai.chat" in case.dialects and False in is_of_chat) or (
        "openai.completions" in case.dialects and True in is_of_chat
    )


def _is_of_chat(event: dict[str, Any]) -> bool | None:
    """Return whether an event is of Chat, or of a text completion; ``None`` if it is of neither."""
    choices = event.get("choices")
    keys = {key for choice in choices if type(choice) is dict for key in choice} if type(choices) is list else set()
    if event.get("object") in ("chat.completion.chunk", "chat.completion") or keys & {"delta", "message"}:
        return True
    return False if event.get("object") == "text_completion" or "text" in keys else None


def has_events_of_unknown_type(case: Case) -> bool:
    """Return whether an event has a type that its dialect has no handler for."""
    known = {
        kind
        for name in case.dialects & {"openai.responses", "anthropic.messages"}
        for handlers in load(str(name)).handlers.values()
        for kind in handlers
    }
    types = [event.get("type", name) for name, event in _events(case.data)]
    return bool(known) and any(type(kind) is not str or kind not in known for kind in types)


def has_index_in_a_delta(case: Case) -> bool:
    deltas = [value for key, value in _members(case.data) if key == "delta" and type(value) is dict]
    return "openai.chat" in case.dialects and any("index" in delta for delta in deltas)


def has_several_responses(case: Case) -> bool:
    return len(case.ours) > 1


def has_an_empty_object_after_a_whole_answer(case: Case) -> bool:
    payloads = [event.payload for event in _decoded(case.data)]
    return {} in payloads[1:] and type(payloads[0]) is dict and ("error" in payloads[0] or _is_body(payloads[0]))


def _is_body(payload: dict[str, Any]) -> bool:
    choices = payload.get("choices")
    return type(choices) is list and any(type(choice) is dict and "message" in choice for choice in choices)


def has_null_in_an_unknown_delta(case: Case) -> bool:
    deltas = [event.get("delta") for event in _dicts(case.data) if type(event.get("delta")) is dict]
    return "anthropic.messages" in case.dialects and any(
        None in delta.values() and str(delta.get("type")) not in _PLAIN_DELTAS for delta in deltas if delta
    )


def has_data_after_damaged_data(case: Case) -> bool:
    """Return whether several data lines follow each other without a blank line, and one of the first is not JSON."""
    for block in re.split(rb"\n\n|\r\n\r\n|\r\r", case.data):
        lines = [line[5:].strip() for line in block.splitlines() if line.startswith(b"data:")]
        if not all(map(_is_json, lines[:-1])) and not _is_json(b"\n".join(lines)):
            return True
    return False


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return line == b"[DONE]"
    return True


def has_an_event_beyond_the_limit(case: Case) -> bool:
    limit = case.options.get("limits", {}).get("max_event_bytes")
    return limit is not None and any(len(line) > limit for line in case.data.splitlines())


def has_logprobs_beside_other_text(case: Case) -> bool:
    """Return whether a Responses delta that is not of a content part has log-probabilities."""
    return any(
        "logprobs" in event and str(event.get("type")).endswith(".delta") and event["type"] != _PART_DELTA
        for event in _dicts(case.data)
    )


_PART_DELTA = "response.output_text.delta"


def has_null_in_a_bare_terminal_event(case: Case) -> bool:
    """Return whether a terminal event of Responses has no response, and null under some key."""
    return any(
        str(event.get("type")) in _TERMINAL_TYPES and type(event.get("response")) is not dict and None in event.values()
        for event in _dicts(case.data)
    )


def has_counted_choices(case: Case) -> bool:
    return "choice_counter" in case.options.get("repairs", ()) and any(
        "repaired" in outcome.get("problems", ()) for outcome in case.ours
    )


ACCEPTED = (
    Known(
        has_gemini_parts,
        r"problems: (\+wrong_type|-internal_error)( -internal_error)?$",
        "Gemini parts that are not objects are reported, falsy ones too",
    ),
    Known(has_printed_bytes, r"raised None instead of TypeError", "data: b'...' raises nothing"),
    Known(
        has_printed_bytes,
        r"problems: \+repairable -not_json$",
        "printed bytes that do not decode count as printed bytes too",
    ),
    Known(
        has_calls_that_share_an_index,
        r"body\.choices\[\]\.message\.tool_calls|problems: ",
        "of two calls that share an index, one resolver decides which gets a fragment",
    ),
    Known(
        has_equal_values_of_different_types,
        r"body\.choices\[\]\.message\.",
        "the values in the lists of a delta are compared by JSON type: 1, true and 1.0 differ",
    ),
    Known(has_filters, r"body\.choices\[\]\.content_filter_results", "the last filter results of a choice win"),
    Known(
        has_events_of_both_completions,
        r"body\.|\d+ results|status: truncated instead of complete$|problems:( [+-](unknown_event|no_terminal|no_finish_reason"
        r"|id_differs|model_differs|finish_reason_differs))+$",
        "in a Chat stream an event of a text completion is an unknown event, and the reverse",
    ),
    Known(
        has_events_of_unknown_type,
        r"problems:( -(wrong_type|terminal_without_response))+$",
        "the fields of an event of unknown type are not checked",
    ),
    Known(
        has_index_in_a_delta,
        r"body\.choices\[\]\.message\.index missing$",
        "an `index` directly in a delta is not part of the message",
    ),
    Known(
        has_several_responses,
        r"problems: -wrong_type$",
        "the wrong types of an event that begins another response are reported in that response alone",
    ),
    Known(
        has_an_empty_object_after_a_whole_answer,
        r"body($|\.)|problems: -unknown_event$",
        "after a whole body or an error, `{}` is a heartbeat: the body stays unchanged",
    ),
    Known(
        has_null_in_an_unknown_delta,
        r"body\.content\[\]\.\S+ not expected$",
        "a null in an Anthropic delta of unknown type is kept",
    ),
    Known(
        has_data_after_damaged_data,
        r"body|status: |dialect: |problems: |\d+ results",
        "a data line after damaged data does not begin another event",
    ),
    Known(
        has_an_event_beyond_the_limit,
        r"body|status: |dialect: |problems: |\d+ results",
        "the dropped lines of an event beyond the limit do not count toward the next event",
    ),
    Known(
        has_logprobs_beside_other_text,
        r"body\.output\[\]",
        "the log-probabilities of an item's own text create no content part",
    ),
    Known(
        has_null_in_a_bare_terminal_event,
        r"body\.",
        "a null in a terminal event without a response does not count",
    ),
    Known(
        has_counted_choices,
        r"problems: -wrong_type$",
        "the wrong types of choices that are repaired by `choice_counter` are reported once",
    ),
)


def explanation_of(case: Case) -> str:
    """Return the reasons that explain all fields of a difference; "" if a field remains unexplained."""
    reasons = set()
    for field in sorted(case.fields - _ORDER_FIELDS):
        known = next((known for known in ACCEPTED if known.explains(case, field)), None)
        if known is None:
            return ""
        reasons.add(known.reason)
    return "; ".join(sorted(reasons)) or ORDER


DISAGREES = "the other version disagrees with itself: the result depends on its fast path or on how the bytes are split"


def _events(data: bytes) -> Iterator[tuple[str | None, dict[str, Any]]]:
    """Yield the name and the payload of each event. Every element of an array is an event of its own."""
    for name, payload in _decoded(data):
        for event in payload if type(payload) is list else [payload]:
            if type(event) is dict:
                yield name, event


def _dicts(data: bytes) -> Iterator[dict[str, Any]]:
    return (event for _, event in _events(data))


def _decoded(data: bytes) -> tuple[Event, ...]:
    """Decode a stream; bytes that are not UTF-8 are replaced first, as the reducer does."""
    return decoded(data.decode(errors="replace").encode())


def _members(data: bytes) -> Iterator[tuple[str, Any]]:
    """Yield every key and value inside the events of a stream."""
    waiting: list[Any] = [event.payload for event in _decoded(data)]
    while waiting:
        value = waiting.pop()
        if type(value) is dict:
            yield from value.items()
            waiting += value.values()
        elif type(value) is list:
            waiting += value


# -- comparing -----------------------------------------------------------------------------------


def fields_that_differ(theirs: Outcomes, ours: Outcomes) -> frozenset[str]:
    """Return the names of all parts that differ.

    Bodies are compared by value, including the spelling of numbers, then by the order of keys.
    """
    if theirs == ours:
        return frozenset()
    raised = [found[0].get("raised") if found else None for found in (ours, theirs)]
    if any(raised):
        return frozenset({"raised {} instead of {}".format(*raised)})
    if len(theirs) != len(ours):
        return frozenset({f"{len(ours)} results instead of {len(theirs)}"})
    found: set[str] = set()
    for their, our in zip(theirs, ours, strict=True):
        found.update(_difference(key, their[key], our[key]) for key in ("status", "dialect") if their[key] != our[key])
        if their["problems"] != our["problems"]:
            found.add(_problems_difference(Counter(their["problems"]), Counter(our["problems"])))
        their_error, our_error = their["error"] or {}, our["error"] or {}
        found.update(f"error.{key}" for key in their_error | our_error if their_error.get(key) != our_error.get(key))
        if their["body"] != our["body"]:
            paths = list(differences(_exact(their["body"]), _exact(our["body"]), "body"))
            found.update(map(_general, paths) if paths else {"body: only the order of keys"})
    return frozenset(found)


def _difference(key: str, their: Any, our: Any) -> str:
    return f"{key}: {our} instead of {their}"


def _problems_difference(theirs: Counter[str], ours: Counter[str]) -> str:
    """Return the codes that are more or less frequent, without their counts."""
    signs = [f"+{code}" for code in sorted(ours - theirs)] + [f"-{code}" for code in sorted(theirs - ours)]
    return "problems: " + (" ".join(signs) or "another order")


def _exact(body: str) -> Any:
    """Decode a body. Numbers become text, so that different spellings differ."""
    return json.loads(body, parse_int="integer {}".format, parse_float="number {}".format)


def _general(difference: str) -> str:
    """Return the path of a difference in a body, without indices and values, and whether a value is missing."""
    path, _, what = difference.partition(":")
    kind = next((word for word in (" missing", " not expected", " entries") if word in what[:20]), "")
    return re.sub(r"\[\d+\]", "[]", path) + kind


class OtherVersion:
    """A process of the other interpreter. It runs in an empty folder, so that it imports its installed version."""

    def __init__(self, python: str) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="against-")
        self._process = subprocess.Popen(
            [python, "-I", str(WORKER)], cwd=self._folder.name, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin, self._stdout = self._process.stdin, self._process.stdout
        self.hello: dict[str, str] = json.loads(read_message(self._stdout))

    def outcomes(self, data: bytes, options: dict[str, Any], *, fast: bool = False, read_size: int = 0) -> Outcomes:
        request = {"options": options, "fast": fast, "read_size": read_size}
        write_message(self._stdin, json.dumps(request).encode())
        write_message(self._stdin, data)
        found: Outcomes = json.loads(read_message(self._stdout))
        return found

    def disagrees(self, data: bytes, options: dict[str, Any], plain: Outcomes) -> bool:
        """Return whether its result depends on the fast path or on how the bytes are split."""
        variants: tuple[dict[str, Any], ...] = ({"fast": True}, {"read_size": 7}, {"read_size": 50, "fast": True})
        return any(self.outcomes(data, options, **variant) != plain for variant in variants)

    def close(self) -> None:
        self._stdin.close()
        self._process.wait()
        self._stdout.close()
        self._folder.cleanup()


# -- many inputs ---------------------------------------------------------------------------------


class Kind(NamedTuple):
    """Differences that are reported together."""

    explanation: str  # "" if nothing explains it
    paths: str  # the paths of this checkout that differ
    dialect: str
    fields: tuple[str, ...]


class Report:
    """The result of comparing some inputs."""

    def __init__(self) -> None:
        self.compared = 0
        self.differing = 0
        self.accepted = 0
        self.kinds: Counter[Kind] = Counter()
        self.examples: dict[Kind, list[str]] = {}

    def add(self, other: Report) -> None:
        self.compared += other.compared
        self.differing += other.differing
        self.accepted += other.accepted
        self.kinds += other.kinds
        for kind, examples in other.examples.items():
            self.examples[kind] = (self.examples.get(kind, []) + examples)[:MAX_EXAMPLES]

    def lines(self) -> Iterator[str]:
        """Yield the differences. The unexplained ones come last, next to the final count."""
        for kind, count in sorted(self.kinds.items(), key=lambda item: (item[0].explanation == "", item[1])):
            if kind.explanation:
                yield f"{count:>7}  accepted: {kind.explanation} ({kind.dialect})"
            else:
                yield f"{count:>7}  {kind.paths} ({kind.dialect}): {'; '.join(kind.fields)}"
                yield from (f"           {example}" for example in self.examples.get(kind, ()))


class Comparison:
    """The inputs of one seed, and the other version to compare them with. Each process has one."""

    def __init__(self, python: str, seed: int, folders: list[Path], only: str) -> None:
        self.whole = list(streams(SAMPLES, *folders, only=only))
        self.pool = seeds(*folders, only=only)
        self.first = seed * NUMBERS_PER_SEED
        self.other = OtherVersion(python)
        self.kept: Counter[Kind] = Counter()
        self.asked: Counter[frozenset[str]] = Counter()

    def compare(self, begin: int, end: int) -> Report:
        """Compare a range of inputs. Whole streams have negative numbers; mutants count from 0."""
        report = Report()
        for place in range(begin, end):
            if place < 0:
                name, data = self.whole[place]
                self._compare(report, name, data, {})
            else:
                number = self.first + place
                self._compare(report, f"mutant {number}", mutant(number, self.pool), options_of(number))
        return report

    def _compare(self, report: Report, name: str, data: bytes, options: dict[str, Any]) -> None:
        report.compared += 1
        theirs = self.other.outcomes(data, options)
        sides = {path: _as_sent(outcomes(data, options, path == "batch path")) for path in ("batch path", "event path")}
        if sides["batch path"] == sides["event path"]:
            sides = {"both paths": sides["event path"]}
        found = {path: fields for path, ours in sides.items() if (fields := fields_that_differ(theirs, ours))}
        if not found:
            return
        report.differing += 1
        explained = True
        for path, fields in found.items():
            case = Case(data, options, theirs, sides[path], fields)
            explanation = self._explanation(case)
            explained = explained and bool(explanation)
            dialect = ", ".join(sorted(map(str, case.dialects)))
            kind = Kind(explanation, "" if explanation else path, dialect, () if explanation else _shown(fields))
            report.kinds[kind] += 1
            if not explanation and self.kept[kind] < MAX_EXAMPLES:
                self.kept[kind] += 1
                kept = keep(data, re.sub(r"\W+", "-", name))
                report.examples.setdefault(kind, []).append(f"{name}, options {json.dumps(options)}, kept as {kept}")
        report.accepted += explained

    def _explanation(self, case: Case) -> str:
        if reasons := explanation_of(case):
            return reasons
        if self.asked[case.fields] < MAX_ASKED:
            if self.other.disagrees(case.data, case.options, case.theirs):
                return DISAGREES
            self.asked[case.fields] += 1
        return ""


def _as_sent(found: Outcomes) -> Outcomes:
    """Return outcomes after a round trip through JSON, as the pipe returns them."""
    decoded_again: Outcomes = json.loads(json.dumps(found))
    return decoded_again


def _shown(fields: frozenset[str]) -> tuple[str, ...]:
    """Return the fields of a kind; of the paths in a body, only the first three."""
    paths = sorted(field for field in fields if field.startswith("body"))
    return (*sorted(fields.difference(paths)), *paths[:3])


_comparison: Comparison  # of this process


def _start(*arguments: Any) -> None:
    global _comparison
    _comparison = Comparison(*arguments)


def _compare_chunk(begin: int, end: int) -> Report:
    return _comparison.compare(begin, end)


def compare_all(python: str, seed: int, count: int, jobs: int, folders: list[Path], only: str) -> Report:
    """Compare every stream and ``count`` mutants in ``jobs`` processes."""
    whole = sum(1 for _ in streams(SAMPLES, *folders, only=only))
    total, began = Report(), time.monotonic()
    with ProcessPoolExecutor(jobs, initializer=_start, initargs=(python, seed, folders, only)) as executor:
        begins = range(-whole, count, CHUNK)
        chunks = [executor.submit(_compare_chunk, begin, min(begin + CHUNK, count)) for begin in begins]
        for place, chunk in enumerate(chunks):
            total.add(chunk.result())
            if place % 50 == 49:
                seconds = time.monotonic() - began
                print(f"{total.compared} inputs, {total.differing} differ, {seconds:.0f} s", file=sys.stderr)
    return total


def main(argv: list[str] | None = None) -> int:
    """Run from the command line. Return 1 if a difference is unexplained."""
    parser = argparse.ArgumentParser(prog="python -m tests.against", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", required=True, help="the interpreter that has the other version installed")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20_000, help="how many mutants")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--corpus", type=Path, help="a folder of recorded streams, laid out as tests/corpus.py says")
    parser.add_argument(
        "--only", default="", help="a pattern for the names of the streams to use, e.g. ^chat|openai_chat"
    )
    chosen = parser.parse_args(argv)

    other = OtherVersion(chosen.python)
    print("compared with stream-reducer {version} ({option}), {file}".format(**other.hello))
    other.close()
    folders = [chosen.corpus] if chosen.corpus else []
    report = compare_all(chosen.python, chosen.seed, chosen.count, chosen.jobs, folders, chosen.only)
    print("\n".join(report.lines()))
    left = report.differing - report.accepted
    print(f"{report.compared} inputs: {report.differing} differ, {report.accepted} as accepted, {left} unexplained")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
