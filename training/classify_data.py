"""Labelled pictures for the classifiers: torchvision's data sets, a folder of class folders, or a .zip of one.

All is read once, to squares of one size, and held in memory as bytes: 5,000 pictures of 96 px are 140 MB.
"""

import logging
import tempfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torchvision.datasets import CIFAR10, CIFAR100, Caltech101

from training.photograph import UnreadablePictureError, list_pictures, load_picture, square

HELD_OUT_SHARE = 0.2
TRAIN_FOLDER, TEST_FOLDER = "train", "test"
# More than any archive of small pictures unpacks to, less than a disk.
ZIP_BYTES_MAX = 20 * 2**30
CALTECH_NO_CLASS = "BACKGROUND_Google"

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LabelledPictures:
    """`pictures` (N, 3, side, side), uint8 RGB; `labels` (N,), int64, numbers of classes."""

    pictures: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class LabelledData:
    """A data set in two parts that share no picture; `train` is never empty, `held_out` neither."""

    name: str
    class_names: tuple[str, ...]
    train: LabelledPictures
    held_out: LabelledPictures

    @property
    def side_px(self) -> int:
        return self.train.pictures.shape[-1]


def load_data(source: str, *, size_px: int, seed: int, downloads: Path) -> LabelledData:
    """Read `cifar10`, `cifar100`, `caltech101`, or a folder or .zip by its path.

    A folder holds one folder of pictures for each class, or those in `train/` and maybe `test/`. Where there is no
    test set with classes, a fifth of each class is held out, the same for the same seed. Unreadable files are named in
    the log and left out.

    Args:
        size_px: side of the squares that pictures are cut to and scaled to.
        downloads: where torchvision's data sets are kept, and downloaded to if they are not there.

    Raises:
        OSError: there is no such source, or it cannot be downloaded.
        ValueError: it holds no classes, or too few pictures of one.
    """
    if source in DATA_SETS:
        return DATA_SETS[source](downloads, size_px, seed)
    path = Path(source)
    if not path.exists():
        raise FileNotFoundError(
            f"no data at {source}; give a folder of class folders, a .zip of one, or {', '.join(DATA_SETS)}"
        )
    if path.is_dir():
        return _read_folder(path, name=path.resolve().name, size_px=size_px, seed=seed)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as unpacked:
        _unpack(path, Path(unpacked))
        return _read_folder(Path(unpacked), name=path.stem, size_px=size_px, seed=seed)


