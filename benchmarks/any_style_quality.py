"""How near an any-style model comes to paintings, and whether its strength means something.

Runs the two graphs as they are shipped: picture -> statistics, and frame, statistics and strength -> stylised frame.
"""

import math
import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import torch
from numpy.typing import NDArray

from realtime.catalogue import Style
from realtime.stylizer import MARGIN_PX, with_margin
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix, style_loss
from training.photograph import load_picture
from training.vgg import Vgg19

PHOTOGRAPHS, PHOTOGRAPH_SIDE_PX = 6, 288
PAINTINGS, PAINTING_SIDE_PX = 10, 320
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)
SIDE_MULTIPLE = 8


def any_style_report(
    style: Style, photographs: Sequence[Path], paintings: Sequence[Path], *, vgg: Vgg19
) -> dict[str, Any]:
    """Return losses over pairs of photograph and painting at full strength, and two figures of strength.

    `strength_0_psnr_db` is the mean PSNR against the photograph; `monotone_share` is the share of pairs whose style
    loss falls with every step of strength.
    """
    folder = style.path.parent
    encoder, transfer = (
        onnxruntime.InferenceSession(str(folder / name), providers=["CPUExecutionProvider"])
        for name in (style.card["encoder"]["file"], style.card["file"])
    )
    contents = [_picture(path, PHOTOGRAPH_SIDE_PX) for path in _spread(photographs, PHOTOGRAPHS)]
    content_features = [_features(vgg, content)[CONTENT_LAYER] for content in contents]
    pairs = []
    fidelity = []
    for path in _spread(paintings, PAINTINGS):
        painting = _picture(path, PAINTING_SIDE_PX)
        features = _features(vgg, painting)
        grams = {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS}
        (codes,) = encoder.run(None, {encoder.get_inputs()[0].name: painting[np.newaxis]})
        for content, target in zip(contents, content_features, strict=True):
            made = {strength: _transfer(transfer, content, codes, strength) for strength in STRENGTHS}
            found = {strength: _features(vgg, picture) for strength, picture in made.items()}
            styles = [style_loss(found[strength], grams).item() for strength in STRENGTHS]
            pairs.append((styles, content_loss(found[1.0][CONTENT_LAYER], target).item()))
            fidelity.append(_psnr_db(made[0.0], content))
    full = [styles[-1] for styles, _ in pairs]
    content_losses = [loss for _, loss in pairs]
    falling = [all(later < before for before, later in pairwise(styles)) for styles, _ in pairs]
    return {
        "style": style.name,
        "pairs": len(pairs),
        "style_loss": {"median": statistics.median(full), "mean": statistics.fmean(full)},
        "content_loss": {"median": statistics.median(content_losses), "mean": statistics.fmean(content_losses)},
        "style_loss_at_strengths": {
            str(strength): statistics.fmean(styles[index] for styles, _ in pairs)
            for index, strength in enumerate(STRENGTHS)
        },
        "strength_0_psnr_db": statistics.fmean(fidelity),
        "monotone_share": statistics.fmean(falling),
    }


def any_style_table(reports: Sequence[Mapping[str, Any]]) -> str:
    """Return the reports as Markdown."""
    lines = [
        "| model | style loss, median (mean) | content loss, median (mean) | PSNR at strength 0 | monotone |",
        "|---|---|---|---|---|",
    ]
    for report in reports:
        style, content = report["style_loss"], report["content_loss"]
        lines.append(
            f"| {report['style']} | {style['median']:.4f} ({style['mean']:.4f}) "
            f"| {content['median']:.3f} ({content['mean']:.3f}) "
            f"| {report['strength_0_psnr_db']:.1f} dB | {100 * report['monotone_share']:.0f} % |"
        )
    note = f"{PHOTOGRAPHS} photographs at {PHOTOGRAPH_SIDE_PX} px, {PAINTINGS} paintings at {PAINTING_SIDE_PX} px.\n"
    return "\n".join([*lines, "", note])


def _transfer(
    session: Any, content: NDArray[np.uint8], codes: NDArray[np.float32], strength: float
) -> NDArray[np.uint8]:
    frame = with_margin(content)
    named = {"statistics": codes, "strength": np.array([strength], dtype=np.float32)}
    (picture_name,) = (port.name for port in session.get_inputs() if port.name not in named)
    stylized: NDArray[np.uint8] = session.run(None, {picture_name: frame[np.newaxis], **named})[0][0]
    height, width = content.shape[:2]
    return stylized[MARGIN_PX : MARGIN_PX + height, MARGIN_PX : MARGIN_PX + width]


def _spread(paths: Sequence[Path], count: int) -> list[Path]:
    """Return `count` of them from all over the list."""
    return [paths[index * len(paths) // count] for index in range(min(count, len(paths)))]


def _picture(path: Path, short_side_px: int) -> NDArray[np.uint8]:
    """Return a picture (H, W, 3) cut to sides that the graphs take."""
    rgb = np.array(load_picture(path, short_side_px=short_side_px))
    height, width = (side // SIDE_MULTIPLE * SIDE_MULTIPLE for side in rgb.shape[:2])
    return np.ascontiguousarray(rgb[:height, :width])


def _features(vgg: Vgg19, rgb: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    with torch.inference_mode():
        features: dict[str, torch.Tensor] = vgg(
            torch.from_numpy(np.ascontiguousarray(rgb)).permute(2, 0, 1).unsqueeze(0).float() / 255
        )
    return features


def _psnr_db(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    error = float(np.square(one.astype(np.float32) - other).mean())
    return 10 * math.log10(255**2 / error) if error else math.inf
