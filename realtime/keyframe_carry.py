"""Paint a whole clip from some painted frames of it: each is carried to its neighbours along the motion of the input.

    ClipSurvey            all times and cuts, by a first look at the file
    look-ahead            a second decoder runs on to the next key frame: its frames and their motion go to the disk
    backward              from that key frame back to the last one: its maps go to the disk
    forward               frame by frame the map from the last key frame, and what both key frames become there

Memory does not grow with the distance of key frames, the temporary file does: by 4 MB a frame at 640x360 and more.
A key frame never reaches beyond a cut.
"""

import threading
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from .array_spool import ArraySpool
from .carried_map import CarriedMap, MapCarrier
from .carry_blend import blend, carried
from .channel import Stopped
from .clip_survey import ClipSurvey
from .errors import InputError
from .frame import Frame
from .keyframe_folder import read_keyframe
from .motion import SHORT_SIDE_MIN_PX, MotionEstimator
from .static_camera import hold_still
from .stylizer import Stylized
from .video_info import VideoInfo
from .video_source import VideoFileSource

# Short side at which motion is followed. Painted frames are carried at their own size.
FLOW_SHORT_SIDE_MAX_PX = 360
# Displacements are stored in these parts of a pixel, as finely as OpenCV samples: int16 then holds 1,023 px.
_PARTS_OF_PX = 32
# The root of the trust is stored in so many levels: what was looked up has no more than 0.02 of it.
_TRUST_LEVELS = 255


@dataclass(frozen=True, slots=True)
class _Span:
    """Frames from `first` to before `end` that have the same key frames: one at `first` (`left`), one at `end`.

    `is_static` tells that the camera stands still.
    """

    first: int
    end: int
    left: Path | None
    right: Path | None
    is_static: bool


@dataclass(frozen=True, slots=True)
class _Stored:
    """Where the small picture of a frame is in the spool, and its motion from (`forth`) and to the frame before it."""

    rgb: int
    forth: int
    back: int


class KeyframePainter:
    """Paints the frames `numbers` of the file `path` from key frames, in order.

    `keyframes` are pictures by frame number, also of frames that are not painted; `info` describes the video. `notes`
    tell of sizes that differ.

    Raises:
        InputError: a scene of which frames are painted has no key frame, or a key frame cannot be used.
    """

    workers = 1
    repeats = False

    def __init__(
        self,
        path: Path,
        survey: ClipSurvey,
        keyframes: dict[int, Path],
        *,
        numbers: range,
        info: VideoInfo,
    ) -> None:
        size = (info.width, info.height)
        if min(size) < SHORT_SIDE_MIN_PX:
            raise InputError(f"{path} has {size[0]}x{size[1]} pixels; key frames need {SHORT_SIDE_MIN_PX} each way")
        _require_all_scenes(survey, keyframes, numbers)
        # Before the work begins: any of them may be unusable.
        self.notes = [note for each in keyframes.values() if (note := read_keyframe(each, info)[1]) is not None]
        self._survey = survey
        self._keyframes = keyframes
        self._numbers = numbers
        self._info = info
        scale = min(1.0, FLOW_SHORT_SIDE_MAX_PX / min(size))
        self._flow_size = (round(size[0] * scale), round(size[1] * scale))
        self._stopped = threading.Event()
        self._source = VideoFileSource(path)
        self._inputs: Iterator[NDArray[np.uint8]] = iter(())
        self._pictures = self._paint_all()

    def __enter__(self) -> "KeyframePainter":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self.stop()
        self._pictures.close()
        self._source.close()

    def stop(self) -> None:
        self._stopped.set()

    def paint(self, frame: Frame) -> Stylized:
        picture = next(self._pictures, None)
        if picture is None:
            raise self._fewer_frames()
        return Stylized(frame.rgb, picture)

    def _paint_all(self) -> Generator[NDArray[np.uint8], None, None]:
        number = self._span_of(self._numbers.start).first
        self._inputs = (self._small(frame) for frame in islice(self._source, number, None))
        with _Motion() as motion:
            while number < self._numbers.stop:
                span = self._span_of(number)
                paint = self._paint_between if span.right is not None else self._paint_after
                yield from islice(paint(span, motion), max(0, self._numbers.start - span.first), None)
                number = span.end

    def _paint_after(self, span: _Span, motion: "_Motion") -> Iterator[NDArray[np.uint8]]:
        """Carry the last key frame of a scene to the scene's end."""
        painted = self._painted(span.left)
        yield painted
        last = self._next_input()
        carrier = MapCarrier(last)
        for rgb in islice(self._inputs, span.end - span.first - 1):
            self._check_stop()
            forth, back = motion.between(last, rgb, is_static=span.is_static)
            yield carried(painted, carrier.step(rgb, back=back, forth=forth))
            last = rgb

    def _paint_between(self, span: _Span, motion: "_Motion") -> Iterator[NDArray[np.uint8]]:
        """Paint up to a key frame, from it and, where there is one, from the key frame before."""
        with ArraySpool() as spool:
            first, stored = self._look_ahead(span, motion, spool)
            from_right = self._carry_back(span, first, stored, spool)
            right = self._painted(span.right)
            if span.left is None:
                for number in range(span.first, span.end):
                    yield carried(right, _read_map(spool, from_right[number]))
                return
            left = self._painted(span.left)
            yield left
            carrier = MapCarrier(first)
            for number in range(span.first + 1, span.end):
                self._check_stop()
                step = stored[number]
                here = carrier.step(
                    spool.get(step.rgb), back=_read_motion(spool, step.back), forth=_read_motion(spool, step.forth)
                )
                there = _read_map(spool, from_right[number])
                passed = self._passed(span, number)
                yield blend(carried(left, here), carried(right, there), (here.trust, there.trust), passed=passed)

    def _passed(self, span: _Span, number: int) -> float:
        """Return how much of the time between the key frames of a span has passed at a frame, 0..1."""
        begin_s, now_s, end_s = (self._survey.times_s[each] for each in (span.first, number, span.end))
        return float((now_s - begin_s) / (end_s - begin_s))

    def _look_ahead(
        self, span: _Span, motion: "_Motion", spool: ArraySpool
    ) -> tuple[NDArray[np.uint8], dict[int, _Stored]]:
        """Return the small picture of the first frame, and what is stored of those from the second to the key frame."""
        first = last = self._next_input()
        stored = {}
        for number in range(span.first + 1, span.end + 1):
            self._check_stop()
            rgb = self._next_input()
            forth, back = (spool.put(_in_parts(flow)) for flow in motion.between(last, rgb, is_static=span.is_static))
            stored[number] = _Stored(spool.put(rgb), forth, back)
            last = rgb
        # The key frame begins the next span.
        self._inputs = chain([last], self._inputs)
        return first, stored

    def _carry_back(
        self, span: _Span, first: NDArray[np.uint8], stored: dict[int, _Stored], spool: ArraySpool
    ) -> dict[int, tuple[int, int]]:
        """Return where the maps to the key frame at the end are stored, for each frame that needs one."""
        carrier = MapCarrier(spool.get(stored[span.end].rgb))
        maps = {}
        # The first frame itself is painted where no key frame is there.
        last = span.first if span.left is None else span.first + 1
        for number in range(span.end - 1, last - 1, -1):
            self._check_stop()
            # From the following frame to this one time runs backward: the directions of motion swap.
            following = stored[number + 1]
            rgb = first if number == span.first else spool.get(stored[number].rgb)
            carried_map = carrier.step(
                rgb, back=_read_motion(spool, following.forth), forth=_read_motion(spool, following.back)
            )
            trust = np.rint(_TRUST_LEVELS * np.sqrt(carried_map.trust)).astype(np.uint8)
            maps[number] = spool.put(_in_parts(carried_map.displacement)), spool.put(trust)
        return maps

    def _span_of(self, number: int) -> _Span:
        """Return the span of a frame; a key frame begins one."""
        scene_first, scene_end = self._survey.scene_of(number)
        inside = [each for each in self._keyframes if scene_first <= each < scene_end]
        first = max((each for each in inside if each <= number), default=None)
        end = min((each for each in inside if each > number), default=None)
        return _Span(
            # Nothing is carried further back than to the first frame that is painted.
            max(scene_first, self._numbers.start) if first is None else first,
            scene_end if end is None else end,
            self._keyframes[first] if first is not None else None,
            self._keyframes[end] if end is not None else None,
            scene_first in self._survey.static_scenes,
        )

    def _painted(self, path: Path | None) -> NDArray[np.uint8]:
        assert path is not None  # a span has a key frame at one end at least
        return read_keyframe(path, self._info)[0]

    def _next_input(self) -> NDArray[np.uint8]:
        rgb = next(self._inputs, None)
        if rgb is None:
            raise self._fewer_frames()
        return rgb

    def _fewer_frames(self) -> InputError:
        return InputError(f"{self._source.path} has fewer frames when read again; it may have been changed")

    def _small(self, frame: Frame) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(frame.rgb, self._flow_size, interpolation=cv2.INTER_AREA), dtype=np.uint8)

    def _check_stop(self) -> None:
        if self._stopped.is_set():
            raise Stopped


