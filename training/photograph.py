"""Pictures on disk, photographs and paintings alike: upright RGB whatever the file, and no bad file stops a run."""

import hashlib
import io
import os
import warnings
from collections.abc import Callable, Container, Iterable, Sequence
from contextlib import suppress
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from PIL import Image, ImageCms, ImageOps
from torch import Tensor

from training.readable import ReadableFiles, UnreadableFileError

Item = TypeVar("Item")

PICTURE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp", ".tif", ".tiff"})
# A crop covers between this share of the photograph's short side and all of it: networks meet faces that fill the
# frame, as they do at 1280x720, although the photographs are small.
CROP_SHARE_MIN = 0.45


class UnreadablePictureError(UnreadableFileError):
    """A file cannot be read as a picture."""


class PictureFolder:
    """Draw pictures at random; unreadable files are replaced by another (`ReadableFiles`)."""

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = list(files)
        self._readable = ReadableFiles(len(self.files))

    def draw(self, random: np.random.Generator, *, side_min_px: int) -> tuple[int, Image.Image]:
        """Return the number of a file and its picture, which may be decoded smaller but not below `side_min_px`."""
        return self._readable.draw(random, self._loader(side_min_px))

    def spread(self, count: int, *, side_px: int) -> Tensor:
        """Return the middle squares of up to `count` files that lie evenly in the list, (N, 3, side, side)."""
        chosen = evenly(range(len(self.files)), count)
        others = sorted({*range(len(self.files))} - {*chosen})  # for those that cannot be read
        load = self._loader(side_px)
        readable = filter(None, (self._readable.read(number, load) for number in (*chosen, *others)))
        squares = [square(picture, side_px) for picture, _ in zip(readable, range(count), strict=False)]
        if not squares:
            raise ValueError(f"none of {len(self.files)} pictures could be read; the first is {self.files[0]}")
        return torch.stack(squares)

    def _loader(self, side_min_px: int) -> Callable[[int], Image.Image]:
        return lambda number: load_picture(self.files[number], side_min_px=side_min_px)


def list_pictures(folder: Path) -> list[Path]:
    """Return the picture files below `folder` but hidden ones, sorted. Raises FileNotFoundError if there are none."""
    named = (path for path in folder.rglob("*") if path.suffix.lower() in PICTURE_SUFFIXES)
    files = sorted(path for path in named if not path.name.startswith(".") and path.is_file())
    if not files:
        raise FileNotFoundError(f"no pictures ({', '.join(sorted(PICTURE_SUFFIXES))}) below {folder}")
    return files


