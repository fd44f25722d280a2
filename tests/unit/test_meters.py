"""Meters add up busy time, from any number of threads and in spite of errors."""

import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest

from realtime.meters import StageMeter, peak_memory_mb


def test_busy_time_and_calls_add_up() -> None:
    times_s = iter([1.0, 1.5, 10.0, 10.25])
    meter = StageMeter("decode", clock=lambda: next(times_s))

    for _ in range(2):
        with meter.measure():
            pass

    assert (meter.busy_s, meter.calls, meter.mean_ms) == (0.75, 2, 375.0)


def test_meter_without_calls_has_a_mean_of_zero() -> None:
    assert StageMeter("decode").mean_ms == 0


def test_failure_counts_and_is_passed_on() -> None:
    times_s = count(0.0, 2.0)
    meter = StageMeter("decode", clock=lambda: next(times_s))

    with pytest.raises(RuntimeError, match="broken"), meter.measure():
        raise RuntimeError("broken")

    assert (meter.busy_s, meter.calls) == (2.0, 1)


def test_threads_may_measure_at_once() -> None:
    threads = 4
    inside = threading.Barrier(threads, timeout=5)
    thread_times = threading.local()

    def clock() -> float:
        thread_times.now_s = getattr(thread_times, "now_s", 0.0) + 1.0
        return thread_times.now_s

    meter = StageMeter("network", clock=clock)

    def work(_: int) -> None:
        with meter.measure():
            inside.wait()
        for _ in range(200):
            with meter.measure():
                pass

    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, range(threads)))

    assert (meter.calls, meter.busy_s) == (threads * 201, threads * 201.0)


MEMORY_CODE = """
from realtime.meters import peak_memory_mb
before_mb = peak_memory_mb()
held = b"x" * 100_000_000
after_mb = peak_memory_mb()
del held
print(before_mb, after_mb, peak_memory_mb())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no resource module")
def test_peak_memory_is_in_units_of_a_million_bytes_and_never_falls() -> None:
    # In a process of its own, which is small; but Linux lets it begin with the peak of the process that started it.
    printed = subprocess.run([sys.executable, "-c", MEMORY_CODE], capture_output=True, text=True, check=True).stdout

    before_mb, after_mb, later_mb = map(float, printed.split())

    assert 5 < before_mb < 20_000
    assert 100 <= after_mb <= before_mb + 110
    assert later_mb >= after_mb


def test_system_that_does_not_tell_its_memory_gives_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "resource", None)

    assert peak_memory_mb() is None
