"""Read a video file: decode, deinterlace, map HDR to SDR, convert to RGB; every frame once, with its exact time."""

from collections.abc import Iterator
from fractions import Fraction
from heapq import heappop, heappush
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Never

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from .color import ColorConverter, ColorTags
from .errors import InputError
from .frame import Frame
from .media import main_video_stream, open_input, reason
from .picture_filter import PictureFilter
from .time_line import goes_on, shift_to_zero_s
from .video_info import clock_of, describe_video, has_captions, promised_frames

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

# Read errors without a packet between them after which the rest of a file is given up.
_READ_ERRORS_MAX = 20
# How far before --start decoding begins, tried in turn.
_SEEK_MARGINS_S = (0, 5, 20, 80)
# AVI counts frames in coding order; for these codecs FFmpeg's guess at presentation times is wrong: 1 4 3 5 2 for 1 2 3
# 4 5 (8.1).
_WITHOUT_PTS = frozenset({("avi", "h264"), ("avi", "hevc")})


def _closed(path: Path) -> Iterator[Never]:
    """Be the frames of a source that has been closed."""
    raise ValueError(f"{path} has been closed: no more frames can be read")
    yield


class VideoFileSource:
    """Frames of the main video stream of a file between `start_s` and `end_s`, counted from its first frame.

    With `start_s`, or where they would be negative, the times of frames begin at 0, and near it where the clock of a
    transport stream begins long after; `time_shift_s` is what was taken off. `first_s` and `end_s` are the range in the
    file's own time. The decoder runs while iterating, in the iterating thread. `corrupt_packets`
    and `repaired_timestamps` count what was wrong with the file; `notes` say in words what the user should know.

    Raises:
        InputError: the file cannot be opened or holds no frame in the range.
    """

    def __init__(self, path: Path, *, start_s: Fraction | None = None, end_s: Fraction | None = None) -> None:
        self.path = path
        self.repaired_timestamps = 0
        self.notes: list[str] = []
        self._decoded: Iterator[av.VideoFrame]
        self._open()
        try:
            self._origin_s = self._find_origin_s()
            self._start_s = self._origin_s + start_s if start_s else None
            self.end_s = self._origin_s + end_s if end_s is not None else None
            self._first = self._first_frame()
            self.first_s = self._time_of(self._first)
            self.time_shift_s = self.first_s
            if self._start_s is None:
                self.time_shift_s = shift_to_zero_s(self._container, self.first_s)
                if self.time_shift_s:
                    first_s, moved_s = float(self.first_s), float(-self.time_shift_s)
                    self._note(f"the first frame is at {first_s:g} s: everything is moved by {moved_s:+g} s")
            self.info = describe_video(self._stream, self._first, path=self.path)
            if has_captions(self._first):
                self._note("closed captions inside the video (CEA-608/708) are left out")
        except BaseException:
            self._container.close()
            raise
        self._frames_promised = promised_frames(self._stream) if self._start_s is None and self.end_s is None else 0
        self._converter = ColorConverter(self.info.color_tags, height=self.info.height)
        # One for all: what has been decoded cannot be decoded again.
        self._timed = self._with_times()
        self._index = 0  # of the next frame
        self._frames = self._read_frames()

    @property
    def offset_s(self) -> Fraction:
        """What the times of frames lack of those that count from the first frame of the file."""
        return self.time_shift_s - self._origin_s

    def __enter__(self) -> "VideoFileSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()
        # They and the source hold each other: what a decoder keeps, 2 MB at 640x360, would wait for the garbage
        # collector, and a file that is played again and again opens one every time.
        self._decoded = self._timed = self._frames = _closed(self.path)

    def __iter__(self) -> Iterator[Frame]:
        return self._frames

    def pictures(self) -> Iterator[tuple[av.VideoFrame, Fraction, Fraction]]:
        """Yield what iteration yields as it was decoded, with time and duration in seconds; `to_rgb` converts it."""
        return self._timed

    def to_rgb(self, picture: av.VideoFrame) -> NDArray[np.uint8]:
        """Return one of `pictures` as (H, W, 3) uint8 RGB; one thread, which may be another than that of `pictures`.

        Raises:
            InputError: the picture is damaged.
        """
        if (picture.width, picture.height) != (self.info.width, self.info.height):
            self._note(
                "the picture changes its size in mid-stream; "
                f"all frames are scaled to {self.info.width}x{self.info.height}"
            )
        try:
            rgb = self._converter.to_rgb(picture, width=self.info.width, height=self.info.height)
            if self._converter.has_met_transparency:
                self._note("transparency lies on white")
            return rgb
        except (av.error.FFmpegError, ValueError) as error:
            raise InputError(f"a picture of {self.path} is damaged: {error}") from error

    def skip_frame(self) -> None:
        """Leave out the next frame, if there is one: it is decoded, but not converted."""
        if next(self._timed, None) is not None:
            self._index += 1

    def _read_frames(self) -> Iterator[Frame]:
        for picture, pts_s, duration_s in self._timed:
            try:
                rgb = self.to_rgb(picture)
            except InputError:
                self.corrupt_packets += 1
                continue
            yield Frame(rgb, pts_s, duration_s, self._index)
            self._index += 1
        if self._index < self._frames_promised:
            self._note(f"the file promises {self._frames_promised} frames but only {self._index} could be decoded")

    def _with_times(self) -> Iterator[tuple[av.VideoFrame, Fraction, Fraction]]:
        last_pts_s: Fraction | None = None
        shift_s = self.time_shift_s
        duration_s = 1 / self.info.frame_rate
        pictures = self._filtered()
        upcoming = next(pictures, None)
        while (picture := upcoming) is not None:
            upcoming = None  # it is read ahead only where it is needed: somebody waits for this one
            following_s = last_pts_s + duration_s if last_pts_s is not None else Fraction(0)
            pts_s = self._time_of(picture) - shift_s if picture.pts is not None else following_s
            # Between the last time and the one that its duration promises all is well: durations may be wrong.
            is_behind = last_pts_s is not None and pts_s <= last_pts_s
            is_ahead = last_pts_s is not None and pts_s > following_s
            if picture.pts is None:
                self.repaired_timestamps += 1
            elif (is_behind or is_ahead) and not goes_on(pts_s, following_s):
                # Only what comes next tells whether the clock has jumped, or this one time is wrong.
                upcoming = next(pictures, None)
                upcoming_s = self._time_of(upcoming) - shift_s if upcoming is not None else pts_s
                returns = goes_on(upcoming_s, following_s + duration_s) and (is_behind or upcoming_s < pts_s)
                if is_behind and not returns:
                    self._note("the time of the input jumps back; it is continued from there")
                    shift_s += pts_s - following_s
                if is_behind or returns:
                    self.repaired_timestamps += 1
                    pts_s = following_s
            elif is_behind and last_pts_s is not None:
                self.repaired_timestamps += 1
                pts_s = last_pts_s + self._time_base
            # Tested on the time that goes on where the file's own jumps back.
            if self.end_s is not None and pts_s + self.time_shift_s >= self.end_s:
                return
            if picture.duration:
                duration_s = picture.duration * (picture.time_base or self._time_base)
            last_pts_s = pts_s
            yield picture, pts_s, duration_s
            if upcoming is None:
                upcoming = next(pictures, None)

    def expected_frames(self) -> int | None:
        """Return how many frames will come, estimated from the duration where the file does not say."""
        if self._frames_promised:
            return self._frames_promised
        if self._stream.duration is not None:
            duration_s = self._stream.duration * self._time_base
        elif self._container.duration is not None:
            duration_s = Fraction(self._container.duration, 1_000_000)
        else:
            return None
        begin_s = (self._start_s or self._origin_s) - self._origin_s
        end_s = min(self.end_s - self._origin_s, duration_s) if self.end_s is not None else duration_s
        return max(1, round((end_s - begin_s) * self.info.frame_rate))

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _time_of(self, picture: av.VideoFrame) -> Fraction:
        return Fraction(picture.pts or 0) * (picture.time_base or self._time_base)

    def _open(self) -> None:
        self._container = open_input(self.path)
        try:
            self._stream = main_video_stream(self._container, self.path)
        except BaseException:
            self._container.close()
            raise
        self._stream.thread_type = "AUTO"
        self._time_base = clock_of(self._stream)
        self._restart_decoding()

    def _restart_decoding(self) -> None:
        self.corrupt_packets = 0
        self._times_in: list[int] = []  # a heap
        self._decoded = self._decode()

    def _go_before(self, start_s: Fraction) -> None:
        """Seek to a key frame at or before `start_s`.

        Formats without an index miss it: then go back further, at last to the beginning.
        """
        for margin_s in _SEEK_MARGINS_S:
            if start_s - margin_s <= self._origin_s:
                break
            try:
                self._container.seek(int((start_s - margin_s) / self._time_base), stream=self._stream)
            except av.error.FFmpegError:
                break
            self._restart_decoding()
            picture = next(self._decoded, None)
            if picture is not None and picture.key_frame and self._time_of(picture) <= start_s:
                self._decoded = chain([picture], self._decoded)
                return
        self._container.close()
        self._open()

    def _find_origin_s(self) -> Fraction:
        """Return the time of the first frame of the file.

        FFmpeg tells no beginning of some short videos, and of others that of their file, which may be the audio's.
        """
        first = next(self._decoded, None)
        if first is None:
            return Fraction(0)
        self._decoded = chain([first], self._decoded)
        return self._time_of(first)

    def _first_frame(self) -> av.VideoFrame:
        """Decode up to the first frame of the range and leave it to be served again."""
        if self._start_s is not None:
            self._go_before(self._start_s)
        for picture in self._decoded:
            if self._start_s is None or self._time_of(picture) >= self._start_s:
                if self.end_s is not None and self._time_of(picture) >= self.end_s:
                    break
                return picture
        if self._start_s is not None or self.end_s is not None:
            length = self._stream.duration and f"; it is {float(self._stream.duration * self._time_base):g} s long"
            raise InputError(f"{self.path} has no frame in the part that was asked for{length or ''}")
        raise InputError(
            f"no frame of {self.path} can be decoded ({self._stream.codec_context.name}); "
            "the file is damaged or truncated"
        )

    def _pictures(self) -> Iterator[av.VideoFrame]:
        yield self._first
        while (picture := next(self._decoded, None)) is not None:  # which `close` replaces
            yield picture

    def _in_order(self, pictures: list[av.VideoFrame]) -> list[av.VideoFrame]:
        """Give pictures of a file without presentation times the earliest time of those packets that went in."""
        for picture in pictures:
            if self._times_in:
                picture.pts = heappop(self._times_in)
        return pictures

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Decode what can be decoded: a corrupt packet costs its frames, not the rest of the file."""
        without_pts = (self._container.format.name, self._stream.codec_context.name) in _WITHOUT_PTS
        for packet in self._demux():
            if without_pts and packet.dts is not None:
                heappush(self._times_in, packet.dts)
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self._times_in[:1] = []
                self.corrupt_packets += 1
                continue
            if packet.is_corrupt or any(picture.is_corrupt for picture in pictures):
                self.corrupt_packets += 1
            yield from self._in_order(pictures)
        # The flush may fail on a corrupt packet that a decoding thread still held; good frames can follow.
        for _ in range(_READ_ERRORS_MAX):
            try:
                yield from self._in_order(self._stream.codec_context.decode(None))
            except av.error.EOFError:
                return
            except av.error.FFmpegError:
                self.corrupt_packets += 1

    def _demux(self) -> "Iterator[Packet[VideoStream]]":
        """Yield the packets of the video without the empty one that ends it, past damaged places."""
        errors = 0
        while True:
            try:
                for packet in self._container.demux(self._stream):
                    if packet.size:
                        errors = 0
                        yield packet
                return
            except (av.error.FFmpegError, OSError) as error:
                errors += 1
                if errors == 1:
                    self._note(f"the file is damaged or cut off: {reason(error)}")
                if errors > _READ_ERRORS_MAX:
                    return

    def _filtered(self) -> Iterator[av.VideoFrame]:
        """Deinterlace from the first interlaced frame on, and map HDR to SDR; other video passes untouched."""
        current: PictureFilter | None = None
        tone_map = ColorTags.of(self._first).is_hdr
        for picture in self._pictures():
            if current is not None and not current.takes(picture):
                yield from current.push(None)
                current = PictureFilter(picture, self._time_base, tone_map=tone_map)
            if current is None and (tone_map or picture.interlaced_frame):
                current = PictureFilter(picture, self._time_base, tone_map=tone_map)
                if picture.interlaced_frame:
                    self._note("interlaced video: deinterlaced")
                if tone_map:
                    self._note("HDR video: mapped to BT.709")
            if current is None:
                yield picture
            else:
                yield from current.push(picture)
        if current is not None:
            yield from current.push(None)
