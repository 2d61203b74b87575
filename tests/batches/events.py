"""Events for the tests of the batch path, by dialect.

`KINDS` has events that a stream repeats with other texts. `MISLEADING_TEXTS`, `MISLEADING_EVENTS` and `OTHER_EVENTS`
interrupt such a stream. `CHANGING` and `LAYOUTS` have repeating events that change more than texts, or that are written
in an unusual layout. ``TEXT``, ``PAD`` and ``NUMBER`` are placeholders for a text, padding and a number.
"""

from __future__ import annotations

from collections.abc import Callable

# For each kind: the events before the repeating ones, and the repeating event.
_CHAT = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1700000000,"model":"m","system_fingerprint":"fp_1",'
)
_RESPONSE = (
    b'event: response.created\ndata: {"type":"response.created","sequence_number":0,"response":{"id":"r1","object":"response","status":"in_progress","output":[]}}\n\n',
    b'event: response.output_item.added\ndata: {"type":"response.output_item.added","sequence_number":1,"output_index":0,"item":{"id":"i1","type":"message","status":"in_progress","role":"assistant","content":[]}}\n\n',
)
_MESSAGE = b'event: message_start\ndata: {"type":"message_start","message":{"id":"m1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"usage":{"input_tokens":1,"output_tokens":1}}}\n\n'
KINDS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
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
    # Differs from the kind before only in the key of its text.
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


