"""The sample clip keeps its promises: exact motion, exact occlusion, and a small tagged file."""

from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from samples import scene
from samples.buffer import WATER, fill_buffer

SIZE = (320, 180)
CLIP = Path(scene.__file__).with_name("coast.mp4")
MAX_CLIP_BYTES = 4_000_000
# Grey levels, median: what bilinear fetching costs in fine texture; measured 0.4 to 0.9.
MAX_MEDIAN_ERROR = 1.5
# Exact flow must beat standing still and running backwards by this factor; measured 3 to 30.
MIN_ADVANTAGE = 2.0
# Grey levels, mean: compression and rounding, measured 1.8; decoding by BT.601 gives 2.5.
MAX_CLIP_ERROR = 2.2
# Slower pixels look alike with any flow and would hide a wrong one in the median.
MIN_MOTION_PX = 0.8
MOVING_FRAMES = (50, 90, 150, 200)


def _median_errors(index: int, shares: tuple[float, ...]) -> list[float]:
    """Compare a frame with the next one fetched along each share of the flow, where visible.

    Water is left out: its ripples travel over the surface point that the flow follows.
    """
    now, after = scene.render_frame(index, *SIZE), scene.render_picture(index + 1, *SIZE)
    place, seconds = scene.locate(index)
    wanted = fill_buffer(place, seconds, *SIZE).surface != WATER
    wanted &= ~now.occluded & (np.hypot(now.flow[..., 0], now.flow[..., 1]) > MIN_MOTION_PX)
    rows, columns = np.indices(now.occluded.shape, dtype=np.float32)
    errors = []
    for share in shares:
        x, y = (columns + share * now.flow[..., 0], rows + share * now.flow[..., 1])
        found = cv2.remap(after, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        # A blur of a pixel on both sides: fetching between pixels blurs one of them anyway.
        shown, fetched = (cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 1.0) for picture in (now.rgb, found))
        errors.append(float(np.median(np.abs(fetched - shown).mean(axis=-1)[wanted])))
    return errors


@pytest.mark.parametrize("index", MOVING_FRAMES)
def test_next_frame_fetched_along_the_flow_looks_like_this_frame(index: int) -> None:
    exact, *wrong = _median_errors(index, (1.0, 0.0, -1.0))

    assert exact < MAX_MEDIAN_ERROR
    assert min(wrong) > exact * MIN_ADVANTAGE


@pytest.mark.parametrize("index", MOVING_FRAMES)
def test_little_but_something_is_hidden_in_the_next_frame(index: int) -> None:
    occluded = scene.render_frame(index, *SIZE).occluded

    assert 0.002 < occluded.mean() < 0.2


@pytest.mark.parametrize("index", [30, 170])
def test_backward_flow_undoes_forward_flow(index: int) -> None:
    now = scene.render_frame(index, *SIZE)
    back, _ = scene.backward_flow(index + 1, *SIZE)
    rows, columns = np.indices(now.occluded.shape, dtype=np.float32)

    fetched = cv2.remap(back, columns + now.flow[..., 0], rows + now.flow[..., 1], cv2.INTER_LINEAR)

    # Pixels; the rest is bilinear mixing of two surfaces' motion along outlines.
    assert np.percentile(np.abs(fetched + now.flow)[~now.occluded], 90) < 0.1


@pytest.mark.parametrize("index", [scene.CUT_FRAME - 1, scene.FRAME_COUNT - 1])
def test_everything_is_occluded_where_no_next_view_exists(index: int) -> None:
    frame = scene.render_frame(index, *SIZE)

    assert frame.occluded.all()
    assert not frame.flow.any()


def test_rendering_is_deterministic() -> None:
    first, second = (scene.render_frame(140, *SIZE) for _ in range(2))

    assert np.array_equal(first.rgb, second.rgb)
    assert np.array_equal(first.flow, second.flow)
    assert np.array_equal(first.occluded, second.occluded)


@pytest.mark.parametrize("index", [-1, scene.FRAME_COUNT])
def test_frames_outside_the_clip_are_refused(index: int) -> None:
    with pytest.raises(IndexError, match="must be between 0 and 209"):
        scene.render_frame(index, *SIZE)


def test_shipped_clip_has_the_promised_properties() -> None:
    with av.open(str(CLIP)) as container:
        video, audio = container.streams.video[0], container.streams.audio[0]
        assert (video.codec_context.width, video.codec_context.height) == (1280, 720)
        assert video.average_rate == Fraction(scene.FRAME_RATE)
        assert (video.codec_context.colorspace, video.codec_context.color_range) == (1, 1)
        assert audio.codec_context.sample_rate == 48_000
        assert float(audio.duration * audio.time_base) == pytest.approx(7.0, abs=0.05)
        assert sum(packet.pts is not None for packet in container.demux(video)) == scene.FRAME_COUNT
    assert CLIP.stat().st_size < MAX_CLIP_BYTES


def test_shipped_clip_shows_the_rendered_scene() -> None:
    with av.open(str(CLIP)) as container:
        shipped = next(container.decode(video=0)).to_ndarray(format="rgb24")

    # Blurred, because a small render lacks the large one's fine texture.
    found, wanted = (
        cv2.GaussianBlur(picture.astype(np.float32), (0, 0), 4.0)
        for picture in (
            cv2.resize(shipped, SIZE, interpolation=cv2.INTER_AREA),
            scene.render_picture(0, *SIZE),
        )
    )
    assert np.abs(found - wanted).mean() < MAX_CLIP_ERROR