class _Motion:
    """Estimates motion in both directions at once, on two cores."""

    def __init__(self) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="motion")
        self._forth, self._back = MotionEstimator(), MotionEstimator()

    def __enter__(self) -> "_Motion":
        return self

    def __exit__(self, *exception: object) -> None:
        self._pool.shutdown()

    def between(
        self, rgb: NDArray[np.uint8], following: NDArray[np.uint8], *, is_static: bool
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return the motion to the following picture, and the motion back; `is_static` is of the camera."""
        now, then = (np.asarray(cv2.cvtColor(each, cv2.COLOR_RGB2GRAY), dtype=np.uint8) for each in (rgb, following))
        forth = self._pool.submit(self._forth.estimate, now, then)
        back = self._back.estimate(then, now)
        return hold_still(forth.result(), back, grey=now, following=then) if is_static else (forth.result(), back)


def _require_all_scenes(survey: ClipSurvey, keyframes: dict[int, Path], numbers: range) -> None:
    for part in survey.scenes_in(numbers):
        first, scene_end = survey.scene_of(part.start)
        if not any(first <= each < scene_end for each in keyframes):
            raise InputError(
                f"the scene of frames {first} to {scene_end - 1} ({float(survey.times_s[first]):.2f} s to "
                f"{float(survey.times_s[scene_end - 1]):.2f} s) has no key frame, and none is carried over a cut; "
                "add one, or leave the scene out with --start and --end"
            )


def _in_parts(displacement: NDArray[np.float32]) -> NDArray[np.int16]:
    limits = np.iinfo(np.int16)
    return np.rint(_PARTS_OF_PX * displacement).clip(limits.min, limits.max).astype(np.int16)


def _read_motion(spool: ArraySpool, place: int) -> NDArray[np.float32]:
    return np.asarray(spool.get(place) / np.float32(_PARTS_OF_PX), dtype=np.float32)


def _read_map(spool: ArraySpool, places: tuple[int, int]) -> CarriedMap:
    displacement, trust = places
    root = np.asarray(spool.get(trust) / np.float32(_TRUST_LEVELS), dtype=np.float32)
    return CarriedMap(_read_motion(spool, displacement), np.square(root))
