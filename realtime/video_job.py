"""The main job: one video file in, one stylised video file out."""

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

from . import __version__
from .catalogue import Style
from .encoder import EncoderChoice, choose_encoder, require_container
from .engine import Engine, open_style
from .errors import InputError, OutputError, UsageError
from .frame import Frame
from .meters import peak_memory_mb
from .pipeline import STAGES, FilePipeline
from .settings import Controls, Settings
from .smoother import FlowSmoother
from .stream_copy import StreamCopier
from .stylizer import Stylizer
from .video_sink import VideoFileSink, output_format
from .video_source import VideoFileSource

# VP9 is what every browser plays in WebM.
_CODEC_OF_FORMAT = {"webm": "vp9"}
_DEFAULT_CODEC = "h264"


@dataclass(frozen=True, slots=True)
class JobReport:
    """What a finished job did. Times are wall-clock seconds; `load_s` (model and files) is not part of `run_s`."""

    input: str
    output: str
    style: str
    engine: str
    encoder: str
    frames: int
    duration_s: float
    load_s: float
    run_s: float
    cores_used: float
    peak_memory_mb: float | None
    stage_ms: dict[str, float]
    corrupt_packets: int
    repaired_timestamps: int
    cuts: int
    notes: tuple[str, ...]

    @property
    def frames_per_s(self) -> float:
        return self.frames / self.run_s if self.run_s > 0 else 0.0

    def as_json(self) -> dict[str, Any]:
        values = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return {"stylecast": __version__, **values, "frames_per_s": round(self.frames_per_s, 3)}


class JobListener(Protocol):
    """Hears how jobs go, one after another; called in the thread of the job."""

    def started(self, *, input_path: Path, output_path: Path, engine: str, frames_expected: int | None) -> None: ...

    def advanced(self, frames: int) -> None:
        """Hear that `frames` frames of the job have been written so far."""
        ...

    def finished(self, report: JobReport) -> None: ...

    def failed(self, input_path: Path, error: Exception) -> None:
        """Hear why a job ended, which may be before it was `started`; the caller of the job is told as well."""
        ...

    def close(self) -> None:
        """Stop showing what is left of an interrupted job; may be called twice, and jobs may follow."""
        ...


class VideoJobs:
    """Runs file jobs with one style and one set of options; the network is loaded once for all of them.

    `check_stop` is called before each job and after each frame; what it raises ends the job.

    Raises:
        StylizeError: style, engine, encoder or options cannot be used.
    """

    def __init__(
        self, style: Style, settings: Settings, controls: Controls, *, check_stop: Callable[[], None] = lambda: None
    ) -> None:
        if settings.start is not None and settings.end is not None and settings.end <= settings.start:
            raise UsageError(f"--end ({float(settings.end):g} s) must be after --start ({float(settings.start):g} s)")
        self._style = style
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop
        self._encoders: dict[str, EncoderChoice] = {}
        self._clock: Callable[[], float] = time.perf_counter
        started_s = self._clock()
        self._engine: Engine = open_style(
            style, engine=settings.engine, device=settings.device, precision=settings.precision
        )
        self._load_s = self._clock() - started_s

    def __enter__(self) -> "VideoJobs":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._engine.close()

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
        require_paths(input_path, output_path, overwrite=settings.overwrite)
        encoder = self._encoder_for(output_path)
        opened_s = self._clock()
        with VideoFileSource(input_path, start_s=settings.start, end_s=settings.end) as source:
            copier = StreamCopier(input_path, time_shift_s=source.time_shift_s, end_s=source.end_s)
            try:
                with VideoFileSink(
                    output_path,
                    info=source.info,
                    encoder=encoder,
                    copier=copier,
                    overwrite=settings.overwrite,
                ) as sink:
                    return self._run_pipeline(source, sink, encoder, output_path, listener, opened_s)
            finally:
                copier.close()

    def _run_pipeline(
        self,
        source: VideoFileSource,
        sink: VideoFileSink,
        encoder: EncoderChoice,
        output_path: Path,
        listener: JobListener,
        opened_s: float,
    ) -> JobReport:
        smoother = FlowSmoother()
        stylizer = Stylizer(self._engine, size_px=self._settings.size)
        stylizer.warm_up(width=source.info.width, height=source.info.height)
        pipeline = FilePipeline(
            source,
            stylizer,
            smoother,
            sink,
            workers=self._engine.workers,
            controls=self._controls,
            split=self._settings.split,
        )
        listener.started(
            input_path=source.path,
            output_path=output_path,
            engine=self._engine.description + (f" ({self._engine.reason})" if self._engine.reason else ""),
            frames_expected=source.expected_frames(),
        )
        started_s, started_cpu_s = self._clock(), time.process_time()
        end_s = Fraction(0)

        def on_frame(frame: Frame) -> None:
            nonlocal end_s
            end_s = frame.pts_s + frame.duration_s
            listener.advanced(frame.index + 1)
            self._check_stop()

        frames = pipeline.run(on_frame)
        if not frames:
            raise InputError(f"no frame of {source.path} could be decoded")
        sink.finish()
        run_s = self._clock() - started_s
        return JobReport(
            input=str(source.path),
            output=str(output_path),
            style=self._style.name,
            engine=self._engine.description,
            encoder=encoder.name,
            frames=frames,
            duration_s=float(end_s),
            load_s=round(self._load_s + started_s - opened_s, 3),
            run_s=round(run_s, 3),
            cores_used=round((time.process_time() - started_cpu_s) / run_s, 2),
            peak_memory_mb=peak_memory_mb(),
            stage_ms={name: round(pipeline.meters[name].mean_ms, 2) for name in STAGES},
            corrupt_packets=source.corrupt_packets,
            repaired_timestamps=source.repaired_timestamps,
            cuts=smoother.cuts,
            notes=(*source.notes, *sink.notes),
        )

    def _encoder_for(self, output_path: Path) -> EncoderChoice:
        container = output_format(output_path)
        codec = self._settings.codec or _CODEC_OF_FORMAT.get(container, _DEFAULT_CODEC)
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


def require_paths(input_path: Path, output_path: Path, *, overwrite: bool) -> None:
    """Refuse what would lose data or cannot work, before anything is opened.

    Raises:
        InputError: no such input.
        UsageError: output is the input, exists already, or has a suffix that no container goes by.
        OutputError: the folder of the output is missing or not writable.
    """
    if not input_path.exists():
        raise InputError(f"input not found: {input_path}")
    folder = output_path.parent
    if not folder.is_dir():
        raise OutputError(f"the folder of the output does not exist: {folder}; create it first")
    if output_path.is_dir():
        raise UsageError(f"the output is a folder, but the input is one file: {output_path}; give a file name")
    output_format(output_path)
    if os.path.lexists(output_path):  # a link that leads nowhere takes the name, too
        if output_path.exists() and output_path.samefile(input_path):
            raise UsageError(f"input and output are the same file: {input_path}; give another output")
        if not overwrite:
            raise UsageError(f"the output exists: {output_path}; add --overwrite to replace it")
        if not (output_path.is_file() or output_path.is_symlink()):
            raise UsageError(f"the output is not a regular file but a pipe or device: {output_path}; give another")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(f"the folder of the output is not writable: {folder}")
