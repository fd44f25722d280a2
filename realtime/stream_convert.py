"""What becomes of a stream in another file: its packets copied, audio encoded anew, or text subtitles rewritten.

Each carrier takes the packets of one input stream, with their times in the output's time line, and returns those to be
muxed.
"""

from fractions import Fraction
from typing import TYPE_CHECKING, Protocol

import av
import av.error
import numpy as np
from av.subtitles.subtitle import SubtitleSet
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream

    AnyPacket = Packet[Stream]

# Opus knows few rates, and 48 kHz is the one that it works in.
OPUS_RATE = 48000
# Samples of one packet where the encoder takes any number.
_CHUNK_SAMPLES = 1024
# Decoded audio may be this far from its timestamp before silence is put in or samples are taken out: timestamps rounded
# to milliseconds stay under it, and nobody hears it.
_GAP_MIN_S = Fraction(1, 200)


class StreamCarrier(Protocol):
    """Takes the packets of one input stream and returns those of one output stream."""

    def carry(self, packet: "AnyPacket") -> "list[AnyPacket]": ...

    def finish(self) -> "list[AnyPacket]": ...


class PacketCopier:
    """Hand packets on as they are."""

    def __init__(self, stream: "Stream", output: "OutputContainer") -> None:
        self._stream = add_copy(output, stream)

    def carry(self, packet: "AnyPacket") -> "list[AnyPacket]":
        packet.stream = self._stream
        return [packet]

    def finish(self) -> "list[AnyPacket]":
        return []


class AudioTranscoder:
    """Decode audio and encode it with `encoder`; every sample stays at its time: gaps become silence."""

    def __init__(self, stream: "AudioStream", output: "OutputContainer", *, encoder: str) -> None:
        source = stream.codec_context
        rate = OPUS_RATE if encoder == "libopus" else source.sample_rate
        self._output: AudioStream = output.add_stream(encoder, rate=rate, layout=source.layout.name)  # type: ignore[assignment]
        copy_description(self._output, stream)
        context = self._output.codec_context
        context.open()  # only then it tells how many samples it takes at once
        self._resampler = av.AudioResampler(format=context.format, layout=context.layout, rate=rate)
        self._planar = context.format.is_planar
        self._layout, self._format = context.layout.name, context.format.name
        self._rate = rate
        self._chunk = context.frame_size or _CHUNK_SAMPLES
        self._waiting: list[NDArray[np.generic]] = []  # (samples, channels)
        self._next_sample: int | None = None  # after the last one in `_waiting`
        self._encoded_until: int = 0

    def carry(self, packet: "AnyPacket") -> "list[AnyPacket]":
        try:
            frames: list[av.AudioFrame] = packet.decode()  # type: ignore[assignment]
        except av.error.FFmpegError:
            return []  # the gap becomes silence
        packets: list[AnyPacket] = []
        for frame in frames:
            for resampled in self._resampler.resample(frame):
                packets += self._append(resampled)
        return packets

    def finish(self) -> "list[AnyPacket]":
        packets: list[AnyPacket] = []
        for resampled in self._resampler.resample(None):
            packets += self._append(resampled)
        return [*packets, *self._encode_chunks(last=True), *self._output.encode(None)]

    def _append(self, frame: av.AudioFrame) -> "list[AnyPacket]":
        array = frame.to_ndarray()
        samples = array.T if self._planar else array.reshape(-1, len(frame.layout.channels))
        packets: list[AnyPacket] = []
        begin = self._next_sample or 0
        if frame.pts is not None and frame.time_base is not None:
            begin = round(frame.pts * frame.time_base * self._rate)
        if self._next_sample is None:
            self._next_sample = self._encoded_until = begin
        gap = begin - self._next_sample
        if gap < -_GAP_MIN_S * self._rate:
            samples = samples[-gap:]
        elif gap > _GAP_MIN_S * self._rate:
            while gap > 0:  # a second at a time: a gap can be long
                silence = np.zeros((min(gap, self._rate), samples.shape[1]), samples.dtype)
                gap -= len(silence)
                self._next_sample += len(silence)
                self._waiting.append(silence)
                packets += self._encode_chunks(last=False)
        self._next_sample += len(samples)
        self._waiting.append(samples)
        return packets + self._encode_chunks(last=False)

    def _encode_chunks(self, *, last: bool) -> "list[AnyPacket]":
        waiting = sum(len(part) for part in self._waiting)
        if not waiting or (waiting < self._chunk and not last):
            return []
        samples = np.concatenate(self._waiting)
        packets: list[AnyPacket] = []
        begin = 0
        while begin < len(samples) and (last or len(samples) - begin >= self._chunk):
            part = samples[begin : begin + self._chunk]
            array = part.T if self._planar else part.reshape(1, -1)
            frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(array), format=self._format, layout=self._layout)
            frame.sample_rate = self._rate
            frame.time_base = Fraction(1, self._rate)
            frame.pts = self._encoded_until
            packets += self._output.encode(frame)
            self._encoded_until += len(part)
            begin += len(part)
        self._waiting = [samples[begin:]]
        return packets


class SubtitleConverter:
    """Decode text subtitles and encode them in the container's own text format."""

    def __init__(self, stream: "SubtitleStream", output: "OutputContainer", *, encoder: str) -> None:
        self._input = stream
        self._output: SubtitleStream = output.add_stream(encoder)  # type: ignore[assignment]
        copy_description(self._output, stream)
        self._output.time_base = stream.time_base
        self._output.codec_context.time_base = stream.time_base or Fraction(1, 1000)
        stream.codec_context.open(strict=False)  # only then there is a header
        self._output.codec_context.subtitle_header = stream.codec_context.subtitle_header
        self._output.codec_context.open(strict=False)

    def carry(self, packet: "AnyPacket") -> "list[AnyPacket]":
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

    def finish(self) -> "list[AnyPacket]":
        return []


def add_copy(output: "OutputContainer", stream: "Stream") -> "Stream":
    """Add a stream of the same codec, with what describes it."""
    copy = output.add_stream_from_template(stream, opaque=True)
    copy_description(copy, stream)
    return copy


def copy_description(target: "Stream", source: "Stream") -> None:
    """Copy language, title and the like, and what the stream is for; not what describes the bytes of the old file."""
    target.metadata.update(describing_metadata(source.metadata))
    target.disposition = source.disposition


def describing_metadata(metadata: dict[str, str]) -> dict[str, str]:
    """Return the tags that are true of another file with the same content."""
    return {key: text for key, text in metadata.items() if not key.upper().startswith(_TAGS_OF_THE_OLD_FILE)}


# Written by muxers about their own file: brands of MP4, the encoder, sizes and durations of mkvmerge.
_TAGS_OF_THE_OLD_FILE = (
    "MAJOR_BRAND",
    "MINOR_VERSION",
    "COMPATIBLE_BRANDS",
    "ENCODER",
    "VENDOR_ID",
    "DURATION",
    "BPS",
    "NUMBER_OF_",
    "_STATISTICS_",
)
