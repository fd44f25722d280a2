"""A fake session behind a real server, for the tests of the page."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from realtime.live_source import PushSource
from realtime.serve_settings import ServeSettings
from realtime.web import serve

from .fake_session import FakeSession

if TYPE_CHECKING:
    from realtime.web.server import WebServer


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
