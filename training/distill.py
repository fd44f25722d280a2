r"""Train the small backbone: VGG19 is the teacher, photographs and paintings are the pictures.

python -m training.distill training/recipes/small-backbone.toml --photographs DIR --paintings DIR --minutes 20 \
        --held-out NAMES.txt --publish weights/backbones/small.json

The same command continues a run that was stopped.
"""

import argparse
import json
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor

from training.backbone import Backbone
from training.dataset_distill import DistillDataset
from training.distill_card import publish
from training.distilled import DISTILLED_LAYERS, DistilledNetwork
from training.hardware import Hardware, feature_dtype, open_fabric
from training.loop import NonFiniteLossError, RunPlan
from training.objective_distill import DistillObjective
from training.photograph import PictureFolder, list_pictures, load_picture, square, without_excluded
from training.recipe import DistillRecipe, load_recipe_as
from training.report import train_and_report
from training.run_folder import NETWORK_FILE, sole_use
from training.run_options import add_run_options, hardware_of
from training.trainer import Trainer
from training.vgg import Vgg19

# For the principal directions: 160 px give 10,000 positions of the coarsest layer, which has 512 channels.
START_PICTURES = 24
PREVIEW_PICTURES = 4
PREVIEW_SIDE_PX = 128
SCORE_SIDE_PX = 256


def distill(
    recipe: DistillRecipe,
    teacher: Backbone,
    *,
    photographs: PictureFolder,
    paintings: PictureFolder,
    run_folder: Path,
    minutes: float | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008 - frozen
) -> Path:
    """Train a network on one device and return its file, `run_folder/network.safetensors`; continue a checkpoint.

    `teacher` is VGG19 with the layers that the network returns, in float32; it computes in the device's precision
    afterwards.

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """
    fabric = open_fabric(hardware)
    torch.manual_seed(recipe.seed)
    network = DistilledNetwork()
    network.start_from(teacher, _both(photographs, paintings, START_PICTURES, side_px=recipe.crop_px))
    previewed = _both(photographs, paintings, PREVIEW_PICTURES, side_px=PREVIEW_SIDE_PX)
    objective = DistillObjective(network, recipe, teacher=teacher, previewed=previewed)
    teacher.compute_in(feature_dtype(fabric))
    dataset = DistillDataset(
        photographs, paintings, side_px=recipe.crop_px, noise_max=recipe.noise_max, seed=recipe.seed
    )
    with sole_use(run_folder):
        trainer = Trainer(
            objective,
            dataset,
            recipe=recipe,
            fabric=fabric,
            plan=RunPlan(
                folder=run_folder,
                facts={
                    "teacher": teacher.weights_name,
                    "photographs": str(len(photographs.files)),
                    "paintings": str(len(paintings.files)),
                },
                workers=hardware.workers,
            ),
        )
        train_and_report(trainer, run_folder, minutes=minutes)
    return run_folder / NETWORK_FILE


def _both(photographs: PictureFolder, paintings: PictureFolder, count: int, *, side_px: int) -> Tensor:
    """Return up to `count` pictures (N, 3, side, side), photographs first."""
    return torch.cat([folder.spread(count // 2, side_px=side_px) for folder in (photographs, paintings)])


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    try:
        _run(options)
    except (OSError, ValueError, NonFiniteLossError) as error:
        logging.error("training.distill: %s", error)
        return 1
    return 0


def _run(options: argparse.Namespace) -> None:
    if options.publish and not options.held_out:
        raise ValueError("--publish needs --held-out: the card tells how good the network is on other pictures")
    recipe = load_recipe_as(DistillRecipe, options.recipe)
    every = [list_pictures(folder) for folder in (options.photographs, options.paintings)]
    learned = [without_excluded(files, options.held_out) for files in every] if options.held_out else every
    network_file = distill(
        recipe,
        Vgg19(DISTILLED_LAYERS.style, weights=options.vgg),
        photographs=PictureFolder(learned[0]),
        paintings=PictureFolder(learned[1]),
        run_folder=options.run or Path("runs") / recipe.name,
        minutes=options.minutes,
        hardware=hardware_of(options),
    )
    if options.publish:
        left = [path for files, taken in zip(every, learned, strict=True) for path in sorted({*files} - {*taken})]
        held_out = [square(load_picture(path, side_min_px=SCORE_SIDE_PX), SCORE_SIDE_PX) for path in left]
        teacher = Vgg19(DISTILLED_LAYERS.style, weights=options.vgg)
        facts = publish(network_file, options.publish, teacher=teacher, held_out=held_out)
        logging.info("%s: %s", options.publish, json.dumps(facts["scores"]))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.distill", description=__doc__)
    add = parser.add_argument
    add("recipe", type=Path, help="TOML file, training/recipes/small-backbone.toml")
    add("--photographs", type=Path, required=True, metavar="DIR", help="photographs to train on")
    add("--paintings", type=Path, required=True, metavar="DIR", help="paintings to train on")
    add("--held-out", type=Path, metavar="FILE", help="names of pictures not to train on, one a line [none]")
    add("--vgg", type=Path, metavar="FILE", help="the teacher as safetensors [torchvision's]")
    add("--publish", type=Path, metavar="CARD.json", help="write the weights beside this card [only the run]")
    add_run_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
