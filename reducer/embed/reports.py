"""Call ``on_end`` with finished exchanges, away from the path of the client.

`Reports.put` never waits and never raises. A synchronous callback runs on one worker thread. An asynchronous callback
runs as a task of the event loop of its exchange, one at a time; without a loop that still runs, it runs on the worker
thread, too. Each call runs in the context of its request, so that `contextvars` such as a trace id are those of the
host.

At most ``max_queue_size`` exchanges wait. If the queue is full, the newest is dropped. A failure is logged once: a type
and a place, no text, because the text of an exception may quote an exchange.

Garbage collection may report an exchange at any time, also inside of `put` itself, so `put` takes no lock that it would
have to wait for: `SimpleQueue.put` and `deque.append` may be called again before they return.
"""

from __future__ import annotations

import asyncio
import atexit
import inspect
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextvars import Context
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from reducer.embed.exchange import Exchange
from reducer.errors import UsageError, log

# Takes an exchange; may be asynchronous. What it returns is ignored.
OnEnd = Callable[[Exchange], Any]
Loop = asyncio.AbstractEventLoop

_MAX_QUEUE_SIZE = 1000
_TIMEOUT = 30.0  # seconds, as in OpenTelemetry's processors


class Reports:
    """The queue between exchanges and callbacks. Integrations share one, unless they are given another.

    Args:
        max_queue_size: How many exchanges may wait.
    """

    def __init__(self, max_queue_size: int = _MAX_QUEUE_SIZE) -> None:
        if type(max_queue_size) is not int or max_queue_size < 1:
            raise UsageError(f"max_queue_size must be a positive integer, not {max_queue_size!r}")
        self.dropped = 0  # exchanges that no callback got, because the queue was full or shut down
        self._max_queue_size = max_queue_size
        self._thread = _ThreadQueue()
        self._loops: dict[Loop, _LoopQueue] = {}  # those that have something to deliver
        self._is_shut_down = False
        atexit.register(self.shutdown)

    def put(self, on_end: OnEnd, exchange: Exchange, context: Context, loop: Loop | None = None) -> None:
        """Have a callback called with an exchange.

        Args:
            on_end: The callback.
            exchange: Its argument.
            context: In which the callback runs. Nothing else may run in it.
            loop: In which an asynchronous callback runs.
        """
        if self._is_shut_down or len(self) >= self._max_queue_size:
            if not self.dropped:
                log("warning", "exchanges are dropped: the queue of on_end is full, or was shut down")
            self.dropped += 1
            return
        report = _Report(on_end, exchange, context)
        if loop is None or loop.is_closed() or not _is_async(on_end):
            self._thread.put([report])
        else:
            self._queue_of(loop).put(report)

    def __len__(self) -> int:
        """Return how many exchanges wait."""
        return len(self._thread) + sum(map(len, list(self._loops.values())))

    def _queue_of(self, loop: Loop) -> _LoopQueue:
        queue = self._loops.get(loop)
        if queue is None:
            queue = self._loops[loop] = _LoopQueue(loop, self._loops, self._thread)
        return queue

    def force_flush(self, timeout: float = _TIMEOUT) -> bool:
        """Wait until the callbacks of all exchanges so far have returned. Return whether they have, in time.

        In an event loop, await `aforce_flush` instead: this method blocks the loop, so asynchronous callbacks cannot
        run. It does not wait for those, and returns ``False`` if there are any.

        Args:
            timeout: In seconds.
        """
        return self._wait(time.monotonic() + timeout, running_loop())

    async def aforce_flush(self, timeout: float = _TIMEOUT) -> bool:
        """Wait as `force_flush` does, without blocking the event loop, and for its callbacks, too."""
        deadline = time.monotonic() + timeout
        return await asyncio.to_thread(self._wait, deadline, None)

    def _wait(self, deadline: float, blocked: Loop | None) -> bool:
        marks = []
        is_flushed = True
        for loop, queue in list(self._loops.items()):
            if loop is blocked:
                is_flushed = False
                continue
            marks.append(threading.Event())
            queue.put(marks[-1])
        marks.append(threading.Event())  # last, because a queue whose loop is closed moves its reports to the thread
        self._thread.put([marks[-1]])
        for mark in marks:
            is_flushed &= mark.wait(max(0.0, deadline - time.monotonic()))
        return is_flushed

    def shutdown(self, timeout: float = _TIMEOUT) -> bool:
        """Flush, and drop every exchange after that. Return what `force_flush` returns. Called at the program's end."""
        if self._is_shut_down:
            return True
        is_flushed = self.force_flush(timeout)
        self._is_shut_down = True
        atexit.unregister(self.shutdown)
        self._thread.stop()
        return is_flushed


class _Report:
    """One exchange on its way to its callback."""

    __slots__ = ("context", "exchange", "on_end")

    def __init__(self, on_end: OnEnd, exchange: Exchange, context: Context) -> None:
        self.on_end = on_end
        self.exchange = exchange
        self.context = context


# A flush puts an event into each queue, which is set when the reports before it were delivered.
_Entry = _Report | threading.Event


