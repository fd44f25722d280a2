"""Read a video file: decode, deinterlace, map HDR to SDR, convert to RGB; every frame once, with its exact time."""

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import av.sidedata.sidedata
import numpy as np

from .color import SDR_TAGS, ColorConverter, ColorTags
from .errors import InputError
from .frame import Frame
from .media import main_video_stream, open_input, reason

# Frame rate assumed where neither stream nor frames tell one: only the duration of a lone frame depends on it.
FALLBACK_FRAME_RATE = Fraction(25)


@dataclass(frozen=True, slots=True)
class VideoInfo:
    """What a sink must know of the video: sizes in pixels as (width, height) of the coded picture."""

    width: int
    height: int
    time_base: Fraction
    frame_rate: Fraction
    constant_frame_rate: bool
    sample_aspect_ratio: Fraction | None
    display_matrix: tuple[int, ...] | None
    color_tags: ColorTags
    codec_name: str
    frames_expected: int | None


class VideoFileSource:
    """Frames of the main video stream of a file between `start_s` and `end_s`, counted from its first frame.

    With `start_s`, the times of frames begin at 0; `time_shift_s` is what was taken off. The decoder runs while iterating, in
    the iterating thread. `corrupt_packets` and `repaired_timestamps` count what was wrong with the file; `notes` say in words
    what the user should know.

    Raises:
        InputError: the file cannot be opened or holds no frame in the range.
    """

    def __init__(self, path: Path, *, start_s: Fraction | None = None, end_s: Fraction | None = None) -> None:
        self.path = path
        self.corrupt_packets = 0
        self.repaired_timestamps = 0
        self.notes: list[str] = []
        self._container = open_input(path)
        try:
            self._stream = main_video_stream(self._container, path)
            self._time_base = self._stream.time_base or Fraction(1, 90000)
            self._origin_s = (self._stream.start_time or 0) * self._time_base
            self._start_s = self._origin_s + start_s if start_s else None
            self.end_s = self._origin_s + end_s if end_s is not None else None
            self._stream.thread_type = "AUTO"
            self._decoded = self._decode()
            self._first = self._first_frame()
            self.time_shift_s = self._time_of(self._first) if self._start_s is not None else Fraction(0)
            self.info = self._describe(self._first)
        except BaseException:
            self._container.close()
            raise
        tags = self.info.color_tags
        self._converter = ColorConverter(tags, height=self.info.height)

    def __enter__(self) -> "VideoFileSource":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._container.close()

    def __iter__(self) -> Iterator[Frame]:
        index = 0
        last_pts_s: Fraction | None = None
        duration_s = 1 / self.info.frame_rate
        for picture in self._filtered():
            ticks, duration_ticks = picture.pts, picture.duration
            pts_s = self._time_of(picture) - self.time_shift_s if ticks is not None else None
            if pts_s is None:
                pts_s = last_pts_s + duration_s if last_pts_s is not None else Fraction(0)
            if last_pts_s is not None and pts_s <= last_pts_s:
                pts_s = last_pts_s + self._time_base
                self.repaired_timestamps += 1
            if duration_ticks:
                duration_s = duration_ticks * (picture.time_base or self._time_base)
            rgb = self._converter.to_rgb(picture, width=self.info.width, height=self.info.height)
            if (picture.width, picture.height) != (self.info.width, self.info.height):
                self._note(
                    f"the picture changes its size in mid-stream; all frames are scaled to {self.info.width}x{self.info.height}"
                )
            last_pts_s = pts_s
            yield Frame(rgb, pts_s, duration_s, index)
            index += 1
        if self.info.frames_expected and index < self.info.frames_expected:
            self._note(f"the file promises {self.info.frames_expected} frames but only {index} could be decoded")

    def _note(self, text: str) -> None:
        if text not in self.notes:
            self.notes.append(text)

    def _time_of(self, picture: av.VideoFrame) -> Fraction:
        return Fraction(picture.pts or 0) * (picture.time_base or self._time_base)

    def _first_frame(self) -> av.VideoFrame:
        """Decode up to the first frame of the range and leave it to be served again."""
        if self._start_s is not None:
            try:
                self._container.seek(int(self._start_s / self._time_base), stream=self._stream)
            except av.error.FFmpegError:
                pass  # no index: decoding from the beginning finds the place, only later
        for picture in self._decoded:
            if self._start_s is None or self._time_of(picture) >= self._start_s:
                if self.end_s is not None and self._time_of(picture) >= self.end_s:
                    break
                return picture
        if self._start_s is not None or self.end_s is not None:
            raise InputError(f"{self.path} has no frame between --start and --end")
        raise InputError(
            f"no frame of {self.path} can be decoded ({self._stream.codec_context.name}); the file is damaged or truncated"
        )

    def _pictures(self) -> Iterator[av.VideoFrame]:
        yield self._first
        for picture in self._decoded:
            if self.end_s is not None and picture.pts is not None and self._time_of(picture) >= self.end_s:
                return
            yield picture

    def _decode(self) -> Iterator[av.VideoFrame]:
        """Decode what can be decoded: a corrupt packet costs its frames, not the rest of the file."""
        packets = self._container.demux(self._stream)
        while True:
            try:
                packet = next(packets)
            except StopIteration:
                return
            except (av.error.FFmpegError, OSError) as error:
                self._note(f"reading stopped early: {reason(error)}")
                return
            try:
                pictures = packet.decode()
            except av.error.FFmpegError:
                self.corrupt_packets += 1
                continue
            if packet.is_corrupt:
                self.corrupt_packets += 1
            yield from pictures

    def _filtered(self) -> Iterator[av.VideoFrame]:
        """Deinterlace from the first interlaced frame on, and map HDR to SDR; other video passes untouched."""
        chain: _FilterChain | None = None
        tone_map = ColorTags.of(self._first).is_hdr
        for picture in self._pictures():
            if chain is None and (tone_map or picture.interlaced_frame):
                chain = _FilterChain(picture, self._time_base, tone_map=tone_map)
                if picture.interlaced_frame:
                    self._note("interlaced video: deinterlaced")
                if tone_map:
                    self._note("HDR video: mapped to BT.709")
            if chain is None:
                yield picture
            else:
                yield from chain.push(picture)
        if chain is not None:
            yield from chain.push(None)

    def _describe(self, first: av.VideoFrame) -> VideoInfo:
        stream = self._stream
        tags = ColorTags.of(first)
        rate = stream.average_rate or stream.guessed_rate or FALLBACK_FRAME_RATE
        whole = self._start_s is None and self.end_s is None
        return VideoInfo(
            width=first.width,
            height=first.height,
            time_base=self._time_base,
            frame_rate=rate,
            constant_frame_rate=_has_constant_rate(stream),
            sample_aspect_ratio=stream.sample_aspect_ratio,
            display_matrix=_display_matrix(first),
            color_tags=SDR_TAGS if tags.is_hdr else tags,
            codec_name=stream.codec_context.name,
            frames_expected=(stream.frames or None) if whole else None,
        )

    def expected_frames(self) -> int | None:
        """Return how many frames will come, estimated from the duration where the file does not say."""
        if self.info.frames_expected:
            return self.info.frames_expected
        if self._stream.duration is not None:
            duration_s = self._stream.duration * self._time_base
        elif self._container.duration is not None:
            duration_s = Fraction(self._container.duration, 1_000_000)
        else:
            return None
        begin_s = (self._start_s or self._origin_s) - self._origin_s
        end_s = min(self.end_s - self._origin_s, duration_s) if self.end_s is not None else duration_s
        return max(1, round((end_s - begin_s) * self.info.frame_rate))


