"""Compare precisions in the training of a classifier, as steps a second against float32 in the same process.

    python -m benchmarks.classifier [--arch custom-vgg19] [--batch 64] [--size-px 64]

Whole steps are timed: views, forward, backward, AdamW. The precisions take turns, so that what else the machine does
meets all of them; the figure is the median over the rounds. Needs the extra [train]. Run it on an idle machine.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import torch

from training.classifier import ARCHITECTURES, CUSTOM_VGG19
from training.classifier_training import BATCH, ClassifierSettings, ClassifierTrainer
from training.classify_data import LabelledData, LabelledPictures
from training.hardware import DEVICES, Hardware, open_fabric

CLASSES = 10
ROUNDS = 7
STEPS_PER_ROUND = 3
BASE = "fp32"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arch", choices=ARCHITECTURES, default=CUSTOM_VGG19, help="[%(default)s]")
    parser.add_argument("--batch", type=int, default=BATCH, help="pictures a step [%(default)s]")
    parser.add_argument("--size-px", type=int, default=64, help="side of a picture [%(default)s]")
    parser.add_argument("--device", choices=DEVICES, default="cpu", help="[%(default)s]")
    options = parser.parse_args()
    precisions = (BASE, "bf16", "fp16") if options.device == "cuda" else (BASE, "bf16")
    with tempfile.TemporaryDirectory() as folder:
        runs = {precision: _run(precision, options, Path(folder) / precision) for precision in precisions}
        seconds = _measure(runs)
    print(f"{options.arch}, batches of {options.batch}, {options.size_px} px, {options.device}")
    print("| precision | steps a second | pictures a second | times as fast |\n|---|---|---|---|")
    for precision, step_s in seconds.items():
        times = seconds[BASE] / step_s
        print(f"| {precision} | {1 / step_s:.2f} | {options.batch / step_s:.0f} | {times:.2f} |")


def _run(precision: str, options: argparse.Namespace, run_folder: Path) -> Iterator[float]:
    """Return a training that yields after each step, in an epoch that outlasts the measurement."""
    count = options.batch * STEPS_PER_ROUND * (ROUNDS + 2)
    levels = torch.randint(256, (1, 3, options.size_px, options.size_px), dtype=torch.uint8)
    pictures = LabelledPictures(levels.expand(count, -1, -1, -1), torch.arange(count) % CLASSES)
    trainer = ClassifierTrainer(
        ClassifierSettings(options.arch, epochs=1, batch=options.batch),
        LabelledData("random", tuple(map(str, range(CLASSES))), pictures, pictures),
        fabric=open_fabric(Hardware(options.device, precision=precision)),
        run_folder=run_folder,
        checkpoint_steps=count,
    )
    return trainer.run()


def _measure(runs: dict[str, Iterator[float]]) -> dict[str, float]:
    """Return the median seconds of a step; the first round warms up."""
    rounds: dict[str, list[float]] = {precision: [] for precision in runs}
    for number in range(ROUNDS + 1):
        for precision, run in runs.items():
            started_s = time.perf_counter()
            for _ in range(STEPS_PER_ROUND):
                next(run)  # reads the loss, and so waits for the device
            if number:
                rounds[precision].append((time.perf_counter() - started_s) / STEPS_PER_ROUND)
    return {precision: statistics.median(values) for precision, values in rounds.items()}


if __name__ == "__main__":
    main()
