"""How near a stylised picture is to its content and to its style, whatever network and settings made it.

Always by VGG19 with the layers of weights/README.md: content at relu4_1, style the mean of relu1_1 to relu4_1, in
float32, so that pictures of different backbones can be compared; and by SSIM, for which no network is needed.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from skimage.metrics import structural_similarity
from torch import Tensor
from torchvision.models import VGG19_Weights

from training.backbone import Backbone
from training.backbone_weights import torchvision_file
from training.gatys_objective import GatysObjective, ObjectiveWeights
from training.perceptual import STYLE_LAYERS
from training.photograph import to_tensor
from training.vgg import Vgg19


@dataclass(frozen=True, slots=True)
class Likeness:
    """`ssim` is that of the grey pictures, 1 for equal ones. The losses, 0 for equal ones, are None without VGG19.

    `style_loss_of_content` is where an unstylised picture stands. Colours are compared, too: where they are kept, the
    style loss shows it.
    """

    ssim: float
    content_loss: float | None
    style_loss: float | None
    style_loss_of_content: float | None


def measure_likeness(
    made: Image.Image,
    content: Image.Image,
    styles: Sequence[tuple[Image.Image, float]],
    *,
    style_size_px: int,
    vgg: Backbone | None,
    masks: Sequence[Image.Image] = (),
) -> Likeness:
    """Compare `made` with its content, scaled to its size, and the styles, scaled to a short side of `style_size_px`.

    `styles` are pairs of a picture and its share; with `masks` over the content each is compared in its own region.
    `vgg` returns `STYLE_LAYERS`.
    """
    scaled = content.resize(made.size, Image.Resampling.LANCZOS)
    grey_made, grey_content = (np.asarray(picture.convert("L")) / 255 for picture in (made, scaled))
    ssim = float(structural_similarity(grey_made, grey_content, data_range=1))
    if vgg is None:
        return Likeness(ssim, None, None, None)
    device = vgg.mean.device

    def tensor(picture: Image.Image) -> Tensor:
        return to_tensor(picture).unsqueeze(0).to(device)

    with torch.inference_mode():
        objective = GatysObjective(
            vgg,
            tensor(scaled),
            [(tensor(_scaled(picture, style_size_px)), share) for picture, share in styles],
            weights=ObjectiveWeights(),
            masks=[tensor(mask.convert("L").resize(made.size, Image.Resampling.LANCZOS)) for mask in masks],
        )
        terms, untouched = objective(tensor(made)), objective(tensor(scaled))
    return Likeness(ssim, terms["content"].item(), terms["style"].item(), untouched["style"].item())


def measuring_vgg(backbone: str | None, vgg: Path | None) -> Vgg19 | None:
    """Return VGG19 if it is on this machine: from `vgg`, from `backbone` if that is vgg19:FILE, or torchvision's.

    Nothing is downloaded only to measure.
    """
    kind, _, file = (backbone or "").partition(":")
    weights = vgg or (Path(file) if kind == "vgg19" and file else None)
    if weights is None and not torchvision_file(VGG19_Weights.IMAGENET1K_V1).is_file():
        return None
    return Vgg19(STYLE_LAYERS, weights=weights)


def _scaled(picture: Image.Image, short_side_px: int) -> Image.Image:
    factor = short_side_px / min(picture.size)
    size = round(picture.width * factor), round(picture.height * factor)
    return picture.resize(size, Image.Resampling.LANCZOS)
