"""The network that finds people: a small U-Net (Ronneberger et al. 2015) whose answer is a mask."""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate, pixel_shuffle

# Channels at 1/2, 1/4, 1/8 and 1/16 of the size, and blocks at each on the way down.
CHANNELS = (12, 24, 48, 80)
BLOCKS = (1, 1, 2, 4)
SIZE_MULTIPLE = 2 ** len(CHANNELS)


class _ConvNorm(nn.Sequential):
    """3x3 convolution, batch norm, which the export folds into it, and ReLU."""

    def __init__(self, channels_in: int, channels_out: int, *, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(channels_in, channels_out, 3, stride, padding=1, bias=False),
            nn.BatchNorm2d(channels_out),
            nn.ReLU(),
        )


class _Residual(_ConvNorm):
    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels)

    def forward(self, features: Tensor) -> Tensor:
        return features + super().forward(features)


class PeopleNetwork(nn.Module):
    """Map pictures (B, 3, H, W), RGB in [0, 1], to logits (B, 1, H, W) of there being a person.

    Departures from the U-Net: strided convolutions instead of pooling, sums instead of concatenation, the last half of
    the resolution from sub-pixels (Shi et al. 2016), and a mean over the whole picture at the coarsest level, which
    tells how large people are in it. 0.07 GMAC at 192x112. Height and width must be multiples of `SIZE_MULTIPLE`.
    """

    def __init__(self) -> None:
        super().__init__()
        before = (3, *CHANNELS)
        self.down = nn.ModuleList(
            nn.Sequential(
                _ConvNorm(before[level], channels, stride=2), *[_Residual(channels) for _ in range(BLOCKS[level])]
            )
            for level, channels in enumerate(CHANNELS)
        )
        self.whole = nn.Conv2d(CHANNELS[-1], CHANNELS[-1], 1)
        self.narrow = nn.ModuleList(nn.Conv2d(coarse, fine, 1) for fine, coarse in pairwise(CHANNELS))
        self.up = nn.ModuleList(_Residual(channels) for channels in CHANNELS[:-1])
        self.head = nn.Conv2d(CHANNELS[0], 4, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        features = 2 * pictures - 1
        levels = []
        for down in self.down:
            features = down(features)
            levels.append(features)
        features = features + self.whole(features.mean(dim=(2, 3), keepdim=True))
        for narrow, up, skip in zip(reversed(self.narrow), reversed(self.up), levels[-2::-1], strict=True):
            features = up(interpolate(narrow(features), scale_factor=2.0, mode="bilinear") + skip)
        return pixel_shuffle(self.head(features), 2)

    def forward_uint8(self, frames: Tensor) -> Tensor:
        """Return masks, uint8 (B, H, W, 1), of uint8 frames (B, H, W, 3): 255 is a person."""
        masks = torch.sigmoid(self(frames.permute(0, 3, 1, 2).float() / 255))
        return (masks * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)
