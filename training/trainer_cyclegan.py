"""The training of a CycleGAN: two optimisers in turn, a history of generated pictures."""

import dataclasses
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from training.cyclegan import CycleGan
from training.dataset import UnpairedDataset
from training.loop import RunPlan, TrainingLoop, average_of, set_learning_rate
from training.objective import sheet
from training.objective_cyclegan import DiscriminatorObjective, DomainTexture, GeneratorObjective
from training.picture_buffer import PictureBuffer
from training.recipe import CycleGanRecipe
from training.run_folder import NETWORK_FILE

# The generator of the other direction, which a style does not need but the cycle's figures do.
UNPAINTER_FILE = "unpainter.safetensors"
# Paper, section 7.1, and the authors' code.
BETAS = (0.5, 0.999)
# Of the run; over the rest the rate falls to 0 (100 of 200 epochs in the paper).
CONSTANT_RATE_SHARE = 0.5
# Tells the random numbers of the buffers from those that draw pictures, which are of the same seed and step.
BUFFER_STREAM = 2


class CycleGanTrainer(TrainingLoop[CycleGanRecipe]):
    """Train the generators of `networks` against the discriminators on the items of `dataset`.

    The results are the painter, `NETWORK_FILE`, and the unpainter, `UNPAINTER_FILE`. Departure from the paper: what is
    kept are averages over the steps (EMA) of both generators, which flicker less.
    """

    def __init__(
        self,
        networks: CycleGan,
        dataset: UnpairedDataset,
        *,
        recipe: CycleGanRecipe,
        fabric: Fabric,
        plan: RunPlan,
        previewed: tuple[Tensor, Tensor],
        domain: DomainTexture | None = None,
    ) -> None:
        """`previewed` are photographs and paintings (N, 3, side, side); `domain` is for a texture weight."""
        super().__init__(dataset, recipe=recipe, fabric=fabric, plan=plan)
        self._previewed = previewed
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
        self._averages = {name: average_of(self._networks[name], recipe) for name in ("painter", "unpainter")}
        self._resume()

    @property
    def learning_rate(self) -> float:
        """The generators' rate in the next step: constant for half of the run, then linearly to 0."""
        return self.recipe.learning_rate * self._rate_share

    @property
    def _rate_share(self) -> float:
        return min(1.0, (1 - self.progress) / (1 - CONSTANT_RATE_SHARE))

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Return a sheet (3, H, W): photographs, painted, recovered; paintings, as photographs, recovered."""
        painter, unpainter = self._averages["painter"].module, self._averages["unpainter"].module
        photographs, paintings = (self._fabric.to_device(pictures) for pictures in self._previewed)
        painted, unpainted = painter(photographs), unpainter(paintings)
        rows = [photographs, painted, unpainter(painted), paintings, unpainted, painter(unpainted)]
        return sheet([row.float() for row in rows]).cpu()

    def _train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        set_learning_rate(self._optimizers["generators"], self.learning_rate)
        set_learning_rate(
            self._optimizers["discriminators"], self.recipe.discriminator_learning_rate * self._rate_share
        )
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

        return self._checked(terms | judged, norms)

    def _take_step(self, side: str) -> Tensor:
        """Return the norm of the gradients that the step was taken with."""
        optimizer = self._optimizers[side]
        parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
        norm = torch.nn.utils.get_total_norm([each.grad for each in parameters if each.grad is not None])
        optimizer.step()
        optimizer.zero_grad()
        return norm

    def _state(self) -> dict[str, Any]:
        return {
            "networks": {name: network.state_dict() for name, network in self._networks.items()},
            "averages": {name: average.state_dict() for name, average in self._averages.items()},
            "optimizers": {side: optimizer.state_dict() for side, optimizer in self._optimizers.items()},
            "buffers": {name: buffer.pictures for name, buffer in self._buffers.items()},
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        for name, network in self._networks.items():
            network.load_state_dict(state["networks"][name])
        for name, average in self._averages.items():
            average.load_state_dict(state["averages"][name])
        for side, optimizer in self._optimizers.items():
            optimizer.load_state_dict(state["optimizers"][side])
        for name, buffer in self._buffers.items():
            buffer.pictures = state["buffers"][name]

    def _results(self) -> dict[str, AveragedModel]:
        return {UNPAINTER_FILE: self._averages["unpainter"], NETWORK_FILE: self._averages["painter"]}


def _adam(objective: nn.Module, learning_rate: float) -> torch.optim.Adam:
    learning = [parameter for parameter in objective.parameters() if parameter.requires_grad]
    return torch.optim.Adam(learning, lr=learning_rate, betas=BETAS, fused=True)
