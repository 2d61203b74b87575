"""`Reducer.save` and `Reducer.resume`: every value survives, and only saved states are read."""

import zlib

import msgspec
import pytest

import reducer
from reducer import resume
from reducer.dialects.anthropic_messages.state import MessageState
from reducer.dialects.contract import Options, State, report_nothing
from reducer.dialects.entries import Entries
from reducer.dialects.generic import GrowingList
from reducer.dialects.openai_chat import DIALECT
from reducer.dialects.openai_chat.tool_calls import Call, Calls
from reducer.dialects.openai_responses.items import Part, Slot, StagedText
from reducer.dialects.openai_responses.state import ResponsesState
from reducer.dialects.text import Fragments, Watch
from reducer.duplicates import Duplicates
from reducer.frames import OpenEvent, StrayRun
from reducer.framing import Framer
from reducer.problems import Problem
from reducer.response import UnknownEvents
from reducer.saving import MAX_DEPTH, Saved, dump, load
from reducer.timing import Stopwatch, Times

CHUNK = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"content":"Hi"}}],"vendor":%s}\n\n'
ENTRY = b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{"vendor":[{"index":0,%s}]}}]}\n\n'
REST = (
    b'data: {"id":"c1","object":"chat.completion.chunk","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}\n\n'
)


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(b"[-9223372036854775808,18446744073709551615]", id="integers-of-64-bits"),
        pytest.param(b"[-9223372036854775809,18446744073709551616]", id="integers-of-more-than-64-bits"),
        pytest.param(b"9" * 4301, id="integer-with-more-digits-than-python-converts"),
        pytest.param(b'[0.1,-0.0,1e300,true,false,null,""]', id="plain-values"),
        pytest.param(b'{"":1,"\\u0000":{"\\u0000":["same",0]},"\\n":2}', id="keys-of-control-characters"),
        pytest.param(b'["\\ud83d"]', id="half-a-surrogate-pair"),
        pytest.param(b'{"\\ude00":1}', id="half-a-surrogate-pair-as-a-key"),
        pytest.param(b"[" * 250 + b"]" * 250, id="lists-as-deep-as-the-limit-allows"),
        pytest.param(b'{"a":' * 250 + b"1" + b"}" * 250, id="dicts-as-deep-as-the-limit-allows"),
    ],
)
def test_values_survive_save_and_resume(value):
    """The value of an undeclared key is the same after `save` and `resume`."""
    first = reducer.Reducer()
    first.feed(CHUNK % value)
    second = reducer.Reducer.resume(first.save())
    second.feed(REST)
    whole = reducer.reduce(CHUNK % value + REST)

    assert whole.status == "complete"
    assert "vendor" in whole.to_dict()
    assert second.close() == whole
    assert second.close().json() == whole.json()


def test_objects_are_shared_as_before():
    """Two references to one object are two references to one object again."""
    one, other = Times(), Calls()
    call = Call(0)
    other.all, other.last = [call], call
    (first, second), calls = read([[one, one], other])

    assert first is second
    assert calls.all == [calls.last]


def test_lists_that_grow_as_deep_as_the_limit_allows():
    """They take more levels in a state than in the stream."""
    one = reducer.Reducer()
    one.feed(ENTRY % (b'"a":[{"index":0,' * 122 + b'"a":1' + b"}]" * 122))

    assert reducer.Reducer.resume(one.save()).close() == one.close()
    assert one.close().body is not None


def test_entries_with_an_index_go_on_growing():
    """An entry of an undeclared list is the same entry after `save` and `resume`."""
    chunks = [CHUNK % b"[]", *(ENTRY % value for value in (b'"b":1', b'"a":2'))]
    one = reducer.Reducer()
    for chunk in chunks:
        one.feed(chunk)
        one = reducer.Reducer.resume(one.save())

    assert one.close() == reducer.reduce(b"".join(chunks))
    assert one.close().to_dict()["choices"][0]["message"]["vendor"] == [{"index": 0, "b": 1, "a": 2}]


STRUCTS = {"Problem": Problem}


def read(value):
    """Return a value after writing and reading it."""
    return load(dump(value, STRUCTS), STRUCTS)[0]


def saved_state():
    """Return the saved state after one chunk."""
    one = reducer.Reducer()
    one.feed(CHUNK % b"1")
    return one.save()


def with_checksum(packed):
    """Return a saved state with any content and the right checksum."""
    return b"stream-reducer state 3 %d\n" % zlib.crc32(packed) + packed


def saved_value(*entry):
    """Return a saved state that consists of one tagged value."""
    return with_checksum(msgspec.msgpack.encode({"\x00": entry}))


