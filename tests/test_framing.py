"""`reducer.framing`: from bytes to payloads. The tests cover lines, fields, events, JSON values, limits and splits of
the bytes.
"""

import random
import tracemalloc
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reducer.framing import Framer, cut_alike, cut_mixed
from reducer.json_value import Nesting, is_json

LARGE = 1 << 26


class Framed(NamedTuple):
    frames: list  # (payload, name, offset)
    notes: list
    torn: tuple | None

    @property
    def payloads(self):
        return [payload for payload, _, _ in self.frames]

    @property
    def named(self):
        return [(name, payload) for payload, name, _ in self.frames]

    @property
    def codes(self):
        return [(note.code, note.frame, note.offset) for note in self.notes]


def framed(*reads, limit=LARGE):
    """Feed reads to a framer, and flush the framer."""
    framer = Framer(limit)
    frames = [frame for read in reads for frame in framer.feed(read)]
    frames += framer.flush()
    assert framer.frame_count == len(frames)
    return Framed(frames, framer.notes, framer.torn)


def bytewise(data):
    return [data[at : at + 1] for at in range(len(data))]


def pieces(data, seed):
    rng = random.Random(seed)
    at = 0
    while at < len(data):
        size = rng.choice((1, 2, 3, 5, 9, 17, 40))
        yield data[at : at + size]
        at += size


def in_every_split(data, limit=LARGE):
    """Frame data whole, and check that every other split gives the same result:

    each single cut, bytewise, at random.
    """
    whole = framed(data, limit=limit)
    assert framed(*bytewise(data), limit=limit) == whole
    for at in range(1, min(len(data), 400)):
        assert framed(data[:at], data[at:], limit=limit) == whole, at
    for seed in range(5):
        assert framed(*pieces(data, seed), limit=limit) == whole, seed
    return whole


# -- WHATWG 9.2.6 ----------------------------------------------------------------------------------

WHATWG = {
    "messages": (
        b"data: This is the first message.\n\ndata: This is the second message, it\ndata: has two lines.\n\ndata: This is the third message.\n\n",
        [
            (None, b"This is the first message."),
            (None, b"This is the second message, it\nhas two lines."),
            (None, b"This is the third message."),
        ],
    ),
    "named": (
        b"event: add\ndata: 73857293\n\nevent: remove\ndata: 2153\n\nevent: add\ndata: 113411\n\n",
        [("add", b"73857293"), ("remove", b"2153"), ("add", b"113411")],
    ),
    "stocks": (b"data: YHOO\ndata: +2\ndata: 10\n\n", [(None, b"YHOO\n+2\n10")]),
    "four-blocks": (
        b": test stream\n\ndata: first event\nid: 1\n\ndata:second event\nid\n\ndata:  third event\n\n",
        [(None, b"first event"), (None, b"second event"), (None, b" third event")],
    ),
    "empty-data": (b"data\n\ndata\ndata\n\n", [(None, b""), (None, b"\n")]),
    "optional-space": (b"data:test\n\ndata: test\n\n", [(None, b"test"), (None, b"test")]),
}


@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("name", WHATWG)
def test_the_standards_examples(name, ending):
    """The examples of the standard give the events that the standard shows, with every line end."""
    data, expected = WHATWG[name]

    result = in_every_split(data.replace(b"\n", ending))

    assert result.named == expected
    assert result.notes == []
    assert result.torn is None


def test_an_unfinished_event_of_the_standard_is_torn():
    """The fourth example ends inside an event. The standard drops these bytes; the framer shows them."""
    result = in_every_split(b"data: first event\n\ndata:  third event")

    assert result.payloads == [b"first event"]
    assert result.torn == (19, b" third event")


# -- line ends -------------------------------------------------------------------------------------

ONE = b'{"n":1}'
TWO = b'{"n":2}'

LINE_ENDS = {
    "lf": [b"data: 1\n\ndata: 2\n\n"],
    "cr": [b"data: 1\r\rdata: 2\r\r"],
    "crlf": [b"data: 1\r\n\r\ndata: 2\r\n\r\n"],
    "crlf-then-lf": [b"data: 1\r\n\ndata: 2\r\n\n"],
    "lf-then-cr": [b"data: 1\n\rdata: 2\n\r"],
    "lf-then-crlf": [b"data: 1\n\r\ndata: 2\n\r\n"],
    "cr-then-crlf": [b"data: 1\r\r\ndata: 2\r\r\n"],
    "crlf-cut-between": [b"data: 1\r", b"\n\r", b"\ndata: 2\r", b"\n\r", b"\n"],
    "crlf-cut-and-empty-reads": [b"data: 1\r", b"", b"\n\r", b"", b"", b"\n", b"data: 2\r\n\r\n"],
    "lf-cut-before": [b"data: 1", b"\n\ndata: 2", b"\n\n"],
    "lf-cut-between": [b"data: 1\n", b"\ndata: 2\n", b"\n"],
    "cr-cut-between": [b"data: 1\r", b"\rdata: 2\r", b"\r"],
    "field-name-cut": [b"da", b"ta: 1\n\nd", b"ata: 2\n\n"],
    "colon-and-space-cut": [b"data", b":", b" ", b"1\n\ndata:", b" 2\n\n"],
    "many-blank-lines": [b"\n\n\r\n\rdata: 1\n\n\n\n\n\r\r\rdata: 2\n\n\n"],
    "three-events-in-a-read-and-one-in-three": [b"data: 1\n\nda", b"ta: ", b"2\n\n"],
}


@pytest.mark.parametrize("name", LINE_ENDS)
def test_lines_end_at_cr_lf_and_crlf(name):
    """The data gives two events, wherever the reads end."""
    result = framed(*LINE_ENDS[name])

    assert result.payloads == [b"1", b"2"]
    assert result.notes == []
    assert in_every_split(b"".join(LINE_ENDS[name])) == result


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c", "\x1d", "\x1e", "\x00"])
def test_nothing_else_ends_a_line(separator):
    """S9: the other line ends of `str.splitlines` are part of the text."""
    payload = f'{{"text":"a{separator}b"}}'.encode()

    assert in_every_split(b"data: " + payload + b"\n\n").payloads == [payload]
    assert in_every_split(payload + b"\n").payloads == [payload]


