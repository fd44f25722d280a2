"""Fit the codes of a live run's pictures beside it: the guess is shown at once, the fitted code seconds later.

A thread of its own, on one core and of the lowest priority where the system has priorities for threads (Linux), so that
frames do not wait for it.
"""

import os
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress

from .catalogue import Style
from .newest import NewestSlot
from .picture import Picture, over_white
from .style_code import StyleCode
from .style_fit import open_fitter

# Pictures, each with its code as the encoder guessed it.
Guesses = Sequence[tuple[Picture, StyleCode]]

_LEAST_NICE = 19
_STEP_S = 0.2
_JOIN_TIMEOUT_S = 10.0


class LiveFit:
    """Fits what was asked for last, picture after picture; `on_fitted` and `on_fault` are called in its thread."""

    def __init__(self, on_fitted: Callable[[Picture, StyleCode], None], on_fault: Callable[[str], None]) -> None:
        self._on_fitted = on_fitted
        self._on_fault = on_fault
        self._asked: NewestSlot[tuple[Style, Guesses]] = NewestSlot()
        self._wanted: Guesses = ()
        self._stopped = False
        self._thread = threading.Thread(target=self._work, name="fit", daemon=True)

    def __enter__(self) -> "LiveFit":
        self._thread.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self._stopped = True
        self._thread.join(_JOIN_TIMEOUT_S)

    def ask(self, model: Style, guesses: Guesses) -> None:
        """Fit the codes that the encoder of `model` guessed; what was asked for before and is not done is given up.

        Pictures that were asked for last are not begun anew: a slider asks for them again and again. One thread calls.
        """
        if {id(picture) for picture, _ in guesses} <= {id(picture) for picture, _ in self._wanted}:
            return
        self._wanted = guesses
        self._asked.put((model, guesses))

    def _work(self) -> None:
        _lower_priority()
        while not self._stopped:
            asked = self._asked.take(_STEP_S)
            if asked is None:
                continue
            try:
                self._fit(*asked)
            except Exception as error:  # the border of the thread: the guess goes on, and people are told
                self._on_fault(f"the style cannot be fitted to its picture: {' '.join(str(error).split())}")

    def _fit(self, model: Style, guesses: Guesses) -> None:
        # Opened anew each time: it would hold 100 MB for the rest of the run.
        fitter = open_fitter(model, threads=1)
        if fitter is None:
            return
        for picture, guess in guesses:
            fitted = guess
            for code in fitter.steps(guess, over_white(picture)):
                if self._stopped or self._wanted is not guesses:
                    return
                fitted = code
            self._on_fitted(picture, fitted)


def _lower_priority() -> None:
    """Let the calling thread give way to all others, where threads have priorities of their own."""
    if sys.platform == "linux":
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _LEAST_NICE)
