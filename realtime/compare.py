"""Measure finished stylisations, whoever made them, against their input: E_warp, FDB, sharpness, flicker removed."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from math import isnan
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, UsageError
from .frame import Frame
from .motion import read_flow
from .smoothing_watch import json_number
from .temporal_metric import Series, TemporalMeter, flicker_removed
from .video_info import orientation, upright
from .video_source import VideoFileSource

FLOW_SUFFIX = ".flo"
FLOOR_NAME = "input"


@dataclass(frozen=True, slots=True)
class Comparison:
    """What was measured, at `size` (width, height). `unsmoothed` is the ceiling, where one was named."""

    input_path: Path
    size: tuple[int, int]
    frames: int
    cuts: tuple[int, ...]
    source: Series
    outputs: dict[Path, Series]
    unsmoothed: Path | None
    notes: tuple[str, ...]

    def flicker_removed(self, path: Path) -> float | None:
        """Return the share that `path` lacks of the flicker of the unsmoothed video; None without one, and for it."""
        if self.unsmoothed is None or path == self.unsmoothed:
            return None
        return flicker_removed(
            floor=self.source.warping_error,
            ceiling=self.outputs[self.unsmoothed].warping_error,
            ours=self.outputs[path].warping_error,
        )

    def lines(self) -> dict[str, list[float]]:
        """Return the E_warp of every pair by the name of its video."""
        file_names = {path.name for path in self.outputs}
        is_unique = len(file_names) == len(self.outputs)
        named = {path.name if is_unique else str(path): series.warping_errors for path, series in self.outputs.items()}
        return {f"{FLOOR_NAME} {self.input_path.name}": self.source.warping_errors, **named}

    def as_json(self) -> dict[str, Any]:
        def figures(series: Series) -> dict[str, Any]:
            return {
                "warping_error": json_number(series.warping_error),
                "frame_difference": json_number(series.frame_difference),
                "sharpness": json_number(series.sharpness),
            }

        return {
            "input": {"path": str(self.input_path), **figures(self.source)},
            "size": f"{self.size[0]}x{self.size[1]}",
            "frames": self.frames,
            "cuts": list(self.cuts),
            "outputs": [
                {
                    "path": str(path),
                    **figures(series),
                    "is_unsmoothed": path == self.unsmoothed,
                    "flicker_removed": json_number(self.flicker_removed(path)),
                }
                for path, series in self.outputs.items()
            ],
            "notes": list(self.notes),
        }

    def table(self) -> str:
        """Return the figures for people, one line for each video."""
        rows = [("video", "E_warp x1000", "FDB x1000", "sharpness x1000", "flicker removed")]
        rows.append((f"{FLOOR_NAME} {self.input_path}", *_cells(self.source), "-"))
        for path, series in self.outputs.items():
            removed = self.flicker_removed(path)
            name = f"{path} (unsmoothed)" if path == self.unsmoothed else str(path)
            rows.append((name, *_cells(series), f"{100 * removed:.1f} %" if removed is not None else "-"))
        widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
        return "\n".join(
            f"{row[0]:<{widths[0]}}  "
            + "  ".join(f"{cell:>{width}}" for cell, width in zip(row[1:], widths[1:], strict=True))
            for row in rows
        )


def compare(
    input_path: Path,
    outputs: list[Path],
    *,
    unsmoothed: Path | None,
    short_side_px: int | None = None,
    flow_folder: Path | None = None,
    on_frame: Callable[[int, int | None], None] = lambda frames, expected: None,
) -> Comparison:
    """Measure `outputs`, and `unsmoothed` if it is not among them, frame by frame against `input_path`.

    All are turned upright, and scaled to the input's size, or so that its short side is `short_side_px`. `flow_folder`
    holds one .flo file, in the order of their names, for every pair of frames. `on_frame` hears how many frames are
    done, and of how many.

    Raises:
        InputError: a file cannot be read, or the videos have different numbers of frames.
        UsageError: a video is given twice, or the flow does not go with the rest.
    """
    paths = [*outputs, *([unsmoothed] if unsmoothed is not None and unsmoothed not in outputs else [])]
    if len(set(paths)) < len(paths):
        raise UsageError(f"a video is given twice: {next(path for path in paths if paths.count(path) > 1)}")
    flows = _flow_files(flow_folder)
    meter = TemporalMeter(len(paths))
    with ExitStack() as stack:
        for path in (input_path, *paths):
            if not path.is_file():
                raise InputError(f"video not found: {path}")
        source, *others = (stack.enter_context(VideoFileSource(path)) for path in (input_path, *paths))
        size = _measured_size(source, short_side_px)
        notes = [
            f"{other.path} has {width}x{height} pixels and is scaled to {size[0]}x{size[1]}"
            for other in (source, *others)
            for width, height in (_upright_size(other),)
            if (width, height) != size
        ]
        expected = source.expected_frames()
        for frame, stylized in _side_by_side(source, others):
            flow = _flow_to(frame.index, flows, size) if flows is not None else None
            pictures = [
                _scaled(upright(each.rgb, video.info), size)
                for each, video in zip((frame, *stylized), (source, *others), strict=True)
            ]
            meter.add(pictures[0], pictures[1:], flow=flow)
            on_frame(meter.frames, expected)
    if flows is not None and len(flows) != meter.frames - 1:
        raise UsageError(
            f"--flow {flow_folder} has {len(flows)} files, but the video has {meter.frames - 1} pairs of frames"
        )
    return Comparison(
        input_path=input_path,
        size=size,
        frames=meter.frames,
        cuts=tuple(meter.cuts),
        source=meter.source,
        outputs=dict(zip(paths, meter.outputs, strict=True)),
        unsmoothed=unsmoothed,
        notes=tuple(notes),
    )


def _measured_size(source: VideoFileSource, short_side_px: int | None) -> tuple[int, int]:
    width, height = _upright_size(source)
    short = min(width, height)
    if short_side_px is None or short_side_px >= short:
        return width, height
    return round(width * short_side_px / short), round(height * short_side_px / short)


def _upright_size(source: VideoFileSource) -> tuple[int, int]:
    """Return width and height as a video is shown: of two files of one clip, one may be turned by its tag."""
    sides = source.info.width, source.info.height
    return sides[::-1] if orientation(source.info.display_matrix)[1] % 2 else sides


def _side_by_side(source: VideoFileSource, others: list[VideoFileSource]) -> Iterator[tuple[Frame, list[Frame]]]:
    """Yield the frames of all videos together.

    Raises:
        InputError: their numbers differ.
    """
    frames = 0
    for frame in source:
        following = [next(iter(other), None) for other in others]
        found = [item for item in following if item is not None]
        if len(found) < len(others):
            path = others[following.index(None)].path
            raise InputError(
                f"{path} ends after {frames} frames, {source.path} goes on; they must have the same number"
            )
        yield frame, found
        frames += 1
    for other in others:
        if next(iter(other), None) is not None:
            raise InputError(f"{other.path} has more frames than the {frames} of {source.path}; it must have the same")


def _scaled(rgb: NDArray[np.uint8], size: tuple[int, int]) -> NDArray[np.uint8]:
    if (rgb.shape[1], rgb.shape[0]) == size:
        return rgb
    how = cv2.INTER_AREA if rgb.shape[1] > size[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(rgb, size, interpolation=how), dtype=np.uint8)


def _flow_files(folder: Path | None) -> list[Path] | None:
    if folder is None:
        return None
    files = sorted(path for path in folder.iterdir() if path.suffix == FLOW_SUFFIX) if folder.is_dir() else []
    if not files:
        raise UsageError(f"--flow {folder} is no folder with {FLOW_SUFFIX} files")
    return files


def _flow_to(index: int, files: list[Path], size: tuple[int, int]) -> NDArray[np.float32] | None:
    """Return the flow from frame `index` - 1 to frame `index`."""
    if not 1 <= index <= len(files):
        return None
    path = files[index - 1]
    flow = read_flow(path)
    if (flow.shape[1], flow.shape[0]) != size:
        raise UsageError(f"{path} is for {flow.shape[1]}x{flow.shape[0]} pixels, but {size[0]}x{size[1]} are measured")
    return flow


def _cells(series: Series) -> tuple[str, str, str]:
    errors = series.warping_error, series.frame_difference, series.sharpness
    warping, difference, sharpness = ("-" if isnan(value) else f"{1000 * value:.3f}" for value in errors)
    return warping, difference, sharpness
