"""The options of every `python -m training...` that trains one network from a recipe, declared once."""

import argparse
from pathlib import Path

from training.hardware import DEVICES, PRECISIONS, Hardware
from training.option_types import minutes


def add_run_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--run", type=Path, metavar="DIR", help="checkpoints and result [runs/NAME]")
    add("--minutes", type=minutes, help="time budget; the schedule is fitted to it [the recipe's steps]")
    add("--device", choices=DEVICES, default="auto", help="[%(default)s]")
    add("--precision", choices=PRECISIONS, default="auto", help="[%(default)s]")
    add("--workers", type=int, default=0, metavar="N", help="processes that read pictures [0: none]")


def hardware_of(options: argparse.Namespace) -> Hardware:
    return Hardware(options.device, precision=options.precision, workers=options.workers)
