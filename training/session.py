"""One training from start to end: what the command does, as a function for other code."""

import dataclasses
import logging
from pathlib import Path

import torch
from PIL import Image
from safetensors.torch import load_file

from training.network import SlimNetwork
from training.photograph import list_pictures, load_picture, to_tensor
from training.recipe import AdainRecipe, FeedForwardRecipe
from training.trainer import NETWORK_FILE, Trainer
from training.vgg import Vgg19

LOG_INTERVAL_STEPS = 50
PREVIEW_INTERVAL_STEPS = 200
PREVIEW_PICTURES = 6
PREVIEW_SIDE_PX = 256

logger = logging.getLogger(__name__)


def train(
    recipe: FeedForwardRecipe | AdainRecipe,
    *,
    style_pictures: Path,
    photographs: Path,
    run_folder: Path,
    vgg: Path | None = None,
    minutes: float | None = None,
) -> Path:
    """Train a recipe and return the file of the network, `run_folder/network.safetensors`.

    `style_pictures` is the style picture of a feed-forward recipe and the folder of paintings of an any-style one. A
    run folder with a checkpoint is continued. `minutes` is a budget of time that the schedule is fitted to; without it
    the recipe's steps decide. `vgg` is a safetensors file; None takes torchvision's weights.

    Raises:
        OSError, ValueError: a file is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """
    if isinstance(recipe, AdainRecipe):
        raise ValueError("kind 'adain' cannot be trained yet")
    torch.manual_seed(recipe.seed)
    network = SlimNetwork()
    if recipe.initial:
        initial = run_folder.parent / recipe.initial / NETWORK_FILE
        if not initial.is_file():
            raise ValueError(f"{recipe.name} starts from {recipe.initial}, but {initial} is missing; train that first")
        network.load_state_dict(load_file(initial))
    trainer = Trainer(
        network,
        recipe,
        style_picture=style_pictures,
        photographs=photographs,
        vgg=Vgg19(("relu1_1", "relu2_1", "relu3_1", "relu4_1"), weights=vgg),
        run_folder=run_folder,
    )
    files = list_pictures(photographs)
    shown = files[:: max(1, len(files) // PREVIEW_PICTURES)][:PREVIEW_PICTURES]
    previewed = torch.stack([_square(path) for path in shown])
    for losses in trainer.run(minutes=minutes):
        if trainer.step % LOG_INTERVAL_STEPS == 0:
            figures = "  ".join(f"{name} {value:.5f}" for name, value in dataclasses.asdict(losses).items())
            logger.info("%s  step %d  %.1f min  %s", recipe.name, trainer.step, trainer.elapsed_s / 60, figures)
        if trainer.step % PREVIEW_INTERVAL_STEPS == 0:
            _save_preview(previewed, trainer.preview(previewed), run_folder / "preview.png")
    _save_preview(previewed, trainer.preview(previewed), run_folder / "preview.png")
    logger.info("%s: %d steps in %.1f min, in %s", recipe.name, trainer.step, trainer.elapsed_s / 60, run_folder)
    return run_folder / NETWORK_FILE


def _square(path: Path) -> torch.Tensor:
    picture = load_picture(path)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return to_tensor(picture.resize((PREVIEW_SIDE_PX,) * 2, box=(left, top, left + side, top + side)))


def _save_preview(before: torch.Tensor, after: torch.Tensor, path: Path) -> None:
    rows = torch.cat((torch.cat(list(before), dim=2), torch.cat(list(after), dim=2)), dim=1)
    Image.fromarray((rows * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()).save(path)
