"""Compile loops over the pixels of whole pictures, for which OpenCV would take a call and a pass a step (Numba)."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba
import numpy as np
from numpy.typing import NDArray

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")
Number = TypeVar("Number", np.float32, np.int16)


def compiled(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Compile at the first call, and keep it for later runs where there is a folder to write to.

    Other threads go on meanwhile. Sums and products may be joined, so that the last bit of a float is not defined.
    """
    try:
        return _jit(function, keep=True)
    except RuntimeError:  # neither this package's folder nor the user's cache can be written to
        return _jit(function, keep=False)


def _jit(function: Callable[Parameters, Result], *, keep: bool) -> Callable[Parameters, Result]:
    made = numba.njit(function, cache=keep, nogil=True, fastmath=True, error_model="numpy")
    return cast(Callable[Parameters, Result], made)


@compiled
def row_between(row: int, height: int, rows: int) -> tuple[int, int, float]:
    """Return which of `rows` lie above and below a row of a picture of `height`, and the share of the one below.

    Pixel centres lie as in OpenCV's enlargement.
    """
    position = max((row + 0.5) * rows / height - 0.5, 0.0)
    above = int(position)
    return above, min(above + 1, rows - 1), position - above


@compiled
def enlarge_row(values: NDArray[np.float32], row: int, height: int, enlarged: NDArray[np.float32]) -> None:
    """Write a row of `values` (rows, W), as it is when they are enlarged to `height`, linearly."""
    above, below, between = row_between(row, height, len(values))
    share = np.float32(between)
    for x in range(len(enlarged)):
        enlarged[x] = values[above, x] + share * (values[below, x] - values[above, x])


@compiled
def repeat_for_channels(values: NDArray[Number], repeated: NDArray[Number]) -> None:
    """Write each of `values` (W,) three times, (3 W,): once for each channel of a row of RGB."""
    for x in range(len(values)):
        value = values[x]
        repeated[3 * x] = value
        repeated[3 * x + 1] = value
        repeated[3 * x + 2] = value
