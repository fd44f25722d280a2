"""Watch what the smoother does in a job: the cuts it saw, and, where asked for, how much flicker it removed.

Called in the thread "smooth" with pictures at inference size, before colours and enlargement (and before strength,
where the network does not apply it itself): measured is the smoother, and nothing else.
"""

from dataclasses import dataclass
from fractions import Fraction
from math import isnan
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .frame import Frame
from .meters import StageMeter
from .smoother import FlowSmoother
from .temporal_metric import Series, TemporalMeter, flicker_removed

_UNSMOOTHED, _SMOOTHED = 0, 1


@dataclass(frozen=True, slots=True)
class CutSeen:
    """The first frame of a new scene: its number from 0 and its time in the output."""

    frame: int
    time_s: Fraction


class SmoothingWatch:
    """Hears every frame; `cuts` are those that `smoother` saw, none at smoothing 0."""

    def __init__(self, smoother: FlowSmoother, *, measure: bool) -> None:
        self.cuts: list[CutSeen] = []
        self.meter = StageMeter("measure")
        self._smoother = smoother
        self._temporal = TemporalMeter(2) if measure else None
        self._size = (0, 0)

    def see(self, frame: Frame, stylized: NDArray[np.uint8], smoothed: NDArray[np.uint8]) -> None:
        if self._smoother.cuts > len(self.cuts):
            self.cuts.append(CutSeen(frame.index, frame.pts_s))
        if self._temporal is None:
            return
        with self.meter.measure():
            self._size = (stylized.shape[1], stylized.shape[0])
            rgb = frame.rgb
            if rgb.shape != stylized.shape:
                rgb = np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
            self._temporal.add(rgb, [stylized, smoothed])

    def coherence(self) -> "JobCoherence | None":
        """Return what was measured; None if nothing was to be."""
        if self._temporal is None:
            return None
        return JobCoherence(
            size=self._size,
            source=self._temporal.source,
            unsmoothed=self._temporal.outputs[_UNSMOOTHED],
            smoothed=self._temporal.outputs[_SMOOTHED],
            cuts=tuple(self._temporal.cuts),
        )


@dataclass(frozen=True, slots=True)
class JobCoherence:
    """What a job did to the flicker; `size` is (width, height), `cuts` the frames left out as beginning a scene."""

    size: tuple[int, int]
    source: Series
    unsmoothed: Series
    smoothed: Series
    cuts: tuple[int, ...]

    @property
    def flicker_removed(self) -> float | None:
        return flicker_removed(
            floor=self.source.warping_error,
            ceiling=self.unsmoothed.warping_error,
            ours=self.smoothed.warping_error,
        )

    def lines(self) -> dict[str, list[float]]:
        """Return the E_warp of every pair."""
        named = {"input (floor)": self.source, "unsmoothed (ceiling)": self.unsmoothed, "smoothed": self.smoothed}
        return {name: series.warping_errors for name, series in named.items()}

    def as_json(self) -> dict[str, Any]:
        """Return the figures without their course over time; null where a video is too short or small for them."""
        outputs = {"unsmoothed": self.unsmoothed, "smoothed": self.smoothed}
        return {
            "size": f"{self.size[0]}x{self.size[1]}",
            "pairs": sum(not isnan(error) for error in self.source.warping_errors),
            "cuts": list(self.cuts),
            "warping_error": {
                "floor": json_number(self.source.warping_error),
                "ceiling": json_number(self.unsmoothed.warping_error),
                "ours": json_number(self.smoothed.warping_error),
            },
            "flicker_removed": json_number(self.flicker_removed),
            "frame_difference": {name: json_number(series.frame_difference) for name, series in outputs.items()},
            "sharpness": {name: json_number(series.sharpness) for name, series in outputs.items()},
        }


def json_number(value: float | None) -> float | None:
    """Return `value` at six significant digits, None where it is unknown: JSON has no NaN."""
    return None if value is None or isnan(value) else float(f"{value:.6g}")
