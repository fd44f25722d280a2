"""Compare an exported graph with its network in torch, on every engine, at odd, tiny and large sizes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from export.runner import Inputs, Tensor, runners
from realtime.stylizer import with_margin

# (width, height): tiny, the graph's multiple, odd, and full HD; each gets the stylizer's margin.
SIZES = ((16, 16), (17, 31), (64, 64), (321, 241), (641, 359), (1920, 1080))
# float32 engines add up in another order: rounding may fall to the other side, no more.
LEVELS_MAX = 1
PIXELS_SHARE_MIN = 0.999
# The least PSNR against torch in float32, at every size: bf16 carries 8 bits of mantissa through 15 layers.
PSNR_MIN_DB = {"bfloat16": 38.0, "fp16": 38.0, "int8": 32.0}
# The style statistics of an any-style model, as the norm of the error over that of the statistics.
STATISTICS_ERROR_MAX = {"float32": 1e-3, "bfloat16": 3e-2}
# What identical pictures are given, so that a card can hold the figure.
PSNR_MAX_DB = 99.0

Picture = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Case:
    """The inputs of a graph at one size (width, height), and what torch makes of them in float32."""

    size: tuple[int, int]
    inputs: Inputs
    expected: Tensor


@dataclass(frozen=True, slots=True)
class Parity:
    """How far an engine is from torch in float32, the worst over all sizes.

    `is_float32` tells how the engine computes; `shortfall` is a line about the first size at which it is too far off.
    """

    engine: str
    share_within_one_level: float
    psnr_db: float
    is_float32: bool
    shortfall: str | None = None


class ParityError(ValueError):
    """The exported graph does not do what the network does."""


def picture_cases(
    network: Callable[[Picture], Picture], input_name: str, pictures: dict[tuple[int, int], Picture]
) -> list[Case]:
    """Return the cases of a graph from picture to picture; `network` takes and returns (1, H, W, 3)."""
    frames = {size: with_margin(picture)[np.newaxis] for size, picture in pictures.items()}
    return [Case(size, {input_name: frame}, network(frame)) for size, frame in frames.items()]


def verify(model: bytes, cases: Sequence[Case], *, precision: str = "fp32") -> list[Parity]:
    """Return the parity of every engine that runs a graph whose output is a picture; `precision` is that of the file.

    Raises:
        ParityError: an engine is further off than the tolerances allow; names it, the size and the figure.
    """
    parities = measure_parity(model, cases, precision=precision)
    for parity in parities:
        if parity.shortfall:
            raise ParityError(parity.shortfall)
    return parities


def measure_parity(model: bytes, cases: Sequence[Case], *, precision: str = "fp32") -> list[Parity]:
    """Do as `verify`, and let the caller judge the shortfalls."""
    parities = []
    for engine, is_float32, run in runners(model):
        tolerance = precision if precision != "fp32" else "float32" if is_float32 else "bfloat16"
        name = engine if precision == "fp32" else f"{engine}, {precision} file"
        shares, psnrs_db, shortfalls = [], [], []
        for case in cases:
            share, found_db = _compare(case.expected, run(case.inputs))
            shares.append(share)
            psnrs_db.append(found_db)
            shortfalls.append(_shortfall(name, case.size, share=share, found_db=found_db, tolerance=tolerance))
        shortfall = next(filter(None, shortfalls), None)
        parities.append(Parity(name, min(shares), min(psnrs_db), tolerance == "float32", shortfall))
    return parities


def verify_statistics(model: bytes, cases: Sequence[Case]) -> None:
    """Require of every engine the style statistics that torch computes.

    Raises:
        ParityError: an engine is further off than the tolerances allow; names it, the size and the figure.
    """
    for engine, is_float32, run in runners(model):
        limit = STATISTICS_ERROR_MAX["float32" if is_float32 else "bfloat16"]
        for case in cases:
            error = float(np.linalg.norm(run(case.inputs) - case.expected) / np.linalg.norm(case.expected))
            if not error <= limit:
                width, height = case.size
                raise ParityError(
                    f"{engine} at {width}x{height}: the style statistics are {error:.4f} off; at most {limit} may be"
                )


def _shortfall(engine: str, size: tuple[int, int], *, share: float, found_db: float, tolerance: str) -> str | None:
    place = f"{engine} at {size[0]}x{size[1]}"
    if tolerance == "float32":
        if share < PIXELS_SHARE_MIN:
            return (
                f"{place}: {share:.5f} of the pixels are within {LEVELS_MAX} grey level of torch "
                f"(PSNR {found_db:.1f} dB); at least {PIXELS_SHARE_MIN} must be"
            )
    elif found_db < PSNR_MIN_DB[tolerance]:
        return f"{place}: PSNR {found_db:.1f} dB against torch; {tolerance} must reach {PSNR_MIN_DB[tolerance]} dB"
    return None


def _compare(expected: Tensor, found: Tensor) -> tuple[float, float]:
    """Return the share of pixels within `LEVELS_MAX` in every colour, and the PSNR in dB."""
    if expected.shape != found.shape:
        return 0.0, 0.0
    difference = np.abs(expected.astype(np.int16) - found.astype(np.int16))
    share = float(np.mean(np.all(difference <= LEVELS_MAX, axis=-1)))
    return share, psnr_db(expected, found)


def psnr_db(one: Tensor, other: Tensor) -> float:
    """Return the PSNR of uint8 pictures of one shape; `PSNR_MAX_DB` where they are equal."""
    error = float(np.mean(np.square((one.astype(np.int16) - other.astype(np.int16)) / 255)))
    return min(PSNR_MAX_DB, -10 * float(np.log10(error))) if error else PSNR_MAX_DB
