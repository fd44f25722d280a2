"""VGG19 as a fixed feature extractor (Simonyan & Zisserman 2015) for the perceptual losses and metrics."""

from pathlib import Path

import torch
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
    """

    def __init__(self, layers: tuple[str, ...], *, weights: Path | None) -> None:
        super().__init__()
        self.layers = layers
        self.weights_name = weights.name if weights else "torchvision VGG19_Weights.IMAGENET1K_V1"
        modules, names = _build(last=max(layers))
        unknown = set(layers) - set(names)
        if unknown:
            raise ValueError(f"no such VGG19 layers: {sorted(unknown)}; known: {', '.join(filter(None, names))}")
        self.modules_in_order = nn.ModuleList(modules)
        self._names = names
        state = load_file(weights) if weights else _torchvision_state()
        own = self.modules_in_order.state_dict()
        self.modules_in_order.load_state_dict({key: state[f"features.{key}"].float() for key in own})
        self.requires_grad_(False)
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_RGB).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_RGB).view(1, 3, 1, 1))

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        features = (pictures - self.mean) / self.std
        found = {}
        for module, name in zip(self.modules_in_order, self._names, strict=True):
            features = module(features)
            if name in self.layers:
                found[name] = features
        return found


def _build(last: str) -> tuple[list[nn.Module], list[str]]:
    modules: list[nn.Module] = []
    names: list[str] = []
    channels = 3
    for stage, widths in enumerate(_STAGES, start=1):
        if stage > 1:
            modules.append(nn.MaxPool2d(2))
            names.append("")
        for number, width in enumerate(widths, start=1):
            modules += [nn.Conv2d(channels, width, 3, padding=1), nn.ReLU()]
            names += ["", f"relu{stage}_{number}"]
            channels = width
            if names[-1] == last:
                return modules, names
    return modules, names


def _torchvision_state() -> dict[str, Tensor]:
    from torchvision.models import VGG19_Weights

    weights = VGG19_Weights.IMAGENET1K_V1
    return dict(weights.get_state_dict(progress=True, check_hash=True))
