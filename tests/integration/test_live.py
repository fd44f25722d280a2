"""Live runs as a whole: which frames come, when, how large, in which style and how many are kept."""

import gc
import threading
import time
from collections.abc import Iterator
from functools import partial
from itertools import count, islice, pairwise, repeat
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

import realtime.style_bank
from realtime.catalogue import Style
from realtime.errors import InputError
from realtime.live_frame import LiveFrame
from realtime.live_session import LiveSession
from realtime.live_settings import LiveControls, LiveSettings
from realtime.live_source import CapturedFrame
from realtime.picture import Picture as StillPicture
from realtime.style_choice import choose_style
from tests.live import PATIENCE_S, Picture, ScriptedSource, noise, until
from tests.live_run import CONTROLS, moving, next_frame, session_of, source_of, style
from tests.media import numbered, read_number
from tests.unit.fakes import FakeEngine

pytestmark = pytest.mark.usefixtures("no_thread_is_left")


def test_frames_are_stylised_in_order_with_their_input_and_time(engines: dict[str, FakeEngine]) -> None:
    with session_of(source_of()) as session:
        slot = session.subscribe("test", depth=1000)
        frames = [next_frame(slot) for _ in range(20)]

    assert all(np.array_equal(frame.output, 255 - frame.input) for frame in frames)
    assert all(later.index == earlier.index + 1 for earlier, later in pairwise(frames))
    assert all(later.captured_s > earlier.captured_s for earlier, later in pairwise(frames))


def test_an_exhausted_source_ends_the_run_after_its_last_frame(engines: dict[str, FakeEngine]) -> None:
    source = source_of((numbered(index) for index in range(30)), ends=True)
    with session_of(source) as session:
        slot = session.subscribe("test", depth=1000)
        assert session.wait(PATIENCE_S)
        last = None
        while (frame := slot.wait(0)) is not None:
            last = frame

    assert last is not None
    assert read_number(last.input) == 29
    assert source.closed


