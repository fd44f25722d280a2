"""Pairs of video frames with the flow between them, so that coherence is trained on true motion too."""

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from torch import Tensor

from training.motion import warp
from training.photograph import list_pictures, load_picture, to_tensor

# A pixel whose colour differs by more than this (mean over RGB in [0, 1]) from where its flow points is hidden there.
# Sintel and FlyingChairs come with flow in one direction only, so that the usual check forth and back is not possible.
HIDDEN_DIFFERENCE = 0.1


@dataclass(frozen=True, slots=True)
class _FramePair:
    first: Path
    second: Path
    flow: Path


class ClipPairs:
    """Serve crops of frame pairs: NAME.flo beside NAME.png is the flow to the next picture of its folder.

    Flow files are Middlebury's (.flo): float32 pixels (x, y).

    Raises:
        ValueError: there is no such pair, or a frame is smaller than the crop.
    """

    def __init__(self, folder: Path, *, side_px: int) -> None:
        self._side_px = side_px
        self._pairs = [pair for directory in _directories(folder) for pair in _pairs_of(directory)]
        if not self._pairs:
            raise ValueError(f"no frame pairs below {folder}: expected NAME.flo beside NAME.png and a next picture")

    def draw(self, random: np.random.Generator) -> dict[str, Tensor]:
        """Return the crop of a random pair as an item of a step.

        `photograph` is the second frame, `moved` the first one: first(p) = second(p + flow(p)) where `valid` is 1.
        """
        pair = self._pairs[int(random.integers(len(self._pairs)))]
        first, second = (to_tensor(load_picture(path)) for path in (pair.first, pair.second))
        flow = torch.from_numpy(_read_flow(pair.flow)).permute(2, 0, 1)  # (2, H, W)
        height, width = first.shape[1:]
        if second.shape != first.shape or flow.shape[1:] != first.shape[1:]:
            raise ValueError(f"{pair.flow}: flow {tuple(flow.shape)} and frames {tuple(first.shape)} differ in size")
        if min(height, width) < self._side_px:
            raise ValueError(f"{pair.first} is {width}x{height} but must be at least the crop, {self._side_px} px")
        top = int(random.integers(height - self._side_px + 1))
        left = int(random.integers(width - self._side_px + 1))
        rows, columns = slice(top, top + self._side_px), slice(left, left + self._side_px)
        first, second, flow = (plane[:, rows, columns].contiguous() for plane in (first, second, flow))
        arrived, inside = warp(second.unsqueeze(0), flow.unsqueeze(0))
        seen = (arrived[0] - first).abs().mean(dim=0, keepdim=True) < HIDDEN_DIFFERENCE
        return {"photograph": second, "moved": first, "flow": flow, "valid": inside[0] * seen}


def _directories(folder: Path) -> list[Path]:
    return sorted({path.parent for path in folder.rglob("*.flo")})


def _pairs_of(directory: Path) -> list[_FramePair]:
    frames = [path for path in list_pictures(directory) if path.parent == directory]
    return [
        _FramePair(first, second, first.with_suffix(".flo"))
        for first, second in pairwise(frames)
        if first.with_suffix(".flo").exists()
    ]


def _read_flow(path: Path) -> np.ndarray:
    try:
        flow = cv2.readOpticalFlow(str(path))
    except cv2.error as error:
        raise ValueError(f"{path} is no Middlebury flow file: {error.err}") from error
    if flow is None or flow.size == 0:
        raise ValueError(f"{path} is no Middlebury flow file")
    return flow
