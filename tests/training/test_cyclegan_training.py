"""A CycleGAN's training: it learns, stops, continues as if it had never been stopped, and takes its recipe's word."""

import dataclasses
import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402
from safetensors import safe_open  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

from tests.training.checkpoint import assert_same_state  # noqa: E402
from training import cli  # noqa: E402
from training.cyclegan import CycleGan, PatchDiscriminator, SlimGenerator  # noqa: E402
from training.dataset import UnpairedDataset  # noqa: E402
from training.hardware import Hardware, open_fabric  # noqa: E402
from training.loop import NonFiniteLossError, RunPlan  # noqa: E402
from training.network import SlimNetwork  # noqa: E402
from training.photograph import PictureFolder, list_pictures  # noqa: E402
from training.picture_buffer import PictureBuffer  # noqa: E402
from training.recipe import CycleGanRecipe, load_recipe  # noqa: E402
from training.run_folder import CHECKPOINT_FILE, NETWORK_FILE, save_network  # noqa: E402
from training.session_cyclegan import train_cyclegan  # noqa: E402
from training.trainer_cyclegan import UNPAINTER_FILE, CycleGanTrainer  # noqa: E402

STEPS = 4
RECIPE = CycleGanRecipe(name="test", title="Test", crop_px=32, steps=STEPS, discriminator_channels=4)

Make = Callable[..., CycleGanTrainer]


