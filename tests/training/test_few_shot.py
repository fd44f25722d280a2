"""Few-shot training: what a step sees belongs together, and a look is learned that holds between the key frames."""

from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors.torch import load_file  # noqa: E402

from training.few_shot import train_few_shot  # noqa: E402
from training.footage import Footage, FootageDataset, Moment, StylizedFrame, whole  # noqa: E402
from training.hardware import Hardware  # noqa: E402
from training.motion import NOISE_SIGMA_MAX, warp  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.recipe import FewShotRecipe  # noqa: E402

if TYPE_CHECKING:
    from torch import Tensor

Picture = NDArray[np.uint8]
FRAMES, HEIGHT, WIDTH = 9, 48, 64
KEYS = (1, 7)
STEP_PX = 2
STEPS = 60
RECIPE = FewShotRecipe(name="test", style_size_px=HEIGHT, crop_px=40, steps=STEPS, warmup_steps=5)


def _recoloured(frame: Picture) -> Picture:
    return np.ascontiguousarray(255 - frame[..., ::-1] // 2)


def _frames() -> list[Picture]:
    """Return a smooth picture that moves `STEP_PX` to the left a frame."""
    random = np.random.default_rng(4)
    cells = random.integers(0, 256, (6, 12, 3), dtype=np.uint8)
    wide = cv2.resize(cells, (WIDTH + FRAMES * STEP_PX, HEIGHT), interpolation=cv2.INTER_CUBIC)
    return [np.ascontiguousarray(wide[:, STEP_PX * n : STEP_PX * n + WIDTH]) for n in range(FRAMES)]


@pytest.fixture(scope="module")
def footage() -> Footage:
    frames = _frames()
    flow = np.full((HEIGHT, WIDTH, 2), (-STEP_PX, 0), dtype=np.float32)
    valid = np.ones((HEIGHT, WIDTH), dtype=bool)
    return Footage(
        [StylizedFrame(n, frames[n], _recoloured(frames[n])) for n in KEYS],
        [Moment(n, frames[n], frames[n + 1], flow, valid) for n in range(FRAMES - 1)],
    )


def _items(footage: Footage, count: int = 12) -> "list[dict[str, Tensor]]":
    dataset = FootageDataset(footage, patch_px=16, seed=1)
    return [dataset[index] for index in range(count)]


def test_item_is_a_function_of_seed_and_number(footage: Footage) -> None:
    first, again = _items(footage, 3), _items(footage, 3)

    for item, same in zip(first, again, strict=True):
        assert all(torch.equal(item[name], same[name]) for name in item)
    assert not torch.equal(first[0]["frame"], first[1]["frame"])


def test_keyframe_is_shown_in_the_window_of_its_frame(footage: Footage) -> None:
    for item in _items(footage):
        expected = 1 - item["frame"].flip(0) / 2

        assert item["keyframe"].shape == (3, 40, 56)
        torch.testing.assert_close(item["keyframe"], expected, atol=3 * NOISE_SIGMA_MAX, rtol=0)


@pytest.mark.parametrize("share", [0.0, 1.0], ids=["synthetic", "real"])
def test_moved_picture_is_the_photograph_along_the_flow(
    footage: Footage, share: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.footage.REAL_MOTION_SHARE", share)

    for item in _items(footage):
        arrived, _ = warp(item["photograph"].unsqueeze(0), item["flow"].unsqueeze(0))
        difference = (arrived[0] - item["moved"]).abs() * item["valid"]

        assert item["valid"].mean() > 0.3
        assert difference.max() <= 5 * NOISE_SIGMA_MAX


def test_moments_go_with_the_keyframe_nearest_to_them() -> None:
    """A picture of grey level n is frame n; key frames are their frames."""
    grey = [np.full((HEIGHT, WIDTH, 3), n, dtype=np.uint8) for n in range(FRAMES)]
    nothing = np.zeros((HEIGHT, WIDTH, 2), dtype=np.float32)
    footage = Footage(
        [StylizedFrame(n, grey[n], grey[n]) for n in KEYS],
        [Moment(n, grey[n], grey[n], nothing, nothing[..., 0] == 0) for n in range(FRAMES)],
    )

    seen = {
        (round(255 * float(i["keyframe"].mean())), round(255 * float(i["photograph"].mean())))
        for i in _items(footage, 99)
    }

    assert seen == {(1, n) for n in range(5)} | {(7, n) for n in range(5, FRAMES)}


def test_a_look_is_learned_and_holds_between_the_keyframes(footage: Footage, vgg_file: Path, tmp_path: Path) -> None:
    network = SlimNetwork().eval()
    path = train_few_shot(footage, RECIPE, run_folder=tmp_path, vgg=vgg_file, hardware=Hardware(device="cpu"))
    network.load_state_dict(load_file(path))

    between = footage.moments[4].earlier
    with torch.no_grad():
        found = network(whole(between).unsqueeze(0))[0]
    error = (found - whole(_recoloured(between))).abs().mean()

    unlearned = (whole(between) - whole(_recoloured(between))).abs().mean()
    assert error < 0.35 * unlearned


def test_run_is_not_continued_with_other_keyframes(footage: Footage, vgg_file: Path, tmp_path: Path) -> None:
    import dataclasses

    def train(given: Footage) -> None:
        recipe = dataclasses.replace(RECIPE, steps=1, footage=given.digest())
        train_few_shot(given, recipe, run_folder=tmp_path, vgg=vgg_file, hardware=Hardware(device="cpu"))

    train(footage)
    train(footage)
    with pytest.raises(ValueError, match="another footage; choose another run folder"):
        train(Footage(footage.keyframes[:1], footage.moments))
