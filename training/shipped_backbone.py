"""The small backbone that comes with the project: its file, its card, and the check of one against the other."""

import hashlib
import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from training.backbone import Backbone, require_layers
from training.backbone_weights import require_tensors
from training.distilled import DISTILLED_LAYERS, DistilledNetwork
from training.initial import WEIGHTS_FOLDER

SMALL_CARD = WEIGHTS_FOLDER / "backbones" / "small.json"
SMALL_TITLE = "small backbone"


class SmallBackbone(Backbone):
    """Return the features of chosen layers of the distilled network, under the names that they have in VGG19.

    Raises:
        ValueError: unknown layers, or the file of the weights is not the one that the card describes.
        OSError: there is no card, or no file beside it.
    """

    def __init__(self, layers: tuple[str, ...], *, card: Path = SMALL_CARD) -> None:
        require_layers(layers, DISTILLED_LAYERS.known, title=SMALL_TITLE)
        network = shipped_network(card)
        super().__init__(
            list(network.features), network.layer_names, layers=layers, title=SMALL_TITLE, weights_name=card.stem
        )


def shipped_network(card: Path = SMALL_CARD) -> DistilledNetwork:
    """Return the distilled network with the weights that a card describes, in float32.

    Raises:
        ValueError: the file of the weights is not the one that the card describes.
        OSError: there is no card, or no file beside it.
    """
    state = read_described(card)
    network = DistilledNetwork()
    require_tensors(state, network.state_dict(), source=card, title=SMALL_TITLE)
    network.load_state_dict({name: tensor.float() for name, tensor in state.items()})
    return network


def read_described(card: Path) -> dict[str, Tensor]:
    """Return the tensors of the file beside a card that it names; nothing is parsed before its hash is right.

    Raises:
        ValueError: the card is damaged, or the file is another one.
        OSError: one of them is not there.
    """
    try:
        described = json.loads(card.read_text(encoding="utf-8"))
        path = card.parent / Path(described["file"]).name
        sha256 = described["sha256"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise ValueError(f"{card} is no card of a backbone: {error!r}") from error
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != sha256:
        raise ValueError(f"{path} is damaged or another file: its sha256 is not the one in {card.name}")
    try:
        return load(content)
    except SafetensorError as error:
        raise ValueError(f"{path} is no safetensors file: {error}") from error


def write_described(network: DistilledNetwork, card: Path, facts: dict[str, Any]) -> None:
    """Write the weights as float16 beside `card`, and the card: `facts` with the file's name, size and sha256."""
    state = {name: tensor.to(torch.float16).contiguous().cpu() for name, tensor in network.state_dict().items()}
    write_with_card(save(state), card.with_suffix(".safetensors"), card, facts)


def write_with_card(content: bytes, path: Path, card: Path, facts: dict[str, Any]) -> None:
    """Write a file and the card beside it: `facts` with the file's name, size and sha256."""
    card.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    described = {"file": path.name, "size_bytes": len(content), "sha256": hashlib.sha256(content).hexdigest(), **facts}
    card.write_text(json.dumps(described, indent=2) + "\n", encoding="utf-8")
