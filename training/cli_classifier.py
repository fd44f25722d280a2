"""`stylize-train classifier`: train a classifier from random weights, to be a backbone of style transfer."""

import argparse
from pathlib import Path

import torch

from training.classifier import ARCHITECTURES, SIDE_MIN_PX
from training.classifier_report import ClassifierReport
from training.classifier_training import (
    BATCH,
    LEARNING_RATE,
    LEARNING_RATE_WITHOUT_NORM,
    ClassifierSettings,
    ClassifierTrainer,
)
from training.classify_data import DATA_SETS, load_data
from training.cli import run_training
from training.hardware import DEVICES, PRECISIONS, Hardware, open_fabric
from training.loop import CHECKPOINT_INTERVAL_STEPS
from training.option_types import count, minutes
from training.run_folder import sole_use

SIZE_PX = 64


def main(arguments: list[str]) -> int:
    options = _parser().parse_args(arguments)
    return run_training(lambda: _train(options))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="stylize-train classifier",
        description="Train a classifier from random weights, to be a backbone of style transfer. "
        "The same command continues a run that was stopped.",
    )
    parser.add_argument("--arch", choices=ARCHITECTURES, required=True)
    parser.add_argument(
        "--data",
        required=True,
        metavar="DATA",
        help=f"{', '.join(DATA_SETS)} (downloaded once), a folder of class folders, or a .zip of one",
    )
    parser.add_argument(
        "--downloads",
        type=Path,
        default=Path(torch.hub.get_dir()) / "datasets",
        metavar="DIR",
        help="where data sets are kept [%(default)s]",
    )
    length = parser.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=minutes, help="time budget")
    length.add_argument("--epochs", type=count, metavar="N", help="passes over the pictures")
    parser.add_argument("--run", type=Path, metavar="DIR", help="checkpoints, figures and result [runs/ARCH-DATA]")
    parser.add_argument(
        "--size-px", type=int, default=SIZE_PX, metavar="PX", help="side that pictures are scaled to [%(default)s]"
    )
    parser.add_argument("--batch-norm", action=argparse.BooleanOptionalAction, default=True, help="[%(default)s]")
    parser.add_argument("--batch", type=int, default=BATCH, metavar="N", help="pictures a step [%(default)s]")
    parser.add_argument(
        "--learning-rate",
        type=float,
        metavar="RATE",
        help=f"first rate [{LEARNING_RATE}, without batch norm {LEARNING_RATE_WITHOUT_NORM}]",
    )
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all that is random [%(default)s]")
    parser.add_argument("--device", choices=DEVICES, default="auto", help="[auto: a GPU if there is one]")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="auto", help="[auto: bf16 where the device computes it natively]"
    )
    parser.add_argument(
        "--checkpoint-steps",
        type=count,
        default=CHECKPOINT_INTERVAL_STEPS,
        metavar="N",
        help="steps between checkpoints, beside that after each epoch [%(default)s]",
    )
    return parser


def _train(options: argparse.Namespace) -> None:
    for name, least in (("size_px", SIDE_MIN_PX), ("batch", 2), ("seed", 0)):
        if getattr(options, name) < least:
            raise ValueError(f"--{name.replace('_', '-')} is {getattr(options, name)} but must be at least {least}")
    if options.learning_rate is not None and not options.learning_rate > 0:
        raise ValueError(f"--learning-rate is {options.learning_rate} but must be more than 0")
    fabric = open_fabric(Hardware(options.device, precision=options.precision))
    data = load_data(options.data, size_px=options.size_px, seed=options.seed, downloads=options.downloads)
    run_folder = options.run or Path("runs") / f"{options.arch}-{data.name}"
    with sole_use(run_folder):
        trainer = ClassifierTrainer(
            ClassifierSettings(
                architecture=options.arch,
                batch_norm=options.batch_norm,
                epochs=options.epochs or 0,
                batch=options.batch,
                learning_rate=options.learning_rate or 0.0,
                seed=options.seed,
            ),
            data,
            fabric=fabric,
            run_folder=run_folder,
            checkpoint_steps=options.checkpoint_steps,
        )
        with ClassifierReport(trainer, run_folder) as report:
            for loss in trainer.run(minutes=options.minutes):
                report.step(loss)
            report.finish()
