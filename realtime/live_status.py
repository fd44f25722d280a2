"""How a live run is doing, as figures and words that can be shown as they are."""

from dataclasses import dataclass

from .meters import Latency


@dataclass(frozen=True, slots=True)
class SinkStatus:
    """One consumer: frames shown a second, latency from capture to shown, frames that it was too slow for."""

    name: str
    fps: float
    latency: Latency
    dropped: int


@dataclass(frozen=True, slots=True)
class LiveStatus:
    """A moment of a live run.

    `latency` is from capture to the hand-over to the consumers; `sinks` tell their own. `dropped` counts frames that
    came while the network was busy, `skipped` those beyond the rate asked for. `inference_size` is (width, height).
    `message` is what people should know, one line, empty while all is well: `fault` of the source first, then of style,
    recording or sinks. `recording_s` is None while nothing is recorded. `is_loading` tells that a style is on its way,
    and `wanted_style` which one; it is `style` once that is shown, or could not be had.
    """

    fps: float
    source_fps: float
    latency: Latency
    frames: int
    dropped: int
    skipped: int
    style: str
    wanted_style: str
    is_loading: bool
    engine: str
    frame_size: tuple[int, int] | None
    inference_size: tuple[int, int] | None
    is_governed: bool
    source: str
    message: str
    recording_s: float | None
    recording_path: str | None
    sinks: tuple[SinkStatus, ...]
