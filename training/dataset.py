"""What a step of training sees: item i depends on the seed and on i alone, whatever process reads it."""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from training.augment import recolor
from training.clip import ClipPairs
from training.motion import move
from training.photograph import CROP_SHARE_MIN, PictureFolder, random_crop

# Of the items, if there are clips; the rest are stills in synthetic motion.
CLIP_SHARE = 0.5
# Of the items with a painting: those to be stylised in full. The rest have a strength between 0 and 1.
FULL_STRENGTH_SHARE = 0.6
# A network that saw 1,275 paintings whole and as they are learned them by heart: style loss 0.08 on these, 0.13 on
# others (median).
PAINTING_SHARE_MIN = 0.65
RECOLORED_SHARE = 0.5
# Tells the random numbers of an unpaired painting from those of its photograph, of the same seed and item.
PAINTING_STREAM = 1


class StepDataset(Dataset[dict[str, Tensor]]):
    """Serve a photograph with its motion and, with `paintings`, a painting to learn its style from.

    An item has `photograph` and `moved` (3, side, side), float32 RGB in [0, 1]; `flow` (2, side, side) in pixels and
    `valid` (1, side, side) with moved(p) = photograph(p + flow(p)) where valid is 1; and a crop of a painting in its
    own or in other colours, `painting` (3, style side, style side), and a `strength` to apply it with.
    """

    def __init__(
        self,
        photographs: PictureFolder,
        *,
        side_px: int,
        seed: int,
        paintings: PictureFolder | None = None,
        painting_side_px: int = 0,
        clips: ClipPairs | None = None,
    ) -> None:
        self._photographs = photographs
        self._side_px = side_px
        self._seed = seed
        self._paintings = paintings
        self._painting_side_px = painting_side_px
        self._clips = clips

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self._seed, index))
        clips = self._clips if self._clips and random.random() < CLIP_SHARE else None
        item = clips.draw(random) if clips else self._still(random)
        if self._paintings:
            _, painting = self._paintings.draw(random, side_min_px=self._painting_side_px)
            crop = random_crop(painting, self._painting_side_px, random, share_min=PAINTING_SHARE_MIN)
            item["painting"] = recolor(crop, random) if random.random() < RECOLORED_SHARE else crop
            strength = 1.0 if random.random() < FULL_STRENGTH_SHARE else random.random()
            item["strength"] = torch.tensor(strength, dtype=torch.float32)
        return item

    def _still(self, random: np.random.Generator) -> dict[str, Tensor]:
        _, picture = self._photographs.draw(random, side_min_px=round(self._side_px / CROP_SHARE_MIN))
        photograph = random_crop(picture, self._side_px, random)
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        moved, flow, valid = (tensor[0] for tensor in move(photograph.unsqueeze(0), generator))
        return {"photograph": photograph, "moved": moved, "flow": flow, "valid": valid}


class UnpairedDataset(Dataset[dict[str, Tensor]]):
    """Serve a photograph with its motion, as `StepDataset`, and a random crop of any painting of the same size.

    The pictures of a step have nothing to do with one another; `painting` is (3, side, side).
    """

    def __init__(self, photographs: PictureFolder, paintings: PictureFolder, *, side_px: int, seed: int) -> None:
        self._photographs = StepDataset(photographs, side_px=side_px, seed=seed)
        self._paintings = paintings
        self._side_px = side_px
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        return self._photographs[index] | {"painting": self.painting(index)}

    def painting(self, index: int) -> Tensor:
        """Return the painting of an item alone."""
        random = np.random.default_rng((self._seed, index, PAINTING_STREAM))
        _, painting = self._paintings.draw(random, side_min_px=round(self._side_px / CROP_SHARE_MIN))
        return random_crop(painting, self._side_px, random)


class StepSampler(Sampler[list[int]]):
    """Yield the items of each step without end, from step `first` on; each of `devices` gets its share of a batch."""

    def __init__(self, first: int, *, batch: int, device: int, devices: int) -> None:
        self._first = first
        self._batch = batch
        self._share = batch // devices
        self._offset = device * self._share

    def __iter__(self) -> Iterator[list[int]]:
        step = self._first
        while True:
            start = step * self._batch + self._offset
            yield list(range(start, start + self._share))
            step += 1
