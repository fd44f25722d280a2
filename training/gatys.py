"""Gatys' optimisation of one picture (Gatys et al. 2016): an iterator over its iterations, resumable to the bit.

    optimizer = PictureOptimizer(objective, start)
    for iterate in optimizer.run(300):
        ...  # show, save, or stop
    optimizer.best.picture

Measured on one pair at 384x256, style weight 15, from the photograph; the total, 7.54 at first, after 20, 50, 100 and
300 evaluations, and the seconds that one of them takes:

    this, features in bfloat16              0.418  0.300  0.269  0.2555    0.16
    with steps of pixels alone              0.513  0.315  0.274  0.2563    0.14
    the PyTorch tutorial's recipe, float32                       0.2556    0.69

At 192x128 after 60, with steps of pixels, 0.389: without the projection 0.406, with a penalty on values out of range
instead 0.395; with torch's strong-Wolfe line search, which spends several evaluations on a step, 0.483; Adam 0.491.
"""

import copy
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

METHODS = ("lbfgs", "adam")
# Pairs of vectors that L-BFGS keeps, each as large as two pyramids, and the bytes that these may take: 100 pairs up to
# 680x455, 15 at 1920x1080, where 50 let the process grow by 3.8 GB and more.
HISTORY_PAIRS = 100
HISTORY_BYTES_MAX = 1_000_000_000
# Of the pyramid in which L-BFGS steps: the shortest side of its coarsest level, and how much a level counts against the
# one twice as fine. With 0.25, 0.35 and 0.5 the total above is 0.473, 0.418 and 0.360 after 20, and 0.2556, 0.2555 and
# 0.2562 after 300.
COARSEST_SIDE_PX = 4
COARSER_WEIGHT = 0.35
# Root mean square of the first L-BFGS step, for which no curvature is known. torch's own first step is 1 summed over
# all values, less than features in bfloat16 notice.
FIRST_STEP_RMS = 0.01
ADAM_LEARNING_RATE = 0.02


class PictureObjective(Protocol):
    """What is minimised; `gatys_objective.GatysObjective` is one. Both methods are differentiable."""

    def __call__(self, picture: Tensor) -> dict[str, Tensor]: ...

    def total(self, terms: Mapping[str, Tensor]) -> Tensor: ...


class DivergedError(RuntimeError):
    """A term became NaN or infinite; the message names it. `PictureOptimizer.best` is still good."""


@dataclass(frozen=True, slots=True)
class Iterate:
    """A picture (1, C, H, W) in [0, 1], the terms that were measured on it, and their weighted sum."""

    iteration: int
    picture: Tensor
    terms: dict[str, float]
    total: float


