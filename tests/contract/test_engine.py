"""What every engine must do; `test_engine_choice.py` has how one is chosen."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import TensorProto

from realtime.engine import Engine
from realtime.engine_openvino import OpenVinoEngine
from realtime.errors import StyleError
from realtime.graph import ENCODER, FEED_FORWARD, STATISTICS, STRENGTH, TRANSFER, GraphContract
from tests.contract.engines import ENGINES, Opener, picture_of
from tests.models import encoder_model, identity_model, invert_model, one_node_model, transfer_model

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


@pytest.fixture(params=ENGINES)
def opener(request: pytest.FixtureRequest) -> Opener:
    return ENGINES[request.param]


@pytest.fixture
def identity(opener: Opener) -> Iterator[Engine]:
    engine = opener(identity_model(), "cpu")
    yield engine
    engine.close()


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_identity_model_gives_back_every_pixel(identity: Engine, width: int, height: int) -> None:
    picture = picture_of(width, height)

    stylized = identity.infer(picture)

    assert stylized.dtype == np.uint8
    assert np.array_equal(stylized, picture)


def test_sizes_may_follow_one_another_and_come_back(opener: Opener) -> None:
    engine = opener(invert_model(), "cpu")
    order = [*SIZES, *reversed(SIZES), *SIZES]

    results = [engine.infer(picture_of(*size, seed)) for seed, size in enumerate(order)]

    assert all(np.array_equal(255 - picture_of(*order[seed], seed), result) for seed, result in enumerate(results))


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
    large = picture_of(48, 48)

    assert np.array_equal(identity.infer(large[8:24, 16:40]), large[8:24, 16:40])


def test_result_is_independent_of_input_and_of_later_results(identity: Engine) -> None:
    first_input, second_input = picture_of(24, 16, 1), picture_of(24, 16, 2)
    kept = first_input.copy()

    first = identity.infer(first_input)
    second = identity.infer(second_input)
    first_input[:] = 0

    assert np.array_equal(first, kept)
    assert np.array_equal(second, picture_of(24, 16, 2))
    assert not np.shares_memory(first, second)
    assert not np.shares_memory(second, second_input)


def test_input_is_left_as_it_was(opener: Opener) -> None:
    picture = picture_of(24, 16)

    opener(invert_model(), "cpu").infer(picture)

    assert np.array_equal(picture, picture_of(24, 16))


def test_threads_that_infer_at_once_each_get_their_own_result(opener: Opener) -> None:
    engine = opener(invert_model(), "cpu")
    threads, rounds = 4, 8
    together = threading.Barrier(threads)

    def work(number: int) -> bool:
        together.wait()
        pictures = [
            picture_of(*SIZES[(number + turn) % len(SIZES)], seed=100 * number + turn) for turn in range(rounds)
        ]
        return all(np.array_equal(engine.infer(picture), 255 - picture) for picture in pictures)

    with ThreadPoolExecutor(threads) as pool:
        assert all(pool.map(work, range(threads)))


def test_engine_describes_itself(identity: Engine) -> None:
    assert identity.device == "cpu"
    assert identity.workers >= 1
    assert "cpu" in identity.description


def test_close_may_be_called_twice(opener: Opener) -> None:
    engine = opener(identity_model(), "cpu")
    engine.infer(picture_of(16, 16))

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
    picture = picture_of(width, height)

    statistics = opener(encoder_model(), "cpu", ENCODER).infer(picture)

    assert statistics.dtype == np.float32
    assert np.abs(statistics - _colour_statistics(picture)).max() < PRECISION_LEVELS


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_transfer_gets_the_statistics_and_the_strength_of_each_call(opener: Opener, width: int, height: int) -> None:
    engine = opener(transfer_model(), "cpu", TRANSFER)
    picture = picture_of(width, height)
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
    picture = picture_of(24, 16)

    def work(number: int) -> bool:
        level = 40.0 * (number % 5)
        flat = np.array([[level] * 3, [0] * 3], np.float32)
        return np.abs(engine.infer(picture, _extra(flat, 1)) - level).max() <= PRECISION_LEVELS

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(work, range(40)))


def test_code_of_another_model_is_a_style_error(opener: Opener) -> None:
    engine = opener(transfer_model(), "cpu", TRANSFER)

    with pytest.raises(StyleError, match="cannot run the style"):
        engine.infer(picture_of(16, 16), _extra(np.ones((2, 5), np.float32), 1))


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
