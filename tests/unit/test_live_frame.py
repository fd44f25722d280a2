"""Slots drop what is old, count it, never hold the run up, and end with it."""

import threading

import numpy as np
import pytest

from realtime.live_frame import LiveFrame, Subscription
from realtime.newest import NewestSlot
from tests.live import FakeTime

BLACK = np.zeros((4, 4, 3), np.uint8)


def frame(index: int, *, captured_s: float = 0.0, is_message: bool = False) -> LiveFrame:
    return LiveFrame(BLACK, BLACK, captured_s, index, is_message)


def test_a_slow_consumer_gets_the_newest_frame_and_the_others_are_counted() -> None:
    slot = Subscription("slow")

    for index in range(5):
        slot.put(frame(index))

    taken = slot.wait(0)
    assert taken is not None
    assert taken.index == 4
    assert slot.dropped == 4
    assert slot.wait(0) is None


def test_a_deeper_slot_keeps_that_many_in_order() -> None:
    slot = Subscription("recorder", depth=3)

    for index in range(5):
        slot.put(frame(index))

    waiting = [slot.wait(0) for _ in range(4)]
    assert [item.index if item else None for item in waiting] == [2, 3, 4, None]
    assert slot.dropped == 2


def test_close_wakes_who_waits_and_leaves_what_is_there() -> None:
    slot = Subscription("consumer")
    got: list[LiveFrame | None] = []
    waiter = threading.Thread(target=lambda: got.append(slot.wait(60)))
    waiter.start()

    slot.close()
    waiter.join(10)

    assert got == [None]
    slot.put(frame(0))
    assert slot.wait(0) is None


def test_latency_is_from_capture_to_shown_and_messages_do_not_count() -> None:
    clock = FakeTime(100.0)
    slot = Subscription("window", clock=clock)
    for index in range(100):
        clock.now_s = 100 + index / 10
        slot.shown(frame(index, captured_s=clock.now_s - (index + 1) / 1000))
    slot.shown(frame(100, captured_s=0.0, is_message=True))

    latency = slot.latency

    assert (latency.p50_ms, latency.p95_ms, latency.p99_ms) == pytest.approx((50, 95, 99))
    assert slot.fps == pytest.approx(10)


def test_the_rate_falls_to_zero_when_nothing_comes() -> None:
    clock = FakeTime(100.0)
    slot = Subscription("window", clock=clock)
    for _ in range(30):
        clock.now_s += 1 / 30
        slot.shown(frame(0, captured_s=clock.now_s))

    clock.now_s += 10

    assert slot.fps == 0


def test_the_newest_slot_counts_what_it_replaces() -> None:
    slot: NewestSlot[int] = NewestSlot()

    for number in range(3):
        slot.put(number)

    assert slot.take(0) == 2
    assert slot.take(0) is None
    assert slot.dropped == 2
