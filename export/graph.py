"""Write a trained network as ONNX by the graph contract: uint8 (1, H, W, 3) RGB in and out, sides of multiples of 8."""

import json
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from training.network import SIZE_MULTIPLE, SlimNetwork

OPSET = 18
INPUT_NAME, OUTPUT_NAME = "frame", "stylized"


@dataclass(frozen=True, slots=True)
class TrainedNetwork:
    """A network with its trained weights and what training wrote about them."""

    network: SlimNetwork
    recipe: dict[str, Any]
    steps: int
    minutes: float
    vgg: str


class _FrameNetwork(nn.Module):
    """The entry point of the graph."""

    def __init__(self, network: SlimNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, frames: Tensor) -> Tensor:
        return self.network.forward_uint8(frames)


def load_network(path: Path) -> TrainedNetwork:
    """Load what training saved (`network.safetensors`).

    Raises:
        ValueError: the file is of another kind of network.
    """
    with safe_open(path, framework="pt") as file:
        metadata = file.metadata() or {}
        weights = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
    kind = metadata.get("network")
    if kind != SlimNetwork.__name__:
        raise ValueError(f"{path} holds a network of kind {kind!r}, expected {SlimNetwork.__name__}")
    network = SlimNetwork()
    network.load_state_dict(weights)
    network.eval()
    return TrainedNetwork(
        network, json.loads(metadata["recipe"]), int(metadata["steps"]), float(metadata["minutes"]), metadata["vgg"]
    )


def export_onnx(network: SlimNetwork, path: Path) -> None:
    """Write the ONNX file; height and width stay dynamic."""
    example = torch.zeros(1, 8 * SIZE_MULTIPLE, 8 * SIZE_MULTIPLE, 3, dtype=torch.uint8)
    dynamic = {1: "height", 2: "width"}
    with warnings.catch_warnings():
        # The tracing exporter is deprecated, but the one on torch.export writes instance norm and the folding of blocks
        # as long chains of primitive nodes, which the engines do not fuse (torch 2.15).
        warnings.simplefilter("ignore")
        torch.onnx.export(
            _FrameNetwork(network),
            (example,),
            str(path),
            input_names=[INPUT_NAME],
            output_names=[OUTPUT_NAME],
            dynamic_axes={INPUT_NAME: dynamic, OUTPUT_NAME: dynamic},
            opset_version=OPSET,
            dynamo=False,
        )