@pytest.mark.parametrize("character", ["é", "世", "🌍", "\u2028"])
def test_a_read_may_end_inside_a_character(character):
    """S10: framing does not decode characters, so a cut inside one does no harm."""
    payload = f'{{"text":"{character * 3}"}}'.encode()

    assert in_every_split(b"data: " + payload + b"\n\n" + payload).payloads == [payload, payload]


# -- the first bytes -------------------------------------------------------------------------------

BOM = b"\xef\xbb\xbf"

FIRST_BYTES = {
    "bom": ([BOM + b"data: 1\n\n"], [b"1"], []),
    "bom-cut": ([BOM[:1], BOM[1:2], BOM[2:], b"data: 1\n\n"], [b"1"], []),
    "bom-then-json": ([BOM + ONE], [ONE], []),
    "bom-then-array": ([BOM + b"[" + ONE + b"]"], [ONE], []),
    "bom-alone": ([BOM], [], []),
    "bom-then-blank-line": ([BOM + b"\n\ndata: 1\n\n"], [b"1"], []),
    "only-one-bom": ([BOM + BOM + b"data: 1\n\n"], [], [("stray_text", 0, 3)]),
    "bom-later": ([b"data: 1\n\n" + BOM + b"data: 2\n\n"], [b"1"], [("stray_text", 1, 9)]),
    "nothing": ([], [], []),
    "empty-reads": ([b"", b""], [], []),
    "only-blank-lines": ([b"\n\r\n\r"], [], []),
}


@pytest.mark.parametrize("name", FIRST_BYTES)
def test_a_byte_order_mark_is_removed(name):
    """S11: one mark at the start of the stream is removed. Any other mark is part of its line."""
    reads, payloads, codes = FIRST_BYTES[name]
    result = framed(*reads)

    assert result.payloads == payloads
    assert result.codes == codes
    assert result.torn is None
    assert in_every_split(b"".join(reads)) == result


