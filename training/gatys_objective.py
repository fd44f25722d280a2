"""What one stylised picture is to minimise: content and Gram style losses on a backbone, and total variation.

The losses are those of `perceptual.py`, so that weights mean the same here and in a recipe. Built once per content
picture; `gatys.py` minimises it.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from training.backbone import Backbone
from training.gram_tap import tap_gram
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrices
from training.style_region import masked_regions, mixed_region
from training.total_variation import total_variation

POOLINGS = ("max", "average")


@dataclass(frozen=True, slots=True)
class ObjectiveWeights:
    """Weights of the three terms, and of the layers within content and style (a weighted mean, any scale)."""

    content: float = 1.0
    style: float = 15.0
    total_variation: float = 0.0
    content_layers: Mapping[str, float] = field(default_factory=lambda: {CONTENT_LAYER: 1.0})
    style_layers: Mapping[str, float] = field(default_factory=lambda: dict.fromkeys(STYLE_LAYERS, 1.0))

    def __post_init__(self) -> None:
        for kind, layers in (("content", self.content_layers), ("style", self.style_layers)):
            if not sum(layers.values()) > 0:
                raise ValueError(f"all {kind} layers have a weight of 0; give one of them more")

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that the feature network must return."""
        return tuple(sorted({*self.content_layers, *self.style_layers}))


class GatysObjective:
    """The terms of one picture, (1, 3, H, W) float32 RGB, of the size of `content`; immutable once built.

    `styles` are pairs of a picture (1, 3, h, w) and a share; the target is the mean of their Gram matrices by these
    shares. With `masks`, one (1, 1, H, W) in [0, 1] for each style, each style has its own region. A luminance,
    (1, 1, H, W), is a grey picture.
    """

    def __init__(
        self,
        network: Backbone,
        content: Tensor,
        styles: Sequence[tuple[Tensor, float]],
        *,
        weights: ObjectiveWeights,
        masks: Sequence[Tensor] | None = None,
    ) -> None:
        missing = set(weights.layers) - set(network.layers)
        if missing:
            raise ValueError(f"the network returns {network.layers} but the weights name {sorted(missing)}, too")
        shares = [share for _, share in styles]
        if sum(shares) <= 0:
            raise ValueError("the shares of the style pictures must add up to more than 0")
        self.weights = weights
        self._network = network
        self._content: dict[str, Tensor] = {}
        sizes: dict[str, tuple[int, int]] = {}

        def keep(layer: str, features: Tensor) -> Tensor:
            sizes[layer] = (features.shape[2], features.shape[3])
            if layer in weights.content_layers:
                self._content[layer] = features
            return features

        with torch.no_grad():
            network.walk(_three_channels(content), keep)
            grams = [gram_matrices(network, _three_channels(picture), weights.style_layers) for picture, _ in styles]
        self._regions = masked_regions(grams, shares, masks, sizes) if masks else [mixed_region(grams, shares)]

    def __call__(self, picture: Tensor) -> dict[str, Tensor]:
        """Return the terms before weighting, `content`, `style` and, if it has a weight, `total_variation`."""
        content: dict[str, Tensor] = {}
        style: dict[str, Tensor] = {}

        def visit(layer: str, features: Tensor) -> Tensor:
            if layer in self._content:
                content[layer] = content_loss(features, self._content[layer])
            if layer in self.weights.style_layers:
                losses = []
                for region in self._regions:
                    features, loss = tap_gram(features, region.grams[layer], region.guides[layer])
                    losses.append(region.weight * loss)
                style[layer] = torch.stack(losses).sum(dim=0)
            return features

        self._network.walk(_three_channels(picture), visit)
        terms = {
            "content": _weighted_mean(content, self.weights.content_layers),
            "style": _weighted_mean(style, self.weights.style_layers).sum(),
        }
        if self.weights.total_variation:
            terms["total_variation"] = total_variation(picture)
        return terms

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum that is minimised."""
        return torch.stack([getattr(self.weights, name) * term for name, term in terms.items()]).sum()


def feature_network(backbone: Backbone, *, pooling: str = "max", dtype: torch.dtype = torch.float32) -> Backbone:
    """Return a copy that computes in `dtype`, with `max` or `average` pooling (Gatys et al. 2016, sec. 2)."""
    network = copy.deepcopy(backbone).compute_in(dtype)
    if pooling == "average":
        for parent in list(network.modules()):
            for name, child in list(parent.named_children()):
                if isinstance(child, nn.MaxPool2d):
                    averaged = nn.AvgPool2d(child.kernel_size, child.stride, child.padding, count_include_pad=False)
                    setattr(parent, name, averaged)
    elif pooling != "max":
        raise ValueError(f"pooling is {pooling!r} but must be one of {', '.join(POOLINGS)}")
    return network


def _three_channels(picture: Tensor) -> Tensor:
    return picture.expand(-1, 3, -1, -1)


def _weighted_mean(values: Mapping[str, Tensor], weights: Mapping[str, float]) -> Tensor:
    return torch.stack([weights[name] * value for name, value in values.items()]).sum() / sum(weights.values())
