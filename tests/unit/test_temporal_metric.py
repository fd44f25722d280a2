"""The temporal figures against values computed by hand, and against what they are meant to tell apart."""

import math

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.temporal_metric import Series, TemporalMeter, flicker_removed, sharpness, warping_error
from samples import scene

Picture = NDArray[np.uint8]

SIZE = (320, 180)
# The exact and the estimated motion mask pixels differently: floors agree this well; measured 0.8 to 1.2.
FLOOR_AGREEMENT = 1.35


def _scene(seed: int = 1, width: int = 160, height: int = 96) -> Picture:
    random = np.random.default_rng(seed)
    picture = np.zeros((height, width, 3), np.float32)
    for cells, share in ((4, 90), (16, 50), (48, 25)):
        picture += share * cv2.resize(random.random((cells, cells, 3), dtype=np.float32), (width, height))
    return np.asarray(np.clip(picture + 40, 0, 255), dtype=np.uint8)


def test_warping_error_is_the_mean_square_over_valid_pixels_and_channels() -> None:
    now, following = np.zeros((4, 5, 3), np.float32), np.zeros((4, 5, 3), np.float32)
    following[:, 2:] = (0.3, 0.0, 0.6)  # seen one to the left, where the flow fetches it
    flow = np.full((4, 5, 2), (1, 0), np.float32)
    valid = np.zeros((4, 5), np.bool_)
    valid[:, 0:2] = True  # one column without, one with difference

    error = warping_error(now, following, flow, valid)

    assert error == pytest.approx((0.3**2 + 0.6**2) / 6)


def test_without_a_valid_pixel_there_is_no_warping_error() -> None:
    picture = np.zeros((4, 5, 3), np.float32)

    assert math.isnan(warping_error(picture, picture, np.zeros((4, 5, 2), np.float32), np.zeros((4, 5), np.bool_)))


