"""Any-style networks: what a style picture is reduced to is the mean and deviation of features (AdaIN).

Huang & Belongie 2017. Both networks have the same methods: `read_style` once for a style picture, then `forward` for
every photograph with the statistics it returned, so that strength and mixtures of styles are arithmetic on them. The
slim one is what ships; the paper's is the reference for quality.
"""

from collections.abc import Callable
from itertools import accumulate, pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.mean_std import mean_and_std
from training.network import (
    BLOCK_CHANNELS,
    fold_blocks,
    fold_frames,
    initialise_subpixels_alike,
    unfold_blocks,
    unfold_frames,
)
from training.vgg import Vgg19

# The refinement of a deviation is bounded to a factor of e^3, so that no odd picture makes features overflow.
LOG_DEVIATION_MAX = 3.0
# Below this strength the painted picture fades into the photograph, which no network reconstructs exactly.
FADE_STRENGTH = 0.25


def exchange_statistics(features: Tensor, mean: Tensor, deviation: Tensor, strength: Tensor | None) -> Tensor:
    """Give features (B, C, H, W) the statistics (B, C) of a style (AdaIN; Huang & Belongie 2017, eq. 8).

    `strength` (B or 1), 0 to 1, interpolates the statistics between the features' own and the style's, which is the
    same as interpolating the features (their eq. 14); None is 1.
    """
    exchanged = functional.instance_norm(features)
    exchanged = exchanged * deviation[:, :, None, None].to(features.dtype) + mean[:, :, None, None].to(features.dtype)
    if strength is None:
        return exchanged
    return features + strength.view(-1, 1, 1, 1).to(features.dtype) * (exchanged - features)


