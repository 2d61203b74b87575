"""The batch path changes no result, on streams that are made to mislead it.

`tests.batches` has the streams. Every test feeds the same bytes with ``fast=True`` and with ``fast=False``, in several
sizes of reads, and compares complete results. `tests.test_agreement` does the same with samples and mutants.
"""

from __future__ import annotations

import itertools
import json
import random
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from tests.agreement import SAVE, SNAPSHOT, Step, counted, play
from tests.batches.events import (
    CHANGING,
    FIRST,
    KINDS,
    LAST,
    LAYOUTS,
    MISLEADING_TEXTS,
    OTHER_EVENTS,
    call,
    choice,
    numbered,
)
from tests.batches.repeating import INTERRUPTIONS, READS, Repeating, changes_of, check, check_script, sse, whole
from tests.batches.sequences import HEAD, LOGGED, SEQUENCES, chunk, piece, usage
from tests.generator import BODIES, streams
from tests.mutations import blind

FAMILIES = ("chat", "responses", "anthropic", "completions", "gemini")
NEXT_RESPONSE = {
    "chat": OTHER_EVENTS["another-chat"],
    "responses": OTHER_EVENTS["another-response"],
    "anthropic": OTHER_EVENTS["another-message"],
    "completions": OTHER_EVENTS["another-completion"],
    "gemini": OTHER_EVENTS["another-answer"],
}
# Kinds that fill real streams. Batches must merge them; otherwise the other tests prove nothing.
MERGED = (
    "chat-text", "chat-role", "chat-details", "chat-arguments", "responses-text", "responses-number-last",
    "responses-arguments", "anthropic-text", "anthropic-thinking", "anthropic-input", "completions-text", "gemini-text",
    "gemini-thought",
)  # fmt: skip


# -- repeating events ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", MERGED)
def test_batches_are_used(name: str) -> None:
    """Batches merge most events of the kinds that fill streams."""
    kind = Repeating(name)
    with counted() as usage:
        play(whole([*kind.opening, *kind.many(300, b"word ")]), fast=True)
        usage.end_stream()

    assert usage.events["the batch path"] > 200


@pytest.mark.parametrize("name", KINDS)
def test_interrupted_at_every_place(name: str) -> None:
    """Each place of the first sixty events has another interruption."""
    for place in range(60):
        kind = Repeating(name)
        interruption = INTERRUPTIONS[(7 * place + len(name)) % len(INTERRUPTIONS)]
        events = [*kind.opening, *kind.many(place), kind.interruption(interruption), *kind.many(70 - place)]

        assert play(READS[place % 4](events), fast=True) == play(whole(events), fast=False), interruption


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_interrupted_by_everything(name: str) -> None:
    """Every interruption comes after a few events, and after a template can have been learned."""
    for interruption, place in itertools.product(INTERRUPTIONS, (6, 101)):
        kind = Repeating(name)
        events = [*kind.opening, *kind.many(place), kind.interruption(interruption), *kind.many(40)]

        check(events)
        check_script([*events[:-5], SNAPSHOT, *events[-5:-3], SAVE, *events[-3:]])


@pytest.mark.parametrize("name", KINDS)
def test_misleading_texts_among_words(name: str) -> None:
    """A template may apply where a text imitates separators, or is not the content of a JSON string."""
    for text in MISLEADING_TEXTS.values():
        kind = Repeating(name)
        events = [*kind.opening, *(kind.next(text if place == 60 else b"word ") for place in range(80))]

        assert play(whole(events), fast=True) == play(whole(events), fast=False)


@pytest.mark.parametrize("name", KINDS)
def test_every_pair_of_misleading_texts(name: str) -> None:
    """Escapes and halves of surrogate pairs in neighbouring texts are decoded separately and then joined."""
    kind = Repeating(name)
    events = [*kind.opening, *kind.many(50, b"a")]
    for first, second in itertools.product(
        ("first-half", "second-half", "backslash", "quote", "mark-escaped"), repeat=2
    ):
        events += [kind.next(MISLEADING_TEXTS[first]), kind.next(MISLEADING_TEXTS[second]), *kind.many(3, b"a")]

    check(events)


