"""Write a video file: encode frames, carry the other streams along, and take the final name only when whole."""

import os
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av
import av.error
import cv2
import numpy as np
from numpy.typing import NDArray

from .color import ColorConverter
from .container import TICKS_PER_S, muxer_options, output_format
from .encoded_journal import EncodedJournal, EncodedPacket
from .encoder import EncoderChoice, configure_stream
from .errors import OutputError
from .frame import Frame
from .media import reason
from .output_file import OutputFile, write_error
from .video_info import VideoInfo, orientation

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from av.container import OutputContainer
    from av.video.stream import VideoStream

    from .media import AnyPacket

_FORMATS_WITHOUT_DISPLAY_MATRIX = frozenset({"mpegts"})
_CODECS_WITH_PIXEL_ASPECT = ("264", "265", "hevc", "mpeg", "ffv1")
_CHROMA_HALVED_FORMATS = ("yuv420", "yuvj420", "nv12", "p010", "nv21")


class Companions(Protocol):
    """The streams that go into a file beside the video; see `StreamCopier` and `SoundTrack`."""

    notes: list[str]

    def time_bases(self) -> "list[Fraction]":
        """Return the clocks of the streams whose times must be exact."""
        ...

    def add_streams(self, output: "OutputContainer", *, main_video: "Callable[[], VideoStream]") -> "VideoStream":
        """Add the streams, and `main_video()` at its place among them; return that."""
        ...

    def copy_until(self, time_s: "Fraction", output: "OutputContainer") -> None:
        """Write what begins up to `time_s` of the output."""
        ...

    def copy_rest(self, output: "OutputContainer") -> None:
        """Write what is left, and finish the streams."""
        ...


