"""The ruler of the temporal metrics: flow that is right, warping as computed by hand, a mask that finds occlusion."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from realtime.errors import InputError
from realtime.motion import MotionEstimator, read_flow, valid_mask, warp
from samples import scene

SEQUENCES = Path(__file__).resolve().parents[3] / "shared" / "data" / "sequences"
SIZE = (320, 180)
# Mean distance to the exact flow where the flow is held to be valid; measured 0.07 to 0.33 px.
ENDPOINT_ERROR_MAX_PX = 0.4
# Share of the really occluded pixels that the mask may let pass; measured 0.07 to 0.25, thin rims that look alike.
OCCLUDED_PASSED_MAX = 0.35
MOVING_FRAMES = (50, 90, 150, 200)


def _constant(x: float, y: float, height: int = 20, width: int = 30) -> NDArray[np.float32]:
    return np.full((height, width, 2), (x, y), np.float32)


def _grey(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), dtype=np.uint8)


def test_warping_fetches_from_where_the_flow_points() -> None:
    picture = np.arange(12, dtype=np.float32).reshape(3, 4)

    fetched = warp(picture, _constant(1, 1, 3, 4))

    assert fetched[:2, :3].tolist() == [[5, 6, 7], [9, 10, 11]]


def test_warping_between_pixels_is_bilinear() -> None:
    picture = np.array([[0, 1, 2], [10, 11, 12], [20, 21, 22]], np.float32)

    fetched = warp(picture, _constant(0.5, 0.25, 3, 3))

    assert fetched[:2, :2] == pytest.approx(np.array([[3, 4], [13, 14]]))


def test_flow_and_its_inverse_are_valid_up_to_the_rim() -> None:
    mask = valid_mask(_constant(3, -2), _constant(-3, 2))

    assert mask[2:, :-3].all()
    assert not mask[:2].any()
    assert not mask[:, -3:].any()


@pytest.mark.parametrize(("off_px", "is_valid"), [(0.7, True), (0.73, False)])
def test_still_pixels_may_disagree_by_the_root_of_a_half(off_px: float, is_valid: bool) -> None:
    """With u = 0 and |v| = d the bound is d^2 <= 0.01 d^2 + 0.5, that is d <= 0.7107."""
    assert valid_mask(_constant(0, 0), _constant(off_px, 0)).all() == is_valid


@pytest.mark.parametrize(("off_px", "is_valid"), [(1.45, True), (1.55, False)])
def test_fast_pixels_may_disagree_by_a_share_of_their_way(off_px: float, is_valid: bool) -> None:
    """With |u| = 10 and |v| = 10 - d the bound is d^2 <= 0.01 (100 + (10 - d)^2) + 0.5, that is d <= 1.49."""
    mask = valid_mask(_constant(10, 0), _constant(-10 + off_px, 0))

    assert mask[:, :20].all() == is_valid


def test_motion_boundary_is_not_valid() -> None:
    forward = _constant(0, 0)
    forward[:, 15:] = (0.4, 0)  # too little for the consistency check

    mask = valid_mask(forward, -forward)

    # Central differences of 0.2 squared are 0.04, above the bound of 0.002 + 0.01 |u|^2.
    assert not mask[:, 14:16].any()
    assert mask[:, :14].all()
    assert mask[:, 16:29].all()


def test_unknown_flow_is_not_valid() -> None:
    forward = _constant(0, 0)
    forward[5, 5] = 1.7e9

    mask = valid_mask(forward, _constant(0, 0))

    assert not mask[5, 5]
    assert mask[10:].all()


@pytest.mark.parametrize("index", MOVING_FRAMES)
def test_estimated_flow_is_near_the_exact_one_of_the_sample(index: int) -> None:
    now, following = scene.render_frame(index, *SIZE), scene.render_picture(index + 1, *SIZE)
    estimator = MotionEstimator()

    forward = estimator.estimate(_grey(now.rgb), _grey(following))
    valid = valid_mask(forward, estimator.estimate(_grey(following), _grey(now.rgb)))

    error_px = np.hypot(*np.moveaxis(forward - now.flow, -1, 0))
    assert error_px[valid].mean() < ENDPOINT_ERROR_MAX_PX
    assert valid.mean() > 0.8
    assert valid[now.occluded].mean() < OCCLUDED_PASSED_MAX


@pytest.mark.parametrize("index", MOVING_FRAMES)
def test_mask_of_the_exact_flow_drops_what_is_hidden_and_keeps_the_rest(index: int) -> None:
    now = scene.render_frame(index, *SIZE)
    backward, _ = scene.backward_flow(index + 1, *SIZE)

    valid = valid_mask(now.flow, backward)

    assert valid[now.occluded].mean() < 0.1
    assert valid[~now.occluded].mean() > 0.88


@pytest.mark.parametrize(
    ("first", "second", "truth", "error_max_px"),
    [
        ("sintel/pair_with_gt/frame_0001.png", "sintel/pair_with_gt/frame_0002.png", "frame_0001.flo", 0.2),
        ("flyingchairs/0000001-img0.png", "flyingchairs/0000001-img1.png", "0000001-gt.flo", 0.6),
        ("flyingchairs/0000002-img0.png", "flyingchairs/0000002-img1.png", "0000002-gt.flo", 0.6),
    ],
)
def test_estimated_flow_is_near_the_truth_of_the_benchmarks(
    first: str, second: str, truth: str, error_max_px: float
) -> None:
    if not (SEQUENCES / first).exists():
        pytest.skip(f"{SEQUENCES} is not here")
    now, following = (cv2.imread(str(SEQUENCES / name), cv2.IMREAD_GRAYSCALE) for name in (first, second))
    exact = read_flow((SEQUENCES / first).with_name(truth))
    estimator = MotionEstimator()

    forward = estimator.estimate(now, following)
    valid = valid_mask(forward, estimator.estimate(following, now))

    assert np.hypot(*np.moveaxis(forward - exact, -1, 0))[valid].mean() < error_max_px


def test_flow_file_is_read_as_middlebury_lays_it_out(tmp_path: Path) -> None:
    size, vectors = np.array([3, 2], "<i4"), np.random.default_rng(1).normal(0, 9, (2, 3, 2)).astype("<f4")
    (tmp_path / "a.flo").write_bytes(b"PIEH" + size.tobytes() + vectors.tobytes())

    assert np.array_equal(read_flow(tmp_path / "a.flo"), vectors)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(None, id="missing"),
        pytest.param(b"", id="empty"),
        pytest.param(b"no flow at all", id="other"),
        pytest.param(b"PIEH" + np.array([9, 9], "<i4").tobytes() + b"cut", id="cut off"),
        pytest.param(b"PIEH" + np.array([2**31 - 1] * 2, "<i4").tobytes(), id="beyond memory"),
    ],
)
def test_what_is_no_flow_file_is_one_clear_line(content: bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "a.flo"
    if content is not None:
        path.write_bytes(content)

    with pytest.raises(InputError, match=r"a\.flo cannot be read as optical flow; expected a Middlebury"):
        read_flow(path)