@pytest.mark.slow
@pytest.mark.parametrize("name", KINDS)
def test_one_change_anywhere(name: str) -> None:
    """One of many repeating events has a key more or less, keys in another order, or a value of any type."""
    kind = Repeating(name)
    before, after = [*kind.opening, *kind.many(40, b"a")], kind.many(40, b"b")
    head, _, payload = kind.next(b"c").partition(b"data: ")
    for changed in changes_of(json.loads(payload)):
        event = head + b"data: " + json.dumps(changed, separators=(",", ":")).encode() + b"\n\n"
        events = whole([*before, *[event] * 2, *after])

        assert play(events, fast=True) == play(events, fast=False), event


# -- several kinds in one stream -----------------------------------------------------------------


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("sizes", [(1, 1), (40, 1), (3, 5), (60, 60)], ids=str)
def test_kinds_that_alternate(family: str, sizes: tuple[int, int]) -> None:
    """Batches and templates are proposed again and again, also across responses."""
    for names in itertools.permutations([name for name in KINDS if name.startswith(family)], 2):
        kinds = [Repeating(name) for name in names]
        events = list(dict.fromkeys(event for kind in kinds for event in kind.opening))
        for _ in range(200 // sum(sizes)):
            events += [event for kind, size in zip(kinds, sizes, strict=True) for event in kind.many(size)]
        events += [OTHER_EVENTS["done"], NEXT_RESPONSE[family], *kinds[0].many(40), *kinds[1].many(40)]

        assert play(whole(events), fast=True) == play(whole(events), fast=False), names


@pytest.mark.parametrize("gap", [1, 3, 9])
@pytest.mark.parametrize("every", [4, 70])
def test_events_between_those_of_a_template(gap: int, every: int) -> None:
    """The events between are merged once, and in order."""
    kind = Repeating("chat-obfuscation")
    pads = ([b"aB"] * every + [b"+/="] * gap) * (3 + 200 // every)

    check([kind.event.replace(b"PAD", pad).replace(b"TEXT", b"%d " % place) for place, pad in enumerate(pads)])


@pytest.mark.parametrize("name", SEQUENCES)
def test_neighbouring_events_that_differ(name: str) -> None:
    """An event depends on the event before it, also if one batch merges both, and if each event is repeated."""
    payloads = SEQUENCES[name]
    check(sse(payloads))
    check(sse([payload for payload in payloads for _ in range(12)]))


@pytest.mark.parametrize("name", CHANGING)
def test_events_that_add_more_than_texts(name: str) -> None:
    """Repeating events that change more than texts have all their effects, also after an interruption."""
    opening, event, interrupting = CHANGING[name]
    is_chat = b'"choices"' in event
    numbers = [*range(0, 100, 2), *range(1, 100, 2), *range(100, 140), *range(140, 200, 2), *range(141, 200, 2)]
    before = [*[FIRST] * is_chat, *opening, *(numbered(event, number) for number in numbers)]
    between = [numbered(event, 201) for event in interrupting]
    after = [numbered(event, number) for number in [*range(203, 263, 2), *range(204, 264, 2)]]
    end = [call('{"function":{"arguments":"end"}}', "1")] if b"tool_calls" in event else []
    end += [LAST] * is_chat

    check([*before, *between, *after, *end])
    watched: list[Step] = [
        step for place, read in enumerate(before) for step in (read, *[SNAPSHOT] * (place % 10 == 9))
    ]
    for mark in (SNAPSHOT, SAVE):
        check_script([*watched, *between, mark, *after, SNAPSHOT, *end])


@pytest.mark.parametrize("name", LAYOUTS)
def test_unusual_layouts(name: str) -> None:
    """Repeated values, blanks, other lines and broken bytes are never taken for the text that varies."""
    opening, repeating = LAYOUTS[name]
    events = [*opening, *(numbered(event, number) for number, event in enumerate(repeating))]

    check(events)
    check_script([step for place, read in enumerate(events) for step in (read, *[SNAPSHOT] * (place % 10 == 9))])


@pytest.mark.parametrize("text", MISLEADING_TEXTS)
def test_misleading_texts_of_alternating_choices(text: str) -> None:
    """The texts of two choices are not mixed up, whatever one of them imitates."""
    indices = ["0"] * 60 + ["1"] * 60 + ["0", "1"] * 50
    events = [choice('{"content":"TEXT"}', index=index) for index in indices]

    check(
        [
            FIRST,
            *(
                event.replace(b"TEXT", MISLEADING_TEXTS[text] if place == 180 else b"w ")
                for place, event in enumerate(events)
            ),
        ]
    )


@pytest.mark.parametrize("name", KINDS)
def test_keys_that_come_twice(name: str) -> None:
    """If an object has a key twice, the last value counts, also inside a batch."""
    kind = Repeating(name)
    head, _, payload = kind.next(b"c").rstrip().partition(b"data: ")
    for key, value in itertools.product(json.loads(payload), (b"null", b"7", b'"x"', b"{}", b"[]")):
        twice = b'"%b":%b' % (key.encode(), value)
        for changed in (b"{%b,%b" % (twice, payload[1:]), b"%b,%b}" % (payload[:-1], twice)):
            events = [
                *kind.opening,
                *kind.many(40, b"a"),
                *[head + b"data: " + changed + b"\n\n"] * 2,
                *kind.many(9, b"b"),
            ]

            assert play(whole(events), fast=True) == play(whole(events), fast=False), changed


def text_chunk(delta: str) -> bytes:
    return choice(delta).replace(b"{", b'{"id":"c1",', 1)


def test_two_texts_in_another_order() -> None:
    """Each text of an event goes to its own key, in every order of the keys."""
    orders = list(itertools.permutations(("content", "reasoning", "reasoning_content", "refusal"), 2))
    events = []
    for keys in [*orders, *orders]:
        events += [text_chunk("{" + ",".join(f'"{key}":"{key}{n} "' for key in keys) + "}") for n in range(40)]

    check(events)


def test_equal_prefixes_and_suffixes() -> None:
    """Events with equal first and last bytes may differ in the middle."""
    first, second = Repeating("chat-obfuscation-first"), Repeating("chat-obfuscation-first-reasoning")

    check([*first.many(50), *second.many(50), *first.many(3), *second.many(3), *first.many(50), *second.many(50)])


@pytest.mark.parametrize("before", [0, 1, 8, 40])
def test_the_second_role(before: int) -> None:
    """A role that comes again with the first text of its choice may be a replay (C45)."""
    role = text_chunk('{"role":"assistant","content":"again"}')

    check(
        [*[text_chunk('{"content":"word"}')] * before, role, role, *[text_chunk('{"content":"word"}')] * 40, role, role]
    )


@pytest.mark.parametrize("name", ["chat-other-choice-other-model", "chat-other-choice"])
def test_interleaved_choices(name: str) -> None:
    """Of the values beside the texts of interleaved events, the model for example, the last wins."""
    kinds = (Repeating("chat-text"), Repeating(name))
    for seed in range(20):
        rng = random.Random(seed)
        check([*kinds[0].opening, *(rng.choice(kinds).next(b"word") for _ in range(rng.randint(60, 200)))])


def test_more_choices_than_allowed() -> None:
    """Nothing of a refused event is merged, and every refusal is reported."""
    check([choice('{"content":"x"}', index=str(index)) for index in range(1000)])


@pytest.mark.parametrize("dialect", ["auto", "openai.chat"])
def test_a_response_that_has_not_begun(dialect: str) -> None:
    """An event with another stream id begins a response that has no state yet."""
    kind = Repeating("chat-text")
    events = [*kind.opening, *kind.many(60), b'data: {"stream_id":"s2","undeclared":1}\n\n', *kind.many(60)]

    check(events, dialect=dialect)


# -- former faults -------------------------------------------------------------------------------


def body_and_problems(payloads: list[bytes], *, fast: bool) -> tuple[Any, list[Any]]:
    result = reducer.reduce(b"".join(sse(payloads)), fast=fast)
    return result.to_dict(), [(problem.code, problem.event) for problem in result.problems]


@pytest.mark.parametrize("fast", [True, False])
def test_filter_results_of_any_value(fast: bool) -> None:
    """A null is ignored.

    A value that is not an object is reported and left out. An event that nests too deep is dropped.
    """
    deep = b"[" * 300 + b"]" * 300
    for values, expected, reported in (
        ([b"null", b"7", b"7", b'{"hate":1}', b"null"], {"hate": 1}, [("wrong_type", 1), ("wrong_type", 2)]),
        ([b'{"hate":1}', deep, b'{"hate":2}'], {"hate": 2}, [("limit_depth", 1)]),
        ([b'{"a":1}', b'{"a":2}', b'{"a":1}'], {"a": 1}, []),
    ):
        events = [chunk({"content": "a"}, choice={"content_filter_results": msgspec.Raw(value)}) for value in values]
        body, problems = body_and_problems(events, fast=fast)

        assert body["choices"][0]["content_filter_results"] == expected
        assert body["choices"][0]["message"]["content"] == "a" * (len(values) - (deep in values))
        assert problems == [*reported, ("no_terminal", None)]


@pytest.mark.parametrize("fast", [True, False])
def test_a_message_that_is_null_beside_a_delta(fast: bool) -> None:
    """C16: a null message is ignored."""
    events = [chunk({"content": "a"}), chunk({}, choice={"message": None, "finish_reason": "stop"})]
    body, problems = body_and_problems(events, fast=fast)

    assert body["choices"][0]["message"] == {"role": "assistant", "content": "a"}
    assert problems == []


def test_numbers_inside_texts_are_not_sequence_numbers() -> None:
    """A repeated event is recognised by its own number, not by a number inside its text."""
    for text in (b" data: ", b'data: {\\"type\\":\\"response.created\\",\\"sequence_number\\":900}'):
        kind = Repeating("responses-text")
        sent = [*kind.opening, *kind.many(60, text)]
        check_script([b"".join(sent), SAVE, *sent[-5:], *kind.many(9, b"x"), SNAPSHOT])
        check_script([*sent, sent[-1][:30], SAVE, *sent, SNAPSHOT])


# -- limits and depth ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chat-text", "responses-text", "anthropic-text", "completions-text", "gemini-text"])
def test_limits(name: str) -> None:
    """A limit is reached at the same event, with the same result."""
    kind = Repeating(name)
    events = [*kind.opening, *kind.many(40, b"word"), kind.next(b"w" * 60), *kind.many(40, b"word")]
    size = len(events[-1])
    for limit in range(size - 16, size + 100, 12):
        check(events, limits=reducer.Limits(max_event_bytes=limit))
    for limit in (50, 200, 1000, 5000):
        check(events, limits=reducer.Limits(max_retained_bytes=limit))
    for limit in range(1, 16):
        check(events, limits=reducer.Limits(max_depth=limit))


@pytest.mark.parametrize("depth", [1, 5, 200, *range(246, 258)])
def test_values_as_deep_as_the_limit(depth: int) -> None:
    """A value of any depth gives the same result on both paths."""
    deep = msgspec.Raw(b"[" * depth + b"]" * depth)
    details = {**usage(4), "promptTokensDetails": deep}
    gemini = [*[piece(usage=usage(3))] * 40, piece("b", usage=details), piece("c", usage=usage(5))]
    check(sse([msgspec.json.encode(event) for event in gemini]))
    filters = [
        chunk({"content": "a"}, choice={"content_filter_results": value}) for value in ({}, deep, {"a": deep}, {})
    ]
    check(sse([*HEAD, *[filters[0]] * 40, *filters, *[filters[0]] * 40]))


def test_logprobs_that_are_deeper_than_a_limit() -> None:
    """The depth of log-probabilities counts on both paths."""
    token = {"token": "a", "logprob": 0, "bytes": [1]}
    deep = chunk({"content": "a"}, choice={"logprobs": {"content": [{**token, "top_logprobs": [token]}]}})
    for depth in range(1, 14):
        check(sse([*HEAD, *LOGGED, deep, *LOGGED]), limits=reducer.Limits(max_depth=depth))


@pytest.mark.parametrize("repair", ["cumulative", "choice_counter", "duplicate_chunks", "split_names", "usage_fields"])
@pytest.mark.parametrize("family", FAMILIES)
def test_repairs(family: str, repair: str) -> None:
    """A repair sees every event, although batches merge most of them."""
    for name in (name for name in KINDS if name.startswith(family)):
        kind = Repeating(name)
        events = [*kind.opening, *kind.many(20), *kind.many(3, b"The whole text so far."), *kind.many(40)]
        check([*events, *events[-30:]], repairs=[repair])


# -- what a caller may do ------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["chat-text", "chat-arguments", "responses-text", "anthropic-text", "gemini-text"])
def test_a_payload_between_reads(name: str) -> None:
    """A framed payload between two reads changes the meaning of the second read on both paths."""
    for interruption in INTERRUPTIONS:
        kind = Repeating(name)
        event = kind.interruption(interruption)
        payload = event[event.find(b"{") :].rstrip()
        script: list[Step] = [*kind.opening, *kind.many(40), (payload, None), *kind.many(40), SNAPSHOT]
        check_script(script)


@pytest.mark.parametrize("count", range(1, 13))
def test_saved_after_anything(count: int) -> None:
    """Events that a server sends again after `resume` are dropped, whichever path merged them first."""
    events = Repeating("responses-text")
    sent = [*events.opening, *events.many(count + 30, b"a")]
    for last in (b'data: {"type":"ping"}\n\n', OTHER_EVENTS["done"], b"data: oops\n\n", sent[-1][:40]):
        scripts: list[list[Step]] = [
            [b"".join([*sent, last]), SAVE, *sent, SNAPSHOT],
            [*sent, last, SAVE, b"".join(sent), SNAPSHOT],
        ]
        found = [play(script, fast=fast) for script in scripts for fast in (True, False)]

        assert found == found[:1] * 4, last


@pytest.mark.parametrize("name", KINDS)
def test_strict_abort_and_clock(name: str) -> None:
    """The first problem, the reason of `close`, and the times are equal on both paths."""
    kind = Repeating(name)
    events = [*kind.opening, *kind.many(60), OTHER_EVENTS["list"], *kind.many(60)]
    seen = []
    for fast in (True, False):
        times = itertools.count()
        stream = reducer.Reducer(fast=fast, clock=lambda times=times: next(times))
        for event in events:
            stream.feed(event)
        aborted = stream.close("gone")
        with pytest.raises(reducer.ProblemError) as raised:
            reducer.reduce(b"".join(events), fast=fast, strict=True)
        seen.append((aborted, aborted.json(), raised.value.problem))

    assert seen[0] == seen[1]


@st.composite
def scripts(draw: Any) -> list[Step]:
    """Draw a script: a stream of up to three kinds of events, with interruptions, snapshots and saved states."""
    family = draw(st.sampled_from(FAMILIES))
    names = draw(
        st.lists(st.sampled_from([n for n in KINDS if n.startswith(family)]), min_size=1, max_size=3, unique=True)
    )
    number = itertools.count(2)
    script: list[Step] = list(dict.fromkeys(event for name in names for event in KINDS[name][0]))
    for _ in range(draw(st.integers(1, 6))):
        kinds = names if draw(st.booleans()) else [draw(st.sampled_from(names))]
        count = draw(st.sampled_from([0, 1, 2, 9, 31, 32, 33, 60, 100, 300]))
        script += [Repeating(kinds[place % len(kinds)], next(number)).next() for place in range(count)]
        step = draw(st.sampled_from(["event", "event", "payload", "next response", SNAPSHOT, SAVE]))
        if step in (SNAPSHOT, SAVE):
            script.append(step)
        elif step == "next response":
            script += [OTHER_EVENTS["done"], NEXT_RESPONSE[family]]
        else:
            event = Repeating(draw(st.sampled_from(names)), next(number)).interruption(
                draw(st.sampled_from(INTERRUPTIONS))
            )
            script.append(event if step == "event" else (event[event.find(b"{") :].rstrip(), None))
    return _read_anew(script, draw(st.sampled_from(READS)))


def _read_anew(script: list[Step], reads: Callable[[list[bytes]], list[bytes]]) -> list[Step]:
    """Cut the bytes between the marks into other reads."""
    result: list[Step] = []
    for is_bytes, steps in itertools.groupby(script, lambda step: isinstance(step, bytes)):
        group: list[Any] = list(steps)
        result += reads(group) if is_bytes else group
    return result


OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"limits": reducer.Limits(max_event_bytes=300)},
    {"limits": reducer.Limits(max_retained_bytes=400)},
    {"limits": reducer.Limits(max_depth=6)},
    {"text_keys": ("undeclared",)},
)


@given(script=scripts(), options=st.sampled_from(OPTIONS))
@settings(max_examples=150)
def test_scripts(script: list[Step], options: dict[str, Any]) -> None:
    """Both paths give equal results for drawn scripts."""
    check_script(script, **options)


@pytest.mark.slow
@pytest.mark.parametrize("dialect", sorted(BODIES))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=60)
def test_generated_streams(dialect: str, data: Any, seed: int) -> None:
    """Both paths give equal results for the streams of generated messages, and for damaged ones."""
    stream = data.draw(streams(dialect))
    check(stream.reads)
    check([blind(random.Random(seed), stream.data)])
