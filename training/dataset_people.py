"""What the network that finds people learns from: photographs with masks, in other light and before other walls."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from training.photograph import load_picture, random_crop, to_tensor
from training.readable import ReadableFiles, UnreadableFileError

# A photograph with a smaller share of people lends its background to others.
EMPTY_SHARE_MAX = 0.01
# Channels are made stronger or weaker together and each for itself, tones lighter or darker by an exponent.
EXPOSURE_RANGE, BALANCE_RANGE, GAMMA_RANGE = (0.6, 1.4), (0.85, 1.15), (0.6, 1.6)
# What cameras do in poor light, each to this share of the pictures: blur by so much reduction, and noise.
POOR_SHARE = 0.3
BLUR_MAX = 2.5
# Photographs are kept at so many sides of a crop.
KEPT_SIDES = 2
# A mask is as wide to its height as its photograph, but for rounding.
ASPECT_TOLERANCE = 0.02
# People fill a picture or stand far away in it.
CROP_SHARE_MIN = 0.5


class PeopleDataset(Dataset[dict[str, Tensor]]):
    """Serve `picture` (3, side, side), RGB in [0, 1], and `mask` (1, side, side), 1 where people are.

    `masks` are of photographs, grey pictures of the same shapes. To `composite_share` of the pictures the people come
    from one photograph and what is behind them from another without any. Item i depends on the seed and on i alone.
    All are kept in memory, reduced to twice the side: 0.15 MB each for one of 96 px.

    Raises:
        ValueError: no photograph can be read together with its mask; single ones are named in the log and left out.
    """

    def __init__(
        self,
        masks: Mapping[Path, Path],
        *,
        side_px: int,
        composite_share: float,
        noise_max: float,
        seed: int,
    ) -> None:
        readable = ReadableFiles(len(masks))
        pairs = [*masks.items()]
        read = [
            readable.read(number, lambda number: _read(*pairs[number], side_px=side_px)) for number in range(len(pairs))
        ]
        self._examples = [example for example in read if example is not None]
        if not self._examples:
            raise ValueError(f"none of {len(masks)} photographs could be read, such as {pairs[0][0]}")
        self._empty = [number for number, (_, mask) in enumerate(self._examples) if _share(mask) < EMPTY_SHARE_MAX]
        self._side_px = side_px
        self._composite_share = composite_share
        self._noise_max = noise_max
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self._seed, index))
        picture, mask = self._crop(int(random.integers(len(self._examples))), random)
        if self._empty and random.random() < self._composite_share:
            background, _ = self._crop(self._empty[int(random.integers(len(self._empty)))], random)
            picture = torch.lerp(_in_other_light(background, random), picture, mask)
        return {"picture": self._as_a_camera_sees(_in_other_light(picture, random), random), "mask": mask}

    def _crop(self, number: int, random: np.random.Generator) -> tuple[Tensor, Tensor]:
        place = int(random.integers(2**63))
        picture, mask = (
            random_crop(whole, self._side_px, np.random.default_rng(place), share_min=CROP_SHARE_MIN)
            for whole in self._examples[number]
        )
        return picture, mask

    def _as_a_camera_sees(self, picture: Tensor, random: np.random.Generator) -> Tensor:
        side_px = self._side_px
        if random.random() < POOR_SHARE:
            small_px = max(1, round(side_px / random.uniform(1, BLUR_MAX)))
            small = interpolate(picture[None], size=(small_px, small_px), mode="area")
            picture = interpolate(small, size=(side_px, side_px), mode="bilinear")[0]
        if random.random() < POOR_SHARE:
            generator = torch.Generator().manual_seed(int(random.integers(2**63)))
            noise = torch.randn(picture.shape, generator=generator)
            picture = picture + float(random.uniform(0, self._noise_max)) * noise
        return picture.clamp(0, 1)


def _in_other_light(picture: Tensor, random: np.random.Generator) -> Tensor:
    gain = torch.from_numpy(random.uniform(*EXPOSURE_RANGE) * random.uniform(*BALANCE_RANGE, (3, 1, 1))).float()
    return (picture.pow(random.uniform(*GAMMA_RANGE)) * gain).clamp(0, 1)


def _read(photograph: Path, mask: Path, *, side_px: int) -> tuple[Image.Image, Image.Image]:
    """Return a picture and its mask at the same size."""
    picture = load_picture(photograph)
    shrink = KEPT_SIDES * side_px / min(picture.size)
    if shrink < 1:
        size = (round(picture.width * shrink), round(picture.height * shrink))
        picture = picture.resize(size, Image.Resampling.BOX)
    levels = load_picture(mask).convert("L")
    if abs(levels.width / levels.height / (picture.width / picture.height) - 1) > ASPECT_TOLERANCE:
        raise UnreadableFileError(f"{mask} has another shape than {photograph}")
    return picture, levels.resize(picture.size, Image.Resampling.BILINEAR)


def _share(mask: Image.Image) -> float:
    return float(to_tensor(mask).mean())


def masks_of(photographs: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the masks, NAME.png in `folder`, of those photographs that have one.

    Raises:
        ValueError: none has, or photographs share one.
    """
    stems = {photograph.stem: photograph for photograph in photographs}
    for photograph in photographs:
        if stems[photograph.stem] != photograph:
            raise ValueError(f"{photograph} and {stems[photograph.stem]} would share a mask; rename one of them")
    named = {photograph: folder / f"{photograph.stem}.png" for photograph in photographs}
    masks = {photograph: mask for photograph, mask in named.items() if mask.is_file()}
    if not masks:
        raise ValueError(f"none of the {len(photographs)} photographs has a mask, such as {next(iter(named.values()))}")
    return masks
