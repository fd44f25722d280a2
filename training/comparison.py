"""Compare stylised pictures with photograph and style in one pass through a backbone, for the objectives."""

import torch
from torch import Tensor, nn

from training.backbone import Backbone
from training.gram_tap import tap_gram
from training.mean_std import mean_and_std, mean_std_loss
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix


class GramComparison(nn.Module):
    """Content and Gram style loss; `backbone` must end at the content layer."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        if backbone.layers != STYLE_LAYERS or STYLE_LAYERS[-1] != CONTENT_LAYER:
            raise ValueError(f"the comparison needs a backbone with layers {STYLE_LAYERS}, not {backbone.layers}")
        self.backbone = backbone

    @torch.no_grad()
    def content(self, pictures: Tensor) -> Tensor:
        """Return the features that a stylised picture is to keep."""
        return self.backbone.walk(pictures, lambda _, features: features)

    @torch.no_grad()
    def style(self, pictures: Tensor) -> dict[str, Tensor]:
        """Return what the style of each layer is described by."""
        return self.content_and_style(pictures)[1]

    @torch.no_grad()
    def content_and_style(self, pictures: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """Return both, `content` and `style`, from one pass."""
        styles = {}

        def describe(layer: str, features: Tensor) -> Tensor:
            styles[layer] = self.describe(features)
            return features

        return self.backbone.walk(pictures, describe), styles

    @staticmethod
    def describe(features: Tensor) -> Tensor:
        """Return the Gram matrices (B, C, C) of features."""
        return gram_matrix(features)

    def forward(self, stylized: Tensor, content: Tensor, style: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """Return content loss and style loss, means over the batch; `style` is of one picture or of one for each."""
        features, loss = self._compare_style(stylized, style)
        return content_loss(features, content), loss

    def style_alone(self, stylized: Tensor, style: dict[str, Tensor]) -> Tensor:
        """Return the style loss."""
        return self._compare_style(stylized, style)[1]

    def _compare_style(self, stylized: Tensor, style: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        losses = []

        def tap(layer: str, features: Tensor) -> Tensor:
            passed, loss = tap_gram(features, style[layer])
            losses.append(loss.mean())
            return passed

        features = self.backbone.walk(stylized, tap)
        return features, torch.stack(losses).mean()


class MeanStdComparison(GramComparison):
    """Content loss and the style loss of the AdaIN paper."""

    @staticmethod
    def describe(features: Tensor) -> Tensor:
        """Return mean and standard deviation (B, 2, C) of features."""
        return mean_and_std(features)

    def forward(self, stylized: Tensor, content: Tensor, style: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        features = self.backbone(stylized)
        losses = [mean_std_loss(features[layer], target).mean() for layer, target in style.items()]
        return content_loss(features[CONTENT_LAYER], content), torch.stack(losses).mean()
