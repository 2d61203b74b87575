"""All responses of one stream, and the event path: one payload at a time, to the response that it belongs to.

A stream most often has one response. A capture may have several one after another, and a socket several at once, told
apart by ``stream_id`` (decision 12). Nothing here raises for what the wire says: a handler that fails costs its event
and is reported as ``internal_error``.
"""

from __future__ import annotations

from typing import Any

import msgspec

from reducer.body import copied
from reducer.decoding import (
    FREE_VALUES,
    NotJson,
    TooDeep,
    decode_tolerantly,
    is_deep,
    may_be_deep,
    too_deep,
    weight,
)
from reducer.detect import detect, is_end_marker, is_heartbeat, unwrap
from reducer.dialects.contract import Dialect, LimitReached, Options
from reducer.dialects.errors import find_error
from reducer.dialects.unspoken import REALTIME, describe_unknown
from reducer.errors import log
from reducer.response import Position, Response
from reducer.result import ProviderError
from reducer.splitting import Piece, split

SHOWN = 200  # bytes of an unusable payload that a problem shows
_PIECE_SHOWN = 1024  # bytes of a piece of a payload that a problem shows
# Payloads that are not JSON and hold no event, in one body. To look for an event costs more than to merge one, so that
# a stream of nothing else is not searched to its end.
_MAX_UNREADABLE = 1000
# What the shortest response needs in memory: `max_retained_bytes` limits their number too.
_RESPONSE_BYTES = 4096
_MIN_RESPONSES = 16  # that are allowed in any case
_decode = msgspec.json.Decoder().decode


def _named(event: dict[str, Any], name: str, current: Dialect | None) -> dict[str, Any]:
    """Return an event with its name as the type, if its data do not say what it is (S13, R31).

    In a response of the dialect ``current``, the name of another dialect's event says nothing.
    """
    dialect = detect({"type": name})
    if dialect is None or current not in (None, dialect):
        return event
    if dialect.named is not None:
        return dialect.named(event, name)
    return {"type": name, **event} if "type" not in event and detect(event) is None else event


