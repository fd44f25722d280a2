"""Styles are loaded beside the run, the last wish wins, and what cannot be loaded leaves the present style."""

import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import realtime.style_bank
from realtime.catalogue import Style
from realtime.errors import StyleError, UsageError
from realtime.live_settings import LiveSettings
from realtime.picture import Picture, write_picture
from realtime.settings import MIXED_STYLES_MAX
from realtime.style_bank import CODES_KEPT, ENGINES_KEPT, StyleBank
from realtime.style_choice import StyleChoice, choose_style
from tests.live import PATIENCE_S, FakeTime, until
from tests.unit.fakes import FakeEngine

SETTINGS = LiveSettings(engine="onnxruntime", device="cpu")
GREY = np.full((48, 64, 3), 100, np.uint8)


def choice(name: str) -> StyleChoice:
    return StyleChoice(Style(name, name, Path(f"{name}.onnx"), None, None, {"name": name}))


def plain(level: int) -> Picture:
    return Picture(np.full((40, 40, 3), level, np.uint8), None, b"", ())


class Opener:
    """Stands in for `open_style`: notes what is opened, can be held up, and fails for styles called `broken`."""

    def __init__(self) -> None:
        self.opened: list[str] = []
        self.engines: dict[str, FakeEngine] = {}
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def __call__(self, style: Style, **_: Any) -> FakeEngine:
        assert self.may_go_on.wait(PATIENCE_S)
        if style.name == "broken":
            raise StyleError("the weights of broken are damaged")
        self.opened.append(style.name)
        self.engines[style.name] = FakeEngine()
        return self.engines[style.name]


@pytest.fixture
def opener(monkeypatch: pytest.MonkeyPatch) -> Opener:
    opener = Opener()
    monkeypatch.setattr(realtime.style_bank, "open_style", opener)
    return opener


@pytest.fixture
def make_bank() -> Iterator[Callable[..., StyleBank]]:
    banks = []

    def make(first: StyleChoice, neighbours: tuple[StyleChoice, ...] = (), clock: FakeTime | None = None) -> StyleBank:
        bank = StyleBank(first, lambda _: neighbours, settings=SETTINGS, size_px=24, clock=clock or FakeTime())
        banks.append(bank)
        return bank.__enter__()

    yield make
    for bank in banks:
        bank.__exit__()


def test_the_present_style_goes_on_until_the_next_is_compiled_for_the_frames(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choice("a"))
    bank.ask_size(24, (64, 48))
    opener.may_go_on.clear()

    bank.ask(choice("b"))

    until(lambda: bank.is_busy)
    assert bank.view.style.label == "a"
    assert bank.is_loading
    opener.may_go_on.set()
    until(lambda: bank.view.style.label == "b" and not bank.is_loading)
    assert bank.view.before is not None
    assert bank.view.before.label == "a"
    assert len(opener.engines["b"].shapes) == 1


def test_the_last_of_many_wishes_wins_and_those_between_are_not_loaded(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choice("a"))
    opener.may_go_on.clear()
    bank.ask(choice("b"))
    until(lambda: bank.is_busy)

    for name in "cdef":
        bank.ask(choice(name))
    opener.may_go_on.set()

    until(lambda: bank.view.style.label == "f")
    assert opener.opened == ["a", "b", "f"]


def test_a_style_that_cannot_be_loaded_is_told_and_changes_nothing(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choice("a"))

    bank.ask(choice("broken"))

    until(lambda: "damaged" in bank.fault)
    assert bank.view.style.label == "a"
    bank.ask(choice("b"))
    until(lambda: bank.view.style.label == "b")
    assert not bank.fault


