"""The network that finds people: what it is shown, that it learns, and that the published one does the same."""

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from export.people import SIZES, fold_batch_norm, overlap  # noqa: E402
from export.people import main as publish  # noqa: E402
from realtime import people_mask  # noqa: E402
from realtime.engine import open_engine  # noqa: E402
from realtime.graph import PEOPLE  # noqa: E402
from realtime.people_mask import open_people_network  # noqa: E402
from tests.models import people_model  # noqa: E402
from training.dataset_people import PeopleDataset, masks_of  # noqa: E402
from training.objective_people import PeopleObjective, overlap_loss  # noqa: E402
from training.people import main as train  # noqa: E402
from training.people_network import PeopleNetwork  # noqa: E402
from training.photograph import list_pictures  # noqa: E402
from training.recipe import PeopleRecipe, load_recipe_as  # noqa: E402
from training.shipped_backbone import shipped_network  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
WIDTH, HEIGHT = 96, 64


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of six grey photographs: in the first three a third is red, where people are by `masks`.

    A seventh has no mask.
    """
    folder = tmp_path_factory.mktemp("people") / "photographs"
    masks = folder.parent / "masks"
    folder.mkdir()
    masks.mkdir()
    for number in range(7):
        picture = np.full((HEIGHT, WIDTH, 3), 90 + 20 * number, np.uint8)
        mask = np.zeros((HEIGHT, WIDTH), np.uint8)
        if number < 3:
            begin = 30 * number
            picture[:, begin : begin + 32] = (220, 30, 30)
            mask[:, begin : begin + 32] = 255
        Image.fromarray(picture).save(folder / f"{number}.png")
        if number < 6:
            Image.fromarray(mask).save(masks / f"{number}.png")
    return folder


def _masks(photographs: Path) -> dict[Path, Path]:
    return masks_of(list_pictures(photographs), photographs.parent / "masks")


def _dataset(photographs: Path, **options: Any) -> PeopleDataset:
    defaults = {"side_px": 32, "composite_share": 0.5, "noise_max": 0.05, "seed": 1}
    return PeopleDataset(_masks(photographs), **defaults | options)


def test_the_recipe_of_the_shipped_network_can_be_read() -> None:
    assert load_recipe_as(PeopleRecipe, ROOT / "training/recipes/people.toml").name == "people"


def test_photographs_without_a_mask_are_left_out(photographs: Path, tmp_path: Path) -> None:
    assert [photograph.stem for photograph in _masks(photographs)] == ["0", "1", "2", "3", "4", "5"]
    with pytest.raises(ValueError, match="none of the 7 photographs has a mask, such as"):
        masks_of(list_pictures(photographs), tmp_path)


@pytest.mark.parametrize("composite_share", [0.0, 1.0])
def test_masks_go_where_their_people_go(photographs: Path, composite_share: float) -> None:
    """In whatever light and before whatever wall: red stays redder than green there, and nowhere else."""
    dataset = _dataset(photographs, composite_share=composite_share, noise_max=0)

    for number in range(40):
        picture, mask = dataset[number]["picture"], dataset[number]["mask"]
        assert picture.shape == (3, 32, 32)
        assert mask.shape == (1, 32, 32)
        assert 0 <= picture.min() <= picture.max() <= 1
        is_red = picture[0] > 2.1 * picture[1]
        clear = (mask[0] < 0.02) | (mask[0] > 0.98)
        assert (is_red == (mask[0] > 0.5))[clear].float().mean() > 0.9


def test_items_depend_on_seed_and_number_alone(photographs: Path) -> None:
    first, again, other = (_dataset(photographs, seed=seed) for seed in (1, 1, 2))

    assert all(torch.equal(first[number]["picture"], again[number]["picture"]) for number in range(12))
    assert not any(torch.equal(first[number]["picture"], other[number]["picture"]) for number in range(12))


def test_overlap_is_all_nothing_or_half() -> None:
    left, all_of_it = torch.zeros(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    left[..., :2] = 1

    assert overlap_loss(left, left).item() == pytest.approx(0)
    assert overlap_loss(left, 1 - left).item() == pytest.approx(1)
    assert overlap_loss(left, all_of_it).item() == pytest.approx(1 / 3)


def _network() -> PeopleNetwork:
    torch.manual_seed(1)
    network = PeopleNetwork()
    network.backbone.load_state_dict(shipped_network().state_dict())
    return network


def test_some_steps_find_what_is_red(photographs: Path) -> None:
    dataset = _dataset(photographs)
    batches = [
        {key: torch.stack([dataset[number + 8 * step][key] for number in range(8)]) for key in ("picture", "mask")}
        for step in range(12)
    ]
    network = _network()
    objective = PeopleObjective(network, previewed=batches[0]["picture"][:2])
    optimizer = torch.optim.Adam(network.parameters(), lr=5e-3)

    losses = []
    for batch in batches * 2:
        optimizer.zero_grad()
        loss = torch.stack(list(objective(batch).values())).sum()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    assert np.mean(losses[-12:]) < 0.6 * np.mean(losses[:12])
    assert objective.preview(network).shape == (3, 64, 64)


def test_the_exported_form_of_the_network_finds_the_same() -> None:
    network = _network()
    network(torch.rand(4, 3, 48, 64))  # figures of the batch norms
    with torch.no_grad():
        network.head.weight.mul_(20)
    network.eval()
    frames = torch.randint(0, 256, (1, 48, 80, 3), dtype=torch.uint8)
    before = network.forward_uint8(frames)

    fold_batch_norm(network)

    assert before.shape == (1, 48, 80, 1)
    assert before.float().std() > 1
    assert not any(isinstance(module, torch.nn.BatchNorm2d) for module in network.modules())
    assert (network.forward_uint8(frames).int() - before.int()).abs().max() <= 1


def test_the_overlap_with_masks_is_measured(photographs: Path) -> None:
    """The red of the people is 220 and so taken for people; grey of 130 or more is so, too: of three photographs."""
    with closing(open_engine(people_model(), engine="onnxruntime", device="cpu", contract=PEOPLE)) as engine:
        scores = overlap(engine.infer, _masks(photographs))

    assert scores["with_people"] == scores["without_people"] == 3
    # Grey of 90 and of 110 is nobody, that of 130 everybody.
    assert scores["intersection_over_union"] == pytest.approx((1 + 1 + 1 / 3) / 3, abs=0.05)
    assert scores["white_where_nobody"] == pytest.approx((150 + 170 + 190) / 3 / 255, abs=0.01)


def test_the_commands_train_and_publish_a_network_that_runs(
    photographs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tiny.toml").write_text(
        'kind = "people"\nname = "tiny"\ntitle = "Tiny"\nsteps = 2\ncrop_px = 32\nbatch = 2\n'
    )
    (tmp_path / "held-out.txt").write_text("1.png\n4.png\n")
    common = ["--photographs", photographs, "--masks", photographs.parent / "masks"]
    common += ["--held-out", tmp_path / "held-out.txt"]
    run, card = tmp_path / "run", tmp_path / "new" / "people.json"
    hardware = ["--device", "cpu", "--precision", "fp32"]
    monkeypatch.setattr("export.people.SIZES", SIZES[:1])  # the others take seconds

    assert train([*map(str, [tmp_path / "tiny.toml", *common, "--run", run, *hardware])]) == 0
    assert publish([*map(str, [run / "network.safetensors", card, *common])]) == 0

    described = json.loads(card.read_text(encoding="utf-8"))
    assert described["scores"]["with_people"] == described["scores"]["without_people"] == 1
    assert described["training"] | {"minutes": 0} == {
        "recipe": "training/recipes/tiny.toml", "photographs": 4, "steps": 2, "minutes": 0,
    }  # fmt: skip
    monkeypatch.setattr(people_mask, "CARD", card)
    with closing(open_people_network()) as engine:
        assert engine.infer(np.zeros((144, 256, 3), np.uint8)).shape == (144, 256, 1)


def test_what_is_missing_is_one_line(photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ROOT / "training/recipes/people.toml"
    arguments = [str(recipe), "--photographs", str(photographs), "--masks", str(tmp_path), "--run", str(tmp_path / "r")]

    assert train(arguments) == 1
    assert train([*arguments[:1], "--photographs", str(tmp_path / "none"), *arguments[3:]]) == 1
    assert publish([str(tmp_path / "none"), str(tmp_path / "card.json"), *arguments[1:5], "--held-out", "none"]) == 1

    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == ["training.people", "training.people", "export.people"]
