"""Write a trained network as ONNX by the graph contract: uint8 (1, H, W, 3) RGB in and out, sides of multiples of 8."""

import io
import json
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from torch import Tensor, nn

from training.adain import SlimAdainNetwork
from training.cyclegan import SlimGenerator
from training.network import SIZE_MULTIPLE, SlimNetwork

OPSET = 18
INPUT_NAME, OUTPUT_NAME = "frame", "stylized"
# What styles are made of. The classic networks are references and are not exported.
STYLE_NETWORKS: tuple[type[nn.Module], ...] = (SlimNetwork, SlimAdainNetwork, SlimGenerator)
EXAMPLE_SIDE_PX = 8 * SIZE_MULTIPLE


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network with its trained weights and what training wrote about them; `vgg` is empty where it used none."""

    network: nn.Module
    recipe: dict[str, Any]
    steps: int
    minutes: float
    vgg: str
    photographs: int = 0

    @property
    def kind(self) -> str:
        """The kind of its recipe; those of feed-forward networks may lack it."""
        return str(self.recipe.get("kind", "feed-forward"))


class _FrameNetwork(nn.Module):
    """The entry point of the graph."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network.forward_uint8(frames)  # type: ignore[operator, no-any-return]


def load_network(path: Path, expected: Sequence[type[nn.Module]] = STYLE_NETWORKS) -> TrainedNetwork:
    """Load what training saved (`network.safetensors`), a network of one of the classes that are expected.

    Raises:
        ValueError: the file is of another kind of network.
    """
    networks = {network.__name__: network for network in expected}
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    kind = metadata.get("network")
    if kind not in networks:
        raise ValueError(f"{path} holds a network of kind {kind!r}, expected {' or '.join(networks)}")
    network = networks[kind]()
    network.load_state_dict(weights)
    network.eval()
    return TrainedNetwork(
        network,
        json.loads(metadata["recipe"]),
        int(metadata["steps"]),
        float(metadata["minutes"]),
        metadata.get("vgg", ""),
        int(metadata.get("photographs", 0)),
    )


def export_onnx(network: nn.Module) -> bytes:
    """Return the graph of a network with `forward_uint8`; height and width stay dynamic."""
    example = torch.zeros(1, EXAMPLE_SIDE_PX, EXAMPLE_SIDE_PX, 3, dtype=torch.uint8)
    return trace(_FrameNetwork(network), {INPUT_NAME: example}, output=OUTPUT_NAME, output_is_picture=True)


def trace(entry: nn.Module, examples: dict[str, torch.Tensor], *, output: str, output_is_picture: bool) -> bytes:
    """Return the graph of `entry`; the height and width of uint8 pictures (1, H, W, 3) stay dynamic."""
    sides = {1: "height", 2: "width"}
    dynamic = {name: sides for name, example in examples.items() if example.dtype == torch.uint8}
    file = io.BytesIO()
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but the one on torch.export writes instance norm and the folding of blocks
        # as long chains of primitive nodes, which the engines do not fuse (torch 2.15).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            entry,
            tuple(examples.values()),
            file,  # type: ignore[arg-type]  # declared as a path, but the tracing exporter writes to files, too
            input_names=list(examples),
            output_names=[output],
            dynamic_axes={**dynamic, **({output: sides} if output_is_picture else {})},
            opset_version=OPSET,
            dynamo=False,
        )
    return file.getvalue()


def run_uint8(network: nn.Module, frames: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Run `forward_uint8` in float32 on frames (1, H, W, 3)."""
    with torch.inference_mode():
        return np.asarray(network.forward_uint8(torch.from_numpy(frames)).numpy())  # type: ignore[operator]
