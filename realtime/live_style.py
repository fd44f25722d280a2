"""The style of a live run as the network's threads see it: one immutable view, replaced in one step, faded over."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from .engine import Engine
from .picture import Picture
from .style_code import StyleCode, mix_codes
from .stylizer import Stylized, Stylizer

FADE_S = 0.4


@dataclass(frozen=True, slots=True, eq=False)
class PictureMix:
    """Named pictures whose styles are mixed, and the weight of each."""

    pictures: Sequence[tuple[str, Picture]]
    weights: Sequence[float]


@dataclass(frozen=True, slots=True, eq=False)
class LiveStyle:
    """A style that is ready to run; `code` and the pictures that it is of are None for a feed-forward one."""

    label: str
    engine: Engine
    code: StyleCode | None = None
    mix: PictureMix | None = None

    def stylizer(self, *, size_px: int | None, shifts: int) -> Stylizer:
        return Stylizer(self.engine, size_px=size_px, code=self.code, shifts=shifts)


@dataclass(frozen=True, slots=True, eq=False)
class StyleView:
    """What frames are made with: a style, the size of the network, and for `FADE_S` the style before.

    `size_px` is the short side, None the frame's own; `shifts` the number of passes (`stylizer.py`).
    """

    style: LiveStyle
    size_px: int | None
    shifts: int = 1
    before: LiveStyle | None = None
    since_s: float = 0.0

    def changed_to(self, style: LiveStyle, now_s: float) -> "StyleView":
        """Return the view that fades over to `style` from now on."""
        return replace(self, style=style, before=self.style, since_s=now_s)

    def share(self, now_s: float) -> float:
        """Return how much of the new style is to be seen, 0..1."""
        return 1.0 if self.before is None else min(1.0, max(0.0, (now_s - self.since_s) / FADE_S))

    def stylize(self, rgb: NDArray[np.uint8], *, strength: float, now_s: float) -> Stylized:
        """Stylise one picture (H, W, 3); while styles change, with both, or with a mix where one model has both."""
        style, before, share = self.style, self.before, self.share(now_s)
        if before is None or share == 1:
            return self._made(style, rgb, strength)
        if before.engine is style.engine and before.code is not None and style.code is not None:
            mixed = replace(style, code=mix_codes([before.code, style.code], [1 - share, share]))
            return self._made(mixed, rgb, strength)
        old, new = (_with_strength(self._made(one, rgb, strength), strength) for one in (before, style))
        blended = cv2.addWeighted(old.stylized, 1 - share, new.stylized, share, 0)
        return replace(new, stylized=np.asarray(blended, dtype=np.uint8))

    def _made(self, style: LiveStyle, rgb: NDArray[np.uint8], strength: float) -> Stylized:
        return style.stylizer(size_px=self.size_px, shifts=self.shifts).stylize(rgb, strength=strength)


def _with_strength(made: Stylized, strength: float) -> Stylized:
    """Return what a network made with the strength applied, as any-style networks do by themselves."""
    if made.has_strength:
        return made
    blended = cv2.addWeighted(made.stylized, strength, made.content, 1 - strength, 0)
    return replace(made, stylized=np.asarray(blended, dtype=np.uint8), has_strength=True)
