"""Winograd convolutions of fixed networks: the same features and gradients as torch's, and where they are taken."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="trainings need `pip install -e .[train]`")

from torch import nn  # noqa: E402
from torch.nn import functional  # noqa: E402

from training.adain import AdainNetwork  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.vgg import Vgg19  # noqa: E402
from training.winograd import convolve, convolves_faster  # noqa: E402

# Of the largest value. Transforms of 8x8 round more than a direct sum: 2e-6 was measured.
TOLERANCE = 2e-5

needs_nnpack = pytest.mark.skipif(
    not torch.backends.nnpack.is_available(), reason="this build of torch, or this processor, has no NNPACK"
)


def fixed_convolution(inputs: int, outputs: int, *, bias: bool = True) -> nn.Conv2d:
    torch.manual_seed(inputs + outputs)
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias).requires_grad_(False)


@needs_nnpack
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("inputs", "outputs"), [(64, 64), (64, 96), (128, 64)])
@pytest.mark.parametrize(("batch", "height", "width"), [(1, 48, 48), (3, 49, 61), (1, 200, 17), (1, 1, 2400)])
def test_features_and_gradients_are_those_of_torch(
    batch: int, height: int, width: int, inputs: int, outputs: int, bias: bool
) -> None:
    convolution = fixed_convolution(inputs, outputs, bias=bias)
    features = torch.randn(batch, inputs, height, width, requires_grad=True)
    of_output = torch.randn(batch, outputs, height, width).to(memory_format=torch.channels_last)
    expected = functional.conv2d(features, convolution.weight, convolution.bias, padding=1)
    (expected_gradient,) = torch.autograd.grad(expected, features, of_output)

    convolved = convolve(convolution, features)
    (gradient,) = torch.autograd.grad(convolved, features, of_output)

    assert convolved.grad_fn is not None
    assert "Winograd" in convolved.grad_fn.name(), "this size would not be convolved by it"
    for value, reference in ((convolved, expected), (gradient, expected_gradient)):
        assert value.shape == reference.shape
        assert (value - reference).abs().max() <= TOLERANCE * reference.abs().max()


@needs_nnpack
@pytest.mark.parametrize("strip_px", [1, 153, 1000])
def test_strips_have_no_seams(strip_px: int, monkeypatch: pytest.MonkeyPatch) -> None:
    convolution = fixed_convolution(64, 64)
    features = torch.randn(2, 64, 50, 51, requires_grad=True)
    expected = convolution(features)
    (expected_gradient,) = torch.autograd.grad(expected.square().sum(), features)
    monkeypatch.setattr("training.winograd._STRIP_PX", strip_px)

    convolved = convolve(convolution, features)
    (gradient,) = torch.autograd.grad(convolved.square().sum(), features)

    assert (convolved - expected).abs().max() <= TOLERANCE * expected.abs().max()
    assert (gradient - expected_gradient).abs().max() <= TOLERANCE * expected_gradient.abs().max()


def features_of_vgg(vgg_file: Path, capability: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    backbone = Vgg19(STYLE_LAYERS, weights=vgg_file)
    assert backbone._in_planes is (capability == "AVX2")
    torch.manual_seed(1)
    return backbone(torch.rand(1, 3, 97, 130))


@needs_nnpack
def test_features_of_vgg_are_the_same_on_all_processors(vgg_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    here, elsewhere = (features_of_vgg(vgg_file, name, monkeypatch) for name in ("AVX2", "AVX512"))

    for layer in STYLE_LAYERS:
        assert here[layer].is_contiguous()
        assert elsewhere[layer].is_contiguous(memory_format=torch.channels_last)
        assert (here[layer] - elsewhere[layer]).abs().max() <= TOLERANCE * elsewhere[layer].abs().max()


@needs_nnpack
def test_an_encoder_keeps_its_layout_and_works_under_autocast(vgg_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in the training of a network with VGG19 in it."""
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    encoder = Vgg19(("relu4_1",), weights=vgg_file)
    network = AdainNetwork(encoder).to(memory_format=torch.channels_last)
    picture = torch.rand(1, 3, 64, 64)

    assert all(features.is_contiguous() for features in encoder(picture).values())
    with torch.autocast("cpu", torch.bfloat16):
        assert torch.isfinite(network(picture, network.style_statistics(picture))).all()


def test_small_features_are_left_to_torch() -> None:
    convolution = fixed_convolution(64, 64)
    features = torch.randn(1, 64, 16, 16)

    assert torch.equal(convolve(convolution, features), convolution(features))


@pytest.mark.parametrize(
    ("second", "dtype"),
    [
        (nn.Conv2d(64, 20, 3, padding=1), torch.float32),
        (nn.Conv2d(64, 64, 1), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, stride=2), torch.float32),
        (nn.Conv2d(64, 64, 3), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, dilation=2), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, groups=2), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1, padding_mode="reflect"), torch.float32),
        (nn.Conv2d(64, 64, 3, padding=1), torch.bfloat16),
    ],
)
def test_other_convolutions_and_types_are_not_taken(
    second: nn.Module, dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")
    monkeypatch.setattr(torch.backends.nnpack, "is_available", lambda: True)

    assert not convolves_faster([nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), second], dtype)


@needs_nnpack
@pytest.mark.parametrize(("capability", "taken"), [("AVX2", True), ("AVX512", False), ("DEFAULT", False)])
def test_it_is_taken_on_processors_with_avx2_and_no_more(
    capability: str, taken: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: capability)
    modules = [nn.Conv2d(3, 64, 3, padding=1), nn.ReLU(), nn.Conv2d(64, 64, 3, padding=1)]

    assert convolves_faster(modules, torch.float32) is taken
