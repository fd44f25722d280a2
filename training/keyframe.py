"""One stylised picture, coarse to fine: pictures in, the best picture so far out, resumable to the bit.

It joins `palette.py`, `gatys_objective.py` and `gatys.py`:

    keyframe = Keyframe(content, [(style, 1.0)], KeyframeSettings(), backbone=backbone)
    for step in keyframe.run():
        ...  # show, save the state, or stop
    keyframe.best_picture().save("out.png")
"""

import dataclasses
import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from training.allocator import reuse_freed_memory
from training.backbone import Backbone
from training.gatys import METHODS, Iterate, PictureOptimizer
from training.gatys_objective import GatysObjective, ObjectiveWeights, feature_network
from training.hardware import Hardware, feature_dtype, open_fabric
from training.palette import (
    KEEP_COLORS,
    luminance,
    match_color_histograms,
    match_colors,
    match_luminance,
    with_luminance,
)
from training.photograph import to_tensor

STARTS = ("content", "noise")
PRECISIONS = ("auto", "bf16", "fp32")
# From one scale to the next finer one.
SCALE_FACTOR = 2
# relu5_1 sees blocks of 16 pixels; fewer than two of them have no Gram matrix worth the name.
SIDE_MIN_PX = 32
# Above it speed gives way to memory: 1920x1080 is to fit into 8 GB.
REUSED_MEMORY_MAX_PX = 1280 * 720
# How far the sides of a start picture or mask may be from the content's proportions.
ASPECT_TOLERANCE = 0.02


@dataclass(frozen=True, slots=True)
class KeyframeSettings:
    """How one picture is made.

    `size_px` is the short side of the result, `style_size_px` that of the style pictures beside it (None: the same).
    `iterations` are done at each of `scales` sizes, each twice the one before. `keep_colors` is None or one of
    `KEEP_COLORS`, `precision` that of the features.
    """

    size_px: int = 512
    style_size_px: int | None = None
    scales: int = 1
    iterations: int = 300
    method: str = METHODS[0]
    start: str = STARTS[0]
    seed: int = 1
    weights: ObjectiveWeights = dataclasses.field(default_factory=ObjectiveWeights)
    pooling: str = "max"
    keep_colors: str | None = None
    precision: str = "auto"

    def __post_init__(self) -> None:
        if self.keep_colors not in (None, *KEEP_COLORS):
            raise ValueError(f"keep_colors is {self.keep_colors!r} but must be one of {', '.join(KEEP_COLORS)}")
        if self.start not in STARTS or self.precision not in PRECISIONS:
            raise ValueError(f"start {self.start!r} and precision {self.precision!r} must be of {STARTS}, {PRECISIONS}")
        coarsest = self.size_px // SCALE_FACTOR ** (self.scales - 1)
        if coarsest < SIDE_MIN_PX:
            raise ValueError(
                f"{self.scales} scales up to {self.size_px} px begin at {coarsest} px but must at {SIDE_MIN_PX} or more"
            )


@dataclass(frozen=True, slots=True)
class KeyframeStep:
    """Where an optimisation stands: `scale` counts from 0, `size` is (width, height)."""

    scale: int
    size: tuple[int, int]
    iterate: Iterate


