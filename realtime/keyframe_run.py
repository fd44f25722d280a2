"""`stylize-video` with key frames: have them painted (`--gatys`), then carry them by motion, by a network, or by both.

What needs torch runs as a command of its own (`child_command.py`).
"""

import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from .carry_choice import CarryScore, style_distance
from .child_command import require_torch, run_child
from .clip_survey import ClipSurvey, survey_clip
from .errors import OutputError, UsageError
from .job_report import JobListener, JobReport
from .keyframe_folder import find_keyframes
from .output_file import OutputFile, require_paths, write_error
from .settings import KEYFRAMES_MAX, Controls, Settings
from .style_choice import StyleChoice, choose_style
from .video_job import VideoJobs
from .video_sink import FORMAT_OF_SUFFIX
from .video_source import VideoFileSource

# Seconds between key frames where `--gatys-keyframes` is not given.
KEYFRAME_INTERVAL_S = 2


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
    if not is_used and settings.carry != Settings().carry:
        raise UsageError(f"--carry {settings.carry} needs --keyframes DIR or --gatys PICTURE")
    return is_used


class KeyframeRun:
    """Runs one file with key frames; `check_stop` is called again and again, and what it raises ends the run."""

    def __init__(self, settings: Settings, controls: Controls, *, check_stop: Callable[[], None]) -> None:
        if settings.gatys is not None:
            require_torch("--gatys")
        if settings.carry != "flow":
            require_torch(f"--carry {settings.carry}")
        self._settings = settings
        self._controls = controls
        self._check_stop = check_stop

    def run(self, input_path: Path, output_path: Path, listener: JobListener) -> JobReport:
        """Make the clip; on failure nothing is left under `output_path` that was not there before.

        Raises:
            StylizeError: the input, the key frames, or a command that was started, fails.
        """
        with tempfile.TemporaryDirectory(prefix="stylecast-") as name:
            folder = Path(name)
            keyframes = self._keyframes(input_path, folder)
            if self._settings.carry == "flow":
                return self._job(keyframes, input_path, output_path, listener)
            network = self._train(input_path, keyframes, folder / "few-shot.onnx")
            if self._settings.carry == "few-shot":
                return self._job(network, input_path, output_path, listener)
            return self._better({"flow": keyframes, "few-shot": network}, input_path, output_path, keyframes, listener)

    def _keyframes(self, input_path: Path, folder: Path) -> Path:
        """Return the folder of key frames, painted now if there is none."""
        settings = self._settings
        if settings.gatys is None:
            return Path(settings.keyframes or "")
        kept = Path(settings.keep_keyframes) if settings.keep_keyframes is not None else folder / "keyframes"
        try:
            kept.mkdir(exist_ok=True)
            if any(kept.iterdir()):
                raise UsageError(f"--keep-keyframes {kept} is not empty; give a new folder, or carry it by --keyframes")
        except OSError as error:
            raise OutputError(f"cannot make the folder {kept}: {error.strerror}") from error
        survey = survey_clip(input_path, check_stop=self._check_stop)
        wanted = settings.gatys_keyframes or _keyframes_for(survey)
        if wanted < len(survey.scenes):
            raise UsageError(
                f"{input_path} has {len(survey.scenes)} scenes, and each needs a key frame of its own; "
                f"--gatys-keyframes {wanted} are too few"
            )
        arguments = [str(input_path), settings.gatys, "--auto", str(wanted), "-o", str(kept)]
        if settings.size is not None:
            arguments += ["--size", str(settings.size)]
        run_child("export.cli_keyframe", [*arguments, *self._vgg()], purpose="painting the key frames")
        return kept

    def _train(self, input_path: Path, keyframes: Path, model: Path) -> StyleChoice:
        arguments = [str(input_path), str(keyframes), "-o", str(model), *self._vgg()]
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
        keyframes: Path,
        listener: JobListener,
    ) -> JobReport:
        """Carry in all `ways` and keep what measures best."""
        require_paths(input_path, output_path, suffixes=FORMAT_OF_SUFFIX, overwrite=self._settings.overwrite)
        survey = survey_clip(input_path, check_stop=self._check_stop)
        pictures = find_keyframes(keyframes, survey.times_s)
        with VideoFileSource(input_path, start_s=self._settings.start) as source:
            begin = survey.number_at(source.first_s)
        tries: dict[str, tuple[JobReport, CarryScore]] = {}
        trial = KeyframeRun(replace(self._settings, measure=True), self._controls, check_stop=self._check_stop)
        with tempfile.TemporaryDirectory(prefix="stylecast-") as folder:
            for name, style in ways.items():
                path = Path(folder) / f"{name}{output_path.suffix}"
                report = trial._job(style, input_path, path, _Trial(listener))
                distance = style_distance(input_path, path, pictures, begin=begin)
                tries[name] = report, CarryScore(_warping_ratio(report), distance)
            best = min(tries, key=lambda name: tries[name][1].total)
            _take(Path(folder) / f"{best}{output_path.suffix}", output_path, overwrite=self._settings.overwrite)
        figures = "; ".join(f"{name}: {score}" for name, (_, score) in tries.items())
        chosen = tries[best][0]
        report = replace(
            chosen, output=str(output_path), notes=(*chosen.notes, f"key frames carried by {best}, of {figures}")
        )
        listener.finished(report)
        return report


class _Trial:
    """Tells a listener how a job goes whose end is not the end."""

    def __init__(self, listener: JobListener) -> None:
        self.started, self.advanced = listener.started, listener.advanced
        self.failed, self.close = listener.failed, listener.close

    def finished(self, report: JobReport) -> None:
        pass


def _warping_ratio(report: JobReport) -> float:
    """Return E_warp of the job over that of its input; 0 where neither can be measured, as in two frames' video."""
    coherence = report.coherence
    assert coherence is not None  # it was asked for
    floor, ours = coherence.source.warping_error, coherence.smoothed.warping_error
    return ours / floor if floor > 0 else 0.0


def _take(made: Path, output_path: Path, *, overwrite: bool) -> None:
    with OutputFile(output_path, overwrite=overwrite) as file:
        try:
            shutil.copyfile(made, file.part)
            file.take_name()
        except OSError as error:
            raise write_error(output_path, error, error.strerror or str(error)) from error


def _keyframes_for(survey: ClipSurvey) -> int:
    """Return how many key frames suit a clip: one for every `KEYFRAME_INTERVAL_S` begun of each scene."""
    ends = [*survey.scenes[1:], len(survey.times_s)]
    lengths_s = [
        survey.times_s[end - 1] - survey.times_s[first] for first, end in zip(survey.scenes, ends, strict=True)
    ]
    return min(KEYFRAMES_MAX, sum(int(length_s // KEYFRAME_INTERVAL_S) + 1 for length_s in lengths_s))
