"""What is known of a video before its frames flow: read off the stream and its first frame, told to the sink."""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice, pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import av
import av.error
import numpy as np
from av.sidedata.sidedata import SideDataContainer
from av.sidedata.sidedata import Type as SideDataType
from numpy.typing import NDArray

from .color import SDR_TAGS, ColorTags
from .errors import InputError
from .media import main_video_stream, open_input

if TYPE_CHECKING:
    from av.video.stream import VideoStream

# Frame rate assumed where neither stream nor frames tell one: only the duration of a lone frame depends on it.
_FALLBACK_FRAME_RATE = Fraction(25)
# What browsers record (WebM of MediaRecorder) tells no rate, and FFmpeg guesses 1000, the ticks of its clock. Encoders
# refuse that, or mark what they make as too much for many players.
_GUESSED_RATE_MAX = 240
# So many frames are measured instead.
_MEASURED_FRAMES = 50
# Clock of a stream that tells none: that of MPEG.
_FALLBACK_TIME_BASE = Fraction(1, 90000)
_DISPLAY_MATRIX_LENGTH = 9
# Shapes that differ by less are the same: sizes are whole pixels, and tools round to multiples of 8.
_ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """Size, clock and tags of the RGB frames that a source yields.

    `width` and `height` are pixels as coded, before pixel aspect and rotation; `display_matrix` holds the nine numbers
    of ISO/IEC 14496-12, 16.16 fixed point but for the last column.
    """

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    constant_frame_rate: bool
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    color_tags: ColorTags


def describe_video(stream: "VideoStream", first: av.VideoFrame, *, path: Path) -> VideoInfo:
    """Return what `stream` of the file at `path` and its first frame of the range say.

    HDR is described as the SDR that it is mapped to.
    """
    tags = ColorTags.of(first)
    return VideoInfo(
        width=first.width,
        height=first.height,
        time_base=clock_of(stream),
        frame_rate=told_rate(stream) or _measured_rate(path) or _FALLBACK_FRAME_RATE,
        constant_frame_rate=_has_constant_rate(stream),
        sample_aspect_ratio=stream.sample_aspect_ratio,
        display_matrix=_display_matrix(first),
        color_tags=SDR_TAGS if tags.is_hdr else tags,
    )


def orientation(display_matrix: tuple[int, ...] | None) -> tuple[bool, int]:
    """Return whether a picture must be mirrored sideways to be upright, and then its quarter turns to the left."""
    if display_matrix is None:
        return False, 0
    a, b, _, c, d = display_matrix[:5]
    mirrored = a * d - b * c < 0
    if mirrored:
        a, b = -a, -b
    if b == 0:
        return mirrored, 2 if a < 0 else 0
    return mirrored, 3 if b > 0 else 1


def upright(stored: NDArray[np.uint8], info: VideoInfo) -> NDArray[np.uint8]:
    """Return a picture of the video, (H, W) or (H, W, 3), turned as players show it; pixels keep their aspect."""
    mirrored, quarters = orientation(info.display_matrix)
    if not (mirrored or quarters):
        return stored
    return np.ascontiguousarray(np.rot90(np.fliplr(stored) if mirrored else stored, quarters))


def turned_as_stored(shown: NDArray[np.uint8], info: VideoInfo) -> NDArray[np.uint8]:
    """Return a picture, (H, W) or (H, W, 3), turned as the video stores its own: the inverse of `upright`."""
    mirrored, quarters = orientation(info.display_matrix)
    turned = np.rot90(shown, -quarters)
    return np.ascontiguousarray(np.fliplr(turned) if mirrored else turned)


def as_stored(shown: NDArray[np.uint8], info: VideoInfo, *, name: str) -> NDArray[np.uint8]:
    """Return a picture of a whole frame, (H, W) or (H, W, 3), turned as the video stores it.

    It is of any size, with square pixels or those of the video; errors call it `name`.

    Raises:
        InputError: it has another shape than the frames.
    """
    stored = turned_as_stored(shown, info)
    require_shape(stored, (info.width, info.height), name=name, pixel_aspect=info.sample_aspect_ratio)
    return stored


def require_shape(
    picture: NDArray[np.uint8], size: tuple[int, int], *, name: str, pixel_aspect: Fraction | None = None
) -> None:
    """Refuse a picture, (H, W) or (H, W, 3), that is not of the shape of frames of `size`, (width, height), as stored.

    Its pixels may be square or have the frames' `pixel_aspect`.

    Raises:
        InputError: it has another shape.
    """
    height, width = picture.shape[:2]
    aspect = Fraction(*size)
    known = (aspect, aspect * (pixel_aspect or 1))
    if all(abs(width / height / float(each) - 1) > _ASPECT_TOLERANCE for each in known):
        raise InputError(
            f"{name} has {width}x{height} pixels, another shape than the {size[0]}x{size[1]} of the frames as stored; "
            "it must be of the whole frame, not cut"
        )


def clock_of(stream: "VideoStream") -> Fraction:
    """Return the seconds of one tick."""
    return stream.time_base or _FALLBACK_TIME_BASE


def told_rate(stream: "VideoStream") -> Fraction | None:
    """Return the frame rate that FFmpeg finds in a file, None where it only guesses and takes a clock for it."""
    guessed = stream.guessed_rate
    return stream.average_rate or (guessed if guessed and guessed <= _GUESSED_RATE_MAX else None)


def promised_frames(stream: "VideoStream") -> int:
    """Return how many frames the file says it holds, without those that the edit list of an MP4 hides; 0: unknown."""
    entries = stream.index_entries
    if stream.frames and len(entries) and "mp4" in stream.container.format.name:
        return sum(not entry.is_discard for entry in entries)
    return stream.frames


def has_captions(frame: av.VideoFrame) -> bool:
    """Return whether a decoded frame carries closed captions (ATSC A/53)."""
    return _side_data(frame, SideDataType.A53_CC) is not None


def _side_data(frame: av.VideoFrame, kind: SideDataType) -> Any:
    # Not `frame.side_data`, which the frame keeps and which keeps the frame, until the garbage collector comes by. PyAV
    # declares neither its argument nor that it is a mapping.
    return cast("Callable[[av.VideoFrame], Mapping[object, Any]]", SideDataContainer)(frame).get(kind)


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = _side_data(frame, SideDataType.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), dtype=np.int32)
    return tuple(int(value) for value in matrix) if matrix.size == _DISPLAY_MATRIX_LENGTH else None


def _measured_rate(path: Path) -> Fraction | None:
    """Return the rate of the first frames of a file by the times of their packets, None where these tell none."""
    with open_input(path) as container:
        stream = main_video_stream(container, path)
        packets = (packet for packet in container.demux(stream) if packet.size and packet.pts is not None)
        times: list[int] = []
        with suppress(av.error.FFmpegError):  # a damaged place, which decoding goes on behind
            times += (packet.pts for packet in islice(packets, _MEASURED_FRAMES))  # type: ignore[misc]
        span_s = (max(times) - min(times)) * clock_of(stream) if times else Fraction(0)
    rate = (len(times) - 1) / span_s if span_s else Fraction(0)
    return rate.limit_denominator(1001) if 0 < rate <= _GUESSED_RATE_MAX else None


def _has_constant_rate(stream: "VideoStream") -> bool:
    """Return whether the container's index proves that all frames last equally long; without one nothing does."""
    times = sorted(entry.timestamp for entry in stream.index_entries)
    if len(times) < 2 or len(times) != stream.frames:
        return False
    return len({later - earlier for earlier, later in pairwise(times)}) == 1
