"""The hand-over between threads: bounded, in order, and `stop` ends both sides."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from realtime.channel import Channel, Stopped

# Long enough for a thread that is not blocked to get through, short enough to wait for one that is.
BLOCKED_S = 0.1
TIMEOUT_S = 5.0


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as executor:
        yield executor


def _is_blocked(future: "Future[object]") -> bool:
    try:
        future.exception(timeout=BLOCKED_S)
    except TimeoutError:
        return True
    return False


def test_items_arrive_in_order_and_finish_ends_them(pool: ThreadPoolExecutor) -> None:
    channel: Channel[int] = Channel(3)

    def produce() -> None:
        for item in range(1000):
            channel.put(item)
        channel.finish()

    produced = pool.submit(produce)

    assert list(channel) == list(range(1000))
    assert produced.result(TIMEOUT_S) is None


def test_put_waits_while_full(pool: ThreadPoolExecutor) -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.put(2)

    third = pool.submit(channel.put, 3)

    assert _is_blocked(third)
    assert next(iter(channel)) == 1
    assert third.result(TIMEOUT_S) is None


def test_iteration_waits_while_empty(pool: ThreadPoolExecutor) -> None:
    channel: Channel[int] = Channel(2)

    item = pool.submit(lambda: next(iter(channel)))

    assert _is_blocked(item)
    channel.put(7)
    assert item.result(TIMEOUT_S) == 7


def test_what_was_put_before_finish_still_arrives() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)
    channel.put(2)
    channel.finish()

    assert list(channel) == [1, 2]
    assert list(channel) == []


@pytest.mark.parametrize(
    ("blocked_in", "filled"),
    [
        pytest.param(lambda channel: channel.put(2), True, id="put"),
        pytest.param(lambda channel: next(iter(channel)), False, id="iteration"),
    ],
)
def test_stop_wakes_whoever_waits(
    pool: ThreadPoolExecutor, blocked_in: Callable[[Channel[int]], object], filled: bool
) -> None:
    channel: Channel[int] = Channel(1)
    if filled:
        channel.put(1)
    waiting = [pool.submit(blocked_in, channel) for _ in range(3)]
    assert all(_is_blocked(future) for future in waiting)

    channel.stop()

    assert [type(future.exception(TIMEOUT_S)) for future in waiting] == [Stopped] * 3


def test_after_stop_nothing_goes_in_or_out() -> None:
    channel: Channel[int] = Channel(2)
    channel.put(1)

    channel.stop()
    channel.stop()

    with pytest.raises(Stopped):
        next(iter(channel))
    with pytest.raises(Stopped):
        channel.put(2)


def test_many_threads_lose_and_double_nothing(pool: ThreadPoolExecutor) -> None:
    channel: Channel[int] = Channel(3)
    producers_left = threading.Semaphore(0)

    def produce(first: int) -> None:
        for item in range(first, 1000, 2):
            channel.put(item)
        producers_left.release()

    for first in (0, 1):
        pool.submit(produce, first)
    consumed = [pool.submit(list[int], channel) for _ in range(2)]
    for _ in range(2):
        assert producers_left.acquire(timeout=TIMEOUT_S)
    channel.finish()

    results = [future.result(TIMEOUT_S) for future in consumed]
    assert sorted(results[0] + results[1]) == list(range(1000))
    # Each consumer sees each producer's items in order.
    assert all(
        [item for item in result if item % 2 == parity] == sorted(item for item in result if item % 2 == parity)
        for result in results
        for parity in (0, 1)
    )