COMPRESSED = {
    "gzip": (b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03", "gzip"),
    "zstd": (b"\x28\xb5\x2f\xfd\x24\x10", "zstd"),
    "zlib-fast": (b"\x78\x01\xab\x56\x4a", "deflate"),
    "zlib": (b"\x78\x9c\xab\x56\x4a", "deflate"),
    "zlib-best": (b"\x78\xda\xab\x56\x4a", "deflate"),
}


@pytest.mark.parametrize("name", COMPRESSED)
def test_a_compressed_body_is_not_read(name):
    """S17: the note names the helper that decompresses, and the bytes after the mark are not framed."""
    data, encoding = COMPRESSED[name]

    result = in_every_split(data + b"\n\ndata: 1\n\n" + ONE + b"\n")

    assert result.frames == []
    assert result.codes == [("compressed", 0, 0)]
    assert repr(encoding) in result.notes[0].chosen
    assert result.torn is None


@pytest.mark.parametrize("data", [b"\x1f data: 1\n\n", b"x: 1\n\n", b"(\n\n", b"x\n\n", b"\xef\n\n"])
def test_incomplete_mark_of_compression(data):
    """Bytes that only begin like a compressed body are read as lines."""
    result = in_every_split(data + b"data: 2\n\n")

    assert result.payloads == [b"2"]
    assert "compressed" not in [note.code for note in result.notes]


# -- fields ----------------------------------------------------------------------------------------

FIELDS = {
    "comment": (b": hello\ndata: 1\n: there\n\n", [(None, b"1")]),
    "comment-alone": (b": hello\n\n:\n\n", []),
    "comment-with-data-in-it": (b":data: 1\n\n: data: 1\n\n", []),
    "no-space": (b"data:1\n\n", [(None, b"1")]),
    "one-space-of-two": (b"data:  1\n\n", [(None, b" 1")]),
    "tab-is-data": (b"data:\t1\n\n", [(None, b"\t1")]),
    "trailing-space-stays": (b"data: 1 \n\n", [(None, b"1 ")]),
    "colons-in-the-value": (b"data: a: b:c\n\n", [(None, b"a: b:c")]),
    "data-without-colon": (b"data\n\n", [(None, b"")]),
    "empty-data": (b"data:\n\n", [(None, b"")]),
    "several-data-lines": (b"data: a\ndata:\ndata: b\n\n", [(None, b"a\n\nb")]),
    "pretty-json": (b'data: {\ndata:   "n": 1\ndata: }\n\n', [(None, b'{\n  "n": 1\n}')]),
    "id-and-retry": (b"id: 1\nretry: 10\ndata: 1\nid: 2\n\n", [(None, b"1")]),
    "id-alone": (b"id: 1\n\nid\n\nretry: 3000\n\n", []),
    "event-alone": (b"event: ping\n\ndata: 1\n\n", [(None, b"1")]),
    "event-first": (b"event: a\ndata: 1\n\ndata: 2\n\n", [("a", b"1"), (None, b"2")]),
    "event-last": (b"data: 1\nevent: a\n\ndata: 2\n\n", [("a", b"1"), (None, b"2")]),
    "event-twice": (b"event: a\nevent: b\ndata: 1\n\n", [("b", b"1")]),
    "event-taken-back": (b"event: a\nevent:\ndata: 1\n\n", [(None, b"1")]),
    "event-without-space": (b"event:a\ndata:1\n\n", [("a", b"1")]),
    "event-not-ascii": ("event: né\ndata: 1\n\n".encode(), [("né", b"1")]),
    "event-not-utf-8": (b"event: n\xe9\ndata: 1\n\n", [("n\ufffd", b"1")]),
    "unknown-field": (b"foo: 1\nfoo\nx-y_z.0: 2\ndata: 1\n\n", [(None, b"1")]),
    "longer-name": (b"data2: 1\ndataset: 2\nevents: 3\nDATA: 4\n\n", []),
    "http-headers": (b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: 1\r\n\r\n", [(None, b"1")]),
    "http-chunk-sizes": (b"9\r\ndata: 1\n\n\r\n1f\r\ndata: 2\n\n\r\n0\r\n\r\n", [(None, b"1"), (None, b"2")]),
    "error-field": (b'error: {"code":500}\n\ndata: 1\n\n', [("error", b'{"code":500}'), (None, b"1")]),
    "error-field-behind-a-whole-object": (
        b'data: {"n":1}\nerror: {"code":500}\n\n',
        [(None, ONE), ("error", b'{"code":500}')],
    ),
    "error-field-with-a-name": (b'event: x\nerror: {"code":500}\n\n', [("error", b'{"code":500}')]),
    "error-without-colon": (b"error\ndata: 1\n\n", [(None, b"1")]),
}


@pytest.mark.parametrize("name", FIELDS)
def test_fields(name):
    """Every line has the meaning that the standard defines; the field `error:` is an addition (S16)."""
    data, expected = FIELDS[name]

    result = in_every_split(data)

    assert result.named == expected
    assert result.notes == []
    assert result.torn is None


# -- beyond the standard ---------------------------------------------------------------------------

STRIPPED = {
    "objects": (b"data: {}\ndata: " + ONE + b"\ndata: " + TWO + b"\n", [b"{}", ONE, TWO]),
    "done": (b"data: " + ONE + b"\ndata: [DONE]\ndata: " + TWO + b"\n", [ONE, b"[DONE]", TWO]),
    "done-with-spaces": (b"data:  [DONE] \ndata: " + ONE + b"\n", [b" [DONE] ", ONE]),
    "braces-in-strings": (b'data: {"a":"}"}\ndata: {"b":"\\"}{"}\ndata: {}\n', [b'{"a":"}"}', b'{"b":"\\"}{"}', b"{}"]),
    "spaces-behind": (b"data: {}  \ndata: {}\n", [b"{}  ", b"{}"]),
    "spaces-before": (b"data:   {}\ndata: {}\n", [b"  {}", b"{}"]),
    "object-over-lines": (b'data: {"a":\ndata: [1,\ndata: {}]}\ndata: {}\n', [b'{"a":\n[1,\n{}]}', b"{}"]),
    "not-an-object": (b"data: 1\ndata: 2\ndata: [1]\ndata: {}\n\n", [b"1\n2\n[1]\n{}"]),
    "two-on-a-line": (b"data: {}{}\ndata: {}\n\n", [b"{}{}", b"{}"]),
    "empty-line-in-front": (b"data:\ndata: {}\ndata: " + ONE + b"\n\n", [b"\n{}", ONE]),
    "comments-between": (b"data: {}\n: ping\ndata: {}\n: ping\n", [b"{}", b"{}"]),
}


@pytest.mark.parametrize("name", STRIPPED)
def test_a_data_line_after_a_whole_object_begins_an_event(name):
    """S5:

    a proxy removed the blank lines. If the data so far is a whole object or the end marker, the next data line begins
    an event.
    """
    data, payloads = STRIPPED[name]

    assert in_every_split(data).payloads == payloads


def test_names_go_with_their_data_without_blank_lines():
    """S5: without blank lines, an event line names the data line after it."""
    data = b"event: a\ndata: {}\nevent: b\ndata: " + ONE + b"\nid: 1\nevent: c\ndata: " + TWO + b"\ndata: {}\n"

    assert in_every_split(data).named == [("a", b"{}"), ("b", ONE), ("c", TWO), (None, b"{}")]


DONE_FORMS = {
    "data": b"data: [DONE]\n\n",
    "no-space": b"data:[DONE]\n\n",
    "spaces": b"data:  [DONE]  \n\n",
    "bare-line": b"[DONE]\n",
    "bare-line-indented": b" \t[DONE]\n",
    "no-blank-line": b"data: [DONE]\n",
    "no-line-end": b"data: [DONE]",
    "bare-no-line-end": b"[DONE]",
    "twice": b"data: [DONE]\n\ndata: [DONE]\n\n",
    "named": b"event: done\ndata: [DONE]\n\n",
}


@pytest.mark.parametrize("name", DONE_FORMS)
def test_forms_of_the_end_marker(name):
    """The end marker becomes a payload, with or without a prefix, a blank line or a line end."""
    result = in_every_split(b"data: " + ONE + b"\n\n" + DONE_FORMS[name])

    assert {payload.strip() for payload in result.payloads[1:]} == {b"[DONE]"}
    assert result.notes == []
    assert result.torn is None


ENDS = {
    "blank-line": (b"data: {}\n\n", [b"{}"], None),
    "line-end": (b"data: {}\n", [b"{}"], None),
    "cr": (b"data: {}\r", [b"{}"], None),
    "nothing": (b"data: {}", [b"{}"], None),
    "comment-behind": (b"data: {}\n: pi", [b"{}"], None),
    "id-behind": (b"data: {}\nid: 4", [b"{}"], None),
    "cut-json": (b'data: {"a":', [], (0, b'{"a":')),
    "cut-json-with-line-end": (b'data: {"a":\n', [], (0, b'{"a":')),
    "cut-json-over-lines": (b'data: {\ndata: "a"', [], (0, b'{\n"a"')),
    "cut-text": (b"data: [DO", [], (0, b"[DO")),
    "cut-name": (b"data: {}\n\nda", [b"{}"], (10, b"da")),
    "cut-name-behind-data": (b"data: {}\nda", [b"{}"], (9, b"da")),
    "only-a-name": (b"event: response.crea", [], (0, b"event: response.crea")),
    "cut-behind-a-colon": (b"data: {}\n\ndata:", [b"{}"], (10, b"data:")),
    "cut-value": (b'{"a":1}\n{"a":', [b'{"a":1}'], (8, b'{"a":')),
    "cut-value-in-a-string": (b'{"a":1}\n{"a":"b', [b'{"a":1}'], (8, b'{"a":"b')),
    "cut-value-in-an-escape": (b'{"a":"\\', [], (0, b'{"a":"\\')),
    "cut-array": (b'[{"a":1},{"a":', [b'{"a":1}'], (9, b'{"a":')),
    "array-not-closed": (b'[{"a":1},{"a":2}', [b'{"a":1}', b'{"a":2}'], None),
    "cut-done": (b"data: {}\n\n[DON", [b"{}"], (10, b"[DON")),
}


@pytest.mark.parametrize("name", ENDS)
def test_ends(name):
    """S4, E7:

    a last event that is whole counts without its blank line. An incomplete event is shown with its offset.
    """
    data, payloads, torn = ENDS[name]

    result = in_every_split(data)

    assert result.payloads == payloads
    assert result.torn == torn
    assert result.notes == []


def test_all_torn_bytes_are_shown():
    """Both an incomplete event and the incomplete line after it are left over at the end."""
    result = in_every_split(b'data: {"a":\nda')

    assert result.payloads == []
    assert result.torn is not None
    assert b'{"a":' in result.torn[1]
    assert b"da" in result.torn[1].replace(b"data", b"")


# -- values ----------------------------------------------------------------------------------------

VALUES = {
    "object": (b'{"a":1}', [b'{"a":1}']),
    "json-lines": (b'{"a":1}\n{"a":2}\n\n{"a":3}', [b'{"a":1}', b'{"a":2}', b'{"a":3}']),
    "json-lines-crlf": (b'{"a":1}\r\n{"a":2}\r\n', [b'{"a":1}', b'{"a":2}']),
    "json-lines-cr": (b'{"a":1}\r{"a":2}\r', [b'{"a":1}', b'{"a":2}']),
    "indented": (b'  {"a":1}\n\t{"a":2}\n', [b'{"a":1}', b'{"a":2}']),
    "pretty": (b'{\n  "a": {\n    "b": [1, 2]\n  }\n}\n{\n}\n', [b'{\n  "a": {\n    "b": [1, 2]\n  }\n}', b"{\n}"]),
    "pretty-crlf": (b'{\r\n  "a": 1\r\n}\r\n', [b'{\r\n  "a": 1\r\n}']),
    "concatenated": (b'{"a":1}{"a":2} {"a":3}', [b'{"a":1}', b'{"a":2}', b'{"a":3}']),
    "comma-separated": (b'{"a":1},{"a":2} , {"a":3}', [b'{"a":1}', b'{"a":2}', b'{"a":3}']),
    "array": (b'[{"a":1},{"a":2}]', [b'{"a":1}', b'{"a":2}']),
    "array-over-lines": (b'[{\n"a":1\n}\n,\r\n{"a":2}\n]\n', [b'{\n"a":1\n}', b'{"a":2}']),
    "array-on-a-later-line": (b'[\n\n  {"a":1},\n  {"a":2}\n]', [b'{"a":1}', b'{"a":2}']),
    "array-of-arrays": (b'[[{"a":1}],{"a":2}]', [b'[{"a":1}]', b'{"a":2}']),
    "empty-array": (b"[]", []),
    "empty-array-with-blanks": (b"[ \n ]", []),
    "two-arrays": (b'[{"a":1}]\n[{"a":2}]', [b'{"a":1}', b'{"a":2}']),
    "array-then-events": (b'[{"a":1}]\ndata: {}\n\n', [b'{"a":1}', b"{}"]),
    "brackets-in-strings": (b'{"a":"}]{["}{"b":"\\"}"}', [b'{"a":"}]{["}', b'{"b":"\\"}"}']),
    "backslashes": (b'{"a":"\\\\"}{"b":"\\\\\\""}', [b'{"a":"\\\\"}', b'{"b":"\\\\\\""}']),
    "between-events": (
        b'data: {"a":1}\n\n{"error":"x"}\ndata: {"a":2}\n\n',
        [b'{"a":1}', b'{"error":"x"}', b'{"a":2}'],
    ),
    "behind-a-whole-event": (b'data: {"a":1}\n{"error":"x"}\n\n', [b'{"a":1}', b'{"error":"x"}']),
    "raw-line-end-in-a-string": (b'{"a":"x\ny"}\n{}\n', [b'{"a":"x\ny"}', b"{}"]),
}


@pytest.mark.parametrize("name", VALUES)
def test_values(name):
    """S15, S16, S18:

    a JSON value at the start of a line is a payload, even over several lines. The elements of an array are payloads.
    """
    data, payloads = VALUES[name]

    result = in_every_split(data)

    assert result.payloads == payloads
    assert result.notes == []
    assert result.torn is None


def test_an_event_line_names_the_value_after_it():
    """The name `error` belongs to the value in the next line, and to no later value."""
    result = in_every_split(b'event: error\n{"message":"x"}\n\n{"a":1}\n')

    assert result.named == [("error", b'{"message":"x"}'), (None, b'{"a":1}')]


CUT_LINES = {
    "in-a-string": (b'{"a":"xx\n{"a":1}\n{"b":2}\n', [b'{"a":"xx', b'{"a":1}', b'{"b":2}']),
    "behind-a-colon": (b'{"a":1,"b":\n{"a":1}\n{"b":2}\n', [b'{"a":1,"b":', b'{"a":1}', b'{"b":2}']),
    "before-an-event": (b'{"error":{"mess\ndata: {"b":2}\n\n', [b'{"error":{"mess', b'{"b":2}']),
    "before-a-named-event": (b'{"error":{"mess\nevent: a\ndata: {"b":2}\n\n', [b'{"error":{"mess', b'{"b":2}']),
    "two-cut-lines": (b'{"a":{\n{"b":{\n{"c":1}\n', [b'{"a":{', b'{"b":{', b'{"c":1}']),
}


@pytest.mark.parametrize("name", CUT_LINES)
def test_a_cut_json_line_does_not_swallow_the_next(name):
    """The cut line becomes a payload, which the decoder rejects. The lines after it are payloads, too."""
    data, payloads = CUT_LINES[name]

    result = in_every_split(data)

    assert result.payloads == payloads
    assert result.torn is None


# -- offsets and notes -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        *(
            data
            for data, *_ in (
                *FIELDS.values(),
                *STRIPPED.values(),
                *VALUES.values(),
                *CUT_LINES.values(),
                *ENDS.values(),
            )
        ),
        *(b"".join(reads) for reads in LINE_ENDS.values()),
        BOM + b"data: 1\n\n" + ONE,
        b"data: 1\n\n" * 100 + b"event: a\r\ndata: 2\r\n\r\n" * 100 + ONE,
    ],
)
def test_offsets_of_payloads(data):
    """The offset of a payload is that of its first data line, or of the first byte of its value."""
    for payload, _, offset in framed(data).frames:
        there = data[offset:]
        field, _, value = there.partition(b":")
        if field in (b"data", b"error"):
            there = value.removeprefix(b" ")
        elif there.startswith(b"data"):
            there = b""

        assert there.startswith(payload.splitlines()[0] if payload.strip() else b"")


