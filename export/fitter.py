"""Export what fits a style's code to its picture: the gradient of the perceptual objective, as a graph.

The encoder guesses the statistics of a style from its picture in one pass; a few steps of descent on the objective that
the network was trained for go on from there (`realtime/style_fit.py`). The objective is Gatys' on the small backbone's
features, of pictures of the project's own that the network paints. Its gradient is written out by `torch.func.grad` and
`make_fx` as plain operations, which ONNX has, too.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import onnx
import torch
from onnx import helper, numpy_helper
from PIL import Image
from torch import Tensor, nn
from torch.fx.experimental.proxy_tensor import make_fx

from export.graph import OPSET, trace
from export.verify import ParityError
from realtime.graph import STATISTICS
from realtime.style_fit import GIVEN_TARGET, GRADIENT, PICTURE, TARGET, StyleFitter
from training.adain import SlimAdainNetwork
from training.distilled import DISTILLED_LAYERS
from training.network import fold_blocks, unfold_blocks
from training.perceptual import CONTENT_LAYER, content_loss, gram_distance, gram_matrix
from training.photograph import square
from training.shipped_backbone import SMALL_CARD, SmallBackbone

# What is painted while a code is fitted: squares of frames of the sample clip, as (frame, part of the way from left to
# right). Ten paintings and six photographs that neither has seen, twelve steps: two of these instead of four raise the
# style loss from 0.077 to 0.08, four photographs lower it to 0.07; four pictures of random leaves are at 0.085.
SAMPLE_CLIP = Path(__file__).parent.parent / "samples" / "coast.mp4"
PAINTED_VIEWS = ((10, 0.0), (130, 1 / 3))
PAINTED_SIDE_PX = 160
# Of the style loss, against 1 for the content loss; in training it is 10, beside terms that hold it back.
STYLE_WEIGHT = 3.2
# Weights smaller than this are stored as they are.
QUANTISED_SIZE_MIN = 1024
# The least cosine between the graph's gradient and torch's.
COSINE_MIN = 0.98
_INT8_MAX = 127
_EPSILON = 1e-5

aten = torch.ops.aten


def export_fitter(network: SlimAdainNetwork, *, card: Path = SMALL_CARD, clip: Path = SAMPLE_CLIP) -> bytes:
    """Return a graph with two parts, verified in ONNX Runtime; weights are stored in 8 bits, one scale a channel.

    `picture`, a style's, uint8 (1, H, W, 3), to `target` (T,), what is to be come near to; and `statistics` (1, 2, N)
    with `given_target` (T,) to `gradient` (1, 2, N), that of the objective at these statistics.

    Raises:
        ParityError: the graph's gradient does not point where torch's does.
        ValueError, OSError: the small backbone is missing or damaged.
    """
    objective = _Objective(network, SmallBackbone(DISTILLED_LAYERS.style, card=card), painted_views(clip))
    example = torch.zeros(1, 64, 64, 3, dtype=torch.uint8).random_(256, generator=torch.Generator().manual_seed(1))
    statistics = network.statistics_uint8(example).detach()
    target = objective.target(example)
    described = onnx.load_from_string(trace(objective, {PICTURE: example}, output=TARGET, output_is_picture=False))
    model = _joined(described, _trace_gradient(objective, statistics, target))
    _store_as_int8(model)
    onnx.checker.check_model(model, full_check=True)
    content = bytes(model.SerializeToString())
    # Of another size and shape than what was traced.
    other = torch.zeros(1, 72, 104, 3, dtype=torch.uint8).random_(256, generator=torch.Generator().manual_seed(2))
    _verify(content, objective, picture=other, statistics=statistics)
    return content


def painted_views(clip: Path) -> Tensor:
    """Return the pictures that are painted, (n, 3, side, side).

    Raises:
        FileNotFoundError: there is no clip, as in a package that was installed.
    """
    if not clip.is_file():
        raise FileNotFoundError(f"no sample clip at {clip}: export any-style models from a checkout of the project")
    wanted = dict(PAINTED_VIEWS)
    with av.open(str(clip)) as video:
        frames = [
            (index, Image.fromarray(frame.to_ndarray(format="rgb24")))
            for index, frame in enumerate(video.decode(video=0))
            if index in wanted
        ]
    views = []
    for index, picture in frames:
        left = round(wanted[index] * (picture.width - picture.height))
        views.append(square(picture.crop((left, 0, left + picture.height, picture.height)), PAINTED_SIDE_PX))
    return torch.stack(views)


class _Objective(nn.Module):
    """Content loss and weighted Gram style loss of `views` painted with given statistics."""

    def __init__(self, network: SlimAdainNetwork, backbone: SmallBackbone, views: Tensor) -> None:
        super().__init__()
        self.network = network.eval().requires_grad_(False)
        self.backbone = backbone
        self.blocks: Tensor
        self.register_buffer("blocks", fold_blocks(views))

    def target(self, picture: Tensor) -> Tensor:
        """Return the Gram matrices of a uint8 picture (1, H, W, 3) and the content of the views, in a row."""
        features = self.backbone(picture.permute(0, 3, 1, 2).float() / 255)
        content = self.backbone(unfold_blocks(self.blocks))[CONTENT_LAYER]
        return torch.cat(
            [*(gram_matrix(features[layer]).flatten() for layer in DISTILLED_LAYERS.style), content.flatten()]
        )

    forward = target

    def loss(self, mean: Tensor, deviation: Tensor, target: Tensor) -> Tensor:
        """Return the objective; `mean` and `deviation` are (N,), written in operations whose gradients ONNX has."""
        statistics = zip(*(torch.split(values, list(self.network.widths)) for values in (mean, deviation)), strict=True)

        def exchange(features: Tensor) -> Tensor:
            layer_mean, layer_deviation = next(statistics)
            centred = features - features.mean((2, 3), keepdim=True)
            normalised = centred * torch.rsqrt(centred.square().mean((2, 3), keepdim=True) + _EPSILON)
            exchanged: Tensor = normalised * layer_deviation.view(1, -1, 1, 1) + layer_mean.view(1, -1, 1, 1)
            return exchanged

        features = self.backbone(unfold_blocks(self.network.stylize_blocks(self.blocks, exchange)))
        grams = {layer: gram_matrix(features[layer]) for layer in DISTILLED_LAYERS.style}
        painted = features[CONTENT_LAYER]
        *goals, content = torch.split(target, [*(gram.shape[1] ** 2 for gram in grams.values()), painted.numel()])
        wanted = {layer: goal.view(1, *grams[layer].shape[1:]) for layer, goal in zip(grams, goals, strict=True)}
        return content_loss(painted, content.view(painted.shape)) + STYLE_WEIGHT * gram_distance(grams, wanted)

    def gradient(self, statistics: Tensor, target: Tensor) -> Tensor:
        """Return that of `loss` at statistics (1, 2, N)."""
        mean, deviation = statistics[0].unbind()
        return torch.stack(torch.func.grad(self.loss, argnums=(0, 1))(mean, deviation, target)).unsqueeze(0)


def _trace_gradient(objective: _Objective, statistics: Tensor, target: Tensor) -> Any:
    def gradient(statistics: Tensor, target: Tensor) -> Tensor:  # `make_fx` takes no methods (torch 2.15)
        return objective.gradient(statistics, target)

    traced = make_fx(gradient, decomposition_table=_BACKWARD)(statistics, target)
    traced.graph.eliminate_dead_code()
    traced.recompile()
    program = torch.onnx.export(
        traced.eval(),
        (statistics, target),
        dynamo=True,
        input_names=[STATISTICS, GIVEN_TARGET],
        output_names=[GRADIENT],
        opset_version=OPSET,
        verbose=False,
    )
    assert program is not None
    model = program.model_proto
    for node in model.graph.node:
        del node.metadata_props[:]  # where in the source each came from: a tenth of the file
    return model


# Gradients of operations that ONNX has no operator for, in operations that it has.


def _convolution_backward(
    gradient: Tensor,
    features: Tensor,
    weight: Tensor,
    bias_sizes: Any,
    stride: list[int],
    padding: list[int],
    dilation: list[int],
    transposed: bool,
    output_padding: list[int],
    groups: int,
    mask: list[bool],
) -> tuple[Tensor, None, None]:
    """Return the gradient of the features alone; weights do not learn."""
    reach = [spread * (side - 1) for spread, side in zip(dilation, weight.shape[2:], strict=True)]
    if stride == [1, 1]:  # ConvTranspose would take twice as long
        turned = aten.flip.default(weight, [2, 3]).transpose(0, 1)
        padded = [whole - part for whole, part in zip(reach, padding, strict=True)]
        return aten.convolution.default(gradient, turned, None, stride, padded, dilation, False, [0, 0], 1), None, None
    left = [
        features.shape[2 + axis] - ((gradient.shape[2 + axis] - 1) * stride[axis] - 2 * padding[axis] + reach[axis] + 1)
        for axis in range(2)
    ]
    return aten.convolution.default(gradient, weight, None, stride, padding, dilation, True, left, 1), None, None


def _in_squares(features: Tensor) -> Tensor:
    batch, channels, height, width = features.shape
    return features.reshape(batch, channels, height // 2, 2, width // 2, 2)


def _nearest_backward(gradient: Tensor, *_: Any) -> Tensor:
    return _in_squares(gradient).sum((3, 5))


def _pool_backward(gradient: Tensor, features: Tensor, *_options: Any) -> Tensor:
    squares = _in_squares(features)
    batch, channels, rows, _row, columns, _column = squares.shape
    is_largest = squares.eq(squares.amax((3, 5), keepdim=True)).to(gradient.dtype)
    return (is_largest * gradient.reshape(batch, channels, rows, 1, columns, 1)).reshape(features.shape)


def _relu_backward(gradient: Tensor, features: Tensor, threshold: float) -> Tensor:
    return gradient * (features > threshold).to(gradient.dtype)


_BACKWARD: dict[Any, Callable[..., Any]] = {
    aten.convolution_backward.default: _convolution_backward,
    aten.upsample_nearest2d_backward.default: _nearest_backward,
    aten.max_pool2d_with_indices_backward.default: _pool_backward,
    aten.threshold_backward.default: _relu_backward,
}


def _joined(described: Any, gradient: Any) -> Any:
    """Return one model of two unconnected graphs, what they have in common stored once."""
    joined = onnx.ModelProto()
    joined.CopyFrom(onnx.compose.add_prefix(described, "target/", rename_inputs=False, rename_outputs=False))
    for part in ("node", "input", "output", "initializer"):
        getattr(joined.graph, part).extend(getattr(gradient.graph, part))
    stored: dict[bytes, str] = {}
    renamed = {}
    for tensor in list(joined.graph.initializer):
        values = numpy_helper.to_array(tensor)
        content = str((values.dtype, values.shape)).encode() + values.tobytes()
        if content in stored:
            renamed[tensor.name] = stored[content]
            joined.graph.initializer.remove(tensor)
        else:
            stored[content] = tensor.name
    for node in joined.graph.node:
        node.input[:] = [renamed.get(name, name) for name in node.input]
    return joined


def _store_as_int8(model: Any) -> None:
    """Store large weights in 8 bits with a scale for each channel; engines unpack them once."""
    unpacking = []
    for tensor in list(model.graph.initializer):
        weights = numpy_helper.to_array(tensor)
        if weights.dtype != np.float32 or weights.size < QUANTISED_SIZE_MIN or weights.ndim < 2:
            continue
        axis = int(np.argmax(weights.shape[:2]))  # channels: of the kept features, the first are the pictures
        largest = np.abs(weights).max(axis=tuple(set(range(weights.ndim)) - {axis}), keepdims=True)
        scale = (np.maximum(largest, 1e-12) / _INT8_MAX).astype(np.float32)
        packed = np.rint(weights / scale).astype(np.int8)
        names = [f"{tensor.name}_int8", f"{tensor.name}_scale"]
        model.graph.initializer.remove(tensor)
        model.graph.initializer.extend(map(numpy_helper.from_array, (packed, scale.ravel()), names))
        unpacking.append(helper.make_node("DequantizeLinear", names, [tensor.name], axis=axis))
    for node in reversed(unpacking):
        model.graph.node.insert(0, node)


def _verify(model: bytes, objective: _Objective, *, picture: Tensor, statistics: Tensor) -> None:
    fitter = StyleFitter(model)
    expected = objective.gradient(statistics, objective.target(picture)).numpy().ravel()
    found = fitter.gradient(statistics.numpy(), fitter.target(picture[0].numpy())).ravel()
    cosine = float(expected @ found / np.linalg.norm(expected) / np.linalg.norm(found))
    if not cosine >= COSINE_MIN:
        raise ParityError(f"the gradient of the fitter lies at a cosine of {cosine:.3f} to torch's, not {COSINE_MIN}")
