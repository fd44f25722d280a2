"""`stylize-keyframe`: stylise one picture or one frame of a video by optimisation (Gatys et al. 2016).

Slow and good: minutes a picture, for key frames and stills. It lives here since it reads videos as the runtime does and
optimises with torch.
"""

import argparse
import dataclasses
import glob
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from export.keyframe_options import STATE_INTERVAL, make_keyframe_parser, settings_of
from realtime.command import Interrupts, print_output, run_command, write_side_file
from realtime.errors import InputError, OutputError, StylizeError, UsageError
from realtime.output_file import OutputFile, require_suffix, write_error

if TYPE_CHECKING:
    from PIL.Image import Image

    from training.backbone_choice import BackboneChoice
    from training.keyframe import Keyframe, KeyframeSettings, KeyframeStep

PROGRESS_INTERVAL = 10


def main(arguments: list[str] | None = None) -> int:
    parser = make_keyframe_parser()
    options = parser.parse_args(arguments)
    return run_command(parser.prog, lambda interrupts: _run(options, interrupts))


def _run(options: argparse.Namespace, interrupts: Interrupts) -> int:
    _require_paths(options)
    # Imported here: `--help` must not wait for torch.
    from training.backbone_choice import choose_backbone
    from training.gatys import DivergedError

    interrupts.check()
    try:
        choice = choose_backbone(options.backbone, vgg=options.vgg)
        settings = settings_of(options, choice.layers)
        keyframe = _open(options, settings, choice)
    except ValueError as error:
        raise UsageError(str(error)) from error
    except OSError as error:
        raise InputError(str(error)) from error  # weights: all other files have been read
    # From here on a signal ends the loop between two iterations, where the state is whole.
    interrupts.hold()
    started_s = time.monotonic()
    diverged: DivergedError | None = None
    try:
        finished = _optimize(keyframe, options, stops=lambda: interrupts.received is not None)
    except DivergedError as error:
        finished, diverged = False, error
    if keyframe.best is None:
        raise StylizeError(
            f"{diverged}; nothing could be measured, the weights of the backbone may be damaged"
        ) from diverged
    _save(keyframe.best_picture(), options.output, overwrite=options.overwrite)
    terms = {**keyframe.best.terms, "total": keyframe.best.total}
    if options.report is not None:
        report = {
            "output": str(options.output),
            "finished": finished,
            "seconds": round(time.monotonic() - started_s, 2),
            "losses": terms,
            "backbone": keyframe.backbone_name,
            "settings": dataclasses.asdict(settings),
        }
        write_side_file("report", options.report, json.dumps(report, indent=2) + "\n")
    print_output(f"{options.output}: {_figures(terms)}")
    if diverged is not None:
        raise StylizeError(f"{diverged}; the best picture until then is saved") from diverged
    return 0


def _optimize(keyframe: "Keyframe", options: argparse.Namespace, *, stops: Callable[[], bool]) -> bool:
    """Run to the end, or until `stops`; return whether the end was reached."""
    clock = _Clock(keyframe)
    for step in keyframe.run():
        count = step.iterate.iteration
        if count % PROGRESS_INTERVAL == 0 or count == options.iterations:
            width, height = step.size
            figures = _figures({**step.iterate.terms, "total": step.iterate.total})
            print(f"{width}x{height}  {count}/{options.iterations}  {figures}  {clock.left(step)}", file=sys.stderr)
        if options.preview_every and count and count % options.preview_every == 0:
            name = f"{options.output.stem}-{step.size[0]}x{step.size[1]}-{count:04}.png"
            # A run that is continued writes its last previews again.
            overwrite = options.overwrite or options.resume is not None
            _save(keyframe.best_picture(), options.output.with_name(name), overwrite=overwrite)
        stopped = stops()
        if options.resume and (stopped or (count and count % STATE_INTERVAL == 0) or count == options.iterations):
            _save_state(keyframe, options.resume)
        if stopped:
            return False
    return True


class _Clock:
    """Estimates what is left from the time that each pixel of an iteration has taken."""

    def __init__(self, keyframe: "Keyframe") -> None:
        self._sizes = keyframe.sizes
        self._iterations = keyframe.settings.iterations
        self._first: float | None = None
        self._started_s = 0.0

    def left(self, step: "KeyframeStep") -> str:
        done = self._pixels_until(step)
        now_s = time.monotonic()
        if self._first is None:
            self._first, self._started_s = done, now_s
        if done == self._first:
            return ""
        whole = self._iterations * sum(width * height for width, height in self._sizes)
        left_s = (now_s - self._started_s) * (whole - done) / (done - self._first)
        return f"{left_s / 60:.1f} min left" if left_s >= 100 else f"{left_s:.0f} s left"

    def _pixels_until(self, step: "KeyframeStep") -> float:
        coarser = self._iterations * sum(width * height for width, height in self._sizes[: step.scale])
        return coarser + step.iterate.iteration * step.size[0] * step.size[1]


