"""What a training leaves in its folder: a checkpoint to continue from, and finished networks."""

import errno
import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import torch
from filelock import FileLock, Timeout
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import Tensor

CHECKPOINT_FILE = "checkpoint.pt"
NETWORK_FILE = "network.safetensors"
LOCK_FILE = ".lock"
# What may be changed between the parts of a run: how long it is, what helps where it diverged, and what is only told.
CHANGEABLE = frozenset(
    {"steps", "epochs", "learning_rate", "discriminator_learning_rate", "gradient_norm_max"}
    | {"title", "artist", "artist_died", "year"}
)


def make_run_folder(folder: Path) -> None:
    """Make the folder of a run, if it is not there. Raises OSError if it cannot be."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise FileExistsError(f"the run folder {folder} is a file; choose another folder with --run") from error


@contextmanager
def sole_use(folder: Path) -> Iterator[None]:
    """Make the folder of a run and keep it to this process.

    Raises:
        ValueError: another one trains there.
        OSError: it cannot be made.
    """
    make_run_folder(folder)
    try:
        with FileLock(folder / LOCK_FILE, timeout=0):
            yield
    except Timeout as error:
        raise ValueError(f"another training runs in {folder}; wait for it, or choose another run folder") from error


def save_checkpoint(folder: Path, state: Mapping[str, Any], identity: Mapping[str, Any]) -> None:
    """Replace the checkpoint of a run by `state`, with what a run that continues it must have in common with it."""
    with _written_whole(folder / CHECKPOINT_FILE) as unfinished:
        torch.save({**state, "recipe": identity}, unfinished)


def load_checkpoint(folder: Path, identity: Mapping[str, Any], device: torch.device) -> dict[str, Any] | None:
    """Return the state of a run to continue, None where there is none; `identity` is that of the run now.

    Raises:
        ValueError: the checkpoint is damaged, or of a run with another identity.
    """
    path = folder / CHECKPOINT_FILE
    if not path.exists():
        return None
    try:
        state: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises whatever its unpickler meets
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise ValueError(
            f"{path} cannot be read ({reason}); remove it to begin anew, or choose another run folder"
        ) from error
    before = state.get("recipe", {})
    # What an earlier version did not keep cannot be compared.
    changed = sorted(key for key in identity.keys() & before.keys() - CHANGEABLE if before[key] != identity[key])
    if changed:
        raise ValueError(
            f"{path} is of a run with another {', '.join(changed)}; choose another run folder or remove this one"
        )
    return state


def save_network(path: Path, weights: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """Write the weights of a network with what is to be known about it."""
    with _written_whole(path) as unfinished:
        save_file({key: value.contiguous().cpu() for key, value in weights.items()}, unfinished, metadata=metadata)


def _replace(source: Path, target: Path) -> None:
    """Rename a file to a name that is taken, which Windows refuses while a scanner has that open: for a moment."""
    for _ in range(20 if os.name == "nt" else 0):
        with suppress(PermissionError):
            source.replace(target)
            return
        time.sleep(0.1)
    source.replace(target)


@contextmanager
def _written_whole(path: Path) -> Iterator[Path]:
    """Give a name to write to, which takes the name `path` in the end; what was there before stays until then."""
    unfinished = path.with_name(path.name + ".tmp")
    try:
        yield unfinished
        _replace(unfinished, path)
    except (OSError, RuntimeError, SafetensorError) as error:
        unfinished.unlink(missing_ok=True)  # it would keep a full disk full
        reason = "is the disk full?"  # of which torch and safetensors tell by errors of their own
        if isinstance(error, OSError) and error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            reason = error.strerror or str(error) or type(error).__name__
        raise OSError(f"{path} cannot be written: {reason}") from error
