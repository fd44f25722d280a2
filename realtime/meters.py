"""Measure a run: busy time of every stage, latency, rates and peak memory. Times come from an injected clock."""

import math
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

# Ten seconds at 30 frames a second.
LATENCY_SAMPLES = 300
RATE_WINDOW_S = 2.0
# Enough for the window at any rate that cameras have.
RATE_SAMPLES = 600


@dataclass(slots=True)
class StageMeter:
    """Busy seconds and calls of one stage; several threads may enter it at once."""

    name: str
    clock: Callable[[], float] = time.perf_counter
    busy_s: float = 0.0
    calls: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @contextmanager
    def measure(self) -> Iterator[None]:
        started_s = self.clock()
        try:
            yield
        finally:
            elapsed_s = self.clock() - started_s
            with self._lock:
                self.busy_s += elapsed_s
                self.calls += 1

    @property
    def mean_ms(self) -> float:
        return 1000 * self.busy_s / self.calls if self.calls else 0.0


def peak_memory_mb() -> float | None:
    """Return the largest resident size of this process so far, in units of 10^6 bytes; None where it cannot be had."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / 1e6 if sys.platform == "darwin" else peak * 1024 / 1e6


@dataclass(frozen=True, slots=True)
class Latency:
    """Percentiles in milliseconds; None before the first frame."""

    p50_ms: float | None = None
    p95_ms: float | None = None
    p99_ms: float | None = None


class LatencyMeter:
    """Percentiles over the last `LATENCY_SAMPLES` frames; any thread may call it."""

    def __init__(self) -> None:
        self._samples_s: deque[float] = deque(maxlen=LATENCY_SAMPLES)

    def add(self, seconds: float) -> None:
        self._samples_s.append(seconds)

    def percentiles(self) -> Latency:
        """Return the smallest samples that 50, 95 and 99 % of all do not exceed."""
        ordered = sorted(self._samples_s.copy())
        if not ordered:
            return Latency()
        return Latency(*(1000 * ordered[math.ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99)))


class RateMeter:
    """Events a second over the last `RATE_WINDOW_S`; any thread may call it."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._times_s: deque[float] = deque(maxlen=RATE_SAMPLES)

    def tick(self) -> None:
        self._times_s.append(self._clock())

    def per_second(self) -> float:
        """Return (n - 1) / (t_last - t_first), 0 once no event has come for the length of the window."""
        now_s = self._clock()
        recent = [time_s for time_s in self._times_s.copy() if now_s - time_s <= RATE_WINDOW_S]
        return (len(recent) - 1) / (recent[-1] - recent[0]) if len(recent) > 1 and recent[-1] > recent[0] else 0.0
