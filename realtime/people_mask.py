"""Paints people only, or only what is behind them: a small network that comes with the styles finds them."""

import json
from dataclasses import dataclass
from fractions import Fraction

import cv2
import numpy as np
from numpy.typing import NDArray

from .catalogue import WEIGHTS_FOLDER, Style
from .engine import Engine, open_style
from .errors import StyleError
from .graph import PEOPLE
from .settings import PEOPLE_ONLY, Controls

CARD = WEIGHTS_FOLDER / "people" / "people.json"
# The network sees about so many pixels, the shape of a frame kept; sides are multiples of what it halves.
SEEN_PX = 170 * 96
SIDE_STEP_PX = 16
# Masks are drawn along the edges of the frame at this short side, and enlarged from there.
EDGES_PX = 270
# Of the guided filter (He et al. 2013): its window, and the variance of luminance (grey levels squared) of an edge.
WINDOW_PX = 13
EDGE_VARIANCE = 60.0
# What is so near to 0 or 1 counts as that: neither shines through the other.
NEARLY = 0.08
# So much of a mask is that of the frame before where the frame has not changed, and nothing where it has by so many
# levels.
MEMORY = 0.75
CHANGE_MAX = 14.0
# A scene that begins has nothing of the last: so many levels of mean change.
CUT_CHANGE = 25.0
GAP_MAX_S = Fraction(1)


def open_people_network(*, engine: str = "auto", device: str = "auto") -> Engine:
    """Open the network that finds people; its files are verified as those of styles are.

    Raises:
        StyleError: it is missing or damaged.
        UsageError, EngineError: the engine or device asked for cannot be used here.
    """
    try:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        path = CARD.with_name(card["file"])
        network = Style("people", card["title"], path, card["sha256"], card["size_bytes"], card)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StyleError(f"the network that finds people cannot be read ({error}); reinstall stylecast") from error
    return open_style(network, engine=engine, device=device, contract=PEOPLE)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the network saw of a frame, and its mask with what came from those before, float32 0..255."""

    rgb: NDArray[np.uint8]
    mask: NDArray[np.float32]
    time_s: Fraction


class PeopleMask:
    """Mixes painted pictures with their frames, in order of time: people are painted, or what is behind them.

    With temporal smoothing, what `network` finds is smoothed over time where the frame does not change.
    """

    def __init__(self, network: Engine) -> None:
        self._network = network
        self._last: _Seen | None = None

    def mix(
        self, frame: NDArray[np.uint8], painted: NDArray[np.uint8], controls: Controls, *, time_s: Fraction
    ) -> NDArray[np.uint8]:
        """Return a new picture, (H, W, 3) as both are, painted where `controls` want it.

        Raises:
            StyleError: the network cannot be run.
        """
        size = (frame.shape[1], frame.shape[0])
        seen = np.asarray(cv2.resize(frame, seen_size(size), interpolation=cv2.INTER_AREA), dtype=np.uint8)
        mask = self._network.infer(seen)[..., 0].astype(np.float32)
        mask = self._steadied(seen, mask, time_s, is_smoothed=controls.smoothing > 0)
        inside = along_edges(mask, frame)
        outside = 1 - inside
        weights = (inside, outside) if controls.paint == PEOPLE_ONLY else (outside, inside)
        return np.asarray(cv2.blendLinear(painted, frame, *weights), dtype=np.uint8)

    def _steadied(
        self, seen: NDArray[np.uint8], mask: NDArray[np.float32], time_s: Fraction, *, is_smoothed: bool
    ) -> NDArray[np.float32]:
        last = self._last
        follows = last is not None and last.mask.shape == mask.shape and 0 < time_s - last.time_s <= GAP_MAX_S
        if is_smoothed and last is not None and follows:
            change = cv2.blur(np.asarray(cv2.absdiff(seen, last.rgb), dtype=np.float32).mean(axis=2), (5, 5))
            if change.mean() < CUT_CHANGE:
                kept = MEMORY * np.maximum(0, 1 - change / np.float32(CHANGE_MAX))
                mask = mask + kept * (last.mask - mask)
        self._last = _Seen(seen, mask, time_s)
        return mask


def seen_size(size: tuple[int, int]) -> tuple[int, int]:
    """Return the width and height at which the network sees a frame of `size`."""
    scale = (SEEN_PX / (size[0] * size[1])) ** 0.5
    width, height = (max(1, round(side * scale / SIDE_STEP_PX)) * SIDE_STEP_PX for side in size)
    return width, height


def along_edges(mask: NDArray[np.float32], frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return a small mask, 0..255, at the size of `frame` and along its edges, (H, W) float32 in 0..1.

    The guided filter (He et al. 2013) in its fast version (2015): q = up(a) I + up(b), I the luminance of the frame.
    """
    size = (frame.shape[1], frame.shape[0])
    shrink = max(1.0, min(size) / EDGES_PX)
    small_size = (max(1, round(size[0] / shrink)), max(1, round(size[1] / shrink)))
    grey = cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY)
    guide = np.asarray(cv2.resize(grey, small_size, interpolation=cv2.INTER_AREA), dtype=np.float32)
    wanted = np.asarray(cv2.resize(mask, small_size, interpolation=cv2.INTER_LINEAR), dtype=np.float32)
    window = (WINDOW_PX, WINDOW_PX)
    mean_guide, mean_wanted = cv2.blur(guide, window), cv2.blur(wanted, window)
    covariance = cv2.blur(guide * wanted, window) - mean_guide * mean_wanted
    variance = cv2.blur(guide * guide, window) - mean_guide * mean_guide
    slope = covariance / (variance + EDGE_VARIANCE)
    offset = mean_wanted - slope * mean_guide
    slopes, offsets = (
        cv2.resize(cv2.blur(each, window), size, interpolation=cv2.INTER_LINEAR) for each in (slope, offset)
    )
    levels = slopes * grey + offsets
    gain = np.float32(1 / (255 * (1 - 2 * NEARLY)))
    return np.asarray(np.clip(levels * gain - np.float32(NEARLY / (1 - 2 * NEARLY)), 0, 1), dtype=np.float32)