def test_neighbours_are_loaded_once_frames_have_run_for_a_while(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    clock = FakeTime()
    bank = make_bank(choice("a"), (choice("broken"), choice("b")), clock)
    bank.ask_size(24, (64, 48))
    bank.has_shown()
    assert opener.opened == ["a"]

    def time_passes() -> bool:
        clock.now_s += 0.5
        return opener.opened == ["a", "b"]

    until(time_passes)
    assert not bank.fault
    bank.ask(choice("b"))
    until(lambda: bank.view.style.label == "b")
    assert opener.opened == ["a", "b"]


def test_no_more_engines_are_kept_than_a_few(opener: Opener, make_bank: Callable[..., StyleBank]) -> None:
    bank = make_bank(choice("s0"))

    for number in range(1, 12):
        bank.ask(choice(f"s{number}"))
        until(lambda number=number: bank.view.style.label == f"s{number}")

    assert len(bank._engines) == ENGINES_KEPT


def test_a_size_is_compiled_before_frames_are_made_at_it(opener: Opener, make_bank: Callable[..., StyleBank]) -> None:
    bank = make_bank(choice("a"))

    bank.ask_size(36, (64, 48))

    until(lambda: bank.view.size_px == 36)
    (shape,) = opener.engines["a"].shapes
    assert shape[0] >= 36


def test_a_size_that_the_device_does_not_take_is_told_and_tried_once(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choice("a"))
    tried: list[int] = []

    def refuse(rgb: Any, extra: Any = None) -> Any:
        tried.append(rgb.shape[0])
        raise StyleError("out of memory")

    opener.engines["a"].infer = refuse  # type: ignore[method-assign]
    for _ in range(3):
        bank.ask_size(36, (64, 48))
        until(lambda: bank.fault and not bank.is_loading)

    assert bank.view.size_px == 24
    assert len(tried) == 1


def test_a_style_and_a_size_that_are_asked_for_together_both_come(
    opener: Opener, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choice("a"))
    opener.may_go_on.clear()
    bank.ask(choice("b"))
    until(lambda: bank.is_busy)

    bank.ask_size(36, (64, 48))
    bank.ask(choice("c"))
    opener.may_go_on.set()

    until(lambda: bank.view.style.label == "c" and not bank.is_loading)
    assert bank.view.size_px == 36
    assert opener.engines["c"].shapes[-1][0] >= 36


def test_a_size_that_is_taken_back_in_time_is_not_prepared(opener: Opener, make_bank: Callable[..., StyleBank]) -> None:
    bank = make_bank(choice("a"))
    opener.may_go_on.clear()
    bank.ask(choice("b"))
    until(lambda: bank.is_busy)

    bank.ask_size(36, (64, 48))
    bank.ask_size(24, (64, 48))
    opener.may_go_on.set()

    until(lambda: bank.view.style.label == "b" and not bank.is_loading)
    assert bank.view.size_px == 24


def colour(bank: StyleBank) -> float:
    return float(bank.view.stylize(GREY, strength=1, now_s=1e9).stylized.mean())


def test_pictures_are_mixed_by_weights_that_take_effect_without_encoding_again(
    any_style_catalogue: Path, make_bank: Callable[..., StyleBank], monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[int] = []
    encode = realtime.style_bank.encode_picture

    def counted(encoder: Any, rgb: Any) -> Any:
        encoded.append(int(rgb[0, 0, 0]))
        return encode(encoder, rgb)

    monkeypatch.setattr(realtime.style_bank, "encode_picture", counted)
    bank = make_bank(choose_style(("invert",)))
    dark, bright = ("dark.jpg", plain(40)), ("bright.jpg", plain(240))

    bank.ask_pictures([dark, bright], [1, 1])
    until(lambda: "dark" in bank.view.style.label)
    assert colour(bank) == pytest.approx(140, abs=2)

    bank.ask_pictures([dark, bright], [1, 3])
    until(lambda: "75 % bright.jpg" in bank.view.style.label)
    assert colour(bank) == pytest.approx(190, abs=2)
    assert bank.view.before is None  # a slider is followed, not faded after
    assert encoded == [40, 240]


def test_picture_files_and_pictures_in_memory_come_to_the_same(
    any_style_catalogue: Path, make_bank: Callable[..., StyleBank], tmp_path: Path
) -> None:
    write_picture(tmp_path / "dark.png", plain(40), suffix=".png")

    bank = make_bank(choose_style((str(tmp_path / "dark.png"),)))

    assert bank.view.style.label == "colours: dark.png"
    assert colour(bank) == pytest.approx(40, abs=2)


def test_a_picture_is_shown_by_a_guess_and_then_as_it_was_fitted(
    fitted_catalogue: Path, make_bank: Callable[..., StyleBank]
) -> None:
    pixels = np.tile(np.arange(40, dtype=np.uint8)[:, np.newaxis, np.newaxis], (1, 40, 3))
    ramp = ("ramp.jpg", Picture(pixels, None, b"", ()))
    bank = make_bank(choose_style(("invert",)))

    bank.ask_pictures([ramp, ("dark.jpg", plain(10))], [1, 0])

    until(lambda: bank.view.style.label.startswith("colours") and colour(bank) > pixels.mean() + 5)
    assert not bank.fault
    bank.ask_pictures([ramp], [1])
    until(lambda: bank.view.style.label == "colours: ramp.jpg")
    assert colour(bank) > pixels.mean() + 5


def test_codes_of_pictures_that_are_gone_are_forgotten(
    any_style_catalogue: Path, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choose_style(("invert",)))

    for number in range(3 * CODES_KEPT):
        bank.ask_pictures([(f"{number}.jpg", plain(number))], [1])
        until(lambda number=number: bank.view.style.label == f"colours: {number}.jpg")

    assert len(bank._codes) <= CODES_KEPT


@pytest.mark.parametrize("weights", [(), (1, 1), (-1,), (0,)])
def test_weights_that_do_not_go_with_the_pictures_are_refused(
    weights: tuple[float, ...], any_style_catalogue: Path, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choose_style(("invert",)))

    with pytest.raises(UsageError, match="weight"):
        bank.ask_pictures([("a.jpg", plain(1))], weights)


def test_more_pictures_than_can_be_mixed_are_refused(
    any_style_catalogue: Path, make_bank: Callable[..., StyleBank]
) -> None:
    bank = make_bank(choose_style(("invert",)))
    count = MIXED_STYLES_MAX + 1

    with pytest.raises(UsageError, match="can be mixed"):
        bank.ask_pictures([("a.jpg", plain(1))] * count, [1] * count)