def evenly(items: Sequence[Item], count: int) -> list[Item]:
    """Return up to `count` items, the first of each of so many equal parts."""
    count = min(count, len(items))
    return [items[index * len(items) // count] for index in range(count)]


def pictures_digest(files: Iterable[Path]) -> str:
    """Return the sha256 of the contents of files, one after the other in the order of their names."""
    digest = hashlib.sha256()
    for path in sorted(files):
        with suppress(OSError):  # such a file is passed over in training, too
            digest.update(path.read_bytes())
    return digest.hexdigest()


def names_digest(files: Iterable[Path], folder: Path) -> str:
    """Return the sha256 of the names of files below `folder`: thousands of photographs are not read for it."""
    names = sorted(os.fsencode(path.relative_to(folder)) for path in files)
    return hashlib.sha256(b"\n".join(names)).hexdigest()


def read_names(names_file: Path) -> set[str]:
    """Return the names or paths of files in a text file, one a line; with spaces, and bytes that are no UTF-8."""
    text = names_file.read_text(encoding="utf-8", errors="surrogateescape")
    return set(filter(None, map(str.strip, text.splitlines())))


def is_listed(path: Path, names: Container[str]) -> bool:
    """Return whether a list of files means this one: by its name, wherever it lies, or by its absolute path."""
    return path.name in names or str(path.absolute()) in names


def without_excluded(files: Sequence[Path], names_file: Path) -> list[Path]:
    """Return the files that are not among the lines of `names_file` (`is_listed`).

    Raises ValueError if no name fits: a list that excludes nothing would let the test set into the training.
    """
    names = read_names(names_file)
    left = [path for path in files if not is_listed(path, names)]
    if len(left) == len(files):
        raise ValueError(f"{names_file} names none of the {len(files)} photographs, such as {files[0].name}")
    if not left:
        raise ValueError(f"{names_file} names all of the {len(files)} photographs")
    return left


def load_picture(path: Path, *, short_side_px: int | None = None, side_min_px: int = 0) -> Image.Image:
    """Open a picture as upright RGB, scaled to `short_side_px` if given.

    16 bits are scaled to 8, what is transparent lies on white, colours are brought from the file's profile to sRGB.
    With `side_min_px`, a large JPEG is decoded at a half, a quarter or an eighth as long as both sides keep that size,
    which is many times faster.

    Raises:
        UnreadablePictureError: damaged, of a kind that is not known, or larger than Pillow's limit against bombs.
        OSError: there is no such file.
    """
    if not path.is_file():
        raise FileNotFoundError(f"no picture at {path}")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd metadata
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as opened:
                smallest = 2 * short_side_px if short_side_px else side_min_px
                if smallest:
                    opened.draft(None, (smallest, smallest))
                picture = _to_rgb(ImageOps.exif_transpose(opened))
    except Exception as error:  # Pillow's decoders raise whatever damaged bytes lead them to
        raise UnreadablePictureError(f"{path}: {error}") from error
    if short_side_px:
        scale = short_side_px / min(picture.size)
        picture = picture.resize(
            (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))), Image.Resampling.LANCZOS
        )
    return picture


def to_tensor(picture: Image.Image) -> Tensor:
    """Return (3, H, W), float32 RGB in [0, 1], or (1, H, W) of a grey picture."""
    return torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1).float() / 255


def square(picture: Image.Image, side_px: int) -> Tensor:
    """Return the square in the middle of a picture, (3, side, side)."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    box = (left, top, left + side, top + side)
    return to_tensor(picture.resize((side_px, side_px), Image.Resampling.LANCZOS, box=box))


def random_crop(
    picture: Image.Image, side_px: int, random: np.random.Generator, *, share_min: float = CROP_SHARE_MIN
) -> Tensor:
    """Return a random square of a picture, mirrored or not, (3, side, side).

    It covers at least `share_min` of the short side.
    """
    short = min(picture.size)
    side = max(1, round(short * random.uniform(share_min, 1.0)))
    left = int(random.integers(picture.width - side + 1))
    top = int(random.integers(picture.height - side + 1))
    box = (left, top, left + side, top + side)
    crop = picture.resize((side_px, side_px), Image.Resampling.BICUBIC, box=box)
    if random.random() < 0.5:
        crop = ImageOps.mirror(crop)
    return to_tensor(crop)


def _to_rgb(picture: Image.Image) -> Image.Image:
    if picture.mode == "I" or picture.mode.startswith("I;16"):
        levels = np.asarray(picture).astype(np.float32) / 257  # 65,535 is white; `convert` would clip at 255
        return Image.fromarray(levels.round().clip(0, 255).astype(np.uint8)).convert("RGB")
    if picture.mode == "F":
        raise ValueError("floating-point pictures have no known range")
    if picture.has_transparency_data:
        layer = picture.convert("RGBA")
        flat = Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    else:
        flat = picture if picture.mode in ("RGB", "CMYK", "L") else picture.convert("RGB")
    profile = picture.info.get("icc_profile")
    transform = _to_srgb(profile, flat.mode) if profile else None
    converted = ImageCms.applyTransform(flat, transform) if transform is not None else flat
    assert converted is not None  # only in-place conversion returns nothing
    return converted.convert("RGB")


@lru_cache(maxsize=8)
def _to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """Return what converts pictures of a profile, None where it is damaged or of another kind of picture."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None
