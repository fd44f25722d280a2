"""What every engine must do, and how `open_engine` chooses among them."""

import hashlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from realtime import engine as engine_module
from realtime import engine_onnxruntime, engine_openvino
from realtime.catalogue import Style
from realtime.engine import Engine, open_engine, open_style
from realtime.engine_onnxruntime import OnnxRuntimeEngine
from realtime.engine_openvino import OpenVinoEngine
from realtime.errors import EngineError, StyleError, UsageError
from realtime.graph import ENCODER, FEED_FORWARD, STATISTICS, STRENGTH, TRANSFER, GraphContract
from tests.models import encoder_model, identity_model, invert_model, one_node_model, transfer_model

ENGINES = {"onnxruntime": OnnxRuntimeEngine, "openvino": OpenVinoEngine}
# (width, height): the smallest, odd multiples of 8, wide, tall.
SIZES = ((16, 16), (24, 40), (136, 16), (16, 72), (56, 88))
WRONG_MODELS = {
    "float": lambda: one_node_model("Identity", element=TensorProto.FLOAT),
    "two inputs": lambda: one_node_model("BitwiseAnd", inputs=("frame", "other")),
    "two outputs": lambda: one_node_model(
        "Split", outputs=("stylized", "other"), attributes={"axis": 3, "num_outputs": 2}
    ),
    "planes": lambda: one_node_model("Identity", shape=(1, 3, "height", "width")),
    "four colours": lambda: one_node_model("Identity", shape=(1, "height", "width", 4)),
    "one size": lambda: one_node_model("Identity", shape=(1, 64, 64, 3)),
    "no batch": lambda: one_node_model("Identity", shape=("height", "width", 3)),
    "no rank": lambda: one_node_model("Identity", shape=None),
    "garbage": lambda: b"this is no model",
    "cut off": lambda: identity_model()[:40],
    "empty": lambda: b"",
}

# Grey levels: OpenVINO computes in bf16 where the processor has it, which tells 255 levels apart only roughly.
PRECISION_LEVELS = 2

Opener = Callable[..., Engine]


@pytest.fixture(params=ENGINES)
def opener(request: pytest.FixtureRequest) -> Opener:
    return ENGINES[request.param]


@pytest.fixture
def identity(opener: Opener) -> Iterator[Engine]:
    engine = opener(identity_model(), "cpu")
    yield engine
    engine.close()


def _picture(width: int, height: int, seed: int = 1) -> NDArray[np.uint8]:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_identity_model_gives_back_every_pixel(identity: Engine, width: int, height: int) -> None:
    picture = _picture(width, height)

    stylized = identity.infer(picture)

    assert stylized.dtype == np.uint8
    assert np.array_equal(stylized, picture)


def test_sizes_may_follow_one_another_and_come_back(opener: Opener) -> None:
    engine = opener(invert_model(), "cpu")
    order = [*SIZES, *reversed(SIZES), *SIZES]

    results = [engine.infer(_picture(*size, seed)) for seed, size in enumerate(order)]

    assert all(np.array_equal(255 - _picture(*order[seed], seed), result) for seed, result in enumerate(results))


def test_openvino_goes_on_in_a_known_size_while_another_is_compiled() -> None:
    with closing(OpenVinoEngine(identity_model(), "cpu")) as engine, ThreadPoolExecutor(1) as pool:
        picture = np.full((16, 24, 3), 7, np.uint8)
        engine.infer(picture)
        with engine._compiling:  # as while a compilation goes on
            assert int(pool.submit(engine.infer, picture).result(60)[0, 0, 0]) == 7


def test_openvino_keeps_the_size_in_use_when_it_makes_room_for_others() -> None:
    with closing(OpenVinoEngine(identity_model(), "cpu")) as engine:
        engine.infer(np.zeros((16, 16, 3), np.uint8))
        in_use = engine._compiled[16, 16]
        for side in range(24, 24 + 8 * 8, 8):  # what a governor prepares while frames go on in the present size
            engine._last_size = (16, 16)
            engine.infer(np.zeros((side, 24, 3), np.uint8))

        assert engine._compiled[16, 16] is in_use


def test_picture_that_is_a_view_with_gaps_is_read_in_order(identity: Engine) -> None:
    large = _picture(48, 48)

    assert np.array_equal(identity.infer(large[8:24, 16:40]), large[8:24, 16:40])


def test_result_is_independent_of_input_and_of_later_results(identity: Engine) -> None:
    first_input, second_input = _picture(24, 16, 1), _picture(24, 16, 2)
    kept = first_input.copy()

    first = identity.infer(first_input)
    second = identity.infer(second_input)
    first_input[:] = 0

    assert np.array_equal(first, kept)
    assert np.array_equal(second, _picture(24, 16, 2))
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(second, second_input)


