"""The measures of a result: those of weights/README.md on what is saved, the same whatever network made it."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training.likeness import measure_likeness, measuring_vgg  # noqa: E402
from training.perceptual import STYLE_LAYERS, content_loss, gram_matrix, style_loss  # noqa: E402
from training.photograph import to_tensor  # noqa: E402
from training.vgg import Vgg19  # noqa: E402


def _picture(seed: int, size: tuple[int, int] = (40, 32)) -> Image.Image:
    cells = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    return Image.fromarray(cells).resize(size, Image.Resampling.BICUBIC)


@pytest.fixture(scope="module")
def vgg(vgg_file: Path) -> Vgg19:
    return Vgg19(STYLE_LAYERS, weights=vgg_file)


def test_the_losses_are_those_of_the_formulas(vgg: Vgg19) -> None:
    made, content, style = _picture(1), _picture(2), _picture(3)

    likeness = measure_likeness(made, content, [(style, 1.0)], style_size_px=32, vgg=vgg)

    features = vgg(to_tensor(made).unsqueeze(0))
    grams = {layer: gram_matrix(values) for layer, values in vgg(to_tensor(style).unsqueeze(0)).items()}
    untouched = vgg(to_tensor(content).unsqueeze(0))
    assert likeness.style_loss == pytest.approx(style_loss(features, grams).item(), rel=1e-4)
    assert likeness.style_loss_of_content == pytest.approx(style_loss(untouched, grams).item(), rel=1e-4)
    expected = content_loss(features["relu4_1"], untouched["relu4_1"]).item()
    assert likeness.content_loss == pytest.approx(expected, rel=1e-4)


def test_the_content_itself_is_wholly_alike(vgg: Vgg19) -> None:
    likeness = measure_likeness(_picture(2), _picture(2, (80, 64)), [(_picture(3), 1.0)], style_size_px=32, vgg=vgg)

    assert likeness.ssim > 0.95  # the content was scaled
    assert likeness.style_loss == pytest.approx(likeness.style_loss_of_content, rel=0.1)
    assert likeness.content_loss is not None
    assert likeness.content_loss < 0.05


def test_without_vgg_there_is_ssim_alone() -> None:
    likeness = measure_likeness(_picture(1), _picture(2), [(_picture(3), 1.0)], style_size_px=32, vgg=None)

    assert abs(likeness.ssim) < 0.5  # two random pictures
    assert likeness.content_loss is None
    assert likeness.style_loss is None


def test_vgg_is_taken_from_where_it_is_and_never_downloaded(
    vgg_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))

    for backbone, vgg in ((None, vgg_file), (f"vgg19:{vgg_file}", None)):
        found = measuring_vgg(backbone, vgg)
        assert found is not None
        assert found.weights_name == vgg_file.name
    assert measuring_vgg("resnet50", None) is None
    assert measuring_vgg(None, None) is None
    assert not list(tmp_path.iterdir())
