"""The training of a classifier: AdamW, a rate that falls on plateaus, Fabric, and checkpoints that resume exactly.

Beside `loop.py`, and not in it: here the held-out pictures steer the rate, and an epoch has an end.
"""

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.nn import functional

from training.augment import random_views
from training.classifier import ClassifierFacts, build_classifier, save_classifier
from training.classify_data import LabelledData
from training.hardware import scales_gradients
from training.loop import CHECKPOINT_INTERVAL_S, CHECKPOINT_INTERVAL_STEPS, NonFiniteLossError
from training.run_folder import NETWORK_FILE, load_checkpoint, make_run_folder, save_checkpoint

BATCH = 64
# A tenth without batch norm, as a precaution: 16 layers amplify what a step changes. Neither has been tuned.
LEARNING_RATE, LEARNING_RATE_WITHOUT_NORM = 1e-3, 1e-4
WEIGHT_DECAY = 0.05
# A rate falls to this share after so many epochs whose held-out loss was no new best.
PLATEAU_FACTOR, PLATEAU_PATIENCE_EPOCHS = 0.3, 2
WARMUP_STEPS = 50
# Over the last part of a run the rate sinks to zero: a run that fits an hour may end before it finds a plateau, and
# its last steps would leave the network wherever a full rate takes it.
COOL_DOWN_SHARE = 0.2
GRADIENT_NORM_MAX = 5.0


