"""Sequences of payloads whose neighbours differ in ways that matter if a batch merges them.

`SEQUENCES` maps names to lists of payloads of one dialect.
"""

from __future__ import annotations

from typing import Any

import msgspec

DONE = b"[DONE]"


def chunk(delta: dict[str, Any], **others: Any) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": None, **others.pop("choice", {})}
    return msgspec.json.encode({"id": "c", "created": 1, "model": "m", "choices": [choice], **others})


def call(index: int, arguments: str, **others: Any) -> dict[str, Any]:
    return {"tool_calls": [{"index": index, "function": {"arguments": arguments}, **others}]}


HEAD = [chunk({"role": "assistant", "content": ""})]
DETAIL = {"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}


def logged(token: Any, **others: Any) -> dict[str, Any]:
    """Return the log-probabilities of a choice."""
    candidate = {"token": token, "logprob": -0.5, "bytes": [97]}
    entry = {**candidate, "top_logprobs": [candidate, {**candidate, "logprob": 0, "bytes": None}]}
    return {"logprobs": {"content": [{**entry, **others.pop("entry", {})}], **others}}


LOGGED = [chunk({"content": str(n)}, choice=logged(str(n), refusal=None)) for n in range(40)]
CHAT: dict[str, list[bytes]] = {
    "logprobs": LOGGED,
    "logprobs without refusals, then with one": [
        *[chunk({"content": "a"}, choice=logged("a"))] * 4,
        *[chunk({"content": "b"}, choice=logged("b", refusal=None))] * 4,
    ],
    "logprobs, then a null": [*LOGGED[:5], *[chunk({"content": "b"}, choice={"logprobs": None})] * 4, *LOGGED[5:8]],
    "logprobs, then none": [*LOGGED[:5], *[chunk({"content": "b"})] * 4, *LOGGED[5:8]],
    "logprobs, none of them": [*LOGGED[:5], *[chunk({"content": ""}, choice={"logprobs": {"content": []}})] * 4],
    "logprobs of refusals": [*LOGGED[:5], *[chunk({"content": ""}, choice=logged("", refusal=[]))] * 4],
    "logprobs with a key more": [*LOGGED[:5], chunk({"content": "x"}, choice=logged("x", entry={"rank": 1})), *LOGGED],
    "logprobs with a key less": [
        *LOGGED[:5],
        chunk({"content": "x"}, choice={"logprobs": {"content": [{"token": "x", "logprob": 0}]}}),
        *LOGGED[:5],
    ],
    "logprobs of two choices": [
        chunk({"content": str(n)}, choice={"index": n % 2, **logged(str(n))}) for n in range(40)
    ],
    "logprobs with numbers beyond all": [
        *LOGGED[:5],
        chunk({"content": "x"}, choice=logged("x", entry={"bytes": [2**70]})),
        chunk({"content": "x"}, choice=logged("x", entry={"logprob": -(2**70)})),
        chunk({"content": "x"}, choice=logged("x", entry={"logprob": -1e300})),
        *LOGGED[:5],
    ],
    "choices alternating": [chunk({"content": str(n)}, choice={"index": n % 3}) for n in range(60)],
    "choices alternating, a role in one": [
        chunk({"content": str(n), **({"role": "assistant"} if n == 50 else {})}, choice={"index": n % 3})
        for n in range(60)
    ],
    "calls of choices alternating": [
        *[chunk(call(n % 2, "", id=str(n), type="function"), choice={"index": n // 2}) for n in range(4)],
        *[chunk(call(n % 2, str(n)), choice={"index": n % 4 // 2}) for n in range(60)],
    ],
    "a call touched that is not the newest of its index": [
        chunk(call(0, "", id="a", type="function")),
        chunk(call(0, "", id="b", type="function")),
        chunk(call(0, "1", id="a")),
        *[chunk(call(0, "2"))] * 40,
    ],
    "brackets in a name": [chunk({"content": str(n)}, model="a[0]") for n in range(40)],
    "a bracket at the end": [chunk({"content": str(n)}, obfuscation="]") for n in range(40)],
    "text": [chunk({"content": f"{n} "}) for n in range(600)],
    "text, with what each chunk has": [
        chunk({"role": "assistant", "content": str(n)}, system_fingerprint="f", service_tier="t", provider="p")
        for n in range(6)
    ],
    "reasoning": [chunk({"content": "", "reasoning": str(n), "reasoning_details": [DETAIL]}) for n in range(6)],
    "reasoning, the role in each chunk": [chunk({"role": "assistant", "reasoning": str(n)}) for n in range(6)],
    "reasoning, with what each chunk has": [
        chunk({"reasoning": str(n)}, system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        for n in range(6)
    ],
    "reasoning, then an empty content": [
        chunk({"reasoning": str(n), **({"content": ""} if n > 3 else {})}, choice={"index": 1}) for n in range(6)
    ],
    "reasoning of another model": [chunk({"reasoning": str(n)}, model="m" if n < 3 else "n") for n in range(6)],
    "reasoning of another choice": [chunk({"reasoning": str(n)}, choice={"index": n // 3}) for n in range(6)],
    "details whose text comes late": [
        chunk({"reasoning_details": [{**DETAIL, "text": None}]}),
        *[chunk({"reasoning": "a", "reasoning_details": [DETAIL]})] * 3,
    ],
    "reasoning_content": [chunk({"content": None, "reasoning_content": str(n)}) for n in range(600)],
    "reasoning, then text": [chunk({"reasoning": "a"})] * 4 + [chunk({"content": "b"})] * 4,
    "arguments": [chunk(call(0, "{", id="a", type="function")), *[chunk(call(0, "1, "))] * 600],
    "arguments, with what each chunk has": [
        chunk(call(0, str(n), id="a"), system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        if n < 2
        else chunk(call(0, str(n)), system_fingerprint=f"f{n}", service_tier=f"t{n}", provider=f"p{n}")
        for n in range(8)
    ],
    "arguments of another model": [
        chunk(call(0, "", id="a")),
        *(chunk(call(0, str(n)), model="m" if n < 3 else "n") for n in range(6)),
    ],
    "arguments of another choice": [
        chunk(call(0, "", id="a")),
        *(chunk(call(0, str(n)), choice={"index": n // 3}) for n in range(6)),
    ],
    "calls alternating": [
        *[chunk(call(n, "", id=str(n), type="function")) for n in range(4)],
        *[chunk(call(n % 4, str(n))) for n in range(40)],
    ],
    "a call that was never opened": [chunk(call(0, "1", id="a"))] * 3 + [chunk(call(7, "2"))] * 3,
    "another id": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, id="d")] * 4],
    "another model": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, model="n")] * 4],
    "another choice": [*[chunk({"content": "a"})] * 4, *[chunk({"content": "b"}, choice={"index": 1})] * 4],
    "a null for logprobs": [
        *[chunk({"content": "a"})] * 4,
        *[chunk({"content": "b"}, choice={"logprobs": None})] * 4,
    ],
    "parts": [*[chunk({"content": "a"})] * 4, *[chunk({"content": [{"type": "text", "text": "b"}]})] * 2]
    + [chunk({"content": "c"})] * 3,
    "after the end": [*[chunk({"content": "a"})] * 4, DONE, *[chunk({"content": "b"})] * 4],
}


def padded(delta: dict[str, Any], count: int, **others: Any) -> list[bytes]:
    """Return chunks that differ only after their choices."""
    return [chunk(delta, obfuscation=str(n), **others) for n in range(count)]


def opened(index: int, ident: str) -> list[bytes]:
    """Return a call whose arguments come in fragments."""
    return [chunk(call(index, "", id=ident, type="function")), *[chunk(call(index, str(n))) for n in range(3)]]


REPEATING: dict[str, list[bytes]] = {
    "text": [*HEAD, *CHAT["text"]],
    "text, padded": [*HEAD, *padded({"content": "a"}, 60)],
    "logprobs": [*HEAD, *LOGGED],
    "logprobs, padded": [*HEAD, *padded({"content": "a"}, 60, choice=logged("a"))],
    "reasoning": [*HEAD, *CHAT["reasoning_content"]],
    "arguments": [*HEAD, *opened(0, "a"), *[chunk(call(0, "1"))] * 60],
    "a role amid reasoning": [
        *[chunk({"reasoning": "a"})] * 60,
        chunk({"reasoning": "a", "role": "tool"}),
        *[chunk({"reasoning": "b"})] * 30,
    ],
    "a role amid text": [
        *[chunk({"content": "a"})] * 60,
        chunk({"content": "a", "role": "tool"}),
        *[chunk({"content": "b"})] * 30,
    ],
    "a call touched that is not the newest of its index": [
        *opened(0, "a"),
        *opened(0, "b"),
        chunk(call(0, "x", id="a")),
        *[chunk(call(0, "y"))] * 60,
    ],
    "pieces without an index go to the call touched last": [
        *opened(0, "a"),
        *opened(1, "b"),
        *[chunk(call(1, "y"))] * 40,
        *[chunk(call(0, "z"))] * 3,
        *[chunk({"tool_calls": [{"function": {"arguments": "-"}}]})] * 30,
    ],
    "another provider": [
        *HEAD,
        *padded({"content": "a"}, 60, provider="p"),
        *padded({"content": "b"}, 60, provider="q"),
    ],
    "logprobs that are no plain JSON before": [
        *HEAD,
        chunk({"content": "a"}, choice={**logged("a"), "undeclared": 1}),
        *LOGGED,
        *LOGGED,
    ],
    "keys of logprobs in another order": [
        *HEAD,
        *[
            chunk({"content": "a"}, choice={"logprobs": {"content": [{"bytes": None, "token": "a", "logprob": 0}]}})
            for _ in range(60)
        ],
    ],
    "two models": [*HEAD, *[chunk({"content": "a"}, model=model) for model in "mn" for _ in range(60)]],
}


def delta(kind: str = "output_text", item: str = "a", output: int = 0, **others: Any) -> bytes:
    event = {"type": f"response.{kind}.delta", "item_id": item, "output_index": output, "delta": "x "}
    return msgspec.json.encode({**event, **({} if "reasoning" in kind else {"content_index": 0}), **others})


def item(ident: str, output: int, kind: str) -> bytes:
    return msgspec.json.encode(
        {"type": "response.output_item.added", "output_index": output, "item": {"id": ident, "type": kind}}
    )


SUMMARY = "reasoning_summary_text"
RESPONSES: dict[str, list[bytes]] = {
    "text": [delta(sequence_number=n) for n in range(600)],
    "parts of one item": [delta(content_index=n // 9) for n in range(18)],
    "parts alternating": [*[delta()] * 4, *(delta(content_index=n % 2) for n in range(18))],
    "two items": [*[delta()] * 9, *[delta(item="b", output=1)] * 9],
    "another number for one item": [*[delta()] * 9, *[delta(output=1)] * 9],
    "a summary": [*[delta(SUMMARY, "r", 2, summary_index=0)] * 9, *[delta(SUMMARY, "r", 2, summary_index=1)] * 9],
    "a summary, then a text": [*[delta(SUMMARY, "r", 2, summary_index=0)] * 9, *[delta()] * 9],
    "a refusal": [*[delta()] * 9, *[delta("refusal")] * 9],
    "after the text is done": [
        *[delta()] * 9,
        b'{"type":"response.output_text.done","item_id":"a","output_index":0,"content_index":0,"text":"%b"}'
        % (b"x " * 9),
        *[delta()] * 9,
    ],
    "after the end": [
        *[delta()] * 9,
        b'{"type":"response.completed","response":{"id":"r","object":"response","status":"completed","output":[]}}',
        *[delta()] * 9,
    ],
}


def piece(text: Any = "a", usage: Any = None, index: Any = 0, **part: Any) -> dict[str, Any]:
    content = {"parts": [{"text": text, **part}], "role": "model"}
    chunk = {"candidates": [{"content": content, "index": index}], "modelVersion": "m", "responseId": "r"}
    return chunk if usage is None else {**chunk, "usageMetadata": usage}


def usage(count: int, *keys: str) -> dict[str, Any]:
    details = [{"tokenCount": 4, "modality": "TEXT"}]
    said = {"promptTokenCount": 4, "candidatesTokenCount": count, "promptTokensDetails": details}
    return said | dict.fromkeys(keys, count)


def with_candidate(chunk: dict[str, Any], **others: Any) -> dict[str, Any]:
    return {**chunk, "candidates": [{**chunk["candidates"][0], **others}]}


TOTAL, THOUGHTS = "totalTokenCount", "thoughtsTokenCount"
GEMINI: dict[str, list[dict[str, Any]]] = {
    "text": [piece(str(n), usage(n, TOTAL)) for n in range(600)],
    "thoughts, then text": [
        *(piece(str(n), usage(n, THOUGHTS), thought=True) for n in range(5)),
        *(piece(str(n), usage(n, TOTAL)) for n in range(5)),
    ],
    "thoughts that are false": [*[piece()] * 3, *[piece(thought=False)] * 2, *[piece(thought=None)] * 2],
    "keys that come and go": [
        *(piece(usage=usage(n)) for n in range(4)),
        *(piece(usage=usage(n, TOTAL, THOUGHTS)) for n in range(4)),
        *(piece(usage=usage(n, THOUGHTS)) for n in range(4)),
        *(piece(usage={"totalTokenCount": 7, "candidatesTokenCount": 8}) for n in range(4)),
    ],
    "keys in another order": [piece(usage={THOUGHTS: n, TOTAL: n}) for n in range(4)]
    + [piece(usage={TOTAL: n, THOUGHTS: n}) for n in range(4)],
    "a key that no rule knows": [piece(usage=usage(n, "newTokenCount")) for n in range(4)] + [piece()] * 4,
    "values of other types": [
        *(piece(usage=usage(n)) for n in range(4)),
        *(piece(usage={**usage(9), "candidatesTokenCount": value}) for value in (None, "7", 7.0, 7.5, 2**70)),
        *(piece(usage=usage(n)) for n in range(4)),
        piece(usage={**usage(9), "promptTokensDetails": None}),
    ],
    "details that change": [
        *(piece(usage={**usage(n), "promptTokensDetails": [{"tokenCount": n // 2}]}) for n in range(9)),
        *(piece(usage={**usage(n), "promptTokensDetails": {"tokenCount": n}}) for n in range(2)),
    ],
    "details of another kind": [
        *(piece(usage=usage(n)) for n in range(3)),
        *(piece(usage={**usage(n), "promptTokensDetails": {"tokenCount": 1}}) for n in range(40)),
    ],
    "thoughts that end by an explicit false": [*[piece(thought=True)] * 5, *[piece(thought=False)] * 5],
    "usage in some": [piece(str(n), usage(n) if n % 2 else None) for n in range(9)],
    "usage alone": [*(piece(usage=usage(n)) for n in range(4)), {"usageMetadata": {TOTAL: 9}}, piece(usage=usage(7))],
    "usage of Vertex": [{**piece(usage={"trafficType": "ON_DEMAND"}), "createTime": f"t{n}"} for n in range(6)],
    "candidates alternating": [piece(str(n), usage(n), n % 2) for n in range(9)],
    "an index that comes late": [*[piece(index=None)] * 5, *[piece()] * 5, *[piece(index=None)] * 2],
    "an index below 0": [*[piece()] * 4, *[piece(index=-1)] * 4],
    "another id": [*[piece()] * 4, *[{**piece("b"), "responseId": "s"}] * 4],
    "another model": [*[piece()] * 4, *[{**piece("b"), "modelVersion": "n"}] * 4],
    "signatures": [
        *[piece()] * 4,
        piece("", thoughtSignature="s"),
        *[piece("b")] * 4,
        piece("c", thoughtSignature="t"),
    ],
    "a call between": [
        *[piece()] * 4,
        {"candidates": [{"content": {"parts": [{"functionCall": {"name": "f"}}]}}], "responseId": "r"},
        *[piece("b")] * 4,
    ],
    "no role": [with_candidate(piece(), content={"parts": [{"text": "a"}]})] * 4 + [piece()] * 4,
    "no content": [*[piece()] * 4, with_candidate(piece(), content=None), piece()],
    "no part": [*[piece()] * 4, with_candidate(piece(), content={"parts": []}), piece()],
    "two parts": [*[piece()] * 4, with_candidate(piece(), content={"parts": [{"text": "a"}] * 2}), piece()],
    "two candidates": [*[piece()] * 4, {"candidates": [{"index": 0}, {"index": 1}]}, piece()],
    "rated": [*[piece()] * 4, *[with_candidate(piece(), safetyRatings=[{"category": "C"}])] * 4],
    "a blocked prompt": [*[piece()] * 4, {**piece(), "promptFeedback": {"blockReason": "OTHER"}}, piece()],
    "after the end": [*[piece()] * 4, with_candidate(piece(), finishReason="STOP"), *[piece("b")] * 4],
}


COUNTS = b'"promptTokenCount": 4,"candidatesTokenCount": %d'
ENDS = b',"promptTokensDetails": [{"modality": "TEXT","tokenCount": 4}]},"modelVersion": "m","responseId": "r"}'
CANDIDATE = b'{"content": {"parts": [{"text": "%b"}],"role": "model"},"index": 0}'


def google(text: bytes = b"a", count: int = 1, candidate: bytes = CANDIDATE, ends: bytes = ENDS) -> bytes:
    """Return a chunk of text as Google's API writes it."""
    return b'{"candidates": [%b],"usageMetadata": {%b%b' % (candidate % text, COUNTS % count, ends)


MODEL_N = ENDS.replace(b'"m"', b'"n"')
FINISHED = CANDIDATE.replace(b"},", b'},"finishReason": "STOP",')
NOT_CLOSED = google().replace(b'"a"}', b'"a"')
# Payloads that interrupt the chunks of `google`.
ODD: dict[str, list[bytes]] = {
    "nothing": [],
    "the last chunk": [google(candidate=FINISHED)],
    "another model": [google(b"b", 2, ends=MODEL_N)] * 3,
    "other details": [google(b"b", 2, ends=ENDS.replace(b"TEXT", b"AUDIO"))] * 60,
    "no details": [google(b"b", 2, ends=ENDS[ENDS.index(b"}]}") + 2 :])] * 3,
    "no counts": [b'{"candidates": [%b],"usageMetadata": {%b' % (CANDIDATE % b"b", ENDS[1:])] * 3,
    "no usage": [b'{"candidates": [%b]%b' % (CANDIDATE % b"b", ENDS[ENDS.index(b"}]}") + 3 :])] * 3,
    "details twice": [google(ends=ENDS[: ENDS.index(b"}]") + 2] + ENDS)],
    "a model before": [b'{"modelVersion": "n",' + google()[1:]],
    "a thought": [google(candidate=CANDIDATE.replace(b'"}', b'","thought": true}', 1))] * 3,
    "a thought that is none": [google(candidate=CANDIDATE.replace(b'"}', b'","thought": false}', 1))] * 3,
    "two parts": [google(candidate=CANDIDATE.replace(b"[{", b'[{"text": "b"},{'))],
    "two candidates": [google(candidate=CANDIDATE + b"," + CANDIDATE.replace(b"%b", b"b"))],
    "another candidate": [google(candidate=CANDIDATE.replace(b"0}", b"1}"))] * 3,
    "a key of the candidate": [google(candidate=CANDIDATE.replace(b"0}", b'0,"tokenCount": 1}'))],
    "escapes": [
        google(rb"\"\\u00e9\\\\"),
        google(rb'}}\\",\\n{\\"promptTokensDetails\\": '),
        google("\u2028é".encode()),
    ],
    # Two broken chunks that would be valid if they were read as one chunk.
    "two chunks in one event": [google() + b"," + google()],
    "a chunk in two events": [google()[:60], google()[60:]],
    "a chunk that does not end, and two in one": [NOT_CLOSED, google() + b"," + google()],
    "a text that does not end, and two in one": [
        google(b"b", candidate=CANDIDATE.replace(b'b"}', b"b")),
        google() + b"," + google(),
    ],
    "candidates that do not end": [google(candidate=CANDIDATE[:-1]), google(candidate=CANDIDATE + b"}")],
    "a comma too many": [google(ends=b"," + ENDS), google(ends=b"}" + ENDS)],
    "a count that is none": [google().replace(b"4,", b"04,"), google().replace(b"4,", b'"4",'), google(count=2**70)],
    "no JSON": [b"{", b"[DONE]", b"null", b"7"],
}


BARE = b'{"candidates": [%b],"responseId": "r"}' % (CANDIDATE % b"a")
DETAILS = ENDS[: ENDS.index(b"}]") + 2]
BEHIND = ENDS[ENDS.index(b"}]}") + 3 :]


def in_order(*usage: bytes, beside: bytes = b"") -> bytes:
    """Return a chunk whose usage has these members, in this order."""
    candidate = (CANDIDATE % b"a").replace(b"0}", b"0%b}" % beside)
    return b'{"candidates": [%b],"usageMetadata": {%b}%b' % (candidate, b",".join(usage), BEHIND)


def counts(count: int) -> bytes:
    return COUNTS % count


# If a key comes twice in a chunk, its last value counts.
TWICE: dict[str, list[bytes]] = {
    "a count": [google(b"%d " % n, n, ends=DETAILS + b',"candidatesTokenCount": 7}' + BEHIND) for n in range(60)],
    "candidates": [
        google(b"%d " % n, n, ends=DETAILS + b'},"candidates": [%b]%b' % (CANDIDATE % b"b", BEHIND)) for n in range(60)
    ],
    "a usage, its details by another name": [
        google(
            b"a", n, ends=DETAILS + b'},"usageMetadata": {%b,"promptTokensDetail\\u0073": []}%b' % (counts(7), BEHIND)
        )
        for n in range(60)
    ],
    "null, and then in another order": [
        google().replace(b'"candidatesTokenCount": 1', b'"candidatesTokenCount": null,"thoughtsTokenCount": null'),
        *[in_order(b'"promptTokenCount": 4,"thoughtsTokenCount": 2,"candidatesTokenCount": 3', DETAILS[1:])] * 40,
    ],
}


# -- all of them ---------------------------------------------------------------------------------

_CREATED = b'{"type":"response.created","response":{"id":"r","object":"response","status":"in_progress","output":[]}}'
_OPENING = [_CREATED, item("a", 0, "message"), item("b", 1, "message"), item("r", 2, "reasoning")]
_GOOGLE = [google(b"%d " % n, n) for n in range(40)]
_START = b'{"type":"message_start","message":{"id":"m","type":"message","role":"assistant","content":[]}}'
_BLOCK = b'{"type":"content_block_start","index":%d,"content_block":{"type":"text","text":""}}'
_PIECE = b'{"type":"content_block_delta","index":%d,"delta":{"type":"text_delta","text":"%d "}}'

SEQUENCES: dict[str, list[bytes]] = {
    **{f"chat: {name}": [*HEAD, *payloads] for name, payloads in CHAT.items()},
    **{f"chat: {name}, many": payloads for name, payloads in REPEATING.items()},
    **{f"responses: {name}": [*_OPENING, *payloads] for name, payloads in RESPONSES.items()},
    **{f"gemini: {name}": [msgspec.json.encode(event) for event in events] for name, events in GEMINI.items()},
    **{f"gemini as Google writes it: {name}": [*_GOOGLE, *payloads, *_GOOGLE] for name, payloads in ODD.items()},
    **{f"gemini, keys twice: {name}": [*[BARE] * 40, *payloads, *payloads] for name, payloads in TWICE.items()},
    "anthropic: a block that does not exist": [
        _START, _BLOCK % 0, *(_PIECE % (0, n) for n in range(300)), _PIECE % (1, 7), *(_PIECE % (0, n) for n in range(9)),
    ],
    "anthropic: alternating blocks": [_START, _BLOCK % 0, _BLOCK % 1, *(_PIECE % (n % 2, n) for n in range(100))],
}  # fmt: skip
