"""What every command shares: errors to exit codes, Ctrl-C, `--version`. Nothing heavy is imported here."""

import argparse
import os
import signal
import sys
from collections.abc import Callable
from types import FrameType

from . import __version__
from .errors import StylizeError

EXIT_FAILED = 1
EXIT_INTERRUPTED = 128 + signal.SIGINT
DEBUG_VARIABLE = "STYLIZE_DEBUG"


class Terminated(KeyboardInterrupt):
    """SIGTERM, so that a job that is told to end removes its unfinished file."""


def make_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog=name, description=description)
    parser.add_argument("--version", action="version", version=f"stylecast {__version__}")
    return parser


def run_command(name: str, work: Callable[[], int]) -> int:
    """Run `work` and return the exit code: its own, or 1, 2 or 130 with one line on standard error.

    After the first Ctrl-C further ones are ignored while the job cleans up. `STYLIZE_DEBUG=1` shows tracebacks.
    """
    handlers = {number: signal.signal(number, _interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    debug = os.environ.get(DEBUG_VARIABLE) == "1"
    interrupted = False
    try:
        return work()
    except StylizeError as error:
        if debug:
            raise
        print(f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        interrupted = True
        print(f"{name}: stopped; the unfinished output was removed", file=sys.stderr)
        return 128 + signal.SIGTERM if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except MemoryError:
        print(f"{name}: out of memory; try a smaller --size", file=sys.stderr)
        return EXIT_FAILED
    except Exception as error:  # the border of the process: a fault of ours, told in one line like any other
        if debug:
            raise
        text = " ".join(str(error).split())
        print(
            f"{name}: unexpected {type(error).__name__}: {text}; {DEBUG_VARIABLE}=1 shows where, please report it",
            file=sys.stderr,
        )
        return EXIT_FAILED
    finally:
        # After an interrupt, more of them must not disturb Python's shutdown either.
        if not interrupted:
            for number, handler in handlers.items():
                signal.signal(number, handler)


def _interrupt(number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
