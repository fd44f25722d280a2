"""Files of `stylize-keyframe`: read, written whole or not at all, and refused early where they cannot be.

Without torch, which takes seconds to load.
"""

import argparse
import glob
import os
from pathlib import Path

import numpy as np
from PIL import Image

from realtime.batch import PICTURE_SUFFIXES
from realtime.errors import OutputError, UsageError
from realtime.keyframe_folder import RECORD_NAME
from realtime.media import STILL_SUFFIXES
from realtime.output_file import require_suffix, write_whole
from realtime.picture import SAVE_OPTIONS, Picture, mask_of, over_white, read_picture, write_picture
from realtime.video_still import read_still

PLOT_SUFFIXES = (".png", ".svg")


def read_image(path: Path) -> Image.Image:
    return Image.fromarray(over_white(read_picture(path)))


def read_mask(path: Path) -> Image.Image:
    return Image.fromarray(mask_of(read_picture(path)))


def read_content(options: argparse.Namespace) -> Image.Image:
    """Return the picture, or the frame of the video that is asked for."""
    suffix = options.content.suffix.lower()
    if options.at is None and options.frame is None:
        if suffix not in PICTURE_SUFFIXES:
            raise UsageError(
                f"{options.content} is no picture; give --at TIME or --frame N to take a frame of a video, "
                "or --auto N to take several"
            )
        return read_image(options.content)
    if suffix in STILL_SUFFIXES:
        raise UsageError(f"--at and --frame are for videos, and {options.content} is a picture")
    # `or None`: what begins at 0 needs no search for it.
    return read_still(options.content, at_s=options.at or None, number=options.frame or 0)


def save_image(image: Image.Image, path: Path, *, overwrite: bool) -> None:
    picture = Picture(np.asarray(image), alpha=None, exif=b"", notes=())
    write_whole(path, lambda part: write_picture(part, picture, suffix=path.suffix.lower()), overwrite=overwrite)


def whole_path(path: Path) -> Path:
    """Return a path with its folder and a name, which `.` has not; links are not followed."""
    return Path(os.path.abspath(path))


def side_files(options: argparse.Namespace) -> list[Path]:
    """Return what is written beside pictures and state."""
    return [path for path in (options.report, options.plot, options.evolution) if path is not None]


def require_files(options: argparse.Namespace) -> None:
    """Refuse, before anything slow is done, what could not be written at the end or would overwrite an input."""
    if not options.is_series:
        require_suffix(options.output, SAVE_OPTIONS)
    elif options.output.suffix.lower() in SAVE_OPTIONS and not options.output.is_dir():
        raise UsageError(
            f"{options.output} is the name of a file; --auto and --frames need a folder for their pictures"
        )
    if options.plot is not None:
        require_suffix(options.plot, PLOT_SUFFIXES)
    if options.evolution is not None:
        require_suffix(options.evolution, (".png",))
    sides = side_files(options)
    written = [options.output, *sides, *([options.resume] if options.resume else [])]
    for path in written:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise OutputError(f"the folder of {path} does not exist or is not writable")
    inputs = [options.content, *(Path(path) for path, _ in options.styles), *options.masks]
    named = [path.resolve() for path in (*inputs, *written)]
    if any(named.count(path.resolve()) > 1 for path in written):
        raise UsageError("output, report, plots and state must be other files than the inputs, and different ones")
    # A run that is continued writes its last files again; whether they are its own, state or record tell later.
    continues = options.resume is not None and (options.is_series or options.resume.exists())
    has_begun = continues and (not options.is_series or (options.output / RECORD_NAME).exists())
    written_before = [] if has_begun else [*([] if options.is_series else [options.output]), *sides]
    taken = [path for path in written_before if path.exists()]
    if options.is_series and options.output.exists():
        if not options.output.is_dir():
            raise UsageError(f"{options.output} is a file; --auto and --frames need a folder for their pictures")
        taken += [] if continues else sorted(options.output.glob("*.png"))
    if options.preview_every and not continues:
        output = whole_path(options.output)
        before = output.name if options.is_series else output.stem
        taken += output.parent.glob(f"{glob.escape(before)}-*x*-[0-9][0-9][0-9][0-9]*.png")
    if taken and not options.overwrite:
        raise UsageError(f"the output exists: {taken[0]}; add --overwrite to replace it")
