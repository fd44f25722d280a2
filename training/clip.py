"""Pairs of video frames with the flow between them, so that coherence is trained on true motion too."""

import re
from contextlib import suppress
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from training.motion import warp
from training.photograph import list_pictures, load_picture, to_tensor
from training.readable import ReadableFiles, UnreadableFileError

# A pixel whose colour differs by more than this (mean over RGB in [0, 1]) from where its flow points is hidden there.
# Sintel and FlyingChairs come with flow in one direction only, so that the usual check forth and back is not possible.
HIDDEN_DIFFERENCE = 0.1
# Flow from 1e9 on means that it is not known.
_UNKNOWN_FLOW = 1e10


@dataclass(frozen=True, slots=True)
class _FramePair:
    first: Path
    second: Path
    flow: Path


class ClipPairs:
    """Serve crops of frame pairs: NAME.flo beside NAME.png is the flow to the next picture of its folder.

    Flow files are Middlebury's (.flo): float32 pixels (x, y). A pair that cannot be read is replaced by another
    (`ReadableFiles`).

    Raises:
        ValueError: there is no such pair, or a frame is smaller than the crop.
    """

    def __init__(self, folder: Path, *, side_px: int) -> None:
        self._side_px = side_px
        self._pairs = [pair for directory in _directories(folder) for pair in _pairs_of(directory)]
        if not self._pairs:
            raise ValueError(f"no frame pairs below {folder}: expected NAME.flo beside NAME.png and a next picture")
        for pair in self._pairs:
            self._require_crop(pair.first, _size_told(pair.first))
        self._readable = ReadableFiles(len(self._pairs))

    @property
    def files(self) -> list[Path]:
        """The first frame of each pair, and its flow."""
        return [path for pair in self._pairs for path in (pair.first, pair.flow)]

    def draw(self, random: np.random.Generator) -> dict[str, Tensor]:
        """Return the crop of a random pair as an item of a step.

        `photograph` is the second frame, `moved` the first one: first(p) = second(p + flow(p)) where `valid` is 1.
        """
        return self._readable.draw(random, lambda number: self._crop(self._pairs[number], random))[1]

    def _require_crop(self, path: Path, size: tuple[int, int] | None) -> None:
        if size is not None and min(size) < self._side_px:
            raise UnreadableFileError(
                f"{path} is {size[0]}x{size[1]} but must be at least the crop, {self._side_px} px"
            )

    def _crop(self, pair: _FramePair, random: np.random.Generator) -> dict[str, Tensor]:
        first, second = (to_tensor(load_picture(path)) for path in (pair.first, pair.second))
        flow = torch.from_numpy(_read_flow(pair.flow)).permute(2, 0, 1)  # (2, H, W)
        height, width = first.shape[1:]
        if second.shape != first.shape or flow.shape[1:] != first.shape[1:]:
            raise UnreadableFileError(
                f"{pair.flow}: flow {tuple(flow.shape)} and frames {tuple(first.shape)} differ in size"
            )
        self._require_crop(pair.first, (width, height))
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
    frames = sorted((path for path in list_pictures(directory) if path.parent == directory), key=_by_number)
    return [
        _FramePair(first, second, first.with_suffix(".flo"))
        for first, second in pairwise(frames)
        if first.with_suffix(".flo").exists()
    ]


def _by_number(path: Path) -> list[str | int]:
    """Return what sorts frame_2 before frame_10."""
    return [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", path.name)]


def _size_told(path: Path) -> tuple[int, int] | None:
    """Return width and height as the header of a picture tells them, None where it cannot be read."""
    with suppress(OSError, ValueError), Image.open(path) as opened:
        return opened.size
    return None


def _read_flow(path: Path) -> np.ndarray:
    try:
        flow = cv2.readOpticalFlow(str(path))
    except cv2.error as error:
        raise UnreadableFileError(f"{path} is no Middlebury flow file: {error.err}") from error
    if flow is None or flow.size == 0:
        raise UnreadableFileError(f"{path} is no Middlebury flow file")
    return np.nan_to_num(flow, nan=_UNKNOWN_FLOW, posinf=_UNKNOWN_FLOW, neginf=-_UNKNOWN_FLOW)
