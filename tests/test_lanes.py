"""The fast lanes change nothing but the time: with them and with ``lanes=False`` a host sees the same.

A *script* is what a host does: reads of bytes, payloads for `feed_event` (tuples), and the marks below. It is played
with lanes; without them the bytes are fed as they are. Runs of events that differ in a text only, which is what lanes
are for, are broken by every irregular event of a list, at every place.
"""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import reducer
from reducer import lanes, runs
from reducer.dialects import DIALECTS
from reducer.lanes import Columns, Template
from tests.generator import streams
from tests.helpers import load_sample, sample_names
from tests.mutations import blind, mutant, seeds

pytestmark = pytest.mark.slow

SNAPSHOT, SAVE = "snapshot", "save"
SHIPPED = [
    (f"lanes.{name}", getattr(lanes, name)) for name in ("_PROVEN", "_HOLE", "_MADE", "_MADE_HOLE", "_AHEAD", "_OFTEN")
] + [
    ("runs._WORTH", runs._WORTH),
    ("runs._LEAST", runs._LEAST),
    ("runs._PAUSE", runs._PAUSE),
    ("runs._LONG", runs._LONG),
]


@pytest.fixture(autouse=True, scope="module")
def eager() -> Iterator[None]:
    """Lanes are taken where they would not be worth it: or most of what is here would not meet them."""
    with pytest.MonkeyPatch.context() as patch:
        for name in ("_PROVEN", "_HOLE", "_MADE", "_MADE_HOLE"):
            patch.setattr(f"reducer.lanes.{name}", 0)
        patch.setattr("reducer.lanes._AHEAD", 1 << 12)
        patch.setattr("reducer.lanes._OFTEN", 4)
        patch.setattr("reducer.runs._WORTH", 1 << 10)
        patch.setattr("reducer.runs._LEAST", 0)
        patch.setattr("reducer.runs._PAUSE", 4)
        patch.setattr("reducer.runs._LONG", 2)
        yield


def played(script: Iterable[Any], *, lanes: bool, **options: Any) -> list[Any]:
    """Do what the script says; return what can be seen: at each snapshot, and at the end all results."""
    seen: list[Any] = []
    host = reducer.Reducer(lanes=lanes, **options)
    for step in script:
        if isinstance(step, bytes):
            host.feed(step)
        elif isinstance(step, tuple):
            host.feed_event(*step)
        elif step == SNAPSHOT:
            seen += [host.finished, host.snapshot()]
        else:
            host = reducer.Reducer.resume(host.save())
            host._lanes = host._lanes and lanes
    seen.append(host.finished)
    host.close()
    return [*seen, *host.results]


def same(script: list[Any], **options: Any) -> None:
    """Check that the lanes do not show."""
    plain = played(script, lanes=False, **options)
    fast = played(script, lanes=True, **options)

    assert fast == plain


# -- the bytes of a stream, read in four ways ----------------------------------------------------


def whole(events: list[bytes]) -> list[bytes]:
    return [b"".join(events)]


def in_4_kib(events: list[bytes]) -> list[bytes]:
    data = b"".join(events)
    return [data[at : at + 4096] for at in range(0, len(data), 4096)]


def one_a_read(events: list[bytes]) -> list[bytes]:
    return events


def several_a_read(events: list[bytes]) -> list[bytes]:
    """One to seven events a read."""
    rng = random.Random(len(events))
    reads, at = [], 0
    while at < len(events):
        size = rng.randint(1, 7)
        reads.append(b"".join(events[at : at + size]))
        at += size
    return reads


READS: tuple[Callable[[list[bytes]], list[bytes]], ...] = (whole, in_4_kib, one_a_read, several_a_read)


def events_in(data: bytes) -> list[bytes]:
    """Cut a stream behind its blank lines, as servers write it; joined it is the same bytes."""
    for line_end in (b"\r\n\r\n", b"\n\n"):
        if line_end in data:
            parts = data.split(line_end)
            return [part + line_end for part in parts[:-1]] + ([parts[-1]] if parts[-1] else [])
    return [data]


def same_in_every_read(events: list[bytes], **options: Any) -> None:
    """Check that the lanes do not show, however the events are read."""
    plain = played(whole(events), lanes=False, **options)
    for reads in READS:
        assert played(reads(events), lanes=True, **options) == plain, reads.__name__


# -- samples and mutants -------------------------------------------------------------------------


@pytest.mark.parametrize("name", sample_names())
def test_samples(name: str) -> None:
    """A sample gives the same with lanes and without."""
    same_in_every_read(events_in(load_sample(name).data))


@pytest.mark.parametrize("seed", range(8))
def test_mutants(seed: int) -> None:
    """So do mutants of them."""
    pool = seeds()
    for number in range(seed, 1600, 8):
        same_in_every_read(events_in(mutant(number, pool)))


@pytest.mark.parametrize("dialect", sorted(DIALECTS))
@given(data=st.data(), seed=st.integers(0, 2**32 - 1))
@settings(max_examples=80)
def test_generated(dialect: str, data: Any, seed: int) -> None:
    """So do the streams of generated messages, and those streams damaged."""
    stream = data.draw(streams(dialect))
    same_in_every_read(stream.reads)

    damaged = blind(random.Random(seed), stream.data)
    same_in_every_read(events_in(damaged))


# -- runs ----------------------------------------------------------------------------------------

