"""Masks: each style stays in its region, its gradient is the true one, and a mask of everything changes nothing."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network  # noqa: E402
from training.gram_tap import tap_gram  # noqa: E402
from training.keyframe import Keyframe, KeyframeSettings  # noqa: E402
from training.perceptual import STYLE_LAYERS, gram_matrix  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

WEIGHTS = ObjectiveWeights(content_layers={"relu2_1": 1.0}, style_layers={"relu1_1": 1.0, "relu2_1": 1.0})
FLOAT32_ERROR = 1e-5
HEIGHT, WIDTH = 32, 40
# What a region's Gram matrix sees of its neighbour through the receptive field of relu2_1, in pixels.
BORDER_PX = 6


def _picture(seed: int) -> "torch.Tensor":
    cells = torch.rand(1, 3, 5, 6, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(cells, size=(HEIGHT, WIDTH), mode="bilinear")


def _half(*, left: bool) -> "torch.Tensor":
    mask = torch.zeros(1, 1, HEIGHT, WIDTH)
    mask[..., : WIDTH // 2] = 1
    return mask if left else 1 - mask


@pytest.fixture(scope="module")
def vgg(vgg_file: Path) -> Vgg19:
    return feature_network(Vgg19(STYLE_LAYERS, weights=vgg_file))


def test_a_guided_gram_matrix_is_that_of_the_positions_it_counts() -> None:
    features = torch.rand(1, 6, 4, 8, generator=torch.Generator().manual_seed(1))
    guide = torch.zeros(1, 1, 4, 8)
    guide[..., :4] = 2  # the left half, of mean 1

    assert torch.allclose(gram_matrix(features, guide), gram_matrix(features[..., :4]), rtol=FLOAT32_ERROR)


def test_gradient_of_a_guided_tap_is_that_of_the_plain_formula() -> None:
    generator = torch.Generator().manual_seed(1)
    features, further = (torch.rand(2, 6, 4, 5, generator=generator) for _ in range(2))
    guides = [guide / guide.mean() for guide in (torch.rand(1, 1, 4, 5, generator=generator) for _ in range(2))]
    targets = [gram_matrix(torch.rand(1, 6, 8, 8, generator=generator)) for _ in range(2)]
    plain, tapped = (features.clone().requires_grad_() for _ in range(2))

    expected = sum(
        ((gram_matrix(plain, guide) - target).square().sum(dim=(1, 2)) / target.square().sum()).mean()
        for guide, target in zip(guides, targets, strict=True)
    )
    (7 * expected + (plain * further).sum()).backward()
    passed, measured = tapped, 0.0
    for guide, target in zip(guides, targets, strict=True):
        passed, losses = tap_gram(passed, target, guide)
        measured = measured + losses.mean()
    (7 * measured + (passed * further).sum()).backward()

    assert measured.item() == pytest.approx(expected.item(), rel=FLOAT32_ERROR)
    assert torch.allclose(tapped.grad, plain.grad, rtol=1e-4, atol=1e-6)


def test_a_mask_of_everything_changes_nothing(vgg: Vgg19) -> None:
    styles = [(_picture(2), 1.0)]
    plain, masked = (
        GatysObjective(vgg, _picture(1), styles, weights=WEIGHTS, masks=masks)(_picture(3))
        for masks in (None, [torch.ones(1, 1, HEIGHT, WIDTH)])
    )

    assert masked["style"].item() == pytest.approx(plain["style"].item(), rel=FLOAT32_ERROR)


def test_a_region_pays_for_its_own_pixels_alone(vgg: Vgg19) -> None:
    style = _picture(2)
    objective = GatysObjective(vgg, _picture(1), [(style, 1.0)], weights=WEIGHTS, masks=[_half(left=True)])
    picture = _picture(3).requires_grad_()

    objective(picture)["style"].backward()

    assert picture.grad is not None
    assert picture.grad[..., : WIDTH // 2].abs().max() > 0
    assert picture.grad[..., WIDTH // 2 + BORDER_PX :].abs().max() == 0


def test_a_pixel_is_drawn_to_its_style_as_strongly_as_without_masks(vgg: Vgg19) -> None:
    """Here on a picture whose halves are alike, with a mask of one of them."""
    style, half = _picture(2), _picture(3)[..., : WIDTH // 2]
    picture = torch.cat((half, half), dim=3)

    def pull(masks: list["torch.Tensor"] | None) -> float:
        objective = GatysObjective(vgg, picture, [(style, 1.0)], weights=WEIGHTS, masks=masks)
        moved = picture.clone().requires_grad_()
        objective(moved)["style"].backward()
        assert moved.grad is not None
        return moved.grad[..., : WIDTH // 2 - BORDER_PX].norm().item()

    # The seam and the rims of the picture make the halves differ a little.
    assert pull([_half(left=True)]) == pytest.approx(pull(None), rel=0.2)


def test_two_styles_stay_in_their_halves(vgg_file: Path) -> None:
    def one_color(*rgb: int) -> Image.Image:
        return Image.new("RGB", (WIDTH, HEIGHT), rgb)

    masks = [Image.fromarray((255 * _half(left=left)[0, 0].numpy()).astype(np.uint8)) for left in (True, False)]
    settings = KeyframeSettings(size_px=32, iterations=20, weights=WEIGHTS, precision="fp32")
    keyframe = Keyframe(
        one_color(128, 128, 128),
        [(one_color(200, 40, 40), 1.0), (one_color(40, 40, 200), 1.0)],
        settings,
        backbone=Vgg19(settings.weights.layers, weights=vgg_file),
        masks=masks,
        device="cpu",
    )
    list(keyframe.run())

    made = np.array(keyframe.best_picture()).astype(int)
    left, right = made[:, : WIDTH // 2 - BORDER_PX].mean(axis=(0, 1)), made[:, WIDTH // 2 + BORDER_PX :].mean((0, 1))
    assert left[0] - left[2] > 30
    assert right[2] - right[0] > 30


@pytest.mark.parametrize(
    ("masks", "told"),
    [
        ([Image.new("L", (40, 32), 255)] * 2, "2 masks for 1 styles"),
        ([Image.new("L", (32, 32), 255)], "mask 1 is 32x32 but must have the proportions"),
        ([Image.new("L", (40, 32), 0)], "mask 1 is black"),
    ],
)
def test_masks_that_cannot_be_meant_are_refused(vgg_file: Path, masks: list[Image.Image], told: str) -> None:
    content, style = (Image.new("RGB", (40, 32), color) for color in ("red", "blue"))
    settings = KeyframeSettings(size_px=32, weights=WEIGHTS, precision="fp32")

    with pytest.raises(ValueError, match=told):
        Keyframe(
            content,
            [(style, 1.0)],
            settings,
            backbone=Vgg19(settings.weights.layers, weights=vgg_file),
            masks=masks,
            device="cpu",
        )
