"""VGG19 as the losses use it: layers by their paper names, fixed weights."""

from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors.torch import save_file  # noqa: E402

from training.backbone import IMAGENET_MEAN_RGB  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

# Eight bits of mantissa, over nine convolutions.
BF16_ERROR = 0.03


def test_layers_asked_for_come_back_by_name_with_their_shapes(vgg_file: Path) -> None:
    features = Vgg19(("relu1_1", "relu2_1", "relu4_1"), weights=vgg_file)(torch.rand(2, 3, 32, 48))

    assert {name: tuple(feature.shape) for name, feature in features.items()} == {
        "relu1_1": (2, 64, 32, 48),
        "relu2_1": (2, 128, 16, 24),
        "relu4_1": (2, 512, 4, 6),
    }
    assert all((feature >= 0).all() and (feature > 0).any() for feature in features.values())


def test_nothing_beyond_the_last_layer_is_built(vgg_file: Path) -> None:
    """The file of the test ends at relu4_1; a later layer needs what it does not have."""
    assert Vgg19(("relu2_1",), weights=vgg_file).modules_in_order[-1](torch.ones(1)) == 1

    with pytest.raises(ValueError, match=r"vgg19-random.safetensors holds no VGG19 .* no tensor features\.21\.weight"):
        Vgg19(("relu4_2",), weights=vgg_file)


def test_unknown_layer_is_named_with_those_there_are(vgg_file: Path) -> None:
    with pytest.raises(ValueError, match=r"no such VGG19 layers: \['relu9_9'\]; known: relu1_1, .*relu5_1"):
        Vgg19(("relu1_1", "relu9_9"), weights=vgg_file)


def test_picture_is_normalised_before_the_first_convolution(vgg_file: Path) -> None:
    vgg = Vgg19(("relu1_1",), weights=vgg_file)
    mean = torch.tensor(IMAGENET_MEAN_RGB).view(1, 3, 1, 1).expand(1, 3, 16, 16)

    features = vgg(mean)["relu1_1"]

    bias = vgg.modules_in_order[0].bias.clamp(min=0).view(1, 64, 1, 1)
    assert torch.allclose(features, bias.expand_as(features), atol=1e-6)


def test_gradients_reach_the_picture_and_not_the_weights(vgg_file: Path) -> None:
    vgg = Vgg19(("relu2_1",), weights=vgg_file)
    picture = torch.rand(1, 3, 16, 16, requires_grad=True)

    vgg(picture)["relu2_1"].sum().backward()

    assert picture.grad is not None
    assert picture.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in vgg.parameters())
    assert vgg.weights_name == vgg_file.name


def test_tensor_of_another_shape_is_named(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(2, 3)}, tmp_path / "other.safetensors")

    with pytest.raises(
        ValueError,
        match=r"other.safetensors is no VGG19: features.0.weight has shape \(2, 3\), expected \(64, 3, 3, 3\)",
    ):
        Vgg19(("relu1_1",), weights=tmp_path / "other.safetensors")


def test_file_of_another_format_is_named_in_one_line(tmp_path: Path) -> None:
    (tmp_path / "vgg.pth").write_bytes(b"PK\x03\x04 not this one")

    with pytest.raises(ValueError, match=r"vgg\.pth is no safetensors file") as caught:
        Vgg19(("relu1_1",), weights=tmp_path / "vgg.pth")

    assert "\n" not in str(caught.value)


def test_without_a_connection_one_line_says_what_to_do(offline: Path) -> None:
    with pytest.raises(OSError, match=r"vgg19-dcbb9e9d\.pth .*no route to host.*--vgg FILE\.safetensors") as caught:
        Vgg19(("relu1_1",), weights=None)

    assert str(offline) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_reduced_precision_changes_the_features_little(vgg_file: Path) -> None:
    vgg = Vgg19(("relu1_1", "relu4_1"), weights=vgg_file)
    pictures = torch.rand(1, 3, 32, 32)
    exact = vgg(pictures)

    reduced = vgg.compute_in(torch.bfloat16)(pictures)

    for layer, features in exact.items():
        assert reduced[layer].dtype == torch.bfloat16
        assert (reduced[layer].float() - features).norm() < BF16_ERROR * features.norm()


def test_walk_goes_on_with_what_the_visitor_returns(vgg_file: Path) -> None:
    vgg = Vgg19(("relu1_1", "relu2_1"), weights=vgg_file)
    seen = []

    def blank(name: str, features: "torch.Tensor") -> "torch.Tensor":
        seen.append(name)
        return torch.zeros_like(features) if name == "relu1_1" else features

    last = vgg.walk(torch.rand(1, 3, 16, 16), blank)

    assert seen == ["relu1_1", "relu2_1"]
    assert torch.allclose(last, vgg.walk(torch.rand(1, 3, 16, 16), blank))
