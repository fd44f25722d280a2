"""Synthesise media files whose every frame tells its number, and read files back packet by packet."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from realtime.color import SDR_TAGS
from realtime.video_info import VideoInfo

Picture = NDArray[np.uint8]

SIZE = (64, 48)
FRAME_RATE = Fraction(25)
# A number is eight columns, dark for 0 and bright for 1: codecs keep them apart at any quality.
NUMBER_BITS = 8
DARK, BRIGHT = 40, 215
SAMPLE_RATE = 48000


def numbered(number: int, size: tuple[int, int] = SIZE) -> Picture:
    """Return a grey picture that shows `number` (0..255) as bars."""
    width, height = size
    bit = np.arange(width) * NUMBER_BITS // width
    row = np.where(number >> bit & 1, BRIGHT, DARK).astype(np.uint8)
    return np.broadcast_to(row[np.newaxis, :, np.newaxis], (height, width, 3)).copy()


def read_number(picture: Picture) -> int:
    """Return the number that `numbered` drew, from the columns' means."""
    width = picture.shape[1]
    bit = np.arange(width) * NUMBER_BITS // width
    grey = picture.mean(axis=(0, 2))
    return sum(1 << index for index in range(NUMBER_BITS) if grey[bit == index].mean() > (DARK + BRIGHT) / 2)


class MediaWriter:
    """A file under construction: streams are added in their order, `write` encodes and interleaves them all."""

    def __init__(self, path: Path, **container_options: str) -> None:
        self.path = path
        self.container = av.open(str(path), "w", container_options=container_options)
        self._packets: list[Callable[[], list[av.Packet]]] = []

    def video(
        self,
        codec: str = "libx264",
        *,
        pts: Iterable[int] = range(10),
        time_base: Fraction = 1 / FRAME_RATE,
        size: tuple[int, int] = SIZE,
        pixel_format: str = "yuv420p",
        picture: Callable[[int, tuple[int, int]], Picture] = numbered,
        durations: Sequence[int] | None = None,
        rate: Fraction = FRAME_RATE,
        options: dict[str, str] | None = None,
        interlaced: bool = False,
        matrix: int = 2,
        color_range: int = 0,
        primaries: int = 2,
        transfer: int = 2,
        **settings: Any,
    ) -> Any:
        """Add a video of one picture for each timestamp; `settings` are set on the codec context."""
        stream = self.container.add_stream(codec, rate=rate, options=dict(options or {}))
        context = stream.codec_context
        context.width, context.height = size
        context.pix_fmt = pixel_format
        context.time_base = stream.time_base = time_base
        context.colorspace, context.color_range = matrix, color_range
        context.color_primaries, context.color_trc = primaries, transfer
        for name, value in settings.items():
            setattr(context, name, value)
        times = list(pts)
        lasting = dict(zip(times, durations, strict=True)) if durations is not None else {}

        def packets() -> list[av.Packet]:
            made = []
            for number, ticks in enumerate(times):
                source = av.VideoFrame.from_ndarray(picture(number, size), format="rgb24")
                frame = source.reformat(
                    format=pixel_format,
                    dst_colorspace={1: "ITU709", 9: "bt2020"}.get(matrix, "ITU601"),
                    src_color_range="JPEG",
                    dst_color_range="JPEG" if color_range == 2 or pixel_format.startswith("yuvj") else "MPEG",
                )
                frame.colorspace, frame.color_range = matrix, color_range
                frame.pts, frame.time_base = ticks, time_base
                made += stream.encode(frame)
            made += stream.encode(None)
            for packet in made:
                if packet.pts in lasting:
                    packet.duration = lasting[packet.pts]
            return made

        self._packets.append(packets)
        return stream

    def audio(
        self,
        codec: str = "aac",
        *,
        seconds: float = 0.4,
        start_s: float = 0.0,
        frequency: float = 440.0,
        language: str | None = None,
    ) -> Any:
        """Add a sine tone."""
        stream = self.container.add_stream(codec, rate=SAMPLE_RATE, layout="mono")
        if language:
            stream.metadata["language"] = language

        def packets() -> list[av.Packet]:
            context = stream.codec_context
            context.open()
            count = context.frame_size or 1024
            made = []
            resampler = av.AudioResampler(format=context.format, layout="mono", rate=SAMPLE_RATE)
            for first in range(0, round(seconds * SAMPLE_RATE) - count + 1, count):
                phase = (np.arange(first, first + count) / SAMPLE_RATE) * 2 * np.pi * frequency
                samples = (0.3 * np.sin(phase)).astype(np.float32)[np.newaxis]
                frame = av.AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
                frame.sample_rate = SAMPLE_RATE
                frame.pts = first + round(start_s * SAMPLE_RATE)
                frame.time_base = Fraction(1, SAMPLE_RATE)
                for resampled in resampler.resample(frame):
                    made += stream.encode(resampled)
            return made + stream.encode(None)

        self._packets.append(packets)
        return stream

    def subtitles(self, codec: str, lines: Sequence[tuple[int, int, str]], *, language: str = "eng") -> Any:
        """Add text subtitles: (begin ms, duration ms, text)."""
        stream = self.container.add_stream(codec)
        stream.metadata["language"] = language
        stream.time_base = stream.codec_context.time_base = Fraction(1, 1000)
        stream.codec_context.subtitle_header = ASS_HEADER

        def packets() -> list[av.Packet]:
            made = []
            for begin_ms, duration_ms, text in lines:
                event = av.subtitles.subtitle.SubtitleSet.create(
                    f"0,0,Default,,0,0,0,,{text}".encode(), 0, duration_ms, 0
                )
                packet = stream.codec_context.encode_subtitle(event)
                packet.stream, packet.time_base = stream, Fraction(1, 1000)
                packet.pts = packet.dts = begin_ms
                packet.duration = duration_ms
                made.append(packet)
            return made

        self._packets.append(packets)
        return stream

    def cover(self, codec: str = "mjpeg") -> Any:
        """Add a picture as cover art."""
        stream = self.container.add_stream(codec, rate=1)
        context = stream.codec_context
        context.width, context.height = 32, 32
        context.pix_fmt = "yuvj420p" if codec == "mjpeg" else "rgb24"
        context.time_base = stream.time_base = Fraction(1, 90000)
        stream.disposition = av.stream.Disposition.attached_pic

        def packets() -> list[av.Packet]:
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 200, np.uint8), format="rgb24")
            frame = frame.reformat(format=context.pix_fmt)
            frame.pts = 0
            return [*stream.encode(frame), *stream.encode(None)]

        self._packets.append(packets)
        return stream

    def write(self) -> Path:
        packets = [packet for make in self._packets for packet in make()]
        packets.sort(key=lambda packet: (packet.dts or 0) * packet.time_base)
        self.container.mux(packets)
        self.container.close()
        return self.path