def _open(options: argparse.Namespace, settings: "KeyframeSettings", choice: "BackboneChoice") -> "Keyframe":
    import torch

    from training.keyframe import Keyframe

    start = None if options.start in ("content", "noise") else _read_picture(Path(options.start))
    content = _content(options)
    styles = [(_read_picture(Path(path)), share) for path, share in options.styles]
    backbone = choice.open(settings.weights.layers)
    keyframe = Keyframe(content, styles, settings, backbone=backbone, start=start, device=options.device)
    if options.resume and options.resume.exists():
        try:
            state = torch.load(options.resume, weights_only=True, map_location="cpu")
        except Exception as error:  # torch raises whatever its unpickler meets
            raise InputError(f"--resume {options.resume} cannot be read; delete it to begin anew") from error
        try:
            keyframe.load_state_dict(state)
        except ValueError as error:
            raise UsageError(f"--resume {options.resume}: {error}; delete it to begin anew") from error
    return keyframe


def _content(options: argparse.Namespace) -> "Image":
    from realtime.batch import PICTURE_SUFFIXES, VIDEO_SUFFIXES

    suffix = options.content.suffix.lower()
    if options.at is None and options.frame is None:
        if suffix not in PICTURE_SUFFIXES:
            raise UsageError(f"{options.content} is no picture; give --at TIME or --frame N to take a frame of a video")
        return _read_picture(options.content)
    if suffix in PICTURE_SUFFIXES - VIDEO_SUFFIXES:
        raise UsageError(f"--at and --frame are for videos, and {options.content} is a picture")
    from export.video_still import read_still

    # `or None`: what begins at 0 needs no search for it.
    return read_still(options.content, at_s=options.at or None, number=options.frame or 0)


def _read_picture(path: Path) -> "Image":
    from PIL import Image

    from realtime.picture import over_white, read_picture

    return Image.fromarray(over_white(read_picture(path)))


def _require_paths(options: argparse.Namespace) -> None:
    """Refuse, before anything slow is done, what could not be written at the end or would overwrite an input."""
    from realtime.picture import SAVE_OPTIONS

    output: Path = options.output
    require_suffix(output, SAVE_OPTIONS)
    written = [path for path in (output, options.report, options.resume) if path is not None]
    for path in written:
        if not path.parent.is_dir() or not os.access(path.parent, os.W_OK):
            raise OutputError(f"the folder of {path} does not exist or is not writable")
    inputs = [options.content, *(Path(path) for path, _ in options.styles)]
    named = [path.resolve() for path in (*inputs, *written)]
    if any(named.count(path.resolve()) > 1 for path in written):
        raise UsageError("output, report and state must be other files than the inputs, and different ones")
    # A run that is continued writes its last previews again.
    previews = options.preview_every and not (options.resume and options.resume.exists())
    taken = [path for path in (output, options.report) if path is not None and path.exists()]
    taken += output.parent.glob(f"{glob.escape(output.stem)}-*x*-[0-9][0-9][0-9][0-9]*.png") if previews else []
    if taken and not options.overwrite:
        raise UsageError(f"the output exists: {taken[0]}; add --overwrite to replace it")


def _save(image: "Image", path: Path, *, overwrite: bool) -> None:
    import numpy as np

    from realtime.picture import Picture, write_picture

    picture = Picture(np.asarray(image), alpha=None, exif=b"", notes=())
    _write(path, lambda part: write_picture(part, picture, suffix=path.suffix.lower()), overwrite=overwrite)


def _save_state(keyframe: "Keyframe", path: Path) -> None:
    import torch

    _write(path, lambda part: torch.save(keyframe.state_dict(), part), overwrite=True)


def _write(path: Path, write: Callable[[Path], None], *, overwrite: bool) -> None:
    with OutputFile(path, overwrite=overwrite) as file:
        try:
            write(file.part)
            file.take_name()
        # torch.save tells of a full disk by a RuntimeError, Pillow by a ValueError what a format cannot hold.
        except (OSError, RuntimeError, ValueError) as error:
            raise write_error(path, error, getattr(error, "strerror", None) or str(error)) from error


def _figures(terms: dict[str, float]) -> str:
    return "  ".join(f"{name} {value:.5f}" for name, value in terms.items())