# The content of a JSON string, or of a broken one.
MISLEADING_TEXTS: dict[str, bytes] = {
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


# Functions that change an event whose text is empty.
MISLEADING_EVENTS: dict[str, Callable[[bytes], bytes]] = {
    "unknown-field-in-front": lambda event: event.replace(b"data: {", b'data: {"undeclared":"x",'),
    "unknown-field-in-delta": lambda event: event.replace(b'"delta":{', b'"delta":{"undeclared":"word",').replace(b'"delta": {', b'"delta": {"undeclared": "word", '),
    "another-order": lambda event: event.replace(b'"index":0,', b"").replace(b'"delta":{', b'"index":0,"delta":{').replace(b'"output_index":0,', b"").replace(b'"delta":"', b'"output_index":0,"delta":"'),
    "space": lambda event: event.replace(b'":', b'" :', 1),
    "no-space-after-colon": lambda event: event.replace(b"data: ", b"data:"),
    "two-spaces-after-colon": lambda event: event.replace(b"data: ", b"data:  "),
    "brace-missing": lambda event: event.replace(b"}\n\n", b"\n\n").replace(b"}\r\n", b"\r\n"),
    "brace-too-many": lambda event: event.replace(b"}\n\n", b"}}\n\n"),
    "cut": lambda event: event[: len(event) // 2] + b"\n\n",
    "cut-without-end": lambda event: event[: 2 * len(event) // 3],
    "overlap": lambda event: event.replace(b'""', b'"'),
    "text-escaped": lambda event: event.replace(b'""', b'"\\u0061"'),
    "number-with-zero": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":0').replace(b'"sequence_number": ', b'"sequence_number": 0'),
    "number-long": lambda event: event.replace(b'"sequence_number":', b'"sequence_number":' + b"9" * 30),
    "pad-escaped": lambda event: event.replace(b'"obfuscation":"', b'"obfuscation":"\\u0041').replace(b'"p": "', b'"p": "\\n'),
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
    "other-id": lambda event: event.replace(b'"c1"', b'"c2"').replace(b'"i1"', b'"i9"'),
    "finish": lambda event: event.replace(b'"finish_reason":null', b'"finish_reason":"stop"'),
    "usage": lambda event: event.replace(b'"choices":', b'"usage":{"prompt_tokens":3,"completion_tokens":4},"choices":'),
    "error-beside": lambda event: event.replace(b"data: {", b'data: {"error":{"message":"no"},'),
    "stream-id": lambda event: event.replace(b"data: {", b'data: {"stream_id":"s2",'),
    "role": lambda event: event.replace(b'"delta":{', b'"delta":{"role":"assistant",'),
    "other-text": lambda event: event.replace(b'"content"', b'"refusal"').replace(b'"reasoning"', b'"thinking"').replace(b"output_text", b"refusal"),
    "usage-float": lambda event: event.replace(b'"totalTokenCount":', b'"totalTokenCount":1.5,"thoughtsTokenCount":').replace(b'"completion_tokens": ', b'"completion_tokens": 1.'),
    "signed": lambda event: event.replace(b'"text"', b'"thoughtSignature":"s","text"'),
    "two-parts": lambda event: event.replace(b'{"text"', b'{"text":"one"},{"text"'),
    "cited": lambda event: event.replace(b'"content":', b'"citationMetadata":{"citations":[{"uri":"u"}]},"content":'),
    "finish-in-capitals": lambda event: event.replace(b'"content":', b'"finishReason":"MAX_TOKENS","content":'),
    "logprobs": lambda event: event.replace(b'"logprobs":null', b'"logprobs":{"tokens":["a"],"token_logprobs":[-1]}'),
    "call": lambda event: event.replace(b'"delta":{', b'"delta":{"tool_calls":[{"index":0,"id":"t7","function":{"name":"g","arguments":"{"}}],'),
}  # fmt: skip
# Events of other kinds.
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
# -- events that add more than texts --------------------------------------------------------------

FIRST = b'data: {"id":"c1","model":"m","choices":[{"index":0,"delta":{}},{"index":1,"delta":{}}]}\n\n'
LAST = b'data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"},{"index":1,"delta":{},"finish_reason":"stop"}]}\n\n'
_BARE = (
    OTHER_EVENTS["done"],
    b'data: {"id":"c8","model":"n","choices":[{"index":0,"delta":{"role":"assistant"}},{"index":1,"delta":{"role":"assistant"}}]}\n\n',
)
_NEW = (
    *_BARE,
    *[b'data: {"choices":[{"index":0,"delta":{"content":"b"}},{"index":1,"delta":{"content":"b"}}]}\n\n'] * 2,
)


def choice(delta: str, beside: str = "", index: str = "0") -> bytes:
    """Return a chunk of one choice, with keys beside its delta, and without an id, so that it may belong to any
    response.
    """
    return b'data: {"choices":[{"index":%b,"delta":%b%b}]}\n\n' % (index.encode(), delta.encode(), beside.encode())


def turn(delta: str, beside: str = "") -> bytes:
    return choice(delta, beside, "INDEX")


def call(entry: str, index: str = "INDEX") -> bytes:
    return choice('{"tool_calls":[' + entry + "]}", index=index)


def detail(entry: str, index: str = "INDEX") -> bytes:
    return choice('{"reasoning_details":[' + entry + "]}", index=index)


def both(*events: bytes) -> tuple[bytes, ...]:
    """Return the events of choice 0, then those of choice 1."""
    return tuple(event.replace(b"INDEX", index) for index in (b"0", b"1") for event in events)


_ARGUMENTS = '{"index":0,"function":{"arguments":"TEXT"}}'
_OPEN = both(call('{"index":0,"id":"tINDEX","type":"function","function":{"name":"f","arguments":""}}'))
_DETAIL = '{"type":"reasoning.text","index":0,"format":"f","text":"TEXT"}'
_BLOCK = KINDS["anthropic-text"][0]
_THOUGHT = KINDS["anthropic-thinking"][0]
# Repeating events that change more than their texts, or whose meaning depends on the events before: the events before them,
# the repeating event, and the events that interrupt. TEXT differs each time; INDEX alternates between 0 and 1.
CHANGING: dict[str, tuple[tuple[bytes, ...], bytes, tuple[bytes, ...]]] = {
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
        _OPEN, call('{"index":0,"type":"undeclared","function":{"arguments":"TEXT"}}'),
        both(call('{"index":0,"id":"uINDEX","function":{"name":"g","arguments":"{"}},{"index":0,"function":{"arguments":"["}}')),
    ),
    "arguments that are an object": (_OPEN, choice('{"content":"TEXT","tool_calls":[{"index":0,"function":{"arguments":{"a":1}}}]}', index="INDEX"), ()),
    "arguments that were an object": (_OPEN, call(_ARGUMENTS), both(call('{"index":0,"function":{"arguments":{}}}'))),
    "the call touched last": (
        (*_OPEN, call(_ARGUMENTS, "1"), call(_ARGUMENTS, "0")), call(_ARGUMENTS),
        (call('{"index":1,"id":"u1","function":{"name":"g","arguments":"{"}}', "1"), call('{"index":1,"function":{"arguments":"["}}', "1")),
    ),
    "an encrypted detail": ((), detail('{"type":"reasoning.encrypted","index":0,"text":"TEXT"}'), ()),
    "a detail after one that is not an object": ((), detail(_DETAIL), both(detail('"undeclared"'))),
    "a detail that has no text yet": ((), detail(_DETAIL), both(detail('{"type":"reasoning.text","index":5}'), detail('{"type":"reasoning.text","index":0}'))),
    "a detail of another format": ((), detail(_DETAIL.replace('"f"', '"g"')), (detail(_DETAIL, "1"),)),
    "a signature that differs": ((), detail(_DETAIL.replace("}", ',"signature":"a"}')), (detail('{"type":"reasoning.text","index":0,"signature":"b"}', "1"),)),
    "usage in each event": (_BLOCK, b'data: {"type":"message_delta","delta":{},"usage":{"output_tokens":NUMBER}}\n\n', ()),
    "a block that is not there": (_BLOCK, KINDS["anthropic-text"][1], (OTHER_EVENTS["another-message"],)),
    "a delta without a delta": (_BLOCK, b'data: {"type":"content_block_delta","index":0}\n\n', ()),
    "a delta of unknown kind": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"unknown_delta","text":"TEXT"}}\n\n', ()),
    "a delta of unknown kind that says nothing": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"unknown_delta"}}\n\n', ()),
    "a delta in another event": ((*_BLOCK, KINDS["anthropic-text"][1]), KINDS["anthropic-text"][1].replace(b"_delta", b"_stop", 2).replace(b"text_stop", b"text_delta"), ()),
    "nothing of its kind": (_BLOCK, b'data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","thinking":"TEXT"}}\n\n', ()),
    "thinking that has not begun": (_THOUGHT, KINDS["anthropic-thinking"][1], (OTHER_EVENTS["another-message"], *_THOUGHT[1:])),
    "late deltas": (_RESPONSE, KINDS["responses-text"][1], (OTHER_EVENTS["text-done"], KINDS["responses-text"][1].replace(b"NUMBER", b"9"))),
    "after the end": (_RESPONSE, KINDS["responses-text"][1], (OTHER_EVENTS["terminal"],)),
    "a text of another part": (_RESPONSE, KINDS["responses-text"][1], (KINDS["responses-text"][1].replace(b'"content_index":0', b'"content_index":1'),) * 3),
    "a delta with logprobs": (_RESPONSE, KINDS["responses-text"][1].replace(b'"logprobs":[]', b'"logprobs":[{"token":"a"}]'), ()),
    "a delta that is an object": (_RESPONSE, KINDS["responses-text"][1].replace(b'"TEXT"', b'{"text":"TEXT"}'), ()),
    "a delta that grows": (_RESPONSE, KINDS["responses-text"][1].replace(b"TEXT", b"GROWN"), ()),
}  # fmt: skip


