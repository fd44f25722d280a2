"""Which style is painted where: the mean of all styles everywhere, or each in a region of its own.

Regions are masks over the content picture, as in Gatys et al. 2017 ("Controlling Perceptual Factors in Neural Style
Transfer", sec. 4): the features of a region alone make the Gram matrix that is compared with its style's. Masks may be
soft and may overlap; where none is white, the content stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate


@dataclass(frozen=True, slots=True)
class StyleRegion:
    """A target: a Gram matrix (1, C, C) and the guide of `gram_matrix` for each layer, None for the whole picture.

    `weight` is that of its loss in the style term.
    """

    weight: float
    grams: Mapping[str, Tensor]
    guides: Mapping[str, Tensor | None]


def mixed_region(grams: Sequence[Mapping[str, Tensor]], shares: Sequence[float]) -> StyleRegion:
    """Return the whole picture with the mean of the styles' Gram matrices by their shares."""
    whole = sum(shares)
    means = {
        layer: torch.stack([share / whole * gram[layer] for gram, share in zip(grams, shares, strict=True)]).sum(dim=0)
        for layer in grams[0]
    }
    return StyleRegion(1.0, means, dict.fromkeys(means))


def masked_regions(
    grams: Sequence[Mapping[str, Tensor]],
    shares: Sequence[float],
    masks: Sequence[Tensor],
    sizes: Mapping[str, tuple[int, int]],
) -> list[StyleRegion]:
    """Return a region for each style; `masks` are (1, 1, H, W) in [0, 1], `sizes` those of the layers' features.

    A region counts by its share and area, and all together by the area that they cover, so that every pixel in a mask
    is drawn to a style as strongly as without masks: one mask that is white throughout changes nothing.
    """
    areas = [mask.mean().item() for mask in masks]
    if min(areas) <= 0:
        raise ValueError(f"mask {areas.index(min(areas)) + 1} is black throughout; white is where its style goes")
    covered = torch.stack(list(masks)).sum(dim=0).clamp(max=1).mean().item()
    counts = [share * area for share, area in zip(shares, areas, strict=True)]
    return [
        StyleRegion(covered * count / sum(counts), gram, {layer: _guide(mask, sizes[layer]) for layer in gram})
        for gram, mask, count in zip(grams, masks, counts, strict=True)
    ]


def _guide(mask: Tensor, size: tuple[int, int]) -> Tensor:
    # On the CPU: Apple's GPUs cannot scale by area to sizes that do not divide.
    scaled = interpolate(mask.cpu(), size=size, mode="area")
    return (scaled / scaled.mean()).to(mask.device)
