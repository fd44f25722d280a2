"""The objective of an any-style network, trained on a folder of paintings.

After Huang & Belongie 2017, section 5, with departures: the content to keep is the photograph's, not that of the AdaIN
output, since the slim network has no VGG encoder; Gram matrices as style by default, which tell brush strokes apart
where means and deviations do not; coherence and grid terms; every painting is to come out of its own statistics
unchanged; and part of the photographs is stylised at a strength below 1, without which the network has never seen such
features and half of a style lies farther from the photograph than all of it.
"""

import torch
from torch import Tensor, nn

from training.adain import AdainNetwork, SlimAdainNetwork
from training.comparison import GramComparison
from training.objective import StyleObjective, sheet
from training.recipe import AdainRecipe


class AdainObjective(StyleObjective):
    """Bring each photograph of a batch close to the painting beside it.

    `previewed` are photographs (N, 3, side, side) and `previewed_paintings` (M, 3, side, side).
    """

    network: SlimAdainNetwork | AdainNetwork

    def __init__(
        self,
        network: SlimAdainNetwork | AdainNetwork,
        recipe: AdainRecipe,
        *,
        comparison: GramComparison,
        previewed: Tensor,
        previewed_paintings: Tensor,
    ) -> None:
        super().__init__(network, recipe)
        self.weights["reconstruction"] = recipe.reconstruction_weight
        self._comparison = comparison
        # No buffers, which several devices would exchange at every step.
        self._previewed = previewed
        self._previewed_paintings = previewed_paintings

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        photographs, paintings = (
            batch[name].contiguous(memory_format=torch.channels_last) for name in ("photograph", "painting")
        )
        strength = batch["strength"]
        statistics, reconstructed = self.network.read_style(paintings)
        both = self.network(torch.cat((photographs, batch["moved"])), statistics.repeat(2, 1, 1), strength.repeat(2))
        stylized, stylized_moved = both.float().chunk(2)
        style = self._comparison.style(paintings)
        content_target, own_style = self._comparison.content_and_style(photographs)
        style_target = {
            layer: torch.lerp(own_style[layer], style[layer], strength.view(-1, 1, 1)) for layer in own_style
        }
        content, style_term = self._comparison(stylized, content_target, style_target)
        distance = (stylized - photographs).square().mean(dim=(1, 2, 3))
        return {
            "content": content,
            "style": style_term,
            "reconstruction": (reconstructed.float() - paintings).square().mean() + ((1 - strength) * distance).mean(),
            **self.output_terms(stylized, stylized_moved, batch),
        }

    def preview(self, network: nn.Module) -> Tensor:
        """Return photographs above, and below a row for each painting, the painting itself first."""
        assert isinstance(network, SlimAdainNetwork | AdainNetwork)
        device = next(network.parameters()).device
        photographs, paintings = self._previewed.to(device), self._previewed_paintings.to(device)
        rows = [torch.cat((torch.ones_like(photographs[:1]), photographs))]
        for painting in paintings.split(1):
            statistics, _ = network.read_style(painting)
            stylized = network(photographs, statistics.expand(len(photographs), -1, -1))
            rows.append(torch.cat((painting, stylized.float())))
        return sheet(rows)