@pytest.mark.parametrize(
    ("data", "text"),
    [
        pytest.param(b"", "the header is missing", id="empty"),
        pytest.param(b"data: {}\n\n", "the header is missing", id="a-stream"),
        pytest.param(b"stream-reducer state one two\n", "the header is missing", id="no-numbers"),
        pytest.param(saved_state().replace(b"state 3", b"state 1", 1), "a saved state of version 1; this version reads 3", id="version"),
        pytest.param(saved_state()[:-1], "the checksum differs", id="cut"),
        pytest.param(saved_state()[:-1] + b"\x01", "the checksum differs", id="changed"),
        pytest.param(with_checksum(b"\xc1"), "a damaged state: MessagePack data is malformed", id="no-msgpack"),
        pytest.param(saved_value("object", "os", "system", []), "an object of a class that is never saved", id="an-object-of-another-package"),
        pytest.param(saved_value("object", "reducer.cli", "main", []), "an object of a class that is never saved", id="a-function"),
        pytest.param(saved_value("object", "reducer.result", "Limits", []), "an object of a class that is never saved", id="a-class-that-is-never-saved"),
        pytest.param(saved_value("object", "reducer.dialects.registry", "load", []), "an object of a class that is never saved", id="a-function-of-a-dialect"),
        pytest.param(saved_value("object", "reducer.dialects.openai_chat.state", "ChatState", []), "ChatState has other attributes", id="no-attributes"),
        pytest.param(saved_value("object", "reducer.dialects.text", "Fragments", {}), "Fragments has other attributes", id="attributes-in-a-dict"),
        pytest.param(saved_value("same", 7), "a reference to an object that is not there", id="reference-to-a-missing-object"),
        pytest.param(saved_value("same", -1), "a reference to an object that is not there", id="reference-from-the-end"),
        pytest.param(saved_value("struct", "Limits", {"max_calls": 0}), "a damaged state: Limits.max_calls must be", id="an-invalid-struct"),
        pytest.param(saved_value("struct", "Limits", {"max_words": 1}), "a damaged state: TypeError", id="a-field-that-a-struct-lacks"),
        pytest.param(saved_value("struct", "Timing", {}), "a struct that is never saved", id="an-unknown-struct"),
        pytest.param(saved_value("decimal", "x"), "a value that cannot be read", id="no-decimal"),
        pytest.param(saved_value("decimal", "NaN"), "a value that cannot be read", id="no-number"),
        pytest.param(saved_value("bytearray", 10**12), "a damaged state: AttributeError", id="a-size-for-bytes"),
        pytest.param(saved_value("str", b"\xff"), "a value that cannot be read", id="no-text"),
        pytest.param(saved_value("lambda", 1), "a value that cannot be read", id="an-unknown-tag"),
        pytest.param(with_checksum(msgspec.msgpack.encode({"dialect": "auto"})), "it is not a state of a Reducer", id="a-dict"),
        pytest.param(with_checksum(msgspec.msgpack.encode([1])), "it is not a state of a Reducer", id="a-list"),
        pytest.param(with_checksum(b"\x91" * (MAX_DEPTH + 1) + b"\x01"), "values are nested too deeply", id="too-deep"),
    ],
)  # fmt: skip
def test_other_bytes_raise_state_error(data, text):
    """Bytes that `save` did not return raise `StateError`, and nothing that they name is called."""
    with pytest.raises(reducer.StateError, match=text):
        reducer.Reducer.resume(data)


def with_attribute(saved, name, value):
    """Return an object with another value of an attribute."""
    setattr(saved, name, value)
    return saved


class Odd(Saved):
    """An object with attributes of the types that no other test has."""

    whole: tuple[int, str]
    several: tuple[str, ...]
    some: set[int]


def odd(**attributes):
    """Return an object that is valid but for these attributes."""
    made = Odd()
    for name, value in {"whole": (1, ""), "several": ("",), "some": {1}, **attributes}.items():
        setattr(made, name, value)
    return made


