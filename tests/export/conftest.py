"""An untrained network and its graph, made once for all tests of the export."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

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
def model(network: "SlimNetwork", tmp_path_factory: pytest.TempPathFactory) -> bytes:
    from export.graph import export_onnx

    path = tmp_path_factory.mktemp("export") / "style.onnx"
    export_onnx(network, path)
    return path.read_bytes()
