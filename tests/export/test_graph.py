"""The exported graph keeps the contract, and only networks of the right kind are loaded."""

import json
from pathlib import Path

import onnx
import pytest

torch = pytest.importorskip("torch", reason="the export needs torch: pip install stylecast[train]")

from safetensors.torch import save_file  # noqa: E402

from export.graph import INPUT_NAME, OPSET, OUTPUT_NAME, load_network  # noqa: E402
from realtime.graph import SIZE_MULTIPLE  # noqa: E402
from training import network as network_module  # noqa: E402
from training.network import SlimNetwork  # noqa: E402

METADATA = {"network": "SlimNetwork", "recipe": json.dumps({"name": "x"}), "steps": "7", "minutes": "1.5", "vgg": "v"}


def _ports(ports: "list[onnx.ValueInfoProto]") -> list[tuple[str, int, list[object]]]:
    return [
        (
            port.name,
            port.type.tensor_type.elem_type,
            [dimension.dim_param or dimension.dim_value for dimension in port.type.tensor_type.shape.dim],
        )
        for port in ports
    ]


def test_graph_takes_and_returns_bytes_of_any_size(model: bytes) -> None:
    graph = onnx.load_from_string(model)

    onnx.checker.check_model(graph, full_check=True)
    assert _ports(graph.graph.input) == [(INPUT_NAME, onnx.TensorProto.UINT8, [1, "height", "width", 3])]
    (output,) = _ports(graph.graph.output)
    assert output[:2] == (OUTPUT_NAME, onnx.TensorProto.UINT8)
    assert len(output[2]) == 4
    assert [item.version for item in graph.opset_import] == [OPSET]


def test_graph_holds_nothing_that_breaks_fusion(model: bytes) -> None:
    operators = {node.op_type for node in onnx.load_from_string(model).graph.node}

    assert "InstanceNormalization" in operators
    assert not operators & {"Pad", "ConvTranspose", "If", "Loop", "Scan"}


def test_runtime_and_network_mean_the_same_multiple() -> None:
    assert SIZE_MULTIPLE == network_module.SIZE_MULTIPLE


def test_network_that_training_saved_is_loaded_with_what_it_wrote(tmp_path: Path) -> None:
    network = SlimNetwork()
    save_file(network.state_dict(), tmp_path / "network.safetensors", metadata=METADATA)

    trained = load_network(tmp_path / "network.safetensors")

    assert (trained.recipe, trained.steps, trained.minutes, trained.vgg) == ({"name": "x"}, 7, 1.5, "v")
    assert not trained.network.training
    assert all(torch.equal(trained.network.state_dict()[name], value) for name, value in network.state_dict().items())


@pytest.mark.parametrize("metadata", [None, {"network": "JohnsonNetwork"}])
def test_network_of_another_kind_is_named(tmp_path: Path, metadata: dict[str, str] | None) -> None:
    save_file({"x": torch.zeros(1)}, tmp_path / "network.safetensors", metadata=metadata)

    with pytest.raises(ValueError, match=r"holds a network of kind .*, expected SlimNetwork"):
        load_network(tmp_path / "network.safetensors")
