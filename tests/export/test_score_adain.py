"""The scores of any-style models: medians over pairs at full strength, as the runtime paints them."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export.score_adain import any_style_scores, measure_pairs  # noqa: E402
from export.verify import PSNR_MAX_DB  # noqa: E402
from tests.models import encoder_model, transfer_model  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

Picture = NDArray[np.uint8]


@pytest.fixture
def vgg(vgg_file: Path) -> Vgg19:
    return Vgg19(STYLE_LAYERS, weights=vgg_file)


def test_style_comes_nearer_with_strength_and_the_photograph_goes(smooth_pictures: list[Picture], vgg: Vgg19) -> None:
    """The model gives photographs the mean and deviation of the painting's colours."""
    paintings = [np.dstack((picture[..., 0] // 4, picture[..., 1], 255 - picture[..., 2] // 4)) for picture in
                 smooth_pictures[:2]]  # fmt: skip

    pairs = measure_pairs(
        transfer_model(),
        encoder_model(),
        fitter=None,
        photographs=smooth_pictures[2:5],
        paintings=paintings,
        strengths=(0.0, 1.0),
        backbone=vgg,
    )

    assert len(pairs) == 6
    assert all(pair.style_losses[1.0] < pair.style_losses[0.0] for pair in pairs)
    assert all(pair.content_losses[1.0] > pair.content_losses[0.0] for pair in pairs)
    assert all(pair.psnrs_db[1.0] < 30 < pair.psnrs_db[0.0] <= PSNR_MAX_DB for pair in pairs)


def test_scores_are_medians_and_say_what_they_rest_on(smooth_pictures: list[Picture], vgg: Vgg19) -> None:
    photographs = {Path(f"{number}.png"): picture for number, picture in enumerate(smooth_pictures[:3])}
    models = transfer_model(), encoder_model()
    measured = measure_pairs(
        *models,
        fitter=None,
        photographs=list(photographs.values()),
        paintings=smooth_pictures[5:6],
        strengths=(1.0,),
        backbone=vgg,
    )

    paintings = smooth_pictures[5:6]
    scores = any_style_scores(*models, fitter=None, photographs=photographs, paintings=paintings, backbone=vgg)

    assert scores["style_loss"] == round(sorted(pair.style_losses[1.0] for pair in measured)[1], 4)
    assert scores["content_loss"] == round(sorted(pair.content_losses[1.0] for pair in measured)[1], 4)
    assert scores["photographs"] == ["0.png", "1.png", "2.png"]
    assert (scores["paintings"], scores["statistic"], scores["short_side_px"]) == (1, "median", 56)
