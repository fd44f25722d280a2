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
EXIT_USAGE = 2
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
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        return work()
    except StylizeError as error:
        if os.environ.get(DEBUG_VARIABLE) == "1":
            raise
        print(f"\r{name}: {error}" if sys.stderr.isatty() else f"{name}: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt as interrupt:
        print(f"\n{name}: stopped; nothing was written", file=sys.stderr)
        return 128 + signal.SIGTERM if isinstance(interrupt, Terminated) else EXIT_INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone; Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return EXIT_FAILED
    except MemoryError:
        print(f"{name}: out of memory; try a smaller --size", file=sys.stderr)
        return EXIT_FAILED


def _interrupt(number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Terminated if number == signal.SIGTERM else KeyboardInterrupt
