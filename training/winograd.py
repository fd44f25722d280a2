"""3x3 convolutions of fixed networks by Winograd's minimal filtering (Lavin & Gray 2016), where that is faster.

Torch's own convolution on the CPU, oneDNN's, multiplies directly. NNPACK, which comes with torch, takes 64 products of
a channel for 36 values, not 324, but works on planes, and for fixed weights only.

Measured on two cores with AVX2 and no more, torch 2.14: a convolution of VGG19 at 512x512 px takes 0.35 to 0.6 of the
time, and forward and backward with Gram losses 1.24 s instead of 1.80. Features differ by 1e-5 of their size.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

# Below these, what the transforms cost is not won back: 0.4 to 1.2 times oneDNN's speed, against 1.3 to 3.1 above them.
_CHANNELS_MIN = 64
_AREA_MIN_PX = 48 * 48
# Transforms take four times the memory of what is convolved at once: 1.4 GB for a whole picture of 1920x1080 px.
_STRIP_PX = 512 * 512
_OVERLAP_ROWS = 1


def convolves_faster(modules: Iterable[nn.Module], dtype: torch.dtype) -> bool:
    """Return whether a chain of modules, computed in `dtype` on this processor, gains from `convolve`.

    It does where all convolutions but that of the picture are large enough. With the thin ones between of the small
    backbone, planes cost more than was won: 1.03 s instead of 0.85 at 512x512 px.
    """
    convolutions = [module for module in modules if isinstance(module, nn.Conv2d)][1:]
    return (
        dtype == torch.float32
        and bool(convolutions)
        and all(map(_is_suited, convolutions))
        # NNPACK's kernels use AVX2, oneDNN's also what came after. Asking for it is what initialises it.
        and torch.backends.cpu.get_cpu_capability() == "AVX2"
        and torch.backends.nnpack.is_available()
    )


def convolve(convolution: nn.Conv2d, features: Tensor) -> Tensor:
    """Return `convolution(features)`, (B, C, H, W) float32 planes on the CPU; its weights get no gradient.

    Only for networks that `convolves_faster` is true of.
    """
    if features.shape[2] * features.shape[3] < _AREA_MIN_PX:
        return convolution(features)
    return _Winograd.apply(features, convolution.weight, convolution.bias)


def _is_suited(convolution: nn.Conv2d) -> bool:
    return (
        convolution.kernel_size == (3, 3)
        and convolution.padding == convolution.stride == convolution.dilation == (1, 1)
        and convolution.padding_mode == "zeros"
        and convolution.groups == 1
        and min(convolution.in_channels, convolution.out_channels) >= _CHANNELS_MIN
    )


class _Winograd(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        context.save_for_backward(weight)
        return _convolved(features, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(context: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        """The gradient of the input is a convolution with the kernels turned by 180 degrees, channels exchanged."""
        (weight,) = context.saved_tensors
        return _convolved(gradients[0], weight.flip(2, 3).transpose(0, 1), None), None, None


def _convolved(features: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve picture by picture, since NNPACK's way for batches is slower, and large ones strip by strip."""
    weight = weight.contiguous()
    convolved = features.new_empty(features.shape[0], weight.shape[0], *features.shape[2:])
    height, width = features.shape[2:]
    rows = max(_OVERLAP_ROWS, _STRIP_PX // width)
    for picture, target in zip(features.contiguous().split(1), convolved.split(1), strict=True):
        for top in range(0, height, rows):
            above, below = max(0, top - _OVERLAP_ROWS), min(height, top + rows + _OVERLAP_ROWS)
            strip = picture[:, :, above:below].contiguous()
            done = torch._nnpack_spatial_convolution(strip, weight, bias, padding=1)
            target[:, :, top : top + rows] = done[:, :, top - above : top - above + rows]
    return convolved
