"""The training loop: precision and devices by Fabric, EMA, a schedule, checkpoints that resume exactly.

It knows neither networks nor losses; those are the `Objective`'s, and what a step sees is the dataset's, whose
item i depends on the recipe's seed and on i alone.
"""

import json
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from training.dataset import StepSampler
from training.objective import Objective
from training.recipe import LoopRecipe
from training.run_folder import NETWORK_FILE, load_checkpoint, make_run_folder, save_checkpoint, save_network

CHECKPOINT_INTERVAL_STEPS = 100


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message names the term and the step."""


class Trainer:
    """Minimise `objective` over the items of `dataset`.

    `run_folder` receives the checkpoint and, at the end, `NETWORK_FILE`: the EMA weights with the recipe, the last
    losses and `facts` as metadata. A run folder with a checkpoint is continued, bit for bit as if it had not been
    stopped (on CPUs): all randomness of a step is a function of the recipe's seed and of the step's number, so that the
    number stands for the state of every generator and the position in the data.

    Raises:
        ValueError: the checkpoint is of another recipe, or the batch cannot be shared out among the devices.
    """

    def __init__(
        self,
        objective: Objective,
        dataset: Dataset[dict[str, Tensor]],
        *,
        recipe: LoopRecipe,
        fabric: Fabric,
        run_folder: Path,
        facts: dict[str, str],
        workers: int = 0,
        checkpoint_steps: int = CHECKPOINT_INTERVAL_STEPS,
        clock: Callable[[], float] = time.monotonic,
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
        self._workers = workers
        self._run_folder = run_folder
        self._facts = facts
        self._checkpoint_steps = checkpoint_steps
        self._clock = clock
        self._network = objective.network.to(memory_format=torch.channels_last)
        learning = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(learning, lr=recipe.learning_rate)
        self._objective, self._optimizer = fabric.setup(objective, optimizer)
        self._ema = torch.optim.swa_utils.AveragedModel(
            self._network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema_decay)
        )
        make_run_folder(run_folder)
        self._resume()

    @property
    def learning_rate(self) -> float:
        """The rate of the next step: a linear warm-up, then half a cosine over the progress of the run."""
        warmup = min(1.0, (self.step + 1) / self.recipe.warmup_steps) if self.recipe.warmup_steps else 1.0
        return self.recipe.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * self.progress))

    def run(self, *, minutes: float | None = None) -> Iterator[dict[str, float]]:
        """Train to the recipe's steps, or to `minutes` with the schedule fitted to them; yield the terms of each step.

        Raises:
            NonFiniteLossError: the training diverged; the last checkpoint is left as it was.
        """
        if not minutes and not self.recipe.steps:
            raise ValueError(f"the recipe {self.recipe.name} leaves its steps to a time budget; give minutes")
        started_s = self._clock() - self.elapsed_s
        batches = iter(self._loader())
        while True:
            # One clock for all devices, or they would disagree on the last step.
            self.elapsed_s = self._fabric.broadcast(self._clock() - started_s)
            self.progress = min(1.0, self.elapsed_s / (minutes * 60) if minutes else self.step / self.recipe.steps)
            if self.progress >= 1:
                break
            self.losses = self._train_step(self._fabric.to_device(next(batches)))
            self.step += 1
            if self.step % self._checkpoint_steps == 0:
                self._save_checkpoint()
            yield self.losses
        self._save_checkpoint()
        self._save_network()

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Return the objective's sheet (3, H, W) of the averaged network, in float32 on the CPU."""
        return self._objective.module.preview(self._ema.module).float().cpu()

    def _loader(self) -> DataLoader[dict[str, Tensor]]:
        sampler = StepSampler(
            self.step, batch=self.recipe.batch, device=self._fabric.global_rank, devices=self._fabric.world_size
        )
        return DataLoader(
            self._dataset,
            batch_sampler=sampler,
            num_workers=self._workers,
            pin_memory=self._fabric.device.type == "cuda",
        )

    def _train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        for group in self._optimizer.param_groups:
            group["lr"] = self.learning_rate
        terms = self._objective(batch)
        weights = self._objective.module.weights
        self._optimizer.zero_grad()
        self._fabric.backward(torch.stack([weights[name] * term for name, term in terms.items()]).sum())
        norm: Any = self._fabric.clip_gradients(
            self._objective, self._optimizer, max_norm=self.recipe.gradient_norm_max, error_if_nonfinite=False
        )
        self._optimizer.step()
        self._ema.update_parameters(self._network)
        # Read only now: one wait for the device a step. The mean over devices makes all of them see a culprit.
        values = _mean_over_devices(self._fabric, torch.stack([*terms.values(), norm]).detach()).tolist()
        losses = dict(zip(terms, values, strict=False))
        culprits = [name for name, value in losses.items() if not math.isfinite(value)]
        # The scaler of float16 looks for infinite gradients itself, and skips their steps.
        if not culprits and not math.isfinite(values[-1]) and not self._scales_gradients:
            culprits = ["gradient"]
        if culprits:
            raise NonFiniteLossError(f"{', '.join(culprits)} not finite at step {self.step}; lower the learning rate")
        return losses

    @property
    def _scales_gradients(self) -> bool:
        return bool(self._fabric.strategy.precision.state_dict())

    def _save_checkpoint(self) -> None:
        state = {
            "network": self._network.state_dict(),
            "ema": self._ema.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "precision": self._fabric.strategy.precision.state_dict(),
            "losses": self.losses,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        if self._fabric.is_global_zero:
            save_checkpoint(self._run_folder, state, asdict(self.recipe))

    def _resume(self) -> None:
        state = load_checkpoint(self._run_folder, asdict(self.recipe), self._fabric.device)
        if state is None:
            return
        self._network.load_state_dict(state["network"])
        self._ema.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self.losses = state["losses"]
        self.step = state["step"]
        self.elapsed_s = state["elapsed_s"]

    def _save_network(self) -> None:
        if not self._fabric.is_global_zero:
            return
        metadata = {
            **self._facts,
            "network": type(self._network).__name__,
            "recipe": json.dumps(asdict(self.recipe)),
            "steps": str(self.step),
            "minutes": f"{self.elapsed_s / 60:.1f}",
            "losses": json.dumps(self.losses),
        }
        save_network(self._run_folder / NETWORK_FILE, self._ema.module.state_dict(), metadata)


def _mean_over_devices(fabric: Fabric, values: Tensor) -> Tensor:
    reduced = fabric.all_reduce(values)
    assert isinstance(reduced, Tensor)
    return reduced
