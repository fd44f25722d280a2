"""Several frames of a video, chosen here or named: each is painted from where the one before has left its strokes."""

import argparse
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from export.keyframe_files import read_image, whole_path
from export.keyframe_job import KeyframeJob
from export.keyframe_record import begin_series, series_record
from export.keyframe_start import StartCarrier
from realtime.clip_survey import survey_clip
from realtime.command import Interrupts
from realtime.errors import InputError
from realtime.keyframe_choice import choose_keyframes
from realtime.video_source import VideoFileSource
from realtime.video_still import as_shown

# What `stylize-video --keyframes` reads: the number of the frame.
NAME_DIGITS = 6


@dataclass(frozen=True, slots=True)
class SeriesFrame:
    """A frame to be painted; `carrier` leads to it from the key frame before, None for the first."""

    number: int
    content: Image.Image
    carrier: StartCarrier | None


def make_series(
    job: KeyframeJob, start: Image.Image | None, interrupts: Interrupts
) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """Choose and paint the frames; yield the number of each with its figures for the report, None if it was kept.

    `start` is the first picture of those that follow no other. With --resume each frame has a saved state of its own
    until it is finished, and finished ones are kept. An interrupt ends an optimisation between two iterations.

    Raises:
        StylizeError: the video cannot be read, or the folder holds pictures of something else.
    """
    options = job.options
    options.output.mkdir(exist_ok=True)
    numbers = options.frames or _chosen(options, interrupts)
    if options.frames:
        _require_frame(options.content, numbers[-1], check=interrupts.check)
    outputs = {number: options.output / f"{number:0{NAME_DIGITS}}.png" for number in numbers}
    folder = whole_path(options.output)
    record = series_record(job, numbers, list(outputs.values()))
    has_begun = False
    painted: Image.Image | None = None
    for frame in _frames(options.content, numbers, follows=options.start == "previous", check=interrupts.check):
        output = outputs[frame.number]
        state = options.resume and options.resume.with_stem(f"{options.resume.stem}-{output.stem}")
        is_kept = state and output.exists() and not state.exists()
        carried = frame.carrier.carry(painted) if frame.carrier and painted and not is_kept else None
        keyframe = job.open(frame.content, start=carried or start) if not is_kept else None
        if not has_begun:  # it removes what was painted before, and others can be painted now
            begin_series(options.output, record, goes_on=options.resume is not None)
            has_begun = True
        if keyframe is None:
            painted = read_image(output)
            yield frame.number, None
            continue
        interrupts.hold()
        previews = folder.with_name(f"{folder.name}-{output.name}")
        figures = job.make(
            keyframe,
            frame.content,
            output,
            previews=previews,
            state=state,
            stops=lambda: interrupts.received is not None,
            keeps_unfinished=False,
        )
        if figures is None:
            interrupts.check()
            return
        if state:
            state.unlink(missing_ok=True)
        yield frame.number, {"frame": frame.number, "follows": carried is not None, **figures}
        interrupts.check()
        painted = read_image(output)


def _require_frame(path: Path, number: int, *, check: Callable[[], None]) -> None:
    """Refuse a video that ends before frame `number`, rather than when the frames before it are painted."""
    last = -1
    with VideoFileSource(path) as source:
        for _ in source.pictures():
            check()
            last += 1
            if last == number:
                return
    raise InputError(f"{path} has no frame {number}; its last one is {last}")


def _chosen(options: argparse.Namespace, interrupts: Interrupts) -> list[int]:
    survey = survey_clip(options.content, check_stop=interrupts.check)
    scenes = survey.scenes_in(range(len(survey.times_s)))
    return choose_keyframes(options.content, options.auto, scenes=scenes, check_stop=interrupts.check)


def _frames(path: Path, numbers: list[int], *, follows: bool, check: Callable[[], None]) -> Iterator[SeriesFrame]:
    """Yield the frames of `numbers`, upright; the video between them is looked at only if the next one `follows`."""
    carrier: StartCarrier | None = None
    with VideoFileSource(path) as source:
        for frame in source:
            check()
            if frame.index not in numbers and carrier is None:
                continue
            picture = as_shown(frame.rgb, source.info)
            if carrier is not None:
                carrier.add(picture)
            if frame.index in numbers:
                yield SeriesFrame(frame.index, picture, carrier)
                carrier = StartCarrier(picture) if follows else None
            if frame.index >= numbers[-1]:
                return
