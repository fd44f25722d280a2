"""The style loss of AdaIN: mean and standard deviation of VGG features (Huang & Belongie 2017, eq. 13)."""

import torch
from torch import Tensor

EPSILON = 1e-5


def mean_and_std(features: Tensor) -> Tensor:
    """Return mean and standard deviation over the positions of (B, C, H, W), in float32, (B, 2, C)."""
    variance, mean = torch.var_mean(features.float(), dim=(2, 3), correction=0)
    return torch.stack((mean, (variance + EPSILON).sqrt()), dim=1)


def mean_std_loss(features: Tensor, target: Tensor) -> Tensor:
    """Return |m(y) - m(s)|^2 + |d(y) - d(s)|^2 of each picture (B), against `target` of `mean_and_std`.

    Departure: divided by the energy of the target, |m(s)|^2 + |d(s)|^2, as all losses here (see `perceptual.py`).
    """
    difference = (mean_and_std(features) - target).square().sum(dim=(1, 2))
    return difference / target.square().sum(dim=(1, 2))
