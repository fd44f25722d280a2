"""The training loop: it learns, stops where it should, and continues as if it had never been stopped."""

import dataclasses
import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from tests.training.checkpoint import assert_same_state  # noqa: E402
from training.adain import SlimAdainNetwork  # noqa: E402
from training.comparison import GramComparison  # noqa: E402
from training.dataset import StepDataset  # noqa: E402
from training.hardware import Hardware, feature_dtype, open_fabric  # noqa: E402
from training.loop import NonFiniteLossError, RunPlan  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.objective_adain import AdainObjective  # noqa: E402
from training.objective_feedforward import FeedForwardObjective  # noqa: E402
from training.perceptual import STYLE_LAYERS  # noqa: E402
from training.photograph import PictureFolder, list_pictures  # noqa: E402
from training.recipe import AdainRecipe, FeedForwardRecipe  # noqa: E402
from training.run_folder import CHECKPOINT_FILE, NETWORK_FILE  # noqa: E402
from training.trainer import Trainer  # noqa: E402
from training.vgg import Vgg19  # noqa: E402

STEPS = 4
SMALL = {"style_size_px": 16, "crop_px": 16, "batch": 2, "steps": STEPS, "warmup_steps": 2}
FEED_FORWARD = FeedForwardRecipe(
    name="test", title="Test", picture="0.png", artist="A", artist_died="1900", year="1890", **SMALL
)
ADAIN = AdainRecipe(name="test", title="Test", **SMALL)

Make = Callable[..., Trainer]


def _slim() -> SlimNetwork:
    return SlimNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1)


@pytest.fixture
def make(vgg_file: Path, pictures: Path, tmp_path: Path) -> Make:
    """Return a trainer of a tiny network; `changes` are of the recipe."""

    def make_trainer(
        folder: str = "run",
        *,
        recipe: FeedForwardRecipe | AdainRecipe = FEED_FORWARD,
        network: Any = None,
        precision: str = "fp32",
        workers: int = 0,
        checkpoint_steps: int = 100,
        clock: Callable[[], float] = time.monotonic,
        **changes: Any,
    ) -> Trainer:
        torch.manual_seed(5)
        recipe = dataclasses.replace(recipe, **changes)
        fabric = open_fabric(Hardware(device="cpu", precision=precision))
        vgg = Vgg19(STYLE_LAYERS, weights=vgg_file)
        files = list_pictures(pictures)
        photographs, paintings = PictureFolder(files), None
        previewed = photographs.spread(2, side_px=16)
        if isinstance(recipe, FeedForwardRecipe):
            objective: Any = FeedForwardObjective(
                network or _slim(),
                recipe,
                comparison=GramComparison(vgg),
                style_picture=PictureFolder(files[:1]).spread(1, side_px=16)[0],
                previewed=previewed,
            )
        else:
            paintings = PictureFolder(files[:3])
            any_style = SlimAdainNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1, refine_channels=8)
            objective = AdainObjective(
                any_style,
                recipe,
                comparison=GramComparison(vgg),
                previewed=previewed,
                previewed_paintings=paintings.spread(2, side_px=16),
            )
        vgg.compute_in(feature_dtype(fabric))
        return Trainer(
            objective,
            StepDataset(
                photographs,
                side_px=recipe.crop_px,
                seed=recipe.seed,
                paintings=paintings,
                painting_side_px=recipe.style_size_px,
            ),
            recipe=recipe,
            fabric=fabric,
            plan=RunPlan(
                folder=tmp_path / folder,
                facts={"vgg": vgg.weights_name},
                workers=workers,
                checkpoint_steps=checkpoint_steps,
                clock=clock,
            ),
        )

    return make_trainer


def _weights(path: Path) -> dict[str, "torch.Tensor"]:
    return load_file(path / NETWORK_FILE)


