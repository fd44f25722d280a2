"""Which part of the frames is painted: white in a mask, where black keeps the frame and grey mixes both."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .errors import InputError, UsageError
from .media import STILL_SUFFIXES
from .picture import mask_of, read_picture
from .settings import Controls, Settings
from .video_info import as_stored, require_shape, upright
from .video_source import VideoFileSource

# Masks, (H, W) uint8, and when they come, in seconds on the time line of the frames.
Moments = Iterator[tuple[Fraction, NDArray[np.uint8]]]


class PaintMask:
    """Mixes painted pictures with their frames, in order of time; each frame has the mask that is nearest in time.

    The first of `moments` holds until the second is nearer; all are scaled to the frames. With `inverted` black is
    painted instead of white. `on_end` is called once with the end of a mask that moves when a frame comes after it.

    Raises:
        InputError: there is no mask in `moments`.
    """

    def __init__(
        self, moments: Moments, *, inverted: bool, on_end: Callable[[Fraction], None] = lambda end_s: None
    ) -> None:
        self._moments = moments
        self._inverted = inverted
        first = next(moments, None)
        if first is None:
            raise InputError("the mask has no picture that can be decoded; its file is damaged")
        self._time_s, self._mask = first
        self._following = next(moments, None)
        self._lasts_s: Fraction | None = None  # the mask that is shown; known from the second one on
        self._weights: tuple[NDArray[np.float32], NDArray[np.float32]] | None = None
        self._on_end = on_end

    def mix(
        self, frame: NDArray[np.uint8], painted: NDArray[np.uint8], *, time_s: Fraction = Fraction(0)
    ) -> NDArray[np.uint8]:
        """Return a new picture of what is painted and what stays at `time_s`; all are (H, W, 3).

        Raises:
            InputError: the next mask has another shape than the frames, or cannot be read.
        """
        self._go_to(time_s)
        if self._weights is None or self._weights[0].shape != frame.shape[:2]:
            self._weights = self._weights_at((frame.shape[1], frame.shape[0]))
        return np.asarray(cv2.blendLinear(painted, frame, *self._weights), dtype=np.uint8)

    def _go_to(self, time_s: Fraction) -> None:
        while self._following is not None and self._following[0] - time_s < time_s - self._time_s:
            self._lasts_s = self._following[0] - self._time_s
            self._time_s, self._mask = self._following
            self._weights = None
            self._following = next(self._moments, None)
        if self._following is None and self._lasts_s is not None and time_s > self._time_s + self._lasts_s:
            self._on_end(self._time_s + self._lasts_s)
            self._lasts_s = None

    def _weights_at(self, size: tuple[int, int]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        how = cv2.INTER_AREA if self._mask.shape[1] > size[0] else cv2.INTER_LINEAR
        levels = np.asarray(cv2.resize(self._mask, size, interpolation=how), dtype=np.float32)
        white = levels / np.float32(255)
        black = 1 - white
        return (black, white) if self._inverted else (white, black)


def mask_path(settings: Settings, controls: Controls) -> Path | None:
    """Return the file of `--mask`.

    Raises:
        InputError: there is none.
        UsageError: `--invert-mask` stands alone, or what is painted is told in another way, too.
    """
    if settings.mask is not None and controls.paint is not None:
        raise UsageError(f"--mask and --paint {controls.paint} both tell what is painted; leave one out")
    if settings.mask is None:
        if settings.invert_mask:
            raise UsageError("--invert-mask needs --mask FILE")
        return None
    path = Path(settings.mask)
    if not path.is_file():
        raise InputError(f"there is no file --mask {path}")
    return path


def still_mask(mask: NDArray[np.uint8], picture: NDArray[np.uint8], *, name: str, inverted: bool) -> PaintMask:
    """Return the mask, (H, W), for one upright picture, (H, W, 3); errors call it `name`.

    Raises:
        InputError: it has another shape than the picture.
    """
    require_shape(mask, (picture.shape[1], picture.shape[0]), name=name)
    return PaintMask(iter([(Fraction(0), mask)]), inverted=inverted)


@contextmanager
def video_mask(path: Path, source: VideoFileSource, settings: Settings, notes: list[str]) -> Iterator[PaintMask]:
    """Open a mask, a picture or a video, for the frames of `source`; what the user should know is added to `notes`.

    The times of a video count from its first frame, as those of `source` do from its own. Masks are what players show,
    and are turned as `source` stores its frames.

    Raises:
        InputError: it cannot be read, has another shape, or is a video that has nothing at the start of the range.
    """

    def opened(moments: Moments) -> PaintMask:
        stored = ((time_s, as_stored(mask, source.info, name=f"the mask {path}")) for time_s, mask in moments)
        return PaintMask(stored, inverted=settings.invert_mask, on_end=ended)

    def ended(end_s: Fraction) -> None:
        notes.append(f"the mask {path} ends at {float(end_s + source.offset_s):.3f} s; its last picture holds on")

    if path.suffix.lower() in STILL_SUFFIXES:
        yield opened(iter([(Fraction(0), mask_of(read_picture(path)))]))
        return
    with VideoFileSource(path, start_s=settings.start) as video:
        yield opened(_moments_of(video, shift_s=video.offset_s - source.offset_s))


def _moments_of(video: VideoFileSource, *, shift_s: Fraction) -> Moments:
    for frame in video:
        grey = np.asarray(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)
        yield frame.pts_s + shift_s, upright(grey, video.info)
