"""VGG19 as a fixed feature extractor (Simonyan & Zisserman 2015) for the perceptual losses and metrics."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn
from torchvision.models import VGG19_Weights

from training.backbone import Backbone, LayerChoice, require_layers
from training.backbone_weights import load_weights
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS

# Convolutions of each stage up to relu5_1, torchvision's `vgg19().features` layout.
_STAGES = ((64, 64), (128, 128), (256, 256, 256, 256), (512, 512, 512, 512), (512,))
_PREFIX = "features."
VGG19_TITLE = "VGG19"
VGG19_LAYERS = LayerChoice(
    known=tuple(
        f"relu{stage}_{number}" for stage, widths in enumerate(_STAGES, 1) for number in range(1, len(widths) + 1)
    ),
    content=CONTENT_LAYER,
    style=STYLE_LAYERS,
)


class Vgg19(Backbone):
    """Return the features of chosen layers of VGG19 by their paper names, e.g. `relu4_1`.

    The input is RGB in [0, 1], (B, 3, H, W), at least 16x16. `weights` is a safetensors file with torchvision's names
    (`features.0.weight` ...); None takes torchvision's own, downloaded once with their checksum verified.

    Raises:
        ValueError: unknown layers, or a file without the tensors that are needed.
        OSError: the weights cannot be read or downloaded.
    """

    def __init__(self, layers: tuple[str, ...], *, weights: Path | None) -> None:
        require_layers(layers, VGG19_LAYERS.known, title=VGG19_TITLE)
        with torch.device("meta"):  # no random weights first
            modules, names = build_stages(_STAGES)
        needed = nn.Sequential(*modules[: 1 + max(names.index(layer) for layer in layers)])
        state, weights_name = load_weights(
            {f"{_PREFIX}{key}": tensor for key, tensor in needed.state_dict().items()},
            weights,
            published=VGG19_Weights.IMAGENET1K_V1,
            title=VGG19_TITLE,
            option="--vgg FILE.safetensors",
        )
        needed.load_state_dict({key.removeprefix(_PREFIX): tensor for key, tensor in state.items()}, assign=True)
        super().__init__(
            list(needed), names[: len(needed)], layers=layers, title=VGG19_TITLE, weights_name=weights_name
        )


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