def test_brightness_that_jumps_by_d_on_a_still_scene_is_an_error_of_d_squared() -> None:
    still = _scene()
    meter = TemporalMeter(1)

    for index in range(6):
        meter.add(still, [np.asarray(still // 2 + 60 + 5 * (index % 2), dtype=np.uint8)])

    assert meter.source.warping_error == 0
    assert meter.outputs[0].warping_errors == pytest.approx([(5 / 255) ** 2] * 5, rel=1e-4)
    assert meter.outputs[0].frame_differences == pytest.approx([(5 / 255) ** 2] * 5, rel=1e-4)


def test_moving_scene_that_is_painted_coherently_has_the_floors_error() -> None:
    wide = _scene(width=240)
    meter = TemporalMeter(2)
    flicker = np.random.default_rng(2).normal(0, 8, 8)

    for index in range(8):
        view = np.ascontiguousarray(wide[:, 3 * index : 3 * index + 160])
        painted = 255 - view
        meter.add(view, [painted, np.clip(painted + flicker[index], 0, 255).astype(np.uint8)])

    coherent, flickering = meter.outputs
    assert coherent.warping_error == pytest.approx(meter.source.warping_error, rel=1e-3)
    assert flickering.warping_error > 5 * coherent.warping_error


def test_frame_difference_error_compares_changes_and_not_pictures() -> None:
    meter = TemporalMeter(2)
    for level in (10, 30, 60):
        frame = np.asarray(_scene() // 4 + level, dtype=np.uint8)
        meter.add(frame, [np.asarray(frame + 100, dtype=np.uint8), np.full_like(frame, 7)])

    same_change, no_change = meter.outputs
    assert same_change.frame_difference == pytest.approx(0, abs=1e-12)
    assert no_change.frame_differences == pytest.approx([(20 / 255) ** 2, (30 / 255) ** 2], rel=1e-4)


def test_sharpness_of_a_wave_is_what_its_filters_leave() -> None:
    frequency, amplitude = 0.5, 0.25  # radians a pixel
    wave = (0.5 + amplitude * np.sin(frequency * np.arange(400))).astype(np.float32)
    picture = np.repeat(np.broadcast_to(wave, (40, 400))[..., np.newaxis], 3, axis=2)

    # The Gaussian leaves exp(-w^2/2) of it, the Laplacian multiplies by 2 cos w - 2, a sine's variance is A^2/2.
    expected = (amplitude * math.exp(-(frequency**2) / 2) * (2 - 2 * math.cos(frequency))) ** 2 / 2

    assert sharpness(np.ascontiguousarray(picture)) == pytest.approx(expected, rel=0.03)


def test_checkerboard_is_not_sharpness_but_strokes_are() -> None:
    flat = np.full((96, 160, 3), 0.5, np.float32)
    rows, columns = np.indices((96, 160))
    checkerboard = flat + 0.1 * ((rows + columns) % 2)[..., np.newaxis].astype(np.float32)
    strokes = flat + 0.1 * (columns // 4 % 2)[..., np.newaxis].astype(np.float32)

    assert sharpness(strokes) > 20 * sharpness(checkerboard)


def test_blurred_picture_is_less_sharp() -> None:
    picture = _scene().astype(np.float32) / 255

    assert sharpness(np.asarray(cv2.blur(picture, (3, 3)))) < 0.6 * sharpness(picture)


def test_pair_across_a_cut_counts_for_nothing() -> None:
    before, after = np.full((96, 160, 3), 30, np.uint8), 255 - _scene(9) // 2
    before[:48] = 60
    meter = TemporalMeter(1)

    for picture in (before, before, np.asarray(after, dtype=np.uint8), np.asarray(after, dtype=np.uint8)):
        meter.add(picture, [picture])

    assert meter.cuts == [2]
    assert [math.isnan(error) for error in meter.source.warping_errors] == [False, True, False]
    assert meter.outputs[0].warping_error == 0
    assert len(meter.source.sharpnesses) == 4


def test_tiny_pictures_have_no_warping_error_but_the_rest() -> None:
    meter = TemporalMeter(1)
    for level in (10, 20):
        meter.add(np.asarray(_scene(width=8, height=8) // 4 + level, dtype=np.uint8), [np.zeros((8, 8, 3), np.uint8)])

    assert math.isnan(meter.source.warping_error)
    assert meter.outputs[0].frame_difference == pytest.approx((10 / 255) ** 2, rel=1e-4)


def test_without_pairs_there_are_no_figures() -> None:
    assert math.isnan(Series().warping_error)
    assert math.isnan(TemporalMeter(0).source.frame_difference)


@pytest.mark.parametrize("index", [50, 90, 150, 200])
def test_floor_by_estimated_motion_agrees_with_the_floor_by_exact_motion(index: int) -> None:
    now, following = scene.render_frame(index, *SIZE), scene.render_picture(index + 1, *SIZE)
    painted = [np.asarray(255 - picture, dtype=np.uint8) for picture in (now.rgb, following)]
    estimated, exact = TemporalMeter(1), TemporalMeter(1)

    for meter, flow in ((estimated, None), (exact, now.flow)):
        meter.add(now.rgb, [painted[0]])
        meter.add(following, [painted[1]], flow=flow)

    ratio = estimated.source.warping_error / exact.source.warping_error
    assert 1 / FLOOR_AGREEMENT < ratio < FLOOR_AGREEMENT
    assert exact.outputs[0].warping_error == pytest.approx(exact.source.warping_error, rel=1e-3)


def test_flow_that_is_given_is_used() -> None:
    """A wrong flow must show: the warped picture no longer fits."""
    now, following = scene.render_frame(150, *SIZE), scene.render_picture(151, *SIZE)
    right, wrong = TemporalMeter(0), TemporalMeter(0)

    for meter, flow in ((right, now.flow), (wrong, now.flow + np.float32(0.6))):
        meter.add(now.rgb, [])
        meter.add(following, [], flow=flow)

    assert wrong.source.warping_error > 1.5 * right.source.warping_error


@pytest.mark.parametrize(("ours", "share"), [(1.0, 1.0), (5.0, 0.0), (2.0, 0.75), (6.0, -0.25), (0.5, 1.125)])
def test_flicker_removed_is_the_share_of_the_way_from_ceiling_to_floor(ours: float, share: float) -> None:
    assert flicker_removed(floor=1.0, ceiling=5.0, ours=ours) == share


def test_where_there_is_no_flicker_no_share_of_it_is_told() -> None:
    assert flicker_removed(floor=1.0, ceiling=1.0, ours=0.5) is None
    assert flicker_removed(floor=float("nan"), ceiling=float("nan"), ours=float("nan")) is None
