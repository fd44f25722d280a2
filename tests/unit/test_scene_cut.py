"""Cuts are found; flashes, fades, dissolves, pans, shakes, lights and noise are not taken for cuts."""

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.scene_cut import SceneCutDetector
from realtime.smoother import FlowSmoother
from tests.media import read_frames
from tests.smoothing import SmoothedInput

Grey = NDArray[np.uint8]

SIZE = (320, 180)
WIDE = (960, 300)
SEEDS = range(8)
# What the past may leave of itself in the first picture of a new scene, in grey levels: nobody sees one.
TRACE_LEVELS_MAX = 1
REAL_CLIPS = Path(__file__).resolve().parents[3] / "shared" / "data" / "video"
# Found by eye in the clips.
REAL_CUTS = {
    "bikes_cuts.mp4": [30, 76, 137, 187, 242],
    "bbb_360p_10s.mp4": [235],
    "nasa_aac.mp4": [202],
    "static_cam_cars.mp4": [],
    "chaplin_bw.mp4": [],
}


def _scene(seed: int, *, low: int = 10, high: int = 245) -> Grey:
    """Return a wide scene with structure at every scale, as photographs have it, using the tones from low to high."""
    random = np.random.default_rng(seed)
    scene = np.zeros(WIDE[::-1], np.float32)
    for cells in (5, 10, 20, 40, 80):
        noise = random.random((cells, 3 * cells), dtype=np.float32)
        scene += cv2.resize(noise, WIDE, interpolation=cv2.INTER_CUBIC) / np.sqrt(cells)
    ranks = (scene - np.quantile(scene, 0.01)) / (np.quantile(scene, 0.99) - np.quantile(scene, 0.01))
    return np.asarray(low + np.clip(ranks, 0, 1) * (high - low), dtype=np.uint8)


def _view(scene: Grey, left: int = 320, top: int = 60) -> Grey:
    return np.ascontiguousarray(scene[top : top + SIZE[1], left : left + SIZE[0]])


def _lit(grey: Grey, gain: float, offset: float = 0) -> Grey:
    return np.asarray(np.clip(grey * gain + offset, 0, 255), dtype=np.uint8)


def _mixed(a: Grey, b: Grey, share: float) -> Grey:
    return np.asarray(a * (1 - share) + b * share, dtype=np.uint8)


def _cuts(frames: list[Grey]) -> list[int]:
    detector = SceneCutDetector()
    return [index for index, frame in enumerate(frames) if detector.is_cut(frame)]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_to_a_scene_of_other_tones_is_found_once(seed: int) -> None:
    before, after = _view(_scene(seed, high=140)), _view(_scene(100 + seed, low=90))

    assert _cuts([before] * 3 + [after] * 3) == [3]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_to_a_scene_of_the_same_tones_is_found_once(seed: int) -> None:
    assert _cuts([_view(_scene(seed))] * 3 + [_view(_scene(100 + seed))] * 3) == [3]


@pytest.mark.parametrize("seed", SEEDS)
def test_a_cut_in_the_dark_is_found_once(seed: int) -> None:
    before, after = (_view(_scene(number, low=2, high=40)) for number in (seed, 100 + seed))

    assert _cuts([before] * 3 + [after] * 3) == [3]


def test_cuts_between_two_cameras_are_all_found() -> None:
    a, b = _view(_scene(1)), _view(_scene(2))

    assert _cuts(([a] * 5 + [b] * 5) * 2) == [5, 10, 15]