class VideoFileSink:
    """Encode frames of `info`'s video to `path`, at their exact times.

    Everything is written to a hidden file beside `path`, which takes its name in `finish`; `close` without `finish`
    removes it. `copier` brings the other streams. A file that has the name by then is replaced only with `overwrite`.
    With `recording` everything is written to `path` itself, in pieces that play without an end, and stays there.
    With a `journal` the file begins with what that holds, frames up to its last are left out, and what is encoded is
    kept in it until the file is whole.

    Raises:
        OutputError: the file cannot be created or written (permissions, full disk, ...).
    """

    def __init__(
        self,
        path: Path,
        *,
        info: VideoInfo,
        encoder: EncoderChoice,
        copier: Companions | None,
        overwrite: bool,
        recording: bool = False,
        journal: EncodedJournal | None = None,
    ) -> None:
        self.notes: list[str] = []
        self._file = OutputFile(path, overwrite=overwrite, in_place=recording)
        self._info = info
        self._pixel_format = encoder.pixel_format
        self._copier = copier
        self._journal = journal
        self._last_dts: int | None = None
        self._format_name = output_format(path)
        self._durations: dict[int, int] = {}
        self._container: OutputContainer | None = None
        self._mirrored, self._rotation_quarters = _orientation(info, self._format_name)
        self._coarse_ticks_per_s = TICKS_PER_S.get(self._format_name)
        # PyAV (18.1) cannot tell Matroska's muxer of them: they are kept only by codecs that write them themselves.
        self._squares_pixels = (
            self._format_name in ("matroska", "webm")
            and info.sample_aspect_ratio not in (None, 1)
            and not any(name in encoder.name for name in _CODECS_WITH_PIXEL_ASPECT)
        )
        self._size = self._coded_size(info.width, info.height)
        self._converter = ColorConverter(info.color_tags, height=info.height)
        try:
            self._file.part.touch(exist_ok=False)
            if journal is not None:
                journal.enter_part(self._file.part)
            self._container = av.open(
                "file:" + os.fspath(self._file.part),
                "w",
                format=self._format_name,
                container_options=muxer_options(
                    self._format_name,
                    recording=recording,
                    # The video's, which come first where not all of them can be exact.
                    time_bases=[info.time_base, *(copier.time_bases() if copier is not None else [])],
                ),
                metadata_errors="replace",
            )
            self._stream = self._add_streams(self._container, encoder)
            if journal is not None:
                self._replay(journal, self._container)
        except (av.error.FFmpegError, OSError, ValueError) as error:
            self.close()
            raise self._failure(error) from error
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "VideoFileSink":
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def write(self, frame: Frame) -> None:
        container = self._open_container()
        pts = round(frame.pts_s / self._info.time_base)
        if self._journal is not None:
            if self._journal.last_pts is not None and pts <= self._journal.last_pts:
                return
            self._journal.enter_frame(pts)
        picture = self._converter.from_rgb(self._padded(frame.rgb), pixel_format=self._pixel_format)
        picture.time_base = self._info.time_base
        picture.pts = pts
        self._notice_rounding(pts)
        self._durations[pts] = round(frame.duration_s / self._info.time_base)
        try:
            self._mux(self._stream.encode(picture), container)
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def finish(self) -> None:
        """Flush the encoder, copy the rest of the other streams, and give the file its name."""
        container = self._open_container()
        try:
            self._mux(self._stream.encode(None), container)
            if self._copier is not None:
                self._copier.copy_rest(container)
                self.notes += [note for note in self._copier.notes if note not in self.notes]
            self._container = None
            tags = set(container.metadata)
            container.close()
            self._note_lost_tags(tags)
            self._file.take_name()
            if self._journal is not None:
                self._journal.remove()
        except (av.error.FFmpegError, OSError) as error:
            raise self._failure(error) from error

    def close(self) -> None:
        container, self._container = self._container, None
        try:
            if container is not None:
                container.close()
        except (av.error.FFmpegError, OSError):
            pass  # the file is thrown away; why it could not be written has been raised by `write`
        finally:
            self._file.close()

    def _note_lost_tags(self, tags: set[str]) -> None:
        """Say which tags the file does not have that were to be written: MP4's muxer drops what it does not know."""
        if not tags or self._format_name not in ("mp4", "mov"):
            return
        with (
            suppress(av.error.FFmpegError, OSError),  # a file is not thrown away for a note
            av.open("file:" + os.fspath(self._file.part), metadata_errors="replace") as made,
        ):
            kept = {key.lower() for key in made.metadata} | {"timecode"}  # of the video
            self._say_what_is_lost(tags, kept)

    def _say_what_is_lost(self, tags: set[str], kept: set[str]) -> None:
        # QuickTime repeats tags with their language: `title-eng`.
        lost = sorted(tag for tag in tags if tag.lower() not in kept and tag.lower().rpartition("-")[0] not in kept)
        if lost:
            self.notes.append(f"{self._format_name} cannot hold, and leaves out, the tags {', '.join(lost)}; .mkv can")

    def _open_container(self) -> "OutputContainer":
        if self._container is None:
            raise ValueError(f"{self._file.path} has been finished or closed: nothing more can be written")
        return self._container

    def _add_streams(self, container: "OutputContainer", encoder: EncoderChoice) -> "VideoStream":
        info = self._info
        if self._copier is None:
            stream = self._add_video(container, encoder)
        else:
            # The order of the input's streams is kept: those before the main video, the video, and the rest.
            stream = self._copier.add_streams(container, main_video=lambda: self._add_video(container, encoder))
            self.notes += self._copier.notes
        if info.display_matrix is not None and self._format_name not in _FORMATS_WITHOUT_DISPLAY_MATRIX:
            stream.set_display_matrix(info.display_matrix)
        return stream

    def _add_video(self, container: "OutputContainer", encoder: EncoderChoice) -> "VideoStream":
        info = self._info
        stream: VideoStream = container.add_stream(encoder.name, rate=info.frame_rate, options=dict(encoder.options))  # type: ignore[assignment]
        configure_stream(stream, time_base=info.time_base, constant_frame_rate=info.constant_frame_rate)
        context = stream.codec_context
        context.width, context.height = self._size
        context.pix_fmt = self._pixel_format
        tags = info.color_tags.written_as(self._pixel_format)
        context.color_range = tags.range
        context.colorspace = tags.matrix
        context.color_primaries = tags.primaries
        context.color_trc = tags.transfer
        if self._format_name in ("mp4", "mov") and context.codec.canonical_name == "hevc":
            context.codec_tag = "hvc1"  # FFmpeg's own, hev1, is not played by QuickTime, Safari and iOS
        if info.sample_aspect_ratio and not self._squares_pixels:
            ratio = info.sample_aspect_ratio
            context.sample_aspect_ratio = 1 / ratio if self._rotation_quarters % 2 else ratio
        return stream

    def _mux(self, packets: "list[AnyPacket]", container: "OutputContainer") -> None:
        for packet in packets:
            duration = self._durations.pop(packet.pts, None) if packet.pts is not None else None
            if duration is not None:
                packet.duration = duration
            if self._journal is not None and packet.pts is not None and packet.dts is not None:
                if self._last_dts is not None:
                    # An encoder begun anew may go back behind the last packet that is kept, by as much as it reorders.
                    packet.dts = max(packet.dts, self._last_dts + 1)
                is_key = packet.is_keyframe
                kept = EncodedPacket(packet.pts, packet.dts, packet.duration or 0, is_key, bytes(packet))
                self._journal.enter_packet(kept)
            self._put(packet, container)

    def _replay(self, journal: EncodedJournal, container: "OutputContainer") -> None:
        for kept in journal.packets_kept():
            self._notice_rounding(kept.pts)
            packet = av.Packet(kept.data)
            packet.stream, packet.time_base = self._stream, self._info.time_base
            packet.pts, packet.dts, packet.duration = kept.pts, kept.dts, kept.duration
            packet.is_keyframe = kept.is_keyframe
            self._put(packet, container)

    def _put(self, packet: "AnyPacket", container: "OutputContainer") -> None:
        self._last_dts = packet.dts
        if self._copier is not None and packet.dts is not None:
            self._copier.copy_until(packet.dts * (packet.time_base or self._info.time_base), container)
        container.mux(packet)

    def _coded_size(self, width: int, height: int) -> tuple[int, int]:
        if self._rotation_quarters % 2:
            width, height = height, width
        ratio = self._info.sample_aspect_ratio
        if self._squares_pixels and ratio:
            width = max(1, round(width * ratio))
            self.notes.append(
                f"{self._format_name} with this codec cannot say that pixels are not square ({ratio.numerator}:"
                f"{ratio.denominator}): the picture is scaled to {width}x{height}"
            )
        if self._pixel_format.startswith(_CHROMA_HALVED_FORMATS) and (width % 2 or height % 2):
            even = (width + width % 2, height + height % 2)
            self.notes.append(
                f"{self._pixel_format} needs even sizes: {width}x{height} is extended by its edge to "
                f"{even[0]}x{even[1]}; --pix-fmt yuv444p keeps the size"
            )
            return even
        return width, height

    def _padded(self, rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
        if self._mirrored:
            rgb = np.fliplr(rgb)
        if self._mirrored or self._rotation_quarters:
            rgb = np.ascontiguousarray(np.rot90(rgb, self._rotation_quarters))
        if self._squares_pixels:
            rgb = np.asarray(cv2.resize(rgb, self._size, interpolation=cv2.INTER_CUBIC), dtype=np.uint8)
        right, bottom = self._size[0] - rgb.shape[1], self._size[1] - rgb.shape[0]
        if right or bottom:
            padded = cv2.copyMakeBorder(rgb, 0, bottom, 0, right, cv2.BORDER_REPLICATE)
            return np.asarray(padded, dtype=np.uint8)
        return rgb

    def _notice_rounding(self, pts: int) -> None:
        ticks = self._coarse_ticks_per_s
        if ticks and (pts * ticks * self._info.time_base).denominator != 1:
            self._coarse_ticks_per_s = None  # once is enough
            self.notes.append(
                f"{self._format_name} counts time in 1/{ticks} s, the input in {self._info.time_base} s: "
                "timestamps are rounded; .mp4 keeps them exactly"
            )

    def _failure(self, error: Exception) -> OutputError:
        if isinstance(error, av.error.ExternalError):  # all that an encoder says when it does not take the size
            width, height = self._size
            return OutputError(
                f"cannot write {self._file.path}: the encoder failed on {width}x{height} {self._pixel_format} pictures "
                f"({reason(error)}); another --codec may take them"
            )
        return write_error(self._file.path, error, reason(error))


def _orientation(info: VideoInfo, format_name: str) -> tuple[bool, int]:
    """Return what must be done to the picture itself, since the format cannot say it."""
    return orientation(info.display_matrix) if format_name in _FORMATS_WITHOUT_DISPLAY_MATRIX else (False, 0)
