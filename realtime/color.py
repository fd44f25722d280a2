"""Colour tags of a video, and the two conversions at its ends: decoded frame to RGB, RGB to frame for the encoder.

A tag decides every conversion. Where there is none, the matrix is taken as players take it, from the size, and the
output stays untagged, so that both directions make the same assumption.
"""

from dataclasses import dataclass, replace

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation, VideoReformatter
from numpy.typing import NDArray

# Numbers of ITU-T H.273, which FFmpeg uses as they are.
RGB = 0
BT709 = 1
TRANSFER_PQ = 16
TRANSFER_HLG = 18
RANGE_LIMITED = 1
RANGE_FULL = 2

_SWSCALE_MATRIX = {
    1: Colorspace.ITU709,
    4: Colorspace.FCC,
    5: Colorspace.ITU601,
    6: Colorspace.ITU601,
    7: Colorspace.SMPTE240M,
    9: Colorspace.BT2020,
    10: Colorspace.BT2020,
}
# Untagged video of at least this height is taken as BT.709, smaller as BT.601, as players and browsers do.
HD_HEIGHT_MIN_PX = 720

# Chroma is repeated when it is read and averaged when it is written: exact inverses of each other for 4:2:0 (BILINEAR
# would average four lines instead of two). Without FULL_CHR_H_INT swscale (FFmpeg 8.1) reads 4:2:0 and 10 bits through
# a table that is up to 2 levels too dark.
_READING = Interpolation.POINT | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_READING_SCALED = Interpolation.BILINEAR | Interpolation.FULL_CHR_H_INT | Interpolation.ACCURATE_RND
_WRITING = Interpolation.AREA | Interpolation.ACCURATE_RND


@dataclass(frozen=True, slots=True)
class ColorTags:
    """Matrix, range, primaries and transfer function as the numbers of ITU-T H.273."""

    matrix: int
    range: int
    primaries: int
    transfer: int

    @classmethod
    def of(cls, frame: av.VideoFrame) -> "ColorTags":
        """Return the tags of a decoded frame; RGB sources get those of sRGB shown as BT.709 video."""
        if _is_without_matrix(frame):
            return cls(BT709, RANGE_LIMITED, BT709, BT709)
        color_range = int(frame.color_range)
        if frame.format.name.startswith("yuvj"):
            color_range = RANGE_FULL
        return cls(int(frame.colorspace), color_range, int(frame.color_primaries), int(frame.color_trc))

    def written_as(self, pixel_format: str) -> "ColorTags":
        """Return the tags that are true of the same colours in the frames of an encoder."""
        is_rgb = av.VideoFormat(pixel_format).is_rgb
        return replace(self, matrix=RGB, range=RANGE_FULL) if is_rgb else self

    @property
    def is_hdr(self) -> bool:
        return self.transfer in (TRANSFER_PQ, TRANSFER_HLG)


# What HDR is converted to.
SDR_TAGS = ColorTags(BT709, RANGE_LIMITED, BT709, BT709)


# Greys of limited range in full: 16 is black and 235 white.
_EXPANDED = ((np.arange(256) - 16) * (255 / 219)).round().clip(0, 255).astype(np.uint8)


class ColorConverter:
    """Converts between frames tagged `tags` and RGB. One thread, one direction each.

    What is transparent lies on white; `has_met_transparency` tells that there was some.
    """

    def __init__(self, tags: ColorTags, *, height: int) -> None:
        self._tags = tags
        guessed = Colorspace.ITU709 if height >= HD_HEIGHT_MIN_PX else Colorspace.ITU601
        self._matrix = _SWSCALE_MATRIX.get(tags.matrix, guessed)
        self._range = RANGE_FULL if tags.range == RANGE_FULL else RANGE_LIMITED
        self._reformatter = VideoReformatter()
        self.has_met_transparency = False

    def to_rgb(self, frame: av.VideoFrame, *, width: int, height: int) -> NDArray[np.uint8]:
        """Return the picture as (height, width, 3) uint8 RGB, scaled if the frame has another size."""
        has_alpha = any(component.is_alpha for component in frame.format.components)
        wanted = "rgba" if has_alpha else "rgb24"
        if _is_without_matrix(frame):
            converted = self._reformatter.reformat(frame, width=width, height=height, format=wanted)
        else:
            converted = self._reformatter.reformat(
                frame,
                width=width,
                height=height,
                format=wanted,
                src_colorspace=self._matrix,
                src_color_range=self._range,
                dst_color_range=RANGE_FULL,
                interpolation=_READING if (frame.width, frame.height) == (width, height) else _READING_SCALED,
            )
        picture = np.asarray(np.ascontiguousarray(converted.to_ndarray()), dtype=np.uint8)
        if has_alpha:
            return self._over_white(picture)
        if frame.format.name.startswith("gray") and int(frame.color_range) == RANGE_LIMITED:
            return np.asarray(_EXPANDED[picture], dtype=np.uint8)
        return picture

    def _over_white(self, rgba: NDArray[np.uint8]) -> NDArray[np.uint8]:
        alpha = rgba[..., 3:].astype(np.uint16)
        if alpha.min(initial=255) == 255:
            return np.ascontiguousarray(rgba[..., :3])
        self.has_met_transparency = True
        return np.asarray((rgba[..., :3] * alpha + 255 * (255 - alpha) + 127) // 255, dtype=np.uint8)

    def from_rgb(self, rgb: NDArray[np.uint8], *, pixel_format: str) -> av.VideoFrame:
        """Return a frame of `pixel_format` with the tags set."""
        frame = av.VideoFrame.from_ndarray(rgb, format="rgb24")
        tags = self._tags.written_as(pixel_format)
        if av.VideoFormat(pixel_format).is_rgb:
            converted = self._reformatter.reformat(frame, format=pixel_format)
        else:
            converted = self._reformatter.reformat(
                frame,
                format=pixel_format,
                dst_colorspace=self._matrix,
                src_color_range=RANGE_FULL,
                dst_color_range=self._range,
                interpolation=_WRITING,
            )
        converted.colorspace = tags.matrix
        converted.color_range = tags.range
        converted.color_primaries = tags.primaries
        converted.color_trc = tags.transfer
        return converted


def _is_without_matrix(frame: av.VideoFrame) -> bool:
    """Return whether the frame is RGB, a palette or grey: no matrix decides what its numbers mean."""
    return frame.format.is_rgb or frame.format.name.startswith(("pal", "gray", "mono"))
