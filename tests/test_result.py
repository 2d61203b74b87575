"""`Result` and the values that it holds: the forms of the body, equality, immutability, conversion to SDK types."""

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


# -- forms of the body -------------------------------------------------------------------------------


def test_body_has_attributes(result):
    """A known field is an attribute. An absent field is None, an absent list is empty."""
    body = result.body

    assert body.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert body.choices[0].message.content is None
    assert body.choices[0].message.refusal is None
    assert body.choices[0].message.annotations == []
    assert body.system_fingerprint is None


def test_unknown_fields_are_kept(result):
    """The structs keep unknown fields in `extra`; JSON and dict keep them in their places."""
    assert result.body.extra == {"vendor": {"zone": [1]}}
    assert result.body.choices[0].message.extra == {"mood": "calm"}
    assert result.body.usage.extra == {"brand_new": 7}
    assert result.to_dict() == BODY
    assert msgspec.json.decode(result.json()) == BODY


def test_body_is_converted_once(result):
    """Every access returns the same object."""
    assert result.body is result.body


def test_dicts_are_copies(result):
    """Changing a returned dict does not change the result."""
    first = result.to_dict()
    first["choices"][0]["message"]["tool_calls"].clear()
    first["vendor"]["zone"].append(2)
    result.usage["prompt_tokens"] = 99
    result.body.extra["vendor"]["zone"].append(3)

    assert result.to_dict() == BODY
    assert result.usage["prompt_tokens"] == 0


def test_null_list_is_an_empty_list():
    """A list that is null in the stream is empty in the struct, and null in JSON and dict."""
    choice = {"index": 0, "message": {"role": "assistant", "content": "Hi", "tool_calls": None}}
    wire = {"object": "chat.completion", "choices": [choice]}
    result = reducer.reduce(msgspec.json.encode(wire))

    assert result.body.choices[0].message.tool_calls == []
    assert result.to_dict() == wire


def test_values_of_undeclared_types_are_kept():
    """The struct has a copy of a value whose type it does not declare."""
    message = {"role": ["a"], "content": {"b": 1}, "tool_calls": {"0": {"id": "t1"}}, "audio": [{"id": 1}]}
    message["reasoning_details"] = [None, 1]
    wire = {"object": "chat.completion", "choices": [{"index": "0", "message": message}], "usage": 7}
    result = reducer.reduce(msgspec.json.encode(wire))
    read = result.body.choices[0].message

    assert result.body.usage == 7
    assert {key: getattr(read, key) for key in message} == message
    read.tool_calls.clear()
    assert result.to_dict() == wire


def test_usage_is_what_the_provider_reported(result):
    """A reported 0 is 0. Without a reported usage, `usage` is None."""
    assert result.usage == BODY["usage"]
    assert reducer.reduce(b'data: {"choices":[{"index":0,"delta":{"content":"x"}}]}\n\n').usage is None
    assert reducer.reduce(b"").usage is None


def test_result_without_a_body():
    """`json` returns null; the other forms of the body are None."""
    result = reducer.reduce(b"")

    assert (result.status, result.dialect, result.error, result.timing) == ("empty", None, None, None)
    assert (result.body, result.to_dict(), result.to_openai(), result.json()) == (None, None, None, b"null")


# -- equality and immutability -----------------------------------------------------------------------


def test_results_are_equal_by_value(result):
    """The same stream gives an equal result, another stream a different one."""
    assert result == reducer.reduce(TOOLS)
    assert result != reducer.reduce(TOOLS.replace(b"calm", b"wild"))
    assert result != "result"
    assert result.body == reducer.reduce(TOOLS).body
    assert result.body != reducer.reduce(TOOLS.replace(b"calm", b"wild")).body


@pytest.mark.parametrize("duplicate", [lambda r: pickle.loads(pickle.dumps(r)), copy.copy, copy.deepcopy])
def test_results_survive_pickle_and_copy(result, duplicate):
    """The copy is equal, with extra fields, problems and the typed body."""
    other = duplicate(result)

    assert other == result
    assert other.body == result.body
    assert type(other.body) is type(result.body)


