"""`stylize-video` with key frames: have them painted (`--gatys`), then carry them by motion, by a network, or by both.

What needs torch runs as a command of its own (`child_command.py`).
"""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from .carry_choice import CarryScore, require_comparison, style_distance
from .child_command import require_torch, run_child
from .clip_survey import ClipSurvey, survey_clip
from .errors import InputError, UsageError
from .job_report import JobListener, JobReport
from .keyframe_folder import find_keyframes, learned_size_px
from .keyframe_painting import paint_keyframes
from .output_file import write_whole
from .paint_mask import mask_path, video_mask
from .picture import read_picture
from .settings import FEW_SHOT_SIZE_PX, Controls, Settings
from .style_choice import StyleChoice, choose_style
from .video_job import VideoJobs
from .video_source import VideoFileSource


def uses_keyframes(settings: Settings) -> bool:
    """Return whether the options ask for key frames.

    Raises:
        UsageError: options that need one another, or exclude one another.
    """
    if settings.keyframes is not None and settings.gatys is not None:
        raise UsageError("--gatys paints key frames and --keyframes brings them; give one of both")
    if settings.gatys is None and (settings.gatys_keyframes is not None or settings.keep_keyframes is not None):
        raise UsageError("--gatys-keyframes and --keep-keyframes are for --gatys PICTURE")
    is_used = settings.keyframes is not None or settings.gatys is not None
    if is_used and (settings.style != Settings().style or settings.mix is not None):
        raise UsageError("--style and --mix do not go with key frames, which have their own style; leave them out")
    if is_used and settings.resume:
        raise UsageError(
            "--resume is for jobs with a --style; with key frames leave it out: --keep-keyframes keeps what takes long"
        )
    if not is_used and settings.carry != Settings().carry:
        raise UsageError(f"--carry {settings.carry} needs --keyframes DIR or --gatys PICTURE")
    needs_vgg = settings.gatys is not None or settings.carry != "flow"
    if settings.vgg is not None and not needs_vgg:
        raise UsageError("--vgg is for --gatys and --carry few-shot; leave it out")
    if is_used and settings.carry == "flow":
        _require_no_network_option(settings)
    return is_used


def _require_no_network_option(settings: Settings) -> None:
    """Refuse what tells how a network is run, where key frames are carried along the motion."""
    names = ["engine", "precision", "shifts"] + (["size"] if settings.gatys is None else [])
    given = [name for name in names if getattr(settings, name) != getattr(Settings(), name)]
    if settings.device not in ("auto", "cpu"):
        given.append("device")
    if given:
        raise UsageError(
            f"--{given[0]} {getattr(settings, given[0])} is for networks, and key frames are carried along the motion "
            "without one; leave it out, or carry them by one with --carry few-shot"
        )


