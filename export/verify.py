"""Compare an exported style with its network in torch, on every engine, at odd, tiny and large sizes."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from realtime.engine import open_engine
from realtime.engine_openvino import import_openvino
from realtime.stylizer import with_margin
from training.network import SlimNetwork

# (width, height): tiny, the graph's multiple, odd, and full HD; each gets the stylizer's margin.
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
    frames = {size: with_margin(picture) for size, picture in pictures.items()}
    expected = {size: _torch_result(network, frame) for size, frame in frames.items()}
    results = []
    for name, stylize, exact in _engines(model):
        found = {size: stylize(frame) for size, frame in frames.items()}
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
        (onnxruntime_engine.description, onnxruntime_engine.infer, True),
        ("OpenVINO, cpu, f32", _openvino_float32(model), True),
    ]
    if "float32" not in default.description:
        engines.append((default.description, default.infer, False))
    return engines


def _openvino_float32(model: bytes) -> Callable[[Picture], Picture]:
    core = import_openvino().Core()
    compiled = core.compile_model(core.read_model(model), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    return lambda frame: np.asarray(compiled(frame[np.newaxis])[0][0])


def _torch_result(network: SlimNetwork, frame: Picture) -> Picture:
    with torch.inference_mode():
        return np.asarray(network.forward_uint8(torch.from_numpy(frame).unsqueeze(0))[0].numpy())


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
