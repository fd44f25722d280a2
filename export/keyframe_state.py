"""The saved state of an optimisation that goes on another time, with the names of the files that it writes."""

from collections.abc import Collection
from pathlib import Path

import torch

from realtime.errors import InputError, UsageError
from realtime.output_file import write_whole
from training.keyframe import Keyframe


def load_state(keyframe: Keyframe, path: Path) -> set[Path]:
    """Continue from a saved state, and return the files that were written with it; none are known of an old one."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises whatever its unpickler meets
        reason = str(error).partition("\n")[0] or type(error).__name__
        raise InputError(f"--resume {path} cannot be read ({reason}); delete it to begin anew") from error
    try:
        keyframe.load_state_dict(state)
    except ValueError as error:
        raise UsageError(f"--resume {path}: {error}; delete it to begin anew") from error
    return set(map(Path, state.get("files", ())))


def save_state(keyframe: Keyframe, path: Path, files: Collection[Path]) -> None:
    state = {**keyframe.state_dict(), "files": sorted(map(str, files))}
    write_whole(path, lambda part: torch.save(state, part), overwrite=True)
