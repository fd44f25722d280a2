"""VGG19 as a fixed feature extractor (Simonyan & Zisserman 2015) for the perceptual losses and metrics."""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)

# Convolutions of each stage up to relu5_1, torchvision's `vgg19().features` layout.
_STAGES = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))


class Vgg19(nn.Module):
    """Return the features of chosen layers of VGG19 by their paper names, e.g. `relu4_1`.

    The input is RGB in [0, 1], (B, 3, H, W), at least 16x16; the weights never receive gradients. `weights` is a
    safetensors file with torchvision's names (`features.0.weight` ...); None takes torchvision's own, downloaded once
    with their checksum verified.

    Raises:
        ValueError: unknown layers, or a file without the tensors that are needed.
        OSError: the weights cannot be read or downloaded.
    """

    def __init__(self, layers: tuple[str, ...], *, weights: Path | None) -> None:
        super().__init__()
        self.layers = layers
        self.weights_name = weights.name if weights else "torchvision VGG19_Weights.IMAGENET1K_V1"
        with torch.device("meta"):  # no random weights first
            modules, names = _build(last=max(layers))
        unknown = set(layers) - set(names)
        if unknown:
            raise ValueError(f"no such VGG19 layers: {sorted(unknown)}; known: {', '.join(filter(None, names))}")
        self.modules_in_order = nn.ModuleList(modules)
        self._names = names
        self._dtype = torch.float32
        state = _file_state(weights) if weights else _torchvision_state()
        own = self.modules_in_order.state_dict()
        _require_tensors(state, own, source=weights or _torchvision_file())
        self.modules_in_order.load_state_dict({key: state[f"features.{key}"].float() for key in own}, assign=True)
        self.requires_grad_(False)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_RGB).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_RGB).view(1, 3, 1, 1))

    def compute_in(self, dtype: torch.dtype) -> "Vgg19":
        """Run the convolutions in `dtype` from now on; pictures are still normalised in float32."""
        self.modules_in_order.to(dtype)
        self._dtype = dtype
        return self

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        found = {}

        def keep(name: str, features: Tensor) -> Tensor:
            found[name] = features
            return features

        self.walk(pictures, keep)
        return found

    def walk(self, pictures: Tensor, visit: Callable[[str, Tensor], Tensor]) -> Tensor:
        """Run up to the last of `layers` and return its features; at each of `layers` go on with what `visit` returns.

        ReLU works in place: the convolution before it does not need its output, and the memory saved is a third.
        """
        features = ((pictures.float() - self.mean) / self.std).to(self._dtype)
        for module, name in zip(self.modules_in_order, self._names, strict=True):
            features = module(features)
            if name in self.layers:
                features = visit(name, features)
        return features


def build_stages(stages: Sequence[Sequence[int]], *, batch_norm: bool = False) -> tuple[list[nn.Module], list[str]]:
    """Return the modules of VGG's layout and their names: 3x3 convolutions with ReLU, halved between two stages.

    A stage lists the widths of its convolutions. The ReLU after convolution `n` of stage `s`, counted from one, is
    `relu{s}_{n}`; all other names are empty. Works on (B, 3, H, W).
    """
    modules: list[nn.Module] = []
    names: list[str] = []
    channels = 3
    for stage, widths in enumerate(stages, start=1):
        if stage > 1:
            modules.append(nn.MaxPool2d(2))
            names.append("")
        for number, width in enumerate(widths, start=1):
            modules.append(nn.Conv2d(channels, width, 3, padding=1))
            if batch_norm:
                modules.append(nn.BatchNorm2d(width))
            modules.append(nn.ReLU(inplace=True))
            names += [*[""] * (1 + batch_norm), f"relu{stage}_{number}"]
            channels = width
    return modules, names


def _build(last: str) -> tuple[list[nn.Module], list[str]]:
    modules, names = build_stages(_STAGES)
    count = names.index(last) + 1 if last in names else len(names)
    return modules[:count], names[:count]


def _file_state(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise FileNotFoundError(f"no VGG19 weights at {path}")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error


def _torchvision_file() -> Path:
    from torchvision.models import VGG19_Weights

    return Path(torch.hub.get_dir()) / "checkpoints" / VGG19_Weights.IMAGENET1K_V1.url.rsplit("/", 1)[-1]


def _torchvision_state() -> dict[str, Tensor]:
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1
    try:
        return dict(weights.get_state_dict(progress=True, check_hash=True))
    except (OSError, RuntimeError) as error:  # the checksum is a RuntimeError (torch 2.15)
        raise OSError(
            f"VGG19 weights are not at {_torchvision_file()} and cannot be downloaded from {weights.url} ({error}); "
            "a local file is taken with --vgg FILE.safetensors"
        ) from error


def _require_tensors(state: dict[str, Tensor], own: dict[str, Tensor], *, source: Path) -> None:
    for key, tensor in own.items():
        name, shape = f"features.{key}", tuple(tensor.shape)
        if name not in state:
            raise ValueError(f"{source} holds no VGG19 of torchvision's layout: no tensor {name} of shape {shape}")
        if tuple(state[name].shape) != shape:
            raise ValueError(f"{source} is no VGG19: {name} has shape {tuple(state[name].shape)}, expected {shape}")
