"""Verification passes a graph that does what its network does, and no other."""

import copy

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export.verify import LEVELS_SHARE_MIN, SIZES, ParityError, verify  # noqa: E402
from tests.models import identity_model  # noqa: E402
from training.network import SlimNetwork  # noqa: E402

# The small ones of SIZES: tiny, odd, the graph's multiple.
SMALL_SIZES = SIZES[:3]


@pytest.fixture(scope="module")
def pictures() -> dict[tuple[int, int], NDArray[np.uint8]]:
    random = np.random.default_rng(1)
    return {
        (width, height): random.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in SMALL_SIZES
    }


@pytest.fixture
def other(network: SlimNetwork) -> SlimNetwork:
    """Return the network with the bias of its last layer a little off: some grey levels everywhere."""
    changed = copy.deepcopy(network)
    with torch.no_grad():
        changed.decode.bias += 0.1
    return changed


def test_graph_of_the_network_passes_on_every_engine(
    network: SlimNetwork, model: bytes, pictures: dict[tuple[int, int], NDArray[np.uint8]]
) -> None:
    parities = verify(network, model, pictures)

    assert {parity.engine.split()[0].rstrip(",") for parity in parities} == {"ONNX", "OpenVINO"}
    assert len({parity.engine for parity in parities}) == len(parities) >= 2
    assert all(parity.passed for parity in parities)
    assert all(parity.share_within_one_level >= LEVELS_SHARE_MIN for parity in parities[:2])


def test_graph_of_another_network_fails_with_the_figures(
    other: SlimNetwork, model: bytes, pictures: dict[tuple[int, int], NDArray[np.uint8]]
) -> None:
    with pytest.raises(ParityError, match=r"ONNX Runtime .*: 0\.\d+ of the values within 1 level.*expected at least"):
        verify(other, model, pictures)


def test_graph_that_does_nothing_fails(
    network: SlimNetwork, pictures: dict[tuple[int, int], NDArray[np.uint8]]
) -> None:
    with pytest.raises(ParityError):
        verify(network, identity_model(), pictures)


def test_one_size_that_differs_is_enough_to_fail(
    network: SlimNetwork,
    model: bytes,
    pictures: dict[tuple[int, int], NDArray[np.uint8]],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    forward = SlimNetwork.forward_uint8

    def wrong_when_odd(self: SlimNetwork, frames: "torch.Tensor") -> "torch.Tensor":
        stylized = forward(self, frames)
        return stylized if frames.shape[1] == frames.shape[2] else 255 - stylized

    monkeypatch.setattr(SlimNetwork, "forward_uint8", wrong_when_odd)

    with pytest.raises(ParityError):
        verify(network, model, pictures)
