"""A fitter gives torch's gradient, and following it brings what is painted nearer to a picture."""

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from export import fitter as fitter_module  # noqa: E402
from export.fitter import SAMPLE_CLIP, export_fitter, painted_views  # noqa: E402
from export.verify import ParityError  # noqa: E402
from realtime.style_code import StyleCode, as_encoded  # noqa: E402
from realtime.style_fit import StyleFitter  # noqa: E402
from training.adain import SlimAdainNetwork  # noqa: E402
from training.perceptual import STYLE_LAYERS, gram_distance, gram_matrices  # noqa: E402
from training.shipped_backbone import SmallBackbone  # noqa: E402

Picture = NDArray[np.uint8]


@pytest.fixture(scope="module")
def network() -> SlimAdainNetwork:
    torch.manual_seed(3)
    return SlimAdainNetwork(trunk_channels=8, edge_channels=8, residual_blocks=1, refine_channels=4).eval()


@pytest.fixture(scope="module")
def model(network: SlimAdainNetwork) -> bytes:
    return export_fitter(network)


def test_fitted_code_paints_nearer_to_the_picture(
    network: SlimAdainNetwork, model: bytes, smooth_pictures: list[Picture]
) -> None:
    painting = as_encoded(
        np.dstack((smooth_pictures[0][..., 0], smooth_pictures[1][..., 0] // 3, 255 - smooth_pictures[0][..., 2]))
    )
    with torch.inference_mode():
        code = StyleCode(network.statistics_uint8(torch.from_numpy(painting[np.newaxis])).numpy())

    fitted = StyleFitter(model).fit(code, painting)

    # A network that has learned nothing paints all pictures much alike.
    assert _style_loss(network, fitted, painting) < _style_loss(network, code, painting) - 0.01


def test_weights_are_stored_once_and_in_8_bits(model: bytes) -> None:
    initializers = onnx.load_from_string(model).graph.initializer
    large = [tensor for tensor in initializers if np.prod(tensor.dims) >= 10_000]

    assert large
    assert {tensor.data_type for tensor in large} == {onnx.TensorProto.INT8}
    assert len({tensor.raw_data for tensor in large}) == len(large)


def test_graph_whose_gradient_points_elsewhere_is_refused(
    network: SlimAdainNetwork, model: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    coarse = onnx.load_from_string(model)
    for tensor in coarse.graph.initializer:
        if tensor.data_type == onnx.TensorProto.INT8:  # as if weights had one bit and their sign
            levels = onnx.numpy_helper.to_array(tensor)
            tensor.CopyFrom(onnx.numpy_helper.from_array(np.sign(levels) * (abs(levels) > 64), tensor.name))
    monkeypatch.setattr(fitter_module, "_joined", lambda described, traced: coarse)
    monkeypatch.setattr(fitter_module, "_store_as_int8", lambda model: None)
    monkeypatch.setattr(fitter_module, "_trace_gradient", lambda objective, statistics, target: None)

    with pytest.raises(ParityError, match="cosine"):
        export_fitter(network)


def test_painted_views_are_squares_of_the_sample_clip() -> None:
    views = painted_views(Path(SAMPLE_CLIP))

    assert views.shape == (2, 3, 160, 160)
    assert views.std(dim=(1, 2, 3)).min() > 0.1
    assert 0 <= views.min() < views.max() <= 1


def test_missing_clip_is_named(network: SlimAdainNetwork, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no sample clip.*from a checkout"):
        export_fitter(network, clip=tmp_path / "gone.mp4")


def _style_loss(network: SlimAdainNetwork, code: StyleCode, painting: Picture) -> float:
    backbone = SmallBackbone(STYLE_LAYERS)
    with torch.inference_mode():
        views = painted_views(Path(SAMPLE_CLIP))
        statistics = torch.tensor(code.statistics).expand(len(views), -1, -1)
        picture = torch.from_numpy(painting[np.newaxis]).permute(0, 3, 1, 2).float() / 255
        grams = [gram_matrices(backbone, made, STYLE_LAYERS) for made in (network(views, statistics), picture)]
        return gram_distance(*grams).item()
