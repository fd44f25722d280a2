"""The distillation of a small backbone: it learns, also where optimisation leads, and its card tells the truth."""

import json
from pathlib import Path

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors.torch import save_file  # noqa: E402
from torchvision.models import vgg19  # noqa: E402

from training.backbone_choice import choose_backbone  # noqa: E402
from training.dataset_distill import DistillDataset  # noqa: E402
from training.distill import main  # noqa: E402
from training.distill_card import layer_errors  # noqa: E402
from training.distilled import DISTILLED_LAYERS, DistilledNetwork  # noqa: E402
from training.objective_distill import DistillObjective, errors  # noqa: E402
from training.perceptual import gram_matrix, style_loss  # noqa: E402
from training.photograph import PictureFolder, list_pictures, load_picture, square  # noqa: E402
from training.recipe import DistillRecipe, load_recipe_as  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
RECIPE = DistillRecipe(name="tiny", title="Tiny", crop_px=32, batch=3, steps=12, warmup_steps=0, ema_decay=0.5)


@pytest.fixture(scope="module")
def teacher_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """VGG19 with random weights up to its last layer that is learned from."""
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("teacher") / "vgg19.safetensors"
    save_file(vgg19().features[:20].state_dict(prefix="features."), path)
    return path


@pytest.fixture
def teacher(teacher_file: Path) -> Vgg19:
    return Vgg19(DISTILLED_LAYERS.style, weights=teacher_file)


def _squares(pictures: Path, side_px: int = 32) -> list["torch.Tensor"]:
    return [square(load_picture(path), side_px) for path in list_pictures(pictures)]


def _mean_error(network: DistilledNetwork, teacher: Vgg19, pictures: list["torch.Tensor"]) -> float:
    found = layer_errors(network, teacher, pictures)
    return sum(errors_of["feature_error"] for errors_of in found.values()) / len(found)


def test_the_recipe_of_the_shipped_backbone_can_be_read() -> None:
    assert load_recipe_as(DistillRecipe, ROOT / "training/recipes/small-backbone.toml").name == "small-backbone"


def test_the_start_is_nearer_to_its_teacher_than_random_weights(teacher: Vgg19, pictures: Path) -> None:
    squares = _squares(pictures)
    network = DistilledNetwork()
    random = _mean_error(network, teacher, squares)

    network.start_from(teacher, torch.stack(squares))

    assert _mean_error(network, teacher, squares) < 0.3 * random


def test_a_few_steps_bring_a_poor_start_nearer_to_its_teacher(teacher: Vgg19, pictures: Path) -> None:
    squares = _squares(pictures)
    network = DistilledNetwork()
    network.start_from(teacher, torch.rand(2, 3, 32, 32))
    poor = _mean_error(network, teacher, squares)
    objective = DistillObjective(network, RECIPE, teacher=teacher, previewed=torch.stack(squares[:2]))
    optimizer = torch.optim.Adam(network.parameters(), lr=RECIPE.learning_rate)

    for number in range(8):
        batch = {"picture": torch.stack(squares).roll(number, 0)[:3], "optimized_step": torch.full((3,), 0.5)}
        optimizer.zero_grad()
        torch.stack(list(objective(batch).values())).sum().backward()
        optimizer.step()

    assert _mean_error(network, teacher, squares) < 0.8 * poor


def test_the_start_is_exact_for_a_teacher_of_few_dimensions(teacher: Vgg19, pictures: Path) -> None:
    """One that says the same as the network: its convolutions are the products of the network's thin parts."""
    network = DistilledNetwork()
    network.start_from(teacher, torch.stack(_squares(pictures)))
    thin = iter([module for module in network.features if isinstance(module, torch.nn.Conv2d)])
    for module in teacher.modules_in_order:
        if isinstance(module, torch.nn.Conv2d):
            first = next(thin)
            if first.weight.shape != module.weight.shape:
                back = next(thin)
                module.weight.copy_(torch.einsum("cr,rikl->cikl", back.weight[:, :, 0, 0], first.weight))
                module.bias.copy_(back.bias)

    again = DistilledNetwork()
    again.start_from(teacher, torch.stack(_squares(pictures)))

    assert _mean_error(network, teacher, _squares(pictures)) < 1e-6
    assert _mean_error(again, teacher, _squares(pictures)) < 1e-6


