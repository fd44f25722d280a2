"""Figures of a CycleGAN: how well pictures return from a round trip, and how near painted ones come to paintings."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from export.features import style_grams
from export.verify import psnr_db
from realtime.engine import open_engine
from realtime.stylizer import Stylizer
from training.backbone import Backbone
from training.perceptual import STYLE_LAYERS, gram_distance

# Short side of the pictures; the paper's size, and that of its data sets.
SCORED_SIDE_PX = 256

Picture = NDArray[np.uint8]


def cyclegan_scores(
    painter: bytes,
    unpainter: bytes,
    *,
    photographs: Mapping[Path, Picture],
    paintings: Mapping[Path, Picture],
    backbone: Backbone,
) -> dict[str, Any]:
    """Return means over pictures by file that training has not seen, and what they rest on.

    Cycle PSNR compares a picture with what returns from both generators; between them it is rounded to bytes, so that
    nothing is smuggled through in fractions of a level. Gram distance is the style loss (`training/perceptual.py`)
    against the mean Gram matrices of all paintings; that of a painting is against the mean of the others.

    Raises:
        ValueError: there are fewer than two paintings.
    """
    if len(paintings) < 2:
        raise ValueError(f"a CycleGAN is scored against 2 paintings or more, but only {len(paintings)} can be read")
    with (
        closing(open_engine(painter, engine="onnxruntime", device="cpu")) as to_painting,
        closing(open_engine(unpainter, engine="onnxruntime", device="cpu")) as to_photograph,
    ):
        paint, unpaint = Stylizer(to_painting), Stylizer(to_photograph)
        painted = {name: paint.stylize(picture).stylized for name, picture in photographs.items()}
        from_photographs = [psnr_db(unpaint.stylize(painted[name]).stylized, photographs[name]) for name in photographs]
        from_paintings = [
            psnr_db(paint.stylize(unpaint.stylize(picture).stylized).stylized, picture)
            for picture in paintings.values()
        ]
    of_paintings = [style_grams(picture, backbone) for picture in paintings.values()]
    domain = _mean(of_paintings)
    before, after = (
        _distances([style_grams(picture, backbone) for picture in pictures.values()], domain)
        for pictures in (photographs, painted)
    )
    return {
        "cycle_psnr_photographs_db": round(statistics.fmean(from_photographs), 2),
        "cycle_psnr_paintings_db": round(statistics.fmean(from_paintings), 2),
        "gram_distance": round(statistics.fmean(after), 4),
        "gram_distance_of_photographs": round(statistics.fmean(before), 4),
        "gram_distance_of_paintings": round(_among_themselves(of_paintings), 4),
        "share_nearer": round(statistics.fmean(one < other for one, other in zip(after, before, strict=True)), 3),
        "photographs": [path.name for path in photographs],
        "paintings": [path.name for path in paintings],
        "short_side_px": SCORED_SIDE_PX,
        "vgg": backbone.weights_name,
    }


Grams = dict[str, torch.Tensor]


def _mean(grams: Sequence[Grams]) -> Grams:
    return {layer: torch.stack([each[layer] for each in grams]).mean(dim=0) for layer in STYLE_LAYERS}


def _distances(grams: Sequence[Grams], domain: Grams) -> list[float]:
    return [gram_distance(each, domain).item() for each in grams]


def _among_themselves(grams: Sequence[Grams]) -> float:
    """Return the mean distance of each from the mean of all others."""
    distances = [gram_distance(each, _mean([other for other in grams if other is not each])).item() for each in grams]
    return statistics.fmean(distances)
