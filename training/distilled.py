"""A small network in the place of VGG19: it predicts VGG19's features, layer by layer, under the same names.

A chain like VGG19's own with the same pooling, but narrow between the layers that are compared; a convolution widens to
VGG19's number of channels there, so that Gram matrices and weights of losses mean the same. 0.9 of VGG19's 12.8 million
weights up to relu4_2. How it learns is in `objective_distill.py`.
"""

from torch import Tensor, nn

from training.backbone import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, LayerChoice
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS

DISTILLED_LAYERS = LayerChoice(
    known=("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu4_2"), content=CONTENT_LAYER, style=STYLE_LAYERS
)
# From one named layer to the next: (channels, size of the kernel) of convolutions, or None for a max pooling. The last
# of each has the channels of the layer in VGG19.
_STAGES: dict[str, tuple[tuple[int, int] | None, ...]] = {
    "relu1_1": ((64, 3),),
    "relu2_1": ((32, 3), None, (64, 3), (128, 1)),
    "relu3_1": ((48, 1), (64, 3), None, (96, 3), (256, 1)),
    "relu4_1": ((96, 1), (96, 3), (96, 3), (96, 3), None, (144, 3), (512, 1)),
    "relu4_2": ((112, 1), (112, 3), (512, 1)),
}


class DistilledNetwork(nn.Module):
    """Return the features of all its layers for RGB in [0, 1], (B, 3, H, W), at least 16x16.

    Each layer is on a scale of its own: its mean square is near 1, whatever VGG19's is.
    """

    def __init__(self) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        names: list[str] = []
        channels = 3
        for name, stage in _STAGES.items():
            for part in stage:
                if part is None:
                    modules.append(nn.MaxPool2d(2))
                    names.append("")
                    continue
                convolution = nn.Conv2d(channels, part[0], part[1], padding=part[1] // 2)
                nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
                nn.init.zeros_(convolution.bias)
                modules += [convolution, nn.ReLU(inplace=True)]
                names += ["", ""]
                channels = part[0]
            names[-1] = name
        self.features = nn.Sequential(*modules)
        self.layer_names = tuple(names)

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        mean, std = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN_RGB, IMAGENET_STD_RGB))
        features = (pictures - mean) / std
        found = {}
        for module, name in zip(self.features, self.layer_names, strict=True):
            features = module(features)
            if name:
                found[name] = features
        return found
