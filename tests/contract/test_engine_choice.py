"""How `open_engine` and `open_style` choose: engine, device and precision, and what they say where there is none."""

import hashlib
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from realtime import engine as engine_module
from realtime import engine_onnxruntime, engine_openvino
from realtime.catalogue import Style
from realtime.engine import Engine, open_engine, open_style
from realtime.engine_onnxruntime import OnnxRuntimeEngine
from realtime.errors import EngineError, StyleError, UsageError
from realtime.graph import GraphContract
from tests.contract.engines import ENGINES, Opener, picture_of
from tests.models import identity_model, invert_model


@pytest.mark.parametrize(
    ("device", "named", "fix"),
    [
        ("cuda", "CUDAExecutionProvider", "pip install 'onnxruntime-gpu[cuda,cudnn]'"),
        ("tensorrt", "TensorrtExecutionProvider", "pip install 'onnxruntime-gpu[cuda,cudnn]' tensorrt"),
        ("intel-gpu", "OpenVINO finds no GPU", "apt install intel-opencl-icd"),
        ("coreml", "CoreMLExecutionProvider", "pip install onnxruntime"),
        ("directml", "DmlExecutionProvider", "pip install onnxruntime-directml"),
    ],
)
def test_device_that_is_not_here_is_named_with_the_fix_and_nothing_replaces_it(
    device: str, named: str, fix: str, capfd: pytest.CaptureFixture[str]
) -> None:
    try:
        engine = open_engine(identity_model(), device=device)
    except EngineError as error:
        message = str(error)
    else:
        pytest.skip(f"this machine has {engine.description}")

    assert named in message
    assert fix in message
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("engine", "device", "offer"), [("openvino", "cuda", "onnxruntime"), ("onnxruntime", "intel-gpu", "openvino")]
)
def test_engine_that_cannot_drive_the_device_is_a_usage_error(engine: str, device: str, offer: str) -> None:
    with pytest.raises(UsageError, match=f"--engine {engine} does not run on --device {device}; use {offer}"):
        open_engine(identity_model(), engine=engine, device=device)


@pytest.mark.parametrize("name", ENGINES)
def test_engine_asked_for_is_the_one_that_opens(name: str) -> None:
    assert isinstance(open_engine(identity_model(), engine=name, device="cpu"), ENGINES[name])


def test_wrong_model_is_not_tried_on_the_next_engine() -> None:
    with pytest.raises(StyleError):
        open_engine(b"this is no model")


class _Candidates:
    """Stand-ins for the engines: what is in `working` opens, everything is noted in `tried`."""

    def __init__(self, *working: tuple[str, str]) -> None:
        self._working = working
        self.tried: list[tuple[str, str]] = []

    def opener(self, name: str) -> Opener:
        def open_candidate(model: bytes, device: str, contract: GraphContract) -> Engine:
            self.tried.append((name, device))
            if (name, device) not in self._working:
                raise EngineError(f"{name} fails on {device}")
            return OnnxRuntimeEngine(model, "cpu")

        return open_candidate


@pytest.fixture
def with_nvidia(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module.sys, "platform", "linux")
    monkeypatch.setattr(engine_onnxruntime, "nvidia_driver_is_present", lambda: True)
    monkeypatch.setattr(engine_onnxruntime, "built_in_devices", lambda: ["cpu", "cuda"])


@pytest.mark.usefixtures("with_nvidia")
@pytest.mark.parametrize(
    ("working", "tried"),
    [
        (("onnxruntime", "cuda"), [("onnxruntime", "cuda")]),
        (("openvino", "cpu"), [("onnxruntime", "cuda"), ("openvino", "cpu")]),
        (("onnxruntime", "cpu"), [("onnxruntime", "cuda"), ("openvino", "cpu"), ("onnxruntime", "cpu")]),
    ],
)
def test_auto_takes_the_first_that_really_loads(
    monkeypatch: pytest.MonkeyPatch, working: tuple[str, str], tried: list[tuple[str, str]]
) -> None:
    candidates = _Candidates(working)
    monkeypatch.setattr(engine_module, "_opener", candidates.opener)

    open_engine(identity_model())

    assert candidates.tried == tried


@pytest.mark.usefixtures("with_nvidia")
def test_an_accelerator_that_loads_but_cannot_run_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: OnnxRuntimeEngine, rgb: object, extra: object = None) -> None:
        raise StyleError("error code: -1")

    class Failing(OnnxRuntimeEngine):
        infer = fail  # type: ignore[assignment]

    def opener(name: str) -> Opener:
        return lambda model, device, contract: (Failing if device == "cuda" else OnnxRuntimeEngine)(model, "cpu")

    monkeypatch.setattr(engine_module, "_opener", opener)

    opened = open_engine(identity_model())

    assert not isinstance(opened, Failing)
    assert "fails with a picture: error code: -1" in opened.reason


@pytest.mark.usefixtures("with_nvidia")
def test_when_nothing_works_every_failure_is_named_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "_opener", _Candidates().opener)

    with pytest.raises(EngineError) as caught:
        open_engine(identity_model())

    assert str(caught.value) == "onnxruntime fails on cuda; openvino fails on cpu; onnxruntime fails on cpu"


