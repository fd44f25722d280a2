"""Carry all but the main video into the output, packet for packet: audio, subtitles, cover art, data, attachments.

Reads the input a second time, so that the decoding of the video needs to know nothing of it. What the container cannot
hold is converted (audio, text subtitles) or left out; `notes` say so.
"""

from collections.abc import Callable, Iterator
from fractions import Fraction
from math import ceil
from pathlib import Path
from typing import TYPE_CHECKING

import av
import av.error

from .media import is_cover_art, main_video_stream, open_input
from .stream_convert import (
    AudioTranscoder,
    PacketCopier,
    StreamCarrier,
    SubtitleConverter,
    can_be_encoded,
    codec_name,
    container_holds,
    copy_description,
    describing_metadata,
)
from .time_line import MainClock, StreamLine, packet_time_s
from .timecode import timecode_after
from .video_info import told_rate

if TYPE_CHECKING:
    from av.container import OutputContainer
    from av.container.core import Chapter
    from av.stream import Stream
    from av.video.stream import VideoStream

    from .media import AnyPacket

# What audio is encoded to where its codec cannot be held, by container.
_AUDIO_ENCODER = {"mp4": "aac", "mov": "aac", "mpegts": "aac", "matroska": "aac", "webm": "libopus"}
_TEXT_SUBTITLE_ENCODER = {"mp4": "mov_text", "mov": "mov_text", "matroska": "subrip", "webm": "webvtt"}
_TEXT_SUBTITLE_CODECS = frozenset({"subrip", "srt", "ass", "ssa", "mov_text", "webvtt", "text", "ttml"})
_TRANSPORT_STREAM_DISPOSITIONS = (
    av.stream.Disposition.default  # of little use: players take the first stream of a kind
    | av.stream.Disposition.attached_pic
    | av.stream.Disposition.hearing_impaired
    | av.stream.Disposition.visual_impaired
    | av.stream.Disposition.clean_effects
)
_PICTURE_OF_CODEC = {"mjpeg": (".jpg", "image/jpeg"), "png": (".png", "image/png")}
# Streams are interleaved only roughly: reading begins this many seconds before what is wanted. A subtitle that begins
# still earlier is lost.
_SEEK_MARGIN_S = 10


