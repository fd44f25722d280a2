"""The saved state of an optimisation that goes on another time."""

from pathlib import Path

import torch

from realtime.errors import InputError, UsageError
from realtime.output_file import write_whole
from training.keyframe import Keyframe


def load_state(keyframe: Keyframe, path: Path) -> None:
    """Continue from a saved state."""
    try:
        state = torch.load(path, weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises whatever its unpickler meets
        raise InputError(f"--resume {path} cannot be read; delete it to begin anew") from error
    try:
        keyframe.load_state_dict(state)
    except ValueError as error:
        raise UsageError(f"--resume {path}: {error}; delete it to begin anew") from error


def save_state(keyframe: Keyframe, path: Path) -> None:
    write_whole(path, lambda part: torch.save(keyframe.state_dict(), part), overwrite=True)