@dataclass(frozen=True, slots=True)
class ClassifierSettings:
    """How a classifier is trained; `epochs` 0 leaves the length to a time budget, `learning_rate` 0 to the network."""

    architecture: str
    batch_norm: bool = True
    epochs: int = 0
    batch: int = BATCH
    learning_rate: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Figures of the held-out pictures: mean cross-entropy, and `confusion` (K, K), int64, true class by named one."""

    loss: float
    confusion: Tensor

    @property
    def top1(self) -> float:
        return float(self.confusion.trace() / self.confusion.sum())


class ClassifierTrainer:
    """Train a network of `settings` on `data`, in `run_folder`; a run folder with a checkpoint is continued.

    It continues bit for bit as if it had not been stopped (on CPUs, to a number of epochs): all randomness of a step
    is a function of the seed and of the step's number. `history` has the figures of each epoch, also of a last one that
    the time budget cuts short. There is no third set of pictures: the held-out ones that the accuracy is measured on
    also lower the rate, but they choose no network; what is saved is the last.

    Raises:
        ValueError: the checkpoint is of another training, or the architecture does not exist.
    """

    def __init__(
        self,
        settings: ClassifierSettings,
        data: LabelledData,
        *,
        fabric: Fabric,
        run_folder: Path,
        checkpoint_steps: int = CHECKPOINT_INTERVAL_STEPS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.data = data
        self.step = 0
        self.elapsed_s = 0.0
        self._saved_s = 0.0
        self.progress = 0.0
        self.history: list[dict[str, float]] = []
        self.evaluation: Evaluation | None = None
        self.steps_per_epoch = max(1, len(data.train) // settings.batch)
        self._fabric = fabric
        self._run_folder = run_folder
        self._checkpoint_steps = checkpoint_steps
        self._clock = clock
        self._losses: list[float] = []  # since the last evaluation
        torch.manual_seed(settings.seed)
        network = build_classifier(
            settings.architecture, classes=len(data.class_names), batch_norm=settings.batch_norm
        ).to(memory_format=torch.channels_last)
        self._raw_optimizer = torch.optim.AdamW(
            network.parameters(), lr=self._first_rate(settings.learning_rate), weight_decay=WEIGHT_DECAY
        )
        self._schedule = torch.optim.lr_scheduler.ReduceLROnPlateau(
            self._raw_optimizer, factor=PLATEAU_FACTOR, patience=PLATEAU_PATIENCE_EPOCHS
        )
        self._network = network
        self._wrapped, self._optimizer = fabric.setup(network, self._raw_optimizer)
        make_run_folder(run_folder)
        self._resume()

    @property
    def plateau_rate(self) -> float:
        """The rate that the plateaus so far have left."""
        return float(self._raw_optimizer.param_groups[0]["lr"])

    def run(self, *, minutes: float | None = None) -> Iterator[float]:
        """Train to the settings' epochs, or for `minutes`; yield the loss of each step.

        Raises:
            NonFiniteLossError: the training diverged; the last checkpoint is left as it was.
        """
        if not minutes and not self.settings.epochs:
            raise ValueError("neither epochs nor minutes are given; one of them must say how long to train")
        started_s = self._clock() - self.elapsed_s
        steps = self.settings.epochs * self.steps_per_epoch
        while True:
            self.elapsed_s = self._clock() - started_s
            self.progress = min(1.0, self.elapsed_s / (minutes * 60) if minutes else self.step / steps)
            if self.progress >= 1 and self.step:
                break
            loss = self._train_step()
            self.step += 1
            self._losses.append(loss)
            if self.step % self.steps_per_epoch == 0:
                self.elapsed_s = self._clock() - started_s
                evaluation = self._finish_epoch()
                self._schedule.step(evaluation.loss)
                self._save_checkpoint()
            elif self.elapsed_s - self._saved_s >= CHECKPOINT_INTERVAL_S or self.step % self._checkpoint_steps == 0:
                self._save_checkpoint()
            yield loss
        if self._losses:
            self._finish_epoch()
            self._save_checkpoint()
        self._save_network()

    def _train_step(self) -> float:
        pictures, labels = self._batch()
        self._wrapped.train()
        self._optimizer.zero_grad()
        loss = functional.cross_entropy(self._wrapped(pictures), labels)
        self._fabric.backward(loss)
        norm: Any = self._fabric.clip_gradients(
            self._wrapped, self._optimizer, max_norm=GRADIENT_NORM_MAX, error_if_nonfinite=False
        )
        if not torch.isfinite(loss) or not (scales_gradients(self._fabric) or torch.isfinite(norm)):
            raise NonFiniteLossError(f"loss or gradient not finite at step {self.step}; lower the learning rate")
        (group,) = self._raw_optimizer.param_groups
        rate = group["lr"]
        group["lr"] = rate * self._rate_factor()
        self._optimizer.step()
        group["lr"] = rate
        return float(loss.detach())

    def _rate_factor(self) -> float:
        return min(1.0, (self.step + 1) / WARMUP_STEPS, (1 - self.progress) / COOL_DOWN_SHARE)

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Return what the next step sees: pictures (B, 3, S, S) in [0, 1] and labels (B,)."""
        settings, train = self.settings, self.data.train
        epoch, number = divmod(self.step, self.steps_per_epoch)
        order = torch.from_numpy(np.random.default_rng((settings.seed, epoch)).permutation(len(train)))
        chosen = order[number * settings.batch : (number + 1) * settings.batch]
        # For the views and, in the step, for dropout.
        torch.manual_seed(int(np.random.SeedSequence((settings.seed, self.step)).generate_state(1)[0]))
        pictures = self._to_device(train.pictures[chosen])
        return random_views(pictures), self._fabric.to_device(train.labels[chosen])

    def _to_device(self, levels: Tensor) -> Tensor:
        pictures: Tensor = self._fabric.to_device(levels).float() / 255
        return pictures.to(memory_format=torch.channels_last)

    @torch.no_grad()
    def evaluate(self) -> Evaluation:
        """Return the figures of the held-out pictures."""
        held_out, classes = self.data.held_out, len(self.data.class_names)
        self._wrapped.eval()
        loss, confusion = 0.0, torch.zeros(classes, classes, dtype=torch.int64)
        batches = zip(
            held_out.pictures.split(self.settings.batch), held_out.labels.split(self.settings.batch), strict=True
        )
        for levels, labels in batches:
            logits = self._wrapped(self._to_device(levels)).cpu()
            loss += float(functional.cross_entropy(logits, labels, reduction="sum"))
            confusion += confusion_matrix(labels, logits.argmax(1), classes=classes)
        return Evaluation(loss / len(held_out), confusion)

    def _finish_epoch(self) -> Evaluation:
        evaluation = self.evaluation = self.evaluate()
        if not math.isfinite(evaluation.loss):
            raise NonFiniteLossError(f"held-out loss not finite at step {self.step}; lower the learning rate")
        self.history.append(
            {
                "epoch": self.step / self.steps_per_epoch,
                "step": self.step,
                "minutes": self.elapsed_s / 60,
                "loss": sum(self._losses) / len(self._losses),
                "held_out_loss": evaluation.loss,
                "top1": evaluation.top1,
                "learning_rate": self.plateau_rate * self._rate_factor(),
            }
        )
        self._losses = []
        return evaluation

    def _identity(self) -> dict[str, Any]:
        """Return what a checkpoint must share with the training that continues it."""
        data = self.data
        return {
            **asdict(self.settings),
            "data": data.name,
            "size_px": data.side_px,
            "class_names": list(data.class_names),
            "number of pictures": [len(data.train), len(data.held_out)],
        }

    def _first_rate(self, chosen: float) -> float:
        return chosen or (LEARNING_RATE if self.settings.batch_norm else LEARNING_RATE_WITHOUT_NORM)

    def _save_checkpoint(self) -> None:
        self._saved_s = self.elapsed_s
        state = {
            "network": self._network.state_dict(),
            "optimizer": self._raw_optimizer.state_dict(),
            "schedule": self._schedule.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "losses": self._losses,
            "history": self.history,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        save_checkpoint(self._run_folder, state, self._identity())

    def _resume(self) -> None:
        state = load_checkpoint(self._run_folder, self._identity(), self._fabric.device)
        if state is None:
            return
        self._network.load_state_dict(state["network"])
        self._raw_optimizer.load_state_dict(state["optimizer"])
        # A run that diverged goes on with a lower rate.
        change = self._first_rate(self.settings.learning_rate) / self._first_rate(state["recipe"]["learning_rate"])
        self._raw_optimizer.param_groups[0]["lr"] *= change
        self._schedule.load_state_dict(state["schedule"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self._losses = state["losses"]
        self.history = state["history"]
        self.step = state["step"]
        self.elapsed_s = self._saved_s = state["elapsed_s"]

    def _save_network(self) -> None:
        data = self.data
        facts = ClassifierFacts(
            architecture=self.settings.architecture,
            batch_norm=self.settings.batch_norm,
            class_names=data.class_names,
            data=data.name,
            size_px=data.side_px,
            top1=self.history[-1]["top1"],
            minutes=round(self.elapsed_s / 60, 1),
            steps=self.step,
            precision=self._fabric.strategy.precision.precision,
        )
        save_classifier(self._network, facts, self._run_folder / NETWORK_FILE)


def confusion_matrix(labels: Tensor, named: Tensor, *, classes: int) -> Tensor:
    """Return (K, K), int64: how many pictures of class `row` were named `column`, of numbers (N,) of classes."""
    return torch.bincount(labels * classes + named, minlength=classes**2).view(classes, classes)
