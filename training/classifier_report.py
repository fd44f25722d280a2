"""What the training of a classifier shows: a bar or lines of text, TensorBoard, curves and the confusion of classes."""

import json
import logging
from pathlib import Path
from types import TracebackType

from matplotlib.figure import Figure
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter

from training.classifier_training import ClassifierTrainer
from training.report import TENSORBOARD_FOLDER, progress_bar

HISTORY_FILE, CURVES_FILE = "history.json", "curves.png"
CONFUSION_FILE, CONFUSION_PICTURE_FILE = "confusion.json", "confusion.png"
FIGURES_INTERVAL_STEPS = 10
# More classes than this are drawn without their names.
CLASSES_NAMED_MAX = 30

logger = logging.getLogger(__name__)


class ClassifierReport:
    """Follow a trainer, step by step, into `run_folder`.

    A terminal gets a bar with the time left, anything else a line an epoch.
    """

    def __init__(self, trainer: ClassifierTrainer, run_folder: Path) -> None:
        self._trainer = trainer
        self._run_folder = run_folder
        self._epochs = len(trainer.history)
        # What a run wrote after its last checkpoint is written again.
        self._writer = SummaryWriter(str(run_folder / TENSORBOARD_FOLDER), purge_step=trainer.step)
        self._bar = progress_bar(f"{trainer.settings.architecture} on {trainer.data.name}")

    def __enter__(self) -> "ClassifierReport":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()
        self._writer.close()

    def step(self, loss: float) -> None:
        """Record the step that the trainer just took."""
        trainer = self._trainer
        if trainer.step % FIGURES_INTERVAL_STEPS == 0:
            self._writer.add_scalar("loss/step", loss, trainer.step)
            self._bar.set_postfix_str(f"step {trainer.step}  loss {loss:.3f}", refresh=False)
            self._bar.update(trainer.progress - self._bar.n)
        self._write_epochs()

    def finish(self) -> None:
        """Write what the end of the run added, and say how good the network is."""
        self._write_epochs()
        trainer = self._trainer
        logger.info(
            "%s on %s: top-1 %.1f %% of %d held-out pictures (chance %.1f %%) after %d steps in %.1f min, in %s",
            trainer.settings.architecture,
            trainer.data.name,
            100 * trainer.history[-1]["top1"],
            len(trainer.data.held_out),
            100 / len(trainer.data.class_names),
            trainer.step,
            trainer.elapsed_s / 60,
            self._run_folder,
        )

    def _write_epochs(self) -> None:
        trainer = self._trainer
        if len(trainer.history) == self._epochs:
            return
        for figures in trainer.history[self._epochs :]:
            for name in ("loss", "held_out_loss", "top1", "learning_rate"):
                self._writer.add_scalar(f"epoch/{name}", figures[name], int(figures["step"]))
            if self._bar.disable:
                left_min = figures["minutes"] * (1 / trainer.progress - 1) if trainer.progress else 0.0
                logger.info(
                    "epoch %.1f  %.1f min, %.1f left  loss %.3f  held-out loss %.3f  top-1 %.1f %%  rate %.2g",
                    *(figures["epoch"], figures["minutes"], left_min, figures["loss"], figures["held_out_loss"]),
                    *(100 * figures["top1"], figures["learning_rate"]),
                )
        self._epochs = len(trainer.history)
        _write_json(trainer.history, self._run_folder / HISTORY_FILE)
        draw_curves(trainer.history, self._run_folder / CURVES_FILE)
        if trainer.evaluation:
            confusion, names = trainer.evaluation.confusion, trainer.data.class_names
            _write_json({"classes": names, "confusion": confusion.tolist()}, self._run_folder / CONFUSION_FILE)
            draw_confusion(confusion, names, self._run_folder / CONFUSION_PICTURE_FILE)


def draw_curves(history: list[dict[str, float]], path: Path) -> None:
    """Draw losses and accuracy over the epochs of `ClassifierTrainer.history` as a PNG."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    losses, accuracy = figure.subplots(1, 2)
    epochs = [figures["epoch"] for figures in history]
    losses.plot(epochs, [figures["loss"] for figures in history], label="training")
    losses.plot(epochs, [figures["held_out_loss"] for figures in history], label="held out")
    losses.set(xlabel="epoch", ylabel="cross-entropy", ylim=(0, None))
    losses.legend()
    accuracy.plot(epochs, [100 * figures["top1"] for figures in history])
    accuracy.set(xlabel="epoch", ylabel="top-1 of held-out pictures, %", ylim=(0, None))
    figure.savefig(path)


def draw_confusion(confusion: Tensor, class_names: tuple[str, ...], path: Path) -> None:
    """Draw shares of each true class, a row, as a PNG."""
    shares = confusion / confusion.sum(1, keepdim=True).clamp(min=1)
    figure = Figure(figsize=(7, 6), layout="constrained")
    axes = figure.subplots()
    figure.colorbar(axes.imshow(shares.numpy(), vmin=0, vmax=1, cmap="viridis"), label="share of the true class")
    if len(class_names) <= CLASSES_NAMED_MAX:
        axes.set_xticks(range(len(class_names)), class_names, rotation=90)
        axes.set_yticks(range(len(class_names)), class_names)
    axes.set(xlabel="named", ylabel="true")
    figure.savefig(path)


def _write_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value, indent=1) + "\n", encoding="utf-8")
