"""What a file job paints with: a network, or key frames that are carried."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from .clip_survey import survey_clip
from .keyframe_carry import KeyframePainter
from .keyframe_folder import find_keyframes
from .loaded_style import load_style
from .painter import NetworkPainter, Painter
from .settings import Controls, Settings
from .style_choice import StyleChoice
from .video_source import VideoFileSource


class JobStyle(Protocol):
    """Gives each job its painter. `name` is for the report, `label` and `engine` (with `reason`) for people."""

    name: str
    label: str
    pictures: tuple[tuple[str, float], ...]
    engine: str
    reason: str
    smooths: bool

    def open(self, source: VideoFileSource, notes: list[str]) -> AbstractContextManager[Painter]:
        """Make a painter for the frames of `source`; what the user should know is added to `notes`."""
        ...

    def close(self) -> None: ...


class NetworkStyle:
    """A style's network, loaded once for all jobs."""

    smooths = True

    def __init__(self, choice: StyleChoice, settings: Settings, controls: Controls) -> None:
        self._loaded = load_style(choice, engine=settings.engine, device=settings.device, precision=settings.precision)
        self._size_px, self._shifts = settings.size, settings.shifts
        self._strength = controls.strength
        self.name, self.label = choice.model.name, choice.label
        self.pictures = tuple(zip(map(str, choice.pictures), choice.shares, strict=True))
        self.engine, self.reason = self._loaded.engine.description, self._loaded.engine.reason

    @contextmanager
    def open(self, source: VideoFileSource, notes: list[str]) -> Iterator[Painter]:
        stylizer = self._loaded.stylizer(size_px=self._size_px, shifts=self._shifts)
        stylizer.warm_up(width=source.info.width, height=source.info.height)
        yield NetworkPainter(stylizer, workers=self._loaded.engine.workers, strength=self._strength)

    def close(self) -> None:
        self._loaded.close()


class KeyframeStyle:
    """A folder of painted key frames, carried by the motion of the input."""

    name = "keyframes"
    pictures: tuple[tuple[str, float], ...] = ()
    engine, reason = "optical flow (DIS) and patches", ""
    # What is carried along the motion does not flicker.
    smooths = False

    def __init__(self, folder: Path, *, check_stop: Callable[[], None]) -> None:
        self.label = f"key frames of {folder}"
        self._folder = folder
        self._check_stop = check_stop

    @contextmanager
    def open(self, source: VideoFileSource, notes: list[str]) -> Iterator[Painter]:
        survey = survey_clip(source.path, check_stop=self._check_stop, finds_static=True)
        keyframes = find_keyframes(self._folder, survey.times_s)
        with KeyframePainter(
            source.path,
            survey,
            keyframes,
            numbers=survey.range_of(source),
            info=source.info,
        ) as painter:
            notes += painter.notes
            yield painter

    def close(self) -> None:
        pass