@pytest.fixture(scope="module")
def domains(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return folders of photographs whose patterns are blue, and of paintings whose patterns are red: 48x40 px."""
    folders = []
    for name, deviation in (("photographs", (5, 5, 60)), ("paintings", (60, 5, 5))):
        folder = tmp_path_factory.mktemp(name)
        for seed in range(4):
            cells = np.random.default_rng(seed).normal(128, deviation, (5, 6, 3)).clip(0, 255).astype(np.uint8)
            Image.fromarray(cells).resize((48, 40), Image.Resampling.BICUBIC).save(folder / f"{seed}.png")
        folders.append(folder)
    return folders[0], folders[1]


@pytest.fixture
def make(domains: tuple[Path, Path], tmp_path: Path) -> Make:
    """Return a trainer of slim generators; `changes` are of the recipe."""

    def make_trainer(folder: str = "run", *, precision: str = "fp32", steps_saved: int = 1, **changes: Any) -> Any:
        recipe = dataclasses.replace(RECIPE, **changes)
        torch.manual_seed(5)
        networks = CycleGan(
            *(SlimGenerator(), SlimGenerator()),
            *(PatchDiscriminator(channels=recipe.discriminator_channels) for _ in range(2)),
        )
        photographs, paintings = (PictureFolder(list_pictures(folder)) for folder in domains)
        return CycleGanTrainer(
            networks,
            UnpairedDataset(photographs, paintings, side_px=recipe.crop_px, seed=recipe.seed),
            recipe=recipe,
            fabric=open_fabric(Hardware(device="cpu", precision=precision)),
            plan=RunPlan(folder=tmp_path / folder, facts={}, checkpoint_steps=steps_saved),
            previewed=(photographs.spread(2, side_px=32), paintings.spread(2, side_px=32)),
        )

    return make_trainer


def test_run_saves_both_generators_with_recipe_and_losses(make: Make, tmp_path: Path) -> None:
    losses = list(make().run())

    assert len(losses) == STEPS
    assert all(math.isfinite(value) and value >= 0 for step in losses for value in step.values())
    for file in (NETWORK_FILE, UNPAINTER_FILE):
        with safe_open(tmp_path / "run" / file, framework="pt") as saved:
            metadata = saved.metadata()
        assert json.loads(metadata["recipe"]) == dataclasses.asdict(RECIPE)
        assert json.loads(metadata["losses"]) == losses[-1]
        assert metadata["network"] == "SlimGenerator"


@pytest.mark.slow
def test_patterns_of_photographs_take_on_the_colour_of_the_paintings_and_return(make: Make) -> None:
    """Not the tone of the whole picture: the discriminator's norm does not let it see that well.

    Adversaries amplify how a processor rounds, so that the margins are those of six seeds: red at least 4.5 times that
    of the photographs and 0.66 times the blue, the way back at most 0.42 of the way there.
    """
    rates = {"learning_rate": 1e-2, "discriminator_learning_rate": 2e-3}
    weights = {"cycle_weight": 10.0, "identity_weight": 0.0, "coherence_weight": 0.0, "grid_weight": 0.0}
    trainer = make(steps=120, steps_saved=1000, ema_decay=0.9, discriminator_channels=8, **rates, **weights)
    list(trainer.run())

    photographs, painted, returned, *_ = trainer.preview().split(32, dim=1)

    red, blue = painted[0].std(), painted[2].std()
    assert photographs[2].std() > 3 * photographs[0].std()
    assert red > 3 * photographs[0].std()
    assert red > 0.5 * blue
    assert (returned - photographs).abs().mean() < 0.7 * (painted - photographs).abs().mean()


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_run_that_was_stopped_continues_bit_for_bit(
    make: Make, tmp_path: Path, precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a history that is full before the stop, so that its pictures and its draws show in the end."""
    monkeypatch.setattr(PictureBuffer.__init__, "__defaults__", (2,))
    how = {"precision": precision, "steps": 6, "learning_rate": 1e-2}
    whole = list(make("whole", **how).run())

    steps = make("parts", **how).run()
    first = [next(steps) for _ in range(4)]
    steps.close()
    rest = list(make("parts", **how).run())

    assert first[:4] + rest[-(6 - 4) :] == whole
    states = [torch.load(tmp_path / name / CHECKPOINT_FILE, weights_only=True) for name in ("whole", "parts")]
    assert_same_state(*states)


def test_rates_are_constant_for_half_of_the_run_and_then_fall_linearly(make: Make) -> None:
    trainer = make(steps=8, learning_rate=1.0, discriminator_learning_rate=0.5)
    rates = []
    for _ in trainer.run():
        rates.append(trainer.learning_rate)

    assert rates == [1, 1, 1, 1, 1, 0.75, 0.5, 0.25]


@pytest.mark.parametrize("side", ["painter", "painting_discriminator"])
def test_loss_that_is_not_finite_stops_and_leaves_the_checkpoint(make: Make, tmp_path: Path, side: str) -> None:
    trainer = make()
    steps = trainer.run()
    next(steps)
    saved = (tmp_path / "run" / CHECKPOINT_FILE).read_bytes()
    with torch.no_grad():
        next(trainer._networks[side].parameters()).fill_(math.nan)

    with pytest.raises(NonFiniteLossError, match="not finite at step 1; lower the learning rate"):
        next(steps)
    assert (tmp_path / "run" / CHECKPOINT_FILE).read_bytes() == saved


def test_gradient_that_is_not_finite_stops_before_it_reaches_a_checkpoint(make: Make) -> None:
    trainer = make()
    weights = trainer._networks["painter"].strength
    weights.register_hook(lambda gradient: gradient * math.nan)

    with pytest.raises(NonFiniteLossError, match="gradient of the generators not finite at step 0"):
        next(trainer.run())


def test_preview_has_three_rows_for_each_direction(make: Make) -> None:
    assert make().preview().shape == (3, 6 * 32, 2 * 32)


def test_checkpoint_of_another_recipe_is_refused(make: Make) -> None:
    list(make().run())

    with pytest.raises(ValueError, match="another cycle_weight"):
        make(cycle_weight=3.0)


def _recipe(folder: Path, **values: object) -> Path:
    path = folder / "recipe.toml"
    known = {"kind": "cyclegan", "name": "dusk", "title": "Dusk", "crop_px": 32, "discriminator_channels": 4}
    path.write_text("\n".join(f"{key} = {json.dumps(value)}" for key, value in (known | values).items()))
    return path


def test_command_trains_a_recipe_of_this_kind(domains: tuple[Path, Path], vgg_file: Path, tmp_path: Path) -> None:
    words = [_recipe(tmp_path, steps=2, texture_weight=1.0, batch=2), "--photographs", domains[0]]
    words += ["--pictures", domains[1], "--vgg", vgg_file, "--run", tmp_path / "run", "--device", "cpu"]

    assert cli.main([str(word) for word in words]) == 0

    assert {path.name for path in (tmp_path / "run").iterdir()} >= {NETWORK_FILE, UNPAINTER_FILE, "preview.png"}


def test_painter_starts_from_the_style_that_the_recipe_names(domains: tuple[Path, Path], tmp_path: Path) -> None:
    style = SlimNetwork()
    save_network(tmp_path / "style.safetensors", style.state_dict(), {})
    recipe = dataclasses.replace(RECIPE, initial=str(tmp_path / "style.safetensors"), learning_rate=0.0, steps=1)
    train = functools.partial(train_cyclegan, photographs=domains[0], paintings=domains[1], run_folder=tmp_path)

    weights = load_file(train(recipe, hardware=Hardware(device="cpu", precision="fp32")))

    assert torch.allclose(weights["decode.weight"], style.decode.weight)
    assert weights["strength"].item() == pytest.approx(recipe.initial_strength)
    with pytest.raises(ValueError, match="only a slim painter can start from a style, not resnet6"):
        train(dataclasses.replace(recipe, network="resnet6"))


def test_unknown_keys_of_the_recipe_are_named(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"unknown keys \['residual_blocks'\]"):
        load_recipe(_recipe(tmp_path, residual_blocks=9))


def test_network_must_be_one_of_the_generators(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="network is 'johnson' but must be one of slim, resnet6, resnet9"):
        load_recipe(_recipe(tmp_path, network="johnson"))


def test_more_devices_are_refused(domains: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="one device, not on 2"):
        train_cyclegan(
            RECIPE, photographs=domains[0], paintings=domains[1], run_folder=tmp_path, hardware=Hardware(devices=2)
        )
