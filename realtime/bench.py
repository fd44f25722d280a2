"""How fast a style runs on this machine: the network alone, on every engine that loads, at the sizes of video.

Figures of one run are comparable with one another; those of different runs on a busy machine are not.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .engine import ENGINES_OF_DEVICE
from .errors import EngineError
from .loaded_style import load_style
from .style_choice import StyleChoice
from .stylizer import Stylizer

# Width and height of the usual videos and cameras.
SIZES = ((640, 360), (960, 540), (1280, 720), (1920, 1080))
# What a live picture is expected to hold.
LIVE_FPS = 30
FRAMES_MIN = 8


@dataclass(frozen=True, slots=True)
class Speed:
    """The network of a style at one size; `latency_ms` is the median of one frame, `fps` with all workers busy."""

    engine: str
    width: int
    height: int
    latency_ms: float
    fps: float


def measure_speeds(
    choice: StyleChoice,
    *,
    engine: str,
    device: str,
    precision: str,
    seconds: float,
    check_stop: Callable[[], None] = lambda: None,
) -> Iterator[Speed]:
    """Yield the speed at each of `SIZES` on each engine that is meant; each takes about `seconds`.

    `auto` for both engine and device is every pair that loads here; otherwise the one that is asked for.

    Raises:
        UsageError, EngineError: the engine or device asked for cannot be used here.
        StyleError, InputError: weights or pictures of the style cannot be read.
    """
    if (engine, device) != ("auto", "auto"):
        yield from _speeds(choice, engine, device, precision, seconds, check_stop)
        return
    for place, names in ENGINES_OF_DEVICE.items():
        for name in names:
            check_stop()
            try:
                yield from _speeds(choice, name, place, precision, seconds, check_stop)
            except EngineError:
                continue  # not on this machine; `stylize doctor` says why


def live_limit(speeds: list[Speed]) -> Speed | None:
    """Return the largest picture that holds `LIVE_FPS`, on the fastest engine that does; None if none does."""
    return max(
        (speed for speed in speeds if speed.fps >= LIVE_FPS),
        key=lambda speed: (speed.width * speed.height, speed.fps),
        default=None,
    )


def _speeds(
    choice: StyleChoice, engine: str, device: str, precision: str, seconds: float, check_stop: Callable[[], None]
) -> Iterator[Speed]:
    with closing(load_style(choice, engine=engine, device=device, precision=precision)) as style:
        stylizer = style.stylizer(size_px=None, shifts=1)
        for width, height in SIZES:
            check_stop()
            # Noise: a flat picture may run faster than a photograph on processors with denormal numbers.
            frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
            stylizer.stylize(frame)  # compiles for this size
            latency_ms = _latency_ms(stylizer, frame, seconds / 2)
            fps = _fps(stylizer, frame, seconds / 2, workers=style.engine.workers)
            yield Speed(style.engine.description, width, height, latency_ms, fps)


def _latency_ms(stylizer: Stylizer, frame: NDArray[np.uint8], seconds: float) -> float:
    taken_ms: list[float] = []
    while len(taken_ms) < FRAMES_MIN or sum(taken_ms) < 1000 * seconds:
        started_s = time.perf_counter()
        stylizer.stylize(frame)
        taken_ms.append(1000 * (time.perf_counter() - started_s))
    return statistics.median(taken_ms)


def _fps(stylizer: Stylizer, frame: NDArray[np.uint8], seconds: float, *, workers: int) -> float:
    started_s = time.perf_counter()
    end_s = started_s + seconds

    def work() -> int:
        frames = 0
        while frames < FRAMES_MIN or time.perf_counter() < end_s:
            stylizer.stylize(frame)
            frames += 1
        return frames

    with ThreadPoolExecutor(workers) as pool:
        frames = sum(future.result() for future in [pool.submit(work) for _ in range(workers)])
    return frames / (time.perf_counter() - started_s)