# Streams as servers send them: the events in front of the run, and an event of it. TEXT, PAD and NUMBER differ.
_CHAT = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","system_fingerprint":"fp_1",'
)
_RESPONSE = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"r1","object":"response","status":"in_progress","output":[]}}\n\n',
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i1","type":"message","status":"in_progress","role":"assistant","content":[]}}\n\n',
)
_MESSAGE = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
RUNS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "chat-text": (
        (_CHAT + b'"choices":[{"index":0,"delta":{"role":"assistant","content":""},"logprobs":null,"finish_reason":null}]}\n\n',),
        _CHAT + b'"choices":[{"index":0,"delta":{"content":"TEXT"},"logprobs":null,"finish_reason":null}]}\n\n',
    ),
    "chat-obfuscation": (
        (),
        _CHAT + b'"choices":[{"index":0,"delta":{"content":"TEXT"},"finish_reason":null}],"usage":null,"obfuscation":"PAD"}\n\n',
    ),
    "chat-obfuscation-first": (
        (),
        b'data: {"obfuscation":"PAD","id":"c1","choices":[{"index":0,"delta":{"content":"TEXT"}}]}\n\n',
    ),
    # The same as the one before around its holes.
    "chat-obfuscation-first-reasoning": (
        (),
        b'data: {"obfuscation":"PAD","id":"c1","choices":[{"index":0,"delta":{"reasoning":"TEXT"}}]}\n\n',
    ),
    "chat-other-choice": (
        (),
        b'data: {"obfuscation":"PAD","id":"c1","choices":[{"index":1,"delta":{"content":"TEXT"}}]}\n\n',
    ),
    "chat-other-choice-other-model": (
        (),
        b'data: {"id":"c1","model":"other","system_fingerprint":"fp_2","choices":[{"index":2,"delta":{"content":"TEXT"},"content_filter_results":{"hate":{"filtered":false}}}]}\n\n',
    ),
    "chat-two-texts-other": (
        (),
        _CHAT + b'"choices":[{"index":0,"delta":{"reasoning":"TEXT","refusal":"TEXT"}}]}\n\n',
    ),
    "chat-role": (
        (),
        _CHAT + b'"choices":[{"index":0,"delta":{"role":"assistant","content":"TEXT"},"finish_reason":null}]}\n\n',
    ),
    "chat-two-texts": (
        (),
        _CHAT + b'"choices":[{"index":0,"delta":{"reasoning":"TEXT","reasoning_content":"TEXT"}}]}\n\n',
    ),
    "chat-details": (
        (),
        _CHAT + b'"choices":[{"index":0,"delta":{"content":"","reasoning":"TEXT","reasoning_details":[{"type":"reasoning.text","text":"TEXT","format":"f","index":0}]}}]}\n\n',
    ),
    "chat-arguments": (
        (_CHAT + b'"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":""}}]}}]}\n\n',),
        _CHAT + b'"choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"TEXT"}}]},"finish_reason":null}]}\n\n',
    ),
    "chat-spaces": (
        (),
        b'data: {"id": "c1", "choices": [{"index": 0, "delta": {"content": "TEXT"}, "finish_reason": null}], "p": "PAD"   }\r\n\r\n',
    ),
    "chat-short": ((), b'data: {"choices":[{"delta":{"content":"TEXT"}}]}\n\n'),
    "responses-text": (
        _RESPONSE,
        b'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","sequence_number":NUMBER,"item_id":"i1","output_index":0,"content_index":0,"delta":"TEXT","logprobs":[],"obfuscation":"PAD"}\n\n',
    ),
    "responses-number-first": (
        _RESPONSE,
        b'data: {"sequence_number": NUMBER, "type": "response.output_text.delta", "item_id": "i1", "output_index": 0, "content_index": 0, "delta": "TEXT"}\n\n',
    ),
    "responses-number-first-reasoning": (
        _RESPONSE,
        b'data: {"sequence_number": NUMBER, "type": "response.reasoning_text.delta", "item_id": "i5", "output_index": 5, "content_index": 0, "delta": "TEXT"}\n\n',
    ),
    "responses-number-last": (
        _RESPONSE,
        b'data: {"type":"response.reasoning_summary_text.delta","item_id":"i2","output_index":1,"summary_index":0,"delta":"TEXT","sequence_number":NUMBER}\n\n',
    ),
    "responses-arguments": (
        _RESPONSE,
        b'data: {"type":"response.function_call_arguments.delta","item_id":"i3","output_index":2,"delta":"TEXT"}\n\n',
    ),
    "anthropic-text": (
        (_MESSAGE, b'event: content_block_start\ndata: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}\n\n'),
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"TEXT"}}\n\n',
    ),
    "anthropic-thinking": (
        (_MESSAGE, b'event: content_block_start\ndata: {"type":"content_block_start","index":1,"content_block":{"type":"thinking","thinking":""}}\n\n'),
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"TEXT"}}\n\n',
    ),
    "anthropic-input": (
        (_MESSAGE, b'event: content_block_start\ndata: {"type":"content_block_start","index":2,"content_block":{"type":"tool_use","id":"t1","name":"f","input":{}}}\n\n'),
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":2,"delta":{"type":"input_json_delta","partial_json":"TEXT"}}\n\n',
    ),
    "completions-text": (
        (),
        b'data: {"id":"c1","object":"text_completion","created":1700000000,"model":"m","choices":[{"index":0,"text":"TEXT","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}\n\n',
    ),
    "completions-other-choice": (
        (),
        b'data: {"id":"c1","object":"text_completion","created":1700000000,"model":"m","choices":[{"index":1,"text":"TEXT","logprobs":null,"finish_reason":null,"stop_reason":null}],"usage":null}\n\n',
    ),
    "completions-usage": (
        (),
        b'data: {"id": "c1", "choices": [{"text": "TEXT", "index": 0, "content_filter_results": {"hate": {"filtered": false}}}], "usage": {"prompt_tokens": 3, "completion_tokens": NUMBER, "total_tokens": NUMBER}, "obfuscation": "PAD"}\r\n\r\n',
    ),
    "gemini-text": (
        (),
        b'data: {"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":NUMBER,"totalTokenCount":NUMBER,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":24}]},"modelVersion":"m","responseId":"c1"}\n\n',
    ),
    "gemini-other-candidate": (
        (),
        b'data: {"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"},"index":1}],"usageMetadata":{"promptTokenCount":24,"candidatesTokenCount":NUMBER,"totalTokenCount":NUMBER,"promptTokensDetails":[{"modality":"AUDIO","tokenCount":24}]},"modelVersion":"m","responseId":"c1"}\n\n',
    ),
    "gemini-thought": (
        (),
        b'data: {"candidates": [{"content": {"parts": [{"text": "TEXT","thought": true}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": 24,"totalTokenCount": NUMBER,"thoughtsTokenCount": NUMBER},"modelVersion": "m","responseId": "c1"}\r\n\r\n',
    ),
    "gemini-rated": (
        (),
        b'data: {"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"},"finishReason":"STOP","safetyRatings":[{"category":"C","probability":"LOW"}]}],"usageMetadata":{"trafficType":"ON_DEMAND"},"createTime":"t","responseId":"c1"}\r\n\r\n',
    ),
    "gemini-wrapped": (
        (),
        b'data: {"response": {"candidates": [{"content": {"role": "model","parts": [{"text": "TEXT"}]}}],"usageMetadata": {"totalTokenCount": NUMBER}},"traceId": "t"}\n\n',
    ),
}  # fmt: skip
TEXTS = (
    b"The",
    b" sky",
    b" is",
    b" blue",
    b"\\n",
    b' \\"so',
    b"\xc3\xa9t\xc3\xa9",
    b"\xf0\x9f\x98\x80",
    b"",
    b".",
    b"\\u00e9",
    b"\\ud83d\\ude00",
)
PADS = (b"aB3", b"", b"x9", b"Qwertyuiop01")


class Run:
    """Events of one kind, numbered."""

    def __init__(self, name: str, number: int = 2) -> None:
        self.opening, self.event = RUNS[name]
        self.number = number

    def next(self, text: bytes | None = None) -> bytes:
        """The next event; its text is the next of `TEXTS`, unless given."""
        number = self.number
        self.number += 1
        event = self.event.replace(b"NUMBER", b"%d" % number).replace(b"PAD", PADS[number % len(PADS)])
        return event.replace(b"TEXT", TEXTS[number % len(TEXTS)] if text is None else text)


# Insides of a JSON string, or what should be one.
ODD_TEXTS: dict[str, bytes] = {
    "empty": b"",
    "backslash": b"\\\\",
    "quote": b'\\"',
    "backslash-and-quote": b'\\\\\\"',
    "ends-in-half-an-escape": b"a\\",
    "ends-in-an-escaped-backslash": b"a\\\\",
    "begins-with-half-an-escape": b"\\a",
    "half-a-hex-escape": b"\\u00",
    "unescaped-quote": b'a"b',
    "unescaped-quotes": b'a","b',
    "closes-and-goes-on": b'a","content":"b',
    "another-delta": b'a","delta":"b',
    "separators-escaped": b'\\"},\\"logprobs\\":null,\\"finish_reason\\":null}]}\\n\\ndata: {',
    "separators": b'"},"logprobs":null,"finish_reason":null}]}',
    "finish-inside": b'a"},"finish_reason":"stop","x":{"y":"',
    "data-inside": b" data: {}",
    "json-inside": b'data: {\\"type\\":\\"response.created\\"}',
    "line-separator": b"\xe2\x80\xa8\xc2\x85",
    "line-separator-escaped": b"\\u2028",
    "first-half": b"\\ud83d",
    "second-half": b"\\ude00",
    "halves-swapped": b"\\ude00\\ud83d",
    "first-bytes": b"\xf0\x9f",
    "last-bytes": b"\x98\x80",
    "no-utf8": b"\xff",
    "overlong": b"\xc0\x80",
    "surrogate-bytes": b"\xed\xa0\xbd",
    "null-escaped": b"\\u0000",
    "mark-escaped": b"\\u0001",
    "mark": b"\x01",
    "marks": b"\x02a\x01b\x03",
    "null": b"\x00",
    "tab": b"\t",
    "delete": b"\x7f",
    "carriage-return": b"a\rb",
    "line-feed": b"a\nb",
    "event-end": b"a\n\nb",
    "event-begins": b'a\n\ndata: {"choices":[{"delta":{"content":"b',
    "braces": b"{" * 300,
    "long": b"word " * 2000,
    "longer-than-a-window": b"a" * 70_000,
}  # fmt: skip


