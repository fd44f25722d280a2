"""Perceptual losses on VGG features: content (Johnson et al. 2016) and Gram style (Gatys et al. 2015).

Both are dimensionless, normalised by the energy of their target, so that weights hold for every layer, style picture
and set of VGG weights (the Oxford and the torchvision activations differ in scale by an order of magnitude). These are
the plain formulas, which the metrics use; training takes the same style loss from `gram_tap.py`.
"""

from collections.abc import Collection

import torch
from torch import Tensor

from training.backbone import Backbone

STYLE_LAYERS = ("relu1_1", "relu2_1", "relu3_1", "relu4_1")
CONTENT_LAYER = "relu4_1"


def gram_matrix(features: Tensor, guide: Tensor | None = None) -> Tensor:
    """Return F F^T / (H W) of each picture, (B, C, C), in float32 (Gatys et al. 2015, eq. 3).

    With `guide` (1, 1, H, W), how much each position counts, of mean 1, it is F diag(guide) F^T / (H W).

    Departure: divided by the number of positions only, so that it does not depend on the size of the picture. The
    product runs in the dtype of the features and on them as they lie: with float32 and planes, it and the additions
    of its gradient to the features' were 40 % of a training step in bf16. Only float16 is widened, since it ends at
    65,504.
    """
    batch, channels, height, width = features.shape
    flat = features.permute(0, 2, 3, 1).reshape(batch, height * width, channels)
    if flat.dtype == torch.float16:
        flat = flat.float()
    counted = flat if guide is None else flat * guide.view(1, -1, 1).to(flat.dtype)
    with torch.autocast(flat.device.type, enabled=False):
        return torch.bmm(counted.transpose(1, 2), flat).float() / (height * width)


def gram_matrices(network: Backbone, pictures: Tensor, layers: Collection[str]) -> dict[str, Tensor]:
    """Return the Gram matrices (B, C, C) of pictures at each of `layers`, without keeping features in memory."""
    grams = {}

    def measure(layer: str, features: Tensor) -> Tensor:
        if layer in layers:
            grams[layer] = gram_matrix(features)
        return features

    network.walk(pictures, measure)
    return grams


def style_loss(features: dict[str, Tensor], style_grams: dict[str, Tensor]) -> Tensor:
    """Return the mean over layers of |G(y) - G(s)|^2 / |G(s)|^2 (Gatys et al. 2015, eq. 4, normalised per layer).

    `style_grams` are of one picture, (1, C, C), or of one for each of the batch, (B, C, C); the mean is over the batch.
    """
    return gram_distance({layer: gram_matrix(features[layer]) for layer in style_grams}, style_grams)


def gram_distance(grams: dict[str, Tensor], style_grams: dict[str, Tensor]) -> Tensor:
    """Return the style loss of pictures whose Gram matrices (B, C, C) are at hand."""
    losses = []
    for layer, target in style_grams.items():
        difference = grams[layer] - target
        losses.append((difference.square().sum(dim=(1, 2)) / target.square().sum(dim=(1, 2))).mean())
    return torch.stack(losses).mean()


def content_loss(features: Tensor, target: Tensor) -> Tensor:
    """Return the mean over pictures of |F(y) - F(x)|^2 / |F(x)|^2 (Johnson et al. 2016, eq. 2, normalised)."""
    target = target.float()
    difference = (features.float() - target).square().mean(dim=(1, 2, 3))
    return (difference / target.square().mean(dim=(1, 2, 3))).mean()
