"""What a backbone learns from: photographs and paintings with shifted colours and noise, and now and then noise alone.

Optimisation leads where no photograph is, so the network must know VGG19's features there, too.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate
from torch.utils.data import Dataset

from training.photograph import CROP_SHARE_MIN, PictureFolder, random_crop

# Shares of the pictures: colours shifted, noise added, and nothing but noise as a start of `--start noise` has it.
COLOR_SHARE = 0.5
NOISE_SHARE = 0.5
NOISE_ONLY_SHARE = 0.04
# Of a channel in [0, 1].
GAIN_RANGE = (0.6, 1.5)
OFFSET_MAX = 0.2
# Sizes of the grains of noise.
GRAINS_PX = (1, 2, 4, 8)


class DistillDataset(Dataset[dict[str, Tensor]]):
    """Serve `picture` (3, side, side), float32 RGB in [0, 1], of `photographs` and `paintings` in turn.

    `noise_max` is the largest standard deviation of added noise. `optimized_step`, a scalar in [0, 1], is the share of
    the largest step that `objective_distill.py` takes with this picture. Item i depends on the seed and i alone.
    """

    def __init__(
        self, photographs: PictureFolder, paintings: PictureFolder, *, side_px: int, noise_max: float, seed: int
    ) -> None:
        self._folders = (photographs, paintings)
        self._side_px = side_px
        self._noise_max = noise_max
        self._seed = seed

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        random = np.random.default_rng((self._seed, index))
        generator = torch.Generator().manual_seed(int(random.integers(2**63)))
        if random.random() < NOISE_ONLY_SHARE:
            picture = torch.rand(3, self._side_px, self._side_px, generator=generator)
        else:
            folder = self._folders[index % len(self._folders)]
            _, whole = folder.draw(random, side_min_px=round(self._side_px / CROP_SHARE_MIN))
            picture = random_crop(whole, self._side_px, random)
        if random.random() < COLOR_SHARE:
            gain, offset = random.uniform(*GAIN_RANGE, (3, 1, 1)), random.uniform(-OFFSET_MAX, OFFSET_MAX, (3, 1, 1))
            picture = (picture - 0.5) * torch.from_numpy(gain).float() + 0.5 + torch.from_numpy(offset).float()
        if random.random() < NOISE_SHARE:
            grain_px = int(random.choice(GRAINS_PX))
            cells = torch.randn(1, 3, *[-(-self._side_px // grain_px)] * 2, generator=generator)
            grains = interpolate(cells, scale_factor=grain_px, mode="bilinear")[0, :, : self._side_px, : self._side_px]
            picture = picture + float(random.uniform(0, self._noise_max)) * grains
        return {"picture": picture.clamp(0, 1), "optimized_step": torch.tensor(random.random(), dtype=torch.float32)}
