"""Data of classifiers: whatever a folder, an archive or torchvision holds, no picture is learned and tested on."""

import logging
import shutil
import zipfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")

from PIL import Image  # noqa: E402

from training import classify_data  # noqa: E402
from training.augment import VIEW_SHARE_MIN, random_views  # noqa: E402
from training.classify_data import LabelledData, load_data, split  # noqa: E402

SIZE_PX = 8


def _class_folders(folder: Path, counts: dict[str, int]) -> Path:
    """Write one flat picture a grey level, so that a picture can be told by any of its bytes."""
    level = 0
    for name, count in counts.items():
        (folder / name).mkdir(parents=True)
        for number in range(count):
            Image.new("RGB", (12, 9), (level, level, level)).save(folder / name / f"{number}.png")
            level += 1
    return folder


def _load(source: Path | str, *, seed: int = 0, downloads: Path = Path("unused")) -> LabelledData:
    return load_data(str(source), size_px=SIZE_PX, seed=seed, downloads=downloads)


def _levels(part: classify_data.LabelledPictures) -> list[int]:
    return part.pictures[:, 0, 0, 0].tolist()


def test_a_fifth_of_each_class_is_held_out_and_never_learned(tmp_path: Path) -> None:
    data = _load(_class_folders(tmp_path / "zoo", {"ape": 10, "bee": 5}))

    assert (data.name, data.class_names, data.side_px) == ("zoo", ("ape", "bee"), SIZE_PX)
    assert data.train.pictures.dtype == torch.uint8
    assert torch.bincount(data.held_out.labels).tolist() == [2, 1]
    assert sorted(_levels(data.train) + _levels(data.held_out)) == list(range(15))
    for part in (data.train, data.held_out):
        assert [level >= 10 for level in _levels(part)] == (part.labels == 1).tolist()


def test_same_seed_holds_out_the_same_pictures() -> None:
    labels = np.repeat([0, 1, 2], 20)

    assert all(np.array_equal(*pair) for pair in zip(split(labels, seed=1), split(labels, seed=1), strict=True))
    assert not np.array_equal(split(labels, seed=1)[1], split(labels, seed=2)[1])


def test_train_and_test_folders_are_taken_as_they_are(tmp_path: Path) -> None:
    _class_folders(tmp_path / "train", {"ape": 2, "bee": 2, "cat": 2})
    _class_folders(tmp_path / "test", {"ape": 1, "cat": 3})

    data = _load(tmp_path)

    assert data.train.labels.tolist() == [0, 0, 1, 1, 2, 2]
    assert data.held_out.labels.tolist() == [0, 2, 2, 2]


def test_a_class_may_be_called_train(tmp_path: Path) -> None:
    _class_folders(tmp_path, {"bus": 2, "car": 2, "train": 2})

    assert _load(tmp_path).class_names == ("bus", "car", "train")


def test_test_folder_without_classes_is_none(tmp_path: Path) -> None:
    _class_folders(tmp_path / "train", {"ape": 5, "bee": 5})
    (tmp_path / "test").mkdir()
    Image.new("RGB", (8, 8)).save(tmp_path / "test" / "1.png")

    data = _load(tmp_path)

    assert (len(data.train), len(data.held_out)) == (8, 2)


def test_archive_is_read_like_its_folder_and_writes_nothing_outside(tmp_path: Path) -> None:
    folder = _class_folders(tmp_path / "zoo", {"ape": 3, "bee": 3})
    with zipfile.ZipFile(tmp_path / "zoo.zip", "w") as archive:
        for path in sorted(folder.rglob("*.png")):
            archive.write(path, f"wrapping/{path.relative_to(folder)}")
        archive.writestr("../../escaped.txt", "outside")
    expected = _load(folder)

    data = _load(tmp_path / "zoo.zip")

    assert data.class_names == expected.class_names
    assert torch.equal(data.train.pictures, expected.train.pictures)
    assert not list(tmp_path.parent.rglob("escaped.txt"))