class Responses:
    """The responses of one stream, in order of appearance."""

    def __init__(self, options: Options, given: Dialect | None) -> None:
        self.options = options
        self.given = given  # the dialect that the caller named
        self.likely: Dialect | None = None  # the dialect of the payload that decided for the held ones before it
        self.position = Position()
        self.current = Response(options, self.position)  # the response that the next event belongs to
        self.all = [self.current]  # those that were not taken
        self.ended: list[Response] = []  # those of `all` that ended because another response began, in order
        self.by_stream_id: dict[str, Response] = {}
        self.kept = 0  # responses that were taken, and are still that of their stream id
        self.is_bare = False  # the stream began with a JSON value outside of any event; the pipeline sets this
        self.last_event: Any = None  # its dialect proposes a batch after it, and `save` reads its sequence number
        self.is_odd = False  # some payload was read tolerantly, see `State.is_odd`
        self.unreadable = 0  # payloads that are not JSON and hold no event

    # -- one payload -----------------------------------------------------------------------------

    def merge_payload(self, payload: bytes, name: str | None) -> None:
        """Decode one payload and merge the event, or the events of an array.

        ``name`` is the event's name where the framing had one.
        """
        if not payload.startswith(b"{"):
            if is_end_marker(payload):
                self.current.end()
                return
            if not payload or payload.isspace():
                return
        try:
            value = self._decode(payload)
            for event in value if type(value) is list else (value,):
                if type(event) is dict:
                    self._merge_event(event, name)
                elif name == "error" and type(event) is str and event:
                    self._take_text_error(event)
                elif event is not None and event != "":
                    self.current.report("not_an_object", payload[:SHOWN], "skipped")
        except NotJson:
            self._take_text(payload, name)
        except LimitReached as limit:
            self.current.reach_limit(limit)
        except TooDeep:
            self.current.is_limited = True
            depth = self.options.limits.max_depth
            self.current.report("limit_depth", payload[:SHOWN], f"not retained: nested more than {depth} deep")
        except Exception as failure:  # nothing the wire says may raise into the host
            log("error", "internal error at event %d: %s", self.position.number, type(failure).__name__)
            seen = {"error": repr(failure), "payload": payload[:SHOWN]}
            self.current.report("internal_error", seen, "the event is left out")

    def _decode(self, payload: bytes) -> Any:
        depth = self.options.limits.max_depth
        limit = self.options.limits.max_event_bytes
        if len(payload) > FREE_VALUES and (weighed := weight((payload,), limit)) > limit:
            raise LimitReached("event_bytes", weighed)
        try:
            value = _decode(payload)
        except (ValueError, RecursionError):
            if not self._may_search and not too_deep(payload, depth):
                raise NotJson from None
            value = decode_tolerantly(payload, self.current.report, depth)
            self._set_odd()
            return value
        if may_be_deep(payload, depth) and is_deep(value, depth):
            raise TooDeep
        return value

    def _set_odd(self) -> None:
        self.is_odd = True
        for response in self.all:
            if response.state is not None:
                response.state.is_odd = True

    def _merge_event(self, event: dict[str, Any], name: str | None) -> None:
        if name is not None and event.get("type") != name:
            event = _named(event, name, self.current.dialect)
        if is_heartbeat(event):
            return
        stream_id = event.get("stream_id")
        if type(stream_id) is str and stream_id:
            self._follow(stream_id)
        response = self.current
        dialect = response.dialect
        if dialect is None:
            dialect = self._begin(response, event, name)
            if dialect is None:
                return
        elif not dialect.recognise(event):
            other = detect(event)
            if other is not None:  # another dialect's event is only counted; one of no dialect goes on
                response.count_unknown(str(event.get("type") or other.name), event)
                return
        error = dialect.find_error(event, name)
        if error is not None:
            has_more = dialect.has_more_than_error(event)
            if has_more and (raw := copied(event.get("error"))):
                error = msgspec.structs.replace(error, raw=raw)  # the other keys go to the body
            response.take_error(error)
            if not has_more:
                return
        self.last_event = event
        if response.merge_event(event, is_bare=self.is_bare):
            self._begin_next().merge_event(event, is_bare=self.is_bare)

    # -- which response --------------------------------------------------------------------------

    def _begin(self, response: Response, event: dict[str, Any], name: str | None) -> Dialect | None:
        """Give a response its dialect if the event tells it; otherwise record the event as an error or as unknown."""
        likely = self.given or self.likely
        dialect = likely if likely is not None and likely.recognise(event) else None
        if dialect is None and self.given is None and not response.is_realtime:
            dialect = detect(event)
        if dialect is not None:
            response.begin(dialect)
            response.state.is_odd = self.is_odd
            return dialect
        error = find_error(event, name)
        if error is not None:
            response.take_error(error)
        else:
            if response.unread is None:
                response.unread = describe_unknown(event)
                response.is_realtime = self.given is None and REALTIME.matches(event)
            response.count_unknown(str(event.get("type") or name or "?"), event)
        return None

    def _begin_next(self) -> Response:
        """Begin another response of the same dialect, and make it the current one."""
        before = self.current
        response = self._add()
        if not before.is_taken:
            self.ended.append(before)
        assert before.dialect is not None
        response.begin(before.dialect)
        response.state.is_odd = self.is_odd
        if before.stream_id is not None:
            self._name(response, before.stream_id)
        self.current = response
        return response

    def _follow(self, stream_id: str) -> None:
        """Make the response of this id the current one; the first id belongs to the response that is there."""
        response = self.by_stream_id.get(stream_id)
        if response is None:
            is_first = not self.by_stream_id and self.current.state is None
            response = self.current if is_first else self._add()
            self._name(response, stream_id)
        self.current = response

    def _name(self, response: Response, stream_id: str) -> None:
        before = self.by_stream_id.get(stream_id)
        self.kept -= before is not None and before.is_taken
        response.stream_id = stream_id
        self.by_stream_id[stream_id] = response

    def _add(self) -> Response:
        """Add a response. Raises `LimitReached` if there are too many."""
        limits = self.options.limits
        count = len(self.all) + self.kept
        if count >= min(limits.max_responses, max(_MIN_RESPONSES, limits.max_retained_bytes // _RESPONSE_BYTES)):
            raise LimitReached("responses", count + 1)
        response = Response(self.options, self.position)
        self.all.append(response)
        return response

    def take_ended(self) -> list[Response]:
        """Remove and return the responses that have ended.

        A response ends when another one begins. Among several at once, told apart by ``stream_id``, it ends by its own
        end marker; it then stays the response of its id, so that late events disturb no other.
        """
        ended = self.ended
        self.ended = []
        if self.by_stream_id:
            current = self.by_stream_id.values()
            ended += [response for response in current if not response.is_taken and response.has_ended]
        for response in ended:
            response.is_taken = True
            self.position.problems -= response.problem_count
            self.kept += self.by_stream_id.get(response.stream_id or "") is response
        if ended:
            self.all = [response for response in self.all if not response.is_taken]
        return ended

    # -- payloads that are not JSON --------------------------------------------------------------

    @property
    def _may_search(self) -> bool:
        """Whether to look for an event in a payload that is not JSON."""
        return self.unreadable < _MAX_UNREADABLE

    def _take_text(self, payload: bytes, name: str | None) -> None:
        inner = unwrap(payload) if self._may_search else None
        if inner is not None:
            if "double_prefix" in self.options.repairs:
                self.current.report("repaired", payload[:SHOWN], "double_prefix")
                self.merge_payload(inner, None)
            else:
                self.current.report("repairable", payload[:SHOWN], "skipped; the repair is double_prefix")
        elif self._may_search and len(pieces := split(payload, name)) > 1:
            self._merge_pieces(pieces)
        elif name == "error":
            self._take_text_error(str(payload.strip(), "utf-8", "replace"))
        else:
            if self.current.state is None and self.current.unread is None:
                self.current.unread = (payload[:SHOWN], "no body")
            self.unreadable += 1
            self.current.report("not_json", payload[:SHOWN], "skipped")

    def _merge_pieces(self, pieces: list[Piece]) -> None:
        """Merge the events in a payload that is not JSON, each with its own number, and report the text (S23)."""
        is_first = True
        for text, name, problem in pieces:
            if problem is not None:
                self.current.report(problem, text[:_PIECE_SHOWN], "skipped")
                continue
            if not is_first:
                self.position.number += 1
                self.position.further += 1
            is_first = False
            self.merge_payload(text, name)

    def _take_text_error(self, text: str) -> None:
        """Plain text in an event named error is an error (decision 13)."""
        self.current.take_error(ProviderError(message=text, raw=text))