def test_a_slow_network_shows_the_newest_frames_drops_the_others_and_stays_in_time(
    engines: dict[str, FakeEngine],
) -> None:
    def slow(rgb: Picture) -> Picture:
        time.sleep(0.05)
        return rgb

    engines["test"] = FakeEngine(slow)
    with session_of(source_of(pause_s=0.002), controls=LiveControls(smoothing=0, size=64)) as session:
        slot = session.subscribe("test", depth=1000)
        frames = [next_frame(slot) for _ in range(30)]
        ages_s = []
        for _ in range(10):
            ages_s.append(time.monotonic() - next_frame(slot).captured_s)
        status = session.status()

    assert status.dropped > len(frames)
    # Bounded: it does not grow from frame to frame. Three frames of 50 ms may be on their way.
    assert sorted(ages_s)[len(ages_s) // 2] < 1


def test_what_comes_too_fast_is_not_even_converted_and_what_is_damaged_is_left_out(
    engines: dict[str, FakeEngine],
) -> None:
    converted = []

    class Fast(ScriptedSource):
        def frames(self, stop: threading.Event) -> Iterator[CapturedFrame]:
            for number, frame in enumerate(super().frames(stop)):
                yield CapturedFrame(partial(self._convert, number, frame), frame.captured_s)

        def _convert(self, number: int, frame: CapturedFrame) -> NDArray[np.uint8]:
            converted.append(number)
            if len(converted) == 3:
                raise InputError("a damaged picture")
            return frame.to_rgb()

    source = Fast(islice(moving(), 120), time.monotonic, pause_s=0.005, ends=True)
    session = LiveSession(source, style(), settings=LiveSettings(fps=20), controls=CONTROLS)
    with session:
        assert session.wait(PATIENCE_S)
        frames = session.status().frames

    assert frames == len(converted) - 1
    assert 4 < len(converted) < 40


def test_a_network_that_is_too_slow_runs_smaller_and_a_size_that_is_given_is_kept(
    engines: dict[str, FakeEngine],
) -> None:
    def slow(rgb: Picture) -> Picture:
        time.sleep(0.1 * rgb.shape[0] / 376)
        return rgb

    engines["test"] = FakeEngine(slow)
    source = source_of(moving((640, 360)), pause_s=0.03)
    with LiveSession(source, style(), settings=LiveSettings(), controls=CONTROLS) as session:
        until(lambda: session.status().inference_size == (640, 360))
        until(lambda: (session.status().inference_size or (0, 0))[1] <= 180)
        session.controls = LiveControls(smoothing=0, size=324)
        until(lambda: session.status().inference_size == (576, 324))
        time.sleep(1.5)  # longer than the governor needs to look
        assert session.status().inference_size == (576, 324)


def test_controls_act_from_the_next_frame_on(engines: dict[str, FakeEngine]) -> None:
    half = np.zeros((48, 64, 3), np.uint8)
    half[:, :32] = 200
    pictures = (np.clip(half + index % 8, 0, 255).astype(np.uint8) for index in count())
    with session_of(source_of(pictures)) as session:
        slot = session.subscribe("test")
        session.controls = LiveControls(smoothing=0, strength=0)
        next_frame(slot, lambda frame: np.array_equal(frame.output, frame.input))
        session.controls = LiveControls(smoothing=0, mirror=True)
        next_frame(slot, lambda frame: frame.input[0, 0, 0] < frame.input[0, -1, 0])
        session.controls = LiveControls(smoothing=0, split="side")
        next_frame(slot, lambda frame: frame.output.shape == (48, 128, 3))
        session.controls = LiveControls(smoothing=0, size=64)
        until(lambda: not session.status().is_governed)


def test_still_pictures_are_not_stylised_again(engines: dict[str, FakeEngine]) -> None:
    still = noise(0)
    with session_of(source_of(iter([still] * 200), ends=True)) as session:
        assert session.wait(PATIENCE_S)
        frames = session.status().frames

    assert frames > 10
    assert len(engines["test"].shapes) <= 5  # the first, and what compiles another size


def test_a_mix_that_changes_imperceptibly_is_used_for_still_pictures_too(any_style_catalogue: Path) -> None:
    still = noise(0)
    dark, bright = (StillPicture(np.full((40, 40, 3), level, np.uint8), None, b"", ()) for level in (40, 240))
    settings = LiveSettings(engine="onnxruntime", device="cpu")
    source = source_of(repeat(still))
    with LiveSession(source, choose_style(("invert",)), settings=settings, controls=CONTROLS) as session:
        slot = session.subscribe("test")
        for weight in (0.5, 0.501, 0.499, 1.0):  # the first three have one label
            session.set_pictures([("dark.jpg", dark), ("bright.jpg", bright)], [1 - weight, weight])
            mean = 40 + 200 * weight
            next_frame(slot, lambda frame, mean=mean: abs(frame.output.mean() - mean) < 8)  # type: ignore[misc]
            for _ in range(3):
                next_frame(slot)
        assert session.status().style == "colours: 0 % dark.jpg, 100 % bright.jpg"


def test_a_camera_that_changes_its_size_goes_on(engines: dict[str, FakeEngine]) -> None:
    sizes = [(64, 48), (96, 32), (33, 65)]
    pictures = (noise(index, size=sizes[index // 20 % 3]) for index in count())
    with session_of(source_of(pictures), controls=LiveControls(smoothing=0.8)) as session:
        slot = session.subscribe("test")
        for width, height in sizes * 2:
            shape = (height, width, 3)
            next_frame(slot, lambda frame, shape=shape: frame.output.shape == shape)  # type: ignore[misc]


def test_frames_go_on_while_a_style_loads_and_fade_into_it(
    engines: dict[str, FakeEngine], monkeypatch: pytest.MonkeyPatch
) -> None:
    may_load = threading.Event()
    opened = realtime.style_bank.open_style

    def slow_open(model: Style, **options: Any) -> Any:
        assert model.name == "test" or may_load.wait(PATIENCE_S)
        return opened(model, **options)

    engines["other"] = FakeEngine(lambda rgb: np.full_like(rgb, 7))
    monkeypatch.setattr(realtime.style_bank, "open_style", slow_open)
    with session_of(source_of()) as session:
        slot = session.subscribe("test")
        next_frame(slot)
        session.set_style(style("other"))
        for _ in range(20):
            frame = next_frame(slot)
            assert np.array_equal(frame.output, 255 - frame.input)
        assert session.status().is_loading
        may_load.set()
        next_frame(slot, lambda frame: (frame.output == 7).all())
        assert session.status().style == "other"


def test_nothing_of_the_old_style_stays_on_a_still_picture(engines: dict[str, FakeEngine]) -> None:
    engines["test"] = FakeEngine(lambda rgb: np.zeros_like(rgb))
    engines["other"] = FakeEngine(lambda rgb: np.full_like(rgb, 200))
    with session_of(source_of(repeat(noise(0)), pause_s=0.03)) as session:
        slot = session.subscribe("test")
        next_frame(slot)
        session.set_style(style("other"))
        next_frame(slot, lambda frame: (frame.output == 200).all())


def test_a_long_run_keeps_no_frames(engines: dict[str, FakeEngine]) -> None:
    source = source_of((numbered(index % 256) for index in range(2000)), pause_s=0, ends=True)
    with session_of(source) as session:
        session.subscribe("hangs")
        assert session.wait(PATIENCE_S)
        gc.collect()
        # Not isinstance, which makes lazy objects of other libraries warn.
        kept = [item for item in gc.get_objects() if type(item) is LiveFrame]

    assert len(kept) <= 4
