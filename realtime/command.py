"""What every command shares: errors to exit codes, Ctrl-C, `--version`. Nothing heavy is imported here."""

import argparse
import difflib
import io
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import NoReturn

from . import __version__
from .errors import OutputError, StylizeError, UsageError
from .settings import path_argument

EXIT_FAILED = 1
DEBUG_VARIABLE = "STYLIZE_DEBUG"


class Interrupts:
    """Turns the first Ctrl-C, SIGTERM or SIGHUP into KeyboardInterrupt; later ones must not disturb the cleanup.

    A signal is remembered, too: libraries may swallow the exception, above all while they are imported. Therefore none
    is raised before the first `check`, and long work calls `check` again and again.
    """

    def __init__(self) -> None:
        self.received: int | None = None
        self._raises = False

    def check(self) -> None:
        """Raise KeyboardInterrupt if a signal has come; from now on one that comes raises it at once."""
        self._raises = True
        if self.received is not None:
            raise KeyboardInterrupt

    def hold(self) -> None:
        """From now on only remember a signal."""
        self._raises = False

    def receive(self, number: int, _frame: FrameType | None) -> None:
        if self.received is not None:
            return
        self.received = number
        # Not just unheeded: OpenVINO frees the stack on which handlers run, so that one after its end would crash.
        for other in _signals():
            signal.signal(other, signal.SIG_IGN)
        if self._raises:
            raise KeyboardInterrupt


class _Parser(argparse.ArgumentParser):
    """Says what is wrong in one line, and which option may have been meant."""

    def error(self, message: str) -> NoReturn:
        known = [option for action in self._actions for option in action.option_strings]
        unknown = next((word for word in message.split() if word.startswith("--") and word not in known), "")
        close = difflib.get_close_matches(unknown, known, n=1) if "unrecognized arguments" in message else []
        meant = f"; did you mean {close[0]}?" if close else ""
        self.exit(UsageError.exit_code, f"{self.prog}: {message}{meant} ({self.prog} --help tells more)\n")


def make_parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=name, description=description)
    parser.add_argument("--version", action="version", version=f"stylecast {__version__}")
    return parser


def add_paths(parser: argparse.ArgumentParser, plural: str) -> None:
    """Add the inputs and the output of a command for one or several `plural`; `batch.plan_paths` takes them."""
    parser.add_argument(
        "paths",
        nargs="+",
        type=path_argument,
        metavar="INPUT ... OUTPUT",
        help=f"one or more {plural} or folders, then the output",
    )


@contextmanager
def paths_in_use() -> Iterator[None]:
    """Map what the system says of paths, a name that is too long or a folder that may not be read, to a UsageError."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot use {error.filename}: {error.strerror}") from error


def write_any_letters() -> None:
    """Have standard output write what it has no letter for as `\\xe9`: on Windows, files have a few hundred letters."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")


def print_output(text: str) -> None:
    """Print to standard output, at once.

    Raises:
        OutputError: it cannot be written, as on a full disk.
    """
    try:
        print(text, flush=True)
    except BrokenPipeError:
        raise  # the reader has gone, which is no fault
    except OSError as error:
        raise OutputError(f"cannot write to standard output: {error.strerror}") from error


def require_side_file(what: str, path: Path, others: list[Path]) -> None:
    """Refuse a `--report` or `--plot` (`what`) that cannot be written, or that would overwrite one of `others`.

    Raises:
        UsageError: it is a folder or one of the others.
        OutputError: its folder does not exist.
    """
    if not path.parent.is_dir():
        raise OutputError(f"the folder of the {what} does not exist: {path.parent}")
    if path.is_dir():
        raise UsageError(f"the {what} is a folder: {path}; give a file name")
    for other in others:
        if path.resolve() == other.resolve() or (path.exists() and other.exists() and path.samefile(other)):
            raise UsageError(f"the {what} would overwrite {other}; give another file to --{what}")


def write_side_file(what: str, path: Path, text: str) -> None:
    """Write a `--report` or `--plot`.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise OutputError(f"cannot write the {what} {path}: {error.strerror}") from error


def run_command(name: str, work: Callable[[Interrupts], int]) -> int:
    """Run `work` and return the exit code: its own, or 1, 2 or 128 + signal with one line on standard error.

    `work` calls `Interrupts.check` after its imports. `STYLIZE_DEBUG=1` shows tracebacks.
    """
    _replace_closed_streams()
    write_any_letters()
    interrupts = Interrupts()
    handlers = {number: signal.signal(number, interrupts.receive) for number in _signals()}
    try:
        code, message = _outcome(work, interrupts)
        if interrupts.received is not None:
            code, message = 128 + interrupts.received, "stopped"
        if message:
            say(f"{name}: {message}")
        _drop_unwritable_output()
        return code
    finally:
        # After an interrupt, more of them must not disturb Python's shutdown either.
        for number, handler in handlers.items():
            signal.signal(number, handler if interrupts.received is None else signal.SIG_IGN)


def _outcome(work: Callable[[Interrupts], int], interrupts: Interrupts) -> tuple[int, str]:
    """Return the exit code and the line that tells of a failure."""
    debug = os.environ.get(DEBUG_VARIABLE) == "1"
    try:
        try:
            return work(interrupts), ""
        finally:
            interrupts.hold()
    except KeyboardInterrupt:
        return 128 + signal.SIGINT, "stopped"
    except BrokenPipeError:
        return EXIT_FAILED, ""  # the reader of our output is gone
    except StylizeError as error:
        if debug:
            raise
        return error.exit_code, str(error)
    except MemoryError:
        return EXIT_FAILED, "out of memory; try a smaller --size"
    except Exception as error:  # the border of the process: a fault of ours, told in one line like any other
        if debug:
            raise
        if "can't start new thread" in str(error):
            return (
                EXIT_FAILED,
                "the system lets no more threads start (limit of processes or memory); end other programs",
            )
        text = " ".join(str(error).split())
        return (
            EXIT_FAILED,
            f"unexpected {type(error).__name__}: {text}; {DEBUG_VARIABLE}=1 shows where, please report it",
        )


def _signals() -> list[signal.Signals]:
    numbers = [signal.SIGINT, signal.SIGTERM]
    # The terminal is gone: unknown to Windows, and ignored on purpose under `nohup`.
    if hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
        numbers.append(signal.SIGHUP)
    return numbers


def _replace_closed_streams() -> None:
    """Open the null device for closed standard streams: else the next file would get their number, and their texts."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  it stays open


def say(text: str) -> None:
    """Print to standard error, at once."""
    try:
        print(text, file=sys.stderr, flush=True)
    except OSError:
        pass  # the terminal is gone; the exit code remains


def _drop_unwritable_output() -> None:
    """Let what cannot be written go nowhere: Python would complain again when it flushes at exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
