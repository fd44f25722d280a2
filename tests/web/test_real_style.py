"""The page, a browser, a live run and the shipped models, all of them real: an upload is what is painted after."""

import io
import time
from collections.abc import Callable, Iterator
from itertools import count
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

pytest.importorskip("starlette", reason="the page needs the extra [web]")
pytest.importorskip("playwright.sync_api", reason="tests of the page need playwright")

from playwright.sync_api import Page, expect

from realtime.live_session import LiveSession
from realtime.live_settings import LiveControls, LiveSettings
from realtime.serve_settings import ServeSettings
from realtime.style_choice import choose_style
from realtime.web import serve
from realtime.web.server import WebServer
from tests.live import PATIENCE_S, ScriptedSource

from .fake_session import wait_until
from .pixels import read_tone

FRAME_SIZE = (320, 180)
# By how many levels red and blue must differ to be told apart; the network gives about 100.
TOLD_APART = 30


def _scene() -> Iterator[NDArray[np.uint8]]:
    """Yield grey pictures of soft shapes that move."""
    width, height = FRAME_SIZE
    random = np.random.default_rng(0).integers(0, 256, (height // 10, width // 10 + 16), dtype=np.uint8)
    shapes = cv2.resize(random, (width + 160, height), interpolation=cv2.INTER_CUBIC)
    for index in count():
        left = index % 160
        yield np.repeat(shapes[:, left : left + width, None], 3, 2)


def _painting(name: str, tone: tuple[int, int, int]) -> dict[str, Any]:
    """Return strokes between black and `tone` as a file to upload."""
    strokes = np.random.default_rng(1).random((30, 40, 1))
    rgb = cv2.resize((strokes * tone).astype(np.uint8), (400, 300), interpolation=cv2.INTER_CUBIC)
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "PNG")
    return {"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()}


@pytest.fixture
def page(open_page: Callable[[WebServer], Page]) -> Iterator[Page]:
    source = ScriptedSource(_scene(), time.monotonic, pause_s=0.1)
    controls = LiveControls(size=FRAME_SIZE[1], smoothing=0)
    session = LiveSession(source, choose_style(("starry-night",)), settings=LiveSettings(), controls=controls)
    with session, serve(session, ServeSettings(port=0)) as server:
        yield open_page(server)


def _redness(page: Page) -> int:
    red, _, blue = read_tone(page)
    return red - blue


def test_an_uploaded_picture_is_painted_after_and_mixed_by_its_slider(page: Page) -> None:
    wait_until(lambda: any(read_tone(page)), PATIENCE_S)

    page.set_input_files("#file", _painting("fire.png", (255, 60, 20)))
    wait_until(lambda: _redness(page) > TOLD_APART, PATIENCE_S)
    page.set_input_files("#file", _painting("sea.png", (20, 60, 255)))
    wait_until(lambda: _redness(page) < -TOLD_APART, PATIENCE_S)
    expect(page.locator("#mix li")).to_have_count(2)

    page.get_by_role("slider", name="Share of fire.png").fill("1")
    page.get_by_role("slider", name="Share of sea.png").fill("0")
    wait_until(lambda: _redness(page) > TOLD_APART, PATIENCE_S)
    page.get_by_role("slider", name="Share of sea.png").fill("1")
    wait_until(lambda: abs(_redness(page)) < TOLD_APART, PATIENCE_S)

    page.get_by_role("slider", name="Strength").fill("0")
    wait_until(lambda: max(read_tone(page)) - min(read_tone(page)) < 12, PATIENCE_S)