def _are_equal(first: dict[str, "torch.Tensor"], second: dict[str, "torch.Tensor"]) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("recipe", [FEED_FORWARD, ADAIN], ids=["feed-forward", "adain"])
def test_run_takes_the_steps_of_the_recipe_and_saves_network_and_figures(
    make: Make, tmp_path: Path, recipe: FeedForwardRecipe | AdainRecipe
) -> None:
    trainer = make(recipe=recipe)

    losses = list(trainer.run())

    assert len(losses) == trainer.step == STEPS
    assert all(math.isfinite(value) and value >= 0 for step in losses for value in step.values())
    with safe_open(tmp_path / "run" / NETWORK_FILE, framework="pt") as file:
        metadata = file.metadata()
    assert json.loads(metadata["recipe"]) == dataclasses.asdict(recipe)
    assert json.loads(metadata["losses"]) == losses[-1]
    assert metadata["network"] == ("SlimNetwork" if recipe is FEED_FORWARD else "SlimAdainNetwork")
    assert (metadata["steps"], metadata["vgg"]) == (str(STEPS), "vgg19-random.safetensors")


def test_saved_weights_are_the_averaged_ones(make: Make, tmp_path: Path) -> None:
    trainer = make()
    list(trainer.run())
    network = _slim()
    network.load_state_dict(_weights(tmp_path / "run"))
    before, after = trainer.preview().split(16, dim=1)  # (3, 16, 32) each

    with torch.no_grad():
        assert torch.allclose(after[..., :16], network(before[None, :, :, :16])[0], atol=1e-6)


def test_preview_of_an_any_style_run_has_a_row_for_each_painting(make: Make) -> None:
    assert make(recipe=ADAIN).preview().shape == (3, (1 + 2) * 16, (1 + 2) * 16)


@pytest.mark.parametrize(
    ("recipe", "term"), [(FEED_FORWARD, "style"), (ADAIN, "reconstruction")], ids=["feed-forward", "adain"]
)
def test_loss_falls(make: Make, recipe: FeedForwardRecipe | AdainRecipe, term: str) -> None:
    weights = {"coherence_weight": 0.0} if term == "style" else {"style_weight": 0.0, "reconstruction_weight": 100.0}
    trainer = make(recipe=recipe, steps=20, learning_rate=0.02, ema_decay=0.5, **weights)

    losses = [step[term] for step in trainer.run()]

    assert sum(losses[-5:]) < 0.8 * sum(losses[:5])


def test_same_seed_gives_the_same_weights_and_another_seed_others(make: Make, tmp_path: Path) -> None:
    for folder, seed in (("first", 1), ("again", 1), ("other", 2)):
        list(make(folder, seed=seed).run())

    assert _are_equal(_weights(tmp_path / "first"), _weights(tmp_path / "again"))
    assert not _are_equal(_weights(tmp_path / "first"), _weights(tmp_path / "other"))


@pytest.mark.parametrize(
    ("recipe", "precision", "stopped_after"),
    [(FEED_FORWARD, "fp32", 1), (FEED_FORWARD, "fp32", 3), (FEED_FORWARD, "bf16", 2), (ADAIN, "fp32", 2)],
    ids=["first-step", "last-step", "bf16", "adain"],
)
def test_run_that_was_stopped_continues_bit_for_bit(
    make: Make, tmp_path: Path, recipe: FeedForwardRecipe | AdainRecipe, precision: str, stopped_after: int
) -> None:
    """Weights, their average, optimiser, random numbers and place in the data: all would show in the end."""
    how = {"recipe": recipe, "precision": precision, "checkpoint_steps": 1}
    whole = list(make("whole", **how).run())

    steps = make("parts", **how).run()
    first = [next(steps) for _ in range(stopped_after)]
    steps.close()
    resumed = make("parts", **how)
    assert resumed.step == stopped_after
    rest = list(resumed.run())

    assert first + rest == whole
    assert _are_equal(_weights(tmp_path / "whole"), _weights(tmp_path / "parts"))
    assert_same_state(*(torch.load(tmp_path / folder / CHECKPOINT_FILE) for folder in ("whole", "parts")))


def test_steps_since_the_last_checkpoint_are_done_again(make: Make, tmp_path: Path) -> None:
    list(make("whole").run())
    steps = make("parts", checkpoint_steps=2).run()
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
        assert json.loads(file.metadata()["losses"]) == losses[-1]


