"""The weights of backbones that others have published: a file in torchvision's layout, or torchvision's own."""

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor
from torchvision.models import WeightsEnum


def load_weights(
    own: Mapping[str, Tensor], file: Path | None, *, published: WeightsEnum, title: str, option: str
) -> tuple[dict[str, Tensor], str]:
    """Return the tensors that `own` names, in its dtypes, and what results call them.

    They are those of `file` (safetensors), or without one the `published` ones, downloaded once with their checksum
    verified. `title` is the network and `option` what takes a file, both for messages.

    Raises:
        ValueError: the file is no safetensors file, or lacks a tensor of that name and shape.
        OSError: the file is not there, or the published weights cannot be downloaded.
    """
    state = _read(file, title=title) if file else _download(published, title=title, option=option)
    require_tensors(state, own, source=file or torchvision_file(published), title=title)
    name = file.name if file else f"torchvision {published}"
    return {key: state[key].to(tensor.dtype) for key, tensor in own.items()}, name


def torchvision_file(weights: WeightsEnum) -> Path:
    """Return where torchvision keeps weights once it has downloaded them."""
    return Path(torch.hub.get_dir()) / "checkpoints" / weights.url.rsplit("/", 1)[-1]


def require_tensors(state: Mapping[str, Tensor], own: Mapping[str, Tensor], *, source: Path, title: str) -> None:
    """Raise ValueError that names the first tensor of `own` that `state` lacks, or has in another shape."""
    for name, tensor in own.items():
        shape = tuple(tensor.shape)
        if name not in state:
            raise ValueError(f"{source} holds no {title} of torchvision's layout: no tensor {name} of shape {shape}")
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{source} is no {title}: {name} has shape {tuple(state[name].shape)}, expected {shape}")


def _read(path: Path, *, title: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"no {title} weights at {path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error


def _download(weights: WeightsEnum, *, title: str, option: str) -> dict[str, Tensor]:
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:  # the checksum is a RuntimeError (torch 2.15)
        raise OSError(
            f"{title} weights are not at {torchvision_file(weights)} and cannot be downloaded from {weights.url} "
            f"({error}); a local file is taken with {option}"
        ) from error
