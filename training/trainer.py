"""The training loop of a feed-forward style: perceptual loss, coherence, EMA, checkpoints that resume exactly."""

import json
import math
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.utils.data import DataLoader, Subset

from training.coherence import CoherenceLoss
from training.grid import grid_loss
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, content_loss, gram_matrix, style_loss, total_variation
from training.photograph import PhotographFolder, load_picture, to_tensor
from training.recipe import FeedForwardRecipe
from training.vgg import Vgg19

CHECKPOINT_FILE = "checkpoint.pt"
NETWORK_FILE = "network.safetensors"
CHECKPOINT_INTERVAL_STEPS = 100
# Sampler length: more steps than any run takes, so that item i stays the same whatever the budget.
STEPS_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Losses:
    """Loss terms of one step, before weighting."""

    content: float
    style: float
    coherence: float
    grid: float
    total_variation: float


class NonFiniteLossError(RuntimeError):
    """A loss became NaN or infinite; the message names the term and the step."""


class Trainer:
    """Train `network` on photographs towards one style picture.

    `run_folder` receives the checkpoint and, at the end, `NETWORK_FILE`: the EMA weights with the recipe and the last
    losses as metadata. A run folder with a checkpoint is continued.
    """

    def __init__(
        self,
        network: nn.Module,
        recipe: FeedForwardRecipe,
        *,
        style_picture: Path,
        photographs: Path,
        vgg: Vgg19,
        run_folder: Path,
    ) -> None:
        self.recipe = recipe
        self.step = 0
        self.elapsed_s = 0.0
        self._losses: Losses | None = None
        self._vgg = vgg.to(memory_format=torch.channels_last)
        self._run_folder = run_folder
        self._generator = torch.Generator().manual_seed(recipe.seed)
        self._coherence = CoherenceLoss(self._generator)
        self._network = network.to(memory_format=torch.channels_last)
        self._ema = torch.optim.swa_utils.AveragedModel(
            network, multi_avg_fn=torch.optim.swa_utils.get_ema_multi_avg_fn(recipe.ema_decay)
        )
        self._optimizer = torch.optim.Adam(network.parameters(), lr=recipe.learning_rate)
        self._photographs = PhotographFolder(
            photographs, side_px=recipe.crop_px, length=STEPS_MAX * recipe.batch, seed=recipe.seed
        )
        with torch.no_grad():
            style = to_tensor(load_picture(style_picture, short_side_px=recipe.style_size_px))
            features = self._vgg(style.unsqueeze(0))
            self._style_grams = {layer: gram_matrix(features[layer]) for layer in STYLE_LAYERS}
        run_folder.mkdir(parents=True, exist_ok=True)
        if (run_folder / CHECKPOINT_FILE).exists():
            self._resume()

    def run(self, *, minutes: float | None = None) -> Iterator[Losses]:
        """Train to the recipe's steps, or to `minutes` with the schedule fitted to them; yield after every step."""
        if not minutes and not self.recipe.steps:
            raise ValueError(f"the recipe {self.recipe.name} leaves its steps to a time budget; give minutes")
        started_s = time.monotonic() - self.elapsed_s
        batches = iter(self._loader())
        while True:
            self.elapsed_s = time.monotonic() - started_s
            progress = self.elapsed_s / (minutes * 60) if minutes else self.step / self.recipe.steps
            if progress >= 1:
                break
            self._losses = self._train_step(next(batches), progress)
            self.step += 1
            if self.step % CHECKPOINT_INTERVAL_STEPS == 0:
                self._save_checkpoint()
            yield self._losses
        self._save_checkpoint()
        self._save_network()

    def preview(self, pictures: Tensor) -> Tensor:
        """Stylise (B, 3, H, W) with the averaged weights."""
        with torch.no_grad():
            return self._ema(pictures)

    def _loader(self) -> DataLoader[Tensor]:
        rest = range(self.step * self.recipe.batch, len(self._photographs))
        return DataLoader(Subset(self._photographs, rest), batch_size=self.recipe.batch)

    def _train_step(self, photographs: Tensor, progress: float) -> Losses:
        recipe = self.recipe
        warmup = min(1.0, (self.step + 1) / recipe.warmup_steps)
        for group in self._optimizer.param_groups:
            group["lr"] = recipe.learning_rate * warmup * 0.5 * (1 + math.cos(math.pi * progress))
        photographs = photographs.to(memory_format=torch.channels_last)
        moved, flow = self._coherence.move(photographs)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            stylized, stylized_moved = self._network(torch.cat((photographs, moved))).float().chunk(2)
            with torch.no_grad():
                content_target = self._vgg(photographs)[CONTENT_LAYER]
            features = self._vgg(stylized)
        terms = {
            "content": content_loss(features[CONTENT_LAYER], content_target),
            "style": style_loss(features, self._style_grams),
            "coherence": self._coherence(stylized, stylized_moved, flow),
            "grid": grid_loss(stylized),
            "total_variation": total_variation(stylized),
        }
        culprits = [name for name, term in terms.items() if not torch.isfinite(term)]
        if culprits:
            raise NonFiniteLossError(f"{', '.join(culprits)} not finite at step {self.step}; lower the learning rate")
        objective = (
            terms["content"]
            + recipe.style_weight * terms["style"]
            + recipe.coherence_weight * terms["coherence"]
            + recipe.grid_weight * terms["grid"]
            + recipe.total_variation_weight * terms["total_variation"]
        )
        self._optimizer.zero_grad()
        objective.backward()
        nn.utils.clip_grad_norm_(self._network.parameters(), recipe.gradient_norm_max)
        self._optimizer.step()
        self._ema.update_parameters(self._network)
        return Losses(**{name: term.item() for name, term in terms.items()})

    def _save_checkpoint(self) -> None:
        state = {
            "network": self._network.state_dict(),
            "ema": self._ema.state_dict(),
            "optimizer": self._optimizer.state_dict(),
            "generator": self._generator.get_state(),
            "losses": asdict(self._losses) if self._losses else None,
            "step": self.step,
            "elapsed_s": self.elapsed_s,
        }
        unfinished = self._run_folder / (CHECKPOINT_FILE + ".tmp")
        torch.save(state, unfinished)
        unfinished.replace(self._run_folder / CHECKPOINT_FILE)

    def _resume(self) -> None:
        state = torch.load(self._run_folder / CHECKPOINT_FILE, weights_only=True)
        self._network.load_state_dict(state["network"])
        self._ema.load_state_dict(state["ema"])
        self._optimizer.load_state_dict(state["optimizer"])
        self._generator.set_state(state["generator"])
        # Checkpoints of before 0.1 do not have them.
        self._losses = Losses(**state["losses"]) if state.get("losses") else None
        self.step = state["step"]
        self.elapsed_s = state["elapsed_s"]

    def _save_network(self) -> None:
        metadata = {
            "network": type(self._network).__name__,
            "recipe": json.dumps(asdict(self.recipe)),
            "steps": str(self.step),
            "minutes": f"{self.elapsed_s / 60:.1f}",
            "losses": json.dumps(asdict(self._losses) if self._losses else {}),
            "vgg": self._vgg.weights_name,
        }
        weights = {key: value.contiguous() for key, value in self._ema.module.state_dict().items()}
        save_file(weights, self._run_folder / NETWORK_FILE, metadata=metadata)
