"""A fake session behind a real server, and a real Chromium, for the tests of the page."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import av
import pytest

from realtime.live_source import PushSource
from realtime.serve_settings import ServeSettings
from realtime.web import serve

from .clients import Clients
from .fake_session import FPS, FakeSession, moving_bar

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

    from realtime.web.server import WebServer

BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def session() -> Iterator[FakeSession]:
    with FakeSession() as running:
        yield running


@pytest.fixture
def any_style(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the page believe that an any-style model is installed."""
    monkeypatch.setattr("realtime.web.app.any_style_model", lambda: object())


@pytest.fixture
def start(session: FakeSession, tmp_path: Path) -> Iterator[Callable[..., "WebServer"]]:
    """Start a server of the session's page on a free port; it is closed in the end."""
    servers: list[WebServer] = []

    def start_server(*, camera: PushSource | None = None, of: FakeSession = session, **settings: Any) -> "WebServer":
        settings = {"port": 0, "record_folder": tmp_path, **settings}
        servers.append(serve(of, ServeSettings(**settings), camera=camera))
        return servers[-1]

    yield start_server
    for server in servers:
        server.close()


@pytest.fixture
def clients() -> Iterator[Clients]:
    clients = Clients()
    yield clients
    clients.close_all()


@pytest.fixture
def small_buffers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the small pictures of the fake session fill what is held back for a client within a few frames."""
    monkeypatch.setattr("realtime.web.server.SEND_BUFFER_BYTES", 4096)


@pytest.fixture(scope="session")
def camera_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Render the clip that the browser takes for its camera."""
    path = tmp_path_factory.mktemp("camera") / "bar.y4m"
    with path.open("wb") as file:
        height, width = moving_bar(0).shape[:2]
        file.write(f"YUV4MPEG2 W{width} H{height} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for index in range(FPS):
            frame = av.VideoFrame.from_ndarray(moving_bar(index), format="rgb24").reformat(format="yuv420p")
            file.write(b"FRAME\n" + frame.to_ndarray().tobytes())
    return path


@pytest.fixture(scope="session")
def browser(camera_clip: Path) -> Iterator["Browser"]:
    playwright_api = pytest.importorskip("playwright.sync_api", reason="tests of the page need playwright")
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    arguments = [
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera_clip}",
        *(["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []),
    ]
    with playwright_api.sync_playwright() as playwright:
        try:
            browser = playwright.chromium.launch(executable_path=found, args=arguments)
        except playwright_api.Error as error:
            pytest.skip(f"no Chromium can be started: {error.message.splitlines()[0]}")
        yield browser
        browser.close()


@pytest.fixture
def context(browser: "Browser") -> Iterator["BrowserContext"]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    yield context
    context.close()


@pytest.fixture
def complaints() -> list[str]:
    """What the browser complained of: errors of scripts and breaches of the policy. A test may empty it."""
    return []


@pytest.fixture
def open_page(context: "BrowserContext", complaints: list[str]) -> Iterator[Callable[["WebServer"], "Page"]]:
    def open_tab(server: "WebServer") -> "Page":
        page = context.new_page()
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.goto(server.link)
        page.wait_for_selector(".card")
        return page

    yield open_tab
    assert complaints == []
