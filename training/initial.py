"""The weights a training starts from: those of another run, or of a style that is there only as ONNX."""

from pathlib import Path

import onnx
import torch
from google.protobuf.message import DecodeError
from onnx import numpy_helper
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from training.recipe import SHIPPED_PREFIX
from training.run_folder import NETWORK_FILE

# The shipped styles, beside this package in the repository and when installed.
WEIGHTS_FOLDER = Path(__file__).resolve().parent.parent / "weights"


def load_initial(network: nn.Module, initial: str, *, run_folder: Path, weights_folder: Path) -> Path:
    """Load into `network` what a recipe calls `initial`, and return the file it came from.

    A name is looked for as a run beside `run_folder` first, then as `weights_folder/NAME.onnx`, with the prefix
    `shipped:` only as the latter; a path with one of the suffixes .safetensors and .onnx is taken as it is.

    Raises:
        ValueError: there is no such file, or its weights do not fit the network.
    """
    path = _find(initial, run_folder, weights_folder)
    try:
        own = network.state_dict()
        state = _read_onnx(path, own) if path.suffix == ".onnx" else load_file(path)
    except (SafetensorError, DecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    wrong = [key for key, tensor in own.items() if key not in state or state[key].shape != tensor.shape]
    if wrong or len(state) != len(own):
        reason = f"{wrong[0]} is missing or of another shape" if wrong else "it has more tensors"
        raise ValueError(f"{path} does not fit a {type(network).__name__} as the start: {reason}")
    network.load_state_dict(state)
    return path


def _find(initial: str, run_folder: Path, weights_folder: Path) -> Path:
    if Path(initial).suffix in (".safetensors", ".onnx"):
        candidates = [Path(initial)]
    elif initial.startswith(SHIPPED_PREFIX):
        candidates = [weights_folder / f"{initial.removeprefix(SHIPPED_PREFIX)}.onnx"]
    else:
        candidates = [run_folder.parent / initial / NETWORK_FILE, weights_folder / f"{initial}.onnx"]
    for path in candidates:
        if path.is_file():
            return path
    raise ValueError(f"no network {initial!r} to start from; looked for {' and '.join(map(str, candidates))}")


def _read_onnx(path: Path, own: dict[str, Tensor]) -> dict[str, Tensor]:
    """Match the initialisers of a graph with the tensors of a network: by name, or else by order and shape.

    The exporter keeps the names behind a prefix of its own; a simplifier may have renamed them in their order. Of an
    any-style model, what is not in the graph is in that of its encoder.
    """
    encoder = path.with_suffix(f".encoder{path.suffix}")
    weights = {
        initializer.name.removesuffix("_float16"): torch.from_numpy(numpy_helper.to_array(initializer).copy()).float()
        for part in ((path, encoder) if encoder.is_file() else (path,))
        for initializer in onnx.load(part).graph.initializer
        if initializer.data_type in (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16) and initializer.dims
    }
    named = {key: tensor for key in own for name, tensor in weights.items() if name == key or name.endswith(f".{key}")}
    if len(named) == len(own):
        return named
    return dict(zip(own, weights.values(), strict=False)) if len(weights) == len(own) else named