@pytest.mark.parametrize(
    ("saved", "name", "value"),
    [
        pytest.param(Framer(1), "offset", "1", id="text-for-an-integer"),
        pytest.param(Framer(1), "offset", True, id="bool-for-an-integer"),
        pytest.param(Framer(1), "offset", 10**4300, id="integer-that-has-no-text"),
        pytest.param(Framer(1), "_in_line", 1, id="integer-for-a-bool"),
        pytest.param(Framer(1), "_tail", b"", id="bytes-for-a-bytearray"),
        pytest.param(Framer(1), "_event", Watch(False), id="object-of-another-class"),
        pytest.param(Framer(1), "ignored", (1, b"", b""), id="tuple-of-another-length"),
        pytest.param(Framer(1), "ignored", (b"", 1), id="tuple-of-other-types"),
        pytest.param(Framer(1), "ignored", [1, b""], id="list-for-a-tuple"),
        pytest.param(OpenEvent(0), "_shape", "round", id="another-literal"),
        pytest.param(OpenEvent(0), "_shape", None, id="none-for-a-literal"),
        pytest.param(Stopwatch(None), "times", [1, None], id="entry-of-a-list"),
        pytest.param(Stopwatch(None), "times", {}, id="dict-for-a-list"),
        pytest.param(Calls(), "by_id", {1: Call()}, id="key-of-a-dict"),
        pytest.param(Calls(), "by_id", {"a": "b"}, id="value-of-a-dict"),
        pytest.param(Calls(), "by_id", [], id="list-for-a-dict"),
        pytest.param(odd(), "several", ("a", 1), id="entry-of-a-tuple"),
        pytest.param(odd(), "several", ["a"], id="list-for-a-tuple-of-any-length"),
        pytest.param(odd(), "some", {"a"}, id="entry-of-a-set"),
        pytest.param(Call(), "object", float("inf"), id="number-that-json-lacks"),
        pytest.param(Call(), "object", {"a": [10**4300]}, id="large-integer-inside-json"),
        pytest.param(Call(), "object", [{"a": {1: 2}}], id="key-inside-json"),
        pytest.param(Call(), "object", [Fragments("a")], id="text-that-grows-inside-json"),
        pytest.param(Call(), "object", {"a": b""}, id="bytes-inside-json"),
        pytest.param(Call(), "fields", {"a": GrowingList()}, id="list-that-grows-where-only-texts-do"),
    ],
)  # fmt: skip
def test_attributes_have_their_types(saved, name, value):
    """An attribute of another type than the class declares is refused, and the message names it."""
    read(saved)
    with pytest.raises(
        reducer.StateError, match=rf"a damaged state: {type(saved).__name__}\.{name} has a value of a wrong type"
    ):
        read(with_attribute(saved, name, value))


def test_values_that_attributes_may_have():
    """Texts and lists that grow may stand in JSON values where the class says so, and bytes in problems."""
    events = UnknownEvents(1, None, {})
    assert read(with_attribute(events, "first", {"payload": b"\xff"})).first == {"payload": b"\xff"}
    call = with_attribute(Call(), "fields", {"a": [{"b": Fragments("c")}]})
    assert str(read(call).fields["a"][0]["b"]) == "c"
    assert read(odd()).several == ("",)


def test_fields_of_structs_have_their_types():
    """The fields of a struct are checked as well."""
    assert read(Problem("aborted", 1)) == Problem("aborted", 1)
    with pytest.raises(reducer.StateError, match=r"Problem\.event has a value of a wrong type"):
        read(Problem("aborted", "1"))  # type: ignore[arg-type]


STATE = ResponsesState(Options(reducer.Limits(), frozenset(), frozenset()), report_nothing, {})


def entries(json):
    """Return entries that were kept as JSON."""
    return with_attribute(Entries(), "_json", bytearray(json))


def growing(items, places):
    """Return a list that grows."""
    made = GrowingList()
    made._items, made._places = items, places
    return made


def repair(**attributes):
    """Return the state of the repair duplicate_chunks."""
    made = Duplicates(100)
    for name, value in attributes.items():
        setattr(made, f"_{name}", value)
    return made


def item(**attributes):
    """Return an output item."""
    made = Slot(0)
    for name, value in attributes.items():
        setattr(made, name, value)
    return made


def stray(frame):
    """Return a framer with stray lines before a frame."""
    return with_attribute(Framer(1), "_stray", StrayRun(frame, 0, b"a", holds_object=False))


@pytest.mark.parametrize(
    ("saved", "text"),
    [
        pytest.param(with_attribute(Fragments(), "_block", bytearray(b"\xff")), "a text is not UTF-8", id="text"),
        pytest.param(entries(b"1,"), "JSON is malformed", id="entries-that-are-not-json"),
        pytest.param(entries(b" "), "a list has no entries, or they are nested too deeply", id="no-entries"),
        pytest.param(entries(b"[" * 500 + b"]" * 500), "a list has no entries, or they are nested too deeply", id="deep-entries"),
        pytest.param(growing([], {0: 0}), "a list has no object at a place with an index", id="place-of-no-entry"),
        pytest.param(growing([{}], {0: -1}), "a list has no object at a place with an index", id="place-from-the-end"),
        pytest.param(growing([1], {0: 0}), "a list has no object at a place with an index", id="place-of-a-number"),
        pytest.param(repair(place=-1), "the repair duplicate_chunks has a place", id="place-in-a-replay"),
        pytest.param(repair(first_role=0), "the repair duplicate_chunks has a place", id="place-of-the-role"),
        pytest.param(repair(is_off=True, has_text_without_role=True), "the repair duplicate_chunks has a place", id="repair-that-is-off"),
        pytest.param(item(texts={"a": StagedText(STATE)}), "an item has no text of this name", id="text-of-an-item"),
        pytest.param(item(parts={"content": {0: Part(STATE, {}, 0)}}), "an item has parts without an end", id="parts-of-an-item"),
        pytest.param(stray(1), "stray lines come after a frame that is not there", id="stray-lines"),
    ],
)  # fmt: skip
def test_attributes_agree(saved, text):
    """Attributes that contradict each other are refused."""
    with pytest.raises(reducer.StateError, match=f"a damaged state: {text}"):
        read(saved)


