"""What the card of a distilled backbone says: how it was trained, and how far it is from its teacher."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn

from training.backbone import Backbone
from training.distilled import DistilledNetwork
from training.perceptual import content_loss, gram_matrix, style_loss
from training.shipped_backbone import write_described

# The principal directions that the network begins with are taken from VGG19's weights, so that theirs is its licence.
LICENCE = "CC-BY-4.0"
ATTRIBUTION = (
    "Adapted from VGG19 by K. Simonyan and A. Zisserman, Visual Geometry Group, University of Oxford "
    "(CC BY 4.0, https://creativecommons.org/licenses/by/4.0/): its convolutions in principal directions, then trained."
)
DIGITS = 4


def publish(network_file: Path, card: Path, *, teacher: Backbone, held_out: Sequence[Tensor]) -> dict[str, Any]:
    """Write a trained network, as float16, and its card with scores on `held_out` pictures (3, side, side).

    `teacher` is VGG19 in float32. Returns what the card says of the network.
    """
    network = DistilledNetwork()
    with safe_open(network_file, framework="pt") as file:
        metadata = file.metadata()
        network.load_state_dict({name: file.get_tensor(name).half().float() for name in file.keys()})  # noqa: SIM118
    recipe = json.loads(metadata["recipe"])
    facts = {
        "title": recipe["title"],
        "licence": LICENCE,
        "attribution": ATTRIBUTION,
        "teacher": metadata["teacher"],
        "training": {
            "recipe": f"training/recipes/{recipe['name']}.toml",
            "photographs": int(metadata["photographs"]),
            "paintings": int(metadata["paintings"]),
            "steps": int(metadata["steps"]),
            "minutes": float(metadata["minutes"]),
        },
        "scores": {
            "held_out": len(held_out),
            "size_px": held_out[0].shape[-1],
            "layers": layer_errors(network, teacher, held_out),
        },
    }
    write_described(network, card, facts)
    return facts


@torch.no_grad()
def layer_errors(network: nn.Module, teacher: nn.Module, pictures: Sequence[Tensor]) -> dict[str, dict[str, float]]:
    """Return `feature_error` and `gram_error` of each layer: squared errors beside those of zeros, means."""
    errors: dict[str, list[tuple[float, float]]] = {}
    for picture in pictures:
        found = network(picture.unsqueeze(0))
        for layer, target in teacher(picture.unsqueeze(0)).items():
            gram = style_loss({layer: found[layer]}, {layer: gram_matrix(target)})
            errors.setdefault(layer, []).append((content_loss(found[layer], target).item(), gram.item()))
    return {
        layer: {
            "feature_error": _mean([feature for feature, _ in each]),
            "gram_error": _mean([gram for _, gram in each]),
        }
        for layer, each in errors.items()
    }


def _mean(values: list[float]) -> float:
    return round(sum(values) / len(values), DIGITS)
