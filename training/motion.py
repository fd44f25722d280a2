"""Motion of pictures: warping by a flow, and synthetic motion of stills for the coherence loss.

A smooth random flow instead of video after Wang et al. 2020 (ReReVST), and sensor noise after Gupta et al. 2017.
"""

import torch
from torch import Tensor, nn

# A smooth field: normal displacements on a coarse grid, bicubically enlarged, plus one shift for the whole picture.
LOCAL_SIGMA_PX = 5.0
GRID_POINTS = 4
SHIFT_MAX_PX = 8.0
# Standard deviation of the noise is drawn up to this (picture in [0, 1]): a webcam in a lit room has 0.003-0.01.
NOISE_SIGMA_MAX = 0.01


def random_flow(batch: int, height: int, width: int, *, generator: torch.Generator) -> Tensor:
    """Return a smooth random displacement in pixels (x, y), (B, 2, H, W)."""
    coarse = torch.randn(batch, 2, GRID_POINTS, GRID_POINTS, generator=generator) * LOCAL_SIGMA_PX
    local = nn.functional.interpolate(coarse, size=(height, width), mode="bicubic", align_corners=True)
    shift = (torch.rand(batch, 2, 1, 1, generator=generator) * 2 - 1) * SHIFT_MAX_PX
    return local + shift


def warp(pictures: Tensor, flow: Tensor) -> tuple[Tensor, Tensor]:
    """Sample W(I, u)(p) = I(p + u(p)) bilinearly.

    Returns the warped pictures and a mask (B, 1, H, W) that is 1 where the sample lies inside the picture.
    """
    height, width = pictures.shape[2:]
    rows, columns = torch.meshgrid(
        torch.arange(height, dtype=torch.float32, device=flow.device),
        torch.arange(width, dtype=torch.float32, device=flow.device),
        indexing="ij",
    )
    x = (columns + flow[:, 0]) * (2 / (width - 1)) - 1
    y = (rows + flow[:, 1]) * (2 / (height - 1)) - 1
    grid = torch.stack((x, y), dim=3)  # (B, H, W, 2)
    warped = nn.functional.grid_sample(pictures, grid, mode="bilinear", padding_mode="border", align_corners=True)
    inside = ((x.abs() <= 1) & (y.abs() <= 1)).unsqueeze(1).float()
    return warped, inside


def move(pictures: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor, Tensor]:
    """Return the pictures moved and noisy, the flow that moved them, and the mask of `warp`."""
    batch, _, height, width = pictures.shape
    flow = random_flow(batch, height, width, generator=generator)
    moved, inside = warp(pictures, flow)
    sigma = torch.rand(batch, 1, 1, 1, generator=generator) * NOISE_SIGMA_MAX
    noise = torch.randn(moved.shape, generator=generator) * sigma
    return (moved + noise).clamp(0, 1), flow, inside
