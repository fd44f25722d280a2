"""Verification passes a graph that does what its network does, and no other; the message says where it differs."""

import copy
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import verify as verify_module  # noqa: E402
from export.graph import INPUT_NAME, run_uint8  # noqa: E402
from export.verify import PIXELS_SHARE_MIN, PSNR_MIN_DB, SIZES, Case, ParityError, picture_cases, verify  # noqa: E402
from tests.models import identity_model, invert_model  # noqa: E402
from training.network import SlimNetwork  # noqa: E402

# The small ones of SIZES: tiny, odd, the graph's multiple.
SMALL_SIZES = SIZES[:3]
Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def pictures() -> dict[tuple[int, int], Picture]:
    random = np.random.default_rng(1)
    return {
        (width, height): random.integers(0, 256, (height, width, 3), dtype=np.uint8) for width, height in SMALL_SIZES
    }


@pytest.fixture
def cases_of(pictures: dict[tuple[int, int], Picture]) -> Callable[[SlimNetwork], list[Case]]:
    return lambda network: picture_cases(lambda frames: run_uint8(network, frames), INPUT_NAME, pictures)


def test_graph_of_the_network_passes_on_every_engine(
    network: SlimNetwork, model: bytes, cases_of: Callable[[SlimNetwork], list[Case]]
) -> None:
    parities = verify(model, cases_of(network))

    assert {parity.engine.split()[0] for parity in parities} == {"ONNX", "OpenVINO"}
    assert len({parity.engine for parity in parities}) == len(parities) >= 2
    assert all(parity.share_within_one_level >= PIXELS_SHARE_MIN for parity in parities[:2])


def test_graph_of_another_network_fails_with_engine_size_and_figure(
    network: SlimNetwork, model: bytes, cases_of: Callable[[SlimNetwork], list[Case]]
) -> None:
    other = copy.deepcopy(network)
    with torch.no_grad():
        other.decode.bias += 0.1  # some grey levels everywhere

    with pytest.raises(
        ParityError, match=r"ONNX Runtime .* at 16x16: 0\.\d+ of the pixels .*PSNR \d+\.\d dB.*at least 0\.999"
    ):
        verify(model, cases_of(other))


def test_graph_that_does_nothing_fails(network: SlimNetwork, cases_of: Callable[[SlimNetwork], list[Case]]) -> None:
    with pytest.raises(ParityError):
        verify(identity_model(), cases_of(network))


def test_one_size_that_differs_is_enough_to_fail_and_is_named() -> None:
    pictures = {size: np.full((size[1], size[0], 3), 9, dtype=np.uint8) for size in SMALL_SIZES}
    cases = picture_cases(lambda frames: frames if frames.shape[1] != 48 else 255 - frames, INPUT_NAME, pictures)

    with pytest.raises(ParityError, match="at 17x31"):
        verify(identity_model(), cases)


def test_one_pixel_in_a_hundred_is_too_many(pictures: dict[tuple[int, int], Picture]) -> None:
    def one_colour_of_some_pixels(frames: Picture) -> Picture:
        changed = frames.copy()
        changed[:, ::10, ::10, 1] ^= 0x10
        return changed

    with pytest.raises(ParityError, match=r"0\.9[89]\d+ of the pixels"):
        verify(identity_model(), picture_cases(one_colour_of_some_pixels, INPUT_NAME, pictures))


@pytest.mark.parametrize("precision", ["fp16", "int8"])
def test_reduced_precision_has_its_own_tolerance(
    precision: str, pictures: dict[tuple[int, int], Picture], monkeypatch: pytest.MonkeyPatch
) -> None:
    dark = {size: picture // 2 for size, picture in pictures.items()}
    cases = picture_cases(lambda frames: 255 - frames - 6, INPUT_NAME, dark)  # 6 grey levels: 32.6 dB

    monkeypatch.setitem(PSNR_MIN_DB, precision, 32.0)
    assert verify(invert_model(), cases, precision=precision)

    monkeypatch.setitem(PSNR_MIN_DB, precision, 33.0)
    with pytest.raises(
        ParityError, match=rf"{precision} file at 16x16: PSNR 32\.\d dB.*{precision} must reach 33\.0 dB"
    ):
        verify(invert_model(), cases, precision=precision)


def test_the_tolerances_are_those_that_are_promised() -> None:
    assert (verify_module.LEVELS_MAX, PIXELS_SHARE_MIN) == (1, 0.999)
    assert PSNR_MIN_DB == {"bfloat16": 38.0, "fp16": 38.0, "int8": 32.0}
    assert {(16, 16), (1920, 1080)} < set(SIZES)
    assert any(width % 2 and height % 2 for width, height in SIZES)