def test_pictures_are_in_range_and_depend_on_seed_and_number_alone(pictures: Path) -> None:
    folder = PictureFolder(list_pictures(pictures))

    def items(seed: int) -> list["torch.Tensor"]:
        dataset = DistillDataset(folder, folder, side_px=24, noise_max=0.3, seed=seed)
        return [dataset[number]["picture"] for number in range(40)]

    first = items(1)
    assert all(picture.shape == (3, 24, 24) and picture.min() >= 0 and picture.max() <= 1 for picture in first)
    assert all(torch.equal(one, other) for one, other in zip(first, items(1), strict=True))
    assert not any(torch.equal(one, other) for one, other in zip(first, items(2), strict=True))


def test_the_preview_goes_where_the_network_sees_the_style_of_the_next_picture(teacher: Vgg19, pictures: Path) -> None:
    torch.manual_seed(2)
    previewed = torch.stack(_squares(pictures)[:2])  # a row of two: each in the style of the other
    objective = DistillObjective(teacher, RECIPE, teacher=teacher, previewed=previewed)

    above, below = objective.preview(teacher).unflatten(1, (2, 32)).unbind(1)

    style = teacher(previewed[1:])
    grams = {layer: gram_matrix(style[layer]) for layer in DISTILLED_LAYERS.style}
    before, after = (style_loss(teacher(row[None, :, :, :32]), grams).item() for row in (above, below))
    assert torch.equal(above[:, :, :32], previewed[0])
    assert after < 0.5 * before


def test_errors_are_none_for_the_teacher_itself_and_one_for_nothing(teacher: Vgg19, pictures: Path) -> None:
    targets = teacher(torch.stack(_squares(pictures)))
    nothing = {layer: torch.zeros_like(features) for layer, features in targets.items()}

    assert [term.item() for term in errors(targets, targets).values()] == pytest.approx([0, 0], abs=1e-6)
    assert [term.item() for term in errors(nothing, targets).values()] == pytest.approx([1, 1])


@pytest.mark.slow
def test_the_command_publishes_a_backbone_that_can_be_chosen(
    teacher_file: Path, pictures: Path, tmp_path: Path
) -> None:
    (tmp_path / "tiny.toml").write_text('kind = "distill"\nname = "tiny"\ntitle = "Tiny"\nsteps = 1\ncrop_px = 32\n')
    (tmp_path / "held-out.txt").write_text("0.png\n3.png\n")
    arguments = [
        tmp_path / "tiny.toml", "--photographs", pictures, "--paintings", pictures, "--vgg", teacher_file, "--run",
        tmp_path / "run", "--device", "cpu", "--precision", "fp32", "--publish", tmp_path / "new" / "tiny.json",
    ]  # fmt: skip

    assert main([*map(str, arguments)]) == 1
    assert main([*map(str, arguments), "--held-out", str(tmp_path / "held-out.txt")]) == 0

    card = json.loads((tmp_path / "new" / "tiny.json").read_text(encoding="utf-8"))
    assert card["scores"]["held_out"] == 4
    assert card["training"] | {"minutes": 0} == {
        "recipe": "training/recipes/tiny.toml", "photographs": 3, "paintings": 3, "steps": 1, "minutes": 0,
    }  # fmt: skip
    assert choose_backbone(f"small:{tmp_path / 'new' / 'tiny.json'}").open(("relu4_1",)).weights_name == "tiny"


def test_a_recipe_of_another_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="unknown keys"):
        load_recipe_as(DistillRecipe, ROOT / "training/recipes/starry-night.toml")
