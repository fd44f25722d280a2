r"""Train the network that finds people, on photographs that have a mask (`training/people_masks.py` makes them).

python -m training.people training/recipes/people.toml --photographs DIR --masks DIR --held-out NAMES.txt --minutes 30

The same command continues a run that was stopped; `python -m export.people` publishes its result.
"""

import argparse
import logging
import sys
from collections.abc import Mapping
from pathlib import Path

import torch

from training.dataset_people import PeopleDataset, masks_of
from training.hardware import Hardware, open_fabric
from training.loop import NonFiniteLossError, RunPlan
from training.objective_people import PeopleObjective
from training.people_network import PeopleNetwork
from training.photograph import PictureFolder, list_pictures, pictures_digest, without_excluded
from training.recipe import PeopleRecipe, load_recipe_as
from training.report import train_and_report
from training.run_folder import NETWORK_FILE, sole_use
from training.run_options import add_run_options, hardware_of
from training.shipped_backbone import shipped_network
from training.trainer import Trainer

PREVIEW_PICTURES = 8


def train_people(
    recipe: PeopleRecipe,
    masks: Mapping[Path, Path],
    *,
    run_folder: Path,
    minutes: float | None = None,
    hardware: Hardware = Hardware(),  # noqa: B008 - frozen
) -> Path:
    """Train a network on one device and return its file, `run_folder/network.safetensors`; continue a checkpoint.

    `masks` are those of photographs (`PeopleDataset`).

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """
    fabric = open_fabric(hardware)
    torch.manual_seed(recipe.seed)
    previewed = PictureFolder([*masks]).spread(PREVIEW_PICTURES, side_px=recipe.crop_px)
    network = PeopleNetwork()
    network.backbone.load_state_dict(shipped_network().state_dict())
    objective = PeopleObjective(network, previewed=previewed)
    dataset = PeopleDataset(
        masks,
        side_px=recipe.crop_px,
        composite_share=recipe.composite_share,
        noise_max=recipe.noise_max,
        seed=recipe.seed,
    )
    with sole_use(run_folder):
        facts = {"photographs": str(len(masks)), "photographs_sha256": pictures_digest([*masks, *masks.values()])}
        plan = RunPlan(folder=run_folder, facts=facts, workers=hardware.workers)
        trainer = Trainer(objective, dataset, recipe=recipe, fabric=fabric, plan=plan)
        train_and_report(trainer, run_folder, minutes=minutes)
    return run_folder / NETWORK_FILE


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    try:
        recipe = load_recipe_as(PeopleRecipe, options.recipe)
        every = list_pictures(options.photographs)
        photographs = without_excluded(every, options.held_out) if options.held_out else every
        train_people(
            recipe,
            masks_of(photographs, options.masks),
            run_folder=options.run or Path("runs") / recipe.name,
            minutes=options.minutes,
            hardware=hardware_of(options),
        )
    except (OSError, ValueError, NonFiniteLossError) as error:
        logging.error("training.people: %s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.people", description=__doc__)
    add = parser.add_argument
    add("recipe", type=Path, help="TOML file, training/recipes/people.toml")
    add("--photographs", type=Path, required=True, metavar="DIR", help="photographs to train on")
    add(
        "--masks",
        type=Path,
        required=True,
        metavar="DIR",
        help="NAME.png, white where people are; others are left out",
    )
    add("--held-out", type=Path, metavar="FILE", help="names of photographs not to train on, one a line [none]")
    add_run_options(parser)
    return parser


if __name__ == "__main__":
    sys.exit(main())
