"""An any-style network becomes two small graphs that every engine runs as torch does."""

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from torch import Tensor, nn  # noqa: E402

from export.adain import AdainGraphs, export_adain, verify_adain  # noqa: E402
from export.verify import ParityError  # noqa: E402

Picture = NDArray[np.uint8]
CHANNELS = 6


class TinyAdain(nn.Module):
    """One convolution whose channels take the mean and deviation of the style's."""

    def __init__(self) -> None:
        super().__init__()
        self.encode = nn.Conv2d(3, CHANNELS, 8, stride=8)
        self.decode = nn.ConvTranspose2d(CHANNELS, 3, 8, stride=8)

    def statistics_uint8(self, picture: Tensor) -> Tensor:
        features = self._features(picture)
        variance, mean = torch.var_mean(features, dim=(2, 3), correction=0)
        return torch.stack((mean, (variance + 1e-5).sqrt()), dim=1)

    def forward_uint8(self, frames: Tensor, statistics: Tensor, strength: Tensor) -> Tensor:
        features = self._features(frames)
        mean, deviation = statistics[:, 0, :, None, None], statistics[:, 1, :, None, None]
        styled = nn.functional.instance_norm(features) * deviation + mean
        picture = torch.sigmoid(self.decode(features + strength.view(-1, 1, 1, 1) * (styled - features)))
        return (picture * 255 + 0.5).clamp(0, 255).to(torch.uint8).permute(0, 2, 3, 1)

    def _features(self, picture: Tensor) -> Tensor:
        return self.encode(picture.permute(0, 3, 1, 2).float() / 255)


@pytest.fixture(scope="module")
def network() -> TinyAdain:
    torch.manual_seed(4)
    return TinyAdain().eval()


@pytest.fixture(scope="module")
def graphs(network: TinyAdain) -> AdainGraphs:
    return export_adain(network)


@pytest.fixture
def pictures(smooth_pictures: list[Picture]) -> dict[tuple[int, int], Picture]:
    return {
        (16, 16): smooth_pictures[0][:16, :16],
        (72, 56): smooth_pictures[1],
        (17, 31): smooth_pictures[2][:31, :17],
    }


def test_both_graphs_pass_on_every_engine(
    network: TinyAdain, graphs: AdainGraphs, pictures: dict[tuple[int, int], Picture], smooth_pictures: list[Picture]
) -> None:
    parities = verify_adain(network, graphs, pictures, style=smooth_pictures[5])

    assert len(parities) >= 2
    assert graphs.statistics_size == CHANNELS


def test_graphs_have_the_ports_of_the_contract(graphs: AdainGraphs) -> None:
    def ports(values: "list[onnx.ValueInfoProto]") -> dict[str, tuple[int, list[object]]]:
        return {
            value.name: (
                value.type.tensor_type.elem_type,
                [side.dim_param or side.dim_value for side in value.type.tensor_type.shape.dim],
            )
            for value in values
        }

    byte, single = onnx.TensorProto.UINT8, onnx.TensorProto.FLOAT
    encoder, transfer = (onnx.load_from_string(item).graph for item in (graphs.encoder, graphs.transfer))

    assert ports(encoder.input) == {"picture": (byte, [1, "height", "width", 3])}
    assert list(ports(encoder.output)) == ["statistics"]
    assert ports(transfer.input) == {
        "frame": (byte, [1, "height", "width", 3]),
        "statistics": (single, [1, 2, CHANNELS]),
        "strength": (single, [1]),
    }
    assert ports(transfer.output)["stylized"][0] == byte


def test_weights_are_stored_as_float16(graphs: AdainGraphs) -> None:
    tensors = onnx.load_from_string(graphs.transfer).graph.initializer

    assert {tensor.data_type for tensor in tensors if len(tensor.dims) == 4} == {onnx.TensorProto.FLOAT16}


def test_encoder_that_differs_is_named(
    network: TinyAdain, graphs: AdainGraphs, pictures: dict[tuple[int, int], Picture], smooth_pictures: list[Picture]
) -> None:
    changed = TinyAdain()
    changed.load_state_dict(network.state_dict())
    with torch.no_grad():
        changed.encode.bias += 0.05

    with pytest.raises(ParityError, match=r"at 16x16: the style statistics are 0\.\d+ off; at most"):
        verify_adain(changed, graphs, pictures, style=smooth_pictures[5])


def test_transfer_that_differs_is_named(
    network: TinyAdain, graphs: AdainGraphs, pictures: dict[tuple[int, int], Picture], smooth_pictures: list[Picture]
) -> None:
    changed = TinyAdain()
    changed.load_state_dict(network.state_dict())
    with torch.no_grad():
        changed.decode.bias += 0.2

    with pytest.raises(ParityError, match="of the pixels are within 1 grey level"):
        verify_adain(changed, graphs, pictures, style=smooth_pictures[5])
