"""The loop of a CycleGAN: two optimisers in turn, a history of generated pictures, checkpoints that resume exactly."""

import dataclasses
import json
import math
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils.data import DataLoader

from training.cyclegan import CycleGan
from training.dataset import StepSampler, UnpairedDataset
from training.objective import sheet
from training.objective_cyclegan import DiscriminatorObjective, DomainTexture, GeneratorObjective
from training.picture_buffer import PictureBuffer
from training.recipe import CycleGanRecipe
from training.run_folder import NETWORK_FILE, load_checkpoint, make_run_folder, save_checkpoint, save_network
from training.trainer import NonFiniteLossError

# The generator of the other direction, which a style does not need but the cycle's figures do.
UNPAINTER_FILE = "unpainter.safetensors"
# Paper, section 7.1, and the authors' code.
BETAS = (0.5, 0.999)
# Of the run; over the rest the rate falls to 0 (100 of 200 epochs in the paper).
CONSTANT_RATE_SHARE = 0.5
# Tells the random numbers of the buffers from those that draw pictures, which are of the same seed and step.
BUFFER_STREAM = 2


class CycleGanTrainer:
    """Train the generators of `networks` against the discriminators on the items of `dataset`.

    As with `Trainer`, a run folder with a checkpoint is continued, bit for bit as if it had not been stopped (on CPUs).
    Departure from the paper: what is kept are averages over the steps (EMA) of both generators, which flicker less.
    """

    def __init__(
        self,
        networks: CycleGan,
        dataset: UnpairedDataset,
        *,
        recipe: CycleGanRecipe,
        fabric: Fabric,
        run_folder: Path,
        previewed: tuple[Tensor, Tensor],
        facts: dict[str, str],
        domain: DomainTexture | None = None,
        workers: int = 0,
        checkpoint_steps: int,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`previewed` are photographs and paintings (N, 3, side, side); `domain` is for a texture weight."""
        self.recipe = recipe
        self.step = 0
        self.elapsed_s = 0.0
        self.progress = 0.0
        self.losses: dict[str, float] = {}
        self._dataset = dataset
        self._fabric = fabric
        self._run_folder = run_folder
        self._previewed = previewed
        self._facts = facts
        self._workers = workers
        self._checkpoint_steps = checkpoint_steps
        self._clock = clock
        self._buffers = {"painted": PictureBuffer(), "unpainted": PictureBuffer()}
        self._networks = {field.name: getattr(networks, field.name) for field in dataclasses.fields(networks)}
        for network in self._networks.values():
            network.to(memory_format=torch.channels_last)
        generator_objective = GeneratorObjective(networks, recipe, domain=domain)
        discriminator_objective = DiscriminatorObjective(networks)
        self._weights = generator_objective.weights
        self._generators, generator_optimizer = fabric.setup(
            generator_objective, _adam(generator_objective, recipe.learning_rate)
        )
        self._discriminators, discriminator_optimizer = fabric.setup(
            discriminator_objective, _adam(discriminator_objective, recipe.discriminator_learning_rate)
        )
        self._optimizers = {"generators": generator_optimizer, "discriminators": discriminator_optimizer}
        average = torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema_decay)
        self._averages = {
            name: torch.optim.swa_utils.AveragedModel(self._networks[name], multi_avg_fn=average)
            for name in ("painter", "unpainter")
        }
        make_run_folder(run_folder)
        self._resume()

    @property
    def learning_rate(self) -> float:
        """The generators' rate in the next step: constant for half of the run, then linearly to 0."""
        return self.recipe.learning_rate * self._rate_share

    @property
    def _rate_share(self) -> float:
        return min(1.0, (1 - self.progress) / (1 - CONSTANT_RATE_SHARE))

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
            self.elapsed_s = self._clock() - started_s
            self.progress = min(1.0, self.elapsed_s / (minutes * 60) if minutes else self.step / self.recipe.steps)
            if self.progress >= 1:
                break
            self.losses = self._train_step(self._fabric.to_device(next(batches)))
            self.step += 1
            if self.step % self._checkpoint_steps == 0:
                self._save_checkpoint()
            yield self.losses
        self._save_checkpoint()
        self._save_networks()

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Return a sheet (3, H, W): photographs, painted, recovered; paintings, as photographs, recovered."""
        painter, unpainter = self._averages["painter"].module, self._averages["unpainter"].module
        photographs, paintings = (self._fabric.to_device(pictures) for pictures in self._previewed)
        painted, unpainted = painter(photographs), unpainter(paintings)
        rows = [photographs, painted, unpainter(painted), paintings, unpainted, painter(unpainted)]
        return sheet([row.float() for row in rows]).cpu()

    def _loader(self) -> DataLoader[dict[str, Tensor]]:
        return DataLoader(
            self._dataset,
            batch_sampler=StepSampler(self.step, batch=self.recipe.batch, device=0, devices=1),
            num_workers=self._workers,
            pin_memory=self._fabric.device.type == "cuda",
        )

    def _train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        _set_rate(self._optimizers["generators"], self.learning_rate)
        _set_rate(self._optimizers["discriminators"], self.recipe.discriminator_learning_rate * self._rate_share)
        self._discriminators.requires_grad_(False)
        terms, painted, unpainted = self._generators(batch)
        weighted = torch.stack([self._weights[name] * term for name, term in terms.items()]).sum()
        self._fabric.backward(weighted)
        norms = {"gradient of the generators": self._take_step("generators")}
        for name, average in self._averages.items():
            average.update_parameters(self._networks[name])

        self._discriminators.requires_grad_(True)
        random = np.random.default_rng((self.recipe.seed, self.step, BUFFER_STREAM))
        old_and_new = [
            buffer.exchange(generated, random)
            for buffer, generated in zip(self._buffers.values(), (painted, unpainted), strict=True)
        ]
        judged = self._discriminators(batch, *old_and_new)
        self._fabric.backward(torch.stack(list(judged.values())).sum())
        norms["gradient of the discriminators"] = self._take_step("discriminators")

        terms = terms | judged
        # Read only now: one wait for the device a step.
        values = torch.stack([*terms.values(), *norms.values()]).detach().tolist()
        losses = dict(zip(terms, values, strict=False))
        # The scaler of float16 looks for infinite gradients itself, and skips their steps.
        checked = losses if self._scales_gradients else dict(zip(terms | norms, values, strict=True))
        culprits = [name for name, value in checked.items() if not math.isfinite(value)]
        if culprits:
            raise NonFiniteLossError(f"{', '.join(culprits)} not finite at step {self.step}; lower the learning rate")
        return losses

    def _take_step(self, side: str) -> Tensor:
        """Return the norm of the gradients that the step was taken with."""
        optimizer = self._optimizers[side]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
        optimizer.step()
        optimizer.zero_grad()
        return norm

    @property
    def _scales_gradients(self) -> bool:
        return bool(self._fabric.strategy.precision.state_dict())

    def _save_checkpoint(self) -> None:
        state = {
            "networks": {name: network.state_dict() for name, network in self._networks.items()},
            "averages": {name: average.state_dict() for name, average in self._averages.items()},
            "optimizers": {side: optimizer.state_dict() for side, optimizer in self._optimizers.items()},
            "buffers": {name: buffer.pictures for name, buffer in self._buffers.items()},
            "precision": self._fabric.strategy.precision.state_dict(),
            "losses": self.losses,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        save_checkpoint(self._run_folder, state, dataclasses.asdict(self.recipe))

    def _resume(self) -> None:
        state = load_checkpoint(self._run_folder, dataclasses.asdict(self.recipe), self._fabric.device)
        if state is None:
            return
        for name, network in self._networks.items():
            network.load_state_dict(state["networks"][name])
        for name, average in self._averages.items():
            average.load_state_dict(state["averages"][name])
        for side, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][side])
        for name, buffer in self._buffers.items():
            buffer.pictures = state["buffers"][name]
        self._fabric.strategy.precision.load_state_dict(state["precision"])
        self.losses = state["losses"]
        self.step = state["step"]
        self.elapsed_s = state["elapsed_s"]

    def _save_networks(self) -> None:
        metadata = {
            **self._facts,
            "network": type(self._networks["painter"]).__name__,
            "recipe": json.dumps(dataclasses.asdict(self.recipe)),
            "steps": str(self.step),
            "minutes": f"{self.elapsed_s / 60:.1f}",
            "losses": json.dumps(self.losses),
        }
        for name, file in (("unpainter", UNPAINTER_FILE), ("painter", NETWORK_FILE)):
            save_network(self._run_folder / file, self._averages[name].module.state_dict(), metadata)


def _set_rate(optimizer: torch.optim.Optimizer, learning_rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = learning_rate


def _adam(objective: nn.Module, learning_rate: float) -> torch.optim.Adam:
    learning = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    return torch.optim.Adam(learning, lr=learning_rate, betas=BETAS, fused=True)