class Keyframe:
    """The optimisation of one picture. Pictures are RGB; `styles` are pairs of a picture and its share.

    `backbone` returns the layers that the settings name and is left as it is. With `masks`, one for each style, white
    is where that style goes. `start` replaces the settings' start. Masks and start must have the proportions of
    `content`.
    """

    def __init__(
        self,
        content: Image.Image,
        styles: Sequence[tuple[Image.Image, float]],
        settings: KeyframeSettings,
        *,
        backbone: Backbone,
        masks: Sequence[Image.Image] = (),
        start: Image.Image | None = None,
        device: str = "auto",
    ) -> None:
        if masks and len(masks) != len(styles):
            raise ValueError(f"there are {len(masks)} masks for {len(styles)} styles; give one for each, in order")
        for number, mask in enumerate(masks, start=1):
            _require_proportions(f"mask {number}", mask, content)
        if start is not None:
            _require_proportions("the start picture", start, content)
        self.settings = settings
        self.sizes = [
            _scaled_size(content.size, settings.size_px / SCALE_FACTOR**step)
            for step in reversed(range(settings.scales))
        ]
        self.backbone_name = f"{backbone.title}, {backbone.weights_name}"
        self._content, self._styles, self._masks = content, styles, masks
        self._device, dtype = device_and_dtype(device, settings.precision)
        self._network = feature_network(backbone, pooling=settings.pooling, dtype=dtype).to(self._device)
        self._origin = _fingerprint(settings, content, styles, masks, start, self.backbone_name)
        self._enter_scale(0, self._start(start))

    def run(self) -> Iterator[KeyframeStep]:
        """Yield every picture of every scale, the present one first; the caller may stop at any time.

        Raises:
            DivergedError: a term is no longer finite; `best_picture` still holds the last good one.
        """
        while True:
            for iterate in self._optimizer.run(self.settings.iterations):
                yield KeyframeStep(self._scale, self.sizes[self._scale], iterate)
            if self._scale + 1 == len(self.sizes):
                return
            width, height = self.sizes[self._scale + 1]
            coarse = self._measured().picture
            self._enter_scale(self._scale + 1, interpolate(coarse, size=(height, width), mode="bicubic"))

    @property
    def best(self) -> Iterate | None:
        """The iterate with the lowest total at the present scale; None until one has been measured."""
        return self._optimizer.best

    def best_picture(self) -> Image.Image:
        """Return the picture of `best`.

        Raises:
            RuntimeError: nothing has been measured yet.
        """
        return self.image_of(self._measured())

    def image_of(self, iterate: Iterate) -> Image.Image:
        """Return the picture of an iterate of the present scale, in the content's colours where they are kept."""
        picture = iterate.picture
        if self.settings.keep_colors == "luminance":
            picture = with_luminance(self._scaled_content(), picture)
        values = (picture[0] * 255).round().byte().permute(1, 2, 0)
        return Image.fromarray(values.cpu().numpy())

    def state_dict(self) -> dict[str, Any]:
        return {"origin": self._origin, "scale": self._scale, "optimizer": self._optimizer.state_dict()}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from a saved state. Raises ValueError that names what differs from what it was made with."""
        try:
            origin = state["origin"]
            differences = sorted(key for key in self._origin if origin.get(key) != self._origin[key])
        except (KeyError, AttributeError, TypeError):
            raise ValueError("the saved state is not one of an optimisation of a picture") from None
        if differences:
            raise ValueError(f"the saved state was made with other values of: {', '.join(differences)}")
        width, height = self.sizes[state["scale"]]
        channels = 1 if self.settings.keep_colors == "luminance" else 3
        self._enter_scale(state["scale"], torch.zeros(1, channels, height, width, device=self._device))
        self._optimizer.load_state_dict(state["optimizer"])

    def _measured(self) -> Iterate:
        if self.best is None:
            raise RuntimeError("no picture has been measured yet; run first")
        return self.best

    def _enter_scale(self, scale: int, start: Tensor) -> None:
        self._scale = scale
        settings = self.settings
        content = self._scaled_content()
        width, height = self.sizes[scale]
        reuse_freed_memory(width * height <= REUSED_MEMORY_MAX_PX)
        share_of_size = min(self.sizes[scale]) / min(self.sizes[-1])
        style_side_px = (settings.style_size_px or settings.size_px) * share_of_size
        styles = [
            (self._tensor(picture, _scaled_size(picture.size, max(style_side_px, SIDE_MIN_PX))), share)
            for picture, share in self._styles
        ]
        if settings.keep_colors == "luminance":
            content = luminance(content)
            styles = [(match_luminance(luminance(style), content), share) for style, share in styles]
        elif settings.keep_colors == "match":
            styles = [(match_colors(style, content), share) for style, share in styles]
        elif settings.keep_colors == "histogram":
            styles = [(match_color_histograms(style, content), share) for style, share in styles]
        masks = [self._tensor(mask.convert("L"), self.sizes[scale]) for mask in self._masks]
        objective = GatysObjective(self._network, content, styles, weights=settings.weights, masks=masks)
        self._optimizer = PictureOptimizer(objective, start, method=settings.method)

    def _start(self, picture: Image.Image | None) -> Tensor:
        """Return the first picture at the coarsest scale."""
        width, height = self.sizes[0]
        if picture is not None:
            start = self._tensor(picture, (width, height))
        elif self.settings.start == "noise":
            # Made on the CPU: the same on every device.
            generator = torch.Generator().manual_seed(self.settings.seed)
            start = torch.rand(1, 3, height, width, generator=generator).to(self._device)
        else:
            start = self._tensor(self._content, (width, height))
        return luminance(start) if self.settings.keep_colors == "luminance" else start

    def _scaled_content(self) -> Tensor:
        return self._tensor(self._content, self.sizes[self._scale])

    def _tensor(self, picture: Image.Image, size: tuple[int, int]) -> Tensor:
        """Return (1, 3, H, W), or (1, 1, H, W) of a grey picture."""
        return to_tensor(picture.resize(size, Image.Resampling.LANCZOS)).unsqueeze(0).to(self._device)


def device_and_dtype(device: str, precision: str) -> tuple[torch.device, torch.dtype]:
    """Return the device and the features' type that `auto` and the other names stand for here.

    `auto` is bfloat16 where it is computed natively: three times as fast on a Xeon with AMX, for no loss (`gatys.py`).
    """
    fabric = open_fabric(Hardware(device=device, precision=precision))
    dtype = feature_dtype(fabric)
    # What `auto` means on older GPUs: gradients of single pixels would vanish in it.
    return fabric.device, torch.float32 if dtype == torch.float16 else dtype


def _require_proportions(what: str, picture: Image.Image, content: Image.Image) -> None:
    if abs(math.log((picture.width / picture.height) / (content.width / content.height))) > ASPECT_TOLERANCE:
        raise ValueError(
            f"{what} is {picture.width}x{picture.height} but must have the proportions of the content, "
            f"{content.width}x{content.height}"
        )


def _scaled_size(size: tuple[int, int], short_side_px: float) -> tuple[int, int]:
    factor = short_side_px / min(size)
    return round(size[0] * factor), round(size[1] * factor)


def _fingerprint(
    settings: KeyframeSettings,
    content: Image.Image,
    styles: Sequence[tuple[Image.Image, float]],
    masks: Sequence[Image.Image],
    start: Image.Image | None,
    backbone_name: str,
) -> dict[str, Any]:
    """Return what must be the same for a saved state to be continued; more iterations may be asked for."""
    pictures = {"content": content, **{f"style {number}": style for number, (style, _) in enumerate(styles, start=1)}}
    pictures |= {f"mask {number}": mask for number, mask in enumerate(masks, start=1)}
    if start is not None:
        pictures["start picture"] = start
    values = dataclasses.asdict(settings)
    del values["iterations"]
    return {
        **values,
        "shares": [share for _, share in styles],
        "backbone": backbone_name,
        **{name: hashlib.sha256(picture.tobytes()).hexdigest() for name, picture in pictures.items()},
    }
