"""The objective of a network that carries key frames through their video (Texler et al. 2020, without the GAN).

At key frames it is told pixels, features and strokes; between them strokes, those of the same place in the nearest
key frame, and that what is painted moves as the video does. Without the strokes between, what no key frame shows was
painted dull: from one key frame of 40 frames, the style loss between was 2.2 times that at the key frame, with them
1.2. The network sees whole windows, the backbone, which costs more, a patch of them.
"""

import torch
from torch import Tensor, nn

from training.comparison import GramComparison
from training.footage import Footage, whole
from training.objective import StyleObjective, sheet
from training.perceptual import CONTENT_LAYER, gram_matrix
from training.recipe import FewShotRecipe

PREVIEWED_KEYFRAMES = 4


class FewShotObjective(StyleObjective):
    """Bring frames close to their key frames; takes batches of `FootageDataset`'s items."""

    def __init__(
        self, network: nn.Module, recipe: FewShotRecipe, *, comparison: GramComparison, footage: Footage
    ) -> None:
        super().__init__(network, recipe)
        self.weights |= {"pixel": recipe.pixel_weight, "style_between": recipe.style_weight}
        self._comparison = comparison
        self._patch_px = recipe.crop_px
        stride = -(-len(footage.keyframes) // PREVIEWED_KEYFRAMES)
        shown = footage.keyframes[::stride]
        self._previewed = [
            torch.stack([whole(picture) for picture in row])
            for row in zip(*((each.frame, each.keyframe) for each in shown), strict=True)
        ]

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        keyframe = batch["keyframe"]
        frames = torch.cat((batch["frame"], batch["photograph"], batch["moved"]))
        at_key, later, earlier = self.network(frames.contiguous(memory_format=torch.channels_last)).float().chunk(3)
        with torch.no_grad():
            features = self._comparison.backbone(self._patches(keyframe, batch["patch"]))
            grams = {layer: gram_matrix(each) for layer, each in features.items()}
        content, style = self._comparison(self._patches(at_key, batch["patch"]), features[CONTENT_LAYER], grams)
        _, style_between = self._comparison(self._patches(later, batch["patch"]), features[CONTENT_LAYER], grams)
        return {
            "pixel": (at_key - keyframe).abs().mean(),
            "content": content,
            "style": style,
            "style_between": style_between,
            **self.output_terms(later, earlier, batch),
        }

    def preview(self, network: nn.Module) -> Tensor:
        """Return frames above, their key frames below, and what the network makes of the frames at the bottom."""
        frames, keyframes = (row.to(next(network.parameters()).device) for row in self._previewed)
        return sheet([frames, keyframes, network(frames).float()])

    def _patches(self, pictures: Tensor, corners: Tensor) -> Tensor:
        side = min(self._patch_px, *pictures.shape[2:])
        return torch.stack(
            [
                picture[:, top : top + side, left : left + side]
                for picture, (top, left) in zip(pictures, corners.tolist(), strict=True)
            ]
        )
