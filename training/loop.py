"""The training loop: from step to step until a run ends, with averages, checkpoints that resume exactly, and results.

It knows neither networks nor losses: a trainer says what a step is (`trainer.py`, `trainer_cyclegan.py`), and what a
step sees is the dataset's, whose item i depends on the recipe's seed and on i alone.
"""

import json
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn
from torch.utils.data import DataLoader, Dataset

from training.dataset import StepSampler
from training.hardware import scales_gradients
from training.recipe import AnyRecipe
from training.run_folder import load_checkpoint, make_run_folder, save_checkpoint, save_network

CHECKPOINT_INTERVAL_STEPS = 100
# Where steps are slow, of seconds on a processor without bf16, checkpoints come more often than that.
CHECKPOINT_INTERVAL_S = 60.0


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message names the term and the step."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunPlan:
    """Where a run leaves its results, with which facts; `workers` is the number of processes that read pictures."""

    folder: Path
    facts: dict[str, str]
    workers: int = 0
    checkpoint_steps: int = CHECKPOINT_INTERVAL_STEPS
    clock: Callable[[], float] = time.monotonic


class TrainingLoop(ABC, Generic[AnyRecipe]):
    """Train on the items of `dataset`; `progress` (0 to 1) and `losses` are of the last step.

    The run's folder receives the checkpoint and, at the end, the averaged networks (EMA) with the recipe, the last
    losses and the plan's facts as metadata. A folder with a checkpoint is continued, bit for bit as if the run had not
    been stopped (on CPUs): all randomness of a step is a function of the recipe's seed and of the step's number, so
    that the number stands for the state of every generator and the position in the data. A subclass calls `_resume`
    once it has built what a checkpoint holds.

    Raises:
        ValueError: the checkpoint is of another recipe, picture or backbone, or the batch cannot be shared out among
            the devices.
    """

    def __init__(
        self, dataset: Dataset[dict[str, Tensor]], *, recipe: AnyRecipe, fabric: Fabric, plan: RunPlan
    ) -> None:
        if recipe.batch % fabric.world_size:
            raise ValueError(f"a batch of {recipe.batch} cannot be shared out among {fabric.world_size} devices")
        self.recipe = recipe
        self.step = 0
        self.elapsed_s = 0.0
        self.progress = 0.0
        self.losses: dict[str, float] = {}
        self._fabric = fabric
        self._dataset = dataset
        self._plan = plan
        self._saved_s = 0.0
        make_run_folder(plan.folder)

    @property
    @abstractmethod
    def learning_rate(self) -> float:
        """The rate of the next step."""

    @abstractmethod
    def preview(self) -> Tensor:
        """Return a sheet (3, H, W) of what the averaged networks make of fixed pictures, in float32 on the CPU."""

    @abstractmethod
    def _train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        """Take a step and return its terms, as `_checked` does."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold of this trainer."""

    @abstractmethod
    def _load_state(self, state: dict[str, Any]) -> None: ...

    @abstractmethod
    def _results(self) -> dict[str, AveragedModel]:
        """Return what a run leaves, by names of files, that which tells of the run's end last."""

    def run(self, *, minutes: float | None = None) -> Iterator[dict[str, float]]:
        """Train to the recipe's steps, or to `minutes` with the schedule fitted to them; yield the terms of each step.

        Raises:
            NonFiniteLossError: the training diverged; the last checkpoint is left as it was.
        """
        if not minutes and not self.recipe.steps:
            raise ValueError(f"the recipe {self.recipe.name} leaves its steps to a time budget; give minutes")
        started_s = self._plan.clock() - self.elapsed_s
        batches = iter(self._loader())
        while True:
            # One clock for all devices, or they would disagree on the last step.
            self.elapsed_s = self._fabric.broadcast(self._plan.clock() - started_s)
            self.progress = min(1.0, self.elapsed_s / (minutes * 60) if minutes else self.step / self.recipe.steps)
            if self.progress >= 1:
                break
            self.losses = self._train_step(self._fabric.to_device(next(batches)))
            self.step += 1
            is_due = self.elapsed_s - self._saved_s >= CHECKPOINT_INTERVAL_S
            if is_due or self.step % self._plan.checkpoint_steps == 0:
                self._save_checkpoint()
            yield self.losses
        self._save_checkpoint()
        self._save_results()

    def _loader(self) -> DataLoader[dict[str, Tensor]]:
        sampler = StepSampler(
            self.step, batch=self.recipe.batch, device=self._fabric.global_rank, devices=self._fabric.world_size
        )
        return DataLoader(
            self._dataset,
            batch_sampler=sampler,
            num_workers=self._plan.workers,
            pin_memory=self._fabric.device.type == "cuda",
        )

    def _checked(self, terms: Mapping[str, Tensor], norms: Mapping[str, Tensor]) -> dict[str, float]:
        """Return the mean of each term over the devices; `norms` are those of the gradients that they had.

        It waits for the device, which is why a step does so once, at its end.

        Raises:
            NonFiniteLossError: a term, or a norm where all terms are finite.
        """
        # The mean over devices makes all of them see a culprit.
        values: Any = self._fabric.all_reduce(torch.stack([*terms.values(), *norms.values()]).detach())
        figures = dict(zip((*terms, *norms), values.tolist(), strict=True))
        culprits = [name for name in terms if not math.isfinite(figures[name])]
        if not culprits and not scales_gradients(self._fabric):
            culprits = [name for name in norms if not math.isfinite(figures[name])]
        if culprits:
            raise NonFiniteLossError(f"{', '.join(culprits)} not finite at step {self.step}; lower the learning rate")
        return {name: figures[name] for name in terms}

    def _save_checkpoint(self) -> None:
        self._saved_s = self.elapsed_s
        if not self._fabric.is_global_zero:
            return
        state = {
            **self._state(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "losses": self.losses,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        save_checkpoint(self._plan.folder, state, self._identity())

    def _resume(self) -> None:
        state = load_checkpoint(self._plan.folder, self._identity(), self._fabric.device)
        if state is None:
            return
        self._load_state(state)
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self.losses = state["losses"]
        self.step = state["step"]
        self.elapsed_s = self._saved_s = state["elapsed_s"]

    def _identity(self) -> dict[str, Any]:
        """Return what a run must have in common with the one that it continues.

        A network may stand in for VGG19, and another picture be called as the one before.
        """
        facts = self._plan.facts
        return {
            **asdict(self.recipe),
            "vgg": facts.get("vgg", ""),
            "style pictures": facts.get("style_pictures_sha256", ""),
            "photographs": facts.get("photographs_sha256", ""),
            "clips": facts.get("clips_sha256", ""),
        }

    def _save_results(self) -> None:
        if not self._fabric.is_global_zero:
            return
        for file, average in self._results().items():
            metadata = {
                **self._plan.facts,
                "network": type(average.module).__name__,
                "recipe": json.dumps(asdict(self.recipe)),
                "steps": str(self.step),
                "minutes": f"{self.elapsed_s / 60:.1f}",
                "losses": json.dumps(self.losses),
            }
            save_network(self._plan.folder / file, average.module.state_dict(), metadata)


def average_of(network: nn.Module, recipe: AnyRecipe) -> AveragedModel:
    """Return the running average (EMA) of a network's weights over the steps."""
    return AveragedModel(network, multi_avg_fn=get_ema_multi_avg_fn(recipe.ema_decay))


def set_learning_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate
