"""Networks that are there at once for live runs, and the watch over their threads."""

import threading
from collections.abc import Iterator

import pytest

import realtime.style_bank
from tests.live import Picture, until
from tests.unit.fakes import FakeEngine


def invert(rgb: Picture) -> Picture:
    return 255 - rgb


@pytest.fixture
def engines(monkeypatch: pytest.MonkeyPatch) -> dict[str, FakeEngine]:
    """Return the engines that styles get, by name of the style: one put in before is used, others invert."""
    known: dict[str, FakeEngine] = {}
    monkeypatch.setattr(
        realtime.style_bank, "open_style", lambda style, **_: known.setdefault(style.name, FakeEngine(invert))
    )
    return known


@pytest.fixture
def no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    until(lambda: not [thread for thread in set(threading.enumerate()) - before if thread.is_alive()], timeout_s=20)
