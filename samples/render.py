"""Render and encode the sample clip: `python -m samples.render [--out samples/coast.mp4]`.

The only module of the package that needs PyAV. Colour is converted to BT.709 limited range and
tagged so, because players guess BT.601 for untagged files and shift the greens.
"""

import argparse
import os
import time
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc

from .scene import FRAME_COUNT, FRAME_RATE, render_picture
from .soundtrack import SAMPLE_RATE_HZ, synthesise

WIDTH, HEIGHT = 1280, 720
# Chosen so that the file stays under 4 MB.
_CRF = 23
_AUDIO_BIT_RATE = 112_000
_AAC_FRAME = 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="Render the sample clip.")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("coast.mp4"))
    parser.add_argument("--crf", type=int, default=_CRF, help="x264 quality (default %(default)s)")
    arguments = parser.parse_args()
    cv2.setNumThreads(1)
    started = time.perf_counter()
    unfinished = arguments.out.with_name(f".{arguments.out.stem}.partial.mp4")
    try:
        _encode(unfinished, arguments.crf, started)
        os.replace(unfinished, arguments.out)
    finally:
        unfinished.unlink(missing_ok=True)
    print(f"\n{arguments.out}: {arguments.out.stat().st_size:,} bytes")


def _encode(path: Path, crf: int, started: float) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=FRAME_RATE)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        video.options = {"crf": str(crf), "preset": "slow"}
        context = video.codec_context
        context.color_range = ColorRange.MPEG
        context.colorspace = Colorspace.ITU709
        context.color_primaries = ColorPrimaries.BT709
        context.color_trc = ColorTrc.BT709
        audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="stereo")
        audio.bit_rate = _AUDIO_BIT_RATE

        sound = synthesise(FRAME_COUNT / FRAME_RATE)
        written = 0
        for index in range(FRAME_COUNT):
            container.mux(video.encode(_video_frame(index)))
            due = round((index + 1) * SAMPLE_RATE_HZ / FRAME_RATE)
            while written < min(due, sound.shape[1]):
                block = sound[:, written : written + _AAC_FRAME]
                container.mux(audio.encode(_audio_frame(block, written)))
                written += block.shape[1]
            speed = (index + 1) / (time.perf_counter() - started)
            print(f"\rframe {index + 1}/{FRAME_COUNT}, {speed:.2f} fps", end="", flush=True)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))


def _video_frame(index: int) -> av.VideoFrame:
    frame = av.VideoFrame.from_ndarray(render_picture(index, WIDTH, HEIGHT), format="rgb24")
    frame = frame.reformat(
        format="yuv420p",
        src_colorspace=Colorspace.ITU709,
        dst_colorspace=Colorspace.ITU709,
        src_color_range=ColorRange.JPEG,
        dst_color_range=ColorRange.MPEG,
    )
    frame.pts, frame.time_base = index, Fraction(1, FRAME_RATE)
    return frame


def _audio_frame(block: np.ndarray, start: int) -> av.AudioFrame:
    frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(block), format="fltp", layout="stereo")
    frame.sample_rate, frame.pts = SAMPLE_RATE_HZ, start
    frame.time_base = Fraction(1, SAMPLE_RATE_HZ)
    return frame


if __name__ == "__main__":
    main()