def test_input_is_left_as_it_was(opener: Opener) -> None:
    picture = _picture(24, 16)

    opener(invert_model(), "cpu").infer(picture)

    assert np.array_equal(picture, _picture(24, 16))


def test_threads_that_infer_at_once_each_get_their_own_result(opener: Opener) -> None:
    engine = opener(invert_model(), "cpu")
    threads, rounds = 4, 8
    together = threading.Barrier(threads)

    def work(number: int) -> bool:
        together.wait()
        pictures = [_picture(*SIZES[(number + turn) % len(SIZES)], seed=100 * number + turn) for turn in range(rounds)]
        return all(np.array_equal(engine.infer(picture), 255 - picture) for picture in pictures)

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(work, range(threads)))


def test_engine_describes_itself(identity: Engine) -> None:
    assert identity.device == "cpu"
    assert identity.workers >= 1
    assert "cpu" in identity.description


def test_close_may_be_called_twice(opener: Opener) -> None:
    engine = opener(identity_model(), "cpu")
    engine.infer(_picture(16, 16))

    engine.close()
    engine.close()


@pytest.mark.parametrize("kind", WRONG_MODELS)
def test_wrong_model_is_a_style_error(opener: Opener, kind: str) -> None:
    model = WRONG_MODELS[kind]()

    with pytest.raises(StyleError, match=r"not a style|cannot load the style") as caught:
        opener(model, "cpu")

    assert "\n" not in str(caught.value)


def _colour_statistics(picture: NDArray[np.uint8]) -> NDArray[np.float32]:
    return np.stack((picture.mean(axis=(0, 1)), picture.std(axis=(0, 1)))).astype(np.float32)


def _extra(statistics: NDArray[np.float32], strength: float) -> dict[str, NDArray[np.float32]]:
    return {STATISTICS: statistics[np.newaxis], STRENGTH: np.array([strength], np.float32)}


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_encoder_gives_its_statistics(opener: Opener, width: int, height: int) -> None:
    picture = _picture(width, height)

    statistics = opener(encoder_model(), "cpu", ENCODER).infer(picture)

    assert statistics.dtype == np.float32
    assert np.abs(statistics - _colour_statistics(picture)).max() < PRECISION_LEVELS


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_transfer_gets_the_statistics_and_the_strength_of_each_call(opener: Opener, width: int, height: int) -> None:
    engine = opener(transfer_model(), "cpu", TRANSFER)
    picture = _picture(width, height)
    mean, deviation = np.array([60, 120, 180]), np.array([10, 20, 30])
    style = np.array((mean, deviation), dtype=np.float32)

    whole, half, none, again = (engine.infer(picture, _extra(style, strength)) for strength in (1, 0.5, 0, 1))

    assert whole.dtype == np.uint8
    assert np.abs(_colour_statistics(whole) - style).max() < PRECISION_LEVELS
    assert np.abs(_colour_statistics(half) - (style + _colour_statistics(picture)) / 2).max() < PRECISION_LEVELS
    assert np.abs(none.astype(int) - picture).max() <= PRECISION_LEVELS
    assert np.array_equal(again, whole)


def test_threads_that_infer_at_once_each_get_their_own_style(opener: Opener) -> None:
    engine = opener(transfer_model(), "cpu", TRANSFER)
    picture = _picture(24, 16)

    def work(number: int) -> bool:
        level = 40.0 * (number % 5)
        flat = np.array([[level] * 3, [0] * 3], np.float32)
        return np.abs(engine.infer(picture, _extra(flat, 1)) - level).max() <= PRECISION_LEVELS

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))


def test_code_of_another_model_is_a_style_error(opener: Opener) -> None:
    engine = opener(transfer_model(), "cpu", TRANSFER)

    with pytest.raises(StyleError, match="cannot run the style"):
        engine.infer(_picture(16, 16), _extra(np.ones((2, 5), np.float32), 1))


@pytest.mark.parametrize(
    ("model", "contract", "words"),
    [
        (transfer_model, FEED_FORWARD, "not a style: expected one input and one output"),
        (encoder_model, FEED_FORWARD, "not a style: expected one input and one output"),
        (identity_model, TRANSFER, "not an any-style model: expected .*statistics float32"),
        (encoder_model, TRANSFER, "not an any-style model"),
        (identity_model, ENCODER, "not the encoder of an any-style model"),
        (transfer_model, ENCODER, "not the encoder of an any-style model"),
    ],
)
def test_graph_of_another_contract_is_a_style_error(
    opener: Opener, model: Callable[[], bytes], contract: GraphContract, words: str
) -> None:
    with pytest.raises(StyleError, match=words):
        opener(model(), "cpu", contract)


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
        ("darwin", False, ["cpu", "coreml"], ["coreml"]),
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
        picture = _picture(16, 16)
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
