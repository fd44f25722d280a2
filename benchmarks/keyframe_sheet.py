"""A contact sheet of the choices of `stylize-keyframe` on one pair, with figures; a row of `VARIANTS` is a picture."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from benchmarks.keyframe_recipes import Pair
from training.backbone_choice import choose_backbone
from training.likeness import measure_likeness

CELL_HEIGHT_PX, LABEL_PX, LABEL_SIZE_PX, GAP_PX = 288, 44, 15, 10
COLUMNS = 4
# Weight of total variation at which noise goes and strokes stay.
TOTAL_VARIATION = 1.0
NOISE_SEED = 1


@dataclasses.dataclass(frozen=True, slots=True)
class Variant:
    """A picture of the sheet: settings that differ from the defaults, the backbone, and the row it is compared with.

    `disturbed` starts from the content with noise of one grey level: how far apart two runs end that begin alike.
    """

    name: str
    settings: dict[str, Any]
    backbone: str | None = None
    total_variation: float = 0.0
    disturbed: bool = False
    compared_with: str | None = None


EXACT = "L-BFGS, fp32"
VARIANTS = (
    Variant(EXACT, {"precision": "fp32"}),
    Variant("L-BFGS, bf16", {"precision": "bf16"}, compared_with=EXACT),
    Variant("L-BFGS, fp32, start disturbed", {"precision": "fp32"}, disturbed=True, compared_with=EXACT),
    Variant("Adam", {"method": "adam"}),
    Variant("from noise", {"start": "noise"}),
    Variant("total variation", {}, total_variation=TOTAL_VARIATION),
    Variant("average pooling", {"pooling": "average"}),
)


def sheet_report(
    pair: Pair, iterations: int, output: Path, *, variants: Sequence[Variant] = VARIANTS
) -> dict[str, Any]:
    """Paint every variant, save the sheet as `output`, and return the rows of figures by name."""
    pictures: dict[str, Image.Image] = {}
    rows: dict[str, dict[str, Any]] = {}
    for variant in variants:
        started_s = time.perf_counter()
        pictures[variant.name] = _paint(pair, variant, iterations)
        seconds = time.perf_counter() - started_s
        likeness = measure_likeness(
            pictures[variant.name], pair.content, [(pair.style, 1.0)], style_size_px=pair.size_px, vgg=pair.vgg
        )
        psnr = None
        if variant.compared_with is not None:
            psnr = psnr_db(pictures[variant.name], pictures[variant.compared_with])
        rows[variant.name] = {
            **dataclasses.asdict(likeness),
            "objective": pair.judge(pictures[variant.name])["total"],
            "psnr_db": psnr,
            "compared_with": variant.compared_with,
            "seconds": seconds,
        }
        print(f"{variant.name}: {rows[variant.name]}", flush=True)
    _contact_sheet({"content": pair.content, **pictures}, rows).save(output)
    return {"iterations": iterations, "rows": rows}


def sheet_table(report: dict[str, Any]) -> str:
    lines = ["| picture | objective | content | style | SSIM | PSNR, dB | seconds |", "|---|---|---|---|---|---|---|"]
    for name, row in report["rows"].items():
        psnr = "" if row["psnr_db"] is None else f"{row['psnr_db']:.1f} ({row['compared_with']})"
        lines.append(
            f"| {name} | {row['objective']:.4f} | {row['content_loss']:.4f} | {row['style_loss']:.5f} | "
            f"{row['ssim']:.3f} | {psnr} | {row['seconds']:.1f} |"
        )
    return "\n".join([*lines, ""])


def psnr_db(picture: Image.Image, other: Image.Image) -> float:
    """Return the peak signal-to-noise ratio of two pictures of one size; infinite for equal ones."""
    difference = np.asarray(picture, dtype=np.float64) - np.asarray(other, dtype=np.float64)
    error = float(np.square(difference).mean())
    return 10 * float(np.log10(255**2 / error)) if error else float("inf")


def _paint(pair: Pair, variant: Variant, iterations: int) -> Image.Image:
    weights = dataclasses.replace(pair.weights, total_variation=variant.total_variation)
    backbone = None
    if variant.backbone is not None:
        choice = choose_backbone(variant.backbone)
        weights = dataclasses.replace(
            weights, content_layers={choice.layers.content: 1.0}, style_layers=dict.fromkeys(choice.layers.style, 1.0)
        )
        backbone = choice.open(weights.layers)
    keyframe = pair.keyframe(
        iterations,
        backbone=backbone,
        start_picture=_disturbed(pair.content) if variant.disturbed else None,
        **{"weights": weights, **variant.settings},
    )
    for _ in keyframe.run():
        pass
    return keyframe.best_picture()


def _disturbed(picture: Image.Image) -> Image.Image:
    levels = np.asarray(picture).astype(np.int16)
    noise = np.random.default_rng(NOISE_SEED).integers(-1, 2, levels.shape)
    return Image.fromarray((levels + noise).clip(0, 255).astype(np.uint8))


def _contact_sheet(pictures: dict[str, Image.Image], rows: dict[str, dict[str, Any]]) -> Image.Image:
    cells = [
        (name, picture.resize((round(picture.width * CELL_HEIGHT_PX / picture.height), CELL_HEIGHT_PX)))
        for name, picture in pictures.items()
    ]
    lines = [cells[first : first + COLUMNS] for first in range(0, len(cells), COLUMNS)]
    width = max(sum(picture.width + GAP_PX for _, picture in line) - GAP_PX for line in lines)
    sheet = Image.new("RGB", (width, len(lines) * (CELL_HEIGHT_PX + LABEL_PX)), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(LABEL_SIZE_PX)
    for number, line in enumerate(lines):
        left, top = 0, number * (CELL_HEIGHT_PX + LABEL_PX)
        for name, picture in line:
            sheet.paste(picture, (left, top))
            row = rows.get(name)
            figures = f"\ncontent {row['content_loss']:.3f}, style {row['style_loss']:.4f}" if row else ""
            draw.text((left, top + CELL_HEIGHT_PX + 2), name + figures, fill="black", font=font)
            left += picture.width + GAP_PX
    return sheet