def test_device_asked_for_is_not_replaced_by_another(monkeypatch: pytest.MonkeyPatch) -> None:
    candidates = _Candidates(("openvino", "cpu"))
    monkeypatch.setattr(engine_module, "_opener", candidates.opener)

    with pytest.raises(EngineError, match="onnxruntime fails on cuda"):
        open_engine(identity_model(), device="cuda")

    assert candidates.tried == [("onnxruntime", "cuda")]


@pytest.mark.parametrize(
    ("platform", "driver", "built_in", "devices"),
    [
        ("linux", True, ["cpu", "cuda", "tensorrt"], ["cuda"]),
        ("linux", False, ["cpu", "cuda"], []),
        ("linux", True, ["cpu"], []),
        ("win32", False, ["cpu", "directml"], ["directml"]),
        ("win32", True, ["cpu", "cuda", "directml"], ["cuda", "directml"]),
        ("darwin", False, ["cpu", "coreml"], []),
    ],
)
def test_auto_tries_accelerators_that_may_be_there_before_the_processor(
    monkeypatch: pytest.MonkeyPatch, platform: str, driver: bool, built_in: list[str], devices: list[str]
) -> None:
    candidates = _Candidates(("openvino", "cpu"))
    monkeypatch.setattr(engine_module, "_opener", candidates.opener)
    monkeypatch.setattr(engine_module.sys, "platform", platform)
    monkeypatch.setattr(engine_onnxruntime, "nvidia_driver_is_present", lambda: driver)
    monkeypatch.setattr(engine_onnxruntime, "built_in_devices", lambda: built_in)

    open_engine(identity_model())

    assert candidates.tried == [*(("onnxruntime", device) for device in devices), ("openvino", "cpu")]


@pytest.mark.parametrize("library", ["onnxruntime", "openvino"])
def test_library_that_is_not_installed_is_named_with_its_command(monkeypatch: pytest.MonkeyPatch, library: str) -> None:
    monkeypatch.setitem(engine_module.sys.modules, library, None)

    with pytest.raises(EngineError, match=f"install it: pip install {library}"):
        open_engine(identity_model(), engine=library, device="cpu")


def test_what_auto_picked_gives_its_reason_and_what_was_asked_for_needs_none() -> None:
    model = identity_model()

    picked = open_engine(model)
    asked = open_engine(model, engine="openvino", device="cpu")

    assert picked.reason.startswith("auto")
    assert asked.reason == ""


@pytest.fixture
def style(tmp_path: Path) -> Style:
    """Return a style whose int8 model inverts and whose float32 model changes nothing: a result tells which one ran."""
    files = {"plain.onnx": identity_model(), "plain.int8.onnx": invert_model()}
    for name, model in files.items():
        (tmp_path / name).write_bytes(model)
    (plain, plain_digest), (int8, int8_digest) = (
        (model, hashlib.sha256(model).hexdigest()) for model in files.values()
    )
    variant = {"precision": "int8", "file": "plain.int8.onnx", "size_bytes": len(int8), "sha256": int8_digest}
    card = {"variants": [variant]}
    return Style("plain", "Plain", tmp_path / "plain.onnx", plain_digest, len(plain), card)


@pytest.mark.parametrize(
    ("engine", "precision", "faster", "runs_int8"),
    [
        ("openvino", "auto", True, True),
        ("openvino", "auto", False, False),
        ("onnxruntime", "auto", True, False),
        ("openvino", "fp32", True, False),
        ("openvino", "int8", False, True),
        ("onnxruntime", "int8", False, True),
    ],
)
def test_precision_is_the_one_asked_for_or_the_one_that_suits_engine_and_processor(
    style: Style, monkeypatch: pytest.MonkeyPatch, engine: str, precision: str, faster: bool, runs_int8: bool
) -> None:
    monkeypatch.setattr(engine_openvino, "processor_prefers_int8", lambda: faster)

    with closing(open_style(style, engine=engine, device="cpu", precision=precision)) as opened:
        picture = picture_of(16, 16)
        assert np.array_equal(opened.infer(picture), 255 - picture if runs_int8 else picture)


@pytest.mark.parametrize(
    ("hint", "capabilities", "prefers"),
    [
        ("<Type: 'float32'>", ["FP32", "INT8"], True),
        ("<Type: 'float32'>", ["FP32"], False),
        ("<Type: 'bfloat16'>", ["FP32", "INT8", "BF16"], False),
        ("<Type: 'float16'>", ["FP32", "INT8"], False),
    ],
)
def test_int8_suits_processors_that_have_it_and_nothing_between(
    monkeypatch: pytest.MonkeyPatch, hint: str, capabilities: list[str], prefers: bool
) -> None:
    properties = {"INFERENCE_PRECISION_HINT": hint, "OPTIMIZATION_CAPABILITIES": capabilities}
    core = SimpleNamespace(get_property=lambda device, name: properties[name])
    monkeypatch.setattr(engine_openvino, "import_openvino", lambda: SimpleNamespace(Core=lambda: core))

    assert engine_openvino.processor_prefers_int8() is prefers


def test_precision_that_the_style_has_not_is_refused(style: Style) -> None:
    with pytest.raises(UsageError, match="style plain has no fp16 model; leave --precision out"):
        open_style(style, precision="fp16")