def begun(**options):
    """Return a `Reducer` after one chunk, and the state of its response."""
    one = reducer.Reducer(**options)
    one.feed(CHUNK % b"1")
    one.snapshot()
    return one, one._pipeline.responses


def refused(one):
    """Save a `Reducer` whose objects were changed, and return the message with which the state is refused."""
    with pytest.raises(reducer.StateError) as raised:
        reducer.Reducer.resume(one.save())
    return str(raised.value)


def test_states_of_other_dialects_are_refused():
    """A response has the state and a phase of its dialect, or neither."""
    one, responses = begun()
    responses.current.state = MessageState(*(getattr(responses.current.state, name) for name in State.unsaved))
    assert "the state of a response is not one of openai.chat" in refused(one)

    one, responses = begun()
    responses.current.dialect = DIALECT._replace(name="openai.voice")
    assert "unknown dialect 'openai.voice'" in refused(one)

    one, responses = begun()
    handlers = responses.current.state.handlers
    responses.current.dialect = DIALECT._replace(handlers={"CLOSED": handlers})
    assert "openai.chat has no such phase" in refused(one)

    one, responses = begun()
    responses.current.dialect = None
    assert "a response has a state without a dialect" in refused(one)


def test_a_state_without_a_body_is_refused():
    """The body is built once, because the wire decides most of it."""
    one, responses = begun()
    responses.current.state.fields["x_groq"] = 5
    assert "a damaged state: " in refused(one)


@pytest.mark.parametrize(
    ("name", "value"), [("data", 5), ("data", ["a", 5]), ("transcript", "a"), ("transcript", [None])]
)
def test_pieces_of_audio(name, value):
    """The pieces of an audio are texts."""
    one, responses = begun()
    responses.current.state.choices[0].audio = {name: value}
    assert "the pieces of an audio are not texts" in refused(one)


def test_thinking_blocks():
    """The thinking blocks of a message are a list."""
    one, responses = begun()
    responses.current.state.choices[0].message_fields["thinking_blocks"] = {"a": 1}
    assert "the thinking blocks of a message are not a list" in refused(one)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("not_taken", 1, "a response was taken and is still to be taken, or neither"),
        ("not_taken", -1, "a response was taken and is still to be taken, or neither"),
        ("current", 2, "a place of a response that is not there"),
        ("current", -1, "a place of a response that is not there"),
        ("by_stream_id", {"a": 2}, "a place of a response that is not there"),
        ("ended", [2], "a place of a response that is not there"),
        ("ended", [0, 0], "a response ended twice, or ended and goes on"),
        ("ended", [1], "a response ended twice, or ended and goes on"),
        ("by_stream_id", {"a": 1}, "a response has another stream id than the one that leads to it"),
    ],
)
def test_places_of_responses(name, value, text):
    """Every place is that of a response, and a response that ended does not go on."""
    one = reducer.Reducer()
    one.feed(CHUNK % b"1" + REST + CHUNK.replace(b"c1", b"c2").replace(b'"Hi"', b'"Hi","role":"assistant"') % b"1")
    saved = resume.load_state(one.save())
    assert (saved.not_taken, saved.current, saved.ended) == (2, 1, [0])
    setattr(saved, name, value)

    with pytest.raises(reducer.StateError, match=text):
        resume.load_state(dump(saved, resume._STRUCTS))


def test_half_a_surrogate_pair_in_a_state_that_has_none():
    """A forged state may not say that its texts hold half a surrogate pair; the body is JSON all the same."""
    for text in ("\ud800", "\ud800" * 40):
        one, responses = begun()
        responses.current.state.choices[0].content.add(text)
        responses.current.state.is_odd = responses.is_odd = False
        assert b"\xef\xbf\xbd" in reducer.Reducer.resume(one.save()).close().json()


def test_the_name_of_a_torn_event_may_hold_half_a_surrogate_pair():
    """No name of the wire holds one, but that of a forged state may."""
    one = reducer.Reducer()
    one.feed(b"event: a\n")
    one.snapshot()
    one._pipeline.framer._event.name = "\ud800"
    assert [problem.code for problem in reducer.Reducer.resume(one.save()).close().problems] == [
        "torn_tail",
        "no_terminal",
    ]
