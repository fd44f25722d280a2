"""The training loop: it learns, stops where it should, and continues as if it had never been stopped."""

import dataclasses
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from training import cli  # noqa: E402
from training import trainer as trainer_module  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.recipe import FeedForwardRecipe  # noqa: E402
from training.trainer import CHECKPOINT_FILE, NETWORK_FILE, Losses, NonFiniteLossError, Trainer  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

STEPS = 4
RECIPE = FeedForwardRecipe(
    name="test",
    title="Test",
    picture="0.png",
    artist="A",
    artist_died="1900",
    year="1890",
    style_size_px=16,
    crop_px=16,
    batch=1,
    steps=STEPS,
    warmup_steps=2,
)

Make = Callable[..., Trainer]


@pytest.fixture
def make(vgg_file: Path, pictures: Path, tmp_path: Path) -> Make:
    def make_trainer(folder: str = "run", network: Any = None, **changes: Any) -> Trainer:
        torch.manual_seed(5)
        return Trainer(
            network or SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1),
            dataclasses.replace(RECIPE, **changes),
            style_picture=pictures / RECIPE.picture,
            photographs=pictures,
            vgg=Vgg19(STYLE_LAYERS, weights=vgg_file),
            run_folder=tmp_path / folder,
        )

    return make_trainer


def _weights(path: Path) -> dict[str, "torch.Tensor"]:
    return load_file(path / NETWORK_FILE)


def _are_equal(first: dict[str, "torch.Tensor"], second: dict[str, "torch.Tensor"]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def test_run_takes_the_steps_of_the_recipe_and_saves_network_and_figures(make: Make, tmp_path: Path) -> None:
    trainer = make()

    losses = list(trainer.run())

    assert len(losses) == trainer.step == STEPS
    assert all(math.isfinite(value) and value >= 0 for step in losses for value in dataclasses.astuple(step))
    with safe_open(tmp_path / "run" / NETWORK_FILE, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["recipe"]) == dataclasses.asdict(RECIPE)
    assert json.loads(metadata["losses"]) == dataclasses.asdict(losses[-1])
    assert (metadata["network"], metadata["steps"], metadata["vgg"]) == (
        "SlimNetwork",
        str(STEPS),
        "vgg19-random.safetensors",
    )


def test_saved_weights_are_the_averaged_ones(make: Make, tmp_path: Path) -> None:
    trainer = make()
    list(trainer.run())
    network = SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1)
    network.load_state_dict(_weights(tmp_path / "run"))
    picture = torch.rand(1, 3, 16, 16)

    with torch.no_grad():
        assert torch.allclose(trainer.preview(picture), network(picture), atol=1e-6)


def test_style_loss_falls(make: Make) -> None:
    losses = [step.style for step in make(steps=20, coherence_weight=0.0, learning_rate=0.02).run()]

    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_same_seed_gives_the_same_weights_and_another_seed_others(make: Make, tmp_path: Path) -> None:
    for folder, seed in (("first", 1), ("again", 1), ("other", 2)):
        list(make(folder, seed=seed).run())

    assert _are_equal(_weights(tmp_path / "first"), _weights(tmp_path / "again"))
    assert not _are_equal(_weights(tmp_path / "first"), _weights(tmp_path / "other"))


@pytest.mark.parametrize("stopped_after", [1, 3])
def test_run_that_was_stopped_continues_to_the_very_same_weights(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stopped_after: int
) -> None:
    whole = list(make("whole").run())
    monkeypatch.setattr(trainer_module, "CHECKPOINT_INTERVAL_STEPS", 1)

    steps = make("parts").run()
    first = [next(steps) for _ in range(stopped_after)]
    steps.close()
    resumed = make("parts", network=SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1))
    assert resumed.step == stopped_after
    rest = list(resumed.run())

    assert first + rest == whole
    assert _are_equal(_weights(tmp_path / "whole"), _weights(tmp_path / "parts"))


def test_steps_since_the_last_checkpoint_are_done_again(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    list(make("whole").run())
    monkeypatch.setattr(trainer_module, "CHECKPOINT_INTERVAL_STEPS", 2)
    steps = make("parts").run()
    for _ in range(3):
        next(steps)
    steps.close()

    resumed = make("parts")
    assert resumed.step == 2
    list(resumed.run())

    assert _are_equal(_weights(tmp_path / "whole"), _weights(tmp_path / "parts"))


def test_finished_run_may_be_started_again(make: Make, tmp_path: Path) -> None:
    losses = list(make().run())
    weights = _weights(tmp_path / "run")
    (tmp_path / "run" / NETWORK_FILE).unlink()

    assert list(make().run()) == []

    assert _are_equal(_weights(tmp_path / "run"), weights)
    with safe_open(tmp_path / "run" / NETWORK_FILE, framework="pt") as file:
        assert Losses(**json.loads(file.metadata()["losses"])) == losses[-1]


def test_checkpoint_is_never_half_written(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    list(make().run())
    before = (tmp_path / "run" / CHECKPOINT_FILE).read_bytes()

    def fail(state: object, path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        list(make(steps=STEPS + 1).run())

    assert (tmp_path / "run" / CHECKPOINT_FILE).read_bytes() == before


def test_time_budget_ends_the_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks_s = iter(range(0, 10_000, 10))
    monkeypatch.setattr(trainer_module.time, "monotonic", lambda: float(next(ticks_s)))
    trainer = make(steps=0)

    list(trainer.run(minutes=0.5))

    assert trainer.step == 2
    assert trainer.elapsed_s == 30


def test_recipe_without_steps_needs_a_time_budget(make: Make) -> None:
    with pytest.raises(ValueError, match="give minutes"):
        list(make(steps=0).run())


class _NanAfter(torch.nn.Module):
    """A network whose output is NaN from its n-th call on."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.network = SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1)
        self.calls_left = calls

    def forward(self, pictures: "torch.Tensor") -> "torch.Tensor":
        self.calls_left -= 1
        return self.network(pictures) * (1 if self.calls_left >= 0 else float("nan"))


def test_loss_that_is_not_finite_stops_the_run_with_term_and_step(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
        NonFiniteLossError, match="content, style, coherence, grid, total_variation not finite at step 2"
    ):
        list(make(network=_NanAfter(2)).run())

    assert not (tmp_path / "run" / NETWORK_FILE).exists()


def test_command_reports_a_missing_folder_in_one_line(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = Path(cli.__file__).parent / "recipes" / "starry-night.toml"

    code = cli.main(
        [
            *(str(recipe), "--pictures", str(tmp_path), "--photographs", str(pictures)),
            *("--vgg", str(vgg_file), "--run", str(tmp_path / "run")),
        ]
    )

    assert code == 1
    error = capsys.readouterr().err
    assert error.startswith("stylize-train: ")
    assert "vincent-van-gogh_the-starry-night.jpg" in error
    assert error.count("\n") == 1


def test_command_trains_from_recipe_to_network(
    pictures: Path, vgg_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe = tmp_path / "recipe.toml"
    values = dataclasses.asdict(dataclasses.replace(RECIPE, steps=2))
    recipe.write_text("\n".join(f"{name} = {value!r}" for name, value in values.items()), encoding="utf-8")

    code = cli.main(
        [
            *(str(recipe), "--pictures", str(pictures), "--photographs", str(pictures)),
            *("--vgg", str(vgg_file), "--run", str(tmp_path / "run")),
        ]
    )

    assert code == 0
    assert "2 steps" in capsys.readouterr().out
    assert (tmp_path / "run" / NETWORK_FILE).exists()
    assert (tmp_path / "run" / "preview.png").exists()
