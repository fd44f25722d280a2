"""Carry everything but the main video into the output: audio and subtitles packet for packet, cover art, data, attachments.

Reads the input a second time, so that the decoding of the video needs to know nothing of it. What the container cannot hold is
converted (audio, text subtitles) or left out; `notes` say so.
"""

import io
from collections import deque
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import av
import av.error
from av.subtitles.subtitle import SubtitleSet

from .media import is_cover_art, main_video_stream, open_input

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream
    from av.video.stream import VideoStream

# What audio is encoded to where its codec cannot be held, by container.
_AUDIO_ENCODER = {"mp4": "aac", "mov": "aac", "mpegts": "aac", "matroska": "aac", "webm": "libopus"}
_TEXT_SUBTITLE_ENCODER = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_TEXT_SUBTITLE_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "ttml"})


class StreamCarrier(Protocol):
    """Takes the packets of one input stream and yields those of one output stream."""

    def carry(self, packet: "Packet") -> "list[Packet]": ...

    def finish(self) -> "list[Packet]": ...


class StreamCopier:
    """Copies streams in step with the video: `copy_until` a time, then `copy_rest`.

    `time_shift_s` is taken off every timestamp, packets from `end_s` (before the shift) on are left out.
    """

    def __init__(self, path: Path, *, time_shift_s: Fraction, end_s: Fraction | None) -> None:
        self.notes: list[str] = []
        self._container = open_input(path)
        self._main = main_video_stream(self._container, path)
        self._time_shift_s = time_shift_s
        self._end_s = end_s
        self._carriers: dict[int, StreamCarrier] = {}
        self._packets: Iterator[Packet] = iter(())
        self._next: Packet | None = None

    def close(self) -> None:
        self._container.close()

    def add_streams(self, output: "OutputContainer", *, main_video: "Callable[[], VideoStream]") -> "VideoStream":
        """Add an output stream for every stream that can be carried, and `main_video()` at its place; return that."""
        output.metadata.update(self._container.metadata)
        self._copy_chapters(output)
        carried: list[Stream] = []
        for stream in self._container.streams:
            if stream.index == self._main.index:
                main = main_video()
                main.metadata.update({key: text for key, text in stream.metadata.items() if key.lower() != "encoder"})
                main.disposition = stream.disposition
                continue
            carrier = self._carrier_for(stream, output)
            if carrier is not None:
                self._carriers[stream.index] = carrier
                carried.append(stream)
        self._packets = self._read(carried)
        self._next = next(self._packets, None)
        return main

    def copy_until(self, time_s: Fraction, output: "OutputContainer") -> None:
        """Copy the packets that begin up to `time_s` of the output."""
        while self._next is not None and _packet_time_s(self._next) - self._time_shift_s <= time_s:
            self._carry(self._next, output)
            self._next = next(self._packets, None)

    def copy_rest(self, output: "OutputContainer") -> None:
        """Copy what is left, and finish the encoders of converted streams."""
        while self._next is not None:
            self._carry(self._next, output)
            self._next = next(self._packets, None)
        for carrier in self._carriers.values():
            for packet in carrier.finish():
                output.mux(packet)

    def _read(self, streams: "list[Stream]") -> "Iterator[Packet]":
        if not streams:
            return
        if self._time_shift_s:
            try:
                self._container.seek(int(self._time_shift_s * 1_000_000))
            except av.error.FFmpegError:
                pass  # no index: everything is read, and what lies before the start is left out below
        packets = self._container.demux(streams)
        while True:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                return
            if packet.dts is None and packet.pts is None:
                continue  # the empty packet at the end of each stream
            begin_s = _packet_time_s(packet)
            end_s = begin_s + (packet.duration or 0) * packet.time_base
            after_start = not self._time_shift_s or end_s > self._time_shift_s or _is_cover_packet(packet)
            before_end = self._end_s is None or begin_s < self._end_s
            if after_start and before_end:
                yield packet

    def _carry(self, packet: "Packet", output: "OutputContainer") -> None:
        carrier = self._carriers[packet.stream_index]
        shift = round(self._time_shift_s / packet.time_base) if not _is_cover_packet(packet) else 0
        if packet.pts is not None:
            packet.pts -= shift
        if packet.dts is not None:
            packet.dts -= shift
        for carried in carrier.carry(packet):
            output.mux(carried)

    def _carrier_for(self, stream: "Stream", output: "OutputContainer") -> "StreamCarrier | None":
        name = f"stream {stream.index} ({stream.type}, {_codec_name(stream)})"
        container_name = output.format.name
        if stream.type == "video" and not is_cover_art(stream):  # type: ignore[arg-type]
            self.notes.append(f"{name} is a second video and is left out")
            return None
        if _container_holds(container_name, stream):
            return _PacketCopier(stream, output)
        if stream.type == "audio" and container_name in _AUDIO_ENCODER:
            encoder = _AUDIO_ENCODER[container_name]
            self.notes.append(f"{name} cannot be held by {container_name}: re-encoded to {encoder}")
            return _AudioTranscoder(stream, output, encoder=encoder)  # type: ignore[arg-type]
        is_text = _codec_name(stream) in _TEXT_SUBTITLE_CODECS
        if stream.type == "subtitle" and is_text and container_name in _TEXT_SUBTITLE_ENCODER:
            encoder = _TEXT_SUBTITLE_ENCODER[container_name]
            self.notes.append(f"{name} cannot be held by {container_name}: converted to {encoder}")
            return _SubtitleConverter(stream, output, encoder=encoder)  # type: ignore[arg-type]
        self.notes.append(f"{name} cannot be held by {container_name} and is left out; .mkv holds more")
        return None

    def _copy_chapters(self, output: "OutputContainer") -> None:
        chapters = []
        for chapter in self._container.chapters():
            shift = round(self._time_shift_s / chapter["time_base"])
            moved = {**chapter, "start": max(0, chapter["start"] - shift), "end": chapter["end"] - shift}
            if moved["end"] > 0 and (self._end_s is None or chapter["start"] * chapter["time_base"] < self._end_s):
                chapters.append(moved)
        output.set_chapters(chapters)


