"""The objective of a small backbone: VGG19's features and their Gram matrices, also where an optimisation would lead.

A network that is only right on photographs is optimised into its blind spots: the picture satisfies the small network
and not VGG19. So some pictures of each batch first go a few steps along the gradient of the network that is learning,
from one picture towards the style of another, and VGG19 tells what is really there.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from training.backbone import Backbone
from training.distilled import DISTILLED_LAYERS
from training.objective import Objective, sheet
from training.perceptual import content_loss, gram_matrix, style_loss
from training.recipe import DistillRecipe

STYLE_WEIGHT = 15.0
PREVIEW_STEPS = 15
PREVIEW_STEP = 0.03


class DistillObjective(Objective):
    """Compare `network` with `teacher`, which has the layers that it returns, at each of these layers.

    `previewed` are pictures (N, 3, side, side), as many photographs as paintings behind them.
    """

    def __init__(self, network: nn.Module, recipe: DistillRecipe, *, teacher: Backbone, previewed: Tensor) -> None:
        super().__init__(network, {"features": 1.0, "gram": recipe.gram_weight})
        self._recipe = recipe
        self._teacher = teacher
        # No buffer, which several devices would exchange at every step.
        self._previewed = previewed

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        pictures = batch["picture"].contiguous(memory_format=torch.channels_last)
        targets = self.targets(pictures)
        count = self._recipe.optimized
        if count:
            grams = {layer: gram_matrix(targets[layer][-count:]) for layer in DISTILLED_LAYERS.style}
            content = targets[DISTILLED_LAYERS.content][:count]
            steps = batch["optimized_step"][:count].view(-1, 1, 1, 1) * self._recipe.optimized_step_max
            moved = pictures[:count]
            for _ in range(self._recipe.optimized_steps):
                moved = _step(self.network, moved, content, grams, steps)
            of_moved = self.targets(moved)
            pictures = torch.cat((moved, pictures[count:]))
            targets = {layer: torch.cat((of_moved[layer], target[count:])) for layer, target in targets.items()}
        found = {layer: each.float() for layer, each in self.network(pictures).items()}
        return errors(found, targets)

    @torch.no_grad()
    def targets(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return the teacher's features in float32."""
        return {layer: features.float() for layer, features in self._teacher(pictures).items()}

    def preview(self, network: nn.Module) -> Tensor:
        """Return pictures above, and below what some steps make of them in the style of those half a row on."""
        pictures = self._previewed.to(next(network.parameters()).device)
        targets = self.targets(pictures)
        grams = {layer: gram_matrix(targets[layer]).roll(len(pictures) // 2, 0) for layer in DISTILLED_LAYERS.style}
        made = pictures
        for number in range(PREVIEW_STEPS):
            step = pictures.new_tensor(PREVIEW_STEP * (1 - number / PREVIEW_STEPS))
            made = _step(network, made, targets[DISTILLED_LAYERS.content], grams, step)
        return sheet([pictures, made])


def errors(found: Mapping[str, Tensor], targets: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the squared errors of features and of Gram matrices beside those of zeros, means over layers."""
    grams = {layer: gram_matrix(target) for layer, target in targets.items()}
    return {
        "features": torch.stack([content_loss(found[layer], target) for layer, target in targets.items()]).mean(),
        "gram": style_loss(dict(found), grams),
    }


@torch.enable_grad()
def _step(network: nn.Module, pictures: Tensor, content: Tensor, grams: dict[str, Tensor], step: Tensor) -> Tensor:
    """Go `step`, the root mean square change of a value, down the gradient of `network`'s content and style losses."""
    pictures = pictures.detach().requires_grad_()
    found = network(pictures)
    loss = content_loss(found[DISTILLED_LAYERS.content], content) + STYLE_WEIGHT * style_loss(found, grams)
    (gradient,) = torch.autograd.grad(loss, pictures)
    size = gradient.square().mean(dim=(1, 2, 3), keepdim=True).sqrt().clamp(min=torch.finfo(gradient.dtype).tiny)
    return (pictures - step * gradient / size).clamp(0, 1).detach()
