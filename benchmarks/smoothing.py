"""Trade flicker against sharpness: no smoothing, a plain running average along the flow, and what the product does,
also with `--shifts`.

    python -m benchmarks.smoothing SEQUENCES --style NAME|FILE.onnx [--baseline FILE.onnx] [--frames 12]

SEQUENCES is a folder of folders of frames. Prints Markdown, one row a variant. The ceiling of the flicker is the
baseline frame by frame, or the style itself without one; sharpness is relative to the style frame by frame.
"""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from statistics import fmean

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.temporal_quality import frame_paths, sequence_folders
from realtime.catalogue import read_model, resolve_style
from realtime.engine import Engine, open_engine
from realtime.input_motion import Look, MotionTracker
from realtime.noise_filter import NoiseFilter
from realtime.settings import SHIFT_COUNTS, Controls
from realtime.smoother import FlowSmoother
from realtime.stylizer import Stylizer
from realtime.temporal_metric import TemporalMeter, flicker_removed
from training.photograph import load_picture

Picture = NDArray[np.uint8]
Smooth = Callable[[Look, Picture], Picture]

PLAIN_WEIGHTS = (0.15, 0.3, 0.5, 0.7, 0.85)
SMOOTHINGS = (0.3, 0.5, 0.7, 0.8, 0.9, 1.0)
# With the default smoothing and without.
SHIFTED_SMOOTHINGS = (0.0, Controls().smoothing)
FRAME_S = Fraction(1, 25)


@dataclass(frozen=True, slots=True)
class Variant:
    """A way to smooth; `make` begins anew for each sequence.

    With `less_noise` the network sees filtered frames, each `shifts` times.
    """

    name: str
    make: Callable[[], Smooth]
    less_noise: bool = False
    shifts: int = 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("sequences", type=Path)
    parser.add_argument("--style", required=True, metavar="NAME|FILE.onnx")
    parser.add_argument("--baseline", metavar="FILE.onnx", help="style whose flicker is the ceiling [--style]")
    parser.add_argument("--size", default="640x360", help="WIDTHxHEIGHT of the frames [%(default)s]")
    parser.add_argument("--frames", type=int, default=12, help="of each sequence [%(default)s]")
    options = parser.parse_args()
    width, height = (int(side) for side in options.size.split("x"))
    engine = _engine(options.style)
    styles = {shifts: Stylizer(engine, shifts=shifts) for shifts in SHIFT_COUNTS}
    baseline = Stylizer(_engine(options.baseline)) if options.baseline else styles[1]
    variants = _variants()
    removed: list[list[float]] = [[] for _ in variants]
    sharpness: list[list[float]] = [[] for _ in variants]
    for folder in sequence_folders(options.sequences):
        paths = frame_paths(folder)[: options.frames]
        pictures = (np.array(load_picture(path)) for path in paths)
        resized = (cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA) for picture in pictures)
        frames = [np.asarray(picture, dtype=np.uint8) for picture in resized]
        meter = _measure(frames, styles, baseline, variants)
        unsmoothed, ceiling = meter.outputs[0], meter.outputs[-1]
        for row, output in enumerate(meter.outputs[:-1]):
            share = flicker_removed(
                floor=meter.source.warping_error, ceiling=ceiling.warping_error, ours=output.warping_error
            )
            if share is not None:
                removed[row].append(share)
                sharpness[row].append(output.sharpness / unsmoothed.sharpness)
    print(_table(variants, removed, sharpness))


class PlainAverage:
    """A running average, carried bilinearly along the smoother's flow, without any doubt about it."""

    def __init__(self, weight: float) -> None:
        self._weight = weight
        self._past: NDArray[np.float32] | None = None

    def smooth(self, look: Look, stylized: Picture) -> Picture:
        height, width = stylized.shape[:2]
        average = stylized.astype(np.float32)
        if self._past is not None and look.motion is not None:
            full = cv2.resize(look.motion.flow, (width, height)) * np.float32(width / look.motion.grey.shape[1])
            how = cv2.INTER_LINEAR | cv2.WARP_RELATIVE_MAP
            carried = cv2.remap(self._past, full, None, how, borderMode=cv2.BORDER_REPLICATE)  # type: ignore[call-overload]
            average += np.float32(self._weight) * (carried - average)
        self._past = average
        return np.rint(average).astype(np.uint8)


def _variants() -> list[Variant]:
    def smoother(smoothing: float) -> Smooth:
        ours = FlowSmoother()
        return lambda look, stylized: ours.smooth(look, stylized, smoothing=smoothing)

    return [
        Variant("none", lambda: lambda look, stylized: stylized),
        *(Variant(f"plain average {w}", lambda w=w: PlainAverage(w).smooth) for w in PLAIN_WEIGHTS),  # type: ignore[misc]
        *(Variant(f"--smoothing {s}", lambda s=s: smoother(s), less_noise=True) for s in SMOOTHINGS),  # type: ignore[misc]
        *(
            Variant(f"--smoothing {s} --shifts {n}", lambda s=s: smoother(s), less_noise=s > 0, shifts=n)  # type: ignore[misc]
            for n in SHIFT_COUNTS[1:]
            for s in SHIFTED_SMOOTHINGS
        ),
    ]


def _measure(
    frames: Sequence[Picture], styles: Mapping[int, Stylizer], baseline: Stylizer, variants: Sequence[Variant]
) -> TemporalMeter:
    """Return the meter of all variants, the first of which is unsmoothed, and of the baseline as the last output."""
    meter = TemporalMeter(len(variants) + 1)
    smoothers = [variant.make() for variant in variants]
    motion, noise = MotionTracker(), NoiseFilter()
    for number, frame in enumerate(frames):
        look = motion.look(frame, number * FRAME_S)
        filtered, filtered_look = noise.filter(frame, look)
        seen = {False: (frame, look), True: (filtered, filtered_look)}
        made = {
            (shifts, less_noise): styles[shifts].stylize(seen[less_noise][0]).stylized
            for shifts, less_noise in {(variant.shifts, variant.less_noise) for variant in variants}
        }
        ceiling = made[1, False] if baseline is styles[1] else baseline.stylize(frame).stylized
        smoothed = [
            smooth(seen[variant.less_noise][1], made[variant.shifts, variant.less_noise])
            for variant, smooth in zip(variants, smoothers, strict=True)
        ]
        meter.add(frame, [*smoothed, ceiling])
    return meter


def _table(variants: Sequence[Variant], removed: list[list[float]], sharpness: list[list[float]]) -> str:
    lines = ["| variant | flicker removed | least | sharpness | least |", "|---|---|---|---|---|"]
    for variant, shares, sharp in zip(variants, removed, sharpness, strict=True):
        figures = (fmean(shares), min(shares), fmean(sharp), min(sharp))
        lines.append(f"| {variant.name} | " + " | ".join(f"{100 * figure:.0f} %" for figure in figures) + " |")
    return "\n".join(lines)


def _engine(style: str) -> Engine:
    return open_engine(read_model(resolve_style(style)), engine="onnxruntime", device="cpu")


if __name__ == "__main__":
    main()
