"""One optimisation from its first to its last iteration: progress, previews, saved states, figures of the result."""

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from PIL import Image

from export.keyframe_course import Course
from export.keyframe_files import read_image, read_mask, save_image, side_files
from export.keyframe_options import STATE_INTERVAL, settings_of
from export.keyframe_state import load_state, save_state
from realtime.command import print_output
from realtime.errors import InputError, StylizeError, UsageError
from realtime.output_file import write_whole
from training.backbone_choice import choose_backbone
from training.gatys import DivergedError
from training.keyframe import Keyframe, KeyframeStep, device_and_dtype
from training.likeness import measure_likeness, measuring_vgg

PROGRESS_INTERVAL = 10


class KeyframeJob:
    """What all pictures of one command share: styles, settings and networks.

    Raises:
        UsageError: the options do not fit together.
        InputError: a style, mask or network cannot be read.
    """

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        try:
            choice = choose_backbone(options.backbone, vgg=options.vgg)
            self.settings = settings_of(options, choice.layers)
            self._backbone = choice.open(self.settings.weights.layers)
            self._vgg = measuring_vgg(options.backbone, options.vgg)
            device, _ = device_and_dtype(options.device, "fp32")
        except ValueError as error:
            raise UsageError(str(error)) from error
        except OSError as error:
            raise InputError(str(error)) from error  # weights
        if self._vgg is not None:
            self._vgg.to(device)
        self._styles = [(read_image(Path(path)), share) for path, share in options.styles]
        self._masks = [read_mask(path) for path in options.masks]

    def open(self, content: Image.Image, *, start: Image.Image | None) -> Keyframe:
        """Prepare the optimisation of one picture. Raises UsageError where pictures and settings do not fit."""
        try:
            return Keyframe(
                content,
                self._styles,
                self.settings,
                backbone=self._backbone,
                masks=self._masks,
                start=start,
                device=self.options.device,
            )
        except ValueError as error:
            raise UsageError(str(error)) from error

    def make(
        self,
        keyframe: Keyframe,
        content: Image.Image,
        output: Path,
        *,
        previews: Path,
        state: Path | None,
        stops: Callable[[], bool],
        keeps_unfinished: bool,
    ) -> dict[str, Any] | None:
        """Optimise, save the best picture as `output`, and return the figures for the report.

        `previews` is the path before whose suffix the names of previews are told apart. `state` is where the state is
        saved, and continued if there is one. Unless it `keeps_unfinished`, nothing else is saved where `stops` ended
        it, and None returned.

        Where it `diverged`, which is None or tells how, the best picture until then is saved.

        Raises:
            StylizeError: it diverged before there was a picture to keep.
        """
        options = self.options
        files = {path.resolve() for path in (output, *side_files(options))}
        if state and state.exists():
            of_this_run = load_state(keyframe, state)
            taken = sorted(path for path in files - of_this_run if path.exists())
            if taken and not options.overwrite:
                raise UsageError(
                    f"{taken[0]} exists, and --resume {state} does not tell that it is of this run; add --overwrite to "
                    "replace it"
                )
            files |= of_this_run
        course = Course(keyframe, keeps_pictures=options.evolution is not None)
        started_s = time.monotonic()
        diverged: DivergedError | None = None
        try:
            finished = self._optimize(keyframe, course, previews, state, files, stops)
        except DivergedError as error:
            finished, diverged = False, error
        if keyframe.best is None:
            raise StylizeError(
                f"{diverged}; nothing could be measured, the weights of the backbone may be damaged"
            ) from diverged
        if not (finished or keeps_unfinished):
            if diverged:
                raise StylizeError(str(diverged)) from diverged
            return None
        picture = keyframe.best_picture()
        # A run that is continued writes its files again; those of others have been refused.
        overwrite = options.overwrite or state is not None
        save_image(picture, output, overwrite=overwrite)
        seconds = time.monotonic() - started_s
        likeness = measure_likeness(
            picture,
            content,
            self._styles,
            style_size_px=self.settings.style_size_px or self.settings.size_px,
            vgg=self._vgg,
            masks=self._masks,
        )
        if options.plot is not None:
            suffix = options.plot.suffix[1:].lower()
            write_whole(options.plot, lambda part: course.save_plot(part, format=suffix), overwrite=overwrite)
        if options.evolution is not None:
            write_whole(options.evolution, lambda part: course.save_strip(part, format="PNG"), overwrite=overwrite)
        losses = {**keyframe.best.terms, "total": keyframe.best.total}
        measures = dataclasses.asdict(likeness)
        print_output(f"{output}: {_figures(losses)}")
        print_output(f"{output}: measured by {self.measured_by}: {_figures(measures)}")
        return {
            "output": str(output),
            "finished": finished,
            "diverged": str(diverged) if diverged else None,
            "seconds": round(seconds, 2),
            "losses": losses,
            "measures": measures,
        }

    @property
    def backbone_name(self) -> str:
        return f"{self._backbone.title}, {self._backbone.weights_name}"

    @property
    def measured_by(self) -> str:
        """What the measures rest on."""
        if self._vgg is None:
            return "SSIM alone, since no VGG19 was given or downloaded"
        return f"VGG19, {self._vgg.weights_name}"

    def _optimize(
        self,
        keyframe: Keyframe,
        course: Course,
        previews: Path,
        state: Path | None,
        files: Collection[Path],
        stops: Callable[[], bool],
    ) -> bool:
        """Run to the end, or until `stops`; return whether the end was reached."""
        options = self.options
        clock = _Clock(keyframe)
        for step in keyframe.run():
            count = step.iterate.iteration
            course.add(step)
            if count % PROGRESS_INTERVAL == 0 or count == options.iterations:
                width, height = step.size
                figures = _figures({**step.iterate.terms, "total": step.iterate.total})
                print(f"{width}x{height}  {count}/{options.iterations}  {figures}  {clock.left(step)}", file=sys.stderr)
            if options.preview_every and count and count % options.preview_every == 0:
                name = f"{previews.stem}-{step.size[0]}x{step.size[1]}-{count:04}.png"
                # A run that is continued writes its last previews again.
                overwrite = options.overwrite or options.resume is not None
                save_image(keyframe.best_picture(), previews.with_name(name), overwrite=overwrite)
            stopped = stops()
            if state and (stopped or (count and count % STATE_INTERVAL == 0) or count == options.iterations):
                save_state(keyframe, state, files)
            if stopped:
                return False
        return True


class _Clock:
    """Estimates what is left from the time that each pixel of an iteration has taken."""

    def __init__(self, keyframe: Keyframe) -> None:
        self._sizes = keyframe.sizes
        self._iterations = keyframe.settings.iterations
        self._first: float | None = None
        self._started_s = 0.0

    def left(self, step: KeyframeStep) -> str:
        done = self._pixels_until(step)
        now_s = time.monotonic()
        if self._first is None:
            self._first, self._started_s = done, now_s
        if done == self._first:
            return ""
        whole = self._iterations * sum(width * height for width, height in self._sizes)
        left_s = (now_s - self._started_s) * (whole - done) / (done - self._first)
        return f"{left_s / 60:.1f} min left" if left_s >= 100 else f"{left_s:.0f} s left"

    def _pixels_until(self, step: KeyframeStep) -> float:
        coarser = self._iterations * sum(width * height for width, height in self._sizes[: step.scale])
        return coarser + step.iterate.iteration * step.size[0] * step.size[1]


def _figures(values: Mapping[str, float | None]) -> str:
    return "  ".join(f"{name} {value:.5f}" for name, value in values.items() if value is not None)
