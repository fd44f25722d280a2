"""What can become of a stream in another file: its packets copied, audio encoded anew, or text subtitles rewritten.

Each carrier takes the packets of one input stream, with their times in the output's time line, and returns those to be
muxed.
"""

import io
from fractions import Fraction
from typing import TYPE_CHECKING, Protocol, cast

import av
import av.error
import numpy as np
from av.subtitles.subtitle import SubtitleSet
from numpy.typing import NDArray

if TYPE_CHECKING:
    from av.audio.codeccontext import AudioCodecContext
    from av.audio.stream import AudioStream
    from av.container import OutputContainer
    from av.stream import Stream
    from av.subtitles.stream import SubtitleStream

    from .media import AnyPacket

# Opus knows few rates, and 48 kHz is the one that it works in.
OPUS_RATE = 48000
_TRANSPORT_STREAM_CODECS = frozenset(
    {"aac", "mp2", "mp3", "ac3", "eac3", "dts", "truehd", "opus", "dvb_subtitle", "dvb_teletext"}
)
# What headers may say of a rate: beyond that they are damaged, and resampling would not end.
_RATES = range(1000, 1_000_000)
# What is meant where a file says only how many channels there are.
_LAYOUT_OF_COUNT = {1: "mono", 2: "stereo", 3: "2.1", 4: "quad", 5: "5.0", 6: "5.1", 7: "6.1", 8: "7.1"}
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
    """Decode audio and encode it with `encoder`; every sample stays at its time: gaps become silence.

    Raises:
        ValueError, FFmpegError: the encoder takes no audio of that kind; `can_be_encoded` tells beforehand.
    """

    def __init__(self, stream: "AudioStream", output: "OutputContainer", *, encoder: str) -> None:
        rate = _encodable_rate(stream.codec_context.sample_rate, encoder)
        layout = _encodable_layout(stream.codec_context.layout, encoder, rate)
        self._output: AudioStream = output.add_stream(encoder, rate=rate, layout=layout)  # type: ignore[assignment]
        copy_description(self._output, stream)
        context = self._output.codec_context
        context.open()  # only then it tells how many samples it takes at once
        self._planar = context.format.is_planar
        self._layout, self._format = context.layout.name, context.format.name
        self._rate = rate
        self._resampler = self._new_resampler()
        self._chunk = context.frame_size or _CHUNK_SAMPLES
        self._kind: tuple[str, str, int] | None = None  # format, layout and rate of the last frame
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
            kind = (frame.format.name, frame.layout.name, frame.sample_rate)
            if self._kind not in (None, kind):  # a broadcast goes from stereo to 5.1: a resampler takes one kind only
                packets += self._resample(None)
                self._resampler = self._new_resampler()
            self._kind = kind
            packets += self._resample(frame)
        return packets

    def finish(self) -> "list[AnyPacket]":
        return [*self._resample(None), *self._encode_chunks(last=True), *self._output.encode(None)]

    def _new_resampler(self) -> av.AudioResampler:
        return av.AudioResampler(format=self._format, layout=self._layout, rate=self._rate)

    def _resample(self, frame: av.AudioFrame | None) -> "list[AnyPacket]":
        return [packet for resampled in self._resampler.resample(frame) for packet in self._append(resampled)]

    def _append(self, frame: av.AudioFrame) -> "list[AnyPacket]":
        array = frame.to_ndarray()
        samples = array.T if self._planar else array.reshape(-1, frame.layout.nb_channels)
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


def container_holds(container_name: str, stream: "Stream") -> bool:
    """Return whether a file of that format with a copy of this stream can be begun: asked of the muxer itself."""
    if container_name == "mpegts" and codec_name(stream) not in _TRANSPORT_STREAM_CODECS:
        return False  # FFmpeg would write it as private data, which nobody reads
    if container_name == "mp4" and stream.type == "audio" and codec_name(stream).startswith("pcm_"):
        layout = stream.codec_context.layout  # type: ignore[attr-defined]
        if layout.nb_channels > 1 and not _has_named_channels(layout):
            return False  # said by the muxer at the very end only
    try:
        with av.open(io.BytesIO(), "w", format=container_name) as trial:
            add_copy(trial, stream)
            trial.start_encoding()
    except (av.error.FFmpegError, ValueError, OSError):
        return False
    return True


def can_be_encoded(stream: "AudioStream", container_name: str, encoder: str) -> bool:
    """Return whether audio can be decoded and encoded anew: damaged headers tell of no channels or absurd rates."""
    if cast("object", stream.codec_context) is None:
        return False
    try:
        with av.open(io.BytesIO(), "w", format=container_name) as trial:
            AudioTranscoder(stream, trial, encoder=encoder)
    except (av.error.FFmpegError, ValueError):
        return False
    return True


def _has_named_channels(layout: av.AudioLayout) -> bool:
    """Return whether a file says which channels there are, not only how many."""
    return bool(layout.name) and not layout.name.endswith(" channels")


def _encodable_rate(rate: int, encoder: str) -> int:
    """Return the encoder's rate that loses least."""
    if rate not in _RATES:
        raise ValueError(f"audio cannot have {rate} samples a second")
    if encoder == "libopus":
        return OPUS_RATE
    rates = av.Codec(encoder, "w").audio_rates or [rate]
    return min((known for known in rates if known >= rate), default=max(rates))


def _encodable_layout(layout: av.AudioLayout, encoder: str, rate: int) -> str:
    """Return the first layout that the encoder takes: the same, the same from other places, fewer channels."""
    by_count = _LAYOUT_OF_COUNT.get(layout.nb_channels, "stereo")
    named = [layout.name, layout.name.replace("(side)", "")] if _has_named_channels(layout) else []
    for name in (*named, by_count, "stereo"):
        context: AudioCodecContext = av.CodecContext.create(encoder, "w")  # type: ignore[assignment]
        context.sample_rate, context.layout = rate, name
        context.format = (context.codec.audio_formats or [])[0]
        try:
            context.open()
        except av.error.FFmpegError:
            continue
        return name
    raise ValueError(f"{encoder} takes no audio of {layout.name}")


def add_copy(output: "OutputContainer", stream: "Stream") -> "Stream":
    """Add a stream of the same codec, with what describes it."""
    copy = output.add_stream_from_template(stream, opaque=True)
    copy_description(copy, stream)
    return copy


def copy_description(target: "Stream", source: "Stream") -> None:
    """Copy language, title and the like, and what the stream is for; not what describes the bytes of the old file."""
    target.metadata.update(describing_metadata(source.metadata))
    target.disposition = source.disposition


def codec_name(stream: "Stream") -> str:
    return stream.codec_context.codec.canonical_name if stream.codec_context is not None else "unknown"


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