def history_pairs(values: int) -> int:
    """Return how many pairs of float32 vectors of so many `values` are kept."""
    return max(1, min(HISTORY_PAIRS, HISTORY_BYTES_MAX // (2 * 4 * values)))


class PictureOptimizer:
    """Minimise `objective` from `start`, (1, C, H, W) RGB or luminance in [0, 1].

    The picture and the state of the optimiser are float32 whatever the features are. After each step the picture is
    projected to [0, 1], the range in which it will be saved.

    L-BFGS steps in the levels of a pyramid (as Kolkin et al. 2019, STROTSS), whose sum is the step of the picture: its
    first guess at the curvature is the same for all values, but areas, in which a step changes many features at once,
    can go further than single pixels.
    """

    def __init__(self, objective: PictureObjective, start: Tensor, *, method: str = "lbfgs") -> None:
        if method not in METHODS:
            raise ValueError(f"the method is {method!r} but must be one of {', '.join(METHODS)}")
        self.iteration = 0
        self.best: Iterate | None = None
        self._objective = objective
        self._method = method
        self._picture = start.detach().float().clamp(0, 1).contiguous().clone()
        # The next step; zeros, but for their gradients.
        self._levels = [
            torch.zeros(*self._picture.shape[:2], *size, device=self._picture.device, requires_grad=True)
            for size in _level_sizes(self._picture.shape[2:], count=1 if method == "adam" else None)
        ]
        self._optimizer = self._fresh_optimizer()

    def run(self, iterations: int) -> Iterator[Iterate]:
        """Yield the present picture, then the one after every iteration until there have been `iterations`.

        The caller may stop at any time, and save `state_dict` between two pictures.

        Raises:
            DivergedError: a term is no longer finite.
        """
        yield self._evaluate()
        while self.iteration < iterations:
            self._step()
            self.iteration += 1
            yield self._evaluate()

    def state_dict(self) -> dict[str, Any]:
        """Return what `torch.save` can write and `load_state_dict` continues from as if there had been no break."""
        return {
            "method": self._method,
            "iteration": self.iteration,
            "picture": self._picture.clone(),
            "optimizer": copy.deepcopy(self._optimizer.state_dict()),
            "best": asdict(self.best) if self.best else None,
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from `state`. Raises ValueError if it is of another method or size of picture."""
        if state["method"] != self._method or state["picture"].shape != self._picture.shape:
            raise ValueError(
                f"the saved state is of {state['method']} at {tuple(state['picture'].shape)} but must be of "
                f"{self._method} at {tuple(self._picture.shape)}"
            )
        self.iteration = state["iteration"]
        best = state["best"]
        self.best = Iterate(**best | {"picture": best["picture"].to(self._picture.device)}) if best else None
        self._picture.copy_(state["picture"])
        self._optimizer = self._fresh_optimizer()
        self._optimizer.load_state_dict(copy.deepcopy(state["optimizer"]))

    def _fresh_optimizer(self) -> torch.optim.Optimizer:
        if self._method == "adam":
            return torch.optim.Adam(self._levels, lr=ADAM_LEARNING_RATE)
        # One iteration, hence one evaluation, per call. The tolerances would stop it; when to stop is up to the caller.
        return torch.optim.LBFGS(
            self._levels,
            max_iter=1,
            history_size=history_pairs(sum(level.numel() for level in self._levels)),
            tolerance_grad=0,
            tolerance_change=0,
        )

    def _evaluate(self) -> Iterate:
        """Measure the present picture and leave the gradient in the levels."""
        self._optimizer.zero_grad()
        picture = self._picture + _merged(self._levels)
        terms = self._objective(picture)
        culprits = [name for name, term in terms.items() if not torch.isfinite(term)]
        if culprits:
            raise DivergedError(f"{', '.join(culprits)} not finite after {self.iteration} iterations")
        total = self._objective.total(terms)
        # Per value and not per picture: L-BFGS drops pairs with less curvature than 1e-10.
        (total * picture.numel()).backward()
        iterate = Iterate(
            self.iteration,
            self._picture.clone(),
            {name: term.item() for name, term in terms.items()},
            total.item(),
        )
        if self.best is None or iterate.total < self.best.total:
            self.best = iterate
        return iterate

    @torch.no_grad()
    def _step(self) -> None:
        before = self._picture
        if isinstance(self._optimizer, torch.optim.LBFGS):
            group = self._optimizer.param_groups[0]
            group["lr"] = 1.0 if self._optimizer.state else self._first_learning_rate()
            # Without a line search the closure is called once, for the loss that nothing depends on.
            self._optimizer.step(lambda: 0.0)
        else:
            self._optimizer.step()
        self._picture = (before + _merged(self._levels)).clamp(0, 1)
        for level in self._levels:
            level.zero_()
        if torch.equal(self._picture, before):
            # The direction points uphill or out of range: forget the curvature that led to it.
            self._optimizer = self._fresh_optimizer()

    def _first_learning_rate(self) -> float:
        """Return the rate at which the first step of L-BFGS, -g min(1, 1 / |g|_1), has `FIRST_STEP_RMS`."""
        gradients = [level.grad for level in self._levels if level.grad is not None]
        length = sum(gradient.abs().sum().item() for gradient in gradients)
        rms = _merged(gradients).square().mean().sqrt().item()
        return FIRST_STEP_RMS / (rms * min(1.0, 1.0 / length)) if rms else 1.0


def _merged(levels: Sequence[Tensor]) -> Tensor:
    """Return the sum of levels at the size of the first."""
    merged = levels[0]
    for number, level in enumerate(levels[1:], start=1):
        merged = merged + COARSER_WEIGHT**number * interpolate(level, size=merged.shape[2:], mode="bilinear")
    return merged


def _level_sizes(size: Sequence[int], *, count: int | None) -> list[tuple[int, int]]:
    """Return (height, width) of the levels, the picture's first, each half of the one before; `count` is the most."""
    height, width = size
    sizes = [(height, width)]
    while min(sizes[-1]) >= 2 * COARSEST_SIDE_PX and len(sizes) != count:
        sizes.append((sizes[-1][0] // 2, sizes[-1][1] // 2))
    return sizes
