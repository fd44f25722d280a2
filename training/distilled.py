"""A small network in the place of VGG19: its layers under its names, each convolution in two thin parts.

Responses of VGG19's convolutions lie near a space of few dimensions (Zhang et al. 2015, "Accelerating Very Deep
Convolutional Networks"): a 3x3 convolution onto `_RANKS` directions and a 1x1 convolution back stand for each. Their
principal directions over pictures are the start, from which `objective_distill.py` goes on; random weights, and
narrower layers between those that are compared, were still at an error of 0.6 after 400 steps.
"""

import torch
from torch import Tensor, nn

from training.backbone import IMAGENET_MEAN_RGB, IMAGENET_STD_RGB, Backbone, LayerChoice
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS

# Channels of each layer and the rank that stands for them; None leaves the convolution whole.
_RANKS: dict[str, tuple[int, int | None]] = {
    "relu1_1": (64, None),
    "relu1_2": (64, 20),
    "relu2_1": (128, 40),
    "relu2_2": (128, 56),
    "relu3_1": (256, 72),
    "relu3_2": (256, 72),
    "relu3_3": (256, 64),
    "relu3_4": (256, 64),
    "relu4_1": (512, 80),
}
DISTILLED_LAYERS = LayerChoice(known=tuple(_RANKS), content=CONTENT_LAYER, style=STYLE_LAYERS)


class DistilledNetwork(nn.Module):
    """Return the features of the layers that are compared for RGB in [0, 1], (B, 3, H, W), at least 16x16.

    `features` is the chain and `layer_names` runs parallel to it.
    """

    def __init__(self) -> None:
        super().__init__()
        modules: list[nn.Module] = []
        names: list[str] = []
        channels, stage = 3, "1"
        for name, (width, rank) in _RANKS.items():
            if name[len("relu")] != stage:
                stage = name[len("relu")]
                modules.append(nn.MaxPool2d(2))
                names.append("")
            if rank is None:
                modules.append(nn.Conv2d(channels, width, 3, padding=1))
            else:
                modules += [nn.Conv2d(channels, rank, 3, padding=1, bias=False), nn.Conv2d(rank, width, 1)]
            modules.append(nn.ReLU(inplace=True))
            names += [""] * (len(modules) - len(names) - 1) + [name]
            channels = width
        self.features = nn.Sequential(*modules)
        self.layer_names = tuple(names)

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        mean, std = (pictures.new_tensor(values).view(1, 3, 1, 1) for values in (IMAGENET_MEAN_RGB, IMAGENET_STD_RGB))
        features = (pictures - mean) / std
        found = {}
        for module, name in zip(self.features, self.layer_names, strict=True):
            features = module(features)
            if name in DISTILLED_LAYERS.style:
                found[name] = features
        return found

    @torch.no_grad()
    def start_from(self, teacher: Backbone, pictures: Tensor) -> None:
        """Take the principal directions of what VGG19's convolutions answer to `pictures`, (B, 3, H, W).

        `teacher` is VGG19 up to the last layer, in float32.
        """
        own = iter([module for module in self.features if isinstance(module, nn.Conv2d)])
        features = (pictures - teacher.mean) / teacher.std
        for module in teacher.modules_in_order:
            features = module(features)
            if not isinstance(module, nn.Conv2d):
                continue
            first = next(own)
            if first.weight.shape == module.weight.shape:
                first.load_state_dict(module.state_dict())
                continue
            flat = features.transpose(0, 1).flatten(1)  # (C, B H W)
            mean = flat.mean(dim=1)
            directions = torch.linalg.eigh(torch.cov(flat)).eigenvectors[:, -first.out_channels :]  # (C, rank)
            back = next(own)
            assert back.bias is not None
            first.weight.copy_(torch.einsum("cr,cikl->rikl", directions, module.weight))
            back.weight.copy_(directions[:, :, None, None])
            back.bias.copy_(mean + directions @ (directions.T @ (module.bias - mean)))