class StreamCopier:
    """Copies streams in step with the video: `copy_until` a time, then `copy_rest`.

    `time_shift_s` is taken off every timestamp, packets from `end_s` (before the shift) on are left out. `skipped_s` is
    how much of the video is left out at its beginning, not above 0 if nothing is.
    """

    def __init__(
        self, path: Path, *, time_shift_s: Fraction, end_s: Fraction | None, skipped_s: Fraction = Fraction(0)
    ) -> None:
        self.notes: list[str] = []
        self._path = path
        self._container = open_input(path, finds_late_sound=True)
        self._main = main_video_stream(self._container, path)
        self._time_shift_s = time_shift_s
        self._end_s = end_s
        self._skipped_s = skipped_s
        self._carriers: dict[int, StreamCarrier] = {}
        self._hides_discarded = False
        self._packets: Iterator[AnyPacket] = iter(())
        self._next: AnyPacket | None = None

    def close(self) -> None:
        self._container.close()

    def time_bases(self) -> list[Fraction]:
        """Return the clocks of the audio streams."""
        return [stream.time_base for stream in self._container.streams.audio if stream.time_base]

    def add_streams(self, output: "OutputContainer", *, main_video: "Callable[[], VideoStream]") -> "VideoStream":
        """Add an output stream for every stream that can be carried, and `main_video()` at its place; return that."""
        output.metadata.update(describing_metadata(self._container.metadata))
        if self._skipped_s > 0:  # `_advance_timecode` gives it to the video
            for key in _keys_of_timecode(output.metadata):
                del output.metadata[key]
        self._copy_chapters(output)
        carried: list[Stream] = []
        for stream in self._container.streams:
            if stream.index == self._main.index:
                main = main_video()
                copy_description(main, stream)
                self._advance_timecode(main)
                continue
            carrier = self._carrier_for(stream, output)
            if carrier is not None:
                self._carriers[stream.index] = carrier
                carried.append(stream)
        if output.format.name == "mpegts":
            self._say_what_transport_streams_lack(carried)
        # What the edit list of an MP4 hides would be heard in containers without one; its last packet decoders need.
        self._hides_discarded = output.format.name in ("mp4", "mov")
        self._packets = self._read(carried)
        self._next = next(self._packets, None)
        return main

    def copy_until(self, time_s: Fraction, output: "OutputContainer") -> None:
        """Copy the packets that begin up to `time_s` of the output."""
        while self._next is not None and packet_time_s(self._next) <= time_s:
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

    def _read(self, streams: "list[Stream]") -> "Iterator[AnyPacket]":
        """Yield the packets of the range, with their times in the output."""
        if not streams:
            return
        if self._skipped_s > 0:
            try:
                self._container.seek(max(0, int((self._time_shift_s - _SEEK_MARGIN_S) * 1_000_000)))
            except av.error.FFmpegError:
                pass  # no index: everything is read, and what lies before the start is left out
        rate = told_rate(self._main)
        clock = MainClock(frame_s=1 / rate if rate else Fraction(0))
        lines = {
            stream.index: StreamLine(clock, least_step=_least_step(stream), steady=stream.type == "audio")
            for stream in streams
        }
        # Audio has no gaps; where there is none, everything else is waited for.
        awaited = {stream.index for stream in streams if stream.type == "audio"} or set(lines)
        packets = self._container.demux([self._main, *streams])
        while awaited:
            try:
                packet = next(packets)
            except (StopIteration, av.error.FFmpegError, OSError):
                break
            if not packet.size or _is_gap_between_subtitles(packet):
                continue  # without size: the one that ends each stream
            if packet.stream_index != self._main.index and _is_cover_packet(packet):
                packet.pts = packet.dts = 0
                yield packet
            elif packet.dts is None and packet.pts is None:
                continue  # nothing says when it is due
            elif packet.stream_index == self._main.index:
                # Matroska tells no decoding time of the first packets of reordered video, and they are shown later than
                # what lies around them in the file.
                if packet.dts is not None:
                    clock.follow(packet)
            else:
                for timed in lines[packet.stream_index].push(packet):
                    if self._moved_into_range(timed):
                        yield timed
                    elif self._end_s is not None and packet_time_s(timed) >= self._end_s + _SEEK_MARGIN_S:
                        awaited.discard(timed.stream_index)  # hours of it may follow
        for line in lines.values():
            yield from filter(self._moved_into_range, line.flush())

    def _moved_into_range(self, packet: "AnyPacket") -> bool:
        """Give a packet its time in the output, and return whether it is wanted there; subtitles are cut to fit."""
        begin_s = packet_time_s(packet)
        duration_s = (packet.duration or 0) * packet.time_base
        end_s = begin_s + duration_s
        is_subtitle = packet.stream.type == "subtitle"
        if packet.is_discard and not self._hides_discarded and end_s + duration_s <= self._time_shift_s:
            return False
        # What was moved only to begin at 0 keeps all its audio: players skip the little that comes before.
        if end_s <= self._time_shift_s and (self._time_shift_s > 0 or (self._time_shift_s and is_subtitle)):
            return False
        if self._end_s is not None and begin_s >= self._end_s:
            return False
        shift = round(self._time_shift_s / packet.time_base)
        packet.pts = packet.pts - shift if packet.pts is not None else None
        packet.dts = packet.dts - shift if packet.dts is not None else None
        if is_subtitle and packet.duration:
            shown_from_s = max(begin_s, self._time_shift_s)
            shown_until_s = min(end_s, self._end_s) if self._end_s is not None else end_s
            if shown_from_s > begin_s:
                packet.pts = packet.dts = 0
            if shown_until_s - shown_from_s < end_s - begin_s:
                packet.duration = max(1, round((shown_until_s - shown_from_s) / packet.time_base))
        return True

    def _carry(self, packet: "AnyPacket", output: "OutputContainer") -> None:
        stream = packet.stream
        for carried in self._carriers[stream.index].carry(packet):
            try:
                output.mux(carried)
            except av.error.InvalidDataError:  # of the packet, not of the output: damaged AAC out of a transport stream
                self._say(f"{_described(stream)} is damaged: some of its packets are left out")

    def _say(self, note: str) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def _say_what_transport_streams_lack(self, carried: "list[Stream]") -> None:
        lost = {
            "chapters": bool(self._container.chapters()),
            "tags": bool(describing_metadata(self._container.metadata)),
            "titles of streams": any("title" in stream.metadata for stream in carried),
            "what streams are for": any(stream.disposition & ~_TRANSPORT_STREAM_DISPOSITIONS for stream in carried),
        }
        if any(lost.values()):
            names = ", ".join(name for name, is_lost in lost.items() if is_lost)
            self.notes.append(f"mpegts cannot hold, and leaves out: {names}; .mkv holds more")

    def _carrier_for(self, stream: "Stream", output: "OutputContainer") -> "StreamCarrier | None":
        name = _described(stream)
        container_name = output.format.name
        if stream.type == "video" and not is_cover_art(stream):  # type: ignore[arg-type]
            self.notes.append(f"{name} is a second video and is left out")
            return None
        if stream.type == "data" and "timecode" in stream.metadata and container_name in ("mp4", "mov"):
            return None  # the muxer makes this track anew from the same tag of the video
        if stream.type == "data" and stream.discard == av.stream.Discard.all and self._container.chapters():
            return None  # the text of chapters in MP4, which are carried as such
        if stream.type == "video" and container_name == "matroska" and self._attach_cover(stream, output):
            return None
        if container_holds(container_name, stream):
            return PacketCopier(stream, output)
        if stream.type == "audio" and container_name in _AUDIO_ENCODER:
            encoder = _AUDIO_ENCODER[container_name]
            if not can_be_encoded(stream, container_name, encoder):  # type: ignore[arg-type]
                self.notes.append(f"{name} cannot be held by {container_name} nor converted, and is left out")
                return None
            self.notes.append(f"{name} cannot be held by {container_name}: re-encoded to {encoder}")
            return AudioTranscoder(stream, output, encoder=encoder)  # type: ignore[arg-type]
        is_text = codec_name(stream) in _TEXT_SUBTITLE_CODECS
        if stream.type == "subtitle" and is_text and container_name in _TEXT_SUBTITLE_ENCODER:
            encoder = _TEXT_SUBTITLE_ENCODER[container_name]
            self.notes.append(f"{name} cannot be held by {container_name}: converted to {encoder}")
            return SubtitleConverter(stream, output, encoder=encoder)  # type: ignore[arg-type]
        self.notes.append(f"{name} cannot be held by {container_name} and is left out; .mkv holds more")
        return None

    def _attach_cover(self, stream: "Stream", output: "OutputContainer") -> bool:
        """Attach cover art as Matroska wants it, and return whether that was done: a stream would be a second video."""
        kind = _PICTURE_OF_CODEC.get(codec_name(stream))
        if kind is None:
            return False
        suffix, mime_type = kind
        with open_input(self._path) as container:
            packet = next(container.demux(container.streams[stream.index]), None)
            if packet is not None and packet.size:
                output.add_attachment(f"cover{suffix}", mime_type, bytes(packet))
        return True

    def _advance_timecode(self, main: "VideoStream") -> None:
        """Have the timecode of the video be that of its first frame here."""
        rate = self._main.average_rate
        found = [
            tags[key] for tags in (self._main.metadata, self._container.metadata) for key in _keys_of_timecode(tags)
        ]
        if not found or self._skipped_s <= 0:
            return
        for key in _keys_of_timecode(main.metadata):
            del main.metadata[key]
        frames = round(self._skipped_s * rate) if rate else 0
        advanced = timecode_after(found[0], frames, rate=rate) if rate else None
        if advanced is None:
            self._say(f"the timecode {found[0]} cannot be advanced to the start, and is left out")
        else:
            main.metadata["timecode"] = advanced

    def _copy_chapters(self, output: "OutputContainer") -> None:
        chapters: list[Chapter] = []
        for chapter in self._container.chapters():
            time_base = chapter["time_base"]
            if time_base is None:
                continue
            shift = round(self._time_shift_s / time_base)
            begin, end = max(0, chapter["start"] - shift), chapter["end"] - shift
            begins_in_range = self._end_s is None or chapter["start"] * time_base < self._end_s
            if end > 0 and begins_in_range:
                if self._end_s is not None:
                    end = min(end, round((self._end_s - self._time_shift_s) / time_base))
                chapters.append({**chapter, "start": begin, "end": end})
        output.set_chapters(chapters)


def _least_step(stream: "Stream") -> int:
    """Return the ticks of one audio sample, in which MP4 counts: no two packets of audio may have the same time."""
    if stream.type != "audio":
        return 0
    samples_per_s = stream.codec_context.sample_rate  # type: ignore[attr-defined]
    return max(1, ceil(1 / (samples_per_s * stream.time_base))) if samples_per_s and stream.time_base else 1


def _keys_of_timecode(tags: dict[str, str]) -> list[str]:
    """Return the key of the timecode as it is spelled here: Matroska has capitals."""
    return [key for key in tags if key.lower() == "timecode"]


def _described(stream: "Stream") -> str:
    return f"stream {stream.index} ({stream.type}, {codec_name(stream)})"


def _is_cover_packet(packet: "AnyPacket") -> bool:
    return packet.stream.type == "video"


def _is_gap_between_subtitles(packet: "AnyPacket") -> bool:
    """Return whether this is one of the empty texts that MP4 puts between others; its muxer makes them anew."""
    return codec_name(packet.stream) == "mov_text" and bytes(packet)[:2] == b"\0\0"