def numbered(event: bytes, number: int) -> bytes:
    """Replace the placeholders of an event for its place in the stream."""
    event = event.replace(b"TEXT", b"w%d " % number).replace(b"GROWN", b"x" * (number + 16))
    event = event.replace(b"BRACKET", b"[" if number % 4 < 2 else b"]")
    return event.replace(b"INDEX", b"%d" % (number % 2)).replace(b"NUMBER", b"%d" % (number + 2)).replace(b"PAD", b"aB")


# -- unusual layouts ------------------------------------------------------------------------------

_NUMBER_LAST = KINDS["responses-number-last"][1]
LAYOUTS: dict[str, tuple[tuple[bytes, ...], list[bytes]]] = {
    "a blank before a colon": ((), [choice('{"content" : "TEXT"}')] * 200),
    "an id in front": ((), [b"id: 12345678901234\n" + choice('{"content":"TEXT"}')] * 200),
    "a line that is none in front": ((), [b"no line of a stream\n" + choice('{"content":"TEXT"}')] * 200),
    "comments in front": ((), [b": 12345678901234567890\n\n", choice('{"content":"TEXT"}')] * 100),
    "comments": ((choice('{"content":"a"}'),) * 10, [b": 12345678901234567890\n\n"] * 200),
    "two lines of data": ((), [choice('{"content":"TEXT"}').replace(b':[{', b":\ndata: [{", 1)] * 200),
    "mixed line ends": ((), [choice('{"content":"TEXT"}').replace(b"\n\n", b"\n\r\n")] * 200),
    "errors by name": ((), [b"event: error\n" + choice('{"content":"TEXT"}')] * 200),
    "blanks after a number": (_RESPONSE, [_NUMBER_LAST.replace(b"}\n", b"  }\n")] * 40),
    "blanks after a number, at times": (_RESPONSE, [_NUMBER_LAST, _NUMBER_LAST, _NUMBER_LAST.replace(b"}\n", b"  }\n")] * 20),
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
        (FIRST,),
        [b'data: {"usage":{"index":%d},"choices":[{"index":%d,"delta":{"content":"TEXT"}}]}\n\n' % numbers for numbers in [(0, 0)] * 200 + [(1, 1)] * 200 + [(1, 1), (0, 1)] * 60],
    ),
    "padding that is no word": ((), [KINDS["chat-obfuscation"][1].replace(b"PAD", pad) for pad in [b"a b", b"ab", b"+/="] * 20]),
    "the indices of choices and of calls": (
        (FIRST, call('{"index":0,"id":"t0","function":{"name":"f","arguments":""}}', "0"), call('{"index":1,"id":"t1","function":{"name":"f","arguments":""}}', "1")),
        [call('{"index":INDEX,"function":{"arguments":"TEXT"}}').replace(b"INDEX", index) for index in [b"0"] * 200 + [b"1"] * 200 + [b"0", b"1"] * 60],
    ),
}  # fmt: skip
