"""A style picture, photographs, a video and weights of VGG19 for the tests: random and tiny."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import URLError

import numpy as np
import pytest

from tests.media import MediaWriter
from tests.training.keyframe_command import QUICK, Run

# Widths of the convolutions up to relu4_1 by their names in torchvision's file.
VGG_CONVOLUTIONS = {
    0: (3, 64),
    2: (64, 64),
    5: (64, 128),
    7: (128, 128),
    10: (128, 256),
    12: (256, 256),
    14: (256, 256),
    16: (256, 256),
    19: (256, 512),
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Pictures this small are faster without the hand-over to other threads, above all on a busy machine."""
    torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="session")
def vgg_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch = pytest.importorskip("torch", reason="training needs torch: pip install stylecast[train]")
    from safetensors.torch import save_file

    generator = torch.Generator().manual_seed(3)
    state = {}
    for number, (channels_in, channels_out) in VGG_CONVOLUTIONS.items():
        scale = (2 / (9 * channels_in)) ** 0.5
        state[f"features.{number}.weight"] = scale * torch.randn(channels_out, channels_in, 3, 3, generator=generator)
        state[f"features.{number}.bias"] = 0.01 * torch.randn(channels_out, generator=generator)
    path = tmp_path_factory.mktemp("vgg") / "vgg19-random.safetensors"
    save_file(state, path)
    return path


@pytest.fixture
def offline(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return torch's cache, which is empty; a download into it fails."""

    def fail(*arguments: object, **options: object) -> None:
        raise URLError("no route to host")

    cache = tmp_path_factory.mktemp("cache")
    monkeypatch.setenv("TORCH_HOME", str(cache))
    monkeypatch.setattr("torch.hub.download_url_to_file", fail)
    return cache


@pytest.fixture(scope="session")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder of five smooth random pictures of 40x32."""
    image = pytest.importorskip("PIL.Image", reason="training needs Pillow: pip install stylecast[train]")
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(5):
        cells = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
        image.fromarray(cells).resize((40, 32), image.Resampling.BICUBIC).save(folder / f"{seed}.png")
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """Return a video of two scenes of 12 frames, the second one brighter and moving."""
    image = pytest.importorskip("PIL.Image", reason="training needs Pillow: pip install stylecast[train]")
    scenes = [np.random.default_rng(seed).integers(0, 256, (12, 24, 3), dtype=np.uint8) for seed in range(2)]

    def picture(number: int, size: tuple[int, int]) -> "np.ndarray[Any, Any]":
        wide = image.fromarray(scenes[number // 12]).resize((2 * size[0], size[1]), image.Resampling.NEAREST)
        return np.asarray(wide)[:, number : number + size[0]]

    writer = MediaWriter(tmp_path / "clip.mp4")
    writer.video(pts=range(24), size=(64, 48), picture=picture)
    writer.write()
    return tmp_path / "clip.mp4"


@pytest.fixture
def run_keyframe(vgg_file: Path, pictures: Path, tmp_path: Path) -> Run:
    """Stylise picture 0 like picture 1 into `out.png`; returns the exit code."""
    from export import cli_keyframe

    def run(*more: object, content: Path = pictures / "0.png", styles: tuple[object, ...] = ()) -> int:
        chosen = styles or (pictures / "1.png",)
        output = ("-o", tmp_path / "out.png") if "-o" not in more else ()
        arguments = (content, *chosen, *output, "--vgg", vgg_file, *QUICK, *more)
        return cli_keyframe.main([str(argument) for argument in arguments])

    return run
