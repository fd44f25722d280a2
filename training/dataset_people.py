"""What the network that finds people learns from: photographs with masks, in other light and before other walls."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from training.photograph import PictureFolder, load_picture, random_crop, to_tensor

# A photograph with a smaller share of people lends its background to others.
EMPTY_SHARE_MAX = 0.01
# Channels are made stronger or weaker together and each for itself, tones lighter or darker by an exponent.
EXPOSURE_RANGE, BALANCE_RANGE, GAMMA_RANGE = (0.6, 1.4), (0.85, 1.15), (0.6, 1.6)
# What cameras do in poor light, each to this share of the pictures: blur by so much reduction, and noise.
POOR_SHARE = 0.3
BLUR_MAX = 2.5
# People fill a picture or stand far away in it.
CROP_SHARE_MIN = 0.4


class PeopleDataset(Dataset[dict[str, Tensor]]):
    """Serve `picture` (3, side, side), RGB in [0, 1], and `mask` (1, side, side), 1 where people are.

    `masks` are of photographs, grey pictures of the same shapes. To `composite_share` of the pictures the people come
    from one photograph and what is behind them from another without any. Item i depends on the seed and on i alone.
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
        self._folder = PictureFolder([*masks])
        self._masks = [_read_mask(mask) for mask in masks.values()]
        empty = [path for path, mask in zip(masks, self._masks, strict=True) if _share(mask) < EMPTY_SHARE_MAX]
        self._backgrounds = PictureFolder(empty) if empty else None
        self._side_px = side_px
        self._composite_share = composite_share
        self._noise_max = noise_max
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self._seed, index))
        number, photograph = self._folder.draw(random, side_min_px=round(self._side_px / CROP_SHARE_MIN))
        whole_mask = self._masks[number].resize(photograph.size, Image.Resampling.BILINEAR)
        place = int(random.integers(2**63))
        picture, mask = (
            random_crop(whole, self._side_px, np.random.default_rng(place), share_min=CROP_SHARE_MIN)
            for whole in (photograph, whole_mask)
        )
        if self._backgrounds is not None and random.random() < self._composite_share:
            _, behind = self._backgrounds.draw(random, side_min_px=self._side_px)
            background = random_crop(behind, self._side_px, random, share_min=CROP_SHARE_MIN)
            picture = torch.lerp(_in_other_light(background, random), picture, mask)
        return {"picture": self._as_a_camera_sees(_in_other_light(picture, random), random), "mask": mask}

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


def _read_mask(path: Path) -> Image.Image:
    """Return a mask as grey levels; all are kept, in a few kilobytes each."""
    mask = load_picture(path).convert("L")
    mask.thumbnail((256, 256), Image.Resampling.BOX)
    return mask


def _share(mask: Image.Image) -> float:
    return float(to_tensor(mask).mean())


def masks_of(photographs: Sequence[Path], folder: Path) -> dict[Path, Path]:
    """Return the masks, NAME.png in `folder`, of those photographs that have one.

    Raises:
        ValueError: none has.
    """
    named = {photograph: folder / f"{photograph.stem}.png" for photograph in photographs}
    masks = {photograph: mask for photograph, mask in named.items() if mask.is_file()}
    if not masks:
        raise ValueError(f"none of the {len(photographs)} photographs has a mask, such as {next(iter(named.values()))}")
    return masks
