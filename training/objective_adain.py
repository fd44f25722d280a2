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
        self._styles = _StyleCache(comparison)
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
        style = self._styles(paintings, batch["painting_number"])
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


class _StyleCache:
    """Style targets of each painting, computed at its first use and kept in half precision in main memory.

    0.7 MB a painting for Gram matrices; values are scaled by their largest, since those of the Oxford weights exceed
    the range of float16.
    """

    def __init__(self, comparison: GramComparison) -> None:
        self._comparison = comparison
        self._kept: dict[int, dict[str, tuple[Tensor, Tensor]]] = {}

    def __call__(self, paintings: Tensor, numbers: Tensor) -> dict[str, Tensor]:
        """Return the targets of a batch, (B, ...) for each layer, in float32 on the device of the paintings."""
        targets: dict[str, list[Tensor]] = {}
        for painting, number in zip(paintings.split(1), numbers.tolist(), strict=True):
            for layer, (scaled, largest) in self._of_one(painting, number).items():
                target = scaled.to(paintings.device).float() * largest.to(paintings.device)
                targets.setdefault(layer, []).append(target)
        return {layer: torch.cat(of_layer) for layer, of_layer in targets.items()}

    def _of_one(self, painting: Tensor, number: int) -> dict[str, tuple[Tensor, Tensor]]:
        # One at a time and always through the cache, so that a target does not depend on the batch it is first met in:
        # a run that resumes with an empty cache gets the same.
        if number not in self._kept:
            self._kept[number] = {
                layer: ((target / target.abs().amax()).half().cpu(), target.abs().amax().cpu())
                for layer, target in self._comparison.style(painting).items()
            }
        return self._kept[number]
