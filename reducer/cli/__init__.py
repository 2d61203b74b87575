"""The command ``reducer``, one module a command.

A command module has ``run(argv)``, which returns the exit status: 0 all complete, 1 done but something was not,
2 usage or I/O. Data go to standard output, everything else to standard error.
"""

from __future__ import annotations

import importlib
import os
import sys

__all__ = ["main"]

# Name -> module, imported when it is called. Without a name the first is meant.
COMMANDS = {
    "reduce": "reduce",
    "explain": "explain",
}

_INTERRUPTED = 130  # 128 + SIGINT, what a shell reports
_PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: list[str] | None = None) -> int:
    """Run the command with these arguments, or with those of the process; return the exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = arguments.pop(0) if arguments and arguments[0] in COMMANDS else next(iter(COMMANDS))
    command = importlib.import_module(f"reducer.cli.{COMMANDS[name]}")
    try:
        status: int = command.run(arguments)
    except SystemExit as stop:  # argparse's way to end: --help, --version, a wrong option
        return stop.code if isinstance(stop.code, int) else 2
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:
        # Whoever read the output has enough. The interpreter would flush once more and complain.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return _PIPE_CLOSED
    return status
