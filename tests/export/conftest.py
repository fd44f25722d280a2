"""An untrained network and its graph, made once for all tests of the export."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.training.conftest import VGG_CONVOLUTIONS

if TYPE_CHECKING:
    from export.style import ExportedStyle
    from training.network import SlimNetwork

WITHOUT_TORCH = "the export needs torch: pip install stylecast[train]"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures this small are faster without the hand-over to other threads, above all on a busy machine."""
    torch = pytest.importorskip("torch", reason=WITHOUT_TORCH)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def network() -> "SlimNetwork":
    torch = pytest.importorskip("torch", reason=WITHOUT_TORCH)
    from training.network import SlimNetwork

    torch.manual_seed(11)
    return SlimNetwork().eval()


@pytest.fixture(scope="session")
def model(network: "SlimNetwork") -> bytes:
    from export.graph import export_onnx

    return export_onnx(network)


@pytest.fixture(scope="session")
def smooth_pictures() -> "list[NDArray[np.uint8]]":
    """Return twelve pictures of 72x56 that are as smooth as photographs."""
    random = np.random.default_rng(5)
    return [
        np.asarray(cv2.resize(random.integers(0, 256, (7, 9, 3), dtype=np.uint8), (72, 56)), dtype=np.uint8)
        for _ in range(12)
    ]


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return weights of VGG19 up to relu4_1, small random numbers."""
    torch = pytest.importorskip("torch", reason=WITHOUT_TORCH)
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    state = {}
    for number, (channels_in, channels_out) in VGG_CONVOLUTIONS.items():
        scale = (2 / (9 * channels_in)) ** 0.5
        state[f"features.{number}.weight"] = scale * torch.randn(channels_out, channels_in, 3, 3, generator=generator)
        state[f"features.{number}.bias"] = torch.zeros(channels_out)
    path = tmp_path_factory.mktemp("vgg") / "vgg19-random.safetensors"
    save_file(state, path)
    return path


@pytest.fixture(scope="session")
def photographs(smooth_pictures: "list[NDArray[np.uint8]]", tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of twelve pictures, and one file that is none."""
    folder = tmp_path_factory.mktemp("photographs")
    for index, picture in enumerate(smooth_pictures):
        cv2.imwrite(str(folder / f"{index:02}.png"), picture)
    (folder / "broken.png").write_bytes(b"\x89PNG\r\n")
    return folder


@pytest.fixture(scope="session")
def exported(network: "SlimNetwork", smooth_pictures: "list[NDArray[np.uint8]]") -> "ExportedStyle":
    """Return the network exported and verified at two small sizes."""
    from export.sample import Sample
    from export.style import export_style

    sized = {(16, 16): smooth_pictures[0][:16, :16], (17, 31): smooth_pictures[1][:31, :17]}
    return export_style(network, Sample(sized, smooth_pictures[2:8], {}))


@pytest.fixture
def quick_checks(exported: "ExportedStyle", monkeypatch: pytest.MonkeyPatch) -> None:
    """Export once for all tests, score on small pictures, and time nothing."""
    from export import card, cli, cli_train, sample

    for command in (cli, cli_train):
        monkeypatch.setattr(command, "export_style", lambda *_, **__: exported)
    monkeypatch.setattr(sample, "SIZES", ((16, 16), (17, 31)))
    monkeypatch.setattr(sample, "SCORED_PICTURES", 2)
    monkeypatch.setattr(sample, "SCORED_SIDE_PX", 48)
    monkeypatch.setattr(sample, "CALIBRATION_SIDE_PX", 48)
    monkeypatch.setattr(card, "engine_times_ms", lambda models: dict.fromkeys(models, 1.5))


@pytest.fixture
def trained_run(network: "SlimNetwork", tmp_path: Path) -> Path:
    """Return a folder as training leaves it, with an untrained network."""
    from training.run_folder import NETWORK_FILE

    folder = tmp_path / "runs" / "dusk"
    save_network(network, folder / NETWORK_FILE)
    return folder


def save_network(network: "SlimNetwork", path: Path, **recipe: object) -> None:
    """Write a network as training does, with the recipe of a style called dusk."""
    from safetensors.torch import save_file

    from training.recipe import FeedForwardRecipe

    values = {
        "name": "dusk",
        "title": "Dusk",
        "picture": "00.png",
        "artist": "A",
        "artist_died": "1890",
        "year": "1889",
    }
    complete = FeedForwardRecipe(**{**values, "style_size_px": 48, **recipe})
    metadata = {"network": "SlimNetwork", "steps": "7", "minutes": "1.5", "vgg": "v"}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(network.state_dict(), path, metadata={**metadata, "recipe": json.dumps(dataclasses.asdict(complete))})
