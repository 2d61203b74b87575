"""The exceptions: one hierarchy, facts as attributes, pickling, and messages of one line."""

import inspect
import pickle

import pytest

import reducer
from reducer import errors

RAISED = [
    errors.ReducerError("sentence"),
    errors.UsageError("sentence"),
    errors.ClosedError("sentence"),
    errors.StateError("sentence"),
    errors.ProblemError(reducer.Problem("not_json", 3, 17, b"x", "skipped")),
    errors.ContentError("gzip", "incorrect header check"),
    errors.MissingExtraError("the content encoding br", "brotli", "brotli"),
]


def classes():
    return [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, Exception)]


def test_every_exception_is_public_and_has_one_base():
    """Catching `ReducerError` catches every exception that the package raises on purpose."""
    assert {kind.__name__ for kind in classes()} <= set(reducer.__all__)
    assert all(issubclass(kind, reducer.ReducerError) for kind in classes())
    assert {type(error) for error in RAISED} == set(classes())


def test_docstring_shows_the_class_hierarchy():
    """Each class has a line in the docstring, indented below its base."""
    lines = errors.__doc__.splitlines()
    drawn = {}
    for line in lines:
        name = line.strip().removeprefix("- `").partition("`")[0]
        if line.strip().startswith("- `"):
            drawn[name] = (len(line) - len(line.lstrip())) // 4

    depths = {kind.__name__: len([base for base in kind.__mro__ if base in classes()]) - 1 for kind in classes()}
    assert drawn == depths


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_exceptions_survive_pickle(error):
    """An unpickled exception has the same text and attributes."""
    other = pickle.loads(pickle.dumps(error))

    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_built_in_bases():
    """Code that does not know this package can catch the built-in types."""
    assert issubclass(reducer.UsageError, ValueError)
    assert issubclass(reducer.ContentError, ValueError)
    assert issubclass(reducer.MissingExtraError, ImportError)


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        (
            reducer.Problem("not_json", 3, 17, b"x", "skipped"),
            "not_json at event 3 (byte 17): seen b'x', chosen 'skipped'",
        ),
        (reducer.Problem("wrong_type", 3), "wrong_type at event 3: seen None, chosen None"),
        (reducer.Problem("no_terminal"), "no_terminal at the end: seen None, chosen None"),
    ],
)
def test_text_of_a_problem_error(problem, text):
    """The text has the code, the place, what was seen and what was chosen."""
    error = reducer.ProblemError(problem)

    assert str(error) == text
    assert error.problem is problem


def test_misuse_always_raises():
    """Wrong arguments, and feeding after close, raise from the call that is wrong."""
    with pytest.raises(reducer.UsageError, match="unknown dialect 'nope': choose 'auto' or one of openai"):
        reducer.Reducer("nope")
    with pytest.raises(reducer.UsageError, match="unknown repair nope: choose from choice_counter"):
        reducer.Reducer(repairs=["nope"])
    with pytest.raises(reducer.UsageError, match="feed takes bytes, not str"):
        reducer.Reducer().feed("text")
    with pytest.raises(reducer.UsageError, match="reduce takes bytes or an iterable"):
        reducer.reduce("text")

    closed = reducer.Reducer()
    closed.close()
    with pytest.raises(reducer.ClosedError, match="feed after close"):
        closed.feed(b"")
    with pytest.raises(reducer.ClosedError, match="feed_event after close"):
        closed.feed_event({})
