"""How near an any-style model comes to paintings, and whether its strength means something.

Runs the two graphs as they are shipped: picture -> statistics, and frame, statistics and strength -> stylised frame.
"""

import statistics
from collections.abc import Mapping, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from export.score_adain import measure_pairs
from realtime.catalogue import Style, encoder_of, fitter_of, read_model
from training.photograph import load_picture
from training.vgg import Vgg19

PHOTOGRAPHS, PHOTOGRAPH_SIDE_PX = 6, 288
PAINTINGS, PAINTING_SIDE_PX = 10, 320
STRENGTHS = (0.0, 0.25, 0.5, 0.75, 1.0)


def any_style_report(
    style: Style, photographs: Sequence[Path], paintings: Sequence[Path], *, vgg: Vgg19
) -> dict[str, Any]:
    """Return losses over pairs of photograph and painting at full strength, and two figures of strength.

    `strength_0_psnr_db` is the mean PSNR against the photograph; `monotone_share` is the share of pairs whose style
    loss falls with every step of strength.
    """
    fitter = fitter_of(style)
    pairs = measure_pairs(
        read_model(style),
        read_model(encoder_of(style)),
        fitter=None if fitter is None else read_model(fitter),
        photographs=_pictures(photographs, PHOTOGRAPHS, short_side_px=PHOTOGRAPH_SIDE_PX),
        paintings=_pictures(paintings, PAINTINGS, short_side_px=PAINTING_SIDE_PX),
        strengths=STRENGTHS,
        backbone=vgg,
    )
    styles = [list(pair.style_losses.values()) for pair in pairs]
    full = [losses[-1] for losses in styles]
    content_losses = [pair.content_losses[STRENGTHS[-1]] for pair in pairs]
    falling = [all(later < before for before, later in pairwise(losses)) for losses in styles]
    return {
        "style": style.name,
        "pairs": len(pairs),
        "style_loss": {"median": statistics.median(full), "mean": statistics.fmean(full)},
        "content_loss": {"median": statistics.median(content_losses), "mean": statistics.fmean(content_losses)},
        "style_loss_at_strengths": {
            str(strength): statistics.fmean(losses[index] for losses in styles)
            for index, strength in enumerate(STRENGTHS)
        },
        "strength_0_psnr_db": statistics.fmean(pair.psnrs_db[STRENGTHS[0]] for pair in pairs),
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


def _pictures(paths: Sequence[Path], count: int, *, short_side_px: int) -> list[NDArray[np.uint8]]:
    """Return `count` pictures (H, W, 3) from all over the list."""
    chosen = [paths[index * len(paths) // count] for index in range(min(count, len(paths)))]
    return [np.array(load_picture(path, short_side_px=short_side_px)) for path in chosen]
