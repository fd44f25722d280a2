"""An untrained network and its graph, made once for all tests of the export."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

if TYPE_CHECKING:
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
