"""Which attributes of a live `Reducer` are saved, and how they are restored. `saving` turns them into bytes.

Reading a state checks every attribute for its declared type. `restore` checks what concerns several objects: places in
lists, and the dialect that each response's state and phase belong to. At last it builds each body once.
"""

from __future__ import annotations

from collections.abc import Iterable

from reducer.dialects.contract import report_nothing
from reducer.dialects.registry import load
from reducer.duplicates import Duplicates
from reducer.errors import StateError
from reducer.frames import Frame
from reducer.framing import Framer
from reducer.pipeline import Pipeline
from reducer.problems import Problem
from reducer.response import Response
from reducer.responses import Responses
from reducer.result import Limits, ProviderError
from reducer.saving import Saved, dump
from reducer.saving import load as load_saved
from reducer.timing import Stopwatch

# The structs that a saved state may hold.
_STRUCTS: dict[str, type] = {"Limits": Limits, "Problem": Problem, "ProviderError": ProviderError}
# Attributes of the pipeline that are saved as they are.
_AS_THEY_ARE = (
    "framer",
    "duplicates",
    "undecided",
    "count",
    "bytes_before",
    "weigh_at",
    "is_full",
    "stopwatch",
    "first_bytes",
)


class SavedResponse(Saved):
    """A response with what it does not save itself."""

    response: Response
    dialect: str | None
    phase: str | None


class SavedReducer(Saved):
    """The state of a `Reducer`. Integers such as ``current`` are places in ``responses``."""

    # The options of the `Reducer`.
    strict: bool
    limits: Limits
    repairs: list[str]
    text_keys: list[str]
    fast: bool
    dialect: str  # as the caller named it
    # The responses that were not taken, then those of them that may still get events.
    responses: list[SavedResponse]
    not_taken: int  # how many of `responses` were not taken
    current: int
    ended: list[int]
    by_stream_id: dict[str, int]
    replayed_to: int | None
    is_odd: bool
    unreadable: int
    # Of the pipeline.
    framer: Framer
    duplicates: Duplicates | None
    undecided: list[Frame] | None
    count: int
    bytes_before: int
    weigh_at: int
    is_full: bool
    stopwatch: Stopwatch
    first_bytes: bytes | None

    def check(self) -> None:
        count = len(self.responses)
        if [one.response.is_taken for one in self.responses] != [place >= self.not_taken for place in range(count)]:
            raise ValueError("a response was taken and is still to be taken, or neither")
        open_ones = (self.current, *self.by_stream_id.values())
        if not _are_places(open_ones, count) or not _are_places(self.ended, self.not_taken):
            raise ValueError("a place of a response that is not there")
        if any(self.responses[place].response.stream_id != key for key, place in self.by_stream_id.items()):
            raise ValueError("a response has another stream id than the one that leads to it")
        if len({*self.ended, *open_ones}) < len(self.ended) + len(set(open_ones)):
            raise ValueError("a response ended twice, or ended and goes on")


def _are_places(numbers: Iterable[int], count: int) -> bool:
    return all(0 <= number < count for number in numbers)


def save_state(pipeline: Pipeline, *, strict: bool, fast: bool) -> bytes:
    """Return the state of a pipeline, and the options of its owner, as bytes."""
    responses, options = pipeline.responses, pipeline.options
    # A response that was taken may still be the current one, or the one of a stream id.
    reached = {id(one): one for one in (*responses.all, responses.current, *responses.by_stream_id.values())}
    places = {key: place for place, key in enumerate(reached)}
    saved = SavedReducer()
    saved.strict = strict
    saved.limits = options.limits
    saved.repairs = sorted(options.repairs)
    saved.text_keys = sorted(options.text_keys)
    saved.fast = fast
    saved.dialect = responses.given.name if responses.given is not None else "auto"
    saved.responses = [_described(response) for response in reached.values()]
    saved.not_taken = len(responses.all)
    saved.current = places[id(responses.current)]
    saved.ended = [places[id(response)] for response in responses.ended]
    saved.by_stream_id = {key: places[id(response)] for key, response in responses.by_stream_id.items()}
    saved.replayed_to = _replayed_to(pipeline)
    saved.is_odd = responses.is_odd
    saved.unreadable = responses.unreadable
    for name in _AS_THEY_ARE:
        setattr(saved, name, getattr(pipeline, name))
    return dump(saved, _STRUCTS)


def load_state(state: bytes) -> SavedReducer:
    """Return what `save_state` saved. Raises `StateError` for other bytes."""
    saved, has_surrogates = load_saved(state, _STRUCTS)
    if not isinstance(saved, SavedReducer):
        raise StateError("a damaged state: it is not a state of a Reducer")
    saved.is_odd = saved.is_odd or has_surrogates
    return saved


def restore(pipeline: Pipeline, saved: SavedReducer) -> None:
    """Put a loaded state into a new pipeline. Raises `ValueError` and the like for a forged one."""
    for name in _AS_THEY_ARE:
        setattr(pipeline, name, getattr(saved, name))
    responses = pipeline.responses
    responses.is_odd = saved.is_odd
    restored = [_restored(responses, described) for described in saved.responses]
    responses.all = restored[: saved.not_taken]
    responses.current = restored[saved.current]
    responses.ended = [restored[place] for place in saved.ended]
    responses.by_stream_id = {key: restored[place] for key, place in saved.by_stream_id.items()}
    responses.kept = sum(response.is_taken for response in responses.by_stream_id.values())
    responses.position.problems = sum(response.problem_count for response in responses.all)
    responses.unreadable = saved.unreadable
    responses.is_bare = bool(pipeline.framer.bare)
    pipeline.replayed_to = saved.replayed_to


def _described(response: Response) -> SavedResponse:
    described = SavedResponse()
    described.response = response
    described.dialect = response.dialect.name if response.dialect is not None else None
    described.phase = response.phase
    return described


def _restored(responses: Responses, described: SavedResponse) -> Response:
    response, phase = described.response, described.phase
    if described.dialect is None:
        if response.state is not None:
            raise ValueError("a response has a state without a dialect")
        response.attach(responses.options, responses.position, None, None)
        return response
    dialect = load(described.dialect)
    if phase not in dialect.handlers:
        raise ValueError(f"{dialect.name} has no such phase")
    if type(response.state) is not type(dialect.new_state(responses.options, report_nothing)):
        raise ValueError(f"the state of a response is not one of {dialect.name}")
    response.attach(responses.options, responses.position, dialect, phase)
    response.state.is_odd = response.state.is_odd or responses.is_odd
    response.build_body(report_nothing)
    return response


def _replayed_to(pipeline: Pipeline) -> int | None:
    """Return the sequence number up to which a server may send events again (R21).

    Numbers that grow much slower than the events cannot identify a replay (R20).
    """
    event = pipeline.responses.last_event
    number = event.get("sequence_number") if type(event) is dict else getattr(event, "sequence_number", None)
    if type(number) is not int or number < max(1, (pipeline.count - 1) // 2):
        return pipeline.replayed_to
    return number
