"""Figures of an any-style model: perceptual losses over pairs of a photograph and a painting, at any strength."""

import statistics
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.features import features_of, style_grams
from export.verify import psnr_db
from realtime.engine import open_engine
from realtime.graph import ENCODER, TRANSFER
from realtime.style_code import ENCODED_SHORT_SIDE_PX, encode_picture
from realtime.style_fit import StyleFitter
from realtime.stylizer import Stylizer
from training.backbone import Backbone
from training.perceptual import CONTENT_LAYER, content_loss, style_loss

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Pair:
    """A photograph after a painting: by strength, style and content loss, and the PSNR against the photograph."""

    style_losses: dict[float, float]
    content_losses: dict[float, float]
    psnrs_db: dict[float, float]


def any_style_scores(
    transfer: bytes,
    encoder: bytes,
    *,
    fitter: bytes | None,
    photographs: Mapping[Path, Picture],
    paintings: Sequence[Picture],
    backbone: Backbone,
) -> dict[str, Any]:
    """Return the median losses at full strength over all pairs, and what these rest on."""
    pairs = measure_pairs(
        transfer,
        encoder,
        fitter=fitter,
        photographs=list(photographs.values()),
        paintings=paintings,
        strengths=(1.0,),
        backbone=backbone,
    )
    return {
        "style_loss": round(statistics.median(pair.style_losses[1.0] for pair in pairs), 4),
        "content_loss": round(statistics.median(pair.content_losses[1.0] for pair in pairs), 4),
        "photographs": [path.name for path in photographs],
        "paintings": len(paintings),
        "statistic": "median",
        "fitted": fitter is not None,
        "short_side_px": min(min(photograph.shape[:2]) for photograph in photographs.values()),
        "style_size_px": ENCODED_SHORT_SIDE_PX,
        "vgg": backbone.weights_name,
    }


def measure_pairs(
    transfer: bytes,
    encoder: bytes,
    *,
    fitter: bytes | None,
    photographs: Sequence[Picture],
    paintings: Sequence[Picture],
    strengths: Sequence[float],
    backbone: Backbone,
) -> list[Pair]:
    """Paint every photograph after every painting at every strength, as file jobs do, with `fitter` fitted."""
    fitting = None if fitter is None else StyleFitter(fitter)
    contents = [features_of(photograph, backbone)[CONTENT_LAYER] for photograph in photographs]
    pairs = []
    with (
        closing(open_engine(encoder, engine="onnxruntime", device="cpu", contract=ENCODER)) as encoding,
        closing(open_engine(transfer, engine="onnxruntime", device="cpu", contract=TRANSFER)) as painting_engine,
    ):
        for painting in paintings:
            code = encode_picture(encoding, painting)
            stylizer = Stylizer(painting_engine, code=code if fitting is None else fitting.fit(code, painting))
            grams = style_grams(painting, backbone)
            for photograph, content in zip(photographs, contents, strict=True):
                pair = Pair({}, {}, {})
                for strength in strengths:
                    made = stylizer.stylize(photograph, strength=strength).stylized
                    features = features_of(made, backbone)
                    pair.style_losses[strength] = style_loss(features, grams).item()
                    pair.content_losses[strength] = content_loss(features[CONTENT_LAYER], content).item()
                    pair.psnrs_db[strength] = psnr_db(made, photograph)
                pairs.append(pair)
    return pairs