def test_unreadable_file_is_named_and_left_out(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    folder = _class_folders(tmp_path, {"ape": 5, "bee": 5})
    (folder / "bee" / "4.png").write_bytes(b"\x89PNG broken")

    with caplog.at_level(logging.WARNING):
        data = _load(folder)

    assert len(data.train) + len(data.held_out) == 9
    assert "4.png" in caplog.text


def _one_class(folder: Path) -> Path:
    return _class_folders(folder, {"ape": 3})


def _empty_class(folder: Path) -> Path:
    (_class_folders(folder, {"ape": 3, "bee": 3}) / "cat").mkdir()
    return folder


def _single_picture(folder: Path) -> Path:
    return _class_folders(folder, {"ape": 3, "bee": 1})


def _unreadable_class(folder: Path) -> Path:
    _class_folders(folder, {"ape": 3, "bee": 1})
    (folder / "bee" / "0.png").write_bytes(b"broken")
    return folder


def _class_only_tested(folder: Path) -> Path:
    _class_folders(folder / "train", {"ape": 2, "bee": 2})
    _class_folders(folder / "test", {"ape": 2, "cow": 2})
    return folder


def _no_archive(folder: Path) -> Path:
    folder.mkdir()
    (folder / "file.zip").write_bytes(b"PK but no archive")
    return folder / "file.zip"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (_one_class, "holds 1 class folders but at least 2 are needed"),
        (_empty_class, "no pictures .* below .*cat"),
        (_single_picture, "class bee has one readable picture"),
        (_unreadable_class, "none of the pictures in .*bee can be read"),
        (_class_only_tested, "test/ has classes that train/ lacks: cow"),
        (_no_archive, "file.zip is neither a folder nor a .zip that can be read"),
        (lambda folder: folder / "nothing", "no data at .*; give a folder .* cifar10, cifar100, caltech101"),
    ],
)
def test_data_that_cannot_be_learned_from_are_refused_in_one_line(tmp_path: Path, make: Any, message: str) -> None:
    with pytest.raises((ValueError, FileNotFoundError), match=message) as caught:
        _load(make(tmp_path / "data"))

    assert "\n" not in str(caught.value)


def test_archive_larger_than_the_limit_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = _class_folders(tmp_path / "zoo", {"ape": 2, "bee": 2})
    archive = shutil.make_archive(str(tmp_path / "zoo"), "zip", folder)
    monkeypatch.setattr(classify_data, "ZIP_BYTES_MAX", 10)

    with pytest.raises(ValueError, match=r"zoo\.zip unpacks to"):
        _load(archive)


@pytest.mark.parametrize("name", ["cifar10", "cifar100", "caltech101"])
def test_data_set_that_cannot_be_downloaded_names_the_way_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise URLError("no route to host")

    monkeypatch.setattr(classify_data, {"caltech101": "Caltech101"}.get(name, name.upper()), fail)

    with pytest.raises(OSError, match=f"{name} is not in .* no route to host.* a folder of class folders or a .zip"):
        _load(name, downloads=tmp_path)


def test_cifar_keeps_its_own_split(monkeypatch: pytest.MonkeyPatch) -> None:
    def load(root: Path, *, train: bool, download: bool) -> SimpleNamespace:
        assert download
        levels = np.full((4 if train else 2, 32, 32, 3), 9 if train else 8, np.uint8)
        return SimpleNamespace(data=levels, targets=[0, 1] * (len(levels) // 2), classes=["ape", "bee"])

    monkeypatch.setattr(classify_data, "CIFAR10", load)

    data = _load("cifar10")

    assert (data.name, data.class_names) == ("cifar10", ("ape", "bee"))
    assert (set(_levels(data.train)), set(_levels(data.held_out))) == ({9}, {8})
    assert data.held_out.labels.tolist() == [0, 1]


def test_caltech101_is_read_where_torchvision_keeps_it_without_the_background_class(tmp_path: Path) -> None:
    folder = tmp_path / "caltech101" / "101_ObjectCategories"
    _class_folders(folder, {"BACKGROUND_Google": 2, "anchor": 4, "ant": 4})

    assert _load("caltech101", downloads=tmp_path).class_names == ("anchor", "ant")


def test_views_lie_within_the_picture_and_half_are_mirrored() -> None:
    torch.manual_seed(2)
    ramp = torch.linspace(0, 1, 64).expand(200, 3, 64, 64)  # brighter to the right

    left, right = random_views(ramp)[:, 0, 32, [0, -1]].unbind(1)

    assert 60 < int((left > right).sum()) < 140
    assert (left - right).abs().min() > VIEW_SHARE_MIN - 0.02
    assert float(left.min()) >= 0
    assert float(right.max()) <= 1
