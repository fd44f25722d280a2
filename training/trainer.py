"""The training of one network: Adam, a rate that falls with half a cosine, clipped gradients, one or several devices.

It knows neither the network nor its losses; those are the `Objective`'s.
"""

import math
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor
from torch.optim.swa_utils import AveragedModel
from torch.utils.data import Dataset

from training.loop import RunPlan, TrainingLoop, average_of, set_learning_rate
from training.objective import Objective
from training.recipe import LoopRecipe
from training.run_folder import NETWORK_FILE


class Trainer(TrainingLoop[LoopRecipe]):
    """Minimise `objective` over the items of `dataset`; the result is `NETWORK_FILE`."""

    def __init__(
        self,
        objective: Objective,
        dataset: Dataset[dict[str, Tensor]],
        *,
        recipe: LoopRecipe,
        fabric: Fabric,
        plan: RunPlan,
    ) -> None:
        super().__init__(dataset, recipe=recipe, fabric=fabric, plan=plan)
        self._network = objective.network.to(memory_format=torch.channels_last)
        learning = [parameter for parameter in self._network.parameters() if parameter.requires_grad]
        optimizer = torch.optim.Adam(learning, lr=recipe.learning_rate)
        self._objective, self._optimizer = fabric.setup(objective, optimizer)
        self._average = average_of(self._network, recipe)
        self._resume()

    @property
    def learning_rate(self) -> float:
        """The rate of the next step: a linear warm-up, then half a cosine over the progress of the run."""
        warmup = min(1.0, (self.step + 1) / self.recipe.warmup_steps) if self.recipe.warmup_steps else 1.0
        return self.recipe.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * self.progress))

    @torch.no_grad()
    def preview(self) -> Tensor:
        """Return the objective's sheet (3, H, W) of the averaged network, in float32 on the CPU."""
        return self._objective.module.preview(self._average.module).float().cpu()

    def _train_step(self, batch: dict[str, Tensor]) -> dict[str, float]:
        set_learning_rate(self._optimizer, self.learning_rate)
        terms = self._objective(batch)
        weights = self._objective.module.weights
        self._optimizer.zero_grad()
        self._fabric.backward(torch.stack([weights[name] * term for name, term in terms.items()]).sum())
        norm: Any = self._fabric.clip_gradients(
            self._objective, self._optimizer, max_norm=self.recipe.gradient_norm_max, error_if_nonfinite=False
        )
        self._optimizer.step()
        self._average.update_parameters(self._network)
        return self._checked(terms, {"gradient": norm})

    def _state(self) -> dict[str, Any]:
        return {
            "network": self._network.state_dict(),
            "ema": self._average.state_dict(),
            "optimizer": self._optimizer.state_dict(),
        }

    def _load_state(self, state: dict[str, Any]) -> None:
        self._network.load_state_dict(state["network"])
        self._average.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])

    def _results(self) -> dict[str, AveragedModel]:
        return {NETWORK_FILE: self._average}
