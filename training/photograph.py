"""Photographs for training: random square crops, the same for the same seed, and no bad file stops a run."""

import logging
from pathlib import Path

import numpy as np
import torch
from PIL import Image, ImageOps
from torch import Tensor
from torch.utils.data import Dataset

logger = logging.getLogger(__name__)

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
# A crop covers between this share of the photograph's short side and all of it: networks meet faces that fill the
# frame, as they do at 1280x720, although the photographs are small.
CROP_SHARE_MIN = 0.45
# A run of bad files this long means that the folder is wrong, not the files.
BAD_FILES_MAX = 50
# What Pillow raises for damaged files; a PNG with a broken chunk is a SyntaxError (Pillow 13.0).
UNREADABLE = (OSError, ValueError, SyntaxError)


class PhotographFolder(Dataset[Tensor]):
    """Serve random crops (3, side, side), float32 RGB in [0, 1]; item i depends on `seed` and i alone.

    Unreadable files are named once in the log and replaced by the next photograph.
    """

    def __init__(self, folder: Path, *, side_px: int, length: int, seed: int) -> None:
        self._files = list_pictures(folder)
        self._side_px = side_px
        self._length = length
        self._seed = seed
        self._bad: set[Path] = set()

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Tensor:
        random = np.random.default_rng((self._seed, index))
        for _ in range(BAD_FILES_MAX):
            path = self._files[int(random.integers(len(self._files)))]
            try:
                return _random_crop(load_picture(path), self._side_px, random)
            except (*UNREADABLE, Image.DecompressionBombError) as error:
                if path not in self._bad:
                    logger.warning("skipping %s: %s", path, error)
                    self._bad.add(path)
        raise ValueError(f"{BAD_FILES_MAX} files in a row could not be read; the last was {path}")


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below `folder`, sorted. Raises FileNotFoundError if there are none."""
    files = sorted(path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) below {folder}")
    return files


def load_picture(path: Path, *, short_side_px: int | None = None) -> Image.Image:
    """Open a picture as upright RGB, scaled to `short_side_px` if given."""
    with Image.open(path) as opened:
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    if short_side_px:
        scale = short_side_px / min(picture.size)
        picture = picture.resize(
            (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
        )
    return picture


def to_tensor(picture: Image.Image) -> Tensor:
    """Return (3, H, W), float32 RGB in [0, 1]."""
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 255


def _random_crop(picture: Image.Image, side_px: int, random: np.random.Generator) -> Tensor:
    short = min(picture.size)
    side = max(1, round(short * random.uniform(CROP_SHARE_MIN, 1.0)))
    left = int(random.integers(picture.width - side + 1))
    top = int(random.integers(picture.height - side + 1))
    box = (left, top, left + side, top + side)
    crop = picture.resize((side_px, side_px), Image.Resampling.BICUBIC, box=box)
    if random.random() < 0.5:
        crop = ImageOps.mirror(crop)
    return to_tensor(crop)