def test_run_folder_of_another_recipe_is_refused_by_what_differs(make: Make) -> None:
    list(make().run())

    with pytest.raises(ValueError, match=r"checkpoint\.pt is of a run with another grid_weight, style_weight;"):
        make(grid_weight=1.0, style_weight=1.0, steps=7, title="Other")


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


def _clock_of_ten_seconds() -> Callable[[], float]:
    ticks_s = iter(range(0, 10_000, 10))
    return lambda: float(next(ticks_s))


def test_slow_steps_leave_a_checkpoint_a_minute(make: Make, tmp_path: Path) -> None:
    steps = make(steps=100, checkpoint_steps=1000, clock=_clock_of_ten_seconds()).run()
    for _ in range(8):
        next(steps)
    steps.close()

    assert make(steps=100).step in (6, 7)


def test_time_budget_ends_the_run_and_what_was_spent_before_counts(make: Make) -> None:
    trainer = make(steps=0, checkpoint_steps=1, clock=_clock_of_ten_seconds())
    steps = trainer.run(minutes=1.0)
    for _ in range(3):
        next(steps)
    steps.close()
    assert trainer.elapsed_s == 30

    resumed = make(steps=0, clock=_clock_of_ten_seconds())
    rates = [resumed.learning_rate for _ in resumed.run(minutes=1.0)]

    assert (resumed.step, resumed.elapsed_s) == (5, 60)
    assert rates == [
        pytest.approx(FEED_FORWARD.learning_rate * 0.5 * (1 + math.cos(math.pi * progress)))
        for progress in (40 / 60, 50 / 60)
    ]


def test_learning_rate_warms_up_and_falls_to_nothing(make: Make) -> None:
    trainer = make(steps=8, warmup_steps=4, learning_rate=1.0)

    rates = []
    for _ in range(8):
        rates.append(trainer.learning_rate)
        trainer.step += 1
        trainer.progress = trainer.step / 8

    assert rates[:3] == sorted(rates[:3])
    assert rates[0] == pytest.approx(0.25)
    assert rates[3:] == sorted(rates[3:], reverse=True)
    assert trainer.learning_rate == pytest.approx(0)


def test_recipe_without_steps_needs_a_time_budget(make: Make) -> None:
    with pytest.raises(ValueError, match="give minutes"):
        list(make(steps=0).run())


class _NanAfter(torch.nn.Module):
    """A network whose output is NaN from its n-th call on."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self.network = _slim()
        self.calls_left = calls

    def forward(self, pictures: "torch.Tensor") -> "torch.Tensor":
        self.calls_left -= 1
        return self.network(pictures) * (1 if self.calls_left >= 0 else float("nan"))


def test_loss_that_is_not_finite_stops_the_run_with_term_and_step(make: Make, tmp_path: Path) -> None:
    with pytest.raises(
        NonFiniteLossError, match=r"^content, style, coherence, grid, total_variation not finite at step 2"
    ):
        list(make(network=_NanAfter(2), checkpoint_steps=1).run())

    assert not (tmp_path / "run" / NETWORK_FILE).exists()
    state = torch.load(tmp_path / "run" / CHECKPOINT_FILE)
    assert state["step"] == 2
    assert all(tensor.isfinite().all() for tensor in state["network"].values())


def test_gradient_is_clipped_to_the_norm_of_the_recipe(make: Make) -> None:
    trainer = make(steps=1, gradient_norm_max=1e-3, style_weight=1e6)

    list(trainer.run())

    gradients = [parameter.grad.flatten() for parameter in trainer._network.parameters()]
    assert torch.cat(gradients).norm().item() == pytest.approx(1e-3, rel=1e-3)


def test_bf16_gives_nearly_the_losses_of_float32(make: Make) -> None:
    exact, reduced = (list(make(precision, precision=precision).run()) for precision in ("fp32", "bf16"))

    for name in ("content", "style", "coherence", "total_variation"):
        assert reduced[0][name] == pytest.approx(exact[0][name], rel=0.05)
    assert exact != reduced


def test_batch_that_cannot_be_shared_out_is_refused(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lightning_fabric.Fabric.world_size", 2)

    with pytest.raises(ValueError, match="a batch of 3 cannot be shared out among 2 devices"):
        make(batch=3)
