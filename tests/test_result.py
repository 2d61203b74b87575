"""`Result` and the small values around it."""

import copy
import pickle
import sys

import msgspec
import pytest

import reducer
from reducer import sdk

TOOLS = (
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":null,"tool_calls":[{"index":0,"id":"t1","type":"function","function":{"name":"f","arguments":"{"}}],"mood":"calm"},"finish_reason":null}],"vendor":{"zone":[1]}}\n\n'
    b'data: {"id":"c1","object":"chat.completion.chunk","created":1,"model":"m","choices":[{"index":0,"delta":{"tool_calls":[{"index":0,"function":{"arguments":"}"}}]},"finish_reason":"tool_calls"}],"usage":{"prompt_tokens":0,"completion_tokens":2,"total_tokens":2,"brand_new":7}}\n\n'
    b"data: [DONE]\n\n"
)
BODY = {
    "id": "c1",
    "object": "chat.completion",
    "created": 1,
    "model": "m",
    "choices": [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "t1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "mood": "calm",
            },
            "finish_reason": "tool_calls",
        }
    ],
    "usage": {"prompt_tokens": 0, "completion_tokens": 2, "total_tokens": 2, "brand_new": 7},
    "vendor": {"zone": [1]},
}


@pytest.fixture
def result():
    return reducer.reduce(TOOLS)


# -- the body in its forms ---------------------------------------------------------------------------


def test_the_body_reads_as_attributes(result):
    """Known fields are attributes; what was not sent reads None, and a list reads empty."""
    body = result.body

    assert body.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert body.choices[0].message.content is None
    assert body.choices[0].message.refusal is None
    assert body.choices[0].message.annotations == []
    assert body.system_fingerprint is None


def test_unknown_fields_are_in_extra_and_in_their_place(result):
    """The structs keep them aside, JSON and dict where the wire had them."""
    assert result.body.extra == {"vendor": {"zone": [1]}}
    assert result.body.choices[0].message.extra == {"mood": "calm"}
    assert result.body.usage.extra == {"brand_new": 7}
    assert result.to_dict() == BODY
    assert msgspec.json.decode(result.json()) == BODY


def test_the_body_is_converted_once(result):
    """At the first access."""
    assert result.body is result.body


def test_dicts_are_copies(result):
    """Whoever changes one changes nothing else."""
    first = result.to_dict()
    first["choices"][0]["message"]["tool_calls"].clear()
    first["vendor"]["zone"].append(2)
    result.usage["prompt_tokens"] = 99
    result.body.extra["vendor"]["zone"].append(3)

    assert result.to_dict() == BODY
    assert result.usage["prompt_tokens"] == 0


def test_lists_that_are_null_read_empty():
    """The struct says no null where a list is declared; JSON and dict say what the wire said."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", "tool_calls": None}}
    wire = {"object": "chat.completion", "choices": [choice]}
    result = reducer.reduce(msgspec.json.encode(wire))

    assert result.body.choices[0].message.tool_calls == []
    assert result.to_dict() == wire


def test_values_of_another_type_than_declared_stay():
    """A body sent whole may say anything: the struct reads it as it is, and it is a copy."""
    message = {"role": ["a"], "content": {"b": 1}, "tool_calls": {"0": {"id": "t1"}}, "audio": [{"id": 1}]}
    message["reasoning_details"] = [None, 1]
    wire = {"object": "chat.completion", "choices": [{"index": "0", "message": message}], "usage": 7}
    result = reducer.reduce(msgspec.json.encode(wire))
    read = result.body.choices[0].message

    assert result.body.usage == 7
    assert {key: getattr(read, key) for key in message} == message
    read.tool_calls.clear()
    assert result.to_dict() == wire


def test_usage_is_as_it_was_reported(result):
    """A reported 0 is 0, and nothing reported is None."""
    assert result.usage == BODY["usage"]
    assert reducer.reduce(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n').usage is None
    assert reducer.reduce(b"").usage is None


def test_nothing_is_null():
    """Without a body, `json` is null and the others are None."""
    result = reducer.reduce(b"")

    assert (result.status, result.dialect, result.error, result.timing) == ("empty", None, None, None)
    assert (result.body, result.to_dict(), result.to_openai(), result.json()) == (None, None, None, b"null")


# -- as a value --------------------------------------------------------------------------------------


def test_results_are_equal_by_value(result):
    """The same stream gives an equal result, another a different one."""
    assert result == reducer.reduce(TOOLS)
    assert result != reducer.reduce(TOOLS.replace(b"calm", b"wild"))
    assert result != "result"
    assert result.body == reducer.reduce(TOOLS).body
    assert result.body != reducer.reduce(TOOLS.replace(b"calm", b"wild")).body


@pytest.mark.parametrize("again", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_results_survive_pickle_and_copy(result, again):
    """Extras, problems and the typed body included."""
    other = again(result)

    assert other == result
    assert other.body == result.body
    assert type(other.body) is type(result.body)


def test_results_are_immutable(result):
    """A result may be handed to anybody; it is no key, as it holds lists."""
    with pytest.raises(AttributeError, match="immutable: status"):
        result.status = "failed"
    with pytest.raises(AttributeError, match="immutable: body"):
        del result.body
    with pytest.raises(AttributeError):
        result.body.id = "other"
    with pytest.raises(TypeError):
        hash(result)


def test_results_show_what_matters(result):
    """Never the content."""
    assert repr(result) == "<Result complete openai.chat 0 problem(s)>"


@pytest.mark.parametrize("value", [reducer.Problem("no_json", 1, 2), reducer.ProviderError(code=1), reducer.Timing(1)])
def test_small_values_are_frozen(value):
    """Like the result that holds them."""
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], None)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "8"])
@pytest.mark.parametrize("name", reducer.Limits.__struct_fields__)
def test_limits_are_positive_integers(name, value):
    """Anything else is the caller's mistake, named."""
    with pytest.raises(reducer.UsageError, match=f"Limits.{name} must be a positive integer"):
        reducer.Limits(**{name: value})