class KeyframeRun:
    """Runs one file with key frames; `check_stop` is called again and again, and what it raises ends the run."""

    def __init__(self, settings: Settings, controls: Controls, *, check_stop: Callable[[], None]) -> None:
        if settings.gatys is not None:
            require_torch("--gatys")
        if settings.carry != "flow":
            require_torch(f"--carry {settings.carry}")
        if settings.carry == "auto":
            require_comparison()
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop

    def run(self, input_path: Path, output_path: Path, listener: JobListener) -> JobReport:
        """Make the clip; on failure nothing is left under `output_path` that was not there before.

        Raises:
            StylizeError: the input, the key frames, or a command that was started, fails.
        """
        settings = self._settings
        with tempfile.TemporaryDirectory(prefix="stylecast-", ignore_cleanup_errors=True) as name:
            given = settings.keyframes if settings.gatys is None else settings.keep_keyframes
            keyframes = Path(given) if given is not None else Path(name, "keyframes")
            with _failure_told(listener, input_path):
                # Before anything is painted or trained, which takes minutes or hours.
                with VideoJobs(keyframes, settings, self._controls) as jobs:
                    jobs.require(input_path, output_path)
                self._require_mask(input_path)
                if settings.vgg is not None and not Path(settings.vgg).is_file():
                    raise InputError(f"there is no file --vgg {settings.vgg}")
                if settings.gatys is not None:
                    read_picture(Path(settings.gatys))  # the video is looked through before it is painted after
                    paint_keyframes(input_path, settings.gatys, keyframes, settings, check_stop=self._check_stop)
            if settings.carry == "flow":
                return self._job(keyframes, input_path, output_path, listener)
            with _failure_told(listener, input_path):
                survey = survey_clip(input_path, check_stop=self._check_stop)
                pictures = find_keyframes(keyframes, survey.times_s)
                with VideoFileSource(input_path) as source:
                    info = source.info
                wanted_px = self._settings.size or FEW_SHOT_SIZE_PX
                size_px = learned_size_px(info, pictures.values(), size_px=wanted_px)
                network = self._train(input_path, keyframes, Path(name, "few-shot.onnx"))
            # The network paints strokes of the size that it was shown.
            run = KeyframeRun(replace(settings, size=size_px), self._controls, check_stop=self._check_stop)
            if settings.carry == "few-shot":
                return run._job(network, input_path, output_path, listener)
            ways: dict[str, StyleChoice | Path] = {"flow": keyframes, "few-shot": network}
            return run._better(ways, input_path, output_path, survey, pictures, listener)

    def _require_mask(self, input_path: Path) -> None:
        path = mask_path(self._settings, self._controls)
        if path is not None:
            with VideoFileSource(input_path) as source, video_mask(path, source, self._settings, []):
                pass

    def _train(self, input_path: Path, keyframes: Path, model: Path) -> StyleChoice:
        size_px = self._settings.size or FEW_SHOT_SIZE_PX
        arguments = [str(input_path), str(keyframes), "-o", str(model), "--size", str(size_px), *self._vgg()]
        # What of a film is not to be made need not be learned.
        for option, limit_s in (("--from", self._settings.start), ("--to", self._settings.end)):
            arguments += [option, f"{float(limit_s):.6f}"] if limit_s is not None else []
        # Beside the model, so that nothing of it is left even if the child has to be killed.
        arguments += ["--run", str(model.with_suffix(""))]
        run_child("export.cli_few_shot", arguments, purpose="training on the key frames")
        return choose_style((str(model),))

    def _vgg(self) -> list[str]:
        return ["--vgg", self._settings.vgg] if self._settings.vgg is not None else []

    def _job(self, style: StyleChoice | Path, input_path: Path, output_path: Path, listener: JobListener) -> JobReport:
        with VideoJobs(style, self._settings, self._controls, check_stop=self._check_stop) as jobs:
            return jobs.run(input_path, output_path, listener)

    def _better(
        self,
        ways: Mapping[str, StyleChoice | Path],
        input_path: Path,
        output_path: Path,
        survey: ClipSurvey,
        pictures: Mapping[int, Path],
        listener: JobListener,
    ) -> JobReport:
        """Carry in all `ways` and keep what measures best; without what shows the input, too: a split or a mask."""
        with VideoFileSource(input_path, start_s=self._settings.start, end_s=self._settings.end) as source:
            numbers = survey.range_of(source)
        tries: dict[str, tuple[JobReport, CarryScore]] = {}
        settings = replace(self._settings, measure=True)
        tried = replace(settings, split=None, mask=None, invert_mask=False)
        whole = replace(self._controls, paint=None)
        trial = KeyframeRun(tried, whole, check_stop=self._check_stop)
        with tempfile.TemporaryDirectory(prefix="stylecast-", ignore_cleanup_errors=True) as folder:
            for name, style in ways.items():
                path = Path(folder) / f"{name}{output_path.suffix}"
                report = trial._job(style, input_path, path, _Trial(listener))
                distance = style_distance(input_path, path, pictures, survey=survey, numbers=numbers)
                tries[name] = report, CarryScore(_warping_ratio(report), distance)
            best = min(tries, key=lambda name: tries[name][1].total)
            made = Path(folder) / f"{best}{output_path.suffix}"
            if (settings, self._controls) != (tried, whole):
                made.unlink()
                run = KeyframeRun(settings, self._controls, check_stop=self._check_stop)
                tries[best] = run._job(ways[best], input_path, made, _Trial(listener)), tries[best][1]
            write_whole(output_path, lambda part: shutil.copyfile(made, part), overwrite=self._settings.overwrite)
        figures = "; ".join(f"{name}: {score}" for name, (_, score) in tries.items())
        chosen = tries[best][0]
        report = replace(
            chosen, output=str(output_path), notes=(*chosen.notes, f"key frames carried by {best}, of {figures}")
        )
        listener.finished(report)
        return report


@contextmanager
def _failure_told(listener: JobListener, input_path: Path) -> Iterator[None]:
    """Tell `listener` of a failure before there is a job that would."""
    try:
        yield
    except Exception as error:
        listener.failed(input_path, error)
        raise


class _Trial:
    """Tells a listener how a job goes whose end is not the end."""

    def __init__(self, listener: JobListener) -> None:
        self.preparing, self.started, self.advanced = listener.preparing, listener.started, listener.advanced
        self.failed, self.close = listener.failed, listener.close

    def finished(self, report: JobReport) -> None:
        pass


def _warping_ratio(report: JobReport) -> float:
    """Return E_warp of the job over that of its input; 0 where neither can be measured, as in two frames' video."""
    coherence = report.coherence
    assert coherence is not None  # it was asked for
    floor, ours = coherence.source.warping_error, coherence.smoothed.warping_error
    return ours / floor if floor > 0 else 0.0
