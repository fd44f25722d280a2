"""The networks of CycleGAN (Zhu et al. 2017, section 7.2): generators of two kinds and the 70x70 PatchGAN.

Generators map RGB pictures in [0, 1], (B, 3, H, W), to pictures of the same size; their output is not cut to [0, 1],
or pixels beyond would get no gradient back. Discriminators map pictures to a field of scores, 1 for real.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from training.network import SlimNetwork

# Paper, section 7.2: weights from N(0, 0.02).
INITIAL_DEVIATION = 0.02
LEAK = 0.2


class SlimGenerator(SlimNetwork):
    """The slim network as a generator: x + k (p - x) of a picture x, of what the network paints p, and of a learned k.

    Departure from the paper, for live use and for a short training. Tones that instance norm removes from the features
    reach the output; it begins as the identity, k = 0, so that neither direction of a cycle must learn to copy; or as a
    style that is there already, at some strength. It costs two operations on folded blocks more than `SlimNetwork`.
    """

    def __init__(self) -> None:
        super().__init__()
        self.strength = nn.Parameter(torch.zeros(1))

    def start_from(self, network: SlimNetwork, *, strength: float) -> None:
        """Begin as `network` at a strength of 0 to 1."""
        self.load_state_dict(network.state_dict() | {"strength": torch.tensor([strength])})

    def _stylize_blocks(self, blocks: Tensor) -> Tensor:
        return blocks + self.strength * (super()._stylize_blocks(blocks) - blocks)


class ResNetGenerator(nn.Module):
    """c7s1-64, d128, d256, R256 as often as `residual_blocks` says, u128, u64, c7s1-3 (paper, section 7.2).

    6 blocks for pictures of 128 px, 9 for 256 px and more. Departures: upsampling and convolution instead of
    transposed convolution (Odena et al. 2016), and an output scaled from tanh to [0, 1]. Height and width must be
    multiples of 4.
    """

    def __init__(self, residual_blocks: int, *, channels: int = 64) -> None:
        super().__init__()
        wide, wider = 2 * channels, 4 * channels
        self.layers = nn.Sequential(
            nn.ReflectionPad2d(3), nn.Conv2d(3, channels, 7), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.Conv2d(channels, wide, 3, 2, padding=1), nn.InstanceNorm2d(wide), nn.ReLU(),
            nn.Conv2d(wide, wider, 3, 2, padding=1), nn.InstanceNorm2d(wider), nn.ReLU(),
            *[ReflectedBlock(wider) for _ in range(residual_blocks)],
            nn.Upsample(scale_factor=2.0), nn.Conv2d(wider, wide, 3, padding=1), nn.InstanceNorm2d(wide), nn.ReLU(),
            nn.Upsample(scale_factor=2.0), nn.Conv2d(wide, channels, 3, padding=1), nn.InstanceNorm2d(channels),
            nn.ReLU(), nn.ReflectionPad2d(3), nn.Conv2d(channels, 3, 7), nn.Tanh(),
        )  # fmt: skip
        self.apply(_initialise)

    def forward(self, pictures: Tensor) -> Tensor:
        return (self.layers(pictures * 2 - 1) + 1) / 2


class ReflectedBlock(nn.Module):
    """Two 3x3 convolutions with reflection padding around an identity (Rk of the paper)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels), nn.ReLU(),
            nn.ReflectionPad2d(1), nn.Conv2d(channels, channels, 3), nn.InstanceNorm2d(channels),
        )  # fmt: skip

    def forward(self, features: Tensor) -> Tensor:
        return features + self.body(features)


class PatchDiscriminator(nn.Sequential):
    """C64-C128-C256-C512 and one plane of scores, each of a patch of 70x70 pixels (Isola et al. 2017).

    Strides 2, 2, 2, 1, 1 as in the authors' code; `channels` are those of the first layer. The norm has no parameters.
    """

    def __init__(self, *, channels: int = 64) -> None:
        layers: list[nn.Module] = [nn.Conv2d(3, channels, 4, 2, padding=1), nn.LeakyReLU(LEAK)]
        for factor, stride in ((2, 2), (4, 2), (8, 1)):
            layers += [
                nn.Conv2d(channels * factor // 2, channels * factor, 4, stride, padding=1),
                nn.InstanceNorm2d(channels * factor),
                nn.LeakyReLU(LEAK),
            ]
        super().__init__(*layers, nn.Conv2d(channels * 8, 1, 4, padding=1))
        self.apply(_initialise)


@dataclass(frozen=True, slots=True)
class CycleGan:
    """The four networks: `painter` makes paintings of photographs, `unpainter` photographs of paintings."""

    painter: nn.Module
    unpainter: nn.Module
    painting_discriminator: nn.Module
    photograph_discriminator: nn.Module


def make_generator(network: str) -> nn.Module:
    """Return an untrained generator: slim, resnet6 or resnet9."""
    return SlimGenerator() if network == "slim" else ResNetGenerator(int(network.removeprefix("resnet")))


def _initialise(module: nn.Module) -> None:
    if isinstance(module, nn.Conv2d):
        nn.init.normal_(module.weight, std=INITIAL_DEVIATION)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
