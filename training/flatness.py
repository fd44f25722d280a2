"""A penalty on patterns where the photograph is flat, in clear skies and on walls.

A Gram matrix is compared for each crop, so that a crop with nothing but sky is to show all that the painting has. Where
the painting's paper is empty (prints, ink), the network then fills skies with dots. Our own term; oil may do without.
"""

import torch
from torch import Tensor, nn

from training.palette import luminance

# Patterns up to about this size are seen, and the photograph must be flat around a place as far as that.
WINDOW_PX = 17
# Standard deviation of the photograph's luminance, in [0, 1], at which an area counts by 1/e: the noise of a sensor.
FLAT_DEVIATION = 3 / 255


def flat_pattern_loss(stylized: Tensor, photographs: Tensor) -> Tensor:
    """Return the mean local variance of `stylized` where `photographs` have next to none; both (B, 3, H, W), RGB."""
    with torch.no_grad():
        contrast = _local_variance(luminance(photographs.float()))
        flatness = torch.exp(-contrast / FLAT_DEVIATION**2)
    return (flatness * _local_variance(stylized)).mean()


def _local_variance(pictures: Tensor) -> Tensor:
    """Return the variance around each pixel, of (B, C, H, W); never below zero but for rounding."""

    def local_mean(values: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(values, WINDOW_PX, stride=1, padding=WINDOW_PX // 2, count_include_pad=False)

    return local_mean(pictures.square()) - local_mean(pictures).square()