def test_offsets_and_numbers_count_over_reads():
    """Offsets and numbers count from the start of the body."""
    framer = Framer(LARGE)

    first = framer.feed(b"event: a\ndata: 1\n\nda")
    second = framer.feed(b"ta: 2\n\nwhat is this\n")
    third = framer.feed(b"data: 3\n\n")

    assert (list(first), list(second), list(third)) == ([(b"1", "a", 9)], [(b"2", None, 18)], [(b"3", None, 40)])
    assert framer.frame_count == 3
    assert [(note.code, note.frame, note.offset, note.seen) for note in framer.notes] == [
        ("stray_text", 2, 27, b"what is this")
    ]


STRAY = {
    "html": (b"<html>\n<body>\n</html>\n", [("stray_text", 0, 0)]),
    "once-between-frames": (
        b"<p>\n<p>\ndata: 1\n\n<p>\n<p>\ndata: 2\n\n<p>\n",
        [("stray_text", 0, 0), ("stray_text", 1, 17), ("stray_text", 2, 34)],
    ),
    "a-sentence": (b"upstream connect error\n", [("stray_text", 0, 0)]),
    "a-log-line": (b"[INFO] started\ndata: 1\n\n", [("stray_text", 0, 0)]),
    "between-elements": (b'[{"a":1},17,{"a":2}]', [("stray_text", 1, 9)]),
    "behind-a-value": (b'{"a":1} and more\n', [("stray_text", 1, 8)]),
    "a-closing-brace": (b'{"a":1}}\n{"a":2}\n', [("stray_text", 1, 7)]),
}


