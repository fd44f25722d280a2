"""What every backbone must do, and how one is chosen by its name."""

import hashlib
import json
import logging
from collections.abc import Callable
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors.torch import save_file  # noqa: E402
from torchvision.models import ResNet50_Weights, resnet50  # noqa: E402

from training.backbone import Backbone, LayerChoice  # noqa: E402
from training.backbone_choice import BackboneChoice, choose_backbone  # noqa: E402
from training.classifier import ClassifierFacts, build_classifier, save_classifier  # noqa: E402
from training.gatys import PictureOptimizer  # noqa: E402
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network  # noqa: E402
from training.shipped_backbone import SMALL_CARD  # noqa: E402

# Eight bits of mantissa, over up to fifty convolutions with norms between them.
BF16_ERROR = 0.1
SIDE_PX = 64
CLASSIFIERS = {
    "home-cnn": ("small-cnn", False),
    "home-cnn-norm": ("small-cnn", True),
    "home-resnet": ("resnet50", True),
}


@pytest.fixture(scope="session")
def files(tmp_path_factory: pytest.TempPathFactory, vgg_file: Path) -> dict[str, Path]:
    """Return a file for each backbone that is not shipped, with random weights and norms that have seen something."""
    folder = tmp_path_factory.mktemp("backbones")
    torch.manual_seed(5)
    found = {"vgg19": vgg_file, "resnet50": folder / "resnet50.safetensors"}
    save_file({name: tensor.half() for name, tensor in resnet50().state_dict().items()}, found["resnet50"])
    for name, (architecture, batch_norm) in CLASSIFIERS.items():
        found[name] = folder / f"{name}.safetensors"
        network = build_classifier(architecture, classes=3, batch_norm=batch_norm)
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                torch.nn.init.uniform_(module.running_mean, -0.1, 0.1)
        facts = ClassifierFacts(architecture, batch_norm, ("a", "b", "c"), "noise", 32, 0.4, 1.0, 1, "fp32")
        save_classifier(network, facts, found[name])
    return found


@pytest.fixture(scope="module", params=["vgg19", "resnet50", "small", *CLASSIFIERS])
def choice(request: pytest.FixtureRequest, files: dict[str, Path]) -> BackboneChoice:
    name = request.param
    if name == "small":
        return choose_backbone("small")
    if name == "vgg19":  # the file of the tests ends at relu4_1
        chosen = choose_backbone(f"vgg19:{files[name]}")
        return BackboneChoice(LayerChoice(chosen.layers.style, chosen.layers.content, chosen.layers.style), chosen.open)
    return choose_backbone(f"{name}:{files[name]}" if name in ("resnet50", "home") else str(files[name]))


@pytest.fixture(scope="module")
def backbone(choice: BackboneChoice) -> Backbone:
    return choice.open(choice.layers.known)


