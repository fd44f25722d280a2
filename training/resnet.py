"""ResNet50 (He et al. 2015) as a backbone, in torchvision's layout."""

from pathlib import Path

import torch
from torch import nn
from torchvision.models import ResNet, ResNet50_Weights, resnet50

from training.backbone import Backbone, LayerChoice, require_layers
from training.backbone_weights import load_weights

RESNET50_TITLE = "ResNet50"
# At a half, a quarter, an eighth, a 16th and a 32nd of the picture's sides; an eighth is relu4_1's in VGG19.
RESNET50_LAYERS = LayerChoice(
    known=("conv1", "layer1", "layer2", "layer3", "layer4"),
    content="layer2",
    style=("conv1", "layer1", "layer2", "layer3"),
)
# Of torchvision's two sets the one trained as the paper did, and as its VGG19 was.
_PUBLISHED = ResNet50_Weights.IMAGENET1K_V1
_HEAD = "fc."


class ResNet50(Backbone):
    """Return the features of the first convolution, `conv1` (after its ReLU), and of the ends of the four stages.

    `weights` is a safetensors file with torchvision's names; None takes torchvision's own, downloaded once with their
    checksum verified.

    Raises:
        ValueError: unknown layers, or a file without the tensors that are needed.
        OSError: the weights cannot be read or downloaded.
    """

    def __init__(self, layers: tuple[str, ...], *, weights: Path | None) -> None:
        require_layers(layers, RESNET50_LAYERS.known, title=RESNET50_TITLE)
        with torch.device("meta"):  # no random weights first
            network = resnet50()
        state, weights_name = load_weights(
            {name: tensor for name, tensor in network.state_dict().items() if not name.startswith(_HEAD)},
            weights,
            published=_PUBLISHED,
            title=RESNET50_TITLE,
            option="--backbone resnet50:FILE.safetensors",
        )
        network.load_state_dict(state, assign=True, strict=False)
        modules, names = resnet_chain(network)
        super().__init__(modules, names, layers=layers, title=RESNET50_TITLE, weights_name=weights_name)


def resnet_chain(network: ResNet) -> tuple[list[nn.Module], list[str]]:
    """Return the modules of a ResNet up to its head, in order, and the names of their features."""
    stem = [network.conv1, network.bn1, network.relu, network.maxpool]
    stages = [network.layer1, network.layer2, network.layer3, network.layer4]
    return [*stem, *stages], ["", "", "conv1", "", "layer1", "layer2", "layer3", "layer4"]
