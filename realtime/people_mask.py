"""Paints people only, or only what is behind them: a small network that comes with the styles finds them."""

import json
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from .catalogue import WEIGHTS_FOLDER, Style
from .engine import Engine, open_style
from .errors import StyleError
from .finish import local_regression
from .graph import PEOPLE
from .input_motion import Look
from .settings import PEOPLE_ONLY, Controls
from .video_info import VideoInfo, turned_as_stored, upright

CARD = WEIGHTS_FOLDER / "people" / "people.json"
# The network sees about so many pixels, the shape of a frame kept; sides are multiples of what it halves.
SEEN_PX = 170 * 96
SIDE_STEP_PX = 16
# Masks are drawn along the edges of the frame at this short side, and enlarged from there.
EDGES_PX = 270
# Of the guided filter (He et al. 2013): its window, and the variance of luminance (grey levels squared) of an edge.
WINDOW_PX = 9
EDGE_VARIANCE = 60.0
# What is so near to 0 or 1 counts as that: neither shines through the other, nor does what the network is unsure of.
NEARLY = 0.25
# So much of a mask is that of the frame before where the frame has not changed, and nothing where it has by so many
# levels.
MEMORY = 0.75
CHANGE_MAX = 14.0


def open_people_network() -> Engine:
    """Open the network that finds people; its files are verified as those of styles are.

    It runs on the processor whatever runs the style: it is small, and masks are mixed there.

    Raises:
        StyleError: it is missing or damaged.
        EngineError: no engine can be used here.
    """
    return open_style(described_network(), device="cpu", contract=PEOPLE)


def described_network() -> Style:
    """Return the network as its card describes it, to be read like a style.

    Raises:
        StyleError: the card is missing or damaged.
    """
    try:
        card = json.loads(CARD.read_text(encoding="utf-8"))
        path = CARD.with_name(card["file"])
        network = Style("people", card["title"], path, card["sha256"], card["size_bytes"], card)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise StyleError(f"the network that finds people cannot be read ({error}); reinstall stylecast") from error
    return network


@dataclass(frozen=True, slots=True)
class Found:
    """What the network saw of a frame, (h, w, 3) uint8, and its mask, (h, w) float32 0..255: 255 is a person."""

    seen: NDArray[np.uint8]
    mask: NDArray[np.float32]


class PeopleMask:
    """Mixes painted pictures with their frames: people are painted, or what is behind them.

    `info` tells how frames of a file are to be turned, and the shape of their pixels. Where a frame has not changed,
    the mask of the one before has its part in it; what is to be hidden is hidden at once, and what is not, later.
    """

    def __init__(self, network: Engine, info: VideoInfo | None = None) -> None:
        self._network = network
        self._info = info
        self._last: Found | None = None

    def find(self, frame: NDArray[np.uint8]) -> Found:
        """Find people in a frame (H, W, 3), by itself; any thread may call it.

        Raises:
            StyleError: the network cannot be run.
        """
        info = self._info
        pixel_aspect = float(info.sample_aspect_ratio or 1) if info is not None else 1.0
        seen = as_seen(frame, pixel_aspect=pixel_aspect)
        if info is None:
            return Found(seen, self._network.infer(seen)[..., 0].astype(np.float32))
        mask = turned_as_stored(self._network.infer(upright(seen, info))[..., 0], info)
        return Found(seen, mask.astype(np.float32))

    def mix(
        self, frame: NDArray[np.uint8], painted: NDArray[np.uint8], found: Found, look: Look, controls: Controls
    ) -> NDArray[np.uint8]:
        """Return a new picture, (H, W, 3) as both are, painted where `controls` want it; frames come in order."""
        paints_people = controls.paint == PEOPLE_ONLY
        inside = along_edges(self._steadied(found, look, paints_people=paints_people), frame)
        outside = 1 - inside
        weights = (inside, outside) if paints_people else (outside, inside)
        return np.asarray(cv2.blendLinear(painted, frame, *weights), dtype=np.uint8)

    def _steadied(self, found: Found, look: Look, *, paints_people: bool) -> NDArray[np.float32]:
        last, mask = self._last, found.mask
        if last is not None and look.motion is not None and last.mask.shape == mask.shape:
            change = cv2.blur(np.asarray(cv2.absdiff(found.seen, last.seen), dtype=np.float32).mean(axis=2), (5, 5))
            kept = MEMORY * np.maximum(0, 1 - change / np.float32(CHANGE_MAX))
            steady = mask + kept * (last.mask - mask)
            mask = np.maximum(mask, steady) if paints_people else np.minimum(mask, steady)
        self._last = Found(found.seen, mask)
        return mask


def seen_size(size: tuple[float, float]) -> tuple[int, int]:
    """Return the width and height at which the network sees a frame of `size`, in square pixels."""
    scale = (SEEN_PX / (size[0] * size[1])) ** 0.5
    width, height = (max(1, round(side * scale / SIDE_STEP_PX)) * SIDE_STEP_PX for side in size)
    return width, height


def as_seen(frame: NDArray[np.uint8], *, pixel_aspect: float = 1.0) -> NDArray[np.uint8]:
    """Return what the network sees of a frame (H, W, 3), uint8 RGB, whose pixels are `pixel_aspect` as wide as high."""
    size = seen_size((frame.shape[1] * pixel_aspect, frame.shape[0]))
    return np.asarray(cv2.resize(frame, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


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
    slope, mean_guide, mean_wanted = local_regression(guide, wanted, window_px=WINDOW_PX, flat_variance=EDGE_VARIANCE)
    offset = mean_wanted - slope * mean_guide
    # The levels 255 * NEARLY and 255 * (1 - NEARLY) become 0 and 1.
    gain = 1 / (255 * (1 - 2 * NEARLY))
    levels, offsets = (
        np.asarray(
            cv2.resize(cv2.blur(each, (WINDOW_PX, WINDOW_PX)), size, interpolation=cv2.INTER_LINEAR), dtype=np.float32
        )
        for each in (slope * np.float32(gain), offset * np.float32(gain) - np.float32(255 * NEARLY * gain))
    )
    # In place: a photograph of 40 megapixels takes 160 MB for each of these.
    levels *= grey
    levels += offsets
    return np.clip(levels, 0, 1, out=levels)
