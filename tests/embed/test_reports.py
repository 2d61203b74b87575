"""`Reports`: callbacks run away from the client's path, in the context of their request, and hurt nobody."""

import asyncio
import contextvars
import functools
import json
import logging
import os
import stat
import subprocess
import sys
import threading

import pytest

import reducer
from reducer.embed import Exchange, Reports, force_flush, reports, shutdown, write_jsonl

TENANT = contextvars.ContextVar("tenant", default=None)
LONG = 30  # seconds; reached by a failing test only


def exchange(number=0):
    return Exchange(f"{number:032}", "test")


def put(queue, on_end, number=0, loop=None):
    queue.put(on_end, exchange(number), contextvars.copy_context(), loop)


class Gate:
    """A synchronous callback that blocks until it is opened."""

    def __init__(self):
        self.entered, self.opened, self.got = threading.Event(), threading.Event(), []

    def __call__(self, one):
        self.entered.set()
        assert self.opened.wait(LONG)
        self.got.append(one)


def test_a_callback_runs_on_another_thread_in_the_context_of_its_request(queue):
    """A trace id of the request is there."""
    got = []
    for tenant in ("a", "b"):
        TENANT.set(tenant)
        put(queue, lambda one: got.append((threading.current_thread().name, TENANT.get())))
    TENANT.set(None)

    assert queue.force_flush(LONG)
    assert got == [("reducer-reports", "a"), ("reducer-reports", "b")]


def test_a_full_queue_drops_the_newest(queue, logged):
    """It counts them, and logs once. `put` never waits."""
    queue = Reports(max_queue_size=10)
    gate = Gate()
    put(queue, gate, 0)
    assert gate.entered.wait(LONG)

    for number in range(1, 1001):
        put(queue, gate, number)

    assert len(queue) == 10
    assert queue.dropped == 990
    assert not queue.force_flush(0.01)
    gate.opened.set()
    assert queue.shutdown(LONG)
    assert [int(one.id) for one in gate.got] == list(range(11))
    assert logged() == ["exchanges are dropped: the queue of on_end is full, or was shut down"]


def test_a_callback_that_raises_is_logged_once(queue, logged):
    """By its type and its place: the text may quote the exchange. The next callback runs."""

    def on_end(one):
        raise ValueError("SECRET")

    got = []
    for _ in range(5):
        put(queue, on_end)
    put(queue, functools.partial(int, "SECRET"))  # raises outside of Python code of its own, and has no name
    put(queue, got.append)

    assert queue.force_flush(LONG)
    assert len(got) == 1
    first, second = logged()
    assert first.startswith(
        "on_end failed: test_a_callback_that_raises_is_logged_once.<locals>.on_end raised ValueError"
    )
    assert "test_reports.py:" in first
    assert second.startswith("on_end failed: partial raised TypeError")


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_nothing_ends_the_thread(queue, logged, error):
    """Not even what ends programs."""

    def on_end(one):
        raise error

    got = []
    put(queue, on_end)
    put(queue, got.append)

    assert queue.force_flush(LONG)
    assert len(got) == 1
    assert error.__name__ in logged()[0]


def test_after_shutdown_exchanges_are_dropped(queue, logged):
    """Shutting down twice is no mistake."""
    got = []
    put(queue, got.append)
    assert queue.shutdown(LONG)
    assert queue.shutdown(LONG)
    put(queue, got.append)

    assert (len(got), queue.dropped) == (1, 1)
    assert len(logged()) == 1


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None])
def test_wrong_queue_sizes(size):
    """A positive integer."""
    with pytest.raises(reducer.UsageError, match="max_queue_size must be a positive integer"):
        Reports(size)


# -- asynchronous callbacks --------------------------------------------------------------------------


def test_asynchronous_callbacks_run_one_at_a_time_in_their_loop(queue):
    """Each in the context of its request; the task ends with the last."""
    got, running = [], []

    async def on_end(one):
        assert not running
        running.append(one)
        await asyncio.sleep(0.001)
        running.pop()
        got.append((int(one.id), TENANT.get(), threading.current_thread() is threading.main_thread()))

    async def main():
        loop = asyncio.get_running_loop()
        for number in range(5):
            TENANT.set(number)
            put(queue, on_end, number, loop)
        assert len(queue) == 5
        assert not queue.force_flush(LONG)  # it would block the loop
        assert await queue.aforce_flush(LONG)
        assert got == [(number, number, True) for number in range(5)]
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == {asyncio.current_task()}

    asyncio.run(main())


