"""Compile loops over the pixels of whole pictures, for which OpenCV would take a call and a pass a step (Numba)."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


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
