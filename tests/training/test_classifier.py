"""The networks of classifiers: torchvision's layouts, names that backbones are walked by, and their files."""

import dataclasses
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

import torchvision  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from torch import nn  # noqa: E402

from training.classifier import (  # noqa: E402
    ARCHITECTURES,
    CUSTOM_VGG19,
    RESNET50,
    SMALL_CNN,
    ClassifierFacts,
    SequentialClassifier,
    build_classifier,
    load_classifier,
    save_classifier,
)

FACTS = ClassifierFacts(
    architecture=SMALL_CNN,
    batch_norm=False,
    class_names=("cat", "dog"),
    data="pets",
    size_px=32,
    top1=0.75,
    minutes=1.5,
    steps=7,
    precision="32-true",
)
VGG19_LAYERS = [
    f"relu{stage}_{number}" for stage, count in enumerate((2, 2, 4, 4, 4), start=1) for number in range(1, count + 1)
]
SMALL_LAYERS = [f"relu{stage}_{number}" for stage in (1, 2, 3, 4) for number in (1, 2)]


def _shapes(network: nn.Module, prefix: str = "") -> dict[str, torch.Size]:
    return {name: tensor.shape for name, tensor in network.state_dict().items() if name.startswith(prefix)}


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize(("architecture", "layers"), [(CUSTOM_VGG19, VGG19_LAYERS), (SMALL_CNN, SMALL_LAYERS)])
def test_each_relu_of_a_sequential_classifier_has_its_name(
    architecture: str, layers: list[str], batch_norm: bool
) -> None:
    with torch.device("meta"):
        network = build_classifier(architecture, classes=3, batch_norm=batch_norm)

    assert isinstance(network, SequentialClassifier)
    named = [name for module, name in zip(network.features, network.layer_names, strict=True) if name]
    assert named == layers
    assert [type(module) is nn.ReLU for module in network.features] == [name != "" for name in network.layer_names]
    assert any(isinstance(module, nn.BatchNorm2d) for module in network.features) == batch_norm


def test_custom_vgg19_has_the_features_of_torchvisions() -> None:
    with torch.device("meta"):
        for batch_norm, reference in ((False, torchvision.models.vgg19()), (True, torchvision.models.vgg19_bn())):
            network = build_classifier(CUSTOM_VGG19, classes=3, batch_norm=batch_norm)

            assert _shapes(network, "features") == _shapes(reference, "features")


def test_resnet50_has_the_weights_of_torchvisions() -> None:
    with torch.device("meta"):
        assert _shapes(build_classifier(RESNET50, classes=5)) == _shapes(torchvision.models.resnet50(num_classes=5))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_pictures_of_any_size_from_32_px_give_a_logit_for_each_class(architecture: str) -> None:
    network = build_classifier(architecture, classes=3).eval()

    with torch.no_grad():
        assert network(torch.rand(1, 3, 32, 32)).shape == (1, 3)
        assert network(torch.rand(2, 3, 50, 41)).shape == (2, 3)


def test_signals_keep_their_scale_through_vgg19_without_batch_norm() -> None:
    """Kaiming initialisation; torch's own lets them fade to a millionth over 16 layers."""
    torch.manual_seed(1)
    network = build_classifier(CUSTOM_VGG19, classes=3, batch_norm=False)

    with torch.no_grad():
        deviation = network.features(torch.randn(2, 3, 64, 64)).std()

    assert 0.1 < deviation < 10


@pytest.mark.parametrize(
    ("architecture", "batch_norm", "message"),
    [
        (RESNET50, False, "resnet50 has batch norm by design"),
        ("vgg11", True, "no architecture 'vgg11'; there are small-cnn, custom-vgg19, resnet50"),
    ],
)
def test_what_cannot_be_built_is_refused(architecture: str, batch_norm: bool, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build_classifier(architecture, classes=2, batch_norm=batch_norm)


def test_file_gives_back_network_and_facts(tmp_path: Path) -> None:
    network = build_classifier(SMALL_CNN, classes=2, batch_norm=False).eval()
    pictures = torch.rand(1, 3, 32, 32)

    save_classifier(network, FACTS, tmp_path / "network.safetensors")
    loaded, facts = load_classifier(tmp_path / "network.safetensors")

    assert facts == FACTS
    assert not loaded.training
    with torch.no_grad():
        assert torch.equal(loaded(pictures), network(pictures))


def test_file_that_is_no_classifier_is_refused_by_name(tmp_path: Path) -> None:
    damaged, other, mistyped, wrong = (tmp_path / name for name in ("damaged", "other", "mistyped", "wrong"))
    damaged.write_bytes(b"no tensors")
    save_file({"a": torch.zeros(1)}, other)
    save_file({"a": torch.zeros(1)}, mistyped, metadata={"architecture": "a", "batch_norm": "true", "class_names": "5"})
    save_classifier(nn.Linear(2, 2), dataclasses.replace(FACTS, architecture=RESNET50, batch_norm=True), wrong)

    with pytest.raises(FileNotFoundError, match=r"no classifier at .*missing"):
        load_classifier(tmp_path / "missing")
    no_classifiers = [(path, "is no classifier") for path in (damaged, other, mistyped)]
    for path, message in (*no_classifiers, (wrong, "weights of a resnet50")):
        with pytest.raises(ValueError, match=f"{path.name} .*{message}"):
            load_classifier(path)
