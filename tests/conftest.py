"""Fixtures for all tests: tiny styles that need no training, and a folder without unfinished files at the end."""

import hashlib
import json
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.models import encoder_model, fitter_model, identity_model, invert_model, people_model, transfer_model
from training.allocator import reuse_freed_memory


@pytest.fixture(scope="module", autouse=True)
def _freed_memory_is_given_back() -> Iterator[None]:
    """A training lets the whole process keep what it frees, which is not for the tests that follow."""
    yield
    reuse_freed_memory(False)


@pytest.fixture(scope="session")
def identity_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style that leaves every pixel as it is."""
    path = tmp_path_factory.mktemp("style") / "identity.onnx"
    path.write_bytes(identity_model())
    return path


@pytest.fixture(scope="session")
def invert_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style that turns every value v into 255 - v."""
    path = tmp_path_factory.mktemp("style") / "invert.onnx"
    path.write_bytes(invert_model())
    return path


@pytest.fixture
def any_style_catalogue(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A catalogue with the style `invert` and the hand-built any-style model in place of the shipped one."""
    from realtime.catalogue import CATALOGUE_FILE, CATALOGUE_SCHEMA, load_catalogue

    folder = tmp_path_factory.mktemp("catalogue")
    invert = {"name": "invert", "title": "Inverted", "kind": "feed-forward", "artist": "A. Tester", "year": "2026"}
    any_style = {"name": "colours", "title": "Colours of any picture", "kind": "adain"}
    styles = [
        {**invert, **_file_card(folder / "invert.onnx", invert_model())},
        {
            **any_style,
            **_file_card(folder / "transfer.onnx", transfer_model()),
            "encoder": _file_card(folder / "encoder.onnx", encoder_model()),
        },
    ]
    (folder / CATALOGUE_FILE).write_text(json.dumps({"schema": CATALOGUE_SCHEMA, "styles": styles}), encoding="utf-8")
    monkeypatch.setattr(load_catalogue, "__defaults__", (folder,))
    return folder


@pytest.fixture
def fitted_catalogue(any_style_catalogue: Path) -> Path:
    """That catalogue with a fitter for its any-style model."""
    from realtime.catalogue import CATALOGUE_FILE

    catalogue = json.loads((any_style_catalogue / CATALOGUE_FILE).read_text(encoding="utf-8"))
    catalogue["styles"][1]["fitter"] = _file_card(any_style_catalogue / "fitter.onnx", fitter_model())
    (any_style_catalogue / CATALOGUE_FILE).write_text(json.dumps(catalogue), encoding="utf-8")
    return any_style_catalogue


@pytest.fixture
def people_network(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of a network that takes red for people, in place of the shipped one."""
    folder = tmp_path_factory.mktemp("people")
    card = {"title": "Red", **_file_card(folder / "people.onnx", people_model())}
    (folder / "people.json").write_text(json.dumps(card), encoding="utf-8")
    monkeypatch.setattr("realtime.people_mask.CARD", folder / "people.json")
    return folder


def _file_card(path: Path, content: bytes) -> dict[str, Any]:
    path.write_bytes(content)
    return {"file": path.name, "sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content)}


@pytest.fixture
def stylize(identity_style: Path) -> Callable[..., int]:
    """Run `stylize-video` in this process with the identity style and without smoothing; returns the exit code."""
    from realtime.cli_video import main

    def run(*arguments: object, style: Path = identity_style) -> int:
        defaults = ["--style", str(style), "--smoothing", "0", "--engine", "onnxruntime", "--device", "cpu"]
        return main([*map(str, arguments), *defaults, "--progress", "none"])

    return run


@pytest.fixture
def read_report(tmp_path: Path) -> Callable[[], dict[str, Any]]:
    """Return what `--report tmp_path/report.json` wrote."""
    return lambda: json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def _new_folders(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Return new folders without end; `mktemp` takes the longer (10 ms) the more there are."""
    parent = tmp_path_factory.mktemp("users")
    return (parent / str(number) for number in count())


@pytest.fixture(autouse=True)
def user_styles(_new_folders: Iterator[Path], monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's own styles: a new one, so that no test sees or touches that of the machine."""
    folder = next(_new_folders) / "styles"
    folder.parent.mkdir()
    monkeypatch.setenv("STYLECAST_STYLES", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_unfinished_files(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fail the test that leaves a temporary file of ours behind."""
    folder: Path | None = request.getfixturevalue("tmp_path") if "tmp_path" in request.fixturenames else None
    yield
    left = [path.name for path in folder.rglob(".*.part")] if folder is not None else []
    assert not left, f"unfinished files are left: {left}"
