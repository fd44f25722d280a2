"""One picture from start to end: scales, starts, colours, and going on where it was stopped."""

import dataclasses
import io
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training.gatys_objective import ObjectiveWeights  # noqa: E402
from training.keyframe import Keyframe, KeyframeSettings  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

WEIGHTS = ObjectiveWeights(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0, "relu2_1": 1.0})
QUICK = KeyframeSettings(size_px=32, iterations=3, weights=WEIGHTS, precision="fp32")
# Rounding to 8 bits and cutting to their range move the chrominance by no more than this many grey levels on average.
CHROMINANCE_TOLERANCE = 2


def _picture(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    cells = np.random.default_rng(seed).integers(60, 196, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


def _backbone(vgg_file: Path, settings: KeyframeSettings) -> Vgg19:
    return Vgg19(settings.weights.layers, weights=vgg_file)


def _keyframe(vgg_file: Path, settings: KeyframeSettings = QUICK, **arguments: Any) -> Keyframe:
    return Keyframe(
        _picture(1), [(_picture(2), 1.0)], settings, backbone=_backbone(vgg_file, settings), device="cpu", **arguments
    )


def _with(**changes: Any) -> KeyframeSettings:
    return dataclasses.replace(QUICK, **changes)


def _made(keyframe: Keyframe) -> "np.ndarray[Any, Any]":
    list(keyframe.run())
    return np.array(keyframe.best_picture())


def test_the_size_is_the_short_side_of_the_result(vgg_file: Path) -> None:
    keyframe = _keyframe(vgg_file, _with(size_px=48, iterations=1))

    assert _made(keyframe).shape == (48, 60, 3)


def test_every_scale_has_twice_the_size_and_all_its_iterations(vgg_file: Path) -> None:
    steps = list(_keyframe(vgg_file, _with(size_px=64, scales=2)).run())

    assert [(step.scale, step.size, step.iterate.iteration) for step in steps] == [
        *((0, (40, 32), iteration) for iteration in range(4)),
        *((1, (80, 64), iteration) for iteration in range(4)),
    ]


def test_a_finer_scale_begins_with_what_the_coarser_one_has_made(vgg_file: Path) -> None:
    from_photograph = next(iter(_keyframe(vgg_file, _with(size_px=64)).run())).iterate

    first_fine = next(
        step.iterate for step in _keyframe(vgg_file, _with(size_px=64, scales=2, iterations=8)).run() if step.scale == 1
    )

    assert first_fine.terms["style"] < 0.5 * from_photograph.terms["style"]


def test_too_many_scales_are_refused() -> None:
    with pytest.raises(ValueError, match="begin at 16 px"):
        _with(size_px=64, scales=3)


def test_noise_is_the_same_for_the_same_seed_alone(vgg_file: Path) -> None:
    def start(seed: int) -> "torch.Tensor":
        return next(iter(_keyframe(vgg_file, _with(start="noise", seed=seed)).run())).iterate.picture

    assert torch.equal(start(1), start(1))
    assert not torch.equal(start(1), start(2))


def test_noise_leads_to_the_content_too(vgg_file: Path) -> None:
    steps = list(_keyframe(vgg_file, _with(start="noise", iterations=30)).run())

    assert steps[-1].iterate.total < 0.2 * steps[0].iterate.total


def test_a_picture_can_be_the_start(vgg_file: Path) -> None:
    first = next(iter(_keyframe(vgg_file, start=_picture(5)).run())).iterate.picture

    assert torch.equal((first[0] * 255).round().byte().permute(1, 2, 0), torch.from_numpy(np.array(_picture(5))))


def test_a_start_of_other_proportions_is_refused(vgg_file: Path) -> None:
    with pytest.raises(ValueError, match="proportions"):
        _keyframe(vgg_file, start=_picture(5, (40, 40)))


def test_luminance_alone_keeps_the_chrominance_of_the_content(vgg_file: Path) -> None:
    def chrominance(rgb: Any) -> "np.ndarray[Any, Any]":
        return np.array(Image.fromarray(np.asarray(rgb)).convert("YCbCr"))[..., 1:].astype(int)

    settings = _with(iterations=10)
    kept = _made(_keyframe(vgg_file, dataclasses.replace(settings, keep_colors="luminance")))
    free = _made(_keyframe(vgg_file, settings))

    assert np.abs(kept.astype(int) - np.array(_picture(1))).mean() > CHROMINANCE_TOLERANCE
    wanted = chrominance(_picture(1))
    assert np.abs(chrominance(kept) - wanted).mean() < CHROMINANCE_TOLERANCE < np.abs(chrominance(free) - wanted).mean()


def test_matched_colors_bring_the_result_nearer_to_the_colors_of_the_content(vgg_file: Path) -> None:
    # A blue style: no other colour is in it.
    blue = Image.fromarray(np.array(_picture(2)) // np.array([8, 8, 1], dtype=np.uint8))

    def mean_color(keep_colors: str | None) -> "np.ndarray[Any, Any]":
        settings = _with(iterations=15, keep_colors=keep_colors)
        keyframe = Keyframe(_picture(1), [(blue, 1.0)], settings, backbone=_backbone(vgg_file, settings), device="cpu")
        return _made(keyframe).mean(axis=(0, 1))

    wanted = np.array(_picture(1)).mean(axis=(0, 1))
    assert np.abs(mean_color("match") - wanted).max() < 0.5 * np.abs(mean_color(None) - wanted).max()


@pytest.mark.parametrize("stopped_after", [2, 6])
def test_a_stopped_run_goes_on_to_the_same_picture(vgg_file: Path, stopped_after: int) -> None:
    settings = _with(size_px=64, scales=2)
    whole = _made(_keyframe(vgg_file, settings))
    stopped = _keyframe(vgg_file, settings)
    list(islice(stopped.run(), stopped_after))
    file = io.BytesIO()
    torch.save(stopped.state_dict(), file)
    file.seek(0)

    resumed = _keyframe(vgg_file, settings)
    resumed.load_state_dict(torch.load(file, weights_only=True))

    assert np.array_equal(_made(resumed), whole)


def test_more_iterations_can_be_added_to_a_finished_run(vgg_file: Path) -> None:
    finished = _keyframe(vgg_file)
    _made(finished)

    longer = _keyframe(vgg_file, _with(iterations=5))
    longer.load_state_dict(finished.state_dict())

    assert [step.iterate.iteration for step in longer.run()] == [3, 4, 5]


def test_a_state_of_other_settings_or_pictures_is_refused_by_name(vgg_file: Path) -> None:
    state = _keyframe(vgg_file).state_dict()

    with pytest.raises(ValueError, match="pooling"):
        _keyframe(vgg_file, _with(pooling="average")).load_state_dict(state)
    with pytest.raises(ValueError, match="style 1"):
        Keyframe(
            _picture(1), [(_picture(3), 1.0)], QUICK, backbone=_backbone(vgg_file, QUICK), device="cpu"
        ).load_state_dict(state)
    with pytest.raises(ValueError, match="not one of an optimisation"):
        _keyframe(vgg_file).load_state_dict({"network": {}})