@pytest.mark.parametrize("kind", ["method", "partial", "object"])
def test_asynchronous_callbacks_of_any_kind(queue, kind):
    """All are told from synchronous ones before they are called."""
    got = []

    class Sink:
        async def save(self, one):
            got.append(threading.current_thread())

        async def __call__(self, one):
            got.append(threading.current_thread())

    on_end = {"method": Sink().save, "partial": functools.partial(Sink.save, None), "object": Sink()}[kind]

    async def main():
        put(queue, on_end, loop=asyncio.get_running_loop())
        assert await queue.aforce_flush(LONG)

    asyncio.run(main())
    assert got == [threading.main_thread()]


def test_an_asynchronous_callback_that_fails_or_is_cancelled(queue, logged):
    """The next one runs."""
    got = []

    async def fails(one):
        raise ValueError("SECRET")

    async def cancels(one):
        asyncio.current_task().cancel()
        await asyncio.sleep(1)

    async def works(one):
        got.append(one)

    async def main():
        for on_end in (fails, fails, cancels, works):
            put(queue, on_end, loop=asyncio.get_running_loop())
        assert await queue.aforce_flush(LONG)

    asyncio.run(main())
    assert len(got) == 1
    failed, cancelled = logged()
    assert "fails raised ValueError at test_reports.py:" in failed
    assert "cancels raised CancelledError at" in cancelled


def test_an_asynchronous_callback_that_ends_the_program(queue, logged):
    """Ctrl+C gets where it is to get."""

    async def interrupts(one):
        raise KeyboardInterrupt

    async def main():
        put(queue, interrupts, loop=asyncio.get_running_loop())
        await asyncio.sleep(1)

    with pytest.raises(KeyboardInterrupt):
        asyncio.run(main())


def test_reports_from_another_thread(queue):
    """They reach the loop of their request."""
    got = []

    async def on_end(one):
        got.append(threading.current_thread() is threading.main_thread())

    async def main():
        loop = asyncio.get_running_loop()
        for _ in range(3):
            await asyncio.to_thread(put, queue, on_end, 0, loop)
            assert await queue.aforce_flush(LONG)

    asyncio.run(main())
    assert got == [True] * 3


def test_a_loop_that_ends_leaves_its_reports_to_the_thread(queue):
    """`asyncio.run` cancels what runs; what waits is delivered nevertheless. The callback may be slow."""
    got = []

    async def on_end(one):
        await asyncio.sleep(0.001)
        got.append((int(one.id), threading.current_thread().name))

    async def slow(one):
        await asyncio.sleep(3600)

    async def main(is_started):
        loop = asyncio.get_running_loop()
        if is_started:
            put(queue, slow, 0, loop)
            await asyncio.sleep(0.001)
        put(queue, on_end, 1, loop)

    for is_started in (False, True):
        asyncio.run(main(is_started))
    assert queue.force_flush(LONG)
    assert got == [(1, "reducer-reports")] * 2


def test_a_loop_that_was_closed(queue):
    """Nobody cancelled its tasks: the next flush finds the reports."""
    got = []

    async def on_end(one):
        got.append(threading.current_thread().name)

    async def main():
        put(queue, on_end, loop=asyncio.get_running_loop())

    loop = asyncio.new_event_loop()
    loop.run_until_complete(main())
    pending = asyncio.all_tasks(loop)
    loop.close()
    assert len(queue) == 1
    assert queue.force_flush(LONG)
    put(queue, on_end, loop=loop)  # closed already
    assert queue.force_flush(LONG)
    assert got == ["reducer-reports"] * 2
    for task in pending:  # the host's mistake, which asyncio would warn of
        task._log_destroy_pending = False
        task.get_coro().close()


def test_without_a_loop_the_thread_runs_asynchronous_callbacks(queue):
    """Also one that cannot be told from a synchronous one."""
    got = []

    async def on_end(one):
        await asyncio.sleep(0)
        got.append((threading.current_thread().name, TENANT.get()))

    TENANT.set("a")
    put(queue, on_end)
    put(queue, lambda one: on_end(one))
    TENANT.set(None)

    assert queue.force_flush(LONG)
    assert got == [("reducer-reports", "a")] * 2


