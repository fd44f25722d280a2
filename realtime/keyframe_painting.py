"""`stylize-video --gatys`: choose the key frames of what is to be carried, and have them painted by another command."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from .child_command import run_child
from .clip_survey import ClipSurvey, survey_clip
from .errors import OutputError, UsageError
from .keyframe_choice import choose_keyframes
from .keyframe_folder import RECORD_NAME
from .settings import KEYFRAMES_MAX, Settings
from .video_source import VideoFileSource

# Seconds between key frames where `--gatys-keyframes` is not given.
KEYFRAME_INTERVAL_S = 2
# What an unfinished key frame is continued from, beside the finished ones.
_STATE_NAME = "series.pt"


def paint_keyframes(
    input_path: Path, style: str, folder: Path, settings: Settings, *, check_stop: Callable[[], None]
) -> None:
    """Paint frames between --start and --end after the picture `style` into a folder.

    The folder is made. Where `settings` keep it, a run that was interrupted is continued.

    Raises:
        UsageError: the folder holds something else, or there are more scenes than key frames are asked for.
        StylizeError: the video cannot be read or the frames not be painted.
    """
    _require_folder(folder)
    survey = survey_clip(input_path, check_stop=check_stop)
    with VideoFileSource(input_path, start_s=settings.start, end_s=settings.end) as source:
        scenes = survey.scenes_in(survey.range_of(source))
    count = settings.gatys_keyframes or _suitable_count(survey, scenes)
    if count < len(scenes):
        raise UsageError(
            f"{input_path} has {len(scenes)} scenes, and each needs a key frame of its own; "
            f"--gatys-keyframes {count} are too few"
        )
    numbers = choose_keyframes(input_path, count, scenes=scenes, check_stop=check_stop)
    arguments = [str(input_path), style, "--frames", ",".join(map(str, numbers)), "-o", str(folder)]
    if settings.keep_keyframes is not None:
        arguments += ["--resume", str(folder / _STATE_NAME)]
    if settings.size is not None:
        arguments += ["--size", str(settings.size)]
    if settings.vgg is not None:
        arguments += ["--vgg", settings.vgg]
    try:
        run_child("export.cli_keyframe", arguments, purpose="painting the key frames")
    finally:
        # Of a child that had to be killed. In this folder nothing but key frames is written.
        for part in folder.glob(".*.part"):
            with suppress(OSError):
                part.unlink()


def _require_folder(folder: Path) -> None:
    try:
        folder.mkdir(exist_ok=True)
        names = {path.name for path in folder.iterdir() if not path.name.startswith(".")}
    except OSError as error:
        raise OutputError(f"cannot make the folder {folder}: {error.strerror}") from error
    if names and RECORD_NAME not in names:
        raise UsageError(
            f"--keep-keyframes {folder} is not empty and holds no {RECORD_NAME} of an earlier run to be continued; "
            "give a new folder, or carry it by --keyframes"
        )


def _suitable_count(survey: ClipSurvey, scenes: Sequence[range]) -> int:
    """Return how many key frames suit a clip: one for every `KEYFRAME_INTERVAL_S` begun of each scene.

    Slow ones, such as slide shows, have fewer frames than that.
    """
    lengths_s = [survey.times_s[scene[-1]] - survey.times_s[scene[0]] for scene in scenes]
    counts = [int(length_s // KEYFRAME_INTERVAL_S) + 1 for length_s in lengths_s]
    return min(KEYFRAMES_MAX, sum(min(len(scene), count) for scene, count in zip(scenes, counts, strict=True)))