@pytest.mark.parametrize("name", STRAY)
def test_text_that_is_no_part_of_a_stream_is_noted(name):
    """All stray text between two frames gives one note, with its offset and its first bytes."""
    data, codes = STRAY[name]

    result = in_every_split(data)

    assert result.codes == codes
    for note in result.notes:
        assert note.seen
        assert data[note.offset :].startswith(note.seen)


@pytest.mark.parametrize(
    "data", [b"<html><body>502</body></html>", b"upstream connect error or disconnect", b"Not Found"]
)
def test_text_without_a_line_end_is_stray_and_not_torn(data):
    """An error page of one line is not an incomplete event, because no event begins like the page."""
    result = in_every_split(data)

    assert result.codes == [("stray_text", 0, 0)]
    assert result.torn is None


def test_a_note_shows_at_most_200_bytes():
    """A page of a megabyte is not copied into a problem."""
    result = framed(b"<" + b"p" * 1_000_000 + b"\n")

    assert len(result.notes[0].seen) <= 200


# -- lines that hold an object ---------------------------------------------------------------------

LONG = b'{"text":"' + b"x" * 500 + b'"}'
OBJECT_LINES = {
    "capital": (b"Data: {}\n\ndata: 1\n\n", [("stray_text", 0, b"Data: {}", "ignored")]),
    "not-an-object": (b"Data: [1]\nxdata: {\nxdata: 5\ndata: 1\n\n", []),
    "known-fields": (b"id: {}\nretry: {}\n: {}\ndata: 1\n\n", []),
    "long": (b"xdata:" + LONG + b"\n", [("stray_text", 0, b"xdata:" + LONG, "ignored")]),
    "a-run": (
        b"xdata: {}\n\nxdata: {}\n\n",
        [("stray_text", 0, b"xdata: {}\nxdata: {}", "ignored; 2 lines, 18 bytes")],
    ),
    "a-long-run": (b"some junk\n" * 100, [("stray_text", 0, (b"some junk\n" * 20), "ignored; 100 lines, 900 bytes")]),
    "after-text": (
        b"some junk\n\nmore junk\nxdata: {}\nlast junk\n",
        [
            ("stray_text", 0, b"some junk\nmore junk", "ignored; 2 lines, 18 bytes"),
            ("stray_text", 0, b"xdata: {}\nlast junk", "ignored; 2 lines, 18 bytes"),
        ],
    ),
    "inside-an-event": (b"data: 1\nData: {}\ndata: 2\n\n", [("stray_text", 0, b"Data: {}", "ignored")]),
    "head": (b"HTTP/2 200\r\nnel: {}\r\n\r\ndata: 1\n\n", []),
    "two-heads": (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/2 200\r\nnel: {}\r\n\r\n", []),
    "after-the-head": (b"HTTP/2 200\n\nnel: {}\n", [("stray_text", 0, b"nel: {}", "ignored")]),
    "data-end-the-head": (b"HTTP/2 200\ndata: 1\nnel: {}\n\n", [("stray_text", 0, b"nel: {}", "ignored")]),
    "an-event-ends-the-head": (b"HTTP/2 200\ndata: 1\n\nnel: {}\n", [("stray_text", 1, b"nel: {}", "ignored")]),
    "before-a-limit": (
        b"some junk\n: " + b"x" * 2000 + b"\nsome junk\n",
        [
            ("stray_text", 0, b"some junk", "ignored"),
            ("limit_event_bytes", 0, (b": " + b"x" * 2000)[:200], "not retained: more than 1000 bytes"),
            ("stray_text", 0, b"some junk", "ignored"),
        ],
    ),
    "in-an-array": (b'[{"a":1},34,56,{"a":1}]', [("stray_text", 1, b"3", "ignored")]),
}


@pytest.mark.parametrize("name", OBJECT_LINES)
def test_a_line_that_holds_an_object_is_noted(name):
    """S24: and a note says how many lines it stands for."""
    data, notes = OBJECT_LINES[name]
    result = in_every_split(data, limit=1000)

    assert [(note.code, note.frame, note.seen, note.chosen) for note in result.notes] == notes


def test_missing_blank_lines_are_noted_once():
    """S5: at the first event that begins without one."""
    result = in_every_split(b"data: 1\n\ndata: {}\ndata: {}\ndata: {}\n\n")

    assert result.codes == [("no_blank_line", 2, 18)]


# -- limits ----------------------------------------------------------------------------------------

OVERSIZE = {
    "data": (b"data: " + b"x" * 60 + b"\n\ndata: 1\n\n", [b"1"], [("limit_event_bytes", 0, 0)]),
    "data-over-lines": (b"data: xxxxxxxx\n" * 8 + b"\ndata: 1\n\n", [b"1"], [("limit_event_bytes", 0, 0)]),
    "data-behind-it": (b"data: " + b"x" * 60 + b"\ndata: more\n\ndata: 1\n\n", [b"1"], [("limit_event_bytes", 0, 0)]),
    "blank-lines-stripped": (
        b'data: {"a":"' + b"x" * 60 + b'"}\ndata: {}\ndata: {"b":1}\n',
        [b"{}", b'{"b":1}'],
        [("limit_event_bytes", 0, 0), ("no_blank_line", 1, 84)],
    ),
    "named": (b"event: a\ndata: " + b"x" * 60 + b"\n\ndata: 1\n\n", [b"1"], [("limit_event_bytes", 0, 9)]),
    "value": (b'{"a":"' + b"x" * 60 + b'"}\n{}\n', [b"{}"], [("limit_event_bytes", 0, 0)]),
    "value-over-lines": (b'{\n"a":1,\n' + b'"b":2,\n' * 10 + b'"c":3}\n{}\n', [b"{}"], [("limit_event_bytes", 0, 0)]),
    "value-without-end": (b"{}\n" + b'{"a":"' + b"x" * 60, [b"{}"], [("limit_event_bytes", 1, 3)]),
    "element": (b'[{},{"a":"' + b"x" * 60 + b'"},{"b":1}]', [b"{}", b'{"b":1}'], [("limit_event_bytes", 1, 4)]),
    "comment": (b": " + b"x" * 60 + b"\n\ndata: 1\n\n", [b"1"], [("limit_event_bytes", 0, 0)]),
    "comment-inside": (b"data: 1\n: " + b"x" * 60 + b"\ndata: 2\n\n", [b"1\n2"], [("limit_event_bytes", 0, 8)]),
    "line-without-end": (b"data: 1\n\ndata: " + b"x" * 60, [b"1"], [("limit_event_bytes", 1, 9)]),
    "several": (
        b"data: 1\n\ndata: " + b"x" * 60 + b"\n\ndata: 2\n\n" + b"{" + b" " * 60 + b"}\n",
        [b"1", b"2"],
        [("limit_event_bytes", 1, 9), ("limit_event_bytes", 2, 86)],
    ),
}


@pytest.mark.parametrize("name", OVERSIZE)
def test_an_event_past_the_limit_is_left_out(name):
    """Only this event is dropped. One note names the limit, and the next event is framed."""
    data, payloads, codes = OVERSIZE[name]

    result = in_every_split(data, limit=40)

    assert result.payloads == payloads
    assert result.codes == codes
    assert all("40 bytes" in note.chosen for note in result.notes if note.code != "no_blank_line")


UNDECIDED = {
    "array": b'[{"a":1},{"a":2},{"a":3}]',
    "done": b"[DONE]\n",
    "value-and-done": b'{"a":1}[DONE]\n{"a":2}\n',
    "broken-string": b'{"a":"b\n{"a":1}\n{"a":2}\n',
    "gzip": b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" * 3,
    "blanks": b" " * 30 + b'{"a":1}\n',
    "array-behind-blanks": b"[" + b" " * 30 + b'{"a":1}]\n',
}


@pytest.mark.parametrize("name", UNDECIDED)
def test_the_limit_does_not_depend_on_the_split(name):
    """Bytes that could not be framed yet do not count as an event."""
    data = UNDECIDED[name]
    whole = framed(data, limit=20)

    for at in range(1, len(data)):
        assert framed(data[:at], data[at:], limit=20) == whole, at


def test_undecided_bytes_are_bounded():
    """A bracket and blanks may still become an array. Beyond the limit, the framer drops them."""
    framer = Framer(1000)
    framer.feed(b"[")
    for _ in range(100):
        framer.feed(b"\n" * 100)

    assert len(framer._tail) <= 1001


def test_lines_after_a_line_past_the_limit_belong_to_the_same_event():
    """A line beyond the limit and the data lines after it are one event, for every size of the reads."""
    data = b"data: " + b"x" * 70_000 + b"\ndata: more\n\ndata: {}\n\n"

    whole = framed(data, limit=1 << 16)

    assert whole.payloads == [b"{}"]
    assert framed(data[:70_010], data[70_010:], limit=1 << 16) == whole
    assert framed(*bytewise(data), limit=1 << 16) == whole


def test_payloads_up_to_the_limit_are_kept():
    """A payload of exactly the limit is kept."""
    assert framed(b"data: " + b"x" * 34 + b"\n\n", limit=40).payloads == [b"x" * 34]
    assert framed(b'{"a":"' + b"x" * 32 + b'"}\n', limit=40).payloads == [b'{"a":"' + b"x" * 32 + b'"}']


# -- sizes -----------------------------------------------------------------------------------------


def test_a_very_large_event_is_one_payload():
    """S19: an image of 12 MB on one line, in reads of 64 KiB."""
    payload = b'{"b64":"' + b"QUJD" * (3 << 20) + b'"}'
    data = b"data: " + payload + b"\n\ndata: {}\n\n" + payload + b"\n"

    result = framed(*(data[at : at + 65536] for at in range(0, len(data), 65536)))

    assert result.payloads == [payload, b"{}", payload]
    assert result.notes == []


@pytest.mark.parametrize("size", [1000, 65_536, 1 << 20])
@pytest.mark.parametrize("ending", [b"\n", b"\r\n", b"\r"], ids=["LF", "CRLF", "CR"])
def test_shortcuts_and_lines_give_the_same_frames(ending, size):
    """The read size decides which events the shortcuts cut. The frames are the same."""
    plain = b"data: {}\n\n" * 900 + b'event: a\ndata: {"a":1}\n\n' * 900
    odd = b"id: 1\ndata: {}\n\n: ping\n\ndata:{}\n\nevent:b\ndata: 1\ndata: 2\n\n" + ONE + b"\n"
    data = ((plain + odd) * 4).replace(b"\n", ending)

    result = framed(*(data[at : at + size] for at in range(0, len(data), size)))

    assert len(result.frames) == 4 * (1800 + 4)
    assert result == framed(*(data[at : at + 7] for at in range(0, len(data), 7)))


_BIG = b'{"x":"' + b"y" * (1 << 17) + b'"}'
LARGE_EVENTS = {
    "data": b"data: " + _BIG + b"\n\n",
    "named": b"event: a\ndata: " + _BIG + b"\n\n",
    "named behind its data": b"data: " + _BIG + b"\nevent: a\n\n",
    "in two lines": b"event: a\ndata: " + _BIG[:9] + b"\ndata: " + _BIG[9:] + b"\n\n",
    "an id in front": b"event: a\nid: 7\ndata: " + _BIG + b"\n\n",
    "an id behind the name's CR": b"event: a\rid: 7\ndata: " + _BIG + b"\n\n",
    "two": b"data: " + _BIG + b"\n\ndata: " + _BIG + b"\n\n",
    "one behind a small one": b"data: 1\n\ndata: " + _BIG + b"\n\n",
    "ended by a CR": b"data: " + _BIG + b"\r\ndata: 2\n\n",
    "no field in front": b"events: a\ndata: " + _BIG + b"\n\n",
}


@pytest.mark.parametrize("name", LARGE_EVENTS)
@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
def test_large_events(ending, name):
    """A large event gives the same frames in one read and in many."""
    data = (b"data: 0\n\n" + LARGE_EVENTS[name] + b"data: 9\n\n").replace(b"\n", ending)
    first, rest = data[: 7 + 2 * len(ending)], data[7 + 2 * len(ending) :]

    result = framed(*(data[at : at + 999] for at in range(0, len(data), 999)))

    assert len(result.frames) >= 3
    assert framed(first, rest) == framed(data) == result
    assert framed(first, rest[: rest.rindex(b"data: 9")], b"data: 9" + 2 * ending) == result


def test_other_lines_in_the_place_of_event_lines():
    """The first of three lines may be any field or a comment."""
    names = [b"event: a", b"id: 7", b"event: b", b": comment", b"event:c"]
    data = b"".join(b"%s\ndata: %d\n\n" % (name, place) for place, name in enumerate(names))

    result = in_every_split(data)

    assert result.named == [("a", b"0"), (None, b"1"), ("b", b"2"), (None, b"3"), ("c", b"4")]
    assert result.notes == []


def test_a_value_after_data_that_is_not_json():
    """The event line names the data, not the value."""
    result = in_every_split(b'event: a\ndata: oops\n{"n":1}\n\ndata: 2\n\n')

    assert result.named == [(None, b'{"n":1}'), ("a", b"oops"), (None, b"2")]


def test_mixed_line_ends_in_one_read():
    """LF, CR and CRLF may alternate within one read."""
    data = b"data: 1\n\n" * 50 + b"data: 2\r\n\r\n" * 50 + b"data: 3\n\r\n" * 50 + b"data: 4\r\r" * 50

    assert in_every_split(data).payloads == [b"1"] * 50 + [b"2"] * 50 + [b"3"] * 50 + [b"4"] * 50


# -- JSON values and the shortcuts --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "end"),
    [
        (b"{}", 2),
        (b"[]x", 2),
        (b'{"a":"}"}x', 9),
        (b'{"a":"\\""}', 10),
        (b'{"a":[{"b":{}}]}', 16),
        (b'{"a":', -1),
        (b'{"a":"', -1),
        (b'{"a":"\\', -1),
    ],
)
def test_nesting_finds_the_end_of_a_value(data, end):
    """The end is found in one call, and byte by byte."""
    nesting = Nesting()

    assert Nesting().scan(data) == end
    ends = [at for at in range(len(data)) if nesting.scan(data[at : at + 1]) > 0]
    assert (ends[0] + 1 if ends else -1) == end