# -- the SDK's type ----------------------------------------------------------------------------------


def test_the_body_becomes_openai_s_own_type(result):
    """With everything that type has and has not."""
    types = pytest.importorskip("openai.types.chat", reason="openai is not installed")

    completion = result.to_openai()

    assert type(completion) is types.ChatCompletion
    assert completion.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert completion.model_extra == {"vendor": {"zone": [1]}}
    assert completion.to_dict(exclude_unset=True) == BODY


def test_what_openai_s_type_forbids_is_constructed():
    """A truncated body, or a finish reason of another provider, is no reason to raise."""
    pytest.importorskip("openai", reason="openai is not installed")

    assert reducer.reduce(TOOLS[: TOOLS.index(b"\n\n") + 2]).to_openai().choices[0].finish_reason is None
    assert reducer.reduce(TOOLS.replace(b'"tool_calls"}', b'"eos"}')).to_openai().choices[0].finish_reason == "eos"


@pytest.mark.parametrize(
    ("data", "method", "package", "extra"),
    [
        (TOOLS, "to_openai", "openai", "openai"),
        (b'{"type":"message","id":"m1","role":"assistant","content":[]}', "to_anthropic", "anthropic", "anthropic"),
        (b'{"candidates":[{"content":{"parts":[]},"finishReason":"STOP"}]}', "to_gemini", "google", "gemini"),
    ],
)
def test_without_the_sdk_its_extra_is_named(data, method, package, extra, monkeypatch):
    """One sentence that says what to install."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(reducer.MissingExtraError, match=rf"{method}\(\) needs .*'stream-reducer\[{extra}\]'") as caught:
        getattr(reducer.reduce(data), method)()

    assert caught.value.extra == extra


def test_a_defect_inside_the_sdk_is_not_hidden(result, monkeypatch):
    """Another module that is missing is not the SDK that is not installed."""

    def broken(name):
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr("importlib.import_module", broken)

    with pytest.raises(ModuleNotFoundError, match="No module named 'other'"):
        result.to_openai()


def test_no_sdk_has_a_type_for_another_s_dialect(result):
    """Asking for it is misuse."""
    with pytest.raises(reducer.UsageError, match="the anthropic package has no type for openai"):
        result.to_anthropic()


def test_what_an_sdk_cannot_read_at_all():
    """Google's way out: a package that refuses everything, at places that name types, too."""

    class Refused(ValueError):
        def errors(self):
            return [{"loc": ("list[int]", "a")}, {"loc": ()}]

    class Model:
        @staticmethod
        def model_validate(body):
            raise Refused

        @staticmethod
        def model_construct(**body):
            return body

    assert sdk._pruned(Model, {"a": 1, "b": 2}) == {"b": 2}
