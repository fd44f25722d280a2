"""The network that finds people: features like VGG19's, and what makes a mask of them."""

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from training.distilled import DistilledNetwork

# Of what is made of the features at 1/2, 1/4 and 1/8 of the size, and of what sees further at 1/16.
CHANNELS = (24, 48, 64, 96)
# Width of the features there (relu2_1, relu3_1, relu4_1).
_FEATURES = {"relu2_1": 128, "relu3_1": 256, "relu4_1": 512}
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

    A U-Net (Ronneberger et al. 2015) on the small backbone (`distilled.py`), which stays as it is: to learn from two
    thousand photographs what people look like, from random weights, took more than they have (Dice's coefficient 0.7
    after fifteen minutes, which this has after two). Departures: sums instead of concatenation, nothing learned at the
    full resolution, and a mean over the whole picture, which tells how large people are in it. 1.4 GMAC at 176x96.
    Height and width must be multiples of `SIZE_MULTIPLE`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.backbone = DistilledNetwork().requires_grad_(False)
        half, quarter, eighth, far = CHANNELS
        self.lateral = nn.ModuleList(
            nn.Conv2d(width, channels, 1) for width, channels in zip(_FEATURES.values(), CHANNELS, strict=False)
        )
        self.near = nn.Sequential(nn.ReLU(), _Residual(eighth))
        self.far = nn.Sequential(_ConvNorm(eighth, far, stride=2), *[_Residual(far) for _ in range(3)])
        self.whole = nn.Conv2d(far, far, 1)
        self.narrow = nn.ModuleList(
            nn.Conv2d(coarse, fine, 1) for coarse, fine in ((far, eighth), (eighth, quarter), (quarter, half))
        )
        self.up = nn.ModuleList(_Residual(channels) for channels in (eighth, quarter, half))
        self.head = nn.Conv2d(half, 1, 3, padding=1)

    def forward(self, pictures: Tensor) -> Tensor:
        found = self.backbone(pictures)
        lateral = [layer(_squeezed(found[name])) for layer, name in zip(self.lateral, _FEATURES, strict=True)]
        near = self.near(lateral[-1])
        features = self.far(near)
        features = features + self.whole(features.mean(dim=(2, 3), keepdim=True))
        for narrow, up, skip in zip(self.narrow, self.up, (near, *lateral[-2::-1]), strict=True):
            features = up(_enlarged(narrow(features)) + skip)
        return _enlarged(self.head(features))

    def forward_uint8(self, frames: Tensor) -> Tensor:
        """Return masks, uint8 (B, H, W, 1), of uint8 frames (B, H, W, 3): 255 is a person."""
        masks = torch.sigmoid(self(frames.permute(0, 3, 1, 2).float() / 255))
        return (masks * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)


def _enlarged(features: Tensor) -> Tensor:
    return interpolate(features, scale_factor=2.0, mode="bilinear")


def _squeezed(features: Tensor) -> Tensor:
    """Bring features of tens to thousands to a range that is learned from."""
    return torch.log1p(features)