def test_a_flush_waits_no_longer_than_allowed(queue):
    """In a loop and from a thread."""
    entered, opened = threading.Event(), asyncio.Event()

    async def on_end(one):
        entered.set()
        await opened.wait()

    async def main():
        put(queue, on_end, loop=asyncio.get_running_loop())
        assert not await queue.aforce_flush(0.01)
        opened.set()
        assert await queue.aforce_flush(LONG)

    asyncio.run(main())


# -- the end of the program, and forks ---------------------------------------------------------------


def run(program, warnings="error"):
    return subprocess.run(
        [sys.executable, "-W", warnings, "-c", program], capture_output=True, text=True, timeout=60, check=True
    )


def test_the_end_of_the_program_waits_for_callbacks():
    """`atexit` flushes: synchronous ones, and asynchronous ones of a loop that has ended."""
    program = """
import asyncio, contextvars, time
from reducer.embed import Exchange, reports
def slow(one): time.sleep(0.2); print("slow")
async def late(one): await asyncio.sleep(0.1); print("late")
def put(on_end, loop=None): reports.shared.put(on_end, Exchange("0", "test"), contextvars.copy_context(), loop)
async def main(): put(late, asyncio.get_running_loop())
put(slow)
asyncio.run(main())
"""
    done = run(program)

    assert (done.stdout.split(), done.stderr) == (["slow", "late"], "")


def test_an_exchange_at_the_very_end():
    """After `atexit`, callbacks cannot run any more. Nothing is printed."""
    program = """
import atexit, contextvars
def report(): reports.shared.put(print, Exchange("0", "test"), contextvars.copy_context())
atexit.register(report)
from reducer.embed import Exchange, reports
"""
    done = run(program)

    assert (done.stdout, done.stderr) == ("", "")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="os.fork does not exist here")
def test_after_a_fork_the_thread_starts_again():
    """A server may load the application, and fork its workers after that."""
    program = """
import contextvars, os
from reducer.embed import Exchange, reports
def put(): reports.shared.put(lambda one: print(os.getpid() == parent, flush=True), Exchange("0", "test"), contextvars.copy_context())
parent = os.getpid()
put()
reports.force_flush()
if os.fork() == 0:
    put()
    assert reports.force_flush()
    os._exit(0)
os.wait()
"""
    assert run(program, "ignore").stdout.split() == ["True", "False"]  # Python 3.12 warns of forks beside threads


def test_no_thread_can_be_started(queue, logged, monkeypatch):
    """At the very end of the interpreter."""

    def refuse(self):
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Thread, "start", refuse)
        put(queue, print)
    assert logged() == ["exchanges are lost: the interpreter is shutting down (logged once)"]
    queue._thread._entries.get()


def test_a_thread_that_is_being_started_is_not_started_twice(queue):
    """Garbage collection may report inside of `put` itself."""
    got = []
    with queue._thread._starting:
        put(queue, got.append)
        assert queue._thread._thread is None
    assert queue.force_flush(LONG)
    assert len(got) == 1


def test_the_shared_queue(monkeypatch):
    """The functions of the module speak of it."""
    queue = Reports()
    monkeypatch.setattr(reports, "shared", queue)
    gate = Gate()
    put(queue, gate)

    assert not force_flush(0.01)
    gate.opened.set()
    assert force_flush(LONG)
    assert shutdown(LONG)
    put(queue, gate)
    assert queue.dropped == 1


# -- files -------------------------------------------------------------------------------------------


def test_exchanges_are_appended_to_a_file(tmp_path, queue):
    """One line each. Others may not read the file, which may be moved away in between."""
    path = tmp_path / "calls.jsonl"
    on_end = write_jsonl(path)

    for number in range(3):
        put(queue, on_end, number)
    assert queue.force_flush(LONG)

    lines = path.read_bytes().splitlines()
    assert [json.loads(line)["id"] for line in lines] == [exchange(number).id for number in range(3)]
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.rename(tmp_path / "old")
    write_jsonl(str(path))(exchange())
    assert len(path.read_bytes().splitlines()) == 1


def test_a_file_that_cannot_be_written(tmp_path, queue, logged):
    """The log says so once."""
    for _ in range(3):
        put(queue, write_jsonl(tmp_path / "no" / "where"))

    assert queue.force_flush(LONG)
    (line,) = logged()
    assert "FileNotFoundError" in line
    assert logging.getLogger("reducer").handlers