class _PacketCopier:
    def __init__(self, stream: "Stream", output: "OutputContainer") -> None:
        self._stream = _add_copy(output, stream)

    def carry(self, packet: "Packet") -> "list[Packet]":
        packet.stream = self._stream
        return [packet]

    def finish(self) -> "list[Packet]":
        return []


class _AudioTranscoder:
    """Decode and encode audio whose codec the container cannot hold; timestamps stay those of the samples."""

    def __init__(self, stream: "AudioStream", output: "OutputContainer", *, encoder: str) -> None:
        self._input = stream
        # Opus knows few rates, and 48 kHz is the one that it works in.
        rate = 48000 if encoder == "libopus" else stream.codec_context.sample_rate
        self._output = output.add_stream(encoder, rate=rate, layout=stream.codec_context.layout.name)
        self._output.metadata.update(stream.metadata)
        self._output.disposition = stream.disposition
        context = self._output.codec_context
        self._resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=rate)
        self._samples: av.AudioFifo = av.AudioFifo()

    def carry(self, packet: "Packet") -> "list[Packet]":
        try:
            frames = packet.decode()
        except av.error.FFmpegError:
            return []
        return self._encode([resampled for frame in frames for resampled in self._resampler.resample(frame)])  # type: ignore[arg-type]

    def finish(self) -> "list[Packet]":
        packets = self._encode(self._resampler.resample(None), last=True)
        return [*packets, *self._output.encode(None)]  # type: ignore[list-item]

    def _encode(self, frames: "list[av.AudioFrame]", *, last: bool = False) -> "list[Packet]":
        for frame in frames:
            self._samples.write(frame)
        packets: list[Packet] = []
        size = self._output.codec_context.frame_size or 1024
        ready = deque(self._samples.read_many(size, partial=last))
        while ready:
            packets += self._output.encode(ready.popleft())  # type: ignore[arg-type]
        return packets


class _SubtitleConverter:
    """Decode a text subtitle and encode it in the container's own text format."""

    def __init__(self, stream: "SubtitleStream", output: "OutputContainer", *, encoder: str) -> None:
        self._input = stream
        self._output: SubtitleStream = output.add_stream(encoder)  # type: ignore[assignment]
        self._output.metadata.update(stream.metadata)
        self._output.disposition = stream.disposition
        self._output.time_base = stream.time_base
        self._output.codec_context.time_base = stream.time_base
        self._output.codec_context.subtitle_header = stream.codec_context.subtitle_header

    def carry(self, packet: "Packet") -> "list[Packet]":
        try:
            subtitle: SubtitleSet | None = self._input.codec_context.decode2(packet)
            if subtitle is None or not len(subtitle):
                return []
            encoded = self._output.codec_context.encode_subtitle(subtitle)
        except av.error.FFmpegError:
            return []
        encoded.stream = self._output
        encoded.time_base = packet.time_base
        encoded.pts, encoded.dts, encoded.duration = packet.pts, packet.dts, packet.duration
        return [encoded]

    def finish(self) -> "list[Packet]":
        return []


def _add_copy(output: "OutputContainer", stream: "Stream") -> "Stream":
    copy = output.add_stream_from_template(stream, opaque=True)
    copy.metadata.update(stream.metadata)
    copy.disposition = stream.disposition
    return copy


def _container_holds(container_name: str, stream: "Stream") -> bool:
    """Return whether a file of that format with a copy of this stream can be begun: asked of the muxer itself."""
    try:
        with av.open(io.BytesIO(), "w", format=container_name) as trial:
            _add_copy(trial, stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def _codec_name(stream: "Stream") -> str:
    return stream.codec_context.name if stream.codec_context is not None else "unknown"


def _is_cover_packet(packet: "Packet") -> bool:
    return packet.stream.type == "video"


def _packet_time_s(packet: "Packet") -> Fraction:
    ticks = packet.dts if packet.dts is not None else packet.pts
    return Fraction(ticks or 0) * packet.time_base
