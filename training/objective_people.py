"""The objective of the network that finds people: cross entropy with masks, and how much both overlap."""

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits

from training.objective import Objective, sheet

# Of the overlap's loss, against 1 for the cross entropy.
OVERLAP_WEIGHT = 0.3


class PeopleObjective(Objective):
    """Compare what `network` finds with masks; `previewed` are pictures (N, 3, side, side)."""

    def __init__(self, network: nn.Module, *, previewed: Tensor) -> None:
        super().__init__(network, {"cross_entropy": 1.0, "overlap": OVERLAP_WEIGHT})
        # No buffer, which several devices would exchange at every step.
        self._previewed = previewed

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        logits = self.network(batch["picture"].contiguous(memory_format=torch.channels_last)).float()
        return {
            "cross_entropy": binary_cross_entropy_with_logits(logits, batch["mask"]),
            "overlap": overlap_loss(torch.sigmoid(logits), batch["mask"]),
        }

    @torch.no_grad()
    def preview(self, network: nn.Module) -> Tensor:
        """Return pictures above, and below what is found in them."""
        network.eval()  # the average, which is not trained itself: batch norm by its running figures
        pictures = self._previewed.to(next(network.parameters()).device)
        return sheet([pictures, pictures * torch.sigmoid(network(pictures))])


def overlap_loss(found: Tensor, masks: Tensor) -> Tensor:
    """Return 1 - Dice's coefficient in its soft form (Milletari et al. 2016, eq. 4) over a batch (B, 1, H, W)."""
    both = 2 * (found * masks).sum()
    return 1 - both / (found.square().sum() + masks.square().sum()).clamp(min=1.0)