@pytest.mark.parametrize("frames", [1, 2, 3])
@pytest.mark.parametrize("gain", [1.3, 2.0, 8.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_flash_is_no_cut(seed: int, gain: float, frames: int) -> None:
    frame = _view(_scene(seed, high=150))

    assert _cuts([frame] * 3 + [_lit(frame, gain, 60)] * frames + [frame] * 3) == []


@pytest.mark.parametrize("level", [0, 255])
@pytest.mark.parametrize("frames", [1, 2, 3])
def test_frames_of_plain_black_or_white_are_no_cut(level: int, frames: int) -> None:
    frame = _view(_scene(3))

    assert _cuts([frame] * 3 + [np.full_like(frame, level)] * frames + [frame] * 3) == []


def test_a_cut_behind_a_white_frame_is_found() -> None:
    a, b = _view(_scene(1)), _view(_scene(2))

    assert _cuts([a, a, np.full_like(a, 255), b, b]) == [3]


def test_a_bright_scene_that_stays_is_told_from_a_flash() -> None:
    dark, bright = _view(_scene(1, high=60)), _lit(_view(_scene(2, low=150)), 1.35)

    assert len(_cuts([dark] * 3 + [bright] * 8)) == 1


def test_a_strobe_is_no_cut() -> None:
    frame = _view(_scene(4, high=150))

    assert _cuts([_lit(frame, 1.6, 40) if index % 3 == 0 else _lit(frame, 0.3) for index in range(24)]) == []


@pytest.mark.parametrize("frames", [6, 12, 40])
@pytest.mark.parametrize("level", [0, 255])
def test_a_fade_and_back_is_no_cut(level: int, frames: int) -> None:
    frame = _view(_scene(2))
    shares = [*np.linspace(0, 1, frames), 1.0, *np.linspace(1, 0, frames)]

    assert _cuts([_mixed(frame, np.full_like(frame, level), share) for share in shares]) == []


@pytest.mark.parametrize("frames", [12, 40])
def test_a_fade_through_black_into_another_scene_is_no_cut(frames: int) -> None:
    a, b = _view(_scene(2)), _view(_scene(5))
    shares = np.linspace(0, 1, frames)

    assert _cuts([_lit(a, 1 - share) for share in shares] + [_lit(b, share) for share in shares]) == []


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("frames", [6, 25])
def test_a_dissolve_is_no_cut(seed: int, frames: int) -> None:
    a, b = _view(_scene(seed)), _view(_scene(100 + seed))

    assert _cuts([a] * 3 + [_mixed(a, b, share) for share in np.linspace(0, 1, frames)] + [b] * 3) == []


@pytest.mark.parametrize("step_px", [5, 20, 40, 64])
@pytest.mark.parametrize("seed", SEEDS)
def test_a_fast_pan_is_no_cut(seed: int, step_px: int) -> None:
    scene = _scene(seed)

    assert _cuts([_view(scene, left) for left in range(0, WIDE[0] - SIZE[0], step_px)]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_a_shaking_camera_is_no_cut(seed: int) -> None:
    random, scene = np.random.default_rng(seed), _scene(seed)
    places = [(320 + int(random.integers(-16, 17)), 60 + int(random.integers(-12, 13))) for _ in range(15)]

    assert _cuts([_view(scene, left, top) for left, top in places]) == []


@pytest.mark.parametrize("seed", SEEDS)
def test_lights_that_go_on_are_no_cut(seed: int) -> None:
    frame = _view(_scene(seed))
    rows, columns = np.indices(frame.shape)
    lamp = np.exp(-((columns - 40 * seed) ** 2 + (rows - 90) ** 2) / (2 * 90**2))
    lit = np.asarray(np.clip(frame * (0.3 + 0.9 * lamp), 0, 255), dtype=np.uint8)

    assert _cuts([_lit(frame, 0.3)] * 3 + [lit] * 3 + [_lit(frame, 0.3)] * 3) == []


def test_noise_in_the_dark_is_no_cut() -> None:
    random = np.random.default_rng(4)

    assert _cuts([random.integers(0, 6, (180, 320), dtype=np.uint8) for _ in range(20)]) == []


def test_after_a_reset_the_next_frame_is_a_first_one() -> None:
    detector = SceneCutDetector()
    detector.is_cut(_view(_scene(5)))

    detector.reset()

    assert not detector.is_cut(_view(_scene(105)))


@pytest.mark.parametrize("name", REAL_CUTS)
def test_cuts_of_real_clips_are_found_and_nothing_else(name: str) -> None:
    if not (REAL_CLIPS / name).exists():
        pytest.skip(f"{REAL_CLIPS / name} is not here")

    assert (
        _cuts([cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY) for frame in read_frames(REAL_CLIPS / name)])
        == (REAL_CUTS[name])
    )


def _same(scene: Grey) -> Grey:
    return scene


def _dimmed(scene: Grey) -> Grey:
    return _lit(scene, 0.15, 5)


@pytest.mark.parametrize("light", [_same, _dimmed])
@pytest.mark.parametrize("seed", SEEDS)
def test_first_picture_after_a_cut_is_as_the_network_made_it(seed: int, light: Callable[[Grey], Grey]) -> None:
    before, after = (cv2.cvtColor(light(_view(_scene(number))), cv2.COLOR_GRAY2RGB) for number in (seed, 100 + seed))
    smoother = SmoothedInput(FlowSmoother())
    for number in range(4):
        smoother.smooth(before, 255 - before, Fraction(number, 25), smoothing=1)
    painted = np.asarray(255 - after, dtype=np.uint8)

    smoothed = smoother.smooth(after, painted, Fraction(4, 25), smoothing=1)

    assert np.abs(smoothed.astype(int) - painted).max() <= TRACE_LEVELS_MAX
    assert smoother.smoother.cuts == 1


def test_first_pictures_after_the_cuts_of_a_real_clip_are_as_the_network_made_them() -> None:
    clip = REAL_CLIPS / "bikes_cuts.mp4"
    if not clip.exists():
        pytest.skip(f"{clip} is not here")
    smoother = SmoothedInput(FlowSmoother())
    random = np.random.default_rng(7)
    traces = {}

    for number, frame in enumerate(read_frames(clip)):
        noise = cv2.resize(random.normal(0, 6, (34, 80, 1)), (640, 272))[..., np.newaxis]
        painted = np.asarray(np.clip(255 - frame.rgb + noise, 0, 255), dtype=np.uint8)
        smoothed = smoother.smooth(frame.rgb, painted, frame.pts_s, smoothing=1)
        traces[number] = np.abs(smoothed.astype(int) - painted).max()

    assert all(traces[number] <= TRACE_LEVELS_MAX for number in REAL_CUTS[clip.name])
    assert np.median(list(traces.values())) > TRACE_LEVELS_MAX
