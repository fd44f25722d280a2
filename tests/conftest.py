"""Fixtures for all tests: tiny styles that need no training, and a folder without unfinished files at the end."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.models import identity_model, invert_model


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


@pytest.fixture(autouse=True)
def user_styles(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the user's own styles: a new one, so that no test sees or touches that of the machine."""
    folder = tmp_path_factory.mktemp("user") / "styles"
    monkeypatch.setenv("STYLECAST_STYLES", str(folder))
    return folder


@pytest.fixture(autouse=True)
def _no_unfinished_files(tmp_path: Path) -> Iterator[None]:
    """Fail the test that leaves a temporary file of ours behind."""
    yield
    left = [path.name for path in tmp_path.rglob(".*.part")]
    assert not left, f"unfinished files are left: {left}"
