"""What a training minimises: the seam between the loop and the kinds of networks."""

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from training.coherence import coherence_loss
from training.flatness import flat_pattern_loss
from training.grid import grid_loss
from training.recipe import Recipe
from training.total_variation import total_variation


class Objective(nn.Module, ABC):
    """The loss terms of a network, and a picture to judge it by.

    The network is a submodule, so that the loop can wrap all of it for precision and for several devices. `weights`
    has the weight of every term that `forward` returns.
    """

    network: nn.Module

    def __init__(self, network: nn.Module, weights: dict[str, float]) -> None:
        super().__init__()
        self.network = network
        self.weights = weights

    @abstractmethod
    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms before weighting, scalars in float32, of a batch of the dataset's items."""

    @abstractmethod
    def preview(self, network: nn.Module) -> Tensor:
        """Return a sheet (3, H, W) in [0, 1] of what `network`, the averaged one, makes of fixed photographs."""


class StyleObjective(Objective):
    """The terms that the networks of all kinds of styles share; a batch is of `StepDataset`'s items."""

    def __init__(self, network: nn.Module, recipe: Recipe) -> None:
        weights = {
            "content": 1.0,
            "style": recipe.style_weight,
            "coherence": recipe.coherence_weight,
            "grid": recipe.grid_weight,
            "total_variation": recipe.total_variation_weight,
        }
        if recipe.flat_weight:
            weights["flat_pattern"] = recipe.flat_weight
        super().__init__(network, weights)
        self._chroma_weight = recipe.coherence_chroma_weight

    def output_terms(self, stylized: Tensor, stylized_moved: Tensor, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Return the terms that need no features: coherence, grid, total variation and, if weighted, flat patterns."""
        terms = {
            "coherence": coherence_loss(
                stylized, stylized_moved, flow=batch["flow"], valid=batch["valid"], chroma_weight=self._chroma_weight
            ),
            "grid": grid_loss(stylized),
            "total_variation": total_variation(stylized),
        }
        if "flat_pattern" in self.weights:
            terms["flat_pattern"] = flat_pattern_loss(stylized, batch["photograph"])
        return terms


def sheet(rows: list[Tensor]) -> Tensor:
    """Lay rows of equal pictures (N, 3, side, side) below one another, (3, H, W)."""
    return torch.cat([torch.cat(list(row), dim=2) for row in rows], dim=1).clamp(0, 1)