def split(labels: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the pictures to train on and of those held out, a fifth of each class but at least one."""
    random = np.random.default_rng(seed)
    train, held_out = [], []
    for label in np.unique(labels):
        numbers = random.permutation(np.flatnonzero(labels == label))
        count = max(1, round(len(numbers) * HELD_OUT_SHARE))
        held_out.append(numbers[:count])
        train.append(numbers[count:])
    return np.sort(np.concatenate(train)), np.sort(np.concatenate(held_out))


def _read_folder(
    folder: Path, *, name: str, size_px: int, seed: int, without: frozenset[str] = frozenset()
) -> LabelledData:
    folder = _without_wrapping(folder)
    # A class may be called so, too; and a test set without classes is one whose answers are not told.
    has_train = _holds_folders(folder / TRAIN_FOLDER)
    is_split = has_train and _holds_folders(folder / TEST_FOLDER)
    train_folder = folder / TRAIN_FOLDER if has_train else folder
    class_names = tuple(each for each in _folders(train_folder) if each not in without)
    if len(class_names) < 2:
        raise ValueError(f"{name} holds {len(class_names)} class folders but at least 2 are needed, each with pictures")
    pictures = _read_classes(train_folder, class_names, size_px)
    if not is_split:
        return _split_data(name, class_names, pictures, seed)
    unknown = sorted(set(_folders(folder / TEST_FOLDER)) - set(class_names))
    if unknown:
        raise ValueError(f"{name}: {TEST_FOLDER}/ has classes that {TRAIN_FOLDER}/ lacks: {', '.join(unknown)}")
    tested = tuple(each for each in class_names if (folder / TEST_FOLDER / each).is_dir())
    found = _read_classes(folder / TEST_FOLDER, tested, size_px)
    numbers = torch.tensor([class_names.index(each) for each in tested])
    return LabelledData(name, class_names, pictures, LabelledPictures(found.pictures, numbers[found.labels]))


def _without_wrapping(folder: Path) -> Path:
    """Step into the one folder that archives often wrap their contents in."""
    inside = _folders(folder)
    if len(inside) == 1 and _folders(folder / inside[0]):
        return folder / inside[0]
    return folder


def _holds_folders(folder: Path) -> bool:
    return folder.is_dir() and _folders(folder) != []


def _folders(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.is_dir() and not path.name.startswith((".", "__")))


def _read_classes(folder: Path, class_names: tuple[str, ...], size_px: int) -> LabelledPictures:
    squares, labels = [], []
    for label, class_name in enumerate(class_names):
        for path in list_pictures(folder / class_name):
            try:
                squares.append(_bytes(load_picture(path, side_min_px=size_px), size_px))
            except (OSError, UnreadablePictureError) as error:
                logger.warning("skipping %s", error)
                continue
            labels.append(label)
        if not labels or labels[-1] != label:
            raise ValueError(f"none of the pictures in {folder / class_name} can be read")
    return LabelledPictures(torch.stack(squares), torch.tensor(labels))


def _split_data(name: str, class_names: tuple[str, ...], all_pictures: LabelledPictures, seed: int) -> LabelledData:
    counts = torch.bincount(all_pictures.labels, minlength=len(class_names))
    if counts.min() < 2:
        few = class_names[int(counts.argmin())]
        raise ValueError(f"{name}: class {few} has one readable picture, but needs two, to learn and to hold out")
    train, held_out = (
        LabelledPictures(all_pictures.pictures[numbers], all_pictures.labels[numbers])
        for numbers in map(torch.from_numpy, split(all_pictures.labels.numpy(), seed=seed))
    )
    return LabelledData(name, class_names, train, held_out)


def _bytes(picture: Image.Image, size_px: int) -> Tensor:
    return (square(picture, size_px) * 255).round().byte()


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack below `folder`; zipfile itself keeps names with `..` or a root inside."""
    try:
        with zipfile.ZipFile(archive) as file:
            size = sum(member.file_size for member in file.infolist())
            if size > ZIP_BYTES_MAX:
                raise ValueError(f"{archive} unpacks to {size / 2**30:.0f} GiB, more than {ZIP_BYTES_MAX / 2**30:.0f}")
            file.extractall(folder)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:  # the last if it is encrypted
        raise ValueError(f"{archive} is neither a folder nor a .zip that can be read: {error}") from error


def _load_cifar(kind: Callable[..., Any], name: str, downloads: Path, size_px: int) -> LabelledData:
    parts = []
    for is_train in (True, False):
        data = _downloaded(partial(kind, downloads, train=is_train, download=True), name, downloads)
        pictures = torch.stack([_bytes(Image.fromarray(levels), size_px) for levels in data.data])
        parts.append(LabelledPictures(pictures, torch.tensor(data.targets)))
    return LabelledData(name, tuple(data.classes), *parts)


def _load_caltech101(downloads: Path, size_px: int, seed: int) -> LabelledData:
    # Its pictures are read from the folder: torchvision's own reader needs SciPy, and stops at a damaged file.
    data = _downloaded(partial(Caltech101, downloads, download=True), "caltech101", downloads)
    folder = Path(data.root) / "101_ObjectCategories"
    return _read_folder(folder, name="caltech101", size_px=size_px, seed=seed, without=frozenset({CALTECH_NO_CLASS}))


def _downloaded(load: Callable[[], Any], name: str, downloads: Path) -> Any:
    try:
        return load()
    except (OSError, RuntimeError) as error:  # a wrong checksum is a RuntimeError (torchvision 0.29)
        raise OSError(
            f"{name} is not in {downloads} and cannot be downloaded ({error}); "
            "give a folder of class folders or a .zip of one instead"
        ) from error


DATA_SETS: dict[str, Callable[[Path, int, int], LabelledData]] = {
    "cifar10": lambda downloads, size_px, seed: _load_cifar(CIFAR10, "cifar10", downloads, size_px),
    "cifar100": lambda downloads, size_px, seed: _load_cifar(CIFAR100, "cifar100", downloads, size_px),
    "caltech101": _load_caltech101,
}
