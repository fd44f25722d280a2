"""Choose photographs of a folder for the checks of a style: to compare engines, to calibrate int8, and to score."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from export.variant import CALIBRATION_PICTURES
from export.verify import SIZES, Picture
from training.photograph import UnreadablePictureError, evenly, is_listed, load_picture

SCORED_PICTURES = 20
SCORED_SIDE_PX = 384
CALIBRATION_SIDE_PX = 360


@dataclass(frozen=True, slots=True)
class Sample:
    """Photographs as RGB pictures; the three sets share none if there are enough.

    `sized` has one for each of the sizes that are verified, `scored` the files.
    """

    sized: dict[tuple[int, int], Picture]
    calibration: list[Picture]
    scored: dict[Path, Picture]


def choose_sample(
    files: Sequence[Path], *, scored_names: Sequence[str] = (), scored_side_px: int | None = None
) -> Sample:
    """Choose evenly from all files, those to score on by their names or absolute paths if given.

    Unreadable ones are passed over.

    `scored_side_px` is the short side of those to score on, `SCORED_SIDE_PX` if None.

    Raises:
        ValueError: none of the photographs can be read, or none has one of the names.
    """
    scored_files = [path for path in files if is_listed(path, set(scored_names))] if scored_names else list(files[::3])
    if not scored_files:
        raise ValueError(f"no photograph is called {' or '.join(scored_names[:3])}")
    scored = read_pictures(scored_files, SCORED_PICTURES, short_side_px=scored_side_px or SCORED_SIDE_PX)
    others = [path for path in files if path not in scored] or list(files)
    verified = list(read_pictures(others[::2], len(SIZES)).values())
    calibration = read_pictures(others[1::2] or others, CALIBRATION_PICTURES, short_side_px=CALIBRATION_SIDE_PX)
    return Sample(
        at_sizes(verified),
        list(calibration.values()),
        scored,
    )


def at_sizes(pictures: Sequence[Picture]) -> dict[tuple[int, int], Picture]:
    """Return a picture for each size that is verified, the same again if there are too few."""
    return {size: _resized(pictures[index % len(pictures)], size) for index, size in enumerate(SIZES)}


def read_pictures(files: Sequence[Path], count: int, *, short_side_px: int | None = None) -> dict[Path, Picture]:
    """Return up to `count` pictures from all over the list by file; unreadable ones are passed over.

    Raises:
        ValueError: none can be read.
    """
    pictures: dict[Path, Picture] = {}
    # First one of each of `count` equal parts, then all the others, for those that could not be read.
    spread = evenly(files, count)
    for path in [*spread, *(other for other in files if other not in set(spread))]:
        if len(pictures) == count:
            break
        try:
            pictures[path] = np.array(load_picture(path, short_side_px=short_side_px))
        except (OSError, UnreadablePictureError):
            continue
    if not pictures:
        raise ValueError(f"none of the {len(files)} photographs can be read; the first is {files[0]}")
    return pictures


def _resized(picture: Picture, size: tuple[int, int]) -> Picture:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
