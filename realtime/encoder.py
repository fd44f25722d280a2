"""Choose and configure the video encoder: by codec, by FFmpeg's name, or `auto` after a real probe."""

import io
import os
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, cast

import av
import av.error
import numpy as np

from .errors import OutputError, UsageError
from .media import reason

if TYPE_CHECKING:
    from av.video.codeccontext import VideoCodecContext
    from av.video.stream import VideoStream

_ENCODER_OF_CODEC = {
    "h264": "libx264",
    "hevc": "libx265",
    "h265": "libx265",
    "av1": "libsvtav1",
    "vp9": "libvpx-vp9",
    "prores": "prores_ks",
}
# In the order in which `auto` tries them; the software encoder ends the list.
AUTO_ENCODERS = ("h264_nvenc", "h264_videotoolbox", "h264_qsv", "h264_amf", "h264_vaapi", "h264_v4l2m2m", "libx264")
# FFmpeg's muxer for transport streams takes any codec and writes those that the format does not know as private data.
_TRANSPORT_STREAM_CODECS = frozenset({"h264", "hevc", "mpeg1video", "mpeg2video", "mpeg4"})
DEFAULT_PIXEL_FORMAT = "yuv420p"  # what every browser plays
# The scale of --crf ends here for these; FFmpeg clips what is above without a word.
_CRF_MAX = {"libx264": 51, "libx265": 51}
# Pixel formats of pictures that are in a graphics card.
_GPU_FORMATS = frozenset({"cuda", "qsv", "vaapi", "videotoolbox_vld", "d3d11", "d3d12", "amf", "vulkan", "drm_prime"})
# Other ways to tell the quality than --crf, for -e.
_RATE_OPTIONS = frozenset({"b", "qp", "crf", "cq", "global_quality"})
# NVENC and QSV refuse very small pictures.
_PROBE_SIZE_PX = (320, 240)


@dataclass(frozen=True, slots=True)
class EncoderDefaults:
    """How an encoder spells quality and speed, and what it is given when the user says nothing."""

    quality_option: str | None
    quality: int | None
    preset_option: str | None
    preset: str | None
    fixed: tuple[tuple[str, str], ...] = ()


_DEFAULTS = {
    "libx264": EncoderDefaults("crf", 20, "preset", "veryfast"),
    "libx265": EncoderDefaults("crf", 22, "preset", "veryfast", (("x265-params", "log-level=none"),)),
    "libsvtav1": EncoderDefaults("crf", 30, "preset", "10"),
    "libvpx-vp9": EncoderDefaults("crf", 30, "cpu-used", "6", (("b", "0"), ("deadline", "realtime"), ("row-mt", "1"))),
    "prores_ks": EncoderDefaults(None, None, None, None, (("profile", "standard"),)),
    "h264_nvenc": EncoderDefaults("cq", 22, "preset", "p4"),
    "hevc_nvenc": EncoderDefaults("cq", 24, "preset", "p4"),
    "av1_nvenc": EncoderDefaults("cq", 30, "preset", "p4"),
    "h264_qsv": EncoderDefaults("global_quality", 22, "preset", "veryfast"),
    "hevc_qsv": EncoderDefaults("global_quality", 24, "preset", "veryfast"),
}
_UNKNOWN_ENCODER = EncoderDefaults("crf", None, "preset", None)


@dataclass(frozen=True, slots=True)
class EncoderChoice:
    """An encoder of FFmpeg, its private options, and the pixel format that it is given."""

    name: str
    options: dict[str, str]
    pixel_format: str


def default_codec(container: str) -> str:
    """Return what a container is written with where nothing else is asked for: what every browser plays in it."""
    return "vp9" if container == "webm" else "h264"


def choose_encoder(
    codec: str,
    *,
    crf: int | None = None,
    preset: str | None = None,
    extra: tuple[tuple[str, str], ...] = (),
    pixel_format: str | None = None,
) -> EncoderChoice:
    """Return the encoder for `codec` with its options, after it has encoded a test picture.

    Without `pixel_format` it is `DEFAULT_PIXEL_FORMAT`, or where the encoder does not know that, nv12 or its own first.

    Raises:
        UsageError: no such encoder, or it has no such option.
        OutputError: the encoder does not work on this machine.
    """
    if codec == "auto":
        failures: list[str] = []
        for name in AUTO_ENCODERS:
            try:
                options = _options(name, crf=crf, preset=preset if name == "libx264" else None, extra=extra)
                choice = EncoderChoice(name, options, pixel_format or _default_pixel_format(_formats_of(name)))
                failure = _probe(choice)
            except UsageError as error:  # it lacks what was asked for, and the next one may have it
                if name == AUTO_ENCODERS[-1]:
                    raise UsageError("; ".join((*failures, str(error)))) from error
                failure = str(error)
            if failure is None:
                return choice
            failures.append(f"{name}: {failure}")
        raise OutputError("no H.264 encoder works here; " + "; ".join(failures))
    name = _ENCODER_OF_CODEC.get(codec, codec)
    formats = _formats_of(name)
    if formats is None:
        raise UsageError(
            f"--codec {codec} is no video encoder of this FFmpeg; "
            f"use {', '.join(_ENCODER_OF_CODEC)}, auto, or h264_nvenc and the like"
        )
    on_gpu = not _GPU_FORMATS.isdisjoint(formats)
    if pixel_format and formats and pixel_format not in formats and not on_gpu:
        raise UsageError(f"{name} cannot encode --pix-fmt {pixel_format}; it takes {', '.join(formats)}")
    options = _options(name, crf=crf, preset=preset, extra=extra)
    choice = EncoderChoice(name, options, pixel_format or _default_pixel_format(formats))
    failure = _probe(choice)
    if failure is not None:
        raise OutputError(f"the encoder {name} does not work here with {_spelled(choice)}: {failure}")
    return choice


