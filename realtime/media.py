"""Open media files with PyAV so that every failure is one of ours and no file can reach the network or other files."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, cast

import av
import av.error
import av.logging

from .errors import InputError

if TYPE_CHECKING:
    from av.audio.stream import AudioStream
    from av.container import InputContainer
    from av.packet import Packet
    from av.stream import Stream
    from av.video.stream import VideoStream

    AnyPacket = Packet[Stream]

# The only demuxers that may touch a file: formats of video, each read from this one file. FFmpeg knows hundreds more,
# among them playlists that open other files, and some that take text or pictures for video.
_VIDEO_FORMATS = (
    "mov", "matroska", "avi", "mpegts", "mpeg", "mpegvideo", "flv", "asf", "gif", "ogg", "mxf", "dv", "rm", "nut",
    "ivf", "h264", "hevc", "m4v", "obu", "av1", "vc1", "yuv4mpegpipe", "apng", "wtv", "swf", "bink", "roq", "nsv",
)  # fmt: skip
# Of files that hold one picture and no video; a GIF may be either.
STILL_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff", ".avif"})
# How far FFmpeg looks for the format of a sound track that begins late, in bytes and in microseconds; by itself, 5 MB
# and some 5 s. What is looked through is held in memory.
_LONG_PROBE = {"probesize": "30000000", "analyzeduration": "30000000"}
# Brands of still pictures in MP4's clothes.
_PICTURE_BRANDS = frozenset({"avif", "heic", "heix", "heim", "heis", "mif1"})


def open_input(path: Path, *, finds_late_sound: bool = False) -> "InputContainer":
    """Open a local media file for reading; sound that begins late is of no known format unless it is looked for.

    Raises:
        InputError: missing, unreadable, empty, not a media file, or no video in it.
    """
    # None, not PANIC: with any level PyAV (18.1) takes the GIL for errors that a decoding thread logs, and a decoder
    # that is freed meanwhile waits for that thread with the GIL held: a deadlock. Failures arrive as exceptions.
    av.logging.set_level(None)
    if path.is_dir():
        raise InputError(f"{path} is a folder; to stylise all videos in it, give a folder as output, too")
    if path.exists() and not path.is_file():
        raise InputError(f"{path} is not a regular file but a pipe or device")  # opening it could wait forever
    try:
        with path.open("rb") as file:
            if not file.read(1):
                raise InputError(f"{path} is empty (0 bytes)")
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}") from error
    try:
        container = _open(path)
        if finds_late_sound and any(map(_is_not_met, container.streams.audio)):
            container.close()
            container = _open(path, _LONG_PROBE)
    except (av.error.FFmpegError, ValueError) as error:
        if path.suffix.lower() in STILL_SUFFIXES:
            raise InputError(f"{path} is not a video but a picture; stylize-image takes pictures") from error
        raise InputError(
            f"{path} is not a video file that can be read, or its index is missing ({reason(error)})"
        ) from error
    if container.metadata.get("major_brand", "").strip() in _PICTURE_BRANDS:
        container.close()
        raise InputError(f"{path} is not a video but a picture; stylize-image takes pictures")
    return container


def _open(path: Path, probe: Mapping[str, str] = {}) -> "InputContainer":
    return av.open(
        "file:" + os.fspath(path),
        options={"protocol_whitelist": "file", "format_whitelist": ",".join(_VIDEO_FORMATS), **probe},
        metadata_errors="replace",
    )


def _is_not_met(stream: "AudioStream") -> bool:
    """Return whether FFmpeg knows the codec, but nothing of the sound."""
    return cast("object", stream.codec_context) is not None and not stream.sample_rate


def main_video_stream(container: "InputContainer", path: Path) -> "VideoStream":
    """Return the stream to stylise: FFmpeg's best video stream that can be decoded and is not cover art.

    Raises:
        InputError: there is none.
    """
    videos = [stream for stream in container.streams.video if not is_cover_art(stream)]
    # PyAV declares a context for every stream, but one whose codec FFmpeg does not know has none.
    decodable = [stream for stream in videos if cast("object", stream.codec_context) is not None]
    if videos and not decodable:
        raise InputError(f"{path} holds a video of a codec that this FFmpeg does not know, or it is damaged")
    if not videos:
        kinds = {"cover art" if stream.type == "video" else stream.type for stream in container.streams}
        raise InputError(f"{path} holds no video, only {', '.join(sorted(kinds)) or 'nothing'}")
    best = container.streams.best("video")
    return best if best in decodable else decodable[0]


def is_cover_art(stream: "VideoStream") -> bool:
    return bool(stream.disposition & av.stream.Disposition.attached_pic)


def reason(error: Exception) -> str:
    """Return FFmpeg's words for an error, without its number and file name."""
    return getattr(error, "strerror", None) or str(error)
