"""What every open page shows, as JSON: pushed to all of them when it changes, so that they and a reload agree."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from typing import Any

from ..live_session import LiveSession
from ..live_status import LiveStatus
from .control_options import control_values
from .newest import Newest
from .recordings import Recordings
from .style_pictures import StylePictures

# How often figures are looked at; a change that somebody has made is told at once.
PERIOD_S = 0.5


class PageState:
    """The state of the page, for readers on one event loop."""

    def __init__(
        self, session: LiveSession, pictures: StylePictures, recordings: Recordings, has_camera: Callable[[], bool]
    ) -> None:
        self._has_camera = has_camera
        self._session = session
        self._pictures = pictures
        self._recordings = recordings
        self._newest: Newest[str] = Newest()
        self._told: dict[str, Any] = {}

    def close(self) -> None:
        """Let every reader end."""
        self._newest.close()

    async def watch(self) -> None:
        """Tell changes of the figures until cancelled."""
        while True:
            self.tell()
            await asyncio.sleep(PERIOD_S)

    def tell(self) -> None:
        """Tell all readers, if anything has changed."""
        facts = self._facts()
        if facts != self._told:
            self._told = facts
            self._newest.put(json.dumps(_dated(facts), separators=(",", ":")))

    async def events(self) -> AsyncGenerator[str, None]:
        """Yield the state as server-sent events: now, and whenever it has changed."""
        yield "retry: 1000\n\n"
        async for text in self._newest.each():
            yield f"data: {text}\n\n"

    def now(self) -> dict[str, Any]:
        """Return the state with the `moment` that it is of: answers and events overtake one another."""
        return _dated(self._facts())

    def _facts(self) -> dict[str, Any]:
        status = self._session.status()
        finished = self._recordings.finished
        return {
            "controls": control_values(self._session.controls),
            "style": status.wanted_style,
            "isLoading": status.is_loading,
            "pictures": [
                {"id": picture.identity, "name": picture.name, "weight": picture.weight}
                for picture in self._pictures.pictures
            ],
            "message": status.message,
            "figures": _figures(status),
            "recording": {
                "isPossible": self._recordings.are_possible,
                "seconds": None if status.recording_s is None else round(status.recording_s, 1),
                "finished": finished.name if finished else None,
            },
            "hasCamera": self._has_camera(),
        }


def _dated(facts: dict[str, Any]) -> dict[str, Any]:
    return {"moment": time.monotonic(), **facts}


def _figures(status: LiveStatus) -> dict[str, str]:
    """Return the figures as they are shown."""
    latency_ms = status.latency.p95_ms
    size = f"{status.inference_size[0]}×{status.inference_size[1]}" if status.inference_size else "–"
    return {
        "fps": f"{status.fps:.1f}",
        "latency": "–" if latency_ms is None else f"{latency_ms:.0f} ms",
        "dropped": str(status.dropped),
        "size": f"{size} (auto)" if status.is_governed else size,
        "engine": status.engine,
        "source": status.source,
    }
