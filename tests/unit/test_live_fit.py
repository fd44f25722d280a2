"""Codes are fitted beside a live run: once each, the last wish first, and what fails is told."""

import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

import realtime.live_fit
from realtime.catalogue import Style
from realtime.errors import StyleError
from realtime.live_fit import LiveFit
from realtime.picture import Picture
from realtime.style_code import StyleCode
from tests.live import PATIENCE_S, until

MODEL = Style("any", "any", Path("any.onnx"), None, None, {})


def picture(level: int) -> Picture:
    return Picture(np.full((8, 8, 3), level, np.uint8), None, b"", ())


def code(value: float) -> StyleCode:
    return StyleCode(np.full((1, 2, 3), value, np.float32))


class Fitter:
    """Stands in for the model's: takes two steps, each when it may, and notes what it began."""

    def __init__(self) -> None:
        self.begun: list[int] = []
        self.may_step = threading.Semaphore(0)

    def steps(self, guess: StyleCode, rgb: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> Iterator[StyleCode]:
        self.begun.append(int(rgb[0, 0, 0]))
        for step in (1, 2):
            assert self.may_step.acquire(timeout=PATIENCE_S)
            if self.begun[-1] == 99:
                raise StyleError("the fit has diverged")
            yield code(guess.statistics[0, 0, 0] + step)


class Taken:
    """What came of it."""

    def __init__(self) -> None:
        self.codes: list[tuple[int, float]] = []
        self.faults: list[str] = []

    def take(self, fitted: Picture, made: StyleCode) -> None:
        self.codes.append((int(fitted.rgb[0, 0, 0]), float(made.statistics[0, 0, 0])))


@pytest.fixture
def fitter(monkeypatch: pytest.MonkeyPatch) -> Fitter:
    fitter = Fitter()
    monkeypatch.setattr(realtime.live_fit, "open_fitter", lambda model, *, threads: fitter)
    return fitter


@pytest.fixture
def taken() -> Taken:
    return Taken()


@pytest.fixture
def fit(fitter: Fitter, taken: Taken) -> Iterator[LiveFit]:
    with LiveFit(taken.take, taken.faults.append) as fit:
        yield fit
        fitter.may_step.release(100)


def test_each_picture_comes_as_it_is_after_the_last_step(fit: LiveFit, fitter: Fitter, taken: Taken) -> None:
    fit.ask(MODEL, [(picture(1), code(10)), (picture(2), code(20))])
    fitter.may_step.release(4)

    until(lambda: len(taken.codes) == 2)
    assert taken.codes == [(1, 12), (2, 22)]


def test_what_a_slider_asks_for_again_is_not_begun_anew(fit: LiveFit, fitter: Fitter, taken: Taken) -> None:
    first, second = picture(1), picture(2)
    fit.ask(MODEL, [(first, code(10)), (second, code(20))])
    until(lambda: fitter.begun)

    for _ in range(5):
        fit.ask(MODEL, [(first, code(10)), (second, code(20))])
    fitter.may_step.release(2)
    until(lambda: taken.codes)
    fit.ask(MODEL, [(second, code(20))])
    fitter.may_step.release(2)

    until(lambda: len(taken.codes) == 2)
    assert fitter.begun == [1, 2]


def test_what_is_no_longer_wanted_is_given_up(fit: LiveFit, fitter: Fitter, taken: Taken) -> None:
    fit.ask(MODEL, [(picture(1), code(10))])
    until(lambda: fitter.begun)

    fit.ask(MODEL, [(picture(2), code(20))])
    fitter.may_step.release(3)

    until(lambda: taken.codes)
    assert taken.codes == [(2, 22)]


def test_a_fit_that_fails_is_told_in_a_line_and_the_next_goes_on(fit: LiveFit, fitter: Fitter, taken: Taken) -> None:
    fit.ask(MODEL, [(picture(99), code(10))])
    fitter.may_step.release(1)
    until(lambda: taken.faults)

    fit.ask(MODEL, [(picture(1), code(10))])
    fitter.may_step.release(2)

    until(lambda: taken.codes)
    assert "cannot be fitted" in taken.faults[0]
    assert "diverged" in taken.faults[0]


def test_a_model_without_a_fitter_keeps_its_guesses(taken: Taken, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def none(model: Style, *, threads: int) -> None:
        asked.set()

    monkeypatch.setattr(realtime.live_fit, "open_fitter", none)
    with LiveFit(taken.take, taken.faults.append) as fit:
        fit.ask(MODEL, [(picture(1), code(10))])
        assert asked.wait(PATIENCE_S)

    assert not taken.codes
    assert not taken.faults