def test_results_remember_incomplete_calls(result):
    """What the body cannot say is part of the value of a result, and survives pickle, copy and `with_problem`."""
    forms = {"dialect": result.dialect, "wire": result.to_dict(), "final": type(result.body)}
    cut = reducer.Result("complete", incomplete={(0, 0): "{"}, **forms)
    problem = reducer.Problem("no_terminal")

    assert result.view().tool_calls[0].complete
    assert cut != result
    assert reducer.Result("complete", **forms) == result
    for other in (pickle.loads(pickle.dumps(cut)), copy.deepcopy(cut), cut.with_problem(problem)):
        assert other.view() == cut.view()
        assert other.view().tool_calls == [reducer.ToolCallView("t1", "f", None, "{", complete=False)]
    assert cut.with_problem(problem).problems == (problem,)


def test_results_are_immutable(result):
    """A result has no setters and no hash, and its body is frozen."""
    with pytest.raises(AttributeError, match="immutable: status"):
        result.status = "failed"
    with pytest.raises(AttributeError, match="immutable: body"):
        del result.body
    with pytest.raises(AttributeError):
        result.body.id = "other"
    with pytest.raises(TypeError):
        hash(result)


def test_repr_shows_no_content(result):
    """The repr has the status, the dialect and the number of problems."""
    assert repr(result) == "<Result complete openai.chat 0 problem(s)>"


@pytest.mark.parametrize("value", [reducer.Problem("not_json", 1, 2), reducer.ProviderError(code=1), reducer.Timing(1)])
def test_small_values_are_frozen(value):
    """Problems, errors and timings are immutable, like the result that holds them."""
    with pytest.raises(AttributeError):
        setattr(value, value.__struct_fields__[0], None)


@pytest.mark.parametrize("value", [0, -1, 1.0, True, None, "8"])
@pytest.mark.parametrize("name", reducer.Limits.__struct_fields__)
def test_limits_are_positive_integers(name, value):
    """Any other value raises `UsageError` with the name of the limit."""
    with pytest.raises(reducer.UsageError, match=f"Limits.{name} must be a positive integer"):
        reducer.Limits(**{name: value})


# -- conversion to SDK types --------------------------------------------------------------------------


def test_to_openai_converts_the_body(result):
    """The object has the declared fields and the undeclared ones."""
    types = pytest.importorskip("openai.types.chat", reason="openai is not installed")

    completion = result.to_openai()

    assert type(completion) is types.ChatCompletion
    assert completion.choices[0].message.tool_calls[0].function.arguments == "{}"
    assert completion.model_extra == {"vendor": {"zone": [1]}}
    assert completion.to_dict(exclude_unset=True) == BODY


def test_to_openai_constructs_a_body_that_the_type_forbids():
    """A truncated body, or another provider's finish reason, does not raise."""
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
def test_missing_sdk_is_named_with_its_extra(data, method, package, extra, monkeypatch):
    """The error message names the extra."""
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)

    with pytest.raises(reducer.MissingExtraError, match=rf"{method}\(\) needs .*'stream-reducer\[{extra}\]'") as caught:
        getattr(reducer.reduce(data), method)()

    assert caught.value.extra == extra


def test_missing_module_inside_the_sdk_raises(result, monkeypatch):
    """A missing module of another package is not reported as a missing SDK."""

    def broken(name):
        raise ModuleNotFoundError("No module named 'other'", name="other")

    monkeypatch.setattr("importlib.import_module", broken)

    with pytest.raises(ModuleNotFoundError, match="No module named 'other'"):
        result.to_openai()


def test_sdk_has_no_type_for_another_dialect(result):
    """Asking for one raises `UsageError`."""
    with pytest.raises(reducer.UsageError, match="the anthropic package has no type for openai"):
        result.to_anthropic()


def test_gemini_type_that_refuses_everything():
    """Values are removed until nothing is left to remove; the rest is constructed without validation."""

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

    assert sdk._validate_part(Model, {"a": 1, "b": 2}) == {"b": 2}