def require_container(choice: EncoderChoice, container: str) -> None:
    """Refuse a codec that files of FFmpeg's format `container` cannot hold.

    Raises:
        UsageError: they cannot.
    """
    codec = av.Codec(choice.name, "w").canonical_name
    if container == "mpegts":
        held: set[str] | frozenset[str] = _TRANSPORT_STREAM_CODECS
    else:
        with av.open(io.BytesIO(), "w", format=container) as trial:
            held = trial.supported_codecs
    if codec not in held:
        raise UsageError(f"{container} files cannot hold {codec}; choose another --codec, or .mkv as output")


def _formats_of(name: str) -> list[str] | None:
    """Return the pixel formats that an encoder tells, maybe none; None where this FFmpeg has no such encoder."""
    try:
        encoder = av.Codec(name, "w")
    except (av.error.FFmpegError, ValueError):
        return None
    return [item.name for item in encoder.video_formats or ()] if encoder.type == "video" else None


def _default_pixel_format(formats: list[str] | None) -> str:
    """Return what an encoder of these formats is given: one that is in memory, and of 8 bits if it can be."""
    in_memory = [name for name in formats or () if name not in _GPU_FORMATS]
    wanted = (DEFAULT_PIXEL_FORMAT, "nv12", *in_memory)
    return next((name for name in wanted if name in in_memory), DEFAULT_PIXEL_FORMAT)


def _options(name: str, *, crf: int | None, preset: str | None, extra: tuple[tuple[str, str], ...]) -> dict[str, str]:
    defaults = _DEFAULTS.get(name, _UNKNOWN_ENCODER)
    options = dict(defaults.fixed)
    if crf is not None and (defaults.quality_option is None or crf > _CRF_MAX.get(name, crf)):
        raise UsageError(f"{name} takes no --crf {crf}" + (f", at most {_CRF_MAX[name]}" if name in _CRF_MAX else ""))
    if preset is not None and defaults.preset_option is None:
        raise UsageError(f"{name} takes no --preset")
    has_rate = not _RATE_OPTIONS.isdisjoint(key for key, _ in extra)
    quality = crf if crf is not None or has_rate else defaults.quality
    if quality is not None and defaults.quality_option:
        options[defaults.quality_option] = str(quality)
    chosen_preset = preset or defaults.preset
    if chosen_preset is not None and defaults.preset_option:
        options[defaults.preset_option] = chosen_preset
    return options | dict(extra)


def configure_stream(stream: "VideoStream", *, time_base: Fraction, constant_frame_rate: bool) -> None:
    """Set what every encoder must be told.

    Without a proof of a constant rate there are no B-frames: MP4 stores durations in coding order, so that reordering
    would hand the duration of one frame to another.
    """
    context = stream.codec_context
    context.time_base = time_base
    stream.time_base = time_base
    if not constant_frame_rate:
        context.max_b_frames = 0


def _probe(choice: EncoderChoice) -> str | None:
    """Encode one grey picture; return why that failed, or None.

    Raises:
        UsageError: the encoder has no such option.
    """
    if choice.name == "libsvtav1":
        os.environ.setdefault("SVT_LOG", "1")  # errors only: it would write pages into the progress
    width, height = _PROBE_SIZE_PX
    try:
        context = cast("VideoCodecContext", av.CodecContext.create(choice.name, "w"))
        context.width, context.height = width, height
        context.pix_fmt = choice.pixel_format
        context.time_base = Fraction(1, 25)
        context.framerate = Fraction(25)
        context.options = dict(choice.options)
        grey = np.full((height, width, 3), 128, dtype=np.uint8)
        frame = av.VideoFrame.from_ndarray(grey, format="rgb24").reformat(format=choice.pixel_format)
        frame.pts = 0
        packets = [*context.encode(frame), *context.encode(None)]
    except (av.error.FFmpegError, ValueError, OSError) as error:
        return reason(error)
    if context.options:
        raise UsageError(f"{choice.name} has no option {', '.join(context.options)}")
    return None if packets else "it encoded nothing"


def _spelled(choice: EncoderChoice) -> str:
    return " ".join(f"{key}={value}" for key, value in choice.options.items()) or "no options"