class _PlainBlock(nn.Module):
    """A residual block that leaves what happens in place of its norm layers to the caller."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, features: Tensor, at_norm: Callable[[Tensor], Tensor]) -> Tensor:
        return features + at_norm(self.second(functional.relu(at_norm(self.first(features)))))


class SlimAdainNetwork(nn.Module):
    """Stylise with any picture at the cost of `SlimNetwork`, whose structure it has.

    One network serves both pictures. The style picture passes without any normalisation, and mean and deviation are
    recorded where a norm would be; the photograph passes with its own statistics exchanged for these. A small
    perceptron refines them. Departures from the paper: no VGG19 at run time, and AdaIN at every layer instead of one,
    so that coarse and fine traits of a style both arrive. Towards strength 0 the photograph passes as a style picture
    does, which the training makes a reconstruction, and it is the photograph itself at 0.

    Pictures are RGB in [0, 1], (B, 3, H, W), sides multiples of `SIZE_MULTIPLE`; statistics are (B, 2, N): mean and
    deviation of the N channels that are normalised, in the order of the layers.
    """

    def __init__(
        self,
        *,
        trunk_channels: int = 80,
        edge_channels: int = 48,
        residual_blocks: int = 5,
        refine_channels: int = 120,
    ) -> None:
        super().__init__()
        self.encode = nn.Conv2d(BLOCK_CHANNELS, edge_channels, 3, padding=1)
        self.down = nn.Conv2d(edge_channels, trunk_channels, 3, stride=2, padding=1)
        self.trunk = nn.ModuleList(_PlainBlock(trunk_channels) for _ in range(residual_blocks))
        self.up = nn.Conv2d(trunk_channels, edge_channels, 3, padding=1)
        self.merge = nn.Conv2d(edge_channels, edge_channels, 3, padding=1)
        self.decode = nn.Conv2d(edge_channels, BLOCK_CHANNELS, 3, padding=1)
        self.widths = (edge_channels, *((1 + 2 * residual_blocks) * [trunk_channels]), edge_channels, edge_channels)
        self.statistics_channels = sum(self.widths)
        self.refine = nn.Sequential(
            nn.Linear(2 * self.statistics_channels, refine_channels),
            nn.ReLU(),
            nn.Linear(refine_channels, 2 * self.statistics_channels),
        )
        self._initialise()

    def read_style(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the statistics of style pictures and what the network makes of them in their own style."""
        recorded: list[Tensor] = []

        def record(features: Tensor) -> Tensor:
            recorded.append(mean_and_std(features))
            return features

        reconstructed = unfold_blocks(self.stylize_blocks(fold_blocks(pictures), record))
        return self._refined(torch.cat(recorded, dim=2)), reconstructed

    def style_statistics(self, pictures: Tensor) -> Tensor:
        return self.read_style(pictures)[0]

    def forward(self, pictures: Tensor, statistics: Tensor, strength: Tensor | None = None) -> Tensor:
        """Stylise pictures with the statistics of a style each, (B, 2, N); `strength` as in `exchange_statistics`."""
        return unfold_blocks(self._exchange(fold_blocks(pictures), statistics, strength))

    def forward_uint8(self, frames: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        """Stylise uint8 frames (1, H, W, 3) with statistics (1, 2, N) and strength (1) of float32, as `forward`."""
        return unfold_frames(self._exchange(fold_frames(frames), statistics, strength))

    def statistics_uint8(self, picture: Tensor) -> Tensor:
        """Return the statistics of a uint8 style picture (1, H, W, 3), as `style_statistics`."""
        return self.style_statistics(unfold_blocks(fold_frames(picture)))

    def _exchange(self, blocks: Tensor, statistics: Tensor, strength: Tensor | None) -> Tensor:
        bounds = pairwise(accumulate(self.widths, initial=0))

        def exchange(features: Tensor) -> Tensor:
            begin, end = next(bounds)
            return exchange_statistics(features, statistics[:, 0, begin:end], statistics[:, 1, begin:end], strength)

        painted = self.stylize_blocks(blocks, exchange)
        if strength is None:
            return painted
        return torch.lerp(
            blocks.to(painted.dtype),
            painted,
            (strength / FADE_STRENGTH).clamp(max=1).view(-1, 1, 1, 1).to(painted.dtype),
        )

    def stylize_blocks(self, blocks: Tensor, at_norm: Callable[[Tensor], Tensor]) -> Tensor:
        """Run the network with `at_norm` where its norm layers are, in the order of `widths`."""
        edges = functional.relu(at_norm(self.encode(blocks)))  # (B, edge, H/4, W/4)
        trunk = functional.relu(at_norm(self.down(edges)))  # (B, trunk, H/8, W/8)
        for block in self.trunk:
            trunk = block(trunk, at_norm)
        raised = functional.relu(at_norm(self.up(functional.interpolate(trunk, scale_factor=2.0))))
        merged = functional.relu(at_norm(self.merge(raised + edges)))  # (B, edge, H/4, W/4)
        return torch.sigmoid(self.decode(merged))  # (B, 48, H/4, W/4)

    def _refined(self, statistics: Tensor) -> Tensor:
        """Correct statistics as they were recorded; the correction is relative to the deviation of each channel."""
        mean, deviation = statistics.unbind(dim=1)
        with torch.autocast(statistics.device.type, enabled=False):
            described = torch.cat((mean / (deviation + 0.1), deviation.clamp(min=1e-3).log()), dim=1)
            mean_change, log_factor = self.refine(described).chunk(2, dim=1)
        factor = log_factor.clamp(-LOG_DEVIATION_MAX, LOG_DEVIATION_MAX).exp()
        return torch.stack((mean + deviation * mean_change, deviation * factor), dim=1)

    def _initialise(self) -> None:
        """Keep activations in range without norm layers, which the style picture does not have."""
        for module in self.modules():
            if isinstance(module, nn.Conv2d) and module.bias is not None:
                nn.init.kaiming_normal_(module.weight, nonlinearity="relu")
                nn.init.zeros_(module.bias)
        with torch.no_grad():
            for block in self.modules():
                if isinstance(block, _PlainBlock):
                    block.second.weight.mul_(0.4)  # the sum over the residual blocks stays within a factor of two
            self.decode.weight.mul_(0.3)  # away from the flat ends of the sigmoid
        initialise_subpixels_alike(self.decode)
        # At first the statistics as recorded.
        for parameter in self.refine[-1].parameters():
            nn.init.zeros_(parameter)


class AdainNetwork(nn.Module):
    """Stylise with any picture as the paper does: VGG19 to relu4_1, AdaIN there, a mirrored decoder that is trained.

    The decoder follows section 4: nearest upsampling for the poolings, reflection padding, no norm layers, a linear end
    that may leave [0, 1] a little. Height and width must be multiples of 8. The encoder's weights do not learn.
    """

    def __init__(self, encoder: Vgg19) -> None:
        super().__init__()
        if encoder.layers != ("relu4_1",):
            raise ValueError(f"the encoder must end at relu4_1 alone, not {encoder.layers}")
        self.encoder = encoder
        self.statistics_channels = 512
        self.decoder = nn.Sequential(
            *_padded(512, 256), nn.Upsample(scale_factor=2.0),
            *_padded(256, 256), *_padded(256, 256), *_padded(256, 256), *_padded(256, 128),
            nn.Upsample(scale_factor=2.0), *_padded(128, 128), *_padded(128, 64),
            nn.Upsample(scale_factor=2.0), *_padded(64, 64), *_padded(64, 3)[:-1],
        )  # fmt: skip

    def read_style(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the statistics (B, 2, 512) of style pictures and their reconstruction."""
        features = self.encoder(pictures)["relu4_1"]
        return mean_and_std(features), self.decoder(features)

    def style_statistics(self, pictures: Tensor) -> Tensor:
        return mean_and_std(self.encoder(pictures)["relu4_1"])

    def forward(self, pictures: Tensor, statistics: Tensor, strength: Tensor | None = None) -> Tensor:
        """Stylise pictures with the statistics of a style each, (B, 2, 512)."""
        features = self.encoder(pictures)["relu4_1"]
        return self.decoder(exchange_statistics(features, statistics[:, 0], statistics[:, 1], strength))


def _padded(channels_in: int, channels_out: int) -> list[nn.Module]:
    return [nn.ReflectionPad2d(1), nn.Conv2d(channels_in, channels_out, 3), nn.ReLU()]