ASS_HEADER = (
    b"[Script Info]\nScriptType: v4.00+\nPlayResX: 384\nPlayResY: 288\n\n[V4+ Styles]\n"
    b"Format: Name, Fontname, Fontsize, PrimaryColour, SecondaryColour, OutlineColour, BackColour, Bold, Italic, "
    b"Underline, StrikeOut, ScaleX, ScaleY, Spacing, Angle, BorderStyle, Outline, Shadow, Alignment, MarginL, MarginR, "
    b"MarginV, Encoding\n"
    b"Style: Default,Arial,16,&Hffffff,&Hffffff,&H0,&H0,0,0,0,0,100,100,0,0,1,1,0,2,10,10,10,1\n\n[Events]\n"
    b"Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text\n"
)


def write_clip(path: Path, *, frames: int = 10, audio: bool = True, **video: Any) -> Path:
    """Write the usual file: one video, one audio track."""
    writer = MediaWriter(path)
    video.setdefault("pts", range(frames))
    writer.video(**video)
    if audio:
        writer.audio()
    return writer.write()


@dataclass(frozen=True, slots=True)
class PacketRead:
    """A packet of a file, times in exact seconds."""

    pts_s: Fraction | None
    dts_s: Fraction | None
    duration_s: Fraction
    content: bytes


@dataclass(slots=True)
class StreamRead:
    """A stream of a file and all its packets."""

    index: int
    type: str
    codec: str
    time_base: Fraction | None
    metadata: dict[str, str]
    disposition: int
    packets: list[PacketRead] = field(default_factory=list)


@dataclass(slots=True)
class FrameRead:
    """A decoded frame, times in exact seconds."""

    pts_s: Fraction
    duration_s: Fraction
    rgb: Picture
    frame: Any


def read_streams(path: Path) -> list[StreamRead]:
    with av.open(str(path), metadata_errors="replace") as container:
        streams = [
            StreamRead(
                stream.index,
                stream.type,
                stream.codec_context.name if stream.codec_context else "none",
                stream.time_base,
                dict(stream.metadata),
                int(stream.disposition),
            )
            for stream in container.streams
        ]
        for packet in container.demux():
            if not packet.size:
                continue
            base = packet.time_base
            streams[packet.stream_index].packets.append(
                PacketRead(
                    packet.pts * base if packet.pts is not None else None,
                    packet.dts * base if packet.dts is not None else None,
                    (packet.duration or 0) * base,
                    bytes(packet),
                )
            )
    return streams


def streams_of(path: Path, kind: str) -> list[StreamRead]:
    return [stream for stream in read_streams(path) if stream.type == kind]


def read_frames(path: Path) -> list[FrameRead]:
    """Decode the first video that is no cover art, colours by FFmpeg's own reading of the tags."""
    with av.open(str(path)) as container:
        stream = next(item for item in container.streams.video if not item.disposition & 1024)
        return [
            FrameRead(
                frame.pts * frame.time_base,
                frame.duration * frame.time_base,
                frame.reformat(format="rgb24").to_ndarray(),
                frame,
            )
            for frame in container.decode(stream)
        ]


def numbers(path: Path) -> list[int]:
    return [read_number(frame.rgb) for frame in read_frames(path)]


def times(path: Path) -> list[Fraction]:
    return [frame.pts_s for frame in read_frames(path)]


def lying_video(size: tuple[int, int], *, pixel_aspect: Fraction | None = None) -> VideoInfo:
    """Describe a video of `size` as stored, 25 frames a second, that players turn a quarter to the left."""
    return VideoInfo(
        width=size[0],
        height=size[1],
        time_base=Fraction(1, 25),
        frame_rate=Fraction(25),
        constant_frame_rate=True,
        sample_aspect_ratio=pixel_aspect,
        display_matrix=(0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30),
        color_tags=SDR_TAGS,
    )