def _picture(seed: int = 1) -> "torch.Tensor":
    cells = torch.rand(1, 3, 9, 9, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.interpolate(cells, size=(SIDE_PX, SIDE_PX), mode="bilinear")


def test_the_layers_that_are_named_come_back_each_smaller_or_as_large_as_the_last(
    backbone: Backbone, choice: BackboneChoice
) -> None:
    features = backbone(_picture())

    assert tuple(features) == choice.layers.known
    sides = [feature.shape[-1] for feature in features.values()]
    assert sides == sorted(sides, reverse=True)
    assert all(feature.isfinite().all() and feature.std() > 0 for feature in features.values())
    assert {choice.layers.content, *choice.layers.style} <= set(features)


def test_what_follows_does_not_change_the_features_of_a_layer(backbone: Backbone, choice: BackboneChoice) -> None:
    """Modules that work in place must not do so on what has been returned; sums may run in another order."""
    for layer, features in backbone(_picture()).items():
        torch.testing.assert_close(choice.open((layer,))(_picture())[layer], features)


def test_gradients_reach_every_pixel_and_no_weight(backbone: Backbone) -> None:
    picture = _picture().requires_grad_()

    backbone(picture)[backbone.layers[-2]].square().sum().backward()

    assert picture.grad is not None
    assert (picture.grad.abs().sum(dim=1) > 0).float().mean() > 0.95
    assert not any(parameter.requires_grad for parameter in backbone.parameters())


def test_walk_visits_in_order_and_goes_on_with_what_it_is_given(backbone: Backbone) -> None:
    def blank_first(seen: list[str]) -> "Callable[[str, torch.Tensor], torch.Tensor]":
        def visit(name: str, features: "torch.Tensor") -> "torch.Tensor":
            seen.append(name)
            return torch.zeros_like(features) if len(seen) == 1 else features

        return visit

    seen: list[str] = []
    one, other = (backbone.walk(_picture(seed), blank_first(seen if seed == 1 else [])) for seed in (1, 2))

    assert tuple(seen) == backbone.layers
    assert torch.equal(one, other)


def test_unknown_layer_is_named_with_those_there_are(choice: BackboneChoice) -> None:
    with pytest.raises(ValueError, match=r"no such .+ layers: \['relu9_9'\]; known: ") as caught:
        choice.open((choice.layers.content, "relu9_9"))

    assert all(layer in str(caught.value) for layer in choice.layers.known)


def test_a_training_around_it_leaves_it_as_it_is(choice: BackboneChoice) -> None:
    backbone = choice.open(choice.layers.known)
    before = backbone(_picture())

    torch.nn.ModuleList([backbone]).train()

    assert all(torch.equal(features, before[layer]) for layer, features in backbone(_picture()).items())


def test_reduced_precision_changes_the_features_little(choice: BackboneChoice) -> None:
    backbone = choice.open(choice.layers.style)
    exact = backbone(_picture())

    reduced = backbone.compute_in(torch.bfloat16)(_picture())

    for layer, features in exact.items():
        assert reduced[layer].dtype == torch.bfloat16
        assert (reduced[layer].float() - features).norm() < BF16_ERROR * features.norm()


def test_reduced_precision_still_sees_changes_that_it_would_round_away(choice: BackboneChoice) -> None:
    backbone = choice.open(choice.layers.style[:1])
    # Grey levels that bfloat16 knows, after the normalisation by the backbone, and a tenth of the way to the next one.
    known = (torch.linspace(1.0, 1.9, 32 * 40) * 64).round().view(1, 1, 32, 40) / 64
    before, after = (backbone.mean + backbone.std * (known + step) for step in (0.0, 0.1 / 64))

    def change() -> "torch.Tensor":
        first, second = (backbone(pictures)[choice.layers.style[0]].double() for pictures in (before, after))
        return (second - first).mean(dim=(2, 3))

    exact, reduced = change(), (backbone.compute_in(torch.bfloat16), change())[1]

    assert (reduced - exact).norm() < 0.3 * exact.norm()


@pytest.mark.parametrize("pooling", ["max", "average"])
def test_an_optimisation_with_it_comes_nearer_to_the_style(choice: BackboneChoice, pooling: str) -> None:
    layers = choice.layers
    weights = ObjectiveWeights(content_layers={layers.content: 1.0}, style_layers=dict.fromkeys(layers.style, 1.0))
    network = feature_network(choice.open(weights.layers), pooling=pooling)
    objective = GatysObjective(network, _picture(1), [(_picture(2), 1.0)], weights=weights)

    first, *_, last = PictureOptimizer(objective, _picture(1)).run(8)

    assert last.terms["style"] < 0.7 * first.terms["style"]


def test_resnet50_is_read_from_where_torchvision_keeps_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    path = tmp_path / "hub" / "checkpoints" / Path(ResNet50_Weights.IMAGENET1K_V1.url).name
    path.parent.mkdir(parents=True)
    state = resnet50().state_dict()
    torch.save(state, path)

    backbone = choose_backbone("resnet50").open(("conv1",))

    assert torch.equal(backbone.modules_in_order[0].weight, state["conv1.weight"])
    assert backbone.weights_name == "torchvision ResNet50_Weights.IMAGENET1K_V1"


@pytest.mark.parametrize(("name", "file"), [("resnet50", "resnet50-0676ba61.pth"), ("vgg19", "vgg19-dcbb9e9d.pth")])
def test_a_backbone_that_is_asked_for_and_cannot_be_had_is_an_error(name: str, file: str, offline: Path) -> None:
    with pytest.raises(OSError, match=rf"{file} .*no route to host.*a local file is taken with --") as caught:
        choose_backbone(name).open(choose_backbone(name).layers.style)

    assert "\n" not in str(caught.value)


def test_the_small_backbone_stands_in_for_vgg19_and_says_so_once(
    offline: Path, caplog: pytest.LogCaptureFixture
) -> None:
    choice = choose_backbone(None)

    with caplog.at_level(logging.WARNING):
        backbone = choice.open((choice.layers.content, *choice.layers.style))

    assert backbone.title == "small backbone"
    (record,) = caplog.records
    assert "stands in for VGG19" in record.getMessage()
    assert "\n" not in record.getMessage()


def test_a_file_of_vgg19_is_taken_without_a_name_and_its_absence_is_an_error(vgg_file: Path, tmp_path: Path) -> None:
    assert choose_backbone(None, vgg=vgg_file).open(("relu1_1",)).weights_name == vgg_file.name

    with pytest.raises(FileNotFoundError, match=r"no VGG19 weights at .*none\.safetensors"):
        choose_backbone(None, vgg=tmp_path / "none.safetensors").open(("relu1_1",))


def test_weights_of_vgg19_for_another_backbone_are_refused(vgg_file: Path) -> None:
    with pytest.raises(ValueError, match=r"weights of VGG19 are given .* but the backbone is small"):
        choose_backbone("small", vgg=vgg_file)


def test_a_name_that_fits_nothing_is_refused_with_those_there_are() -> None:
    with pytest.raises(ValueError, match=r"no backbone 'vgg16': it must be one of vgg19, resnet50, small, or the file"):
        choose_backbone("vgg16")


def test_a_file_that_is_no_classifier_is_named(vgg_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=vgg_file.name):
        choose_backbone(str(vgg_file))
    with pytest.raises(FileNotFoundError, match=r"gone\.safetensors"):
        choose_backbone(str(tmp_path / "gone.safetensors"))


def test_the_shipped_file_is_small_and_is_refused_once_a_bit_differs(tmp_path: Path) -> None:
    card = json.loads(SMALL_CARD.read_text(encoding="utf-8"))
    content = bytearray((SMALL_CARD.parent / card["file"]).read_bytes())
    assert hashlib.sha256(content).hexdigest() == card["sha256"]
    assert len(content) == card["size_bytes"] < 2_000_000

    content[-1] ^= 1
    (tmp_path / card["file"]).write_bytes(content)
    (tmp_path / SMALL_CARD.name).write_text(json.dumps(card), encoding="utf-8")

    with pytest.raises(ValueError, match=r"small\.safetensors is damaged or another file: its sha256 is not the one"):
        choose_backbone(f"small:{tmp_path / SMALL_CARD.name}").open(("relu1_1",))
