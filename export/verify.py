"""Compare an exported style with its network in torch, on every engine, at odd, tiny and large sizes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.engine import Engine, open_engine
from realtime.engine_openvino import import_openvino
from realtime.stylizer import Stylizer, padding_px
from training.network import SlimNetwork

# (width, height): tiny, the graph's multiple, odd, and full HD.
SIZES = ((16, 16), (17, 31), (64, 64), (321, 241), (641, 359), (1920, 1080))
# float32 engines add up in another order: rounding may fall to the other side, no more.
LEVELS_MAX = 1
LEVELS_SHARE_MIN = 0.999
# bf16 carries 8 bits of mantissa through 15 layers.
REDUCED_PRECISION_PSNR_MIN_DB = 38.0

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an engine is from torch in float32, the worst over all sizes."""

    engine: str
    share_within_one_level: float
    psnr_db: float
    passed: bool


class ParityError(ValueError):
    """The exported graph does not do what the network does."""


def verify(network: SlimNetwork, model: bytes, pictures: dict[tuple[int, int], Picture]) -> list[Parity]:
    """Return the parity of every engine; `pictures` holds one photograph for each of SIZES, RGB.

    Raises:
        ParityError: an engine is further off than the tolerances allow.
    """
    expected = {size: _torch_result(network, picture) for size, picture in pictures.items()}
    results = []
    for name, stylize, exact in _engines(model):
        found = {size: stylize(picture) for size, picture in pictures.items()}
        parity = _compare(name, expected, found, exact=exact)
        if not parity.passed:
            expected_text = (
                f"a share of {LEVELS_SHARE_MIN}" if exact else f"a PSNR of {REDUCED_PRECISION_PSNR_MIN_DB} dB"
            )
            raise ParityError(
                f"{name}: {parity.share_within_one_level:.5f} of the values within {LEVELS_MAX} level, "
                f"PSNR {parity.psnr_db:.1f} dB; expected at least {expected_text}"
            )
        results.append(parity)
    return results


def _engines(model: bytes) -> list[tuple[str, Callable[[Picture], Picture], bool]]:
    onnxruntime_engine = open_engine(model, engine="onnxruntime", device="cpu")
    default = open_engine(model, engine="openvino", device="cpu")
    engines: list[tuple[str, Callable[[Picture], Picture], bool]] = [
        (onnxruntime_engine.description, _through(onnxruntime_engine), True),
        ("OpenVINO, cpu, f32", _openvino_float32(model), True),
    ]
    if "float32" not in default.description:
        engines.append((default.description, _through(default), False))
    return engines


def _through(engine: Engine) -> Callable[[Picture], Picture]:
    stylizer = Stylizer(engine)
    return lambda picture: stylizer.stylize(picture).stylized


def _openvino_float32(model: bytes) -> Callable[[Picture], Picture]:
    compiled = import_openvino().Core().compile_model(model, b"", "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def stylize(picture: Picture) -> Picture:
        height, width = picture.shape[:2]
        return np.asarray(compiled(_padded(picture)[np.newaxis])[0][0][:height, :width])

    return stylize


def _torch_result(network: SlimNetwork, picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    with torch.inference_mode():
        stylized = network.forward_uint8(torch.from_numpy(_padded(picture)).unsqueeze(0))[0].numpy()
    return np.asarray(stylized[:height, :width])


def _padded(picture: Picture) -> Picture:
    height, width = picture.shape[:2]
    return np.pad(picture, ((0, padding_px(height)), (0, padding_px(width)), (0, 0)), mode="edge")


def _compare(
    name: str, expected: dict[tuple[int, int], Picture], found: dict[tuple[int, int], Picture], *, exact: bool
) -> Parity:
    share, psnr_db = 1.0, float("inf")
    for size, picture in expected.items():
        difference = np.abs(picture.astype(np.int16) - found[size].astype(np.int16))
        share = min(share, float(np.mean(difference <= LEVELS_MAX)))
        error = float(np.mean(np.square(difference / 255)))
        psnr_db = min(psnr_db, -10 * float(np.log10(error)) if error else float("inf"))
    passed = share >= LEVELS_SHARE_MIN if exact else psnr_db >= REDUCED_PRECISION_PSNR_MIN_DB
    return Parity(name, share, psnr_db, passed)
