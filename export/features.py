"""What a backbone makes of one picture as the runtime has it, for the figures of cards; without gradients."""

import numpy as np
import torch
from numpy.typing import NDArray

from training.backbone import Backbone
from training.perceptual import STYLE_LAYERS, gram_matrices


def features_of(picture: NDArray[np.uint8], backbone: Backbone) -> dict[str, torch.Tensor]:
    """Return the features of a picture (H, W, 3), uint8 RGB, by layer, (1, C, h, w) float32."""
    with torch.inference_mode():
        features: dict[str, torch.Tensor] = backbone(_pixels(picture))
    return features


def style_grams(picture: NDArray[np.uint8], backbone: Backbone) -> dict[str, torch.Tensor]:
    """Return the Gram matrices (1, C, C) of a picture (H, W, 3), uint8 RGB, at the style layers."""
    with torch.inference_mode():
        return gram_matrices(backbone, _pixels(picture), STYLE_LAYERS)


def _pixels(picture: NDArray[np.uint8]) -> torch.Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).unsqueeze(0).float() / 255
