"""The exceptions: one tree, facts as attributes, fit for pickle and for one line of text."""

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


def test_every_exception_is_public_and_of_one_tree():
    """Whoever catches `ReducerError` catches all that is raised on purpose."""
    assert {kind.__name__ for kind in classes()} <= set(reducer.__all__)
    assert all(issubclass(kind, reducer.ReducerError) for kind in classes())
    assert {type(error) for error in RAISED} == set(classes())


def test_the_tree_is_drawn_in_the_docstring():
    """Each class has its line there, indented below its base."""
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
    """They cross from a worker with text and attributes."""
    other = pickle.loads(pickle.dumps(error))

    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_built_in_bases():
    """Code that does not know this package catches what it expects."""
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
def test_a_problem_is_told_in_one_line(problem, text):
    """Code, place, what was seen and what was chosen."""
    error = reducer.ProblemError(problem)

    assert str(error) == text
    assert error.problem is problem


def test_misuse_raises_at_once_and_always():
    """What the wire says never does."""
    with pytest.raises(reducer.UsageError, match="unknown dialect 'nope': choose 'auto' or one of openai"):
        reducer.Reducer("nope")
    with pytest.raises(reducer.UsageError, match="unknown repair nope: choose from choice_counter"):
        reducer.Reducer(repairs=["nope"])
    with pytest.raises(reducer.UsageError, match="feed takes bytes, not str"):
        reducer.Reducer().feed("text")
    with pytest.raises(reducer.UsageError, match="reduce takes bytes or an iterable"):
        reducer.reduce("text")

    fold = reducer.Reducer()
    fold.close()
    with pytest.raises(reducer.ClosedError, match="feed after close"):
        fold.feed(b"")
    with pytest.raises(reducer.ClosedError, match="feed_event after close"):
        fold.feed_event({})
