"""What a training shows while it runs: a progress bar or lines of text, TensorBoard, and a sheet of pictures."""

import logging
import statistics
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, NoReturn

from PIL import Image
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from training.loop import TrainingLoop

TENSORBOARD_FOLDER = "tensorboard"
PREVIEW_FILE = "preview.png"
FIGURES_INTERVAL_STEPS = 10
LINE_INTERVAL_STEPS = 50
PREVIEW_INTERVAL_STEPS = 200

logger = logging.getLogger(__name__)


def train_and_report(
    trainer: TrainingLoop[Any],
    run_folder: Path,
    *,
    minutes: float | None,
    preview_steps: int = PREVIEW_INTERVAL_STEPS,
) -> None:
    """Run a trainer to its end, with a report on it."""
    with Report(trainer, run_folder, preview_steps=preview_steps) as report:
        for _ in trainer.run(minutes=minutes):
            report.step()
        report.finish()


class Report:
    """Follow a trainer, step by step, into `run_folder`; `tensorboard --logdir` shows it.

    A terminal gets a bar with the time left, anything else a line every `LINE_INTERVAL_STEPS`. Figures are means since
    the last ones.
    """

    def __init__(self, trainer: TrainingLoop[Any], run_folder: Path, *, preview_steps: int) -> None:
        self._trainer = trainer
        self._preview_steps = preview_steps
        self._run_folder = run_folder
        self._losses: dict[str, list[float]] = {}
        self._line_losses: dict[str, list[float]] = {}
        # What a run wrote after its last checkpoint is written again.
        self._writer = SummaryWriter(str(run_folder / TENSORBOARD_FOLDER), purge_step=trainer.step)
        self._bar = progress_bar(trainer.recipe.name)

    def __enter__(self) -> "Report":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
        self._writer.close()

    def step(self) -> None:
        """Record the step that the trainer just took."""
        trainer = self._trainer
        for kept in (self._losses, *([self._line_losses] if self._bar.disable else [])):
            for name, value in trainer.losses.items():
                kept.setdefault(name, []).append(value)
        if trainer.step % FIGURES_INTERVAL_STEPS == 0:
            self._write_figures()
        if trainer.step % LINE_INTERVAL_STEPS == 0 and self._bar.disable:
            self._write_line()
        if trainer.step % self._preview_steps == 0:
            self.preview()

    def preview(self) -> None:
        """Write the sheet of the averaged network."""
        picture = self._trainer.preview()  # (3, H, W)
        self._writer.add_image("preview", picture, self._trainer.step)
        _save(picture, self._run_folder / PREVIEW_FILE)

    def finish(self) -> None:
        """Write the last sheet and how long the training took."""
        self.preview()
        trainer = self._trainer
        minutes = trainer.elapsed_s / 60
        logger.info("%s: %d steps in %.1f min, in %s", trainer.recipe.name, trainer.step, minutes, self._run_folder)

    def _write_figures(self) -> None:
        trainer = self._trainer
        means = _means(self._losses)
        for name, mean in means.items():
            self._writer.add_scalar(f"loss/{name}", mean, trainer.step)
        self._writer.add_scalar("learning_rate", trainer.learning_rate, trainer.step)
        if not self._bar.disable:
            figures = "  ".join(f"{name} {mean:.3g}" for name, mean in means.items())
            self._bar.set_postfix_str(f"step {trainer.step}  {figures}", refresh=False)
            self._bar.update(trainer.progress - self._bar.n)

    def _write_line(self) -> None:
        trainer = self._trainer
        left_min = trainer.elapsed_s / 60 * (1 / trainer.progress - 1) if trainer.progress else 0.0
        figures = "  ".join(f"{name} {mean:.5f}" for name, mean in _means(self._line_losses).items())
        logger.info(
            "%s  step %d  %.1f min, %.1f left  %s",
            *(trainer.recipe.name, trainer.step, trainer.elapsed_s / 60, left_min, figures),
        )


def progress_bar(name: str) -> "tqdm[NoReturn]":
    """Return a bar from 0 to 1 with the time left, disabled where there is no terminal."""
    return tqdm(
        total=1.0,
        desc=name,
        bar_format="{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}",
        disable=not sys.stderr.isatty(),
    )


def _means(losses: dict[str, list[float]]) -> dict[str, float]:
    """Return the mean of each, and forget them."""
    means = {name: statistics.fmean(values) for name, values in losses.items()}
    losses.clear()
    return means


def _save(picture: Tensor, path: Path) -> None:
    levels = (picture * 255).round().clamp(0, 255).byte().permute(1, 2, 0)
    Image.fromarray(levels.numpy()).save(path)
