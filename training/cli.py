"""`stylize-train`: train a style from a recipe, its picture or a folder of paintings, and a folder of photographs."""

import argparse
import dataclasses
import logging
import sys
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError

from training.backbone_option import add_backbone_option
from training.hardware import DEVICES, PRECISIONS, Hardware
from training.initial import WEIGHTS_FOLDER
from training.loop import CHECKPOINT_INTERVAL_STEPS, NonFiniteLossError
from training.option_types import count, minutes
from training.recipe import CycleGanRecipe, FeedForwardRecipe, load_recipe
from training.session import SessionError, train
from training.session_cyclegan import train_cyclegan


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    return run_training(lambda: _train(options))


def run_training(work: Callable[[], None], *further_errors: type[Exception]) -> int:
    """Do the work of the command and return its exit code; errors of a training, and further ones, become a line."""
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    errors: tuple[type[Exception], ...] = (OSError, ValueError, SafetensorError, NonFiniteLossError, SessionError)
    try:
        work()
    except errors + further_errors as error:
        # A process that reads pictures sends its whole traceback, of which the last line is the error.
        lines = str(error).strip().splitlines() or [type(error).__name__]
        print(f"stylize-train: {lines[-1]}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stylize-train: stopped; the same command continues from the last checkpoint", file=sys.stderr)
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stylize-train", description=__doc__)
    parser.add_argument("recipe", type=Path, help="TOML file, see training/recipes/")
    parser.add_argument(
        "--pictures",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder with the style picture under the name that the recipe's `picture` gives, or of the paintings of "
        "an any-style or CycleGAN recipe",
    )
    parser.add_argument("--photographs", type=Path, required=True, metavar="DIR", help="photographs to train on")
    parser.add_argument(
        "--exclude",
        type=Path,
        metavar="FILE",
        help="names or absolute paths of photographs not to train on, one a line [none]",
    )
    parser.add_argument(
        "--clips",
        type=Path,
        metavar="DIR",
        help="video frames with their flow (NAME.png, NAME.flo), for half the items",
    )
    parser.add_argument("--vgg", type=Path, metavar="FILE", help="safetensors file [torchvision's weights]")
    add_backbone_option(parser)
    parser.add_argument("--weights", type=Path, default=WEIGHTS_FOLDER, metavar="DIR", help="styles to start from")
    parser.add_argument("--run", type=Path, metavar="DIR", help="checkpoints and result [runs/NAME]")
    parser.add_argument(
        "--minutes", type=minutes, help="time budget; the schedule is fitted to it [the recipe's steps]"
    )
    parser.add_argument("--coherence-weight", type=float, metavar="W", help="instead of the recipe's, to compare")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="[auto: a GPU if there is one]")
    parser.add_argument("--devices", type=int, default=1, metavar="N", help="GPUs to share each batch out among [1]")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="[auto: bf16 where the device computes it natively]"
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes that read pictures [0: none]")
    parser.add_argument(
        "--checkpoint-steps",
        type=count,
        default=CHECKPOINT_INTERVAL_STEPS,
        metavar="N",
        help="steps between checkpoints [%(default)s]",
    )
    return parser


def _train(options: argparse.Namespace) -> None:
    recipe = load_recipe(options.recipe)
    if options.coherence_weight is not None:
        recipe = dataclasses.replace(recipe, coherence_weight=options.coherence_weight)
    hardware = Hardware(options.device, options.devices, options.precision, options.workers)
    run_folder = options.run or Path("runs") / recipe.name
    if isinstance(recipe, CycleGanRecipe):
        if options.clips is not None:
            raise ValueError("--clips is for styles; a CycleGAN learns coherence from stills in motion alone")
        train_cyclegan(
            recipe,
            paintings=options.pictures,
            photographs=options.photographs,
            run_folder=run_folder,
            vgg=options.vgg,
            backbone=options.backbone,
            minutes=options.minutes,
            excluded=options.exclude,
            weights_folder=options.weights,
            hardware=hardware,
            checkpoint_steps=options.checkpoint_steps,
        )
        return
    picture = recipe.picture if isinstance(recipe, FeedForwardRecipe) else ""
    train(
        recipe,
        style_pictures=options.pictures / picture,
        photographs=options.photographs,
        run_folder=run_folder,
        vgg=options.vgg,
        backbone=options.backbone,
        minutes=options.minutes,
        excluded=options.exclude,
        clips=options.clips,
        weights_folder=options.weights,
        hardware=hardware,
        checkpoint_steps=options.checkpoint_steps,
    )
