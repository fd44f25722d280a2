"""`stylize-train`: train a style from a recipe, its picture and a folder of photographs."""

import argparse
import dataclasses
import logging
import sys
from pathlib import Path

from safetensors import SafetensorError

from training.recipe import FeedForwardRecipe, load_recipe
from training.session import train
from training.trainer import NonFiniteLossError


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
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
    one_picture = isinstance(recipe, FeedForwardRecipe)
    train(
        recipe,
        style_pictures=options.pictures / recipe.picture if one_picture else options.pictures,
        photographs=options.photographs,
        run_folder=options.run or Path("runs") / recipe.name,
        vgg=options.vgg,
        minutes=options.minutes,
    )