def _mark_for_constant(run: Run, which: int = 0) -> bytes:
    """A control character in the place of what stands between two of the holes."""
    pieces = re.split(rb"TEXT|PAD|NUMBER", run.event)
    constants = [
        b"\x01" if place == which + 1 and place < len(pieces) - 1 else piece for place, piece in enumerate(pieces)
    ]
    return b"9".join(constants)


def _overlap(event: bytes) -> bytes:
    """Head and tail share the quote between them."""
    return event.replace(b'""', b'"')


# Events that are not quite those of the run: made from one of it whose text is empty.
ODD_EVENTS: dict[str, Callable[[bytes], bytes]] = {
    "unknown-field-in-front": lambda event: event.replace(b"data: {", b'data: {"odd":"x",'),
    "unknown-field-inside": lambda event: event.replace(b'"delta":', b'"odd":{"n":[1]},"delta":').replace(b'"delta": ', b'"odd": 1, "delta": '),
    "unknown-field-in-delta": lambda event: event.replace(b'"delta":{', b'"delta":{"odd":"word",').replace(b'"delta": {', b'"delta": {"odd": "word", '),
    "unknown-field-at-the-end": lambda event: event.replace(b"}\n\n", b',"odd":null}\n\n'),
    "another-order": lambda event: event.replace(b'"index":0,', b"").replace(b'"delta":{', b'"index":0,"delta":{').replace(b'"output_index":0,', b"").replace(b'"delta":"', b'"output_index":0,"delta":"'),
    "space": lambda event: event.replace(b'":', b'" :', 1),
    "no-space-after-colon": lambda event: event.replace(b"data: ", b"data:"),
    "two-spaces-after-colon": lambda event: event.replace(b"data: ", b"data:  "),
    "brace-missing": lambda event: event.replace(b"}\n\n", b"\n\n").replace(b"}\r\n", b"\r\n"),
    "brace-too-many": lambda event: event.replace(b"}\n\n", b"}}\n\n"),
    "cut": lambda event: event[: len(event) // 2] + b"\n\n",
    "cut-without-end": lambda event: event[: 2 * len(event) // 3],
    "overlap": _overlap,
    "text-null": lambda event: event.replace(b'""', b"null"),
    "text-number": lambda event: event.replace(b'""', b"7"),
    "text-list": lambda event: event.replace(b'""', b'[{"type":"text","text":"part"}]'),
    "text-escaped": lambda event: event.replace(b'""', b'"\\u0061"'),
    "number-with-zero": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":0').replace(b'"sequence_number": ', b'"sequence_number": 0'),
    "number-long": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":' + b"9" * 30),
    "number-float": lambda event: event.replace(b',"item_id"', b'.0,"item_id"'),
    "number-negative": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":-'),
    "number-text": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":"x","sequence_number":'),
    "pad-with-space": lambda event: event.replace(b'"obfuscation":"', b'"obfuscation":"a b').replace(b'"p": "', b'"p": "a b'),
    "pad-escaped": lambda event: event.replace(b'"obfuscation":"', b'"obfuscation":"\\u0041').replace(b'"p": "', b'"p": "\\n'),
    "pad-other-language": lambda event: event.replace(b'"obfuscation":"', '"obfuscation":"²é'.encode()).replace(b'"p": "', '"p": "é'.encode()),
    "pad-null": lambda event: event.replace(b'"obfuscation":"', b'"obfuscation":null,"x":"').replace(b'"p": "', b'"p": null, "x": "'),
    "blanks-gone": lambda event: event.replace(b"   }", b"}").replace(b"}\n\n", b"  }\n\n"),
    "blanks-tab": lambda event: event.replace(b"   }", b" \t }"),
    "crlf": lambda event: event.replace(b"\n", b"\r\n"),
    "cr": lambda event: event.replace(b"\r\n", b"\r").replace(b"\n", b"\r"),
    "lf": lambda event: event.replace(b"\r\n", b"\n"),
    "no-blank-line": lambda event: event.replace(b"\n\n", b"\n").replace(b"\r\n\r\n", b"\r\n"),
    "blank-lines": lambda event: event + b"\n\n\r\n",
    "two-data-lines": lambda event: event.replace(b"data: {", b"data: {\ndata: "),
    "named-error": lambda event: b"event: error\n" + event,
    "other-name": lambda event: b"event: other\n" + event,
    "with-id": lambda event: b"id: 7\n" + event,
    "unframed": lambda event: event[event.index(b"{") :].strip() + b"\n",
    "other-choice": lambda event: event.replace(b'"index":0', b'"index":1').replace(b'"output_index":0', b'"output_index":3'),
    "negative-choice": lambda event: event.replace(b'"index":0', b'"index":-1').replace(b'"output_index":0', b'"output_index":-1'),
    "other-id": lambda event: event.replace(b'"c1"', b'"c2"').replace(b'"i1"', b'"i9"'),
    "other-model": lambda event: event.replace(b'"model":"m"', b'"model":"n"'),
    "finish": lambda event: event.replace(b'"finish_reason":null', b'"finish_reason":"stop"'),
    "usage": lambda event: event.replace(b'"choices":', b'"usage":{"prompt_tokens":3,"completion_tokens":4},"choices":'),
    "error-beside": lambda event: event.replace(b"data: {", b'data: {"error":{"message":"no"},'),
    "stream-id": lambda event: event.replace(b"data: {", b'data: {"stream_id":"s2",'),
    "role": lambda event: event.replace(b'"delta":{', b'"delta":{"role":"assistant",'),
    "other-text": lambda event: event.replace(b'"content"', b'"refusal"').replace(b'"reasoning"', b'"thinking"').replace(b"output_text", b"refusal"),
    "usage-null": lambda event: event.replace(b'"usageMetadata"', b'"usageMetadata":null,"usageMetadata"'),
    "usage-more": lambda event: event.replace(b'TokenCount":', b'TokenCount":0,"odd":1,"x":', 1).replace(b'TokenCount": ', b'TokenCount": null,"x": '),
    "usage-less": lambda event: event.replace(b'"candidatesTokenCount":', b'"toolUsePromptTokenCount":').replace(b'"totalTokenCount": ', b'"cachedContentTokenCount": '),
    "usage-float": lambda event: event.replace(b'"totalTokenCount":', b'"totalTokenCount":1.5,"thoughtsTokenCount":').replace(b'"completion_tokens": ', b'"completion_tokens": 1.'),
    "usage-lost": lambda event: event.replace(b'"completion_tokens": ', b'"completion_tokens": 0, "x": '),
    "thought": lambda event: event.replace(b'"text"', b'"thought":true,"text"').replace(b',"thought": true', b""),
    "signed": lambda event: event.replace(b'"text"', b'"thoughtSignature":"s","text"'),
    "two-parts": lambda event: event.replace(b'{"text"', b'{"text":"one"},{"text"'),
    "no-parts": lambda event: event.replace(b'"parts"', b'"parts":[],"parts_"'),
    "part-of-another-kind": lambda event: event.replace(b'{"text"', b'{"functionCall":{"name":"f"},"text_"'),
    "unknown-field-in-content": lambda event: event.replace(b'"role"', b'"odd":1,"role"'),
    "cited": lambda event: event.replace(b'"content":', b'"citationMetadata":{"citations":[{"uri":"u"}]},"content":'),
    "grounded": lambda event: event.replace(b'"content":', b'"groundingMetadata":{"a":1},"content":').replace(b'"LOW"', b'"HIGH"'),
    "finish-in-capitals": lambda event: event.replace(b'"content":', b'"finishReason":"MAX_TOKENS","content":'),
    "blocked": lambda event: event.replace(b'"candidates":', b'"promptFeedback":{"blockReason":"OTHER"},"candidates":'),
    "token-ids": lambda event: event.replace(b'"text":', b'"token_ids":[1,2],"text":').replace(b'"text": ', b'"stop_reason": 7, "text": '),
    "logprobs": lambda event: event.replace(b'"logprobs":null', b'"logprobs":{"tokens":["a"],"token_logprobs":[-1]}'),
    "call": lambda event: event.replace(b'"delta":{', b'"delta":{"tool_calls":[{"index":0,"id":"t7","function":{"name":"g","arguments":"{"}}],'),
}  # fmt: skip
# Events that have nothing to do with the run.
OTHER_EVENTS: dict[str, bytes] = {
    "comment": b": keep-alive\n\n",
    "comment-in-front": b": keep-alive\n",
    "blank-line": b"\n",
    "done": b"data: [DONE]\n\n",
    "retry": b"retry: 10\n",
    "text": b"not a line of a stream\n\n",
    "empty-object": b"data: {}\n\n",
    "list": b"data: [1]\n\n",
    "error": b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n',
    "another-chat": b'data: {"id":"c9","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":"new"}}]}\n\n',
    "another-response": b'data: {"type":"response.created","response":{"id":"r9","object":"response","output":[]}}\n\n',
    "checkpoint": b'data: {"type":"response.in_progress","response":{"id":"r1","output":[{"id":"i1","type":"message","content":[{"type":"output_text","text":"so far"}]}]}}\n\n',
    "text-done": b'data: {"type":"response.output_text.done","item_id":"i1","output_index":0,"content_index":0,"text":"all"}\n\n',
    "item-done": b'data: {"type":"response.output_item.done","output_index":0,"item":{"id":"i1","type":"message","role":"assistant","content":[{"type":"output_text","text":"all"}]}}\n\n',
    "terminal": b'data: {"type":"response.completed","response":{"id":"r1","object":"response","status":"completed","output":[]}}\n\n',
    "finished": b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n',
    "finished-without-index": b'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n',
    "parts": b'data: {"id":"c1","choices":[{"index":0,"delta":{"content":[{"type":"thinking","thinking":[{"type":"text","text":"hm"}]}]}}]}\n\n',
    "new-call": b'data: {"id":"c1","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"id":"t2","type":"function","function":{"name":"g","arguments":""}}]}}]}\n\n',
    "signed-detail": b'data: {"id":"c1","choices":[{"index":0,"delta":{"reasoning_details":[{"type":"reasoning.text","index":0,"signature":"s"}]}}]}\n\n',
    "another-message": b'data: {"type":"message_start","message":{"id":"m9","type":"message","role":"assistant","content":[]}}\n\n',
    "message-stop": b'data: {"type":"message_stop"}\n\n',
    "another-completion": b'data: {"id":"c9","object":"text_completion","choices":[{"index":0,"text":"new"}]}\n\n',
    "another-answer": b'data: {"candidates":[{"content":{"parts":[{"text":"new"}],"role":"model"},"index":0}],"responseId":"c9"}\n\n',
    "late-usage": b'data: {"usageMetadata":{"candidatesTokenCount":1,"cachedContentTokenCount":9}}\n\n',
    "a-call": b'data: {"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":{"a":1}}}],"role":"model"},"index":0}]}\n\n',
    "anthropic": b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"x"}}\n\n',
}  # fmt: skip
IRREGULAR = [*ODD_TEXTS, *ODD_EVENTS, *OTHER_EVENTS, "mark-for-constant"]


