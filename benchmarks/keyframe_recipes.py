"""One content and one style, painted by several recipes and judged by one objective."""

import copy
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import mse_loss

from training.backbone import Backbone
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network
from training.keyframe import SCALE_FACTOR, SIDE_MIN_PX, Keyframe, KeyframeSettings
from training.perceptual import CONTENT_LAYER, STYLE_LAYERS, gram_matrix
from training.photograph import to_tensor
from training.vgg import Vgg19

# The coarsest of several sizes: strokes are laid out there.
COARSEST_PX = 256


class Pair:
    """The pictures at one size, and the float32 objective that judges all results."""

    def __init__(
        self, content: Image.Image, style: Image.Image, *, size_px: int, vgg: Path | None, style_weight: float
    ) -> None:
        self.content, self.style = (_scaled(picture, size_px) for picture in (content, style))
        self.size_px = size_px
        self.vgg = Vgg19(STYLE_LAYERS, weights=vgg)
        self.weights = ObjectiveWeights(style=style_weight)
        styles = [(_tensor(self.style), 1.0)]
        self._exact = GatysObjective(feature_network(self.vgg), _tensor(self.content), styles, weights=self.weights)

    def keyframe(
        self,
        iterations: int,
        *,
        backbone: Backbone | None = None,
        start_picture: Image.Image | None = None,
        **settings: Any,
    ) -> Keyframe:
        """Prepare the optimisation with these settings, and those of `KeyframeSettings` for the others."""
        chosen = {"size_px": self.size_px, "weights": self.weights, **settings, "iterations": iterations}
        styles = [(self.style, 1.0)]
        return Keyframe(
            self.content, styles, KeyframeSettings(**chosen), backbone=backbone or self.vgg, start=start_picture
        )

    def judge(self, picture: Image.Image) -> dict[str, float]:
        """Return content, style and total of a result."""
        with torch.no_grad():
            terms = self._exact(_tensor(picture))
            total = self._exact.total(terms).item()
        return {"total": total, **{name: term.item() for name, term in terms.items()}}

    def against_tutorial(self, iterations: int) -> dict[str, Any]:
        """Return figures of both recipes after as many iterations (the tutorial's: evaluations of its closure)."""
        rows = {}
        ours = self.keyframe(iterations)
        started_s = time.perf_counter()
        for _ in ours.run():
            pass
        seconds = time.perf_counter() - started_s
        rows["stylize-keyframe"] = {**self.judge(ours.best_picture()), "iteration_s": seconds / (iterations + 1)}
        started_s = time.perf_counter()
        pictures = tutorial_pictures(self.vgg, _tensor(self.content), _tensor(self.style), self.weights)
        picture = next(islice(pictures, iterations - 1, None))
        seconds = time.perf_counter() - started_s
        rows["PyTorch tutorial"] = {**self.judge(_image(picture)), "iteration_s": seconds / iterations}
        ratio = rows["PyTorch tutorial"]["iteration_s"] / rows["stylize-keyframe"]["iteration_s"]
        return {"iterations": iterations, "speed_ratio": ratio, "rows": rows}

    def scales_at_equal_time(self, iterations: int) -> dict[str, Any]:
        """Return figures of several sizes with `iterations` each, and of one size for the time that these took."""
        scales = 1
        while self.size_px // SCALE_FACTOR**scales >= max(SIDE_MIN_PX, min(COARSEST_PX, self.size_px // 2)):
            scales += 1
        several = self.keyframe(iterations, scales=scales)
        started_s = time.perf_counter()
        count = sum(1 for _ in several.run())
        limit_s = time.perf_counter() - started_s
        one = self.keyframe(100 * iterations)
        started_s = time.perf_counter()
        single_count = sum(1 for _ in _until(one, started_s + limit_s))
        single_s = time.perf_counter() - started_s
        names = " to ".join(f"{width}x{height}" for width, height in (several.sizes[0], several.sizes[-1]))
        return {
            "rows": {
                f"{scales}: {names}": {
                    **self.judge(several.best_picture()), "iterations": count, "seconds": limit_s,
                },
                "one": {**self.judge(one.best_picture()), "iterations": single_count, "seconds": single_s},
            }
        }  # fmt: skip


def tutorial_pictures(vgg: Vgg19, content: Tensor, style: Tensor, weights: ObjectiveWeights) -> Iterator[Tensor]:
    """Yield the picture of "Neural Transfer Using PyTorch" (Jacq) after each iteration, with our layers and weights.

    As there: float32, planes, torch's convolutions, autograd through plain Gram matrices, L-BFGS with its defaults and
    a closure that clamps the picture first, from the content. There an optimiser's step is 20 iterations; here it is
    one, which leads through the same pictures: the optimiser remembers everything from step to step.
    """
    features_of = _plain_network(vgg)
    with torch.no_grad():
        wanted = features_of(content)[CONTENT_LAYER].clone()
        grams = {layer: gram_matrix(features) for layer, features in features_of(style).items()}
    picture = content.clone(memory_format=torch.contiguous_format).requires_grad_()
    optimizer = torch.optim.LBFGS([picture], max_iter=1)

    def closure() -> Tensor:
        with torch.no_grad():
            picture.clamp_(0, 1)
        optimizer.zero_grad()
        features = features_of(picture)
        content_term = mse_loss(features[CONTENT_LAYER], wanted) / wanted.square().mean()
        style_terms = [
            mse_loss(gram_matrix(features[layer]), gram) / gram.square().mean() for layer, gram in grams.items()
        ]
        loss = content_term + weights.style * torch.stack(style_terms).mean()
        # Per value, as `gatys.py` has it: L-BFGS with its defaults stops where the gradient is below 1e-7, and the
        # tutorial's losses are larger than these by about as much.
        (loss * picture.numel()).backward()
        return loss * picture.numel()

    while True:
        optimizer.step(closure)
        yield picture.detach().clamp(0, 1)


def _plain_network(vgg: Vgg19) -> Callable[[Tensor], dict[str, Tensor]]:
    """Return the features of `vgg` as torch computes them from planes, without what `Backbone` does for speed."""
    modules = copy.deepcopy(vgg.modules_in_order).to(memory_format=torch.contiguous_format)

    def features_of(picture: Tensor) -> dict[str, Tensor]:
        found = {}
        features = (picture - vgg.mean) / vgg.std
        for module, name in zip(modules, vgg.names, strict=True):
            features = module(features)
            if name in vgg.layers:
                found[name] = features
        return found

    return features_of


def _until(keyframe: Keyframe, end_s: float) -> Iterator[None]:
    for _ in keyframe.run():
        yield
        if time.perf_counter() >= end_s:
            return


def _scaled(picture: Image.Image, short_side_px: int) -> Image.Image:
    factor = short_side_px / min(picture.size)
    return picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)


def _tensor(picture: Image.Image) -> Tensor:
    return to_tensor(picture).unsqueeze(0)


def _image(picture: Tensor) -> Image.Image:
    return Image.fromarray((picture[0] * 255).round().byte().permute(1, 2, 0).numpy())
