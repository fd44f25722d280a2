"""An output file that is written under a hidden name and takes its own only when it is whole."""

import errno
import os
import secrets
import time
from collections.abc import Callable, Collection, Iterable
from contextlib import suppress
from pathlib import Path

from .errors import InputError, OutputError, UsageError

_PART_SUFFIX = ".part"
# Characters of the final name that the hidden file shows: with all of them it could be too long for the file system.
_PART_NAME_LENGTH = 40


class OutputFile:
    """A file that becomes `path`: create and write `part`, then `take_name`; `close` removes what is left of it.

    A file that has the name by then is replaced only with `overwrite`. With `in_place` the file has its name from the
    start and keeps it, whatever ends the process: for what is of use unfinished, such as a recording.
    """

    def __init__(self, path: Path, *, overwrite: bool, in_place: bool = False) -> None:
        self.path = path
        hidden = path.with_name(f".{path.name[:_PART_NAME_LENGTH]}.{secrets.token_hex(4)}{_PART_SUFFIX}")
        self.part = path if in_place else hidden
        self._overwrite = overwrite
        self._in_place = in_place
        self._is_kept = False
        self._was_there = in_place and os.path.lexists(path)

    def __enter__(self) -> "OutputFile":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def take_name(self) -> None:
        """Bring the part to the disk and give it its name.

        Raises:
            OutputError: a file took the name meanwhile.
            OSError: the disk is full or gone; `write_error` tells it.
        """
        with self.part.open("r+b") as file:  # Windows brings to the disk only what may be written
            os.fsync(file.fileno())
        if self._in_place:
            return
        if self._overwrite:
            self._replace()
            return
        try:
            os.link(self.part, self.path)  # unlike a rename, it never replaces a file; `close` removes the other name
        except OSError as error:
            if os.path.lexists(self.path):
                problem = "a file of that name appeared while the job ran; the result was removed, give another output"
                raise OutputError(f"cannot write {self.path}: {problem}, or --overwrite") from error
            self._replace()  # a file system without links

    def _replace(self) -> None:
        try:
            replace_file(self.part, self.path)
        except PermissionError as error:
            self._is_kept = True
            raise OutputError(
                f"cannot write {self.path}: {error.strerror}; does another program have it open? The result is kept in "
                f"{self.part}"
            ) from error

    def close(self) -> None:
        if self._is_kept or self._was_there or (self._in_place and self.part.exists() and self.part.stat().st_size):
            return
        with suppress(PermissionError):  # of Windows, while a scanner has it open
            self.part.unlink(missing_ok=True)


def replace_file(source: Path, target: Path) -> None:
    """Rename a file to a name that may be taken.

    Windows refuses it while any other program has the target open; those that watch files let go in a moment.
    """
    for wait_s in (0.05, 0.1, 0.2, 0.4, 0.8):
        try:
            os.replace(source, target)
        except PermissionError:
            if os.name != "nt":
                raise
            time.sleep(wait_s)
        else:
            return
    os.replace(source, target)


def is_part(path: Path) -> bool:
    """Return whether this is the name of a file that `OutputFile` writes before it takes its own."""
    return path.name.startswith(".") and path.name.endswith(_PART_SUFFIX)


def write_error(path: Path, error: Exception, reason: str) -> OutputError:
    """Return the error that tells why `path` could not be written; `reason` are the words of `error`."""
    if getattr(error, "errno", None) in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        reason = f"the disk is full ({reason}); free space or choose another folder"
    return OutputError(f"cannot write {path}: {reason}")


def write_whole(path: Path, write: Callable[[Path], object], *, overwrite: bool) -> None:
    """Let `write` write a hidden file, which then takes the name `path`.

    Raises:
        OutputError: it cannot be written, or a file took the name meanwhile.
    """
    with OutputFile(path, overwrite=overwrite) as file:
        try:
            write(file.part)
            file.take_name()
        # torch.save tells of a full disk by a RuntimeError, Pillow by a ValueError what a format cannot hold.
        except (OSError, RuntimeError, ValueError) as error:
            raise write_error(path, error, getattr(error, "strerror", None) or str(error)) from error


def require_not_read(output_path: Path, read: Iterable[Path]) -> None:
    """Refuse an output that would replace one of the files `read` beside the input.

    Raises:
        UsageError: it would.
    """
    for path in read:
        if output_path.exists() and path.exists() and output_path.samefile(path):
            raise UsageError(f"the output would overwrite {path}, which is read; give another output")


def require_suffix(path: Path, suffixes: Collection[str]) -> None:
    """Refuse an output of another suffix.

    Raises:
        UsageError: the suffix is not one of `suffixes`.
    """
    if path.suffix.lower() not in suffixes:
        raise UsageError(f"{path}: the output must end in {', '.join(suffixes)}, not in {path.suffix or 'nothing'!r}")


def require_paths(input_path: Path, output_path: Path, *, suffixes: Collection[str], overwrite: bool) -> None:
    """Refuse what would lose data or cannot work, before anything is opened.

    Raises:
        InputError: no such input.
        UsageError: output is the input, exists already, or has none of `suffixes`.
        OutputError: the folder of the output is missing or not writable.
    """
    if not input_path.exists():
        raise InputError(f"input not found: {input_path}")
    folder = output_path.parent
    if not folder.is_dir():
        raise OutputError(f"the folder of the output does not exist: {folder}; create it first")
    if output_path.is_dir():
        raise UsageError(f"the output is a folder, but the input is one file: {output_path}; give a file name")
    require_suffix(output_path, suffixes)
    if os.path.lexists(output_path):  # a link that leads nowhere takes the name, too
        if output_path.exists() and output_path.samefile(input_path):
            raise UsageError(f"input and output are the same file: {input_path}; give another output")
        if not overwrite:
            raise UsageError(f"the output exists: {output_path}; add --overwrite to replace it")
        if not (output_path.is_file() or output_path.is_symlink()):
            raise UsageError(f"the output is not a regular file but a pipe or device: {output_path}; give another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder of the output is not writable: {folder}")
