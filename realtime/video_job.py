"""The main job: one video file in, one stylised video file out."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .container import FORMAT_OF_SUFFIX, output_format
from .encoded_journal import EncodedJournal
from .encoder import EncoderChoice, choose_encoder, default_codec, require_container
from .engine import Engine
from .errors import InputError, StylizeError, UsageError
from .frame import Frame
from .input_motion import Look
from .job_identity import job_identity
from .job_report import JobListener, JobReport, JobStart, options_used, versions
from .job_style import JobStyle, KeyframeStyle, NetworkStyle
from .meters import peak_memory_mb
from .output_file import require_not_read, require_paths
from .paint_mask import PaintMask, mask_path, video_mask
from .painter import Painter
from .people_mask import Found, PeopleMask, open_people_network
from .pipeline import STAGES, Composer, FilePipeline
from .settings import Controls, Settings, require_range
from .smoother import FlowSmoother
from .smoothing_watch import CutSeen, SmoothingWatch
from .split import Split
from .stream_copy import StreamCopier
from .style_choice import StyleChoice
from .video_sink import VideoFileSink
from .video_source import VideoFileSource

# A job that goes on paints its scene again from the beginning, as long as that is no more frames than this: what
# smoother, noise filter and repeats remember begins anew with a scene, and only in a shot that has stood still do they
# remember more than some fifty frames.
_WARM_UP_FRAMES_MAX = 500


@dataclass(frozen=True, slots=True)
class _OpenJob:
    """What is open while a job runs; `notes` grow until its end, `opened_s` is when its input was opened."""

    source: VideoFileSource
    painter: Painter
    compose: Composer
    people: PeopleMask | None
    sink: VideoFileSink
    encoder: EncoderChoice
    output_path: Path
    journal: EncodedJournal | None
    notes: list[str]
    opened_s: float


class VideoJobs:
    """Runs file jobs with one style and one set of options; the network is loaded once for all of them.

    `style` is what networks paint, or the folder of the key frames that are carried.
    `check_stop` is called before each job and after each frame; what it raises ends the job.

    Raises:
        StylizeError: style, engine, encoder or options cannot be used.
    """

    def __init__(
        self,
        style: StyleChoice | Path,
        settings: Settings,
        controls: Controls,
        *,
        check_stop: Callable[[], None] = lambda: None,
    ) -> None:
        require_range(settings)
        if settings.resume and settings.measure:
            raise UsageError("--measure needs all frames of a job in one run; leave out --resume")
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop
        self._mask = mask_path(settings, controls)
        self._choice = style if isinstance(style, StyleChoice) else None
        self._encoders: dict[str, EncoderChoice] = {}
        self._clock: Callable[[], float] = time.perf_counter
        started_s = self._clock()
        self._style: JobStyle = (
            KeyframeStyle(style, check_stop=check_stop)
            if isinstance(style, Path)
            else NetworkStyle(style, settings, controls)
        )
        self._people: Engine | None = None
        if controls.paint is not None:
            try:
                self._people = open_people_network()
            except StylizeError:
                self._style.close()
                raise
        self._load_s = self._clock() - started_s

    def __enter__(self) -> "VideoJobs":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._style.close()
        if self._people is not None:
            self._people.close()

    def require(self, input_path: Path, output_path: Path) -> None:
        """Refuse what `run` would refuse before it opens the input.

        Raises:
            StylizeError: input or output cannot be used, or no encoder for it.
        """
        require_paths(input_path, output_path, suffixes=FORMAT_OF_SUFFIX, overwrite=self._settings.overwrite)
        require_not_read(output_path, filter(None, [self._mask]))
        self._encoder_for(output_path)

    def run(self, input_path: Path, output_path: Path, listener: JobListener) -> JobReport:
        """Stylise one file; on failure nothing is left under `output_path` that was not there before.

        Raises:
            StylizeError: the input cannot be read or the output not be written.
        """
        try:
            report = self._run(input_path, output_path, listener)
        except Exception as error:
            listener.failed(input_path, error)
            raise
        listener.finished(report)
        return report

    def _run(self, input_path: Path, output_path: Path, listener: JobListener) -> JobReport:
        self._check_stop()
        settings = self._settings
        self.require(input_path, output_path)
        encoder = self._encoder_for(output_path)
        opened_s = self._clock()
        with VideoFileSource(input_path, start_s=settings.start, end_s=settings.end) as source:
            copier = StreamCopier(
                input_path, time_shift_s=source.time_shift_s, end_s=source.end_s, skipped_s=source.offset_s
            )
            try:
                split = Split.of(settings.split, source.info) if settings.split is not None else None
                notes: list[str] = []
                people = PeopleMask(self._people, source.info) if self._people is not None else None
                with (
                    self._open_mask(source, notes) as mask,
                    self._journal(input_path, output_path, encoder, listener) as journal,
                    self._style.open(source, notes) as painter,
                    VideoFileSink(
                        output_path,
                        info=split.described(source.info) if split is not None else source.info,
                        encoder=encoder,
                        copier=copier,
                        overwrite=settings.overwrite,
                        journal=journal,
                    ) as sink,
                ):

                    def compose(
                        frame: Frame, look: Look, found: Found | None, picture: NDArray[np.uint8]
                    ) -> NDArray[np.uint8]:
                        if mask is not None:
                            picture = mask.mix(frame.rgb, picture, time_s=frame.pts_s)
                        elif people is not None and found is not None:
                            picture = people.mix(frame.rgb, picture, found, look, self._controls)
                        return split.join(frame.rgb, picture) if split is not None else picture

                    opened = _OpenJob(
                        source, painter, compose, people, sink, encoder, output_path, journal, notes, opened_s
                    )
                    return self._run_pipeline(opened, listener)
            finally:
                copier.close()

    def _open_mask(
        self, source: VideoFileSource, notes: list[str]
    ) -> "AbstractContextManager[PaintMask] | nullcontext[None]":
        if self._mask is None:
            return nullcontext()
        return video_mask(self._mask, source, self._settings, notes)

    def _journal(
        self, input_path: Path, output_path: Path, encoder: EncoderChoice, listener: JobListener
    ) -> "EncodedJournal | nullcontext[None]":
        """Open the journal of a job that is to be gone on with if it is stopped."""
        if not self._settings.resume or self._choice is None:
            return nullcontext()
        identity = job_identity(
            input_path, self._choice, self._settings, self._controls, engine=self._style.engine, encoder=encoder
        )
        journal = EncodedJournal(output_path, identity)
        if journal.frames_kept:
            listener.preparing(f"going over the {journal.frames_kept} frames of {output_path} that are made")
        return journal

    def _run_pipeline(self, job: _OpenJob, listener: JobListener) -> JobReport:
        smoother = FlowSmoother()
        watch = SmoothingWatch(smoother, measure=self._settings.measure)
        style = self._style
        controls = self._controls if style.smooths else replace(self._controls, smoothing=0.0)
        pipeline = FilePipeline(
            job.source,
            job.painter,
            smoother,
            job.sink,
            controls=controls,
            compose=job.compose,
            find_people=job.people.find if job.people is not None else None,
            on_smoothed=watch.see,
        )
        journal = job.journal
        frames_before = journal.frames_kept if journal is not None else 0
        cuts_before = [CutSeen(*cut) for cut in journal.cuts] if journal is not None else []
        for _ in range(_frames_to_skip(journal, smoothing=controls.smoothing)):
            job.source.skip_frame()
            self._check_stop()
        listener.started(
            JobStart(
                input_path=job.source.path,
                output_path=job.output_path,
                style=style.label,
                engine=style.engine + (f" ({style.reason})" if style.reason else ""),
                frames_expected=job.source.expected_frames(),
                frames_before=frames_before,
            )
        )
        started_s, started_cpu_s = self._clock(), time.process_time()
        end_s = Fraction(0)
        frames = frames_before
        cuts_entered = 0

        def on_frame(frame: Frame) -> None:
            nonlocal end_s, frames, started_s, started_cpu_s, cuts_entered
            end_s = frame.pts_s + frame.duration_s
            if frame.index < frames_before:  # painted for what is remembered of it
                started_s, started_cpu_s = self._clock(), time.process_time()
            else:
                frames = frame.index + 1
                listener.advanced(frames)
            if journal is not None:
                for cut in watch.cuts[cuts_entered:]:
                    journal.enter_cut(cut.frame, cut.time_s)
                    cuts_entered += 1
            self._check_stop()

        pipeline.run(on_frame)
        if not frames:
            raise InputError(f"no frame of {job.source.path} could be decoded")
        job.sink.finish()
        run_s = self._clock() - started_s
        meters = [pipeline.meters[name] for name in STAGES] + ([watch.meter] if self._settings.measure else [])
        return JobReport(
            input=str(job.source.path),
            output=str(job.output_path),
            style=style.name,
            style_pictures=style.pictures,
            engine=style.engine,
            encoder=job.encoder.name,
            frames=frames,
            frames_before=frames_before,
            duration_s=float(end_s),
            load_s=round(self._load_s + started_s - job.opened_s, 3),
            run_s=round(run_s, 3),
            cores_used=round((time.process_time() - started_cpu_s) / run_s, 2),
            peak_memory_mb=peak_memory_mb(),
            stage_ms={meter.name: round(meter.mean_ms, 2) for meter in meters},
            corrupt_packets=job.source.corrupt_packets,
            repaired_timestamps=job.source.repaired_timestamps,
            frames_reused=pipeline.frames_reused,
            cuts=(*cuts_before, *(cut for cut in watch.cuts if cut.frame >= frames_before)),
            coherence=watch.coherence(),
            options=options_used(self._settings, self._controls),
            versions=versions(),
            notes=(*job.source.notes, *job.notes, *job.sink.notes),
        )

    def _encoder_for(self, output_path: Path) -> EncoderChoice:
        container = output_format(output_path)
        codec = self._settings.codec or default_codec(container)
        if codec not in self._encoders:
            self._encoders[codec] = choose_encoder(
                codec,
                crf=self._settings.crf,
                preset=self._settings.preset,
                extra=self._settings.encoder_options,
                pixel_format=self._settings.pix_fmt,
            )
        require_container(self._encoders[codec], container)
        return self._encoders[codec]


def _frames_to_skip(journal: EncodedJournal | None, *, smoothing: float) -> int:
    """Return how many frames need not be painted again for what is remembered of them; at least one is."""
    if journal is None or not journal.frames_kept:
        return 0
    last = journal.frames_kept - 1
    if smoothing == 0:
        return last
    scene_begin = journal.cuts[-1][0] if journal.cuts else 0
    return min(last, max(scene_begin, journal.frames_kept - _WARM_UP_FRAMES_MAX))
