"""Train the small backbone: VGG19 is the teacher, photographs and paintings are the pictures.

python -m training.distill training/recipes/small-backbone.toml --photographs DIR --paintings DIR --minutes 35
"""

import argparse
import logging
import sys
from pathlib import Path

import torch
from torch import Tensor

from training.backbone import Backbone
from training.dataset_distill import DistillDataset
from training.distilled import DISTILLED_LAYERS, DistilledNetwork
from training.hardware import DEVICES, PRECISIONS, Hardware, feature_dtype, open_fabric
from training.objective_distill import DistillObjective
from training.photograph import PictureFolder, list_pictures, without_excluded
from training.recipe import DistillRecipe, load_recipe_as
from training.report import Report
from training.trainer import NETWORK_FILE, NonFiniteLossError, Trainer
from training.vgg import Vgg19

PREVIEW_PICTURES = 6
PREVIEW_SIDE_PX = 192


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

    `teacher` has the layers of `DISTILLED_LAYERS`, in float32; it computes in the device's precision afterwards.

    Raises:
        OSError, ValueError: a file or a setting is missing or wrong; the message is one line.
        NonFiniteLossError: the training diverged.
    """
    fabric = open_fabric(hardware)
    torch.manual_seed(recipe.seed)
    objective = DistillObjective(
        DistilledNetwork(), recipe, teacher=teacher, previewed=_previewed(photographs, paintings)
    )
    teacher.compute_in(feature_dtype(fabric))
    dataset = DistillDataset(
        photographs, paintings, side_px=recipe.crop_px, noise_max=recipe.noise_max, seed=recipe.seed
    )
    trainer = Trainer(
        objective,
        dataset,
        recipe=recipe,
        fabric=fabric,
        run_folder=run_folder,
        facts={
            "teacher": teacher.weights_name,
            "photographs": str(len(photographs.files)),
            "paintings": str(len(paintings.files)),
        },
        workers=hardware.workers,
    )
    with Report(trainer, run_folder) as report:
        for _ in trainer.run(minutes=minutes):
            report.step()
        report.finish()
    return run_folder / NETWORK_FILE


def _previewed(photographs: PictureFolder, paintings: PictureFolder) -> Tensor:
    """Return photographs and paintings in turn, so that each has one of the other kind beside it."""
    each = [folder.spread(PREVIEW_PICTURES // 2, side_px=PREVIEW_SIDE_PX) for folder in (photographs, paintings)]
    return torch.stack(each, dim=1).flatten(0, 1)


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stdout, force=True)
    try:
        recipe = load_recipe_as(DistillRecipe, options.recipe)
        folders = [list_pictures(folder) for folder in (options.photographs, options.paintings)]
        if options.held_out:
            folders = [without_excluded(files, options.held_out) for files in folders]
        distill(
            recipe,
            Vgg19(DISTILLED_LAYERS.known, weights=options.vgg),
            photographs=PictureFolder(folders[0]),
            paintings=PictureFolder(folders[1]),
            run_folder=options.run or Path("runs") / recipe.name,
            minutes=options.minutes,
            hardware=Hardware(options.device, precision=options.precision, workers=options.workers),
        )
    except (OSError, ValueError, NonFiniteLossError) as error:
        logging.error("training.distill: %s", error)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m training.distill", description=__doc__)
    add = parser.add_argument
    add("recipe", type=Path, help="TOML file, training/recipes/small-backbone.toml")
    add("--photographs", type=Path, required=True, metavar="DIR", help="photographs to train on")
    add("--paintings", type=Path, required=True, metavar="DIR", help="paintings to train on")
    add("--held-out", type=Path, metavar="FILE", help="names of pictures not to train on, one a line [none]")
    add("--vgg", type=Path, metavar="FILE", help="the teacher as safetensors [torchvision's]")
    add("--run", type=Path, metavar="DIR", help="checkpoints and result [runs/NAME]")
    add("--minutes", type=float, help="time budget; the schedule is fitted to it [the recipe's steps]")
    add("--device", choices=DEVICES, default="auto", help="[%(default)s]")
    add("--precision", choices=PRECISIONS, default="auto", help="[%(default)s]")
    add("--workers", type=int, default=0, metavar="N", help="processes that read pictures [0: none]")
    return parser


if __name__ == "__main__":
    sys.exit(main())
