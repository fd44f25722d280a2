"""The window with scripted keys and without a screen: what is shown, what keys do to the session, when it ends."""

import threading
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

import realtime.live_window
import realtime.style_bank
from realtime.catalogue import Style
from realtime.live_session import LiveSession
from realtime.live_settings import LiveControls, LiveSettings
from realtime.live_window import LiveWindow
from realtime.picture import read_picture
from realtime.style_choice import StyleChoice
from tests.live import PATIENCE_S, Picture, ScriptedSource, until
from tests.media import read_frames
from tests.unit.fakes import FakeEngine

SIZE = (320, 180)


class Screen:
    """Stands in for OpenCV's windows: keeps what is shown, and gives keys, each once its condition holds."""

    def __init__(self) -> None:
        self.shown: list[Picture] = []
        self.full_screen: list[float] = []
        self.is_open = False
        self.keys: list[tuple[Callable[[], object], int]] = []

    def press(self, key: str | int, *, when: Callable[[], object] = lambda: True) -> None:
        self.keys.append((when, ord(key) if isinstance(key, str) else key))

    def wait_key(self, _: int) -> int:
        if self.keys and self.shown and self.keys[0][0]():
            return self.keys.pop(0)[1]
        return -1


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> Screen:
    screen = Screen()

    def set_open(is_open: bool) -> Callable[..., None]:
        return lambda *_: setattr(screen, "is_open", is_open)

    monkeypatch.setattr(realtime.live_window, "require_display", lambda: None)
    monkeypatch.setattr(cv2, "namedWindow", set_open(True))
    monkeypatch.setattr(cv2, "destroyWindow", set_open(False))
    monkeypatch.setattr(cv2, "imshow", lambda _, bgr: screen.shown.append(bgr[..., ::-1]))
    monkeypatch.setattr(cv2, "waitKeyEx", screen.wait_key)
    monkeypatch.setattr(cv2, "setWindowProperty", lambda *given: screen.full_screen.append(given[2]))
    monkeypatch.setattr(cv2, "getWindowProperty", lambda *_: float(screen.is_open))
    return screen


@pytest.fixture
def session(monkeypatch: pytest.MonkeyPatch) -> Iterator[LiveSession]:
    monkeypatch.setattr(realtime.style_bank, "open_style", lambda *_, **__: FakeEngine())
    pictures = (np.full((SIZE[1], SIZE[0], 3), 100 + index % 100, np.uint8) for index in count())
    style = StyleChoice(Style("test", "test", Path("test.onnx"), None, None, {}))
    controls = LiveControls(smoothing=0)
    source = ScriptedSource(pictures, time.monotonic)
    with LiveSession(source, style, settings=LiveSettings(), controls=controls) as session:
        yield session


def run(session: LiveSession, folder: Path) -> None:
    limit_s = time.monotonic() + PATIENCE_S
    LiveWindow(session, folder=folder, full_screen=False).run(lambda: time.monotonic() < limit_s)
    assert time.monotonic() < limit_s


def test_keys_change_the_run_and_quit_ends_it(session: LiveSession, screen: Screen, tmp_path: Path) -> None:
    for key in "cbm":
        screen.press(key)
    screen.press("n")
    screen.press("f")
    screen.press("q", when=lambda: session.status().style != "test")

    run(session, tmp_path)

    assert session.controls == LiveControls(smoothing=0, keep_colors=True, split="wipe", mirror=True)
    assert session.status().style == session.styles()[1].label
    assert screen.full_screen == [cv2.WINDOW_NORMAL, cv2.WINDOW_FULLSCREEN]
    assert not screen.is_open
    assert [sink.name for sink in session.status().sinks] == []


def test_figures_are_drawn_on_the_picture_until_they_are_hidden(
    session: LiveSession, screen: Screen, tmp_path: Path
) -> None:
    def is_plain(picture: Picture) -> bool:
        return int(picture.min()) == int(picture.max())

    screen.press("h")
    screen.press(27, when=lambda: is_plain(screen.shown[-1]))

    run(session, tmp_path)

    assert not is_plain(screen.shown[0])
    assert screen.shown[0][-1, -1, 0] >= 100  # only the bar at the top is darkened


def test_snapshot_and_recording_are_new_files_in_the_folder(
    session: LiveSession, screen: Screen, tmp_path: Path
) -> None:
    screen.press("s")
    screen.press("r")
    screen.press("r", when=lambda: (session.status().recording_s or 0) > 0.3)
    screen.press("q")

    run(session, tmp_path)

    (snapshot,), (recording,) = tmp_path.glob("*.png"), tmp_path.glob("*.mp4")
    assert read_picture(snapshot).rgb.shape == (SIZE[1], SIZE[0], 3)
    assert any(picture[-20:].max() > 200 for picture in screen.shown)  # what a key has done is told at the bottom
    assert len(read_frames(recording)) > 3


def test_a_folder_that_cannot_be_written_is_a_message(session: LiveSession, screen: Screen, tmp_path: Path) -> None:
    screen.press("s")
    screen.press("r")
    screen.press("q", when=lambda: "cannot be written" in session.status().message or session.status().message)

    run(session, tmp_path / "missing")

    assert "missing" in session.status().message


def test_closing_the_window_ends_it(session: LiveSession, screen: Screen, tmp_path: Path) -> None:
    thread = threading.Thread(target=lambda: (until(lambda: screen.shown), setattr(screen, "is_open", False)))
    thread.start()

    run(session, tmp_path)

    thread.join()
    assert screen.shown


def test_what_is_shown_counts_for_latency(session: LiveSession, screen: Screen, tmp_path: Path) -> None:
    figures: list[Any] = []

    def is_measured() -> bool:
        figures[:] = session.status().sinks
        return bool(figures) and figures[0].latency.p95_ms is not None

    screen.press("q", when=is_measured)

    run(session, tmp_path)

    assert figures[0].name == "window"
    assert figures[0].latency.p95_ms > 0
