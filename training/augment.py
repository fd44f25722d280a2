"""Random views and colours of pictures, so that a network does not learn the few there are by heart."""

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

# A view covers between this share of the picture's side and all of it.
VIEW_SHARE_MIN = 0.75
# Colours are made stronger or weaker, and tones lighter or darker by an exponent.
SATURATION_RANGE = (0.6, 1.5)
GAMMA_RANGE = (0.7, 1.4)


def random_views(pictures: Tensor) -> Tensor:
    """Return a square of each of pictures (B, 3, S, S), mirrored or not and scaled to their size.

    Drawn from torch's generator of the CPU.
    """
    count = len(pictures)
    share = torch.empty(count).uniform_(VIEW_SHARE_MIN, 1.0)
    shift = (2 * torch.rand(count, 2) - 1) * (1 - share).unsqueeze(1)  # the view's middle, from -1 to 1
    mirror = torch.randint(2, (count,)) * 2 - 1.0
    transforms = torch.zeros(count, 2, 3)
    transforms[:, 0, 0] = share * mirror
    transforms[:, 1, 1] = share
    transforms[:, :, 2] = shift
    grid = functional.affine_grid(transforms.to(pictures.device), list(pictures.shape), align_corners=False)
    # At most 1.33 times enlarged, never reduced, so that bilinear is enough.
    return functional.grid_sample(pictures, grid, padding_mode="reflection", align_corners=False)


def recolor(picture: Tensor, random: np.random.Generator) -> Tensor:
    """Return a picture (3, H, W), RGB in [0, 1], with its hues turned by any angle and other saturation and contrast.

    Hues turn about the axis of greys, so that grey stays grey.
    """
    angle = random.uniform(0, 2 * math.pi)
    saturation = random.uniform(*SATURATION_RANGE)
    along = torch.full((3, 3), 1 / 3)
    across = torch.tensor([[0.0, -1.0, 1.0], [1.0, 0.0, -1.0], [-1.0, 1.0, 0.0]]) / math.sqrt(3)
    turned = math.cos(angle) * (torch.eye(3) - along) + math.sin(angle) * across  # Rodrigues' formula
    colors = (along + saturation * turned) @ picture.flatten(1)
    return colors.clamp(0, 1).pow(random.uniform(*GAMMA_RANGE)).view_as(picture)
