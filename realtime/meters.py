"""Measure a run: busy time of every stage, processor use and peak memory. Times come from an injected clock."""

import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field


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
