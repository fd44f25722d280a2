"""Run one of the project's commands that need torch in a process of its own: the runtime never imports it."""

import importlib.util
import os
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from .errors import StylizeError, UsageError

# Where this package lies: the child is to be of the same installation.
PACKAGES = Path(__file__).resolve().parent.parent
# A child that was asked to end may save what it has before it is killed. People press Ctrl-C again after two seconds.
END_TIMEOUT_S = 1.5


def require_torch(option: str) -> None:
    """Raise UsageError where torch is not installed, which `option` needs."""
    if importlib.util.find_spec("torch") is None:
        raise UsageError(f"{option} needs PyTorch, which is not installed: pip install 'stylecast[train]'")


def run_child(module: str, arguments: Sequence[str], *, purpose: str) -> None:
    """Run `main` of a module in another process; its standard error is passed on line by line, as its progress.

    Whatever ends the wait, such as Ctrl-C, ends the child too.

    Raises:
        StylizeError: it failed; the message ends with its last line.
    """
    # As the installed scripts do; -P keeps the current folder from bringing modules of its own.
    entry = f"import sys; from {module} import main; sys.exit(main())"
    command = [sys.executable, "-P", "-c", entry, *arguments]
    paths = [str(PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    last_line = ""
    process = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    try:
        assert process.stderr is not None
        for line in process.stderr:
            sys.stderr.write(line)
            sys.stderr.flush()
            last_line = line.strip() or last_line
        code = process.wait()
    finally:
        _end(process)
    if code:
        raise StylizeError(f"{purpose} failed: {last_line or f'exit code {code}'}")


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        process.terminate()
        with suppress(subprocess.TimeoutExpired):
            process.wait(END_TIMEOUT_S)
    if process.poll() is None:
        process.kill()
        process.wait()
    if process.stderr is not None:
        process.stderr.close()
