"""`stylize-train`: train a feed-forward style from a recipe and a folder of photographs."""

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

import torch
from PIL import Image
from safetensors import SafetensorError
from safetensors.torch import load_file

from training.network import SlimNetwork
from training.photograph import list_pictures, load_picture, to_tensor
from training.recipe import load_recipe
from training.trainer import NETWORK_FILE, NonFiniteLossError, Trainer
from training.vgg import Vgg19

LOG_INTERVAL_STEPS = 50
PREVIEW_INTERVAL_STEPS = 200
PREVIEW_PICTURES = 6
PREVIEW_SIDE_PX = 256


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _train(options)
    except (OSError, ValueError, SafetensorError, NonFiniteLossError) as error:
        print(f"stylize-train: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stylize-train: stopped; the same command continues from the checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylize-train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="TOML file, see training/recipes/")
    parser.add_argument("--pictures", type=Path, required=True, metavar="DIR", help="folder of the style picture")
    parser.add_argument("--photographs", type=Path, required=True, metavar="DIR", help="photographs to train on")
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="safetensors file [default: torchvision's weights]")
    parser.add_argument("--run", type=Path, metavar="DIR", help="checkpoints and result [default: runs/NAME]")
    parser.add_argument(
        "--minutes", type=float, help="time budget; the schedule is fitted to it [default: the recipe's steps]"
    )
    parser.add_argument("--coherence-weight", type=float, metavar="W", help="instead of the recipe's, to compare")
    return parser


def _train(options: argparse.Namespace) -> None:
    recipe = load_recipe(options.recipe)
    if options.coherence_weight is not None:
        recipe = dataclasses.replace(recipe, coherence_weight=options.coherence_weight)
    run_folder = options.run or Path("runs") / recipe.name
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
        style_picture=options.pictures / recipe.picture,
        photographs=options.photographs,
        vgg=Vgg19(("relu1_1", "relu2_1", "relu3_1", "relu4_1"), weights=options.vgg),
        run_folder=run_folder,
    )
    files = list_pictures(options.photographs)
    shown = files[:: max(1, len(files) // PREVIEW_PICTURES)][:PREVIEW_PICTURES]
    previewed = torch.stack([_square(path) for path in shown])
    for losses in trainer.run(minutes=options.minutes):
        if trainer.step % LOG_INTERVAL_STEPS == 0:
            figures = "  ".join(f"{name} {value:.5f}" for name, value in dataclasses.asdict(losses).items())
            print(f"{recipe.name}  step {trainer.step}  {trainer.elapsed_s / 60:.1f} min  {figures}", flush=True)
        if trainer.step % PREVIEW_INTERVAL_STEPS == 0:
            _save_preview(previewed, trainer.preview(previewed), run_folder / "preview.png")
    _save_preview(previewed, trainer.preview(previewed), run_folder / "preview.png")
    print(f"{recipe.name}: {trainer.step} steps in {trainer.elapsed_s / 60:.1f} min, in {run_folder}")


def _square(path: Path) -> torch.Tensor:
    picture = load_picture(path)
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    return to_tensor(picture.resize((PREVIEW_SIDE_PX,) * 2, box=(left, top, left + side, top + side)))


def _save_preview(before: torch.Tensor, after: torch.Tensor, path: Path) -> None:
    rows = torch.cat((torch.cat(list(before), dim=2), torch.cat(list(after), dim=2)), dim=1)
    Image.fromarray((rows * 255).round().clamp(0, 255).byte().permute(1, 2, 0).numpy()).save(path)
