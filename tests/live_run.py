"""A live run of scripted pictures, and the frames that come out of it."""

import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

from realtime.catalogue import Style
from realtime.live_frame import LiveFrame, Subscription
from realtime.live_session import LiveSession
from realtime.live_settings import LiveControls, LiveSettings
from realtime.live_source import LiveSource
from realtime.style_choice import StyleChoice
from tests.live import PATIENCE_S, Picture, ScriptedSource
from tests.media import numbered

CONTROLS = LiveControls(smoothing=0)


def style(name: str = "test") -> StyleChoice:
    return StyleChoice(Style(name, name, Path(f"{name}.onnx"), None, None, {"name": name}))


def session_of(source: LiveSource, **options: Any) -> LiveSession:
    controls = options.pop("controls", CONTROLS)
    return LiveSession(source, style(), settings=LiveSettings(fps=240, **options), controls=controls)


def moving(size: tuple[int, int] = (64, 48)) -> Iterator[Picture]:
    return (numbered(index % 256, size) for index in count())


def source_of(pictures: Iterator[Picture] | None = None, **options: Any) -> ScriptedSource:
    return ScriptedSource(pictures or moving(), time.monotonic, **options)


def next_frame(slot: Subscription, wanted: Callable[[LiveFrame], object] = lambda frame: True) -> LiveFrame:
    """Return the next frame that is as wanted."""
    limit_s = time.monotonic() + PATIENCE_S
    while time.monotonic() < limit_s:
        frame = slot.wait(1)
        if frame is not None and wanted(frame):
            return frame
    raise AssertionError("no such frame came")