@pytest.mark.parametrize(
    ("data", "whole"),
    [
        (b"{}", True),
        (b' {"a":[1]} ', True),
        (b"1", True),
        (b"", False),
        (b"{", False),
        (b"{}{}", False),
        (b"ping", False),
        (b"[" * 100_000, False),
    ],
)
def test_whole_values(data, whole):
    """`is_json` is true for one JSON value and nothing else."""
    assert is_json(data) is whole


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("data", "count"),
    [
        (b"data: 1\n\ndata: 2\n\nda", 2),
        (b"event: a\ndata: 1\n\nevent: b\ndata: 2\n\n", 2),
        (b"data: 1\n\nevent: b\ndata: 2\n\n", 0),
        (b"event: a\ndata: 1\n\ndata: 2\n\n", 0),
        (b"data: 1\n\n: comment\n\ndata: 2\n\n", 0),
        (b"event: a\nid: 1\n\n", 0),
        (b"id: 1\ndata: 1\n\n", 0),
        (b"data: 1\ndata: 2\n\n", 0),
        (b"data: 1\n", 0),
    ],
)
def test_events_of_one_form_are_cut_together(data, count, ending):
    """`cut_alike` cuts all events up to the last blank line, or none."""
    data = data.replace(b"\n", ending)

    frames, after = cut_alike(data, 0, len(data), 0, LARGE)

    assert len(frames) == count
    assert list(frames) == framed(data[:after]).frames