def irregular(name: str, run: Run) -> bytes:
    """One irregular event for a run."""
    if name in ODD_TEXTS:
        return run.next(ODD_TEXTS[name])
    if name in ODD_EVENTS:
        return ODD_EVENTS[name](run.next(b""))
    return OTHER_EVENTS[name] if name in OTHER_EVENTS else _mark_for_constant(run)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("reads", READS)
def test_lanes_are_used(name: str, reads: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most events of every run are proven, however they are read: or all that is said here would say nothing."""
    proven = []
    texts = Template.texts

    def counted(template: Template, columns: Columns) -> Any:
        found = texts(template, columns)
        proven.append(0 if found is None else len(columns[0]))
        return found

    monkeypatch.setattr(Template, "texts", counted)
    run = Run(name)
    played(reads([*run.opening, *(run.next(b"word") for _ in range(300))]), lanes=True)

    assert sum(proven) > 100


@pytest.mark.parametrize("name", RUNS)
def test_broken_at_every_place(name: str) -> None:
    """Three hundred events, broken at every place by an irregular one, each place by another."""
    for place in range(300):
        kind = IRREGULAR[(7 * place + len(name)) % len(IRREGULAR)]
        run = Run(name)
        events = [
            *run.opening,
            *(run.next() for _ in range(place)),
            irregular(kind, run),
            *(run.next() for _ in range(300 - place)),
        ]
        reads = READS[place % len(READS)]

        assert played(reads(events), lanes=True) == played(whole(events), lanes=False), (kind, reads.__name__)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("place", [6, 101])
def test_broken_by_everything(name: str, place: int) -> None:
    """Every irregular event breaks a run, in every way of reading, with a snapshot in the middle of what is held."""
    for kind in IRREGULAR:
        run = Run(name)
        events = [
            *run.opening,
            *(run.next() for _ in range(place)),
            irregular(kind, run),
            *(run.next() for _ in range(12)),
        ]

        same_in_every_read(events)
        same([*events[:-5], SNAPSHOT, *events[-5:-3], SNAPSHOT, *events[-3:]])


# -- whatever a host does ------------------------------------------------------------------------

ANOTHER = {
    "chat": b'data: {"id":"c8","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}\n\n',
    "responses": b'data: {"type":"response.created","response":{"id":"r8","object":"response","output":[]}}\n\n',
    "anthropic": b'data: {"type":"message_start","message":{"id":"m8","type":"message","role":"assistant","content":[]}}\n\n',
    "completions": b'data: {"id":"c8","object":"text_completion","choices":[{"index":0,"text":""}]}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"a"}],"role":"model"},"index":0}],"responseId":"c8"}\n\n',
}
OPTIONS: tuple[dict[str, Any], ...] = (
    {},
    {"limits": reducer.Limits(max_event_bytes=300)},
    {"limits": reducer.Limits(max_retained_bytes=400)},
    {"limits": reducer.Limits(max_depth=6)},
    {"text_keys": ("odd",)},
)


@st.composite
def scripts(draw: Any) -> list[Any]:
    """Runs of up to three kinds in turn, broken and watched in every way; and then the reads cut anew."""
    family = draw(st.sampled_from(sorted(ANOTHER)))
    names = draw(
        st.lists(st.sampled_from([n for n in RUNS if n.startswith(family)]), min_size=1, max_size=3, unique=True)
    )
    number = itertools.count(2)
    script: list[Any] = list(dict.fromkeys(event for name in names for event in RUNS[name][0]))
    for _ in range(draw(st.integers(1, 6))):
        kinds = names if draw(st.booleans()) else [draw(st.sampled_from(names))]
        count = draw(st.sampled_from([0, 1, 2, 3, 5, 9, 60, 99, 100, 101]))
        script += [Run(kinds[place % len(kinds)], next(number)).next() for place in range(count)]
        run = Run(draw(st.sampled_from(names)), next(number))
        step = draw(st.sampled_from(["event", "event", "payload", "another", SNAPSHOT, SAVE]))
        if step == "another":
            script += [OTHER_EVENTS["done"], ANOTHER[family]]
        elif step in (SNAPSHOT, SAVE):
            script.append(step)
        else:
            event = irregular(draw(st.sampled_from(IRREGULAR)), run)
            script.append(event if step == "event" else (event[event.find(b"{") :].rstrip(),))
    return _cut(script, draw(st.sampled_from(["one", "several", "4 KiB", "anywhere"])), draw(st.integers(0, 1000)))


def _cut(script: list[Any], how: str, seed: int) -> list[Any]:
    """Cut the bytes between the marks anew."""
    rng = random.Random(seed)
    cut: list[Any] = []
    for is_bytes, steps in itertools.groupby(script, lambda step: isinstance(step, bytes)):
        reads = list(steps)
        if is_bytes and how == "several":
            reads = several_a_read(reads)
        elif is_bytes and how == "4 KiB":
            reads = in_4_kib(reads)
        elif is_bytes and how == "anywhere":
            reads = list(_anywhere(b"".join(reads), rng))
        cut += reads
    return cut


def _anywhere(data: bytes, rng: random.Random) -> Iterator[bytes]:
    at = 0
    while at < len(data):
        size = rng.choice((1, 7, 40, 200, 300, 5000, 20_000))
        yield data[at : at + size]
        at += size


@given(script=scripts(), options=st.sampled_from(OPTIONS))
@settings(max_examples=400)
def test_scripts(script: list[Any], options: dict[str, Any]) -> None:
    """Whatever a host does, and whatever comes, the lanes do not show."""
    same(script, **options)


# -- what was wrong once -------------------------------------------------------------------------


def run_of(name: str, count: int, text: bytes | None = None) -> list[bytes]:
    """So many events of a run, live reads, behind their opening."""
    run = Run(name)
    return [*run.opening, *(run.next(text) for _ in range(count))]


def chat(delta: str, **other: str) -> bytes:
    """A short chunk; what is beside its one choice as JSON by key."""
    beside = "".join(f',"{key}":{value}' for key, value in other.items())
    return f'data: {{"id":"c1","choices":[{{"index":0,"delta":{delta}}}]{beside}}}\n\n'.encode()


def texts(*keys: str) -> list[bytes]:
    """Eight chunks with these text keys, each its own text."""
    return [chat("{" + ",".join(f'"{key}":"{key[:3]}{n} "' for key in keys) + "}") for n in range(8)]


def test_head_and_tail_overlap() -> None:
    """An event in which head and tail share a byte is broken JSON, not an empty text."""
    same([*run_of("chat-text", 9), _overlap(Run("chat-text").next(b"")), SNAPSHOT])


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("which", [0, 1])
def test_a_control_character_is_no_constant(name: str, which: int) -> None:
    """A raw control character in the place of the bytes between two holes is not taken for them."""
    same([*run_of(name, 9, b"a"), _mark_for_constant(Run(name, 11), which), SNAPSHOT])


@pytest.mark.parametrize("text", [b" data: ", b'data: {\\"type\\":\\"response.created\\"}'])
@pytest.mark.parametrize("reads", READS)
def test_saved_after_data_in_a_text(text: bytes, reads: Any) -> None:
    """The last event is found by its beginning, not by what its text says."""
    same([*reads(run_of("responses-text", 300, text)), SAVE, *run_of("responses-text", 310, b"x")[2:]])


def test_saved_after_events_behind_a_run() -> None:
    """What a replay is measured by is the last event, not the last that went through a lane."""
    behind = [
        b'data: {"type":"response.refusal.delta","sequence_number":20,"item_id":"i1","output_index":0,"content_index":1,"delta":"no"}\n\n',
        b'data: {"type":"response.function_call_arguments.delta","sequence_number":21,"item_id":"i2","output_index":1,"delta":"{"}\n\n',
        b'data: {"type":"response.code_interpreter_call_code.delta","sequence_number":22,"item_id":"i3","output_index":2,"delta":"1"}\n\n',
    ]

    same([*run_of("responses-text", 18, b"a"), *behind, SAVE, *behind])


@pytest.mark.parametrize("count", range(1, 13))
def test_saved_behind_what_is_no_event(count: int) -> None:
    """A heartbeat, the end marker or what is no JSON does not hide the last event from a replay, however it was read."""
    events = run_of("responses-text", count, b"a")
    for kind in (b'data: {"type":"ping"}\n\n', b"data: [DONE]\n\n", b"data: oops\n\n", OTHER_EVENTS["anthropic"]):
        together = [b"".join([*events, kind]), SAVE, *events, SNAPSHOT]
        apart = [*events, kind, SAVE, *events, SNAPSHOT]
        found = [played(script, lanes=lanes)[-1] for script in (together, apart) for lanes in (True, False)]

        assert found == found[:1] * 4, kind


def test_what_comes_before_a_replay_keeps_its_number() -> None:
    """The events of a replay are counted where they come, in one read as in several."""
    events = run_of("responses-text", 4, b"a")
    again = [b"data: [7]\n\n", *events]

    assert played([*events, SAVE, b"".join(again)], lanes=False) == played([*events, SAVE, *again], lanes=False)


def test_saved_inside_an_event_behind_a_run() -> None:
    """What a new connection cuts off is reported where it was."""
    events = run_of("chat-text", 12)

    same([*events, events[-1][:30], SAVE, *events])


def test_one_frame_and_two_shapes() -> None:
    """Events of different shape between the same first and last bytes are different templates."""
    first = [Run("chat-obfuscation-first", number).next(b"a") for number in range(12)]
    second = [Run("chat-obfuscation-first-reasoning", number).next(b"b") for number in range(12)]

    for count in range(12):
        same([*first, chat('{"thinking":"x"}'), *second[:count], *first[:2], SNAPSHOT, *second])


def test_two_texts_in_another_order() -> None:
    """A template found again gives each text to its own sink, whatever the order on the wire."""
    for keys in itertools.permutations(("content", "reasoning", "reasoning_content", "refusal"), 2):
        same([*texts(*keys), chat('{"thinking":"x"}'), *texts(*keys), chat('{"thinking":"x"}'), *texts(*keys)])


def test_the_second_role() -> None:
    """A role for the second time is looked at: with the text of the first it is a replay (C45)."""
    for count in range(8):
        role = chat('{"role":"assistant","content":"again"}')
        same([*(chat('{"content":"word"}') for _ in range(count)), role, role, role])


def test_events_larger_than_the_limit() -> None:
    """The limit on an event counts in a lane too."""
    events = run_of("chat-text", 12, b"word")
    for limit in range(len(events[-1]) - 8, len(events[-1]) + 120, 8):
        for reads in READS:
            long = [*events, Run("chat-text").next(b"w" * 60), *events[-9:]] * 20
            options = {"limits": reducer.Limits(max_event_bytes=limit)}

            assert played(reads(long), lanes=True, **options) == played(whole(long), lanes=False, **options)


def test_nothing_is_learned_from_events_that_are_refused() -> None:
    """Nor where the problems are too many to be kept."""
    events = [
        b'data: {"id":"c1","choices":[{"index":%d,"delta":{"content":"x"}}]}\n\n' % index for index in range(3000)
    ]

    same_in_every_read(events)


def test_finished_in_a_held_read() -> None:
    """A finish reason is seen at once, also on a read that fits a lane."""
    finish = chat('{"content":"c"}').replace(
        b'"delta":{"content":"c"}', b'"delta":{"content":"c"},"finish_reason":"stop","odd":{"delta":{"content":"c"}}'
    )
    same([*(chat('{"content":"word"}') for _ in range(9)), finish, SNAPSHOT])
    same([*run_of("chat-obfuscation", 20), ODD_EVENTS["finish"](Run("chat-obfuscation").next(b"."))])


@pytest.mark.parametrize("names", [("chat-obfuscation-first", "chat-other-choice"), ("chat-two-texts", "chat-text")])
def test_another_response_after_interleaved_texts(names: tuple[str, str]) -> None:
    """Templates of one response mean nothing in the next."""
    runs = [Run(name) for name in names]
    events = [run.next(b"word") for _ in range(200) for run in runs]
    alone = [run.next(b"word") for run in runs[:1] for _ in range(200)]
    for other in (runs[0], runs[1]):
        then = [event.replace(b'"c1"', b'"c8"') for event in [other.next(b"again") for _ in range(100)] + alone]

        same_in_every_read([*events, OTHER_EVENTS["done"], ANOTHER["chat"], *then, *then])


@pytest.mark.parametrize("dialect", ["auto", "openai.chat"])
def test_a_response_that_has_not_begun(dialect: str) -> None:
    """Templates mean nothing to a response whose first event has told nothing."""
    other = b'data: {"stream_id":"s2","odd":1}\n\n'
    same([*run_of("chat-text", 60), other, SNAPSHOT, *run_of("chat-text", 60)[1:]], dialect=dialect)


@pytest.mark.parametrize("name", ["chat-other-choice-other-model", "chat-other-choice"])
def test_interleaved_texts(name: str) -> None:
    """Events of two templates in turn: of what they say beside their texts, the model say, the last wins."""
    runs = (Run("chat-text"), Run(name))
    for seed in range(20):
        rng = random.Random(seed)
        events = [*runs[0].opening, *(rng.choice(runs).next(b"word") for _ in range(rng.randint(60, 300)))]

        same_in_every_read(events)


def test_a_payload_between_reads() -> None:
    """What `feed_event` takes between two reads of a run may change what the next of them means."""
    for kind in IRREGULAR:
        for name in ("chat-text", "responses-text", "chat-arguments"):
            run = Run(name)
            event = irregular(kind, run)
            if b"{" in event:
                before = [*run.opening, *(run.next(b"a") for _ in range(9))]
                same([*before, (event[event.index(b"{") :].rstrip(),), *(run.next(b"b") for _ in range(9)), SNAPSHOT])


# -- what looks like a run and is none ------------------------------------------------------------

# Events that repeat and do more than add their texts, or mean something else once something has come between: what
# stands in front of them, the event, and what comes between. TEXT is another word each time, INDEX by turns 0 and 1.
_FIRST = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{}},{"index":1,"delta":{}}]}\n\n'
_LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}\n\n'
_BARE = (
    OTHER_EVENTS["done"],
    b'data: {"id":"c8","model":"n","choices":[{"index":0,"delta":{"role":"assistant"}},{"index":1,"delta":{"role":"assistant"}}]}\n\n',
)
_NEW = (
    *_BARE,
    *[b'data: {"choices":[{"index":0,"delta":{"content":"b"}},{"index":1,"delta":{"content":"b"}}]}\n\n'] * 2,
)


def choice(delta: str, beside: str = "", index: str = "0") -> bytes:
    """A chunk of one choice, with what is beside its delta, and no id: it may belong to any response."""
    return b'data: {"choices":[{"index":%b,"delta":%b%b}]}\n\n' % (index.encode(), delta.encode(), beside.encode())


def turn(delta: str, beside: str = "") -> bytes:
    return choice(delta, beside, "INDEX")


def call(entry: str, index: str = "INDEX") -> bytes:
    return choice('{"tool_calls":[' + entry + "]}", index=index)


def detail(entry: str, index: str = "INDEX") -> bytes:
    return choice('{"reasoning_details":[' + entry + "]}", index=index)


def both(*events: bytes) -> tuple[bytes, ...]:
    """The events of choice 0, then those of choice 1."""
    return tuple(event.replace(b"INDEX", index) for index in (b"0", b"1") for event in events)


_ARGUMENTS = '{"index":0,"function":{"arguments":"TEXT"}}'
_OPEN = both(call('{"index":0,"id":"tINDEX","type":"function","function":{"name":"f","arguments":""}}'))
_DETAIL = '{"type":"reasoning.text","index":0,"format":"f","text":"TEXT"}'
_BLOCK = RUNS["anthropic-text"][0]
_THOUGHT = RUNS["anthropic-thinking"][0]
NO_RUNS: dict[str, tuple[tuple[bytes, ...], bytes, tuple[bytes, ...]]] = {
    "several choices": ((), b'data: {"choices":[{"index":0,"delta":{"content":"TEXT"}},{"index":1,"delta":{"content":"x"}}]}\n\n', ()),
    "no choices": ((choice('{"content":"x"}'),), b'data: {"id":"c1","choices":[],"obfuscation":"TEXT"}\n\n', ()),
    "no delta": ((choice('{"content":"x"}'),), b'data: {"choices":[{"index":0,"finish_reason":null,"text":"TEXT"}]}\n\n', ()),
    "another id": ((), turn('{"content":"TEXT"}').replace(b"{", b'{"id":"c1",', 1), _NEW),
    "another model": ((), turn('{"content":"TEXT"}').replace(b"{", b'{"model":"m",', 1), _NEW),
    "no such choice": ((), turn('{"content":"TEXT"}'), (_NEW[0], b'data: {"id":"c8","choices":[{"index":7,"delta":{"role":"assistant"}}]}\n\n')),
    "less usage": (
        (), b'data: {"choices":[{"index":0,"delta":{"content":"TEXT"}}],"usage":{"prompt_tokens":3}}\n\n',
        (b'data: {"choices":[],"usage":{"prompt_tokens":3,"cost":5}}\n\n',),
    ),
    "a function of the old kind": ((), turn('{"content":"TEXT","function_call":{"name":"f","arguments":"x"}}'), ()),
    "a finish reason": ((), turn('{"content":"TEXT"}', ',"finish_reason":"stop"'), both(turn("{}", ',"finish_reason":"length"'))),
    "the second role": ((), turn('{"role":"assistant","content":"word "}'), (_NEW[0], choice('{"role":"assistant","content":"word "}').replace(b"{", b'{"id":"c8",', 1), choice('{"content":"b"}'), choice('{"content":"c"}', index="1"), choice('{"content":"d"}', index="1"))),
    "logprobs": ((), turn('{"content":"TEXT"}', ',"logprobs":{"content":[{"token":"a"}]}'), ()),
    "the first null for logprobs": ((), turn('{"content":"TEXT"}', ',"logprobs":null'), _NEW),
    "token ids": ((), turn('{"content":"TEXT"}', ',"token_ids":[1]'), ()),
    "filter results": ((), turn('{"content":"TEXT"}', ',"content_filter_results":{"hate":{"filtered":true}}'), (choice("{}", ',"content_filter_results":{"hate":{"filtered":false}}', "1"),)),
    **{
        f"{key} that differs": ((), turn('{"content":"TEXT"}', f',"{key}":"a"'), (choice("{}", f',"{key}":"b"', "1"),))
        for key in ("native_finish_reason", "stop_reason", "matched_stop")
    },
    "a null that names a text": ((), turn('{"content":"TEXT","refusal":null}'), _NEW),
    "a text that has become parts": ((), turn('{"content":"TEXT"}'), both(turn('{"content":[{"type":"text","text":"p"}]}'))),
    "a text that has parts": ((), turn('{"content":"TEXT","reasoning":["x"]}'), ()),
    "a content that has not begun": ((), turn('{"content":"TEXT"}'), _BARE),
    "an empty content that has not begun": ((), turn('{"content":"","reasoning":"TEXT"}'), (*_BARE, *both(turn('{"reasoning":"a"}')) * 2)),
    "a reasoning that has not begun": ((), turn('{"content":"","reasoning":"TEXT"}'), _NEW),
    "a text that grows": ((), turn('{"content":"GROWN"}'), ()),
    "arguments that grow": (_OPEN, call('{"index":0,"function":{"arguments":"GROWN"}}'), ()),
    "several calls": (_OPEN, call('{"index":0,"function":{"arguments":"TEXT"}},{"index":1,"id":"t7","function":{"name":"g","arguments":"x"}}', "0"), ()),
    "several details": ((), detail(_DETAIL + ',{"text":"x","type":"reasoning.text","index":0}'), ()),
    "a call that is not there": (_OPEN, call(_ARGUMENTS), _NEW),
    "a call without an index": (_OPEN, call('{"function":{"arguments":"TEXT"}}'), ()),
    "the id of another call": (
        _OPEN, call('{"index":0,"id":"t0","function":{"arguments":"TEXT"}}', "0"),
        (call('{"index":0,"id":"u0","function":{"name":"g","arguments":"{"}}', "0"), call('{"index":0,"function":{"arguments":"["}}', "0")),
    ),
    "a custom call beside the function": (_OPEN, call('{"index":0,"function":{"arguments":"TEXT"},"custom":{"input":"x"}}'), ()),
    "a call without a function": (_OPEN, choice('{"content":"TEXT","tool_calls":[{"index":0}]}', index="INDEX"), ()),
    "a name each time": (_OPEN, call('{"index":0,"function":{"name":"f","arguments":"BRACKET"}}', "0"), ()),
    "the first type of a call": (
        _OPEN, call('{"index":0,"type":"odd","function":{"arguments":"TEXT"}}'),
        both(call('{"index":0,"id":"uINDEX","function":{"name":"g","arguments":"{"}},{"index":0,"function":{"arguments":"["}}')),
    ),
    "arguments that are an object": (_OPEN, choice('{"content":"TEXT","tool_calls":[{"index":0,"function":{"arguments":{"a":1}}}]}', index="INDEX"), ()),
    "arguments that were an object": (_OPEN, call(_ARGUMENTS), both(call('{"index":0,"function":{"arguments":{}}}'))),
    "the call touched last": (
        (*_OPEN, call(_ARGUMENTS, "1"), call(_ARGUMENTS, "0")), call(_ARGUMENTS),
        (call('{"index":1,"id":"u1","function":{"name":"g","arguments":"{"}}', "1"), call('{"index":1,"function":{"arguments":"["}}', "1")),
    ),
    "an encrypted detail": ((), detail('{"type":"reasoning.encrypted","index":0,"text":"TEXT"}'), ()),
    "a detail behind one that is none": ((), detail(_DETAIL), both(detail('"odd"'))),
    "a detail that has no text yet": ((), detail(_DETAIL), both(detail('{"type":"reasoning.text","index":5}'), detail('{"type":"reasoning.text","index":0}'))),
    "a detail of another format": ((), detail(_DETAIL.replace('"f"', '"g"')), (detail(_DETAIL, "1"),)),
    "a signature that differs": ((), detail(_DETAIL.replace("}", ',"signature":"a"}')), (detail('{"type":"reasoning.text","index":0,"signature":"b"}', "1"),)),
    "usage in each event": (_BLOCK, b'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":NUMBER}}\n\n', ()),
    "a block that is not there": (_BLOCK, RUNS["anthropic-text"][1], (OTHER_EVENTS["another-message"],)),
    "a delta without a delta": (_BLOCK, b'data: {"type":"content_block_delta","index":0}\n\n', ()),
    "a delta of unknown kind": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"odd_delta","text":"TEXT"}}\n\n', ()),
    "a delta of unknown kind that says nothing": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"odd_delta"}}\n\n', ()),
    "a delta in another event": ((*_BLOCK, RUNS["anthropic-text"][1]), RUNS["anthropic-text"][1].replace(b"_delta", b"_stop", 2).replace(b"text_stop", b"text_delta"), ()),
    "nothing of its kind": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","thinking":"TEXT"}}\n\n', ()),
    "thinking that has not begun": (_THOUGHT, RUNS["anthropic-thinking"][1], (OTHER_EVENTS["another-message"], *_THOUGHT[1:])),
    "late deltas": (_RESPONSE, RUNS["responses-text"][1], (OTHER_EVENTS["text-done"], RUNS["responses-text"][1].replace(b"NUMBER", b"9"))),
    "after the end": (_RESPONSE, RUNS["responses-text"][1], (OTHER_EVENTS["terminal"],)),
    "a text of another part": (_RESPONSE, RUNS["responses-text"][1], (RUNS["responses-text"][1].replace(b'"content_index":0', b'"content_index":1'),) * 3),
    "a delta with logprobs": (_RESPONSE, RUNS["responses-text"][1].replace(b'"logprobs":[]', b'"logprobs":[{"token":"a"}]'), ()),
    "a delta that is an object": (_RESPONSE, RUNS["responses-text"][1].replace(b'"TEXT"', b'{"text":"TEXT"}'), ()),
    "a delta that grows": (_RESPONSE, RUNS["responses-text"][1].replace(b"TEXT", b"GROWN"), ()),
}  # fmt: skip


def numbered(event: bytes, number: int) -> bytes:
    """The event with the words and numbers of its turn."""
    event = event.replace(b"TEXT", b"w%d " % number).replace(b"GROWN", b"x" * (number + 16))
    event = event.replace(b"BRACKET", b"[" if number % 4 < 2 else b"]")
    return event.replace(b"INDEX", b"%d" % (number % 2)).replace(b"NUMBER", b"%d" % (number + 2)).replace(b"PAD", b"aB")


@pytest.mark.parametrize("name", NO_RUNS)
def test_events_that_do_more_than_add_their_texts(name: str) -> None:
    """What handling the last of many events would not do alone is done for each of them, at its place."""
    opening, event, between = NO_RUNS[name]
    chat = b'"choices"' in event
    # Before: of choice 0, of choice 1, and by turns, so that both are known. Behind: of both, ending with choice 0.
    numbers = [*range(0, 100, 2), *range(1, 100, 2), *range(100, 140), *range(140, 200, 2), *range(141, 200, 2)]
    before = [*[_FIRST] * chat, *opening, *(numbered(event, number) for number in numbers)]
    breaks = [numbered(event, 201) for event in between]
    behind = [numbered(event, number) for number in [*range(203, 263, 2), *range(204, 264, 2)]]
    end = [call('{"function":{"arguments":"end"}}', "1")] if b"tool_calls" in event else []
    end += [_LAST] * chat

    same_in_every_read([*before, *breaks, *behind, *end])
    # Settled again and again, so that there is more than one attempt to make a template.
    watched = [step for place, read in enumerate(before) for step in (read, *[SNAPSHOT] * (place % 10 == 9))]
    for step in (SNAPSHOT, SAVE):
        same([*watched, *breaks, step, *behind, SNAPSHOT, *end])
    same([*watched, b"".join(breaks), SNAPSHOT, *behind[1:], SNAPSHOT, *end])


# -- templates that cannot be made, or are no use --------------------------------------------------

_NUMBER_LAST = RUNS["responses-number-last"][1]
ODD_LAYOUTS: dict[str, tuple[tuple[bytes, ...], list[bytes]]] = {
    "a blank before a colon": ((), [choice('{"content" : "TEXT"}')] * 200),
    "an id in front": ((), [b"id: 12345678901234\n" + choice('{"content":"TEXT"}')] * 200),
    "a line that is none in front": ((), [b"no line of a stream\n" + choice('{"content":"TEXT"}')] * 200),
    "comments in front": ((), [b": 12345678901234567890\n\n", choice('{"content":"TEXT"}')] * 100),
    "comments": ((choice('{"content":"a"}'),) * 10, [b": 12345678901234567890\n\n"] * 200),
    "two lines of data": ((), [choice('{"content":"TEXT"}').replace(b':[{', b":\ndata: [{", 1)] * 200),
    "mixed line ends": ((), [choice('{"content":"TEXT"}').replace(b"\n\n", b"\n\r\n")] * 200),
    "errors by name": ((), [b"event: error\n" + choice('{"content":"TEXT"}')] * 200),
    "blanks behind a number": (_RESPONSE, [_NUMBER_LAST.replace(b"}\n", b"  }\n")] * 40),
    "blanks behind a number, at times": (_RESPONSE, [_NUMBER_LAST, _NUMBER_LAST, _NUMBER_LAST.replace(b"}\n", b"  }\n")] * 20),
    "filter results that are no UTF-8": (
        (), [choice('{"content":"TEXT"}', ',"content_filter_results":{"hate":"RAW"}').replace(b"RAW", b"\xff")] * 200,
    ),
    "the text stands elsewhere too": (
        (), [b'data: {"usage":{"content":"%b"},"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n' % said for said in [b"x"] * 200 + [b"y"] * 60],
    ),
    "a number stands elsewhere too": (
        (), [b'data: {"candidates":[{"content":{"parts":[{"text":"TEXT"}],"role":"model"}}],"usageMetadata":{"promptTokensDetails":[{"totalTokenCount":7}],"totalTokenCount":7},"responseId":"c1"}\n\n'] * 200,
    ),
    "the index stands elsewhere too": (
        (_FIRST,),
        [b'data: {"usage":{"index":%d},"choices":[{"index":%d,"delta":{"content":"TEXT"}}]}\n\n' % numbers for numbers in [(0, 0)] * 200 + [(1, 1)] * 200 + [(1, 1), (0, 1)] * 60],
    ),
    "padding that is no word": ((), [RUNS["chat-obfuscation"][1].replace(b"PAD", pad) for pad in [b"a b", b"ab", b"+/="] * 20]),
    "the indices of choices and of calls": (
        (_FIRST, call('{"index":0,"id":"t0","function":{"name":"f","arguments":""}}', "0"), call('{"index":1,"id":"t1","function":{"name":"f","arguments":""}}', "1")),
        [call('{"index":INDEX,"function":{"arguments":"TEXT"}}').replace(b"INDEX", index) for index in [b"0"] * 200 + [b"1"] * 200 + [b"0", b"1"] * 60],
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", ODD_LAYOUTS)
def test_odd_layouts(name: str) -> None:
    """What a template takes for a hole is the value that it should be, or there is no template."""
    opening, run = ODD_LAYOUTS[name]
    events = [*opening, *(numbered(event, number) for number, event in enumerate(run))]

    same_in_every_read(events)
    same([step for place, read in enumerate(events) for step in (read, *[SNAPSHOT] * (place % 10 == 9))])


@pytest.mark.parametrize("name", RUNS)
def test_odd_texts_among_words(name: str) -> None:
    """A run of plain words, which are proven together without a closer look, unless something odd is among them."""
    for text in ODD_TEXTS.values():
        run = Run(name)
        same_in_every_read([*run.opening, *(run.next(text if place == 40 else b"word ") for place in range(60))])


@pytest.mark.parametrize("text", ODD_TEXTS)
def test_odd_texts_of_choices_by_turns(text: str) -> None:
    """The same where the run is of two choices, whose texts are told apart."""
    words = [b"%d " % place for place in range(220)]
    words[180] = ODD_TEXTS[text]
    indices = ["0"] * 60 + ["1"] * 60 + ["0", "1"] * 50
    events = [
        choice('{"content":"TEXT"}', index=index).replace(b"TEXT", word)
        for index, word in zip(indices, words, strict=True)
    ]

    same_in_every_read([_FIRST, *events])


@pytest.mark.parametrize("gap", [1, 3, 4, 9])
@pytest.mark.parametrize("every", [4, 70])
def test_rows_between_that_do_not_fit(gap: int, every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Events between those of a run are taken once, and in their places, whether the run goes on behind them or not."""
    run = Run("chat-obfuscation")
    pads = ([b"aB"] * every + [b"+/="] * gap) * (3 + 200 // every)
    events = [run.event.replace(b"PAD", pad).replace(b"TEXT", b"%d " % place) for place, pad in enumerate(pads)]

    same_in_every_read(events)
    monkeypatch.setattr("reducer.runs._LONG", 64)
    same_in_every_read(events)


def test_templates_are_not_made_of_short_streams(monkeypatch: pytest.MonkeyPatch) -> None:
    """They cost more than they save there, the more the more holes they have."""
    for module, value in SHIPPED:
        monkeypatch.setattr(f"reducer.{module}", value)
    proven = 0
    texts = Template.texts

    def counted(template: Template, columns: Columns) -> Any:
        nonlocal proven
        proven += len(columns[0])
        return texts(template, columns)

    monkeypatch.setattr(Template, "texts", counted)
    runs = (
        ("chat-text", b"word", 150, 600),
        ("chat-obfuscation", b" word" * 30, 200, 1500),
        ("responses-text", b"word", 4000, 0),
    )
    for name, text, few, many in runs:
        for count in filter(None, (few, many)):
            run = Run(name)
            events = [*run.opening, *(run.next(b"%d%b" % (n % 7, text)) for n in range(count))]
            proven = 0

            same([b"".join(events)])
            assert (proven > 0) == (count == many), (name, count)
