"""How much less than a baseline a style flickers, frame by frame and without smoothing: the network's own merit."""

import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from realtime.catalogue import Style, read_model
from realtime.engine import Engine, open_engine
from realtime.stylizer import Stylizer
from realtime.temporal_metric import TemporalMeter, flicker_removed
from training.photograph import PICTURE_SUFFIXES, load_picture


def temporal_report(style: Style, sequences: Path, *, baseline: Path | None, frames_max: int) -> list[dict[str, Any]]:
    """Return a row a sequence: E_warp of the input (floor), of the baseline (ceiling) and of the style.

    Without a baseline there is no ceiling and no share of flicker removed.
    """
    stylizers = [Stylizer(_engine(read_model(style)))]
    if baseline is not None:
        stylizers.append(Stylizer(_engine(baseline.read_bytes())))
    rows = []
    for folder in sequence_folders(sequences):
        meter = TemporalMeter(len(stylizers))
        for path in frame_paths(folder)[:frames_max]:
            frame = np.array(load_picture(path))
            meter.add(frame, [stylizer.stylize(frame).stylized for stylizer in stylizers])
        ours = meter.outputs[0]
        row: dict[str, Any] = {
            "style": style.name,
            "sequence": folder.name,
            "frames": meter.frames,
            "floor": meter.source.warping_error,
            "ours": ours.warping_error,
        }
        if baseline is not None:
            ceiling = meter.outputs[1]
            row |= {
                "baseline": baseline.stem,
                "ceiling": ceiling.warping_error,
                "removed": flicker_removed(floor=row["floor"], ceiling=ceiling.warping_error, ours=ours.warping_error),
                "sharpness_share": ours.sharpness / ceiling.sharpness if ceiling.sharpness else math.nan,
            }
        rows.append(row)
    return rows


def temporal_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the rows as Markdown; E_warp in units of 10^-4, then the mean of what is removed."""
    lines = [
        "| style | sequence | E_warp input | baseline | style | flicker removed | sharpness of the baseline's |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        removed, sharpness = row.get("removed"), row.get("sharpness_share")
        lines.append(
            f"| {row['style']} | {row['sequence']} | {_tenthousandths(row['floor'])} "
            f"| {_tenthousandths(row.get('ceiling'))} | {_tenthousandths(row['ours'])} "
            f"| {_percent(removed)} | {_percent(sharpness)} |"
        )
    known = [row["removed"] for row in rows if row.get("removed") is not None]
    mean = f"Flicker removed, mean of the sequences' shares: {_percent(statistics.fmean(known))}. " if known else ""
    return "\n".join([*lines, "", f"{mean}E_warp in 10^-4 of the squared range, frame by frame, without smoothing.\n"])


def _engine(model: bytes) -> Engine:
    return open_engine(model, engine="onnxruntime", device="cpu")


def sequence_folders(root: Path) -> list[Path]:
    """Return the folders at or below `root` that hold at least two frames. Raises FileNotFoundError if none does."""
    folders = [
        folder for folder in sorted([root, *root.rglob("*")]) if folder.is_dir() and len(frame_paths(folder)) > 1
    ]
    if not folders:
        raise FileNotFoundError(f"no folder of frames below {root}")
    return folders


def frame_paths(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PICTURE_SUFFIXES)


def _tenthousandths(value: float | None) -> str:
    return f"{1e4 * value:.1f}" if value is not None else ""


def _percent(value: float | None) -> str:
    return f"{100 * value:.0f} %" if value is not None else ""