class _ThreadQueue:
    """Reports that one worker thread delivers. The thread starts with the first report, also after a fork."""

    def __init__(self) -> None:
        self._entries: SimpleQueue[_Entry | None] = SimpleQueue()
        self._thread: threading.Thread | None = None
        self._starting = threading.Lock()

    def __len__(self) -> int:
        return self._entries.qsize()

    def put(self, entries: Iterable[_Entry]) -> None:
        for entry in entries:
            self._entries.put(entry)
        # Never waits for the lock: whoever holds it starts the thread.
        if (self._thread is None or not self._thread.is_alive()) and self._starting.acquire(blocking=False):
            try:
                self._thread = threading.Thread(target=self._deliver, name="reducer-reports", daemon=True)
                self._thread.start()
            except RuntimeError:  # the interpreter is shutting down
                log_once("exchanges are lost: the interpreter is shutting down")
            finally:
                self._starting.release()

    def stop(self) -> None:
        """End the thread after what is in the queue."""
        self._entries.put(None)

    def _deliver(self) -> None:
        while (entry := self._entries.get()) is not None:
            if isinstance(entry, _Report):
                _call(entry)
            else:
                entry.set()
            del entry  # an exchange must not live until the next one comes


class _LoopQueue:
    """Reports that one event loop delivers, in a task that ends when no report is left."""

    def __init__(self, loop: Loop, register: dict[Loop, _LoopQueue], thread: _ThreadQueue) -> None:
        self._loop = loop
        self._register = register
        self._thread = thread  # takes the reports that the loop does not live to see
        self._entries: deque[Any] = deque()  # of `_Entry`
        self._task: asyncio.Task[None] | None = None

    def __len__(self) -> int:
        return len(self._entries)

    def put(self, entry: _Entry) -> None:
        self._entries.append(entry)
        if running_loop() is self._loop:
            self._start()
            return
        try:
            self._loop.call_soon_threadsafe(self._start)
        except RuntimeError:  # the loop was closed
            self._hand_over()

    def _start(self) -> None:
        if self._task is None and self._entries:
            self._register[self._loop] = self
            self._task = self._loop.create_task(self._deliver(), name="reducer-reports", context=Context())
            self._task.add_done_callback(self._on_done)

    def _on_done(self, task: asyncio.Task[None]) -> None:
        self._task = None
        self._register.pop(self._loop, None)
        if task.cancelled():  # `asyncio.run` cancels all tasks at its end
            self._hand_over()
        self._start()

    def _hand_over(self) -> None:
        self._register.pop(self._loop, None)
        entries = list(self._entries)
        self._entries.clear()
        self._thread.put(entries)

    async def _deliver(self) -> None:
        while self._entries:
            entry = self._entries[0]
            if isinstance(entry, _Report):
                task = self._loop.create_task(self._await_callback(), context=entry.context)
                del entry  # an exchange must not live until the next one comes
                await asyncio.wait([task])  # unlike `await task`, tells a cancelled callback from this task's own end
            else:
                self._entries.popleft().set()

    async def _await_callback(self) -> None:
        """Call the callback of the first entry, which stays in the queue if the loop ends before this begins."""
        report = self._entries.popleft()
        try:
            await report.on_end(report.exchange)
        except BaseException as error:
            _log_failure(report.on_end, error)
            if not isinstance(error, Exception | asyncio.CancelledError):
                raise


def _call(report: _Report) -> None:
    """Call a callback on the worker thread, and if it is asynchronous, run it in an event loop of its own."""
    try:
        outcome = report.context.run(report.on_end, report.exchange)
        if inspect.isawaitable(outcome):
            report.context.run(asyncio.run, _awaited(outcome))
    except BaseException as error:  # nothing may end the thread
        _log_failure(report.on_end, error)


async def _awaited(outcome: Any) -> None:
    await outcome


def _is_async(on_end: OnEnd) -> bool:
    call = getattr(type(on_end), "__call__", None)  # noqa: B004  (of an object with an asynchronous one)
    return inspect.iscoroutinefunction(on_end) or inspect.iscoroutinefunction(call)


def running_loop() -> Loop | None:
    """Return the event loop of asyncio that runs in this thread, if one does."""
    return asyncio._get_running_loop()


# -- logging -----------------------------------------------------------------------------------------

_logged: set[tuple[object, ...]] = set()


def log_once(message: str, *facts: object) -> None:
    """Log a warning, unless the same one was logged before."""
    if (message, *facts) not in _logged:
        _logged.add((message, *facts))
        log("warning", f"{message} (logged once)", *facts)


def _log_failure(on_end: OnEnd, error: BaseException) -> None:
    """Log the type and the place of a callback's exception. Its text may quote an exchange."""
    name = getattr(on_end, "__qualname__", type(on_end).__qualname__)
    log_once("on_end failed: %s raised %s at %s", name, *describe_failure(error))


def describe_failure(error: BaseException) -> tuple[str, str]:
    """Return the type of an exception, and the file and the line that raised it."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    place = "?" if trace is None else f"{os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno}"
    return type(error).__name__, place


# -- ready callbacks ---------------------------------------------------------------------------------


def write_jsonl(path: str | os.PathLike[str]) -> Callable[[Exchange], None]:
    """Return a callback that appends each exchange to a file, as one line of JSON (`Exchange.json`).

    A new file can be read by its owner only, because it holds answers. Each line is written with one call, so that
    several processes may append to the same file, and the file is opened for each, so that it may be rotated.
    """
    target = Path(path)

    def append(exchange: Exchange) -> None:
        line = exchange.json() + b"\n"
        descriptor = os.open(target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(descriptor, "ab", buffering=0) as file:
            file.write(line)

    return append


shared = Reports()


def force_flush(timeout: float = _TIMEOUT) -> bool:
    """Call `Reports.force_flush` of the queue that the integrations share."""
    return shared.force_flush(timeout)


def shutdown(timeout: float = _TIMEOUT) -> bool:
    """Call `Reports.shutdown` of the queue that the integrations share."""
    return shared.shutdown(timeout)
