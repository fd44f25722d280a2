"""The main job: one video file in, one stylised video file out."""

import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from typing import Any

from . import __version__
from .container import FORMAT_OF_SUFFIX, output_format
from .encoded_journal import EncodedJournal
from .encoder import EncoderChoice, choose_encoder, default_codec, require_container
from .errors import InputError, UsageError
from .frame import Frame
from .job_report import JobListener, JobReport, options_used, versions
from .job_style import JobStyle, KeyframeStyle, NetworkStyle
from .meters import peak_memory_mb
from .output_file import require_paths
from .painter import Painter
from .pipeline import STAGES, FilePipeline
from .settings import Controls, Settings
from .smoother import FlowSmoother
from .smoothing_watch import SmoothingWatch
from .split import Split
from .stream_copy import StreamCopier
from .style_choice import StyleChoice
from .video_sink import VideoFileSink
from .video_source import VideoFileSource

# Frames before the first new one of a job that goes on which are painted again: what the smoother and the noise filter
# remember of anything earlier is less than a ten thousandth.
_WARM_UP_FRAMES = 48


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
        if settings.start is not None and settings.end is not None and settings.end <= settings.start:
            raise UsageError(f"--end ({float(settings.end):g} s) must be after --start ({float(settings.start):g} s)")
        if settings.resume and settings.measure:
            raise UsageError("--measure needs all frames of a job in one run; leave out --resume")
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop
        self._encoders: dict[str, EncoderChoice] = {}
        self._clock: Callable[[], float] = time.perf_counter
        started_s = self._clock()
        self._style: JobStyle = (
            KeyframeStyle(style, check_stop=check_stop)
            if isinstance(style, Path)
            else NetworkStyle(style, settings, controls)
        )
        self._load_s = self._clock() - started_s

    def __enter__(self) -> "VideoJobs":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._style.close()

    def require(self, input_path: Path, output_path: Path) -> None:
        """Refuse what `run` would refuse before it opens the input.

        Raises:
            StylizeError: input or output cannot be used, or no encoder for it.
        """
        require_paths(input_path, output_path, suffixes=FORMAT_OF_SUFFIX, overwrite=self._settings.overwrite)
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
            copier = StreamCopier(input_path, time_shift_s=source.time_shift_s, end_s=source.end_s)
            try:
                split = Split.of(settings.split, source.info) if settings.split is not None else None
                notes: list[str] = []
                with (
                    self._style.open(source, notes) as painter,
                    self._journal(input_path, output_path, encoder) as journal,
                    VideoFileSink(
                        output_path,
                        info=split.described(source.info) if split is not None else source.info,
                        encoder=encoder,
                        copier=copier,
                        overwrite=settings.overwrite,
                        journal=journal,
                    ) as sink,
                ):
                    frames_before = journal.frames if journal is not None else 0
                    return self._run_pipeline(
                        source, sink, painter, split, encoder, output_path, listener, opened_s, notes, frames_before
                    )
            finally:
                copier.close()

    def _journal(
        self, input_path: Path, output_path: Path, encoder: EncoderChoice
    ) -> "EncodedJournal | nullcontext[None]":
        """Open the journal of a job that is to be gone on with if it is stopped."""
        if not self._settings.resume:
            return nullcontext()
        read = input_path.stat()
        job: dict[str, Any] = {
            "input": f"{read.st_size} bytes of {read.st_mtime_ns} ns",
            **options_used(self._settings, self._controls),
            "style files": self._style.sha256s,
            "engine": self._style.engine,
            "encoder": asdict(encoder),
            "versions": {"stylecast": __version__, **versions()},
        }
        del job["overwrite"]
        return EncodedJournal(output_path, job)

    def _run_pipeline(
        self,
        source: VideoFileSource,
        sink: VideoFileSink,
        painter: Painter,
        split: Split | None,
        encoder: EncoderChoice,
        output_path: Path,
        listener: JobListener,
        opened_s: float,
        notes: list[str],
        frames_before: int,
    ) -> JobReport:
        smoother = FlowSmoother()
        watch = SmoothingWatch(smoother, measure=self._settings.measure)
        style = self._style
        pipeline = FilePipeline(
            source,
            painter,
            smoother,
            sink,
            controls=self._controls if style.smooths else replace(self._controls, smoothing=0.0),
            split=split,
            on_smoothed=watch.see,
        )
        listener.started(
            input_path=source.path,
            output_path=output_path,
            style=style.label,
            engine=style.engine + (f" ({style.reason})" if style.reason else ""),
            frames_expected=source.expected_frames(),
            frames_before=frames_before,
        )
        started_s, started_cpu_s = self._clock(), time.process_time()
        end_s = Fraction(0)
        frames_skipped = max(0, frames_before - _WARM_UP_FRAMES)
        for _ in range(frames_skipped):
            source.skip_frame()
            self._check_stop()

        def on_frame(frame: Frame) -> None:
            nonlocal end_s
            end_s = frame.pts_s + frame.duration_s
            if frame.index >= frames_before:
                listener.advanced(frame.index + 1)
            self._check_stop()

        frames = frames_skipped + pipeline.run(on_frame)
        if not frames:
            raise InputError(f"no frame of {source.path} could be decoded")
        sink.finish()
        run_s = self._clock() - started_s
        meters = [pipeline.meters[name] for name in STAGES] + ([watch.meter] if self._settings.measure else [])
        return JobReport(
            input=str(source.path),
            output=str(output_path),
            style=style.name,
            style_pictures=style.pictures,
            engine=style.engine,
            encoder=encoder.name,
            frames=frames,
            frames_before=frames_before,
            duration_s=float(end_s),
            load_s=round(self._load_s + started_s - opened_s, 3),
            run_s=round(run_s, 3),
            cores_used=round((time.process_time() - started_cpu_s) / run_s, 2),
            peak_memory_mb=peak_memory_mb(),
            stage_ms={meter.name: round(meter.mean_ms, 2) for meter in meters},
            corrupt_packets=source.corrupt_packets,
            repaired_timestamps=source.repaired_timestamps,
            frames_reused=pipeline.frames_reused,
            cuts=tuple(watch.cuts),
            coherence=watch.coherence(),
            options=options_used(self._settings, self._controls),
            versions=versions(),
            notes=(*source.notes, *notes, *sink.notes),
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