@pytest.mark.parametrize("ending", [b"\n", b"\r\n"], ids=["LF", "CRLF"])
@pytest.mark.parametrize(
    ("data", "count", "rest"),
    [
        (b": c\n\ndata: 1\n\nevent: a\ndata: 2\n\n", 2, b""),
        (b"data: 1\n\ndata: 2\ndata: 3\n\n", 1, b"data: 2\ndata: 3\n\n"),
        (b"data: 1\n\nid: 7\n\n: c\nretry: 1\n\n\ndata: 2\n\nid:", 2, b"id:"),
        (b"data: 1\n\nid\n\n", 1, b"id\n\n"),
        (b"data: 1\n\nevent: a\n\n", 1, b"event: a\n\n"),
        (b"data: 1\n\nevent: a\n: c\n\n", 1, b"event: a\n: c\n\n"),
        (b"data: 1\n\n{}\n\n", 1, b"{}\n\n"),
        (b"data: 1\n", 0, b"data: 1\n"),
    ],
)
def test_leading_plain_events_are_cut_among_others(data, count, rest, ending):
    """`cut_mixed` stops at the first event of another form."""
    data, rest = data.replace(b"\n", ending), rest.replace(b"\n", ending)

    frames, after = cut_mixed(data, 0, 0, LARGE)

    assert len(frames) == count
    assert data[after:] == rest
    assert frames == framed(data[:after]).frames


