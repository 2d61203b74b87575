"""A live status line: show how far an answer has come, while it arrives on standard input.

Run ``curl -sN ... | python status_line.py``. The line goes to standard error; the text goes to standard output at the
end.
"""

import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator

import reducer

INTERVAL = 0.1  # seconds between two lines


def lines(
    reads: Iterable[bytes], interval: float = INTERVAL, clock: Callable[[], float] = time.monotonic
) -> Iterator[reducer.Result]:
    """Yield the result so far, at most one in each interval, and then the final result."""
    r = reducer.Reducer()
    shown = clock() - interval
    for data in reads:
        r.feed(data)
        # A snapshot with its view takes about 20 µs, plus 5 µs for each tool call or item, plus up to 1 ns for each
        # byte of text. One after each event would make the time quadratic, so the interval limits their number.
        if clock() - shown >= interval:
            shown = clock()
            yield r.snapshot()
    yield r.close()


def status_line(result: reducer.Result, width: int = 78) -> str:
    """Return one line: the characters so far, and the tool call in progress or the end of the text."""
    view = result.view()
    if view is None:
        return "waiting"
    text = view.text or view.reasoning or ""
    line = f"{len(text)} characters"
    if open_calls := [call for call in view.tool_calls if not call.complete]:
        call = open_calls[-1]
        line = f"{line}, calling {call.name} ({len(call.unparsed or '')} characters)"[:width]
    else:
        line = f"{line}: {text[len(line) + 2 - width :]}"
    # What a model or a server wrote may hold escape sequences.
    return "".join(char if char.isprintable() else " " for char in line)


def main() -> int:
    """Show the stream on standard input. Return 0 if the answer is complete."""
    result = None
    for result in lines(iter(lambda: os.read(sys.stdin.fileno(), 1 << 16), b"")):
        print(f"\r\x1b[K{status_line(result)}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    view = result.view() if result else None
    if view and view.text:
        print(view.text)
    return int(result is None or result.status != "complete")


if __name__ == "__main__":
    sys.exit(main())
