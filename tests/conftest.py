"""Fixtures for all tests: tiny styles that need no training, and a folder without unfinished files at the end."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper


def _save_style(path: Path, nodes: list[onnx.NodeProto], constants: dict[str, np.ndarray] | None = None) -> Path:
    """Write a graph of the contract: uint8 (1, H, W, 3) in, the same out, H and W dynamic."""
    shape = [1, "height", "width", 3]
    graph = helper.make_graph(
        nodes,
        "style",
        [helper.make_tensor_value_info("rgb", TensorProto.UINT8, shape)],
        [helper.make_tensor_value_info("stylized", TensorProto.UINT8, shape)],
        [onnx.numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="session")
def identity_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style that leaves every pixel as it is."""
    path = tmp_path_factory.mktemp("style") / "identity.onnx"
    return _save_style(path, [helper.make_node("Max", ["rgb", "rgb"], ["stylized"])])


@pytest.fixture(scope="session")
def invert_style(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A style that turns every value v into 255 - v."""
    path = tmp_path_factory.mktemp("style") / "invert.onnx"
    nodes = [
        helper.make_node("Cast", ["rgb"], ["values"], to=TensorProto.FLOAT),
        helper.make_node("Sub", ["white", "values"], ["inverted"]),
        helper.make_node("Cast", ["inverted"], ["stylized"], to=TensorProto.UINT8),
    ]
    return _save_style(path, nodes, {"white": np.array(255, np.float32)})


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
def _no_unfinished_files(tmp_path: Path) -> Iterator[None]:
    """Fail the test that leaves a temporary file of ours behind."""
    yield
    left = [path.name for path in tmp_path.rglob(".*.part")]
    assert not left, f"unfinished files are left: {left}"
