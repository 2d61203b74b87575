"""The command line ``reducer``. Each command is a module of this package that `COMMANDS` names.

A command module has a function ``run(argv)``, which returns the exit status:

- 0: all streams are complete;
- 1: everything was processed, but some stream is not complete;
- 2: wrong usage, or an I/O error.

Data goes to standard output, everything else to standard error. An exception never becomes a traceback.
"""

from __future__ import annotations

import importlib
import sys

from reducer.cli.messages import print_error

__all__ = ["main"]

# Name -> module, imported when the command is run. The first command is the default.
COMMANDS = {
    "reduce": "reduce",
    "explain": "explain",
}

_USAGE = 2
_INTERRUPTED = 130  # 128 + SIGINT, as shells report it
_PIPE_CLOSED = 141  # 128 + SIGPIPE


def main(argv: list[str] | None = None) -> int:
    """Run a command with these arguments, or with those of the process, and return the exit status."""
    arguments = sys.argv[1:] if argv is None else list(argv)
    name = arguments.pop(0) if arguments and arguments[0] in COMMANDS else next(iter(COMMANDS))
    try:
        command = importlib.import_module(f"reducer.cli.{COMMANDS[name]}")
        status: int = command.run(arguments)
    except SystemExit as stop:  # argparse raises this for --help, --version and wrong options
        return stop.code if isinstance(stop.code, int) else _USAGE
    except KeyboardInterrupt:
        return _INTERRUPTED
    except BrokenPipeError:  # the reader of the output has closed the pipe
        return _PIPE_CLOSED
    except OSError as error:  # the commands handle all others
        print_error("standard output", error)
        return _USAGE
    except Exception as error:
        print_error("internal error", error)
        return _USAGE
    return status
