"""A backbone: a fixed network of which the features of some layers are compared, whatever network it is.

Only the order and names of its modules differ from one backbone to another; what they were trained on is in `vgg.py`,
`resnet.py`, `distilled.py` and in files of home-trained classifiers. Raw scales do not matter, since the losses of
`perceptual.py` are normalised.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from training.winograd import convolve, convolves_faster

IMAGENET_MEAN_RGB = (0.485, 0.456, 0.406)
IMAGENET_STD_RGB = (0.229, 0.224, 0.225)


@dataclass(frozen=True, slots=True)
class LayerChoice:
    """The layers of a backbone: all that have a name, and those that are compared unless others are asked for."""

    known: tuple[str, ...]
    content: str
    style: tuple[str, ...]


class Backbone(nn.Module):
    """Return the features of `layers`, chosen names among `names`, of a chain of modules.

    `names` is parallel to `modules`, "" where nothing is to be compared. The input is RGB in [0, 1], (B, 3, H, W); the
    weights never receive gradients, and norms keep the statistics they were trained with. What comes after the last of
    `layers` is dropped. `title` says in errors which network it is, `weights_name` in results which weights it has.

    Raises:
        ValueError: unknown layers.
    """

    def __init__(
        self,
        modules: Sequence[nn.Module],
        names: Sequence[str],
        *,
        layers: tuple[str, ...],
        title: str,
        weights_name: str,
    ) -> None:
        super().__init__()
        require_layers(layers, names, title=title)
        count = 1 + max(names.index(layer) for layer in layers)
        self.layers = layers
        self.title = title
        self.weights_name = weights_name
        self.modules_in_order = nn.ModuleList(modules[:count])
        self.names = tuple(names[:count])
        self._dtype = torch.float32
        self._in_planes = False
        self.mean: Tensor
        self.std: Tensor
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN_RGB).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(IMAGENET_STD_RGB).view(1, 3, 1, 1))
        self.requires_grad_(False)
        self.eval()
        self.compute_in(torch.float32)

    def train(self, mode: bool = True) -> "Backbone":
        """Stay in evaluation, whatever the module around it is set to."""
        return super().train(False)

    def compute_in(self, dtype: torch.dtype) -> "Backbone":
        """Run the network in `dtype` from now on; pictures lose nothing by it, see `_first`.

        Features are channels-last, and only planes where a network convolves faster on them (`winograd.py`): what lies
        between the convolutions is slower on planes, and several times slower where the two meet.
        """
        self._in_planes = convolves_faster(self.modules_in_order, dtype)
        self.modules_in_order.to(dtype).to(memory_format=_layout(self._in_planes))
        self._dtype = dtype
        return self

    def _apply(self, change: Callable[[Tensor], Tensor], recurse: bool = True) -> "Backbone":
        """Keep the layout where a network that this is part of gets another one."""
        super()._apply(change, recurse)
        self.modules_in_order.to(memory_format=_layout(self._in_planes))
        return self

    def forward(self, pictures: Tensor) -> dict[str, Tensor]:
        found = {}

        def keep(name: str, features: Tensor) -> Tensor:
            found[name] = features
            return features

        self.walk(pictures, keep)
        return found

    def walk(self, pictures: Tensor, visit: Callable[[str, Tensor], Tensor]) -> Tensor:
        """Run up to the last of `layers` and return its features; at each of `layers` go on with what `visit` returns.

        ReLU works in place: the convolution before it does not need its output, and the memory saved is a third.
        """
        in_planes = self._in_planes and pictures.device.type == "cpu" and not torch.is_autocast_enabled("cpu")
        features = ((pictures.float() - self.mean) / self.std).contiguous(memory_format=_layout(in_planes))
        for number, (module, name) in enumerate(zip(self.modules_in_order, self.names, strict=True)):
            if number == 0:
                features = self._first(features)
            elif in_planes and isinstance(module, nn.Conv2d):
                features = convolve(module, features)
            else:
                features = module(features)
            if name in self.layers:
                features = visit(name, features)
        return features

    def _first(self, pictures: Tensor) -> Tensor:
        """Run the first module, which gets what a reduced precision leaves of the picture as further channels.

        bfloat16 would round grey levels away: an optimised picture ended 0.2 % above what float32 reaches, and ends
        where it does with both parts, at the same speed.
        """
        first = self.modules_in_order[0]
        if self._dtype == torch.float32:
            return first(pictures)
        assert isinstance(first, nn.Conv2d)
        rounded = pictures.to(self._dtype)
        parts = torch.cat((rounded, (pictures - rounded).to(self._dtype)), dim=1)
        weight = first.weight.repeat(1, 2, 1, 1)
        return functional.conv2d(parts, weight, first.bias, first.stride, first.padding)


def _layout(in_planes: bool) -> torch.memory_format:
    return torch.contiguous_format if in_planes else torch.channels_last


def require_layers(layers: Sequence[str], names: Sequence[str], *, title: str) -> None:
    """Raise ValueError that names those of `layers` that are not among `names`, and those that are."""
    unknown = set(layers) - set(filter(None, names))
    if unknown or not layers:
        raise ValueError(f"no such {title} layers: {sorted(unknown)}; known: {', '.join(filter(None, names))}")