class _FilterChain:
    """FFmpeg's bwdif on interlaced frames (one frame out for one in) and swscale's HDR to SDR conversion."""

    def __init__(self, first: av.VideoFrame, time_base: Fraction, *, tone_map: bool) -> None:
        filters = [("bwdif", "mode=send_frame:deint=interlaced")]
        if tone_map:
            filters.append(("scale", "out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv"))
            filters.append(("format", "yuv444p"))
        self._graph = av.filter.Graph()
        node: Any = self._graph.add_buffer(
            width=first.width, height=first.height, format=first.format.name, time_base=time_base
        )
        for name, options in filters:
            following = self._graph.add(name, options)
            node.link_to(following)
            node = following
        node.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def push(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Yield the frames that are ready after `picture`, all that is left after None."""
        self._graph.vpush(picture)
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _display_matrix(frame: av.VideoFrame) -> tuple[int, ...] | None:
    data = frame.side_data.get(av.sidedata.sidedata.Type.DISPLAYMATRIX)
    if data is None:
        return None
    matrix = np.frombuffer(bytes(data), dtype=np.int32)
    return tuple(int(value) for value in matrix) if matrix.size == 9 else None


def _has_constant_rate(stream: "av.video.stream.VideoStream") -> bool:
    """Return whether the container's index proves that all frames last equally long; one without an index proves nothing."""
    times = sorted(entry.timestamp for entry in stream.index_entries)
    if len(times) < 2 or len(times) != stream.frames:
        return False
    return len({later - earlier for earlier, later in zip(times, times[1:], strict=False)}) == 1
