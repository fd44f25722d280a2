"""FFmpeg's filters between decoder and colour conversion: deinterlacing, and HDR to SDR."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import av
import av.error
import av.filter

# Smaller pictures are refused by bwdif; at that size there is nothing to see of interlacing.
_DEINTERLACED_MIN_PX = 4


class PictureFilter:
    """bwdif on interlaced frames (one out for one in, times kept), and swscale's mapping to BT.709 where asked for.

    Made for pictures of the size and format of `first`: `takes` tells whether another is one of them.
    """

    def __init__(self, first: av.VideoFrame, time_base: Fraction, *, tone_map: bool) -> None:
        self._kind = _kind(first)
        filters = []
        if min(first.width, first.height) >= _DEINTERLACED_MIN_PX:
            filters.append(("bwdif", "mode=send_frame:deint=interlaced"))
        if tone_map:
            filters.append(("scale", "out_transfer=bt709:out_primaries=bt709:out_color_matrix=bt709:out_range=tv"))
            filters.append(("format", "yuv444p"))
        self._graph = av.filter.Graph()
        node: Any = self._graph.add_buffer(
            width=first.width, height=first.height, format=first.format, time_base=time_base
        )
        for name, options in filters:
            following = self._graph.add(name, options)
            node.link_to(following)
            node = following
        node.link_to(self._graph.add("buffersink"))
        self._graph.configure()

    def takes(self, picture: av.VideoFrame) -> bool:
        return _kind(picture) == self._kind

    def push(self, picture: av.VideoFrame | None) -> Iterator[av.VideoFrame]:
        """Yield the frames that are ready after `picture`, all that is left after None."""
        self._graph.vpush(picture)
        while True:
            try:
                yield self._graph.vpull()
            except (av.error.BlockingIOError, av.error.EOFError):
                return


def _kind(picture: av.VideoFrame) -> tuple[int, int, str]:
    return picture.width, picture.height, picture.format.name
