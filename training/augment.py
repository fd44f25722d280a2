"""Random views of labelled pictures: a square of some size somewhere, mirrored or not, the whole batch at once."""

import torch
from torch import Tensor
from torch.nn import functional

# A view covers between this share of the picture's side and all of it.
VIEW_SHARE_MIN = 0.75


def random_views(pictures: Tensor) -> Tensor:
    """Return views of pictures (B, 3, S, S) at the same size, drawn from torch's generator of the CPU."""
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