def test_dropped_data_lines_do_not_count_for_the_next_event():
    """An event beyond the limit has several data lines; the next event may be as large as the limit."""
    dropped = b"data: " + b"x" * 60 + b"\n" + b"data: more\n" * 5

    result = in_every_split(dropped + b"\ndata: a\ndata: b\n\n", limit=40)

    assert result.payloads == [b"a\nb"]


def test_text_after_an_object_does_not_hide_the_next_data_line():
    """S5, S23: the object with the text is an event. Data that begin with text have no further event."""
    result = in_every_split(b"data: {}x\ndata: y\ndata: {}\ndata: z\n\n")

    assert result.payloads == [b"{}x", b"y\n{}\nz"]


def test_small_reads_of_a_value_need_little_memory():
    """A value in reads of two bytes."""
    value = b'{"a":"' + b"x" * 200_000 + b'"}'
    reads = [value[at : at + 2] for at in range(0, len(value), 2)]
    framer = Framer(LARGE)
    tracemalloc.start()
    try:
        for read in reads[:-1]:
            framer.feed(read)
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()

    assert held < 3 * len(value)
    assert framer.feed(reads[-1]).payloads == [value]


# -- any bytes -------------------------------------------------------------------------------------

TOKENS = [
    b"data: ", b"data:", b"data", b"event: x", b"event: ", b"error: ", b"id: 1", b"retry: 5", b":c", b": ", b"\n", b"\n\n", b"\r", b"\r\n",
    b"{", b"}", b"[", b"]", b'"', b"\\", b",", b" ", b"\t", b"1", b"[DONE]", b"[D", b'{"a":1}', b'{"a":"b\\"}', b"data: {}\n\n",
    b"event: y\ndata: {}\n\n", BOM, b"\x1f\x8b", b"\x78", b"\x28\xb5", b"\xe2\x80\xa8", b"x y", b"HTTP/1.1 200", b"null",
    b"HTTP/2 200\n", b"Data: {}\n", b'xdata: {"a":1}\r\n', b"junk text\n", b"data: {}{}\n", b'data: {"a":1} event: z\n', b"\0",
    b"\0\0\0\x40\0\0\0\x20abcd\x0b:event",
]  # fmt: skip
soup = st.lists(st.sampled_from(TOKENS), max_size=40).map(b"".join)
cuts = st.lists(st.integers(min_value=0, max_value=400), max_size=12)


def cut_at(data, places):
    places = sorted({place % (len(data) + 1) for place in places})
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


@given(soup, cuts)
@example(b'{"a":"x\r\n{"a":1}\n', [9])
@example(b"[DONE]\r\n[\n\n{}]", [3, 8, 10])
def test_any_split_gives_the_same_frames_and_notes(data, places):
    """Frames, notes and torn bytes are equal for all reads: whole, random, and byte by byte."""
    whole = framed(data)

    assert framed(*cut_at(data, places)) == whole
    assert framed(*bytewise(data)) == whole


@given(soup, cuts, st.sampled_from([20, 30, 60]))
def test_any_split_gives_the_same_frames_and_notes_past_the_limit(data, places, limit):
    """The results are equal also if the limit drops events."""
    whole = framed(data, limit=limit)

    assert framed(*cut_at(data, places), limit=limit) == whole
    assert framed(*bytewise(data), limit=limit) == whole


@given(
    st.lists(
        st.tuples(
            st.sampled_from([None, "a", "b.c"]),
            st.lists(
                st.text(st.characters(exclude_characters="\r\n", codec="utf-8"), max_size=8), min_size=1, max_size=3
            ),
        ),
        max_size=12,
    ),
    st.sampled_from([b"\n", b"\r\n", b"\r"]),
    cuts,
)
def test_events_of_the_standard_are_read_unchanged(events, ending, places):
    """Events in the standard's form have their names and data, unless a line begins like a JSON object or the end
    marker.
    """
    events = [
        (name, lines) for name, lines in events if not any(line.lstrip().startswith(("{", "[DONE]")) for line in lines)
    ]
    written = [
        b"".join(
            line + ending
            for line in [
                *([b"event: " + name.encode()] if name else []),
                *(b"data: " + line.encode() for line in lines),
                b"",
            ]
        )
        for name, lines in events
    ]

    result = framed(*cut_at(b"".join(written), places))

    assert result.named == [(name, "\n".join(lines).encode()) for name, lines in events]
    assert result.notes == []
    assert result.torn is None


@given(st.binary(max_size=200), cuts)
def test_any_bytes_are_framed(data, places):
    """No bytes raise an exception, and no split changes the result."""
    assert framed(*cut_at(data, places)) == framed(data)


def test_blanks_before_a_line_do_not_count():
    """Blanks at the start of a line are ignored before a field and before a value."""
    result = in_every_split(b'  data: {"a":1}\n\n   {"b":2}\n')

    assert [payload for payload, _, _ in result.frames] == [b'{"a":1}', b'{"b":2}']
