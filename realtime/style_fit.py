"""Fit the code of a style to its picture by some steps of descent, where there are seconds for it.

An encoder guesses a code in one pass. The same network can come much nearer to the picture: the fitter, a graph that is
exported with the model, gives the gradient of Gatys' objective (Gatys et al. 2016) with respect to the code, of some
pictures of its own that the network paints, and Adam (Kingma & Ba 2015) follows it from the guess on.

Six photographs by ten paintings that neither has seen, medians: style loss 0.115 -> 0.086, content loss 0.471 -> 0.464;
six and ten others: 0.120 -> 0.085, 0.437 -> 0.419. It takes four seconds on two cores. Live runs begin with the guess
and are fitted beside the frames (`live_fit.py`).
"""

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .catalogue import Style, fitter_of, read_model
from .engine_onnxruntime import first_line, import_onnxruntime, session_options
from .errors import StyleError
from .graph import STATISTICS
from .style_code import StyleCode, as_encoded

# Names of the graph's two parts: what a picture asks for, and the gradient of a code that is given that.
PICTURE, TARGET = "picture", "target"
GIVEN_TARGET, GRADIENT = "given_target", "gradient"
STEPS = 12
# In units of the deviation of each feature, which the steps change by factors; falls to 0 along a cosine.
STEP_SIZE = 0.08
_MOMENTUM, _SQUARES_KEPT, _EPSILON = 0.9, 0.99, 1e-8


class StyleFitter:
    """Runs a fitter (`export/fitter.py`) in ONNX Runtime, on the processor with so many `threads`, or all cores.

    Raises:
        StyleError: the model is none.
        EngineError: ONNX Runtime is not installed.
    """

    def __init__(self, model: bytes, *, threads: int | None = None) -> None:
        onnxruntime = import_onnxruntime()
        options = session_options(onnxruntime, threads=threads)
        try:
            self._session: Any = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # the library raises its own, undocumented classes
            raise StyleError(f"ONNX Runtime cannot load the fitter of the style: {first_line(error)}") from error
        # The graph has two parts, of which a run needs one.
        self._one_part = onnxruntime.RunOptions()
        self._one_part.only_execute_path_to_fetches = True
        shapes = {port.name: port.shape for port in (*self._session.get_inputs(), *self._session.get_outputs())}
        if not {PICTURE, TARGET, STATISTICS, GIVEN_TARGET, GRADIENT} <= shapes.keys():
            raise StyleError(f"the model is no fitter of codes: it has {', '.join(shapes)}")
        self._unused = {
            PICTURE: np.zeros((1, 16, 16, 3), dtype=np.uint8),
            STATISTICS: np.zeros(shapes[STATISTICS], dtype=np.float32),
            GIVEN_TARGET: np.zeros(shapes[GIVEN_TARGET], dtype=np.float32),
        }

    def fit(self, code: StyleCode, rgb: NDArray[np.uint8]) -> StyleCode:
        """Return `code`, which the encoder made of the picture (H, W, 3), fitted to it; the same for the same input."""
        *_, fitted = self.steps(code, rgb)
        return fitted

    def steps(self, code: StyleCode, rgb: NDArray[np.uint8]) -> Iterator[StyleCode]:
        """Yield the code after each step of `fit`.

        Raises:
            StyleError: the fit diverges, or the graph cannot be run.
        """
        target = self.target(as_encoded(rgb))
        mean, deviation = code.statistics[0]
        change = np.zeros_like(code.statistics[0])  # of the mean in deviations, and of the deviation's logarithm
        average, squares = np.zeros_like(change), np.zeros_like(change)
        fitted = code.statistics
        for step in range(STEPS):
            by_mean, by_deviation = self.gradient(fitted, target)[0]
            gradient = np.stack((by_mean * deviation, by_deviation * fitted[0, 1]))
            average += (1 - _MOMENTUM) * (gradient - average)
            squares += (1 - _SQUARES_KEPT) * (gradient * gradient - squares)
            direction = (average / (1 - _MOMENTUM ** (step + 1))) / (
                np.sqrt(squares / (1 - _SQUARES_KEPT ** (step + 1))) + _EPSILON
            )
            change -= STEP_SIZE * (1 + math.cos(math.pi * step / STEPS)) / 2 * direction
            fitted = np.stack((mean + deviation * change[0], deviation * np.exp(change[1])))[np.newaxis]
            if not np.isfinite(fitted).all():
                raise StyleError("the fit of the style's code has diverged")
            yield StyleCode(fitted.astype(np.float32))

    def target(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return what the pictures painted after one, (H, W, 3), are to have, (T,)."""
        return self._run(TARGET, {PICTURE: picture[np.newaxis]})

    def gradient(self, statistics: NDArray[np.float32], target: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the gradient of the objective, (1, 2, N), at statistics of that shape."""
        return self._run(GRADIENT, {STATISTICS: statistics, GIVEN_TARGET: target})

    def _run(self, output: str, inputs: dict[str, NDArray[Any]]) -> NDArray[np.float32]:
        try:
            result: NDArray[np.float32] = self._session.run([output], {**self._unused, **inputs}, self._one_part)[0]
        except Exception as error:
            raise StyleError(f"ONNX Runtime cannot run the fitter of the style: {first_line(error)}") from error
        return result


def open_fitter(model: Style, *, threads: int | None = None) -> StyleFitter | None:
    """Return the fitter of an any-style model, None if it has none; `threads` as `StyleFitter`.

    Raises:
        StyleError: its file is missing or damaged.
    """
    file = fitter_of(model)
    return None if file is None else StyleFitter(read_model(file), threads=threads)
