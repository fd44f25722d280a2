"""The objective of a network for one style picture (Johnson et al. 2016, with coherence and grid terms)."""

import torch
from torch import Tensor, nn

from training.comparison import GramComparison
from training.objective import StyleObjective, sheet
from training.recipe import FeedForwardRecipe


class FeedForwardObjective(StyleObjective):
    """Bring photographs close to `style_picture` (3, H, W), whose Gram matrices are computed once.

    `previewed` are photographs (N, 3, side, side). Must be built before `comparison` is set to a reduced precision.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: FeedForwardRecipe,
        *,
        comparison: GramComparison,
        style_picture: Tensor,
        previewed: Tensor,
    ) -> None:
        super().__init__(network, recipe)
        self._comparison = comparison
        self._grams = nn.ParameterDict(
            {
                layer: nn.Parameter(gram, requires_grad=False)
                for layer, gram in comparison.style(style_picture.unsqueeze(0)).items()
            }
        )
        # No buffer, which several devices would exchange at every step.
        self._previewed = previewed

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        photographs = batch["photograph"].contiguous(memory_format=torch.channels_last)
        stylized, stylized_moved = self.network(torch.cat((photographs, batch["moved"]))).float().chunk(2)
        content, style = self._comparison(stylized, self._comparison.content(photographs), dict(self._grams.items()))
        return {"content": content, "style": style, **self.output_terms(stylized, stylized_moved, batch)}

    def preview(self, network: nn.Module) -> Tensor:
        """Return photographs above, stylised below."""
        photographs = self._previewed.to(next(network.parameters()).device)
        return sheet([photographs, network(photographs).float()])
