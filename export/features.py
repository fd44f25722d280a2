"""The features of VGG19 for the figures of cards: of one picture as the runtime has it, without gradients."""

from collections.abc import Mapping

import numpy as np
import torch
from numpy.typing import NDArray

from training.perceptual import STYLE_LAYERS, gram_matrix
from training.vgg import Vgg19


def features_of(picture: NDArray[np.uint8], vgg: Vgg19) -> dict[str, torch.Tensor]:
    """Return the features of a picture (H, W, 3), uint8 RGB, by layer, (1, C, h, w) float32."""
    pixels = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1).unsqueeze(0).float() / 255
    with torch.inference_mode():
        features: dict[str, torch.Tensor] = vgg(pixels)
    return features


def style_grams(features: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return the Gram matrices of the style layers, (1, C, C)."""
    return {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS}
