"""The Gram tap: the same loss and gradient as the plain formula through autograd."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from training.comparison import GramComparison, MeanStdComparison  # noqa: E402
from training.gram_tap import tap_gram  # noqa: E402
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix, style_loss  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

FLOAT32_ERROR = 1e-5
BF16_LOSS_ERROR = 0.02  # eight bits of mantissa, averaged over many positions
# Rounding is random; the gradient of the plain formula is 13 % off after nine convolutions.
BF16_MARGIN = 1.2


def _random(*shape: int, seed: int = 1) -> "torch.Tensor":
    return torch.rand(*shape, generator=torch.Generator().manual_seed(seed))


def _relative(measured: "torch.Tensor", expected: "torch.Tensor") -> float:
    return ((measured.float() - expected.float()).norm() / expected.float().norm()).item()


@pytest.mark.parametrize("styles", [1, 3])
def test_tap_has_loss_and_gradient_of_the_plain_formula(styles: int) -> None:
    features = _random(3, 6, 4, 5)
    target = gram_matrix(_random(styles, 6, 8, 8, seed=2))
    further = _random(3, 6, 4, 5, seed=3)  # what the features are used for beyond the tap
    plain, tapped = (features.clone().requires_grad_() for _ in range(2))

    expected = style_loss({"a": plain}, {"a": target})
    (7 * expected + (plain * further).sum()).backward()
    passed, losses = tap_gram(tapped, target)
    (7 * losses.mean() + (passed * further).sum()).backward()

    assert torch.equal(passed, features)
    assert losses.shape == (3,)
    assert losses.mean().item() == pytest.approx(expected.item(), rel=FLOAT32_ERROR)
    assert _relative(tapped.grad, plain.grad) < FLOAT32_ERROR


def test_gradient_of_the_tap_is_that_of_finite_differences() -> None:
    target = gram_matrix(_random(1, 3, 5, 5, seed=2))

    def loss(features: "torch.Tensor") -> "torch.Tensor":
        passed, losses = tap_gram(features, target.double())
        return losses.sum() + passed.square().sum()

    assert torch.autograd.gradcheck(loss, _random(2, 3, 2, 3).double().requires_grad_(), eps=1e-4, atol=1e-3, rtol=1e-2)


def _losses_and_gradient(vgg: Vgg19, *, tapped: bool) -> tuple["torch.Tensor", "torch.Tensor", "torch.Tensor"]:
    pictures = _random(2, 3, 32, 32).requires_grad_()
    photographs, styles = _random(2, 3, 32, 32, seed=2), _random(2, 3, 24, 24, seed=3)
    comparison = GramComparison(vgg)
    targets = comparison.style(styles)
    if tapped:
        content, style = comparison(pictures, comparison.content(photographs), targets)
    else:
        features = vgg(pictures)
        content = content_loss(features[CONTENT_LAYER], comparison.content(photographs))
        style = style_loss(features, targets)
    (content + 15 * style).backward()
    return content.detach(), style.detach(), pictures.grad


def test_pass_through_vgg_with_taps_is_that_of_the_plain_formula(vgg_file: Path) -> None:
    vgg = Vgg19(STYLE_LAYERS, weights=vgg_file)

    expected = _losses_and_gradient(vgg, tapped=False)
    measured = _losses_and_gradient(vgg, tapped=True)

    assert all(_relative(*pair) < FLOAT32_ERROR for pair in zip(measured, expected, strict=True))


def test_tap_adds_nothing_to_the_rounding_of_bf16(vgg_file: Path) -> None:
    exact = _losses_and_gradient(Vgg19(STYLE_LAYERS, weights=vgg_file), tapped=False)
    rounding = Vgg19(STYLE_LAYERS, weights=vgg_file).compute_in(torch.bfloat16)

    plain, tapped = (_losses_and_gradient(rounding, tapped=tapped) for tapped in (False, True))

    assert all(
        _relative(loss, expected) < BF16_LOSS_ERROR for loss, expected in zip(tapped[:2], exact[:2], strict=True)
    )
    assert _relative(tapped[2], exact[2]) < BF16_MARGIN * _relative(plain[2], exact[2]) < 0.3


@pytest.mark.parametrize("make", [GramComparison, MeanStdComparison])
def test_activations_twenty_times_as_large_give_the_same_losses(make: type, vgg_file: Path) -> None:
    """One recipe serves the Oxford and the torchvision weights."""
    vgg, larger = (Vgg19(STYLE_LAYERS, weights=vgg_file) for _ in range(2))
    first = larger.modules_in_order[0]
    first.weight.mul_(20)
    for name, parameter in larger.modules_in_order.named_parameters():
        if name.endswith("bias"):
            parameter.mul_(20)
    pictures, photographs, styles = (_random(2, 3, 32, 32, seed=seed) for seed in (1, 2, 3))

    (content, style), (scaled_content, scaled_style) = (
        comparison(pictures, comparison.content(photographs), comparison.style(styles))
        for comparison in (make(vgg), make(larger))
    )

    assert content > 0.01
    assert style > 0.001
    assert torch.allclose(content, scaled_content, rtol=1e-3)
    assert torch.allclose(style, scaled_style, rtol=1e-3)


def test_vgg_of_other_layers_is_refused(vgg_file: Path) -> None:
    with pytest.raises(ValueError, match=r"needs a backbone with layers .*, not \('relu1_1',\)"):
        GramComparison(Vgg19(("relu1_1",), weights=vgg_file))
