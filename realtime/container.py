"""The containers that are written: their suffixes, how finely they count time, and what their muxers are told."""

from collections.abc import Sequence
from fractions import Fraction
from math import lcm
from pathlib import Path

from .output_file import require_suffix

# FFmpeg's muxer for each file suffix that can hold exact timestamps.
FORMAT_OF_SUFFIX = {
    ".mp4": "mp4",
    ".m4v": "mp4",
    ".mov": "mov",
    ".mkv": "matroska",
    ".webm": "webm",
    ".ts": "mpegts",
}
# Muxers whose ticks are coarser than some inputs'; what they do to timestamps is said to the user.
TICKS_PER_S = {"matroska": 1000, "webm": 1000, "mpegts": 90000}
# By default FFmpeg shifts everything where the priming of AAC begins before 0, although both formats can say so.
_EXACT_TIMES = {"avoid_negative_ts": "disabled"}
_MUXER_OPTIONS = {
    "mp4": {"movflags": "faststart"},
    "mov": {"movflags": "faststart"},
    "matroska": _EXACT_TIMES,
    "webm": _EXACT_TIMES,
    "mpegts": {"mpegts_copyts": "1", **_EXACT_TIMES},
}
# Fragments of a second, each of which plays without what follows, and bytes that do not wait in the muxer: what is on
# the disk when the process is killed is a video.
_FRAGMENTED = {"movflags": "frag_keyframe+empty_moov+default_base_moof", "frag_duration": "1000000"}
_CLUSTERED = {**_EXACT_TIMES, "cluster_time_limit": "1000"}
_RECORDING_OPTIONS = {"mp4": _FRAGMENTED, "mov": _FRAGMENTED, "matroska": _CLUSTERED, "webm": _CLUSTERED}
# Neither do they wait for a microphone that has failed: for a second instead of ten.
_ON_THE_DISK = {"flush_packets": "1", "max_interleave_delta": "1000000"}
# FFmpeg's own, and what leaves room for hours in the 32 bits that old players read.
_MOVIE_TIMESCALE_MIN, _MOVIE_TIMESCALE_MAX = 1000, 10_000_000


def output_format(path: Path) -> str:
    """Return the muxer for an output path.

    Raises:
        UsageError: the suffix is not one of those that hold exact timestamps.
    """
    require_suffix(path, FORMAT_OF_SUFFIX)
    return FORMAT_OF_SUFFIX[path.suffix.lower()]


def muxer_options(format_name: str, *, recording: bool, time_bases: Sequence[Fraction]) -> dict[str, str]:
    """Return FFmpeg's options for a file, or a recording, of streams with these clocks, that of the video first."""
    options = _MUXER_OPTIONS[format_name]
    if recording:
        return {**_RECORDING_OPTIONS.get(format_name, options), **_ON_THE_DISK}
    if format_name not in ("mp4", "mov"):
        return options
    # The start of each stream is stored in ticks of the movie, by default milliseconds.
    ticks_per_s = lcm(*(time_base.denominator for time_base in time_bases))
    if ticks_per_s > _MOVIE_TIMESCALE_MAX:
        ticks_per_s = time_bases[0].denominator
    return {**options, "movie_timescale": str(max(ticks_per_s, _MOVIE_TIMESCALE_MIN))}
